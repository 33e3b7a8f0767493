//! Text on pictures.

use std::sync::LazyLock;

use ab_glyph::{FontRef, PxScale};
use image::{Rgb, RgbImage};
use imageproc::{
    drawing::{draw_filled_rect_mut, draw_text_mut, text_size},
    rect::Rect,
};

use super::colormap::ink_on;
use crate::geometry::{BBox, Size};

static FONT: LazyLock<FontRef> = LazyLock::new(|| {
    FontRef::try_from_slice(include_bytes!("fonts/NotoSans-Regular.ttf")).expect("the bundled font is sound")
});

/// Text heights in pixels: a share of the picture's shorter side, within what can be read and what is not coarse.
const HEIGHT_SHARE: f32 = 0.042;
const MIN_HEIGHT: f32 = 13.0;
const MAX_HEIGHT: f32 = 64.0;
/// Where the text is wider than the picture it shrinks to this, then it is cut.
const SMALLEST_HEIGHT: f32 = 9.0;

/// A line of text with its size in pixels, made to fit a picture.
struct Line {
    text: String,
    scale: PxScale,
    width: u32,
    height: u32,
}

impl Line {
    fn fit(text: &str, picture: Size) -> Self {
        let wanted = picture.width.min(picture.height) as f32 * HEIGHT_SHARE;
        let mut height = wanted.clamp(MIN_HEIGHT, MAX_HEIGHT);
        let measure = |text: &str, height: f32| text_size(PxScale::from(height), &*FONT, text).0;
        let room = picture.width.saturating_sub(2 * padding(height));
        let mut text = text.to_owned();
        let width = measure(&text, height);
        if width > room {
            height = (height * room as f32 / width as f32).max(SMALLEST_HEIGHT);
        }
        while measure(&text, height) > room && text.chars().count() > 2 {
            text.truncate(text.trim_end_matches('…').char_indices().next_back().map_or(0, |(at, _)| at));
            text.push('…');
        }
        Self { width: measure(&text, height), height: height.ceil() as u32, scale: PxScale::from(height), text }
    }
}

fn padding(height: f32) -> u32 {
    (height / 6.0).ceil() as u32
}

/// Draws `text` on a plate of colour `plate`, with its lower left corner on the upper left corner of `b`. Where there
/// is no room above the box it goes inside, or below a box that it would hide; never outside the picture.
pub(super) fn draw_box_label(picture: &mut RgbImage, b: &BBox, text: &str, plate: Rgb<u8>) {
    let line = Line::fit(text, size_of(picture));
    let height = plate_height(&line) as f32;
    let hides_the_box = b.y2 - b.y1 < 3.0 * height;
    let top = if b.y1 >= height {
        b.y1 - height
    } else if hides_the_box && b.y2 + height <= picture.height() as f32 {
        b.y2
    } else {
        b.y1
    };
    draw_plate(picture, (b.x1, top), &line, plate);
}

/// Draws `text` on a dark plate in the middle of `b`.
pub(super) fn draw_notice(picture: &mut RgbImage, b: &BBox, text: &str) {
    let line = Line::fit(text, size_of(picture));
    let left = (b.x1 + b.x2 - plate_width(&line) as f32) / 2.0;
    let top = (b.y1 + b.y2 - plate_height(&line) as f32) / 2.0;
    draw_plate(picture, (left, top), &line, Rgb([32, 32, 32]));
}

fn plate_width(line: &Line) -> u32 {
    line.width + 2 * padding(line.scale.y)
}

fn plate_height(line: &Line) -> u32 {
    line.height + 2 * padding(line.scale.y)
}

/// Draws the plate with its upper left corner near `corner`, moved into the picture.
fn draw_plate(picture: &mut RgbImage, corner: (f32, f32), line: &Line, plate: Rgb<u8>) {
    let size = size_of(picture);
    let (width, height) = (plate_width(line), plate_height(line));
    let inside = |at: f32, length: u32, room: u32| at.round().clamp(0.0, room.saturating_sub(length) as f32) as i32;
    let (left, top) = (inside(corner.0, width, size.width), inside(corner.1, height, size.height));
    draw_filled_rect_mut(picture, Rect::at(left, top).of_size(width, height), plate);
    let pad = padding(line.scale.y) as i32;
    draw_text_mut(picture, ink_on(plate), left + pad, top + pad, line.scale, &*FONT, &line.text);
}

fn size_of(picture: &RgbImage) -> Size {
    Size { width: picture.width(), height: picture.height() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLATE: Rgb<u8> = Rgb([200, 100, 0]);

    /// Rows that the plate reaches.
    fn plate_rows(picture: &RgbImage) -> Vec<u32> {
        (0..picture.height()).filter(|&y| picture.get_pixel(50, y) == &PLATE).collect()
    }

    #[test]
    fn a_label_stands_above_its_box_or_inside_or_below_where_the_box_touches_the_top() {
        let rows_of = |y1, y2| {
            let mut picture = RgbImage::new(200, 200);
            draw_box_label(&mut picture, &BBox { x1: 49.0, y1, x2: 150.0, y2 }, "cat 0.90", PLATE);
            plate_rows(&picture)
        };
        assert_eq!(rows_of(60.0, 190.0).last(), Some(&59), "above");
        assert_eq!(rows_of(3.0, 190.0).first(), Some(&3), "inside");
        assert_eq!(rows_of(3.0, 20.0).first(), Some(&20), "below a box that it would hide");
    }

    #[test]
    fn a_label_stays_inside_the_picture() {
        let mut picture = RgbImage::new(64, 32);
        let b = BBox { x1: 60.0, y1: 0.0, x2: 64.0, y2: 32.0 };
        draw_box_label(&mut picture, &b, "a class with a very long name 0.90", PLATE);
        assert_eq!(picture.get_pixel(63, 0), &PLATE, "the plate is moved to the left until it fits");
        let line = Line::fit("a class with a very long name 0.90", Size { width: 64, height: 32 });
        assert!(line.text.ends_with('…') && line.width <= 64, "{:?}", line.text);
    }

    #[test]
    fn letters_are_drawn() {
        let mut picture = RgbImage::new(200, 100);
        draw_notice(&mut picture, &BBox { x1: 0.0, y1: 0.0, x2: 200.0, y2: 100.0 }, "no signal");
        assert!(picture.pixels().any(|pixel| pixel.0.iter().all(|&value| value > 200)));
    }
}
