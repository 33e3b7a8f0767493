//! The bar that tells which colour stands for how much heat.

use image::{Rgb, RgbImage};

use super::{RenderOptions, heat::Painter, label, text};
use crate::{
    explain::{Grouping, Normalize},
    geometry::Size,
    picture::paste,
};

/// What lies between and beside panels.
pub(super) const PAPER: Rgb<u8> = Rgb([255, 255, 255]);

/// The lines beside the bar: what 1, a half and 0 are.
fn marks(options: &RenderOptions) -> [(&'static str, f32); 3] {
    let peak = match (options.normalize, options.grouping) {
        (Normalize::Image, _) => "1: largest peak",
        (Normalize::Box, Grouping::Box) => "1: peak of the box",
        (Normalize::Box, _) => "1: peak of each box",
    };
    [(peak, 0.0), ("0.5", 0.5), ("0: none", 1.0)]
}

/// Width of the bar with its text, in pixels, beside panels of this size; 0 without a bar.
pub(super) fn width(panel: Size, options: &RenderOptions) -> u32 {
    if !options.colorbar {
        return 0;
    }
    let unit = unit(panel);
    let text = marks(options).map(|(mark, _)| text::width(unit as f32, mark)).into_iter().max().unwrap_or(0);
    2 * unit + unit / 4 + text
}

/// The height of a line of text.
fn unit(panel: Size) -> u32 {
    label::line_height(panel) * 4 / 5
}

/// `picture`, with the bar on its right if it is wanted. `panel`: one of its panels, which tells the size of the text. The bar
/// has the colours as they lie over the picture: over black on its left half, over white on its right.
pub(super) fn beside(picture: RgbImage, panel: Size, options: &RenderOptions) -> RgbImage {
    if !options.colorbar {
        return picture;
    }
    let unit = unit(panel);
    let (width_before, height) = picture.dimensions();
    let mut wide = RgbImage::from_pixel(width_before + width(panel, options), height, PAPER);
    paste(&mut wide, &picture, (0, 0));
    let left = width_before + unit / 2;
    // A picture of a few lines has no room for a title.
    let has_title = height >= 6 * unit;
    if has_title {
        text::draw_left(&mut wide, (left as f32, unit as f32), unit, "heat");
    }
    // Half a line above and below, where the numbers of its ends stand out.
    let top = if has_title { 2 * unit } else { unit / 2 };
    // No longer than can be taken in beside a panel.
    let rows = height.min(panel.height).saturating_sub(top + unit / 2).max(1);
    let painter = Painter::new(options);
    for y in 0..rows.min(height) {
        let heat = if rows > 1 { 1.0 - y as f32 / (rows - 1) as f32 } else { 1.0 };
        for x in 0..unit {
            let mut pixel = if x < unit / 2 { Rgb([0; 3]) } else { PAPER };
            if heat >= options.threshold {
                painter.blend(&mut pixel, heat);
            }
            wide.put_pixel(left + x, (top + y).min(height - 1), pixel);
        }
    }
    for (mark, share) in marks(options) {
        // Where there is no room for three lines, only the ends.
        if mark == "0.5" && height < 4 * unit {
            continue;
        }
        let middle = top as f32 + share * (rows - 1) as f32;
        text::draw_left(&mut wide, ((left + unit + unit / 4) as f32, middle), unit, mark);
    }
    wide
}
