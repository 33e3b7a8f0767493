//! Lines of small text below a picture: how it was made, and what it shows.

use image::{Rgb, RgbImage};

use super::{colorbar::PAPER, label::shortened, text};
use crate::geometry::Size;

const INK: Rgb<u8> = Rgb([64, 64, 64]);

/// Between what stands in the same line.
const BETWEEN: &str = " · ";

/// Text heights in pixels: a share of the picture's shorter side, within what can be read and what is not coarse.
const HEIGHT_SHARE: f32 = 0.028;
const MIN_HEIGHT: f32 = 11.0;
const MAX_HEIGHT: f32 = 40.0;

/// How text below pictures of one size is set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Footer {
    /// Of the pictures above, in pixels.
    width: u32,
    /// Of the letters.
    scale: f32,
}

impl Footer {
    /// Below pictures of this size.
    pub fn below(picture: Size) -> Self {
        let wanted = picture.width.min(picture.height) as f32 * HEIGHT_SHARE;
        Self { width: picture.width, scale: wanted.clamp(MIN_HEIGHT, MAX_HEIGHT) }
    }

    /// `parts` in as few lines as they need; one that is wider than the picture loses its middle.
    pub fn lines(&self, parts: &[String]) -> Vec<String> {
        let room = self.width.saturating_sub(2 * self.margin());
        let fits = |text: &str| text::width(self.scale, text) <= room;
        let mut lines: Vec<String> = Vec::new();
        for part in parts {
            let part = shortened(part, fits);
            match lines.last_mut() {
                Some(line) if fits(&format!("{line}{BETWEEN}{part}")) => *line += &format!("{BETWEEN}{part}"),
                _ => lines.push(part),
            }
        }
        lines
    }

    /// The rows of pixels that so many lines take.
    pub fn height(&self, lines: usize) -> u32 {
        if lines == 0 { 0 } else { lines as u32 * self.line() + self.margin() }
    }

    /// Writes lines with their upper left corner at `at`.
    pub fn draw(&self, picture: &mut RgbImage, at: (u32, u32), lines: &[String]) {
        for (index, line) in lines.iter().enumerate() {
            let top = at.1 + self.margin() / 2 + index as u32 * self.line();
            text::draw(picture, INK, ((at.0 + self.margin()) as i32, top as i32), self.scale, line);
        }
    }

    /// `picture` with its lines below, unless that would be higher than `max_side`.
    pub fn under(&self, picture: RgbImage, parts: &[String], max_side: u32) -> RgbImage {
        let lines = self.lines(parts);
        let (width, height) = picture.dimensions();
        let rows = self.height(lines.len());
        if rows == 0 || height + rows > max_side {
            return picture;
        }
        let mut values = picture.into_raw();
        let paper = PAPER.0.repeat(width as usize * rows as usize);
        values.extend(paper);
        let mut higher = RgbImage::from_raw(width, height + rows, values).expect("as many values as pixels have");
        self.draw(&mut higher, (0, height), &lines);
        higher
    }

    fn line(&self) -> u32 {
        (self.scale * 1.2).ceil() as u32
    }

    fn margin(&self) -> u32 {
        (self.scale / 2.0).ceil() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn what_does_not_fit_into_a_line_goes_into_the_next_and_what_is_too_long_loses_its_middle() {
        let footer = Footer::below(Size { width: 150, height: 400 });
        assert_eq!(
            footer.lines(&parts(&["gradcam", "logit", "model.17, model.20"])),
            ["gradcam · logit", "model.17, model.20"]
        );
        let lines = footer.lines(&parts(&["a layer with a very long name indeed", "b"]));
        assert!(lines[0].contains('…') && lines[0].ends_with("indeed"), "{lines:?}");
        assert!(lines.iter().all(|line| text::width(footer.scale, line) <= 150), "{lines:?}");
        assert!(footer.lines(&[]).is_empty());
    }

    #[test]
    fn it_stands_below_the_picture_and_never_makes_it_too_high() {
        let picture = RgbImage::from_pixel(200, 100, Rgb([9, 9, 9]));
        let footer = Footer::below(Size { width: 200, height: 100 });
        let with = footer.under(picture.clone(), &parts(&["gradcam"]), 1000);
        assert_eq!(with.dimensions(), (200, 100 + footer.height(1)));
        assert!(with.enumerate_pixels().all(|(_, y, pixel)| y >= 100 || *pixel == Rgb([9, 9, 9])));
        assert!(with.enumerate_pixels().any(|(_, y, pixel)| y >= 100 && pixel[0] < 128), "there are letters");
        assert_eq!(footer.under(picture.clone(), &[], 1000), picture);
        assert_eq!(footer.under(picture.clone(), &parts(&["gradcam"]), 100), picture);
    }
}
