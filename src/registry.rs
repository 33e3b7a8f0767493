//! Lists that can be added to: those that come with the library, and those of a program that is built on it.

use std::sync::{PoisonError, RwLock};

/// A list of things that are known by a name.
pub(crate) struct Registry<T: ?Sized + 'static> {
    own: &'static [&'static T],
    added: RwLock<Vec<&'static T>>,
}

impl<T: ?Sized> Registry<T> {
    /// What comes with the library.
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
