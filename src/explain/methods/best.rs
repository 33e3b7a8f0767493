//! What measured best.

use super::{AutoLayers, Method, MethodSpec, element_wise};

/// What measured best.
pub const BEST: Method = Method::new(&SPEC);

/// Element-wise Grad-CAM at more layers, with more contrast: most heat is then in the box, as measured by [`crate::eval`]
/// (docs/evaluation.md), and the order of the cells stays.
pub(super) const SPEC: MethodSpec = MethodSpec {
    name: "best",
    summary: "elementwise at more layers, with more contrast; better than a Gaussian on the box under the drise protocol only",
    authors: "",
    source: "docs/evaluation.md",
    auto_layers: AutoLayers::WholeBackbone,
    preset_of: Some("elementwise"),
    power: 2.5,
    ..element_wise::SPEC
};
