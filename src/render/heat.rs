//! Heat over pixels.

use image::{Rgb, RgbImage};
use ndarray::Array2;

use super::{Blend, RenderOptions};
use crate::geometry::{BBox, LetterboxMap};

/// Lays heat over pixels, inside boxes.
pub(super) struct Painter {
    /// Of 256 even steps of heat.
    layers: [Layer; 256],
    threshold: f32,
}

/// Opacity is this power of the heat: weak heat that lies all over a picture hardly colours it.
const FADING: f32 = 1.25;

impl Blend {
    /// The share of the strongest heat's colour that suits it, 0 to 1: colours that fade with the heat may be stronger than those
    /// that lie everywhere.
    pub fn default_alpha(self) -> f32 {
        match self {
            Self::Uniform => 0.5,
            Self::Heat => 0.7,
        }
    }

    /// How opaque `heat`, 0 to 1, is, as a share of the strongest.
    pub fn opacity(self, heat: f32) -> f32 {
        match self {
            Self::Uniform => 1.0,
            Self::Heat => heat.powf(FADING),
        }
    }
}

/// Where between two columns (or rows) of a map a pixel's centre lies.
#[derive(Clone, Copy)]
struct Position {
    before: usize,
    after: usize,
    /// Share of `after`.
    share: f32,
}

impl Painter {
    pub fn new(options: &RenderOptions) -> Self {
        Self { layers: layers(options), threshold: options.threshold }
    }

    /// `heat`: `[H, W]` at the size of the network's input, 0 to 1; `map`: how `panel` lies in the input; `boxes`: in pixels of
    /// the panel, within it. Between the cells of the map it is interpolated bilinearly.
    pub fn paint(&self, panel: &mut RgbImage, heat: &Array2<f32>, map: &LetterboxMap, boxes: &[BBox]) {
        let (rows, columns) = heat.dim();
        let xs = positions(panel.width(), map.scaled.width, map.pad_x, columns);
        let ys = positions(panel.height(), map.scaled.height, map.pad_y, rows);
        let pixels = |from: f32, to: f32| from.round() as u32..to.round() as u32;
        let inside: Vec<_> = boxes.iter().map(|b| (pixels(b.x1, b.x2), pixels(b.y1, b.y2))).collect();
        for (index, (columns, rows)) in inside.iter().enumerate() {
            for y in rows.clone() {
                let vertical = ys[y as usize];
                let (upper, lower) = (heat.row(vertical.before), heat.row(vertical.after));
                for x in columns.clone() {
                    // Where boxes overlap, once.
                    if inside[..index].iter().any(|(columns, rows)| columns.contains(&x) && rows.contains(&y)) {
                        continue;
                    }
                    let Position { before, after, share } = xs[x as usize];
                    let mix = |from: f32, to: f32, share: f32| from + (to - from) * share;
                    let level = mix(
                        mix(upper[before], upper[after], share),
                        mix(lower[before], lower[after], share),
                        vertical.share,
                    );
                    if level >= self.threshold {
                        self.blend(panel.get_pixel_mut(x, y), level);
                    }
                }
            }
        }
    }

    /// Lays heat of `level`, 0 to 1, over a pixel.
    pub fn blend(&self, below: &mut Rgb<u8>, level: f32) {
        let Layer { color, rest } = &self.layers[usize::from((level * 255.0).round() as u8)];
        for (below, color) in below.0.iter_mut().zip(color) {
            *below = ((u32::from(*below) * rest + color) >> 8) as u8;
        }
    }
}

/// A colour to lay over pixels.
#[derive(Clone, Copy)]
struct Layer {
    /// Times its share, of 256, and rounded half up once it is divided.
    color: [u32; 3],
    /// What is left of the pixel, of 256.
    rest: u32,
}

/// The colours of 256 even steps of heat from 0 to 1.
fn layers(options: &RenderOptions) -> [Layer; 256] {
    let colors = options.colormap.table();
    let most = options.alpha.unwrap_or(options.blend.default_alpha()).clamp(0.0, 1.0) * 256.0;
    std::array::from_fn(|level| {
        let alpha = (most * options.blend.opacity(level as f32 / 255.0)).round() as u32;
        Layer { color: colors[level].0.map(|value| u32::from(value) * alpha + 128), rest: 256 - alpha }
    })
}

/// For each of `pixels` that show `scaled` cells of a map from cell `pad` on: where its centre lies among `cells`.
fn positions(pixels: u32, scaled: u32, pad: i32, cells: usize) -> Vec<Position> {
    let scale = f64::from(scaled) / f64::from(pixels);
    let position = |pixel: u32| {
        let at = (f64::from(pixel) + 0.5) * scale + f64::from(pad) - 0.5;
        let at = at.clamp(0.0, (cells - 1) as f64);
        let before = at.floor() as usize;
        Position { before, after: (before + 1).min(cells - 1), share: (at - at.floor()) as f32 }
    };
    (0..pixels).map(position).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{geometry::Size, render::Colormap};

    fn painter(alpha: f32, threshold: f32) -> Painter {
        Painter::new(&RenderOptions { alpha: Some(alpha), threshold, ..RenderOptions::default() })
    }

    const GREY: Rgb<u8> = Rgb([100, 100, 100]);

    #[test]
    fn heat_stays_inside_the_boxes() {
        let mut panel = RgbImage::from_pixel(8, 6, GREY);
        let heat = Array2::from_elem((6, 8), 1.0);
        let map = LetterboxMap::identity(Size { width: 8, height: 6 });
        // The second lies in the first.
        let boxes = [[2.0, 1.0, 5.0, 6.0], [3.0, 2.0, 4.0, 4.0]].map(|[x1, y1, x2, y2]| BBox { x1, y1, x2, y2 });
        painter(0.5, 0.0).paint(&mut panel, &heat, &map, &boxes);
        for (x, y, pixel) in panel.enumerate_pixels() {
            let is_inside = (2..5).contains(&x) && (1..6).contains(&y);
            let expected = if is_inside { Rgb([114, 50, 50]) } else { GREY };
            assert_eq!(pixel, &expected, "{x} {y}");
        }
    }

    #[test]
    fn alpha_mixes_and_little_heat_is_left_out() {
        let map = LetterboxMap::identity(Size { width: 2, height: 1 });
        let whole = BBox { x1: 0.0, y1: 0.0, x2: 2.0, y2: 1.0 };
        let heat = ndarray::array![[0.2, 1.0]];
        let painted = |alpha, threshold| {
            let mut panel = RgbImage::from_pixel(2, 1, GREY);
            painter(alpha, threshold).paint(&mut panel, &heat, &map, &[whole]);
            [*panel.get_pixel(0, 0), *panel.get_pixel(1, 0)]
        };
        assert_eq!(painted(0.0, 0.0), [GREY, GREY]);
        assert_eq!(painted(1.0, 0.0), [Colormap::Jet.color(0.2), Colormap::Jet.color(1.0)]);
        assert_eq!(painted(1.0, 0.3), [GREY, Colormap::Jet.color(1.0)]);
        // 3/4 of 100 and 1/4 of (128, 0, 0).
        assert_eq!(painted(0.25, 0.3)[1], Rgb([107, 75, 75]));
    }

    #[test]
    fn where_there_is_no_heat_the_picture_shows_if_opacity_follows_it() {
        let options = RenderOptions { alpha: Some(0.8), blend: Blend::Heat, ..RenderOptions::default() };
        let painter = Painter::new(&options);
        let blended = |level: f32| {
            let mut pixel = GREY;
            painter.blend(&mut pixel, level);
            pixel
        };
        assert_eq!(blended(0.0), GREY);
        // 0.2 of 100 and 0.8 of (128, 0, 0).
        assert_eq!(blended(1.0), Rgb([122, 20, 20]));
        let [r, g, b] = Colormap::Jet
            .color(128.0 / 255.0)
            .0
            .map(|value| 100.0 + (f32::from(value) - 100.0) * 0.8 * (128.0f32 / 255.0).powf(FADING));
        let half = blended(0.5).0.map(f32::from);
        assert!([r, g, b].iter().zip(half).all(|(expected, found)| (expected - found).abs() <= 1.0), "{half:?}");
    }

    #[test]
    fn a_larger_panel_is_interpolated_without_a_shift() {
        // Two cells between a column of padding on each side; four pixels have their centres at 3/4, 5/4, 7/4, 9/4.
        let size = |width| Size { width, height: 1 };
        let map = LetterboxMap { image: size(4), input: size(4), scaled: size(2), scale: 0.5, pad_x: 1, pad_y: 0 };
        let at: Vec<f64> = positions(4, 2, 1, 4).iter().map(|p| p.before as f64 + f64::from(p.share)).collect();
        assert_eq!(at, [0.75, 1.25, 1.75, 2.25]);
        let mut panel = RgbImage::new(4, 1);
        let heat = ndarray::array![[0.0, 0.0, 1.0, 1.0]];
        let options = RenderOptions { alpha: Some(1.0), colormap: Colormap::Gray, ..RenderOptions::default() };
        let whole = BBox { x1: 0.0, y1: 0.0, x2: 4.0, y2: 1.0 };
        Painter::new(&options).paint(&mut panel, &heat, &map, &[whole]);
        let values: Vec<u8> = panel.pixels().map(|pixel| pixel[0]).collect();
        assert_eq!(values, [0, 64, 191, 255]);
    }
}
