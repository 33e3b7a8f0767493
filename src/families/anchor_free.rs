//! What anchor-free heads of the Ultralytics package have in common: in each cell one prediction, whose sides are distances from
//! the middle of the cell.
//!
//! Each level has two branches of convolutions, `cv2` for the box and `cv3` for the classes, and nothing that says how sure the
//! network is that there is something: the score is the probability of the class. A head that was trained for one box an object
//! has a second pair, `one2one_cv2` and `one2one_cv3`.
//!
//! A further branch, `cv4`, gives the coefficients of masks, the keypoints of poses, or the angles of rotated boxes.

use std::{f32::consts::PI, marker::PhantomData};

use tch::Tensor;

use super::{
    Aspect, Branch, CellValues, ClassScale, Coordinate, Extent, Grid, Habits, Head, Keypoint, Level, Network, Place,
    Prediction, Traced, asked_class, cells_above, channels_at, check_keypoint, sigmoid,
};
use crate::{
    error::Result,
    geometry::{BBox, RotatedBox, Size},
};

/// How the four distances from the middle of a cell are read from the raw outputs: left, top, right, bottom.
pub(super) trait Distances: Send + Sync + 'static {
    /// The family that reads them so.
    const FAMILY: &'static str;

    /// One distance in cells. `raw`: its channels.
    fn distance(raw: &[f32]) -> f32;

    /// The same with its autograd graph, a scalar.
    fn traced(raw: &Tensor) -> Result<Tensor>;

    /// Whether a branch for boxes that gives so many channels for each distance is of this family.
    fn fits(channels: usize) -> bool;
}

/// The head of one network. `D` says how it encodes boxes.
pub(super) struct AnchorFreeHead<D> {
    path: String,
    /// The branch that is explained: what its names begin with.
    prefix: &'static str,
    levels: Vec<Level>,
    /// Paths of the convolutions that end the branches: of each level that for boxes, then that for classes.
    outputs: Vec<String>,
    /// Channels for each of the four distances.
    per_side: usize,
    classes: usize,
    /// Paths of the convolutions that give mask coefficients, one for each level; none, if there are no masks.
    coefficients: Vec<String>,
    /// How many coefficients a mask has, which stand behind the classes in rows of the network's own output.
    masks: usize,
    /// What each prediction says besides its box and its classes, which stands there too.
    further: Option<Further>,
    encoding: PhantomData<D>,
}

/// What the last of a level's outputs says.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Further {
    /// Where points of the object are.
    Keypoints {
        count: usize,
        /// Of two, x and y; of three, with the visibility.
        values: usize,
        /// How many cells a value of 1 is, and what is added.
        scale: f32,
        offset: f32,
    },
    /// How far the box is rotated.
    Angle {
        /// Whether the output is the angle itself; else its sigmoid is a share of half a turn, from an eighth backwards.
        is_plain: bool,
    },
}

impl Further {
    /// What so many channels of the head at `path` say; `None` if that is not known.
    fn of(network: &Network, path: &str, channels: usize) -> Option<Self> {
        let class = network.class(path)?;
        match class {
            "OBB" | "OBB26" => (channels == 1).then_some(Self::Angle { is_plain: class == "OBB26" }),
            "Pose" | "Pose26" => {
                let (count, values) = network.keypoints.or_else(|| keypoints_of(channels))?;
                let (scale, offset) = if class == "Pose26" { (1.0, 0.5) } else { (2.0, 0.0) };
                let fits = count > 0 && matches!(values, 2 | 3) && count.checked_mul(values) == Some(channels);
                fits.then_some(Self::Keypoints { count, values, scale, offset })
            }
            _ => None,
        }
    }

    /// Channels of its output.
    fn channels(self) -> usize {
        match self {
            Self::Keypoints { count, values, .. } => count * values,
            Self::Angle { .. } => 1,
        }
    }

    /// The angle in radians, if it is one.
    fn angle(self, raw: &[f32]) -> Option<f32> {
        match self {
            Self::Angle { is_plain: true } => Some(raw[0]),
            Self::Angle { is_plain: false } => Some((sigmoid(raw[0]) - 0.25) * PI),
            Self::Keypoints { .. } => None,
        }
    }
}

/// How many keypoints so many channels are, and values of each, where the file does not say: most networks tell the visibility.
fn keypoints_of(channels: usize) -> Option<(usize, usize)> {
    [3, 2].into_iter().find(|values| channels.is_multiple_of(*values)).map(|values| (channels / values, values))
}

/// What stands before the names of the second pair of branches.
const ONE_TO_ONE: &str = "one2one_";

/// Since this version a network with two pairs of branches is run, by default, with the first.
const PREFERS_MANY: [u32; 3] = [8, 4, 150];

/// The convolutions that end the branches of all levels: their paths, and how many channels they have.
fn ends(network: &Network, path: &str) -> Option<Vec<(String, usize)>> {
    let convolution = |path: String| match network.tensor(&format!("{path}.weight"))?.size().as_slice() {
        &[channels, _, 1, 1] => Some((path, channels as usize)),
        _ => None,
    };
    let end = |level: usize| {
        // The last of the branch is a plain convolution with a bias; those before it are blocks. A branch may be that convolution alone.
        let places = (1..8).rev().map(|place| format!("{path}.{level}.{place}"));
        places.chain([format!("{path}.{level}")]).find_map(convolution)
    };
    let ends: Vec<_> = (0..MOST_LEVELS).map_while(end).collect();
    (!ends.is_empty()).then_some(ends)
}

/// Whether the branches of all levels have as many channels.
fn is_even(ends: &[(String, usize)]) -> bool {
    ends.iter().all(|(_, channels)| *channels == ends[0].1)
}

/// Detectors have three or four.
const MOST_LEVELS: usize = 16;

impl<D: Distances> AnchorFreeHead<D> {
    /// All heads in a network whose boxes are encoded so.
    pub fn find(network: &Network) -> Vec<Box<dyn Head>> {
        let mut paths: Vec<&str> = network
            .tensors
            .iter()
            .filter_map(|(name, _)| {
                let (path, rest) = name.rsplit_once("cv3.0.")?;
                let is_end = rest.split('.').count() == 2 && rest.ends_with(".weight");
                is_end.then(|| path.strip_suffix(ONE_TO_ONE).unwrap_or(path).trim_end_matches('.'))
            })
            .collect();
        paths.sort_unstable();
        paths.dedup();
        let heads = paths.into_iter().filter_map(|path| Self::find_at(network, path));
        heads.map(|head| Box::new(head) as Box<dyn Head>).collect()
    }

    fn find_at(network: &Network, path: &str) -> Option<Self> {
        let branch = |prefix: &'static str| {
            let boxes = ends(network, &format!("{path}.{prefix}cv2"))?;
            let classes = ends(network, &format!("{path}.{prefix}cv3"))?;
            let fits = boxes.len() == classes.len() && is_even(&boxes) && is_even(&classes) && boxes[0].1 % 4 == 0;
            fits.then_some((prefix, boxes, classes))
        };
        let (many, one) = (branch(""), branch(ONE_TO_ONE));
        let prefers_one = match network.branch {
            Some(branch) => branch == Branch::One,
            // A trace has what it has; where it has both, it was made by a version that runs the second.
            None => network.version.and_then(version).is_none_or(|version| version < PREFERS_MANY),
        };
        let (prefix, boxes, classes) = if prefers_one { one.or(many)? } else { many.or(one)? };
        let per_side = boxes[0].1 / 4;
        if !D::fits(per_side) {
            return None;
        }
        // A further branch is for masks, whose prototypes stand beside it; or for keypoints, which of YOLO26 a convolution of its own
        // makes of what the branch gives; or for angles. What is unknown there is of another family.
        let list = |name: &str| ends(network, &format!("{path}.{prefix}{name}"));
        let branch = list("cv4_kpts").or_else(|| list("cv4"));
        if branch.as_ref().is_some_and(|branch| branch.len() != boxes.len() || !is_even(branch)) {
            return None;
        }
        let prototypes =
            network.tensor(&format!("{path}.proto.cv3.conv.weight")).map(|weight| weight.size()[0] as usize);
        let masks = prototypes.unwrap_or(0);
        let (coefficients, further, further_ends) = match (branch, prototypes) {
            (None, None) => (Vec::new(), None, Vec::new()),
            (None, Some(_)) => return None,
            (Some(branch), Some(_)) if branch[0].1 == masks => (branch, None, Vec::new()),
            (Some(_), Some(_)) => return None,
            (Some(branch), None) => (Vec::new(), Some(Further::of(network, path, branch[0].1)?), branch),
        };
        let levels = boxes.into_iter().zip(&classes).enumerate();
        Some(Self {
            path: path.to_owned(),
            prefix,
            levels: Vec::new(),
            per_side,
            classes: classes[0].1,
            outputs: levels
                .flat_map(|(level, ((boxes, _), (classes, _)))| {
                    [boxes, classes.clone()].into_iter().chain(further_ends.get(level).map(|(path, _)| path.clone()))
                })
                .collect(),
            coefficients: coefficients.into_iter().map(|(path, _)| path).collect(),
            masks,
            further,
            encoding: PhantomData,
        })
    }

    /// How many raw outputs a level has.
    fn per_level(&self) -> usize {
        if self.further.is_some() { FURTHER + 1 } else { FURTHER }
    }

    /// The number of levels.
    fn depth(&self) -> usize {
        self.outputs.len() / self.per_level()
    }

    /// Which output gives the mask coefficients of a level; `None` if there are no masks.
    fn coefficient_output(&self, level: usize) -> Option<usize> {
        (level < self.coefficients.len()).then_some(self.outputs.len() + level)
    }

    /// The box of a cell (row, column), and as it is rotated, if it is. `raw`: for each distance its channels, one after the other;
    /// `further`: those of what is said besides.
    ///
    /// Ultralytics, `dist2bbox`: the corners lie so many cells from the middle of the cell. `dist2rbox`: the same along the axes of the
    /// rotated box.
    fn decode_box(
        &self,
        level: usize,
        (row, column): (usize, usize),
        raw: &[f32],
        further: &[f32],
    ) -> (BBox, Option<RotatedBox>) {
        let stride = self.levels[level].stride as f32;
        let [left, top, right, bottom] =
            [0, 1, 2, 3].map(|side| D::distance(&raw[side * self.per_side..][..self.per_side]));
        let (x, y) = (column as f32 + 0.5, row as f32 + 0.5);
        if let Some(angle) = self.further.and_then(|known| known.angle(further)) {
            let (sin, cos) = angle.sin_cos();
            let (along, across) = ((right - left) / 2.0, (bottom - top) / 2.0);
            let rotated = RotatedBox {
                cx: (x + along * cos - across * sin) * stride,
                cy: (y + along * sin + across * cos) * stride,
                w: (left + right) * stride,
                h: (top + bottom) * stride,
                angle,
            };
            return (rotated.hull(), Some(rotated));
        }
        let b = BBox {
            x1: (x - left) * stride,
            y1: (y - top) * stride,
            x2: (x + right) * stride,
            y2: (y + bottom) * stride,
        };
        (b, None)
    }

    /// The keypoints of the prediction of a cell (row, column). `raw`: their channels.
    fn decode_keypoints(&self, level: usize, (row, column): (usize, usize), raw: &[f32]) -> Vec<Keypoint> {
        let Some(Further::Keypoints { values, scale, offset, .. }) = self.further else { return Vec::new() };
        let stride = self.levels[level].stride as f32;
        let along = |raw: f32, cell: usize| (scale * raw + cell as f32 + offset) * stride;
        let keypoint = |raw: &[f32]| Keypoint {
            x: along(raw[0], column),
            y: along(raw[1], row),
            visibility: raw.get(2).copied().map(sigmoid),
        };
        raw.chunks_exact(values).map(keypoint).collect()
    }
}

/// `8.4.150` as numbers.
fn version(text: &str) -> Option<[u32; 3]> {
    let mut parts = text.split('.').map(|part| part.parse().ok());
    Some([parts.next()??, parts.next()??, parts.next()??])
}

/// Of each level the raw outputs are the box, then the classes, then what is said besides, if anything is.
const BOX: usize = 0;
const CLASSES: usize = 1;
const FURTHER: usize = 2;

impl<D: Distances> Head for AnchorFreeHead<D> {
    fn family(&self) -> &'static str {
        D::FAMILY
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn outputs(&self) -> Vec<String> {
        self.outputs.clone()
    }

    fn mask_outputs(&self) -> Vec<String> {
        match self.coefficients.as_slice() {
            [] => Vec::new(),
            paths => paths.iter().cloned().chain([format!("{}.proto", self.path)]).collect(),
        }
    }

    fn mask_coefficients(&self, outputs: &[Tensor], place: &Place) -> Result<Option<Tensor>> {
        let output = self.coefficient_output(place.level).and_then(|output| outputs.get(output));
        output.map(|output| channels_at(output, 0..self.masks, place)).transpose()
    }

    fn level_of(&self, output: usize) -> Option<usize> {
        let is_of = |level: usize| output / self.per_level() == level || self.coefficient_output(level) == Some(output);
        (0..self.depth()).find(|&level| is_of(level))
    }

    fn starts(&self) -> Vec<String> {
        (0..self.depth()).map(|level| format!("{}.{}cv3.{level}", self.path, self.prefix)).collect()
    }

    /// Two convolutions of 3×3 stand before the last.
    fn reach(&self) -> usize {
        2
    }

    fn habits(&self) -> Habits {
        let is_one_to_one = self.prefix == ONE_TO_ONE;
        Habits {
            iou_threshold: (!is_one_to_one).then_some(0.7),
            has_many_labels: is_one_to_one,
            drops_empty_masks: true,
            suppressed_suppress: self.has(Aspect::Angle),
            ..Habits::default()
        }
    }

    fn has(&self, aspect: Aspect) -> bool {
        match aspect {
            Aspect::Presence => false,
            Aspect::Box => true,
            Aspect::Mask => self.masks > 0,
            Aspect::Keypoints => self.keypoints() > 0,
            Aspect::Angle => matches!(self.further, Some(Further::Angle { .. })),
        }
    }

    fn keypoints(&self) -> usize {
        match self.further {
            Some(Further::Keypoints { count, .. }) => count,
            _ => 0,
        }
    }

    fn tells_visibility(&self) -> bool {
        matches!(self.further, Some(Further::Keypoints { values: 3, .. }))
    }

    fn rows(&self, output: &Tensor) -> Result<Option<Tensor>> {
        let is_chosen = self.prefix == ONE_TO_ONE && output.size().get(1) != Some(&(self.values_per_box() as i64));
        Ok(if is_chosen || output.dim() != 3 { None } else { Some(output.f_transpose(1, 2)?) })
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn class_channels(&self) -> Vec<Vec<usize>> {
        let of_level = || (0..self.per_level()).map(|output| if output == CLASSES { vec![0] } else { Vec::new() });
        (0..self.depth()).flat_map(|_| of_level()).collect()
    }

    fn trains_classes(&self) -> bool {
        true
    }

    fn values_per_box(&self) -> usize {
        4 + self.classes + self.masks + self.further.map_or(0, Further::channels)
    }

    fn measure(&mut self, shapes: &[Vec<i64>], input: Size) -> std::result::Result<(), String> {
        let mut strides = Vec::with_capacity(self.depth());
        let per_level = self.per_level();
        for (outputs, paths) in shapes.chunks_exact(per_level).zip(self.outputs.chunks_exact(per_level)) {
            let stride = match outputs[BOX].as_slice() {
                &[1, _, rows, columns]
                    if outputs.iter().all(|shape| shape.len() == 4 && shape[2..] == [rows, columns]) =>
                {
                    input.pixels_per_cell(rows, columns)
                }
                _ => None,
            };
            let problem = || format!("has a head {} with outputs {outputs:?} for a {input} input", paths[BOX]);
            strides.push(stride.ok_or_else(problem)?);
        }
        self.levels = Level::with_strides(&strides, |level| (level * per_level..(level + 1) * per_level).collect());
        Ok(())
    }

    fn levels(&self) -> &[Level] {
        &self.levels
    }

    fn predictions_in(&self, _: usize, cells: usize) -> usize {
        cells
    }

    fn channels(&self) -> Vec<usize> {
        let of_level = || [4 * self.per_side, self.classes].into_iter().chain(self.further.map(Further::channels));
        (0..self.depth()).flat_map(|_| of_level()).collect()
    }

    /// Centre, width and height in pixels, the probabilities of the classes, and what is said besides; of masks nothing.
    fn sample_rows(&self, input: Size, raw: &dyn Fn(usize, usize) -> f32) -> Vec<(usize, Vec<f32>)> {
        let mut rows = Vec::new();
        let mut first_row = 0;
        for (index, level) in self.levels.iter().enumerate() {
            let [h, w] = [input.height, input.width].map(|side| (side / level.stride) as usize);
            let of_output = |output: usize, channels: usize| -> Vec<f32> {
                (0..channels).map(|channel| raw(level.outputs[output], channel)).collect()
            };
            let (raw_box, raw_classes) = (of_output(BOX, 4 * self.per_side), of_output(CLASSES, self.classes));
            let raw_further = self.further.map_or_else(Vec::new, |further| of_output(FURTHER, further.channels()));
            for (row, column) in [(0, 0), (h / 2, w / 3), (h.saturating_sub(1), w.saturating_sub(1))] {
                let (b, rotated) = self.decode_box(index, (row, column), &raw_box, &raw_further);
                let mut values = match rotated {
                    Some(b) => vec![b.cx, b.cy, b.w, b.h],
                    None => vec![(b.x1 + b.x2) / 2.0, (b.y1 + b.y2) / 2.0, b.x2 - b.x1, b.y2 - b.y1],
                };
                values.extend(raw_classes.iter().map(|&raw| sigmoid(raw)));
                for keypoint in self.decode_keypoints(index, (row, column), &raw_further) {
                    values.extend([keypoint.x, keypoint.y].into_iter().chain(keypoint.visibility));
                }
                values.extend(rotated.map(|b| b.angle));
                rows.push((first_row + row * w + column, values));
            }
            first_row += h * w;
        }
        rows
    }

    fn promising_cells(&self, _: usize, outputs: &[Tensor], least: f32) -> Result<Option<Vec<usize>>> {
        cells_above(&outputs[CLASSES], least).map(Some)
    }

    fn scan(
        &self,
        grid: &Grid,
        cells: &mut dyn Iterator<Item = usize>,
        values: &[&[f32]],
        mut least: f32,
        visit: &mut dyn FnMut(&Prediction<'_>) -> f32,
    ) {
        let &Grid { level, width, first_index, .. } = grid;
        let mut rows = values[BOX].chunks_exact(4 * self.per_side).zip(values[CLASSES].chunks_exact(self.classes));
        let mut further = self.further.map(|further| values[FURTHER].chunks_exact(further.channels()));
        for cell in cells {
            let Some((raw_box, class_logits)) = rows.next() else { return };
            let raw_further = further.as_mut().and_then(Iterator::next).unwrap_or_default();
            // Nothing says that there is anything, so only the classes can say that there is not.
            if !class_logits.iter().any(|&logit| sigmoid(logit) > least) {
                continue;
            }
            let (row, column) = (cell / width, cell % width);
            let (box_input, rotated) = self.decode_box(level, (row, column), raw_box, raw_further);
            let is_rotated_finite = rotated.is_none_or(|rotated| rotated.is_finite());
            if !box_input.is_finite() || !is_rotated_finite {
                continue;
            }
            let keypoints = self.decode_keypoints(level, (row, column), raw_further);
            let place = Place { level, row, column, slot: 0, index: first_index + cell };
            least = visit(&Prediction {
                place,
                box_input: Some(box_input),
                rotated,
                keypoints: &keypoints,
                presence: 1.0,
                class_logits,
                class_scale: ClassScale::Sigmoid,
            });
        }
    }

    fn trace<'a>(
        &'a self,
        place: &Place,
        classes: &[usize],
        values: Box<CellValues<'a>>,
    ) -> Result<Box<dyn Traced + 'a>> {
        Ok(Box::new(TracedCell { head: self, place: *place, classes: classes.to_vec(), values }))
    }
}

/// The prediction of a cell. What is not asked for is not computed.
struct TracedCell<'a, D> {
    head: &'a AnchorFreeHead<D>,
    place: Place,
    classes: Vec<usize>,
    values: Box<CellValues<'a>>,
}

impl<D: Distances> TracedCell<'_, D> {
    fn raw(&self, output: usize, channels: &[usize]) -> Result<Tensor> {
        let Place { level, row, column, .. } = self.place;
        (self.values)(self.head.levels[level].outputs[output], channels, (row, column))
    }

    /// The distances of these sides, in pixels of the input, one after the other.
    fn distances(&self, sides: &[usize]) -> Result<Vec<Tensor>> {
        let per_side = self.head.per_side;
        let channels: Vec<usize> = sides.iter().flat_map(|side| side * per_side..(side + 1) * per_side).collect();
        let raw = self.raw(BOX, &channels)?;
        let stride = self.stride();
        let distance = |index: usize| {
            let raw = raw.f_narrow(0, (index * per_side) as i64, per_side as i64)?;
            Ok(D::traced(&raw)?.f_mul_scalar(stride)?)
        };
        (0..sides.len()).map(distance).collect()
    }

    fn stride(&self) -> f64 {
        f64::from(self.head.levels[self.place.level].stride)
    }

    /// Of an edge that lies `sign` times its distance from the middle of the cell, which is cell `cell` of its row or column.
    fn edge(&self, side: usize, cell: usize, sign: f64) -> Result<Tensor> {
        let middle = (cell as f64 + 0.5) * self.stride();
        Ok(self.distances(&[side])?.remove(0).f_mul_scalar(sign)?.f_add_scalar(middle)?)
    }

    fn extent_between(&self, sides: [usize; 2]) -> Result<Tensor> {
        let distances = self.distances(&sides)?;
        Ok(distances[0].f_add(&distances[1])?)
    }

    /// Of an edge of the box around a rotated one. `along`: whether it lies left or right; `sign`: -1 for left and top.
    fn hull_edge(&self, angle: &Tensor, along: bool, sign: f64) -> Result<Tensor> {
        let Place { row, column, .. } = self.place;
        let distances = self.distances(&[0, 1, 2, 3])?;
        let (w, h) = (distances[0].f_add(&distances[2])?, distances[1].f_add(&distances[3])?);
        let (dx, dy) = (
            distances[2].f_sub(&distances[0])?.f_mul_scalar(0.5)?,
            distances[3].f_sub(&distances[1])?.f_mul_scalar(0.5)?,
        );
        let (sin, cos) = (angle.f_sin()?, angle.f_cos()?);
        let (centre, cell, half) = if along {
            let centre = dx.f_mul(&cos)?.f_sub(&dy.f_mul(&sin)?)?;
            (centre, column, w.f_mul(&cos)?.f_abs()?.f_add(&h.f_mul(&sin)?.f_abs()?)?)
        } else {
            let centre = dx.f_mul(&sin)?.f_add(&dy.f_mul(&cos)?)?;
            (centre, row, w.f_mul(&sin)?.f_abs()?.f_add(&h.f_mul(&cos)?.f_abs()?)?)
        };
        let middle = (cell as f64 + 0.5) * self.stride();
        Ok(centre.f_add_scalar(middle)?.f_add(&half.f_mul_scalar(sign * 0.5)?)?)
    }
}

impl<D: Distances> Traced for TracedCell<'_, D> {
    fn class_logit(&self, n: usize) -> Result<Tensor> {
        Ok(self.raw(CLASSES, &[asked_class(&self.classes, n)?])?.f_get(0)?)
    }

    fn presence_logit(&self) -> Result<Option<Tensor>> {
        Ok(None)
    }

    fn extent(&self, extent: Extent) -> Result<Tensor> {
        let Place { row, column, .. } = self.place;
        if let Some(angle) = self.angle()? {
            match extent {
                Extent::Left => return self.hull_edge(&angle, true, -1.0),
                Extent::Top => return self.hull_edge(&angle, false, -1.0),
                Extent::Right => return self.hull_edge(&angle, true, 1.0),
                Extent::Bottom => return self.hull_edge(&angle, false, 1.0),
                Extent::Width | Extent::Height => {}
            }
        }
        match extent {
            Extent::Left => self.edge(0, column, -1.0),
            Extent::Top => self.edge(1, row, -1.0),
            Extent::Right => self.edge(2, column, 1.0),
            Extent::Bottom => self.edge(3, row, 1.0),
            Extent::Width => self.extent_between([0, 2]),
            Extent::Height => self.extent_between([1, 3]),
        }
    }

    fn mask_coefficients(&self) -> Result<Option<Tensor>> {
        let Place { level, row, column, .. } = self.place;
        let Some(output) = self.head.coefficient_output(level) else { return Ok(None) };
        let channels: Vec<usize> = (0..self.head.masks).collect();
        (self.values)(output, &channels, (row, column)).map(Some)
    }

    fn angle(&self) -> Result<Option<Tensor>> {
        let Some(Further::Angle { is_plain }) = self.head.further else { return Ok(None) };
        let raw = self.raw(FURTHER, &[0])?.f_get(0)?;
        Ok(Some(if is_plain { raw } else { raw.f_sigmoid()?.f_sub_scalar(0.25)?.f_mul_scalar(f64::from(PI))? }))
    }

    fn keypoint(&self, index: usize, coordinate: Coordinate) -> Result<Option<Tensor>> {
        let Some(Further::Keypoints { count, values, scale, offset }) = self.head.further else { return Ok(None) };
        check_keypoint(index, count)?;
        let (channel, cell) = match coordinate {
            Coordinate::X => (0, self.place.column),
            Coordinate::Y => (1, self.place.row),
            Coordinate::Visibility if values == 3 => {
                return self.raw(FURTHER, &[3 * index + 2]).and_then(only).map(Some);
            }
            Coordinate::Visibility => return Ok(None),
        };
        let raw = only(self.raw(FURTHER, &[values * index + channel])?)?;
        let cells = raw.f_mul_scalar(f64::from(scale))?.f_add_scalar(cell as f64 + f64::from(offset))?;
        Ok(Some(cells.f_mul_scalar(self.stride())?))
    }
}

/// The only value of a tensor.
fn only(tensor: Tensor) -> Result<Tensor> {
    Ok(tensor.f_get(0)?)
}
