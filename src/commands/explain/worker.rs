//! One picture: read, explain, draw, write.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Error, Result};
use image::RgbImage;
use serde_json::Value;
use tch::Tensor;
use yolo_cam::{
    ExplainOptions, Explanation, Model, TargetLayer,
    detect::{Trial, try_size},
    eval::{Crew, Verdict, picture_seed, verify},
    explain::explain_with_outputs,
    report::{Record, TrialEntry, max_side, write_picture},
};

use super::{
    super::{
        options::{method_of, verify_options},
        session::{Attempt, attempt, go_on},
    },
    messages::{empty_maps, no_signal_reason, small_boxes, undrawable_name},
    missed::Answer,
    spot::check_spot,
};
use crate::{
    cli::{ExplainCommand, Verbosity},
    inputs::{Content, Picture},
    output::{
        Entry, Explained, Finished, ResultNames, Verified, reports::PictureReport, shards::Turn, write_maps,
        write_shapes,
    },
    progress::Bar,
};

/// One of the results that are made of each picture.
pub struct ResultKind {
    /// The layer, if each has a result of its own.
    pub layer: Option<String>,
    pub options: ExplainOptions,
}

impl ResultKind {
    /// The names of this result of a picture whose results have `names`.
    pub fn names(&self, names: &ResultNames) -> ResultNames {
        match &self.layer {
            None => names.clone(),
            Some(layer) => names.with_suffix(&format!("-{layer}")),
        }
    }
}

/// A picture that is to be explained.
pub struct PictureJob {
    /// As messages and reports name it.
    pub image: String,
    /// When its turn comes in the whole run.
    pub turn: Turn,
    pub work: Work,
}

/// Where a picture is.
pub enum Work {
    /// With what the journal says of it before it is explained.
    Picture(Picture, Entry),
    /// It need not be explained: its results are there.
    Existing(Entry),
    /// Nowhere, and why.
    Unusable(String),
}

impl Work {
    /// The number of the picture, if it is one of a video or an animation.
    fn frame(&self) -> Option<u64> {
        match self {
            Self::Picture(picture, _) => picture.id.frame(),
            Self::Existing(entry) => entry.picture.frame(),
            Self::Unusable(_) => None,
        }
    }
}

/// What became of a picture.
pub struct PictureOutcome {
    pub image: String,
    pub turn: Turn,
    /// Its number, if it is one of a video or an animation.
    pub frame: Option<u64>,
    /// What is to be told, in order.
    pub warnings: Vec<String>,
    pub state: PictureState,
}

pub enum PictureState {
    /// One result for each kind, and what the journal is to say of them.
    Done(Vec<Finished>, Entry),
    /// It has these results already.
    Skipped(Entry),
    Failed(Error),
    /// The user did not want to wait.
    Interrupted,
}

/// The reports that are written with each picture, by name.
pub type PictureReports = Vec<(&'static str, Box<dyn PictureReport>)>;

/// What all workers do.
#[derive(Clone, Copy)]
pub struct Task<'a> {
    pub command: &'a ExplainCommand,
    pub kinds: &'a [ResultKind],
    /// Other sizes of the input at which a place is looked at.
    pub sizes: &'a [u32],
    pub steps: &'a Bar,
    pub reports: &'a PictureReports,
}

/// A picture that was read.
struct Current<'a> {
    image: &'a str,
    picture: &'a RgbImage,
    names: ResultNames,
    kind: &'a ResultKind,
    /// Whether it is the first result of its picture: what goes for all of them is told once.
    is_first: bool,
    trials: &'a [(u32, Result<Trial, String>)],
}

/// Explains one picture after the other.
pub struct ExplainWorker<'a> {
    model: Model,
    /// Of libtorch; set in the thread that works.
    threads: Option<i32>,
    /// Who runs changed pictures, if maps are verified.
    crew: Option<Crew>,
    task: Task<'a>,
}

impl<'a> ExplainWorker<'a> {
    /// `threads`: how many of libtorch's; at least 1.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub fn new(model: Model, threads: i32, task: Task<'a>) -> Result<Self> {
        // On a GPU one is enough.
        let handles = if model.device().is_cuda() { 1 } else { threads as usize };
        let crew = task.command.verify.map(|_| Crew::new(&model, handles)).transpose()?;
        Ok(Self { model, threads: Some(threads), crew, task })
    }

    pub fn work(&mut self, job: PictureJob) -> PictureOutcome {
        if let Some(threads) = self.threads.take() {
            tch::set_num_threads(threads);
        }
        let PictureJob { image, turn, work } = job;
        let frame = work.frame();
        let mut warnings = Vec::new();
        let state = match work {
            Work::Existing(entry) => PictureState::Skipped(entry),
            Work::Unusable(problem) => PictureState::Failed(Error::msg(problem)),
            Work::Picture(Picture { content, names, .. }, entry) => {
                match attempt(&image, || self.results(&content, &image, &names, &mut warnings)) {
                    Attempt::Done(results) => PictureState::Done(results, entry),
                    Attempt::Failed(error) => PictureState::Failed(error),
                    Attempt::Interrupted => PictureState::Interrupted,
                }
            }
        };
        PictureOutcome { image, turn, frame, warnings, state }
    }

    fn results(
        &mut self,
        content: &Content,
        image: &str,
        names: &ResultNames,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<Finished>> {
        let start = Instant::now();
        let loaded = content.load()?;
        let folder = names.picture().parent().map(Path::to_owned).unwrap_or_default();
        // That of a picture that was found in a folder below may be new.
        fs::create_dir_all(&folder).with_context(|| format!("{image}: folder {folder:?} cannot be created"))?;
        let mut decode = start.elapsed();
        let trials = self.trials(&loaded.picture).with_context(|| image.to_owned())?;
        let mut done = Vec::with_capacity(self.task.kinds.len());
        for kind in self.task.kinds {
            let (is_first, trials) = (done.is_empty(), &trials);
            let picture = &*loaded.picture;
            let current = Current { image, picture, names: kind.names(names), kind, is_first, trials };
            done.push(self.result(&current, decode, warnings)?);
            decode = Duration::ZERO;
        }
        Ok(done)
    }

    /// What is at the place that is asked for at other sizes of the input, the same for all results; or why the network can't run
    /// there.
    fn trials(&self, picture: &RgbImage) -> Result<Vec<(u32, Result<Trial, String>)>> {
        let options = &self.task.kinds[0].options;
        let Some(query) = &options.query else { return Ok(Vec::new()) };
        check_spot(&query.spot, picture.dimensions())?;
        let mut trials = Vec::with_capacity(self.task.sizes.len());
        for &size in self.task.sizes {
            if go_on().is_break() {
                return Err(yolo_cam::Error::Interrupted.into());
            }
            let trial = try_size(&self.model, picture, query, &options.detect, size);
            trials.push((size, trial.map_err(|error| error.to_string())));
        }
        Ok(trials)
    }

    fn result(&mut self, current: &Current, decode: Duration, warnings: &mut Vec<String>) -> Result<Finished> {
        let Current { image, picture, names, kind, .. } = current;
        let steps = self.task.steps;
        let mut watch = |done, total| {
            steps.show(done, total);
            go_on()
        };
        let (explanation, outputs) =
            explain_with_outputs(&self.model, picture, &kind.options, &mut watch).with_context(|| image.to_string())?;
        self.warn(current, &explanation, warnings);
        let (verdicts, verified) = self.verified(picture, &explanation, &outputs).with_context(|| image.to_string())?;
        let mut clock = Instant::now();
        let mut lap = || std::mem::replace(&mut clock, Instant::now()).elapsed();
        let command = self.task.command;
        let footer = command.has_footer.then(|| footer(command, &self.model));
        let note = |verdict: &Option<Verdict>| Some(format!("verify: {}", verdict.as_ref()?.word));
        let explained = Explained {
            image,
            picture,
            names,
            layer: kind.layer.as_deref(),
            model: &self.model,
            explanation: &explanation,
            render: &command.render.clone().with_footer(footer).with_box_notes(verdicts.iter().map(note).collect()),
            quality: command.quality,
        };
        let pictures = self.drawn(&explained, warnings)?;
        let render = lap();
        let mut others = Vec::new();
        let maps = command.raw.map(|raw| write_maps(&explained, raw, &mut others)).transpose()?.unwrap_or_default();
        let shapes = command.shape.as_ref().map(|options| write_shapes(&explained, options, &mut others));
        let shapes = shapes.transpose()?.unwrap_or_default();
        let mut record = Record::new(&self.model, image, &explanation, &kind.options, &maps, &shapes);
        for (detection, explained) in record.detections.iter_mut().zip(&explanation.boxes) {
            detection.reason = no_signal_reason(explained, &self.model);
        }
        for (detection, verdict) in record.detections.iter_mut().zip(verdicts) {
            detection.verify = verdict;
        }
        if let Some(query) = record.query.as_mut().filter(|_| command.try_sizes) {
            let entry =
                |(size, trial): &(u32, Result<Trial, String>)| TrialEntry::new(*size, trial.as_ref(), &self.model);
            query.sizes = Some(current.trials.iter().map(entry).collect());
        }
        let keep = |(name, report): &(&'static str, Box<dyn PictureReport>)| -> Result<(&'static str, Value)> {
            Ok((*name, report.write(&explained, &record, &mut others)?))
        };
        let kept = self.task.reports.iter().map(keep).collect::<Result<_>>()?;
        // Last, and the first of them at the very end: where it stands, all is complete.
        for (file, picture) in pictures.iter().rev() {
            write_picture(file, picture, command.quality)?;
        }
        let write = lap();
        let timings = &explanation.timings;
        let mut times = vec![
            ("decode", decode),
            ("letterbox", timings.letterbox),
            ("forward", timings.forward),
            ("detect", timings.detect),
            ("maps", timings.maps),
        ];
        times.extend(verified.as_ref().map(|verified| ("verify", verified.time)));
        times.extend([("render", render), ("write", write)]);
        let times = times.into_iter().map(|(stage, time)| format!("{stage} {:.1} ms", time.as_secs_f64() * 1e3));
        let times = times.collect::<Vec<_>>().join(", ");
        let pictures = pictures.into_iter().map(|(file, _)| file).collect();
        Ok(Finished { pictures, others, record, kept, verified, times })
    }

    /// What each map is worth, and what finding that out took, if that is wanted. `outputs`: of the network for the picture.
    fn verified(
        &mut self,
        picture: &RgbImage,
        explanation: &Explanation,
        outputs: &[Tensor],
    ) -> Result<(Vec<Option<Verdict>>, Option<Verified>)> {
        let command = self.task.command;
        let (Some(crew), Some(steps)) = (&mut self.crew, command.verify) else { return Ok((Vec::new(), None)) };
        let start = Instant::now();
        let options = verify_options(steps, &command.method_options);
        // Other tiles and another random map for each picture, wherever it stands in the run.
        let options = options.with_seed(picture_seed(picture, options.seed));
        let input = explanation.letterbox.tensor(self.model.device())?;
        let mut watch = |done, total| {
            self.task.steps.show(done, total);
            go_on()
        };
        let verdicts = verify(crew, &input, outputs, &explanation.boxes, &options, &mut watch)?;
        Ok((verdicts, Some(Verified { passes: options.passes(), precision: options.precision, time: start.elapsed() })))
    }

    /// What the user should know of an explanation.
    fn warn(&self, current: &Current, explanation: &Explanation, warnings: &mut Vec<String>) {
        let &Current { image, kind, is_first, trials, .. } = current;
        if explanation.is_undefined {
            warnings.push(format!("warning: {image}: {}", yolo_cam::Error::Undefined));
        }
        warnings.extend(empty_maps(image, explanation, &self.model));
        if let Some(query) = kind.options.query.as_ref().filter(|_| is_first && !explanation.is_undefined) {
            let Explanation { letterbox, candidates, .. } = explanation;
            let ExplainCommand { detection, verbosity, .. } = self.task.command;
            let (model, map, top) = (&self.model, &letterbox.map, detection.top);
            let answer = Answer { image, model, query, map, candidates, trials, top };
            match verbosity {
                Verbosity::Quiet => warnings.push(answer.in_short()),
                Verbosity::Normal | Verbosity::Verbose => warnings.extend(answer.in_full()),
            }
        }
        warnings.extend(undrawable_name(explanation, &self.model).filter(|_| self.task.command.render.labels));
    }

    /// The result pictures with their files.
    fn drawn(&self, explained: &Explained, warnings: &mut Vec<String>) -> Result<Vec<(PathBuf, RgbImage)>> {
        let target = explained.names.picture();
        let limit = max_side(&target);
        let command = self.task.command;
        let options = explained.render.clone().with_max_side(limit);
        let drawn = (command.layout.draw)(explained, &options)?;
        if command.layout.is_small_scale && command.verbosity >= Verbosity::Normal {
            warnings.extend(small_boxes(explained.explanation));
        }
        if drawn.left_out > 0 {
            let kind = target.extension().unwrap_or_default().to_string_lossy();
            warnings.push(format!(
                "warning: {}: {} panels, of the least confident boxes, are left out: a {kind} picture has at most \
                 {limit} pixels a side; take --layout overlay, --top or --format png",
                explained.image, drawn.left_out
            ));
        }
        Ok(drawn.pictures)
    }
}

/// What the footer of a picture says of how it was made: model, method, target.
fn footer(command: &ExplainCommand, model: &Model) -> Vec<String> {
    let file = model.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
    vec![file, method_of(command, model).name.to_owned(), format!("target {}", command.target.of(model).name)]
}

/// A single result for each picture; where the layers' maps are not fused, one for each layer.
pub fn result_kinds(options: ExplainOptions, is_fused: bool, model: &Model) -> Vec<ResultKind> {
    let layers = match &options.target_layer {
        TargetLayer::Layers(layers) if !is_fused => layers.clone(),
        _ => return vec![ResultKind { layer: None, options }],
    };
    let single = |layer: usize| ResultKind {
        layer: Some(model.layers()[layer].path.clone()),
        options: options.clone().with_target_layer(TargetLayer::Layers(vec![layer])),
    };
    layers.into_iter().map(single).collect()
}
