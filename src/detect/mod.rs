//! From a picture to detections: letterbox, decoding, non-maximum suppression, as YOLOv5's `detect.py` does them.

mod decode;
mod letterbox;
mod nms;
mod query;

use tch::Tensor;

use self::decode::{HeadRows, OBJECTNESS};
pub(crate) use self::decode::{decode_box, sigmoid};
pub use self::{
    decode::Detection,
    letterbox::{Letterbox, to_tensor},
    query::{Answer, Query, best_match},
};
use crate::{
    error::{Error, Result},
    model::Model,
    tensor,
};

/// Which predictions become detections.
#[derive(Debug, Clone, PartialEq)]
pub struct DetectOptions {
    /// Least confidence, 0 to 1. Default: 0.4.
    pub conf_threshold: f32,
    /// Boxes of one class that overlap more than this (IoU, 0 to 1) are one. Default: 0.45.
    pub iou_threshold: f32,
    /// Most detections in one picture. Default: 300.
    pub max_det: usize,
    /// Only these classes. Default: all.
    pub classes: Option<Vec<usize>>,
    /// Whether boxes of different classes suppress each other. Default: no.
    pub agnostic: bool,
}

impl Default for DetectOptions {
    fn default() -> Self {
        Self { conf_threshold: 0.4, iou_threshold: 0.45, max_det: 300, classes: None, agnostic: false }
    }
}

/// Decodes the raw heads of one picture into detections, most confident first.
///
/// `heads`: `[1, anchors·channels, h, w]` f32 each, in order of the file.
///
/// # Errors
/// [`crate::Error::Libtorch`] if the tensors can't be read.
pub fn detect(model: &Model, heads: &[Tensor], options: &DetectOptions) -> Result<Vec<Detection>> {
    let mut candidates = Vec::new();
    let mut first_row = 0;
    for (index, (head, raw)) in model.heads().iter().zip(heads).enumerate() {
        let [height, width] = match raw.size().as_slice() {
            &[1, _, height, width] => [height as usize, width as usize],
            other => return Err(Error::Libtorch(format!("expected a head [1, C, h, w], found {other:?}"))),
        };
        let rows = HeadRows { head, index, cells: (height, width), first_row, classes: model.names().len() };
        candidates.extend(candidates_of(&rows, raw, options.conf_threshold)?);
        first_row += head.anchors.len() * height * width;
    }
    Ok(nms::nms(candidates, options))
}

/// Whether all that the network says is finite numbers. Broken weights make it say NaN, which is no detection.
///
/// `heads`: raw.
///
/// # Errors
/// [`crate::Error::Libtorch`] if the tensors can't be read.
pub fn is_defined(heads: &[Tensor]) -> Result<bool> {
    for head in heads {
        if head.f_isfinite()?.f_all()?.f_int64_value(&[])? == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Copies out the objectness, and of what else a head says only the cells where that is high: few of thousands.
fn candidates_of(rows: &HeadRows, raw: &Tensor, threshold: f32) -> Result<Vec<Detection>> {
    // [h·w, C]: no copy for a head in channels_last.
    let cells = raw.f_detach()?.f_permute([0, 2, 3, 1])?.f_flatten(0, 2)?;
    let step = rows.head.channels_per_anchor as i64;
    let objectness = cells.f_slice(1, OBJECTNESS as i64, None, step)?.f_transpose(0, 1)?;
    let promising = rows.promising_cells(tensor::to_array2(&objectness)?.view(), threshold);
    if promising.is_empty() {
        return Ok(Vec::new());
    }
    let indices: Vec<i64> = promising.iter().map(|&cell| cell as i64).collect();
    let values = tensor::to_array2(&cells.f_index_select(0, &Tensor::from_slice(&indices).to_device(raw.device()))?)?;
    Ok(promising.iter().zip(values.rows()).flat_map(|(&cell, raw)| rows.decode(raw, cell, threshold)).collect())
}
