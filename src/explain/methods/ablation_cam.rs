//! Ablation-CAM.

use ndarray::{Array2, ArrayView3};

use super::{
    Method, MethodSpec, Run, Setting,
    perturb::{Channels, Perturbation, step},
};
use crate::{
    detect::{Detection, Likeness, Tracker},
    error::{Error, Result},
    explain::Watch,
};

/// Ablation-CAM.
pub const ABLATION_CAM: Method = Method::new(&SPEC);

pub(super) const SPEC: MethodSpec = MethodSpec {
    summary: "Channels weighted by what is lost without them",
    authors: "Desai and Ramaswamy, 2020",
    source: "Desai et al., WACV 2020",
    settings: &[Setting::MaxChannels],
    cost: "1 forward pass behind the layer per channel",
    ..MethodSpec::new("ablationcam", Run::Channels(run))
};

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
        return Err(Error::Shape { activations: acts.shape().to_vec(), weights: "scores", found: vec![without.len()] });
    }
    let mut map = Array2::zeros((height, width));
    for (act, without) in acts.outer_iter().zip(without) {
        map.scaled_add((score - without) / score, &act);
    }
    Ok(map)
}

fn run(picture: &Perturbation, layer: usize, detections: &[Detection], watch: &mut Watch) -> Result<Vec<Array2<f32>>> {
    let tracker = Tracker::new(picture.model(), detections, picture.outputs(), Likeness::SameClass)?;
    let channels = picture.channels(layer)?;
    let scores = without_channels(picture, &tracker, layer, &channels, watch)?;
    let whole = tracker.scores(picture.outputs())?.remove(0);
    let map = |index: usize| {
        let without: Vec<f32> = scores.iter().map(|scores| scores[index]).collect();
        ablation_cam(channels.activations.view(), whole[index], &without)
    };
    (0..detections.len()).map(map).collect()
}

/// For each channel the scores where it is set to 0. Runs only what lies behind the layer.
fn without_channels(
    picture: &Perturbation,
    tracker: &Tracker,
    layer: usize,
    channels: &Channels,
    watch: &mut Watch,
) -> Result<Vec<Vec<f32>>> {
    let mut tail = picture.model().tail(layer)?;
    let tapped = tail.start(&picture.model().normalized(picture.input())?)?;
    let mut scores = Vec::with_capacity(channels.indices.len());
    for batch in channels.indices.chunks(picture.batch()) {
        let mut ablated = tapped.f_repeat([batch.len() as i64, 1, 1, 1])?;
        for (index, &channel) in batch.iter().enumerate() {
            _ = ablated.f_select(0, index as i64)?.f_select(0, channel as i64)?.f_zero_()?;
        }
        // As the network has it.
        ablated = ablated.f_permute([0, 2, 3, 1])?.f_contiguous()?.f_permute([0, 3, 1, 2])?;
        scores.extend(tracker.scores(&tail.run(&ablated)?)?);
        step(watch, scores.len(), channels.indices.len())?;
    }
    Ok(scores)
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
