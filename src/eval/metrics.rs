//! Figures of a map by itself: where it points, how much of it lies where it should, how sharp it is.

use ndarray::ArrayView2;

use crate::geometry::BBox;

/// Whether the map's maximum lies in the box, 0 to 1: where several pixels share the maximum, the share of them in the box.
/// `map`: `[H, W]` ≥ 0; `b`: in its pixels.
///
/// Pointing game, Zhang et al., ECCV 2016, <https://arxiv.org/abs/1608.00507>.
pub fn pointing_game(map: ArrayView2<f32>, b: &BBox) -> f64 {
    let most = map.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let peaks = || map.indexed_iter().filter(|(_, value)| **value == most);
    let hits = peaks().filter(|(cell, _)| contains(b, *cell)).count();
    hits as f64 / peaks().count().max(1) as f64
}

/// The share of the map's sum that lies in the box, 0 to 1; 0 for a map of zeros.
///
/// Energy-based pointing game, Wang et al. (Score-CAM), CVPRW 2020, <https://arxiv.org/abs/1910.01279>.
pub fn energy_pointing_game(map: ArrayView2<f32>, b: &BBox) -> f64 {
    share(sum_in(map, |cell| contains(b, cell)), sum_in(map, |_| true))
}

/// Of the map's sum in all objects the share that lies in other objects, 0 to 1, lower is better; `None` without any heat in
/// an object. What lies in the box and in others too counts for the box.
///
/// Object discrimination index, Zhao and Chan (ODAM), ICLR 2023, <https://arxiv.org/abs/2304.06354>.
pub fn object_discrimination_index(map: ArrayView2<f32>, b: &BBox, others: &[BBox]) -> Option<f64> {
    let is_other = |cell| !contains(b, cell) && others.iter().any(|other| contains(other, cell));
    let other = sum_in(map, is_other);
    let all = other + sum_in(map, |cell| contains(b, cell));
    (all > 0.0).then(|| other / all)
}

/// How far the heat lies from its maximum: √(ΣM·‖p − p_max‖² ÷ (¼·diagonal²·ΣM)), 0 for a single point; `None` for a map of zeros.
///
/// As ODAM's evaluation.
pub fn compactness(map: ArrayView2<f32>) -> Option<f64> {
    let (height, width) = map.dim();
    let total = sum_in(map, |_| true);
    let peak = map.indexed_iter().max_by(|a, b| a.1.total_cmp(b.1)).map(|(cell, _)| cell)?;
    let square =
        |(row, column): (usize, usize)| (row as f64 - peak.0 as f64).powi(2) + (column as f64 - peak.1 as f64).powi(2);
    let spread: f64 = map.indexed_iter().map(|(cell, &value)| f64::from(value) * square(cell)).sum();
    let quarter = (height as f64).hypot(width as f64).powi(2) / 4.0;
    (total > 0.0).then(|| (spread / (quarter * total)).sqrt())
}

/// Maximum ÷ mean: 1 for an even map, the number of pixels for a single point; `None` for a map of zeros.
pub fn sparsity(map: ArrayView2<f32>) -> Option<f64> {
    let most = f64::from(map.iter().copied().fold(0.0, f32::max));
    let mean = sum_in(map, |_| true) / map.len() as f64;
    (mean > 0.0).then(|| most / mean)
}

/// Whether the centre of a pixel (row, column) lies in the box.
fn contains(b: &BBox, (row, column): (usize, usize)) -> bool {
    let (x, y) = (column as f32 + 0.5, row as f32 + 0.5);
    (b.x1..b.x2).contains(&x) && (b.y1..b.y2).contains(&y)
}

fn sum_in(map: ArrayView2<f32>, is_wanted: impl Fn((usize, usize)) -> bool) -> f64 {
    // Not `sum`, which makes -0 of nothing.
    map.indexed_iter().filter(|(cell, _)| is_wanted(*cell)).fold(0.0, |sum, (_, &value)| sum + f64::from(value))
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    const LEFT: BBox = BBox { x1: 0.0, y1: 0.0, x2: 2.0, y2: 2.0 };

    #[test]
    fn each_metric_has_the_value_worked_out_by_hand() {
        let map = array![[1.0f32, 0.0, 0.0, 4.0], [0.0, 3.0, 0.0, 0.0]];
        assert_eq!(pointing_game(map.view(), &LEFT), 0.0);
        assert_eq!(energy_pointing_game(map.view(), &LEFT), 0.5);
        let right = BBox { x1: 3.0, y1: 0.0, x2: 4.0, y2: 1.0 };
        assert_eq!(object_discrimination_index(map.view(), &LEFT, &[right]), Some(0.5));
        let alone = object_discrimination_index(map.view(), &LEFT, &[]);
        assert!(alone.is_some_and(|index| index == 0.0 && index.is_sign_positive()), "{alone:?}");
        assert_eq!(sparsity(map.view()), Some(4.0));
        // From the maximum (0, 3): 9·1 for the first, 1 + 4 = 5 for the second, times 3; a quarter of 2² + 4² is 5; the sum is 8.
        assert!((compactness(map.view()).unwrap() - (24.0f64 / 40.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn ties_count_by_their_share_and_the_box_comes_before_others() {
        let even = Array2::from_elem((2, 4), 2.0f32);
        assert_eq!(pointing_game(even.view(), &LEFT), 0.5);
        assert_eq!(sparsity(even.view()), Some(1.0));
        let all = BBox { x1: 0.0, y1: 0.0, x2: 4.0, y2: 2.0 };
        assert_eq!(object_discrimination_index(even.view(), &LEFT, &[all]), Some(0.5));
    }

    #[test]
    fn a_map_of_zeros_has_no_figures() {
        let zeros = Array2::zeros((3, 3));
        assert_eq!(energy_pointing_game(zeros.view(), &LEFT), 0.0);
        assert_eq!(object_discrimination_index(zeros.view(), &LEFT, &[]), None);
        assert_eq!((compactness(zeros.view()), sparsity(zeros.view())), (None, None));
    }
}
