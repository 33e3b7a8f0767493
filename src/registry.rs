//! Lists that can be added to: those that come with the library, and those of a program that is built on it.

use std::{
    fmt,
    ops::Deref,
    sync::{PoisonError, RwLock},
};

/// A list of things that are known by a name.
pub struct Registry<T: ?Sized + 'static> {
    own: &'static [&'static T],
    added: RwLock<Vec<&'static T>>,
}

impl<T: ?Sized> Registry<T> {
    /// A list of what comes with the library.
    pub const fn new(own: &'static [&'static T]) -> Self {
        Self { own, added: RwLock::new(Vec::new()) }
    }

    /// Adds one behind all others.
    pub fn add(&self, item: &'static T) {
        self.added.write().unwrap_or_else(PoisonError::into_inner).push(item);
    }

    /// All, in the order in which they are shown.
    pub fn all(&self) -> Vec<&'static T> {
        let added = self.added.read().unwrap_or_else(PoisonError::into_inner);
        self.own.iter().chain(added.iter()).copied().collect()
    }
}

/// What something in a list is like: it has a name there, and maybe others.
pub trait Spec: Sized + 'static {
    /// What such a thing is called, `Method`.
    const KIND: &'static str;

    /// The name in options and reports.
    fn name(&self) -> &'static str;

    /// Other names that options take.
    fn aliases(&self) -> &'static [&'static str] {
        &[]
    }

    /// One that is not in the list, made because somebody asked for this name. Default: none.
    fn made(_name: &str) -> Option<&'static Self> {
        None
    }

    /// The list of all.
    #[doc(hidden)]
    fn list() -> &'static Registry<Self>;
}

/// Something in a list, by its description. Those with the same name are the same.
pub struct Listed<T: 'static>(&'static T);

impl<T> Listed<T> {
    /// What is described so, whether or not it is in the list.
    pub const fn new(spec: &'static T) -> Self {
        Self(spec)
    }
}

impl<T: Spec> Listed<T> {
    /// All, in the order in which they are listed.
    pub fn all() -> Vec<Self> {
        T::list().all().into_iter().map(Self).collect()
    }

    /// The one with this name or alias.
    pub fn named(name: &str) -> Option<Self> {
        let listed = Self::all().into_iter().find(|listed| listed.name() == name || listed.aliases().contains(&name));
        listed.or_else(|| T::made(name).map(Self))
    }

    /// Adds one to the list, for this process: flags and help show it as they show all others.
    pub fn register(spec: &'static T) -> Self {
        T::list().add(spec);
        Self(spec)
    }
}

// Derived, these would ask the same of the description.
impl<T> Clone for Listed<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Listed<T> {}

impl<T> Deref for Listed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0
    }
}

impl<T: Spec> PartialEq for Listed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl<T: Spec> Eq for Listed<T> {}

impl<T: Spec> fmt::Debug for Listed<T> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}({})", T::KIND, self.name())
    }
}
