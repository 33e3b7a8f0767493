//! What a detector makes of a place at another size of its input.

use image::RgbImage;

use super::{Candidate, DetectOptions, Letterbox, Query, candidates};
use crate::{error::Result, geometry::LetterboxMap, model::Model};

/// What a detector makes of a place at some size of its input.
#[derive(Debug, Clone)]
pub struct Trial {
    /// How the picture lay in that input.
    pub map: LetterboxMap,
    /// The strongest candidate there, in pixels of that input; `None` if no prediction is about the place.
    pub best: Option<Candidate>,
}

/// Runs the network on `picture` at the size that `img_size` leads to ([`Model::input_side`]), and looks for what `query` asks for,
/// in pixels of the picture. One forward pass, without gradients.
///
/// # Errors
/// As [`Letterbox::of`]; [`crate::Error::Libtorch`] if the network can't run at this size.
pub fn try_size(
    model: &Model,
    picture: &RgbImage,
    query: &Query,
    options: &DetectOptions,
    img_size: u32,
) -> Result<Trial> {
    let letterbox = Letterbox::of(picture, model, Some(img_size))?;
    let forward = model.forward(&letterbox.tensor(model.device())?, &[])?;
    let found = candidates(model, &forward.outputs, &query.in_input(&letterbox.map), options)?;
    Ok(Trial { map: letterbox.map, best: found.into_iter().next() })
}
