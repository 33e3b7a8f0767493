//! Where the heat of a map lies: on the object, on others, around it, or far away.

use std::collections::BTreeMap;

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use crate::{geometry::BBox, labels::Label};

/// The surroundings of an object reach to a box around the same centre with sides so many times as long.
pub(super) const REACH: f32 = 2.0;

/// Where the heat of a map lies. The shares of all heat on the object, on others, around and far away make up 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// On the object.
    pub object: f64,
    /// On other labelled objects, by class: what lies on the object itself is not among them, and where others overlap each other, the
    /// smallest has it.
    pub others: Vec<(usize, f64)>,
    /// Around the object, on no other: in a box twice as wide and as high.
    pub around: f64,
    /// Anywhere else.
    pub far: f64,
    /// Of the heat that is not on the object, how much lies beyond each of its sides, in the order of [`Side::ALL`].
    pub beyond: [f64; 4],
    /// Where the hottest part lies.
    pub focus: Focus,
}

/// Where the hottest part of a map lies: most of the heat of those pixels that have at least half of the peak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Focus {
    /// On the object.
    Object,
    /// On another object of this class.
    Other(usize),
    /// On no object, beyond this side of the object, near or far.
    Beside(Side),
}

/// A side of a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Smaller x.
    Left,
    /// Larger x.
    Right,
    /// Smaller y.
    Above,
    /// Larger y.
    Below,
}

impl Side {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Left, Self::Right, Self::Above, Self::Below];

    /// As it goes before "the box".
    pub fn words(self) -> &'static str {
        match self {
            Self::Left => "left of",
            Self::Right => "right of",
            Self::Above => "above",
            Self::Below => "below",
        }
    }
}

impl Evidence {
    /// On all other objects.
    pub fn on_others(&self) -> f64 {
        self.others.iter().fold(0.0, |sum, (_, share)| sum + share)
    }

    /// The side of the object beyond which most of the other heat lies.
    pub fn side(&self) -> Side {
        let most = (0..4).max_by(|&a, &b| self.beyond[a].total_cmp(&self.beyond[b])).unwrap_or_default();
        Side::ALL[most]
    }
}

/// Where the heat of `map` lies, `[H, W]` ≥ 0, in its pixels; `None` if there is none. `object`: what the map should be about;
/// `others`: the other objects of the picture, crowds among them.
pub fn evidence(map: ArrayView2<f32>, object: &BBox, others: &[Label]) -> Option<Evidence> {
    let mut others: Vec<&Label> = others.iter().collect();
    others.sort_by(|a, b| a.b.area().total_cmp(&b.b.area()));
    let around = enlarged(object, REACH);
    let hot = f64::from(map.iter().copied().fold(0.0, f32::max)) / 2.0;
    let mut foci: BTreeMap<Focus, f64> = BTreeMap::new();
    let (mut all, mut on_object, mut near, mut far) = (0.0, 0.0, 0.0, 0.0);
    let mut on_others = vec![0.0; others.len()];
    let mut beyond = [0.0; 4];
    for (y, row) in map.rows().into_iter().enumerate() {
        let y = y as f32 + 0.5;
        // Most rows cross few objects.
        let crossed: Vec<usize> =
            (0..others.len()).filter(|&at| (others[at].b.y1..=others[at].b.y2).contains(&y)).collect();
        for (x, &heat) in row.iter().enumerate() {
            let (x, heat) = (x as f32 + 0.5, f64::from(heat));
            all += heat;
            if heat == 0.0 {
                continue;
            }
            let mut focus = Focus::Object;
            if object.covers([x, y]) {
                on_object += heat;
            } else {
                let side = side_of([x, y], object);
                beyond[side as usize] += heat;
                match crossed.iter().find(|&&at| others[at].b.covers([x, y])) {
                    Some(&at) => {
                        on_others[at] += heat;
                        focus = Focus::Other(others[at].class_id);
                    }
                    None => {
                        *if around.covers([x, y]) { &mut near } else { &mut far } += heat;
                        focus = Focus::Beside(side);
                    }
                }
            }
            if heat >= hot {
                *foci.entry(focus).or_default() += heat;
            }
        }
    }
    if all <= 0.0 {
        return None;
    }
    let mut by_class: Vec<(usize, f64)> = Vec::new();
    for (label, heat) in others.iter().zip(on_others).filter(|(_, heat)| *heat > 0.0) {
        match by_class.iter_mut().find(|(class, _)| *class == label.class_id) {
            Some((_, sum)) => *sum += heat / all,
            None => by_class.push((label.class_id, heat / all)),
        }
    }
    by_class.sort_by_key(|&(class, _)| class);
    Some(Evidence {
        object: on_object / all,
        others: by_class,
        around: near / all,
        far: far / all,
        beyond: beyond.map(|heat| heat / all),
        focus: foci.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).map_or(Focus::Object, |(focus, _)| focus),
    })
}

/// The side of a box beyond which a point lies, by most of its sides' lengths.
fn side_of([x, y]: [f32; 2], b: &BBox) -> Side {
    let (width, height) = ((b.x2 - b.x1).max(1.0), (b.y2 - b.y1).max(1.0));
    let out = [(b.x1 - x) / width, (x - b.x2) / width, (b.y1 - y) / height, (y - b.y2) / height];
    let farthest = (1..4).fold(0, |most, side| if out[side] > out[most] { side } else { most });
    Side::ALL[farthest]
}

/// A box around the same centre with sides `times` as long.
pub(super) fn enlarged(b: &BBox, times: f32) -> BBox {
    let (x, y) = (f32::midpoint(b.x1, b.x2), f32::midpoint(b.y1, b.y2));
    BBox::from_cxcywh(x, y, (b.x2 - b.x1) * times, (b.y2 - b.y1) * times)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    fn b(x1: f32, y1: f32, x2: f32, y2: f32) -> BBox {
        BBox { x1, y1, x2, y2 }
    }

    #[test]
    fn shares_are_those_worked_out_by_hand() {
        // 20x20 pixels of heat 1, but for twice as much below the object.
        let map = Array2::from_shape_fn((20, 20), |(y, _)| if y >= 14 { 2.0 } else { 1.0 });
        let object = b(6.0, 6.0, 14.0, 14.0);
        // On its right and partly on it; a smaller one within that; a crowd in a corner.
        let others = [
            Label::new(3, b(12.0, 8.0, 20.0, 12.0)),
            Label::new(5, b(16.0, 8.0, 18.0, 10.0)),
            Label { is_crowd: true, ..Label::new(3, b(0.0, 18.0, 2.0, 20.0)) },
        ];
        let found = evidence(map.view(), &object, &others).unwrap();
        let all = 14.0 * 20.0 + 6.0 * 20.0 * 2.0;
        let close = |share: f64, heat: f64| (share - heat / all).abs() < 1e-9;
        assert!(close(found.object, 64.0), "{found:?}");
        assert_eq!(found.others.iter().map(|(class, _)| *class).collect::<Vec<_>>(), [3, 5]);
        // 6 of 8 columns and 4 rows, less the smaller one's 4 pixels; 4 pixels of the crowd with 2.
        assert!(close(found.others[0].1, 6.0 * 4.0 - 4.0 + 8.0) && close(found.others[1].1, 4.0), "{found:?}");
        // 2 to 18 on either axis: 12 rows of 16 with 1 and 4 with 2, less the object and 4 columns of the others.
        assert!(close(found.around, 12.0 * 16.0 + 4.0 * 16.0 * 2.0 - 64.0 - 4.0 * 4.0), "{found:?}");
        let sum = found.object + found.on_others() + found.around + found.far;
        assert!((sum - 1.0).abs() < 1e-9, "{sum}");
        assert_eq!(found.side(), Side::Below);
        assert!((found.beyond.iter().sum::<f64>() + found.object - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_hottest_part_says_where_it_looks() {
        let object = b(6.0, 6.0, 14.0, 14.0);
        let others = [Label::new(3, b(0.0, 0.0, 20.0, 4.0))];
        let focus = |x: usize, y: usize| {
            // Faint heat all over, most of it on the object, and a hot spot.
            let map = Array2::from_shape_fn((20, 20), |place| if place == (y, x) { 1.0 } else { 0.4 });
            evidence(map.view(), &object, &others).unwrap().focus
        };
        assert_eq!(focus(7, 7), Focus::Object);
        assert_eq!(focus(7, 2), Focus::Other(3));
        assert_eq!(
            [focus(1, 8), focus(19, 12), focus(9, 5), focus(2, 19)].map(|focus| focus),
            [
                Focus::Beside(Side::Left),
                Focus::Beside(Side::Right),
                Focus::Beside(Side::Above),
                Focus::Beside(Side::Below)
            ]
        );
    }

    #[test]
    fn no_heat_is_nowhere() {
        assert_eq!(evidence(Array2::zeros((4, 4)).view(), &b(0.0, 0.0, 2.0, 2.0), &[]), None);
    }
}
