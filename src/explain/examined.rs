//! A picture that the network has run on once, and maps of whichever of its predictions are wanted.

use tch::Tensor;

use super::{ExplainOptions, ExplainedBox, Perturbation, Plan, Watch, explain_detections, find_working_layers};
use crate::{
    detect::Detection,
    error::{Error, Result},
    model::{Forward, Model},
};

/// What the network said of a picture, kept with all that maps of its predictions take: who asks again, waits for no further forward pass.
pub struct Examined<'a> {
    model: &'a Model,
    input: Tensor,
    /// With the method that suits the model.
    pub(super) options: ExplainOptions,
    plan: Plan,
    forward: Forward,
}

impl<'a> Examined<'a> {
    /// Runs the network on `input`: `[1, 3, H, W]` f32, RGB in 0..1, sides whole strides. What is asked for as `query` in the options is
    /// not looked at.
    ///
    /// # Errors
    /// As [`check_target`](super::check_target); [`Error::Libtorch`] if the network can't run on it.
    pub fn new(model: &'a Model, input: &Tensor, options: &ExplainOptions) -> Result<Self> {
        let options = options.resolved(model);
        let plan = Plan::new(model, &options.target_layer, &options)?;
        let forward = plan.forward(model, input)?;
        Ok(Self { model, input: input.shallow_clone(), options, plan, forward })
    }

    /// What the network said: its raw outputs without their graph, as [`detect`](crate::detect::detect()) takes them.
    pub fn outputs(&self) -> Vec<Tensor> {
        self.forward.outputs.iter().map(Tensor::detach).collect()
    }

    /// Whether explanations by these options take the same forward pass: those at the same layers do.
    ///
    /// # Errors
    /// As [`check_target`](super::check_target).
    pub fn serves(&self, options: &ExplainOptions) -> Result<bool> {
        let options = options.resolved(self.model);
        Ok(Plan::new(self.model, &options.target_layer, &options)?.has_forward_of(&self.plan, self.model))
    }

    /// Explains predictions of this picture, or of the same network with other weights. `contrast`: a class whose logit is subtracted from
    /// that of the prediction's class, if there is one; methods without a gradient do not look at it.
    ///
    /// # Errors
    /// [`Error::Libtorch`] if there is not enough memory; [`Error::Interrupted`] if `watch` says so.
    pub fn explain(
        &self,
        detections: Vec<Detection>,
        contrast: Option<usize>,
        watch: &mut Watch,
    ) -> Result<Vec<ExplainedBox>> {
        self.explained(&self.plan, &self.options.clone().with_contrast(contrast), detections, watch)
    }

    /// The same by other options that this forward pass [serves](Self::serves); boxes whose maps have no signal are told where there is one,
    /// as [`explain`](super::explain()) does.
    ///
    /// # Errors
    /// As [`explain`](Self::explain); [`Error::Libtorch`] too if it does not serve them.
    pub fn explain_by(
        &self,
        options: &ExplainOptions,
        detections: Vec<Detection>,
        watch: &mut Watch,
    ) -> Result<Vec<ExplainedBox>> {
        let options = options.resolved(self.model);
        let plan = Plan::new(self.model, &options.target_layer, &options)?;
        if !plan.has_forward_of(&self.plan, self.model) {
            return Err(Error::Libtorch("the forward pass was made for other layers".to_owned()));
        }
        let mut boxes = self.explained(&plan, &options, detections, watch)?;
        find_working_layers(self.model, &self.input, &mut boxes, &options)?;
        Ok(boxes)
    }

    fn explained(
        &self,
        plan: &Plan,
        options: &ExplainOptions,
        detections: Vec<Detection>,
        watch: &mut Watch,
    ) -> Result<Vec<ExplainedBox>> {
        let picture = Perturbation {
            model: self.model,
            input: &self.input,
            forward: &self.forward,
            taps: &plan.taps,
            options: &options.method_options,
        };
        explain_detections(&picture, plan, options, detections, watch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        detect::{DetectOptions, detect},
        explain::{TargetLayer, explain_input, methods, unwatched},
    };

    #[test]
    fn one_forward_pass_serves_all_methods_at_its_layers_with_the_same_maps() {
        let model = Model::load("tests/data/shortcut/clean.pt", tch::Device::Cpu).unwrap();
        let input = Tensor::arange(3 * 64 * 64, (tch::Kind::Float, tch::Device::Cpu)).sin().abs().view([1, 3, 64, 64]);
        let detect_options = DetectOptions::default().with_conf_threshold(Some(0.0)).with_max_det(Some(3));
        let by = |method| ExplainOptions::default().with_detect(detect_options.clone()).with_method(method);
        let examined = Examined::new(&model, &input, &by(methods::GRAD_CAM)).unwrap();
        let detections = detect(&model, &examined.outputs(), &detect_options).unwrap();
        for method in [methods::GRAD_CAM, methods::XGRAD_CAM, methods::EIGEN_CAM] {
            let options = by(method);
            assert!(examined.serves(&options).unwrap());
            let again = examined.explain_by(&options, detections.clone(), &mut unwatched).unwrap();
            let (alone, _) = explain_input(&model, &input, &options, &mut unwatched).unwrap();
            assert_eq!(again.len(), alone.len());
            for (again, alone) in again.iter().zip(&alone) {
                assert_eq!((&again.detection, &again.heatmap), (&alone.detection, &alone.heatmap), "{method:?}");
            }
        }
        let elsewhere = by(methods::GRAD_CAM).with_target_layer(TargetLayer::Layers(vec![0]));
        assert!(!examined.serves(&elsewhere).unwrap());
        assert!(examined.explain_by(&elsewhere, detections, &mut unwatched).is_err());
    }
}
