//! Fourier descriptors of a closed contour.
//!
//! The contour is a function z = x + iy of the way along it, and its Fourier coefficients describe its shape: u_0 is where it
//! is, u_1 the circle that suits it best, the others what makes it no circle (Granlund, IEEE Transactions on Computers 21, 1972; Zahn
//! and Roskies, ibid.).

use rustfft::{FftPlanner, num_complex::Complex64};
use serde::Serialize;

use super::hull::{Point, distance, edges, perimeter, signed_area};

/// How many points of the contour are taken, evenly by way.
pub const SAMPLES: usize = 512;

/// How many neighbours on each side tell the direction of a contour of pixels. Fewer leave steps in it, more round its corners.
const SMOOTHING: usize = 3;

/// Below this share of the contour's length |u_1| is rounding.
const GUARD: f64 = 1e-9;

/// The Fourier series of a contour.
#[derive(Debug, Clone, PartialEq)]
pub struct Fourier {
    /// The contour, evenly by way: `SAMPLES` points.
    samples: Vec<Complex64>,
    /// u_k at index k, u_-k at index `SAMPLES` - k, in pixels.
    coefficients: Vec<Complex64>,
}

/// How far a rebuilt contour is from the contour.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RebuildError {
    /// The mean distance of points with the same share of the way behind them, in pixels.
    pub mean: f64,
    /// The root of the mean of these distances' squares: it falls with every frequency (Parseval).
    pub root_mean_square: f64,
    /// The Hausdorff distance, in pixels: the largest that any point of one of them is from the other.
    pub hausdorff: f64,
}

impl Fourier {
    /// The series of a closed polygon, in either direction, from any of its points.
    ///
    /// # Errors
    /// In words, if it has fewer than three points, or no |u_1|.
    pub fn new(polygon: &[Point]) -> Result<Self, String> {
        let lengths: Vec<f64> = edges(polygon).map(|(a, b)| distance(a, b)).collect();
        Self::along(polygon, &lengths)
    }

    /// The series of the outline of a region, from the centres of its outermost pixels, from one neighbour to the next.
    ///
    /// Two corrections make it that of the region whatever its size and direction. The steps of pixels are up to 8 % longer than the
    /// line that they stand for, depending on its direction: of each step only the part along the line counts. The centres are
    /// half a pixel inside of the outline: they are moved outwards by as much.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn of_pixels(contour: &[Point]) -> Result<Self, String> {
        let smoothed = smoothed(contour, SMOOTHING.min(contour.len() / 8));
        let lengths = step_lengths(contour, &smoothed);
        Self::along(&moved_outwards(contour, &smoothed, 0.5), &lengths)
    }

    /// `lengths`: of the way from each point to the next.
    fn along(contour: &[Point], lengths: &[f64]) -> Result<Self, String> {
        if contour.len() < 3 {
            return Err(format!("the contour has {} points; descriptors need at least 3", contour.len()));
        }
        let mut samples = resampled(contour, lengths, SAMPLES);
        if signed_area(contour) < 0.0 {
            samples.reverse();
        }
        let samples: Vec<Complex64> = samples.into_iter().map(|[x, y]| Complex64::new(x, y)).collect();
        let mut coefficients = samples.clone();
        FftPlanner::new().plan_fft_forward(SAMPLES).process(&mut coefficients);
        for coefficient in &mut coefficients {
            *coefficient /= SAMPLES as f64;
        }
        if coefficients[1].norm() <= GUARD * perimeter(contour) {
            return Err("the contour encloses nothing: its |u_1| is zero".into());
        }
        Ok(Self { samples, coefficients })
    }

    /// |u_k| / |u_1| for k = 1 … `count`, at most half of [`SAMPLES`]: the same wherever the contour is, however large and turned it is,
    /// and wherever it begins. The first is 1.
    pub fn descriptors(&self, count: usize) -> Vec<f64> {
        let first = self.coefficients[1].norm();
        self.coefficients[1..].iter().take(count.min(SAMPLES / 2)).map(|u| u.norm() / first).collect()
    }

    /// The contour rebuilt from its `order` lowest positive and as many negative frequencies, and the constant: [`SAMPLES`] points.
    pub fn rebuilt(&self, order: usize) -> Vec<Point> {
        let keeps = |index: usize| index.min(SAMPLES - index) <= order;
        let mut kept: Vec<Complex64> = (0..SAMPLES)
            .map(|index| if keeps(index) { self.coefficients[index] } else { Complex64::default() })
            .collect();
        FftPlanner::new().plan_fft_inverse(SAMPLES).process(&mut kept);
        kept.into_iter().map(|z| [z.re, z.im]).collect()
    }

    /// How far [`rebuilt`](Self::rebuilt) is from the contour.
    pub fn rebuild_error(&self, order: usize) -> RebuildError {
        let contour: Vec<Point> = self.samples.iter().map(|z| [z.re, z.im]).collect();
        let rebuilt = self.rebuilt(order);
        let distances = || contour.iter().zip(&rebuilt).map(|(&a, &b)| distance(a, b));
        let mean = distances().sum::<f64>() / SAMPLES as f64;
        let square = distances().map(|distance| distance * distance).sum::<f64>() / SAMPLES as f64;
        RebuildError { mean, root_mean_square: square.sqrt(), hausdorff: hausdorff(&contour, &rebuilt) }
    }
}

/// The mean of each point of a closed contour with `reach` neighbours on both sides.
fn smoothed(contour: &[Point], reach: usize) -> Vec<Point> {
    let count = contour.len();
    let mean = |index: usize| {
        let window = (0..=2 * reach).map(|offset| contour[(index + count + offset - reach) % count]);
        let sum = window.fold([0.0, 0.0], |sum, point| [sum[0] + point[0], sum[1] + point[1]]);
        sum.map(|side| side / (2 * reach + 1) as f64)
    };
    (0..count).map(mean).collect()
}

/// What each step of a contour of pixels adds to the length of the line that it stands for: the part of it that goes in the
/// direction that `smoothed` has there.
fn step_lengths(contour: &[Point], smoothed: &[Point]) -> Vec<f64> {
    let step = |((a, b), (from, to)): ((Point, Point), (Point, Point))| {
        let length = distance(from, to);
        if length == 0.0 {
            return distance(a, b);
        }
        (((b[0] - a[0]) * (to[0] - from[0]) + (b[1] - a[1]) * (to[1] - from[1])) / length).max(0.0)
    };
    edges(contour).zip(edges(smoothed)).map(step).collect()
}

/// The points of a closed contour moved away from its inside, in the direction that `smoothed` has there.
fn moved_outwards(contour: &[Point], smoothed: &[Point], by: f64) -> Vec<Point> {
    let count = contour.len();
    let by = by.copysign(signed_area(contour));
    let place = |index: usize| {
        let (before, after) = (smoothed[(index + count - 1) % count], smoothed[(index + 1) % count]);
        let length = distance(before, after);
        // Where a line turns back there is no side.
        if length == 0.0 {
            return contour[index];
        }
        let normal = [(after[1] - before[1]) / length, (before[0] - after[0]) / length];
        [contour[index][0] + by * normal[0], contour[index][1] + by * normal[1]]
    };
    (0..count).map(place).collect()
}

/// `count` points of a closed polygon with edges that count as `lengths`, evenly by way, beginning at its first.
fn resampled(polygon: &[Point], lengths: &[f64], count: usize) -> Vec<Point> {
    let step = lengths.iter().sum::<f64>() / count as f64;
    let mut samples = Vec::with_capacity(count);
    // Length of the way before the edge.
    let mut before = 0.0;
    for ((a, b), &length) in edges(polygon).zip(lengths) {
        while samples.len() < count && samples.len() as f64 * step <= before + length {
            let share = if length > 0.0 { (samples.len() as f64 * step - before) / length } else { 0.0 };
            samples.push([a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share]);
        }
        before += length;
    }
    // Rounding may leave out the last.
    samples.resize(count, polygon[0]);
    samples
}

fn hausdorff(a: &[Point], b: &[Point]) -> f64 {
    let square = |a: Point, b: Point| (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2);
    let to_nearest =
        |point: Point, others: &[Point]| others.iter().map(|&other| square(point, other)).fold(f64::INFINITY, f64::min);
    let directed = |from: &[Point], to: &[Point]| from.iter().map(|&point| to_nearest(point, to)).fold(0.0, f64::max);
    directed(a, b).max(directed(b, a)).sqrt()
}
