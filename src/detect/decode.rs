//! From raw heads to boxes.

use ndarray::ArrayView3;

use crate::{geometry::BBox, model::Head};

/// A prediction above the confidence threshold, before non-maximum suppression.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The box in input pixels.
    pub box_input: BBox,
    /// Index of the most probable class.
    pub class_id: usize,
    /// Objectness times class probability, 0 to 1.
    pub confidence: f32,
    /// Raw class logit, before the sigmoid.
    pub logit: f32,
    /// Index of the head, in order of the file.
    pub head: usize,
    /// Index of the anchor in its head.
    pub anchor: usize,
    /// Row of the cell.
    pub row: usize,
    /// Column of the cell.
    pub column: usize,
    /// Row in the concatenated prediction of all heads, as Ultralytics counts them.
    pub anchor_row: usize,
}

impl Candidate {
    /// Channel of the head's raw output that holds the class logit.
    pub fn logit_channel(&self, head: &Head) -> usize {
        self.anchor * head.channels_per_anchor + CLASSES + self.class_id
    }
}

const OBJECTNESS: usize = 4;
const CLASSES: usize = 5;

/// Decodes the predictions of one head whose objectness and confidence both exceed `threshold`.
///
/// `raw`: `[anchors·channels, h, w]`, the head's output before the sigmoid. `index`: the head's index in order of
/// the file. `first_row`: how many rows of the concatenated prediction come before this head.
///
/// Ultralytics YOLOv5, `Detect.forward` and `non_max_suppression` with one label a box:
/// xy = (2σ − 0.5 + cell)·stride, wh = (2σ)²·anchor.
pub fn decode(
    raw: ArrayView3<f32>,
    head: &Head,
    index: usize,
    classes: usize,
    first_row: usize,
    threshold: f32,
) -> Vec<Candidate> {
    let (_, height, width) = raw.dim();
    let stride = head.stride as f32;
    let mut candidates = Vec::new();
    for (anchor, &[anchor_w, anchor_h]) in head.anchors.iter().enumerate() {
        let base = anchor * head.channels_per_anchor;
        for row in 0..height {
            for column in 0..width {
                let at = |channel: usize| raw[[base + channel, row, column]];
                let objectness = sigmoid(at(OBJECTNESS));
                // Written so that NaN is left out.
                if !(objectness > threshold) {
                    continue;
                }
                // The first of equals wins, as in torch.max.
                let (class_id, logit) = (0..classes)
                    .map(|class| (class, at(CLASSES + class)))
                    .fold((0, f32::NEG_INFINITY), |best, this| if this.1 > best.1 { this } else { best });
                let confidence = objectness * sigmoid(logit);
                if !(confidence > threshold) {
                    continue;
                }
                let centre = |channel: usize, cell: usize| (2.0 * sigmoid(at(channel)) - 0.5 + cell as f32) * stride;
                let side = |channel: usize, anchor: f32| (2.0 * sigmoid(at(channel))).powi(2) * anchor;
                candidates.push(Candidate {
                    box_input: BBox::from_cxcywh(
                        centre(0, column),
                        centre(1, row),
                        side(2, anchor_w),
                        side(3, anchor_h),
                    ),
                    class_id,
                    confidence,
                    logit,
                    head: index,
                    anchor,
                    row,
                    column,
                    anchor_row: first_row + (anchor * height + row) * width + column,
                });
            }
        }
    }
    candidates
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    fn head() -> Head {
        Head {
            path: "model.1.m.0".into(),
            stride: 8,
            rank: 0,
            anchors: vec![[10.0, 20.0], [30.0, 40.0]],
            channels_per_anchor: 7,
        }
    }

    #[test]
    fn a_prediction_decodes_by_the_formula() {
        let mut raw = Array3::from_elem((14, 3, 4), -20.0);
        for channel in 0..4 {
            raw[[7 + channel, 2, 1]] = 0.0;
        }
        raw[[7 + 4, 2, 1]] = 20.0;
        raw[[7 + 6, 2, 1]] = 3.0;
        let found = decode(raw.view(), &head(), 5, 2, 100, 0.5);
        assert_eq!(found.len(), 1);
        let one = &found[0];
        // σ(0) = ½: the centre of the cell, and the anchor's own size.
        assert_eq!(one.box_input, BBox::from_cxcywh(12.0, 20.0, 30.0, 40.0));
        assert_eq!((one.class_id, one.head, one.anchor, one.row, one.column), (1, 5, 1, 2, 1));
        assert_eq!(one.anchor_row, 100 + 12 + 2 * 4 + 1);
        assert_eq!(one.logit, 3.0);
        assert!((one.confidence - 0.952_574).abs() < 1e-5);
        assert_eq!(one.logit_channel(&head()), 13);
    }

    #[test]
    fn no_number_is_no_prediction() {
        let raw = Array3::from_elem((14, 1, 1), f32::NAN);
        assert!(decode(raw.view(), &head(), 0, 2, 0, 0.0).is_empty());
    }
}
