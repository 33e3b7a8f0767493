//! Reports of what was measured. A report is one file here and one line in [`REPORTS`].

mod csv;
mod html;
mod json;
mod page;

use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Map, Value};
use yolo_cam::eval::{Case, ClassCheck, Explainer, Summary};

pub use self::page::{CaseGroup, CheckMean, Correlations, ModuleMean};
use super::{cases::CasePictures, facts::RunFacts};
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
    /// Of the same, whether the maps depend on class and box.
    pub class_checks: Vec<(Explainer, Vec<CheckMean>)>,
    /// How many there are.
    pub pictures: usize,
    /// Pictures and errors.
    pub failed: &'a [(String, String)],
    pub run: &'a RunFacts,
    /// All that the figures depend on.
    pub settings: &'a Map<String, Value>,
    pub cases: &'a CasePictures,
}

/// What the map of a box depends on.
#[derive(Clone, Copy, Serialize)]
pub struct CaseCheck<'a> {
    /// The name of [`ClassCheck::partner`].
    pub swapped_class: Option<&'a str>,
    #[serde(flatten)]
    pub check: &'a ClassCheck,
}

/// A box and an explainer. Reports take them by picture, box and rank of the explainer.
#[derive(Clone, Copy, Serialize)]
pub struct CaseEntry<'a> {
    pub explainer: &'a Explainer,
    #[serde(flatten)]
    pub case: &'a Case,
    /// Name of the class that its class was swapped with, and what became of its map; `None` if that was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_check: Option<CaseCheck<'a>>,
    /// After how many of the modules were randomised the network no longer found the box; `None` if none were.
    #[serde(rename = "randomized_lost", skip_serializing_if = "Option::is_none")]
    pub lost: Option<usize>,
}
