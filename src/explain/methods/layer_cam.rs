//! LayerCAM.

use ndarray::{Array2, ArrayView3};

use super::{AutoLayers, MemoryOrder, Method, MethodSpec, Run, sum_of_products};
use crate::error::Result;

/// LayerCAM.
pub const LAYER_CAM: Method = Method::new(&SPEC);

pub(super) const SPEC: MethodSpec = MethodSpec {
    summary: "Activation times positive gradient",
    authors: "Jiang et al., 2021",
    source: "Jiang et al., TIP 2021",
    auto_layers: AutoLayers::DeepBackbone,
    order: MemoryOrder::Cells,
    ..MethodSpec::new("layercam", Run::Gradient(|acts, grads, _| layer_cam(acts, grads)))
};

/// Sums activation times positive gradient over the channels (LayerCAM).
///
/// `acts`, `grads`: `[K, h, w]` f32. Returns `[h, w]` f32, **before** the ReLU and not normalised, one cell per
/// feature cell. At a head's own input all but one cell is zero: take a layer further up.
///
/// # Errors
/// [`crate::Error::Shape`] if the shapes differ.
///
/// Jiang et al., IEEE Transactions on Image Processing 30, 2021, eqs. 7–8.
pub fn layer_cam(acts: ArrayView3<f32>, grads: ArrayView3<f32>) -> Result<Array2<f32>> {
    sum_of_products(acts, grads, |act, grad| act * grad.max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn only_positive_gradients_count() {
        let acts = array![[[1.0, 2.0]], [[3.0, -4.0]]];
        let grads = array![[[5.0, -1.0]], [[-1.0, 2.0]]];
        assert_eq!(layer_cam(acts.view(), grads.view()).unwrap(), array![[5.0, -8.0]]);
    }
}
