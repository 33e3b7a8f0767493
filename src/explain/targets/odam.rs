//! Class and edges at once.

use super::{Aspect, LOGIT, Target, TargetSpec, Value, X1, X2, Y1, Y2};

/// The maximum of the normalised maps of class logit and edges.
///
/// Zhao and Chan, ICLR 2023, section 3.2, <https://arxiv.org/abs/2304.06354>.
pub const ODAM: Target = Target::new(&SPEC);

pub(super) const SPEC: TargetSpec = TargetSpec {
    name: "odam",
    summary: "The class logit and all edges at once: the maximum of their maps",
    explains_class: true,
    needs: Some(Aspect::Box),
    value: Value::Maximum(&[LOGIT, X1, Y1, X2, Y2]),
};
