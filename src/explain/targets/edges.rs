//! The edges of the box.

use super::{Target, TargetSpec, Value};
use crate::families::Extent;

/// The left edge in input pixels.
pub const X1: Target = Target::new(&LEFT);
/// The upper edge in input pixels.
pub const Y1: Target = Target::new(&TOP);
/// The right edge in input pixels.
pub const X2: Target = Target::new(&RIGHT);
/// The lower edge in input pixels.
pub const Y2: Target = Target::new(&BOTTOM);

pub(super) const LEFT: TargetSpec = TargetSpec {
    name: "x1",
    summary: "The left edge, in pixels",
    explains_class: false,
    value: Value::Scalar(|subject| subject.prediction().extent(Extent::Left)),
};

pub(super) const TOP: TargetSpec = TargetSpec {
    name: "y1",
    summary: "The upper edge, in pixels",
    explains_class: false,
    value: Value::Scalar(|subject| subject.prediction().extent(Extent::Top)),
};

pub(super) const RIGHT: TargetSpec = TargetSpec {
    name: "x2",
    summary: "The right edge, in pixels",
    explains_class: false,
    value: Value::Scalar(|subject| subject.prediction().extent(Extent::Right)),
};

pub(super) const BOTTOM: TargetSpec = TargetSpec {
    name: "y2",
    summary: "The lower edge, in pixels",
    explains_class: false,
    value: Value::Scalar(|subject| subject.prediction().extent(Extent::Bottom)),
};
