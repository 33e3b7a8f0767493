//! Keeps what was measured, and reports it.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use image::RgbImage;
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use yolo_cam::{
    Model, Target,
    eval::{Case, Cost, Explainer, Localization, Mean, Randomized, Sample, Summary, bootstrap},
    report::{
        CaseGroup, Cell, EvalPage, ModuleMean, url_segment, write_csv, write_eval_page, write_picture, write_value,
    },
};

use super::{
    super::lists::{print, write_table},
    journal::Journal,
    measure::{MeasureOutcome, MeasureState, Measured, PictureFigures, SHOWN, Subject},
};
use crate::{
    cli::{EvalCommand, Verbosity},
    exit::Exit,
    progress::Meter,
};

/// Digits of the hash in their names.
const HASH_LENGTH: usize = 16;

/// Quality of the pictures of cases.
const QUALITY: u8 = 85;

pub struct EvalLedger<'a> {
    command: &'a EvalCommand,
    subjects: &'a [Subject],
    /// Path of the model.
    model: String,
    /// What is explained of its boxes.
    target: Target,
    settings: Map<String, Value>,
    journal: Journal,
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

/// What came out of all records.
struct Findings {
    summary: Summary,
    /// What the figures about boxes are measured against.
    truth: String,
    /// Of the methods whose weights were randomised.
    randomized: Vec<(Explainer, Vec<ModuleMean>)>,
    pictures: usize,
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
    rows: &'a [yolo_cam::eval::Row],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    randomization: Vec<RandomizationReport<'a>>,
    failed: Vec<Failed<'a>>,
    /// With their curves.
    cases: Vec<CaseEntry<'a>>,
}

#[derive(Serialize)]
struct CaseEntry<'a> {
    explainer: &'a Explainer,
    #[serde(flatten)]
    case: &'a Case,
}

#[derive(Serialize)]
struct RandomizationReport<'a> {
    explainer: &'a Explainer,
    modules: &'a [ModuleMean],
}

#[derive(Serialize)]
struct Failed<'a> {
    image: &'a str,
    error: &'a str,
}

/// A row of `eval.csv`: a box and an explainer.
#[derive(Default, Serialize)]
struct CaseRow {
    image: Cell,
    index: usize,
    class: Cell,
    confidence: f32,
    box_share: f64,
    method: Cell,
    layers: Cell,
    deletion: f64,
    insertion: f64,
    insertion_minus_deletion: f64,
    pointing_game: f64,
    energy_pointing_game: f64,
    object_discrimination_index: Option<f64>,
    labelled_pointing_game: Option<f64>,
    labelled_energy_pointing_game: Option<f64>,
    labelled_object_discrimination_index: Option<f64>,
    compactness: Option<f64>,
    sparsity: Option<f64>,
    reason: Option<Cell>,
}

impl CaseRow {
    fn new(explainer: &Explainer, case: &Case) -> Self {
        let (method, layers) = match explainer {
            Explainer::Method { name, layers } => (name.as_str(), layers.as_str()),
            Explainer::Gaussian => ("gaussian", ""),
            Explainer::Random => ("random", ""),
        };
        let figures = &case.figures;
        let labelled = figures.labelled;
        let of = |value: fn(Localization) -> f64| labelled.map(value);
        Self {
            image: case.image.as_str().into(),
            index: case.index,
            class: case.class.as_str().into(),
            confidence: case.confidence,
            box_share: case.box_share,
            method: method.into(),
            layers: layers.into(),
            deletion: figures.curves.deletion.area,
            insertion: figures.curves.insertion.area,
            insertion_minus_deletion: case.overall(),
            pointing_game: figures.detected.pointing_game,
            energy_pointing_game: figures.detected.energy_pointing_game,
            object_discrimination_index: figures.detected.object_discrimination_index,
            labelled_pointing_game: of(|labelled| labelled.pointing_game),
            labelled_energy_pointing_game: of(|labelled| labelled.energy_pointing_game),
            labelled_object_discrimination_index: labelled.and_then(|labelled| labelled.object_discrimination_index),
            compactness: figures.compactness,
            sparsity: figures.sparsity,
            reason: case.reason.clone().map(Cell::from),
        }
    }
}

/// The columns of the table on stdout.
const HEADS: [&str; 13] = [
    "RANK",
    "MAPS",
    "DELETION",
    "INSERTION",
    "INS-DEL [95 %]",
    "ABOVE GAUSSIAN [95 %]",
    "POINTING",
    "ENERGY PG",
    "ODI",
    "COMPACT",
    "SPARSE",
    "COST",
    "EMPTY",
];

impl<'a> EvalLedger<'a> {
    pub fn new(
        command: &'a EvalCommand,
        subjects: &'a [Subject],
        model: &Model,
        journal: Journal,
        earlier: Vec<PictureFigures>,
        meter: &'a Meter,
    ) -> Self {
        let settings = journal.settings().clone();
        let folder = command.pictures.output_dir.join(format!("{}-files", command.name));
        let mut pictures = CasePictures { folder, shown: BTreeMap::new() };
        for record in &earlier {
            record.cases.iter().for_each(|case| _ = pictures.is_shown(&record.explainer, case));
        }
        let (records, failed) = (earlier, Vec::new());
        let is_stale = !command.skip_existing;
        Self {
            command,
            subjects,
            model: model.path().display().to_string(),
            target: command.target.of(model),
            settings,
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
            MeasureState::Done(Measured { record, pictures }) => {
                if let Err(error) = self.keep(&record, pictures) {
                    self.fail(&image, format!("{error:#}"));
                }
                let boxes = record.cases.len();
                if self.command.verbosity >= Verbosity::Verbose {
                    self.meter.say(&format!("{image}: {}: {boxes} boxes measured", self.subjects[subject].explainer));
                }
                self.records.push(record);
            }
            MeasureState::Failed(error) => self.fail(&image, format!("{error:#}")),
            MeasureState::Interrupted => self.interrupted = true,
        }
    }

    /// Pictures first: a run that goes on does not draw what the journal has.
    fn keep(&mut self, record: &PictureFigures, pictures: Vec<(usize, RgbImage)>) -> Result<()> {
        if std::mem::take(&mut self.is_stale) {
            ["html", "json", "csv"].iter().for_each(|extension| _ = fs::remove_file(self.path(extension)));
            remove_pictures(&self.pictures.folder)?;
        }
        let folder = &self.pictures.folder;
        fs::create_dir_all(folder).with_context(|| format!("{folder:?} cannot be created"))?;
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
            say!("{kind}no box was measured by all methods in {pictures} pictures{why}");
            return Ok(if self.interrupted { Exit::Interrupted } else { Exit::SomeFailed });
        };
        if !missing.is_empty() {
            say!("warning: left out, since no box was measured: {}", missing.join("; "));
        }
        let randomized = summary.rows.iter().map(|row| (row.explainer.clone(), self.randomized(&row.explainer)));
        let randomized = randomized.filter(|(_, modules)| !modules.is_empty()).collect();
        let findings = Findings { summary, truth: self.truth(), randomized, pictures };
        // What was measured is shown whatever can't be written.
        let written = [self.write(&findings), self.show(&findings)];
        let problems = written.into_iter().filter_map(Result::err).map(|error| say!("error: {error:#}")).count();
        Ok(if problems > 0 && exit == Exit::Fine { Exit::SomeFailed } else { exit })
    }

    fn sample(&self, Subject { explainer, flags, .. }: &Subject) -> Sample {
        let records = || self.records.iter().filter(|record| record.explainer == *explainer);
        let costs: Vec<Cost> = records().filter(|record| !record.cases.is_empty()).map(|record| record.cost).collect();
        Sample {
            explainer: explainer.clone(),
            flags: flags.clone(),
            cases: records().flat_map(|record| record.cases.iter().cloned()).collect(),
            costs: if explainer.is_baseline() { Vec::new() } else { costs },
        }
    }

    fn truth(&self) -> String {
        let Some(labels) = &self.command.labels else {
            return "the model's own boxes (no --labels given)".to_owned();
        };
        let pictures = |records: &mut dyn Iterator<Item = &PictureFigures>| {
            records.map(|record| record.image.as_str()).collect::<HashSet<_>>().len()
        };
        let all = pictures(&mut self.records.iter());
        let with = pictures(&mut self.records.iter().filter(|record| record.has_labels == Some(true)));
        format!(
            "the model's own boxes, and against the labels {} ({with} of {all} pictures have some)",
            labels.display()
        )
    }

    /// For each module, what is left of the maps of all boxes.
    fn randomized(&self, explainer: &Explainer) -> Vec<ModuleMean> {
        let mut records: Vec<&PictureFigures> =
            self.records.iter().filter(|record| record.explainer == *explainer).collect();
        records.sort_by(|a, b| a.image.cmp(&b.image));
        let with: Vec<&[Randomized]> =
            records.iter().map(|record| record.randomized.as_slice()).filter(|list| !list.is_empty()).collect();
        let Some(first) = with.first() else { return Vec::new() };
        let mean = |(place, module): (usize, &Randomized)| {
            let of = |part: fn(&Randomized) -> &Vec<Option<f64>>| {
                let all = with.iter().filter_map(|list| list.get(place)).flat_map(part);
                let (boxes, values) = (all.clone().count(), all.copied().flatten().collect::<Vec<f64>>());
                (bootstrap(&values, self.command.curves.seed), boxes - values.len())
            };
            let (correlation, empty) = of(|module| &module.correlations);
            let (inside, _) = of(|module| &module.inside);
            ModuleMean { module: module.module.clone(), correlation, inside, empty }
        };
        first.iter().enumerate().map(mean).collect()
    }

    fn path(&self, extension: &str) -> PathBuf {
        self.command.pictures.output_dir.join(format!("{}.{extension}", self.command.name))
    }

    /// All of the reports that can be written. The error names those that can't.
    fn write(&self, findings: &Findings) -> Result<()> {
        let Findings { summary, truth, randomized, pictures } = findings;
        let order = |explainer: &Explainer| summary.rows.iter().position(|row| row.explainer == *explainer);
        let entries = self
            .records
            .iter()
            .flat_map(|record| record.cases.iter().map(|case| CaseEntry { explainer: &record.explainer, case }));
        let mut cases: Vec<CaseEntry> = entries.collect();
        cases.sort_by_key(|entry| (&entry.case.image, entry.case.index, order(entry.explainer)));
        let rows: Vec<CaseRow> = cases.iter().map(|entry| CaseRow::new(entry.explainer, entry.case)).collect();
        let csv = write_csv(&self.path("csv"), &rows);
        let report = EvalReport {
            schema: 1,
            tool: concat!("yolo-cam ", env!("CARGO_PKG_VERSION")),
            model: &self.model,
            settings: &self.settings,
            truth,
            pictures: *pictures,
            recommendation: &summary.recommendation,
            rows: &summary.rows,
            randomization: randomized
                .iter()
                .map(|(explainer, modules)| RandomizationReport { explainer, modules })
                .collect(),
            failed: self.failed.iter().map(|(image, error)| Failed { image, error }).collect(),
            cases,
        };
        let json = write_value(&self.path("json"), &report);
        let shown = summary.rows.iter().filter(|row| !row.explainer.is_baseline());
        let groups: Vec<CaseGroup> = shown.map(|row| self.pictures.group(&row.explainer)).collect();
        let page = EvalPage {
            settings: &self.page_settings(*pictures),
            summary,
            cases: &groups,
            randomized: randomized.first().map_or(&[], |(_, modules)| modules.as_slice()),
            failed: &self.failed,
            truth,
        };
        let html = write_eval_page(&self.path("html"), &page);
        let problems: Vec<String> =
            [csv, json, html].into_iter().filter_map(Result::err).map(|error| error.to_string()).collect();
        ensure!(problems.is_empty(), "{}", problems.join("; "));
        Ok(())
    }

    fn page_settings(&self, pictures: usize) -> Vec<(String, String)> {
        let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>();
        let own = [
            ("program".to_owned(), concat!("yolo-cam ", env!("CARGO_PKG_VERSION")).to_owned()),
            ("command".to_owned(), words.join(" ")),
            ("model".to_owned(), self.model.clone()),
            ("pictures".to_owned(), pictures.to_string()),
        ];
        let value = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let others = self.settings.iter().filter(|(_, value)| !value.is_null());
        own.into_iter().chain(others.map(|(name, of)| (name.replace('_', " "), value(of)))).collect()
    }

    /// To stdout.
    fn show(&self, findings: &Findings) -> Result<()> {
        let Findings { summary, truth, randomized, pictures } = findings;
        let number = |mean: Option<&Mean>| mean.map_or("-".to_owned(), |mean| format!("{:.3}", mean.mean));
        let interval = |mean: &Mean| format!("{:+.3} [{:+.3}, {:+.3}]", mean.mean, mean.low, mean.high);
        let has_labels = summary.rows.iter().any(|row| row.labelled.energy_pointing_game.is_some());
        let mut table = vec![HEADS.map(str::to_owned).to_vec()];
        if has_labels {
            table[0].extend(["POINTING (LABELS)", "ENERGY PG (LABELS)", "ODI (LABELS)"].map(str::to_owned));
        }
        for row in &summary.rows {
            let is_gaussian = row.explainer == Explainer::Gaussian;
            let mut cells = vec![
                row.rank.map_or("-".to_owned(), |rank| rank.to_string()),
                row.explainer.to_string(),
                number(Some(&row.deletion)),
                number(Some(&row.insertion)),
                interval(&row.overall),
                if is_gaussian { "-".to_owned() } else { interval(&row.above_gaussian) },
                number(row.detected.pointing_game.as_ref()),
                number(row.detected.energy_pointing_game.as_ref()),
                number(row.detected.object_discrimination_index.as_ref()),
                number(row.compactness.as_ref()),
                number(row.sparsity.as_ref()),
                row.cost.map_or("-".to_owned(), |cost| format!("{cost:.1}")),
                row.empty.to_string(),
            ];
            if has_labels {
                let labelled = &row.labelled;
                let means =
                    [labelled.pointing_game, labelled.energy_pointing_game, labelled.object_discrimination_index];
                cells.extend(means.iter().map(|mean| number(mean.as_ref())));
            }
            table.push(cells);
        }
        let boxes = summary.rows.first().map_or(0, |row| row.boxes);
        let curves = &self.command.curves;
        print(|out| {
            use std::io::Write as _;
            write_table(out, &table)?;
            for (explainer, modules) in randomized {
                writeln!(out, "\nRank correlation of the maps of {explainer} with those of shuffled weights:")?;
                let row = |module: &ModuleMean| {
                    let shown = |mean: &Option<Mean>| mean.as_ref().map_or("-".to_owned(), interval);
                    let (inside, whole) = (shown(&module.inside), shown(&module.correlation));
                    vec![module.module.clone(), inside, whole, module.empty.to_string()]
                };
                let heads =
                    ["DOWN TO", "INSIDE THE BOX [95 %]", "WHOLE PICTURE [95 %]", "EMPTY"].map(str::to_owned).to_vec();
                write_table(out, &iter_with(heads, modules.iter().map(row)))?;
            }
            writeln!(
                out,
                "\n{boxes} boxes of {pictures} pictures; target {}, protocol {}, {} steps; pointing games and ODI against {truth}.",
                self.target.name,
                curves.protocol.name(),
                curves.steps()
            )?;
            writeln!(out, "{}", summary.recommendation)
        })?;
        if self.command.verbosity >= Verbosity::Normal {
            let files = ["html", "json", "csv"].map(|extension| self.path(extension).display().to_string());
            say!("reports: {}", files.join(", "));
            if self.interrupted {
                say!("interrupted: these are the figures so far; --skip-existing goes on");
            }
        }
        Ok(())
    }
}

/// Those of an earlier run, which another page showed; whatever else is there stays.
fn remove_pictures(folder: &Path) -> Result<()> {
    let remove = || -> std::io::Result<()> {
        if !folder.exists() {
            return Ok(());
        }
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if is_case_picture(&entry.file_name().to_string_lossy()) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    };
    remove().with_context(|| format!("{folder:?} cannot be emptied"))
}

fn iter_with(first: Vec<String>, rest: impl Iterator<Item = Vec<String>>) -> Vec<Vec<String>> {
    [first].into_iter().chain(rest).collect()
}

/// Pictures of the best and the worst cases of each explainer, in a folder beside the page: as many as are shown.
struct CasePictures {
    folder: PathBuf,
    /// From worst to best.
    shown: BTreeMap<Explainer, Vec<Case>>,
}

impl CasePictures {
    /// Takes a case in if it is among the best or the worst so far; the picture of the one that has to go is removed.
    fn is_shown(&mut self, explainer: &Explainer, case: &Case) -> bool {
        if explainer.is_baseline() {
            return false;
        }
        let shown = self.shown.entry(explainer.clone()).or_default();
        let before = |other: &Case| other.overall().total_cmp(&case.overall()).is_lt();
        let place = shown.partition_point(before);
        shown.insert(place, case.clone());
        if shown.len() <= 2 * SHOWN {
            return true;
        }
        let gone = shown.remove(SHOWN);
        fs::remove_file(self.folder.join(file_name(explainer, &gone))).ok();
        (gone.image.as_str(), gone.index) != (case.image.as_str(), case.index)
    }

    fn add(&mut self, explainer: &Explainer, case: &Case, picture: &RgbImage) -> Result<()> {
        if self.is_shown(explainer, case) {
            write_picture(&self.folder.join(file_name(explainer, case)), picture, QUALITY)?;
        }
        Ok(())
    }

    fn group(&self, explainer: &Explainer) -> CaseGroup {
        let shown = self.shown.get(explainer).map_or(&[][..], Vec::as_slice);
        let folder = self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let with_url = |case: &Case| {
            let name = file_name(explainer, case);
            let url = format!("{folder}/{}", url_segment(&name));
            (case.clone(), self.folder.join(name).exists().then_some(url))
        };
        // No case is shown as one of the best and as one of the worst.
        let (worst, best) = shown.split_at((shown.len() / 2).min(SHOWN));
        CaseGroup {
            explainer: explainer.clone(),
            best: best.iter().rev().take(SHOWN).map(with_url).collect(),
            worst: worst.iter().map(with_url).collect(),
        }
    }
}

/// A name of its own for each case: pictures in different folders may have the same.
fn file_name(explainer: &Explainer, case: &Case) -> String {
    let explainer = match explainer {
        Explainer::Method { name, layers } => format!("{name}-{layers}"),
        other => other.to_string(),
    };
    let readable: String =
        explainer.chars().map(|c| if c.is_ascii_alphanumeric() || "+.-".contains(c) { c } else { '_' }).collect();
    // Of both: what is readable may be cut off.
    let sum = Sha256::digest(format!("{explainer}\0{}", case.image));
    let hash = hex::encode(&sum[..HASH_LENGTH / 2]);
    format!("{readable:.80}-{hash}-{}.jpg", case.index)
}

/// Whether `name` is one that [`file_name`] gives.
fn is_case_picture(name: &str) -> bool {
    let parts = name.strip_suffix(".jpg").and_then(|stem| stem.rsplit_once('-'));
    parts.and_then(|(rest, index)| Some((rest.rsplit_once('-')?.1, index))).is_some_and(|(hash, index)| {
        let is_hash = hash.len() == HASH_LENGTH && hash.bytes().all(|byte| b"0123456789abcdef".contains(&byte));
        is_hash && index.parse::<usize>().is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use yolo_cam::eval::{Curve, Curves, Figures};

    fn case(image: &str, overall: f64) -> Case {
        let curve = |area: f64| Curve { scores: vec![0.0, 1.0], area };
        Case {
            image: image.into(),
            index: 0,
            class: "cat".into(),
            confidence: 0.5,
            box_share: 0.1,
            reason: None,
            figures: Figures {
                curves: Curves { deletion: curve(0.0), insertion: curve(overall) },
                detected: Localization {
                    pointing_game: 1.0,
                    energy_pointing_game: 1.0,
                    object_discrimination_index: None,
                },
                labelled: None,
                compactness: None,
                sparsity: None,
            },
        }
    }

    #[test]
    fn pictures_of_the_best_and_worst_are_kept_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let mut pictures = CasePictures { folder: folder.path().to_owned(), shown: BTreeMap::new() };
        let explainer = Explainer::Method { name: "gradcam++".into(), layers: "model.9,model.6".into() };
        let values = [7, 3, 19, 0, 11, 5, 16, 2, 9, 14, 1, 18, 8, 12, 4, 17, 6, 13, 10, 15];
        for value in values {
            let case = case(&format!("{value}.jpg"), f64::from(value));
            pictures.add(&explainer, &case, &RgbImage::new(8, 8)).unwrap();
        }
        let group = pictures.group(&explainer);
        let shown = |cases: &[(Case, Option<String>)]| {
            assert!(cases.iter().all(|(_, url)| url.is_some()));
            cases.iter().map(|(case, _)| case.overall() as i32).collect::<Vec<_>>()
        };
        assert_eq!(shown(&group.best), [19, 18, 17, 16, 15]);
        assert_eq!(shown(&group.worst), [0, 1, 2, 3, 4]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 10, "the others are gone");
    }

    #[test]
    fn only_pictures_of_cases_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let explainer = Explainer::Method { name: "gradcam".into(), layers: "auto".into() };
        let own = file_name(&explainer, &case("a.jpg", 0.5));
        for name in [own.as_str(), "holiday.jpg", "a-1.jpg", "gradcam-auto-0123456789abcdeX-0.jpg", "notes.txt"] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        remove_pictures(folder.path()).unwrap();
        assert!(!folder.path().join(own).exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
    }

    #[test]
    fn cases_of_different_explainers_have_different_files() {
        let long = |last: &str| Explainer::Method {
            name: "elementwise".into(),
            layers: format!("{}{last}", "model.10,".repeat(12)),
        };
        let case = case("a.jpg", 0.5);
        assert_ne!(file_name(&long("model.1"), &case), file_name(&long("model.2"), &case));
    }

    #[test]
    fn few_cases_are_each_shown_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut pictures = CasePictures { folder: folder.path().to_owned(), shown: BTreeMap::new() };
        let explainer = Explainer::Method { name: "best".into(), layers: "auto".into() };
        for value in 0..3 {
            pictures.add(&explainer, &case(&format!("{value}.jpg"), f64::from(value)), &RgbImage::new(8, 8)).unwrap();
        }
        let group = pictures.group(&explainer);
        assert_eq!((group.best.len(), group.worst.len()), (2, 1));
    }
}
