//! One picture: read, explain, draw, write.

use std::{
    ops::ControlFlow,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Error, Result};
use image::RgbImage;
use yolo_cam::{
    ExplainOptions, ExplainedBox, Explanation, Model, TargetLayer,
    explain::{Group, Grouping, MapSize, explain_watched},
    picture, render,
    report::{HtmlEntry, HtmlPictures, RawMap, Record, max_side, write_json, write_picture, write_raw},
    shape::{Shape, ShapeNumbers, draw_shapes, shape},
};

use super::{
    interrupt,
    messages::{empty_maps, query_outcome, undrawable_name},
};
use crate::{
    cli::{ExplainCommand, Layout},
    guard::guarded,
    inputs::{Content, PICTURES, Picture},
    output::{Entry, ResultNames},
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

/// What became of a picture.
pub struct PictureOutcome {
    pub image: String,
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

/// A result that is written.
pub struct Finished {
    /// The result pictures.
    pub files: Vec<PathBuf>,
    /// What else was written.
    pub others: Vec<PathBuf>,
    pub record: Record,
    /// For the page, if there is to be one.
    pub card: Option<HtmlEntry>,
    pub times: String,
}

/// What all workers do.
#[derive(Clone)]
pub struct Task<'a> {
    pub command: &'a ExplainCommand,
    pub kinds: &'a [ResultKind],
    pub steps: &'a Bar,
    /// Where the page's pictures go, if there is to be one.
    pub page: Option<HtmlPictures>,
}

/// A picture while it is explained.
struct Current<'a> {
    image: &'a str,
    picture: &'a RgbImage,
    names: ResultNames,
    kind: &'a ResultKind,
}

/// Explains one picture after the other.
pub struct ExplainWorker<'a> {
    model: Model,
    /// Of libtorch; set in the thread that works.
    threads: Option<i32>,
    task: Task<'a>,
}

impl<'a> ExplainWorker<'a> {
    pub fn new(model: Model, threads: i32, task: Task<'a>) -> Self {
        Self { model, threads: Some(threads), task }
    }

    pub fn work(&mut self, job: PictureJob) -> PictureOutcome {
        if let Some(threads) = self.threads.take() {
            tch::set_num_threads(threads);
        }
        let mut warnings = Vec::new();
        let (Picture { content, names, .. }, entry) = match job.work {
            Work::Existing(entry) => {
                return PictureOutcome { image: job.image, warnings, state: PictureState::Skipped(entry) };
            }
            Work::Unusable(problem) => {
                return PictureOutcome { image: job.image, warnings, state: PictureState::Failed(Error::msg(problem)) };
            }
            Work::Picture(picture, entry) => (picture, entry),
        };
        let results = guarded(|| self.results(content, &job.image, &names, &mut warnings))
            .unwrap_or_else(|fault| Err(Error::msg(format!("{:?}: {fault}", job.image))));
        let state = match results {
            Ok(done) => PictureState::Done(done, entry),
            Err(error) if matches!(error.downcast_ref(), Some(yolo_cam::Error::Interrupted)) => {
                PictureState::Interrupted
            }
            Err(error) => PictureState::Failed(error),
        };
        PictureOutcome { image: job.image, warnings, state }
    }

    fn results(
        &self,
        content: Content,
        image: &str,
        names: &ResultNames,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<Finished>> {
        let start = Instant::now();
        let (picture, _share) = match content {
            Content::File(path) => {
                let (picture, share) = picture::read_within(path, &PICTURES)?;
                (picture, Some(share))
            }
            Content::Frame(picture) => (picture, None),
        };
        let mut decode = start.elapsed();
        let mut done = Vec::with_capacity(self.task.kinds.len());
        for kind in self.task.kinds {
            let current = Current { image, picture: &picture, names: kind.names(names), kind };
            done.push(self.result(&current, decode, warnings)?);
            decode = Duration::ZERO;
        }
        Ok(done)
    }

    fn result(&self, current: &Current, decode: Duration, warnings: &mut Vec<String>) -> Result<Finished> {
        let Current { image, picture, names, kind } = current;
        let mut clock = Instant::now();
        let mut lap = || std::mem::replace(&mut clock, Instant::now()).elapsed();
        let mut watch = |done, total| {
            self.task.steps.show(done, total);
            if interrupt::is_stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let explanation =
            explain_watched(&self.model, picture, &kind.options, &mut watch).with_context(|| image.to_string())?;
        if explanation.is_undefined {
            warnings.push(format!("warning: {image}: {}", yolo_cam::Error::Undefined));
        }
        warnings.extend(empty_maps(image, &explanation, &self.model));
        if let Some(query) = kind.options.query.as_ref().filter(|_| !explanation.is_undefined) {
            let outcome = query_outcome(query, &explanation, &self.model, self.task.command.detection.conf_threshold);
            warnings.push(format!("query: {image}: {outcome}"));
        }
        warnings.extend(undrawable_name(&explanation, &self.model).filter(|_| self.task.command.render.labels));
        lap();
        let pictures = self.drawn(current, &explanation, warnings)?;
        let render = lap();
        let mut others = Vec::new();
        let maps = self.write_maps(names, &explanation, &mut others)?;
        let shapes = self.shapes(names, &explanation, &mut others)?;
        let record = Record::new(&self.model, image, &explanation, &kind.options, &maps, &shapes);
        if self.task.command.writes("json") {
            write_json(&names.json(), &self.model, &record)?;
            others.push(names.json());
        }
        let card = self.task.page.as_ref().map(|page| self.card(page, current, &explanation, &record)).transpose()?;
        // Last, and the first of them at the very end: where it stands, all is complete.
        for (file, picture) in pictures.iter().rev() {
            write_picture(file, picture, self.task.command.quality)?;
        }
        let write = lap();
        let timings = &explanation.timings;
        let times = [
            ("decode", decode),
            ("letterbox", timings.letterbox),
            ("forward", timings.forward),
            ("detect", timings.detect),
            ("maps", timings.maps),
            ("render", render),
            ("write", write),
        ];
        let times = times.map(|(stage, time)| format!("{stage} {:.1} ms", time.as_secs_f64() * 1e3)).join(", ");
        Ok(Finished { files: pictures.into_iter().map(|(file, _)| file).collect(), others, record, card, times })
    }

    /// The result pictures with their files.
    fn drawn(
        &self,
        current: &Current,
        explanation: &Explanation,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<(PathBuf, RgbImage)>> {
        let Current { image, picture, names, .. } = current;
        let target = names.picture();
        let limit = max_side(&target);
        let options = self.task.command.render.clone().with_max_side(limit);
        let sheet = match self.task.command.layout {
            Layout::Panels => render::panels(explanation, &self.model, &options)?,
            Layout::Sheet => render::sheet(picture, explanation, &self.model, &options)?,
            Layout::Side => {
                let pair = render::side(picture, explanation, &self.model, &options)?;
                return Ok(vec![(target, pair)]);
            }
            Layout::Overlay => {
                let groups = explanation.groups(options.grouping);
                if groups.is_empty() {
                    return Ok(vec![(target, (*picture).clone())]);
                }
                let draw = |(index, group): (usize, &Group)| {
                    let drawn = render::overlay(picture, explanation, group, &self.model, &options)?;
                    let name = match options.grouping {
                        // The first of them is known by its number.
                        Grouping::Class => format!("{index}-{}", group_name(group, options.grouping)),
                        _ => group_name(group, options.grouping),
                    };
                    Ok((names.picture_of(&name), drawn))
                };
                return groups.iter().enumerate().map(draw).collect();
            }
        };
        if sheet.left_out > 0 {
            let kind = target.extension().unwrap_or_default().to_string_lossy().into_owned();
            warnings.push(format!(
                "warning: {image}: {} panels, of the least confident boxes, are left out: a {kind} picture has at most \
                 {limit} pixels a side; take --layout overlay, --top or --format png",
                sheet.left_out
            ));
        }
        Ok(vec![(target, sheet.picture)])
    }

    /// Measures and draws what each map lights up, if that is wanted.
    fn shapes(
        &self,
        names: &ResultNames,
        explanation: &Explanation,
        written: &mut Vec<PathBuf>,
    ) -> Result<Vec<Option<ShapeNumbers>>> {
        let Some(options) = &self.task.command.shape else { return Ok(Vec::new()) };
        let size = MapSize::Input;
        let measure = |(index, explained): (usize, &ExplainedBox)| -> Result<Option<Shape>> {
            let map = explanation.map(index, size)?;
            let b = explained.detection.box_input.clipped(explanation.letterbox.map.input);
            // A map without signal has no shape; why is told anyway.
            Ok(shape(map.view(), Some(&b), options).ok().filter(|_| explained.heatmap.no_signal().is_none()))
        };
        let shapes = explanation.boxes.iter().enumerate().map(measure).collect::<Result<Vec<_>>>()?;
        let title = |explained: &ExplainedBox| {
            let detection = &explained.detection;
            format!("{} {:.2}", render::drawn_name(&self.model, detection.class_id), detection.confidence)
        };
        let titled = shapes.iter().zip(&explanation.boxes);
        let drawn: Vec<(&Shape, String)> =
            titled.filter_map(|(shape, explained)| Some((shape.as_ref()?, title(explained)))).collect();
        if !drawn.is_empty() {
            let picture = draw_shapes(&explanation.letterbox.image, &drawn, options);
            write_picture(&names.shape(), &picture, self.task.command.quality)?;
            written.push(names.shape());
        }
        Ok(shapes.into_iter().map(|shape| shape.map(|shape| shape.numbers)).collect())
    }

    /// Writes what the page shows of a picture.
    fn card(
        &self,
        page: &HtmlPictures,
        current: &Current,
        explanation: &Explanation,
        record: &Record,
    ) -> Result<HtmlEntry> {
        let Current { picture, names, kind, .. } = current;
        let large = HtmlPictures::large(picture);
        // The page draws the boxes itself.
        let options = self
            .task
            .command
            .render
            .clone()
            .with_heat(render::HeatArea::Full)
            .with_labels(false)
            .with_line_width(Some(0))
            .with_colorbar(false);
        let heat = match explanation.groups(Grouping::All).first() {
            Some(all) => render::overlay(&large, explanation, all, &self.model, &options)?,
            None => large.clone(),
        };
        let files = page.write(names.source(), &large, &heat)?;
        Ok(HtmlEntry::explained(record, kind.layer.clone(), files))
    }

    /// Writes each map that has a signal, and those of groups. Returns those of boxes.
    fn write_maps(
        &self,
        names: &ResultNames,
        explanation: &Explanation,
        written: &mut Vec<PathBuf>,
    ) -> Result<Vec<Option<RawMap>>> {
        let Some((format, size)) = self.task.command.raw else { return Ok(Vec::new()) };
        let grouping = self.task.command.render.grouping;
        if grouping != Grouping::Box {
            for group in &explanation.groups(grouping) {
                let file = names.dir().join(names.map(&group_name(group, grouping), format.extension()));
                let heat = explanation.heat(group, self.task.command.render.normalize)?;
                write_raw(&file, &heat, format)?;
                written.push(file);
            }
        }
        let mut write = |(index, explained): (usize, &ExplainedBox)| {
            if explained.heatmap.no_signal().is_some() {
                return Ok(None);
            }
            let file = names.map(&index.to_string(), format.extension());
            write_raw(&names.dir().join(&file), &explanation.map(index, size)?, format)?;
            written.push(names.dir().join(&file));
            Ok(Some(RawMap { file, grid: explanation.grid(index, size) }))
        };
        explanation.boxes.iter().enumerate().map(&mut write).collect()
    }
}

/// How files name a group of boxes: by the number of its box, by its class, or as all.
fn group_name(group: &Group, grouping: Grouping) -> String {
    match (grouping, group.class_id) {
        (Grouping::Box, _) => group.boxes[0].to_string(),
        (_, Some(class)) => format!("class{class}"),
        (_, None) => "all".to_owned(),
    }
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
