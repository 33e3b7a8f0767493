//! The scalar whose gradient is taken.

use tch::Tensor;

use crate::{
    detect::Detection,
    error::{Error, Result},
    families::{Extent, Traced},
    model::{Forward, Model},
};

/// What is explained of a box. Heads are raw, so nothing is the inverse of a sigmoid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Target {
    /// The class logit; objectness where the model has a single class, since YOLOv5 does not train that class's output.
    #[default]
    Auto,
    /// The class logit, before the sigmoid.
    Logit,
    /// The class probability.
    Prob,
    /// The objectness logit, before the sigmoid.
    Obj,
    /// Objectness times class probability.
    Conf,
    /// The left edge in input pixels.
    X1,
    /// The upper edge in input pixels.
    Y1,
    /// The right edge in input pixels.
    X2,
    /// The lower edge in input pixels.
    Y2,
    /// The width in input pixels.
    W,
    /// The height in input pixels.
    H,
    /// The maximum of the normalised maps of class logit and edges.
    Odam,
}

impl Target {
    /// All targets.
    pub const ALL: [Self; 12] = [
        Self::Auto,
        Self::Logit,
        Self::Prob,
        Self::Obj,
        Self::Conf,
        Self::X1,
        Self::Y1,
        Self::X2,
        Self::Y2,
        Self::W,
        Self::H,
        Self::Odam,
    ];

    /// The name in options and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Logit => "logit",
            Self::Prob => "prob",
            Self::Obj => "obj",
            Self::Conf => "conf",
            Self::X1 => "x1",
            Self::Y1 => "y1",
            Self::X2 => "x2",
            Self::Y2 => "y2",
            Self::W => "w",
            Self::H => "h",
            Self::Odam => "odam",
        }
    }

    /// What is explained of a box of this model: the target itself, and what [`Auto`](Self::Auto) stands for.
    ///
    /// Ultralytics YOLOv5, `ComputeLoss`: "cls loss (only if multiple classes)".
    pub fn of(self, model: &Model) -> Self {
        match self {
            Self::Auto if model.trains_classes() => Self::Logit,
            Self::Auto => Self::Obj,
            other => other,
        }
    }

    /// Why the maps of this target say nothing about boxes of this model, in one line; `None` if they do.
    pub fn problem(self, model: &Model) -> Option<String> {
        let explains_class = matches!(self, Self::Logit | Self::Prob | Self::Conf | Self::Odam);
        (explains_class && !model.trains_classes()).then(|| {
            format!(
                "--target {} explains the class output, which YOLOv5 does not train where there is one class; --target obj \
                 explains what the box comes from",
                self.name()
            )
        })
    }

    /// The scalars whose maps make this target's map, as their maximum.
    ///
    /// Zhao and Chan, ICLR 2023, section 3.2, <https://arxiv.org/abs/2304.06354>.
    pub(super) fn parts(self) -> &'static [Self] {
        match self {
            Self::Auto => &[Self::Auto],
            Self::Logit => &[Self::Logit],
            Self::Prob => &[Self::Prob],
            Self::Obj => &[Self::Obj],
            Self::Conf => &[Self::Conf],
            Self::X1 => &[Self::X1],
            Self::Y1 => &[Self::Y1],
            Self::X2 => &[Self::X2],
            Self::Y2 => &[Self::Y2],
            Self::W => &[Self::W],
            Self::H => &[Self::H],
            Self::Odam => &[Self::Logit, Self::X1, Self::Y1, Self::X2, Self::Y2],
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
        self.of(model).of_traced(traced.as_ref(), contrast.is_some())
    }

    fn of_traced(self, traced: &dyn Traced, is_contrasted: bool) -> Result<Tensor> {
        let presence = || traced.presence_logit()?.ok_or_else(|| Error::Libtorch("no objectness".into()));
        let class = || traced.class_logit(0);
        Ok(match self {
            Self::Auto | Self::Logit | Self::Odam if is_contrasted => class()?.f_sub(&traced.class_logit(1)?)?,
            Self::Auto | Self::Logit | Self::Odam => class()?,
            Self::Prob => class()?.f_sigmoid()?,
            Self::Obj => presence()?,
            Self::Conf => presence()?.f_sigmoid()?.f_mul(&class()?.f_sigmoid()?)?,
            Self::X1 => traced.extent(Extent::Left)?,
            Self::Y1 => traced.extent(Extent::Top)?,
            Self::X2 => traced.extent(Extent::Right)?,
            Self::Y2 => traced.extent(Extent::Bottom)?,
            Self::W => traced.extent(Extent::Width)?,
            Self::H => traced.extent(Extent::Height)?,
        })
    }
}
