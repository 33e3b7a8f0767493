//! The scalar whose gradient is taken.

use tch::{TchError, Tensor};

use crate::{
    detect::Detection,
    error::Result,
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

/// Where a prediction is decoded.
struct Place {
    row: usize,
    column: usize,
    stride: u32,
    anchor: [f32; 2],
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
        let head = &model.heads()[detection.head];
        let base = detection.anchor * head.channels_per_anchor;
        let mut channels: Vec<usize> = (base..base + CLASS).collect();
        channels.push(detection.logit_channel(head));
        channels.extend(contrast.map(|class| base + CLASS + class));
        let raw = model.head_values(forward, detection.head, &channels, (detection.row, detection.column))?;
        let place = Place {
            row: detection.row,
            column: detection.column,
            stride: head.stride,
            anchor: head.anchors[detection.anchor],
        };
        Ok(self.of(model).of_raw(&raw, &place)?)
    }

    /// `raw`: x, y, w, h, objectness, class, and the class to contrast if there is one, before the sigmoid.
    ///
    /// Ultralytics YOLOv5, `Detect.forward`: xy = (2σ − 0.5 + cell)·stride, wh = (2σ)²·anchor.
    fn of_raw(self, raw: &Tensor, place: &Place) -> Result<Tensor, TchError> {
        let at = |channel: usize| raw.f_get(channel as i64);
        let logit = || match raw.size()[0] as usize > CONTRAST {
            true => at(CLASS)?.f_sub(&at(CONTRAST)?),
            false => at(CLASS),
        };
        let centre = |channel: usize, cell: usize| {
            let stride = f64::from(place.stride);
            at(channel)?.f_sigmoid()?.f_mul_scalar(2.0 * stride)?.f_add_scalar((cell as f64 - 0.5) * stride)
        };
        let side = |channel: usize| {
            let anchor = f64::from(place.anchor[channel - 2]);
            at(channel)?.f_sigmoid()?.f_square()?.f_mul_scalar(4.0 * anchor)
        };
        let edge = |axis: usize, sign: f64| {
            let cell = if axis == 0 { place.column } else { place.row };
            centre(axis, cell)?.f_add(&side(axis + 2)?.f_mul_scalar(sign * 0.5)?)
        };
        match self {
            Self::Auto | Self::Logit | Self::Odam => logit(),
            Self::Prob => at(CLASS)?.f_sigmoid(),
            Self::Obj => at(OBJECTNESS),
            Self::Conf => at(OBJECTNESS)?.f_sigmoid()?.f_mul(&at(CLASS)?.f_sigmoid()?),
            Self::X1 => edge(0, -1.0),
            Self::Y1 => edge(1, -1.0),
            Self::X2 => edge(0, 1.0),
            Self::Y2 => edge(1, 1.0),
            Self::W => side(2),
            Self::H => side(3),
        }
    }
}

const OBJECTNESS: usize = 4;
const CLASS: usize = 5;
const CONTRAST: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Kind;

    const RAW: [f64; 7] = [0.3, -0.7, 0.9, -0.2, 1.1, -0.4, 0.6];

    fn value(target: Target, raw: &[f64]) -> Tensor {
        let place = Place { row: 3, column: 5, stride: 16, anchor: [30.0, 61.0] };
        target.of_raw(&Tensor::from_slice(raw), &place).unwrap()
    }

    #[test]
    fn values_are_those_of_the_decoded_box() {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let close = |target, expected: f64| {
            let found = value(target, &RAW[..6]).double_value(&[]);
            assert!((found - expected).abs() < 1e-9, "{target:?}: {found}, expected {expected}");
        };
        let (cx, cy) = ((2.0 * sigmoid(0.3) + 4.5) * 16.0, (2.0 * sigmoid(-0.7) + 2.5) * 16.0);
        let (w, h) = ((2.0 * sigmoid(0.9)).powi(2) * 30.0, (2.0 * sigmoid(-0.2)).powi(2) * 61.0);
        close(Target::Logit, -0.4);
        close(Target::Prob, sigmoid(-0.4));
        close(Target::Obj, 1.1);
        close(Target::Conf, sigmoid(1.1) * sigmoid(-0.4));
        close(Target::X1, cx - w / 2.0);
        close(Target::Y1, cy - h / 2.0);
        close(Target::X2, cx + w / 2.0);
        close(Target::Y2, cy + h / 2.0);
        close(Target::W, w);
        close(Target::H, h);
        assert_eq!(value(Target::Logit, &RAW).double_value(&[]), -1.0, "contrast");
    }

    #[test]
    fn gradients_are_those_of_finite_differences() {
        const STEP: f64 = 1e-5;
        for target in Target::ALL {
            let raw = Tensor::from_slice(&RAW).set_requires_grad(true);
            let place = Place { row: 3, column: 5, stride: 16, anchor: [30.0, 61.0] };
            let scalar = target.of_raw(&raw, &place).unwrap();
            let gradient = Tensor::run_backward(&[scalar], &[&raw], false, false).remove(0).to_kind(Kind::Double);
            for channel in 0..RAW.len() {
                let moved = |step: f64| {
                    let mut raw = RAW;
                    raw[channel] += step;
                    value(target, &raw).double_value(&[])
                };
                let expected = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
                let found = gradient.double_value(&[channel as i64]);
                assert!((found - expected).abs() < 1e-6 * expected.abs().max(1.0), "{target:?} {channel}: {found}");
            }
        }
    }
}
