//! Whether the map of one box can be believed: deletion and insertion of the map, beside those of a Gaussian on the box and of
//! a random map, under two fills that no method was tuned with.

use std::{slice, thread};

use ndarray::Array2;
use tch::Tensor;

use super::{
    Crew, Fill, FillFigures, Verdict,
    curve::{mixed, ranks},
    gaussian_map, random_map,
};
use crate::{
    detect::{Detection, Likeness, Tracker},
    error::{Error, Result},
    explain::{ExplainedBox, Watch},
    geometry::{BBox, LetterboxMap, Size},
    model::{Model, Precision},
};

/// Black, blurred and random fills are those of the protocols that methods are chosen by.
const FILLS: [Fill; 2] = [Fill::Mean, Fill::Tiles];

/// The least and the most pixels that go or come, as shares of the box's area. Shares of the picture would tell nothing of small
/// boxes: the first step would remove all of them, with everything around them.
const LEAST: f64 = 1.0 / 8.0;
const MOST: f64 = 4.0;

/// The most as a share of the picture: without any pixel left all maps are the same.
const MOST_OF_PICTURE: f64 = 7.0 / 8.0;

/// A random map is measured where the box's area goes or comes, but at most this share of the picture: where nearly all of it goes, no
/// map is good, and where nearly all of it comes, none is bad.
const MOST_AT_RANDOM: f64 = 1.0 / 3.0;

/// Of how many boxes of a picture maps at the size of the input are in memory.
const AT_ONCE: usize = 16;

/// Settings of [`verify`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyOptions {
    /// Changed pictures for a map under each fill, half of them with pixels removed and half with pixels added; an odd number is
    /// rounded down, at least 2 are made. Default: 12.
    pub steps: usize,
    /// How many changed pictures run at once on a GPU; at least 1. On the CPU each runs by itself, as in
    /// [`CurveOptions`](super::CurveOptions). Default: 8.
    pub batch: usize,
    /// Of the random map, the order of tiles, and the order of equal values. Default: 0.
    pub seed: u64,
    /// In which precision the network runs on changed pictures. Default: f32.
    pub precision: Precision,
}

with_fields!(VerifyOptions {
    with_steps => steps: usize,
    with_batch => batch: usize,
    with_seed => seed: u64,
    with_precision => precision: Precision,
});

impl Default for VerifyOptions {
    fn default() -> Self {
        Self { steps: 12, batch: 8, seed: 0, precision: Precision::F32 }
    }
}

impl VerifyOptions {
    /// How many forward passes a box takes: those of its own map and of the Gaussian under two fills, and four of a random map.
    pub fn passes(&self) -> usize {
        FILLS.len() * self.passes_of_fill()
    }

    fn passes_of_fill(&self) -> usize {
        2 * (2 * self.amounts() + 1)
    }

    /// How many amounts of pixels there are.
    fn amounts(&self) -> usize {
        (self.steps / 2).max(1)
    }
}

/// What the map of each box is worth; `None` where it has no signal, or the network gives the box no score.
///
/// The score of a box is IoU · confidence of its class, of the best prediction for it. From an eighth of the box's area to four
/// times as much is removed from the picture, or is all that is there of it, in even steps of the logarithm; of a small picture, and for a class of the
/// whole picture, whose area is that of all of it, at most 7/8. There are [`VerifyOptions::passes`] forward passes for each box.
///
/// `input`: `[1, 3, H, W]`, RGB in 0..1, as the network takes it; `outputs`: what the network said of it
/// ([`explain_with_outputs`](crate::explain::explain_with_outputs)); `boxes`: of this picture. `watch` is told of forward passes.
///
/// # Errors
/// [`Error::Libtorch`] if the network can't run on the input, or the outputs are not those of this network;
/// [`Error::Interrupted`] if `watch` says so.
///
/// ```
/// use yolo_cam::{ExplainOptions, Model, eval::*, explain::{explain_with_outputs, unwatched}, picture};
///
/// # let path = "tests/data/tiny/yolov3-tiny.pt";
/// let model = Model::load(path, tch::Device::Cpu)?;
/// let mut options = ExplainOptions::default().with_img_size(Some(160));
/// options.detect.max_det = Some(1);
/// # options.detect.conf_threshold = Some(0.0); // It was never trained.
/// let dog = picture::read("images/dog.jpg")?;
/// let (explanation, outputs) = explain_with_outputs(&model, &dog, &options, &mut unwatched)?;
/// let input = explanation.letterbox.tensor(model.device())?;
/// let options = VerifyOptions::default().with_steps(2);
/// let verdicts = verify(&mut Crew::new(&model, 1)?, &input, &outputs, &explanation.boxes, &options, &mut unwatched)?;
/// for Verdict { word, mean, tiles } in verdicts.into_iter().flatten() {
///     println!("{word}: above the Gaussian by {:.2} and {:.2}", mean.gain(), tiles.gain());
/// }
/// # Ok::<(), yolo_cam::Error>(())
/// ```
pub fn verify(
    crew: &mut Crew,
    input: &Tensor,
    outputs: &[Tensor],
    boxes: &[ExplainedBox],
    options: &VerifyOptions,
    watch: &mut Watch,
) -> Result<Vec<Option<Verdict>>> {
    // Another handle, so that its threads can have theirs meanwhile.
    let model = &crew.model().share()?;
    let detections: Vec<Detection> = boxes.iter().map(|explained| explained.detection.clone()).collect();
    let tracker = Tracker::new(model, &detections, outputs, Likeness::SameClass)?;
    // Not the confidence: a better prediction may overlap the box.
    let untouched = tracker.scores(outputs)?.swap_remove(0);
    let has_signal = |&index: &usize| boxes[index].heatmap.no_signal().is_none() && untouched[index] > 0.0;
    let judgeable: Vec<usize> = (0..boxes.len()).filter(has_signal).collect();
    let mut verdicts = vec![None; boxes.len()];
    let total = judgeable.len() * options.passes();
    let mut done = 0;
    let size = size_of(input)?;
    for indices in judgeable.chunks(AT_ONCE) {
        let subject = |&index: &usize| {
            let map = boxes[index].heatmap.normalized(size)?;
            Ok(Subject::new(map, detections[index].box_input.as_ref(), untouched[index]))
        };
        let subjects = indices.iter().map(subject).collect::<Result<Vec<_>>>()?;
        let threads = crew.threads();
        let found = judged(input, &subjects, options, threads, |canvas, changed| {
            let work = |model: &Model, canvas: &Canvas, batch: &[Changed]| {
                let pictures = batch.iter().map(|changed| canvas.picture(changed)).collect::<Result<Vec<_>>>()?;
                let heads = model.forward_boxes_in(&Tensor::f_cat(&pictures, 0)?, options.precision)?;
                let wanted: Vec<&[usize]> =
                    batch.iter().map(|changed| slice::from_ref(&indices[changed.subject])).collect();
                Ok(tracker.scores_of(&heads, &wanted)?.into_iter().flatten().collect())
            };
            let batch = if input.device().is_cuda() { options.batch.clamp(1, model.most_pictures()) } else { 1 };
            let jobs = changed.chunks(batch).collect();
            let scores: Vec<Vec<f32>> = crew.run(
                jobs,
                || canvas.shared(),
                work,
                |scores: &Vec<f32>| {
                    done += scores.len();
                    if watch(done, total).is_break() { Err(Error::Interrupted) } else { Ok(()) }
                },
            )?;
            Ok(scores.concat())
        })?;
        indices.iter().zip(found).for_each(|(&index, verdict)| verdicts[index] = Some(verdict));
    }
    Ok(verdicts)
}

/// A box whose map is to be judged.
struct Subject {
    /// `[H, W]` ≥ 0, at the size of the input.
    map: Array2<f32>,
    gaussian: Array2<f32>,
    /// Of the box, in pixels of the input.
    area: f64,
    /// Its score in the untouched picture.
    untouched: f32,
}

impl Subject {
    /// `b`: in pixels of the input; `None` if the class is said of the whole picture.
    fn new(map: Array2<f32>, b: Option<&BBox>, untouched: f32) -> Self {
        let size = Size { width: map.ncols() as u32, height: map.nrows() as u32 };
        let b = b.copied().unwrap_or_else(|| LetterboxMap::identity(size).visible());
        Self { map, gaussian: gaussian_map(size, &b), area: b.clipped(size).area().max(1.0).into(), untouched }
    }
}

/// How many pixels go or come, fewest first. `area`: of the box; `pixels`: of the picture.
fn amounts(area: f64, pixels: f64, count: usize) -> Vec<i64> {
    let (least, most) = (area.min(pixels) * LEAST, (area * MOST).min(pixels * MOST_OF_PICTURE));
    let share = |index: usize| if count == 1 { 0.5 } else { index as f64 / (count - 1) as f64 };
    let amount = |index| (least * (most / least).powf(share(index))).round().max(1.0) as i64;
    (0..count).map(amount).collect()
}

/// Which of the amounts is measured with the random map. `area`: of the box; `pixels`: of the picture.
fn nearest(amounts: &[i64], area: f64, pixels: f64) -> usize {
    let wanted = area.min(pixels * MOST_AT_RANDOM);
    let distance = |index: &usize| (amounts[*index] as f64 / wanted).ln().abs();
    (0..amounts.len()).min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap_or(0)
}

/// A picture in which pixels are removed, or are all that is there.
#[derive(Debug, Clone, Copy)]
struct Changed {
    /// Index of the box.
    subject: usize,
    /// Index of the map whose first pixels these are.
    map: usize,
    fill: usize,
    deletes: bool,
    count: i64,
}

/// What changed pictures are made of.
struct Canvas {
    /// `[1, 3, H, W]`.
    input: Tensor,
    /// Each of the same shape.
    fills: Vec<Tensor>,
    /// Of each box those of its own map and of the Gaussian, then those of a random map: `[1, 1, H, W]` each.
    ranks: Vec<Tensor>,
}

impl Canvas {
    fn new(input: &Tensor, subjects: &[Subject], options: &VerifyOptions, threads: usize) -> Result<Self> {
        let Size { width, height } = size_of(input)?;
        let random = random_map(Size { width, height }, options.seed, 0);
        let of_boxes = subjects.iter().flat_map(|subject| [&subject.map, &subject.gaussian]);
        let maps: Vec<&Array2<f32>> = of_boxes.chain([&random]).collect();
        let ranks = ranked(&maps, options.seed, threads).into_iter().map(|ranks| {
            let ranks = Tensor::from_slice(&ranks).f_view([1, 1, i64::from(height), i64::from(width)])?;
            Ok(ranks.f_to_device(input.device())?)
        });
        Ok(Self {
            input: input.shallow_clone(),
            fills: FILLS.iter().map(|fill| fill.picture(input, options.seed)).collect::<Result<_>>()?,
            ranks: ranks.collect::<Result<_>>()?,
        })
    }

    /// The same for another thread.
    fn shared(&self) -> Self {
        let all = |tensors: &[Tensor]| tensors.iter().map(Tensor::shallow_clone).collect();
        Self { input: self.input.shallow_clone(), fills: all(&self.fills), ranks: all(&self.ranks) }
    }

    fn picture(&self, changed: &Changed) -> Result<Tensor> {
        let (input, fill) = (&self.input, &self.fills[changed.fill]);
        let (there, elsewhere) = if changed.deletes { (fill, input) } else { (input, fill) };
        mixed(&self.ranks[changed.map], changed.count, there, elsewhere)
    }
}

/// The ranks of each map, on as many threads: sorting all pixels takes about as long as a forward pass.
fn ranked(maps: &[&Array2<f32>], seed: u64, threads: usize) -> Vec<Vec<i32>> {
    let mut found = vec![Vec::new(); maps.len()];
    let share = maps.len().div_ceil(threads.max(1)).max(1);
    thread::scope(|scope| {
        for (found, maps) in found.chunks_mut(share).zip(maps.chunks(share)) {
            scope.spawn(move || found.iter_mut().zip(maps).for_each(|(found, map)| *found = ranks(map, seed)));
        }
    });
    found
}

/// The verdict for each of `subjects`, maps of the size of `input`. `score`: of the box of each changed picture.
fn judged(
    input: &Tensor,
    subjects: &[Subject],
    options: &VerifyOptions,
    threads: usize,
    score: impl FnOnce(&Canvas, &[Changed]) -> Result<Vec<f32>>,
) -> Result<Vec<Verdict>> {
    let size = size_of(input)?;
    let pixels = f64::from(size.width) * f64::from(size.height);
    let canvas = Canvas::new(input, subjects, options, threads)?;
    let random_map = 2 * subjects.len();
    let count = options.amounts();
    let mut changed = Vec::with_capacity(subjects.len() * options.passes());
    let mut beside_random = Vec::with_capacity(subjects.len());
    for (index, subject) in subjects.iter().enumerate() {
        let amounts = amounts(subject.area, pixels, count);
        let nearest = nearest(&amounts, subject.area, pixels);
        beside_random.push(nearest);
        for fill in 0..FILLS.len() {
            for deletes in [true, false] {
                let of = |map, count| Changed { subject: index, map, fill, deletes, count };
                let both = [2 * index, 2 * index + 1];
                changed.extend(both.iter().flat_map(|&map| amounts.iter().map(move |&count| of(map, count))));
                changed.push(of(random_map, amounts[nearest]));
            }
        }
    }
    let scores = score(&canvas, &changed)?;
    let verdict = |((scores, subject), nearest): ((&[f32], &Subject), usize)| {
        let mut fills = scores.chunks(options.passes_of_fill());
        let mut next = || figures(fills.next().unwrap_or_default(), count, nearest, subject.untouched.into());
        Verdict::new(next(), next())
    };
    Ok(scores.chunks(options.passes()).zip(subjects).zip(beside_random).map(verdict).collect())
}

/// The figures of one fill. `scores`: deletion, then insertion; of each `count` of the own map, as many of the Gaussian, one of the
/// random map, which is at the amount with the index `nearest`.
fn figures(scores: &[f32], count: usize, nearest: usize, untouched: f64) -> FillFigures {
    let (deletion, insertion) = scores.split_at(scores.len() / 2);
    let mean = |scores: &[f32]| scores.iter().copied().map(f64::from).sum::<f64>() / count as f64 / untouched;
    let gain = |index: usize| (f64::from(insertion[index]) - f64::from(deletion[index])) / untouched;
    FillFigures {
        own: mean(&insertion[..count]) - mean(&deletion[..count]),
        gaussian: mean(&insertion[count..2 * count]) - mean(&deletion[count..2 * count]),
        random: gain(2 * count),
        own_beside_random: gain(nearest),
        left: mean(&deletion[..count]),
    }
}

/// Of an input `[1, 3, H, W]`.
fn size_of(input: &Tensor) -> Result<Size> {
    match input.size().as_slice() {
        &[1, 3, height, width] => Ok(Size { width: width as u32, height: height as u32 }),
        other => Err(Error::Libtorch(format!("expected an input [1, 3, H, W], found {other:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::{eval::Word, tensor::values};

    const SIZE: Size = Size { width: 160, height: 128 };
    const B: BBox = BBox { x1: 40.0, y1: 32.0, x2: 88.0, y2: 80.0 };

    /// What a detector goes by, and knows: each pixel of a ring in the box speaks for the object, the others do not matter, but
    /// for `DISTRACTOR`, which speaks against it.
    fn evidence(x: f32, y: f32) -> bool {
        let from_centre = ((x - 64.0).powi(2) + (y - 56.0).powi(2)).sqrt();
        (12.0..20.0).contains(&from_centre)
    }

    const DISTRACTOR: BBox = BBox { x1: 110.0, y1: 90.0, x2: 150.0, y2: 120.0 };

    fn map_of(value: impl Fn(f32, f32) -> f32) -> Array2<f32> {
        Array2::from_shape_fn((SIZE.height as usize, SIZE.width as usize), |(row, column)| {
            value(column as f32 + 0.5, row as f32 + 0.5)
        })
    }

    /// `map` with the mean of so many pixels to each side.
    fn blurred(map: &Array2<f32>, reach: usize) -> Array2<f32> {
        let (rows, columns) = map.dim();
        Array2::from_shape_fn(map.dim(), |(row, column)| {
            let near = |at: usize, most: usize| at.saturating_sub(reach)..(at + reach + 1).min(most);
            let values = near(row, rows).flat_map(|y| near(column, columns).map(move |x| map[[y, x]]));
            values.sum::<f32>() / ((2 * reach + 1) * (2 * reach + 1)) as f32
        })
    }

    /// The score of a changed picture: the share of the evidence that is as it was, less a third of the share of the distractor
    /// that is.
    fn score(whole: &[f32], picture: &Tensor) -> f32 {
        let changed = values(picture).unwrap();
        let pixels = (SIZE.width * SIZE.height) as usize;
        let (mut kept, mut evident, mut against, mut distracting) = (0.0f32, 0.0f32, 0.0f32, 0.0f32);
        for pixel in 0..pixels {
            let (x, y) = ((pixel % 160) as f32 + 0.5, (pixel / 160) as f32 + 0.5);
            let same = (0..3).all(|channel| changed[channel * pixels + pixel] == whole[channel * pixels + pixel]);
            let same = f32::from(u8::from(same));
            if evidence(x, y) {
                (kept, evident) = (kept + same, evident + 1.0);
            } else if DISTRACTOR.x1 < x && x < DISTRACTOR.x2 && DISTRACTOR.y1 < y && y < DISTRACTOR.y2 {
                (against, distracting) = (against + same, distracting + 1.0);
            }
        }
        (kept / evident - against / distracting / 3.0).max(0.0)
    }

    fn verdicts(maps: Vec<Array2<f32>>, options: &VerifyOptions) -> Vec<Verdict> {
        tch::manual_seed(1);
        let input = Tensor::rand([1, 3, SIZE.height.into(), SIZE.width.into()], (Kind::Float, Device::Cpu));
        let whole = values(&input).unwrap();
        let untouched = score(&whole, &input);
        let subjects: Vec<Subject> = maps.into_iter().map(|map| Subject::new(map, Some(&B), untouched)).collect();
        let score = |canvas: &Canvas, changed: &[Changed]| {
            assert_eq!(changed.len(), subjects.len() * options.passes());
            changed.iter().map(|changed| Ok(score(&whole, &canvas.picture(changed)?))).collect()
        };
        judged(&input, &subjects, options, 2, score).unwrap()
    }

    #[test]
    fn words_are_right_where_the_evidence_is_known() {
        let perfect = map_of(|x, y| f32::from(u8::from(evidence(x, y))));
        let slightly = blurred(&perfect, 2);
        let wholly = blurred(&blurred(&perfect, 16), 16);
        let shifted = map_of(|x, y| f32::from(u8::from(evidence(x - 70.0, y + 30.0))));
        let inverted = perfect.mapv(|value| 1.0 - value);
        let against = map_of(|x, y| f32::from(u8::from(DISTRACTOR.x1 < x && x < DISTRACTOR.x2 && DISTRACTOR.y1 < y)));
        let gaussian = gaussian_map(SIZE, &B);
        for steps in [4, 12] {
            let options = VerifyOptions::default().with_steps(steps);
            let maps = [&perfect, &slightly, &wholly, &gaussian, &shifted, &inverted, &against].map(Array2::clone);
            let found = verdicts(maps.to_vec(), &options);
            let words: Vec<Word> = found.iter().map(|verdict| verdict.word).collect();
            let [yes, blob, no] = Word::ALL;
            assert_eq!(words, [yes, yes, blob, blob, no, no, no], "{steps} steps: {found:#?}");
            assert!(found[1].mean.own > found[2].mean.own + 0.3, "{found:#?}");
            assert!(found[6].mean.left > 1.0 && found[6].tiles.left > 1.0, "the distractor is gone: {found:#?}");
            assert_eq!(found[3].mean.gain(), 0.0);
        }
    }

    #[test]
    fn boxes_do_not_know_of_each_other_and_the_seed_decides() {
        let perfect = map_of(|x, y| f32::from(u8::from(evidence(x, y))));
        let other = map_of(|x, y| (x + y) / 300.0);
        let options = VerifyOptions::default().with_steps(2);
        let both = verdicts(vec![perfect.clone(), other.clone()], &options);
        assert_eq!(both[0], verdicts(vec![perfect.clone()], &options)[0]);
        assert_eq!(both[1], verdicts(vec![other], &options)[0]);
        assert_ne!(both[0], verdicts(vec![perfect], &options.with_seed(1))[0]);
    }

    #[test]
    fn amounts_go_by_the_area_of_the_box_and_leave_something_of_the_picture() {
        assert_eq!(amounts(800.0, 1e6, 6), [100, 200, 400, 800, 1600, 3200]);
        assert_eq!(nearest(&amounts(800.0, 1e6, 6), 800.0, 1e6), 3);
        let whole = amounts(9000.0, 1e4, 6);
        assert_eq!((whole[3], nearest(&whole, 9000.0, 1e4)), (3852, 3), "not the largest");
        assert_eq!(amounts(800.0, 800.0, 2), [100, 700]);
        assert_eq!(amounts(800.0, 1e6, 1), [566]);
        assert_eq!(amounts(1.0, 1e6, 2), [1, 4]);
        for area in [1.0, 7.0, 300.0, 9999.0, 10000.0] {
            let all = amounts(area, 1e4, 500);
            assert!(all.is_sorted() && all[0] >= 1 && all[499] < 10000, "{area}: {all:?}");
        }
    }

    #[test]
    fn passes_are_two_maps_under_two_fills_and_four_of_a_random_one() {
        for (steps, passes) in [(0, 12), (1, 12), (2, 12), (3, 12), (12, 52), (1000, 4004)] {
            assert_eq!(VerifyOptions::default().with_steps(steps).passes(), passes, "{steps}");
        }
    }
}
