//! Whether maps depend on what the network learnt.

use ndarray::s;
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::rank_correlation;
use crate::{
    detect::{Detection, Likeness, Tracker},
    error::{Error, Result},
    explain::{ExplainOptions, ExplainedBox, Watch, explain_found},
    geometry::{BBox, Size},
    model::Model,
};

/// Maps are compared at the input's size divided by this.
const CELL: u32 = 8;

/// A network whose best prediction for a box scores less than this (IoU · objectness · probability of its class) no longer
/// finds it: there is nothing to explain.
pub const LEAST_SCORE: f32 = 0.01;

/// What is left of the maps after a module was randomised, and all those behind it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Randomized {
    /// The module, `model.23`.
    pub module: String,
    /// For each detection, whether the network no longer finds it ([`LEAST_SCORE`]): no map is made of it then.
    pub lost: Vec<bool>,
    /// For each detection the rank correlation (Spearman's, -1 to 1) of its map with the original; `None` where it is lost, or
    /// either map has no signal.
    pub correlations: Vec<Option<f64>>,
    /// The same of the part inside the box. A map of one box is high near it for any weights, since nothing else is in the
    /// prediction's field of view: over the whole picture that alone correlates.
    pub inside: Vec<Option<f64>>,
}

/// A model whose weights are randomised module by module, from the head down, each on top of those before.
///
/// A method whose maps stay as they are shows edges of the picture, not what the network learnt. Each box is explained where
/// it was found, its own prediction, as long as the randomised network finds it at all: a map of what is not there says
/// nothing, whatever it correlates with.
///
/// Adebayo et al., NeurIPS 2018 (cascading randomisation), <https://arxiv.org/abs/1810.03292>. Weights are shuffled within
/// their tensors rather than drawn anew.
pub struct Randomization {
    /// The one whose weights are changed.
    pub(super) random: Model,
    modules: Vec<String>,
    seed: u64,
}

impl Randomization {
    /// The weights of `model` itself, and of all who share them, stay as they are. The same `seed` gives the same weights.
    ///
    /// # Errors
    /// [`Error::Libtorch`] if there is not enough memory.
    pub fn new(model: &Model, seed: u64) -> Result<Self> {
        let random = model.share()?;
        let modules = random.weighted_modules()?;
        Ok(Self { random, modules, seed })
    }

    /// How maps change, from the head down. `model`: the intact one; `input`: `[1, 3, H, W]`; `original`: the maps of
    /// `model`, made with `options`. `watch` is told of modules.
    ///
    /// # Errors
    /// As [`explain_found`].
    pub fn run(
        &mut self,
        model: &Model,
        input: &Tensor,
        original: &[ExplainedBox],
        options: &ExplainOptions,
        watch: &mut Watch,
    ) -> Result<Vec<Randomized>> {
        self.random.restore_weights(model)?;
        let detections: Vec<Detection> = original.iter().map(|explained| explained.detection.clone()).collect();
        let tracker = Tracker::new(model, &detections, &model.forward_boxes(input)?, Likeness::SameClass)?;
        let size = map_size(input);
        let mut left = Vec::with_capacity(self.modules.len());
        for (done, module) in self.modules.iter().enumerate() {
            self.random.shuffle_weights(module, self.seed)?;
            let scores = tracker.scores(&self.random.forward_boxes(input)?)?.remove(0);
            let lost: Vec<bool> = scores.iter().map(|&score| score < LEAST_SCORE).collect();
            let found: Vec<usize> = (0..lost.len()).filter(|&index| !lost[index]).collect();
            let (mut everywhere, mut inside) = (vec![None; lost.len()], vec![None; lost.len()]);
            if !found.is_empty() {
                let found_boxes = found.iter().map(|&index| detections[index].clone()).collect();
                let mut within = |_, _| watch(done, self.modules.len());
                let random = explain_found(&self.random, input, found_boxes, options, &mut within)?;
                for (&index, random) in found.iter().zip(&random) {
                    (everywhere[index], inside[index]) = correlations(&original[index], random, size)?;
                }
            }
            left.push(Randomized { module: module.clone(), lost, correlations: everywhere, inside });
            if watch(done + 1, self.modules.len()).is_break() {
                return Err(Error::Interrupted);
            }
        }
        Ok(left)
    }
}

/// The size at which maps are compared.
pub(super) fn map_size(input: &Tensor) -> Size {
    let size = input.size();
    let cells = |side: i64| (side as u32 / CELL).max(1);
    Size { width: cells(size[3]), height: cells(size[2]) }
}

/// Of two maps at `size`: everywhere, and inside the box.
pub(super) fn correlations(a: &ExplainedBox, b: &ExplainedBox, size: Size) -> Result<(Option<f64>, Option<f64>)> {
    if a.heatmap.no_signal().is_some() || b.heatmap.no_signal().is_some() {
        return Ok((None, None));
    }
    let maps = [a.heatmap.upsampled(size)?, b.heatmap.upsampled(size)?];
    let [all_a, all_b] = maps.each_ref().map(|map| map.iter().copied().collect::<Vec<f32>>());
    let Some(BBox { x1, y1, x2, y2 }) = a.detection.box_input else {
        return Ok((rank_correlation(&all_a, &all_b), None));
    };
    let cells = |from: f32, to: f32, end: u32| {
        let end = end as usize;
        let cell = |at: f32| ((at / CELL as f32).round().max(0.0) as usize).min(end);
        cell(from)..cell(to)
    };
    let place = s![cells(y1, y2, size.height), cells(x1, x2, size.width)];
    let [in_a, in_b] = maps.each_ref().map(|map| map.slice(place).iter().copied().collect::<Vec<f32>>());
    Ok((rank_correlation(&all_a, &all_b), rank_correlation(&in_a, &in_b)))
}
