//! Classifiers of YOLOv5's own code.

use super::{
    Family, Framing, Head, Network, Normalization,
    classifier::{self, Package},
};

/// Ultralytics YOLOv5, `models/common.py`, `Classify`, and `utils/augmentations.py`, `classify_transforms`.
pub(super) struct YoloV5Cls;

impl Family for YoloV5Cls {
    fn name(&self) -> &'static str {
        YoloV5::FAMILY
    }

    fn find(&self, network: &Network) -> Vec<Box<dyn Head>> {
        match network.version {
            Some(_) => Vec::new(),
            None => classifier::find::<YoloV5>(network),
        }
    }
}

/// What this package does.
struct YoloV5;

impl Package for YoloV5 {
    const FAMILY: &'static str = "YOLOv5-cls";
    const FRAMING: Framing = Framing::CropThenScale;
    /// Of ImageNet.
    const NORMALIZATION: Option<Normalization> =
        Some(Normalization { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] });
    const GIVES_PROBABILITIES: bool = false;
}
