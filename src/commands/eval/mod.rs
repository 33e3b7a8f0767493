//! `yolo-cam eval` and `yolo-cam compare`: measures maps, and says which method to take.

mod cases;
mod checks;
mod facts;
mod ledger;
mod measure;
mod measurements;
mod merge;
mod reports;
mod table;

use std::{
    collections::{HashMap, HashSet},
    ffi::OsString,
    iter,
    path::Path,
    sync::Arc,
};

use anyhow::{Result, ensure};
use serde_json::{Map, Value, json};
use yolo_cam::{
    Model,
    eval::{Crew, Explainer, Randomization},
    families::Branch,
    labels::Labels,
};

pub use self::merge::{can_merge, merge};
use self::{
    facts::{RunFacts, SubjectFacts},
    ledger::EvalLedger,
    measure::{EvalWorker, MeasureJob, PictureFigures, Subject},
    measurements::Measurements,
    merge::SUBJECTS,
    reports::REPORTS,
};
use super::{
    interrupt,
    model::warn_of_target,
    noun::Noun,
    options::{detect_options, eval_options, labels_sha256, layer_paths, program_and_command},
    parallel::as_done,
    records::{Keeper, Records},
    session::{Session, tell_memory, threads, until_stopped},
};
use crate::{
    cli::{EvalChoice, EvalCommand},
    exit::Exit,
    inputs::{Content, Item, Items, Picture},
    output::{
        Inputs, Namer, Shard, now,
        shards::{ShardHead, Turn},
    },
    progress::Meter,
    weights,
};

/// Runs the command.
///
/// # Errors
/// Wrong use, an unusable model or labels, or settings that differ from those of the run that is to go on.
pub fn eval(command: &EvalCommand) -> Result<Exit> {
    let session = Session::open(
        &command.model,
        &command.pictures,
        &command.detection,
        command.curves.precision,
        command.verbosity,
    )?;
    let model = &session.model;
    let subjects = subjects(command, model)?;
    let labels = command.labels.as_ref().map(|path| Labels::open(path, model.names())).transpose()?;
    if let Some(odd) = labels.as_ref().and_then(Labels::odd) {
        say!("warning: labels {:?}: {odd}", command.labels.as_deref().unwrap_or(Path::new("")));
    }
    warn_of_target(command.target, command.choices.iter().map(|choice| choice.method), model);
    let output_dir = &command.pictures.output_dir;
    let _lock = session.begin()?;
    let (sources, shard) = (session.sources(), session.shard());
    let settings = settings(command, model)?;
    let facts = facts(command, model, &subjects);
    let mut measurements = Measurements::new(&facts, output_dir, &settings, command.verbosity);
    let journal;
    (journal, measurements.records) = keeper(command, session.part(&sources), &facts, &settings)?;
    let mut items = Items::new(sources, command.pictures.every, Namer::new(output_dir, None)).of_shard(shard);
    let pictures = items.total();
    let done: HashSet<(String, usize)> = measurements
        .records
        .iter()
        .filter_map(|record| {
            let subject = subjects.iter().position(|subject| subject.explainer == record.explainer)?;
            Some((record.image.clone(), subject))
        })
        .collect();
    let total = pictures.map(|pictures| pictures * subjects.len());
    let is_talkative = session.is_talkative();
    if is_talkative && !done.is_empty() {
        say!("note: {} maps of pictures are measured already", done.len());
    }
    // On a GPU they would wait for each other.
    let most = if model.device().is_cuda() { 1 } else { threads() };
    let workers = most.min(total.unwrap_or(most)).max(1);
    let meter = Meter::new(is_talkative, total, workers);
    let is_stale = !command.skip_existing && shard.is_none();
    let mut ledger = EvalLedger::new(measurements, (journal, is_stale), shard, &meter);
    let crews = crews(workers, most, command, model, &subjects, (labels.as_ref(), &meter))?;
    let mut shared =
        SharedLabels { is_folder: command.labels.as_ref().is_some_and(|path| path.is_dir()), ..Default::default() };
    let mut open: Vec<MeasureJob> = Vec::new();
    let jobs = iter::from_fn(|| {
        while open.is_empty() {
            let item = items.next()?;
            let wanted = (0..subjects.len()).filter(|&subject| !done.contains(&(item.image.clone(), subject)));
            let wanted: Vec<usize> = wanted.collect();
            meter.skip(subjects.len() - wanted.len());
            if let Ok(Picture { content: Content::File(path), .. }) = &item.content
                && let Some(other) = shared.other(path, &item.image)
            {
                meter.say(&format!("warning: {other} and {} have the same label file", item.image));
            }
            open = jobs_of(item, wanted);
            open.reverse();
        }
        open.pop()
    });
    let jobs = until_stopped(jobs);
    let workers = crews.into_iter().map(|mut worker| move |job| worker.work(job)).collect();
    as_done(jobs, workers, |outcome| ledger.take(outcome));
    let exit = ledger.close(interrupt::is_stopped());
    tell_memory(command.verbosity);
    Ok(exit)
}

/// Where figures are kept, and what an earlier run measured of the same. `part`: which part of the run this is, with the inputs of the whole
/// run.
fn keeper(
    command: &EvalCommand,
    part: Option<(Shard, Inputs)>,
    facts: &RunFacts,
    settings: &Map<String, Value>,
) -> Result<(Keeper<PictureFigures>, Vec<PictureFigures>)> {
    let folder = &command.pictures.output_dir;
    let place = |record: &PictureFigures| {
        // The files of another program may have changed.
        let is_file = matches!(record.explainer, Explainer::Maps { .. });
        facts.subjects.iter().position(|subject| subject.explainer == record.explainer).filter(|_| !is_file)
    };
    let path = folder.join(format!("{}.jsonl", command.name));
    let (keeper, earlier, damaged) = match part {
        Some((shard, inputs)) => {
            let reports = REPORTS.iter().map(|report| report.extension.to_owned()).collect();
            let mut settings = settings.clone();
            // Of a whole run more can be measured later; of its shards the same is.
            settings.insert(SUBJECTS.to_owned(), serde_json::to_value(&facts.subjects)?);
            let head = ShardHead::new(command.name, shard, inputs, reports, settings).with_facts(facts)?;
            Keeper::of_shard(folder, &head, command.skip_existing)?
        }
        None if command.skip_existing => {
            let (journal, earlier, damaged) = Records::resume(&path, settings)?;
            (Keeper::Whole(journal), earlier, damaged)
        }
        None => (Keeper::Whole(Records::begin(&path, settings)?), Vec::new(), 0),
    };
    if damaged > 0 {
        say!("warning: {damaged} damaged lines of {path:?} are left out; what they held is measured again");
    }
    Ok((keeper, earlier.into_iter().filter(|record| place(record).is_some()).collect()))
}

/// What reports say of the run.
fn facts(command: &EvalCommand, model: &Model, subjects: &[Subject]) -> RunFacts {
    let subject =
        |subject: &Subject| SubjectFacts { explainer: subject.explainer.clone(), flags: subject.flags.clone() };
    RunFacts {
        name: command.name.to_owned(),
        model: model.path().display().to_string(),
        classes: model.names().to_vec(),
        noun: Noun::of(model),
        subjects: subjects.iter().map(subject).collect(),
        target: command.target.of(model).name.to_owned(),
        protocol: command.curves.protocol.name().to_owned(),
        steps: command.curves.steps(),
        seed: command.curves.seed,
        labels: command.labels.as_ref().map(|path| path.display().to_string()),
        program: program_and_command().into(),
        date: now(),
    }
}

/// `count` workers, which share the weights of `model` and `threads` threads.
fn crews<'a>(
    count: usize,
    threads: usize,
    command: &EvalCommand,
    model: &Model,
    subjects: &'a [Subject],
    (labels, meter): (Option<&'a Labels>, &'a Meter),
) -> Result<Vec<EvalWorker<'a>>> {
    let worker = |index| {
        // What does not divide evenly goes to the first.
        let threads = (threads / count + usize::from(index < threads % count)).max(1);
        let randomization = command.sanity.then(|| Randomization::new(model, command.curves.seed)).transpose()?;
        let (crew, curves) = (Crew::new(model, threads)?, command.curves);
        Ok(EvalWorker { crew, subjects, curves, labels, randomization, meter, index, is_warm: false })
    };
    (0..count).map(worker).collect()
}

/// Which picture has which label file: YOLO's go by the name without its extension, whatever the folder.
#[derive(Default)]
struct SharedLabels {
    is_folder: bool,
    /// Pictures by their names without extensions.
    pictures: HashMap<OsString, String>,
}

impl SharedLabels {
    /// The picture before this one that has the same file.
    fn other(&mut self, path: &Path, image: &str) -> Option<String> {
        let stem = path.file_stem().filter(|_| self.is_folder)?;
        self.pictures.insert(stem.to_owned(), image.to_owned())
    }
}

/// The same picture for each of the subjects.
fn jobs_of(Item { image, turn, content }: Item, mut subjects: Vec<usize>) -> Vec<MeasureJob> {
    if content.is_err() {
        // What is no picture is told once.
        subjects.truncate(1);
    }
    let content = content.map(Arc::new);
    let job =
        |subject| MeasureJob { image: image.clone(), turn: Turn(turn.0, turn.1, subject), content: content.clone() };
    subjects.into_iter().map(job).collect()
}

/// The methods that are asked for, then what other programs made, then the baselines.
fn subjects(command: &EvalCommand, model: &Model) -> Result<Vec<Subject>> {
    let mut subjects = Vec::with_capacity(command.choices.len() + command.maps.len() + 2);
    for choice in &command.choices {
        let options = eval_options(command, choice, model)?;
        let EvalChoice { method, layers } = choice;
        let method = method.of(model, layers.is_some());
        let layers = layer_paths(layers.as_deref(), model)?;
        let flags = Some(command.flags(method, &layers));
        let explainer = Explainer::Method { name: method.name.to_owned(), layers };
        if !subjects.iter().any(|subject: &Subject| subject.explainer == explainer) {
            subjects.push(Subject { explainer, flags, options });
        }
    }
    let plain = subjects.first().map(|subject| subject.options.clone()).unwrap_or_default();
    for folder in &command.maps {
        ensure!(folder.is_dir(), "--maps {folder:?} is no folder; it takes one with a map STEM.npy for each picture");
    }
    let of_others = command.maps.iter().map(|folder| Explainer::Maps { folder: folder.display().to_string() });
    for explainer in of_others.chain([Explainer::Gaussian, Explainer::Random]) {
        if !subjects.iter().any(|subject: &Subject| subject.explainer == explainer) {
            subjects.push(Subject { explainer, flags: None, options: plain.clone() });
        }
    }
    Ok(subjects)
}

/// All that figures depend on, but for the pictures and the explainers, which each figure names.
fn settings(command: &EvalCommand, model: &Model) -> Result<Map<String, Value>> {
    let EvalCommand { detection, curves, method_options, .. } = command;
    let detect = detect_options(detection, model);
    let settings = json!({
        "model_sha256": weights::sha256(model.path())?,
        "branch": command.model.branch.map(Branch::name),
        "names": command.pictures.names,
        "device": if model.device().is_cuda() { "cuda" } else { "cpu" },
        // On the CPU figures do not depend on it.
        "batch": model.device().is_cuda().then_some(curves.batch),
        "protocol": curves.protocol.name(),
        "steps": curves.steps(),
        "precision": curves.precision.name(),
        "seed": curves.seed,
        "target": command.target.of(model).name,
        "fuse": command.fuse.name(),
        "smooth": method_options.smooth,
        "masks": method_options.masks,
        "max_channels": method_options.max_channels,
        "img_size": model.input_side(detection.img_size),
        "conf_thres": detect.conf_threshold,
        "iou_thres": detect.iou_threshold,
        "max_det": detect.max_det,
        "top": detect.top,
        "classes": detection.classes,
        "agnostic_nms": detection.agnostic_nms,
        "labels_sha256": command.labels.as_deref().map(labels_sha256).transpose()?,
        "sanity": command.sanity,
    });
    Ok(settings.as_object().cloned().unwrap_or_default())
}
