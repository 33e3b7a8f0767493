//! ODAM.

use ndarray::{Array2, ArrayView2, ArrayView3};

use super::{AutoLayers, MemoryOrder, Method, MethodSpec, Run, Setting, check_shapes, hires_cam, sum_of_products};
use crate::error::Result;

/// ODAM.
pub const ODAM: Method = Method::new(&SPEC);

pub(super) const SPEC: MethodSpec = MethodSpec {
    summary: "Activation times gradient, which can be smoothed",
    authors: "Zhao and Chan, 2023",
    source: "arXiv 2304.06354",
    auto_layers: AutoLayers::DeepBackbone,
    order: MemoryOrder::Cells,
    settings: &[Setting::Smooth],
    ..MethodSpec::new("odam", Run::Gradient(|acts, grads, options| odam(acts, grads, options.smooth)))
};

/// How many standard deviations the Gaussian reaches.
const REACH: f32 = 3.0;

/// Sums activation times smoothed gradient over the channels (ODAM), for one object by itself.
///
/// `acts`, `grads`: `[K, h, w]` f32; `sigma`: standard deviation of the Gaussian that smooths each channel's gradient, in
/// cells, 0 for none. Beyond the border the gradient is taken as 0. Returns `[h, w]` f32, **before** the ReLU and not
/// normalised, one cell per feature cell.
///
/// # Errors
/// [`crate::Error::Shape`] if the shapes differ.
///
/// Zhao and Chan, ICLR 2023, eq. 2, <https://arxiv.org/abs/2304.06354>.
pub fn odam(acts: ArrayView3<f32>, grads: ArrayView3<f32>, sigma: f32) -> Result<Array2<f32>> {
    if sigma <= 0.0 {
        return hires_cam(acts, grads);
    }
    check_shapes(acts, grads)?;
    let kernel = gaussian(sigma);
    let mut smooth = grads.to_owned();
    for mut channel in smooth.outer_iter_mut() {
        let along_x = convolved(channel.view(), &kernel);
        let along_y = convolved(along_x.t(), &kernel);
        channel.assign(&along_y.t());
    }
    sum_of_products(acts, smooth.view(), |act, grad| act * grad)
}

/// Weights that sum to 1, symmetric, an odd number.
fn gaussian(sigma: f32) -> Vec<f32> {
    let reach = (REACH * sigma).ceil().max(1.0) as i32;
    let weights: Vec<f32> = (-reach..=reach).map(|x| (-0.5 * (x as f32 / sigma).powi(2)).exp()).collect();
    let sum: f32 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

/// Each row with the kernel laid over it, zeros outside.
fn convolved(rows: ArrayView2<f32>, kernel: &[f32]) -> Array2<f32> {
    let (reach, width) = (kernel.len() / 2, rows.ncols());
    Array2::from_shape_fn(rows.dim(), |(y, x)| {
        let inside = x.saturating_sub(reach)..(x + reach + 1).min(width);
        inside.map(|other| rows[[y, other]] * kernel[other + reach - x]).sum()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array3, array};

    #[test]
    fn without_smoothing_it_is_activation_times_gradient() {
        let acts = array![[[1.0, 2.0]], [[3.0, -4.0]]];
        let grads = array![[[5.0, -1.0]], [[-1.0, -2.0]]];
        assert_eq!(odam(acts.view(), grads.view(), 0.0).unwrap(), array![[2.0, 6.0]]);
    }

    #[test]
    fn a_gradient_in_one_cell_spreads_as_a_gaussian() {
        let acts = Array3::ones((1, 9, 9));
        let mut grads = Array3::zeros((1, 9, 9));
        grads[[0, 4, 4]] = 1.0;
        let map = odam(acts.view(), grads.view(), 1.0).unwrap();
        assert!((map.sum() - 1.0).abs() < 1e-5);
        let ratio = |x: f32, y: f32| (-0.5 * (x * x + y * y)).exp();
        assert!((map[[4, 5]] / map[[4, 4]] - ratio(1.0, 0.0)).abs() < 1e-5);
        assert!((map[[2, 5]] / map[[4, 4]] - ratio(1.0, 2.0)).abs() < 1e-5);
    }
}
