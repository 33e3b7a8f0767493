//! Figures of a map by itself: where it points, how much of it lies where it should, how sharp it is.

use ndarray::ArrayView2;

use super::gaussian_map;
use crate::geometry::{BBox, Size};

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

/// The share of the heat that lies in the box where only the order of the pixels counts, 0 to 1: the energy pointing game of the map
/// whose values, from the largest down, are those of the Gaussian on the box. Equal pixels share theirs; 0 for a map of zeros.
///
/// A power of the map, which raises its contrast and with it its energy pointing game, changes nothing here.
pub fn energy_by_rank(map: ArrayView2<f32>, b: &BBox) -> f64 {
    if sum_in(map, |_| true) <= 0.0 {
        return 0.0;
    }
    let (height, width) = map.dim();
    let mut gaussian = gaussian_map(Size { width: width as u32, height: height as u32 }, b).into_raw_vec_and_offset().0;
    gaussian.sort_unstable_by(|a, b| b.total_cmp(a));
    let mut pixels: Vec<(f32, bool)> = map.indexed_iter().map(|(cell, &value)| (value, contains(b, cell))).collect();
    pixels.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    let sum = |values: &[f32]| values.iter().fold(0.0, |sum, &value| sum + f64::from(value));
    let (mut within, mut rest) = (0.0, gaussian.as_slice());
    for equals in pixels.chunk_by(|a, b| a.0 == b.0) {
        let (theirs, others) = rest.split_at(equals.len());
        let inside = equals.iter().filter(|(_, is_inside)| *is_inside).count();
        within += sum(theirs) * inside as f64 / equals.len() as f64;
        rest = others;
    }
    share(within, sum(&gaussian))
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
    fn by_rank_a_power_gains_nothing() {
        let size = Size { width: 60, height: 40 };
        let b = BBox { x1: 10.0, y1: 5.0, x2: 40.0, y2: 25.0 };
        let gaussian = gaussian_map(size, &b);
        let own = energy_pointing_game(gaussian.view(), &b);
        assert!((energy_by_rank(gaussian.view(), &b) - own).abs() < 1e-6);
        // Hot around the right edge of the box.
        let map = Array2::from_shape_fn((40, 60), |(y, x)| 1.0 / (1.0 + (x as f32 - 38.0).hypot(y as f32 - 15.0)));
        let by_rank = energy_by_rank(map.view(), &b);
        let sharp = map.mapv(|value| value.powi(3));
        assert!(energy_pointing_game(sharp.view(), &b) > energy_pointing_game(map.view(), &b) + 0.1);
        assert!((energy_by_rank(sharp.view(), &b) - by_rank).abs() < 1e-9, "{by_rank}");
        assert!(by_rank < own - 0.1, "{by_rank} {own}");
        let even = Array2::from_elem((40, 60), 2.0f32);
        assert!((energy_by_rank(even.view(), &b) - 0.25).abs() < 1e-6, "the box's share of the picture");
    }

    #[test]
    fn a_map_of_zeros_has_no_figures() {
        let zeros = Array2::zeros((3, 3));
        assert_eq!(energy_by_rank(zeros.view(), &LEFT), 0.0);
        assert_eq!(energy_pointing_game(zeros.view(), &LEFT), 0.0);
        assert_eq!(object_discrimination_index(zeros.view(), &LEFT, &[]), None);
        assert_eq!((compactness(zeros.view()), sparsity(zeros.view())), (None, None));
    }
}
