//! What the detector makes of a place: the strongest candidates, and what became of each.

use serde::{Deserialize, Serialize};
use yolo_cam::{detect::Candidate, report::CandidateEntry};

use super::{
    super::{refusal::Refusal, studio::Studio, view::Place},
    Answer, Asking, Question, Watch,
    boxes::place,
};
use crate::commands::fate::FateWords;

#[derive(Deserialize)]
pub struct Asked {
    query: Place,
}

#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    entry: CandidateEntry,
    place: String,
    words: String,
}

#[derive(Serialize)]
struct Facts {
    candidates: Vec<Told>,
    /// Whether what was meant is detected.
    is_found: bool,
}

impl Question for Asked {
    const NAME: &'static str = "query";

    fn answer(self, studio: &mut Studio, asked: &Asking, _watch: &mut Watch) -> Result<Answer, Refusal> {
        let Asking { picture, view, .. } = asked;
        let (model, explorer) = (studio.model(view)?, studio.explorer);
        let options = studio.options(view)?;
        let (seen, _) = studio.seen(picture, view, false)?;
        let candidates = seen.candidates(model, &self.query, &options)?;
        let words = FateWords { model, top: explorer.command.detection.top };
        let told = |candidate: &Candidate| Told {
            entry: CandidateEntry::new(candidate, model, seen.map()),
            place: place(&candidate.detection),
            words: words.of(candidate),
        };
        Answer::facts(&Facts {
            is_found: candidates.first().is_some_and(Candidate::is_found),
            candidates: candidates.iter().map(told).collect(),
        })
    }
}
