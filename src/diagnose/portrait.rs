//! The mean of many maps in the coordinates of their boxes: where in the box of a helmet does the detector look?

use ndarray::{Array2, ArrayView2};

use super::evidence::{REACH, enlarged};
use crate::geometry::BBox;

/// The map of one box in the coordinates of the box: [`Self::SIDE`] rows and columns that cover the box and its surroundings, twice as
/// wide and as high. Each map counts the same: its peak in there is 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortraitSample {
    /// Row by row, 0 to 255; 0 where there is no picture.
    levels: Vec<u8>,
}

impl PortraitSample {
    /// Rows and columns; half of them lie in the box.
    pub const SIDE: usize = 32;

    /// Reads `map`, `[H, W]` ≥ 0, at the middle of each cell, between its pixels; `None` if there is no heat near the box.
    pub fn of(map: ArrayView2<f32>, b: &BBox) -> Option<Self> {
        let area = enlarged(b, REACH);
        let along = |from: f32, to: f32, cell: usize| from + (to - from) * (cell as f32 + 0.5) / Self::SIDE as f32;
        let cells = (0..Self::SIDE).flat_map(|row| (0..Self::SIDE).map(move |column| (row, column)));
        let values: Vec<f32> = cells
            .map(|(row, column)| at(map, along(area.x1, area.x2, column), along(area.y1, area.y2, row)).unwrap_or(0.0))
            .collect();
        let peak = values.iter().copied().fold(0.0, f32::max);
        (peak > 0.0).then(|| Self { levels: values.iter().map(|value| (value / peak * 255.0).round() as u8).collect() })
    }

    /// From what [`Self::levels`] gave; `None` if it is of another length.
    pub fn from_levels(levels: Vec<u8>) -> Option<Self> {
        (levels.len() == Self::SIDE * Self::SIDE).then_some(Self { levels })
    }

    /// Row by row, 0 to 255.
    pub fn levels(&self) -> &[u8] {
        &self.levels
    }
}

/// The value of a map at a point, between the middles of four pixels; `None` outside of it.
fn at(map: ArrayView2<f32>, x: f32, y: f32) -> Option<f32> {
    let (height, width) = map.dim();
    if !(0.0..width as f32).contains(&x) || !(0.0..height as f32).contains(&y) {
        return None;
    }
    let split = |position: f32, length: usize| {
        let position = (position - 0.5).clamp(0.0, (length - 1) as f32);
        let first = position as usize;
        (first, (first + 1).min(length - 1), position - first as f32)
    };
    let ((x1, x2, right), (y1, y2, down)) = (split(x, width), split(y, height));
    let row = |y: usize| map[[y, x1]] * (1.0 - right) + map[[y, x2]] * right;
    Some(row(y1) * (1.0 - down) + row(y2) * down)
}

/// The mean of such samples.
#[derive(Debug, Clone)]
pub struct Portrait {
    sums: Vec<u64>,
    count: u64,
}

impl Default for Portrait {
    fn default() -> Self {
        Self { sums: vec![0; PortraitSample::SIDE * PortraitSample::SIDE], count: 0 }
    }
}

impl Portrait {
    /// Takes in a sample.
    pub fn add(&mut self, sample: &PortraitSample) {
        self.sums.iter_mut().zip(sample.levels()).for_each(|(sum, &level)| *sum += u64::from(level));
        self.count += 1;
    }

    /// How many were taken in.
    pub fn count(&self) -> usize {
        self.count as usize
    }

    /// Rows and columns of the mean, 0 to 1; `None` without samples.
    pub fn mean(&self) -> Option<Array2<f32>> {
        let side = PortraitSample::SIDE;
        let mean = |sum: &u64| (*sum as f64 / self.count as f64 / 255.0) as f32;
        (self.count > 0)
            .then(|| Array2::from_shape_fn((side, side), |(row, column)| mean(&self.sums[row * side + column])))
    }

    /// Where the mean is largest, x and y in sides of the box from its upper left corner: from 0 to 1 in the box, from -0.5 to 1.5 in all.
    /// `None` without samples.
    pub fn peak(&self) -> Option<[f32; 2]> {
        let side = PortraitSample::SIDE;
        let most = (0..self.sums.len()).max_by_key(|&cell| (self.sums[cell], std::cmp::Reverse(cell)))?;
        let along = |cell: usize| ((cell as f32 + 0.5) / side as f32 - 0.5) * REACH + 0.5;
        (self.count > 0).then(|| [along(most % side), along(most / side)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOX: BBox = BBox { x1: 16.0, y1: 32.0, x2: 48.0, y2: 64.0 };

    #[test]
    fn a_portrait_is_the_one_worked_out_by_hand() {
        // A cell of the portrait is two pixels wide. Heat on the left half of the box: columns 8 to 15 of rows 8 to 23.
        let left =
            Array2::from_shape_fn((128, 128), |(y, x)| f32::from((16..32).contains(&x) && (32..64).contains(&y)));
        let sample = PortraitSample::of(left.view(), &BOX).unwrap();
        let expected = |row: usize, column: usize| (8..24).contains(&row) && (8..16).contains(&column);
        for (cell, level) in sample.levels().iter().enumerate() {
            assert_eq!(*level == 255, expected(cell / 32, cell % 32), "{cell}");
        }
        // A second map, half as hot, on the whole box: each map counts the same.
        let whole =
            Array2::from_shape_fn((128, 128), |(y, x)| 0.5 * f32::from((16..48).contains(&x) && (32..64).contains(&y)));
        let mut portrait = Portrait::default();
        portrait.add(&sample);
        portrait.add(&PortraitSample::of(whole.view(), &BOX).unwrap());
        let mean = portrait.mean().unwrap();
        assert_eq!((portrait.count(), mean[[16, 10]], mean[[16, 20]], mean[[2, 10]]), (2, 1.0, 0.5, 0.0));
        assert_eq!(portrait.peak(), Some([1.0 / 32.0, 1.0 / 32.0]), "the first of equals");
    }

    #[test]
    fn a_box_of_any_shape_at_an_edge_has_a_portrait() {
        let map = Array2::from_elem((40, 40), 3.0);
        let b = BBox { x1: -4.0, y1: 30.0, x2: 4.0, y2: 40.0 };
        let sample = PortraitSample::of(map.view(), &b).unwrap();
        // Half of the columns lie left of the picture, a quarter of the rows below it.
        let is_inside = |cell: usize| cell % 32 >= 16 && cell / 32 < 24;
        for (cell, level) in sample.levels().iter().enumerate() {
            assert_eq!(*level == 255, is_inside(cell), "{cell}");
        }
        assert_eq!(PortraitSample::of(Array2::zeros((40, 40)).view(), &b), None);
        assert_eq!(PortraitSample::from_levels(vec![0; 3]), None);
        assert_eq!(Portrait::default().peak(), None);
    }
}
