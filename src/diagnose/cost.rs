//! What each kind of error costs: by how much AP would rise if it were mended (TIDE, arXiv 2008.08115).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    ErrorKind, Judgement, ScoredBox, Verdict,
    average_precision::{RECALLS, interpolated},
    errors::judge,
    overlap::by_confidence,
};
use crate::labels::Label;

/// Most boxes in a picture, as in `tidecv`.
const MOST: usize = 100;

/// Collects what was found in each picture. Keeps a few bytes of each box.
#[derive(Debug, Clone, Default)]
pub struct ErrorTally {
    boxes: Vec<TalliedBox>,
    /// Objects and missed ones, by class.
    objects: BTreeMap<usize, Objects>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Objects {
    all: usize,
    missed: usize,
    /// Not found, whether an error stands for them or not.
    unfound: usize,
}

#[derive(Debug, Clone, Copy)]
struct TalliedBox {
    class_id: u32,
    confidence: f32,
    error: Option<ErrorKind>,
    is_ignored: bool,
    /// Of which class it would be right once its error is mended; `None` if it would go instead.
    mended: Option<u32>,
}

/// What a kind of error costs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ErrorCost {
    /// What is wrong.
    pub kind: ErrorKind,
    /// How many there are.
    pub count: usize,
    /// By how much AP at IoU 0.5 would rise without them, 0 to 1.
    pub delta_ap: f64,
}

/// What [`ErrorTally`] comes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorCosts {
    /// AP at IoU 0.5 as TIDE has it, 0 to 1: classes of which something was found but no object is there count as 0, and so it can be
    /// lower than COCO's. `None` if there is neither an object nor a box.
    pub ap: Option<f64>,
    /// In the order of [`ErrorKind::ALL`].
    pub kinds: Vec<ErrorCost>,
    /// By how much AP would rise if all wrong boxes had no confidence.
    pub false_positives: f64,
    /// By how much AP would rise if objects that were not found were none.
    pub false_negatives: f64,
}

impl ErrorCosts {
    /// Of one kind.
    ///
    /// # Panics
    /// If the kinds are not all there, which [`ErrorTally::costs`] sees to.
    pub fn of(&self, kind: ErrorKind) -> &ErrorCost {
        self.kinds.iter().find(|cost| cost.kind == kind).expect("all kinds are there")
    }
}

/// What is changed before AP is computed.
#[derive(Clone, Copy, PartialEq)]
enum Mending {
    Nothing,
    Kind(ErrorKind),
    FalsePositives,
    FalseNegatives,
}

impl ErrorTally {
    /// Takes in a picture: its labels, and all that was found in it, with however little confidence.
    pub fn add(&mut self, labels: &[Label], found: &[ScoredBox]) {
        let found: Vec<ScoredBox> = by_confidence(found).into_iter().map(|(_, found)| *found).take(MOST).collect();
        let Judgement { found: verdicts, missed, .. } = judge(labels, &found);
        for label in labels.iter().filter(|label| !label.is_crowd) {
            self.objects.entry(label.class_id).or_default().all += 1;
        }
        let is_found = |at: usize| verdicts.iter().any(|verdict| verdict.error.is_none() && verdict.label == Some(at));
        for (at, label) in labels.iter().enumerate().filter(|(_, label)| !label.is_crowd) {
            let objects = self.objects.entry(label.class_id).or_default();
            objects.unfound += usize::from(!is_found(at));
            objects.missed += usize::from(missed.contains(&at));
        }
        for (index, (found, verdict)) in found.iter().zip(&verdicts).enumerate() {
            self.boxes.push(TalliedBox {
                class_id: found.class_id as u32,
                confidence: found.confidence,
                error: verdict.error,
                is_ignored: verdict.is_ignored,
                mended: mended(index, verdict, &verdicts, &is_found).map(|at| labels[at].class_id as u32),
            });
        }
    }

    /// What the errors of all that was taken in cost.
    pub fn costs(&self) -> ErrorCosts {
        let ap = self.average_precision(Mending::Nothing);
        let gain = |mending| match (self.average_precision(mending), ap) {
            (Some(after), Some(before)) => after - before,
            _ => 0.0,
        };
        let cost = |kind| {
            let count = match kind {
                ErrorKind::Missed => self.objects.values().map(|objects| objects.missed).sum(),
                _ => self.boxes.iter().filter(|found| found.error == Some(kind)).count(),
            };
            // A loss comes from reading the curve at fixed recalls.
            ErrorCost { kind, count, delta_ap: gain(Mending::Kind(kind)).max(0.0) }
        };
        ErrorCosts {
            ap,
            kinds: ErrorKind::ALL.map(cost).to_vec(),
            false_positives: gain(Mending::FalsePositives),
            false_negatives: gain(Mending::FalseNegatives),
        }
    }

    /// The mean over classes; `None` if there are none.
    fn average_precision(&self, mending: Mending) -> Option<f64> {
        let mut classes: BTreeMap<usize, Vec<(f32, bool)>> = BTreeMap::new();
        for found in &self.boxes {
            if let Some((class, confidence, is_right)) = found.after(mending) {
                classes.entry(class).or_default().push((confidence, is_right));
            }
        }
        let count = |class: &usize| {
            let objects = self.objects.get(class).copied().unwrap_or_default();
            match mending {
                Mending::Kind(ErrorKind::Missed) => objects.all - objects.missed,
                Mending::FalseNegatives => objects.all - objects.unfound,
                _ => objects.all,
            }
        };
        self.objects.keys().for_each(|class| _ = classes.entry(*class).or_default());
        let of_class = |(class, mut found): (usize, Vec<(f32, bool)>)| {
            let objects = count(&class);
            if objects == 0 {
                return (!found.is_empty()).then_some(0.0);
            }
            found.sort_by(|a, b| b.0.total_cmp(&a.0));
            let hits: Vec<bool> = found.into_iter().map(|(_, is_right)| is_right).collect();
            Some(interpolated(&hits, objects, |index| index as f64 / (RECALLS - 1) as f64))
        };
        let values: Vec<f64> = classes.into_iter().filter_map(of_class).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    }
}

impl TalliedBox {
    /// Its class, its confidence and whether it is right, after something was mended; `None` if it does not count.
    fn after(&self, mending: Mending) -> Option<(usize, f32, bool)> {
        let class = self.class_id as usize;
        match (self.error, mending) {
            (None, _) => Some((class, self.confidence, true)),
            (Some(kind), Mending::Kind(mended)) if kind == mended => {
                self.mended.map(|class| (class as usize, self.confidence, true))
            }
            _ if self.is_ignored => None,
            (Some(_), Mending::FalsePositives) => Some((class, 0.0, false)),
            (Some(_), _) => Some((class, self.confidence, false)),
        }
    }
}

/// The label that a wrong box would have found if it were right, one box for each label: the most confident that stands for it.
fn mended(index: usize, verdict: &Verdict, all: &[Verdict], is_found: &dyn Fn(usize) -> bool) -> Option<usize> {
    let is_mendable = |verdict: &Verdict| matches!(verdict.error, Some(ErrorKind::Class | ErrorKind::Localization));
    let at = verdict.label.filter(|&at| is_mendable(verdict) && !is_found(at))?;
    // The boxes are in order of confidence.
    let first = all.iter().position(|other| is_mendable(other) && other.label == Some(at));
    (first == Some(index)).then_some(at)
}
