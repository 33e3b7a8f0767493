//! The mask.

use super::{Aspect, Target, TargetSpec, Value};

/// The mean of the mask's logits inside the mask: that these pixels belong to the object. Of networks that segment.
pub const MASK: Target = Target::new(&SPEC);

pub(super) const SPEC: TargetSpec = TargetSpec {
    name: "mask",
    summary: "The mean mask logit inside the object's mask; segmentation models only",
    explains_class: false,
    needs: Some(Aspect::Mask),
    value: Value::Scalar(|subject| subject.mask_logit()),
};
