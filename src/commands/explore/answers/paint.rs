//! What becomes of a box where parts of the picture are painted over.

use image::RgbImage;
use serde::{Deserialize, Serialize};
use yolo_cam::{
    ExplainOptions, Model,
    detect::{Letterbox, Likeness, Tracker, detect},
    eval::{Fill, painted},
    picture::shrunk,
    report::jpeg_bytes,
};

use super::{
    super::{refusal::Refusal, studio::Studio, view::Subject},
    Answer, Asking, Question, Watch,
    boxes::Found,
};
use crate::output::reports::gallery::{LARGE_SIDE, QUALITY};

/// What paints over, as the page names it.
pub const FILLS: [(&str, &str, Fill); 2] =
    [("blurred", "blurred beyond recognition", Fill::Blurred), ("black", "black", Fill::Black)];

/// More than a hand paints. Each point takes time.
const MOST_STROKES: usize = 200;
const MOST_POINTS: usize = 5000;

/// What is painted over, and with what.
#[derive(Debug, Clone, Deserialize)]
pub struct Paint {
    fill: String,
    strokes: Vec<Stroke>,
}

/// A line of a brush, in pixels of the picture.
#[derive(Debug, Clone, Deserialize)]
#[serde(expecting = "a stroke: radius and points")]
struct Stroke {
    radius: f32,
    points: Vec<[f32; 2]>,
}

impl Paint {
    /// The picture with what is painted over, and how large a share of it that is.
    ///
    /// # Errors
    /// If the fill is none, or a stroke is no line.
    pub fn over(&self, picture: &RgbImage) -> Result<(RgbImage, f64), Refusal> {
        let fill = FILLS.iter().find(|(name, ..)| *name == self.fill).map(|(.., fill)| *fill);
        let fill = fill.ok_or_else(|| {
            let names: Vec<&str> = FILLS.iter().map(|(name, ..)| *name).collect();
            Refusal::bad(format!("there is no fill {:?}; the fills are: {}", self.fill, names.join(", ")))
        })?;
        let points: usize = self.strokes.iter().map(|stroke| stroke.points.len()).sum();
        if self.strokes.len() > MOST_STROKES || points > MOST_POINTS {
            return Err(Refusal::bad(format!(
                "{} strokes of {points} points are too many; at most {MOST_STROKES} strokes and {MOST_POINTS} points are taken",
                self.strokes.len()
            )));
        }
        let is_line =
            |stroke: &Stroke| stroke.radius > 0.0 && stroke.points.iter().flatten().all(|number| number.is_finite());
        if !self.strokes.iter().all(is_line) {
            return Err(Refusal::bad("a stroke has a radius above 0 and points in pixels of the picture"));
        }
        let strokes: Vec<(f32, &[[f32; 2]])> =
            self.strokes.iter().map(|stroke| (stroke.radius, stroke.points.as_slice())).collect();
        Ok(painted(picture, &strokes, fill)?)
    }
}

#[derive(Deserialize)]
pub struct Painted {
    subject: Option<Subject>,
    #[serde(flatten)]
    paint: Paint,
}

#[derive(Serialize)]
struct Facts {
    /// The score of the box in the picture as it is, and as it is painted: IoU with the box times the confidence of its class, of the best
    /// prediction for it. `None` where no box is asked about.
    before: Option<f32>,
    after: Option<f32>,
    confidence: Option<f32>,
    /// Of the picture that is painted over, 0 to 1.
    share: f64,
    /// What is found in the picture as it is painted.
    detections: Vec<Found>,
}

impl Question for Painted {
    const NAME: &'static str = "paint";

    fn answer(self, studio: &mut Studio, asked: &Asking, _watch: &mut Watch) -> Result<Answer, Refusal> {
        let Asking { picture, view, .. } = asked;
        let model = studio.model(view)?;
        let options = studio.options(view)?;
        let (changed, share) = self.paint.over(&picture.content().load()?.picture)?;
        let (seen, _) = studio.seen(picture, view, false)?;
        let subject = self.subject.map(|subject| seen.subject(model, &subject, &options)).transpose()?;
        let (letterbox, outputs) = run(model, &changed, &options)?;
        let scores = subject.map(|subject| {
            let subjects = [subject];
            let tracker = Tracker::new(model, &subjects, &seen.outputs, Likeness::SameClass)?;
            let score = |outputs: &[tch::Tensor]| Ok::<f32, Refusal>(tracker.scores(outputs)?[0][0]);
            Ok::<_, Refusal>((score(&seen.outputs)?, score(&outputs)?, subjects[0].confidence))
        });
        let scores = scores.transpose()?;
        let found = detect(model, &outputs, &options.detect)?;
        let shown = jpeg_bytes(&shrunk(&changed, LARGE_SIDE), QUALITY)
            .map_err(|error| Refusal::fault(&format!("the picture cannot be sent: {error}")))?;
        let facts = Facts {
            before: scores.map(|(before, ..)| before),
            after: scores.map(|(_, after, _)| after),
            confidence: scores.map(|(.., confidence)| confidence),
            share,
            detections: Found::all(&found, model, &letterbox.map),
        };
        Ok(Answer::facts(&facts)?.with(shown))
    }
}

/// Runs the network on a changed picture, without gradients.
fn run(model: &Model, picture: &RgbImage, options: &ExplainOptions) -> Result<(Letterbox, Vec<tch::Tensor>), Refusal> {
    let letterbox = Letterbox::of(picture, model, options.img_size)?;
    let outputs = model.forward(&letterbox.tensor(model.device())?, &[])?.outputs;
    Ok((letterbox, outputs))
}
