//! Objectness.

use super::{Target, TargetSpec, Value};

/// The objectness logit, before the sigmoid: that there is something.
pub const OBJ: Target = Target::new(&SPEC);

pub(super) const SPEC: TargetSpec = TargetSpec {
    name: "obj",
    summary: "The objectness logit, before the sigmoid",
    explains_class: false,
    value: Value::Scalar(|subject| subject.presence_logit()),
};
