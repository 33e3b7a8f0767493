//! How deletion and insertion are measured. Papers differ, and so do their figures.

use tch::{Kind, Tensor};

use crate::error::Result;

/// What takes the place of removed pixels, and what insertion begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// Zeros.
    Black,
    /// The picture, blurred beyond recognition: a mean of 51x51 pixels, three times.
    Blurred,
    /// Independent random colours.
    Random,
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
    /// colours for the same size.
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
        }
    }
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
    fn blur_leaves_nothing_of_an_edge() {
        let edge = Tensor::zeros([1, 3, 128, 128], (Kind::Float, Device::Cpu));
        _ = edge.narrow(3, 64, 64).fill_(1.0);
        let blurred = values(&Fill::Blurred.picture(&edge, 0).unwrap());
        let row = &blurred[64 * 128..65 * 128];
        assert!(row.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 0.03), "{row:?}");
    }
}
