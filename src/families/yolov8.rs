//! YOLOv8, and what is decoded as it is: YOLOv3u, v5u, v6, v9, v10, 11 and 12 of the Ultralytics package.
//!
//! Each distance from the middle of a cell is a distribution over whole cells, of which the mean is taken: Li et al., "Generalized
//! Focal Loss", NeurIPS 2020, <https://arxiv.org/abs/2006.04388>.

use tch::{Kind, Tensor};

use super::{
    Family, Head, Network,
    anchor_free::{AnchorFreeHead, Distances},
};
use crate::error::Result;

/// Ultralytics, `nn/modules/head.py`, `Detect`.
pub(super) struct YoloV8;

impl Family for YoloV8 {
    fn name(&self) -> &'static str {
        Distributions::FAMILY
    }

    fn find(&self, network: &Network) -> Vec<Box<dyn Head>> {
        AnchorFreeHead::<Distributions>::find(network)
    }
}

/// Means of distributions over 0, 1, 2 and so on.
struct Distributions;

impl Distances for Distributions {
    const FAMILY: &'static str = "YOLOv8";

    fn distance(raw: &[f32]) -> f32 {
        let most = raw.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let (mut sum, mut weighted) = (0.0, 0.0);
        for (bin, &raw) in raw.iter().enumerate() {
            let share = (raw - most).exp();
            sum += share;
            weighted += share * bin as f32;
        }
        weighted / sum
    }

    fn traced(raw: &Tensor) -> Result<Tensor> {
        let bins = Tensor::f_arange(raw.size()[0], (raw.kind(), raw.device()))?;
        Ok(raw.f_softmax(0, None::<Kind>)?.f_dot(&bins)?)
    }

    fn fits(channels: usize) -> bool {
        channels > 1
    }
}
