//! Eigen-CAM.

use ndarray::{Array1, Array2, ArrayView3};
use tch::Tensor;

use super::{Method, MethodSpec, Run};
use crate::error::Result;

/// Eigen-CAM.
pub const EIGEN_CAM: Method = Method::new(&SPEC);

pub(super) const SPEC: MethodSpec = MethodSpec {
    summary: "First principal component of the activations, whatever the box",
    authors: "Muhammad and Yeasin, 2020",
    source: "arXiv 2008.00299",
    cost: "none",
    ..MethodSpec::new("eigencam", Run::Activations(|acts, _| eigen_cam(acts)))
};

/// Projects the activations onto their first principal component (Eigen-CAM). It is the same for all boxes.
///
/// `acts`: `[K, h, w]` f32. Returns `[h, w]` f32, **before** the ReLU and not normalised, one cell per feature cell.
/// The sign of a principal component is arbitrary; here the larger magnitude is positive.
///
/// # Errors
/// [`crate::Error::Libtorch`] if there is not enough memory.
///
/// Muhammad and Yeasin, IJCNN 2020, <https://arxiv.org/abs/2008.00299>; centred, as in the package grad-cam.
pub fn eigen_cam(acts: ArrayView3<f32>) -> Result<Array2<f32>> {
    first_component(acts)
}

/// More than enough to find the largest eigenvector where it is well apart from the second.
const MAX_ITERATIONS: usize = 2000;
/// Change of the unit eigenvector at which it is found.
const TOLERANCE: f64 = 1e-10;

/// The cells `[hw, K]`, centred, projected onto their first principal component. By power iteration on the covariance
/// `[K, K]`: of 512 channels it usually takes a millisecond, where `linalg_eigh`, which finds all the other components too,
/// takes thirty. A decomposition of `[hw, hw]` would take gigabytes.
pub(super) fn first_component(channels: ArrayView3<f32>) -> Result<Array2<f32>> {
    let (count, height, width) = channels.dim();
    let mut centred = Array2::from_shape_fn((count, height * width), |(channel, cell)| {
        f64::from(channels[[channel, cell / width, cell % width]])
    });
    for mut channel in centred.rows_mut() {
        let mean = channel.mean().unwrap_or(0.0);
        channel -= mean;
    }
    let component = largest_eigenvector(&covariance(&centred)?);
    let projection = component.dot(&centred);
    let (least, most) = projection.iter().fold((0.0f64, 0.0f64), |(least, most), &v| (least.min(v), most.max(v)));
    let sign = if -least > most { -1.0 } else { 1.0 };
    Ok(Array2::from_shape_fn((height, width), |(y, x)| (sign * projection[y * width + x]) as f32))
}

/// `[K, K]` of `[K, hw]`, up to a factor. Most of the method's work, so libtorch does it.
fn covariance(centred: &Array2<f64>) -> Result<Array2<f64>> {
    let rows = Tensor::try_from(centred)?;
    let product = rows.f_mm(&rows.f_transpose(0, 1)?)?;
    let count = centred.nrows();
    let values = Vec::<f64>::try_from(product.f_contiguous()?.f_view(-1)?)?;
    Ok(Array2::from_shape_vec((count, count), values).expect("K·K values"))
}

/// A unit eigenvector to the largest eigenvalue of a symmetric matrix without negative eigenvalues; zeros for zeros.
fn largest_eigenvector(matrix: &Array2<f64>) -> Array1<f64> {
    let norm = |vector: &Array1<f64>| vector.dot(vector).sqrt();
    // The row of the largest diagonal element is not orthogonal to the eigenvector, but by a freak of rounding.
    let diagonal = matrix.diag();
    let start = (0..diagonal.len()).max_by(|&a, &b| diagonal[a].total_cmp(&diagonal[b]));
    let Some(mut vector) = start.map(|row| matrix.row(row).to_owned()) else { return Array1::zeros(0) };
    let length = norm(&vector);
    if length == 0.0 || !length.is_finite() {
        return Array1::zeros(vector.len());
    }
    vector /= length;
    for _ in 0..MAX_ITERATIONS {
        let mut next = matrix.dot(&vector);
        next /= norm(&next);
        let change = norm(&(&next - &vector));
        vector = next;
        if change < TOLERANCE {
            break;
        }
    }
    vector
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn the_direction_of_most_variance_is_projected_on() {
        // Cells (0,0), (3,4), (6,8): centred at (3,4), all on the direction (3,4)/5.
        let acts = array![[[0.0, 3.0, 6.0]], [[0.0, 4.0, 8.0]]];
        let map = eigen_cam(acts.view()).unwrap();
        let expected = array![[-5.0, 0.0, 5.0]];
        // Of equal magnitudes either may be positive.
        let sign = if map[[0, 2]] < 0.0 { -1.0 } else { 1.0 };
        assert!((map * sign - expected).iter().all(|difference: &f32| difference.abs() < 1e-5));
    }

    #[test]
    fn the_larger_magnitude_is_positive() {
        for flip in [1.0, -1.0] {
            let acts = array![[[-9.0, 1.0, 2.0, 3.0]]] * flip;
            let map = eigen_cam(acts.view()).unwrap();
            assert_eq!(map[[0, 0]], 8.25, "the first cell is the farthest from the mean");
        }
    }
}
