//! From a picture to detections: letterbox, decoding, non-maximum suppression, as YOLOv5's `detect.py` does them.

mod decode;
mod letterbox;
mod nms;

use tch::Tensor;

use self::{decode::Candidate, decode::decode};
pub use self::{
    decode::Candidate as Detection,
    letterbox::{Letterbox, to_tensor},
};
use crate::{error::Result, model::Model, tensor};

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
    let classes = model.names().len();
    let mut candidates = Vec::new();
    let mut first_row = 0;
    for (index, (head, raw)) in model.heads().iter().zip(heads).enumerate() {
        let raw = tensor::to_array3(raw)?;
        candidates.extend(decode(raw.view(), head, index, classes, first_row, options.conf_threshold));
        let (_, height, width) = raw.dim();
        first_row += head.anchors.len() * height * width;
    }
    Ok(nms::nms(candidates, options))
}
