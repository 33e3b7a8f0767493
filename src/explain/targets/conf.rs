//! The confidence.

use super::{Target, TargetSpec, Value};

/// Objectness times class probability.
pub const CONF: Target = Target::new(&SPEC);

pub(super) const SPEC: TargetSpec = TargetSpec {
    name: "conf",
    summary: "The confidence: objectness, where there is one, times class probability",
    explains_class: true,
    needs: None,
    value: Value::Scalar(|subject| {
        let class = subject.prediction().class_probability(0)?;
        // A family that does not say how sure it is that there is something is sure.
        Ok(match subject.prediction().presence_logit()? {
            Some(presence) => presence.f_sigmoid()?.f_mul(&class)?,
            None => class,
        })
    }),
};
