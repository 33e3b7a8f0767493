//! The spectrum of a contour as a bar plot.

use image::{Rgb, RgbImage};
use imageproc::{
    drawing::{draw_filled_rect_mut, draw_line_segment_mut},
    rect::Rect,
};

use super::Fourier;
use crate::render::text;

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
