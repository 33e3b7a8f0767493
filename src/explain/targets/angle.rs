//! The angle of the box.

use super::{Aspect, Target, TargetSpec, Value};

/// The angle of a rotated box, in radians. Of networks that detect rotated boxes.
pub const ANGLE: Target = Target::new(&SPEC);

pub(super) const SPEC: TargetSpec = TargetSpec {
    name: "angle",
    summary: "The angle of a rotated box, in radians; rotated-box models only",
    explains_class: false,
    needs: Some(Aspect::Angle),
    value: Value::Scalar(|subject| subject.angle()),
};
