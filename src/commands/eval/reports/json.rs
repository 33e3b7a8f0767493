//! `eval.json`: all figures, with the curves of each box.

use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;
use serde_json::{Map, Value};
use yolo_cam::{
    eval::{Explainer, Row},
    report::write_value,
};

use super::{CaseEntry, CheckMean, EvalReportSpec, Findings, ModuleMean, Sink};

pub const SPEC: EvalReportSpec =
    EvalReportSpec { extension: "json", open: |path, findings| Box::new(Json { path, findings, cases: Vec::new() }) };

struct Json<'a> {
    path: PathBuf,
    findings: &'a Findings<'a>,
    cases: Vec<CaseEntry<'a>>,
}

impl<'a> Sink<CaseEntry<'a>> for Json<'a> {
    fn take(&mut self, entry: &CaseEntry<'a>) {
        self.cases.push(*entry);
    }

    fn close(self: Box<Self>) -> Result<()> {
        let Findings { summary, truth, randomized, class_checks, pictures, failed, run, settings, .. } = self.findings;
        let report = EvalReport {
            schema: 1,
            tool: concat!("yolo-cam ", env!("CARGO_PKG_VERSION")),
            model: &run.model,
            settings,
            truth,
            pictures: *pictures,
            recommendation: &summary.recommendation,
            rows: &summary.rows,
            randomization: randomized
                .iter()
                .map(|(explainer, modules)| RandomizationReport { explainer, modules })
                .collect(),
            class_checks: class_checks
                .iter()
                .map(|(explainer, checks)| ClassCheckReport { explainer, checks })
                .collect(),
            failed: failed.iter().map(|(image, error)| Failed { image, error }).collect(),
            cases: self.cases,
        };
        Ok(write_value(&self.path, &report)?)
    }
}

/// What `eval.json` holds.
#[derive(Serialize)]
struct EvalReport<'a> {
    schema: u32,
    tool: &'static str,
    model: &'a str,
    settings: &'a Map<String, Value>,
    truth: &'a str,
    pictures: usize,
    recommendation: &'a str,
    rows: &'a [Row],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    randomization: Vec<RandomizationReport<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    class_checks: Vec<ClassCheckReport<'a>>,
    failed: Vec<Failed<'a>>,
    /// With their curves.
    cases: Vec<CaseEntry<'a>>,
}

#[derive(Serialize)]
struct RandomizationReport<'a> {
    explainer: &'a Explainer,
    modules: &'a [ModuleMean],
}

#[derive(Serialize)]
struct ClassCheckReport<'a> {
    explainer: &'a Explainer,
    checks: &'a [CheckMean],
}

#[derive(Serialize)]
struct Failed<'a> {
    image: &'a str,
    error: &'a str,
}
