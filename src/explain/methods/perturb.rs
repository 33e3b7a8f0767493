//! Runs the network on changed pictures and features, for methods that look at what the detector then makes of them.

use ndarray::{Array3, Axis};
use tch::Tensor;

use super::MethodOptions;
use crate::{
    detect::Tracker,
    error::{Error, Result},
    explain::Watch,
    model::{Forward, Model},
    tensor::{MemoryOrder, to_array3},
};

/// A picture whose detections are followed while it is changed.
pub struct Perturbation<'a> {
    pub(in crate::explain) model: &'a Model,
    /// `[1, 3, H, W]`.
    pub(in crate::explain) input: &'a Tensor,
    /// Of the whole picture, with `taps`.
    pub(in crate::explain) forward: &'a Forward,
    pub(in crate::explain) taps: &'a [usize],
    pub(in crate::explain) options: &'a MethodOptions,
}

/// The channels of a layer that are looked at.
pub(crate) struct Channels {
    /// Their indices in the layer.
    pub indices: Vec<usize>,
    /// Their activations, `[K, h, w]`.
    pub activations: Array3<f32>,
    /// Those of the whole layer, `[1, all, h, w]`.
    pub layer: Tensor,
}

impl Perturbation<'_> {
    /// The model.
    pub fn model(&self) -> &Model {
        self.model
    }

    /// The picture, `[1, 3, H, W]`.
    pub fn input(&self) -> &Tensor {
        self.input
    }

    /// The network's raw outputs for the whole picture.
    pub fn outputs(&self) -> &[Tensor] {
        &self.forward.outputs
    }

    /// The settings of the method.
    pub fn options(&self) -> &MethodOptions {
        self.options
    }

    /// How many changed pictures are run at once.
    pub fn batch(&self) -> usize {
        self.options.batch.clamp(1, self.model.most_pictures())
    }

    /// The channels of a tapped layer: all, or those that vary most.
    pub(crate) fn channels(&self, layer: usize) -> Result<Channels> {
        let tap = self.taps.iter().position(|&tap| tap == layer).expect("the plan tapped all layers that it uses");
        let layer = self.forward.taps[tap].f_detach()?;
        let all = to_array3(&layer, MemoryOrder::Channels)?;
        let count = all.len_of(Axis(0));
        let most = self.options().max_channels.unwrap_or(count);
        let mut indices: Vec<usize> = (0..count).collect();
        if most < count {
            let spread: Vec<f32> = all.outer_iter().map(|act| act.std(0.0)).collect();
            indices.sort_by(|&a, &b| spread[b].total_cmp(&spread[a]));
            indices.truncate(most);
            indices.sort_unstable();
        }
        Ok(Channels { activations: all.select(Axis(0), &indices), indices, layer })
    }

    /// The scores behind each of `masks` `[N, 1, H, W]`, 0 to 1; 0 is black.
    pub(crate) fn masked(&self, tracker: &Tracker, masks: &Tensor) -> Result<Vec<Vec<f32>>> {
        tracker.scores(&self.model.forward_boxes_in(&self.input.f_mul(masks)?, self.options.precision)?)
    }
}

/// Tells of `done` of `total` steps.
pub(super) fn step(watch: &mut Watch, done: usize, total: usize) -> Result<()> {
    if watch(done, total).is_break() { Err(Error::Interrupted) } else { Ok(()) }
}
