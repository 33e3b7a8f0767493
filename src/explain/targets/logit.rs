//! The class logit.

use super::{Target, TargetSpec, Value};

/// The class logit, before the sigmoid or softmax.
pub const LOGIT: Target = Target::new(&SPEC);

pub(super) const SPEC: TargetSpec = TargetSpec {
    name: "logit",
    summary: "The class logit, before the sigmoid or softmax",
    explains_class: true,
    needs: None,
    value: Value::Scalar(|subject| subject.class_logit()),
};
