//! Lines of text.

use std::sync::LazyLock;

use ab_glyph::{Font, FontRef, PxScale};
use image::{Rgb, RgbImage};
use imageproc::drawing::{draw_text_mut, text_size};

use super::fonts;

static FONT: LazyLock<FontRef> =
    LazyLock::new(|| FontRef::try_from_slice(fonts::BUNDLED).expect("the bundled font is sound"));

const INK: Rgb<u8> = Rgb([0; 3]);

/// Whether the bundled font has all letters. Then its text looks the same on every machine.
fn is_plain(text: &str) -> bool {
    text.chars().all(|letter| FONT.glyph_id(letter).0 != 0)
}

/// Whether a name can be drawn: whether some font of this machine has each of its letters.
pub fn is_drawable(name: &str) -> bool {
    is_plain(name) || fonts::of_system().has_all(name)
}

/// How wide `text` is, `height` pixels high.
pub(crate) fn width(height: f32, text: &str) -> u32 {
    match is_plain(text) {
        true => text_size(PxScale::from(height), &*FONT, text).0,
        false => fonts::of_system().width(height, text),
    }
}

/// Draws `text`, `height` pixels high, with its upper left corner at `at`.
pub(super) fn draw(picture: &mut RgbImage, ink: Rgb<u8>, at: (i32, i32), height: f32, text: &str) {
    match is_plain(text) {
        true => draw_text_mut(picture, ink, at.0, at.1, PxScale::from(height), &*FONT, text),
        false => fonts::of_system().draw(picture, ink, at, height, text),
    }
}

/// Draws `text`, `height` pixels high, in black, from column `at.0` on, its middle at row `at.1`.
pub(crate) fn draw_left(picture: &mut RgbImage, at: (f32, f32), height: u32, text: &str) {
    let top = (at.1 - height as f32 / 2.0).round() as i32;
    draw(picture, INK, (at.0.round() as i32, top), height as f32, text);
}

/// The same, ending at column `at.0`.
pub(crate) fn draw_right(picture: &mut RgbImage, at: (f32, f32), height: u32, text: &str) {
    draw_left(picture, (at.0 - width(height as f32, text) as f32, at.1), height, text);
}

/// The same, with its middle at column `at.0`.
pub(crate) fn draw_centred(picture: &mut RgbImage, at: (f32, f32), height: u32, text: &str) {
    draw_left(picture, (at.0 - width(height as f32, text) as f32 / 2.0, at.1), height, text);
}
