//! A detector, loaded from a file, whose forward pass also returns what an explanation needs.

mod archive;
mod checkpoint;
mod decoding;
mod export;
mod ffi;
mod file_kind;
mod head;
mod layers;
mod metadata;
mod names;
mod shuffle;
mod stored;
mod torchscript;

use std::{
    cell::{OnceCell, RefCell},
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use tch::{Device, Kind, Tensor};

pub(crate) use self::names::by_number;
use self::{
    checkpoint::Checkpoint,
    ffi::{ScriptModule, Tail, Tap, TappedGraph},
    head::HeadModule,
    layers::Layers,
    metadata::Metadata,
    names::Names,
};
pub use self::{export::ExportOptions, file_kind::FileKind, head::Head, layers::Layer};
use crate::{
    error::{Error, Result},
    geometry::Size,
};

/// A YOLOv5 detector.
///
/// A model is used by one thread at a time; libtorch spreads the work of a forward pass over threads by itself. For several
/// pictures at once, each thread takes one that [`share`](Self::share) gave.
pub struct Model {
    module: ScriptModule,
    /// As many copies of it are there as handles of the same weights.
    weights_token: Arc<()>,
    path: PathBuf,
    kind: FileKind,
    device: Device,
    names: Vec<String>,
    warnings: Vec<String>,
    /// In order of the file, which is that of the rows in the concatenated prediction.
    heads: Vec<Head>,
    /// Weight `[C, K]` and bias `[C]` of each head.
    head_weights: Vec<(Tensor, Option<Tensor>)>,
    layers: Layers,
    /// Once they are asked for.
    strides: OnceCell<Vec<Option<u32>>>,
    /// Graphs that were made, by their tapped layers.
    graphs: RefCell<HashMap<Vec<usize>, TappedGraph>>,
}

/// Settings of loading a model.
#[derive(Debug, Clone, Copy, Default)]
pub struct LoadOptions {
    /// Whether a TorchScript file may run any code at all: it can then read and write files, and never end. Default: no.
    pub trust: bool,
}

/// What a forward pass returns.
#[derive(Debug)]
pub struct Forward {
    /// Raw output of each head, `[N, anchors·channels, h, w]` f32, before the sigmoid, in order of the file.
    pub heads: Vec<Tensor>,
    /// Input of each head, `[N, K, h, w]` f32, in order of the file.
    pub head_inputs: Vec<Tensor>,
    /// Output of each tapped layer, `[N, K, h, w]`, which records gradients.
    pub taps: Vec<Tensor>,
}

/// The input size of YOLOv5's models.
const DEFAULT_IMG_SIZE: u32 = 640;

/// The least multiple for sides of the input: backbones of YOLOv5 scale down by 32, whatever their heads do.
const MIN_STRIDE: u32 = 32;

/// Side of the input that shows the strides of the heads: small, and a multiple of every stride in use.
pub(crate) const PROBE_SIDE: i64 = 128;

/// Channels of pictures, up to which a network that does not take RGB is asked what it takes: of satellites are 13.
const MOST_CHANNELS: i64 = 16;

impl Model {
    /// Loads the file at `path` onto `device`, whatever its name; weights become f32.
    ///
    /// A TorchScript file is a program: it is loaded only if all that it does is what detectors do.
    ///
    /// # Errors
    /// [`Error::Model`] if the file is no YOLOv5 model, [`Error::Io`] if it can't be read.
    pub fn load(path: impl AsRef<Path>, device: Device) -> Result<Self> {
        Self::load_with(path, device, LoadOptions::default())
    }

    /// The same, with settings.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_with(path: impl AsRef<Path>, device: Device, options: LoadOptions) -> Result<Self> {
        let path = path.as_ref();
        let unusable = |problem: String| Error::model(path, problem);
        let kind = FileKind::of(path)?;
        let mut warnings = Vec::new();
        let (module, metadata) = match kind {
            FileKind::TorchScript => {
                if !options.trust {
                    torchscript::check(path).map_err(&unusable)?;
                }
                let (module, config) = ScriptModule::load(path, device).map_err(|error| {
                    unusable(format!("is TorchScript that libtorch cannot load: {}", reason(&error)))
                })?;
                check_operators(&module, options).map_err(&unusable)?;
                (module, config.as_deref().map(Metadata::parse).unwrap_or_default())
            }
            FileKind::Checkpoint => {
                let Checkpoint { module, names, classes, warning } =
                    checkpoint::load(path, device).map_err(unusable)?;
                warnings.extend(warning);
                (module, Metadata { names, classes, ..Metadata::default() })
            }
        };
        let tensors = module.tensors()?;
        warnings.extend(undefined_weights(&tensors)?);
        let head_module = HeadModule::find(&tensors).map_err(|problem| {
            let exporter = metadata.ultralytics_version.as_ref();
            unusable(match exporter {
                Some(version) => format!("{problem}; it was exported by ultralytics {version}"),
                None => problem,
            })
        })?;
        if let Some(classes) = metadata.classes.filter(|&classes| classes != head_module.classes) {
            let found = head_module.channels_per_anchor;
            let problem = format!("has a head of its own kind: {found} values for each box, expected {}", classes + 5);
            return Err(unusable(format!("{problem} for {classes} classes")));
        }
        let convolutions = head_module.convolutions();
        let convolutions: Vec<&str> = convolutions.iter().map(String::as_str).collect();
        let calls = module.calls(&convolutions).map_err(|error| {
            unusable(format!("cannot be explained: {}; export the whole network again with YOLOv5", reason(&error)))
        })?;
        let heads = probe_heads(&module, &head_module, &convolutions, device).map_err(unusable)?;
        if kind == FileKind::TorchScript {
            let (classes, names) = (head_module.classes, metadata.names.as_ref().map_or(0, Names::len));
            // A few names too few are an oversight. More are channels that are no classes.
            if names > 0 && classes > 2 * names {
                return Err(unusable(format!(
                    "has a head of its own kind: {names} class names for {classes} channels of classes; only heads of \
                     YOLOv5 are explained"
                )));
            }
            warnings.extend(decoding::compare(&module, &heads, classes, metadata.shape, device).map_err(unusable)?);
        }
        let (names, misfit) = Names::fit(metadata.names, head_module.classes);
        warnings.extend(misfit);
        Ok(Self {
            names,
            warnings,
            head_weights: convolutions.iter().map(|path| head_weights(&tensors, path)).collect::<Result<_>>()?,
            layers: Layers::new(calls, &head_module.path),
            module,
            weights_token: Arc::new(()),
            path: path.to_owned(),
            kind,
            device,
            heads,
            strides: OnceCell::new(),
            graphs: RefCell::default(),
        })
    }

    /// The same model for another thread. Its weights are not copied.
    ///
    /// # Errors
    /// [`Error::Libtorch`] if there is not enough memory.
    pub fn share(&self) -> Result<Self> {
        self.with_module(self.module.share()?, Arc::clone(&self.weights_token))
    }

    /// The same model with weights of its own.
    fn copied(&self) -> Result<Self> {
        self.with_module(self.module.copy()?, Arc::new(()))
    }

    fn with_module(&self, module: ScriptModule, weights_token: Arc<()>) -> Result<Self> {
        let tensors = module.tensors()?;
        let weights = self.heads.iter().map(|head| head_weights(&tensors, &head.path));
        Ok(Self {
            head_weights: weights.collect::<Result<_>>()?,
            module,
            weights_token,
            path: self.path.clone(),
            kind: self.kind,
            device: self.device,
            names: self.names.clone(),
            warnings: self.warnings.clone(),
            heads: self.heads.clone(),
            layers: self.layers.clone(),
            strides: self.strides.clone(),
            graphs: RefCell::default(),
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the file is.
    pub fn kind(&self) -> FileKind {
        self.kind
    }

    /// The device that the weights are on.
    pub fn device(&self) -> Device {
        self.device
    }

    /// Class names, one for each class: the file's own, else COCO's for 80 classes; `class7` for one
    /// that has none.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether the class outputs were trained. YOLOv5's loss leaves them as they were where there is one class only.
    pub fn trains_classes(&self) -> bool {
        self.names.len() > 1
    }

    /// What is odd about the file although it can be used, each in one line: what was found, and what was made of it.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Replaces the class names.
    ///
    /// # Errors
    /// [`Error::NameCount`] if there is not one for each class.
    pub fn set_names(&mut self, names: Vec<String>) -> Result<()> {
        if names.len() != self.names.len() {
            return Err(Error::NameCount { given: names.len(), classes: self.names.len() });
        }
        self.names = names;
        Ok(())
    }

    /// The detection heads in order of the file, which is that of the rows in the concatenated prediction.
    pub fn heads(&self) -> &[Head] {
        &self.heads
    }

    /// What sides of the input are multiples of: the largest stride of a head, but at least 32, as in YOLOv5. The
    /// network may scale down further than its heads do.
    pub fn max_stride(&self) -> u32 {
        self.heads.iter().map(|head| head.stride).fold(MIN_STRIDE, u32::max)
    }

    /// The longest side of the input that `img_size` (`None`: 640) leads to, in pixels: whole strides.
    pub fn input_side(&self, img_size: Option<u32>) -> u32 {
        img_size.unwrap_or(DEFAULT_IMG_SIZE).max(1).next_multiple_of(self.max_stride())
    }

    /// All layers at which a box can be explained, in order of execution, an outer one before those inside it.
    pub fn layers(&self) -> &[Layer] {
        &self.layers.list
    }

    /// Indices in [`layers`](Self::layers) of those that no other layer contains.
    pub fn outermost_layers(&self) -> impl DoubleEndedIterator<Item = usize> {
        self.layers.outermost()
    }

    /// Index in [`layers`](Self::layers) of the layer that a user means by `model.23.cv3.act`,
    /// `model_23_cv3_act` or `23`.
    ///
    /// # Errors
    /// [`Error::LayerNotFound`]; [`Error::LayerUnusable`] for a part of the detection head.
    pub fn find_layer(&self, name: &str) -> Result<usize> {
        self.layers.find(name)
    }

    /// Index of the layer whose output is the input of head `head` (in order of the file).
    ///
    /// # Errors
    /// [`Error::LayerUnusable`] if that input is no layer's output.
    pub fn feed_of(&self, head: usize) -> Result<usize> {
        self.layers.feed_of(head, &self.heads)
    }

    /// Runs the network. With `taps` (indices of layers), gradients of the heads reach all of those layers, and nothing
    /// above them; without, no gradients are recorded.
    ///
    /// `input`: `[N, 3, H, W]` f32 on the model's device, RGB in 0..1, sides multiples of
    /// [`max_stride`](Self::max_stride).
    ///
    /// # Errors
    /// [`Error::Libtorch`] if the network can't run at this size, or has no such layer.
    pub fn forward(&self, input: &Tensor, taps: &[usize]) -> Result<Forward> {
        let mut graphs = self.graphs.borrow_mut();
        let graph = match graphs.get_mut(taps) {
            Some(graph) => graph,
            None => {
                let graph = self.graph(taps)?;
                graphs.entry(taps.to_vec()).or_insert(graph)
            }
        };
        if taps.is_empty() { tch::no_grad(|| graph.run(input)) } else { graph.run(input) }
    }

    /// Runs the network. Gradients of each head reach its own input and nothing else: less to record than with taps, where
    /// the gradient of a coarse head reaches the inputs of the finer ones too.
    ///
    /// `feeds`: the layers that feed the heads, each one head, in any order; they are the taps.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub(crate) fn forward_to_heads(&self, input: &Tensor, feeds: &[usize]) -> Result<Forward> {
        let mut forward = self.forward(input, &[])?;
        for input in &mut forward.head_inputs {
            *input = input.f_detach()?.f_set_requires_grad(true)?;
        }
        for &feed in feeds {
            for head in 0..self.heads.len() {
                if self.feed_of(head)? == feed {
                    forward.taps.push(forward.head_inputs[head].shallow_clone());
                }
            }
        }
        Ok(forward)
    }

    /// Some channels of a head's raw output in one cell (row, column) for the first picture, `[channels]` with their
    /// autograd graph.
    ///
    /// A head is a 1×1 convolution, so they are computed again from one cell of the head's input: a gradient through the
    /// whole convolution would cost far more, and be zero everywhere else.
    ///
    /// # Errors
    /// [`Error::Libtorch`] if head, channel or cell do not exist.
    pub fn head_values(
        &self,
        forward: &Forward,
        head: usize,
        channels: &[usize],
        cell: (usize, usize),
    ) -> Result<Tensor> {
        let (Some((weight, bias)), Some(input)) = (self.head_weights.get(head), forward.head_inputs.get(head)) else {
            return Err(Error::Libtorch(format!("head {head} does not exist; there are {}", self.heads.len())));
        };
        let channels: Vec<i64> = channels.iter().map(|&channel| channel as i64).collect();
        let channels = Tensor::from_slice(&channels).f_to_device(self.device)?;
        let at = |index: usize| Some(Tensor::from(index as i64));
        let column = input.f_index(&[at(0), None, at(cell.0), at(cell.1)])?.f_view(-1)?;
        let values = weight.f_index_select(0, &channels)?.f_mv(&column)?;
        Ok(match bias {
            Some(bias) => values.f_add(&bias.f_index_select(0, &channels)?)?,
            None => values,
        })
    }

    /// Shape of each layer's output for one picture of size `input`, in order of [`layers`](Self::layers).
    ///
    /// # Errors
    /// [`Error::Libtorch`] if the network can't run at this size.
    pub fn layer_shapes(&self, input: Size) -> Result<Vec<Vec<i64>>> {
        let heads: Vec<&str> = self.heads.iter().map(|head| head.path.as_str()).collect();
        let layers: Vec<&str> = self.layers.list.iter().map(|layer| layer.path.as_str()).collect();
        let size = [1, 3, i64::from(input.height), i64::from(input.width)];
        Ok(shapes(&self.module, &heads, &layers, size, self.device)?.layers)
    }

    /// Input pixels per cell of each layer's output, in order of [`layers`](Self::layers); `None` where it is no feature
    /// map. Learnt once, from the shapes for a small input.
    ///
    /// # Errors
    /// [`Error::Libtorch`] if the network can't run at this size.
    pub fn layer_strides(&self) -> Result<&[Option<u32>]> {
        if let Some(strides) = self.strides.get() {
            return Ok(strides);
        }
        let side = PROBE_SIDE as u32;
        let stride = |shape: &Vec<i64>| match shape.as_slice() {
            &[1, _, h, w] if h == w && h > 0 => Some(side / h as u32),
            _ => None,
        };
        let strides = self.layer_shapes(Size { width: side, height: side })?.iter().map(stride).collect();
        Ok(self.strides.get_or_init(|| strides))
    }

    /// What lies behind layer `layer`, to be run with something else in its place.
    pub(crate) fn tail(&self, layer: usize) -> Result<Tail<'_>> {
        let heads: Vec<&str> = self.heads.iter().map(|head| head.path.as_str()).collect();
        Tail::new(&self.module, &heads, &self.layers.list[layer].path)
    }

    fn graph(&self, taps: &[usize]) -> Result<TappedGraph> {
        let heads: Vec<&str> = self.heads.iter().map(|head| head.path.as_str()).collect();
        let path = |&layer: &usize| match self.layers.list.get(layer) {
            Some(layer) => Ok(layer.path.as_str()),
            None => {
                let count = self.layers.list.len();
                Err(Error::Libtorch(format!("layer {layer} does not exist; there are {count}, numbered from 0")))
            }
        };
        let taps = taps.iter().map(path).collect::<Result<Vec<_>>>()?;
        TappedGraph::new(&self.module, &heads, &taps, Tap::Gradient)
    }
}

/// Whether the network calls only what detectors call, and not too often.
fn check_operators(module: &ScriptModule, options: LoadOptions) -> Result<(), String> {
    let operators =
        module.operators().map_err(|error| format!("is TorchScript that is not run: {}", reason(&error)))?;
    match operators.iter().find(|(name, result)| torchscript::refused(name, result)) {
        Some((name, _)) if !options.trust => Err(format!(
            "is TorchScript that calls {name}, which is not among the operators that detectors need, so it is not run; \
             --trust-model runs it, if you trust who made the file"
        )),
        _ => Ok(()),
    }
}

/// In one line, which weights hold NaN or infinite values, as a training that diverged leaves them; `None` if none do.
fn undefined_weights(tensors: &[(String, Tensor)]) -> Result<Option<String>> {
    let mut broken = Vec::new();
    for (path, tensor) in tensors {
        // A sum is quick, and where it is a number, so are its terms.
        let is_suspect = tensor.is_floating_point() && !tensor.f_sum(Kind::Float)?.f_double_value(&[])?.is_finite();
        if is_suspect && tensor.f_isfinite()?.f_all()?.f_int64_value(&[])? == 0 {
            broken.push(path);
        }
    }
    Ok(broken.first().map(|first| {
        format!(
            "{} of the {} tensors of its weights hold NaN or infinite values, the first is {first}; what it detects is undefined",
            broken.len(),
            tensors.len()
        )
    }))
}

/// What a network gives for an input of some size.
struct Shapes {
    /// Of each head's raw output.
    heads: Vec<Vec<i64>>,
    /// Of each layer's output.
    layers: Vec<Vec<i64>>,
}

/// The shapes for an input of size `[N, channels, H, W]`. They are computed without data, which takes next to no time; where
/// libtorch can't do that, since an operator wants data, the network runs on a blank input.
fn shapes(module: &ScriptModule, heads: &[&str], layers: &[&str], size: [i64; 4], device: Device) -> Result<Shapes> {
    let input = Tensor::f_zeros([1], (Kind::Float, device))?.f_expand(size, false)?;
    let run = |module: &ScriptModule| {
        let mut graph = TappedGraph::new(module, heads, layers, Tap::Observe)?;
        tch::no_grad(|| graph.run(&input))
    };
    let forward = module.without_data().and_then(|module| run(&module)).or_else(|_| run(module))?;
    let sizes = |tensors: &[Tensor]| tensors.iter().map(Tensor::size).collect();
    Ok(Shapes { heads: sizes(&forward.heads), layers: sizes(&forward.taps) })
}

/// Learns the strides from the shapes for a small input, and that the network runs at other sizes than the one it was
/// traced at.
fn probe_heads(
    module: &ScriptModule,
    found: &HeadModule,
    convolutions: &[&str],
    device: Device,
) -> Result<Vec<Head>, String> {
    let run = |channels: i64| shapes(module, convolutions, &[], [1, channels, PROBE_SIDE, PROBE_SIDE], device);
    let outputs = run(3)
        .map_err(|error| match (1..=MOST_CHANNELS).find(|&channels| run(channels).is_ok()) {
            Some(1) => {
                "takes pictures of 1 channel; only models for RGB pictures, of 3 channels, are explained".to_owned()
            }
            Some(channels) => {
                format!("takes pictures of {channels} channels; only models for RGB pictures, of 3, are explained")
            }
            None => format!("fails on a {PROBE_SIDE}x{PROBE_SIDE} input: {}", reason(&error)),
        })?
        .heads;
    let mut heads = Vec::with_capacity(outputs.len());
    for (index, (output, path)) in outputs.iter().zip(convolutions).enumerate() {
        let stride = match output.as_slice() {
            &[1, _, h, w] if h == w && h > 0 && PROBE_SIDE % h == 0 => (PROBE_SIDE / h) as u32,
            other => {
                return Err(format!("has a head {path} with output {other:?} for a {PROBE_SIDE}x{PROBE_SIDE} input"));
            }
        };
        heads.push(Head {
            path: (*path).to_owned(),
            stride,
            rank: 0,
            anchors: found.anchors_in_pixels(index, stride),
            channels_per_anchor: found.channels_per_anchor,
        });
    }
    let strides: Vec<u32> = heads.iter().map(|head| head.stride).collect();
    for head in &mut heads {
        head.rank = strides.iter().filter(|&&stride| stride < head.stride).count();
    }
    Ok(heads)
}

/// Weight `[C, K]` and bias `[C]` of the 1×1 convolution at `path`.
fn head_weights(tensors: &[(String, Tensor)], path: &str) -> Result<(Tensor, Option<Tensor>)> {
    let get = |name: &str| {
        let wanted = format!("{path}.{name}");
        tensors.iter().find(|(path, _)| *path == wanted).map(|(_, tensor)| tensor.shallow_clone())
    };
    let weight = get("weight").ok_or_else(|| Error::Libtorch(format!("{path} has no weight")))?;
    Ok((weight.f_flatten(1, -1)?, get("bias")))
}

/// The text of an error without the word that names libtorch, for use inside another error.
fn reason(error: &Error) -> String {
    match error {
        Error::Libtorch(reason) => reason.clone(),
        other => other.to_string(),
    }
}
