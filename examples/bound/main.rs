//! How good could a map of a box be at all? A greedy search with thousands of forward passes, and the best Gaussian, beside the
//! method `best` and the Gaussian on the box, under three protocols. docs/evaluation.md has what it found.
//!
//!     cargo run --release --example bound -- weights/yolov5s.torchscript 2000 2 images/dog.jpg images/horses.jpg
//!
//! It explains the two most confident boxes of each picture, with 2000 passes for the search of each.

mod search;

use std::{
    env,
    io::{self, Write},
    path::Path,
    process::ExitCode,
    thread,
};

use anyhow::{Context, bail};
use ndarray::Array2;
use yolo_cam::{
    Error, ExplainOptions, Model, Precision, Result,
    detect::{Likeness, Tracker},
    eval::{Crew, CurveOptions, Curves, Fill, Protocol, bootstrap, curves, gaussian_map},
    explain::{explain_with_outputs, methods, unwatched},
    geometry::{BBox, Size},
    picture,
    tch::{Device, Tensor},
};

/// What takes the place of pixels during the searches: no protocol has these.
const FILLS: [Fill; 2] = [Fill::Mean, Fill::Tiles];

/// Regions along each side of the box; there are half as many again with its surroundings.
const CELLS: usize = 6;

/// The area searched: the sides of the box, times this.
const REACH: f32 = 1.5;

/// Shares of the box's area at which a Gaussian is measured while it is fitted.
const AMOUNTS: [f64; 5] = [0.125, 0.3, 0.7, 1.5, 3.0];

const USAGE: &str = "usage: bound MODEL PASSES BOXES PICTURE...; PASSES and BOXES are numbers";

/// Steps of each protocol.
const STEPS: usize = 25;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody may be there to read it.
            _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [model, passes, boxes, pictures @ ..] = arguments.as_slice() else { bail!(USAGE) };
    let (Ok(passes), Ok(boxes), [_, ..]) = (passes.parse(), boxes.parse(), pictures) else { bail!(USAGE) };
    let model = Model::load(model, Device::Cpu)?;
    let mut crew = Crew::new(&model, threads())?;
    let mut options = ExplainOptions::default().with_method(methods::BEST);
    options.detect.max_det = Some(boxes);
    let names = ["search", "best", "fitted Gaussian"];
    println!("insertion - deletion: of the Gaussian on the box, then how far each other map is above it");
    // Of each map and protocol the differences of all boxes.
    let mut differences = vec![vec![Vec::new(); Protocol::ALL.len()]; names.len()];
    for path in pictures {
        let (explanation, outputs) =
            explain_with_outputs(&model, &picture::read(Path::new(path))?, &options, &mut unwatched)?;
        let input = explanation.letterbox.tensor(Device::Cpu)?;
        let size = explanation.letterbox.map.input;
        for explained in &explanation.boxes {
            let detection = &explained.detection;
            let b = detection.box_input.context("the model gives no boxes; expected a detector")?;
            let tracker = Tracker::new(&model, std::slice::from_ref(detection), &outputs, Likeness::SameClass)?;
            let mut studio = Studio { crew: &mut crew, tracker, canvas: Canvas::new(&input)?, passes: 0 };
            let found = studio.searched(size, &b, passes)?;
            let searched_with = std::mem::take(&mut studio.passes);
            let fitted = studio.fitted(size, &b)?;
            println!(
                "{path}: {} {:.2}, {searched_with} passes to search, {} to fit",
                model.names()[detection.class_id],
                detection.confidence,
                studio.passes
            );
            let maps = [found, explained.heatmap.normalized(size)?, fitted, gaussian_map(size, &b)];
            for (index, protocol) in Protocol::ALL.into_iter().enumerate() {
                let curve_options = CurveOptions::default().with_protocol(protocol).with_steps(Some(STEPS));
                let maps: Vec<_> = maps.iter().map(|map| (0, map)).collect();
                let detections = std::slice::from_ref(detection);
                let measured = curves(&mut crew, &input, detections, &maps, &curve_options, &mut unwatched)?;
                let gains: Vec<f64> = measured.iter().map(Curves::overall).collect();
                print!("  {:<6} {:.3}", protocol.name(), gains[names.len()]);
                for (name, (differences, gain)) in names.iter().zip(differences.iter_mut().zip(&gains)) {
                    let difference = gain - gains[names.len()];
                    differences[index].push(difference);
                    print!("   {name} {difference:+.3}");
                }
                println!();
            }
        }
    }
    println!("\nmean difference to the Gaussian on the box [95 %]");
    for (name, differences) in names.iter().zip(&differences) {
        print!("{name:<16}");
        for (protocol, values) in Protocol::ALL.into_iter().zip(differences) {
            let mean = bootstrap(values, 0)
                .context("nothing was detected in the pictures; expected some that the model finds something in")?;
            print!("   {} {:+.3} [{:+.3}, {:+.3}]", protocol.name(), mean.mean, mean.low, mean.high);
        }
        println!();
    }
    Ok(())
}

/// One box, whose picture can be changed.
struct Studio<'a> {
    crew: &'a mut Crew,
    tracker: Tracker<'a>,
    canvas: Canvas,
    /// How often the network has run.
    passes: usize,
}

/// What pictures are made of: each `[1, 3, H, W]` in 0..1.
struct Canvas {
    input: Tensor,
    /// Nothing but fill.
    fills: Vec<Tensor>,
}

impl Canvas {
    fn new(input: &Tensor) -> Result<Self> {
        let fills = FILLS.iter().map(|fill| fill.picture(input, 1)).collect::<Result<_>>()?;
        Ok(Self { input: input.shallow_clone(), fills })
    }

    /// The same for another thread.
    fn shared(&self) -> Self {
        Self { input: self.input.shallow_clone(), fills: self.fills.iter().map(Tensor::shallow_clone).collect() }
    }

    /// The score of the box if only the pixels of `mask`, `[H, W]` of 0 and 1, are there, less that if only they are gone: the mean
    /// over the fills.
    fn worth(&self, model: &Model, tracker: &Tracker, mask: &Array2<f32>) -> Result<f64> {
        let (height, width) = mask.dim();
        let mask = Tensor::try_from(mask)?.f_view([1, 1, height as i64, width as i64])?;
        let mut total = 0.0;
        for fill in &self.fills {
            let change = (&self.input - fill) * &mask;
            for (sign, picture) in [(1.0, fill + &change), (-1.0, &self.input - &change)] {
                let outputs = model.forward_boxes_in(&picture, precision())?;
                total += sign * f64::from(tracker.scores(&outputs)?[0][0]);
            }
        }
        Ok(total / self.fills.len() as f64)
    }
}

impl Studio<'_> {
    /// What the mask of each of `items` is worth.
    fn worths<T: Sync>(&mut self, items: &[T], mask: impl Fn(&T) -> Array2<f32> + Sync) -> Result<Vec<f64>> {
        self.passes += items.len() * 2 * FILLS.len();
        let tracker = &self.tracker;
        let work = |model: &Model, canvas: &Canvas, item: &T| canvas.worth(model, tracker, &mask(item));
        self.crew.run(items.iter().collect(), || self.canvas.shared(), work, |_| Ok(()))
    }

    /// The map that a greedy search of regions finds: cells of the box and its surroundings, the first highest. Within a cell, and
    /// outside them all, the Gaussian of the box decides.
    fn searched(&mut self, size: Size, b: &BBox, passes: usize) -> Result<Array2<f32>> {
        let cells = cells(size, b);
        let count = cells.iter().max().map_or(0, |&most| (most + 1) as usize);
        let order = search::greedy(count, passes / (2 * FILLS.len()), |sets| {
            self.worths(sets, |set| {
                // What is outside all cells is in no set.
                let is_in = |&cell: &i32| usize::try_from(cell).is_ok_and(|cell| set[cell]);
                cells.map(|cell| f32::from(is_in(cell)))
            })
        })?;
        let mut heights = vec![0.0; count];
        order.iter().zip((1..=count).rev()).for_each(|(&region, height)| heights[region] = height as f32);
        let mut map = gaussian_map(size, b) * 0.99;
        map.zip_mut_with(&cells, |value, &cell| *value += usize::try_from(cell).map_or(0.0, |cell| heights[cell]));
        Ok(map)
    }

    /// The Gaussian that ranks pixels best, by its centre and its width along each axis.
    fn fitted(&mut self, size: Size, b: &BBox) -> Result<Array2<f32>> {
        let area = f64::from(b.clipped(size).area());
        let best = search::climb([0.0; 4], [0.2, 0.2, 0.4, 0.4], 1, |shapes| {
            let tried: Vec<_> = shapes.iter().flat_map(|shape| AMOUNTS.map(|amount| (shape, amount))).collect();
            let worths = self.worths(&tried, |(shape, amount)| {
                let map = gaussian_map(size, &reshaped(b, shape));
                let mut values: Vec<f32> = map.iter().copied().collect();
                let last = ((area * amount) as usize).min(values.len() * 7 / 8);
                let (_, &mut least, _) = values.select_nth_unstable_by(last, |a, b| b.total_cmp(a));
                map.mapv(|value| f32::from(value > least))
            })?;
            Ok::<_, Error>(worths.chunks(AMOUNTS.len()).map(|worths| worths.iter().sum()).collect())
        })?;
        Ok(gaussian_map(size, &reshaped(b, &best)))
    }
}

/// In which the network runs during the searches; what they find is measured in f32.
fn precision() -> Precision {
    if Precision::Bf16.is_native(Device::Cpu) { Precision::Bf16 } else { Precision::F32 }
}

fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// The box, moved by shares of its sides, which are then multiplied by powers of e.
fn reshaped(b: &BBox, [right, down, wider, higher]: &[f32; 4]) -> BBox {
    let (width, height) = (b.x2 - b.x1, b.y2 - b.y1);
    let (x, y) = (f32::midpoint(b.x1, b.x2) + right * width, f32::midpoint(b.y1, b.y2) + down * height);
    let (half_width, half_height) = (width / 2.0 * wider.exp(), height / 2.0 * higher.exp());
    BBox { x1: x - half_width, y1: y - half_height, x2: x + half_width, y2: y + half_height }
}

/// The number of the cell of each pixel, from 0, none left out; -1 outside.
fn cells(size: Size, b: &BBox) -> Array2<i32> {
    let enlarged = reshaped(b, &[0.0, 0.0, REACH.ln(), REACH.ln()]);
    let along = (CELLS as f32 * REACH).round() as i32;
    let mut numbers = vec![-1; (along * along) as usize];
    let mut count = 0;
    Array2::from_shape_fn((size.height as usize, size.width as usize), |(row, column)| {
        let x = (column as f32 + 0.5 - enlarged.x1) / (enlarged.x2 - enlarged.x1);
        let y = (row as f32 + 0.5 - enlarged.y1) / (enlarged.y2 - enlarged.y1);
        if !(0.0..1.0).contains(&x) || !(0.0..1.0).contains(&y) {
            return -1;
        }
        let cell = (y * along as f32) as i32 * along + (x * along as f32) as i32;
        let number = &mut numbers[cell as usize];
        if *number < 0 {
            *number = count;
            count += 1;
        }
        *number
    })
}
