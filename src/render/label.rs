//! Labels of boxes.

use image::{Rgb, RgbImage};
use imageproc::{drawing::draw_filled_rect_mut, rect::Rect};
use unicode_segmentation::UnicodeSegmentation;

use super::{colormap::ink_on, size_of, text};
use crate::geometry::{BBox, Size};

/// Text heights in pixels: a share of the picture's shorter side, within what can be read and what is not coarse.
const HEIGHT_SHARE: f32 = 0.042;
const MIN_HEIGHT: f32 = 13.0;
const MAX_HEIGHT: f32 = 64.0;
/// Where the text is wider than the picture it shrinks to this, then it is cut.
const SMALLEST_HEIGHT: f32 = 9.0;

/// A line of text with its size in pixels, made to fit a picture.
struct Line {
    text: String,
    /// Of the letters.
    scale: f32,
    width: u32,
    height: u32,
}

/// Letters at the end of a label that are cut last: a space and the confidence.
const CONFIDENCE: usize = " 0.90".len();

impl Line {
    fn fit(text: &str, picture: Size) -> Self {
        let wanted = picture.width.min(picture.height) as f32 * HEIGHT_SHARE;
        let mut height = wanted.clamp(MIN_HEIGHT, MAX_HEIGHT);
        let room = picture.width.saturating_sub(2 * padding(height));
        let width = text::width(height, text);
        if width > room {
            height = (height * room as f32 / width as f32).max(SMALLEST_HEIGHT);
        }
        let text = shortened(text, |text| text::width(height, text) <= room);
        Self { width: text::width(height, &text), height: height.ceil() as u32, scale: height, text }
    }
}

/// The text, or as much of it as `fits`: without its middle, since names differ at their ends, and behind them is the
/// confidence.
fn shortened(text: &str, fits: impl Fn(&str) -> bool) -> String {
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

/// What is written at a box, on a plate of its class's colour.
pub(super) struct BoxLabel {
    pub b: BBox,
    pub text: String,
    pub plate: Rgb<u8>,
}

/// Draws labels, each with its lower left corner on the upper left corner of its box. Where there is no room above the box
/// it goes inside, or below a box that it would hide; where an earlier label stands there, to another corner; never
/// outside the picture.
pub(super) fn draw_box_labels(picture: &mut RgbImage, labels: &[BoxLabel]) {
    let size = size_of(picture);
    let mut placed: Vec<(Rect, Line)> = Vec::with_capacity(labels.len());
    for label in labels {
        let line = Line::fit(&label.text, size);
        let places = places(&label.b, &line, size);
        let is_free = |place: &&Rect| placed.iter().all(|(taken, _)| taken.intersect(**place).is_none());
        let place = *places.iter().find(is_free).unwrap_or(&places[0]);
        placed.push((place, line));
    }
    // Where there was no free place, the first label stays readable.
    for ((place, line), label) in placed.iter().zip(labels).rev() {
        draw_line(picture, *place, line, label.plate);
    }
}

/// Where a label may stand, the best place first.
fn places(b: &BBox, line: &Line, picture: Size) -> [Rect; 6] {
    let (width, height) = (plate_width(line) as f32, plate_height(line) as f32);
    let (right, above) = (b.x2 - width, b.y1 - height);
    let hides_the_box = b.y2 - b.y1 < 3.0 * height;
    let first = if b.y1 >= height {
        above
    } else if hides_the_box && b.y2 + height <= picture.height as f32 {
        b.y2
    } else {
        b.y1
    };
    [(b.x1, first), (right, first), (b.x1, b.y2), (right, b.y2), (b.x1, b.y1), (right, b.y2 - height)]
        .map(|corner| within(corner, line, picture))
}

/// The height of a line of text that suits a picture.
pub(super) fn line_height(picture: &RgbImage) -> u32 {
    let wanted = picture.width().min(picture.height()) as f32 * HEIGHT_SHARE;
    wanted.clamp(MIN_HEIGHT, MAX_HEIGHT).ceil() as u32
}

/// The height of a label that is not made smaller to fit.
pub(super) fn plate_height_on(picture: &RgbImage) -> u32 {
    let height = line_height(picture);
    height + 2 * padding(height as f32)
}

/// Draws `text` on a dark plate in the middle of `b`.
pub(super) fn draw_notice(picture: &mut RgbImage, b: &BBox, text: &str) {
    let line = Line::fit(text, size_of(picture));
    let left = (b.x1 + b.x2 - plate_width(&line) as f32) / 2.0;
    let top = (b.y1 + b.y2 - plate_height(&line) as f32) / 2.0;
    let place = within((left, top), &line, size_of(picture));
    draw_line(picture, place, &line, Rgb([32, 32, 32]));
}

fn plate_width(line: &Line) -> u32 {
    line.width + 2 * padding(line.scale)
}

fn plate_height(line: &Line) -> u32 {
    line.height + 2 * padding(line.scale)
}

/// The plate with its upper left corner near `corner`, moved into the picture.
fn within(corner: (f32, f32), line: &Line, picture: Size) -> Rect {
    let (width, height) = (plate_width(line), plate_height(line));
    let inside = |at: f32, length: u32, room: u32| at.round().clamp(0.0, room.saturating_sub(length) as f32) as i32;
    Rect::at(inside(corner.0, width, picture.width), inside(corner.1, height, picture.height)).of_size(width, height)
}

fn draw_line(picture: &mut RgbImage, place: Rect, line: &Line, plate: Rgb<u8>) {
    draw_filled_rect_mut(picture, place, plate);
    let pad = padding(line.scale) as i32;
    text::draw(picture, ink_on(plate), (place.left() + pad, place.top() + pad), line.scale, &line.text);
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLATE: Rgb<u8> = Rgb([200, 100, 0]);

    fn label(b: BBox, text: &str, plate: Rgb<u8>) -> BoxLabel {
        BoxLabel { b, text: text.to_owned(), plate }
    }

    /// Rows that the plate reaches.
    fn plate_rows(picture: &RgbImage) -> Vec<u32> {
        (0..picture.height()).filter(|&y| picture.get_pixel(50, y) == &PLATE).collect()
    }

    #[test]
    fn a_label_stands_above_its_box_or_inside_or_below_where_the_box_touches_the_top() {
        let rows_of = |y1, y2| {
            let mut picture = RgbImage::new(200, 200);
            draw_box_labels(&mut picture, &[label(BBox { x1: 49.0, y1, x2: 150.0, y2 }, "cat 0.90", PLATE)]);
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
        draw_box_labels(&mut picture, &[label(b, "a class with a very long name 0.90", PLATE)]);
        assert_eq!(picture.get_pixel(63, 0), &PLATE, "the plate is moved to the left until it fits");
        let line = Line::fit("a class with a very long name 0.90", Size { width: 64, height: 32 });
        assert!(line.text.contains('…') && line.text.ends_with(" 0.90") && line.width <= 64, "{:?}", line.text);
    }

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
    fn labels_of_boxes_that_lie_on_each_other_do_not_hide_each_other() {
        const OTHER: Rgb<u8> = Rgb([0, 100, 200]);
        let b = BBox { x1: 50.0, y1: 60.0, x2: 150.0, y2: 150.0 };
        let pixels = |labels: &[BoxLabel]| {
            let mut picture = RgbImage::new(200, 200);
            draw_box_labels(&mut picture, labels);
            [PLATE, OTHER].map(|plate| picture.pixels().filter(|&&pixel| pixel == plate).count())
        };
        let [alone, _] = pixels(&[label(b, "car 0.90", PLATE)]);
        let [_, other_alone] = pixels(&[label(b, "truck 0.80", OTHER)]);
        let both = pixels(&[label(b, "car 0.90", PLATE), label(b, "truck 0.80", OTHER)]);
        assert_eq!(both, [alone, other_alone]);
    }

    #[test]
    fn letters_are_drawn() {
        let mut picture = RgbImage::new(200, 100);
        draw_notice(&mut picture, &BBox { x1: 0.0, y1: 0.0, x2: 200.0, y2: 100.0 }, "no signal");
        assert!(picture.pixels().any(|pixel| pixel.0.iter().all(|&value| value > 200)));
    }
}
