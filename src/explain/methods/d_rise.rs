//! D-RISE.

use ndarray::{Array2, ArrayView2};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

use tch::{Kind, Tensor};

use crate::error::Result;

/// Cells of the grid that a mask is made from, along each side.
const GRID: usize = 16;

/// A random mask before it is upsampled: which cells of the grid are kept (half of them), and by what share of a cell the
/// upsampled grid is shifted, 0 to 1 in x and y.
fn grid_mask(seed: u64, index: u64) -> ([[bool; GRID]; GRID], [f32; 2]) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(index);
    let mut grid = [[false; GRID]; GRID];
    for row in &mut grid {
        let bits = random.next_u32();
        for (column, cell) in row.iter_mut().enumerate() {
            *cell = bits >> column & 1 == 1;
        }
    }
    // 24 bits, as a f32 holds them.
    let mut share = || (random.next_u32() >> 8) as f32 / (1 << 24) as f32;
    (grid, [share(), share()])
}

/// Mask `index` of `seed`, `[1, 1, H, W]` f32 from 0 to 1 on the CPU: a random grid, upsampled to one cell more than the
/// picture has along each side, and shifted. The same wherever and in whatever order it is made.
///
/// # Errors
/// [`crate::Error::Libtorch`] if there is not enough memory.
///
/// Petsiuk et al., BMVC 2018, section 3.2, <https://arxiv.org/abs/1806.07421>.
pub fn random_mask(seed: u64, index: u64, height: i64, width: i64) -> Result<Tensor> {
    let (grid, [shift_x, shift_y]) = grid_mask(seed, index);
    let grid = Array2::from_shape_fn((GRID, GRID), |(y, x)| f32::from(u8::from(grid[y][x])));
    let side = GRID as i64;
    let cell = |pixels: i64| (pixels + side - 1) / side;
    let (cell_h, cell_w) = (cell(height), cell(width));
    let small = Tensor::try_from(&grid)?.f_view([1, 1, side, side])?.f_to_kind(Kind::Float)?;
    let large = small.f_upsample_bilinear2d([(side + 1) * cell_h, (side + 1) * cell_w], false, None, None)?;
    let from = |share: f32, cell: i64| (share * cell as f32) as i64;
    Ok(large.f_narrow(2, from(shift_y, cell_h), height)?.f_narrow(3, from(shift_x, cell_w), width)?)
}

/// The mean of random masks, each weighted by what the detector still finds of the box behind it (D-RISE).
///
/// Petsiuk et al., CVPR 2021, section 3, <https://arxiv.org/abs/2006.03204>. Each pixel is divided by how much it was seen
/// in all, so that it does not count how often chance showed it.
#[derive(Debug, Clone)]
pub struct DRise {
    weighted: Array2<f32>,
    seen: Array2<f32>,
}

impl DRise {
    /// Without any mask yet, at the size of the network's input.
    pub fn new(height: usize, width: usize) -> Self {
        Self { weighted: Array2::zeros((height, width)), seen: Array2::zeros((height, width)) }
    }

    /// Adds a `mask` `[H, W]`, 0 to 1, behind which the tracked score is `score`.
    pub fn add(&mut self, mask: ArrayView2<f32>, score: f32) {
        self.weighted.scaled_add(score, &mask);
        self.seen += &mask;
    }

    /// The map `[H, W]`: the mean score of the masks that show a pixel; 0 where none does.
    pub fn map(&self) -> Array2<f32> {
        let mean = |&weighted: &f32, &seen: &f32| if seen > 0.0 { weighted / seen } else { 0.0 };
        ndarray::Zip::from(&self.weighted).and(&self.seen).map_collect(mean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn a_pixel_has_the_mean_score_of_the_masks_that_show_it() {
        let mut sum = DRise::new(1, 3);
        sum.add(array![[1.0, 0.5, 0.0]].view(), 0.8);
        sum.add(array![[1.0, 0.0, 0.0]].view(), 0.2);
        let expected = array![[0.5, 0.8, 0.0]];
        assert!((sum.map() - expected).iter().all(|difference: &f32| difference.abs() < 1e-6));
    }

    #[test]
    fn masks_keep_half_and_depend_on_seed_and_index_only() {
        let kept = |seed, index| grid_mask(seed, index).0.iter().flatten().filter(|&&cell| cell).count();
        let mean = (0..200).map(|index| kept(0, index)).sum::<usize>() as f64 / 200.0 / (GRID * GRID) as f64;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
        assert_eq!(grid_mask(3, 5), grid_mask(3, 5));
        assert_ne!(grid_mask(3, 5), grid_mask(3, 6));
        assert_ne!(grid_mask(3, 5), grid_mask(4, 5));
        assert!((0..100).all(|index| grid_mask(1, index).1.iter().all(|share| (0.0..1.0).contains(share))));
    }
}
