//! The class probability.

use super::{Target, TargetSpec, Value};

/// The class probability.
pub const PROB: Target = Target::new(&SPEC);

pub(super) const SPEC: TargetSpec = TargetSpec {
    name: "prob",
    summary: "The class probability",
    explains_class: true,
    value: Value::Scalar(|subject| Ok(subject.class_logit()?.f_sigmoid()?)),
};
