//! What the model was trained for.

use super::{LOGIT, OBJ, Target, TargetSpec, Value};

/// The class logit; objectness where the class output was not trained.
pub const AUTO: Target = Target::new(&SPEC);

pub(super) const SPEC: TargetSpec = TargetSpec {
    name: "auto",
    summary: "The class logit; objectness where the model has a single class",
    explains_class: false,
    needs: None,
    value: Value::Choice(|model| if model.trains_classes() { LOGIT } else { OBJ }),
};
