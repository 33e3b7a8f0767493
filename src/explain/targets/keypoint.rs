//! A keypoint: where it is, or whether it is visible. Which keypoints there are depends on the model, so these targets are made when
//! somebody asks for them: `keypoint:nose`, `keypoint:3`, and `keypoint:nose:v` for the visibility.

use std::sync::{Mutex, PoisonError};

use super::{Aspect, Target, TargetSpec, Value};
use crate::{
    error::{Error, Result},
    families::Coordinate,
    model::Model,
};

/// What the names of these targets begin with.
pub const PREFIX: &str = "keypoint:";

/// More letters than the name of any keypoint has.
const MOST_LETTERS: usize = 64;

/// More keypoints than any model has: those that were made are kept.
const MOST_MADE: usize = 1024;

/// Those that were made.
static MADE: Mutex<Vec<&'static TargetSpec>> = Mutex::new(Vec::new());

/// The keypoint of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeypointValue {
    /// Its name or its number.
    which: &'static str,
    /// What of it.
    coordinate: Coordinate,
}

impl KeypointValue {
    /// The number of the keypoint in a model, and what of it.
    ///
    /// # Errors
    /// [`Error::KeypointNotFound`]; [`Error::TargetMissing`] if the model does not tell the visibility.
    pub(super) fn of(self, model: &Model) -> Result<(usize, Coordinate)> {
        let (count, names) = (model.head().keypoints(), model.keypoint_names());
        let by_name = || names.iter().position(|name| name.eq_ignore_ascii_case(self.which));
        let index = self.which.parse().ok().filter(|&index| index < count).or_else(by_name);
        let index = index.ok_or_else(|| Error::KeypointNotFound {
            keypoint: self.which.to_owned(),
            known: if names.is_empty() { format!("0 to {}", count.saturating_sub(1)) } else { names.join(", ") },
        })?;
        if self.coordinate == Coordinate::Visibility && !model.head().tells_visibility() {
            return Err(Error::TargetMissing {
                target: format!("{PREFIX}{}:v", self.which),
                family: model.head().family().to_owned(),
                lacks: "visibility of keypoints",
            });
        }
        Ok((index, self.coordinate))
    }
}

/// The target of this name, if it is one of a keypoint. `None` also where far too many different ones were asked for.
pub(super) fn named(name: &str) -> Option<&'static TargetSpec> {
    let rest = name.strip_prefix(PREFIX)?;
    let (which, coordinate) = match rest.rsplit_once(':') {
        Some((which, "x")) => (which, Some(Coordinate::X)),
        Some((which, "y")) => (which, Some(Coordinate::Y)),
        Some((which, "v")) => (which, Some(Coordinate::Visibility)),
        Some(_) => return None,
        None => (rest, None),
    };
    let is_sound = |letter: char| !letter.is_control();
    if !(1..=MOST_LETTERS).contains(&which.chars().count()) || !which.chars().all(is_sound) {
        return None;
    }
    match coordinate {
        Some(coordinate) => made(which, coordinate),
        None => {
            let parts = [made(which, Coordinate::X)?, made(which, Coordinate::Y)?].map(Target::new);
            kept(name, || Value::Maximum(Box::leak(Box::new(parts))), "The position of a keypoint")
        }
    }
}

fn made(which: &str, coordinate: Coordinate) -> Option<&'static TargetSpec> {
    let (letter, summary) = match coordinate {
        Coordinate::X => ("x", "The distance of a keypoint from the left, in pixels"),
        Coordinate::Y => ("y", "The distance of a keypoint from the top, in pixels"),
        Coordinate::Visibility => ("v", "The logit of a keypoint's visibility"),
    };
    let value = || Value::Keypoint(KeypointValue { which: which.to_owned().leak(), coordinate });
    kept(&format!("{PREFIX}{which}:{letter}"), value, summary)
}

/// The target of this name that was made before, or one that is made now.
fn kept(name: &str, value: impl FnOnce() -> Value, summary: &'static str) -> Option<&'static TargetSpec> {
    let mut all = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = all.iter().find(|spec| spec.name == name) {
        return Some(known);
    }
    if all.len() >= MOST_MADE {
        return None;
    }
    let spec = Box::leak(Box::new(TargetSpec {
        name: name.to_owned().leak(),
        summary,
        explains_class: false,
        needs: Some(Aspect::Keypoints),
        value: value(),
    }));
    all.push(spec);
    Some(spec)
}

/// The targets of a model's keypoints: where each is.
pub(super) fn all_of(model: &Model) -> Vec<Target> {
    let names = model.keypoint_names();
    let name = |index: usize| names.get(index).cloned().unwrap_or_else(|| index.to_string());
    (0..model.head().keypoints()).filter_map(|index| Target::named(&format!("{PREFIX}{}", name(index)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keypoint_is_named_or_numbered() {
        let nose = Target::named("keypoint:nose").unwrap();
        assert_eq!((nose.name, nose.parts().len()), ("keypoint:nose", 2));
        assert_eq!(nose, Target::named("keypoint:nose").unwrap());
        let parts: Vec<&str> = nose.parts().iter().map(|part| part.name).collect();
        assert_eq!(parts, ["keypoint:nose:x", "keypoint:nose:y"]);
        let visible = Target::named("keypoint:3:v").unwrap();
        assert_eq!(visible.parts(), [visible]);
        for wrong in [
            "keypoint",
            "keypoint:",
            "keypoint:nose:z",
            "keypoint::v",
            "keypoint:a\nb",
            &format!("keypoint:{}", "a".repeat(99)),
        ] {
            assert!(Target::named(wrong).is_none(), "{wrong:?}");
        }
    }
}
