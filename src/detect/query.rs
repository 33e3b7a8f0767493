//! The predictions for a place that the user points at, however little the detector believes in them, and what became of each.

use std::ops::RangeInclusive;

use tch::Tensor;

use super::{DetectOptions, Detection, EVERYTHING, Fate, Fates, Prototypes, detect_telling, scan_level, unlabelled};
use crate::{
    error::Result,
    families::Prediction,
    geometry::{BBox, LetterboxMap},
    model::Model,
};

/// A place, and a class or any: what did the detector make of it?
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Query {
    /// The place: in pixels of the picture for [`crate::explain()`], of the input for
    /// [`explain_input`](crate::explain::explain_input).
    pub spot: Spot,
    /// The class that something there should have; `None` for any.
    pub class_id: Option<usize>,
}

/// A place in a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Spot {
    /// x and y: all boxes that cover it are about the place.
    Point([f32; 2]),
    /// A box around something: boxes that fit it are about the place.
    Box(BBox),
}

impl Query {
    /// The same in pixels of the input, from pixels of the picture.
    #[must_use]
    pub fn in_input(&self, map: &LetterboxMap) -> Self {
        let spot = match self.spot {
            Spot::Point(point) => Spot::Point(map.point_to_input(point)),
            // No prediction is asked to cover what is no picture.
            Spot::Box(drawn) => Spot::Box(map.to_input(&drawn.clipped(map.image))),
        };
        Self { spot, ..*self }
    }
}

/// A prediction for the place that was asked for, taken as one of a class.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The prediction. Only of the first candidate with its mask.
    pub detection: Detection,
    /// How well its box fits the one that was drawn, 0 to 1; 1 of a point. Times the confidence it is the candidate's strength. If a
    /// near-duplicate is stronger, what makes this as strong as that.
    pub fit: f32,
    /// IoU of its box with the one that was drawn; `None` of a point.
    pub iou: Option<f32>,
    /// What became of it.
    pub fate: Fate,
    /// The best class of the same prediction, where it is another.
    pub winner: Option<Winner>,
}

impl Candidate {
    /// Confidence times fit: candidates are in this order.
    pub fn strength(&self) -> f32 {
        self.detection.confidence * self.fit
    }

    /// Whether the place is detected: it is a detection, and its box fits.
    pub fn is_found(&self) -> bool {
        matches!(self.fate, Fate::Detected { .. }) && self.fit >= FITTING_DETECTION
    }
}

/// From this fit on a detection is of the thing that was meant: its agreement with the drawn box is 0.62.
const FITTING_DETECTION: f32 = 0.5;

/// A prediction as one of its best class, where another was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Winner {
    /// The prediction.
    pub detection: Detection,
    /// What became of it.
    pub fate: Fate,
}

/// How many candidates are told at most.
pub const MOST_CANDIDATES: usize = 5;

/// From this agreement with the drawn box on, a box fits it: moved by up to a sixth of its sides, or up to 1.4 times as long
/// and as high. A hand is no more exact. Of boxes that fit, confidence alone decides.
const FITTING: f32 = 0.7;

/// How fast fit falls below that. Confidences span orders of magnitude, so it has to fall steeply for the box that was meant to
/// win over a confident one beside it, around it or in it; and not too steeply for what is found under a box that was drawn far
/// too large to win over noise that happens to fit. A box of half that agreement counts a 64th.
const STEEPNESS: i32 = 6;

/// How much of either box must lie in the other one, at the least, for a prediction to be about the drawn box.
const LEAST_SHARE: f32 = 0.5;

/// Boxes of one class are near-duplicates if they overlap each other as much as the weaker of them overlaps the drawn box (IoU); in any
/// case from the end of this range on, and never below its start. So another thing, whose box suppression took, is told beside the
/// box that took it: it is nearer to the drawn box.
const NEAR: RangeInclusive<f32> = 0.5..=0.8;

/// The same where a point was asked for.
const NEAR_AT_POINT: f32 = 0.6;

impl Spot {
    /// How well a box fits the place, 0 to 1, and its IoU with the box that was drawn. `None` if it is not about the place.
    ///
    /// Agreement is the geometric mean of two shares: how much of the drawn box the other covers, and the other way round.
    /// The former is small of a speck, the latter of a box that merely contains the drawn one.
    fn fit(&self, b: &BBox) -> Option<(f32, Option<f32>)> {
        match self {
            Self::Point(point) => b.covers(*point).then_some((1.0, None)),
            Self::Box(drawn) => {
                let shared = b.shared_area(drawn);
                let (of_drawn, of_other) = (shared / drawn.area(), shared / b.area());
                let agreement = (of_drawn * of_other).sqrt();
                // Of empty boxes shares are no numbers.
                let is_about = agreement > 0.0 && of_drawn.max(of_other) >= LEAST_SHARE;
                is_about.then(|| ((agreement / FITTING).min(1.0).powi(STEEPNESS), Some(b.iou(drawn))))
            }
        }
    }
}

/// A prediction for the place, taken as one of a class.
struct Found {
    detection: Detection,
    fit: f32,
    iou: Option<f32>,
    /// Why it can't become a detection, before it is compared with others.
    unlabelled: Option<Fate>,
    /// The same as one of its best class, where that is another.
    winner: Option<(Detection, Option<Fate>)>,
}

impl Found {
    fn strength(&self) -> f32 {
        self.detection.confidence * self.fit
    }

    /// Whether another box is of the same thing.
    fn is_near(&self, other: &Detection) -> bool {
        self.overlaps(other, self.iou.map_or(NEAR_AT_POINT, |iou| iou.clamp(*NEAR.start(), *NEAR.end())))
    }

    /// Whether another box of the same class has at least this IoU with it.
    fn overlaps(&self, other: &Detection, least: f32) -> bool {
        self.detection.class_id == other.class_id && self.detection.overlap(other) >= least
    }
}

/// What detection makes of all predictions.
struct Outcome {
    detections: Vec<Detection>,
    fates: Fates,
    /// The confidence that detections exceed.
    least: f32,
}

impl Outcome {
    /// The place of a prediction among the detections, if it is one.
    fn index_of(&self, found: &Detection) -> Option<usize> {
        self.detections.iter().position(|kept| kept.is_same(found))
    }

    /// `unlabelled`: why it can't be a detection, before it is compared with others.
    fn fate_of(&self, found: &Detection, unlabelled: Option<&Fate>) -> Fate {
        match self.index_of(found) {
            Some(index) => Fate::Detected { index },
            // A family passes over what can't exceed the threshold.
            None => self.fates.of(found).or(unlabelled).cloned().unwrap_or(Fate::Threshold { least: self.least }),
        }
    }

    fn candidate(&self, found: &Found, fit: f32) -> Candidate {
        let fate = |(detection, unlabelled): (&Detection, &Option<Fate>)| self.fate_of(detection, unlabelled.as_ref());
        let winner = |(detection, unlabelled): &(Detection, Option<Fate>)| Winner {
            detection: detection.clone(),
            fate: fate((detection, unlabelled)),
        };
        Candidate {
            detection: found.detection.clone(),
            fit,
            iou: found.iou,
            fate: fate((&found.detection, &found.unlabelled)),
            winner: found.winner.as_ref().map(winner),
        }
    }
}

/// The strongest predictions for the place that `query` asks for, in pixels of the input, however little confidence they have; and
/// what became of each where detection goes by `options`. Strongest first, [`MOST_CANDIDATES`] at most; none, if no prediction is
/// about the place.
///
/// About a drawn box are those of which it covers half, or which cover half of it. Their strength is their confidence times their
/// [`fit`](Candidate::fit). Near-duplicates of one class are one candidate: the most confident of them, with the strength of the
/// strongest. A detection is always a candidate of its own.
///
/// `outputs`: the raw ones, `[1, C, h, w]` f32 each, in order of the file, and what masks are made of, as a forward pass gives them.
///
/// # Errors
/// [`crate::Error::Libtorch`] if the tensors can't be read.
pub fn candidates(model: &Model, outputs: &[Tensor], query: &Query, options: &DetectOptions) -> Result<Vec<Candidate>> {
    Ok(candidates_of_all(model, outputs, std::slice::from_ref(query), options)?.pop().unwrap_or_default())
}

/// The same for several queries, of which each prediction is held against all: it costs little more than one.
///
/// # Errors
/// As [`candidates`].
pub fn candidates_of_all(
    model: &Model,
    outputs: &[Tensor],
    queries: &[Query],
    options: &DetectOptions,
) -> Result<Vec<Vec<Candidate>>> {
    if queries.is_empty() {
        return Ok(Vec::new());
    }
    let options = &options.clone().with_habits(&model.head().habits());
    let mut fates = Fates::told();
    let detections = detect_telling(model, outputs, options, &mut fates)?;
    let outcome = Outcome { detections, fates, least: options.conf_threshold.unwrap_or_default() };
    let prototypes = Prototypes::of(model.head(), outputs)?;
    let told = |there: Vec<Found>| {
        let mut told = strongest(&there, &outcome);
        if let (Some(prototypes), Some(first)) = (&prototypes, told.first_mut()) {
            let Detection { box_input, place, mask, .. } = &mut first.detection;
            *mask = box_input.map(|b| prototypes.mask(place, &b)).transpose()?;
        }
        Ok(told)
    };
    all_there(model, outputs, queries, options)?.into_iter().map(told).collect()
}

/// The strongest of all, as many things.
fn strongest(found: &[Found], outcome: &Outcome) -> Vec<Candidate> {
    let mut order: Vec<&Found> = found.iter().collect();
    order.sort_by(|a, b| b.strength().total_cmp(&a.strength()));
    let mut told: Vec<Candidate> = Vec::new();
    for next in order {
        if told.len() == MOST_CANDIDATES {
            break;
        }
        let peak = if outcome.index_of(&next.detection).is_some() {
            next
        } else if told.iter().any(|stronger| next.is_near(&stronger.detection)) {
            continue;
        } else {
            peak_of(next, found)
        };
        let is_known = |stronger: &Candidate| {
            let is_thing = outcome.index_of(&peak.detection).is_some();
            stronger.detection.is_same(&peak.detection) || !is_thing && peak.is_near(&stronger.detection)
        };
        if !told.iter().any(is_known) {
            // A confidence may be rounded to 0.
            let [own, of_peak] = [next, peak].map(|found| found.detection.confidence);
            let ratio = if of_peak > 0.0 { own / of_peak } else { 1.0 };
            told.push(outcome.candidate(peak, next.fit * ratio));
        }
    }
    told
}

/// The most confident of near-duplicates, as suppression would keep it: the same one, whatever the hand did.
fn peak_of<'a>(one: &'a Found, all: &'a [Found]) -> &'a Found {
    let best = |is_near: &dyn Fn(&Found) -> bool| {
        let near = all.iter().filter(|other| is_near(other));
        near.max_by(|a, b| a.detection.confidence.total_cmp(&b.detection.confidence))
    };
    let mut peak = best(&|other| one.is_near(&other.detection)).unwrap_or(one);
    // What is nearly the same box as that may be more confident still.
    while let Some(next) = best(&|other| peak.overlaps(&other.detection, *NEAR.end())) {
        if next.detection.confidence <= peak.detection.confidence {
            break;
        }
        peak = next;
    }
    peak
}

/// For each query all predictions for the place, each as one of the class that is asked for; if that is any, of its best, and of those
/// others that the family takes too.
fn all_there(model: &Model, outputs: &[Tensor], queries: &[Query], options: &DetectOptions) -> Result<Vec<Vec<Found>>> {
    let habits = model.head().habits();
    let least = options.conf_threshold.unwrap_or_default();
    let visit = |prediction: &Prediction, query: &Query, all: &mut Vec<Found>| {
        let Some((fit, iou)) = prediction.box_input.and_then(|b| query.spot.fit(&b)) else { return };
        let best = prediction.best_class();
        let as_class =
            |class: usize| (Detection::of(prediction, class), unlabelled(prediction, (class, best), &habits, least));
        let mut add = |class: usize| {
            let (detection, unlabelled) = as_class(class);
            if !detection.confidence.is_nan() {
                let winner = (class != best).then(|| as_class(best));
                all.push(Found { detection, fit, iou, unlabelled, winner });
            }
        };
        match query.class_id {
            Some(class) => add(class),
            None => {
                add(best);
                if habits.has_many_labels {
                    let others = (0..prediction.class_logits.len()).filter(|&class| class != best);
                    others.filter(|&class| prediction.confidence(class) > least).for_each(add);
                }
            }
        }
    };
    let mut all: Vec<Vec<Found>> = queries.iter().map(|_| Vec::new()).collect();
    for grid in model.head().grids(outputs)? {
        scan_level(model, outputs, &grid, EVERYTHING, &mut |prediction| {
            queries.iter().zip(&mut all).for_each(|(query, all)| visit(prediction, query, all));
            EVERYTHING
        })?;
    }
    Ok(all)
}
