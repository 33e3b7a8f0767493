//! `yolo-cam diagnose`: why a detector is wrong.

mod ledger;
mod worker;

use std::iter;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};
use yolo_cam::{
    Model,
    eval::Crew,
    families::{Aspect, Branch},
    labels::Labels,
};

use self::{
    ledger::DiagnoseLedger,
    worker::{Task, Worker},
};
use super::{
    labels::{expect_some, open_labels},
    model::warn_of_target,
    options::{case_options, detect_options, heading, labels_sha256, layer_paths, program_and_command, verify_options},
    recorded::{self, Ledger, Plan, Start},
    session::{Session, tell_memory, threads, workers},
    wanted::Wanted,
};
use crate::{
    cli::DiagnoseCommand,
    exit::Exit,
    inputs::{Items, Picture},
    output::{
        Namer,
        diagnosis::{Diagnosis, FOLDER, RunFacts},
        quoted,
        reports::gallery::GalleryPictures,
        shards::Parts,
    },
    weights,
};

/// Runs the command.
///
/// # Errors
/// Wrong use, an unusable model or labels, or settings that differ from those of the run that is to go on.
pub fn diagnose(command: &DiagnoseCommand) -> Result<Exit> {
    let precision = command.maps.method_options.precision;
    let session = Session::open(&command.model, &command.pictures, &command.detection, precision, command.verbosity)?;
    let model = &session.model;
    ensure!(
        model.head().has(Aspect::Box),
        "diagnose compares boxes with labels, and this {} model predicts no boxes; take a detector",
        model.head().family()
    );
    let options = case_options(&command.maps, &command.detection, model)?;
    let labels = open_labels(command.labels.path.as_deref(), command.labels.names.as_deref(), model.names())?;
    let sources = session.sources();
    expect_some(&labels, &sources)?;
    let method = options.method_of(model);
    warn_of_target(command.maps.target, iter::once(command.maps.method), model);
    let output_dir = &command.pictures.output_dir;
    let _lock = session.begin()?;
    let is_talkative = session.is_talkative();
    if is_talkative {
        session.tell_choices(method, command.maps.target_layers.as_deref(), &options.detect);
    }
    let run = facts(command, model, &options, &labels)?;
    let plan = Plan {
        folder: output_dir,
        name: "diagnose",
        settings: settings(command, model)?,
        goes_on: command.skip_existing,
        reports: command.reports.iter().map(|report| report.name.to_owned()).collect(),
        verbosity: command.verbosity,
    };
    let shard = session.shard();
    let start = Start::new::<Diagnosis>(&plan, session.part(&sources), &run)?;
    let items = Items::new(sources, command.pictures.every, Namer::new(output_dir, None)).of_shard(shard);
    let count = workers(command.jobs, method.runs_again() || command.verify.is_some(), items.total_of_run());
    let has_page = command.reports.iter().any(|report| report.has_pictures);
    let pictures = has_page.then(|| GalleryPictures::new(output_dir, FOLDER)).transpose()?;
    let verify = command.verify.map(|steps| verify_options(steps, &command.maps.method_options));
    let task = Task { options: &options, labels: &labels, verify, pictures: pictures.as_ref() };
    let crew = crew(model, count, task)?;
    let mut ledger = DiagnoseLedger::new(run);
    let workers = crew.into_iter().map(|mut worker| {
        move |picture: Picture, label_text: Option<String>, image: &str| worker.work(picture, label_text, image)
    });
    let workers = workers.collect();
    let exit = match shard {
        Some(shard) => start.run(items, Some(&labels), workers, |_| {}).close_shard(shard, &plan),
        None => {
            let ran = start.run(items, Some(&labels), workers, |record| ledger.keep(record));
            ledger.close(&ran.end(plan), &command.reports)
        }
    };
    tell_memory(command.verbosity);
    Ok(exit)
}

/// All that a record depends on, but for the picture.
fn settings(command: &DiagnoseCommand, model: &Model) -> Result<Map<String, Value>> {
    let DiagnoseCommand { detection, maps, .. } = command;
    let detect = detect_options(detection, model);
    let settings = json!({
        "model_sha256": weights::sha256(model.path())?,
        "branch": command.model.branch.map(Branch::name),
        "names": command.pictures.names,
        // Texts are looked at one by one.
        "labels": command.labels.path.as_deref().filter(|path| path.is_file()).map(labels_sha256).transpose()?,
        "label_names": command.labels.names,
        "method": maps.method.of(model, maps.target_layers.is_some()).name,
        "layers": maps.target_layers,
        "fuse": maps.fuse.name(),
        "target": maps.target.of(model).name,
        "settings_of_the_method": format!("{:?}", maps.method_options.with_batch(1)),
        "verify": command.verify,
        "img_size": model.input_side(detection.img_size),
        "conf_thres": detect.conf_threshold,
        "iou_thres": detect.iou_threshold,
        "max_det": detect.max_det,
        "classes": detection.classes,
        "agnostic_nms": detection.agnostic_nms,
        "has_page": command.reports.iter().any(|report| report.has_pictures),
    });
    settings.as_object().cloned().context("settings are a map")
}

/// What reports say of the run.
fn facts(
    command: &DiagnoseCommand,
    model: &Model,
    options: &yolo_cam::ExplainOptions,
    labels: &Labels,
) -> Result<RunFacts> {
    let method = options.method_of(model);
    let path = model.path().display().to_string();
    let layers = layer_paths(command.maps.target_layers.as_deref(), model)?;
    let own = [
        ("model", path.clone()),
        (
            "labels",
            command.labels.path.as_ref().map_or("beside the pictures".to_owned(), |path| path.display().to_string()),
        ),
        ("method", method.name.to_owned()),
        ("layers", layers.clone()),
        ("target", command.maps.target.of(model).name.to_owned()),
        ("longest side of the input", format!("{} pixels", model.input_side(command.detection.img_size))),
        ("least confidence of a case", options.detect.conf_threshold.unwrap_or_default().to_string()),
    ];
    let own = own.map(|(name, value)| (name.to_owned(), value));
    let flags = command.maps.flags(method, &layers, &command.detection);
    Ok(RunFacts {
        heading: heading(model, method),
        settings: program_and_command().into_iter().chain(own).collect(),
        command: format!("yolo-cam --model-path {} {flags}", quoted(&path)),
        model: path,
        least_confidence: options.detect.conf_threshold.unwrap_or_default(),
        category_ids: (0..model.names().len())
            .map(|class| labels.category_id(class).cloned().unwrap_or_else(|| Value::from(class)))
            .collect(),
        names: model.names().to_vec(),
        seed: command.maps.method_options.seed,
    })
}

/// Writes the reports of a run whose pictures were diagnosed in shards.
///
/// # Errors
/// If a shard's journal or results can't be read.
pub fn merge(parts: &mut Parts, wanted: &Wanted) -> Result<Exit> {
    recorded::merge::<DiagnoseLedger>(parts, wanted)
}

/// `count` workers, which share the model's weights and the threads.
fn crew<'a>(model: &Model, count: usize, task: Task<'a>) -> Result<Vec<Worker<'a>>> {
    let threads = (threads() / count).max(1);
    let worker = |_| {
        // On a GPU one is enough.
        let handles = if model.device().is_cuda() { 1 } else { threads };
        let crew = task.verify.map(|_| Crew::new(model, handles)).transpose()?;
        Ok(Worker { model: model.share()?, threads: Some(threads as i32), crew, task })
    };
    (0..count).map(worker).collect()
}
