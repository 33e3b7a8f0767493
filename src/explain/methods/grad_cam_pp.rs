//! Grad-CAM++.

use ndarray::{Array2, ArrayView2, ArrayView3};

use super::{Method, MethodSpec, Run, weighted_sum};
use crate::error::Result;

/// Grad-CAM++.
pub const GRAD_CAM_PP: Method = Method::new(&SPEC);

pub(super) const SPEC: MethodSpec = MethodSpec {
    aliases: &["gradcampp"],
    summary: "Channels weighted by their positive gradients",
    authors: "Chattopadhay et al., 2018",
    source: "arXiv 1710.11063",
    ..MethodSpec::new("gradcam++", Run::Gradient(|acts, grads, _| grad_cam_pp(acts, grads)))
};

/// Denominators below this share of the largest squared gradient of the map are zero up to rounding.
const RELATIVE_GUARD: f64 = 1e-6;

/// Weights each channel by its positive gradients, each by `α = G² / (2G² + ΣA·G³)` (Grad-CAM++).
///
/// `acts`, `grads`: `[K, h, w]` f32. Returns `[h, w]` f32, **before** the ReLU and not normalised, one cell per
/// feature cell.
///
/// α is 0 where the gradient is 0 or |denominator| ≤ 1e-6·max G². With SiLU a channel's activations can have a negative
/// sum, and α is negative then: the equation is kept as it is.
///
/// # Errors
/// [`crate::Error::Shape`] if the shapes differ.
///
/// Chattopadhay et al., WACV 2018, eq. 19, <https://arxiv.org/abs/1710.11063>.
pub fn grad_cam_pp(acts: ArrayView3<f32>, grads: ArrayView3<f32>) -> Result<Array2<f32>> {
    weighted_sum(acts, grads, channel_weight(grads))
}

/// The weight of a channel, from its activations and gradients. `grads`: of all channels.
pub(super) fn channel_weight(grads: ArrayView3<f32>) -> impl Fn(ArrayView2<f32>, ArrayView2<f32>) -> f32 + use<> {
    let largest = grads.iter().fold(0.0f64, |largest, &grad| largest.max(f64::from(grad).powi(2)));
    move |act, grad| weight(act, grad, RELATIVE_GUARD * largest)
}

fn weight(act: ArrayView2<f32>, grad: ArrayView2<f32>, least: f64) -> f32 {
    let sum = act.mapv(f64::from).sum();
    // α·G is G / (2 + ΣA·G). Without branches, and summed by ndarray, so that both loops are vectorised.
    let terms = grad.mapv(|grad| {
        let grad = f64::from(grad);
        let rest = 2.0 + sum * grad;
        let counts = (grad > 0.0) & ((grad * grad * rest).abs() > least);
        let term = grad / rest;
        if counts { term } else { 0.0 }
    });
    terms.sum() as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn positive_gradients_count_by_their_alpha() {
        // Sums of activations: 2 and 0. α of gradient 1: 1/(2 + 2) and 1/2; of gradient 2: 4/(8 + 2·8) and 4/8.
        let acts = array![[[1.0, 1.0]], [[3.0, -3.0]]];
        let grads = array![[[1.0, 2.0]], [[1.0, -1.0]]];
        let weights = [0.25 + 2.0 / 6.0, 0.5];
        let expected = array![[weights[0] + 3.0 * weights[1], weights[0] - 3.0 * weights[1]]];
        let found = grad_cam_pp(acts.view(), grads.view()).unwrap();
        assert!((found - expected).iter().all(|difference: &f32| difference.abs() < 1e-6));
    }

    #[test]
    fn negative_sums_of_silu_give_negative_weights_and_poles_give_none() {
        // ΣA = -4: α = 1/(2 - 4) = -1/2. The weight is negative, as the equation says.
        let acts = array![[[-4.0, 0.0]]];
        let found = grad_cam_pp(acts.view(), array![[[1.0, 0.0]]].view()).unwrap();
        assert_eq!(found, array![[2.0, 0.0]]);
        // ΣA = -2: the denominator is 2 - 2 = 0, where the guard holds.
        let acts = array![[[-2.0, 0.0]]];
        let found = grad_cam_pp(acts.view(), array![[[1.0, 0.0]]].view()).unwrap();
        assert_eq!(found, array![[0.0, 0.0]]);
    }
}
