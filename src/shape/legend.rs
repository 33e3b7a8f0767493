//! What the colours of lines mean, below a picture.

use image::{Rgb, RgbImage};
use imageproc::{drawing::draw_filled_rect_mut, rect::Rect};

use crate::{picture::paste, render::text};

const PAPER: Rgb<u8> = Rgb([255, 255, 255]);
/// Around the sample of a colour, so that light ones are seen on paper.
const EDGE: Rgb<u8> = Rgb([96, 96, 96]);
/// Height of the letters in pixels.
const LINE: u32 = 14;

/// `picture` with a sample of each colour and what it stands for below, in as many rows as they need.
pub(super) fn below(picture: &RgbImage, entries: &[(Rgb<u8>, String)]) -> RgbImage {
    let (width, height) = picture.dimensions();
    let (sample, space) = (LINE, LINE / 2);
    let mut places = Vec::with_capacity(entries.len());
    let (mut x, mut row) = (space, 0);
    for (_, text) in entries {
        let needed = sample + space / 2 + text::width(LINE as f32, text) + 2 * space;
        if x > space && x + needed > width {
            (x, row) = (space, row + 1);
        }
        places.push((x, height + space + row * (LINE + space)));
        x += needed;
    }
    let rows = if entries.is_empty() { 0 } else { row + 1 };
    let mut with = RgbImage::from_pixel(width, height + rows * (LINE + space) + space, PAPER);
    paste(&mut with, picture, (0, 0));
    for ((color, text), (x, y)) in entries.iter().zip(places) {
        let at = |inset: u32| {
            Rect::at((x + inset) as i32, (y + inset) as i32).of_size(sample - 2 * inset, sample - 2 * inset)
        };
        draw_filled_rect_mut(&mut with, at(0), EDGE);
        draw_filled_rect_mut(&mut with, at(1), *color);
        let middle = y as f32 + LINE as f32 / 2.0;
        text::draw_left(&mut with, ((x + sample + space / 2) as f32, middle), LINE, text);
    }
    with
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_colour_has_a_sample_in_rows_that_fit() {
        let picture = RgbImage::from_pixel(150, 20, Rgb([9, 9, 9]));
        let colors = [Rgb([0, 200, 0]), Rgb([255, 220, 0]), Rgb([255, 0, 0])];
        let entries = colors.map(|color| (color, "a long name".to_owned()));
        let with = below(&picture, &entries);
        let samples = colors.map(|color| {
            with.enumerate_pixels().find(|(_, _, pixel)| **pixel == color).map(|found| (found.0, found.1))
        });
        let [first, second, third] = samples.map(|sample| sample.expect("it is drawn"));
        assert!(first.1 >= 20 && first.1 < second.1 && second.1 < third.1 && first.0 == second.0, "{samples:?}");
        assert_eq!(with.width(), 150);
    }
}
