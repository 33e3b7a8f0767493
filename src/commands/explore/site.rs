//! What answers are made of: the pictures and settings, and the workers.

use std::sync::Arc;

use super::{Explorer, catalogue::Entry, engine::Engine, refusal::Refusal};

/// What all addresses share.
#[derive(Clone)]
pub struct Site {
    pub explorer: Arc<Explorer>,
    pub engine: Arc<Engine>,
}

impl Site {
    /// The picture that a part of an address names by its number.
    ///
    /// # Errors
    /// If there is none.
    pub fn picture(&self, id: &str) -> Result<Entry, Refusal> {
        let number =
            id.parse().map_err(|_| Refusal::missing(format!("there is no picture {id:?}; they have numbers")))?;
        self.explorer.catalogue.get(number)
    }
}
