//! HiResCAM.

use ndarray::{Array2, ArrayView3};

use super::{AutoLayers, MemoryOrder, Method, MethodSpec, Run, sum_of_products};
use crate::error::Result;

/// HiResCAM.
pub const HIRES_CAM: Method = Method::new(&SPEC);

pub(super) const SPEC: MethodSpec = MethodSpec {
    summary: "Activation times gradient",
    authors: "Draelos and Carin, 2020",
    source: "arXiv 2011.08891",
    auto_layers: AutoLayers::DeepBackbone,
    order: MemoryOrder::Cells,
    ..MethodSpec::new("hirescam", Run::Gradient(|acts, grads, _| hires_cam(acts, grads)))
};

/// Sums activation times gradient over the channels (HiResCAM).
///
/// `acts`, `grads`: `[K, h, w]` f32. Returns `[h, w]` f32, **before** the ReLU and not normalised, one cell per
/// feature cell. At a head's own input all but one cell is zero: take a layer further up.
///
/// # Errors
/// [`crate::Error::Shape`] if the shapes differ.
///
/// Draelos and Carin, 2020, eq. 2, <https://arxiv.org/abs/2011.08891>.
pub fn hires_cam(acts: ArrayView3<f32>, grads: ArrayView3<f32>) -> Result<Array2<f32>> {
    sum_of_products(acts, grads, |act, grad| act * grad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn products_are_summed_cell_by_cell() {
        let acts = array![[[1.0, 2.0]], [[3.0, -4.0]]];
        let grads = array![[[5.0, -1.0]], [[-1.0, -2.0]]];
        assert_eq!(hires_cam(acts.view(), grads.view()).unwrap(), array![[2.0, 6.0]]);
    }
}
