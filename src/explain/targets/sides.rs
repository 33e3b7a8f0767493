//! The size of the box.

use super::{Target, TargetSpec};
use crate::families::Extent;

/// The width in input pixels.
pub const W: Target = Target::new(&WIDTH);
/// The height in input pixels.
pub const H: Target = Target::new(&HEIGHT);

pub(super) const WIDTH: TargetSpec =
    TargetSpec::of_box("w", "The width, in pixels", |subject| subject.prediction().extent(Extent::Width));

pub(super) const HEIGHT: TargetSpec =
    TargetSpec::of_box("h", "The height, in pixels", |subject| subject.prediction().extent(Extent::Height));
