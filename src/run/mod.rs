//! Does what the command line asks for.

mod eval;
mod explain;
mod interrupt;
mod ledger;
mod lists;
mod messages;
mod options;
mod shape;
mod worker;

use std::{fs, io::Write, path::Path, time::Instant};

use anyhow::{Result, anyhow, bail};
use yolo_cam::{ExportOptions, LoadOptions, Method, Model, Target, files::sweep, model::FileKind};

use crate::{
    cli::{Command, ExportCommand, ModelChoice},
    exit::Exit,
    output::{FolderLock, REPORT_FOLDERS},
    weights,
};

/// Runs the command.
///
/// # Errors
/// Wrong use or an unusable model. What goes wrong with a picture is told, and shows in the exit code.
pub fn run(command: Command) -> Result<Exit> {
    match command {
        Command::Explain(command) => explain::explain(&command),
        Command::Layers(command) => lists::layers(&command),
        Command::Eval(command) => eval::eval(&command),
        Command::Export(command) => export(&command),
        Command::Methods => lists::methods(),
        Command::Shape(command) => shape::shape(&command),
        Command::Print(text) => lists::print(|out| out.write_all(&text)),
    }
}

fn note_rounding(img_size: u32, model: &Model) {
    let side = model.input_side(Some(img_size));
    if side != img_size {
        let stride = model.max_stride();
        say!("note: --img-size {img_size} rounded up to {side}, a multiple of the largest stride {stride}");
    }
}

/// Makes the folder of results if it is missing, keeps other runs out of it, and removes what a killed run left there.
fn open_results(output_dir: &Path) -> Result<FolderLock> {
    create_results(output_dir)?;
    let lock = FolderLock::take(output_dir)?;
    sweep(output_dir);
    REPORT_FOLDERS.iter().for_each(|folder| sweep(&output_dir.join(folder)));
    Ok(lock)
}

fn create_results(output_dir: &Path) -> Result<()> {
    fs::create_dir_all(output_dir).map_err(|error| {
        anyhow!("output folder {output_dir:?} cannot be created: {error}; use a different --output-dir")
    })
}

/// Where what was asked for says nothing about the boxes of this model.
fn warn_of_target(target: Target, mut methods: impl Iterator<Item = Method>, model: &Model) {
    let is_used = methods.any(Method::takes_gradient);
    if is_used && target.is_untrained(model) {
        say!(
            "warning: --target {} explains the class output, which {} does not train where there is one class; --target obj \
             explains what the box comes from",
            target.name,
            model.head().family()
        );
    }
}

/// What the model is, and how long it took to load since `start`.
fn tell_model(model: &Model, start: Instant) {
    let heads: Vec<String> = model.levels().iter().map(|head| head.name()).collect();
    say!("model: {:?}, {} classes, heads {}", model.path(), model.names().len(), heads.join(" "));
    say!("time: model load {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
}

/// The most memory that this process has held so far, where the system tells (Linux).
fn tell_memory() {
    let Ok(status) = fs::read_to_string("/proc/self/status") else { return };
    let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    if let Some(kibibytes) = kibibytes.and_then(|text| text.trim().trim_end_matches(" kB").parse::<u64>().ok()) {
        say!("memory: peak {} MiB", kibibytes / 1024);
    }
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
    let options = ExportOptions::default().with_img_size(Some(command.img_size)).with_half(command.half);
    model.export(&output, &options)?;
    let classes = model.names().len();
    let precision = if command.half { "fp16" } else { "fp32" };
    let side = model.input_side(options.img_size);
    say!("{} -> {} ({classes} classes, {side}x{side}, {precision})", model.path().display(), output.display());
    Ok(Exit::Fine)
}

/// With the class names that the user gives.
fn load_named_model(choice: &ModelChoice, names: Option<&[String]>, quiet: bool) -> Result<Model> {
    let mut model = load_model(choice, quiet)?;
    if let Some(names) = names {
        model.set_names(names.to_vec())?;
    }
    Ok(model)
}

fn load_model(choice: &ModelChoice, quiet: bool) -> Result<Model> {
    if let Some(threads) = choice.threads {
        tch::set_num_threads(threads.into());
    }
    let path = weights::find(&choice.path, weights::Lookup { offline: choice.offline, quiet })?;
    // Even when told to be quiet: another model gives other results.
    if path != choice.path {
        say!("note: {:?} not found; using {path:?}", choice.path);
    }
    let model = Model::load_with(path, choice.device, LoadOptions::default().with_trust(choice.trust))?;
    for warning in model.warnings() {
        say!("warning: model {:?}: {warning}", model.path());
    }
    Ok(model)
}
