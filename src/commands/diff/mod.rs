//! `yolo-cam diff`: what changes when one detector takes the place of another.

mod ledger;
mod worker;

use std::iter;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};
use yolo_cam::{
    Model,
    families::{Aspect, Branch},
};

use self::{
    ledger::DiffLedger,
    worker::{Detector, Task, Worker},
};
use super::{
    labels::{expect_some, open_labels},
    model::{check_size, load_model, note_size, warn_of_target},
    options::{case_options, class_id, detect_options, labels_sha256, layer_paths, program_and_command},
    recorded::{self, Ledger, Plan, Start},
    session::{Session, tell_memory, threads, workers},
    wanted::Wanted,
};
use crate::{
    cli::{DiffCommand, ModelChoice, Verbosity},
    exit::Exit,
    inputs::{Items, Picture},
    output::{
        Namer,
        difference::{Difference, FOLDER, RunFacts},
        now, quoted,
        reports::gallery::GalleryPictures,
        shards::Parts,
    },
    weights,
};

/// Runs the command.
///
/// # Errors
/// Wrong use, an unusable model or labels, or settings that differ from those of the run that is to go on.
pub fn diff(command: &DiffCommand) -> Result<Exit> {
    let precision = command.maps.method_options.precision;
    let session = Session::open(&command.old, &command.pictures, &command.detection, precision, command.verbosity)?;
    let new = load_other(command, &command.new)?;
    let other = command.noise.as_ref().map(|choice| load_other(command, choice)).transpose()?;
    let models: Vec<&Model> = [Some(&session.model), Some(&new), other.as_ref()].into_iter().flatten().collect();
    for model in &models {
        ensure!(
            model.head().has(Aspect::Box),
            "diff compares boxes, and the {} model {:?} predicts none; take detectors",
            model.head().family(),
            model.path()
        );
        warn_of_target(command.maps.target, iter::once(command.maps.method), model);
    }
    let names = all_names(&models);
    let labels = command
        .labels
        .is_given()
        .then(|| open_labels(command.labels.path.as_deref(), command.labels.names.as_deref(), &names))
        .transpose()?;
    let sources = session.sources();
    labels.as_ref().map_or(Ok(()), |labels| expect_some(labels, &sources))?;
    let output_dir = &command.pictures.output_dir;
    let _lock = session.begin()?;
    let run = facts(command, &models, &names)?;
    let plan = Plan {
        folder: output_dir,
        name: "diff",
        settings: settings(command, &models)?,
        goes_on: command.skip_existing,
        reports: command.reports.iter().map(|report| report.name.to_owned()).collect(),
        verbosity: command.verbosity,
    };
    let shard = session.shard();
    let start = Start::new::<Difference>(&plan, session.part(&sources), &run)?;
    let items = Items::new(sources, command.pictures.every, Namer::new(output_dir, None)).of_shard(shard);
    let count = workers(command.jobs, command.maps.method.runs_again(), items.total_of_run());
    let has_page = command.reports.iter().any(|report| report.has_pictures);
    let pictures = has_page.then(|| GalleryPictures::new(output_dir, FOLDER)).transpose()?;
    let task = Task { labels: labels.as_ref(), pictures: pictures.as_ref() };
    let crew = crew(command, &models, &names, count, task)?;
    let mut ledger = DiffLedger::new(run);
    let workers = crew.into_iter().map(|mut worker| {
        move |picture: Picture, label_text: Option<String>, image: &str| worker.work(picture, label_text, image)
    });
    let workers = workers.collect();
    let exit = match shard {
        Some(shard) => start.run(items, labels.as_ref(), workers, |_| {}).close_shard(shard, &plan),
        None => {
            let ran = start.run(items, labels.as_ref(), workers, |record| ledger.keep(record));
            ledger.close(&ran.end(plan), &command.reports)
        }
    };
    tell_memory(command.verbosity);
    Ok(exit)
}

/// Another model than the session's.
fn load_other(command: &DiffCommand, choice: &ModelChoice) -> Result<Model> {
    let quiet = command.verbosity < Verbosity::Normal;
    let mut model = load_model(choice, quiet)?;
    if let Some(names) = &command.pictures.names {
        model.set_names(names.clone())?;
    }
    check_size(command.detection.img_size, &model, quiet)?;
    if !quiet {
        note_size(command.detection.img_size, &model);
    }
    Ok(model)
}

/// The classes of all models: those of the first as they are, then the names that others add.
fn all_names(models: &[&Model]) -> Vec<String> {
    let mut names = models[0].names().to_vec();
    for name in models[1..].iter().flat_map(|model| model.names()) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// The class among all of each class of a model: by name, but for the first model, whose classes come first.
fn classes_among(names: &[String], model: &Model, is_first: bool) -> Vec<usize> {
    let class = |(own, name): (usize, &String)| match is_first {
        true => own,
        false => names.iter().position(|other| other == name).unwrap_or_default(),
    };
    model.names().iter().enumerate().map(class).collect()
}

/// All that a record depends on, but for the picture.
fn settings(command: &DiffCommand, models: &[&Model]) -> Result<Map<String, Value>> {
    let DiffCommand { detection, maps, .. } = command;
    let digests = models.iter().map(|model| weights::sha256(model.path())).collect::<Result<Vec<_>>>()?;
    let detect: Vec<_> = models.iter().map(|model| detect_options(detection, model)).collect();
    let settings = json!({
        "models_sha256": digests,
        "branch": command.old.branch.map(Branch::name),
        "names": command.pictures.names,
        "has_labels": command.labels.is_given(),
        // Texts are looked at one by one.
        "labels": command.labels.path.as_deref().filter(|path| path.is_file()).map(labels_sha256).transpose()?,
        "label_names": command.labels.names,
        "method": maps.method.name,
        "layers": maps.target_layers,
        "fuse": maps.fuse.name(),
        "target": maps.target.name,
        "settings_of_the_method": format!("{:?}", maps.method_options.with_batch(1)),
        "img_size": models.iter().map(|model| model.input_side(detection.img_size)).collect::<Vec<_>>(),
        "conf_thres": detect.iter().map(|detect| detect.conf_threshold).collect::<Vec<_>>(),
        "iou_thres": detect.iter().map(|detect| detect.iou_threshold).collect::<Vec<_>>(),
        "max_det": detect.iter().map(|detect| detect.max_det).collect::<Vec<_>>(),
        "classes": detection.classes,
        "agnostic_nms": detection.agnostic_nms,
        "has_page": command.reports.iter().any(|report| report.has_pictures),
    });
    settings.as_object().cloned().context("settings are a map")
}

/// What reports say of the run.
fn facts(command: &DiffCommand, models: &[&Model], names: &[String]) -> Result<RunFacts> {
    let maps = &command.maps;
    let path = |model: &Model| model.path().display().to_string();
    let line = |model: &Model| -> Result<String> {
        let layers = layer_paths(maps.target_layers.as_deref(), model)?;
        let method = maps.method.of(model, maps.target_layers.is_some());
        let flags = maps.flags(method, &layers, &command.detection);
        Ok(format!("yolo-cam --model-path {} {flags}", quoted(&path(model))))
    };
    let own = |model: &Model, is_first: bool| {
        let among = classes_among(names, model, is_first);
        (0..names.len()).map(|class| among.iter().position(|other| *other == class)).collect::<Vec<Option<usize>>>()
    };
    let (old, new) = (models[0], models[1]);
    let labels = match &command.labels.path {
        Some(path) => path.display().to_string(),
        None if command.labels.is_given() => "beside the pictures".to_owned(),
        None => "none".to_owned(),
    };
    let settings = [
        ("old model", path(old)),
        ("new model", path(new)),
        ("labels", labels),
        ("method", maps.method.name.to_owned()),
        ("target", maps.target.name.to_owned()),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value));
    Ok(RunFacts {
        models: [path(old), path(new)],
        date: now(),
        settings: program_and_command().into_iter().chain(settings).collect(),
        commands: [line(old)?, line(new)?],
        own_classes: [own(old, true), own(new, false)],
        noise: match command.noise {
            Some(_) => "from the old model to another training of it",
            None => "within the old model, from its best prediction of an object to its second-best",
        }
        .to_owned(),
        has_labels: command.labels.is_given(),
        names: names.to_vec(),
        seed: command.maps.method_options.seed,
    })
}

/// Writes the reports of a run whose pictures were looked at in shards.
///
/// # Errors
/// If a shard's journal or results can't be read.
pub fn merge(parts: &mut Parts, wanted: &Wanted) -> Result<Exit> {
    recorded::merge::<DiffLedger>(parts, wanted)
}

/// `count` workers, which share the models' weights and the threads.
fn crew<'a>(
    command: &DiffCommand,
    models: &[&Model],
    names: &[String],
    count: usize,
    task: Task<'a>,
) -> Result<Vec<Worker<'a>>> {
    let threads = (threads() / count).max(1) as i32;
    // Numbers are those of the first model, whatever they mean to another.
    let wanted: Option<Vec<usize>> = command
        .detection
        .classes
        .as_ref()
        .map(|classes| classes.iter().map(|class| class_id(class, names)).collect())
        .transpose()?;
    let detector = |index: usize| -> Result<Detector> {
        let model = models[index];
        let classes = classes_among(names, model, index == 0);
        let mut options = case_options(&command.maps, &command.detection.of_any_class(), model)?;
        if let Some(wanted) = &wanted {
            options.detect.classes = Some((0..classes.len()).filter(|&own| wanted.contains(&classes[own])).collect());
        }
        Ok(Detector { options, classes, model: model.share()? })
    };
    let worker = |_| {
        Ok(Worker {
            old: detector(0)?,
            new: detector(1)?,
            other: models.get(2).map(|_| detector(2)).transpose()?,
            wanted: wanted.clone(),
            threads: Some(threads),
            task,
        })
    };
    (0..count).map(worker).collect()
}
