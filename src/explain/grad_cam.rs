//! Grad-CAM.

use ndarray::{Array2, ArrayView3, Axis};

use super::check_shapes;
use crate::error::Result;

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
    check_shapes(acts, grads)?;
    let (_, height, width) = acts.dim();
    let mut map = Array2::zeros((height, width));
    for (act, grad) in acts.axis_iter(Axis(0)).zip(grads.axis_iter(Axis(0))) {
        map.scaled_add(grad.mean().unwrap_or(0.0), &act);
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use ndarray::{Array3, array};

    #[test]
    fn channels_are_weighted_by_their_mean_gradient() {
        let acts = array![[[1.0, 2.0], [3.0, 4.0]], [[10.0, 0.0], [0.0, 10.0]]];
        // Means: 2 and -1/2.
        let grads = array![[[8.0, 0.0], [0.0, 0.0]], [[-1.0, -1.0], [0.0, 0.0]]];
        assert_eq!(grad_cam(acts.view(), grads.view()).unwrap(), array![[-3.0, 4.0], [6.0, 3.0]]);
    }

    #[test]
    fn shapes_that_differ_are_an_error() {
        let (a, b) = (Array3::zeros((2, 3, 4)), Array3::zeros((2, 4, 3)));
        assert!(matches!(grad_cam(a.view(), b.view()), Err(Error::Shape { .. })));
    }
}
