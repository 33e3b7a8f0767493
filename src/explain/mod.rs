//! For each detection, the map of what it depends on: ∂target/∂activation at a layer, made into a heatmap.

mod examined;
mod fuse;
mod grid;
mod group;
mod heatmap;
pub mod methods;
mod plan;
pub mod targets;

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use image::RgbImage;
use ndarray::{Array2, Array3, ArrayView3};
use tch::Tensor;

pub use self::{
    examined::Examined,
    fuse::Fuse,
    grid::{CellGrid, MapSize},
    group::{Group, Grouping, Normalize},
    heatmap::{Heatmap, NoSignal},
    methods::{Method, MethodOptions, Perturbation},
    targets::Target,
};
use self::{fuse::fused, methods::Run, plan::Plan};
use crate::{
    detect::{Candidate, DetectOptions, Detection, Letterbox, Query, best_candidate, candidates, detect, is_defined},
    error::{Error, Result},
    model::{Forward, Model},
    tensor::to_array3,
};

/// At which layers a box is explained.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TargetLayer {
    /// What suits the method: for pooled ones the feature map that feeds the box's own head, for element-wise ones the
    /// end of the backbone with its P4 and P3 stages ([`methods::AutoLayers`]).
    #[default]
    Auto,
    /// Indices in [`Model::layers`]; the maps of those that the box's head sees are fused.
    Layers(Vec<usize>),
}

/// Settings of an explanation.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ExplainOptions {
    /// Longest side of the network's input in pixels, rounded up to whole strides; `None` is 640, of classifiers 224. Default:
    /// `None`.
    pub img_size: Option<u32>,
    /// Which predictions become detections.
    pub detect: DetectOptions,
    /// A place whose strongest candidate is explained instead of the detections. Default: none.
    pub query: Option<Query>,
    /// Default: what suits the model.
    pub method: Method,
    /// Default: no smoothing.
    pub method_options: MethodOptions,
    /// Default: automatic, the class logit, or objectness where a single class was not trained.
    pub target: Target,
    /// A class whose logit is subtracted from that of the box's class: what makes it the one rather than the other.
    /// Only the class logit can be contrasted. Default: none.
    pub contrast: Option<usize>,
    /// Default: automatic.
    pub target_layer: TargetLayer,
    /// How maps of several layers are joined. Default: their mean.
    pub fuse: Fuse,
}

with_fields!(ExplainOptions {
    with_img_size => img_size: Option<u32>,
    with_detect => detect: DetectOptions,
    with_query => query: Option<Query>,
    with_method => method: Method,
    with_method_options => method_options: MethodOptions,
    with_target => target: Target,
    with_contrast => contrast: Option<usize>,
    with_target_layer => target_layer: TargetLayer,
    with_fuse => fuse: Fuse,
});

impl ExplainOptions {
    /// The method that explains the boxes of this model.
    pub fn method_of(&self, model: &Model) -> Method {
        self.method.of(model, self.target_layer != TargetLayer::Auto)
    }

    /// The same options with that method.
    fn resolved(&self, model: &Model) -> Self {
        self.clone().with_method(self.method_of(model))
    }
}

/// A detection and what it depends on.
#[derive(Debug, Clone)]
pub struct ExplainedBox {
    /// The detection.
    pub detection: Detection,
    /// Indices of the explained layers in [`Model::layers`]: those asked for that the box's head sees; where it sees none
    /// of them, all.
    pub layers: Vec<usize>,
    /// The map of these layers.
    pub heatmap: Heatmap,
    /// Where the map has no signal: layers that were tried for this box and have one, if there are any.
    pub working_layers: Option<Vec<usize>>,
}

impl ExplainedBox {
    /// Paths of the explained layers, joined by commas.
    pub fn layer_names(&self, model: &Model) -> String {
        names(&self.layers, model)
    }

    /// Paths of layers that have a signal where the map has none, joined by commas; `None` if none that were tried do.
    pub fn working_layer_names(&self, model: &Model) -> Option<String> {
        self.working_layers.as_ref().map(|layers| names(layers, model))
    }

    /// In one line, why the map has no signal; `None` if it has.
    pub fn why_no_signal(&self, model: &Model) -> Option<String> {
        let why = self.heatmap.no_signal()?;
        if self.layers.is_empty() {
            return Some("the box was found behind none of the masks; more of them may help".into());
        }
        let layer = self.layer_names(model);
        Some(match why {
            NoSignal::HeadUnseen if self.detection.box_input.is_none() => {
                format!("{layer} does not feed the head, which classes come from")
            }
            NoSignal::HeadUnseen => {
                let head = model.levels()[self.detection.place.level].name();
                format!("{layer} does not feed the {head} head, which this box comes from")
            }
            NoSignal::NothingPositive => {
                let what = if self.detection.box_input.is_some() { "box" } else { "class" };
                format!("nothing at {layer} speaks for this {what} (no cell is above zero)")
            }
            NoSignal::Constant => format!("all cells of the map at {layer} are the same"),
            NoSignal::NotFinite => format!("the map at {layer} has infinite or undefined values"),
        })
    }
}

fn names(layers: &[usize], model: &Model) -> String {
    layers.iter().map(|&layer| model.layers()[layer].path.as_str()).collect::<Vec<_>>().join(",")
}

/// All detections of a picture, explained, most confident first.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The network's input, and how the picture lies in it.
    pub letterbox: Letterbox,
    /// The boxes, most confident first.
    pub boxes: Vec<ExplainedBox>,
    /// Whether there is no box because the network's output is no numbers (NaN or infinite).
    pub is_undefined: bool,
    /// Where there is no box although none was asked for: the most confident prediction, which stays below the threshold.
    pub best_candidate: Option<Detection>,
    /// What the detector makes of a query: predictions for its place, strongest first, at most
    /// [`MOST_CANDIDATES`](crate::detect::MOST_CANDIDATES). The box above is that of the first. Empty if no prediction is about the
    /// place, or nothing was asked.
    pub candidates: Vec<Candidate>,
    /// Where the time went.
    pub timings: Timings,
}

impl Explanation {
    /// Of boxes that were explained by [`Examined::explain`] or [`explain_found`], to draw them.
    pub fn of_boxes(letterbox: Letterbox, boxes: Vec<ExplainedBox>) -> Self {
        Self {
            letterbox,
            boxes,
            is_undefined: false,
            best_candidate: None,
            candidates: Vec::new(),
            timings: Timings::default(),
        }
    }
}

/// Where the time of one picture went.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timings {
    /// Scaling and padding the picture.
    pub letterbox: Duration,
    /// The network.
    pub forward: Duration,
    /// Decoding and non-maximum suppression.
    pub detect: Duration,
    /// The maps of all boxes, with the backward or forward passes that they take.
    pub maps: Duration,
}

/// Told how many of how many steps are done, by methods that take many. `Break` ends them with [`Error::Interrupted`].
pub type Watch<'a> = dyn FnMut(usize, usize) -> ControlFlow<()> + 'a;

/// A [`Watch`] that neither looks nor stops.
pub fn unwatched(_done: usize, _total: usize) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// How many further forward passes look for layers where boxes without signal have one.
const MAX_TRIALS: usize = 8;

/// How many channels show whether a layer has a signal for methods that run the network for each.
const TRIAL_CHANNELS: usize = 32;

/// Whether boxes can be explained as `options` say at all, before any picture is.
///
/// # Errors
/// [`Error::LayerUnusable`] if a layer's output is no feature map, or no layer feeds a head; [`Error::TargetMissing`] if
/// the network does not predict what is to be explained.
pub fn check_target(model: &Model, options: &ExplainOptions) -> Result<()> {
    let options = &options.resolved(model);
    let plan = Plan::new(model, &options.target_layer, options)?;
    if options.target_layer == TargetLayer::Auto {
        // What feeds a convolution is a feature map, and so are the stages of a backbone.
        return Ok(());
    }
    let shapes = model.layer_shapes(model.probe_size())?;
    plan.taps.iter().try_for_each(|&layer| map_size(model, layer, &shapes[layer]).map(drop))
}

/// Height and width of a layer's map.
fn map_size(model: &Model, layer: usize, shape: &[i64]) -> Result<(usize, usize)> {
    match shape {
        &[1, _, h, w] => Ok((h as usize, w as usize)),
        other => Err(Error::LayerUnusable {
            name: model.layers()[layer].path.clone(),
            problem: format!("its output {other:?} is no feature map [1, K, h, w]; take another layer"),
        }),
    }
}

/// Finds the objects in `picture` and explains each.
///
/// One forward pass. Only for boxes whose map has no signal although their head sees the layer, further passes
/// look for a layer that has.
///
/// # Errors
/// [`Error::EmptyPicture`]; [`Error::Libtorch`] if the network can't run on the picture.
///
/// ```
/// use yolo_cam::{explain, ExplainOptions, Model};
///
/// # let path = "tests/data/tiny/yolov3-tiny.pt";
/// let model = Model::load(path, tch::Device::Cpu)?;
/// let picture = yolo_cam::picture::read("images/dog.jpg")?;
/// for found in explain(&model, &picture, &ExplainOptions::default())?.boxes {
///     let name = &model.names()[found.detection.class_id];
///     println!("{name} {:.2}: map {:?}", found.detection.confidence, found.heatmap.values().dim());
/// }
/// # Ok::<(), yolo_cam::Error>(())
/// ```
pub fn explain(model: &Model, picture: &RgbImage, options: &ExplainOptions) -> Result<Explanation> {
    explain_watched(model, picture, options, &mut unwatched)
}

/// The same, telling how it goes on.
///
/// # Errors
/// As [`explain`]; [`Error::Interrupted`] if `watch` says so.
pub fn explain_watched(
    model: &Model,
    picture: &RgbImage,
    options: &ExplainOptions,
    watch: &mut Watch,
) -> Result<Explanation> {
    Ok(explain_with_outputs(model, picture, options, watch)?.0)
}

/// The same, with what the network said of the picture: its raw outputs without their graph, as [`verify`](crate::eval::verify)
/// wants them.
///
/// # Errors
/// As [`explain_watched`].
pub fn explain_with_outputs(
    model: &Model,
    picture: &RgbImage,
    options: &ExplainOptions,
    watch: &mut Watch,
) -> Result<(Explanation, Vec<Tensor>)> {
    let start = Instant::now();
    let letterbox = Letterbox::of(picture, model, options.img_size)?;
    let input = letterbox.tensor(model.device())?;
    let done = start.elapsed();
    let query = options.query.map(|query| query.in_input(&letterbox.map));
    let options = ExplainOptions { query, ..options.clone() };
    let Found { boxes, is_undefined, best_candidate, candidates, timings, outputs } =
        explain_tensor(model, &input, &options, watch)?;
    let explanation = Explanation {
        letterbox,
        boxes,
        is_undefined,
        best_candidate,
        candidates,
        timings: Timings { letterbox: done, ..timings },
    };
    Ok((explanation, outputs))
}

/// The same for a picture that is the network's input already: `[1, 3, H, W]` f32, RGB in 0..1, sides whole
/// strides. Returns the boxes, most confident first, and where the time went.
///
/// # Errors
/// [`Error::Libtorch`] if the network can't run on it.
pub fn explain_input(
    model: &Model,
    input: &Tensor,
    options: &ExplainOptions,
    watch: &mut Watch,
) -> Result<(Vec<ExplainedBox>, Timings)> {
    explain_tensor(model, input, options, watch).map(|found| (found.boxes, found.timings))
}

/// Explains detections that were found before, in a picture that is the network's input: without a search for layers
/// where empty maps have a signal.
///
/// `input` as in [`explain_input`]; `detections`: of this picture and this network, or of the same network with other weights.
///
/// # Errors
/// [`Error::Libtorch`] if the network can't run on it; [`Error::Interrupted`] if `watch` says so.
pub fn explain_found(
    model: &Model,
    input: &Tensor,
    detections: Vec<Detection>,
    options: &ExplainOptions,
    watch: &mut Watch,
) -> Result<Vec<ExplainedBox>> {
    Examined::new(model, input, options)?.explain(detections, options.contrast, watch)
}

/// As [`Explanation`].
struct Found {
    boxes: Vec<ExplainedBox>,
    is_undefined: bool,
    best_candidate: Option<Detection>,
    candidates: Vec<Candidate>,
    timings: Timings,
    /// Of the network, without their graph.
    outputs: Vec<Tensor>,
}

fn explain_tensor(model: &Model, input: &Tensor, options: &ExplainOptions, watch: &mut Watch) -> Result<Found> {
    let mut timings = Timings::default();
    let mut clock = Instant::now();
    let mut lap = || std::mem::replace(&mut clock, Instant::now()).elapsed();

    let examined = Examined::new(model, input, options)?;
    let outputs = examined.outputs();
    timings.forward = lap();
    let (candidates, detections) = match &options.query {
        Some(query) => {
            let candidates = candidates(model, &outputs, query, &options.detect)?;
            let strongest = candidates.first().map(|candidate| candidate.detection.clone());
            (candidates, strongest.into_iter().collect())
        }
        None => (Vec::new(), detect(model, &outputs, &options.detect)?),
    };
    let is_undefined = detections.is_empty() && !is_defined(&outputs)?;
    let best_candidate = match options.query {
        None if detections.is_empty() && !is_undefined => best_candidate(model, &outputs, &options.detect)?,
        _ => None,
    };
    timings.detect = lap();
    let mut boxes = examined.explain(detections, options.contrast, watch)?;
    find_working_layers(model, input, &mut boxes, &examined.options)?;
    timings.maps = lap();
    Ok(Found { boxes, is_undefined, best_candidate, candidates, timings, outputs })
}

/// The maps of `detections` at the layers of `plan`, which the forward pass of `picture` tapped.
fn explain_detections(
    picture: &Perturbation,
    plan: &Plan,
    options: &ExplainOptions,
    detections: Vec<Detection>,
    watch: &mut Watch,
) -> Result<Vec<ExplainedBox>> {
    match options.method.run {
        Run::Gradient(_) | Run::Activations(_) => {
            explain_once(picture.model, picture.forward, plan, detections, options)
        }
        Run::Channels(_) | Run::Pictures(_) => explain_perturbed(picture, plan, options, detections, watch),
        // A choice was made before anything is explained.
        Run::Choice(_) => {
            Err(Error::Libtorch(format!("the method {} was chosen, and chooses again", options.method.name)))
        }
    }
}

/// By methods that run the network once.
fn explain_once(
    model: &Model,
    forward: &Forward,
    plan: &Plan,
    detections: Vec<Detection>,
    options: &ExplainOptions,
) -> Result<Vec<ExplainedBox>> {
    let mut gradients = Gradients::new(model, forward, &plan.taps, options);
    detections
        .into_iter()
        .map(|detection| {
            let (layers, heatmap) = match plan.layers_of[detection.place.level].as_slice() {
                [] => (&plan.asked, Heatmap::unseen(gradients.cells(plan.asked[0])?)),
                layers => (&plan.layers_of[detection.place.level], gradients.heatmap(&detection, layers)?),
            };
            let feeds = &plan.feeds_of[detection.place.level];
            let is_tried = !feeds.is_empty() && heatmap.no_signal().is_some();
            let has_signal = is_tried && gradients.heatmap(&detection, feeds)?.no_signal().is_none();
            let working_layers = has_signal.then(|| feeds.clone());
            Ok(ExplainedBox { detection, layers: layers.clone(), heatmap, working_layers })
        })
        .collect()
}

/// By methods that run the network again and again: all boxes with the same layers at once.
fn explain_perturbed(
    perturbation: &Perturbation,
    plan: &Plan,
    options: &ExplainOptions,
    detections: Vec<Detection>,
    watch: &mut Watch,
) -> Result<Vec<ExplainedBox>> {
    let Perturbation { model, forward, taps, .. } = perturbation;
    let mut maps: Vec<Vec<Heatmap>> = vec![Vec::new(); detections.len()];
    match options.method.run {
        Run::Pictures(run) if !detections.is_empty() => {
            for (maps, map) in maps.iter_mut().zip(run(perturbation, &detections, watch)?) {
                maps.push(Heatmap::new(map));
            }
        }
        Run::Channels(run) => {
            let layers_of = |detection: &Detection| &plan.layers_of[detection.place.level];
            let mut layers: Vec<usize> = detections.iter().flat_map(layers_of).copied().collect();
            layers.sort_unstable();
            layers.dedup();
            // Steps of one layer after the other.
            let steps = layers.len();
            for (step, layer) in layers.into_iter().enumerate() {
                let is_concerned = |&index: &usize| layers_of(&detections[index]).contains(&layer);
                let indices: Vec<usize> = (0..detections.len()).filter(is_concerned).collect();
                let chosen: Vec<Detection> = indices.iter().map(|&index| detections[index].clone()).collect();
                let mut watch_layer = |done: usize, total: usize| watch(step * total + done, steps * total);
                for (index, map) in indices.into_iter().zip(run(perturbation, layer, &chosen, &mut watch_layer)?) {
                    maps[index].push(Heatmap::new(map));
                }
            }
        }
        _ => {}
    }
    let gradients = Gradients::new(model, forward, taps, options);
    detections
        .into_iter()
        .zip(maps)
        .map(|(detection, maps)| {
            let layers = plan.layers_of[detection.place.level].clone();
            if maps.is_empty() {
                let heatmap = Heatmap::unseen(gradients.cells(plan.asked[0])?);
                return Ok(ExplainedBox { detection, layers: plan.asked.clone(), heatmap, working_layers: None });
            }
            Ok(ExplainedBox { detection, layers, heatmap: fused(maps, options.fuse)?, working_layers: None })
        })
        .collect()
}

/// The gradients of one forward pass.
struct Gradients<'a> {
    model: &'a Model,
    forward: &'a Forward,
    taps: &'a [usize],
    options: &'a ExplainOptions,
    /// Activations that were copied out, by tap.
    acts: Vec<Option<Array3<f32>>>,
}

impl<'a> Gradients<'a> {
    fn new(model: &'a Model, forward: &'a Forward, taps: &'a [usize], options: &'a ExplainOptions) -> Self {
        Self { model, forward, taps, options, acts: vec![None; taps.len()] }
    }

    fn tap(&self, layer: usize) -> usize {
        self.taps.iter().position(|&tap| tap == layer).expect("the plan tapped all layers that it uses")
    }

    /// Height and width of a layer's map.
    fn cells(&self, layer: usize) -> Result<(usize, usize)> {
        map_size(self.model, layer, &self.forward.taps[self.tap(layer)].size())
    }

    /// The map of `detection` at tapped layers that its head sees, fused where they are several.
    fn heatmap(&mut self, detection: &Detection, layers: &[usize]) -> Result<Heatmap> {
        for &layer in layers {
            self.cells(layer)?;
        }
        let parts = self
            .options
            .target
            .parts()
            .into_iter()
            .map(|part| fused(self.maps(detection, layers, part)?, self.options.fuse));
        let map = fused(parts.collect::<Result<Vec<_>>>()?, Fuse::Max)?;
        let power = self.options.method.power;
        Ok(if power == 1.0 { map } else { map.sharpened(power) })
    }

    /// The map of one scalar at each of the layers.
    fn maps(&mut self, detection: &Detection, layers: &[usize], target: Target) -> Result<Vec<Heatmap>> {
        let &ExplainOptions { method, method_options, contrast, .. } = self.options;
        let taps: Vec<usize> = layers.iter().map(|&layer| self.tap(layer)).collect();
        let maps: Vec<Result<Array2<f32>>> = match method.run {
            Run::Gradient(map) => {
                let scalar = target.scalar(self.model, self.forward, detection, contrast)?;
                let leaves: Vec<&Tensor> = taps.iter().map(|&tap| &self.forward.taps[tap]).collect();
                let gradients = Tensor::f_run_backward(&[scalar], &leaves, true, false)?;
                let map_at = |(&tap, gradient)| {
                    map(self.activations(tap)?, to_array3(gradient, method.order)?.view(), &method_options)
                };
                taps.iter().zip(&gradients).map(map_at).collect()
            }
            Run::Activations(map) => taps.iter().map(|&tap| map(self.activations(tap)?, &method_options)).collect(),
            Run::Channels(_) | Run::Pictures(_) | Run::Choice(_) => Vec::new(),
        };
        maps.into_iter().map(|map| map.map(Heatmap::new)).collect()
    }

    fn activations(&mut self, tap: usize) -> Result<ArrayView3<'_, f32>> {
        let order = self.options.method.order;
        Ok(match &mut self.acts[tap] {
            Some(acts) => acts.view(),
            none => none.insert(to_array3(&self.forward.taps[tap], order)?).view(),
        })
    }
}

/// For each box without signal for which no working layer is known, looks for one: what `auto` takes, then the outermost
/// layers, from the heads upwards. A trial is one forward pass for all such boxes; for methods that run the network for
/// each channel, some channels of what `auto` takes.
fn find_working_layers(
    model: &Model,
    input: &Tensor,
    boxes: &mut [ExplainedBox],
    options: &ExplainOptions,
) -> Result<()> {
    let is_open = |found: &ExplainedBox| found.heatmap.no_signal().is_some() && found.working_layers.is_none();
    let max_trials = match options.method.run {
        Run::Gradient(_) | Run::Activations(_) => MAX_TRIALS,
        Run::Channels(_) => 1,
        Run::Pictures(_) | Run::Choice(_) => 0,
    };
    let channels = options.method_options.max_channels.map_or(TRIAL_CHANNELS, |most| most.min(TRIAL_CHANNELS));
    let method_options = MethodOptions { max_channels: Some(channels), ..options.method_options };
    let options = ExplainOptions { method_options, ..options.clone() };
    let single = model.outermost_layers().rev().map(|layer| TargetLayer::Layers(vec![layer]));
    let mut trials = 0;
    for target in [TargetLayer::Auto].into_iter().chain(single) {
        // A hint must not fail a picture that is explained.
        let Ok(plan) = Plan::new(model, &target, &options) else { continue };
        let is_candidate = |found: &ExplainedBox| {
            let layers = &plan.layers_of[found.detection.place.level];
            is_open(found) && !layers.is_empty() && *layers != found.layers
        };
        if trials == max_trials || !boxes.iter().any(is_open) {
            break;
        }
        if !boxes.iter().any(is_candidate) {
            continue;
        }
        trials += 1;
        let forward = model.forward(input, &plan.taps)?;
        let mut candidates: Vec<&mut ExplainedBox> = boxes.iter_mut().filter(|found| is_candidate(found)).collect();
        let detections = candidates.iter().map(|found| found.detection.clone()).collect();
        let picture =
            Perturbation { model, input, forward: &forward, taps: &plan.taps, options: &options.method_options };
        let tried = explain_detections(&picture, &plan, &options, detections, &mut unwatched);
        // A layer whose output is no map is no candidate either.
        for (found, tried) in candidates.iter_mut().zip(tried.unwrap_or_default()) {
            found.working_layers = tried.heatmap.no_signal().is_none().then_some(tried.layers);
        }
    }
    Ok(())
}
