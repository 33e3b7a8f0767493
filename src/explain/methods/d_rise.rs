//! D-RISE.

use ndarray::Array2;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use tch::{Device, Kind, Tensor};

use super::{
    AutoLayers, Method, MethodSpec, Run, Setting,
    perturb::{Perturbation, step},
};
use crate::{
    detect::{Detection, Likeness, Tracker},
    error::Result,
    explain::Watch,
    tensor::to_array2,
};

/// D-RISE.
pub const D_RISE: Method = Method::new(&SPEC);

pub(super) const SPEC: MethodSpec = MethodSpec {
    aliases: &["drise"],
    summary: "Random masks weighted by what is still found behind them",
    authors: "Petsiuk et al., 2021",
    source: "arXiv 2006.03204",
    settings: &[Setting::Masks, Setting::Seed, Setting::Precision],
    cost: "1 forward pass per mask",
    auto_layers: AutoLayers::None,
    ..MethodSpec::new("d-rise", Run::Pictures(run))
};

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

/// The masks of these indices of `seed`, `[N, 1, H, W]` f32 from 0 to 1 on the CPU: random grids, upsampled to one cell
/// more than the picture has along each side, and shifted. A mask is the same wherever and in whatever order it is made.
///
/// # Errors
/// [`crate::Error::Libtorch`] if there is not enough memory.
///
/// Petsiuk et al., BMVC 2018, section 3.2, <https://arxiv.org/abs/1806.07421>.
pub fn random_masks(seed: u64, indices: &[u64], height: i64, width: i64) -> Result<Tensor> {
    let grids: Vec<_> = indices.iter().map(|&index| grid_mask(seed, index)).collect();
    let cells: Vec<f32> =
        grids.iter().flat_map(|(grid, _)| grid.iter().flatten()).map(|&kept| f32::from(kept)).collect();
    let side = GRID as i64;
    let cell = |pixels: i64| (pixels + side - 1) / side;
    let (cell_h, cell_w) = (cell(height), cell(width));
    let small = Tensor::from_slice(&cells).f_view([-1, 1, side, side])?;
    let large = small.f_upsample_bilinear2d([(side + 1) * cell_h, (side + 1) * cell_w], false, None, None)?;
    let from = |share: f32, cell: i64| (share * cell as f32) as i64;
    let shifted = grids.iter().zip(0..).map(|((_, [shift_x, shift_y]), index)| {
        let mask = large.f_narrow(0, index, 1)?;
        mask.f_narrow(2, from(*shift_y, cell_h), height)?.f_narrow(3, from(*shift_x, cell_w), width)
    });
    Ok(Tensor::f_cat(&shifted.collect::<Result<Vec<_>, _>>()?, 0)?)
}

/// For each box the mean of random masks, each weighted by what the detector still finds of the box behind it (D-RISE).
///
/// Petsiuk et al., CVPR 2021, section 3, <https://arxiv.org/abs/2006.03204>. Each pixel is divided by how much it was seen
/// in all, so that it does not count how often chance showed it.
#[derive(Debug)]
pub struct DRise {
    /// `[boxes, H·W]`
    weighted: Tensor,
    /// `[H·W]`
    seen: Tensor,
    height: usize,
    width: usize,
}

impl DRise {
    /// Without any mask yet, at the size of the network's input.
    pub fn new(boxes: usize, height: usize, width: usize) -> Self {
        let pixels = (height * width) as i64;
        let zeros = |size: &[i64]| Tensor::zeros(size, (Kind::Float, Device::Cpu));
        Self { weighted: zeros(&[boxes as i64, pixels]), seen: zeros(&[pixels]), height, width }
    }

    /// Adds `masks` `[N, 1, H, W]`, 0 to 1, behind which the boxes have `scores`, for each mask one for each box.
    ///
    /// # Errors
    /// [`crate::Error::Libtorch`] if the shapes do not fit.
    pub fn add(&mut self, masks: &Tensor, scores: &[Vec<f32>]) -> Result<()> {
        let masks = masks.f_flatten(1, -1)?;
        let scores = Tensor::from_slice(&scores.concat()).f_view([scores.len() as i64, -1])?;
        _ = self.weighted.f_add_(&scores.f_transpose(0, 1)?.f_mm(&masks)?)?;
        _ = self.seen.f_add_(&masks.f_sum_dim_intlist([0i64].as_slice(), false, None::<Kind>)?)?;
        Ok(())
    }

    /// The map of each box, `[H, W]`: the mean score of the masks that show a pixel; 0 where none does.
    ///
    /// # Errors
    /// [`crate::Error::Libtorch`] if there is not enough memory.
    pub fn maps(&self) -> Result<Vec<Array2<f32>>> {
        let mean = self.weighted.f_div(&self.seen.f_clamp_min(f64::from(f32::MIN_POSITIVE))?)?;
        let size = [self.height as i64, self.width as i64];
        (0..self.weighted.size()[0]).map(|index| to_array2(&mean.f_get(index)?.f_view(size)?)).collect()
    }
}

fn run(picture: &Perturbation, detections: &[Detection], watch: &mut Watch) -> Result<Vec<Array2<f32>>> {
    let tracker = Tracker::new(picture.model(), detections, picture.outputs(), Likeness::Cosine)?;
    let (_, _, height, width) = picture.input().size4()?;
    let (seed, total) = (picture.options().seed, picture.options().masks);
    let mut sum = DRise::new(detections.len(), height as usize, width as usize);
    let indices: Vec<u64> = (0..total as u64).collect();
    let mut done = 0;
    for batch in indices.chunks(picture.batch()) {
        let masks = random_masks(seed, batch, height, width)?;
        sum.add(&masks, &picture.masked(&tracker, &masks.f_to_device(picture.input().device())?)?)?;
        done += batch.len();
        step(watch, done, total)?;
    }
    sum.maps()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn a_pixel_has_the_mean_score_of_the_masks_that_show_it() {
        let mut sum = DRise::new(2, 1, 3);
        let masks = Tensor::from_slice(&[1.0f32, 0.5, 0.0, 1.0, 0.0, 0.0]).view([2, 1, 1, 3]);
        sum.add(&masks, &[vec![0.8, 0.0], vec![0.2, 1.0]]).unwrap();
        let expected = [array![[0.5, 0.8, 0.0]], array![[0.5, 0.0, 0.0]]];
        for (map, expected) in sum.maps().unwrap().iter().zip(expected) {
            assert!((map - expected).iter().all(|difference: &f32| difference.abs() < 1e-6));
        }
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
