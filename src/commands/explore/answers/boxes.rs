//! Which boxes there are, at any thresholds: from the stored outputs of the network.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use yolo_cam::{
    ExplainOptions, Model,
    detect::{Detection, best_candidate, is_defined},
    diagnose::{ScoredBox, judge},
    geometry::{BBox, LetterboxMap},
    labels::Label,
    report::{Figure, PredictionEntry},
};

use super::{
    super::{
        engine::When,
        refusal::Refusal,
        studio::{Seen, Studio},
    },
    Answer, Asking, Question, Watch,
};
use crate::commands::labels::labels_of;

#[derive(Deserialize)]
pub struct Boxes {}

/// Width and height of a picture.
#[derive(Serialize)]
struct Sides {
    width: u32,
    height: u32,
}

#[derive(Serialize)]
struct Facts {
    picture: Sides,
    /// What heat covers.
    heat_area: BBox,
    /// Whether there is no box because the network says no numbers.
    is_undefined: bool,
    /// Where there are no boxes, what comes nearest to one.
    best_candidate: Option<PredictionEntry>,
    detections: Vec<Found>,
    labels: Option<Vec<Object>>,
    /// `None` where the outputs were stored.
    forward_ms: Option<f64>,
}

/// A box.
#[derive(Serialize)]
pub struct Found {
    index: usize,
    class_id: usize,
    class: String,
    confidence: f32,
    logit: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    box_image: Option<BBox>,
    #[serde(skip_serializing_if = "Option::is_none")]
    figure: Option<Figure>,
    head: String,
    place: String,
}

impl Found {
    /// All of a picture, which lies so in the input.
    pub fn all(found: &[Detection], model: &Model, map: &LetterboxMap) -> Vec<Self> {
        let entry = |(index, found): (usize, &Detection)| Self {
            index,
            class_id: found.class_id,
            class: model.names()[found.class_id].clone(),
            confidence: found.confidence,
            logit: found.logit,
            box_image: found.box_input.map(|b| map.to_image(&b)),
            figure: Figure::of(found, map),
            head: model.levels()[found.place.level].name(),
            place: place(found),
        };
        found.iter().enumerate().map(entry).collect()
    }
}

/// Where in the network a prediction comes from: with its class, what is the same at any thresholds.
pub fn place(found: &Detection) -> String {
    let place = &found.place;
    format!("{}-{}-{}-{}", place.level, place.row, place.column, place.slot)
}

/// A labelled object.
#[derive(Serialize)]
struct Object {
    class_id: usize,
    class: String,
    box_image: BBox,
    is_crowd: bool,
    /// Whether a box was found for it.
    found: bool,
}

pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

impl Question for Boxes {
    const NAME: &'static str = "boxes";

    fn answer(self, studio: &mut Studio, asked: &Asking, _watch: &mut Watch) -> Result<Answer, Refusal> {
        let Asking { picture, view, when } = asked;
        let (model, explorer) = (studio.model(view)?, studio.explorer);
        let options = studio.options(view)?;
        let glanced;
        let (seen, forward): (&Seen, _) = match when {
            When::View | When::Next => studio.seen(picture, view, false)?,
            When::Scan => {
                glanced = studio.glance(picture, view)?;
                (&glanced, None)
            }
        };
        let found = seen.detections(model, &options)?;
        let map = seen.map();
        let wanted = options.detect.classes.as_deref();
        let labels = match &explorer.labels {
            Some(labels) => {
                let (_, labels) = labels_of(labels, (&picture.name, picture.file(), map.image), wanted)?;
                Some(objects(&labels, &found, model, map))
            }
            None => None,
        };
        let (is_undefined, best) = nearest(seen, model, &found, &options)?;
        Answer::facts(&Facts {
            picture: Sides { width: map.image.width, height: map.image.height },
            heat_area: map.visible(),
            is_undefined,
            best_candidate: best.map(|best| PredictionEntry::new(&best, model, map)),
            detections: Found::all(&found, model, map),
            labels,
            forward_ms: forward.map(milliseconds),
        })
    }
}

/// The labelled objects of a picture, of which some may have been found.
fn objects(labels: &[Label], found: &[Detection], model: &Model, map: &LetterboxMap) -> Vec<Object> {
    let scored = |found: &Detection| {
        let b = map.to_image(&found.box_input?);
        Some(ScoredBox { class_id: found.class_id, confidence: found.confidence, b })
    };
    let scored: Vec<ScoredBox> = found.iter().filter_map(scored).collect();
    let judged = judge(labels, &scored).found;
    let is_found = |at: usize| judged.iter().any(|verdict| verdict.error.is_none() && verdict.label == Some(at));
    let object = |(at, label): (usize, &Label)| Object {
        class_id: label.class_id,
        class: model.names().get(label.class_id).cloned().unwrap_or_else(|| label.class_id.to_string()),
        box_image: label.b,
        is_crowd: label.is_crowd,
        found: is_found(at),
    };
    labels.iter().enumerate().map(object).collect()
}

/// Where nothing was found: whether the network says no numbers, and else what comes nearest.
fn nearest(
    seen: &Seen,
    model: &Model,
    found: &[Detection],
    options: &ExplainOptions,
) -> Result<(bool, Option<Detection>), Refusal> {
    if !found.is_empty() {
        return Ok((false, None));
    }
    if !is_defined(&seen.outputs)? {
        return Ok((true, None));
    }
    Ok((false, best_candidate(model, &seen.outputs, &options.detect)?))
}
