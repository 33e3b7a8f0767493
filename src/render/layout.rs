//! How panels are put together.

use image::{Rgb, RgbImage};

use super::{Artist, RenderOptions, colorbar, footer::Footer, size_of};
use crate::{
    error::Result,
    explain::{Explanation, Group, Grouping},
    geometry::{LetterboxMap, Size},
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
    let groups = explanation.groups(options.grouping);
    let labels: Vec<_> = groups.iter().map(|group| artist.labels(map, group)).collect();
    let notes = groups.iter().zip(&labels).map(|(group, labels)| [&artist.notes(group)[..], &labels.legend].concat());
    let notes: Vec<Vec<String>> = [artist.run_notes()].into_iter().chain(notes).collect();
    let cells = Cells { size: size_of(base), gap: *gap, most_columns: *most_columns };
    let mut panel = (*base).clone();
    cells.composed(&notes, options, |index, put| {
        if index > 0 {
            panel.copy_from_slice(base);
            artist.draw(&mut panel, map, &groups[index - 1], &labels[index - 1])?;
        }
        put(&panel, (0, 0));
        Ok(())
    })
}

/// Cells of equal size in rows, each with its footer.
pub(super) struct Cells {
    /// Of a cell without its footer.
    pub size: Size,
    pub gap: u32,
    pub most_columns: u32,
}

/// Puts a picture into a cell, its upper left corner there.
pub(super) type Put<'a> = dyn FnMut(&RgbImage, (u32, u32)) + 'a;

impl Cells {
    /// One for each of `notes`, which its footer says, as far as there is room; `fill` fills the cell with this index.
    pub fn composed(
        &self,
        notes: &[Vec<String>],
        options: &RenderOptions,
        mut fill: impl FnMut(usize, &mut Put) -> Result<()>,
    ) -> Result<Sheet> {
        let Self { size, gap, .. } = *self;
        let footer = Footer::below(size);
        let lines: Vec<Vec<String>> = notes.iter().map(|notes| footer.lines(notes)).collect();
        let step_x = size.width + gap;
        let room = options.max_side.saturating_sub(colorbar::width(size, options)) + gap;
        let columns = self.most_columns.min(room / step_x).max(1).min(notes.len().max(1) as u32);
        // A row is as high as its longest footer needs.
        let mut rows: Vec<(&[Vec<String>], u32)> = Vec::new();
        let mut height = 0;
        for row in lines.chunks(columns as usize) {
            let below = footer.height(row.iter().map(Vec::len).max().unwrap_or(0));
            let top = if rows.is_empty() { 0 } else { height + gap };
            if !rows.is_empty() && top + size.height + below > options.max_side {
                break;
            }
            rows.push((row, top));
            height = top + size.height + below;
        }
        let mut picture = RgbImage::from_pixel(step_x * columns - gap, height, colorbar::PAPER);
        let mut count = 0;
        for (row, top) in rows {
            for (lines, column) in row.iter().zip(0..) {
                let left = column * step_x;
                fill(count, &mut |panel, (x, y)| paste(&mut picture, panel, (left + x, top + y)))?;
                footer.draw(&mut picture, (left, top + size.height), lines);
                count += 1;
            }
        }
        Ok(Sheet { picture: colorbar::beside(picture, size, options), left_out: notes.len() - count })
    }
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
    let artist = Artist::new(explanation, model, options);
    let labels = artist.labels(&map, group);
    artist.draw(&mut panel, &map, group, &labels)?;
    let notes = [artist.run_notes(), artist.notes(group), labels.legend].concat();
    let panel = Footer::below(size_of(picture)).under(panel, &notes, options.max_side);
    Ok(colorbar::beside(panel, size_of(picture), options))
}

/// A picture with the footer that `options` want, if they do.
pub fn under(picture: RgbImage, options: &RenderOptions) -> RgbImage {
    let notes = options.footer.as_deref().unwrap_or_default();
    Footer::below(size_of(&picture)).under(picture, notes, options.max_side)
}

/// The picture, and beside it (below it, where that would be wider than `max_side`) the same with all boxes.
///
/// # Errors
/// [`crate::Error::Libtorch`] if a map can't be scaled.
pub fn side(picture: &RgbImage, explanation: &Explanation, model: &Model, options: &RenderOptions) -> Result<RgbImage> {
    let options = &options.clone().with_grouping(Grouping::All);
    let artist = Artist::new(explanation, model, options);
    let (width, height) = picture.dimensions();
    let bar = colorbar::width(size_of(picture), options);
    let is_beside = 2 * u64::from(width) + u64::from(bar) <= u64::from(options.max_side);
    let (x, y) = if is_beside { (width, 0) } else { (0, height) };
    let mut pair = RgbImage::from_pixel(width + x, height + y, Rgb([0; 3]));
    paste(&mut pair, picture, (0, 0));
    let mut panel = picture.clone();
    let mut notes = artist.run_notes();
    if let Some(all) = explanation.groups(Grouping::All).first() {
        let map = explanation.letterbox.map.onto(size_of(picture));
        let labels = artist.labels(&map, all);
        artist.draw(&mut panel, &map, all, &labels)?;
        notes.extend([artist.notes(all), labels.legend].concat());
    }
    paste(&mut pair, &panel, (x, y));
    let pair_size = Size { width: width + x, height };
    let pair = Footer::below(pair_size).under(pair, &notes, options.max_side);
    Ok(colorbar::beside(pair, size_of(picture), options))
}
