//! `diagnose.json`: all figures and all cases.

use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;
use serde_json::{Map, Value};
use yolo_cam::{geometry::BBox, labels::Label, report::write_value};

use super::{Case, Diagnosis, Findings, PictureRecord, RecordReport, Sink, Summary, record::kind_name, told};

pub const SPEC: RecordReport<Diagnosis> = RecordReport {
    name: "json",
    summary: "diagnose.json, all figures and cases",
    file: "diagnose.json",
    has_pictures: false,
    open: |path, findings| Box::new(Json { path, findings, cases: Vec::new() }),
};

struct Json<'a> {
    path: PathBuf,
    findings: &'a Findings<'a>,
    cases: Vec<CaseEntry>,
}

impl Sink<PictureRecord> for Json<'_> {
    fn take(&mut self, record: &PictureRecord) {
        let names = self.findings.names;
        let entry = |(index, case): (usize, &Case)| CaseEntry::new(record, index, case, names);
        self.cases.extend(record.cases.iter().enumerate().map(entry));
    }

    fn close(self: Box<Self>) -> Result<()> {
        let Findings { run, summary, names, failed, settings, .. } = self.findings;
        let report = Report {
            schema: 1,
            tool: concat!("yolo-cam ", env!("CARGO_PKG_VERSION")),
            model: &run.model,
            settings,
            classes: names,
            summary,
            suspicions_in_words: summary.suspicions.iter().map(|one| told(one, names)).collect(),
            failed: failed.iter().map(|(image, error)| Failed { image, error }).collect(),
            cases: self.cases,
        };
        Ok(write_value(&self.path, &report)?)
    }
}

#[derive(Serialize)]
struct Report<'a> {
    schema: u32,
    tool: &'static str,
    model: &'a str,
    settings: &'a Map<String, Value>,
    classes: &'a [String],
    #[serde(flatten)]
    summary: &'a Summary,
    suspicions_in_words: Vec<String>,
    failed: Vec<Failed<'a>>,
    cases: Vec<CaseEntry>,
}

#[derive(Serialize)]
struct Failed<'a> {
    image: &'a str,
    error: &'a str,
}

/// A case, with what is known of its label.
#[derive(Serialize)]
struct CaseEntry {
    image: String,
    index: usize,
    kind: &'static str,
    class: String,
    label_class: Option<String>,
    label_box: Option<BBox>,
    #[serde(flatten)]
    case: Case,
}

impl CaseEntry {
    fn new(record: &PictureRecord, index: usize, case: &Case, names: &[String]) -> Self {
        let label: Option<&Label> = case.label.and_then(|at| record.labels.get(at));
        Self {
            image: record.image.clone(),
            index,
            kind: kind_name(case.error),
            class: names[case.class_id].clone(),
            label_class: label.map(|label| names[label.class_id].clone()),
            label_box: label.map(|label| label.b),
            // The page's own files, and what is in the means.
            case: Case { portrait: None, map: None, ..case.clone() },
        }
    }
}
