//! All figures of maps of one picture.

use ndarray::Array2;
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::{Crew, CurveOptions, Curves, curves, metrics};
use crate::{detect::Detection, error::Result, explain::Watch, geometry::BBox, labels::Label};

/// A map, `[H, W]` ≥ 0 at the size of the input, and what it explains.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Index of the detection.
    pub detection: usize,
    /// The map.
    pub map: &'a Array2<f32>,
}

/// Where objects are in a picture, in pixels of the input.
#[derive(Debug, Clone, PartialEq)]
pub struct Objects {
    /// For each detection the box that its heat should be in; `None` if there is none, and nothing to say.
    pub own: Vec<Option<BBox>>,
    /// All objects.
    pub all: Vec<BBox>,
}

/// The least overlap (IoU) of a detection and the label of what it found.
const LEAST_OVERLAP: f32 = 0.5;

impl Objects {
    /// The detector's own boxes. `detections`: those that are explained; `all`: all that it found, those included.
    pub fn detected(detections: &[Detection], all: &[Detection]) -> Self {
        let boxes =
            |detections: &[Detection]| detections.iter().map(|detection| detection.box_input).collect::<Vec<_>>();
        Self { own: boxes(detections), all: boxes(all).into_iter().flatten().collect() }
    }

    /// `labels`: in pixels of the input; crowds are no objects. The first detection of a label's class that overlaps it by half (IoU)
    /// takes it, as COCO's evaluation has it; of several labels the one that overlaps most. Where a class is said of the whole
    /// picture, its object is the largest of that class.
    pub fn labelled(detections: &[Detection], labels: &[Label]) -> Self {
        let labels: Vec<&Label> = labels.iter().filter(|label| !label.is_crowd).collect();
        let mut is_taken = vec![false; labels.len()];
        let own = detections.iter().map(|detection| {
            let free =
                labels.iter().zip(0..).filter(|(label, at)| label.class_id == detection.class_id && !is_taken[*at]);
            let Some(own) = detection.box_input else {
                return free.map(|(label, _)| label.b).max_by(|a, b| a.area().total_cmp(&b.area()));
            };
            let overlaps = free.map(|(label, at)| (label.b.iou(&own), at));
            let (overlap, at) = overlaps.max_by(|a, b| a.0.total_cmp(&b.0))?;
            (overlap >= LEAST_OVERLAP).then(|| {
                is_taken[at] = true;
                labels[at].b
            })
        });
        Self { own: own.collect(), all: labels.iter().map(|label| label.b).collect() }
    }
}

/// How much of a map is where it should be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Localization {
    /// Whether the maximum lies in the object's box; where several cells have it, their share.
    pub pointing_game: f64,
    /// The share of the heat in the object's box.
    pub energy_pointing_game: f64,
    /// The same where only the order of the pixels counts ([`metrics::energy_by_rank`]).
    pub energy_by_rank: f64,
    /// The share of all objects' heat that lies in others; `None` if there is none in any.
    pub object_discrimination_index: Option<f64>,
}

/// What is known of a map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// What the detector still finds while pixels are removed and added.
    #[serde(flatten)]
    pub curves: Curves,
    /// Against the detector's own boxes; `None` where a class is said of the whole picture.
    #[serde(default)]
    pub detected: Option<Localization>,
    /// Against labels; `None` if there are none, or no label for this box.
    pub labelled: Option<Localization>,
    /// How far the heat lies from its maximum; `None` for a map of zeros.
    pub compactness: Option<f64>,
    /// Maximum ÷ mean; `None` for a map of zeros.
    pub sparsity: Option<f64>,
}

/// A picture, as the network takes it, and what is in it.
#[derive(Debug)]
pub struct Scene<'a> {
    /// `[1, 3, H, W]`.
    pub input: &'a Tensor,
    /// What is explained of what the detector found.
    pub detections: &'a [Detection],
    /// [`Objects::detected`].
    pub detected: &'a Objects,
    /// Labels, if there are any.
    pub labels: Option<&'a Objects>,
}

/// The figures of each candidate.
///
/// # Errors
/// As [`curves`].
///
/// # Panics
/// If there is no detection, or no entry of the objects, at the index that a candidate names.
pub fn evaluate(
    crew: &mut Crew,
    scene: &Scene,
    candidates: &[Candidate],
    options: &CurveOptions,
    watch: &mut Watch,
) -> Result<Vec<Figures>> {
    let maps: Vec<(usize, &Array2<f32>)> =
        candidates.iter().map(|candidate| (candidate.detection, candidate.map)).collect();
    let curves = curves(crew, scene.input, scene.detections, &maps, options, watch)?;
    let figures = |(candidate, curves): (&Candidate, Curves)| {
        let map = candidate.map;
        let localization = |objects: &Objects| {
            let own = objects.own[candidate.detection]?;
            let others: Vec<BBox> = objects.all.iter().copied().filter(|other| *other != own).collect();
            Some(Localization {
                pointing_game: metrics::pointing_game(map.view(), &own),
                energy_pointing_game: metrics::energy_pointing_game(map.view(), &own),
                energy_by_rank: metrics::energy_by_rank(map.view(), &own),
                object_discrimination_index: metrics::object_discrimination_index(map.view(), &own, &others),
            })
        };
        Figures {
            curves,
            detected: localization(scene.detected),
            labelled: scene.labels.and_then(localization),
            compactness: metrics::compactness(map.view()),
            sparsity: metrics::sparsity(map.view()),
        }
    };
    Ok(candidates.iter().zip(curves).map(figures).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::Place;

    fn at(x: f32, class_id: usize) -> Detection {
        let box_input = BBox { x1: x, y1: 0.0, x2: x + 10.0, y2: 10.0 };
        let place = Place { level: 0, row: 0, column: 0, slot: 0, index: 0 };
        Detection {
            box_input: Some(box_input),
            class_id,
            confidence: 0.5,
            logit: 0.0,
            place,
            rotated: None,
            keypoints: Vec::new(),
            mask: None,
        }
    }

    #[test]
    fn labels_go_to_the_first_detection_of_their_class_that_overlaps() {
        let label = |x: f32, class| Label::new(class, at(x, class).box_input.unwrap());
        let labels = [label(1.0, 0), label(2.0, 0), label(50.0, 1)];
        let detections = [at(0.0, 0), at(2.5, 0), at(2.0, 0), at(50.0, 0), at(57.0, 1)];
        let objects = Objects::labelled(&detections, &labels);
        // The third comes too late, the fourth is of another class, the fifth overlaps by 3 of 17.
        assert_eq!(objects.own, [Some(labels[0].b), Some(labels[1].b), None, None, None]);
        assert_eq!(objects.all.len(), 3);
        let of_picture = [0, 2].map(|class_id| Detection { box_input: None, ..at(0.0, class_id) });
        let large = Label::new(0, BBox { x2: 90.0, ..labels[0].b });
        let crowd = Label { is_crowd: true, ..Label::new(0, BBox { x2: 99.0, ..labels[0].b }) };
        assert_eq!(Objects::labelled(&of_picture, &[labels[0], crowd, large]).own, [Some(large.b), None]);
        assert_eq!(Objects::detected(&of_picture, &of_picture), Objects { own: vec![None, None], all: Vec::new() });
    }
}
