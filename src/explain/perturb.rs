//! Methods that change the picture or its features, and look at what the detector makes of it.

use ndarray::{Array3, Axis};
use tch::Tensor;

use super::{
    ExplainOptions, Heatmap, Method, Watch,
    methods::{DRise, ablation_cam, random_masks, score_cam},
};
use crate::{
    detect::{Detection, Likeness, Tracker},
    error::{Error, Result},
    model::{Forward, Model},
    tensor::to_array3,
};

/// Changes a picture and follows its detections.
pub(super) struct Perturbation<'a> {
    pub model: &'a Model,
    /// `[1, 3, H, W]`.
    pub input: &'a Tensor,
    /// Of the whole picture, with `taps`.
    pub forward: &'a Forward,
    pub taps: &'a [usize],
    pub options: &'a ExplainOptions,
}

impl Perturbation<'_> {
    /// The map of each of `detections` at `layer`, of which D-RISE needs none.
    pub fn maps(&self, layer: Option<usize>, detections: &[Detection], watch: &mut Watch) -> Result<Vec<Heatmap>> {
        let likeness = if self.options.method == Method::DRise { Likeness::Cosine } else { Likeness::SameClass };
        let tracker = Tracker::new(self.model, detections, &self.forward.outputs, likeness)?;
        let Some(layer) = layer else { return self.d_rise(&tracker, detections.len(), watch) };
        let tap = self.taps.iter().position(|&tap| tap == layer).expect("the plan tapped all layers that it uses");
        let tapped = self.forward.taps[tap].f_detach()?;
        let acts = to_array3(&tapped)?;
        let channels = self.channels(&acts);
        let chosen = acts.select(Axis(0), &channels);
        let scores = match self.options.method {
            Method::ScoreCam => self.masked_by_channels(&tracker, &tapped, &channels, watch)?,
            _ => self.without_channels(&tracker, layer, &channels, watch)?,
        };
        let whole = tracker.scores(&self.forward.outputs)?.remove(0);
        let map = |index: usize| {
            let scores: Vec<f32> = scores.iter().map(|scores| scores[index]).collect();
            let map = match self.options.method {
                Method::ScoreCam => score_cam(chosen.view(), &scores)?,
                _ => ablation_cam(chosen.view(), whole[index], &scores)?,
            };
            Ok(Heatmap::new(map))
        };
        (0..detections.len()).map(map).collect()
    }

    /// The channels that are looked at: all, or those that vary most.
    fn channels(&self, acts: &Array3<f32>) -> Vec<usize> {
        let count = acts.len_of(Axis(0));
        let most = self.options.method_options.max_channels.unwrap_or(count);
        let mut channels: Vec<usize> = (0..count).collect();
        if most < count {
            let spread: Vec<f32> = acts.outer_iter().map(|act| act.std(0.0)).collect();
            channels.sort_by(|&a, &b| spread[b].total_cmp(&spread[a]));
            channels.truncate(most);
            channels.sort_unstable();
        }
        channels
    }

    /// For each channel the scores where the picture is multiplied by it.
    fn masked_by_channels(
        &self,
        tracker: &Tracker,
        tapped: &Tensor,
        channels: &[usize],
        watch: &mut Watch,
    ) -> Result<Vec<Vec<f32>>> {
        let size = &self.input.size()[2..];
        let mut scores = Vec::with_capacity(channels.len());
        for batch in channels.chunks(self.batch()) {
            let indices: Vec<i64> = batch.iter().map(|&channel| channel as i64).collect();
            let indices = Tensor::from_slice(&indices).f_to_device(tapped.device())?;
            let acts = tapped.f_index_select(1, &indices)?.f_transpose(0, 1)?;
            let large = acts.f_upsample_bilinear2d(size, false, None, None)?;
            let (least, most) = (large.f_amin([1, 2, 3], true)?, large.f_amax([1, 2, 3], true)?);
            // A channel without variation shows nothing.
            let range = most.f_sub(&least)?.f_clamp_min(f64::from(f32::MIN_POSITIVE))?;
            let masks = large.f_sub(&least)?.f_div(&range)?;
            scores.extend(self.masked(tracker, &masks)?);
            step(watch, scores.len(), channels.len())?;
        }
        Ok(scores)
    }

    /// For each channel the scores where it is set to 0. Runs only what lies behind the layer.
    fn without_channels(
        &self,
        tracker: &Tracker,
        layer: usize,
        channels: &[usize],
        watch: &mut Watch,
    ) -> Result<Vec<Vec<f32>>> {
        let mut tail = self.model.tail(layer)?;
        let tapped = tail.start(self.input)?;
        let mut scores = Vec::with_capacity(channels.len());
        for batch in channels.chunks(self.batch()) {
            let mut ablated = tapped.f_repeat([batch.len() as i64, 1, 1, 1])?;
            for (index, &channel) in batch.iter().enumerate() {
                _ = ablated.f_select(0, index as i64)?.f_select(0, channel as i64)?.f_zero_()?;
            }
            // As the network has it.
            ablated = ablated.f_permute([0, 2, 3, 1])?.f_contiguous()?.f_permute([0, 3, 1, 2])?;
            scores.extend(tracker.scores(&tail.run(&ablated)?)?);
            step(watch, scores.len(), channels.len())?;
        }
        Ok(scores)
    }

    fn d_rise(&self, tracker: &Tracker, detections: usize, watch: &mut Watch) -> Result<Vec<Heatmap>> {
        let &[_, _, height, width] = self.input.size().as_slice() else { unreachable!("the input ran") };
        let (seed, total) = (self.options.method_options.seed, self.options.method_options.masks);
        let mut sum = DRise::new(detections, height as usize, width as usize);
        let indices: Vec<u64> = (0..total as u64).collect();
        let mut done = 0;
        for batch in indices.chunks(self.batch()) {
            let masks = random_masks(seed, batch, height, width)?;
            sum.add(&masks, &self.masked(tracker, &masks.f_to_device(self.input.device())?)?)?;
            done += batch.len();
            step(watch, done, total)?;
        }
        Ok(sum.maps()?.into_iter().map(Heatmap::new).collect())
    }

    /// The scores behind each of `masks` `[N, 1, H, W]`, 0 to 1; 0 is black.
    fn masked(&self, tracker: &Tracker, masks: &Tensor) -> Result<Vec<Vec<f32>>> {
        tracker.scores(&self.model.forward(&self.input.f_mul(masks)?, &[])?.outputs)
    }

    fn batch(&self) -> usize {
        self.options.method_options.batch.max(1)
    }
}

/// Tells of `done` of `total` steps.
fn step(watch: &mut Watch, done: usize, total: usize) -> Result<()> {
    if watch(done, total).is_break() { Err(Error::Interrupted) } else { Ok(()) }
}
