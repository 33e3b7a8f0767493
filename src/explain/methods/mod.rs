//! How activations and gradients become a map: one file for each method.

mod ablation_cam;
mod d_rise;
mod eigen_cam;
mod eigen_grad_cam;
mod element_wise;
mod grad_cam;
mod grad_cam_pp;
mod hires_cam;
mod layer_cam;
mod odam;
mod score_cam;
mod xgrad_cam;

use ndarray::{Array2, ArrayView3};

pub use self::{
    ablation_cam::ablation_cam,
    d_rise::{DRise, random_masks},
    eigen_cam::eigen_cam,
    eigen_grad_cam::eigen_grad_cam,
    element_wise::element_wise,
    grad_cam::grad_cam,
    grad_cam_pp::grad_cam_pp,
    hires_cam::hires_cam,
    layer_cam::layer_cam,
    odam::odam,
    score_cam::score_cam,
    xgrad_cam::xgrad_cam,
};
use crate::error::{Error, Result};

/// How activations and gradients become a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Method {
    /// Channels weighted by their mean gradient.
    #[default]
    GradCam,
    /// Channels weighted by their positive gradients, each by how much it matters to second order.
    GradCamPp,
    /// Channels weighted by their gradients, each by its share of the channel's activation.
    XGradCam,
    /// Activation times gradient, summed over channels.
    HiResCam,
    /// The positive part of activation times gradient, summed over channels.
    ElementWise,
    /// Activation times positive gradient, summed over channels.
    LayerCam,
    /// Activation times (smoothed) gradient, summed over channels, for each object by itself.
    Odam,
    /// What the activations have most in common, whatever the box.
    EigenCam,
    /// What activation times gradient has most in common.
    EigenGradCam,
    /// Channels weighted by what is still found where the picture is masked by them.
    ScoreCam,
    /// Channels weighted by what is lost without them.
    AblationCam,
    /// Random masks weighted by what is still found behind them.
    DRise,
    /// What measured best ([`crate::eval`], docs/evaluation.md): [`Method::ElementWise`] at more
    /// layers, with more contrast.
    Best,
}

/// What a method takes besides activations and gradients.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MethodOptions {
    /// ODAM: standard deviation of the Gaussian that smooths the gradient, in cells; 0 does not. Default: 0.
    pub smooth: f32,
    /// D-RISE: how many masks. Default: 1000.
    pub masks: usize,
    /// D-RISE: which random masks. Default: 0.
    pub seed: u64,
    /// Score-CAM and Ablation-CAM: only so many channels, those that vary most. Default: all.
    pub max_channels: Option<usize>,
    /// How many changed pictures are run at once by methods without gradients. Changes speed and memory, and the map only
    /// by rounding. Default: 8.
    pub batch: usize,
}

impl Default for MethodOptions {
    fn default() -> Self {
        Self { smooth: 0.0, masks: 1000, seed: 0, max_channels: None, batch: 8 }
    }
}

/// What a method looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Activations and their gradient, for each box.
    Gradient,
    /// Activations.
    Activations,
    /// What the detector makes of changed pictures, at a layer's channels.
    ForwardsByChannel,
    /// What the detector makes of changed pictures, at no layer.
    Forwards,
}

/// What is known of a method.
#[derive(Debug, Clone, Copy)]
pub struct MethodInfo {
    /// The name in options and reports.
    pub name: &'static str,
    /// What it looks at.
    pub needs: Needs,
    /// Whether it keeps where in the layer the gradient is. At a head's own input that is a single cell.
    pub is_element_wise: bool,
    /// What it does, in a line.
    pub summary: &'static str,
    /// Where it comes from.
    pub source: &'static str,
}

impl Method {
    /// All methods.
    pub const ALL: [Self; 13] = [
        Self::GradCam,
        Self::GradCamPp,
        Self::XGradCam,
        Self::HiResCam,
        Self::ElementWise,
        Self::LayerCam,
        Self::Odam,
        Self::EigenCam,
        Self::EigenGradCam,
        Self::ScoreCam,
        Self::AblationCam,
        Self::DRise,
        Self::Best,
    ];

    /// What is known of the method.
    pub fn info(self) -> MethodInfo {
        let pooled = |name, summary, source| MethodInfo {
            name,
            needs: Needs::Gradient,
            is_element_wise: false,
            summary,
            source,
        };
        let element_wise =
            |name, summary, source| MethodInfo { is_element_wise: true, ..pooled(name, summary, source) };
        match self {
            Self::GradCam => pooled("gradcam", "channels weighted by their mean gradient", "arXiv 1610.02391"),
            Self::GradCamPp => pooled("gradcam++", "channels weighted by their positive gradients", "arXiv 1710.11063"),
            Self::XGradCam => {
                pooled("xgradcam", "channels weighted by gradients, by share of activation", "arXiv 2008.02312")
            }
            Self::HiResCam => element_wise("hirescam", "activation times gradient", "arXiv 2011.08891"),
            Self::ElementWise => {
                element_wise("elementwise", "positive part of activation times gradient", "package grad-cam 1.5")
            }
            Self::LayerCam => element_wise("layercam", "activation times positive gradient", "Jiang et al., TIP 2021"),
            Self::Odam => element_wise("odam", "activation times (smoothed) gradient", "arXiv 2304.06354"),
            Self::EigenCam => MethodInfo {
                needs: Needs::Activations,
                ..pooled("eigencam", "first principal component of the activations", "arXiv 2008.00299")
            },
            Self::EigenGradCam => element_wise(
                "eigengradcam",
                "first principal component of activation times gradient",
                "arXiv 2008.00299",
            ),
            Self::ScoreCam => MethodInfo {
                needs: Needs::ForwardsByChannel,
                ..pooled("scorecam", "channels weighted by what is found behind them", "arXiv 1910.01279")
            },
            Self::AblationCam => MethodInfo {
                needs: Needs::ForwardsByChannel,
                ..pooled("ablationcam", "channels weighted by what is lost without them", "Desai et al., WACV 2020")
            },
            Self::Best => element_wise(
                "best",
                "elementwise at more layers, with more contrast: what measured best",
                "docs/evaluation.md",
            ),
            Self::DRise => MethodInfo {
                needs: Needs::Forwards,
                ..pooled("d-rise", "random masks weighted by what is found behind them", "arXiv 2006.03204")
            },
        }
    }

    /// Whether it can be told where to look: some look at no layer, and one has its own.
    pub fn takes_layers(self) -> bool {
        self.info().needs != Needs::Forwards && self != Self::Best
    }

    /// The name in options and reports.
    pub fn name(self) -> &'static str {
        self.info().name
    }

    /// The map `[h, w]` before the ReLU, of methods that run the network once. `acts`, `grads`: `[K, h, w]`; without a
    /// gradient, `grads` is not looked at.
    pub(super) fn map(
        self,
        acts: ArrayView3<f32>,
        grads: ArrayView3<f32>,
        options: MethodOptions,
    ) -> Result<Array2<f32>> {
        match self {
            Self::GradCam => grad_cam(acts, grads),
            Self::GradCamPp => grad_cam_pp(acts, grads),
            Self::XGradCam => xgrad_cam(acts, grads),
            Self::HiResCam => hires_cam(acts, grads),
            Self::ElementWise | Self::Best => element_wise(acts, grads),
            Self::LayerCam => layer_cam(acts, grads),
            Self::Odam => odam(acts, grads, options.smooth),
            Self::EigenCam => eigen_cam(acts),
            Self::EigenGradCam => eigen_grad_cam(acts, grads),
            Self::ScoreCam | Self::AblationCam | Self::DRise => unreachable!("they run the network instead"),
        }
    }
}

fn check_shapes(acts: ArrayView3<f32>, grads: ArrayView3<f32>) -> Result<()> {
    if acts.dim() == grads.dim() {
        return Ok(());
    }
    Err(Error::Shape { activations: acts.shape().to_vec(), gradients: grads.shape().to_vec() })
}

/// Σ_k of `term(activation, gradient)` in each cell.
fn sum_of_products(
    acts: ArrayView3<f32>,
    grads: ArrayView3<f32>,
    term: impl Fn(f32, f32) -> f32,
) -> Result<Array2<f32>> {
    check_shapes(acts, grads)?;
    let (_, height, width) = acts.dim();
    let mut map = Array2::zeros((height, width));
    for (act, grad) in acts.outer_iter().zip(grads.outer_iter()) {
        ndarray::Zip::from(&mut map).and(&act).and(&grad).for_each(|sum, &act, &grad| *sum += term(act, grad));
    }
    Ok(map)
}

/// Σ_k of the channel's weight times its activation, in each cell.
fn weighted_sum(
    acts: ArrayView3<f32>,
    grads: ArrayView3<f32>,
    weight: impl Fn(ndarray::ArrayView2<f32>, ndarray::ArrayView2<f32>) -> f32,
) -> Result<Array2<f32>> {
    check_shapes(acts, grads)?;
    let (_, height, width) = acts.dim();
    let mut map = Array2::zeros((height, width));
    for (act, grad) in acts.outer_iter().zip(grads.outer_iter()) {
        map.scaled_add(weight(act, grad), &act);
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    #[test]
    fn names_are_different() {
        let names: std::collections::HashSet<_> = Method::ALL.iter().map(|method| method.name()).collect();
        assert_eq!(names.len(), Method::ALL.len());
    }

    #[test]
    fn shapes_that_differ_are_an_error() {
        let (a, b) = (Array3::zeros((2, 3, 4)), Array3::zeros((2, 4, 3)));
        for method in Method::ALL.into_iter().filter(|method| method.info().needs == Needs::Gradient) {
            let map = method.map(a.view(), b.view(), MethodOptions::default());
            assert!(matches!(map, Err(Error::Shape { .. })), "{}", method.name());
        }
    }

    #[test]
    fn zeros_give_zeros() {
        let zeros = Array3::zeros((2, 3, 4));
        let is_single = |method: &Method| matches!(method.info().needs, Needs::Gradient | Needs::Activations);
        for method in Method::ALL.into_iter().filter(is_single) {
            let map = method.map(zeros.view(), zeros.view(), MethodOptions::default()).unwrap();
            assert_eq!(map, Array2::<f32>::zeros((3, 4)), "{}", method.name());
        }
    }
}
