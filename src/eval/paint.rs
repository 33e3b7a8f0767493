//! Pictures that somebody paints over by hand, to see what a detection depends on.

use image::RgbImage;
use ndarray::Array2;

use super::Fill;
use crate::{
    detect::to_tensor,
    error::Result,
    geometry::{BBox, Size},
    picture::{cut, shrunk},
    tensor::to_rgb,
};

/// Longest side at which strokes are drawn and fills are made, in pixels: that of a network's usual input, which shows no more.
const SIDE: u32 = 640;

/// The picture with `fill` where a brush went over it, and how much of it that is, 0 to 1.
///
/// `strokes`: lines with round ends, each by its radius and its points, in pixels of the picture.
///
/// # Errors
/// [`Error::Libtorch`](crate::Error::Libtorch) if there is not enough memory.
///
/// ```
/// use yolo_cam::{eval::{Fill, painted}, picture};
///
/// let dog = picture::read("images/dog.jpg")?;
/// let (changed, share) = painted(&dog, &[(50.0, &[[100.0, 100.0], [300.0, 100.0]])], Fill::Black)?;
/// assert_eq!((changed.get_pixel(200, 120).0, changed.get_pixel(200, 300)), ([0; 3], dog.get_pixel(200, 300)));
/// assert!((share - 0.063).abs() < 0.002);
/// # Ok::<(), yolo_cam::Error>(())
/// ```
pub fn painted(picture: &RgbImage, strokes: &[(f32, &[[f32; 2]])], fill: Fill) -> Result<(RgbImage, f64)> {
    let (width, height) = picture.dimensions();
    let small = shrunk(picture, SIDE);
    let scale = [small.width() as f32 / width as f32, small.height() as f32 / height as f32];
    let covered = covered(small.dimensions(), strokes, scale);
    let share = covered.iter().filter(|&&is_covered| is_covered).count() as f64 / covered.len().max(1) as f64;
    let fill = to_rgb(&fill.picture(&to_tensor(&small, tch::Device::Cpu)?, 0)?)?;
    let whole = BBox { x1: 0.0, y1: 0.0, x2: fill.width() as f32, y2: fill.height() as f32 };
    let fill = cut(&fill, &whole, Size { width, height });
    let mut changed = picture.clone();
    for (x, y, pixel) in changed.enumerate_pixels_mut() {
        let cell = |along: u32, scale: f32, cells: u32| (((along as f32 + 0.5) * scale) as u32).min(cells - 1) as usize;
        if covered[[cell(y, scale[1], small.height()), cell(x, scale[0], small.width())]] {
            *pixel = *fill.get_pixel(x, y);
        }
    }
    Ok((changed, share))
}

/// Which pixels of a picture of this size strokes go over. `scale`: its pixels for each of theirs.
fn covered((width, height): (u32, u32), strokes: &[(f32, &[[f32; 2]])], scale: [f32; 2]) -> Array2<bool> {
    let mut covered = Array2::from_elem((height as usize, width as usize), false);
    for (radius, points) in strokes {
        let last = points.last().copied();
        for (&from, to) in points.iter().zip(points.iter().skip(1).copied().chain(last)) {
            let span = |axis: usize, pixels: u32| {
                let (low, high) = (from[axis].min(to[axis]) - radius, from[axis].max(to[axis]) + radius);
                let first = (low * scale[axis]).floor().clamp(0.0, pixels as f32) as u32;
                first..(high * scale[axis]).ceil().clamp(0.0, pixels as f32) as u32
            };
            for row in span(1, height) {
                for column in span(0, width) {
                    let at = [(column as f32 + 0.5) / scale[0], (row as f32 + 0.5) / scale[1]];
                    if distance(at, from, to) <= *radius {
                        covered[[row as usize, column as usize]] = true;
                    }
                }
            }
        }
    }
    covered
}

/// From a point to a line between two.
fn distance(at: [f32; 2], from: [f32; 2], to: [f32; 2]) -> f32 {
    let (along, off) = ([to[0] - from[0], to[1] - from[1]], [at[0] - from[0], at[1] - from[1]]);
    let length = along[0] * along[0] + along[1] * along[1];
    let share = if length > 0.0 { ((off[0] * along[0] + off[1] * along[1]) / length).clamp(0.0, 1.0) } else { 0.0 };
    (off[0] - share * along[0]).hypot(off[1] - share * along[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stroke_covers_what_is_within_its_radius_of_its_line() {
        let picture = RgbImage::from_pixel(200, 100, image::Rgb([200, 100, 50]));
        let (changed, share) = painted(&picture, &[(10.0, &[[50.0, 50.0], [150.0, 50.0]])], Fill::Black).unwrap();
        for (x, y, pixel) in changed.enumerate_pixels() {
            let (dx, dy) = ((50.0 - x as f32 - 0.5).max(x as f32 + 0.5 - 150.0).max(0.0), y as f32 + 0.5 - 50.0);
            let is_inside = dx.hypot(dy) <= 10.0;
            assert_eq!(pixel.0 == [0; 3], is_inside, "{x} {y}");
        }
        let area = 20.0 * 100.0 + std::f64::consts::PI * 100.0;
        assert!((share - area / 20_000.0).abs() < 1e-3, "{share}");
    }

    #[test]
    fn a_picture_of_any_size_is_painted_where_the_stroke_is() {
        for (width, height) in [(3000, 1000), (40, 2000), (1, 1)] {
            let picture = RgbImage::from_pixel(width, height, image::Rgb([255; 3]));
            let corner: &[[f32; 2]] = &[[width as f32, height as f32]];
            let (changed, share) = painted(&picture, &[(width.min(height) as f32, corner)], Fill::Black).unwrap();
            assert_eq!(changed.get_pixel(width - 1, height - 1).0, [0; 3]);
            assert!(share > 0.0 && (share < 0.6 || width == 1), "{width}x{height}: {share}");
            assert_eq!(painted(&picture, &[], Fill::Blurred).unwrap(), (picture, 0.0));
        }
    }

    #[test]
    fn blurred_pixels_are_near_the_mean_of_what_is_around_them() {
        let picture = RgbImage::from_fn(320, 320, |x, _| image::Rgb([if x / 4 % 2 == 0 { 0 } else { 200 }; 3]));
        let (changed, _) = painted(&picture, &[(20.0, &[[160.0, 160.0]])], Fill::Blurred).unwrap();
        let blurred = changed.get_pixel(160, 160).0[0];
        assert!((90..=110).contains(&blurred), "{blurred}");
    }
}
