//! Grad-CAM.

use ndarray::{Array2, ArrayView3};

use super::{Method, MethodSpec, Run, weighted_sum};
use crate::error::Result;

/// Grad-CAM.
pub const GRAD_CAM: Method = Method::new(&SPEC);

pub(super) const SPEC: MethodSpec = MethodSpec {
    summary: "Channels weighted by their mean gradient",
    authors: "Selvaraju et al., 2017",
    source: "arXiv 1610.02391",
    ..MethodSpec::new("gradcam", Run::Gradient(|acts, grads, _| grad_cam(acts, grads)))
};

/// Weights each channel by its spatially averaged gradient (Grad-CAM).
///
/// `acts`, `grads`: `[K, h, w]` f32. Returns `[h, w]` f32, **before** the ReLU and not normalised, one cell per
/// feature cell.
///
/// # Errors
/// [`crate::Error::Shape`] if the shapes differ.
///
/// Selvaraju et al., ICCV 2017, eqs. 1–2, <https://arxiv.org/abs/1610.02391>.
pub fn grad_cam(acts: ArrayView3<f32>, grads: ArrayView3<f32>) -> Result<Array2<f32>> {
    weighted_sum(acts, grads, |_, grad| grad.mean().unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn channels_are_weighted_by_their_mean_gradient() {
        let acts = array![[[1.0, 2.0], [3.0, 4.0]], [[10.0, 0.0], [0.0, 10.0]]];
        // Means: 2 and -1/2.
        let grads = array![[[8.0, 0.0], [0.0, 0.0]], [[-1.0, -1.0], [0.0, 0.0]]];
        assert_eq!(grad_cam(acts.view(), grads.view()).unwrap(), array![[-3.0, 4.0], [6.0, 3.0]]);
    }
}
