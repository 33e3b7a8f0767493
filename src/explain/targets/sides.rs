//! The size of the box.

use super::{Target, TargetSpec, Value};
use crate::families::Extent;

/// The width in input pixels.
pub const W: Target = Target::new(&WIDTH);
/// The height in input pixels.
pub const H: Target = Target::new(&HEIGHT);

pub(super) const WIDTH: TargetSpec = TargetSpec {
    name: "w",
    summary: "The width, in pixels",
    explains_class: false,
    value: Value::Scalar(|subject| subject.prediction().extent(Extent::Width)),
};

pub(super) const HEIGHT: TargetSpec = TargetSpec {
    name: "h",
    summary: "The height, in pixels",
    explains_class: false,
    value: Value::Scalar(|subject| subject.prediction().extent(Extent::Height)),
};
