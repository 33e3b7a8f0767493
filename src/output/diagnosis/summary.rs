//! What the cases of a run come to.

use std::collections::BTreeMap;

use serde::Serialize;
use yolo_cam::{
    diagnose::{
        AveragePrecision, ErrorCosts, ErrorKind, ErrorTally, Observation, Portrait, PrecisionTally, ScoredBox,
        Suspicion, suspicions,
    },
    eval::{Mean, bootstrap},
};

use super::record::{Case, PictureRecord, kind_name};

/// Takes in one picture after the other. Keeps a few numbers of each box and case.
#[derive(Default)]
pub struct Summing {
    pictures: usize,
    unlabelled: usize,
    precision: PrecisionTally,
    errors: ErrorTally,
    cases: BTreeMap<(Option<usize>, Option<ErrorKind>), Shares>,
    observations: Vec<Observation>,
    confusion: BTreeMap<(Option<usize>, Option<usize>), usize>,
}

/// Of each case with a map the shares of its heat.
#[derive(Default)]
struct Shares {
    count: usize,
    object: Vec<f64>,
    others: Vec<f64>,
    around: Vec<f64>,
    far: Vec<f64>,
    portrait: Portrait,
}

/// What a run comes to.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// How many were looked at.
    pub pictures: usize,
    /// How many of them nobody labelled: they count as empty.
    pub unlabelled: usize,
    /// How many objects there are.
    pub objects: usize,
    /// Of all boxes from the least confidence on.
    pub precision: AveragePrecision,
    /// Of the same.
    pub errors: ErrorCosts,
    /// Of the cases, which are those above the threshold: of all classes, then of each.
    pub groups: Vec<Group>,
    /// What should be looked at first.
    pub suspicions: Vec<Suspicion>,
    /// How often an object of a class was found as one of a class.
    pub confusion: Vec<Confusion>,
}

/// Cases of a class and a kind.
#[derive(Debug, Serialize)]
pub struct Group {
    /// `None` of all classes.
    pub class_id: Option<usize>,
    /// `correct`, or the kind of error.
    pub kind: &'static str,
    /// How many there are.
    pub count: usize,
    /// The mean share of heat on the object; `None` if no case has a map.
    pub object: Option<Mean>,
    /// On other labelled objects.
    pub others: Option<Mean>,
    /// Around the object.
    pub around: Option<Mean>,
    /// Farther away.
    pub far: Option<Mean>,
    /// The mean map in the coordinates of the object's box, 0 to 1: rows and columns of a square around it, twice as wide and as high.
    pub portrait: Option<Vec<Vec<f32>>>,
    /// Where that is largest, in sides of the box.
    pub portrait_peak: Option<[f32; 2]>,
}

/// A cell of the confusion matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Confusion {
    /// Class of the object; `None` if there is none.
    pub label: Option<usize>,
    /// Class as which it was found; `None` if it was not.
    pub found: Option<usize>,
    /// How many cases.
    pub count: usize,
}

impl Summing {
    pub fn add(&mut self, record: &PictureRecord) {
        self.pictures += 1;
        self.unlabelled += usize::from(!record.is_labelled);
        let found: Vec<ScoredBox> = record.found.iter().map(ScoredBox::from).collect();
        self.precision.add(&record.labels, &found);
        self.errors.add(&record.labels, &found);
        for case in &record.cases {
            *self.confusion.entry(cell(case, record)).or_default() += 1;
            self.observations.extend(case.observation());
            for class_id in [None, Some(case.class_id)] {
                let shares = self.cases.entry((class_id, case.error)).or_default();
                shares.count += 1;
                if let Some(evidence) = &case.evidence {
                    shares.object.push(evidence.object);
                    shares.others.push(evidence.on_others());
                    shares.around.push(evidence.around);
                    shares.far.push(evidence.far);
                }
                case.portrait.iter().for_each(|sample| shares.portrait.add(sample));
            }
        }
    }

    /// `seed`: of bootstrap samples.
    pub fn summary(&self, seed: u64) -> Summary {
        let group = |(&(class_id, error), shares): (&(Option<usize>, Option<ErrorKind>), &Shares)| Group {
            class_id,
            kind: kind_name(error),
            count: shares.count,
            object: bootstrap(&shares.object, seed),
            others: bootstrap(&shares.others, seed),
            around: bootstrap(&shares.around, seed),
            far: bootstrap(&shares.far, seed),
            portrait: shares.portrait.mean().map(|mean| mean.rows().into_iter().map(|row| row.to_vec()).collect()),
            portrait_peak: shares.portrait.peak(),
        };
        let precision = self.precision.average_precision();
        Summary {
            pictures: self.pictures,
            unlabelled: self.unlabelled,
            objects: precision.classes.iter().flatten().map(|class| class.objects).sum(),
            precision,
            errors: self.errors.costs(),
            groups: self.cases.iter().map(group).collect(),
            suspicions: suspicions(&self.observations),
            confusion: self
                .confusion
                .iter()
                .map(|(&(label, found), &count)| Confusion { label, found, count })
                .collect(),
        }
    }
}

/// The cell of the confusion matrix that a case belongs to. A box that is not on an object is one where nothing is; an object that only
/// such a box stands for is not missed.
pub fn cell(case: &Case, record: &PictureRecord) -> (Option<usize>, Option<usize>) {
    let label = || case.label.and_then(|at| record.labels.get(at)).map(|label| label.class_id);
    match case.error {
        None | Some(ErrorKind::Class) => (label(), Some(case.class_id)),
        Some(ErrorKind::Missed) => (label(), None),
        Some(ErrorKind::Localization | ErrorKind::Both | ErrorKind::Duplicate | ErrorKind::Background) => {
            (None, Some(case.class_id))
        }
    }
}
