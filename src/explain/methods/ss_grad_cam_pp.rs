//! Spatial Sensitive Grad-CAM++.

use ndarray::{Array2, ArrayView3, Zip};

use super::{AutoLayers, Method, MethodSpec, Run, check_shapes, grad_cam_pp::channel_weight};
use crate::error::Result;

/// Spatial Sensitive Grad-CAM++.
pub const SS_GRAD_CAM_PP: Method = Method::new(&SPEC);

pub(super) const SPEC: MethodSpec = MethodSpec {
    aliases: &["ssgradcampp"],
    summary: "Grad-CAM++, each channel where its gradient is",
    authors: "Yamauchi, 2024",
    source: "CVPR Workshops, pp. 8164-8168",
    auto_layers: AutoLayers::DeepBackbone,
    ..MethodSpec::new("ssgradcam++", Run::Gradient(|acts, grads, _| ss_grad_cam_pp(acts, grads)))
};

/// Sums the channels by the weights of Grad-CAM++, each times its space map `S = |G| / max |G|` (Spatial Sensitive
/// Grad-CAM++): `Σ_k w_k · S_k · A_k`.
///
/// `acts`, `grads`: `[K, h, w]` f32. Returns `[h, w]` f32, **before** the ReLU and not normalised, one cell per
/// feature cell. At a head's own input all but one cell is zero: take a layer further up. A channel without gradient adds
/// nothing.
///
/// The weights are those of [`grad_cam_pp`](super::grad_cam_pp()), its guard included. Public implementations agree on the space
/// maps, not on the weights: one for YOLO26, which goes by the equations of a later journal version, restricts the
/// denominator of α to a mask of cells around the box's own, whose size is a setting. With the whole layer as the mask that is
/// Grad-CAM++'s equation, which is taken here.
///
/// # Errors
/// [`crate::Error::Shape`] if the shapes differ.
///
/// Yamauchi, CVPR Workshops 2024, "Spatial Sensitive Grad-CAM++"; the space maps: Yamauchi and Ishikawa, ICIP 2022,
/// <https://doi.org/10.1109/ICIP46576.2022.9897350>.
pub fn ss_grad_cam_pp(acts: ArrayView3<f32>, grads: ArrayView3<f32>) -> Result<Array2<f32>> {
    check_shapes(acts, grads)?;
    let weight = channel_weight(grads);
    let (_, height, width) = acts.dim();
    let mut map = Array2::zeros((height, width));
    for (act, grad) in acts.outer_iter().zip(grads.outer_iter()) {
        let largest = grad.iter().fold(0.0f32, |largest, grad| largest.max(grad.abs()));
        if largest > 0.0 {
            let weight = weight(act, grad);
            Zip::from(&mut map).and(&act).and(&grad).for_each(|sum, &act, &grad| {
                *sum += weight * (grad.abs() / largest) * act;
            });
        }
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn channels_count_by_their_weight_where_their_gradient_is() {
        // As of Grad-CAM++: sums of activations 2 and 0; weights 1/(2 + 2) + 2/(2 + 2·2) = 7/12, and 1/2.
        let acts = array![[[1.0, 1.0]], [[3.0, -3.0]]];
        let grads = array![[[1.0, 2.0]], [[1.0, -1.0]]];
        // The first space map is 1/2, 1; the second 1, 1.
        let expected = array![[7.0 / 24.0 + 1.5, 7.0 / 12.0 - 1.5]];
        let found = ss_grad_cam_pp(acts.view(), grads.view()).unwrap();
        assert!((&found - &expected).iter().all(|difference: &f32| difference.abs() < 1e-6), "{found}");
    }

    #[test]
    fn negative_gradients_have_a_place_but_no_weight() {
        // The weight is of the first cell alone: 1/(2 + 4·1) = 1/6; in the second the space map is highest.
        let acts = array![[[1.0, 3.0]]];
        let found = ss_grad_cam_pp(acts.view(), array![[[1.0, -2.0]]].view()).unwrap();
        let expected = array![[1.0 / 12.0, 0.5]];
        assert!((&found - &expected).iter().all(|difference: &f32| difference.abs() < 1e-6), "{found}");
    }

    #[test]
    fn a_channel_without_gradient_adds_nothing() {
        let acts = array![[[1.0, 3.0]], [[5.0, 7.0]]];
        let both = ss_grad_cam_pp(acts.view(), array![[[1.0, 1.0]], [[0.0, 0.0]]].view()).unwrap();
        let alone = ss_grad_cam_pp(array![[[1.0, 3.0]]].view(), array![[[1.0, 1.0]]].view()).unwrap();
        assert_eq!(both, alone);
    }
}
