//! Reports of what was measured. A report is one file here and one line in [`REPORTS`].

mod csv;
mod html;
mod json;
mod page;

use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Map, Value};
use yolo_cam::eval::{Case, Explainer, Summary};

pub use self::page::{CaseGroup, ModuleMean};
use super::{super::noun::Noun, cases::CasePictures};
use crate::output::Sink;

/// All reports. All are written.
pub static REPORTS: &[EvalReportSpec] = &[html::SPEC, json::SPEC, csv::SPEC];

/// A report.
pub struct EvalReportSpec {
    /// Of its file, which is called like the command.
    pub extension: &'static str,
    /// Begins the file.
    pub open: for<'a> fn(PathBuf, &'a Findings<'a>) -> Box<dyn Sink<CaseEntry<'a>> + 'a>,
}

/// What came out of a run.
pub struct Findings<'a> {
    pub summary: Summary,
    /// What the figures about boxes are measured against.
    pub truth: String,
    /// Of the methods whose weights were randomised.
    pub randomized: Vec<(Explainer, Vec<ModuleMean>)>,
    /// How many there are.
    pub pictures: usize,
    /// Pictures and errors.
    pub failed: &'a [(String, String)],
    /// Path of the model.
    pub model: &'a str,
    /// What it finds.
    pub noun: Noun,
    /// All that the figures depend on.
    pub settings: &'a Map<String, Value>,
    pub cases: &'a CasePictures,
}

/// A box and an explainer. Reports take them by picture, box and rank of the explainer.
#[derive(Clone, Copy, Serialize)]
pub struct CaseEntry<'a> {
    pub explainer: &'a Explainer,
    #[serde(flatten)]
    pub case: &'a Case,
    /// After how many of the modules were randomised the network no longer found the box; `None` if none were.
    #[serde(rename = "randomized_lost", skip_serializing_if = "Option::is_none")]
    pub lost: Option<usize>,
}
