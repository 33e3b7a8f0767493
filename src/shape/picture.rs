//! Shapes as pictures.

use image::{Rgb, RgbImage};
use imageproc::drawing::draw_line_segment_mut;

use super::{Fourier, Point, Shape, ShapeOptions, convex_hull, hull::edges, legend, plot};
use crate::{geometry::BBox, picture::paste};

const CONTOUR: Rgb<u8> = Rgb([0, 200, 0]);
const HULL: Rgb<u8> = Rgb([255, 220, 0]);
const HULL_ON_PAPER: Rgb<u8> = Rgb([230, 159, 0]);
const REBUILT: Rgb<u8> = Rgb([255, 0, 0]);
const POINT: Rgb<u8> = Rgb([0, 114, 178]);
const PAPER: Rgb<u8> = Rgb([255, 255, 255]);

const BOX: Rgb<u8> = Rgb([86, 180, 233]);

/// Longest side of a picture of points without its axes, and the space around the points, in pixels.
const POINTS_SIDE: f64 = 600.0;
const MARGIN: f64 = 20.0;

/// A shape that is to be drawn.
#[derive(Debug, Clone)]
pub struct Figure<'a> {
    /// The shape.
    pub shape: &'a Shape,
    /// What it is called.
    pub title: String,
    /// The box of which it is the evidence, in pixels of the map, if there is one.
    pub b: Option<BBox>,
}

/// `picture` with the hull (yellow), the contour (green), the contour rebuilt from few frequencies (red) and the box (blue) of a
/// shape, a legend below, and beside it the bar plot of its spectrum under its title. `picture` has the size of the map.
pub fn draw_shape(picture: &RgbImage, figure: &Figure, options: &ShapeOptions) -> RgbImage {
    let Figure { shape, title, b } = figure;
    let mut drawn = picture.clone();
    let mut legend = vec![(CONTOUR, "contour".to_owned()), (HULL, "convex hull".to_owned())];
    if let Some(b) = b {
        let [x1, y1, x2, y2] = <[f32; 4]>::from(*b).map(f64::from);
        outline(&mut drawn, &[[x1, y1], [x2, y1], [x2, y2], [x1, y2]], BOX, 2);
        legend.push((BOX, "box".to_owned()));
    }
    outline(&mut drawn, &shape.hull, HULL, 2);
    outline(&mut drawn, &shape.contour, CONTOUR, 3);
    let Ok(fourier) = &shape.fourier else { return legend::below(&drawn, &legend) };
    outline(&mut drawn, &fourier.rebuilt(options.reconstruct), REBUILT, 1);
    legend.push((REBUILT, format!("contour from {} frequencies", options.reconstruct)));
    beside(&legend::below(&drawn, &legend), fourier, title, options)
}

/// The pictures of several shapes with their titles below each other.
pub fn draw_shapes(picture: &RgbImage, figures: &[Figure], options: &ShapeOptions) -> RgbImage {
    let drawn: Vec<RgbImage> = figures.iter().map(|figure| draw_shape(picture, figure, options)).collect();
    let width = drawn.iter().map(RgbImage::width).max().unwrap_or(0);
    let height = drawn.iter().map(RgbImage::height).sum();
    let mut all = RgbImage::from_pixel(width, height, PAPER);
    let mut top = 0;
    for one in &drawn {
        paste(&mut all, one, (0, top));
        top += one.height();
    }
    all
}

/// Points (blue) with their convex hull (orange), scaled to fit, between axes in the units of the points: x to the right, y
/// down.
pub fn draw_hull(points: &[Point]) -> RgbImage {
    let range = |axis: usize| {
        let sides = points.iter().map(|point| point[axis]).filter(|side| side.is_finite());
        let (least, most) =
            sides.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), side| (least.min(side), most.max(side)));
        if least <= most { (least, most) } else { (0.0, 0.0) }
    };
    let ((x1, x2), (y1, y2)) = (range(0), range(1));
    let longest = (x2 - x1).max(y2 - y1);
    let scale = if longest > 0.0 { (POINTS_SIDE - 2.0 * MARGIN) / longest } else { 1.0 };
    let side = |length: f64| (length * scale + 2.0 * MARGIN).ceil() as u32;
    let mut drawn = RgbImage::from_pixel(side(x2 - x1), side(y2 - y1), PAPER);
    let place = |[x, y]: Point| [(x - x1) * scale + MARGIN, (y - y1) * scale + MARGIN];
    outline(&mut drawn, &convex_hull(points).into_iter().map(place).collect::<Vec<_>>(), HULL_ON_PAPER, 2);
    for [x, y] in points.iter().copied().map(place) {
        if x.is_finite() && y.is_finite() {
            imageproc::drawing::draw_filled_circle_mut(&mut drawn, (x as i32, y as i32), 3, POINT);
        }
    }
    let drawn = plot::with_axes(&drawn, [x1, y1], scale, MARGIN);
    legend::below(&drawn, &[(POINT, "points".to_owned()), (HULL_ON_PAPER, "convex hull".to_owned())])
}

/// Draws a closed polygon with lines of `thickness` pixels.
fn outline(picture: &mut RgbImage, polygon: &[Point], color: Rgb<u8>, thickness: i32) {
    // A coordinate is that of a pixel's edge. Segments may reach beyond the picture: what does is left out.
    let pixel = |[x, y]: Point| ((x - 0.5).round() as f32, (y - 0.5).round() as f32);
    let before = (thickness - 1) / 2;
    let offsets = -before..thickness - before;
    for (dx, dy) in offsets.clone().flat_map(|dx| offsets.clone().map(move |dy| (dx as f32, dy as f32))) {
        for (a, b) in edges(polygon).map(|(a, b)| (pixel(a), pixel(b))) {
            draw_line_segment_mut(picture, (a.0 + dx, a.1 + dy), (b.0 + dx, b.1 + dy), color);
        }
    }
}

/// The plot as high as the picture, and in the proportions of a slide.
fn beside(picture: &RgbImage, fourier: &Fourier, title: &str, options: &ShapeOptions) -> RgbImage {
    let height = picture.height().max(240);
    let width = (height * 4 / 3).max(320);
    let plot = plot::spectrum(fourier, options.spectrum, title, (width, height));
    let mut both = RgbImage::from_pixel(picture.width() + width, height, PAPER);
    paste(&mut both, picture, (0, 0));
    paste(&mut both, &plot, (picture.width(), 0));
    both
}
