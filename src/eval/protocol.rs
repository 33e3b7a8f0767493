//! How deletion and insertion are measured. Papers differ, and so do their figures.

use tch::{Kind, Tensor};

use crate::error::{Error, Result};

/// What takes the place of removed pixels, and what insertion begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// Zeros.
    Black,
    /// The picture, blurred beyond recognition: a mean of 51x51 pixels, three times.
    Blurred,
    /// Independent random colours.
    Random,
    /// The mean colour of the picture, everywhere.
    Mean,
    /// The picture's own tiles of 16x16 pixels in random order, none where it was: its textures, and nothing whole that is larger
    /// than a tile.
    Tiles,
}

/// How deletion and insertion are measured, named after the paper that does so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Protocol {
    /// Deletion to black, insertion from a blur, 50 steps; IoU, objectness and cosine of classes (Petsiuk et al., 2021)
    ///
    /// Petsiuk et al., CVPR 2021, <https://arxiv.org/abs/2006.03204>, after RISE.
    #[default]
    #[cfg_attr(
        feature = "cli",
        value(
            name = "drise",
            help = "Deletion to black, insertion from a blur, 50 steps; IoU, objectness and cosine of classes (Petsiuk et al., 2021)"
        )
    )]
    DRise,
    /// To and from random colours, 50 steps; share of the original confidence (Zhao and Chan, 2023)
    ///
    /// The score is IoU · confidence of the class, as a share of that of the whole picture.
    ///
    /// Zhao and Chan, ICLR 2023, <https://arxiv.org/abs/2304.06354>.
    #[cfg_attr(
        feature = "cli",
        value(help = "To and from random colours, 50 steps; share of the original confidence (Zhao and Chan, 2023)")
    )]
    Odam,
    /// To and from black, 49 steps; IoU and confidence of the class (Chen et al., 2025)
    ///
    /// Chen et al., CVPR 2025, <https://arxiv.org/abs/2411.16198>.
    #[cfg_attr(feature = "cli", value(help = "To and from black, 49 steps; IoU and confidence (Chen et al., 2025)"))]
    Vps,
}

impl Protocol {
    /// All protocols.
    pub const ALL: [Self; 3] = [Self::DRise, Self::Odam, Self::Vps];

    /// The name in options.
    pub fn name(self) -> &'static str {
        match self {
            Self::DRise => "drise",
            Self::Odam => "odam",
            Self::Vps => "vps",
        }
    }

    /// What takes the place of deleted pixels.
    pub fn deletion_fill(self) -> Fill {
        match self {
            Self::DRise | Self::Vps => Fill::Black,
            Self::Odam => Fill::Random,
        }
    }

    /// What insertion begins with.
    pub fn insertion_start(self) -> Fill {
        match self {
            Self::DRise => Fill::Blurred,
            Self::Odam => Fill::Random,
            Self::Vps => Fill::Black,
        }
    }

    /// Steps from the whole picture to nothing, unless the user says otherwise.
    pub fn default_steps(self) -> usize {
        match self {
            Self::DRise | Self::Odam => 50,
            Self::Vps => 49,
        }
    }

    /// Whether scores are shares of that of the whole picture.
    pub fn is_relative(self) -> bool {
        self == Self::Odam
    }
}

impl Fill {
    /// The picture of nothing but fill, `[1, 3, H, W]` in 0..1, for `input` of that shape. The same seed gives the same random
    /// colours, or the same order of tiles, for the same size.
    ///
    /// # Errors
    /// [`crate::Error::Libtorch`] if there is not enough memory.
    pub fn picture(self, input: &Tensor, seed: u64) -> Result<Tensor> {
        const SIDE: i64 = 51;
        match self {
            Self::Black => Ok(input.f_zeros_like()?),
            Self::Blurred => {
                let mut blurred = input.shallow_clone();
                for _ in 0..3 {
                    let half = SIDE / 2;
                    let padded = blurred.f_replication_pad2d([half, half, half, half])?;
                    // A mean over rows, then over columns.
                    let rows = padded.f_avg_pool2d([1, SIDE], [1, 1], [0, 0], false, true, None::<i64>)?;
                    blurred = rows.f_avg_pool2d([SIDE, 1], [1, 1], [0, 0], false, true, None::<i64>)?;
                }
                Ok(blurred)
            }
            Self::Random => {
                let count = input.numel() as u64;
                let bytes = random_bytes(seed, count as usize);
                let values = Tensor::from_slice(&bytes).f_to_kind(Kind::Float)?.f_div_scalar(255.0)?;
                Ok(values.f_view(input.size().as_slice())?.f_to_device(input.device())?)
            }
            Self::Mean => {
                let mean = input.f_mean_dim([2i64, 3].as_slice(), true, Kind::Float)?;
                Ok(mean.f_expand_as(input)?.f_contiguous()?)
            }
            Self::Tiles => {
                let &[_, channels, height, width] = input.size().as_slice() else {
                    return Err(Error::Libtorch(format!("expected [1, 3, H, W], found {:?}", input.size())));
                };
                let sources = Tensor::from_slice(&shuffled_tiles(height as usize, width as usize, seed));
                let pixels = input.f_reshape([1, channels, height * width])?;
                let shuffled = pixels.f_index_select(2, &sources.f_to_device(input.device())?)?;
                Ok(shuffled.f_view([1, channels, height, width])?)
            }
        }
    }
}

/// For each pixel, row by row, which pixel of the picture comes there. At edges that are no whole tile comes a part of one.
fn shuffled_tiles(height: usize, width: usize, seed: u64) -> Vec<i64> {
    const SIDE: usize = 16;
    let side = SIDE.min(height).min(width).max(1);
    let (rows, columns) = (height / side, width / side);
    // A random cycle of all tiles (Sattolo), in which none stays where it is.
    let mut order: Vec<usize> = (0..rows * columns).collect();
    let draws = random_bytes(seed, 8 * order.len());
    for (last, draw) in (1..order.len()).rev().zip(draws.chunks_exact(8)) {
        let draw = draw.iter().fold(0u64, |number, &byte| number << 8 | u64::from(byte));
        order.swap(last, (draw % last as u64) as usize);
    }
    let source = |row: usize, column: usize| {
        let place = (row / side % rows) * columns + column / side % columns;
        let tile = order[place];
        let (y, x) = (tile / columns * side + row % side, tile % columns * side + column % side);
        (y * width + x) as i64
    };
    (0..height).flat_map(|row| (0..width).map(move |column| (row, column))).map(|(y, x)| source(y, x)).collect()
}

fn random_bytes(seed: u64, count: usize) -> Vec<u8> {
    use rand_chacha::{
        ChaCha8Rng,
        rand_core::{Rng, SeedableRng},
    };
    let mut bytes = vec![0; count];
    ChaCha8Rng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    fn values(tensor: &Tensor) -> Vec<f32> {
        crate::tensor::values(tensor).unwrap()
    }

    #[test]
    fn fills_have_the_shape_of_the_picture_and_what_they_are_called() {
        let even = Tensor::full([1, 3, 64, 96], 0.25, (Kind::Float, Device::Cpu));
        let black = Fill::Black.picture(&even, 0).unwrap();
        assert!(values(&black).iter().all(|&value| value == 0.0));
        let blurred = Fill::Blurred.picture(&even, 0).unwrap();
        assert_eq!(blurred.size(), even.size());
        assert!(values(&blurred).iter().all(|&value| (value - 0.25).abs() < 1e-5), "an even picture stays as it is");
        let random = Fill::Random.picture(&even, 7).unwrap();
        let mean = values(&random).iter().sum::<f32>() / random.numel() as f32;
        assert!((mean - 0.5).abs() < 0.01);
        assert_eq!(values(&random), values(&Fill::Random.picture(&even, 7).unwrap()));
        assert_ne!(values(&random), values(&Fill::Random.picture(&even, 8).unwrap()));
    }

    #[test]
    fn the_mean_colour_is_that_of_each_channel() {
        let picture = Tensor::rand([1, 3, 32, 48], (Kind::Float, Device::Cpu));
        let mean = Fill::Mean.picture(&picture, 0).unwrap();
        assert_eq!(mean.size(), picture.size());
        let (found, own) = (values(&mean), values(&picture));
        for (found, own) in found.chunks(32 * 48).zip(own.chunks(32 * 48)) {
            let expected = own.iter().sum::<f32>() / own.len() as f32;
            assert!(found.iter().all(|value| (value - expected).abs() < 1e-4), "{expected}: {:?}", &found[..3]);
        }
    }

    #[test]
    fn tiles_are_the_pictures_own_and_none_stays_where_it_was() {
        for (height, width) in [(64, 96), (32, 16), (70, 50), (8, 20), (1, 1)] {
            let sources = shuffled_tiles(height, width, 3);
            assert_eq!(sources.len(), height * width);
            let moves = |place: usize| sources[place] != place as i64;
            assert!((0..sources.len()).all(moves) || (height, width) == (1, 1), "{height}x{width}");
            if height % 16 == 0 && width % 16 == 0 {
                let mut sorted = sources.clone();
                sorted.sort_unstable();
                assert_eq!(sorted, (0..(height * width) as i64).collect::<Vec<_>>(), "each pixel comes once");
            }
            // What is in a tile stays together.
            if width > 1 {
                assert_eq!(sources[1], sources[0] + 1);
            }
        }
        let picture = Tensor::rand([1, 3, 64, 96], (Kind::Float, Device::Cpu));
        let tiles = |seed| values(&Fill::Tiles.picture(&picture, seed).unwrap());
        assert_eq!(tiles(1), tiles(1));
        assert_ne!(tiles(1), tiles(2));
        let first = shuffled_tiles(64, 96, 1);
        let expected = values(&picture);
        let found = tiles(1);
        assert!((0..64 * 96).all(|pixel| found[pixel] == expected[first[pixel] as usize]));
    }

    #[test]
    fn blur_leaves_nothing_of_an_edge() {
        let edge = Tensor::zeros([1, 3, 128, 128], (Kind::Float, Device::Cpu));
        _ = edge.narrow(3, 64, 64).fill_(1.0);
        let blurred = values(&Fill::Blurred.picture(&edge, 0).unwrap());
        let row = &blurred[64 * 128..65 * 128];
        assert!(row.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 0.03), "{row:?}");
    }
}
