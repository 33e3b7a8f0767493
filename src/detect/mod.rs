//! From a picture to detections: letterbox, decoding, and the choice among predictions, as the model's own package does them.

mod fate;
mod letterbox;
mod mask;
mod nms;
mod query;
mod tracker;
mod trial;

use tch::Tensor;

use self::fate::Fates;
pub(crate) use self::mask::{Frame, Prototypes};
pub use self::{
    fate::Fate,
    letterbox::{Letterbox, to_tensor},
    mask::Mask,
    query::{Candidate, MOST_CANDIDATES, Query, Spot, Winner, candidates, candidates_of_all},
    tracker::{Likeness, Tracker},
    trial::{Trial, try_size},
};
use crate::{
    error::Result,
    families::{Aspect, Grid, Habits, Keypoint, Place, Prediction},
    geometry::{BBox, RotatedBox},
    model::Model,
    tensor::values,
};

/// A predicted box with its class, and where in the network it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Detection {
    /// The box in input pixels; of a rotated one, the box around it; `None` if the network says its classes of the whole picture.
    pub box_input: Option<BBox>,
    /// The rotated box in input pixels; `None` if the network's boxes are not rotated.
    pub rotated: Option<RotatedBox>,
    /// Its keypoints; none if the network gives none.
    pub keypoints: Vec<Keypoint>,
    /// Index of its class.
    pub class_id: usize,
    /// How sure the detector is of the box and its class, 0 to 1.
    pub confidence: f32,
    /// Raw class logit, before the sigmoid or softmax.
    pub logit: f32,
    /// Where it comes from.
    pub place: Place,
    /// Its pixels in the network's input, inside its box; `None` if the network gives no masks.
    pub mask: Option<Mask>,
}

impl Detection {
    /// A prediction, taken as one of `class_id`.
    fn of(prediction: &Prediction, class_id: usize) -> Self {
        Self {
            box_input: prediction.box_input,
            rotated: prediction.rotated,
            keypoints: prediction.keypoints.to_vec(),
            class_id,
            confidence: prediction.confidence(class_id),
            logit: prediction.class_logits[class_id],
            place: prediction.place,
            mask: None,
        }
    }

    /// How much two boxes overlap, 0 to 1: their IoU, of rotated boxes the probabilistic one.
    pub fn overlap(&self, other: &Self) -> f32 {
        overlap((self.rotated, self.box_input), (other.rotated, other.box_input))
    }

    /// The same of a prediction.
    fn overlap_of(&self, prediction: &Prediction) -> f32 {
        overlap((self.rotated, self.box_input), (prediction.rotated, prediction.box_input))
    }

    /// Whether this is the same prediction, taken as one of the same class.
    fn is_same(&self, other: &Self) -> bool {
        (self.place, self.class_id) == (other.place, other.class_id)
    }
}

fn overlap(a: (Option<RotatedBox>, Option<BBox>), b: (Option<RotatedBox>, Option<BBox>)) -> f32 {
    match (a, b) {
        ((Some(a), _), (Some(b), _)) => a.prob_iou(&b),
        ((_, a), (_, b)) => BBox::overlap(a.as_ref(), b.as_ref()),
    }
}

/// Which predictions become detections.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct DetectOptions {
    /// Least confidence, 0 to 1; `None` is 0.4, of classifiers 0. Default: `None`.
    pub conf_threshold: Option<f32>,
    /// Boxes of one class that overlap more than this (IoU, 0 to 1) are one; `None` is the family's own: 0.45 for YOLOv5, 0.7 for
    /// later families; where a network gives one box an object, nothing is suppressed. Default: `None`.
    pub iou_threshold: Option<f32>,
    /// Most detections in one picture; `None` is the family's own: 300, or the 5 most probable classes. Default: `None`.
    pub max_det: Option<usize>,
    /// Only the most confident of the detections, so many. Default: all.
    pub top: Option<usize>,
    /// Only these classes. Default: all.
    pub classes: Option<Vec<usize>>,
    /// Whether boxes of different classes suppress each other. Default: no.
    pub agnostic: bool,
}

with_fields!(DetectOptions {
    with_conf_threshold => conf_threshold: Option<f32>,
    with_iou_threshold => iou_threshold: Option<f32>,
    with_max_det => max_det: Option<usize>,
    with_top => top: Option<usize>,
    with_classes => classes: Option<Vec<usize>>,
    with_agnostic => agnostic: bool,
});

impl DetectOptions {
    /// The same options, with a family's habits in the place of what was left to it.
    #[must_use]
    pub fn with_habits(self, habits: &Habits) -> Self {
        Self {
            conf_threshold: self.conf_threshold.or(Some(habits.conf_threshold)),
            iou_threshold: self.iou_threshold.or(habits.iou_threshold),
            max_det: self.max_det.or(Some(habits.max_det)),
            ..self
        }
    }
}

/// Nothing is below this threshold, but what is no number.
const EVERYTHING: f32 = -1.0;

/// Decodes the raw outputs of one picture into detections, most confident first.
///
/// `outputs`: `[1, C, h, w]` f32 each, in order of the file. With what masks are made of behind them, as a forward pass gives
/// it, each detection has its mask.
///
/// # Errors
/// [`crate::Error::Libtorch`] if the tensors can't be read.
pub fn detect(model: &Model, outputs: &[Tensor], options: &DetectOptions) -> Result<Vec<Detection>> {
    detect_telling(model, outputs, options, &mut Fates::untold())
}

/// The same, with the fates of those predictions above the threshold that are no detections.
fn detect_telling(
    model: &Model,
    outputs: &[Tensor],
    options: &DetectOptions,
    fates: &mut Fates,
) -> Result<Vec<Detection>> {
    let habits = model.head().habits();
    let options = &options.clone().with_habits(&habits);
    let least = options.conf_threshold.unwrap_or_default();
    let mut candidates = Vec::new();
    for grid in model.head().grids(outputs)? {
        scan_level(model, outputs, &grid, least, &mut |prediction| {
            candidates.extend(labelled(prediction, &habits, least));
            least
        })?;
    }
    let kept = match options.iou_threshold {
        _ if !model.head().has(Aspect::Box) => nms::all(candidates, options, fates),
        Some(iou_threshold) => nms::nms(candidates, (iou_threshold, habits.suppressed_suppress), options, fates),
        None => nms::most_confident(candidates, options, fates),
    };
    masked(model, outputs, kept, options.top, fates)
}

/// What a prediction may become a detection as, of more confidence than `least`.
fn labelled(prediction: &Prediction, habits: &Habits, least: f32) -> impl Iterator<Item = Detection> {
    let best = prediction.best_class();
    let classes = if habits.has_many_labels { 0..prediction.class_logits.len() } else { best..best + 1 };
    let passes = move |&class: &usize| unlabelled(prediction, (class, best), habits, least).is_none();
    classes.filter(passes).map(|class| Detection::of(prediction, class))
}

/// Why a prediction can't become a detection as one of `class`; `None` if it can. `best`: its best class.
fn unlabelled(prediction: &Prediction, (class, best): (usize, usize), habits: &Habits, least: f32) -> Option<Fate> {
    if class != best && !habits.has_many_labels {
        return Some(Fate::BetterClass);
    }
    // NaN exceeds nothing.
    let exceeds = prediction.confidence(class) > least;
    (!exceeds).then_some(Fate::Threshold { least })
}

/// The first `top` of the same detections with their masks, if the network gives any; those that the family drops for their
/// masks don't count.
fn masked(
    model: &Model,
    outputs: &[Tensor],
    kept: Vec<Detection>,
    top: Option<usize>,
    fates: &mut Fates,
) -> Result<Vec<Detection>> {
    let prototypes = Prototypes::of(model.head(), outputs)?;
    let drops_empty_masks = model.head().habits().drops_empty_masks;
    let most = top.unwrap_or(usize::MAX);
    let mut shown = Vec::with_capacity(kept.len().min(most));
    for mut found in kept {
        if shown.len() == most {
            fates.tell(&found, || Fate::Surplus { most });
            continue;
        }
        if let (Some(prototypes), Some(b)) = (&prototypes, found.box_input) {
            found.mask = Some(prototypes.mask(&found.place, &b)?);
        }
        if drops_empty_masks && found.mask.as_ref().is_some_and(Mask::is_empty) {
            fates.tell(&found, || Fate::EmptyMask);
        } else {
            shown.push(found);
        }
    }
    Ok(shown)
}

/// The most confident prediction of one picture, of the classes that are wanted, however little the network believes in it;
/// `None` if there is none at all.
///
/// # Errors
/// [`crate::Error::Libtorch`] if the tensors can't be read.
pub fn best_candidate(model: &Model, outputs: &[Tensor], options: &DetectOptions) -> Result<Option<Detection>> {
    let habits = model.head().habits();
    let is_wanted =
        |found: &Detection| options.classes.as_ref().is_none_or(|classes| classes.contains(&found.class_id));
    let (mut best, mut least): (Option<Detection>, f32) = (None, EVERYTHING);
    for grid in model.head().grids(outputs)? {
        scan_level(model, outputs, &grid, least, &mut |prediction| {
            for found in labelled(prediction, &habits, least).filter(is_wanted) {
                if found.confidence > least {
                    least = found.confidence;
                    best = Some(found);
                }
            }
            least
        })?;
    }
    Ok(masked(model, outputs, best.into_iter().collect(), None, &mut Fates::untold())?.pop())
}

/// Visits the predictions of a level whose presence exceeds `least`, for the first picture. Only those cells are copied out
/// that may hold one: few of thousands.
fn scan_level(
    model: &Model,
    outputs: &[Tensor],
    grid: &Grid,
    least: f32,
    visit: &mut dyn FnMut(&Prediction) -> f32,
) -> Result<()> {
    let head = model.head();
    // [h·w, C]: no copy for an output in channels_last.
    let cells = |&output: &usize| Ok(outputs[output].f_detach()?.f_permute([0, 2, 3, 1])?.f_flatten(0, 2)?);
    let mut cells = model.levels()[grid.level].outputs.iter().map(cells).collect::<Result<Vec<Tensor>>>()?;
    let promising = head.promising_cells(grid.level, &cells, least)?;
    if let Some(promising) = &promising {
        let indices: Vec<i64> = promising.iter().map(|&cell| cell as i64).collect();
        for cells in &mut cells {
            *cells = cells.f_index_select(0, &Tensor::from_slice(&indices).f_to_device(cells.device())?)?;
        }
    }
    let values = cells.iter().map(values).collect::<Result<Vec<_>>>()?;
    let values: Vec<&[f32]> = values.iter().map(Vec::as_slice).collect();
    let all = 0..grid.height * grid.width;
    match promising {
        Some(promising) => head.scan(grid, &mut promising.into_iter(), &values, least, visit),
        None => head.scan(grid, &mut all.into_iter(), &values, least, visit),
    }
    Ok(())
}

/// Whether all that the network says is finite numbers. Broken weights make it say NaN, which is no detection.
///
/// # Errors
/// [`crate::Error::Libtorch`] if the tensors can't be read.
pub fn is_defined(outputs: &[Tensor]) -> Result<bool> {
    for output in outputs {
        if output.f_isfinite()?.f_all()?.f_int64_value(&[])? == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}
