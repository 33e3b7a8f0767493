//! Element-wise Grad-CAM.

use ndarray::{Array2, ArrayView3};

use super::{AutoLayers, MemoryOrder, Method, MethodSpec, Run, sum_of_products};
use crate::error::Result;

/// Element-wise Grad-CAM.
pub const ELEMENT_WISE: Method = Method::new(&SPEC);

pub(super) const SPEC: MethodSpec = MethodSpec {
    summary: "Positive part of activation times gradient",
    source: "package grad-cam 1.5",
    auto_layers: AutoLayers::DeepBackbone,
    order: MemoryOrder::Cells,
    ..MethodSpec::new("elementwise", Run::Gradient(|acts, grads, _| element_wise(acts, grads)))
};

/// Sums the positive part of activation times gradient over the channels: what speaks against the box takes nothing away.
///
/// `acts`, `grads`: `[K, h, w]` f32. Returns `[h, w]` f32 ≥ 0, not normalised, one cell per feature cell. At a head's
/// own input all but one cell is zero: take a layer further up.
///
/// # Errors
/// [`crate::Error::Shape`] if the shapes differ.
///
/// `GradCAMElementWise` of the package grad-cam.
pub fn element_wise(acts: ArrayView3<f32>, grads: ArrayView3<f32>) -> Result<Array2<f32>> {
    sum_of_products(acts, grads, |act, grad| (act * grad).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn only_positive_products_count() {
        let acts = array![[[1.0, 2.0]], [[3.0, -4.0]]];
        let grads = array![[[5.0, -1.0]], [[-1.0, -2.0]]];
        assert_eq!(element_wise(acts.view(), grads.view()).unwrap(), array![[5.0, 8.0]]);
    }
}
