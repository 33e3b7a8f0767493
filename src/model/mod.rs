//! A detector, loaded from a file, whose forward pass also returns what an explanation needs.

mod archive;
mod checkpoint;
mod claims;
mod decoding;
mod export;
mod ffi;
mod file_kind;
mod layers;
mod metadata;
mod names;
mod precision;
mod probe;
mod shuffle;
mod sizes;
mod stored;
mod torchscript;

use std::{
    cell::{OnceCell, RefCell},
    collections::{HashMap, hash_map::Entry},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use tch::{Device, Kind, Tensor};

pub(crate) use self::names::by_number;
use self::{
    checkpoint::{Checkpoint, Package},
    decoding::Decoded,
    ffi::{Ends, ScriptModule, Tail, Tap, TappedGraph},
    layers::Layers,
    metadata::{Metadata, Strides},
    names::Names,
    probe::Probe,
    sizes::Sizes,
};
pub use self::{
    checkpoint::{KnownBlock, known_blocks},
    export::ExportOptions,
    file_kind::FileKind,
    layers::Layer,
    precision::Precision,
};
use crate::{
    error::{Error, Result},
    families::{Branch, Head, Level, Network, Normalization, Place, Traced, find_head},
    geometry::Size,
};

/// A detector.
///
/// A model is used by one thread at a time; libtorch spreads the work of a forward pass over threads by itself. For several
/// pictures at once, each thread takes one that [`share`](Self::share) gave.
pub struct Model {
    module: ScriptModule,
    /// As many copies of it are there as handles of the same weights.
    shared: Arc<Shared>,
    path: PathBuf,
    kind: FileKind,
    device: Device,
    names: Vec<String>,
    keypoint_names: Vec<String>,
    /// The version of the Ultralytics package that wrote the file; `None` of YOLOv5's own.
    ultralytics_version: Option<String>,
    warnings: Vec<String>,
    /// Longest side of the input in training, if the file says.
    trained_side: Option<u32>,
    sizes: Sizes,
    /// How many pictures the network takes at once.
    most_pictures: usize,
    head: Arc<dyn Head>,
    /// Paths of the calls that give the raw outputs, then those that masks are made of.
    outputs: Vec<String>,
    /// How many of them are raw outputs.
    n_raw: usize,
    /// Paths of the calls whose inputs are those of the levels ([`Head::starts_of`]).
    starts: Vec<String>,
    /// For each raw output the 1×1 convolution that it is computed by from the level's input, if it is.
    pointwise: Vec<Option<Pointwise>>,
    layers: Layers,
    /// Once they are asked for.
    strides: OnceCell<Vec<Option<u32>>>,
    /// Graphs that were made.
    graphs: RefCell<HashMap<GraphKind, TappedGraph>>,
}

/// What handles of the same weights have in common.
#[derive(Default)]
struct Shared {
    /// The network in bfloat16, once it is asked for.
    rounded: Mutex<Option<ScriptModule>>,
}

/// What a graph that is made of the network computes.
#[derive(Debug, PartialEq, Eq, Hash)]
enum GraphKind {
    /// All outputs, and what gives gradients at these layers.
    Tapped(Vec<usize>),
    /// The raw outputs of the boxes, and nothing that masks are made of.
    Boxes(Precision),
    /// A raw output of a level, from the level's input.
    Branch { level: usize, output: usize },
}

/// Settings of loading a model.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct LoadOptions {
    /// Whether a TorchScript file may run any code at all: it can then read and write files, and never end. Default: no.
    pub trust: bool,
    /// Which branch of a head with two is run. Default: the one that the version which wrote the file runs.
    pub branch: Option<Branch>,
}

with_fields!(LoadOptions {
    with_trust => trust: bool,
    with_branch => branch: Option<Branch>,
});

/// What a forward pass returns.
#[derive(Debug)]
pub struct Forward {
    /// Raw outputs of the head, `[N, C, h, w]` f32, before the sigmoid, in order of the file; behind them what masks are made
    /// of ([`Head::mask_outputs`]), if the network gives masks.
    pub outputs: Vec<Tensor>,
    /// What the levels are predicted from ([`Head::starts`]), `[N, K, h, w]` f32.
    pub level_inputs: Vec<Tensor>,
    /// Output of each tapped layer, `[N, K, h, w]`, which records gradients.
    pub taps: Vec<Tensor>,
}

/// The version of a checkpoint of the Ultralytics package that names none.
const FIRST_VERSION: &str = "8.0.0";

/// The least multiple for sides of the input: backbones of YOLOv5 scale down by 32, whatever their heads do.
const MIN_STRIDE: u32 = 32;

impl Model {
    /// Loads the file at `path` onto `device`, whatever its name; weights become f32.
    ///
    /// A TorchScript file is a program: it is loaded only if all that it does is what detectors do.
    ///
    /// # Errors
    /// [`Error::Model`] if the file is no detector of a known family, [`Error::Untrusted`] if it may do more than that,
    /// [`Error::Io`] if it can't be read.
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
        let Opened { module, metadata, mut warnings } = open(path, kind, device, options)?;
        let tensors = module.tensors()?;
        warnings.extend(undefined_weights(&tensors)?);
        let mut head = head_of(&module, &tensors, &metadata, options).map_err(&unusable)?;
        let (raw, masks, starts) = (head.outputs(), head.mask_outputs(), head.starts());
        let n_raw = raw.len();
        let outputs = [raw, masks].concat();
        let (output_paths, start_paths) = (borrowed(&outputs), borrowed(&starts));
        let ends = Ends { outputs: &output_paths, starts: &start_paths };
        let calls = module.calls(&ends).map_err(|error| {
            unusable(format!("cannot be explained: {}; export the whole network again", reason(&error)))
        })?;
        let ends = Ends { outputs: &output_paths[..n_raw], ..ends };
        let probe = Probe::new(&module, &ends, device);
        let found = match kind {
            FileKind::TorchScript => probe.traced(metadata.traced_size(), path),
            FileKind::Checkpoint => probe.built(),
        };
        let found = found.map_err(unusable)?;
        head.measure(&found.outputs, found.size).map_err(unusable)?;
        // A trace decodes the branch that it runs by itself.
        let is_compared = kind == FileKind::TorchScript && options.branch.is_none();
        let decoded = is_compared.then(|| {
            let shape = found.decodes_at(metadata.shape);
            decoding::compare(&module, head.as_ref(), shape, (&found.outputs, found.size), device)
        });
        let mut problem = None;
        match decoded {
            Some(Ok(Decoded::Read(other))) => head = other,
            Some(Ok(Decoded::Alike(uncompared))) => warnings.extend(uncompared),
            Some(Err(other_decoding)) => problem = Some(other_decoding),
            None => {}
        }
        // What the file says of itself says more of a foreign head than a value that differs.
        claims::check(head.as_ref(), &metadata, kind).map_err(unusable)?;
        if let Some(problem) = problem {
            return Err(unusable(problem));
        }
        let classes = head.classes();
        let sizes = Sizes::of(head.as_ref(), &metadata, &found).map_err(unusable)?;
        let (names, misfit) = Names::fit(metadata.names, classes);
        warnings.extend(misfit);
        Ok(Self {
            names,
            keypoint_names: names::of_keypoints(metadata.keypoint_names, head.keypoints()),
            ultralytics_version: metadata.ultralytics_version,
            warnings,
            trained_side: metadata.trained_side,
            sizes,
            most_pictures: found.most_pictures,
            pointwise: pointwise_convolutions(&tensors, head.as_ref())?,
            layers: Layers::new(calls, head.as_ref()),
            head: Arc::from(head),
            outputs,
            n_raw,
            starts,
            module,
            shared: Arc::default(),
            path: path.to_owned(),
            kind,
            device,
            strides: OnceCell::new(),
            graphs: RefCell::default(),
        })
    }

    /// The same model for another thread. Its weights are not copied.
    ///
    /// # Errors
    /// [`Error::Libtorch`] if there is not enough memory.
    pub fn share(&self) -> Result<Self> {
        self.with_module(self.module.share()?, Arc::clone(&self.shared))
    }

    /// The same model with weights of its own.
    fn copied(&self) -> Result<Self> {
        self.with_module(self.module.copy()?, Arc::default())
    }

    fn with_module(&self, module: ScriptModule, shared: Arc<Shared>) -> Result<Self> {
        Ok(Self {
            pointwise: pointwise_convolutions(&module.tensors()?, self.head())?,
            module,
            shared,
            path: self.path.clone(),
            kind: self.kind,
            device: self.device,
            names: self.names.clone(),
            keypoint_names: self.keypoint_names.clone(),
            ultralytics_version: self.ultralytics_version.clone(),
            warnings: self.warnings.clone(),
            trained_side: self.trained_side,
            sizes: self.sizes,
            most_pictures: self.most_pictures,
            head: Arc::clone(&self.head),
            outputs: self.outputs.clone(),
            n_raw: self.n_raw,
            starts: self.starts.clone(),
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

    /// Names of the keypoints, one for each that an object has: the file's own, else COCO's for 17 keypoints; none where there are neither.
    pub fn keypoint_names(&self) -> &[String] {
        &self.keypoint_names
    }

    /// Whether the class outputs were trained: some losses leave a single class as it was initialised.
    pub fn trains_classes(&self) -> bool {
        self.head.trains_classes()
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

    /// What the raw outputs mean.
    pub fn head(&self) -> &dyn Head {
        self.head.as_ref()
    }

    /// Whether the network gives a mask for each box.
    pub fn gives_masks(&self) -> bool {
        self.outputs.len() > self.n_raw
    }

    /// The levels of the pyramid, in order of the file.
    pub fn levels(&self) -> &[Level] {
        self.head.levels()
    }

    /// Longest side of the input in training, in pixels, if the file says: later families find most at that size.
    pub fn trained_side(&self) -> Option<u32> {
        self.trained_side
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

    /// Indices of the layers whose outputs feed level `level` (in order of the file): one, but where all levels of the pyramid
    /// are looked at together.
    ///
    /// # Errors
    /// [`Error::LayerUnusable`] if such an input is no layer's output.
    pub fn feeds_of(&self, level: usize) -> Result<Vec<usize>> {
        self.layers.feeds_of(level, self.levels())
    }

    /// Runs the network. With `taps` (indices of layers), gradients of the raw outputs reach all of those layers, and nothing
    /// above them; without, no gradients are recorded.
    ///
    /// `input`: `[N, 3, H, W]` f32 on the model's device, RGB in 0..1, sides multiples of
    /// [`max_stride`](Self::max_stride).
    ///
    /// # Errors
    /// [`Error::Libtorch`] if the network can't run at this size, or has no such layer.
    pub fn forward(&self, input: &Tensor, taps: &[usize]) -> Result<Forward> {
        let run = || self.run(GraphKind::Tapped(taps.to_vec()), input);
        if taps.is_empty() { tch::no_grad(run) } else { run() }
    }

    /// Runs the network for its boxes alone, without gradients: what masks are made of is not computed.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub(crate) fn forward_boxes(&self, input: &Tensor) -> Result<Vec<Tensor>> {
        self.forward_boxes_in(input, Precision::F32)
    }

    /// Runs the network for its boxes alone, without gradients, computed in `precision`. Returns the raw outputs of the head as in
    /// [`Forward::outputs`], f32, without those that masks are made of. `input`: as [`forward`](Self::forward) takes it, f32.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn forward_boxes_in(&self, input: &Tensor, precision: Precision) -> Result<Vec<Tensor>> {
        if precision == Precision::F32 && !self.gives_masks() {
            // Its graph is mostly there already.
            return Ok(self.forward(input, &[])?.outputs);
        }
        let outputs = tch::no_grad(|| self.run(GraphKind::Boxes(precision), input))?.outputs;
        outputs.into_iter().map(|output| Ok(output.f_to_kind(Kind::Float)?)).collect()
    }

    /// Runs a graph, which is made the first time that it is needed.
    fn run(&self, kind: GraphKind, input: &Tensor) -> Result<Forward> {
        let normalized = match kind {
            GraphKind::Tapped(_) => self.normalized(input)?,
            GraphKind::Boxes(precision) => self.normalized(input)?.f_to_kind(precision.kind())?,
            GraphKind::Branch { .. } => input.shallow_clone(),
        };
        let input = &normalized;
        let is_part = matches!(kind, GraphKind::Branch { .. });
        let forward = match self.graphs.borrow_mut().entry(kind) {
            Entry::Occupied(made) => made.into_mut().run(input),
            Entry::Vacant(place) => {
                let graph = self.graph(place.key())?;
                place.insert(graph).run(input)
            }
        }?;
        if is_part {
            return Ok(forward);
        }
        Ok(Forward { outputs: self.head.maps(forward.outputs, size_of(input))?, ..forward })
    }

    /// A picture, RGB in 0..1, with its colours as the network takes them.
    pub(crate) fn normalized(&self, input: &Tensor) -> Result<Tensor> {
        let Some(Normalization { mean, deviation }) = self.head.normalization() else {
            return Ok(input.shallow_clone());
        };
        let channels = |values: &[f32; 3]| -> Result<Tensor> {
            Ok(Tensor::f_from_slice(values)?.f_view([1, 3, 1, 1])?.f_to_device(self.device)?)
        };
        Ok(input.f_sub(&channels(&mean)?)?.f_div(&channels(&deviation)?)?)
    }

    /// Runs the network. Gradients of each level reach its own input and nothing else: less to record than with taps, where
    /// the gradient of a coarse level reaches the inputs of the finer ones too.
    ///
    /// `feeds`: the layers that feed the levels, each one level, in any order; they are the taps.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub(crate) fn forward_to_levels(&self, input: &Tensor, feeds: &[usize]) -> Result<Forward> {
        let mut forward = self.forward(input, &[])?;
        for input in &mut forward.level_inputs {
            *input = input.f_detach()?.f_set_requires_grad(true)?;
        }
        for &feed in feeds {
            for (level, input) in forward.level_inputs.iter().enumerate() {
                if self.feeds_of(level)? == [feed] {
                    forward.taps.push(input.shallow_clone());
                }
            }
        }
        Ok(forward)
    }

    /// Some channels of a raw output in one cell (row, column) for the first picture, `[channels]` with their autograd graph.
    ///
    /// Where a level has a single input, they are computed again from the cells of it that they depend on: a gradient through the
    /// whole branch would cost far more, and be zero everywhere else.
    ///
    /// # Errors
    /// [`Error::Libtorch`] if output, channel or cell do not exist.
    pub fn cell_values(
        &self,
        forward: &Forward,
        output: usize,
        channels: &[usize],
        cell: (usize, usize),
    ) -> Result<Tensor> {
        let (Some(level), Some(pointwise)) = (self.head.level_of(output), self.pointwise.get(output)) else {
            return Err(Error::Libtorch(format!(
                "raw output {output} of a level does not exist; there are {} raw outputs",
                self.outputs.len()
            )));
        };
        let channels: Vec<i64> = channels.iter().map(|&channel| channel as i64).collect();
        let channels = Tensor::from_slice(&channels).f_to_device(self.device)?;
        let starts = self.head.starts_of(level);
        if starts.len() != 1 {
            // All of them may matter, and all of what lies behind them.
            return Ok(column(&forward.outputs[output], cell)?.f_index_select(0, &channels)?);
        }
        let input = &forward.level_inputs[starts.start];
        let Some(Pointwise { weight, bias }) = pointwise else {
            let (crop, cell) = self.around(input, cell)?;
            let raw = self.run(GraphKind::Branch { level, output }, &crop)?.outputs.remove(0);
            return Ok(column(&raw, cell)?.f_index_select(0, &channels)?);
        };
        let values = weight.f_index_select(0, &channels)?.f_mv(&column(input, cell)?)?;
        Ok(match bias {
            Some(bias) => values.f_add(&bias.f_index_select(0, &channels)?)?,
            None => values,
        })
    }

    /// The cells of a level's input `[N, K, h, w]`, of the first picture, that the raw outputs in `cell` (row, column) depend on,
    /// and where that cell is among them. Zeros beyond the edge of the map are the network's own padding.
    fn around(&self, input: &Tensor, cell: (usize, usize)) -> Result<(Tensor, (usize, usize))> {
        // A part of the map is another size.
        let reach = if self.fixed_size().is_some() { usize::MAX } else { self.head.reach() };
        let size = input.size();
        let crop = |tensor: &Tensor, dim: i64, at: usize| -> Result<(Tensor, usize)> {
            let first = at.saturating_sub(reach);
            let end = at.saturating_add(reach).saturating_add(1).min(size[dim as usize] as usize);
            Ok((tensor.f_narrow(dim, first as i64, end.saturating_sub(first) as i64)?, at - first))
        };
        let (rows, row) = crop(&input.f_narrow(0, 0, 1)?, 2, cell.0)?;
        let (crop, column) = crop(&rows, 3, cell.1)?;
        Ok((crop, (row, column)))
    }

    /// The prediction at `place` for the first picture, with its autograd graph, and the logits of `classes`.
    ///
    /// # Errors
    /// [`Error::Libtorch`] if place or classes do not exist.
    pub fn trace<'a>(&'a self, forward: &'a Forward, place: &Place, classes: &[usize]) -> Result<Box<dyn Traced + 'a>> {
        let values = |output: usize, channels: &[usize], cell| self.cell_values(forward, output, channels, cell);
        self.head.trace(place, classes, Box::new(values))
    }

    /// Shape of each layer's output for one picture of size `input`, in order of [`layers`](Self::layers).
    ///
    /// # Errors
    /// [`Error::Libtorch`] if the network can't run at this size.
    pub fn layer_shapes(&self, input: Size) -> Result<Vec<Vec<i64>>> {
        let layers: Vec<&str> = self.layers.list.iter().map(|layer| layer.path.as_str()).collect();
        let shapes =
            self.with_ends(|ends| Probe::new(&self.module, ends, self.device).shapes(&layers, probe::input(1, input)));
        Ok(shapes?.layers)
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
        let input = self.probe_size();
        let stride = |shape: &Vec<i64>| match shape.as_slice() {
            &[1, _, h, w] if h > 0 && w > 0 => {
                let stride = input.height / h as u32;
                (stride == input.width / w as u32).then_some(stride)
            }
            _ => None,
        };
        let strides = self.layer_shapes(input)?.iter().map(stride).collect();
        Ok(self.strides.get_or_init(|| strides))
    }

    /// What lies behind layer `layer`, to be run with something else in its place.
    pub(crate) fn tail(&self, layer: usize) -> Result<Behind<'_>> {
        let tail = Tail::new(&self.module, &borrowed(&self.outputs[..self.n_raw]), &self.layers.list[layer].path)?;
        Ok(Behind { tail, head: self.head(), input: Size::square(0) })
    }

    fn with_ends<T>(&self, make: impl FnOnce(&Ends) -> T) -> T {
        make(&Ends { outputs: &borrowed(&self.outputs), starts: &borrowed(&self.starts) })
    }

    fn graph(&self, kind: &GraphKind) -> Result<TappedGraph> {
        let taps = match kind {
            GraphKind::Tapped(taps) => taps,
            GraphKind::Boxes(precision) => {
                let ends = Ends { outputs: &borrowed(&self.outputs[..self.n_raw]), starts: &[] };
                let graph = |module: &ScriptModule| TappedGraph::new(module, &ends, &[], Tap::Observe);
                return match precision {
                    Precision::F32 => graph(&self.module),
                    Precision::Bf16 => {
                        let mut rounded = self.shared.rounded.lock().unwrap_or_else(PoisonError::into_inner);
                        match &mut *rounded {
                            Some(module) => graph(module),
                            none => graph(none.insert(self.module.rounded()?)),
                        }
                    }
                };
            }
            &GraphKind::Branch { level, output } => {
                let start = &self.starts[self.head.starts_of(level).start];
                return TappedGraph::between(&self.module, start, &self.outputs[output]);
            }
        };
        let path = |&layer: &usize| match self.layers.list.get(layer) {
            Some(layer) => Ok(layer.path.as_str()),
            None => {
                let count = self.layers.list.len();
                Err(Error::Libtorch(format!("layer {layer} does not exist; there are {count}, numbered from 0")))
            }
        };
        let taps = taps.iter().map(path).collect::<Result<Vec<_>>>()?;
        self.with_ends(|ends| TappedGraph::new(&self.module, ends, &taps, Tap::Gradient))
    }
}

/// What lies behind a layer of a network, to be run again and again with something else in the layer's place.
pub(crate) struct Behind<'a> {
    tail: Tail<'a>,
    head: &'a dyn Head,
    /// The size of the input that it was started with.
    input: Size,
}

impl Behind<'_> {
    /// As [`Tail::start`].
    pub fn start(&mut self, input: &Tensor) -> Result<Tensor> {
        self.input = size_of(input);
        self.tail.start(input)
    }

    /// The raw outputs with `replacement` `[N, K, h, w]` in the layer's place, as in [`Forward::outputs`].
    pub fn run(&mut self, replacement: &Tensor) -> Result<Vec<Tensor>> {
        self.head.maps(self.tail.run(replacement)?, self.input)
    }
}

/// The size of an input `[N, 3, H, W]`.
fn size_of(input: &Tensor) -> Size {
    let side = |dim: usize| input.size().get(dim).and_then(|&side| u32::try_from(side).ok()).unwrap_or_default();
    Size { width: side(3), height: side(2) }
}

/// A file that was opened, before anything is known of its head.
struct Opened {
    module: ScriptModule,
    metadata: Metadata,
    warnings: Vec<String>,
}

fn open(path: &Path, kind: FileKind, device: Device, options: LoadOptions) -> Result<Opened> {
    let unusable = |problem: String| Error::model(path, problem);
    match kind {
        FileKind::TorchScript => {
            if !options.trust {
                torchscript::check(path).map_err(&unusable)?;
            }
            let (module, config) = ScriptModule::load(path, device).map_err(|error| unusable(unloadable(&error)))?;
            check_operators(&module, path, options)?;
            let metadata = config.as_deref().map(Metadata::parse).unwrap_or_default();
            Ok(Opened { module, metadata, warnings: Vec::new() })
        }
        FileKind::Checkpoint => {
            let Checkpoint { module, names, classes, warnings, origin } =
                checkpoint::load(path, device).map_err(&unusable)?;
            let version = match origin.package {
                Package::YoloV5 => None,
                Package::Ultralytics => Some(origin.version.unwrap_or_else(|| FIRST_VERSION.to_owned())),
            };
            let metadata = Metadata {
                names,
                classes,
                ultralytics_version: version,
                trained_side: origin.img_size,
                strides: Strides::OfLevels { said: origin.strides, package: origin.package },
                task: Some(origin.task.name().to_owned()),
                keypoints: origin.keypoints,
                keypoint_names: origin.keypoint_names,
                ..Metadata::default()
            };
            Ok(Opened { module, metadata, warnings })
        }
    }
}

/// Why libtorch can't load a file, and the way out.
fn unloadable(error: &Error) -> String {
    let reason = reason(error);
    if reason.contains("torchvision::nms") {
        return "has non-maximum suppression built in, which plain libtorch cannot run; export it without: 'yolo export \
                model=FILE.pt format=torchscript'"
            .to_owned();
    }
    format!("is TorchScript that libtorch cannot load: {reason}")
}

/// The head of a network, if it is what the file says that it is.
fn head_of(
    module: &ScriptModule,
    tensors: &[(String, Tensor)],
    metadata: &Metadata,
    options: LoadOptions,
) -> Result<Box<dyn Head>, String> {
    /// What networks of the Ultralytics package are for that are explained.
    const TASKS: [&str; 5] = ["detect", "segment", "pose", "obb", "classify"];
    let version = metadata.ultralytics_version.as_deref();
    let in_words = |error| reason(&error);
    let classes = module.classes().map_err(in_words)?;
    let calls = module.calls(&Ends { outputs: &[], starts: &[] }).map_err(in_words)?;
    let calls: Vec<String> = calls.into_iter().map(|call| call.path).collect();
    let (branch, keypoints) = (options.branch, metadata.keypoints);
    let network = Network { tensors, calls: &calls, branch, version, classes: &classes, keypoints };
    // Others may have the same structure.
    if let Some(task) = metadata.task.as_ref().filter(|task| !TASKS.contains(&task.as_str())) {
        return Err(format!("is a network for the task {task:?}; the supported tasks are {}", TASKS.join(", ")));
    }
    let head = find_head(&network).map_err(|problem| match version {
        Some(version) => format!("{problem}; it was exported by ultralytics {version}"),
        None => problem,
    })?;
    claims::check_classes(head.as_ref(), metadata)?;
    claims::check_task(head.as_ref(), metadata)?;
    Ok(head)
}

/// Whether the network calls only what detectors call, and not too often.
fn check_operators(module: &ScriptModule, path: &Path, options: LoadOptions) -> Result<()> {
    let operators = module
        .operators()
        .map_err(|error| Error::model(path, format!("is TorchScript that is not run: {}", reason(&error))))?;
    match operators.into_iter().find(|(name, result)| torchscript::refused(name, result)) {
        Some((operator, _)) if !options.trust => Err(Error::Untrusted { path: path.to_owned(), operator }),
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

/// A 1×1 convolution.
struct Pointwise {
    /// `[C, K]`.
    weight: Tensor,
    /// `[C]`.
    bias: Option<Tensor>,
}

/// For each raw output the weights of the 1×1 convolution that makes it of the level's input, if one does.
fn pointwise_convolutions(tensors: &[(String, Tensor)], head: &dyn Head) -> Result<Vec<Option<Pointwise>>> {
    let get = |path: &str, name: &str| {
        let wanted = format!("{path}.{name}");
        tensors.iter().find(|(path, _)| *path == wanted).map(|(_, tensor)| tensor.shallow_clone())
    };
    let starts = head.starts();
    let pointwise = |path: &String| match get(path, "weight").filter(|_| starts.contains(path)) {
        Some(weight) if matches!(weight.size().as_slice(), [_, _, 1, 1]) => {
            Ok(Some(Pointwise { weight: weight.f_flatten(1, -1)?, bias: get(path, "bias") }))
        }
        _ => Ok(None),
    };
    head.outputs().iter().chain(&head.mask_outputs()).map(pointwise).collect()
}

/// The values of all channels in a cell (row, column) of the first picture.
fn column(map: &Tensor, cell: (usize, usize)) -> Result<Tensor> {
    let at = |index: usize| Some(Tensor::from(index as i64));
    Ok(map.f_index(&[at(0), None, at(cell.0), at(cell.1)])?.f_view(-1)?)
}

fn borrowed(paths: &[String]) -> Vec<&str> {
    paths.iter().map(String::as_str).collect()
}

/// The text of an error without the word that names libtorch, for use inside another error.
fn reason(error: &Error) -> String {
    match error {
        Error::Libtorch(reason) => reason.clone(),
        other => other.to_string(),
    }
}
