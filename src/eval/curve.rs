//! Deletion and insertion: what the detector still finds of a box while pixels are removed, or added, in the order of a map.

use std::slice;

use ndarray::Array2;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::{Crew, Protocol};
use crate::{
    detect::{Detection, Likeness, Tracker},
    error::{Error, Result},
    explain::Watch,
    model::{Model, Precision},
};

/// Settings of the curves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CurveOptions {
    /// Default: D-RISE's.
    pub protocol: Protocol,
    /// Steps from the whole picture to nothing; `None`: as the protocol has it. Default: `None`.
    pub steps: Option<usize>,
    /// How many changed pictures run at once on a GPU; at least 1. On the CPU each runs by itself: libtorch may take
    /// other kernels for other batches there, which round differently, and is no faster. Default: 8.
    pub batch: usize,
    /// Of random fills, and of the order of equal values. Default: 0.
    pub seed: u64,
    /// In which precision the network runs on changed pictures. Default: f32.
    pub precision: Precision,
}

with_fields!(CurveOptions {
    with_protocol => protocol: Protocol,
    with_steps => steps: Option<usize>,
    with_batch => batch: usize,
    with_seed => seed: u64,
    with_precision => precision: Precision,
});

impl Default for CurveOptions {
    fn default() -> Self {
        Self { protocol: Protocol::default(), steps: None, batch: 8, seed: 0, precision: Precision::F32 }
    }
}

impl CurveOptions {
    /// Steps from the whole picture to nothing.
    pub fn steps(&self) -> usize {
        self.steps.unwrap_or(self.protocol.default_steps()).max(1)
    }
}

/// Scores against the share of pixels that were removed (or added), in even steps from none to all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// From none to all.
    pub scores: Vec<f32>,
    /// The area below them.
    pub area: f64,
}

impl Curve {
    fn new(scores: Vec<f32>) -> Self {
        // Trapezoids.
        let area: f64 = scores.windows(2).map(|pair| f64::from(pair[0] + pair[1]) / 2.0).sum();
        Self { area: area / (scores.len() as f64 - 1.0), scores }
    }
}

/// Both curves of a map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Curves {
    /// Lower is better.
    pub deletion: Curve,
    /// Higher is better.
    pub insertion: Curve,
}

impl Curves {
    /// Insertion minus deletion: higher is better.
    pub fn overall(&self) -> f64 {
        self.insertion.area - self.deletion.area
    }
}

/// The curves of maps of boxes of one picture.
///
/// `input`: `[1, 3, H, W]`, as the network takes it. `maps`: each `[H, W]`, with the index of the detection that it explains.
///
/// # Errors
/// [`Error::Libtorch`] if the network can't run on it, or a map has another size; [`Error::Interrupted`] if `watch` says so.
///
/// # Panics
/// If there is no detection at the index that a map names.
pub fn curves(
    crew: &mut Crew,
    input: &Tensor,
    detections: &[Detection],
    maps: &[(usize, &Array2<f32>)],
    options: &CurveOptions,
    watch: &mut Watch,
) -> Result<Vec<Curves>> {
    // Another handle, so that its threads can have theirs meanwhile.
    let model = &crew.model().share()?;
    let whole = model.forward_boxes_in(input, options.precision)?;
    let likeness = if options.protocol == Protocol::DRise { Likeness::Cosine } else { Likeness::SameClass };
    let tracker = Tracker::new(model, detections, &whole, likeness)?;
    let own = tracker.scores(&whole)?.remove(0);
    let deletion = options.protocol.deletion_fill().picture(input, options.seed)?;
    let insertion = options.protocol.insertion_start().picture(input, options.seed)?;
    let steps = options.steps();
    let &[_, _, height, width] = input.size().as_slice() else {
        return Err(Error::Libtorch(format!("expected an input [1, 3, H, W], found {:?}", input.size())));
    };
    let ranks = maps
        .iter()
        .map(|(_, map)| {
            if map.dim() != (height as usize, width as usize) {
                return Err(Error::Libtorch(format!("expected a map [{height}, {width}], found {:?}", map.dim())));
            }
            let ranks = Tensor::from_slice(&ranks(map, options.seed)).f_view([1, 1, height, width])?;
            Ok(ranks.f_to_device(input.device())?)
        })
        .collect::<Result<Vec<_>>>()?;
    // What is between the ends: at the ends it does not matter which pixels come first.
    let inner: Vec<Changed> = (0..maps.len())
        .flat_map(|map| {
            let change = move |deletes| (1..steps).map(move |step| Changed { map, deletes, step });
            [true, false].into_iter().flat_map(change)
        })
        .collect();
    let ends = |picture: &Tensor| {
        Ok::<_, Error>(tracker.scores(&model.forward_boxes_in(picture, options.precision)?)?.remove(0))
    };
    let (deleted, begun) = (ends(&deletion)?, ends(&insertion)?);
    let state = || ThreadState {
        input: input.shallow_clone(),
        deletion: deletion.shallow_clone(),
        insertion: insertion.shallow_clone(),
        ranks: ranks.iter().map(Tensor::shallow_clone).collect(),
    };
    let pixels = height * width;
    let detection_of: Vec<usize> = maps.iter().map(|&(detection, _)| detection).collect();
    let work = |model: &Model, state: &ThreadState, batch: &[Changed]| {
        let pictures = batch.iter().map(|changed| state.picture(changed, pixels * changed.step as i64 / steps as i64));
        let pictures = Tensor::f_cat(&pictures.collect::<Result<Vec<_>>>()?, 0)?;
        let heads = model.forward_boxes_in(&pictures, options.precision)?;
        let wanted: Vec<&[usize]> = batch.iter().map(|changed| slice::from_ref(&detection_of[changed.map])).collect();
        Ok(tracker.scores_of(&heads, &wanted)?.into_iter().flatten().collect())
    };
    let batch = if input.device().is_cuda() { options.batch.clamp(1, model.most_pictures()) } else { 1 };
    let mut done = 0;
    let found: Vec<Vec<f32>> = crew.run(inner.chunks(batch).collect(), state, work, |scores: &Vec<f32>| {
        done += scores.len();
        if watch(done, inner.len()).is_break() { Err(Error::Interrupted) } else { Ok(()) }
    })?;
    let found = found.concat();
    let mut found = found.chunks(steps.saturating_sub(1).max(1));
    let mut next = || if steps > 1 { found.next().unwrap_or_default() } else { &[] };
    let curve = |first: f32, inner: &[f32], last: f32, whole: f32| {
        let scale = if options.protocol.is_relative() && whole > 0.0 { 1.0 / whole } else { 1.0 };
        Curve::new([&[first], inner, &[last]].concat().into_iter().map(|score| score * scale).collect())
    };
    Ok(maps
        .iter()
        .map(|&(index, _)| Curves {
            deletion: curve(own[index], next(), deleted[index], own[index]),
            insertion: curve(begun[index], next(), own[index], own[index]),
        })
        .collect())
}

/// A picture of which a share is removed, or added.
struct Changed {
    map: usize,
    deletes: bool,
    step: usize,
}

/// What pictures are made of: each `[1, 3, H, W]`; ranks `[1, 1, H, W]`.
struct ThreadState {
    input: Tensor,
    deletion: Tensor,
    insertion: Tensor,
    ranks: Vec<Tensor>,
}

impl ThreadState {
    /// The picture in which the first `count` pixels are removed, or added.
    fn picture(&self, changed: &Changed, count: i64) -> Result<Tensor> {
        let (there, elsewhere) =
            if changed.deletes { (&self.deletion, &self.input) } else { (&self.input, &self.insertion) };
        mixed(&self.ranks[changed.map], count, there, elsewhere)
    }
}

/// `there` in the first `count` pixels, `elsewhere` in the others. `ranks`: `[1, 1, H, W]`.
pub(super) fn mixed(ranks: &Tensor, count: i64, there: &Tensor, elsewhere: &Tensor) -> Result<Tensor> {
    // As `where` has it, which branches at each value and takes several times as long.
    let first = ranks.f_lt(count)?;
    let rest = first.f_logical_not()?;
    Ok(there.f_mul(&first.f_to_kind(Kind::Float)?)?.f_add(&elsewhere.f_mul(&rest.f_to_kind(Kind::Float)?)?)?)
}

/// For each pixel, row by row, how many come before it: the largest values first, equal ones in random order.
pub(super) fn ranks(map: &Array2<f32>, seed: u64) -> Vec<i32> {
    let lots = super::random_map(
        crate::geometry::Size { width: map.ncols() as u32, height: map.nrows() as u32 },
        seed,
        u64::MAX,
    );
    let values: Vec<(f32, f32)> = map.iter().copied().zip(lots.iter().copied()).collect();
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&a, &b| {
        let (a, b) = (values[a], values[b]);
        b.0.total_cmp(&a.0).then(a.1.total_cmp(&b.1))
    });
    let mut ranks = vec![0; values.len()];
    for (rank, pixel) in order.into_iter().enumerate() {
        ranks[pixel] = rank as i32;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn a_curves_area_is_that_of_its_trapezoids() {
        assert_eq!(Curve::new(vec![1.0, 1.0, 1.0]).area, 1.0);
        assert_eq!(Curve::new(vec![1.0, 0.0]).area, 0.5);
        assert_eq!(Curve::new(vec![1.0, 0.0, 0.0, 0.0, 0.0]).area, 0.125);
    }

    #[test]
    fn the_largest_comes_first_and_equal_values_in_the_same_random_order() {
        let map = array![[0.0f32, 3.0, 1.0], [0.0, 0.0, 2.0]];
        let first = ranks(&map, 0);
        assert_eq!((first[1], first[5], first[2]), (0, 1, 2));
        assert_eq!(first, ranks(&map, 0));
        let even = Array2::zeros((8, 8));
        assert_ne!(ranks(&even, 0), (0..64).collect::<Vec<i32>>(), "not row by row");
    }
}
