//! Score-CAM.

use ndarray::{Array2, ArrayView3};
use tch::Tensor;

use super::{
    Method, MethodSpec, Run, Setting,
    perturb::{Channels, Perturbation, step},
};
use crate::{
    detect::{Detection, Likeness, Tracker},
    error::{Error, Result},
    explain::Watch,
};

/// Score-CAM.
pub const SCORE_CAM: Method = Method::new(&SPEC);

pub(super) const SPEC: MethodSpec = MethodSpec {
    summary: "Channels weighted by what is still found behind them",
    authors: "Wang et al., 2020",
    source: "arXiv 1910.01279",
    settings: &[Setting::MaxChannels, Setting::Precision],
    cost: "1 forward pass per channel",
    ..MethodSpec::new("scorecam", Run::Channels(run))
};

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
        return Err(Error::Shape { activations: acts.shape().to_vec(), weights: "scores", found: vec![scores.len()] });
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

fn run(picture: &Perturbation, layer: usize, detections: &[Detection], watch: &mut Watch) -> Result<Vec<Array2<f32>>> {
    let tracker = Tracker::new(picture.model(), detections, picture.outputs(), Likeness::SameClass)?;
    let channels = picture.channels(layer)?;
    let scores = masked_by_channels(picture, &tracker, &channels, watch)?;
    let map = |index: usize| {
        let scores: Vec<f32> = scores.iter().map(|scores| scores[index]).collect();
        score_cam(channels.activations.view(), &scores)
    };
    (0..detections.len()).map(map).collect()
}

/// For each channel the scores where the picture is multiplied by it.
fn masked_by_channels(
    picture: &Perturbation,
    tracker: &Tracker,
    channels: &Channels,
    watch: &mut Watch,
) -> Result<Vec<Vec<f32>>> {
    let size = &picture.input().size()[2..];
    let mut scores = Vec::with_capacity(channels.indices.len());
    for batch in channels.indices.chunks(picture.batch()) {
        let indices: Vec<i64> = batch.iter().map(|&channel| channel as i64).collect();
        let indices = Tensor::from_slice(&indices).f_to_device(channels.layer.device())?;
        let acts = channels.layer.f_index_select(1, &indices)?.f_transpose(0, 1)?;
        let large = acts.f_upsample_bilinear2d(size, false, None, None)?;
        let (least, most) = (large.f_amin([1, 2, 3], true)?, large.f_amax([1, 2, 3], true)?);
        // A channel without variation shows nothing.
        let range = most.f_sub(&least)?.f_clamp_min(f64::from(f32::MIN_POSITIVE))?;
        let masks = large.f_sub(&least)?.f_div(&range)?;
        scores.extend(picture.masked(tracker, &masks)?);
        step(watch, scores.len(), channels.indices.len())?;
    }
    Ok(scores)
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
