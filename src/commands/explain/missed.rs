//! What is said of a place that the user points at: what the detector made of it, and what stopped each candidate.

use yolo_cam::{
    Model,
    detect::{Candidate, Query, Spot, Trial},
    geometry::LetterboxMap,
};

use super::super::fate::FateWords;
use crate::cli::numbers_of;

/// The least confidence at which the packages take boxes when they measure a model: what is weaker is noise.
const NOISE: f32 = 0.001;

/// A place that was asked for, and all that is needed to tell of it.
pub struct Answer<'a> {
    pub image: &'a str,
    pub model: &'a Model,
    pub query: &'a Query,
    /// How the picture lies in the input.
    pub map: &'a LetterboxMap,
    /// Strongest first.
    pub candidates: &'a [Candidate],
    /// At other sizes of the input, or why the network can't run there.
    pub trials: &'a [(u32, Result<Trial, String>)],
    /// The number of `--top`, if the user gave it.
    pub top: Option<usize>,
}

/// A candidate in columns.
struct Row {
    confidence: String,
    class: String,
    iou: String,
    corners: String,
    fate: String,
}

fn is_noise(candidate: &Candidate) -> bool {
    candidate.strength() < NOISE
}

impl Answer<'_> {
    /// A line with the answer in short, for who wants no more.
    pub fn in_short(&self) -> String {
        let first = match self.candidates {
            [] => self.nothing_at_all(),
            [first, ..] if is_noise(first) => {
                format!("nothing {}: the strongest candidate, {}", self.place(), self.told(first))
            }
            [first, ..] => format!("strongest {}: {}", self.place(), self.told(first)),
        };
        let found = self.finding_size().map(|size| format!("; --img-size {size} finds it")).unwrap_or_default();
        format!("query: {}: {first}{found}", self.image)
    }

    /// All of it: a line that says what follows, a line for each candidate and for each size that was tried, and what to do.
    pub fn in_full(&self) -> Vec<String> {
        let count = match self.candidates.len() {
            1 => "1 candidate".to_owned(),
            count => format!("{count} candidates"),
        };
        let head = match self.candidates {
            [] => self.nothing_at_all(),
            [first, ..] if is_noise(first) => {
                format!("nothing {}: of {count} none is stronger than noise; the first is explained", self.place())
            }
            [_, ..] => format!("{count} {}, strongest first; the first is explained", self.place()),
        };
        let mut lines = vec![format!("query: {}: {head}", self.image)];
        lines.extend(self.table());
        lines.extend(self.trials.iter().map(|(size, trial)| {
            let told = match trial {
                Ok(Trial { best: Some(best), .. }) => self.told(best),
                Ok(Trial { best: None, .. }) => "nothing there".to_owned(),
                Err(problem) => format!("cannot run: {problem}"),
            };
            format!("  at --img-size {size}: {told}")
        }));
        match self.finding_size() {
            Some(size) => lines.push(format!("  --img-size {size} finds it")),
            None if self.is_found() => {}
            None if !self.trials.is_empty() => lines.push("  no size that was tried finds it".to_owned()),
            None if self.model.fixed_size().is_some() => {}
            None => lines.push("  --try-sizes looks whether an input of another size finds it".to_owned()),
        }
        lines
    }

    /// `of person at the box 60,100,500,420`
    fn place(&self) -> String {
        let what = match self.query.spot {
            Spot::Point(_) => "point",
            Spot::Box(_) => "box",
        };
        let class = self.query.class_id.map(|class| format!("of {} ", self.name(class))).unwrap_or_default();
        format!("{class}at the {what} {}", numbers_of(&self.query.spot))
    }

    fn nothing_at_all(&self) -> String {
        format!("nothing {}: no prediction is about this place", self.place())
    }

    fn is_found(&self) -> bool {
        self.candidates.iter().any(Candidate::is_found)
    }

    /// The size at which the place has the most confident detection, if it has none as it is.
    fn finding_size(&self) -> Option<u32> {
        if self.is_found() {
            return None;
        }
        let best = |(size, trial): &(u32, Result<Trial, String>)| {
            let best = trial.as_ref().ok()?.best.as_ref().filter(|best| best.is_found())?;
            Some((*size, best.detection.confidence))
        };
        let found = self.trials.iter().filter_map(best).max_by(|a, b| a.1.total_cmp(&b.1));
        found.map(|(size, _)| size)
    }

    /// A candidate in words: `kite 0.0512, IoU 0.81: not above --conf-thres 0.4`
    fn told(&self, candidate: &Candidate) -> String {
        let iou = candidate.iou.map(|iou| format!(", IoU {iou:.2}")).unwrap_or_default();
        let words = self.words();
        format!("{}{iou}: {}", words.scored(&candidate.detection), words.of(candidate))
    }

    /// The candidates, in columns.
    fn table(&self) -> Vec<String> {
        let row = |candidate: &Candidate| {
            let Candidate { detection, iou, .. } = candidate;
            let b = detection.box_input.map(|b| <[f32; 4]>::from(self.map.to_image(&b)).map(f32::round));
            Row {
                confidence: format!("{:.4}", detection.confidence),
                class: self.name(detection.class_id).to_owned(),
                iou: iou.map(|iou| format!("  IoU {iou:.2}")).unwrap_or_default(),
                corners: b.map(|sides| sides.map(|side| side.to_string()).join(",")).unwrap_or_default(),
                fate: self.words().of(candidate),
            }
        };
        let rows: Vec<Row> = self.candidates.iter().map(row).collect();
        let widest = |column: fn(&Row) -> &str| rows.iter().map(|row| column(row).chars().count()).max().unwrap_or(0);
        let (class_width, corners_width) = (widest(|row| &row.class), widest(|row| &row.corners));
        let line = |Row { confidence, class, iou, corners, fate }: &Row| {
            format!("  {confidence}  {class:class_width$}{iou}  {corners:corners_width$}  {fate}")
        };
        rows.iter().map(line).collect()
    }

    fn words(&self) -> FateWords<'_> {
        FateWords { model: self.model, top: self.top }
    }

    fn name(&self, class: usize) -> &str {
        &self.model.names()[class]
    }
}
