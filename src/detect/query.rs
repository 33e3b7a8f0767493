//! The prediction for a box that the user points at, however little the detector believes in it.

use tch::Tensor;

use super::{
    Detection,
    decode::{HeadRows, OBJECTNESS, sigmoid},
};
use crate::{
    error::{Error, Result},
    geometry::BBox,
    model::Model,
    tensor::values,
};

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
/// `heads`: `[1, anchors·channels, h, w]` f32 each, in order of the file.
///
/// # Errors
/// [`Error::Libtorch`] if the tensors can't be read.
pub fn best_match(model: &Model, heads: &[Tensor], query: &Query) -> Result<Option<Answer>> {
    let mut found: Option<(f32, Detection)> = None;
    let mut winner: Option<Detection> = None;
    let mut first_row = 0;
    for (index, (head, raw)) in model.heads().iter().zip(heads).enumerate() {
        let &[1, channels, height, width] = raw.size().as_slice() else {
            return Err(Error::Libtorch(format!("expected a head [1, C, h, w], found {:?}", raw.size())));
        };
        let cells = (height as usize, width as usize);
        let rows = HeadRows { head, index, cells, first_row, classes: model.names().len() };
        // [h·w, C]
        let cell_values = values(&raw.f_permute([0, 2, 3, 1])?)?;
        for (cell, raw) in cell_values.chunks_exact(channels as usize).enumerate() {
            // Nothing is below this threshold.
            for mut detection in rows.decode(ndarray::ArrayView1::from(raw), cell, -1.0) {
                let iou = detection.box_input.iou(&query.target);
                if iou >= MIN_IOU && winner.as_ref().is_none_or(|best| detection.confidence > best.confidence) {
                    winner = Some(detection.clone());
                }
                let base = detection.anchor * head.channels_per_anchor;
                detection.class_id = query.class_id;
                detection.logit = raw[detection.logit_channel(head)];
                detection.confidence = sigmoid(raw[base + OBJECTNESS]) * sigmoid(detection.logit);
                let is_better = found.as_ref().is_none_or(|(best_iou, best)| {
                    if iou.min(*best_iou) >= MIN_IOU { detection.confidence > best.confidence } else { iou > *best_iou }
                });
                if is_better && iou > 0.0 {
                    found = Some((iou, detection));
                }
            }
        }
        first_row += head.anchors.len() * cells.0 * cells.1;
    }
    Ok(found.map(|(iou, detection)| Answer { detection, iou, winner }))
}
