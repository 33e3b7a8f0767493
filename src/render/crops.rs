//! Small boxes, enlarged.

use std::ops::Range;

use image::RgbImage;

use super::{
    Artist, RenderOptions,
    colorbar::PAPER,
    layout::{Cells, Sheet},
    placement::Placement,
    size_of,
};
use crate::{
    error::Result,
    explain::{Explanation, Group, Grouping},
    geometry::{BBox, LetterboxMap, Size},
    model::Model,
    picture::{cut, paste, shrunk},
};

/// The sides of a crop, and the space between two and between cells, in pixels.
const SIDE: u32 = 256;
const BETWEEN: u32 = 4;
const GAP: u32 = 16;

/// How many times the longer side of a box is that of its crop, and the least of a crop, in pixels of the network's input.
const MARGIN: f32 = 2.0;
const LEAST_SIDE: u32 = 32;

/// The picture with all boxes, then each box cut out with a margin and enlarged, the picture beside the heat, in rows. What is
/// said of a box stands below it.
///
/// # Errors
/// [`crate::Error::Libtorch`] if a map can't be scaled.
pub fn crops(picture: &RgbImage, explanation: &Explanation, model: &Model, options: &RenderOptions) -> Result<Sheet> {
    let artist = Artist::new(explanation, model, options);
    let pair = Size { width: 2 * SIDE + BETWEEN, height: SIDE };
    let overview = overview(&artist, picture, explanation, pair);
    let groups = explanation.groups(Grouping::Box);
    let title = |group: &Group| {
        let title = || artist.title(&explanation.boxes[group.boxes[0]]);
        let title = options.labels.then(|| format!("{}: {}", group.boxes[0], title()));
        [title.into_iter().collect(), artist.notes(group)].concat()
    };
    let mut notes = vec![artist.run_notes()];
    notes.extend(groups.iter().map(title));
    // About as wide as high.
    let most_columns = (notes.len() as f32 * pair.height as f32 / pair.width as f32).sqrt().ceil().max(1.0) as u32;
    Cells { size: pair, gap: GAP, most_columns }.composed(&notes, options, |index, put| {
        if index == 0 {
            put(&overview, (0, 0));
            return Ok(());
        }
        let group = &groups[index - 1];
        let map = cropped(&explanation.letterbox.map, explanation.boxes[group.boxes[0]].detection.box_input.as_ref());
        let source = &explanation.letterbox.map.onto(size_of(picture));
        let visible = BBox {
            x1: map.pad_x as f32,
            y1: map.pad_y as f32,
            x2: (map.pad_x + map.scaled.width as i32) as f32,
            y2: (map.pad_y + map.scaled.height as i32) as f32,
        };
        let mut panel = cut(picture, &source.to_image(&visible), map.image);
        let plain = {
            let mut plain = panel.clone();
            artist.draw_boxes(&mut plain, &map, &artist.boxes(&map, group));
            plain
        };
        artist.draw(&mut panel, &map, group, &Placement::default())?;
        let (left, top) = ((SIDE - panel.width()) / 2, (SIDE - panel.height()) / 2);
        put(&plain, (left, top));
        put(&panel, (SIDE + BETWEEN + left, top));
        Ok(())
    })
}

/// The whole picture in a cell of this size, with all boxes and their numbers, which stand below the crops too.
fn overview(artist: &Artist, picture: &RgbImage, explanation: &Explanation, cell: Size) -> RgbImage {
    let (width, height) = picture.dimensions();
    let scale = (f64::from(cell.width) / f64::from(width)).min(f64::from(cell.height) / f64::from(height));
    let mut small = shrunk(picture, (f64::from(width.max(height)) * scale).floor().max(1.0) as u32);
    let map = explanation.letterbox.map.onto(size_of(&small));
    if let Some(all) = explanation.groups(Grouping::All).first() {
        artist.draw_boxes(&mut small, &map, &artist.boxes(&map, all));
        if artist.options.labels {
            artist.placed(&map, all, |index, _, _| index.to_string()).draw(&mut small);
        }
    }
    let mut sheet = RgbImage::from_pixel(cell.width, cell.height, PAPER);
    let corner =
        ((cell.width - small.width().min(cell.width)) / 2, (cell.height - small.height().min(cell.height)) / 2);
    paste(&mut sheet, &small, corner);
    sheet
}

/// How a crop around `b` (without one, of all that is visible) lies in the network's input. Its edges are those of pixels of
/// the input, so that the heat is where it belongs.
fn cropped(map: &LetterboxMap, b: Option<&BBox>) -> LetterboxMap {
    let (columns, rows) = map.shown();
    let whole = (columns.end - columns.start).max(rows.end - rows.start);
    let side = b.map_or(whole, |b| ((b.x2 - b.x1).max(b.y2 - b.y1) * MARGIN).ceil().max(LEAST_SIDE as f32) as u32);
    let span = |part: Range<u32>, middle: Option<f32>| {
        let length = side.min(part.end - part.start);
        let middle = middle.unwrap_or((part.start + part.end) as f32 / 2.0);
        let first = (middle - length as f32 / 2.0).round() as i32;
        (first.clamp(part.start as i32, (part.end - length) as i32), length)
    };
    let (left, width) = span(columns, b.map(|b| f32::midpoint(b.x1, b.x2)));
    let (top, height) = span(rows, b.map(|b| f32::midpoint(b.y1, b.y2)));
    let scale = SIDE as f32 / width.max(height) as f32;
    let pixels = |length: u32| ((length as f32 * scale).round() as u32).clamp(1, SIDE);
    let image = Size { width: pixels(width), height: pixels(height) };
    LetterboxMap {
        image,
        input: map.input,
        scaled: Size { width, height },
        scale: 1.0 / scale,
        pad_x: left,
        pad_y: top,
    }
}
