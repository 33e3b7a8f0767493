//! Maps as numbers, and where their cells lie in the picture.

use std::ops::Range;

use ndarray::{Array2, s};
use serde::Serialize;
use tch::{Kind, Tensor};

use super::Explanation;
use crate::{error::Result, geometry::LetterboxMap, tensor::to_array2};

/// The resolution of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum MapSize {
    /// The layer's own: one value per feature cell
    #[default]
    Feature,
    /// That of the network's input, padding included
    Input,
    /// The picture's own, without padding; zero where the network saw nothing of it
    Image,
}

/// Where the cells of a map lie in the picture: cell (row r, column c) reaches, in pixels of the picture, from
/// `offset_x + c·scale_x` to `offset_x + (c + 1)·scale_x`, and likewise down.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CellGrid {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Picture pixels per column.
    pub scale_x: f32,
    /// Picture pixels per row.
    pub scale_y: f32,
    /// Left edge of the first column; negative where it lies in the padding.
    pub offset_x: f32,
    /// Upper edge of the first row.
    pub offset_y: f32,
}

impl Explanation {
    /// The map of box `index` at `size`, `[h, w]` ≥ 0, in the method's own unit (maps of several layers: normalised and
    /// fused). Meaningless where the map has no signal.
    ///
    /// # Errors
    /// [`crate::Error::Libtorch`] if there is not enough memory.
    pub fn map(&self, index: usize, size: MapSize) -> Result<Array2<f32>> {
        let heatmap = &self.boxes[index].heatmap;
        let map = &self.letterbox.map;
        match size {
            MapSize::Feature => Ok(heatmap.values().clone()),
            MapSize::Input => heatmap.upsampled(map.input),
            MapSize::Image => {
                let whole = heatmap.upsampled(map.input)?;
                let (height, width) = whole.dim();
                let (columns, rows) = map.shown();
                let narrow = |dim: i64, tensor: Tensor, part: Range<u32>| {
                    tensor.f_narrow(dim, part.start.into(), (part.end - part.start).into())
                };
                let whole =
                    Tensor::try_from(&whole)?.f_view([1, 1, height as i64, width as i64])?.f_to_kind(Kind::Float)?;
                let inner = narrow(3, narrow(2, whole, rows)?, columns)?;
                // Whole pixels of the picture, one at least.
                let along = |from: f32, to: f32, pixels: u32| {
                    let first = (from.round() as usize).min(pixels as usize - 1);
                    first..(to.round() as usize).max(first + 1)
                };
                let visible = map.visible();
                let rows = along(visible.y1, visible.y2, map.image.height);
                let columns = along(visible.x1, visible.x2, map.image.width);
                let size = [rows.len() as i64, columns.len() as i64];
                let inner = to_array2(&inner.f_upsample_bilinear2d(size, false, None, None)?.f_flatten(0, 2)?)?;
                let mut map = Array2::zeros((map.image.height as usize, map.image.width as usize));
                map.slice_mut(s![rows, columns]).assign(&inner);
                Ok(map)
            }
        }
    }

    /// Where the cells of the map of box `index` at `size` lie.
    pub fn grid(&self, index: usize, size: MapSize) -> CellGrid {
        let map = &self.letterbox.map;
        match size {
            MapSize::Feature => CellGrid::of(self.boxes[index].heatmap.values().dim(), map),
            MapSize::Input => CellGrid::of((map.input.height as usize, map.input.width as usize), map),
            MapSize::Image => {
                let (width, height) = (map.image.width as usize, map.image.height as usize);
                CellGrid { width, height, scale_x: 1.0, scale_y: 1.0, offset_x: 0.0, offset_y: 0.0 }
            }
        }
    }
}

impl CellGrid {
    /// Of a map `[height, width]` of the whole input, in which the picture lies as `map` says.
    pub fn of((height, width): (usize, usize), map: &LetterboxMap) -> Self {
        // Image pixels per input pixel.
        let x = map.image.width as f32 / map.scaled.width as f32;
        let y = map.image.height as f32 / map.scaled.height as f32;
        Self {
            width,
            height,
            scale_x: map.input.width as f32 / width as f32 * x,
            scale_y: map.input.height as f32 / height as f32 * y,
            offset_x: -(map.pad_x as f32) * x,
            offset_y: -(map.pad_y as f32) * y,
        }
    }
}
