//! The edges of the box.

use super::{Target, TargetSpec};
use crate::families::Extent;

/// The left edge in input pixels.
pub const X1: Target = Target::new(&LEFT);
/// The upper edge in input pixels.
pub const Y1: Target = Target::new(&TOP);
/// The right edge in input pixels.
pub const X2: Target = Target::new(&RIGHT);
/// The lower edge in input pixels.
pub const Y2: Target = Target::new(&BOTTOM);

pub(super) const LEFT: TargetSpec =
    TargetSpec::of_box("x1", "The left edge, in pixels", |subject| subject.prediction().extent(Extent::Left));

pub(super) const TOP: TargetSpec =
    TargetSpec::of_box("y1", "The upper edge, in pixels", |subject| subject.prediction().extent(Extent::Top));

pub(super) const RIGHT: TargetSpec =
    TargetSpec::of_box("x2", "The right edge, in pixels", |subject| subject.prediction().extent(Extent::Right));

pub(super) const BOTTOM: TargetSpec =
    TargetSpec::of_box("y2", "The lower edge, in pixels", |subject| subject.prediction().extent(Extent::Bottom));
