//! The class probability.

use super::{Target, TargetSpec, Value};

/// The class probability.
pub const PROB: Target = Target::new(&SPEC);

pub(super) const SPEC: TargetSpec = TargetSpec {
    name: "prob",
    summary: "The class probability",
    explains_class: true,
    needs: None,
    value: Value::Scalar(|subject| subject.prediction().class_probability(0)),
};
