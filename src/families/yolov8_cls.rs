//! Classifiers of the Ultralytics package: YOLOv8-cls, 11, 12 and 26.

use super::{
    Family, Framing, Head, Network, Normalization,
    classifier::{self, Package},
};

/// Ultralytics, `nn/modules/head.py`, `Classify`, and `data/augment.py`, `classify_transforms`.
pub(super) struct YoloV8Cls;

impl Family for YoloV8Cls {
    fn name(&self) -> &'static str {
        Ultralytics::FAMILY
    }

    fn find(&self, network: &Network) -> Vec<Box<dyn Head>> {
        // YOLOv5 writes no version.
        network.version.map(|_| classifier::find::<Ultralytics>(network)).unwrap_or_default()
    }
}

/// What this package does.
pub(super) struct Ultralytics;

impl Package for Ultralytics {
    const FAMILY: &'static str = "YOLOv8-cls";
    const FRAMING: Framing = Framing::ScaleThenCrop;
    const NORMALIZATION: Option<Normalization> = None;
    const GIVES_PROBABILITIES: bool = true;
}
