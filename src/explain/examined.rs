//! A picture that the network has run on once, and maps of whichever of its predictions are wanted.

use tch::Tensor;

use super::{ExplainOptions, ExplainedBox, Perturbation, Plan, Watch, explain_detections};
use crate::{
    detect::Detection,
    error::Result,
    model::{Forward, Model},
};

/// What the network said of a picture, kept with all that maps of its predictions take: who asks again, waits for no further forward pass.
pub struct Examined<'a> {
    pub(super) model: &'a Model,
    pub(super) input: &'a Tensor,
    /// With the method that suits the model.
    pub(super) options: ExplainOptions,
    pub(super) plan: Plan,
    pub(super) forward: Forward,
}

impl<'a> Examined<'a> {
    /// Runs the network on `input`: `[1, 3, H, W]` f32, RGB in 0..1, sides whole strides. What is asked for as `query` in the options is
    /// not looked at.
    ///
    /// # Errors
    /// As [`check_target`](super::check_target); [`Error::Libtorch`](crate::Error::Libtorch) if the network can't run on it.
    pub fn new(model: &'a Model, input: &'a Tensor, options: &ExplainOptions) -> Result<Self> {
        let options = options.resolved(model);
        let plan = Plan::new(model, &options.target_layer, &options)?;
        let forward = plan.forward(model, input)?;
        Ok(Self { model, input, options, plan, forward })
    }

    /// What the network said: its raw outputs without their graph, as [`detect`](crate::detect::detect()) takes them.
    pub fn outputs(&self) -> Vec<Tensor> {
        self.forward.outputs.iter().map(Tensor::detach).collect()
    }

    /// Explains predictions of this picture, or of the same network with other weights. `contrast`: a class whose logit is subtracted from
    /// that of the prediction's class, if there is one; methods without a gradient do not look at it.
    ///
    /// # Errors
    /// [`Error::Libtorch`](crate::Error::Libtorch) if there is not enough memory; [`Error::Interrupted`](crate::Error::Interrupted) if
    /// `watch` says so.
    pub fn explain(
        &self,
        detections: Vec<Detection>,
        contrast: Option<usize>,
        watch: &mut Watch,
    ) -> Result<Vec<ExplainedBox>> {
        let options = self.options.clone().with_contrast(contrast);
        let picture = Perturbation {
            model: self.model,
            input: self.input,
            forward: &self.forward,
            taps: &self.plan.taps,
            options: &self.options.method_options,
        };
        explain_detections(&picture, &self.plan, &options, detections, watch)
    }
}
