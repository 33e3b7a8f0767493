//! What is the same and what is not, when one detector takes the place of another.

use ndarray::{Array2, s};
use serde::{Deserialize, Serialize};

use super::{Evidence, ScoredBox, errors::judge};
use crate::{eval::rank_correlation, geometry::LetterboxMap, labels::Label};

/// How far the evidence for a box moved.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// Spearman's rank correlation of the maps where either of them is hot, −1 to 1; `None` where one does not vary there.
    pub correlation: Option<f64>,
    /// The share of heat that lies elsewhere: on the object, on others, around or far away, 0 to 1. Half the sum of the differences, so that
    /// what moved from the object to its surroundings counts once.
    pub moved: f64,
}

/// A map of a picture.
#[derive(Debug, Clone, Copy)]
pub struct MapOfPicture<'a> {
    /// `[H, W]` ≥ 0 at the size of the input.
    pub heat: &'a Array2<f32>,
    /// How the picture lies in that input.
    pub place: &'a LetterboxMap,
    /// Where its heat lies.
    pub evidence: &'a Evidence,
}

/// Cells along a side on which maps are compared: pixels beside each other say the same.
const SIDE: usize = 64;

/// How far the evidence moved from one map to another of the same picture, whose inputs may have different sizes.
///
/// Rank correlation over the whole of a picture would be that of the noise in its cold parts. So it is taken over the cells in which
/// either map has at least a tenth of its peak.
pub fn drift(a: MapOfPicture, b: MapOfPicture) -> Drift {
    let cells = [a, b].map(cells);
    let least = cells.each_ref().map(|cells| cells.iter().copied().fold(0.0, f32::max) / 10.0);
    let is_hot = |index: &usize| (0..2).any(|map| cells[map][*index] >= least[map] && least[map] > 0.0);
    let hot: Vec<usize> = (0..cells[0].len()).filter(is_hot).collect();
    let [first, second] = cells.each_ref().map(|cells| hot.iter().map(|&index| cells[index]).collect::<Vec<f32>>());
    let shares = |evidence: &Evidence| [evidence.object, evidence.on_others(), evidence.around, evidence.far];
    let differences = shares(a.evidence).into_iter().zip(shares(b.evidence)).map(|(a, b)| (a - b).abs());
    Drift { correlation: rank_correlation(&first, &second), moved: differences.sum::<f64>() / 2.0 }
}

/// The means of the cells of a grid over the picture; 0 where a small picture has no pixel for a cell.
fn cells(map: MapOfPicture) -> Vec<f32> {
    let (columns, rows) = map.place.shown();
    let (width, height) = (columns.len(), rows.len());
    let shown =
        map.heat.slice(s![rows.start as usize..rows.end as usize, columns.start as usize..columns.end as usize]);
    let (mut sums, mut counts) = (vec![0.0; SIDE * SIDE], vec![0.0_f32; SIDE * SIDE]);
    for ((y, x), value) in shown.indexed_iter() {
        let cell = y * SIDE / height * SIDE + x * SIDE / width;
        sums[cell] += value;
        counts[cell] += 1.0;
    }
    sums.iter().zip(counts).map(|(sum, count)| sum / count.max(1.0)).collect()
}

/// Which boxes of two detectors are of the same thing: indices in `old` and `new`. A box of the new detector, the most confident first, goes
/// with the box of its class that it overlaps most, by at least half (IoU). Classes must be those of one detector.
pub fn pairs(old: &[ScoredBox], new: &[ScoredBox]) -> Vec<(usize, usize)> {
    let labels: Vec<Label> = old.iter().map(|old| Label::new(old.class_id, old.b)).collect();
    let verdicts = judge(&labels, new).found;
    let pair = |(index, verdict): (usize, &super::Verdict)| match (verdict.error, verdict.label) {
        (None, Some(at)) => Some((at, index)),
        _ => None,
    };
    verdicts.iter().enumerate().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diagnose::evidence,
        geometry::{BBox, Size},
    };

    const BOX: BBox = BBox { x1: 16.0, y1: 16.0, x2: 48.0, y2: 48.0 };

    /// A blob around a point.
    fn blob(x: f32, y: f32) -> Array2<f32> {
        Array2::from_shape_fn((64, 64), |(row, column)| {
            let (dx, dy) = (column as f32 - x, row as f32 - y);
            (-(dx * dx + dy * dy) / 72.0).exp()
        })
    }

    fn between(a: &Array2<f32>, b: &Array2<f32>) -> Drift {
        let [own, other] = [a, b].map(|map| evidence(map.view(), &BOX, &[]).unwrap());
        let place = &LetterboxMap::identity(Size::square(64));
        let of = |heat, evidence| MapOfPicture { heat, place, evidence };
        drift(of(a, &own), of(b, &other))
    }

    #[test]
    fn the_same_map_did_not_move_and_one_beside_the_object_did() {
        let own = blob(32.0, 32.0);
        let same = between(&own, &(&own * 3.0));
        assert!(same.correlation > Some(0.999) && same.moved < 1e-6, "the unit does not matter: {same:?}");
        let moved = between(&own, &blob(4.0, 32.0));
        assert!(moved.correlation < Some(0.0) && moved.moved > 0.8, "{moved:?}");
        let [near, far] = [36.0, 48.0].map(|x| between(&own, &blob(x, 32.0)));
        assert!(near.correlation > far.correlation && near.moved < far.moved, "{near:?} {far:?}");
        assert_eq!(between(&own, &blob(4.0, 32.0)).moved, between(&blob(4.0, 32.0), &own).moved);
    }

    #[test]
    fn boxes_of_the_same_thing_are_paired() {
        let found = |class_id: usize, confidence: f32, x: f32| ScoredBox {
            class_id,
            confidence,
            b: BBox { x1: x, y1: 0.0, x2: x + 10.0, y2: 10.0 },
        };
        let old = [found(0, 0.9, 0.0), found(0, 0.8, 50.0), found(1, 0.7, 100.0)];
        let new = [found(1, 0.5, 50.0), found(0, 0.6, 2.0), found(0, 0.9, 1.0), found(1, 0.4, 101.0)];
        assert_eq!(pairs(&old, &new), [(0, 2), (2, 3)], "the most confident one, of the same class");
    }
}
