//! What `diagnose` leaves: a record of each picture, what all of them come to, and reports of it. A report is one file here and one line in
//! [`RecordedRun::REPORTS`]; `--report` takes their names.

mod coco;
mod csv;
mod fiftyone;
mod html;
mod json;
mod page;
mod record;
mod summary;
mod words;

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::{
    record::{Case, FoundBox, LEAST_CONFIDENCE, PictureRecord},
    summary::{Summary, Summing},
    words::told,
};
use super::{RecordReport, RecordedRun, Sink, reports::Heading};

/// Folder of the page's pictures, beside the page.
pub const FOLDER: &str = "diagnose-files";

/// What `diagnose` is, as a run that keeps records.
pub struct Diagnosis;

impl RecordedRun for Diagnosis {
    type Record = PictureRecord;
    type Findings<'a> = Findings<'a>;
    const REPORTS: &'static [&'static RecordReport<Self>] =
        &[&html::SPEC, &json::SPEC, &csv::SPEC, &coco::SPEC, &fiftyone::SPEC];
}

/// What reports say of the run itself.
#[derive(Serialize, Deserialize)]
pub struct RunFacts {
    /// Path of the model.
    pub model: String,
    pub heading: Heading,
    /// Names and values, as the page shows them.
    pub settings: Vec<(String, String)>,
    /// The command line that explains a picture in the same way, up to the picture.
    pub command: String,
    /// Cases are what is found with more confidence than this.
    pub least_confidence: f32,
    /// What a result file of COCO's calls the classes.
    pub category_ids: Vec<Value>,
    /// Names of the classes.
    pub names: Vec<String>,
    /// Of bootstrap samples.
    pub seed: u64,
}

/// What came out of a run. The records of the pictures, which sinks take, are without the boxes that were found.
pub struct Findings<'a> {
    pub run: &'a RunFacts,
    pub summary: &'a Summary,
    /// Of the classes.
    pub names: &'a [String],
    /// Pictures and errors.
    pub failed: &'a [(String, String)],
    /// All that the figures depend on.
    pub settings: &'a Map<String, Value>,
    /// The journal, which has all boxes.
    pub records: &'a Path,
}
