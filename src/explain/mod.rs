//! For each detection, the map of what it depends on: ∂score/∂activation at a layer, made into a heatmap.

mod grad_cam;
mod heatmap;

use std::time::{Duration, Instant};

use image::RgbImage;
use ndarray::{Array2, Array3, ArrayView3};
use tch::{Kind, Tensor};

pub use self::{
    grad_cam::grad_cam,
    heatmap::{Heatmap, NoSignal},
};
use crate::{
    detect::{DetectOptions, Detection, Letterbox, detect},
    error::{Error, Result},
    model::{Forward, Layer, Model, PROBE_SIDE},
    tensor::to_array3,
};

/// How activations and gradients become a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Method {
    /// Channels weighted by their mean gradient.
    #[default]
    GradCam,
}

impl Method {
    /// The name in options and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::GradCam => "gradcam",
        }
    }

    fn map(self, acts: ArrayView3<f32>, grads: ArrayView3<f32>) -> Result<Array2<f32>> {
        match self {
            Self::GradCam => grad_cam(acts, grads),
        }
    }
}

/// The scalar whose gradient is taken. So far always the class logit, before the sigmoid.
pub const TARGET: &str = "logit";

/// At which layer a box is explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TargetLayer {
    /// For each box the feature map that feeds its own head.
    #[default]
    Auto,
    /// An index in [`Model::layers`].
    Layer(usize),
}

/// Settings of an explanation.
#[derive(Debug, Clone, Default)]
pub struct ExplainOptions {
    /// Longest side of the network's input in pixels, rounded up to whole strides; `None` is 640. Default: `None`.
    pub img_size: Option<u32>,
    /// Which predictions become detections.
    pub detect: DetectOptions,
    /// Default: Grad-CAM.
    pub method: Method,
    /// Default: automatic.
    pub target_layer: TargetLayer,
}

/// A detection and what it depends on.
#[derive(Debug, Clone)]
pub struct ExplainedBox {
    /// The detection.
    pub detection: Detection,
    /// Index of the explained layer in [`Model::layers`].
    pub layer: usize,
    /// The map at that layer.
    pub heatmap: Heatmap,
    /// Where the map has no signal: a layer that was tried for this box and has, if there is one.
    pub working_layer: Option<usize>,
}

impl ExplainedBox {
    /// In one line, why the map has no signal and which layer has one; `None` if it has.
    pub fn no_signal_reason(&self, model: &Model) -> Option<String> {
        let layer = &model.layers()[self.layer].path;
        let reason = match self.heatmap.no_signal()? {
            NoSignal::HeadUnseen => {
                let head = model.heads()[self.detection.head].name();
                format!("{layer} does not feed the {head} head, which this box comes from")
            }
            NoSignal::NothingPositive => format!("nothing at {layer} speaks for this box (no cell is above zero)"),
            NoSignal::Constant => format!("all cells of the map at {layer} are the same"),
            NoSignal::NotFinite => format!("the map at {layer} has infinite or undefined values"),
        };
        Some(match self.working_layer {
            Some(working) => format!("{reason}; --target-layer {} works", model.layers()[working].path),
            None => format!("{reason}; no other layer that was tried has a signal either"),
        })
    }
}

/// All detections of a picture, explained, most confident first.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The network's input, and how the picture lies in it.
    pub letterbox: Letterbox,
    /// The boxes, most confident first.
    pub boxes: Vec<ExplainedBox>,
    /// Where the time went.
    pub timings: Timings,
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
    /// Gradients and maps of all boxes.
    pub backward: Duration,
}

/// How many further forward passes look for layers where boxes without signal have one.
const MAX_TRIALS: usize = 8;

/// Whether boxes can be explained at `target` at all, before any picture is.
///
/// # Errors
/// [`Error::LayerUnusable`] if the layer's output is no feature map, or no layer feeds a head.
pub fn check_target(model: &Model, target: TargetLayer) -> Result<()> {
    let plan = Plan::new(model, target)?;
    if target == TargetLayer::Auto {
        // What feeds a convolution is a feature map.
        return Ok(());
    }
    let blank = Tensor::zeros([1, 3, PROBE_SIDE, PROBE_SIDE], (Kind::Float, model.device()));
    let forward = model.forward(&blank, &plan.taps)?;
    let mut taps = plan.taps.iter().zip(&forward.taps);
    taps.try_for_each(|(&layer, tap)| map_size(model, layer, &tap.size()).map(drop))
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
/// let model = Model::load("weights/yolov5s.torchscript", tch::Device::Cpu)?;
/// let picture = yolo_cam::picture::read("images/dog.jpg")?;
/// for found in explain(&model, &picture, &ExplainOptions::default())?.boxes {
///     let name = &model.names()[found.detection.class_id];
///     println!("{name} {:.2}: map {:?}", found.detection.confidence, found.heatmap.values().dim());
/// }
/// # Ok::<(), yolo_cam::Error>(())
/// ```
pub fn explain(model: &Model, picture: &RgbImage, options: &ExplainOptions) -> Result<Explanation> {
    let start = Instant::now();
    let letterbox = Letterbox::new(picture, model.input_side(options.img_size), model.max_stride())?;
    let input = letterbox.tensor(model.device());
    let done = start.elapsed();
    let (boxes, timings) = explain_input(model, &input, options)?;
    Ok(Explanation { letterbox, boxes, timings: Timings { letterbox: done, ..timings } })
}

/// The same for a picture that is the network's input already: `[1, 3, H, W]` f32, RGB in 0..1, sides whole
/// strides. Returns the boxes, most confident first, and where the time went.
///
/// # Errors
/// [`Error::Libtorch`] if the network can't run on it.
pub fn explain_input(model: &Model, input: &Tensor, options: &ExplainOptions) -> Result<(Vec<ExplainedBox>, Timings)> {
    let plan = Plan::new(model, options.target_layer)?;
    let mut timings = Timings::default();
    let mut clock = Instant::now();
    let mut lap = || std::mem::replace(&mut clock, Instant::now()).elapsed();

    let forward = model.forward(input, &plan.taps)?;
    timings.forward = lap();
    let detections = detect(model, &forward.heads, &options.detect)?;
    timings.detect = lap();
    let mut gradients = Gradients::new(model, &forward, &plan.taps);
    let mut boxes = detections
        .into_iter()
        .map(|detection| {
            let (layer, feed) = (plan.layer_of[detection.head], plan.feed_of[detection.head]);
            let mut heatmap = |layer| gradients.heatmap(&detection, layer, options.method);
            let (heatmap, working_layer) = if model.layers()[layer].is_seen_by(detection.head) {
                (heatmap(layer)?, None)
            } else {
                let has_signal = heatmap(feed)?.no_signal().is_none();
                (Heatmap::unseen(gradients.cells(layer)?), has_signal.then_some(feed))
            };
            Ok(ExplainedBox { detection, layer, heatmap, working_layer })
        })
        .collect::<Result<Vec<_>>>()?;
    find_working_layers(model, input, &mut boxes, options.method)?;
    timings.backward = lap();
    Ok((boxes, timings))
}

/// Which layers are tapped, and which of them explains the boxes of which head.
struct Plan {
    /// Indices of layers.
    taps: Vec<usize>,
    /// The layer that explains the boxes of each head.
    layer_of: Vec<usize>,
    /// The layer that feeds each head. Tapped for those heads that do not see `layer_of`.
    feed_of: Vec<usize>,
}

impl Plan {
    fn new(model: &Model, target: TargetLayer) -> Result<Self> {
        let heads = 0..model.heads().len();
        let feed = |head: usize| model.feed_of(head);
        let (layer_of, feed_of) = match target {
            TargetLayer::Auto => {
                let feeds = heads.map(feed).collect::<Result<Vec<_>>>()?;
                (feeds.clone(), feeds)
            }
            TargetLayer::Layer(layer) => {
                let sees = |head: &usize| model.layers()[layer].is_seen_by(*head);
                let feeds = heads.clone().map(|head| if sees(&head) { Ok(layer) } else { feed(head) });
                (heads.clone().map(|_| layer).collect(), feeds.collect::<Result<Vec<_>>>()?)
            }
        };
        // A head that does not see the chosen layer is fed from above it, so tapping there too hides nothing
        // from the heads that do see it.
        let mut taps: Vec<usize> = layer_of.iter().chain(&feed_of).copied().collect();
        taps.sort_unstable();
        taps.dedup();
        Ok(Self { taps, layer_of, feed_of })
    }
}

/// The gradients of one forward pass.
struct Gradients<'a> {
    model: &'a Model,
    forward: &'a Forward,
    taps: &'a [usize],
    /// Activations that were copied out, by tap.
    acts: Vec<Option<Array3<f32>>>,
}

impl<'a> Gradients<'a> {
    fn new(model: &'a Model, forward: &'a Forward, taps: &'a [usize]) -> Self {
        Self { model, forward, taps, acts: vec![None; taps.len()] }
    }

    fn tap(&self, layer: usize) -> usize {
        self.taps.iter().position(|&tap| tap == layer).expect("the plan tapped all layers that it uses")
    }

    /// Height and width of a layer's map.
    fn cells(&self, layer: usize) -> Result<(usize, usize)> {
        map_size(self.model, layer, &self.forward.taps[self.tap(layer)].size())
    }

    /// The map of `detection` at a tapped layer that its head sees.
    fn heatmap(&mut self, detection: &Detection, layer: usize, method: Method) -> Result<Heatmap> {
        self.cells(layer)?;
        let tap = self.tap(layer);
        let leaf = &self.forward.taps[tap];
        let head = &self.model.heads()[detection.head];
        let (channel, cell) = (detection.logit_channel(head), (detection.row, detection.column));
        let logit = self.model.head_value(self.forward, detection.head, channel, cell)?;
        let gradient = Tensor::f_run_backward(&[logit], &[leaf], true, false)?.remove(0);
        let acts = match &mut self.acts[tap] {
            Some(acts) => acts,
            none => none.insert(to_array3(leaf)?),
        };
        Ok(Heatmap::new(method.map(acts.view(), to_array3(&gradient)?.view())?))
    }
}

/// For each box without signal for which no working layer is known, looks for one: the layer that feeds its head,
/// then the outermost layers, from the heads upwards. A trial is one forward pass for all such boxes.
fn find_working_layers(model: &Model, input: &Tensor, boxes: &mut [ExplainedBox], method: Method) -> Result<()> {
    let is_open = |found: &ExplainedBox| found.heatmap.no_signal().is_some() && found.working_layer.is_none();
    if !boxes.iter().any(is_open) {
        return Ok(());
    }
    let layers = model.layers();
    let feeds = Plan::new(model, TargetLayer::Auto).ok();
    let outermost = (0..layers.len()).rev().filter(|&index| is_outermost(layers, index));
    let single = outermost.map(|layer| Plan::new(model, TargetLayer::Layer(layer)));
    let mut trials = 0;
    for plan in feeds.map(Ok).into_iter().chain(single) {
        // A hint must not fail a picture that is explained.
        let Ok(plan) = plan else { continue };
        let is_candidate = |found: &ExplainedBox| {
            let layer = plan.layer_of[found.detection.head];
            is_open(found) && layer != found.layer && layers[layer].is_seen_by(found.detection.head)
        };
        if trials == MAX_TRIALS || !boxes.iter().any(is_open) {
            break;
        }
        if !boxes.iter().any(is_candidate) {
            continue;
        }
        trials += 1;
        let forward = model.forward(input, &plan.taps)?;
        let mut gradients = Gradients::new(model, &forward, &plan.taps);
        for found in boxes.iter_mut().filter(|found| is_candidate(found)) {
            let layer = plan.layer_of[found.detection.head];
            // A layer whose output is no map is no candidate either.
            if gradients.heatmap(&found.detection, layer, method).is_ok_and(|map| map.no_signal().is_none()) {
                found.working_layer = Some(layer);
            }
        }
    }
    Ok(())
}

/// Whether no other layer contains this one.
fn is_outermost(layers: &[Layer], index: usize) -> bool {
    let path = &layers[index].path;
    let contains = |outer: &Layer| path.strip_prefix(&outer.path).is_some_and(|rest| rest.starts_with('.'));
    !layers[..index].iter().any(contains)
}

fn check_shapes(acts: ArrayView3<f32>, grads: ArrayView3<f32>) -> Result<()> {
    if acts.dim() == grads.dim() {
        return Ok(());
    }
    Err(Error::Shape { activations: acts.shape().to_vec(), gradients: grads.shape().to_vec() })
}
