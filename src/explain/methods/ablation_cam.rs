//! Ablation-CAM.

use ndarray::{Array2, ArrayView3};

use crate::error::{Error, Result};

/// Weights each channel by the share of the box's score that is lost without it, `(S − S_k)/S` (Ablation-CAM).
///
/// `acts`: `[K, h, w]` f32; `score`: the tracked score S of the whole picture, more than 0; `without`: for each channel the
/// score S_k with the channel set to 0. Returns `[h, w]` f32, **before** the ReLU and not normalised, one cell per feature
/// cell.
///
/// # Errors
/// [`Error::Shape`] if there is not one score for each channel.
///
/// Desai and Ramaswamy, WACV 2020, eq. 3.
pub fn ablation_cam(acts: ArrayView3<f32>, score: f32, without: &[f32]) -> Result<Array2<f32>> {
    let (channels, height, width) = acts.dim();
    if channels != without.len() {
        return Err(Error::Shape { activations: acts.shape().to_vec(), gradients: vec![without.len()] });
    }
    let mut map = Array2::zeros((height, width));
    for (act, without) in acts.outer_iter().zip(without) {
        map.scaled_add((score - without) / score, &act);
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn channels_are_weighted_by_the_share_of_the_score_that_they_carry() {
        let acts = array![[[4.0, 0.0]], [[2.0, 8.0]]];
        // Without the first a quarter is lost, without the second half is gained.
        let map = ablation_cam(acts.view(), 0.4, &[0.3, 0.6]).unwrap();
        assert!((map - array![[0.0, -4.0]]).iter().all(|difference: &f32| difference.abs() < 1e-5));
    }
}
