//! From raw heads to boxes.

use ndarray::{ArrayView1, ArrayView2};

use crate::{geometry::BBox, model::Head};

/// A predicted box with its class, and where in the network it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Detection {
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

impl Detection {
    /// Channel of the head's raw output that holds the class logit.
    pub fn logit_channel(&self, head: &Head) -> usize {
        self.anchor * head.channels_per_anchor + CLASSES + self.class_id
    }
}

/// Channel of the objectness logit within an anchor.
pub(super) const OBJECTNESS: usize = 4;
const CLASSES: usize = 5;

/// One head in the order of the file, with what decoding needs to know of its surroundings.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeadRows<'a> {
    pub head: &'a Head,
    /// Index in order of the file.
    pub index: usize,
    /// Height and width in cells.
    pub cells: (usize, usize),
    /// How many rows of the concatenated prediction come before this head.
    pub first_row: usize,
    /// Number of classes.
    pub classes: usize,
}

impl HeadRows<'_> {
    /// The cells with an anchor whose objectness exceeds `threshold`, row by row.
    ///
    /// `objectness`: raw, `[anchors, h·w]`.
    pub fn promising_cells(&self, objectness: ArrayView2<f32>, threshold: f32) -> Vec<usize> {
        let exceeds = |cell: &usize| objectness.column(*cell).iter().any(|&raw| sigmoid(raw) > threshold);
        (0..objectness.ncols()).filter(exceeds).collect()
    }

    /// Decodes the predictions of one cell whose objectness and confidence both exceed `threshold`.
    ///
    /// `raw`: `[anchors·channels]`, the head's output in that cell before the sigmoid.
    ///
    /// Ultralytics YOLOv5, `non_max_suppression` with one label a box.
    pub fn decode(&self, raw: ArrayView1<f32>, cell: usize, threshold: f32) -> impl Iterator<Item = Detection> {
        let (height, width) = self.cells;
        let (row, column) = (cell / width, cell % width);
        let decode_anchor = move |anchor: usize| {
            let base = anchor * self.head.channels_per_anchor;
            let at = |channel: usize| raw[base + channel];
            let objectness = sigmoid(at(OBJECTNESS));
            // The first of equals wins, as in torch.max.
            let best = |best: (usize, f32), this: (usize, f32)| if this.1 > best.1 { this } else { best };
            let classes = (0..self.classes).map(|class| (class, at(CLASSES + class)));
            let (class_id, logit) = classes.fold((0, f32::NEG_INFINITY), best);
            let confidence = objectness * sigmoid(logit);
            // NaN exceeds nothing.
            if !(objectness > threshold && confidence > threshold) {
                return None;
            }
            let box_input = decode_box(self.head, anchor, (row, column), at);
            box_input.is_finite().then_some(Detection {
                box_input,
                class_id,
                confidence,
                logit,
                head: self.index,
                anchor,
                row,
                column,
                anchor_row: self.first_row + (anchor * height + row) * width + column,
            })
        };
        (0..self.head.anchors.len()).filter_map(decode_anchor)
    }
}

/// The box of an anchor in a cell (row, column), in input pixels. `raw`: x, y, w and h before the sigmoid, by channel.
///
/// Ultralytics YOLOv5, `Detect.forward`: xy = (2σ − 0.5 + cell)·stride, wh = (2σ)²·anchor.
pub(crate) fn decode_box(
    head: &Head,
    anchor: usize,
    (row, column): (usize, usize),
    raw: impl Fn(usize) -> f32,
) -> BBox {
    let [anchor_w, anchor_h] = head.anchors[anchor];
    let centre = |channel, cell: usize| (2.0 * sigmoid(raw(channel)) - 0.5 + cell as f32) * head.stride as f32;
    let side = |channel, anchor: f32| (2.0 * sigmoid(raw(channel))).powi(2) * anchor;
    BBox::from_cxcywh(centre(0, column), centre(1, row), side(2, anchor_w), side(3, anchor_h))
}

pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, array, s};

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
        let head = head();
        let rows = HeadRows { head: &head, index: 5, cells: (3, 4), first_row: 100, classes: 2 };
        let mut raw = Array1::from_elem(14, -20.0);
        raw.slice_mut(s![7..11]).fill(0.0);
        raw[7 + 4] = 20.0;
        raw[7 + 6] = 3.0;
        let found: Vec<Detection> = rows.decode(raw.view(), 2 * 4 + 1, 0.5).collect();
        assert_eq!(found.len(), 1);
        let one = &found[0];
        // σ(0) = ½: the centre of the cell, and the anchor's own size.
        assert_eq!(one.box_input, BBox::from_cxcywh(12.0, 20.0, 30.0, 40.0));
        assert_eq!((one.class_id, one.head, one.anchor, one.row, one.column), (1, 5, 1, 2, 1));
        assert_eq!(one.anchor_row, 100 + 12 + 2 * 4 + 1);
        assert_eq!(one.logit, 3.0);
        assert!((one.confidence - 0.952_574).abs() < 1e-5);
        assert_eq!(one.logit_channel(&head), 13);
    }

    #[test]
    fn no_number_is_no_prediction() {
        let head = head();
        let rows = HeadRows { head: &head, index: 0, cells: (1, 1), first_row: 0, classes: 2 };
        let raw = Array1::from_elem(14, f32::NAN);
        assert_eq!(rows.decode(raw.view(), 0, 0.0).count(), 0);
        assert!(rows.promising_cells(array![[f32::NAN], [f32::NAN]].view(), 0.0).is_empty());
        // A sure prediction, but of no place.
        for channel in 0..4 {
            let mut raw = Array1::from_elem(14, 9.0);
            raw[7 + channel] = f32::NAN;
            let anchors: Vec<usize> = rows.decode(raw.view(), 0, 0.4).map(|found| found.anchor).collect();
            assert_eq!(anchors, [0], "channel {channel}");
        }
    }

    #[test]
    fn a_cell_is_promising_if_one_of_its_anchors_is() {
        let head = head();
        let rows = HeadRows { head: &head, index: 0, cells: (1, 3), first_row: 0, classes: 2 };
        let objectness = array![[-1.0, -1.0, 3.0], [-1.0, 0.1, -9.0]];
        assert_eq!(rows.promising_cells(objectness.view(), 0.5), [1, 2]);
    }
}
