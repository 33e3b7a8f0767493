//! What all pictures of a run come to, and its reports.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use anyhow::{Result, ensure};
use serde_json::{Map, Value};
use yolo_cam::eval::{Cost, Explainer, Randomized, Sample, Summary, bootstrap};

use super::{
    super::{noun::Noun, session::exit},
    cases::CasePictures,
    checks::check_means,
    facts::{RunFacts, SubjectFacts},
    measure::PictureFigures,
    reports::{CaseCheck, CaseEntry, CheckMean, Correlations, Findings, ModuleMean, REPORTS},
    table,
};
use crate::{cli::Verbosity, exit::Exit};

/// All that was measured.
pub struct Measurements<'a> {
    pub facts: &'a RunFacts,
    /// Of the results.
    pub folder: &'a Path,
    /// All that figures depend on, but for the pictures and the explainers.
    pub settings: &'a Map<String, Value>,
    pub verbosity: Verbosity,
    pub records: Vec<PictureFigures>,
    /// Pictures and errors.
    pub failed: Vec<(String, String)>,
    pub is_interrupted: bool,
    /// Of the best and worst cases, beside the page.
    pub pictures: CasePictures,
}

impl<'a> Measurements<'a> {
    /// Nothing yet.
    pub fn new(facts: &'a RunFacts, folder: &'a Path, settings: &'a Map<String, Value>, verbosity: Verbosity) -> Self {
        let pictures = CasePictures::new(folder.join(format!("{}-files", facts.name)));
        let (records, failed) = (Vec::new(), Vec::new());
        Self { facts, folder, settings, verbosity, records, failed, is_interrupted: false, pictures }
    }

    /// Adds a picture that failed. `false` if it has failed in the same way before: all methods do.
    pub fn fail(&mut self, failure: (String, String)) -> bool {
        let is_new = !self.failed.contains(&failure);
        if is_new {
            self.failed.push(failure);
        }
        is_new
    }

    /// How a run ends that has measured all this.
    pub fn exit(&self) -> Exit {
        exit(self.is_interrupted, !self.failed.is_empty())
    }

    /// Writes the reports, and tells the result.
    pub fn close(mut self) -> Exit {
        self.failed.sort();
        // Whatever was done first.
        let place = |record: &PictureFigures| {
            self.facts.subjects.iter().position(|subject| subject.explainer == record.explainer)
        };
        self.records.sort_by(|a, b| (&a.image, place(a)).cmp(&(&b.image, place(b))));
        let pictures: HashSet<&str> = self.records.iter().map(|record| record.image.as_str()).collect();
        let pictures = pictures.len();
        let exit = self.exit();
        let samples: Vec<Sample> = self.facts.subjects.iter().map(|subject| self.sample(subject)).collect();
        let missing: Vec<String> = samples
            .iter()
            .filter(|sample| sample.cases.is_empty())
            .map(|sample| sample.explainer.to_string())
            .collect();
        let Some(summary) = Summary::new(samples, self.facts.seed) else {
            let failed = self.failed.iter().map(|(image, _)| image).collect::<HashSet<_>>().len();
            let why = match exit {
                _ if self.is_interrupted => "; --skip-existing goes on".to_owned(),
                Exit::SomeFailed => format!(", and {failed} failed"),
                _ if pictures == 0 => "; --img-path names none".to_owned(),
                _ => "; --conf-thres may be too high".to_owned(),
            };
            // What failed has its line already; this one closes the run.
            let kind = if self.failed.is_empty() { "error: " } else { "" };
            say!("{kind}no {} was measured by all methods in {pictures} pictures{why}", self.facts.noun.one());
            return if self.is_interrupted { exit } else { Exit::SomeFailed };
        };
        if !missing.is_empty() {
            say!("warning: left out, since no {} was measured: {}", self.facts.noun.one(), missing.join("; "));
        }
        let has_no_maps = self.tell_missing();
        let randomized = summary.rows.iter().map(|row| (row.explainer.clone(), self.randomized(&row.explainer)));
        let randomized = randomized.filter(|(_, modules)| !modules.is_empty()).collect();
        let class_checks = summary.rows.iter().map(|row| (row.explainer.clone(), self.class_checks(&row.explainer)));
        let class_checks = class_checks.filter(|(_, checks)| !checks.is_empty()).collect();
        let findings = Findings {
            summary,
            truth: self.truth(),
            randomized,
            class_checks,
            pictures,
            failed: &self.failed,
            run: self.facts,
            settings: self.settings,
            cases: &self.pictures,
        };
        // What was measured is shown whatever can't be written.
        let written = [self.write(&findings), self.show(&findings)];
        let problems = written.into_iter().filter_map(Result::err).map(|error| say!("error: {error:#}")).count();
        if (problems > 0 || has_no_maps) && exit == Exit::Fine { Exit::SomeFailed } else { exit }
    }

    /// Tells of how many boxes other programs have no map; whether one has none at all.
    fn tell_missing(&self) -> bool {
        let mut has_none = false;
        for SubjectFacts { explainer, .. } in &self.facts.subjects {
            let own = || self.records.iter().filter(|record| record.explainer == *explainer);
            let missing: usize = own().map(|record| record.missing).sum();
            let boxes: usize = own().map(|record| record.cases.len()).sum();
            if missing > 0 {
                let all = self.facts.noun.counted(boxes);
                say!("warning: {missing} of {all} have no map among the {explainer}: they count as maps of zeros");
            }
            has_none |= missing > 0 && missing == boxes;
        }
        has_none
    }

    fn sample(&self, SubjectFacts { explainer, flags }: &SubjectFacts) -> Sample {
        let records = || self.records.iter().filter(|record| record.explainer == *explainer);
        let costs: Vec<Cost> = records().filter(|record| !record.cases.is_empty()).map(|record| record.cost).collect();
        Sample {
            explainer: explainer.clone(),
            recipe: flags.clone(),
            cases: records().flat_map(|record| record.cases.iter().cloned()).collect(),
            costs: if matches!(explainer, Explainer::Method { .. }) { costs } else { Vec::new() },
        }
    }

    fn truth(&self) -> String {
        let Some(labels) = &self.facts.labels else {
            return match self.facts.noun {
                Noun::Box => "the model's own boxes (no --labels given)".to_owned(),
                Noun::Class => "nothing, as the model predicts no boxes (no --labels given)".to_owned(),
            };
        };
        let own = match self.facts.noun {
            Noun::Box => "the model's own boxes, and against ",
            Noun::Class => "",
        };
        let pictures = |records: &mut dyn Iterator<Item = &PictureFigures>| {
            records.map(|record| record.image.as_str()).collect::<HashSet<_>>().len()
        };
        let all = pictures(&mut self.records.iter());
        let with = pictures(&mut self.records.iter().filter(|record| record.has_labels == Some(true)));
        format!("{own}the labels {labels} ({with} of {all} pictures have some)")
    }

    fn records_of(&self, explainer: &Explainer) -> Vec<&PictureFigures> {
        self.records.iter().filter(|record| record.explainer == *explainer).collect()
    }

    /// For each module, what is left of the maps of all boxes.
    fn randomized(&self, explainer: &Explainer) -> Vec<ModuleMean> {
        let records = self.records_of(explainer);
        let with: Vec<&[Randomized]> =
            records.iter().map(|record| record.randomized.as_slice()).filter(|list| !list.is_empty()).collect();
        let Some(first) = with.first() else { return Vec::new() };
        let mean = |(place, module): (usize, &Randomized)| {
            let all = || with.iter().filter_map(|list| list.get(place));
            let of = |part: fn(&Randomized) -> &Vec<Option<f64>>| {
                let values: Vec<f64> = all().flat_map(part).copied().flatten().collect();
                bootstrap(&values, self.facts.seed)
            };
            let (correlation, inside) = (of(|module| &module.correlations), of(|module| &module.inside));
            let lost = all().flat_map(|module| &module.lost).filter(|&&is_lost| is_lost).count();
            let empty = all().flat_map(|module| module.lost.iter().zip(&module.correlations));
            let empty = empty.filter(|(is_lost, correlation)| !**is_lost && correlation.is_none()).count();
            ModuleMean { module: module.module.clone(), maps: Correlations { correlation, inside, lost, empty } }
        };
        first.iter().enumerate().map(mean).collect()
    }

    /// Whether the maps of all boxes depend on class and box.
    fn class_checks(&self, explainer: &Explainer) -> Vec<CheckMean> {
        let records = self.records_of(explainer);
        let checks: Vec<_> = records.iter().flat_map(|record| &record.class_checks).collect();
        check_means(&checks, self.facts.seed)
    }

    fn name_of(&self, class: Option<usize>) -> Option<&str> {
        self.facts.classes.get(class?).map(String::as_str)
    }

    pub fn path(&self, extension: &str) -> PathBuf {
        self.folder.join(format!("{}.{extension}", self.facts.name))
    }

    /// All of the reports that can be written. The error names those that can't.
    fn write(&self, findings: &Findings) -> Result<()> {
        let rank = |explainer: &Explainer| findings.summary.rows.iter().position(|row| row.explainer == *explainer);
        let entries = self.records.iter().flat_map(|record| {
            let PictureFigures { explainer, cases, randomized, class_checks, .. } = record;
            cases.iter().map(move |case| {
                let check = class_checks.get(case.index);
                let class_check = check.map(|check| CaseCheck { swapped_class: self.name_of(check.partner), check });
                CaseEntry { explainer, case, class_check, lost: modules_that_lose(randomized, case.index) }
            })
        });
        let mut cases: Vec<CaseEntry> = entries.collect();
        cases.sort_by_key(|entry| (&entry.case.image, entry.case.index, rank(entry.explainer)));
        let mut problems = Vec::new();
        for report in REPORTS {
            let mut sink = (report.open)(self.path(report.extension), findings);
            cases.iter().for_each(|entry| sink.take(entry));
            problems.extend(sink.close().err().map(|error| format!("{error:#}")));
        }
        ensure!(problems.is_empty(), "{}", problems.join("; "));
        Ok(())
    }

    /// To stdout the figures, to stderr where the reports are.
    fn show(&self, findings: &Findings) -> Result<()> {
        table::show(findings)?;
        if self.verbosity >= Verbosity::Normal {
            let files: Vec<_> =
                REPORTS.iter().map(|report| self.path(report.extension).display().to_string()).collect();
            say!("reports: {}", files.join(", "));
            if self.is_interrupted {
                say!("interrupted: these are the figures so far; --skip-existing goes on");
            }
        }
        Ok(())
    }
}

/// After how many of the modules the network no longer finds a box of the picture; `None` if none was randomised.
fn modules_that_lose(randomized: &[Randomized], index: usize) -> Option<usize> {
    let lost = randomized.iter().filter(|module| module.lost.get(index) == Some(&true));
    (!randomized.is_empty()).then(|| lost.count())
}
