//! XGrad-CAM.

use ndarray::{Array2, ArrayView2, ArrayView3};

use super::{Method, MethodSpec, Run, weighted_sum};
use crate::error::Result;

/// XGrad-CAM.
pub const XGRAD_CAM: Method = Method::new(&SPEC);

pub(super) const SPEC: MethodSpec = MethodSpec {
    summary: "Channels weighted by gradients, by share of activation",
    authors: "Fu et al., 2020",
    source: "arXiv 2008.02312",
    ..MethodSpec::new("xgradcam", Run::Gradient(|acts, grads, _| xgrad_cam(acts, grads)))
};

/// Sums below this share of the largest sum of the map are zero up to rounding.
const RELATIVE_GUARD: f64 = 1e-6;

/// Weights each channel by `Σ G·A / Σ A`, its gradients by their share of its activation (XGrad-CAM).
///
/// `acts`, `grads`: `[K, h, w]` f32. Returns `[h, w]` f32, **before** the ReLU and not normalised, one cell per
/// feature cell.
///
/// A channel with |Σ A| ≤ 1e-6·max_k |Σ A_k| has the weight 0. With SiLU the sum can be negative: the equation is kept
/// as it is.
///
/// # Errors
/// [`crate::Error::Shape`] if the shapes differ.
///
/// Fu et al., BMVC 2020, eq. 9, <https://arxiv.org/abs/2008.02312>.
pub fn xgrad_cam(acts: ArrayView3<f32>, grads: ArrayView3<f32>) -> Result<Array2<f32>> {
    // With SiLU positive and negative activations nearly cancel out.
    let sum = |act: ArrayView2<f32>| act.iter().map(|&act| f64::from(act)).sum::<f64>();
    let largest = acts.outer_iter().fold(0.0f64, |largest, act| largest.max(sum(act).abs()));
    weighted_sum(acts, grads, |act, grad| {
        let products = act.iter().zip(&grad).map(|(&act, &grad)| f64::from(act) * f64::from(grad));
        let sum = sum(act);
        if sum.abs() <= RELATIVE_GUARD * largest { 0.0 } else { (products.sum::<f64>() / sum) as f32 }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn channels_are_weighted_by_gradient_per_activation() {
        // (1·4 + 3·0)/4 = 1; a sum of -2: (-3·2 + 1·2)/-2 = 2; a sum of 0: no weight.
        let acts = array![[[1.0, 3.0]], [[-3.0, 1.0]], [[5.0, -5.0]]];
        let grads = array![[[4.0, 0.0]], [[2.0, 2.0]], [[7.0, 7.0]]];
        assert_eq!(xgrad_cam(acts.view(), grads.view()).unwrap(), array![[-5.0, 5.0]]);
    }
}
