//! EigenGrad-CAM.

use ndarray::{Array2, ArrayView3};

use super::{AutoLayers, Method, MethodSpec, Run, check_shapes, eigen_cam::first_component};
use crate::error::Result;

/// EigenGrad-CAM.
pub const EIGEN_GRAD_CAM: Method = Method::new(&SPEC);

pub(super) const SPEC: MethodSpec = MethodSpec {
    summary: "First principal component of activation times gradient",
    source: "arXiv 2008.00299",
    auto_layers: AutoLayers::DeepBackbone,
    ..MethodSpec::new("eigengradcam", Run::Gradient(|acts, grads, _| eigen_grad_cam(acts, grads)))
};

/// Projects activation times gradient onto its first principal component (EigenGrad-CAM).
///
/// `acts`, `grads`: `[K, h, w]` f32. Returns `[h, w]` f32, **before** the ReLU and not normalised, one cell per feature
/// cell. The sign is as in [`eigen_cam`](super::eigen_cam()). At a head's own input all but one cell is the same: take a
/// layer further up.
///
/// # Errors
/// [`crate::Error::Shape`] if the shapes differ; [`crate::Error::Libtorch`] if there is not enough memory.
///
/// The package grad-cam, after Muhammad and Yeasin, IJCNN 2020, <https://arxiv.org/abs/2008.00299>.
pub fn eigen_grad_cam(acts: ArrayView3<f32>, grads: ArrayView3<f32>) -> Result<Array2<f32>> {
    check_shapes(acts, grads)?;
    first_component((&acts * &grads).view())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn the_products_are_projected() {
        // Products (0,0), (3,4), (12,16): centred at (5,20/3), so at 25/3 before, 10/3 before, and 35/3 behind.
        let acts = array![[[0.0, 3.0, 4.0]], [[1.0, 2.0, 4.0]]];
        let grads = array![[[1.0, 1.0, 3.0]], [[0.0, 2.0, 4.0]]];
        let map = eigen_grad_cam(acts.view(), grads.view()).unwrap();
        let expected = array![[-25.0, -10.0, 35.0]] / 3.0;
        assert!((map - expected).iter().all(|difference: &f32| difference.abs() < 1e-4));
    }
}
