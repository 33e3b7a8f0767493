//! A prediction as data.

use serde::Serialize;

use crate::{
    detect::Detection,
    geometry::{BBox, LetterboxMap},
    model::Model,
};

/// A prediction that is not explained.
#[derive(Debug, Clone, Serialize)]
pub struct PredictionEntry {
    /// Its class.
    pub class_id: usize,
    /// The name of the class.
    pub class: String,
    /// 0 to 1.
    pub confidence: f32,
    /// In pixels of the picture; `None` if the class is said of the whole picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub box_image: Option<BBox>,
}

/// What names classes, and where boxes of the input lie in the picture.
#[derive(Clone, Copy)]
pub(super) struct Frame<'a> {
    pub model: &'a Model,
    pub map: &'a LetterboxMap,
}

impl PredictionEntry {
    /// `map`: how the picture lies in the input.
    pub fn new(found: &Detection, model: &Model, map: &LetterboxMap) -> Self {
        Frame { model, map }.prediction(found)
    }
}

impl Frame<'_> {
    pub fn prediction(self, found: &Detection) -> PredictionEntry {
        PredictionEntry {
            class_id: found.class_id,
            class: self.model.names()[found.class_id].clone(),
            confidence: found.confidence,
            box_image: found.box_input.map(|b| self.map.to_image(&b)),
        }
    }
}
