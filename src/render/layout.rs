//! How panels are put together.

use image::{Rgb, RgbImage};

use super::{Artist, RenderOptions, colorbar, size_of};
use crate::{
    error::Result,
    explain::{Explanation, Group, Grouping},
    geometry::LetterboxMap,
    model::Model,
    picture::{paste, shrunk},
};

/// Longest side of a contact sheet's tile, and the space between two, in pixels.
const TILE_SIDE: u32 = 480;
const TILE_GAP: u32 = 8;

/// A picture of several panels.
#[derive(Debug, Clone)]
pub struct Sheet {
    /// The panels.
    pub picture: RgbImage,
    /// How many groups of boxes, the least confident, had no room.
    pub left_out: usize,
}

/// The letterboxed picture, then one panel for each group of boxes: the picture with the heat, the boxes, and their classes
/// and confidences. From left to right; in several rows only where one would be wider than `max_side`.
///
/// # Errors
/// [`crate::Error::Libtorch`] if a map can't be scaled.
pub fn panels(explanation: &Explanation, model: &Model, options: &RenderOptions) -> Result<Sheet> {
    let input = &explanation.letterbox.image;
    let map = LetterboxMap::identity(explanation.letterbox.map.input);
    let most_columns = (options.max_side / input.width()).max(1);
    tiled(&Tiles { base: input, map, gap: 0, most_columns }, explanation, model, options)
}

/// A contact sheet: tiles of equal size in rows, the first the picture, then one for each group of boxes.
///
/// # Errors
/// [`crate::Error::Libtorch`] if a map can't be scaled.
pub fn sheet(picture: &RgbImage, explanation: &Explanation, model: &Model, options: &RenderOptions) -> Result<Sheet> {
    let base = shrunk(picture, TILE_SIDE);
    let size = size_of(&base);
    let count = explanation.groups(options.grouping).len() as f32 + 1.0;
    // About as wide as high.
    let most_columns = (count * size.height as f32 / size.width as f32).sqrt().ceil().max(1.0) as u32;
    let map = explanation.letterbox.map.onto(size);
    tiled(&Tiles { base: &base, map, gap: TILE_GAP, most_columns }, explanation, model, options)
}

struct Tiles<'a> {
    base: &'a RgbImage,
    map: LetterboxMap,
    gap: u32,
    most_columns: u32,
}

fn tiled(tiles: &Tiles, explanation: &Explanation, model: &Model, options: &RenderOptions) -> Result<Sheet> {
    let Tiles { base, map, gap, most_columns } = tiles;
    let artist = Artist::new(explanation, model, options);
    let (step_x, step_y) = (base.width() + gap, base.height() + gap);
    let room = options.max_side.saturating_sub(colorbar::width(base, options)) + gap;
    let most_columns = (*most_columns).min(room / step_x).max(1);
    let most_rows = ((options.max_side + gap) / step_y).max(1);
    let groups = explanation.groups(options.grouping);
    let wanted = groups.len() as u32 + 1;
    let count = wanted.min(most_columns.saturating_mul(most_rows));
    let columns = count.min(most_columns);
    let size = (step_x * columns - gap, step_y * count.div_ceil(columns) - gap);
    let mut picture = RgbImage::from_pixel(size.0, size.1, colorbar::PAPER);
    let mut put = |index: u32, panel: &RgbImage| {
        paste(&mut picture, panel, (index % columns * step_x, index / columns * step_y));
    };
    put(0, base);
    let mut panel = (*base).clone();
    for (index, group) in (1..count).zip(&groups) {
        panel.copy_from_slice(base);
        artist.draw(&mut panel, map, group)?;
        put(index, &panel);
    }
    Ok(Sheet { picture: colorbar::beside(picture, base, options), left_out: (wanted - count) as usize })
}

/// One group of boxes at the picture's own resolution.
///
/// # Errors
/// [`crate::Error::Libtorch`] if a map can't be scaled.
pub fn overlay(
    picture: &RgbImage,
    explanation: &Explanation,
    group: &Group,
    model: &Model,
    options: &RenderOptions,
) -> Result<RgbImage> {
    let mut panel = picture.clone();
    let map = explanation.letterbox.map.onto(size_of(picture));
    Artist::new(explanation, model, options).draw(&mut panel, &map, group)?;
    Ok(colorbar::beside(panel, picture, options))
}

/// The picture, and beside it (below it, where that would be wider than `max_side`) the same with all boxes.
///
/// # Errors
/// [`crate::Error::Libtorch`] if a map can't be scaled.
pub fn side(picture: &RgbImage, explanation: &Explanation, model: &Model, options: &RenderOptions) -> Result<RgbImage> {
    let (width, height) = picture.dimensions();
    let bar = colorbar::width(picture, options);
    let is_beside = 2 * u64::from(width) + u64::from(bar) <= u64::from(options.max_side);
    let (x, y) = if is_beside { (width, 0) } else { (0, height) };
    let mut pair = RgbImage::from_pixel(width + x, height + y, Rgb([0; 3]));
    paste(&mut pair, picture, (0, 0));
    let mut panel = picture.clone();
    if let Some(all) = explanation.groups(Grouping::All).first() {
        let map = explanation.letterbox.map.onto(size_of(picture));
        Artist::new(explanation, model, options).draw(&mut panel, &map, all)?;
    }
    paste(&mut pair, &panel, (x, y));
    Ok(colorbar::beside(pair, picture, options))
}
