//! Why a detector is wrong: what it found is compared with [labels](crate::labels), each error is named, and what its map looks at is
//! put into numbers.
//!
//! ```
//! use yolo_cam::{diagnose::*, geometry::BBox, labels::Label};
//!
//! let at = |x: f32| BBox { x1: x, y1: 0.0, x2: x + 10.0, y2: 10.0 };
//! let labels = [Label::new(0, at(0.0)), Label::new(1, at(50.0))];
//! let found = [
//!     ScoredBox { class_id: 0, confidence: 0.9, b: at(1.0) },
//!     ScoredBox { class_id: 0, confidence: 0.8, b: at(4.0) },
//!     ScoredBox { class_id: 0, confidence: 0.7, b: at(50.0) },
//! ];
//! let Judgement { found: verdicts, missed, .. } = judge(&labels, &found);
//! assert_eq!(verdicts.iter().map(|verdict| verdict.error).collect::<Vec<_>>(),
//!     [None, Some(ErrorKind::Localization), Some(ErrorKind::Class)]);
//! assert!(missed.is_empty(), "the second object has the wrong class");
//!
//! // What each kind of error costs.
//! let mut tally = ErrorTally::default();
//! tally.add(&labels, &found);
//! let costs = tally.costs();
//! assert!(costs.of(ErrorKind::Class).delta_ap > 0.0);
//! assert_eq!(costs.of(ErrorKind::Missed).count, 0);
//! ```

mod average_precision;
mod cost;
mod drift;
mod errors;
mod evidence;
mod overlap;
mod portrait;
mod suspicion;

pub use self::{
    average_precision::{AveragePrecision, ClassPrecision, PrecisionTally},
    cost::{ErrorCost, ErrorCosts, ErrorTally},
    drift::{Drift, MapOfPicture, drift, pairs},
    errors::{ErrorKind, Judgement, Verdict, judge},
    evidence::{Evidence, Focus, Side, evidence},
    portrait::{Portrait, PortraitSample},
    suspicion::{Observation, SameFocus, Suspicion, suspicions},
};
use crate::geometry::BBox;

/// A box that a detector found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoredBox {
    /// Index of its class.
    pub class_id: usize,
    /// 0 to 1.
    pub confidence: f32,
    /// In pixels of the picture.
    pub b: BBox,
}
