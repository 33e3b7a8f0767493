//! `eval.html`: the figures as a page, with the best and the worst cases.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::Value;

use super::{
    CaseEntry, CaseGroup, EvalReportSpec, Findings, Sink,
    page::{EvalPage, write_eval_page},
};

pub const SPEC: EvalReportSpec =
    EvalReportSpec { extension: "html", open: |path, findings| Box::new(Page { path, findings }) };

struct Page<'a> {
    path: PathBuf,
    findings: &'a Findings<'a>,
}

impl<'a> Sink<CaseEntry<'a>> for Page<'a> {
    /// It shows the best and the worst alone, which have their pictures already.
    fn take(&mut self, _: &CaseEntry<'a>) {}

    fn close(self: Box<Self>) -> Result<()> {
        let Findings { summary, truth, randomized, class_checks, failed, cases, run, .. } = self.findings;
        let shown = summary.rows.iter().filter(|row| !row.explainer.is_baseline());
        let groups: Vec<CaseGroup> = shown.map(|row| cases.group(&row.explainer)).collect();
        let model = Path::new(&run.model);
        let name = model.file_name().unwrap_or(model.as_os_str()).to_string_lossy();
        let page = EvalPage {
            heading: &format!("{name} · {}", run.date),
            settings: &settings(self.findings),
            summary,
            cases: &groups,
            randomized: randomized.first().map_or(&[], |(_, modules)| modules.as_slice()),
            class_checks: class_checks.first().map_or(&[], |(_, checks)| checks.as_slice()),
            failed,
            noun: run.noun,
            truth,
        };
        Ok(write_eval_page(&self.path, &page)?)
    }
}

/// Names and values that the page shows.
fn settings(findings: &Findings) -> Vec<(String, String)> {
    let own =
        [("model".to_owned(), findings.run.model.clone()), ("pictures".to_owned(), findings.pictures.to_string())];
    let value = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let others = findings.settings.iter().filter(|(_, value)| !value.is_null());
    let program = findings.run.program.iter().cloned();
    program.chain(own).chain(others.map(|(name, of)| (name.replace('_', " "), value(of)))).collect()
}
