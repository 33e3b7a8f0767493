//! What commands that go over pictures share: the model, the inputs, the folder of results, and work that stops when the user
//! asks.

use std::{
    fs, io, iter,
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Error, Result, anyhow, ensure};
use yolo_cam::{
    Method, Model, Precision, detect::DetectOptions, explain::methods::AutoLayers, families::Aspect, files::sweep,
};

use super::{
    interrupt,
    model::{check_size, load_model, note_size, tell_model},
    noun::Noun,
};
use crate::{
    cli::{DetectionChoice, ModelChoice, PictureChoice, ShardChoice, Verbosity},
    exit::Exit,
    guard::guarded,
    inputs::{Search, Source, Unusable, inputs_of, sources},
    output::{FolderLock, Inputs, REPORT_FOLDERS, Shard, quoted},
};

/// A run over pictures.
pub struct Session<'a> {
    pub model: Model,
    pictures: &'a PictureChoice,
    /// Whether pictures on servers are refused.
    offline: bool,
    verbosity: Verbosity,
    start: Instant,
}

impl<'a> Session<'a> {
    /// Loads the model, and gives it the class names that the user wants.
    ///
    /// `precision`: what changed pictures are wanted in.
    ///
    /// # Errors
    /// If the model is unusable, the names are not as many as its classes, or the processor lacks the precision.
    pub fn open(
        choice: &ModelChoice,
        pictures: &'a PictureChoice,
        detection: &DetectionChoice,
        precision: Precision,
        verbosity: Verbosity,
    ) -> Result<Self> {
        let start = Instant::now();
        let mut model = load_model(choice, verbosity < Verbosity::Normal)?;
        if let Some(names) = &pictures.names {
            model.set_names(names.clone())?;
        }
        ensure!(
            precision.is_native(model.device()),
            "--precision {0} is slower than f32 on this processor, which has no instructions for it; leave it out",
            precision.name()
        );
        check_size(detection.img_size, &model, verbosity < Verbosity::Normal)?;
        if verbosity >= Verbosity::Normal {
            note_size(detection.img_size, &model);
        }
        if let Some(ShardChoice { shard, told_by: Some(told_by) }) = &pictures.shard
            && verbosity >= Verbosity::Normal
        {
            say!("note: this is shard {shard}, by {told_by}");
        }
        Ok(Self { model, pictures, offline: choice.offline, verbosity, start })
    }

    /// Whether more than warnings and errors is wanted.
    pub fn is_talkative(&self) -> bool {
        self.verbosity >= Verbosity::Normal
    }

    /// Says what the model is, and what was chosen for it where the user did not.
    pub fn tell_choices(&self, method: Method, layers: Option<&[String]>, detect: &DetectOptions) {
        let model = &self.model;
        let has_boxes = model.head().has(Aspect::Box);
        let least = detect.conf_threshold.unwrap_or_default();
        let choice = match (detect.iou_threshold, detect.max_det) {
            _ if !has_boxes && detect.classes.is_some() => "the requested classes".to_owned(),
            (_, Some(1)) if !has_boxes => "the most probable class".to_owned(),
            (_, Some(most)) if !has_boxes => format!("the {most} most probable classes"),
            (Some(iou), _) => format!("boxes above {least}, NMS above IoU {iou}"),
            (None, _) => format!("boxes above {least}, no NMS (one box per object)"),
        };
        let place = match layers {
            Some(layers) => format!(" at {}", layers.join(", ")),
            None if method.auto_layers == AutoLayers::None => String::new(),
            None if !has_boxes => " at the last feature map".to_owned(),
            None => format!(" at {}", method.auto_layers.summary()),
        };
        let (family, task) = (model.head().family(), model.head().task());
        let classes = Noun::Class.counted(model.names().len());
        say!("model: {:?}, {family} ({task}), {classes}; {choice}; method {}{place}", model.path(), method.name);
    }

    /// All inputs, in order.
    pub fn sources(&self) -> Vec<Result<Source, Unusable>> {
        let PictureChoice { inputs, recursive, flat, output_dir, .. } = self.pictures;
        let search = Search { recursive: *recursive, output_dir, offline: self.offline };
        let mut sources = sources(inputs, search, io::stdin().lock());
        if *flat {
            sources.iter_mut().flatten().for_each(|source| source.below = PathBuf::new());
        }
        sources
    }

    /// Which part of the pictures this process has, if not all.
    pub fn shard(&self) -> Option<&'a Shard> {
        self.pictures.shard.as_ref().map(|choice| &choice.shard)
    }

    /// The same, with what tells the inputs of the whole run from others.
    pub fn part(&self, sources: &[Result<Source, Unusable>]) -> Option<(Shard, Inputs)> {
        self.shard().map(|shard| (*shard, inputs_of(sources, self.pictures.every, shard)))
    }

    /// Opens the folder of results. From here on Ctrl-C only asks to stop.
    ///
    /// # Errors
    /// If the folder can't be made, or another run has it.
    pub fn begin(&self) -> Result<FolderLock> {
        let lock = open_results(&self.pictures.output_dir, self.shard())?;
        if self.verbosity >= Verbosity::Verbose {
            tell_model(&self.model, self.start);
        }
        interrupt::install()?;
        Ok(lock)
    }
}

/// More workers than this gain little, and each takes memory for its own forward pass.
const MOST_WORKERS: usize = 4;

/// How many workers work on pictures at once. `jobs`: as the user wants; `fills_cores`: whether one keeps all cores busy with batches by
/// itself; `total`: of the pictures, if that is known.
pub fn workers(jobs: Option<u16>, fills_cores: bool, total: Option<usize>) -> usize {
    let workers = match jobs {
        Some(jobs) => jobs.into(),
        None if fills_cores => 1,
        None => threads().min(MOST_WORKERS),
    };
    workers.min(total.unwrap_or(usize::MAX)).max(1)
}

/// The threads that libtorch may use.
pub fn threads() -> usize {
    tch::get_num_threads().max(1) as usize
}

/// The same jobs, until the user wants to stop.
pub fn until_stopped<J>(mut jobs: impl Iterator<Item = J>) -> impl Iterator<Item = J> {
    iter::from_fn(move || if interrupt::is_stopped() { None } else { jobs.next() })
}

/// Whether long work is to go on.
pub fn go_on() -> ControlFlow<()> {
    if interrupt::is_stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// What became of the work on a picture.
pub enum Attempt<T> {
    Done(T),
    Failed(Error),
    /// The user did not want to wait.
    Interrupted,
}

/// Works on a picture. A fault of the program costs this picture alone.
pub fn attempt<T>(image: &str, work: impl FnOnce() -> Result<T>) -> Attempt<T> {
    match guarded(work).unwrap_or_else(|fault| Err(Error::msg(format!("{image:?}: {fault}")))) {
        Ok(done) => Attempt::Done(done),
        Err(error) if matches!(error.downcast_ref(), Some(yolo_cam::Error::Interrupted)) => Attempt::Interrupted,
        Err(error) => Attempt::Failed(error),
    }
}

/// Makes a folder of results if it is missing, keeps other runs out of it, and removes what a killed run left there.
///
/// `shard`: which part of a run, others of which may be at work there.
pub fn open_results(output_dir: &Path, shard: Option<&Shard>) -> Result<FolderLock> {
    create_results(output_dir)?;
    let lock = match shard {
        Some(shard) => FolderLock::take_shard(output_dir, shard)?,
        None => FolderLock::take(output_dir)?,
    };
    sweep(output_dir);
    REPORT_FOLDERS.iter().for_each(|folder| sweep(&output_dir.join(folder)));
    Ok(lock)
}

/// Makes a folder of results if it is missing.
pub fn create_results(output_dir: &Path) -> Result<()> {
    fs::create_dir_all(output_dir).map_err(|error| {
        anyhow!("output folder {output_dir:?} cannot be created: {error}; use a different --output-dir")
    })
}

/// How the program ends after a run.
pub fn exit(is_interrupted: bool, has_failed: bool) -> Exit {
    match (is_interrupted, has_failed) {
        (true, _) => interrupt::exit(),
        (false, true) => Exit::SomeFailed,
        (false, false) => Exit::Fine,
    }
}

/// Says how the part of a run goes on, once it is done.
pub fn tell_shard(shard: &Shard, output_dir: &Path, is_stopped: bool) {
    if is_stopped {
        say!("shard {shard} was interrupted; --skip-existing goes on");
    } else {
        let folder = quoted(&output_dir.display().to_string());
        say!("shard {shard} is done; once all are, 'yolo-cam merge {folder}' writes the reports");
    }
}

/// Says, if the user wants to know, the most memory that this process has held so far, where the system tells (Linux).
pub fn tell_memory(verbosity: Verbosity) {
    if verbosity < Verbosity::Verbose {
        return;
    }
    let Ok(status) = fs::read_to_string("/proc/self/status") else { return };
    let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    if let Some(kibibytes) = kibibytes.and_then(|text| text.trim().trim_end_matches(" kB").parse::<u64>().ok()) {
        say!("memory: peak {} MiB", kibibytes / 1024);
    }
}
