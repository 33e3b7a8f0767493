//! What is explained of a box: the scalar whose gradient is taken. A target is one file here and one line in `TARGETS`.

mod angle;
mod auto;
mod conf;
mod edges;
mod keypoint;
mod logit;
mod mask;
mod obj;
mod odam;
mod prob;
mod sides;

use tch::Tensor;

pub use self::{
    angle::ANGLE,
    auto::AUTO,
    conf::CONF,
    edges::{X1, X2, Y1, Y2},
    keypoint::{KeypointValue, PREFIX as KEYPOINT_PREFIX},
    logit::LOGIT,
    mask::MASK,
    obj::OBJ,
    odam::ODAM,
    prob::PROB,
    sides::{H, W},
};
use crate::{
    detect::{Detection, Prototypes},
    error::{Error, Result},
    families::{Aspect, Traced},
    model::{Forward, Model},
    registry::{Listed, Registry, Spec},
};

/// All targets, in the order in which they are listed.
static TARGETS: Registry<TargetSpec> = Registry::new(&[
    &auto::SPEC,
    &logit::SPEC,
    &prob::SPEC,
    &obj::SPEC,
    &conf::SPEC,
    &edges::LEFT,
    &edges::TOP,
    &edges::RIGHT,
    &edges::BOTTOM,
    &sides::WIDTH,
    &sides::HEIGHT,
    &mask::SPEC,
    &angle::SPEC,
    &odam::SPEC,
]);

/// A target: what it is called, and what it is. Raw outputs of a network are logits, so nothing is the inverse of a sigmoid.
pub struct TargetSpec {
    /// The name in options and reports.
    pub name: &'static str,
    /// What it is, in a line.
    pub summary: &'static str,
    /// Whether it depends on the class output.
    pub explains_class: bool,
    /// What a network has to predict besides classes.
    pub needs: Option<Aspect>,
    /// What it is.
    pub value: Value,
}

impl TargetSpec {
    /// Where an edge of the box is or how long a side: no class has a part in it.
    const fn of_box(name: &'static str, summary: &'static str, value: fn(&Subject) -> Result<Tensor>) -> Self {
        Self { name, summary, explains_class: false, needs: Some(Aspect::Box), value: Value::Scalar(value) }
    }
}

/// What a target is.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Value {
    /// A scalar of the prediction, with its autograd graph.
    Scalar(fn(&Subject) -> Result<Tensor>),
    /// Another target, which depends on the model.
    Choice(fn(&Model) -> Target),
    /// What there is to know of a keypoint.
    Keypoint(KeypointValue),
    /// The maximum of the normalised maps of several targets.
    Maximum(&'static [Target]),
}

/// The prediction of which a target is taken.
pub struct Subject<'a> {
    traced: Box<dyn Traced + 'a>,
    is_contrasted: bool,
    model: &'a Model,
    forward: &'a Forward,
    detection: &'a Detection,
    target: Target,
}

impl Subject<'_> {
    /// The prediction, with its autograd graph.
    pub fn prediction(&self) -> &dyn Traced {
        self.traced.as_ref()
    }

    /// The logit of the box's class, less that of the class to contrast, if there is one.
    ///
    /// # Errors
    /// [`Error::Libtorch`] if there is not enough memory.
    pub fn class_logit(&self) -> Result<Tensor> {
        let logit = self.traced.class_logit(0)?;
        Ok(if self.is_contrasted { logit.f_sub(&self.traced.class_logit(1)?)? } else { logit })
    }

    /// The logit of its presence.
    ///
    /// # Errors
    /// [`Error::TargetMissing`] if the model's family has none; [`Error::Libtorch`].
    pub fn presence_logit(&self) -> Result<Tensor> {
        self.traced.presence_logit()?.ok_or_else(|| self.target.missing(self.model, Aspect::Presence))
    }

    /// The angle of its box in radians.
    ///
    /// # Errors
    /// [`Error::TargetMissing`] if the model's boxes are not rotated; [`Error::Libtorch`].
    pub fn angle(&self) -> Result<Tensor> {
        self.traced.angle()?.ok_or_else(|| self.target.missing(self.model, Aspect::Angle))
    }

    /// What there is to know of a keypoint.
    ///
    /// # Errors
    /// [`Error::TargetMissing`] and [`Error::KeypointNotFound`] if the model has no such keypoint; [`Error::Libtorch`].
    pub fn keypoint(&self, keypoint: KeypointValue) -> Result<Tensor> {
        let (index, coordinate) = keypoint.of(self.model)?;
        let value = self.traced.keypoint(index, coordinate)?;
        value.ok_or_else(|| self.target.missing(self.model, Aspect::Keypoints))
    }

    /// The mean of the logits of the prediction's mask, at the size of the input, inside the mask of the detection. 0 where that
    /// mask has no pixels.
    ///
    /// # Errors
    /// [`Error::TargetMissing`] if the network gives no masks; [`Error::Libtorch`].
    pub fn mask_logit(&self) -> Result<Tensor> {
        let prototypes = Prototypes::of(self.model.head(), &self.forward.outputs)?;
        let (Some(prototypes), Some(coefficients)) = (prototypes, self.traced.mask_coefficients()?) else {
            return Err(self.target.missing(self.model, Aspect::Mask));
        };
        let Detection { place, box_input, mask, .. } = self.detection;
        match (mask, box_input) {
            (Some(mask), _) => prototypes.mean_logit(&coefficients, mask),
            (None, Some(b)) => prototypes.mean_logit(&coefficients, &prototypes.mask(place, b)?),
            (None, None) => Err(self.target.missing(self.model, Aspect::Box)),
        }
    }
}

impl Spec for TargetSpec {
    const KIND: &'static str = "Target";

    fn name(&self) -> &'static str {
        self.name
    }

    fn list() -> &'static Registry<Self> {
        &TARGETS
    }

    fn made(name: &str) -> Option<&'static Self> {
        keypoint::named(name)
    }
}

/// A target in the list, which derefs to its [`TargetSpec`].
pub type Target = Listed<TargetSpec>;

impl Target {
    /// What is explained of a box of this model: the target itself, or what it chooses.
    pub fn of(self, model: &Model) -> Self {
        match self.value {
            Value::Choice(choose) => choose(model),
            Value::Scalar(_) | Value::Keypoint(_) | Value::Maximum(_) => self,
        }
    }

    /// All targets that a model predicts: of the list, and its keypoints.
    pub fn all_of(model: &Model) -> Vec<Self> {
        Self::all().into_iter().filter(|target| target.is_of(model)).chain(keypoint::all_of(model)).collect()
    }

    /// Whether a model predicts what is explained.
    pub fn is_of(self, model: &Model) -> bool {
        self.check(model).is_ok()
    }

    /// The same.
    ///
    /// # Errors
    /// [`Error::TargetMissing`], [`Error::KeypointNotFound`] if it does not.
    pub(super) fn check(self, model: &Model) -> Result<()> {
        let chosen = self.of(model);
        if let Some(aspect) = chosen.needs.filter(|&aspect| !model.head().has(aspect)) {
            return Err(self.missing(model, aspect));
        }
        chosen.parts().into_iter().try_for_each(|part| match part.value {
            Value::Keypoint(keypoint) => keypoint.of(model).map(drop),
            _ => Ok(()),
        })
    }

    fn missing(self, model: &Model, aspect: Aspect) -> Error {
        Error::TargetMissing {
            target: self.name.to_owned(),
            family: model.head().family().to_owned(),
            lacks: aspect.name(),
        }
    }

    /// Whether the maps of this target say nothing about boxes of this model, since its class output was not trained.
    pub fn is_untrained(self, model: &Model) -> bool {
        self.explains_class && !model.trains_classes()
    }

    /// Whether it is the logit of the class, which can be contrasted with that of another.
    pub fn is_class_logit(self) -> bool {
        self == AUTO || self == LOGIT
    }

    /// The targets whose maps make this one's map, as their maximum.
    pub(super) fn parts(self) -> Vec<Self> {
        match self.value {
            Value::Maximum(parts) => parts.to_vec(),
            Value::Scalar(_) | Value::Keypoint(_) | Value::Choice(_) => vec![self],
        }
    }

    /// The scalar of `detection` with its autograd graph. With a class to `contrast`, its logit is subtracted from the
    /// class logit.
    pub(super) fn scalar(
        self,
        model: &Model,
        forward: &Forward,
        detection: &Detection,
        contrast: Option<usize>,
    ) -> Result<Tensor> {
        let classes: Vec<usize> = [detection.class_id].into_iter().chain(contrast).collect();
        let traced = model.trace(forward, &detection.place, &classes)?;
        let subject = Subject { traced, is_contrasted: contrast.is_some(), model, forward, detection, target: self };
        match self.of(model).value {
            Value::Scalar(scalar) => scalar(&subject),
            Value::Keypoint(keypoint) => subject.keypoint(keypoint),
            Value::Choice(_) | Value::Maximum(_) => {
                Err(Error::Libtorch(format!("target {} is no scalar, but made of others", self.name)))
            }
        }
    }
}

impl Default for Target {
    fn default() -> Self {
        AUTO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_different() {
        let names: std::collections::HashSet<_> = Target::all().iter().map(|target| target.name).collect();
        assert_eq!(names.len(), Target::all().len());
    }
}
