//! Objectness.

use super::{Aspect, Target, TargetSpec, Value};

/// The objectness logit, before the sigmoid: that there is something.
pub const OBJ: Target = Target::new(&SPEC);

pub(super) const SPEC: TargetSpec = TargetSpec {
    name: "obj",
    summary: "The objectness logit, before the sigmoid",
    explains_class: false,
    needs: Some(Aspect::Presence),
    value: Value::Scalar(|subject| subject.presence_logit()),
};
