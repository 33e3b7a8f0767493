//! Lines of text.

use std::sync::LazyLock;

use ab_glyph::{FontRef, PxScale};
use image::{Rgb, RgbImage};
use imageproc::drawing::{draw_text_mut, text_size};

pub(super) static FONT: LazyLock<FontRef> = LazyLock::new(|| {
    FontRef::try_from_slice(include_bytes!("fonts/NotoSans-Regular.ttf")).expect("the bundled font is sound")
});

const INK: Rgb<u8> = Rgb([0; 3]);

/// Draws `text`, `height` pixels high, in black, from column `at.0` on, its middle at row `at.1`.
pub(crate) fn draw_left(picture: &mut RgbImage, at: (f32, f32), height: u32, text: &str) {
    let top = (at.1 - height as f32 / 2.0).round() as i32;
    draw_text_mut(picture, INK, at.0.round() as i32, top, PxScale::from(height as f32), &*FONT, text);
}

/// The same, ending at column `at.0`.
pub(crate) fn draw_right(picture: &mut RgbImage, at: (f32, f32), height: u32, text: &str) {
    draw_left(picture, (at.0 - width(height, text), at.1), height, text);
}

/// The same, with its middle at column `at.0`.
pub(crate) fn draw_centred(picture: &mut RgbImage, at: (f32, f32), height: u32, text: &str) {
    draw_left(picture, (at.0 - width(height, text) / 2.0, at.1), height, text);
}

fn width(height: u32, text: &str) -> f32 {
    text_size(PxScale::from(height as f32), &*FONT, text).0 as f32
}
