//! Outlines of masks.

use image::{GrayImage, Luma, Rgb, RgbImage};
use imageproc::{distance_transform::Norm, morphology::dilate};

use crate::detect::{Frame, Mask};

/// Beside a line, so that it stands out from heat of its own colour.
pub(super) const HALO: Rgb<u8> = Rgb([16, 16, 16]);

/// Share of the class's colour in a mask that is filled.
const FILLING: f32 = 0.4;

/// Draws a line of `thickness` pixels along the edge of a mask of `panel`, inwards, with a dark one beside it on either side.
pub(super) fn draw_outline(panel: &mut RgbImage, mask: &Mask, color: Rgb<u8>, thickness: u32) {
    // Room around it, so that the mask ends inside wherever it touches the edge of the panel.
    let thickness = thickness.clamp(1, 64);
    let room = thickness + 2;
    let Frame { left, top, width, height } = mask.frame();
    let outside = GrayImage::from_fn(width + 2 * room, height + 2 * room, |x, y| {
        let inside = (room..room + width).contains(&x)
            && (room..room + height).contains(&y)
            && mask.contains(left + x - room, top + y - room);
        Luma([if inside { 0 } else { 255 }])
    });
    let grown = |by: u32| dilate(&outside, Norm::LInf, by as u8);
    let (line, inner) = (grown(thickness), grown(thickness + halo(thickness)));
    // What is not within reach of the inside.
    let mut inside = outside.clone();
    inside.pixels_mut().for_each(|pixel| pixel[0] = 255 - pixel[0]);
    let outer = dilate(&inside, Norm::LInf, halo(thickness) as u8);
    for (x, y, pixel) in outside.enumerate_pixels() {
        let is_inside = pixel[0] == 0;
        let reached = |map: &GrayImage| map.get_pixel(x, y)[0] > 0;
        let color = match is_inside {
            true if reached(&line) => color,
            true if reached(&inner) => HALO,
            false if reached(&outer) => HALO,
            _ => continue,
        };
        let (x, y) = ((left + x).wrapping_sub(room), (top + y).wrapping_sub(room));
        if let Some(pixel) = panel.get_pixel_mut_checked(x, y) {
            *pixel = color;
        }
    }
}

/// The width of the dark lines beside one of `thickness` pixels.
pub(super) fn halo(thickness: u32) -> u32 {
    thickness.div_ceil(2)
}

/// Mixes a colour into the pixels of a mask of `panel`.
pub(super) fn fill(panel: &mut RgbImage, mask: &Mask, color: Rgb<u8>) {
    for (x, y) in mask.frame().pixels() {
        let Some(pixel) = panel.get_pixel_mut_checked(x, y).filter(|_| mask.contains(x, y)) else { continue };
        for (value, color) in pixel.0.iter_mut().zip(color.0) {
            *value = (f32::from(*value) * (1.0 - FILLING) + f32::from(color) * FILLING).round() as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Size;

    const COLOR: Rgb<u8> = Rgb([255, 0, 0]);
    const GREY: Rgb<u8> = Rgb([100, 100, 100]);

    /// Of a square from (left, left) to before (right, right), the pixels of a row through its middle.
    fn row(left: u32, right: u32, draw: impl Fn(&mut RgbImage, &Mask)) -> String {
        let mut panel = RgbImage::from_pixel(16, 16, GREY);
        let frame = Frame { left, top: left, width: right - left, height: right - left };
        draw(&mut panel, &Mask::new(Size { width: 16, height: 16 }, frame, |_, _| true));
        let letter = |pixel: &Rgb<u8>| match *pixel {
            COLOR => '#',
            HALO => 'o',
            GREY => '.',
            _ => '?',
        };
        (0..16).map(|x| letter(panel.get_pixel(x, (left + right) / 2))).collect()
    }

    #[test]
    fn an_outline_lies_inside_the_mask_between_dark_lines() {
        assert_eq!(row(3, 12, |panel, mask| draw_outline(panel, mask, COLOR, 1)), "..o#o.....o#o...");
        assert_eq!(row(3, 12, |panel, mask| draw_outline(panel, mask, COLOR, 2)), "..o##o...o##o...");
        assert_eq!(
            row(0, 16, |panel, mask| draw_outline(panel, mask, COLOR, 1)),
            "#o............o#",
            "the whole panel"
        );
    }

    #[test]
    fn a_filled_mask_takes_on_its_colour() {
        assert_eq!(row(3, 12, |panel, mask| fill(panel, mask, COLOR)), "...?????????....");
        assert_eq!(row(5, 5, |panel, mask| fill(panel, mask, COLOR)), "................");
    }
}
