//! What becomes of predictions on the way to detections.

use std::collections::HashMap;

use super::Detection;
use crate::families::Place;

/// What became of a prediction that is taken as one of some class: a detection, or the first step that it did not pass. The steps
/// are those of the family's own package, in its order.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Fate {
    /// It is a detection.
    Detected {
        /// Its place in the order of confidence, from 0.
        index: usize,
    },
    /// Another class of the same prediction is more probable, and the family takes one class of each.
    BetterClass,
    /// Its confidence is not above the threshold.
    Threshold {
        /// The threshold, 0 to 1.
        least: f32,
    },
    /// Its class is none of those that are wanted.
    Unwanted,
    /// There are so many more confident predictions that the family does not look at it.
    Crowded {
        /// How many the family looks at.
        most: usize,
    },
    /// Non-maximum suppression: a more confident box overlaps it.
    Suppressed {
        /// That box, which is kept; of rotated boxes it may be suppressed too.
        by: Box<Detection>,
        /// Their IoU.
        iou: f32,
        /// The IoU that is allowed.
        limit: f32,
    },
    /// There are as many more confident detections as a picture may have, or as were asked for.
    Surplus {
        /// How many.
        most: usize,
    },
    /// Its mask has no pixel, and the family drops such boxes.
    EmptyMask,
}

impl Fate {
    /// As reports name it: a stable word.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Detected { .. } => "detected",
            Self::BetterClass => "class",
            Self::Threshold { .. } => "threshold",
            Self::Unwanted => "unwanted",
            Self::Crowded { .. } => "crowded",
            Self::Suppressed { .. } => "nms",
            Self::Surplus { .. } => "max_det",
            Self::EmptyMask => "mask",
        }
    }
}

/// The fates of those candidates for detections that did not become any, where somebody wants to know.
pub(super) struct Fates(Option<HashMap<(Place, usize), Fate>>);

impl Fates {
    /// Nobody wants to know.
    pub fn untold() -> Self {
        Self(None)
    }

    /// All are kept.
    pub fn told() -> Self {
        Self(Some(HashMap::new()))
    }

    /// Whether somebody wants to know.
    pub fn are_told(&self) -> bool {
        self.0.is_some()
    }

    /// Says why a candidate is dropped.
    pub fn tell(&mut self, dropped: &Detection, fate: impl FnOnce() -> Fate) {
        if let Some(fates) = &mut self.0 {
            fates.insert((dropped.place, dropped.class_id), fate());
        }
    }

    /// Keeps candidates that are `wanted`, and says of the others why they are dropped.
    pub fn retain(&mut self, all: &mut Vec<Detection>, fate: &Fate, mut wanted: impl FnMut(&Detection) -> bool) {
        all.retain(|candidate| {
            let is_wanted = wanted(candidate);
            if !is_wanted {
                self.tell(candidate, || fate.clone());
            }
            is_wanted
        });
    }

    /// Keeps the first `most` candidates, and says of the others why they are dropped.
    pub fn truncate(&mut self, all: &mut Vec<Detection>, most: usize, fate: &Fate) {
        for dropped in all.drain(most.min(all.len())..) {
            self.tell(&dropped, || fate.clone());
        }
    }

    /// Why a candidate was dropped, if it was.
    pub fn of(&self, candidate: &Detection) -> Option<&Fate> {
        self.0.as_ref()?.get(&(candidate.place, candidate.class_id))
    }
}
