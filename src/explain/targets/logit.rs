//! The class logit.

use super::{Target, TargetSpec, Value};

/// The class logit, before the sigmoid.
pub const LOGIT: Target = Target::new(&SPEC);

pub(super) const SPEC: TargetSpec = TargetSpec {
    name: "logit",
    summary: "The class logit, before the sigmoid",
    explains_class: true,
    value: Value::Scalar(|subject| subject.class_logit()),
};
