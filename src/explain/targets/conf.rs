//! The confidence.

use super::{Target, TargetSpec, Value};

/// Objectness times class probability.
pub const CONF: Target = Target::new(&SPEC);

pub(super) const SPEC: TargetSpec = TargetSpec {
    name: "conf",
    summary: "The confidence: objectness times class probability",
    explains_class: true,
    value: Value::Scalar(|subject| {
        Ok(subject.presence_logit()?.f_sigmoid()?.f_mul(&subject.class_logit()?.f_sigmoid()?)?)
    }),
};
