//! What suits the model.

use super::{BEST, ELEMENT_WISE, GRAD_CAM, Method, MethodSpec, Run};
use crate::model::Model;

/// Grad-CAM for heads that are a single 1×1 convolution, as YOLOv5's; the preset [`BEST`] for deeper ones, and the method that it
/// is a preset of where layers are named.
pub const AUTO: Method = Method::new(&SPEC);

pub(super) const SPEC: MethodSpec = MethodSpec {
    summary: "gradcam for YOLOv5's heads, best for those of later families",
    source: "docs/evaluation.md",
    cost: "that of what it chooses",
    ..MethodSpec::new("auto", Run::Choice(choose))
};

/// Behind several convolutions a gradient starts in a neighbourhood. Averaged over the map, as Grad-CAM does, it then shows what
/// the class looks like anywhere: walls and other people's faces, with a fifth of the heat in the box. Element-wise maps at the
/// backbone have three fifths there.
fn choose(model: &Model, has_layers: bool) -> Method {
    match has_layers {
        _ if model.head().reach() == 0 => GRAD_CAM,
        false => BEST,
        true => ELEMENT_WISE,
    }
}
