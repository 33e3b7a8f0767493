//! Overlaps as pycocotools computes them, in double precision.

use super::ScoredBox;
use crate::{geometry::BBox, labels::Label};

/// Left, top, right and bottom.
fn sides(b: &BBox) -> [f64; 4] {
    <[f32; 4]>::from(*b).map(f64::from)
}

fn area([x1, y1, x2, y2]: [f64; 4]) -> f64 {
    (x2 - x1) * (y2 - y1)
}

/// Intersection over union, 0 to 1. With a crowd the union is the found box alone: it is no error to find a part of the crowd.
pub fn iou(found: &BBox, label: &Label) -> f64 {
    let (a, b) = (sides(found), sides(&label.b));
    let (width, height) = (a[2].min(b[2]) - a[0].max(b[0]), a[3].min(b[3]) - a[1].max(b[1]));
    if width <= 0.0 || height <= 0.0 {
        return 0.0;
    }
    let shared = width * height;
    let union = if label.is_crowd { area(a) } else { area(a) + area(b) - shared };
    shared / union
}

/// The boxes, most confident first; equal ones in their order.
pub fn by_confidence(found: &[ScoredBox]) -> Vec<(usize, &ScoredBox)> {
    let mut sorted: Vec<(usize, &ScoredBox)> = found.iter().enumerate().collect();
    sorted.sort_by(|(_, a), (_, b)| b.confidence.total_cmp(&a.confidence));
    sorted
}
