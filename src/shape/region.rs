//! The largest region that a map lights up, and its numbers.

use image::{GrayImage, Luma};
use imageproc::{
    contours::{BorderType, find_contours},
    contrast::otsu_level,
};
use ndarray::{Array2, ArrayView2};

use super::hull::{Point, signed_area};
use crate::geometry::BBox;

/// From which value on a map is lit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Threshold {
    /// From this share of its maximum on, above 0 to 1.
    Share(f32),
    /// Where it best splits the values into dark and bright (Otsu, IEEE Transactions on Systems, Man, and Cybernetics 9, 1979).
    Otsu,
}

/// Lit pixels that hang together (8 neighbours).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Region {
    /// The centres of its outermost pixels, in order.
    pub contour: Vec<Point>,
    /// How many other regions are lit.
    pub others: usize,
    /// Its pixels.
    pub pixels: Vec<(u32, u32)>,
}

/// The share of its maximum from which on `map` (`[H, W]` ≥ 0, finite, not all zero) is lit.
pub(super) fn share(map: ArrayView2<f32>, threshold: Threshold) -> f32 {
    if let Threshold::Share(share) = threshold {
        return share;
    }
    let most = map.iter().copied().fold(0.0, f32::max);
    let (height, width) = map.dim();
    let levels = map.iter().map(|&value| (value / most * 255.0).round() as u8).collect();
    let grey = GrayImage::from_raw(width as u32, height as u32, levels).unwrap_or_default();
    // Otsu's level is the brightest that is dark.
    (f32::from(otsu_level(&grey)) + 0.5) / 255.0
}

/// The largest region of `mask` by the area that its contour encloses; `None` if nothing is lit.
pub(super) fn largest(mask: &Array2<bool>) -> Option<Region> {
    let (left, top, width, height) = bounds(mask)?;
    // A dark border, so that no region touches the edge.
    let mut lit = GrayImage::new(width + 2, height + 2);
    for (y, row) in (1..=height).zip(mask.outer_iter().skip(top as usize)) {
        for (x, _) in (1..=width).zip(row.iter().skip(left as usize)).filter(|(_, lit)| **lit) {
            lit.put_pixel(x, y, Luma([255]));
        }
    }
    let outer = find_contours::<i32>(&lit).into_iter().filter(|contour| contour.border_type == BorderType::Outer);
    // Of equal areas (lines have none) the longest.
    let outer: Vec<Vec<Point>> =
        outer.map(|contour| contour.points.iter().map(|p| [f64::from(p.x), f64::from(p.y)]).collect()).collect();
    let size = |contour: &Vec<Point>| (signed_area(contour).abs(), contour.len());
    let largest = outer.iter().max_by(|a, b| {
        let (a, b) = (size(a), size(b));
        a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))
    })?;
    let pixels = filled(&mut lit, (largest[0][0] as u32, largest[0][1] as u32));
    let (dx, dy) = (f64::from(left) - 1.0, f64::from(top) - 1.0);
    Some(Region {
        contour: largest.iter().map(|[x, y]| [x + dx + 0.5, y + dy + 0.5]).collect(),
        others: outer.len() - 1,
        pixels: pixels.into_iter().map(|(x, y)| (x + left - 1, y + top - 1)).collect(),
    })
}

/// Left, top, width and height of what is lit.
fn bounds(mask: &Array2<bool>) -> Option<(u32, u32, u32, u32)> {
    let (mut left, mut right, mut top, mut bottom) = (usize::MAX, 0, usize::MAX, 0);
    for (y, row) in mask.outer_iter().enumerate() {
        let Some(first) = row.iter().position(|&lit| lit) else { continue };
        let last = row.iter().rposition(|&lit| lit).unwrap_or(first);
        (left, right) = (left.min(first), right.max(last));
        (top, bottom) = (top.min(y), y);
    }
    (left <= right).then(|| (left as u32, top as u32, (right - left) as u32 + 1, (bottom - top) as u32 + 1))
}

/// The lit pixels that hang together with `start`, which are put out. The border of `lit` must be dark.
fn filled(lit: &mut GrayImage, start: (u32, u32)) -> Vec<(u32, u32)> {
    let mut found = vec![start];
    lit.put_pixel(start.0, start.1, Luma([0]));
    let mut next = 0;
    while let Some(&(x, y)) = found.get(next) {
        next += 1;
        for (nx, ny) in (y - 1..=y + 1).flat_map(|ny| (x - 1..=x + 1).map(move |nx| (nx, ny))) {
            let pixel = lit.get_pixel_mut(nx, ny);
            if pixel[0] != 0 {
                pixel[0] = 0;
                found.push((nx, ny));
            }
        }
    }
    found
}

/// Centre, and the ellipse with the same second moments.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Moments {
    pub centroid: Point,
    /// Full lengths of the axes.
    pub axes: [f64; 2],
    /// Of the longer axis, in degrees from the x towards the y axis, above -90 to 90.
    pub orientation: f64,
}

/// Of pixels as unit squares; not empty.
pub(super) fn moments(pixels: &[(u32, u32)]) -> Moments {
    let n = pixels.len() as f64;
    let centre = |c: u32| f64::from(c) + 0.5;
    let mean = |value: &dyn Fn(&(u32, u32)) -> f64| pixels.iter().map(value).sum::<f64>() / n;
    let (x, y) = (mean(&|p| centre(p.0)), mean(&|p| centre(p.1)));
    // A square has a spread of its own.
    let own = 1.0 / 12.0;
    let xx = mean(&|p| (centre(p.0) - x).powi(2)) + own;
    let yy = mean(&|p| (centre(p.1) - y).powi(2)) + own;
    let xy = mean(&|p| (centre(p.0) - x) * (centre(p.1) - y));
    let spread = ((xx - yy) / 2.0).hypot(xy);
    let axis = |sign: f64| 4.0 * ((xx + yy) / 2.0 + sign * spread).max(0.0).sqrt();
    Moments {
        centroid: [x, y],
        axes: [axis(1.0), axis(-1.0)],
        orientation: (2.0 * xy).atan2(xx - yy).to_degrees() / 2.0,
    }
}

/// How many pixels have their centre in `b`.
pub(super) fn inside(pixels: &[(u32, u32)], b: &BBox) -> usize {
    let is_inside = |&&(x, y): &&(u32, u32)| {
        let (x, y) = (x as f32 + 0.5, y as f32 + 0.5);
        (b.x1..b.x2).contains(&x) && (b.y1..b.y2).contains(&y)
    };
    pixels.iter().filter(is_inside).count()
}
