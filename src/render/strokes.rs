//! Lines that are not parallel to an axis.

use image::{Rgb, RgbImage};

use super::outline::{HALO, halo};

/// Draws the outline of a rotated box with a dark line on either side. `corners`: one after the other around it.
pub(super) fn draw_polygon(panel: &mut RgbImage, corners: &[[f32; 2]; 4], color: Rgb<u8>, thickness: u32) {
    if thickness == 0 {
        return;
    }
    draw_lines(panel, &[0, 1, 2, 3].map(|index| (corners[index], corners[(index + 1) % 4])), color, thickness);
}

/// Draws straight lines with dark ones beside them, which lie below all of the others.
pub(super) fn draw_lines(panel: &mut RgbImage, lines: &[([f32; 2], [f32; 2])], color: Rgb<u8>, thickness: u32) {
    let dark = thickness as f32 + 2.0 * halo(thickness) as f32;
    for (color, thickness) in [(HALO, dark), (color, thickness as f32)] {
        lines.iter().for_each(|&(from, to)| draw_line(panel, from, to, color, thickness));
    }
}

/// Draws a straight line with round ends: all pixels whose middle is within half its `thickness`.
fn draw_line(panel: &mut RgbImage, from: [f32; 2], to: [f32; 2], color: Rgb<u8>, thickness: f32) {
    let reach = thickness / 2.0;
    let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
    let square = (dx * dx + dy * dy).max(f32::MIN_POSITIVE);
    let span = |low: f32, high: f32, side: u32| {
        let inside = |at: f32| at.clamp(0.0, side as f32) as u32;
        inside((low - reach).floor())..inside((high + reach).ceil() + 1.0)
    };
    for y in span(from[1].min(to[1]), from[1].max(to[1]), panel.height()) {
        let py = y as f32 + 0.5 - from[1];
        // Of a slanted line, a row of pixels is near it in a short part alone.
        let columns = if dy.abs() * 4.0 > dx.abs() {
            let at = |y: f32| from[0] + dx * ((y - from[1]) / dy).clamp(0.0, 1.0);
            let slack = reach * (square.sqrt() / dy.abs());
            let (a, b) = (at(y as f32 - reach), at(y as f32 + 1.0 + reach));
            span(a.min(b) - slack, a.max(b) + slack, panel.width())
        } else {
            span(from[0].min(to[0]), from[0].max(to[0]), panel.width())
        };
        for x in columns {
            let px = x as f32 + 0.5 - from[0];
            let along = ((px * dx + py * dy) / square).clamp(0.0, 1.0);
            let (ex, ey) = (px - along * dx, py - along * dy);
            if ex * ex + ey * ey <= reach * reach {
                panel.put_pixel(x, y, color);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLOR: Rgb<u8> = Rgb([255, 0, 0]);
    const GREY: Rgb<u8> = Rgb([100, 100, 100]);

    /// How many pixels a line has that is drawn pixel by pixel without shortcuts.
    fn count(from: [f32; 2], to: [f32; 2], thickness: f32) -> (usize, usize) {
        let mut panel = RgbImage::from_pixel(40, 30, GREY);
        draw_line(&mut panel, from, to, COLOR, thickness);
        let distance = |x: u32, y: u32| {
            let (px, py) = (x as f32 + 0.5 - from[0], y as f32 + 0.5 - from[1]);
            let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
            let along = ((px * dx + py * dy) / (dx * dx + dy * dy).max(f32::MIN_POSITIVE)).clamp(0.0, 1.0);
            (px - along * dx).hypot(py - along * dy)
        };
        let wanted =
            (0..30).flat_map(|y| (0..40).map(move |x| (x, y))).filter(|&(x, y)| distance(x, y) <= thickness / 2.0);
        (panel.pixels().filter(|&&pixel| pixel == COLOR).count(), wanted.count())
    }

    #[test]
    fn a_line_has_the_pixels_that_are_near_it() {
        for (from, to) in [
            ([5.0, 5.0], [30.0, 20.0]),
            ([5.0, 20.0], [30.0, 5.0]),
            ([10.0, 2.0], [12.0, 28.0]),
            ([2.0, 10.0], [38.0, 12.0]),
            ([7.0, 7.0], [7.0, 7.0]),
            ([-20.0, -5.0], [60.0, 50.0]),
        ] {
            for thickness in [1.0, 2.0, 5.0] {
                let (found, wanted) = count(from, to, thickness);
                assert_eq!(found, wanted, "{from:?} to {to:?}, {thickness} thick");
            }
        }
    }

    #[test]
    fn a_rotated_box_has_a_light_line_between_dark_ones() {
        let mut panel = RgbImage::from_pixel(40, 40, GREY);
        draw_polygon(&mut panel, &[[20.0, 5.0], [35.0, 20.0], [20.0, 35.0], [5.0, 20.0]], COLOR, 2);
        let row: String = (0..40)
            .map(|x| match *panel.get_pixel(x, 20) {
                COLOR => '#',
                HALO => 'o',
                _ => '.',
            })
            .collect();
        let parts: Vec<&str> = row.split('.').filter(|part| !part.is_empty()).collect();
        assert!(
            parts.len() == 2
                && parts.iter().all(|part| part.starts_with('o') && part.contains('#') && part.ends_with('o')),
            "{row}"
        );
    }
}
