//! The bar that tells which colour stands for how much heat.

use image::{Rgb, RgbImage};

use super::{RenderOptions, label, text};
use crate::picture::paste;

/// What lies between and beside panels.
pub(super) const PAPER: Rgb<u8> = Rgb([255, 255, 255]);

/// Width of the bar with its numbers, in pixels, for panels as large as `panel`; 0 without a bar.
pub(super) fn width(panel: &RgbImage, options: &RenderOptions) -> u32 {
    if options.colorbar { 5 * unit(panel) } else { 0 }
}

/// The height of a line of text.
fn unit(panel: &RgbImage) -> u32 {
    label::line_height(panel)
}

/// `picture`, with the bar on its right if it is wanted. `panel`: one of its panels, which tells the size of the text.
pub(super) fn beside(picture: RgbImage, panel: &RgbImage, options: &RenderOptions) -> RgbImage {
    if !options.colorbar {
        return picture;
    }
    let unit = unit(panel);
    let (width_before, height) = picture.dimensions();
    let mut wide = RgbImage::from_pixel(width_before + width(panel, options), height, PAPER);
    paste(&mut wide, &picture, (0, 0));
    // The bar is as high as the picture, but for half a line above and below, where the numbers of its ends stand out.
    let (left, top) = (width_before + unit / 2, unit / 2);
    let rows = height.saturating_sub(unit).max(1);
    for y in 0..rows.min(height) {
        let heat = if rows > 1 { 1.0 - y as f32 / (rows - 1) as f32 } else { 1.0 };
        let color = options.colormap.color(heat);
        for x in left..left + unit {
            wide.put_pixel(x, (top + y).min(height - 1), color);
        }
    }
    for (mark, share) in [("1", 0.0f32), ("0.5", 0.5), ("0", 1.0)] {
        // Where there is no room for three lines, only the ends.
        if mark == "0.5" && height < 4 * unit {
            continue;
        }
        let middle = top as f32 + share * (rows - 1) as f32;
        text::draw_left(&mut wide, ((left + unit + unit / 4) as f32, middle), unit, mark);
    }
    wide
}
