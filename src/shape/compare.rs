//! How alike two shapes are.

use serde::Serialize;

use super::Shape;

/// How alike two shapes are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Comparison {
    /// Euclidean distance of their Fourier descriptors: 0 for equal shapes, wherever, however large and turned they are.
    /// `None` if one has none.
    pub descriptor_distance: Option<f64>,
    /// IoU of the regions, 0 to 1: whether they are at the same place. `None` if their maps have different sizes.
    pub iou: Option<f64>,
}

/// Compares as many descriptors as both have.
pub fn compare(a: &Shape, b: &Shape) -> Comparison {
    let (left, right) = (&a.numbers.descriptors, &b.numbers.descriptors);
    let square: f64 = left.iter().zip(right).map(|(left, right)| (left - right).powi(2)).sum();
    let has_both = !left.is_empty() && !right.is_empty();
    let pixels = || a.mask.iter().zip(&b.mask);
    let count = |wanted: fn(bool, bool) -> bool| pixels().filter(|(a, b)| wanted(**a, **b)).count() as f64;
    let iou = || count(|a, b| a && b) / count(|a, b| a || b);
    Comparison { descriptor_distance: has_both.then(|| square.sqrt()), iou: (a.mask.dim() == b.mask.dim()).then(iou) }
}
