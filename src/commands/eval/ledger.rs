//! Keeps what was measured, and reports it.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    path::PathBuf,
};

use anyhow::{Result, ensure};
use image::RgbImage;
use yolo_cam::{
    Model, Target,
    eval::{Cost, Explainer, Randomized, Sample, Summary, bootstrap},
};

use super::{
    super::{noun::Noun, records::Records, session::Attempt},
    cases::CasePictures,
    checks::check_means,
    measure::{MeasureOutcome, Measured, PictureFigures, Subject},
    reports::{CaseCheck, CaseEntry, CheckMean, Correlations, Findings, ModuleMean, REPORTS},
    table,
};
use crate::{
    cli::{EvalCommand, Verbosity},
    exit::Exit,
    progress::Meter,
};

pub struct EvalLedger<'a> {
    command: &'a EvalCommand,
    subjects: &'a [Subject],
    /// Path of the model.
    model: String,
    /// Names of its classes.
    classes: Vec<String>,
    noun: Noun,
    /// What is explained of its boxes.
    target: Target,
    journal: Records<PictureFigures>,
    meter: &'a Meter,
    records: Vec<PictureFigures>,
    /// Pictures and errors.
    failed: Vec<(String, String)>,
    interrupted: bool,
    /// Whether what an earlier run reported is still there, and is to go.
    is_stale: bool,
    /// Pictures of the best and worst cases so far, beside the page.
    pictures: CasePictures,
}

impl<'a> EvalLedger<'a> {
    pub fn new(
        command: &'a EvalCommand,
        subjects: &'a [Subject],
        model: &Model,
        journal: Records<PictureFigures>,
        earlier: Vec<PictureFigures>,
        meter: &'a Meter,
    ) -> Self {
        let folder = command.pictures.output_dir.join(format!("{}-files", command.name));
        let mut pictures = CasePictures::new(folder);
        earlier.iter().for_each(|record| pictures.know(&record.explainer, &record.cases));
        let (records, failed) = (earlier, Vec::new());
        let is_stale = !command.skip_existing;
        Self {
            command,
            subjects,
            model: model.path().display().to_string(),
            classes: model.names().to_vec(),
            noun: Noun::of(model),
            target: command.target.of(model),
            journal,
            meter,
            records,
            failed,
            interrupted: false,
            is_stale,
            pictures,
        }
    }

    pub fn take(&mut self, outcome: MeasureOutcome) {
        let MeasureOutcome { image, subject, state } = outcome;
        match state {
            Attempt::Done(Measured { record, pictures }) => {
                if let Err(error) = self.keep(&record, pictures) {
                    self.fail(&image, format!("{error:#}"));
                }
                let boxes = record.cases.len();
                if self.command.verbosity >= Verbosity::Verbose {
                    self.meter.say(&format!(
                        "{image}: {}: {} measured",
                        self.subjects[subject].explainer,
                        self.noun.counted(boxes)
                    ));
                }
                if matches!(record.explainer, Explainer::Maps { .. }) {
                    self.tell_reasons(&record);
                }
                self.records.push(record);
            }
            Attempt::Failed(error) => self.fail(&image, format!("{error:#}")),
            Attempt::Interrupted => self.interrupted = true,
        }
    }

    /// Tells which maps of another program say nothing, or are not there.
    fn tell_reasons(&self, record: &PictureFigures) {
        let mut boxes: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for case in &record.cases {
            if let Some(reason) = &case.reason {
                boxes.entry(reason).or_default().push(case.index.to_string());
            }
        }
        for (reason, indices) in boxes {
            let what = if indices.len() == 1 { self.noun.one() } else { self.noun.many() };
            self.meter.say(&format!("warning: {}: {what} {}: {reason}", record.image, indices.join(", ")));
        }
    }

    /// Tells of how many boxes other programs have no map; whether one has none at all.
    fn tell_missing(&self) -> bool {
        let mut has_none = false;
        for Subject { explainer, .. } in self.subjects {
            let own = || self.records.iter().filter(|record| record.explainer == *explainer);
            let missing: usize = own().map(|record| record.missing).sum();
            let boxes: usize = own().map(|record| record.cases.len()).sum();
            if missing > 0 {
                let all = self.noun.counted(boxes);
                say!("warning: {missing} of {all} have no map among the {explainer}: they count as maps of zeros");
            }
            has_none |= missing > 0 && missing == boxes;
        }
        has_none
    }

    /// Pictures first: a run that goes on does not draw what the journal has.
    fn keep(&mut self, record: &PictureFigures, pictures: Vec<(usize, RgbImage)>) -> Result<()> {
        if std::mem::take(&mut self.is_stale) {
            REPORTS.iter().for_each(|report| _ = fs::remove_file(self.path(report.extension)));
            self.pictures.remove_all()?;
        }
        self.pictures.create_folder()?;
        for (index, picture) in pictures {
            self.pictures.add(&record.explainer, &record.cases[index], &picture)?;
        }
        self.journal.add(record)
    }

    /// Tells of a picture that failed, once where all methods fail in the same way.
    fn fail(&mut self, image: &str, error: String) {
        let failure = (image.to_owned(), error);
        if !self.failed.contains(&failure) {
            self.meter.say(&format!("error: {}", failure.1));
            self.failed.push(failure);
        }
    }

    /// Writes the reports, and tells the result.
    pub fn close(mut self, is_stopped: bool) -> Result<Exit> {
        self.interrupted |= is_stopped;
        self.meter.clear();
        self.failed.sort();
        let pictures: HashSet<&str> = self.records.iter().map(|record| record.image.as_str()).collect();
        let pictures = pictures.len();
        let exit = match self {
            Self { interrupted: true, .. } => Exit::Interrupted,
            _ if self.failed.is_empty() => Exit::Fine,
            _ => Exit::SomeFailed,
        };
        let seed = self.command.curves.seed;
        let samples: Vec<Sample> = self.subjects.iter().map(|subject| self.sample(subject)).collect();
        let missing: Vec<String> = samples
            .iter()
            .filter(|sample| sample.cases.is_empty())
            .map(|sample| sample.explainer.to_string())
            .collect();
        let Some(summary) = Summary::new(samples, seed) else {
            let failed = self.failed.iter().map(|(image, _)| image).collect::<HashSet<_>>().len();
            let why = match exit {
                Exit::Interrupted => "; --skip-existing goes on".to_owned(),
                Exit::SomeFailed => format!(", and {failed} failed"),
                _ if pictures == 0 => "; --img-path names none".to_owned(),
                _ => "; --conf-thres may be too high".to_owned(),
            };
            // What failed has its line already; this one closes the run.
            let kind = if self.failed.is_empty() { "error: " } else { "" };
            say!("{kind}no {} was measured by all methods in {pictures} pictures{why}", self.noun.one());
            return Ok(if self.interrupted { Exit::Interrupted } else { Exit::SomeFailed });
        };
        if !missing.is_empty() {
            say!("warning: left out, since no {} was measured: {}", self.noun.one(), missing.join("; "));
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
            model: &self.model,
            noun: self.noun,
            settings: self.journal.settings(),
            cases: &self.pictures,
        };
        // What was measured is shown whatever can't be written.
        let written = [self.write(&findings), self.show(&findings)];
        let problems = written.into_iter().filter_map(Result::err).map(|error| say!("error: {error:#}")).count();
        Ok(if (problems > 0 || has_no_maps) && exit == Exit::Fine { Exit::SomeFailed } else { exit })
    }

    fn sample(&self, Subject { explainer, flags, .. }: &Subject) -> Sample {
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
        let Some(labels) = &self.command.labels else {
            return match self.noun {
                Noun::Box => "the model's own boxes (no --labels given)".to_owned(),
                Noun::Class => "nothing, as the model predicts no boxes (no --labels given)".to_owned(),
            };
        };
        let own = match self.noun {
            Noun::Box => "the model's own boxes, and against ",
            Noun::Class => "",
        };
        let pictures = |records: &mut dyn Iterator<Item = &PictureFigures>| {
            records.map(|record| record.image.as_str()).collect::<HashSet<_>>().len()
        };
        let all = pictures(&mut self.records.iter());
        let with = pictures(&mut self.records.iter().filter(|record| record.has_labels == Some(true)));
        format!("{own}the labels {} ({with} of {all} pictures have some)", labels.display())
    }

    /// What was measured of an explainer, in the same order whatever was done first.
    fn records_of(&self, explainer: &Explainer) -> Vec<&PictureFigures> {
        let mut records: Vec<_> = self.records.iter().filter(|record| record.explainer == *explainer).collect();
        records.sort_by(|a, b| a.image.cmp(&b.image));
        records
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
                bootstrap(&values, self.command.curves.seed)
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
        check_means(&checks, self.command.curves.seed)
    }

    fn name_of(&self, class: Option<usize>) -> Option<&str> {
        self.classes.get(class?).map(String::as_str)
    }

    fn path(&self, extension: &str) -> PathBuf {
        self.command.pictures.output_dir.join(format!("{}.{extension}", self.command.name))
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
        table::show(findings, self.target, &self.command.curves)?;
        if self.command.verbosity >= Verbosity::Normal {
            let files: Vec<_> =
                REPORTS.iter().map(|report| self.path(report.extension).display().to_string()).collect();
            say!("reports: {}", files.join(", "));
            if self.interrupted {
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
