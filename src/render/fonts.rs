//! The fonts of the system, for letters that the bundled one lacks. Text is shaped: Arabic letters are joined, and run from
//! right to left.

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use cosmic_text::{
    Attrs, Buffer, Color, Family, FontSystem, Metrics, Shaping, SwashCache, Wrap,
    fontdb::{Database, Source},
};
use image::{Rgb, RgbImage};

/// The bundled font: Latin, Greek and Cyrillic.
pub(super) const BUNDLED: &[u8] = include_bytes!("fonts/NotoSans-Regular.ttf");

/// The bundled font's name, and how many heights of its lines make the size that fonts are asked for by.
const FAMILY: &str = "Noto Sans";
const SIZE_OF_HEIGHT: f32 = 1000.0 / 1362.0;

/// Fonts, and the letters that were drawn with them.
pub(super) struct Fonts {
    system: FontSystem,
    letters: SwashCache,
}

/// The bundled font and those of the system, which are looked for when they are first needed.
pub(super) fn of_system() -> MutexGuard<'static, Fonts> {
    static FONTS: LazyLock<Mutex<Fonts>> = LazyLock::new(|| {
        let mut fonts = Database::new();
        fonts.load_system_fonts();
        Mutex::new(Fonts::new(fonts))
    });
    // What a text broke is made anew for the next.
    FONTS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Fonts {
    /// `fonts`: where the bundled one lacks a letter.
    fn new(mut fonts: Database) -> Self {
        fonts.load_font_source(Source::Binary(std::sync::Arc::new(BUNDLED)));
        // Which of Han's glyphs are taken does not depend on the user's language.
        let system = FontSystem::new_with_locale_and_db("en-US".to_owned(), fonts);
        Self { system, letters: SwashCache::new() }
    }

    fn shaped(&mut self, height: f32, text: &str) -> Buffer {
        let mut buffer = Buffer::new(&mut self.system, Metrics::new(height * SIZE_OF_HEIGHT, height));
        buffer.set_wrap(Wrap::None);
        buffer.set_text(text, &Attrs::new().family(Family::Name(FAMILY)), Shaping::Advanced, None);
        buffer.shape_until_scroll(&mut self.system, false);
        buffer
    }

    /// Whether some font has each letter, and all are one line.
    pub fn has_all(&mut self, text: &str) -> bool {
        /// The glyph of fonts for what they have no glyph for.
        const MISSING: u16 = 0;
        let buffer = self.shaped(16.0, text);
        let mut lines = buffer.layout_runs();
        let has_all = lines.next().is_none_or(|line| line.glyphs.iter().all(|glyph| glyph.glyph_id != MISSING));
        has_all && lines.next().is_none()
    }

    /// How wide `text` is, `height` pixels high.
    pub fn width(&mut self, height: f32, text: &str) -> u32 {
        self.shaped(height, text).layout_runs().map(|line| line.line_w.ceil() as u32).max().unwrap_or(0)
    }

    /// Draws `text`, `height` pixels high, with its upper left corner at `at`.
    pub fn draw(&mut self, picture: &mut RgbImage, ink: Rgb<u8>, at: (i32, i32), height: f32, text: &str) {
        let mut buffer = self.shaped(height, text);
        let Rgb([r, g, b]) = ink;
        buffer.draw(&mut self.system, &mut self.letters, Color::rgb(r, g, b), |x, y, width, height, color| {
            for (x, y) in (0..height as i32).flat_map(|dy| (0..width as i32).map(move |dx| (x + dx, y + dy))) {
                let (Ok(x), Ok(y)) = (u32::try_from(at.0 + x), u32::try_from(at.1 + y)) else { continue };
                if let Some(pixel) = picture.get_pixel_mut_checked(x, y) {
                    blend(pixel, color);
                }
            }
        });
    }
}

fn blend(pixel: &mut Rgb<u8>, color: Color) {
    let share = f32::from(color.a()) / 255.0;
    for (below, above) in pixel.0.iter_mut().zip([color.r(), color.g(), color.b()]) {
        *below = (f32::from(*below) * (1.0 - share) + f32::from(above) * share).round() as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bundled font and one of our own: 人 is a block, and the four forms of ب are blocks from 1 to 4 units high, on the
    /// left half of their cell.
    fn fonts() -> Fonts {
        let mut fonts = Database::new();
        let own = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/test-font.ttf");
        fonts.load_font_file(own).unwrap();
        Fonts::new(fonts)
    }

    #[test]
    fn what_no_font_has_is_known() {
        let mut fonts = fonts();
        for text in ["cat", "人 0.90", "ببب", "Größe 人", ""] {
            assert!(fonts.has_all(text), "{text}");
        }
        for text in ["狗", "cat 狗", "🦀", "a\nb", "\u{1}"] {
            assert!(!fonts.has_all(text), "{text:?}");
        }
    }

    /// Rows with ink in each column of the drawn text, from left to right.
    fn profile(text: &str) -> Vec<usize> {
        let mut fonts = fonts();
        let mut picture = RgbImage::new(fonts.width(68.1, text) + 2, 70);
        fonts.draw(&mut picture, Rgb([255; 3]), (0, 0), 68.1, text);
        let column = |x: u32| (0..picture.height()).filter(|&y| picture.get_pixel(x, y)[0] > 127).count();
        (0..picture.width()).map(column).collect()
    }

    #[test]
    fn letters_of_another_font_are_drawn_among_those_of_the_bundled_one() {
        let (alone, between) = (profile("人"), profile("i人i"));
        let block = |profile: &[usize]| profile.iter().copied().max().unwrap();
        assert!(block(&alone) > 25, "{alone:?}");
        assert!(between.len() > alone.len() + 10 && block(&between) >= block(&alone), "{between:?}");
    }

    #[test]
    fn arabic_is_joined_and_runs_from_right_to_left() {
        let steps = |text: &str| {
            let mut steps = profile(text);
            steps.dedup();
            steps.retain(|&rows| rows > 2);
            steps
        };
        let [isolated] = steps("ب")[..] else { panic!("{:?}", profile("ب")) };
        // From left to right: the last letter's form, that of the middle, and the first one's.
        let [last, middle, first] = steps("ببب")[..] else { panic!("{:?}", profile("ببب")) };
        assert!(isolated < first && first < middle && middle < last, "{isolated} {first} {middle} {last}");
        assert_eq!(steps("بب"), [last, first]);
    }

    #[test]
    fn text_outside_the_picture_is_cut() {
        let mut picture = RgbImage::new(8, 8);
        fonts().draw(&mut picture, Rgb([255; 3]), (-32, -15), 40.0, "人人人");
        assert!(picture.pixels().any(|pixel| pixel[0] > 0));
    }
}
