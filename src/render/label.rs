//! Text on plates.

use image::{Rgb, RgbImage};
use imageproc::{drawing::draw_filled_rect_mut, rect::Rect};
use unicode_segmentation::UnicodeSegmentation;

use super::{colormap::ink_on, text};
use crate::geometry::{BBox, Size};

/// Text heights in pixels: a share of the picture's shorter side, within what can be read and what is not coarse.
const HEIGHT_SHARE: f32 = 0.042;
const MIN_HEIGHT: f32 = 13.0;
const MAX_HEIGHT: f32 = 64.0;
/// Where the text is wider than the picture it shrinks to this, then it is cut.
const SMALLEST_HEIGHT: f32 = 9.0;

/// A line of text with its size in pixels, made to fit a picture.
pub(super) struct Line {
    text: String,
    /// Of the letters.
    scale: f32,
    width: u32,
    height: u32,
}

/// Letters at the end of a label that are cut last: a space and the confidence.
const CONFIDENCE: usize = " 0.90".len();

impl Line {
    /// As high as suits the picture.
    pub fn fit(text: &str, picture: Size) -> Self {
        let wanted = picture.width.min(picture.height) as f32 * HEIGHT_SHARE;
        let mut height = wanted.clamp(MIN_HEIGHT, MAX_HEIGHT);
        let room = picture.width.saturating_sub(2 * padding(height));
        let mut width = text::width(height, text);
        let mut text = text.to_owned();
        if width > room {
            height = (height * room as f32 / width as f32).max(SMALLEST_HEIGHT);
            text = shortened(&text, |text| text::width(height, text) <= room);
            width = text::width(height, &text);
        }
        Self { width, height: height.ceil() as u32, scale: height, text }
    }

    /// The same text in a `share` of its height.
    pub fn smaller(&self, share: f32) -> Self {
        let scale = (self.scale * share).max(SMALLEST_HEIGHT.min(self.scale));
        let width = (self.width as f32 * scale / self.scale).ceil() as u32;
        Self { text: self.text.clone(), scale, width, height: scale.ceil() as u32 }
    }

    /// Width and height of the plate around it, in pixels.
    pub fn plate_size(&self) -> (u32, u32) {
        let padding = 2 * padding(self.scale);
        (self.width + padding, self.height + padding)
    }

    /// The plate with its upper left corner near `corner`, moved into the picture.
    pub fn within(&self, corner: (f32, f32), picture: Size) -> Rect {
        let (width, height) = self.plate_size();
        let inside = |at: f32, length: u32, room: u32| at.round().clamp(0.0, room.saturating_sub(length) as f32) as i32;
        Rect::at(inside(corner.0, width, picture.width), inside(corner.1, height, picture.height))
            .of_size(width, height)
    }
}

/// The text, or as much of it as `fits`: without its middle, since names differ at their ends, and behind them is the
/// confidence.
pub(super) fn shortened(text: &str, fits: impl Fn(&str) -> bool) -> String {
    if fits(text) {
        return text.to_owned();
    }
    // What a reader takes for a letter may be several characters.
    let letters: Vec<&str> = text.graphemes(true).collect();
    let with = |kept: usize| {
        let end = (kept / 2).max(CONFIDENCE.min(kept.saturating_sub(1)));
        format!("{}…{}", letters[..kept - end].concat(), letters[letters.len() - end..].concat())
    };
    // The longest that fits lies between these.
    let (mut fitting, mut too_many) = (1.min(letters.len()), letters.len());
    while fitting + 1 < too_many {
        let middle = (fitting + too_many) / 2;
        if fits(&with(middle)) { fitting = middle } else { too_many = middle }
    }
    with(fitting)
}

fn padding(height: f32) -> u32 {
    (height / 6.0).ceil() as u32
}

/// The height of a line of text that suits a picture.
pub(super) fn line_height(picture: Size) -> u32 {
    let wanted = picture.width.min(picture.height) as f32 * HEIGHT_SHARE;
    wanted.clamp(MIN_HEIGHT, MAX_HEIGHT).ceil() as u32
}

/// How much of a box a notice in its middle may hide.
const NOTICE_SHARE: f32 = 0.35;

/// The plate of `text` in the middle of `b`; `None` if it would hide the box.
pub(super) fn notice(picture: Size, b: &BBox, text: &str) -> Option<Plate> {
    let line = Line::fit(text, picture);
    let (width, height) = line.plate_size();
    let corner = (f32::midpoint(b.x1, b.x2) - width as f32 / 2.0, f32::midpoint(b.y1, b.y2) - height as f32 / 2.0);
    let place = line.within(corner, picture);
    ((width * height) as f32 <= NOTICE_SHARE * b.area()).then_some(Plate { line, place, color: Rgb([32, 32, 32]) })
}

/// Text on a coloured rectangle.
pub(super) struct Plate {
    pub line: Line,
    pub place: Rect,
    pub color: Rgb<u8>,
}

impl Plate {
    pub fn draw(&self, picture: &mut RgbImage) {
        let Self { line, place, color } = self;
        draw_filled_rect_mut(picture, *place, *color);
        let pad = padding(line.scale) as i32;
        text::draw(picture, ink_on(*color), (place.left() + pad, place.top() + pad), line.scale, &line.text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_loses_its_middle() {
        let room = |most: usize| move |text: &str| text.chars().count() <= most;
        let text = "a class with a long name, the third 0.90";
        assert_eq!(shortened(text, room(40)), text);
        assert_eq!(shortened(text, room(39)), "a class with a long…ame, the third 0.90");
        assert_eq!(shortened(text, room(12)), "a clas… 0.90");
        assert_eq!(shortened(text, room(4)), "a…90");
        assert_eq!(shortened(text, room(0)), "a…");
        assert_eq!(shortened("", |_| false), "…");
        // Letters of several characters stay whole.
        assert_eq!(shortened(&"e\u{301}".repeat(9), room(6)), "e\u{301}…e\u{301}");
    }

    #[test]
    fn a_notice_stands_in_the_middle_of_a_box_unless_it_would_hide_it() {
        let size = Size { width: 200, height: 100 };
        let mut picture = RgbImage::new(200, 100);
        let plate = notice(size, &BBox { x1: 0.0, y1: 0.0, x2: 200.0, y2: 100.0 }, "no signal").expect("there is room");
        plate.draw(&mut picture);
        assert!(picture.pixels().any(|pixel| pixel.0.iter().all(|&value| value > 200)), "there are letters");
        assert!((plate.place.top() + plate.place.bottom() - 99).abs() <= 1);
        assert!(notice(size, &BBox { x1: 0.0, y1: 0.0, x2: 60.0, y2: 20.0 }, "no signal").is_none());
    }
}
