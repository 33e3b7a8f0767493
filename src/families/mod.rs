//! Model families: how a network's head is recognised, and what its raw outputs mean.
//!
//! A family is one file here and one line in `FAMILIES`. Everything else asks a [`Head`], and knows nothing of how a
//! family encodes its boxes.

mod anchor_free;
mod classifier;
mod rtdetr;
mod yolo26;
mod yolov5;
mod yolov5_cls;
mod yolov8;
mod yolov8_cls;

use std::ops::Range;

use tch::{Kind, Tensor};

use crate::{
    error::{Error, Result},
    geometry::{BBox, RotatedBox, Size},
    limits::Limits,
    registry::Registry,
    tensor,
};

/// A family of networks.
pub trait Family: Sync {
    /// Its name, `YOLOv5`.
    fn name(&self) -> &'static str;

    /// All heads of this family in a network.
    fn find(&self, network: &Network) -> Vec<Box<dyn Head>>;
}

/// All families. The first that finds its head in a network has it.
static FAMILIES: Registry<dyn Family> = Registry::new(&[
    &yolov5::YoloV5,
    &yolov8::YoloV8,
    &yolo26::Yolo26,
    &yolov8_cls::YoloV8Cls,
    &yolov5_cls::YoloV5Cls,
    &rtdetr::RtDetr,
]);

/// What a family is shown of a network.
#[derive(Debug, Default)]
pub struct Network<'a> {
    /// Parameters and buffers by their dotted paths.
    pub tensors: &'a [(String, Tensor)],
    /// Dotted paths of the modules that its forward calls, in order of execution.
    pub calls: &'a [String],
    /// Which of two branches is to be taken, where a head has both; `None` for what its own package would take.
    pub branch: Option<Branch>,
    /// The version of the package that wrote the file, if the file says.
    pub version: Option<&'a str>,
    /// Names of the classes of modules by their dotted paths, `Detect`. Heads of the same parts may mean different things.
    pub classes: &'a [(String, String)],
    /// How many keypoints an object has, and how many values each of them, if the file says: of two values, x and y; of three, with the
    /// visibility.
    pub keypoints: Option<(usize, usize)>,
}

impl<'a> Network<'a> {
    /// The parameter or buffer at `path`.
    pub fn tensor(&self, path: &str) -> Option<&'a Tensor> {
        self.tensors.iter().find(|(name, _)| name == path).map(|(_, tensor)| tensor)
    }

    /// The name of the class of the module at `path`.
    pub fn class(&self, path: &str) -> Option<&'a str> {
        self.classes.iter().find(|(name, _)| name == path).map(|(_, class)| class.as_str())
    }
}

/// The branches of a head that was trained with two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Branch {
    /// Trained to give one box for each object: its best boxes are the detections, without suppression.
    One,
    /// Trained to give many boxes for each object, of which suppression leaves one.
    Many,
}

impl Branch {
    /// As options and reports name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Many => "many",
        }
    }
}

/// How a family's own package makes detections of predictions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Habits {
    /// Longest side of the network's input in pixels, unless the user says otherwise.
    pub img_size: u32,
    /// Least confidence of a detection, unless the user says otherwise.
    pub conf_threshold: f32,
    /// Most detections in a picture, unless the user says otherwise.
    pub max_det: usize,
    /// Boxes that overlap more than this (IoU) are one, unless the user says otherwise; `None` if nothing is suppressed.
    pub iou_threshold: Option<f32>,
    /// Whether a cell's prediction may become several detections, of different classes.
    pub has_many_labels: bool,
    /// Whether a box is dropped whose mask has no pixel.
    pub drops_empty_masks: bool,
    /// Whether a box that was suppressed itself suppresses others.
    pub suppressed_suppress: bool,
}

impl Default for Habits {
    /// YOLOv5's; the least confidence is that of yolov5-gradcam, which is higher than the packages' own 0.25.
    fn default() -> Self {
        Self {
            img_size: 640,
            conf_threshold: 0.4,
            max_det: 300,
            iou_threshold: Some(0.45),
            has_many_labels: false,
            drops_empty_masks: false,
            suppressed_suppress: false,
        }
    }
}

/// How a picture becomes the input of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// The whole picture: scaled until its longest side fits, and padded to whole strides.
    Letterbox,
    /// The whole picture, stretched to a square, or to the size that is baked into a trace.
    Stretch,
    /// A square around its centre: the picture is scaled until its shortest side fits, antialiased, and cut.
    ScaleThenCrop,
    /// The same, but cut first, and scaled without antialiasing.
    CropThenScale,
}

/// Mean and standard deviation of each channel, RGB in 0..1, that a network takes the colours of its input by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalization {
    /// Subtracted.
    pub mean: [f32; 3],
    /// Divided by.
    pub deviation: [f32; 3],
}

/// What a prediction says, besides its classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aspect {
    /// How sure the network is that something is there.
    Presence,
    /// Where it is.
    Box,
    /// Which pixels belong to it.
    Mask,
    /// Where points of it are, such as eyes and elbows.
    Keypoints,
    /// How far its box is rotated.
    Angle,
}

impl Aspect {
    /// What a network predicts that has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Presence => "objectness",
            Self::Box => "boxes",
            Self::Mask => "masks",
            Self::Keypoints => "keypoints",
            Self::Angle => "angles",
        }
    }
}

/// All families, in the order in which they are asked.
pub fn all() -> Vec<&'static dyn Family> {
    FAMILIES.all()
}

/// Adds a family to the list, for this process. It is asked after those that are there.
pub fn register(family: &'static dyn Family) {
    FAMILIES.add(family);
}

/// The head of one network, as its family reads it: of a detector, or of a classifier.
///
/// Its raw outputs are maps `[N, C, h, w]`, or are made maps ([`maps`](Head::maps)). Each belongs to a [`Level`] of the pyramid, and
/// holds some values for each cell of that level.
pub trait Head: Send + Sync {
    /// The name of the family.
    fn family(&self) -> &'static str;

    /// Path of the module that is the head, `model.24`. No layer inside explains a box.
    fn path(&self) -> &str;

    /// Paths of the module calls whose outputs are the raw outputs, in order of the file, 64 at most. What such a call is given
    /// rather than gives: [`given_to`].
    fn outputs(&self) -> Vec<String>;

    /// The raw outputs as maps `[N, C, h, w]` each, of what the calls of [`outputs`](Self::outputs) give for an input of this size.
    /// Default: they are maps.
    ///
    /// # Errors
    /// [`Error::Libtorch`] if they have another form.
    fn maps(&self, outputs: Vec<Tensor>, _input: Size) -> Result<Vec<Tensor>> {
        Ok(outputs)
    }

    /// A map `[N, C, h, w]` of [`channels`](Self::channels) in the form in which the network gives raw output `output`, whose values
    /// may be any. Default: as it is.
    ///
    /// # Errors
    /// [`Error::Libtorch`] if there is not enough memory.
    fn unmapped(&self, _output: usize, map: Tensor) -> Result<Tensor> {
        Ok(map)
    }

    /// Paths of the module calls that masks are made of besides the raw outputs: those that give coefficients alone, then the
    /// one that gives the prototypes `[N, masks, h, w]`, which belong to no level. With [`outputs`](Self::outputs) 64 at most.
    /// Where a forward pass gives them, they stand behind the raw outputs. Default: none, as of a network without masks.
    fn mask_outputs(&self) -> Vec<String> {
        Vec::new()
    }

    /// The coefficients of the mask of the prediction at `place`, `[masks]`, for the first picture. The mask is where their
    /// sum with the prototypes is positive. Default: `None`, as of a network without masks.
    ///
    /// `outputs`: of a forward pass that gave masks.
    ///
    /// # Errors
    /// [`Error::Libtorch`] if the tensors can't be read.
    fn mask_coefficients(&self, _outputs: &[Tensor], _place: &Place) -> Result<Option<Tensor>> {
        Ok(None)
    }

    /// The level that a raw output belongs to, or one that gives coefficients. Default: the level that lists it.
    fn level_of(&self, output: usize) -> Option<usize> {
        self.levels().iter().position(|level| level.outputs.contains(&output))
    }

    /// Paths of module calls whose inputs the levels are predicted from, in order of the file, 64 at most. The gradient
    /// of a level starts there. Default: those of [`outputs`](Self::outputs).
    fn starts(&self) -> Vec<String> {
        self.outputs()
    }

    /// Which of [`starts`](Self::starts) a level is predicted from. Default: the one with its own number.
    fn starts_of(&self, level: usize) -> Range<usize> {
        level..level + 1
    }

    /// How many cells around a cell of its level's input a raw output depends on: with 2, on those of a square of 5 by 5; with
    /// [`usize::MAX`] on all. Default: 0, as of a 1×1 convolution.
    fn reach(&self) -> usize {
        0
    }

    /// How the family's own package makes detections of predictions. Default: as YOLOv5.
    fn habits(&self) -> Habits {
        Habits::default()
    }

    /// Whether predictions say this. Default: where something is, and its mask if there are outputs for masks.
    fn has(&self, aspect: Aspect) -> bool {
        match aspect {
            Aspect::Presence | Aspect::Angle => false,
            Aspect::Box => true,
            Aspect::Mask => !self.mask_outputs().is_empty(),
            Aspect::Keypoints => self.keypoints() > 0,
        }
    }

    /// How many keypoints each object has. Default: none.
    fn keypoints(&self) -> usize {
        0
    }

    /// Whether the network says of each keypoint if it is visible. Default: no.
    fn tells_visibility(&self) -> bool {
        false
    }

    /// How a picture becomes the input. Default: by a letterbox.
    fn framing(&self) -> Framing {
        Framing::Letterbox
    }

    /// What the family's own package does with the colours of the input. Default: nothing.
    fn normalization(&self) -> Option<Normalization> {
        None
    }

    /// The network's own output as rows `[N, rows, values]`; `None` if it holds raw outputs, or only the best of its predictions.
    /// Default: as it is, if it has three dimensions.
    ///
    /// # Errors
    /// [`Error::Libtorch`] if it has another form.
    fn rows(&self, output: &Tensor) -> Result<Option<Tensor>> {
        Ok((output.dim() == 3).then(|| output.shallow_clone()))
    }

    /// What else the same raw outputs may mean, most likely first: heads of which nothing but the network's own decoding tells
    /// whether it is theirs. Default: nothing.
    fn readings(&self) -> Vec<Box<dyn Head>> {
        Vec::new()
    }

    /// The number of classes.
    fn classes(&self) -> usize;

    /// For each raw output, where the logits of all classes begin among its channels, one after the other: once for each of its
    /// predictions of a cell; nowhere in an output without classes. Rows of the weights that make the output are counted in the same
    /// way. Default: not known, empty.
    fn class_channels(&self) -> Vec<Vec<usize>> {
        Vec::new()
    }

    /// Whether the class outputs mean anything: some losses leave a single class as it was initialised.
    fn trains_classes(&self) -> bool;

    /// How many values the network gives for each box.
    fn values_per_box(&self) -> usize;

    /// Learns the strides of the levels from the shapes of the raw outputs for one input of this size.
    ///
    /// # Errors
    /// In one line, what is wrong with the shapes.
    fn measure(&mut self, shapes: &[Vec<i64>], input: Size) -> std::result::Result<(), String>;

    /// The levels of the pyramid, in order of the file. Empty before [`measure`](Self::measure).
    fn levels(&self) -> &[Level];

    /// Rows and columns of a level's cells for an input of this size. Default: as many as whole strides fit.
    fn cells(&self, level: usize, input: Size) -> (usize, usize) {
        let stride = self.levels()[level].stride;
        ((input.height / stride) as usize, (input.width / stride) as usize)
    }

    /// How many predictions a level of so many cells makes.
    fn predictions_in(&self, level: usize, cells: usize) -> usize;

    /// Channels of each raw output.
    fn channels(&self) -> Vec<usize>;

    /// Some of the rows `[values_per_box]` that the network's own code should give, where every cell of raw output `output`
    /// has the value `raw(output, channel)`: their places in all rows, and their values.
    fn sample_rows(&self, input: Size, raw: &dyn Fn(usize, usize) -> f32) -> Vec<(usize, Vec<f32>)>;

    /// The cells of a level that may hold a prediction of more presence than `least`, in ascending order; `None` if all may.
    /// A quick look, so that only those have to be copied.
    ///
    /// `outputs`: those of the level, `[cells, C]` each.
    ///
    /// # Errors
    /// [`Error::Libtorch`] if the tensors can't be read.
    fn promising_cells(&self, level: usize, outputs: &[Tensor], least: f32) -> Result<Option<Vec<usize>>>;

    /// Decodes the predictions of some cells whose presence exceeds `least`, and whose box is finite, in order of the cells.
    ///
    /// `cells`: numbered row by row; `values`: for each output of the level those cells' values, `[cells, C]`. `visit` returns
    /// the `least` for those that follow.
    fn scan(
        &self,
        grid: &Grid,
        cells: &mut dyn Iterator<Item = usize>,
        values: &[&[f32]],
        least: f32,
        visit: &mut dyn FnMut(&Prediction<'_>) -> f32,
    );

    /// The prediction at `place` with its autograd graph, and the logits of `classes`.
    ///
    /// # Errors
    /// [`Error::Libtorch`] if place or classes do not exist.
    fn trace<'a>(
        &'a self,
        place: &Place,
        classes: &[usize],
        values: Box<CellValues<'a>>,
    ) -> Result<Box<dyn Traced + 'a>>;
}

impl dyn Head + '_ {
    /// What the network is for, as the Ultralytics package calls it: `detect`, `segment`, `pose`, `obb` or `classify`.
    pub fn task(&self) -> &'static str {
        let tasks =
            [(Aspect::Mask, "segment"), (Aspect::Keypoints, "pose"), (Aspect::Angle, "obb"), (Aspect::Box, "detect")];
        tasks.into_iter().find(|&(aspect, _)| self.has(aspect)).map_or("classify", |(_, task)| task)
    }

    /// The prototypes of masks, `[N, masks, h, w]`, if these outputs of a forward pass have any.
    pub fn prototypes<'a>(&self, outputs: &'a [Tensor]) -> Option<&'a Tensor> {
        let masks = self.mask_outputs().len();
        (masks > 0 && outputs.len() == self.outputs().len() + masks).then(|| outputs.last())?
    }

    /// The cells of each level for these raw outputs, `[N, C, h, w]` each.
    ///
    /// # Errors
    /// [`Error::Libtorch`] if they are no such outputs.
    pub fn grids(&self, outputs: &[Tensor]) -> Result<Vec<Grid>> {
        let mut first_index = 0;
        let grid = |(index, level): (usize, &Level)| {
            let output = level.outputs.first().and_then(|&output| outputs.get(output));
            let shape = output.map(Tensor::size).unwrap_or_default();
            let &[_, _, height, width] = shape.as_slice() else {
                return Err(Error::Libtorch(format!("expected a raw output [N, C, h, w], found {shape:?}")));
            };
            let (height, width) = (height as usize, width as usize);
            let grid = Grid { level: index, height, width, first_index };
            first_index += self.predictions_in(index, height * width);
            Ok(grid)
        };
        self.levels().iter().enumerate().map(grid).collect()
    }
}

/// A level of the pyramid: feature maps of one stride from which boxes of about one size are predicted.
#[derive(Debug, Clone)]
pub struct Level {
    /// Input pixels per cell; 0 where cells are no places in the picture: the only one is all of it, or each is a query.
    pub stride: u32,
    /// Rank by stride: 0 is the finest.
    pub rank: usize,
    /// Which of the head's raw outputs belong to it.
    pub outputs: Vec<usize>,
    /// What it is called; `None`: by its stride.
    pub label: Option<&'static str>,
}

impl Level {
    /// Levels of these strides, in order of the file. `outputs`: the raw outputs of each level, by its index.
    pub fn with_strides(strides: &[u32], outputs: impl Fn(usize) -> Vec<usize>) -> Vec<Self> {
        let rank = |stride| strides.iter().filter(|&&other| other < stride).count();
        let level =
            |(index, &stride): (usize, &u32)| Self { stride, rank: rank(stride), outputs: outputs(index), label: None };
        strides.iter().enumerate().map(level).collect()
    }

    /// Its label; without one `P3` for stride 8, and `picture` where the only cell is the whole picture.
    pub fn name(&self) -> String {
        match (self.label, self.stride.checked_ilog2()) {
            (Some(label), _) => label.to_owned(),
            (None, Some(power)) => format!("P{power}"),
            (None, None) => "picture".to_owned(),
        }
    }
}

/// The cells of a level for inputs of one size.
#[derive(Debug, Clone, Copy)]
pub struct Grid {
    /// Index of the level.
    pub level: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// How many predictions the levels before it make.
    pub first_index: usize,
}

/// Where in the network a prediction comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// Index of the level, in order of the file.
    pub level: usize,
    /// Row of the cell.
    pub row: usize,
    /// Column of the cell.
    pub column: usize,
    /// Which of the predictions of that cell.
    pub slot: usize,
    /// Row in the concatenated prediction of all levels, as the family's own code counts them.
    pub index: usize,
}

/// A decoded prediction, before anything is decided about it.
#[derive(Debug, Clone, Copy)]
pub struct Prediction<'a> {
    /// Where it comes from.
    pub place: Place,
    /// The box in input pixels; of a rotated one, the box around it; `None` where the whole picture is meant.
    pub box_input: Option<BBox>,
    /// The rotated box in input pixels; `None` of a family whose boxes are not rotated.
    pub rotated: Option<RotatedBox>,
    /// Its keypoints; none of a family without.
    pub keypoints: &'a [Keypoint],
    /// How sure the network is that something is there, 0 to 1; 1 of a family that does not say. No class is more confident.
    pub presence: f32,
    /// Raw logit of each class.
    pub class_logits: &'a [f32],
    /// How they become probabilities.
    pub class_scale: ClassScale,
}

/// A point of an object, such as an eye or an elbow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Keypoint {
    /// From the left, in input pixels.
    pub x: f32,
    /// From the top, in input pixels.
    pub y: f32,
    /// How sure the network is that it is visible, 0 to 1; `None` if it does not say.
    pub visibility: Option<f32>,
}

/// What there is to know of a keypoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coordinate {
    /// How far it is from the left, in input pixels.
    X,
    /// How far it is from the top, in input pixels.
    Y,
    /// The logit of its visibility.
    Visibility,
}

/// How logits of classes become probabilities.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ClassScale {
    /// Each class for itself, by the sigmoid.
    Sigmoid,
    /// One of all, by the softmax.
    Softmax {
        /// The logarithm of the sum of all logits' exponentials.
        log_sum: f32,
    },
}

impl Prediction<'_> {
    /// The probability of `class`, 0 to 1.
    pub fn probability(&self, class: usize) -> f32 {
        let logit = self.class_logits[class];
        match self.class_scale {
            ClassScale::Sigmoid => sigmoid(logit),
            ClassScale::Softmax { log_sum } => (logit - log_sum).exp(),
        }
    }

    /// Presence times the probability of `class`.
    pub fn confidence(&self, class: usize) -> f32 {
        self.presence * self.probability(class)
    }

    /// The most probable class; of equals the first, as in `torch.max`.
    pub fn best_class(&self) -> usize {
        let best =
            |best: (usize, f32), (class, &logit): (usize, &f32)| if logit > best.1 { (class, logit) } else { best };
        self.class_logits.iter().enumerate().fold((0, f32::NEG_INFINITY), best).0
    }
}

/// The values of some channels of a raw output in one cell (row, column), `[channels]`, with their autograd graph.
pub type CellValues<'a> = dyn Fn(usize, &[usize], (usize, usize)) -> Result<Tensor> + 'a;

/// An edge or a side of a box, in input pixels. Of a rotated box the edges are those of the box around it, and the sides its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The left edge.
    Left,
    /// The upper edge.
    Top,
    /// The right edge.
    Right,
    /// The lower edge.
    Bottom,
    /// The width.
    Width,
    /// The height.
    Height,
}

/// A prediction with its autograd graph. All values are scalars.
pub trait Traced {
    /// The logit of the `n`-th of the classes that were asked for.
    ///
    /// # Errors
    /// [`Error::Libtorch`], here and below, if there is not enough memory.
    fn class_logit(&self, n: usize) -> Result<Tensor>;

    /// The probability of the `n`-th of the classes that were asked for, 0 to 1. Default: the sigmoid of its logit.
    ///
    /// # Errors
    /// As above.
    fn class_probability(&self, n: usize) -> Result<Tensor> {
        Ok(self.class_logit(n)?.f_sigmoid()?)
    }

    /// The logit of its presence, before the sigmoid; `None` if the family has none.
    ///
    /// # Errors
    /// As above.
    fn presence_logit(&self) -> Result<Option<Tensor>>;

    /// An edge or a side of its box, in input pixels.
    ///
    /// # Errors
    /// As above; [`Error::TargetMissing`] if the family predicts no boxes.
    fn extent(&self, extent: Extent) -> Result<Tensor>;

    /// The coefficients of its mask, `[masks]`; `None` if the network gives no masks, which is the default.
    ///
    /// # Errors
    /// As above.
    fn mask_coefficients(&self) -> Result<Option<Tensor>> {
        Ok(None)
    }

    /// The angle of its box in radians; `None` if the family's boxes are not rotated, which is the default.
    ///
    /// # Errors
    /// As above.
    fn angle(&self) -> Result<Option<Tensor>> {
        Ok(None)
    }

    /// What there is to know of its `index`-th keypoint; `None` if the network does not say, which is the default.
    ///
    /// # Errors
    /// As above; [`Error::Libtorch`] if there is no such keypoint.
    fn keypoint(&self, _index: usize, _coordinate: Coordinate) -> Result<Option<Tensor>> {
        Ok(None)
    }
}

/// The head of a network, whichever family it is of.
///
/// # Errors
/// In one line, why there is none that can be explained.
pub(crate) fn find_head(network: &Network) -> std::result::Result<Box<dyn Head>, String> {
    let mut found = all().iter().map(|family| family.find(network)).find(|heads| !heads.is_empty()).unwrap_or_default();
    match found.len() {
        1 if found[0].classes() > Limits::CLASSES => {
            Err(format!("has a head for {} classes; at most {} are explained", found[0].classes(), Limits::CLASSES))
        }
        1 => Ok(found.remove(0)),
        0 => Err(no_head()),
        n => Err(format!("has {n} detection heads, and exactly one is supported")),
    }
}

fn no_head() -> String {
    let known: Vec<&str> = all().iter().map(|family| family.name()).collect();
    format!("has no detection head of a known family: {}", known.join(", "))
}

/// Among [`Head::outputs`]: what the call `path` is given, its last argument.
pub fn given_to(path: &str) -> String {
    format!("{GIVEN}{path}")
}

/// What stands before the path of a call that is meant by what it is given: no letter of a path. `YC_GIVEN` of the shim.
const GIVEN: char = '<';

/// The `n`-th of the classes that were asked for.
fn asked_class(classes: &[usize], n: usize) -> Result<usize> {
    let class = classes.get(n).copied();
    class.ok_or_else(|| Error::Libtorch(format!("class {n} of {} was not asked for", classes.len())))
}

/// Whether there is a keypoint of this number.
fn check_keypoint(index: usize, count: usize) -> Result<()> {
    if index < count {
        return Ok(());
    }
    Err(Error::Libtorch(format!("keypoint {index} does not exist; there are {count}")))
}

/// The cells of which the probability of some class exceeds `least`, in ascending order. `logits`: `[cells, classes]`.
fn cells_above(logits: &Tensor, least: f32) -> Result<Vec<usize>> {
    let best = tensor::values(&logits.f_amax([1], false)?.f_to_kind(Kind::Float)?)?;
    Ok((0..best.len()).filter(|&cell| sigmoid(best[cell]) > least).collect())
}

/// Some channels of a raw output `[N, C, h, w]` in the cell of a prediction, for the first picture.
fn channels_at(output: &Tensor, channels: Range<usize>, place: &Place) -> Result<Tensor> {
    let cell = output.f_get(0)?.f_select(2, place.column as i64)?.f_select(1, place.row as i64)?;
    Ok(cell.f_narrow(0, channels.start as i64, channels.len() as i64)?)
}

/// The logistic function: from a logit to a probability.
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}
