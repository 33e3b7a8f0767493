//! The shape of what a map lights up, in numbers: contour, convex hull, moments, Fourier descriptors.
//!
//! Coordinates are continuous: the pixel in column c and row r covers c to c + 1 and r to r + 1, as boxes do.

mod compare;
mod fourier;
mod hull;
mod legend;
mod picture;
mod plot;
mod read;
mod region;

use ndarray::{Array2, ArrayView2};
use serde::Serialize;

pub(crate) use self::read::read_heat;
pub use self::{
    compare::{Comparison, compare},
    fourier::{Fourier, RebuildError, SAMPLES},
    hull::{Point, convex_hull, perimeter, signed_area},
    picture::{Figure, draw_hull, draw_shape, draw_shapes},
    read::{read_map, read_points},
    region::Threshold,
};
use crate::{detect::Mask, geometry::BBox};

/// How a shape is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct ShapeOptions {
    /// Default: half of the maximum.
    pub threshold: Threshold,
    /// How many Fourier descriptors. Default: 10.
    pub descriptors: usize,
    /// From how many positive and negative frequencies the contour is rebuilt. Default: 8.
    pub reconstruct: usize,
    /// How many frequencies are plotted. Default: 50.
    pub spectrum: usize,
}

with_fields!(ShapeOptions {
    with_threshold => threshold: Threshold,
    with_descriptors => descriptors: usize,
    with_reconstruct => reconstruct: usize,
    with_spectrum => spectrum: usize,
});

impl Default for ShapeOptions {
    fn default() -> Self {
        Self { threshold: Threshold::Share(0.5), descriptors: 10, reconstruct: 8, spectrum: 50 }
    }
}

/// The largest region that a map lights up. In pixels of the map.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// Its numbers.
    pub numbers: ShapeNumbers,
    /// The centres of its outermost pixels, in order.
    pub contour: Vec<Point>,
    /// Corners of the convex hull of its pixels as unit squares.
    pub hull: Vec<Point>,
    /// The Fourier series of the contour, or why it has none.
    pub fourier: Result<Fourier, String>,
    /// Which pixels of the map belong to it.
    pub mask: Array2<bool>,
}

/// The numbers of a region. Lengths in pixels, areas in square pixels.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShapeNumbers {
    /// The share of the map's maximum from which on it is lit.
    pub threshold: f32,
    /// How many other regions are lit.
    pub others: usize,
    /// The number of its pixels, without holes.
    pub area: usize,
    /// Length of the polygon through the centres of its outermost pixels.
    pub perimeter: f64,
    /// Mean of its pixels' centres.
    pub centroid: Point,
    /// The box around its pixels.
    pub bounding_box: BBox,
    /// Direction of the longer axis, in degrees from the x axis towards the y axis (down), above -90 to 90.
    pub orientation: f64,
    /// Full length of the longer axis of the ellipse with the same second moments.
    pub major_axis: f64,
    /// Full length of the shorter.
    pub minor_axis: f64,
    /// Area of the convex hull.
    pub hull_area: f64,
    /// Area ÷ hull area, 0 to 1.
    pub solidity: f64,
    /// 4π·area ÷ perimeter² of the polygon through the outermost pixels: 1 for a circle, up to the steps of its pixels, which make it 0.9.
    pub circularity: f64,
    /// Share of its pixels inside the box, 0 to 1; `None` without a box.
    pub inside_box: Option<f64>,
    /// IoU of the region with the box, 0 to 1; `None` without a box.
    pub box_iou: Option<f64>,
    /// Share of its pixels inside the detection's mask, 0 to 1; `None` without a mask.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inside_mask: Option<f64>,
    /// IoU of the region with that mask, 0 to 1; `None` without a mask.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask_iou: Option<f64>,
    /// |u_k| ÷ |u_1| for k from 1; empty if there are none.
    pub descriptors: Vec<f64>,
    /// How far the contour, rebuilt from the lowest frequencies, is from the contour; `None` if there are no descriptors.
    pub rebuild_error: Option<RebuildError>,
    /// Why there are no descriptors, if so.
    pub degenerate: Option<String>,
}

impl Shape {
    /// With the share of the region inside `mask`, and its IoU with it. `mask`: in pixels of the map.
    #[must_use]
    pub fn compared_to(mut self, mask: &Mask) -> Self {
        let lit = self.mask.indexed_iter().filter(|(_, lit)| **lit);
        let shared = lit.filter(|((y, x), _)| mask.contains(*x as u32, *y as u32)).count() as f64;
        let area = self.numbers.area as f64;
        self.numbers.inside_mask = Some(shared / area);
        self.numbers.mask_iou = Some(shared / (area + mask.area() as f64 - shared));
        self
    }
}

/// Measures the largest region that `map` lights up. `map`: `[H, W]` ≥ 0; `b`: the detection's box in pixels of the map, if there is one.
///
/// # Errors
/// In words, if the map lights up nothing: it is empty, all zero, or not finite.
pub fn shape(map: ArrayView2<f32>, b: Option<&BBox>, options: &ShapeOptions) -> Result<Shape, String> {
    if map.iter().any(|value| !value.is_finite()) {
        return Err("the map has infinite or undefined values".into());
    }
    let most = map.iter().copied().fold(0.0, f32::max);
    if most <= 0.0 {
        return Err("the map lights up nothing: no value is above zero".into());
    }
    let share = region::share(map, options.threshold);
    shape_of(&map.mapv(|value| value > 0.0 && value >= share * most), share, b, options)
}

/// The same of a mask.
///
/// # Errors
/// In words, if nothing of it is set.
pub fn shape_of_mask(mask: &Array2<bool>, b: Option<&BBox>, options: &ShapeOptions) -> Result<Shape, String> {
    shape_of(mask, 1.0, b, options)
}

fn shape_of(mask: &Array2<bool>, share: f32, b: Option<&BBox>, options: &ShapeOptions) -> Result<Shape, String> {
    let region = region::largest(mask).ok_or("the map lights up nothing")?;
    let corners: Vec<Point> = region
        .contour
        .iter()
        .flat_map(|&[x, y]| [[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]].map(|[dx, dy]| [x + dx, y + dy]))
        .collect();
    let hull = convex_hull(&corners);
    let fourier = Fourier::of_pixels(&region.contour);
    let numbers = numbers(&region, share, &hull, &fourier, b, options);
    let mut mask = Array2::from_elem(mask.dim(), false);
    for &(x, y) in &region.pixels {
        mask[[y as usize, x as usize]] = true;
    }
    Ok(Shape { numbers, contour: region.contour, hull, fourier, mask })
}

fn numbers(
    region: &region::Region,
    threshold: f32,
    hull: &[Point],
    fourier: &Result<Fourier, String>,
    b: Option<&BBox>,
    options: &ShapeOptions,
) -> ShapeNumbers {
    let area = region.pixels.len();
    let moments = region::moments(&region.pixels);
    let perimeter = perimeter(&region.contour);
    let enclosed = signed_area(&region.contour).abs();
    let hull_area = signed_area(hull);
    let range = |axis: usize| {
        let sides = hull.iter().map(|corner| corner[axis]);
        (sides.clone().fold(f64::INFINITY, f64::min) as f32, sides.fold(f64::NEG_INFINITY, f64::max) as f32)
    };
    let ((x1, x2), (y1, y2)) = (range(0), range(1));
    let shared = b.map(|b| region::inside(&region.pixels, b) as f64);
    ShapeNumbers {
        threshold,
        others: region.others,
        area,
        perimeter,
        centroid: moments.centroid,
        bounding_box: BBox { x1, y1, x2, y2 },
        orientation: moments.orientation,
        major_axis: moments.axes[0],
        minor_axis: moments.axes[1],
        hull_area,
        solidity: area as f64 / hull_area,
        circularity: if perimeter > 0.0 { 4.0 * std::f64::consts::PI * enclosed / perimeter.powi(2) } else { 0.0 },
        inside_box: shared.map(|shared| shared / area as f64),
        box_iou: shared.zip(b).map(|(shared, b)| shared / (area as f64 + f64::from(b.area()) - shared)),
        inside_mask: None,
        mask_iou: None,
        descriptors: fourier.as_ref().map(|series| series.descriptors(options.descriptors)).unwrap_or_default(),
        rebuild_error: fourier.as_ref().ok().map(|series| series.rebuild_error(options.reconstruct)),
        degenerate: fourier.as_ref().err().cloned(),
    }
}

#[cfg(test)]
mod tests;
