//! RT-DETR (Zhao et al., CVPR 2024, <https://arxiv.org/abs/2304.08069>), as the Ultralytics package has it: a transformer that
//! answers queries, each with a box and its classes.
//!
//! The most promising cells of all levels become queries. Decoder layers, one after the other, look at all levels and correct the
//! box of each query; what the last one says counts. A query may look anywhere, so that its box has no cell of its own, and nothing
//! is suppressed: the network is trained to answer one query for each object.

use std::ops::Range;

use tch::{Kind, Tensor};

use super::{
    CellValues, ClassScale, Extent, Family, Framing, Grid, Habits, Head, Level, Network, Place, Prediction, Traced,
    asked_class, cells_above, given_to, sigmoid,
};
use crate::{
    error::{Error, Result},
    geometry::{BBox, Size},
};

pub(super) struct RtDetr;

const FAMILY: &str = "RT-DETR";

impl Family for RtDetr {
    fn name(&self) -> &'static str {
        FAMILY
    }

    fn find(&self, network: &Network) -> Vec<Box<dyn Head>> {
        let paths = network.tensors.iter().filter_map(|(name, _)| name.strip_suffix(".enc_score_head.weight"));
        paths.filter_map(|path| QueryHead::find_at(network, path)).map(|head| Box::new(head) as Box<dyn Head>).collect()
    }
}

/// The raw outputs: logits of classes; what is added to the logits of a box, of its centre and size as shares of the input; and
/// that box, as it came from the decoder layer before, with the size of the input behind it.
const CLASSES: usize = 0;
const SHIFT: usize = 1;
const REFERENCE: usize = 2;

/// Centre x and y, width and height.
const SIDES: usize = 4;

/// Shares are kept this far from 0 and 1 before their logits are taken.
const LEAST_SHARE: f32 = 1e-5;

/// More than any network has of levels or decoder layers.
const MOST_PARTS: usize = 64;

/// The head of one network.
struct QueryHead {
    path: String,
    classes: usize,
    /// The decoder layer that counts.
    last: usize,
    /// How many levels of the pyramid queries look at.
    inputs: usize,
    /// All queries, as cells of one row. None before the head is measured.
    levels: Vec<Level>,
    queries: usize,
}

impl QueryHead {
    fn find_at(network: &Network, path: &str) -> Option<Self> {
        let shape = |name: String| network.tensor(&format!("{path}.{name}")).map(Tensor::size);
        let scores = |layer: usize| match shape(format!("dec_score_head.{layer}.weight"))?.as_slice() {
            &[classes, _] if classes > 0 => Some(classes as usize),
            _ => None,
        };
        // A trace has those parts alone that it runs.
        let (last, classes) = (0..MOST_PARTS).rev().find_map(|layer| Some((layer, scores(layer)?)))?;
        let inputs =
            (0..MOST_PARTS).take_while(|level| shape(format!("input_proj.{level}.0.weight")).is_some()).count();
        let gives_sides = (0..MOST_PARTS).any(|part| {
            let shape = shape(format!("dec_bbox_head.{last}.layers.{part}.weight"));
            matches!(shape.as_deref(), Some(&[sides, _]) if sides == SIDES as i64)
        });
        let takes_sides = matches!(
            shape("query_pos_head.layers.0.weight".to_owned()).as_deref(),
            Some(&[_, sides]) if sides == SIDES as i64
        );
        let head = Self { path: path.to_owned(), classes, last, inputs, levels: Vec::new(), queries: 0 };
        (inputs > 0 && gives_sides && takes_sides).then_some(head)
    }
}

/// The logit of a share, as the package's `inverse_sigmoid`.
fn logit(share: f32) -> f32 {
    let share = share.clamp(0.0, 1.0);
    (share.max(LEAST_SHARE) / (1.0 - share).max(LEAST_SHARE)).ln()
}

/// Centre and size of a box as shares of the input.
fn shares(shift: &[f32], reference: &[f32]) -> [f32; SIDES] {
    std::array::from_fn(|side| sigmoid(shift[side] + logit(reference[side])))
}

impl Head for QueryHead {
    fn family(&self) -> &'static str {
        FAMILY
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn outputs(&self) -> Vec<String> {
        let Self { path, last, .. } = self;
        // Each decoder layer is told where its boxes are.
        let call = if *last > 0 { format!("#{}", last + 1) } else { String::new() };
        vec![
            format!("{path}.dec_score_head.{last}"),
            format!("{path}.dec_bbox_head.{last}"),
            given_to(&format!("{path}.query_pos_head{call}")),
        ]
    }

    /// `[N, queries, C]` as maps of one row.
    fn maps(&self, outputs: Vec<Tensor>, input: Size) -> Result<Vec<Tensor>> {
        let map = |(output, values): (usize, Tensor)| {
            let map = values.f_transpose(1, 2)?.f_unsqueeze(2)?;
            if output != REFERENCE {
                return Ok(map);
            }
            let &[pictures, _, _, queries] = map.size().as_slice() else {
                return Err(Error::Libtorch(format!("expected boxes [N, queries, 4], found {:?}", values.size())));
            };
            let size = Tensor::f_from_slice(&[input.width as f32, input.height as f32])?;
            let size = size.f_to_device(map.device())?.f_to_kind(Kind::Float)?.f_view([1, 2, 1, 1])?;
            let size = size.f_expand([pictures, 2, 1, queries], false)?;
            Ok(Tensor::f_cat(&[map.f_to_kind(Kind::Float)?, size], 1)?)
        };
        outputs.into_iter().enumerate().map(map).collect()
    }

    fn unmapped(&self, output: usize, map: Tensor) -> Result<Tensor> {
        let values = map.f_flatten(2, -1)?.f_transpose(1, 2)?;
        // A box is given in shares.
        Ok(if output == REFERENCE { values.f_sigmoid()? } else { values })
    }

    fn starts(&self) -> Vec<String> {
        (0..self.inputs).map(|level| format!("{}.input_proj.{level}", self.path)).collect()
    }

    fn starts_of(&self, _: usize) -> Range<usize> {
        0..self.inputs
    }

    fn reach(&self) -> usize {
        usize::MAX
    }

    fn habits(&self) -> Habits {
        Habits { iou_threshold: None, has_many_labels: true, ..Habits::default() }
    }

    fn framing(&self) -> Framing {
        Framing::Stretch
    }

    /// The network gives one class of a query and its probability, the best pairs of all; that of versions up to 8.3 the
    /// probabilities of all classes. Of both is kept the best of each row.
    fn rows(&self, output: &Tensor) -> Result<Option<Tensor>> {
        /// A probability and the number of a class behind the sides.
        const PAIR: i64 = SIDES as i64 + 2;
        let &[_, _, values] = output.size().as_slice() else { return Ok(None) };
        let all = self.values_per_box() as i64;
        if values != PAIR && values != all {
            return Ok(None);
        }
        let (sides, rest) =
            (output.f_narrow(2, 0, SIDES as i64)?, output.f_narrow(2, SIDES as i64, values - SIDES as i64)?);
        let last = rest.f_narrow(2, -1, 1)?;
        // With two classes their forms look the same; no probability of two is whole.
        let is_pair = values == PAIR && (all != PAIR || last.f_frac()?.f_abs()?.f_max()?.f_double_value(&[])? == 0.0);
        let (best, class) = if is_pair {
            (rest.f_narrow(2, 0, 1)?, last.f_clamp(0, self.classes as i64 - 1)?.f_to_kind(Kind::Int64)?)
        } else {
            rest.f_max_dim(2, true)?
        };
        let mut shape = output.size();
        shape[2] = self.classes as i64;
        let scores = Tensor::f_zeros(&shape, (best.kind(), best.device()))?.f_scatter(2, &class, &best)?;
        Ok(Some(Tensor::f_cat(&[sides, scores], 2)?))
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn class_channels(&self) -> Vec<Vec<usize>> {
        vec![vec![0], Vec::new(), Vec::new()]
    }

    fn trains_classes(&self) -> bool {
        true
    }

    fn values_per_box(&self) -> usize {
        SIDES + self.classes
    }

    fn measure(&mut self, shapes: &[Vec<i64>], input: Size) -> std::result::Result<(), String> {
        let queries = match shapes {
            [scores, shift, reference] => match (scores.as_slice(), shift.as_slice(), reference.as_slice()) {
                (&[1, queries, classes], &[1, shifted, sides], &[1, referred, shares])
                    if queries > 0
                        && [shifted, referred] == [queries; 2]
                        && [sides, shares] == [SIDES as i64; 2]
                        && classes == self.classes as i64 =>
                {
                    Some(queries as usize)
                }
                _ => None,
            },
            _ => None,
        };
        let problem = || format!("has a head {} with outputs {shapes:?} for a {input} input", self.path);
        self.queries = queries.ok_or_else(problem)?;
        let outputs = vec![CLASSES, SHIFT, REFERENCE];
        self.levels = vec![Level { stride: 0, rank: 0, outputs, label: Some("decoder") }];
        Ok(())
    }

    fn levels(&self) -> &[Level] {
        &self.levels
    }

    fn cells(&self, _: usize, _: Size) -> (usize, usize) {
        (1, self.queries)
    }

    fn predictions_in(&self, _: usize, cells: usize) -> usize {
        cells
    }

    fn channels(&self) -> Vec<usize> {
        vec![self.classes, SIDES, SIDES]
    }

    /// Centre, width and height as shares of the input, then the probability of the best class in its place.
    fn sample_rows(&self, _: Size, raw: &dyn Fn(usize, usize) -> f32) -> Vec<(usize, Vec<f32>)> {
        let of_output = |output: usize, channels: usize| (0..channels).map(move |channel| raw(output, channel));
        let shift: Vec<f32> = of_output(SHIFT, SIDES).collect();
        let reference: Vec<f32> = of_output(REFERENCE, SIDES).map(sigmoid).collect();
        let mut values = shares(&shift, &reference).to_vec();
        let best = of_output(CLASSES, self.classes).fold(f32::NEG_INFINITY, f32::max);
        values.extend(of_output(CLASSES, self.classes).map(|logit| if logit == best { sigmoid(logit) } else { 0.0 }));
        [0, self.queries / 2, self.queries - 1].map(|query| (query, values.clone())).to_vec()
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
        let shifts = values[SHIFT].chunks_exact(SIDES);
        let references = values[REFERENCE].chunks_exact(SIDES + 2);
        let mut rows = values[CLASSES].chunks_exact(self.classes).zip(shifts.zip(references));
        for query in cells {
            let Some((class_logits, (shift, reference))) = rows.next() else { return };
            if !class_logits.iter().any(|&logit| sigmoid(logit) > least) {
                continue;
            }
            let [cx, cy, w, h] = shares(shift, reference);
            let (width, height) = (reference[SIDES], reference[SIDES + 1]);
            let box_input = BBox::from_cxcywh(cx * width, cy * height, w * width, h * height);
            if !box_input.is_finite() {
                continue;
            }
            let place = Place { level: grid.level, row: 0, column: query, slot: 0, index: grid.first_index + query };
            least = visit(&Prediction {
                place,
                box_input: Some(box_input),
                rotated: None,
                keypoints: &[],
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
        Ok(Box::new(TracedQuery { place: *place, classes: classes.to_vec(), values }))
    }
}

/// The answer to a query. What is not asked for is not computed.
struct TracedQuery<'a> {
    place: Place,
    classes: Vec<usize>,
    values: Box<CellValues<'a>>,
}

impl TracedQuery<'_> {
    fn raw(&self, output: usize, channels: &[usize]) -> Result<Tensor> {
        (self.values)(output, channels, (self.place.row, self.place.column))
    }

    /// Centre or length along an axis, 0 or 1, in pixels of the input: number `side` of a box's four.
    fn side(&self, side: usize, axis: usize) -> Result<Tensor> {
        let reference = self.raw(REFERENCE, &[side, SIDES + axis])?;
        let (share, length) = (reference.f_get(0)?.f_clamp(0, 1)?, reference.f_get(1)?);
        let rest = share.f_neg()?.f_add_scalar(1.0)?.f_clamp_min(f64::from(LEAST_SHARE))?;
        let logit = share.f_clamp_min(f64::from(LEAST_SHARE))?.f_div(&rest)?.f_log()?;
        Ok(self.raw(SHIFT, &[side])?.f_get(0)?.f_add(&logit)?.f_sigmoid()?.f_mul(&length)?)
    }

    fn length(&self, axis: usize) -> Result<Tensor> {
        self.side(2 + axis, axis)
    }

    /// The edge that lies `share` of the length from the centre.
    fn edge(&self, axis: usize, share: f64) -> Result<Tensor> {
        Ok(self.side(axis, axis)?.f_add(&self.length(axis)?.f_mul_scalar(share)?)?)
    }
}

impl Traced for TracedQuery<'_> {
    fn class_logit(&self, n: usize) -> Result<Tensor> {
        Ok(self.raw(CLASSES, &[asked_class(&self.classes, n)?])?.f_get(0)?)
    }

    fn presence_logit(&self) -> Result<Option<Tensor>> {
        Ok(None)
    }

    fn extent(&self, extent: Extent) -> Result<Tensor> {
        match extent {
            Extent::Left => self.edge(0, -0.5),
            Extent::Top => self.edge(1, -0.5),
            Extent::Right => self.edge(0, 0.5),
            Extent::Bottom => self.edge(1, 0.5),
            Extent::Width => self.length(0),
            Extent::Height => self.length(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::tensor;

    fn head(classes: usize) -> QueryHead {
        let mut head =
            QueryHead { path: "model.9".to_owned(), classes, last: 1, inputs: 3, levels: Vec::new(), queries: 0 };
        head.measure(&[vec![1, 2, classes as i64], vec![1, 2, 4], vec![1, 2, 4]], Size::square(64)).unwrap();
        head
    }

    const GRID: Grid = Grid { level: 0, height: 1, width: 2, first_index: 0 };

    #[test]
    fn a_box_is_a_shift_of_the_one_before_it_in_shares_of_the_input() {
        let logits = [-3.0, -3.0, 2.0, -3.0];
        let shift = [0.0, 0.0, 0.0, 0.0, 0.0, (3.0f32).ln(), 0.0, 0.0];
        // Of an input that is 200 wide and 100 high.
        let reference = [0.1, 0.1, 0.1, 0.1, 200.0, 100.0, 0.5, 0.5, 0.25, 0.5, 200.0, 100.0];
        let mut found = Vec::new();
        head(2).scan(&GRID, &mut [0, 1].into_iter(), &[&logits, &shift, &reference], 0.5, &mut |prediction| {
            found.push((prediction.place, prediction.box_input.unwrap(), prediction.best_class()));
            0.5
        });
        let [(place, b, class)] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((*place, *class), (Place { level: 0, row: 0, column: 1, slot: 0, index: 1 }, 0));
        for (found, expected) in <[f32; 4]>::from(*b).into_iter().zip([75.0, 50.0, 125.0, 100.0]) {
            assert!((found - expected).abs() < 1e-3, "{b:?}");
        }
    }

    #[test]
    fn the_extents_of_a_traced_box_are_those_of_the_box() {
        let shift = Tensor::from_slice(&[0.2f32, -0.3, 0.4, 0.1]).set_requires_grad(true);
        let reference = Tensor::from_slice(&[0.4f32, 1.0, 0.0, 0.3, 200.0, 100.0]);
        let values = |output: usize, channels: &[usize], _: (usize, usize)| {
            let channels: Vec<i64> = channels.iter().map(|&channel| channel as i64).collect();
            let output = if output == SHIFT { &shift } else { &reference };
            Ok(output.f_index_select(0, &Tensor::from_slice(&channels))?)
        };
        let [cx, cy, w, h] = shares(&tensor::values(&shift.detach()).unwrap(), &tensor::values(&reference).unwrap());
        let head = head(1);
        let place = Place { level: 0, row: 0, column: 1, slot: 0, index: 1 };
        let traced = head.trace(&place, &[0], Box::new(values)).unwrap();
        let expected = [
            (Extent::Left, (cx - w / 2.0) * 200.0),
            (Extent::Top, (cy - h / 2.0) * 100.0),
            (Extent::Right, (cx + w / 2.0) * 200.0),
            (Extent::Bottom, (cy + h / 2.0) * 100.0),
            (Extent::Width, w * 200.0),
            (Extent::Height, h * 100.0),
        ];
        for (extent, expected) in expected {
            let found = traced.extent(extent).unwrap();
            assert!((found.double_value(&[]) - f64::from(expected)).abs() < 1e-3, "{extent:?}");
            let gradient = Tensor::run_backward(&[found], &[&shift], true, false).remove(0);
            assert!(gradient.abs().sum(Kind::Float).double_value(&[]) > 0.0, "{extent:?}");
        }
        assert!(traced.presence_logit().unwrap().is_none());
    }

    #[test]
    fn both_forms_of_the_networks_own_output_are_read_with_two_classes_too() {
        let rows = |values: &[f32]| {
            let output = Tensor::from_slice(values).view([1, 2, 6]);
            tensor::values(&head(2).rows(&output).unwrap().unwrap()).unwrap()
        };
        // A probability and a class.
        let pairs = [0.1, 0.2, 0.3, 0.4, 0.75, 1.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.0];
        assert_eq!(rows(&pairs), [0.1, 0.2, 0.3, 0.4, 0.0, 0.75, 0.1, 0.2, 0.3, 0.4, 0.5, 0.0]);
        // The probability of each.
        let all = [0.1, 0.2, 0.3, 0.4, 0.75, 0.25, 0.1, 0.2, 0.3, 0.4, 0.5, 0.625];
        assert_eq!(rows(&all), [0.1, 0.2, 0.3, 0.4, 0.75, 0.0, 0.1, 0.2, 0.3, 0.4, 0.0, 0.625]);
        assert!(head(3).rows(&Tensor::zeros([1, 2, 9], (Kind::Float, Device::Cpu))).unwrap().is_none());
    }
}
