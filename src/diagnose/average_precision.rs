//! Average precision as COCO defines it.
//!
//! For each class and each of ten IoU thresholds from 0.50 to 0.95 the mean of the precision at 101 recalls, of objects of any size,
//! with at most 100 boxes of a class in a picture: what pycocotools calls `AP`.

use serde::{Deserialize, Serialize};

use super::{
    ScoredBox,
    overlap::{by_confidence, iou},
};
use crate::labels::Label;

/// How many IoU thresholds there are.
const THRESHOLDS: usize = 10;

/// Most boxes of a class in a picture.
const MOST: usize = 100;

/// Recalls at which the precision is read.
pub(super) const RECALLS: usize = 101;

/// The IoU threshold of this number. As NumPy's `linspace` computes it: the rounding decides where an overlap lies on the edge.
fn threshold(index: usize) -> f64 {
    if index + 1 == THRESHOLDS { 0.95 } else { 0.5 + index as f64 * ((0.95 - 0.5) / (THRESHOLDS - 1) as f64) }
}

/// Collects what was found in each picture. Keeps six bytes and a confidence of each box.
#[derive(Debug, Clone, Default)]
pub struct PrecisionTally {
    classes: Vec<ClassTally>,
}

#[derive(Debug, Clone, Default)]
struct ClassTally {
    objects: usize,
    found: Vec<Hit>,
}

/// A box that was found, with a bit for each threshold.
#[derive(Debug, Clone, Copy)]
struct Hit {
    confidence: f32,
    /// Whether it found an object.
    hits: u16,
    /// Whether it does not count.
    ignored: u16,
}

/// What [`PrecisionTally`] comes to. All figures lie between 0 and 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AveragePrecision {
    /// The mean over classes and thresholds; `None` if there is no object.
    pub ap: Option<f64>,
    /// At IoU 0.5.
    pub ap50: Option<f64>,
    /// At IoU 0.75.
    pub ap75: Option<f64>,
    /// By class; `None` of classes without objects.
    pub classes: Vec<Option<ClassPrecision>>,
}

/// The same of one class.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClassPrecision {
    /// How many objects there are.
    pub objects: usize,
    /// The mean over thresholds.
    pub ap: f64,
    /// At IoU 0.5.
    pub ap50: f64,
    /// At IoU 0.75.
    pub ap75: f64,
}

impl PrecisionTally {
    /// Takes in a picture: its labels, and all that was found in it, with however little confidence.
    pub fn add(&mut self, labels: &[Label], found: &[ScoredBox]) {
        let classes = labels.iter().map(|label| label.class_id).chain(found.iter().map(|found| found.class_id));
        let mut classes: Vec<usize> = classes.collect();
        classes.sort_unstable();
        classes.dedup();
        for class in classes {
            if self.classes.len() <= class {
                self.classes.resize_with(class + 1, ClassTally::default);
            }
            // Crowds last: an object is preferred.
            let of_class = labels.iter().filter(|label| label.class_id == class);
            let (crowds, objects): (Vec<&Label>, Vec<&Label>) = of_class.partition(|label| label.is_crowd);
            let found: Vec<ScoredBox> = found.iter().filter(|found| found.class_id == class).copied().collect();
            let tally = &mut self.classes[class];
            tally.objects += objects.len();
            tally.found.extend(hits(&objects, &crowds, &found));
        }
    }

    /// The average precision of all that was taken in.
    pub fn average_precision(&self) -> AveragePrecision {
        let of_class = |tally: &ClassTally| {
            (tally.objects > 0).then(|| {
                let at = tally.by_threshold();
                let ap = at.iter().sum::<f64>() / at.len() as f64;
                ClassPrecision { objects: tally.objects, ap, ap50: at[0], ap75: at[5] }
            })
        };
        let classes: Vec<Option<ClassPrecision>> = self.classes.iter().map(of_class).collect();
        let mean = |value: fn(&ClassPrecision) -> f64| {
            let values: Vec<f64> = classes.iter().flatten().map(value).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        AveragePrecision { ap: mean(|at| at.ap), ap50: mean(|at| at.ap50), ap75: mean(|at| at.ap75), classes }
    }
}

/// Which of the boxes of a class in a picture found something. The most confident chooses first, the object that it overlaps most.
fn hits(objects: &[&Label], crowds: &[&Label], found: &[ScoredBox]) -> Vec<Hit> {
    let labels: Vec<&Label> = [objects, crowds].concat();
    let found: Vec<&ScoredBox> = by_confidence(found).into_iter().map(|(_, found)| found).take(MOST).collect();
    let ious: Vec<Vec<f64>> =
        found.iter().map(|found| labels.iter().map(|label| iou(&found.b, label)).collect()).collect();
    let mut all: Vec<Hit> =
        found.iter().map(|found| Hit { confidence: found.confidence, hits: 0, ignored: 0 }).collect();
    for index in 0..THRESHOLDS {
        let mut is_taken = vec![false; objects.len()];
        for (hit, ious) in all.iter_mut().zip(&ious) {
            let mut least = threshold(index).min(1.0 - 1e-10);
            let mut best = None;
            for (at, &iou) in ious.iter().enumerate() {
                let is_object = at < objects.len();
                if is_object && is_taken[at] {
                    continue;
                }
                // An object was found already, and from here on there are crowds.
                if !is_object && best.is_some_and(|best| best < objects.len()) {
                    break;
                }
                if iou >= least {
                    least = iou;
                    best = Some(at);
                }
            }
            match best {
                Some(at) if at < objects.len() => {
                    is_taken[at] = true;
                    hit.hits |= 1 << index;
                }
                Some(_) => hit.ignored |= 1 << index,
                None => {}
            }
        }
    }
    all
}

impl ClassTally {
    /// The average precision at each threshold.
    fn by_threshold(&self) -> [f64; THRESHOLDS] {
        let mut found: Vec<&Hit> = self.found.iter().collect();
        found.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        std::array::from_fn(|index| {
            let counts = found.iter().filter(|hit| hit.ignored >> index & 1 == 0);
            let hits: Vec<bool> = counts.map(|hit| hit.hits >> index & 1 == 1).collect();
            // As NumPy's linspace has them.
            let recall = |index: usize| if index + 1 == RECALLS { 1.0 } else { index as f64 * 0.01 };
            interpolated(&hits, self.objects, recall)
        })
    }
}

/// The mean over recalls of the best precision that is reached at no less recall. `hits`: whether each box, most confident first, found
/// one of `objects`; `recall`: each of the 101 recalls.
pub(super) fn interpolated(hits: &[bool], objects: usize, recall: impl Fn(usize) -> f64) -> f64 {
    let mut right = 0;
    let mut curve: Vec<(f64, f64)> = Vec::with_capacity(hits.len());
    for (&is_hit, seen) in hits.iter().zip(1..) {
        right += usize::from(is_hit);
        curve.push((right as f64 / objects as f64, right as f64 / f64::from(seen)));
    }
    // From the last on: no precision is lower than a later one.
    let mut most = 0.0_f64;
    for (_, precision) in curve.iter_mut().rev() {
        most = most.max(*precision);
        *precision = most;
    }
    let precision_at = |index: usize| {
        let place = curve.partition_point(|(reached, _)| *reached < recall(index));
        curve.get(place).map_or(0.0, |(_, precision)| *precision)
    };
    (0..RECALLS).map(precision_at).sum::<f64>() / RECALLS as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::BBox;

    fn at(x: f32, width: f32) -> BBox {
        BBox { x1: x, y1: 0.0, x2: x + width, y2: 10.0 }
    }

    fn found(confidence: f32, b: BBox) -> ScoredBox {
        ScoredBox { class_id: 0, confidence, b }
    }

    #[test]
    fn precision_is_read_at_101_recalls() {
        let mut tally = PrecisionTally::default();
        let labels = [Label::new(0, at(0.0, 10.0)), Label::new(0, at(100.0, 10.0))];
        // Right, wrong, right: precision 1 up to recall 0.5, then 2/3.
        let all = [found(0.9, labels[0].b), found(0.8, at(50.0, 10.0)), found(0.7, labels[1].b)];
        tally.add(&labels, &all);
        let expected = (51.0 + 50.0 * 2.0 / 3.0) / 101.0;
        let precision = tally.average_precision();
        assert!((precision.ap.unwrap() - expected).abs() < 1e-12, "{precision:?}");
        assert_eq!(PrecisionTally::default().average_precision().ap, None);
    }

    #[test]
    fn a_box_in_a_crowd_does_not_count_and_a_second_one_on_an_object_does() {
        let crowd = Label { is_crowd: true, ..Label::new(0, at(100.0, 50.0)) };
        let object = Label::new(0, at(0.0, 10.0));
        let of = |all: &[ScoredBox]| {
            let mut tally = PrecisionTally::default();
            tally.add(&[crowd, object], all);
            tally.average_precision().ap50.unwrap()
        };
        assert_eq!(of(&[found(0.9, at(110.0, 10.0)), found(0.5, object.b)]), 1.0);
        assert_eq!(of(&[found(0.9, object.b), found(0.8, object.b)]), 1.0, "all was found before");
        assert_eq!(of(&[found(0.9, at(60.0, 10.0)), found(0.5, object.b)]), 0.5);
    }

    #[test]
    fn thresholds_are_those_of_numpy() {
        let all: Vec<f64> = (0..THRESHOLDS).map(threshold).collect();
        let expected = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95];
        assert!(all.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{all:?}");
    }
}
