//! What a detector made of a place that was asked for, as data.

use serde::Serialize;

use super::prediction::{Frame, PredictionEntry};
use crate::{
    detect::{Candidate, Fate, Query, Spot, Trial, Winner},
    geometry::{BBox, LetterboxMap},
    model::Model,
};

/// A place that was asked for, and what the detector made of it.
#[derive(Debug, Clone, Serialize)]
pub struct QueryEntry {
    /// The point that was asked for, x and y in pixels of the picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub point_image: Option<[f32; 2]>,
    /// The box that was asked for, in pixels of the picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub box_image: Option<BBox>,
    /// The class that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_id: Option<usize>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Strongest first; the first is explained.
    pub candidates: Vec<CandidateEntry>,
    /// What is there at other sizes of the input; `None` if none was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sizes: Option<Vec<TrialEntry>>,
}

/// A prediction for the place.
#[derive(Debug, Clone, Serialize)]
pub struct CandidateEntry {
    /// The prediction.
    #[serde(flatten)]
    pub prediction: PredictionEntry,
    /// How well its box fits the one that was drawn, 0 to 1; 1 of a point.
    pub fit: f32,
    /// IoU of its box with the one that was drawn; `None` of a point.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iou: Option<f32>,
    /// What became of it.
    #[serde(flatten)]
    pub fate: FateEntry,
    /// The best class of the same prediction, if that is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub winner: Option<WinnerEntry>,
}

/// A prediction as one of its best class.
#[derive(Debug, Clone, Serialize)]
pub struct WinnerEntry {
    /// The prediction.
    #[serde(flatten)]
    pub prediction: PredictionEntry,
    /// What became of it.
    #[serde(flatten)]
    pub fate: FateEntry,
}

/// What became of a prediction.
#[derive(Debug, Clone, Default, Serialize)]
pub struct FateEntry {
    /// [`Fate::name`].
    pub outcome: &'static str,
    /// Of a detection its place in the order of confidence, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    /// The confidence that it does not exceed, or the IoU that it exceeds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f32>,
    /// How many more confident ones there may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most: Option<usize>,
    /// The box that suppressed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<PredictionEntry>,
    /// IoU with that box.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_iou: Option<f32>,
}

/// What is at the place at another size of the input.
#[derive(Debug, Clone, Serialize)]
pub struct TrialEntry {
    /// Longest side of the input in pixels.
    pub img_size: u32,
    /// The strongest candidate; `None` if there is none.
    pub best: Option<CandidateEntry>,
    /// Why the network can't run at this size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Frame<'_> {
    fn fate(self, fate: &Fate) -> FateEntry {
        let entry = FateEntry { outcome: fate.name(), ..FateEntry::default() };
        match fate {
            &Fate::Detected { index } => FateEntry { index: Some(index), ..entry },
            &Fate::Threshold { least } => FateEntry { threshold: Some(least), ..entry },
            &Fate::Crowded { most } | &Fate::Surplus { most } => FateEntry { most: Some(most), ..entry },
            Fate::Suppressed { by, iou, limit } => {
                FateEntry { by: Some(self.prediction(by)), by_iou: Some(*iou), threshold: Some(*limit), ..entry }
            }
            Fate::BetterClass | Fate::Unwanted | Fate::EmptyMask => entry,
        }
    }

    fn candidate(self, candidate: &Candidate) -> CandidateEntry {
        let winner = |Winner { detection, fate }: &Winner| WinnerEntry {
            prediction: self.prediction(detection),
            fate: self.fate(fate),
        };
        CandidateEntry {
            prediction: self.prediction(&candidate.detection),
            fit: candidate.fit,
            iou: candidate.iou,
            fate: self.fate(&candidate.fate),
            winner: candidate.winner.as_ref().map(winner),
        }
    }
}

impl CandidateEntry {
    /// `map`: how the picture lies in the input.
    pub fn new(candidate: &Candidate, model: &Model, map: &LetterboxMap) -> Self {
        Frame { model, map }.candidate(candidate)
    }
}

impl QueryEntry {
    /// `query`: in pixels of the picture.
    pub(super) fn new(query: &Query, candidates: &[Candidate], frame: Frame) -> Self {
        let (point_image, box_image) = match query.spot {
            Spot::Point(point) => (Some(point), None),
            Spot::Box(drawn) => (None, Some(drawn)),
        };
        Self {
            point_image,
            box_image,
            class_id: query.class_id,
            class: query.class_id.map(|class| frame.model.names()[class].clone()),
            candidates: candidates.iter().map(|candidate| frame.candidate(candidate)).collect(),
            sizes: None,
        }
    }
}

impl TrialEntry {
    /// `trial`: what is there at this size, or why nothing is known; `model`: that of the trial.
    pub fn new(img_size: u32, trial: Result<&Trial, &String>, model: &Model) -> Self {
        let best = trial
            .ok()
            .and_then(|Trial { map, best, .. }| best.as_ref().map(|best| CandidateEntry::new(best, model, map)));
        Self { img_size, best, error: trial.err().cloned() }
    }
}
