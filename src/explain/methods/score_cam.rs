//! Score-CAM.

use ndarray::{Array2, ArrayView3};

use crate::error::{Error, Result};

/// Weights each channel by the softmax of what the detector still finds of the box where the picture is masked by that
/// channel (Score-CAM).
///
/// `acts`: `[K, h, w]` f32; `scores`: for each channel the tracked score of the picture times the channel, which was
/// normalised from 0 to 1 and upsampled. Returns `[h, w]` f32, **before** the ReLU and not normalised, one cell per feature
/// cell.
///
/// # Errors
/// [`Error::Shape`] if there is not one score for each channel.
///
/// Wang et al., CVPR Workshops 2020, eqs. 7–9, <https://arxiv.org/abs/1910.01279>.
pub fn score_cam(acts: ArrayView3<f32>, scores: &[f32]) -> Result<Array2<f32>> {
    let (channels, height, width) = acts.dim();
    if channels != scores.len() {
        return Err(Error::Shape { activations: acts.shape().to_vec(), gradients: vec![scores.len()] });
    }
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = scores.iter().map(|score| (score - largest).exp()).collect();
    let sum: f32 = powers.iter().sum();
    let mut map = Array2::zeros((height, width));
    for (act, power) in acts.outer_iter().zip(powers) {
        map.scaled_add(power / sum, &act);
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn channels_are_weighted_by_the_softmax_of_their_scores() {
        let acts = array![[[4.0, 0.0]], [[0.0, 8.0]]];
        // Of ln 3 and 0 the softmax is 3/4 and 1/4.
        let map = score_cam(acts.view(), &[3.0f32.ln() + 5.0, 5.0]).unwrap();
        assert!((map - array![[3.0, 2.0]]).iter().all(|difference: &f32| difference.abs() < 1e-5));
    }

    #[test]
    fn a_score_is_needed_for_each_channel() {
        assert!(matches!(score_cam(array![[[1.0]], [[2.0]]].view(), &[1.0]), Err(Error::Shape { .. })));
    }
}
