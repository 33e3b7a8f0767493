//! Does what the command line asks for, one picture after the other.

use std::{
    fs,
    io::{self, Write},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use yolo_cam::{
    ExplainOptions, Explanation, ExportOptions, Method, Model, TargetLayer,
    detect::{DetectOptions, Query},
    explain::{Grouping, check_target, explain_watched, methods::Needs},
    geometry::Size,
    model::FileKind,
    picture, render,
    report::{JsonReport, max_side, write_json, write_npy, write_picture},
};

use crate::{
    Exit,
    cli::{Command, ExplainCommand, ExportCommand, LayersCommand, ModelChoice, Verbosity},
    inputs::{Namer, ResultNames, pictures},
    progress, weights,
};

/// Runs the command.
///
/// # Errors
/// Wrong use or an unusable model. What goes wrong with a picture is told, and shows in the exit code.
pub fn run(command: Command) -> Result<Exit> {
    match command {
        Command::Explain(command) => explain_pictures(&command),
        Command::Layers(command) => list_layers(&command),
        Command::Export(command) => export(&command),
        Command::Methods => list_methods(),
    }
}

fn explain_pictures(command: &ExplainCommand) -> Result<Exit> {
    let start = Instant::now();
    let says = |level: Verbosity| command.verbosity >= level;
    let mut model = load_model(&command.model, !says(Verbosity::Normal))?;
    if let Some(names) = &command.names {
        model.set_names(names.clone())?;
    }
    let results = results(command, &model)?;
    if says(Verbosity::Normal) {
        note_rounding(command.img_size, &model);
    }
    fs::create_dir_all(&command.output_dir)
        .with_context(|| format!("output folder {:?} cannot be created", command.output_dir))?;
    if says(Verbosity::Verbose) {
        let heads: Vec<String> = model.heads().iter().map(|head| head.name()).collect();
        let classes = model.names().len();
        eprintln!("model: {:?}, {classes} classes, heads {}", model.path(), heads.join(" "));
        eprintln!("time: model load {}", milliseconds(start.elapsed()));
    }

    let inputs = pictures(&command.inputs, &command.output_dir);
    let total = inputs.len();
    let mut namer = Namer::new(&command.output_dir);
    let mut failed = 0;
    for (index, input) in inputs.into_iter().enumerate() {
        let outcome = input.map_err(anyhow::Error::msg).and_then(|path| {
            let names = namer.names(&path);
            for result in &results {
                let names = names.with_suffix(&result.suffix);
                let done = explain_picture(&path, &names, &model, &result.options, command)?;
                warn_of_empty_maps(&path, &done.explanation, &model);
                if let Some(query) = &result.options.query {
                    let outcome = query_outcome(query, &done.explanation, &model, command.conf_threshold);
                    eprintln!("query: {}: {outcome}", path.display());
                }
                if says(Verbosity::Normal) {
                    let boxes = summary(&done.explanation, &model);
                    eprintln!("[{}/{total}] {}: {boxes} -> {}", index + 1, path.display(), names.picture().display());
                }
                if says(Verbosity::Verbose) {
                    eprintln!("time: {}", done.times());
                }
            }
            Ok(())
        });
        match outcome {
            Ok(()) => {}
            Err(error) => {
                failed += 1;
                eprintln!("error: {error:#}");
            }
        }
    }
    if says(Verbosity::Verbose)
        && let Some(peak) = peak_memory()
    {
        eprintln!("memory: peak {peak} MiB");
    }
    if failed > 0 {
        eprintln!("{failed} of {total} inputs failed");
        return Ok(Exit::SomeFailed);
    }
    Ok(Exit::Fine)
}

fn note_rounding(img_size: u32, model: &Model) {
    let side = model.input_side(Some(img_size));
    if side != img_size {
        let stride = model.max_stride();
        eprintln!("note: --img-size {img_size} rounded up to {side}, a multiple of the largest stride {stride}");
    }
}

/// One of the results that are made of each picture.
struct ResultKind {
    /// What its files have behind the stem.
    suffix: String,
    options: ExplainOptions,
}

/// A single result for each picture; with `--fuse none` one for each layer.
fn results(command: &ExplainCommand, model: &Model) -> Result<Vec<ResultKind>> {
    let options = explain_options(command, model)?;
    let layers = match (&options.target_layer, command.fuse) {
        (TargetLayer::Layers(layers), None) => layers.clone(),
        _ => return Ok(vec![ResultKind { suffix: String::new(), options }]),
    };
    let single = |layer: usize| ResultKind {
        suffix: format!("-{}", model.layers()[layer].path),
        options: ExplainOptions { target_layer: TargetLayer::Layers(vec![layer]), ..options.clone() },
    };
    Ok(layers.into_iter().map(single).collect())
}

fn explain_options(command: &ExplainCommand, model: &Model) -> Result<ExplainOptions> {
    let target_layer = match &command.target_layers {
        None => TargetLayer::Auto,
        Some(names) => {
            let layers = names.iter().map(|name| Ok(model.find_layer(name)?)).collect::<Result<Vec<_>>>()?;
            TargetLayer::Layers(layers)
        }
    };
    let class_ids = |classes: &Vec<String>| classes.iter().map(|class| class_id(class, model.names())).collect();
    let options = ExplainOptions {
        img_size: Some(command.img_size),
        detect: DetectOptions {
            conf_threshold: command.conf_threshold,
            iou_threshold: command.iou_threshold,
            max_det: command.top.map_or(command.max_det, |top| top.min(command.max_det)),
            classes: command.classes.as_ref().map(class_ids).transpose()?,
            agnostic: command.agnostic_nms,
        },
        query: query(command, model)?,
        method: command.method,
        method_options: command.method_options,
        target: command.target,
        contrast: command.contrast.as_ref().map(|class| class_id(class, model.names())).transpose()?,
        target_layer,
        fuse: command.fuse.unwrap_or_default(),
    };
    check_target(model, &options)?;
    Ok(options)
}

/// The box that is asked for, of the class that is asked for.
fn query(command: &ExplainCommand, model: &Model) -> Result<Option<Query>> {
    let Some((target, class)) = &command.query else { return Ok(None) };
    Ok(Some(Query { target: *target, class_id: class_id(class, model.names())? }))
}

/// In one line, what the detector made of the box that was asked for.
fn query_outcome(query: &Query, explanation: &Explanation, model: &Model, threshold: f32) -> String {
    let class = &model.names()[query.class_id];
    let Some(answer) = &explanation.answer else {
        return format!("no prediction overlaps the box, of {class} or any other class");
    };
    let confidence = answer.detection.confidence;
    let is_below = if confidence > threshold { "" } else { ", not above --conf-thres" };
    let own = format!("the best prediction of {class} has confidence {confidence:.4}{is_below}, IoU {:.2}", answer.iou);
    match &answer.winner {
        Some(winner) if winner.class_id == query.class_id => format!("{own}; no other class won there"),
        Some(winner) => {
            format!("{own}; there {} won with {:.4}", model.names()[winner.class_id], winner.confidence)
        }
        None => format!("{own}; no prediction overlaps the box by a half"),
    }
}

/// The class that a user means by its number or name.
fn class_id(class: &str, names: &[String]) -> Result<usize> {
    if let Some(index) = names.iter().position(|name| name == class) {
        return Ok(index);
    }
    match class.parse::<usize>() {
        Ok(index) if index < names.len() => Ok(index),
        Ok(index) => bail!("class {index} does not exist; the model has {} classes, numbered from 0", names.len()),
        Err(_) => bail!("class {class:?} not found; the model's classes are: {}", names.join(", ")),
    }
}

/// A picture whose results are written.
struct Done {
    explanation: Explanation,
    decode: Duration,
    render: Duration,
    write: Duration,
}

impl Done {
    fn times(&self) -> String {
        let timings = &self.explanation.timings;
        [
            ("decode", self.decode),
            ("letterbox", timings.letterbox),
            ("forward", timings.forward),
            ("detect", timings.detect),
            ("backward", timings.backward),
            ("render", self.render),
            ("write", self.write),
        ]
        .map(|(stage, time)| format!("{stage} {}", milliseconds(time)))
        .join(", ")
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

/// The most memory that this process has held so far, in MiB, where the system tells (Linux).
fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(kibibytes.trim().trim_end_matches(" kB").parse::<u64>().ok()? / 1024)
}

fn explain_picture(
    path: &Path,
    names: &ResultNames,
    model: &Model,
    options: &ExplainOptions,
    command: &ExplainCommand,
) -> Result<Done> {
    let mut clock = Instant::now();
    let mut lap = || std::mem::replace(&mut clock, Instant::now()).elapsed();
    let picture = picture::read(path)?;
    let decode = lap();
    let bar = progress::Bar::new(command.verbosity >= Verbosity::Normal);
    let explanation = explain_watched(model, &picture, options, &mut |done, total| bar.show(done, total))
        .with_context(|| path.display().to_string())?;
    drop(bar);
    lap();
    let target = names.picture();
    let sheet = render::panels(&explanation, model, command.grouping, max_side(&target))?;
    let render = lap();
    write_picture(&target, &sheet)?;
    let maps = if command.raw { write_maps(names, &explanation)? } else { Vec::new() };
    if command.raw && command.grouping != Grouping::Box {
        for group in explanation.groups(command.grouping)? {
            let kind = group.class_id.map_or_else(|| "all".to_owned(), |class| format!("class{class}"));
            write_npy(&names.dir().join(names.map(&kind)), &group.heat)?;
        }
    }
    if command.json {
        write_json(&names.json(), &JsonReport::new(model, path, &explanation, options, &maps))?;
    }
    Ok(Done { explanation, decode, render, write: lap() })
}

/// Writes each map that has a signal. Returns the file names, by box.
fn write_maps(names: &ResultNames, explanation: &Explanation) -> Result<Vec<Option<String>>> {
    let write = |(index, explained): (usize, &yolo_cam::ExplainedBox)| {
        if explained.heatmap.no_signal().is_some() {
            return Ok(None);
        }
        let name = names.map(&index.to_string());
        write_npy(&names.dir().join(&name), explained.heatmap.values())?;
        Ok(Some(name))
    };
    explanation.boxes.iter().enumerate().map(write).collect()
}

fn warn_of_empty_maps(path: &Path, explanation: &Explanation, model: &Model) {
    for explained in &explanation.boxes {
        if let Some(reason) = explained.no_signal_reason(model) {
            let class = &model.names()[explained.detection.class_id];
            let confidence = explained.detection.confidence;
            eprintln!("warning: {}: {class} {confidence:.2}: no signal: {reason}", path.display());
        }
    }
}

fn summary(explanation: &Explanation, model: &Model) -> String {
    /// More would make the line unreadable.
    const MOST: usize = 8;
    let boxes = &explanation.boxes;
    let name = |explained: &yolo_cam::ExplainedBox| {
        let detection = &explained.detection;
        format!("{} {:.2}", model.names()[detection.class_id], detection.confidence)
    };
    let list = boxes.iter().take(MOST).map(name).collect::<Vec<_>>().join(", ");
    match boxes.len() {
        0 => "no detections".to_owned(),
        1 => format!("1 box ({list})"),
        count @ 2..=MOST => format!("{count} boxes ({list})"),
        count => format!("{count} boxes ({list}, ...)"),
    }
}

fn list_layers(command: &LayersCommand) -> Result<Exit> {
    let model = load_model(&command.model, false)?;
    let side = model.input_side(Some(command.img_size));
    let shapes = model.layer_shapes(Size { width: side, height: side })?;
    let mut rows = vec![["LAYER", "CLASS", "SHAPE", "STRIDE", "HEADS"].map(str::to_owned)];
    for (layer, shape) in model.layers().iter().zip(&shapes) {
        let heads = (0..model.heads().len()).filter(|&head| layer.is_seen_by(head));
        let heads = heads.map(|head| model.heads()[head].name()).collect::<Vec<_>>().join(" ");
        let stride = match shape.as_slice() {
            &[_, _, _, width] if width > 0 => (i64::from(side) / width).to_string(),
            _ => "-".to_owned(),
        };
        let shape = shape.iter().skip(1).map(i64::to_string).collect::<Vec<_>>().join("x");
        rows.push([
            layer.path.clone(),
            layer.class.clone(),
            shape,
            stride,
            if heads.is_empty() { "-".into() } else { heads },
        ]);
    }
    print_table(&rows)
}

fn list_methods() -> Result<Exit> {
    let mut rows = vec![["METHOD", "NEEDS", "COST", "AUTO LAYERS", "SOURCE", "THE MAP"].map(str::to_owned)];
    for method in Method::ALL {
        let info = method.info();
        let (needs, cost) = match info.needs {
            Needs::Gradient => ("gradient", "1 forward, 1 backward to the layer per box"),
            Needs::Activations => ("activations", "1 forward"),
            Needs::ForwardsByChannel if method == Method::AblationCam => {
                ("forwards", "1 forward behind the layer per channel")
            }
            Needs::ForwardsByChannel => ("forwards", "1 forward per channel"),
            Needs::Forwards => ("forwards", "1 forward per mask"),
        };
        let auto = match info.needs {
            Needs::Forwards => "none",
            _ if info.is_element_wise => "end, P4 and P3 of the backbone",
            _ => "what feeds the box's head",
        };
        rows.push([info.name, needs, cost, auto, info.source, info.summary].map(str::to_owned));
    }
    print_table(&rows)
}

/// Writes rows to stdout, their cells below each other.
fn print_table<const N: usize>(rows: &[[String; N]]) -> Result<Exit> {
    match write_table(rows) {
        // The reader has seen enough: `yolo-cam layers | head`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Fine),
        done => done.map(|()| Exit::Fine).context("the list cannot be written"),
    }
}

fn write_table<const N: usize>(rows: &[[String; N]]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    for row in rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect::<Vec<_>>();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    out.flush()
}

fn export(command: &ExportCommand) -> Result<Exit> {
    let model = load_model(&command.model, false)?;
    let output = command.output.clone().unwrap_or_else(|| model.path().with_extension("torchscript"));
    // Without --output, a checkpoint that is called .torchscript would overwrite itself.
    let is_model =
        fs::canonicalize(&output).is_ok_and(|file| fs::canonicalize(model.path()).is_ok_and(|own| own == file));
    if is_model && model.kind() == FileKind::Checkpoint {
        bail!("{output:?} is the model itself; give --output another file");
    }
    note_rounding(command.img_size, &model);
    let options = ExportOptions { img_size: Some(command.img_size), half: command.half };
    model.export(&output, &options)?;
    let classes = model.names().len();
    let precision = if command.half { "fp16" } else { "fp32" };
    let side = model.input_side(options.img_size);
    eprintln!("{} -> {} ({classes} classes, {side}x{side}, {precision})", model.path().display(), output.display());
    Ok(Exit::Fine)
}

fn load_model(choice: &ModelChoice, quiet: bool) -> Result<Model> {
    if let Some(threads) = choice.threads {
        tch::set_num_threads(threads.into());
    }
    let path = weights::find(&choice.path, weights::Search { offline: choice.offline, quiet })?;
    // Even when told to be quiet: another model gives other results.
    if path != choice.path {
        eprintln!("note: {:?} not found; using {path:?}", choice.path);
    }
    Ok(Model::load(path, choice.device)?)
}
