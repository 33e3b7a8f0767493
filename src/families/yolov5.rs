//! YOLOv5, YOLOv3 and YOLOv7 in its format, and YOLOv5-face: anchor-based networks.
//!
//! Each level is one 1×1 convolution. In each cell it makes a prediction for each of a few anchors, boxes of typical sizes:
//! x, y, w, h, objectness, x and y of each point if the network finds points (of a face, or the corners of a licence plate), the
//! classes, then mask coefficients if the network segments. YOLOv7 trains with a value that is added to each of the convolution's
//! input channels, and one that each of its outputs is multiplied by. Forks have several convolutions in place of the one, which
//! predict boxes and classes apart.

use std::collections::HashMap;

use tch::Tensor;

use super::{
    Aspect, CellValues, ClassScale, Coordinate, Extent, Family, Grid, Head, Keypoint, Level, Network, Place,
    Prediction, Traced, channels_at, check_keypoint, sigmoid,
};
use crate::{
    error::{Error, Result},
    geometry::{BBox, Size},
    tensor,
};

/// Ultralytics YOLOv5, `models/yolo.py`, `Detect` and `Segment`.
pub(super) struct YoloV5;

impl Family for YoloV5 {
    fn name(&self) -> &'static str {
        "YOLOv5"
    }

    /// A module with a buffer `anchors` [levels, anchors, 2] and as many 1×1 convolutions `m.0`, `m.1`, … with the same number
    /// of channels for each anchor. A `proto` beside them makes it a segmentation head, whose mask coefficients come last. Points
    /// leave no other trace: the file says that they are there, or its decoding does.
    fn find(&self, network: &Network) -> Vec<Box<dyn Head>> {
        let tensors = network.tensors;
        let by_path: HashMap<&str, &Tensor> = tensors.iter().map(|(path, tensor)| (path.as_str(), tensor)).collect();
        let heads = tensors.iter().filter_map(|(name, anchors)| {
            let head = AnchorHead::find(name.strip_suffix(".anchors")?, anchors, &by_path, network.calls)?;
            let points = network.keypoints.and_then(|(points, values)| (values == 2).then_some(points));
            let with_points = points.and_then(|points| head.with_points(points));
            Some(Box::new(with_points.unwrap_or(head)) as Box<dyn Head>)
        });
        heads.collect()
    }
}

/// What makes the raw output of a level.
#[derive(Debug, Clone)]
struct Maker {
    /// The module call that gives it.
    output: String,
    /// The one whose input is the level's.
    start: String,
    /// How many channels it has.
    channels: i64,
    /// On how many cells to each side it depends.
    reach: usize,
    /// Whether its channels are the rows of one convolution's weights.
    is_plain: bool,
}

impl Maker {
    fn find(path: &str, level: i64, by_path: &HashMap<&str, &Tensor>, calls: &[String]) -> Option<Self> {
        let part = |list: &str| format!("{path}.{list}.{level}");
        let convolution = part("m");
        let called = |path: String| calls.contains(&path).then_some(path);
        let Some(weight) = by_path.get(format!("{convolution}.weight").as_str()) else {
            return Self::of_several(convolution, by_path);
        };
        let &[channels, _, 1, 1] = weight.size().as_slice() else { return None };
        // What was fused keeps these parts, and does not call them.
        let (start, output) = (called(part("ia")), called(part("im")));
        let is_plain = output.is_none();
        let (start, output) = (start.unwrap_or_else(|| convolution.clone()), output.unwrap_or(convolution));
        Some(Self { output, start, channels, reach: 0, is_plain })
    }

    /// Of the convolutions of a block that end its paths.
    fn of_several(block: String, by_path: &HashMap<&str, &Tensor>) -> Option<Self> {
        /// What such a block is made of: as YOLOX has it, and as YOLOv5's own attempt.
        const PARTS: [&[&str]; 2] = [
            &["merge", "cls_convs1", "cls_convs2", "reg_convs1", "reg_convs2", "cls_preds", "reg_preds", "obj_preds"],
            &["a", "b1", "b2", "c1", "c2", "b3", "c3"],
        ];
        /// Which of them give channels.
        const ENDS: [&[&str]; 2] = [&["cls_preds", "reg_preds", "obj_preds"], &["b3", "c3"]];
        let inside: Vec<(&str, &Tensor)> = by_path
            .iter()
            .filter_map(|(path, tensor)| Some((path.strip_prefix(block.as_str())?.strip_prefix('.')?, *tensor)))
            .collect();
        let is_of =
            |parts: &[&str]| inside.iter().all(|(path, _)| parts.contains(&path.split('.').next().unwrap_or(path)));
        let kind = PARTS.iter().position(|parts| is_of(parts))?;
        let channels =
            ENDS[kind].iter().map(|end| match by_path.get(format!("{block}.{end}.weight").as_str())?.size()[..] {
                [channels, _, 1, 1] => Some(channels),
                _ => None,
            });
        let channels = channels.sum::<Option<i64>>()?;
        // As if all its convolutions stood in a row.
        let kernels = inside.iter().filter_map(|(_, tensor)| match tensor.size()[..] {
            [_, _, height, width] => Some(height.max(width) as usize / 2),
            _ => None,
        });
        let reach = kernels.sum();
        Some(Self { output: block.clone(), start: block, channels, reach, is_plain: false })
    }
}

/// Channels of an anchor. The points, the classes and the mask coefficients follow.
const OBJECTNESS: usize = 4;
const POINTS: usize = 5;

/// The most points that a head may have.
const MOST_POINTS: usize = 128;

/// The head of one network.
#[derive(Debug, Clone)]
struct AnchorHead {
    path: String,
    /// Width and height of the anchors in cells, per level.
    anchors: Vec<Vec<[f32; 2]>>,
    /// The same in pixels, where the file has them apart. YOLOv5 up to v5.0 decodes with these, and leaves the others wrong
    /// where it reversed their order.
    stored_pixel_anchors: Option<Vec<Vec<[f32; 2]>>>,
    /// What boxes are decoded with, once the strides are known: in pixels, per level.
    pixel_anchors: Vec<Vec<[f32; 2]>>,
    /// What makes the raw output of each level.
    makers: Vec<Maker>,
    levels: Vec<Level>,
    /// Channels for each anchor.
    values_per_box: usize,
    /// How many points a box has, of two channels each.
    points: usize,
    classes: usize,
}

impl AnchorHead {
    fn find(path: &str, anchors: &Tensor, by_path: &HashMap<&str, &Tensor>, calls: &[String]) -> Option<Self> {
        let get = |name: &str| by_path.get(format!("{path}.{name}").as_str()).copied();
        let &[n_levels, n_anchors, 2] = anchors.size().as_slice() else { return None };
        // Sets of outputs are kept in 64 bits, and one may be of prototypes.
        if n_anchors == 0 || !(1..=63).contains(&n_levels) {
            return None;
        }
        let makers = (0..n_levels).map(|level| Maker::find(path, level, by_path, calls)).collect::<Option<Vec<_>>>()?;
        let per_anchor = makers
            .iter()
            .map(|maker| (maker.channels % n_anchors == 0).then_some((maker.channels / n_anchors) as usize));
        let per_anchor = per_anchor.collect::<Option<Vec<usize>>>()?;
        let values_per_box = per_anchor[0];
        let masks = get("proto.cv3.conv.weight").map_or(0, |weight| weight.size()[0] as usize);
        if per_anchor.iter().any(|&other| other != values_per_box) || values_per_box <= POINTS + masks {
            return None;
        }
        let stored_pixel_anchors = get("anchor_grid")
            .filter(|grid| grid.size() == [n_levels, 1, n_anchors, 1, 1, 2])
            .and_then(|grid| grid.f_reshape([n_levels, n_anchors, 2]).ok())
            .map(|grid| anchor_sizes(&grid));
        Some(Self {
            path: path.to_owned(),
            anchors: anchor_sizes(anchors),
            stored_pixel_anchors,
            pixel_anchors: Vec::new(),
            makers,
            levels: Vec::new(),
            values_per_box,
            points: 0,
            classes: values_per_box - POINTS - masks,
        })
    }

    /// The same head where the first of what it takes for classes are points. `None` if no class would be left.
    fn with_points(&self, points: usize) -> Option<Self> {
        let all = self.classes + 2 * self.points;
        let is_sound = points <= MOST_POINTS && all > 2 * points;
        is_sound.then(|| Self { points, classes: all - 2 * points, ..self.clone() })
    }

    /// The first channel of the classes.
    fn first_class(&self) -> usize {
        POINTS + 2 * self.points
    }

    /// How many mask coefficients a box has, behind its classes.
    fn masks(&self) -> usize {
        self.values_per_box - self.first_class() - self.classes
    }

    /// The points of an anchor in a cell (row, column). `raw`: its values before the sigmoid.
    ///
    /// YOLOv5-face, `models/yolo.py`, `Detect.forward`: raw·anchor + cell·stride, from the cell's corner and without a sigmoid.
    fn decode_points(&self, level: usize, slot: usize, (row, column): (usize, usize), raw: &[f32]) -> Vec<Keypoint> {
        let [anchor_w, anchor_h] = self.pixel_anchors[level][slot];
        let stride = self.levels[level].stride as f32;
        let point = |raw: &[f32]| Keypoint {
            x: raw[0] * anchor_w + column as f32 * stride,
            y: raw[1] * anchor_h + row as f32 * stride,
            visibility: None,
        };
        raw[POINTS..self.first_class()].chunks_exact(2).map(point).collect()
    }

    /// The box of an anchor in a cell (row, column). `raw`: its values before the sigmoid.
    ///
    /// Ultralytics YOLOv5, `Detect.forward`: xy = (2σ − 0.5 + cell)·stride, wh = (2σ)²·anchor.
    fn decode_box(&self, level: usize, slot: usize, (row, column): (usize, usize), raw: &[f32]) -> BBox {
        let [anchor_w, anchor_h] = self.pixel_anchors[level][slot];
        let stride = self.levels[level].stride as f32;
        let centre = |raw: f32, cell: usize| (2.0 * sigmoid(raw) - 0.5 + cell as f32) * stride;
        let side = |raw: f32, anchor: f32| (2.0 * sigmoid(raw)).powi(2) * anchor;
        BBox::from_cxcywh(centre(raw[0], column), centre(raw[1], row), side(raw[2], anchor_w), side(raw[3], anchor_h))
    }
}

impl Head for AnchorHead {
    fn family(&self) -> &'static str {
        if self.points > 0 { "YOLOv5-face" } else { YoloV5.name() }
    }

    /// Five points of a face, four corners of a licence plate, or another number of points.
    fn readings(&self) -> Vec<Box<dyn Head>> {
        let counts = [5, 4].into_iter().chain((1..=MOST_POINTS).filter(|points| ![4, 5].contains(points)));
        let others = counts.filter(|&points| points != self.points).filter_map(|points| self.with_points(points));
        others.map(|head| Box::new(head) as Box<dyn Head>).collect()
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn outputs(&self) -> Vec<String> {
        self.makers.iter().map(|maker| maker.output.clone()).collect()
    }

    fn starts(&self) -> Vec<String> {
        self.makers.iter().map(|maker| maker.start.clone()).collect()
    }

    fn reach(&self) -> usize {
        self.makers.iter().map(|maker| maker.reach).max().unwrap_or(0)
    }

    fn mask_outputs(&self) -> Vec<String> {
        if self.masks() > 0 { vec![format!("{}.proto", self.path)] } else { Vec::new() }
    }

    fn mask_coefficients(&self, outputs: &[Tensor], place: &Place) -> Result<Option<Tensor>> {
        let output = &outputs[self.levels[place.level].outputs[0]];
        let end = (place.slot + 1) * self.values_per_box;
        let channels = end - self.masks()..end;
        if channels.is_empty() { Ok(None) } else { channels_at(output, channels, place).map(Some) }
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn class_channels(&self) -> Vec<Vec<usize>> {
        if !self.makers.iter().all(|maker| maker.is_plain) {
            return Vec::new();
        }
        let slots =
            |anchors: &Vec<_>| (0..anchors.len()).map(|slot| slot * self.values_per_box + self.first_class()).collect();
        self.anchors.iter().map(slots).collect()
    }

    /// Ultralytics YOLOv5, `ComputeLoss`: "cls loss (only if multiple classes)".
    fn trains_classes(&self) -> bool {
        self.classes > 1
    }

    fn values_per_box(&self) -> usize {
        self.values_per_box
    }

    fn has(&self, aspect: Aspect) -> bool {
        match aspect {
            Aspect::Presence | Aspect::Box => true,
            Aspect::Mask => self.masks() > 0,
            Aspect::Keypoints => self.points > 0,
            Aspect::Angle => false,
        }
    }

    fn keypoints(&self) -> usize {
        self.points
    }

    fn measure(&mut self, shapes: &[Vec<i64>], input: Size) -> std::result::Result<(), String> {
        let mut strides = Vec::with_capacity(shapes.len());
        for (shape, path) in shapes.iter().zip(self.outputs()) {
            let stride = match shape.as_slice() {
                &[1, _, rows, columns] => input.pixels_per_cell(rows, columns),
                _ => None,
            };
            let problem = || format!("has a head {path} with output {shape:?} for a {input} input");
            strides.push(stride.ok_or_else(problem)?);
        }
        let in_pixels = |(anchors, &stride): (&Vec<[f32; 2]>, &u32)| {
            anchors.iter().map(|&[w, h]| [w * stride as f32, h * stride as f32]).collect()
        };
        self.pixel_anchors = match &self.stored_pixel_anchors {
            Some(anchors) => anchors.clone(),
            None => self.anchors.iter().zip(&strides).map(in_pixels).collect(),
        };
        self.levels = Level::with_strides(&strides, |level| vec![level]);
        Ok(())
    }

    fn levels(&self) -> &[Level] {
        &self.levels
    }

    fn predictions_in(&self, level: usize, cells: usize) -> usize {
        self.anchors[level].len() * cells
    }

    fn channels(&self) -> Vec<usize> {
        self.anchors.iter().map(|anchors| anchors.len() * self.values_per_box).collect()
    }

    /// Centre, width and height in pixels, objectness, points in pixels, classes, and the mask coefficients as they are.
    fn sample_rows(&self, input: Size, raw: &dyn Fn(usize, usize) -> f32) -> Vec<(usize, Vec<f32>)> {
        let mut rows = Vec::new();
        let mut first_row = 0;
        for (index, level) in self.levels.iter().enumerate() {
            let [h, w] = [input.height, input.width].map(|side| (side / level.stride) as usize);
            for slot in 0..self.anchors[index].len() {
                let raw: Vec<f32> =
                    (0..self.values_per_box).map(|at| raw(index, slot * self.values_per_box + at)).collect();
                for (row, column) in [(0, 0), (h / 2, w / 3), (h.saturating_sub(1), w.saturating_sub(1))] {
                    let b = self.decode_box(index, slot, (row, column), &raw);
                    let mut values = vec![(b.x1 + b.x2) / 2.0, (b.y1 + b.y2) / 2.0, b.x2 - b.x1, b.y2 - b.y1];
                    values.push(sigmoid(raw[OBJECTNESS]));
                    let points = self.decode_points(index, slot, (row, column), &raw);
                    values.extend(points.iter().flat_map(|point| [point.x, point.y]));
                    let (scores, masks) = raw[self.first_class()..].split_at(self.classes);
                    values.extend(scores.iter().map(|&raw| sigmoid(raw)));
                    values.extend(masks);
                    rows.push((first_row + (slot * h + row) * w + column, values));
                }
            }
            first_row += self.predictions_in(index, h * w);
        }
        rows
    }

    fn promising_cells(&self, level: usize, outputs: &[Tensor], least: f32) -> Result<Option<Vec<usize>>> {
        let anchors = self.anchors[level].len();
        let step = self.values_per_box as i64;
        let objectness = outputs[0].f_slice(1, OBJECTNESS as i64, None, step)?.f_transpose(0, 1)?;
        let objectness = tensor::to_array2(&objectness)?;
        if objectness.nrows() != anchors {
            return Err(Error::Libtorch(format!(
                "expected {anchors} boxes in each cell, found {}",
                objectness.nrows()
            )));
        }
        let exceeds = |cell: &usize| objectness.column(*cell).iter().any(|&raw| sigmoid(raw) > least);
        Ok(Some((0..objectness.ncols()).filter(exceeds).collect()))
    }

    fn scan(
        &self,
        grid: &Grid,
        cells: &mut dyn Iterator<Item = usize>,
        values: &[&[f32]],
        mut least: f32,
        visit: &mut dyn FnMut(&Prediction<'_>) -> f32,
    ) {
        let &Grid { level, height, width, first_index } = grid;
        let slots = self.anchors[level].len();
        let mut rows = values[0].chunks_exact(self.values_per_box);
        for cell in cells {
            let (row, column) = (cell / width, cell % width);
            for (slot, raw) in (0..slots).zip(&mut rows) {
                let presence = sigmoid(raw[OBJECTNESS]);
                if presence.is_nan() || presence <= least {
                    continue;
                }
                let box_input = self.decode_box(level, slot, (row, column), raw);
                if !box_input.is_finite() {
                    continue;
                }
                let index = first_index + (slot * height + row) * width + column;
                let place = Place { level, row, column, slot, index };
                let keypoints = self.decode_points(level, slot, (row, column), raw);
                let class_logits = &raw[self.first_class()..][..self.classes];
                least = visit(&Prediction {
                    place,
                    box_input: Some(box_input),
                    rotated: None,
                    keypoints: &keypoints,
                    presence,
                    class_logits,
                    class_scale: ClassScale::Sigmoid,
                });
            }
        }
    }

    fn trace<'a>(
        &'a self,
        place: &Place,
        classes: &[usize],
        values: Box<CellValues<'a>>,
    ) -> Result<Box<dyn Traced + 'a>> {
        let base = place.slot * self.values_per_box;
        let masks = self.values_per_box - self.masks()..self.values_per_box;
        let first = self.first_class();
        let channels = (0..first).chain(classes.iter().map(|class| first + class)).chain(masks);
        let channels: Vec<usize> = channels.map(|channel| base + channel).collect();
        Ok(Box::new(TracedAnchor {
            masks: self.masks(),
            points: self.points,
            raw: values(self.levels[place.level].outputs[0], &channels, (place.row, place.column))?,
            cell: [place.column, place.row],
            stride: self.levels[place.level].stride,
            anchor: self.pixel_anchors[place.level][place.slot],
        }))
    }
}

/// The prediction of an anchor in a cell, with its autograd graph.
struct TracedAnchor {
    /// x, y, w, h, objectness, the points, and the classes that were asked for, before the sigmoid; then the mask coefficients.
    raw: Tensor,
    /// How many points.
    points: usize,
    /// How many coefficients.
    masks: usize,
    /// Column and row.
    cell: [usize; 2],
    stride: u32,
    /// Width and height in pixels.
    anchor: [f32; 2],
}

impl TracedAnchor {
    fn at(&self, channel: usize) -> Result<Tensor> {
        Ok(self.raw.f_get(channel as i64)?)
    }

    /// `axis`: 0 for x, 1 for y, here and below.
    fn centre(&self, axis: usize) -> Result<Tensor> {
        let stride = f64::from(self.stride);
        let moved = (self.cell[axis] as f64 - 0.5) * stride;
        Ok(self.at(axis)?.f_sigmoid()?.f_mul_scalar(2.0 * stride)?.f_add_scalar(moved)?)
    }

    fn side(&self, axis: usize) -> Result<Tensor> {
        Ok(self.at(2 + axis)?.f_sigmoid()?.f_square()?.f_mul_scalar(4.0 * f64::from(self.anchor[axis]))?)
    }

    fn edge(&self, axis: usize, sign: f64) -> Result<Tensor> {
        Ok(self.centre(axis)?.f_add(&self.side(axis)?.f_mul_scalar(sign * 0.5)?)?)
    }
}

impl Traced for TracedAnchor {
    fn class_logit(&self, n: usize) -> Result<Tensor> {
        self.at(POINTS + 2 * self.points + n)
    }

    fn presence_logit(&self) -> Result<Option<Tensor>> {
        self.at(OBJECTNESS).map(Some)
    }

    fn extent(&self, extent: Extent) -> Result<Tensor> {
        match extent {
            Extent::Left => self.edge(0, -1.0),
            Extent::Top => self.edge(1, -1.0),
            Extent::Right => self.edge(0, 1.0),
            Extent::Bottom => self.edge(1, 1.0),
            Extent::Width => self.side(0),
            Extent::Height => self.side(1),
        }
    }

    fn keypoint(&self, index: usize, coordinate: Coordinate) -> Result<Option<Tensor>> {
        if self.points == 0 {
            return Ok(None);
        }
        check_keypoint(index, self.points)?;
        let axis = match coordinate {
            Coordinate::X => 0,
            Coordinate::Y => 1,
            Coordinate::Visibility => return Ok(None),
        };
        let corner = self.cell[axis] as f64 * f64::from(self.stride);
        let raw = self.at(POINTS + 2 * index + axis)?;
        Ok(Some(raw.f_mul_scalar(f64::from(self.anchor[axis]))?.f_add_scalar(corner)?))
    }

    fn mask_coefficients(&self) -> Result<Option<Tensor>> {
        let masks = self.masks as i64;
        let first = self.raw.size()[0] - masks;
        if masks > 0 { Ok(Some(self.raw.f_narrow(0, first, masks)?)) } else { Ok(None) }
    }
}

/// `[levels, anchors, 2]` as nested vectors.
fn anchor_sizes(anchors: &Tensor) -> Vec<Vec<[f32; 2]>> {
    let size = anchors.size();
    let at = |level, anchor, side| anchors.double_value(&[level, anchor, side]) as f32;
    (0..size[0])
        .map(|level| (0..size[1]).map(|anchor| [at(level, anchor, 0), at(level, anchor, 1)]).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    /// Of a head with 21 channels in each of its convolutions.
    fn heads(anchors: &[i64]) -> Vec<Box<dyn Head>> {
        let zeros = |size: &[i64]| Tensor::zeros(size, (Kind::Float, Device::Cpu));
        let weights = (0..anchors[0].min(70)).map(|head| (format!("model.9.m.{head}.weight"), zeros(&[21, 8, 1, 1])));
        let tensors: Vec<_> = weights.chain([("model.9.anchors".to_owned(), zeros(anchors))]).collect();
        YoloV5.find(&Network { tensors: &tensors, ..Network::default() })
    }

    #[test]
    fn heads_are_found_by_their_structure() {
        let found = heads(&[2, 3, 2]);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].path(), found[0].outputs().len(), found[0].classes()), ("model.9", 2, 2));
    }

    #[test]
    fn anchors_without_sense_are_no_head() {
        for anchors in [[2, 0, 2], [0, 3, 2], [65, 3, 2], [2, 3, 4]] {
            assert!(heads(&anchors).is_empty(), "{anchors:?}");
        }
    }

    /// One level of stride 8, two anchors, two classes.
    fn head() -> AnchorHead {
        let mut head = AnchorHead {
            path: "model.1".into(),
            anchors: vec![vec![[1.25, 2.5], [3.75, 5.0]]],
            stored_pixel_anchors: None,
            pixel_anchors: Vec::new(),
            makers: vec![Maker {
                output: "model.1.m.0".into(),
                start: "model.1.m.0".into(),
                channels: 14,
                reach: 0,
                is_plain: true,
            }],
            levels: Vec::new(),
            values_per_box: 7,
            points: 0,
            classes: 2,
        };
        head.measure(&[vec![1, 14, 16, 16]], Size::square(128)).unwrap();
        head
    }

    /// Of one cell: places, boxes, presences and best classes.
    fn scanned(grid: &Grid, cell: usize, raw: &[f32], least: f32) -> Vec<(Place, BBox, f32, usize)> {
        let mut found = Vec::new();
        head().scan(grid, &mut [cell].into_iter(), &[raw], least, &mut |prediction| {
            let class = prediction.best_class();
            found.push((prediction.place, prediction.box_input.unwrap(), prediction.confidence(class), class));
            least
        });
        found
    }

    #[test]
    fn a_prediction_decodes_by_the_formula() {
        let grid = Grid { level: 0, height: 3, width: 4, first_index: 100 };
        let mut raw = [-20.0; 14];
        raw[7..11].fill(0.0);
        raw[7 + 4] = 20.0;
        raw[7 + 6] = 3.0;
        let found = scanned(&grid, 2 * 4 + 1, &raw, 0.5);
        assert_eq!(found.len(), 1);
        let (place, b, confidence, class) = found[0];
        // σ(0) = ½: the centre of the cell, and the anchor's own size.
        assert_eq!(b, BBox::from_cxcywh(12.0, 20.0, 30.0, 40.0));
        assert_eq!(place, Place { level: 0, row: 2, column: 1, slot: 1, index: 100 + 12 + 2 * 4 + 1 });
        assert!((confidence - 0.952_574).abs() < 1e-5 && class == 1);
    }

    #[test]
    fn no_number_is_no_prediction() {
        let grid = Grid { level: 0, height: 1, width: 1, first_index: 0 };
        assert!(scanned(&grid, 0, &[f32::NAN; 14], 0.0).is_empty());
        let nan = Tensor::from_slice(&[f32::NAN; 14]).view([1, 14]);
        assert_eq!(head().promising_cells(0, &[nan], 0.0).unwrap(), Some(vec![]));
        // A sure prediction, but of no place.
        for channel in 0..4 {
            let mut raw = [9.0; 14];
            raw[7 + channel] = f32::NAN;
            let slots: Vec<usize> = scanned(&grid, 0, &raw, 0.4).iter().map(|(place, ..)| place.slot).collect();
            assert_eq!(slots, [0], "channel {channel}");
        }
    }

    #[test]
    fn a_cell_is_promising_if_one_of_its_anchors_is() {
        let mut raw = [[-1.0f32; 14]; 3];
        raw[1][7 + OBJECTNESS] = 0.1;
        raw[2][OBJECTNESS] = 3.0;
        let raw = Tensor::from_slice(&raw.concat()).view([3, 14]);
        assert_eq!(head().promising_cells(0, &[raw], 0.5).unwrap(), Some(vec![1, 2]));
    }

    const RAW: [f64; 7] = [0.3, -0.7, 0.9, -0.2, 1.1, -0.4, 0.6];
    const EXTENTS: [Extent; 6] =
        [Extent::Left, Extent::Top, Extent::Right, Extent::Bottom, Extent::Width, Extent::Height];

    fn traced(raw: Tensor) -> TracedAnchor {
        TracedAnchor { raw, masks: 0, points: 0, cell: [5, 3], stride: 16, anchor: [30.0, 61.0] }
    }

    #[test]
    fn traced_values_are_those_of_the_decoded_box() {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let traced = traced(Tensor::from_slice(&RAW));
        let (cx, cy) = ((2.0 * sigmoid(0.3) + 4.5) * 16.0, (2.0 * sigmoid(-0.7) + 2.5) * 16.0);
        let (w, h) = ((2.0 * sigmoid(0.9)).powi(2) * 30.0, (2.0 * sigmoid(-0.2)).powi(2) * 61.0);
        let expected = [cx - w / 2.0, cy - h / 2.0, cx + w / 2.0, cy + h / 2.0, w, h];
        for (extent, expected) in EXTENTS.into_iter().zip(expected) {
            let found = traced.extent(extent).unwrap().double_value(&[]);
            assert!((found - expected).abs() < 1e-9, "{extent:?}: {found}, expected {expected}");
        }
        assert_eq!(traced.presence_logit().unwrap().unwrap().double_value(&[]), 1.1);
        assert_eq!([0, 1].map(|n| traced.class_logit(n).unwrap().double_value(&[])), [-0.4, 0.6]);
    }

    #[test]
    fn points_are_from_the_corner_of_the_cell_in_anchors() {
        let traced = TracedAnchor { points: 1, ..traced(Tensor::from_slice(&[0.0, 0.0, 0.0, 0.0, 0.0, 0.5, -0.25])) };
        let at = |coordinate| traced.keypoint(0, coordinate).unwrap().map(|value| value.double_value(&[]));
        assert_eq!([at(Coordinate::X), at(Coordinate::Y)], [Some(80.0 + 15.0), Some(48.0 - 15.25)]);
        assert_eq!(at(Coordinate::Visibility), None);
        assert!(traced.keypoint(1, Coordinate::X).is_err());
    }

    #[test]
    fn gradients_of_a_box_are_those_of_finite_differences() {
        const STEP: f64 = 1e-5;
        for extent in EXTENTS {
            let raw = Tensor::from_slice(&RAW).set_requires_grad(true);
            let value = traced(raw.shallow_clone()).extent(extent).unwrap();
            let gradient = Tensor::run_backward(&[value], &[&raw], false, false).remove(0).to_kind(Kind::Double);
            for channel in 0..RAW.len() {
                let moved = |step: f64| {
                    let mut raw = RAW;
                    raw[channel] += step;
                    traced(Tensor::from_slice(&raw)).extent(extent).unwrap().double_value(&[])
                };
                let expected = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
                let found = gradient.double_value(&[channel as i64]);
                assert!((found - expected).abs() < 1e-6 * expected.abs().max(1.0), "{extent:?} {channel}: {found}");
            }
        }
    }
}
