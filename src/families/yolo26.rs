//! YOLO26 of the Ultralytics package: distances as the network gives them.

use tch::Tensor;

use super::{
    Family, Head, Network,
    anchor_free::{AnchorFreeHead, Distances},
};
use crate::error::Result;

/// Ultralytics, `nn/modules/head.py`, `Detect` with `reg_max` 1.
pub(super) struct Yolo26;

impl Family for Yolo26 {
    fn name(&self) -> &'static str {
        Plain::FAMILY
    }

    fn find(&self, network: &Network) -> Vec<Box<dyn Head>> {
        AnchorFreeHead::<Plain>::find(network)
    }
}

/// They may be negative.
struct Plain;

impl Distances for Plain {
    const FAMILY: &'static str = "YOLO26";

    fn distance(raw: &[f32]) -> f32 {
        raw[0]
    }

    fn traced(raw: &Tensor) -> Result<Tensor> {
        Ok(raw.f_get(0)?)
    }

    fn fits(channels: usize) -> bool {
        channels == 1
    }
}
