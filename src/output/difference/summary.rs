//! What the differences between two detectors come to.

use std::collections::BTreeMap;

use serde::Serialize;
use yolo_cam::{
    diagnose::Drift,
    eval::{Mean, bootstrap},
};

use super::record::{Change, Outcome, PictureDifference, Thing};

/// Fewer boxes say nothing of their class.
const LEAST_BOXES: usize = 5;

/// Takes in one picture after the other.
#[derive(Default)]
pub struct Summing {
    pictures: usize,
    unlabelled: usize,
    /// Of all classes (`None`), and of each.
    classes: BTreeMap<Option<usize>, Sums>,
}

#[derive(Default)]
struct Sums {
    changes: BTreeMap<Change, usize>,
    outcomes: BTreeMap<Outcome, usize>,
    drifts: Vec<Drift>,
    noises: Vec<Drift>,
    /// Of those that have both: by how much more the heat moved than noise does.
    beyond: Vec<f64>,
    /// Of kept boxes whose maps both say something: the shares of heat on the object.
    object: [Vec<f64>; 2],
}

/// What a run comes to.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// How many were looked at.
    pub pictures: usize,
    /// How many of them nobody labelled, where labels are wanted: they count as empty.
    pub unlabelled: usize,
    /// Of all classes, then of each.
    pub groups: Vec<Group>,
}

/// The same of a class.
#[derive(Debug, Serialize)]
pub struct Group {
    /// `None` of all classes.
    pub class_id: Option<usize>,
    /// Boxes that both found.
    pub kept: usize,
    /// Boxes that only the new one found.
    pub gained: usize,
    /// Boxes that only the old one found.
    pub lost: usize,
    /// Errors of the old one that the new one does not make; 0 without labels.
    pub fixed: usize,
    /// Errors of the new one that the old one did not make.
    pub broken: usize,
    /// Of kept boxes: rank correlation of the maps.
    pub correlation: Option<Mean>,
    /// The same of nothing but noise.
    pub noise_correlation: Option<Mean>,
    /// Of kept boxes: the share of heat that lies elsewhere.
    pub moved: Option<Mean>,
    /// The same of nothing but noise.
    pub noise_moved: Option<Mean>,
    /// Of kept boxes that have both: by how much more heat moved than noise does.
    pub beyond_noise: Option<Mean>,
    /// Of kept boxes: the share of the old heat on the object.
    pub object_old: Option<Mean>,
    /// The share of the new heat on the object.
    pub object_new: Option<Mean>,
}

impl Group {
    /// Whether the evidence of kept boxes moved more than noise does: box by box, and of enough of them.
    pub fn has_drifted(&self) -> bool {
        self.beyond_noise.is_some_and(|beyond| beyond.count >= LEAST_BOXES && beyond.low > 0.0)
    }
}

impl Summing {
    pub fn add(&mut self, record: &PictureDifference) {
        self.pictures += 1;
        self.unlabelled += usize::from(record.is_labelled == Some(false));
        for thing in &record.things {
            self.classes.entry(None).or_default().add(thing);
            let class = if thing.old.is_found { thing.old.class_id } else { thing.new.class_id };
            self.classes.entry(class).or_default().add(thing);
        }
    }

    /// `seed`: of bootstrap samples.
    pub fn summary(&self, seed: u64) -> Summary {
        let group = |(&class_id, sums): (&Option<usize>, &Sums)| sums.group(class_id, seed);
        Summary {
            pictures: self.pictures,
            unlabelled: self.unlabelled,
            groups: self.classes.iter().map(group).collect(),
        }
    }
}

impl Sums {
    fn add(&mut self, thing: &Thing) {
        *self.changes.entry(thing.change).or_default() += 1;
        if let Some(outcome) = thing.outcome {
            *self.outcomes.entry(outcome).or_default() += 1;
        }
        if thing.change != Change::Kept {
            return;
        }
        self.drifts.extend(thing.drift);
        self.noises.extend(thing.noise);
        self.beyond.extend(thing.drift.zip(thing.noise).map(|(drift, noise)| drift.moved - noise.moved));
        if let (Some(old), Some(new)) = (&thing.old.evidence, &thing.new.evidence) {
            self.object[0].push(old.object);
            self.object[1].push(new.object);
        }
    }

    fn group(&self, class_id: Option<usize>, seed: u64) -> Group {
        let changed = |change| self.changes.get(&change).copied().unwrap_or(0);
        let came = |outcome| self.outcomes.get(&outcome).copied().unwrap_or(0);
        let correlation = |drifts: &[Drift]| {
            let values: Vec<f64> = drifts.iter().filter_map(|drift| drift.correlation).collect();
            bootstrap(&values, seed)
        };
        let moved = |drifts: &[Drift]| bootstrap(&drifts.iter().map(|drift| drift.moved).collect::<Vec<_>>(), seed);
        Group {
            class_id,
            kept: changed(Change::Kept),
            gained: changed(Change::Gained),
            lost: changed(Change::Lost),
            fixed: came(Outcome::Fixed),
            broken: came(Outcome::Broken),
            correlation: correlation(&self.drifts),
            noise_correlation: correlation(&self.noises),
            moved: moved(&self.drifts),
            noise_moved: moved(&self.noises),
            beyond_noise: bootstrap(&self.beyond, seed),
            object_old: bootstrap(&self.object[0], seed),
            object_new: bootstrap(&self.object[1], seed),
        }
    }
}
