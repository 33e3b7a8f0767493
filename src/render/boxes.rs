//! Outlines of boxes.

use image::{Rgb, RgbImage};
use imageproc::{drawing::draw_hollow_rect_mut, rect::Rect};

use super::outline::{HALO, halo};
use crate::geometry::BBox;

/// How thick the line of a box may be, as a part of its shorter side, unless the user says.
const THINNEST_PART: f32 = 16.0;
/// A line that is thicker than this part of the shorter side lies around the box, so that it hides nothing.
const HIDING_PART: f32 = 10.0;

/// Draws the outline of `b` with a dark line on either side, so that it stands out from heat of any colour. The line lies
/// inside the box, at its edge; around a small box, which it would hide. `wanted`: its thickness in pixels, which small boxes
/// do without if the user did not ask for it (`is_chosen`).
pub(super) fn draw_box(panel: &mut RgbImage, b: &BBox, color: Rgb<u8>, wanted: u32, is_chosen: bool) {
    if wanted == 0 {
        return;
    }
    let shorter = (b.x2 - b.x1).min(b.y2 - b.y1);
    let thickness = match is_chosen {
        true => wanted,
        false => wanted.min((shorter / THINNEST_PART) as u32).max(1),
    };
    // More would be as good as the whole panel.
    let thickness = thickness.min(panel.width().max(panel.height())) as i32;
    let is_around = shorter < HIDING_PART * thickness as f32;
    let dark = halo(thickness as u32) as i32;
    let (line, inner) = if is_around { (-thickness..0, 0..0) } else { (0..thickness, thickness..thickness + dark) };
    for inset in (line.start - dark..line.start).chain(inner) {
        ring(panel, b, inset, HALO);
    }
    for inset in line {
        ring(panel, b, inset, color);
    }
}

/// A line of one pixel, so many pixels inside the edge of the box.
fn ring(panel: &mut RgbImage, b: &BBox, inset: i32, color: Rgb<u8>) {
    let (left, top) = (b.x1.round() as i32 + inset, b.y1.round() as i32 + inset);
    let (width, height) = (b.x2.round() as i32 - inset - left, b.y2.round() as i32 - inset - top);
    if width > 0 && height > 0 {
        draw_hollow_rect_mut(panel, Rect::at(left, top).of_size(width as u32, height as u32), color);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLOR: Rgb<u8> = Rgb([255, 0, 0]);
    const GREY: Rgb<u8> = Rgb([100, 100, 100]);

    /// The pixels of a row through the middle of a square from `left` to before `right`.
    fn row(left: f32, right: f32, thickness: u32, is_chosen: bool) -> String {
        let mut panel = RgbImage::from_pixel(24, 24, GREY);
        draw_box(&mut panel, &BBox { x1: left, y1: left, x2: right, y2: right }, COLOR, thickness, is_chosen);
        let letter = |pixel: &Rgb<u8>| match *pixel {
            COLOR => '#',
            HALO => 'o',
            GREY => '.',
            _ => '?',
        };
        (0..24).map(|x| letter(panel.get_pixel(x, f32::midpoint(left, right) as u32))).collect()
    }

    #[test]
    fn a_line_goes_inwards_between_dark_ones() {
        assert_eq!(row(2.0, 22.0, 1, true), ".o#o................o#o.");
        assert_eq!(row(2.0, 22.0, 2, true), ".o##o..............o##o.");
        assert_eq!(row(0.0, 24.0, 1, true), "#o....................o#");
        assert_eq!(row(2.0, 22.0, 0, true), "........................");
    }

    #[test]
    fn a_small_box_stays_visible_inside_its_line() {
        assert_eq!(row(9.0, 15.0, 1, true), ".......o#......#o.......");
        assert_eq!(row(9.0, 15.0, 3, true), "....oo###......###oo....");
        assert_eq!(row(9.0, 15.0, 3, false), ".......o#......#o.......");
    }

    #[test]
    fn a_box_without_area_is_drawn_without_fuss() {
        let mut panel = RgbImage::new(8, 8);
        for thickness in [1, 3, 100] {
            draw_box(&mut panel, &BBox { x1: 3.0, y1: 3.0, x2: 3.2, y2: 3.1 }, COLOR, thickness, true);
        }
        draw_box(&mut panel, &BBox { x1: 3.0, y1: 3.0, x2: 3.2, y2: 3.1 }, COLOR, 3, false);
    }
}
