//! What the results of a model are called.

use serde::{Deserialize, Serialize};
use yolo_cam::{Model, families::Aspect, text::counted};

/// What a model finds in pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Noun {
    /// Boxes.
    Box,
    /// Classes of the whole picture.
    Class,
}

impl Noun {
    pub fn of(model: &Model) -> Self {
        if model.head().has(Aspect::Box) { Self::Box } else { Self::Class }
    }

    pub fn one(self) -> &'static str {
        match self {
            Self::Box => "box",
            Self::Class => "class",
        }
    }

    pub fn many(self) -> &'static str {
        match self {
            Self::Box => "boxes",
            Self::Class => "classes",
        }
    }

    /// `1 box`, `2 boxes`.
    pub fn counted(self, count: usize) -> String {
        counted(count, self.one(), self.many())
    }
}

/// `1 picture`, `2 pictures`.
pub fn pictures(count: usize) -> String {
    counted(count, "picture", "pictures")
}
