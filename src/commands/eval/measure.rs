//! One picture and one explainer: find the boxes, make the maps, measure them.

use std::{mem, path::Path, sync::Arc, time::Instant};

use anyhow::{Context, Error, Result};
use image::RgbImage;
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};
use yolo_cam::{
    ExplainOptions, ExplainedBox, Explanation, Model,
    detect::{Detection, Letterbox, detect, is_defined},
    eval::{
        Candidate, Case, ClassCheck, Cost, Crew, CurveOptions, Explainer, ForeignMap, Objects, Randomization,
        Randomized, Scene, evaluate, foreign_maps, gaussian_map, picture_seed, random_map,
    },
    explain::{Grouping, explain_found},
    geometry::{BBox, LetterboxMap, Size},
    labels::{Label, Labels},
    picture, render,
};

use super::super::session::{Attempt, attempt, go_on};
use crate::{inputs::Picture, output::shards::Turn, progress::Meter};

/// How many of the best and of the worst cases are shown.
pub const SHOWN: usize = 5;

/// Longest side of the pictures of cases, in pixels: the page shows them small, and large where it is clicked.
const PICTURE_SIDE: u32 = 1280;

/// Of how many boxes of a picture maps at the size of the input are in memory.
const AT_ONCE: usize = 16;

/// What is measured: maps of an explainer, if it is a method made as these options say.
pub struct Subject {
    pub explainer: Explainer,
    /// With which the user has the same maps; none of a baseline.
    pub flags: Option<String>,
    pub options: ExplainOptions,
}

/// A picture that is to be measured.
pub struct MeasureJob {
    /// As messages and reports name it.
    pub image: String,
    /// When its turn comes in the whole run; the last number is the index of the explainer.
    pub turn: Turn,
    /// The picture, or in one line why there is none.
    pub content: Result<Arc<Picture>, String>,
}

/// What became of it.
pub struct MeasureOutcome {
    pub image: String,
    pub turn: Turn,
    pub state: Attempt<Measured>,
}

/// What was measured.
pub struct Measured {
    pub record: PictureFigures,
    /// Pictures of the best and worst cases, by their place in the record.
    pub pictures: Vec<(usize, RgbImage)>,
}

/// The figures of a picture, as they are kept from run to run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PictureFigures {
    pub image: String,
    pub explainer: Explainer,
    /// One for each box.
    pub cases: Vec<Case>,
    /// Whether there are labels for it; `None` if none are looked for.
    pub has_labels: Option<bool>,
    pub cost: Cost,
    /// Empty if it was not asked for.
    pub randomized: Vec<Randomized>,
    /// One for each box; empty if it was not asked for.
    pub class_checks: Vec<ClassCheck>,
    /// Of another program's maps, of how many boxes there is none.
    #[serde(default)]
    pub missing: usize,
}

/// Measures one picture after the other.
pub struct EvalWorker<'a> {
    pub crew: Crew,
    pub subjects: &'a [Subject],
    pub curves: CurveOptions,
    pub labels: Option<&'a Labels>,
    pub randomization: Option<Randomization>,
    pub meter: &'a Meter,
    /// Which of the workers this is.
    pub index: usize,
    /// Whether the network ran before: the first time takes longer.
    pub is_warm: bool,
}

impl EvalWorker<'_> {
    pub fn work(&mut self, job: MeasureJob) -> MeasureOutcome {
        let MeasureJob { image, turn, content } = job;
        // Each forward pass has a single thread, so that figures do not depend on how many there are.
        tch::set_num_threads(1);
        let state = attempt(&image, || self.measure(&*content.map_err(Error::msg)?, &image, turn.2));
        self.meter.finish(self.index);
        MeasureOutcome { image, turn, state }
    }

    fn measure(&mut self, picture: &Picture, image: &str, subject: usize) -> Result<Measured> {
        let Subject { explainer, options, .. } = &self.subjects[subject];
        let (loaded, stem) = (picture.content.load()?, picture.names.source());
        let (file, picture) = (loaded.file, &*loaded.picture);
        let warms_up = !mem::replace(&mut self.is_warm, true);
        let found = Found::new(self.crew.model(), picture, options, warms_up).with_context(|| image.to_owned())?;
        let labels = match self.labels {
            Some(labels) => Some(found.objects(labels, file)?),
            None => None,
        };
        let randomizes = self.randomization.is_some() && matches!(explainer, Explainer::Method { .. });
        // Explanation, curves and randomisation, by how long they take, very roughly.
        let stages: [f64; 3] = [0.05, 0.95, if randomizes { 0.5 } else { 0.0 }];
        let whole: f64 = stages.iter().sum();
        let (meter, worker) = (self.meter, self.index);
        let watch = |stage: usize| {
            let before: f64 = stages[..stage].iter().sum();
            move |done: usize, total: usize| {
                meter.show(worker, (before + stages[stage] * done as f64 / total.max(1) as f64) / whole);
                go_on()
            }
        };
        let whose = || format!("{image}: {explainer}");
        let maps = match explainer {
            Explainer::Maps { folder } => found.read_maps(Path::new(folder), stem),
            _ => found.maps(self.crew.model(), explainer, options, &mut watch(0)),
        };
        let maps = maps.with_context(whose)?;
        let labelled = labels.as_ref().and_then(Option::as_ref);
        let (detections, detected) = (&found.detections, &found.detected);
        let scene = Scene { input: &found.input, detections, detected, labels: labelled };
        let mut figures = Vec::with_capacity(detections.len());
        let watch_curves = watch(1);
        for first in (0..detections.len()).step_by(AT_ONCE) {
            let boxes = first..(first + AT_ONCE).min(detections.len());
            let sized = boxes.clone().map(|index| found.map(explainer, &maps.explained, options, index));
            let sized = sized.collect::<yolo_cam::Result<Vec<_>>>().with_context(whose)?;
            let candidates = boxes.clone().zip(&sized).map(|(detection, map)| Candidate { detection, map });
            let candidates: Vec<Candidate> = candidates.collect();
            let mut watch = |done, total| watch_curves(first * total + boxes.len() * done, detections.len() * total);
            figures
                .extend(evaluate(&mut self.crew, &scene, &candidates, &self.curves, &mut watch).with_context(whose)?);
        }
        let model = self.crew.model();
        let cases = figures.into_iter().zip(&found.detections).enumerate().map(|(index, (figures, detection))| Case {
            image: image.to_owned(),
            index,
            class: model.names()[detection.class_id].clone(),
            confidence: detection.confidence,
            box_share: detection.box_input.map_or(1.0, |b| found.share(&b)),
            reason: maps.reasons.get(index).cloned().flatten(),
            figures,
        });
        let cases: Vec<Case> = cases.collect();
        let (class_checks, randomized) = match &mut self.randomization {
            Some(randomization) if randomizes && !cases.is_empty() => {
                let (input, maps) = (&found.input, &maps.explained);
                let checks = randomization.swap_classes(model, input, maps, options, &mut |_, _| go_on());
                let randomized = randomization.run(model, input, maps, options, &mut watch(2));
                (checks.with_context(whose)?, randomized.with_context(whose)?)
            }
            _ => Default::default(),
        };
        let has_labels = labels.map(|labels| labels.is_some());
        let cost = Cost { explanation: maps.seconds, forward: found.seconds };
        let pictures = found.drawn(picture, maps.explained, &cases, model)?;
        let record = PictureFigures {
            image: image.to_owned(),
            explainer: explainer.clone(),
            cases,
            has_labels,
            cost,
            randomized,
            class_checks,
            missing: maps.missing,
        };
        Ok(Measured { record, pictures })
    }
}

/// Waits for what a GPU has to do: its time counts.
fn settle(device: Device) {
    if let Device::Cuda(index) = device {
        tch::Cuda::synchronize(index as i64);
    }
}

/// A picture and its boxes.
struct Found {
    letterbox: Letterbox,
    input: Tensor,
    detections: Vec<Detection>,
    /// Those that are not explained (`--top`, `--classes`) are objects too.
    detected: Objects,
    /// A bare forward pass took so long.
    seconds: f64,
}

/// What a method or another program makes of the boxes; nothing, if it is a baseline.
#[derive(Default)]
struct Maps {
    explained: Vec<ExplainedBox>,
    /// Of each box why its map says nothing, if so.
    reasons: Vec<Option<String>>,
    /// Of how many boxes there is no map.
    missing: usize,
    seconds: f64,
}

impl Found {
    fn new(model: &Model, picture: &RgbImage, options: &ExplainOptions, warms_up: bool) -> yolo_cam::Result<Self> {
        let letterbox = Letterbox::of(picture, model, options.img_size)?;
        let input = letterbox.tensor(model.device())?;
        if warms_up {
            model.forward(&input, &[])?;
            settle(model.device());
        }
        let start = Instant::now();
        let forward = model.forward(&input, &[])?;
        settle(model.device());
        let seconds = start.elapsed().as_secs_f64();
        let detections = detect(model, &forward.outputs, &options.detect)?;
        let all = options.detect.clone().with_classes(None).with_max_det(Some(usize::MAX)).with_top(None);
        if detections.is_empty() && !is_defined(&forward.outputs)? {
            return Err(yolo_cam::Error::Undefined);
        }
        let detected = Objects::detected(&detections, &detect(model, &forward.outputs, &all)?);
        Ok(Self { letterbox, input, detections, detected, seconds })
    }

    fn size(&self) -> Size {
        self.letterbox.map.input
    }

    /// Which share of the input a box takes.
    fn share(&self, b: &BBox) -> f64 {
        let Size { width, height } = self.size();
        let b = b.clipped(self.size());
        f64::from((b.x2 - b.x1) * (b.y2 - b.y1)) / (f64::from(width) * f64::from(height))
    }

    /// What labels say of the picture, in pixels of the input.
    fn objects(&self, labels: &Labels, file: Option<&Path>) -> Result<Option<Objects>> {
        let Some(file) = file else { return Ok(None) };
        let Some(labels) = labels.of(file, self.letterbox.map.image)? else { return Ok(None) };
        let labels: Vec<Label> = labels.iter().map(|label| label.in_input(&self.letterbox.map)).collect();
        Ok(Some(Objects::labelled(&self.detections, &labels)))
    }

    fn maps(
        &self,
        model: &Model,
        explainer: &Explainer,
        options: &ExplainOptions,
        watch: &mut yolo_cam::explain::Watch,
    ) -> yolo_cam::Result<Maps> {
        if explainer.is_baseline() {
            return Ok(Maps::default());
        }
        let start = Instant::now();
        let explained = explain_found(model, &self.input, self.detections.clone(), options, watch)?;
        let seconds = start.elapsed().as_secs_f64();
        let reasons = explained.iter().map(|explained| explained.why_no_signal(model)).collect();
        Ok(Maps { explained, reasons, missing: 0, seconds })
    }

    /// The maps of another program. `stem`: the picture's.
    fn read_maps(&self, folder: &Path, stem: &str) -> yolo_cam::Result<Maps> {
        let mut maps = Maps::default();
        let read = foreign_maps(folder, stem, self.detections.len(), &self.letterbox.map)?;
        for (ForeignMap { heatmap, reason, is_missing }, detection) in read.into_iter().zip(&self.detections) {
            let detection = detection.clone();
            maps.explained.push(ExplainedBox { detection, layers: Vec::new(), heatmap, working_layers: None });
            maps.reasons.push(reason);
            maps.missing += usize::from(is_missing);
        }
        Ok(maps)
    }

    /// The map of a box at the size of the input, from 0 to 1. `explained`: of a method.
    fn map(
        &self,
        explainer: &Explainer,
        explained: &[ExplainedBox],
        options: &ExplainOptions,
        index: usize,
    ) -> yolo_cam::Result<Array2<f32>> {
        let size = self.size();
        match explainer {
            Explainer::Gaussian => {
                let whole = LetterboxMap::identity(size).visible();
                Ok(gaussian_map(size, &self.detections[index].box_input.unwrap_or(whole)))
            }
            // Other numbers for each picture, wherever it stands in the run.
            Explainer::Random => {
                let seed = picture_seed(&self.letterbox.image, options.method_options.seed);
                Ok(random_map(size, seed, index as u64))
            }
            Explainer::Method { .. } | Explainer::Maps { .. } => explained[index].heatmap.normalized(size),
        }
    }

    /// Pictures of the best and the worst of `cases`, with heat all over.
    fn drawn(
        self,
        picture: &RgbImage,
        explained: Vec<ExplainedBox>,
        cases: &[Case],
        model: &Model,
    ) -> Result<Vec<(usize, RgbImage)>> {
        if explained.is_empty() {
            return Ok(Vec::new());
        }
        let mut order: Vec<usize> = (0..cases.len()).collect();
        // Of equal ones the last is the best, as among all pictures.
        order.sort_by(|&a, &b| cases[b].overall().total_cmp(&cases[a].overall()).then(b.cmp(&a)));
        let is_shown = |place: usize| place < SHOWN || place + SHOWN >= order.len();
        let shown = order.iter().enumerate().filter(|(place, _)| is_shown(*place)).map(|(_, &case)| case);
        let small = picture::shrunk(picture, PICTURE_SIDE);
        let explanation = Explanation::of_boxes(self.letterbox, explained);
        let groups = explanation.groups(Grouping::Box);
        let options =
            render::RenderOptions::default().with_heat(render::HeatArea::Full).with_blend(render::Blend::Heat);
        let draw = |case: usize| Ok((case, render::overlay(&small, &explanation, &groups[case], model, &options)?));
        shown.map(draw).collect()
    }
}
