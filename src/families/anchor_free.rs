//! What anchor-free heads of the Ultralytics package have in common: in each cell one prediction, whose sides are distances from
//! the middle of the cell.
//!
//! Each level has two branches of convolutions, `cv2` for the box and `cv3` for the classes, and nothing that says how sure the
//! network is that there is something: the score is the probability of the class. A head that was trained for one box an object
//! has a second pair, `one2one_cv2` and `one2one_cv3`.

use std::marker::PhantomData;

use tch::Tensor;

use super::{
    Branch, CellValues, ClassScale, Extent, Grid, Habits, Head, Level, Network, Place, Prediction, Traced, asked_class,
    cells_above, channels_at, sigmoid,
};
use crate::{
    error::Result,
    geometry::{BBox, Size},
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
    encoding: PhantomData<D>,
}

/// What stands before the names of the second pair of branches.
const ONE_TO_ONE: &str = "one2one_";

/// Since this version a network with two pairs of branches is run, by default, with the first.
const PREFERS_MANY: [u32; 3] = [8, 4, 150];

/// The convolutions that end the branches of all levels: their paths, and how many channels they have.
fn ends(network: &Network, path: &str) -> Option<Vec<(String, usize)>> {
    let end = |level: usize| {
        // The last of the branch is a plain convolution with a bias; those before it are blocks.
        let place = (1..8).rev().map(|place| format!("{path}.{level}.{place}"));
        place.into_iter().find_map(|path| {
            let weight = network.tensor(&format!("{path}.weight"))?;
            match weight.size().as_slice() {
                &[channels, _, 1, 1] => Some((path, channels as usize)),
                _ => None,
            }
        })
    };
    let ends: Vec<_> = (0..MOST_LEVELS).map_while(end).collect();
    (!ends.is_empty()).then_some(ends)
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
            let is_even = |ends: &[(String, usize)]| ends.iter().all(|(_, channels)| *channels == ends[0].1);
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
        // Further branches are for masks, whose prototypes stand beside them; or for what is no part of this family.
        let coefficients = ends(network, &format!("{path}.{prefix}cv4")).unwrap_or_default();
        let prototypes =
            network.tensor(&format!("{path}.proto.cv3.conv.weight")).map(|weight| weight.size()[0] as usize);
        let masks = prototypes.unwrap_or(0);
        let depth = if prototypes.is_some() { boxes.len() } else { 0 };
        let fits_prototypes = coefficients.len() == depth && coefficients.iter().all(|&(_, found)| found == masks);
        if !D::fits(per_side) || !fits_prototypes {
            return None;
        }
        let pairs = boxes.into_iter().zip(&classes);
        Some(Self {
            path: path.to_owned(),
            prefix,
            levels: Vec::new(),
            per_side,
            classes: classes[0].1,
            outputs: pairs.flat_map(|((boxes, _), (classes, _))| [boxes, classes.clone()]).collect(),
            coefficients: coefficients.into_iter().map(|(path, _)| path).collect(),
            masks,
            encoding: PhantomData,
        })
    }

    /// The number of levels.
    fn depth(&self) -> usize {
        self.outputs.len() / OUTPUTS
    }

    /// Which output gives the mask coefficients of a level; `None` if there are no masks.
    fn coefficient_output(&self, level: usize) -> Option<usize> {
        (level < self.coefficients.len()).then_some(self.outputs.len() + level)
    }

    /// The box of a cell (row, column). `raw`: its channels, for each distance one after the other.
    ///
    /// Ultralytics, `dist2bbox`: the corners lie so many cells from the middle of the cell.
    fn decode_box(&self, level: usize, (row, column): (usize, usize), raw: &[f32]) -> BBox {
        let stride = self.levels[level].stride as f32;
        let distance = |side: usize| D::distance(&raw[side * self.per_side..][..self.per_side]);
        let (x, y) = (column as f32 + 0.5, row as f32 + 0.5);
        BBox {
            x1: (x - distance(0)) * stride,
            y1: (y - distance(1)) * stride,
            x2: (x + distance(2)) * stride,
            y2: (y + distance(3)) * stride,
        }
    }
}

/// `8.4.150` as numbers.
fn version(text: &str) -> Option<[u32; 3]> {
    let mut parts = text.split('.').map(|part| part.parse().ok());
    Some([parts.next()??, parts.next()??, parts.next()??])
}

/// Of each level the raw outputs are two: the box, then the classes.
const BOX: usize = 0;
const CLASSES: usize = 1;
const OUTPUTS: usize = 2;

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
        (0..self.depth()).find(|&level| output / OUTPUTS == level || self.coefficient_output(level) == Some(output))
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
            ..Habits::default()
        }
    }

    fn rows(&self, output: &Tensor) -> Result<Option<Tensor>> {
        let is_chosen = self.prefix == ONE_TO_ONE && output.size().get(1) != Some(&(self.values_per_box() as i64));
        Ok(if is_chosen || output.dim() != 3 { None } else { Some(output.f_transpose(1, 2)?) })
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn class_channels(&self) -> Vec<Vec<usize>> {
        (0..self.depth()).flat_map(|_| [Vec::new(), vec![0]]).collect()
    }

    fn trains_classes(&self) -> bool {
        true
    }

    fn values_per_box(&self) -> usize {
        4 + self.classes + self.masks
    }

    fn measure(&mut self, shapes: &[Vec<i64>], input: Size) -> std::result::Result<(), String> {
        let mut strides = Vec::with_capacity(self.depth());
        for (pair, paths) in shapes.chunks_exact(OUTPUTS).zip(self.outputs.chunks_exact(OUTPUTS)) {
            let stride = match [pair[BOX].as_slice(), pair[CLASSES].as_slice()] {
                [&[1, _, rows, columns], &[1, _, other_rows, other_columns]]
                    if (rows, columns) == (other_rows, other_columns) =>
                {
                    input.pixels_per_cell(rows, columns)
                }
                _ => None,
            };
            let problem = || format!("has a head {} with outputs {pair:?} for a {input} input", paths[BOX]);
            strides.push(stride.ok_or_else(problem)?);
        }
        self.levels = Level::with_strides(&strides, |level| vec![level * OUTPUTS + BOX, level * OUTPUTS + CLASSES]);
        Ok(())
    }

    fn levels(&self) -> &[Level] {
        &self.levels
    }

    fn predictions_in(&self, _: usize, cells: usize) -> usize {
        cells
    }

    fn channels(&self) -> Vec<usize> {
        (0..self.depth()).flat_map(|_| [4 * self.per_side, self.classes]).collect()
    }

    /// Centre, width and height in pixels, and the probabilities of the classes.
    fn sample_rows(&self, input: Size, raw: &dyn Fn(usize, usize) -> f32) -> Vec<(usize, Vec<f32>)> {
        let mut rows = Vec::new();
        let mut first_row = 0;
        for (index, level) in self.levels.iter().enumerate() {
            let [h, w] = [input.height, input.width].map(|side| (side / level.stride) as usize);
            let of_output = |output: usize, channels: usize| -> Vec<f32> {
                (0..channels).map(|channel| raw(level.outputs[output], channel)).collect()
            };
            let (raw_box, raw_classes) = (of_output(BOX, 4 * self.per_side), of_output(CLASSES, self.classes));
            for (row, column) in [(0, 0), (h / 2, w / 3), (h.saturating_sub(1), w.saturating_sub(1))] {
                let b = self.decode_box(index, (row, column), &raw_box);
                let mut values = vec![(b.x1 + b.x2) / 2.0, (b.y1 + b.y2) / 2.0, b.x2 - b.x1, b.y2 - b.y1];
                values.extend(raw_classes.iter().map(|&raw| sigmoid(raw)));
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
        for cell in cells {
            let Some((raw_box, class_logits)) = rows.next() else { return };
            // Nothing says that there is anything, so only the classes can say that there is not.
            if !class_logits.iter().any(|&logit| sigmoid(logit) > least) {
                continue;
            }
            let (row, column) = (cell / width, cell % width);
            let box_input = self.decode_box(level, (row, column), raw_box);
            if !box_input.is_finite() {
                continue;
            }
            let place = Place { level, row, column, slot: 0, index: first_index + cell };
            least = visit(&Prediction {
                place,
                box_input: Some(box_input),
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
        let stride = f64::from(self.head.levels[self.place.level].stride);
        let distance = |index: usize| {
            let raw = raw.f_narrow(0, (index * per_side) as i64, per_side as i64)?;
            Ok(D::traced(&raw)?.f_mul_scalar(stride)?)
        };
        (0..sides.len()).map(distance).collect()
    }

    /// Of an edge that lies `sign` times its distance from the middle of the cell, which is cell `cell` of its row or column.
    fn edge(&self, side: usize, cell: usize, sign: f64) -> Result<Tensor> {
        let middle = (cell as f64 + 0.5) * f64::from(self.head.levels[self.place.level].stride);
        Ok(self.distances(&[side])?.remove(0).f_mul_scalar(sign)?.f_add_scalar(middle)?)
    }

    fn extent_between(&self, sides: [usize; 2]) -> Result<Tensor> {
        let distances = self.distances(&sides)?;
        Ok(distances[0].f_add(&distances[1])?)
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
}
