//! The prediction for a box that the user points at, however little the detector believes in it.

use tch::Tensor;

use super::{Detection, EVERYTHING, Prototypes, scan_level};
use crate::{error::Result, geometry::BBox, model::Model};

/// A box and a class: what did the detector make of it?
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Query {
    /// The box: in pixels of the picture for [`crate::explain()`], of the input for
    /// [`explain_input`](crate::explain::explain_input).
    pub target: BBox,
    /// The class that the box should have.
    pub class_id: usize,
}

/// What a detector makes of a query.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The most confident prediction of the class that overlaps the box by at least a half (IoU), or, where there is none,
    /// the one that overlaps it most.
    pub detection: Detection,
    /// IoU of that prediction with the box.
    pub iou: f32,
    /// The most confident prediction of any class that overlaps the box by at least a half.
    pub winner: Option<Detection>,
}

/// From this IoU on a prediction is taken as one of the box.
const MIN_IOU: f32 = 0.5;

/// Looks through all predictions of one picture, below the threshold too. `query`: in input pixels. `None` if no
/// prediction overlaps the box.
///
/// `outputs`: the raw ones, `[1, C, h, w]` f32 each, in order of the file.
///
/// # Errors
/// [`crate::Error::Libtorch`] if the tensors can't be read.
pub fn best_match(model: &Model, outputs: &[Tensor], query: &Query) -> Result<Option<Answer>> {
    let mut found: Option<(f32, Detection)> = None;
    let mut winner: Option<Detection> = None;
    for grid in model.head().grids(outputs)? {
        scan_level(model, outputs, &grid, EVERYTHING, &mut |prediction| {
            let iou = BBox::overlap(prediction.box_input.as_ref(), Some(&query.target));
            let best_class = prediction.best_class();
            let confidence = prediction.confidence(best_class);
            if confidence.is_nan() {
                return EVERYTHING;
            }
            if iou >= MIN_IOU && winner.as_ref().is_none_or(|best| confidence > best.confidence) {
                winner = Some(Detection::of(prediction, best_class));
            }
            let asked = Detection::of(prediction, query.class_id);
            let is_better = found.as_ref().is_none_or(|(best_iou, best)| {
                if iou.min(*best_iou) >= MIN_IOU { asked.confidence > best.confidence } else { iou > *best_iou }
            });
            if is_better && iou > 0.0 {
                found = Some((iou, asked));
            }
            EVERYTHING
        })?;
    }
    let Some((iou, mut detection)) = found else { return Ok(None) };
    if let Some(prototypes) = Prototypes::of(model.head(), outputs)? {
        detection.mask = detection.box_input.map(|b| prototypes.mask(&detection.place, &b)).transpose()?;
    }
    Ok(Some(Answer { detection, iou, winner }))
}
