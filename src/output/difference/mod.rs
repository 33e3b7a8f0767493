//! What `diff` leaves: a record of each picture, what all of them come to, and reports of it. A report is one file here and one line in
//! [`RecordedRun::REPORTS`]; `--report` takes their names.

mod csv;
mod html;
mod json;
mod page;
mod record;
mod summary;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::{
    record::{Change, Outcome, PictureDifference, Side, Thing},
    summary::{Summary, Summing},
};
use super::{RecordReport, RecordedRun, Sink};

/// Folder of the page's pictures, beside the page.
pub const FOLDER: &str = "diff-files";

/// What `diff` is, as a run that keeps records.
pub struct Difference;

impl RecordedRun for Difference {
    type Record = PictureDifference;
    type Findings<'a> = Findings<'a>;
    const REPORTS: &'static [&'static RecordReport<Self>] = &[&html::SPEC, &json::SPEC, &csv::SPEC];
}

/// What reports say of the run itself.
#[derive(Serialize, Deserialize)]
pub struct RunFacts {
    /// Paths of the old model and the new.
    pub models: [String; 2],
    /// When it was made.
    pub date: String,
    /// Names and values, as the page shows them.
    pub settings: Vec<(String, String)>,
    /// The command lines that explain a picture in the same way by either model, up to the picture.
    pub commands: [String; 2],
    /// The class of each model of each class of both, if it has it.
    pub own_classes: [Vec<Option<usize>>; 2],
    /// What noise is here, in words.
    pub noise: String,
    /// Whether there are labels.
    pub has_labels: bool,
    /// Names of the classes of both models.
    pub names: Vec<String>,
    /// Of bootstrap samples.
    pub seed: u64,
}

/// What came out of a run.
pub struct Findings<'a> {
    pub run: &'a RunFacts,
    pub summary: &'a Summary,
    /// Of the classes of both models.
    pub names: &'a [String],
    /// Pictures and errors.
    pub failed: &'a [(String, String)],
    /// All that the figures depend on.
    pub settings: &'a Map<String, Value>,
}
