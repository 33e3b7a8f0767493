//! The spectrum of a contour as a bar plot.

use image::{Rgb, RgbImage};
use imageproc::{
    drawing::{draw_filled_rect_mut, draw_line_segment_mut},
    rect::Rect,
};

use super::Fourier;
use crate::{picture::paste, render::text};

const PAPER: Rgb<u8> = Rgb([255, 255, 255]);
const INK: Rgb<u8> = Rgb([0, 0, 0]);
const GRID: Rgb<u8> = Rgb([221, 221, 221]);
const BAR: Rgb<u8> = Rgb([0, 114, 178]);

/// The axis of the strengths reaches down to this power of ten.
const DECADES: i32 = 4;

/// |u_k| ÷ |u_1| of the lowest `count` positive frequencies, without the constant, on a logarithmic axis, `width`×`height` pixels.
pub(super) fn spectrum(fourier: &Fourier, count: usize, title: &str, (width, height): (u32, u32)) -> RgbImage {
    let mut plot = RgbImage::from_pixel(width, height, PAPER);
    let line = (height / 28).clamp(12, 22);
    let frame = Frame {
        left: 5 * line,
        right: width.saturating_sub(line).max(5 * line + 1),
        top: 2 * line,
        bottom: height.saturating_sub(3 * line).max(2 * line + 1),
    };
    let middle = f32::midpoint(frame.left as f32, frame.right as f32);
    text::draw_centred(&mut plot, (middle, line as f32), line, &format!("{title}: Fourier spectrum of the contour"));
    text::draw_centred(&mut plot, (middle, height as f32 - line as f32 * 0.75), line, "frequency k");
    for decade in -DECADES..=0 {
        let y = frame.y(f64::from(decade));
        draw_line_segment_mut(&mut plot, (frame.left as f32, y), (frame.right as f32, y), GRID);
        let label = if decade == 0 { "1".to_owned() } else { format!("{:.*}", -decade as usize, 10f64.powi(decade)) };
        text::draw_right(&mut plot, (frame.left as f32 - line as f32 / 3.0, y), line, &label);
    }
    text::draw_right(&mut plot, (frame.left as f32 - line as f32 / 3.0, line as f32), line, "|u k| / |u 1|");
    let strengths = fourier.descriptors(count);
    let step = (frame.right - frame.left) as f32 / strengths.len().max(1) as f32;
    // At most ten numbers on the axis.
    let every = strengths.len().div_ceil(10).max(1);
    for (index, strength) in strengths.iter().enumerate() {
        let left = frame.left as f32 + step * index as f32;
        let top = frame.y(strength.log10().max(-f64::from(DECADES)));
        let (bar, rows) = ((step * 0.8).max(1.0) as u32, frame.bottom as f32 - top);
        if rows >= 1.0 {
            let place = Rect::at((left + step * 0.1) as i32, top as i32).of_size(bar, rows as u32);
            draw_filled_rect_mut(&mut plot, place, BAR);
        }
        if index == 0 || (index + 1) % every == 0 {
            let at = (left + step / 2.0, frame.bottom as f32 + line as f32 * 0.75);
            text::draw_centred(&mut plot, at, line, &(index + 1).to_string());
        }
    }
    let corner = (frame.left as f32, frame.bottom as f32);
    draw_line_segment_mut(&mut plot, corner, (frame.right as f32, frame.bottom as f32), INK);
    draw_line_segment_mut(&mut plot, (frame.left as f32, frame.top as f32), corner, INK);
    plot
}

/// Text height of axes, and the room that their numbers have, in pixels.
const AXIS_LINE: u32 = 14;
const AXIS_ROOM: (u32, u32) = (64, 28);

/// `picture` with an axis on its left and one below. `origin`: what its pixel (`margin`, `margin`) is, in units of the axes;
/// `scale`: pixels per unit.
pub(super) fn with_axes(picture: &RgbImage, origin: [f64; 2], scale: f64, margin: f64) -> RgbImage {
    let (width, height) = picture.dimensions();
    let (left, below) = AXIS_ROOM;
    let mut plot = RgbImage::from_pixel(left + width, height + below, PAPER);
    let bottom = height as f32;
    let units = |start: f64, pixels: u32| {
        let end = start + (f64::from(pixels) - 2.0 * margin) / scale;
        ticks(start, end).into_iter().map(move |value| (value, ((value - start) * scale + margin) as f32))
    };
    // The grid lies below the points: only paper takes its colour.
    paste(&mut plot, picture, (left, 0));
    let mut grid = RgbImage::from_pixel(left + width, height + below, PAPER);
    for (value, x) in units(origin[0], width) {
        let x = left as f32 + x;
        draw_line_segment_mut(&mut grid, (x, 0.0), (x, bottom), GRID);
        text::draw_centred(&mut plot, (x, bottom + AXIS_LINE as f32), AXIS_LINE, &number(value));
    }
    for (value, y) in units(origin[1], height) {
        draw_line_segment_mut(&mut grid, (left as f32, y), ((left + width) as f32, y), GRID);
        text::draw_right(&mut plot, (left as f32 - 6.0, y), AXIS_LINE, &number(value));
    }
    for (pixel, line) in plot.pixels_mut().zip(grid.pixels()) {
        if *pixel == PAPER {
            *pixel = *line;
        }
    }
    draw_line_segment_mut(&mut plot, (left as f32, 0.0), (left as f32, bottom), INK);
    draw_line_segment_mut(&mut plot, (left as f32, bottom), ((left + width) as f32, bottom), INK);
    plot
}

/// Round numbers from `least` to `most`, about five.
fn ticks(least: f64, most: f64) -> Vec<f64> {
    let range = most - least;
    if !range.is_finite() || range <= 0.0 {
        return vec![least];
    }
    let power = 10f64.powf((range / 5.0).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|times| times * power).into_iter().find(|step| range / step <= 6.0);
    let step = step.unwrap_or(range);
    let first = (least / step).ceil();
    (0..).map(|index| (first + f64::from(index)) * step).take_while(|value| *value <= most + step * 1e-9).collect()
}

/// Without digits that say nothing.
fn number(value: f64) -> String {
    let digits = format!("{value:.6}");
    match digits.trim_end_matches('0').trim_end_matches('.') {
        "-0" => "0".to_owned(),
        short if short.len() > 8 => format!("{value:.1e}"),
        short => short.to_owned(),
    }
}

/// Where the axes are, in pixels.
struct Frame {
    left: u32,
    right: u32,
    top: u32,
    bottom: u32,
}

impl Frame {
    /// The row of a power of ten.
    fn y(&self, power: f64) -> f32 {
        let share = -power / f64::from(DECADES);
        (f64::from(self.top) + share * f64::from(self.bottom - self.top)) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks(0.0, 4.0), [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(ticks(-3.0, 37.0), [0.0, 10.0, 20.0, 30.0]);
        assert_eq!(ticks(0.1, 0.32).len(), 5);
        assert_eq!(ticks(7.0, 7.0), [7.0]);
        assert_eq!(ticks(0.0, f64::INFINITY), [0.0]);
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([0.25, 100.0, -0.0, 0.1 + 0.2, 123_456_789.0].map(number), ["0.25", "100", "0", "0.3", "1.2e8"]);
    }
}
