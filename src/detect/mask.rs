//! Masks of detections: where the sum of the network's prototypes, each times the box's coefficient, is positive.

use ndarray::Array2;
use tch::{Kind, Tensor};

use crate::{
    error::{Error, Result},
    families::{Head, Place},
    geometry::{BBox, LetterboxMap, Size},
    tensor::values,
};

/// The pixels of an object: of the network's input, or of a picture.
///
/// One bit is kept for each pixel of the rectangle around them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    /// Of what it is a part.
    size: Size,
    /// What may have pixels; the rest has none.
    frame: Frame,
    /// Row by row.
    bits: Vec<u64>,
}

/// Whole pixels of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    pub left: u32,
    pub top: u32,
    pub width: u32,
    pub height: u32,
}

impl Frame {
    /// The pixels that a box keeps of a mask, as the Ultralytics package's `crop_mask`: whose number lies in its range.
    fn of_box(b: &BBox, size: Size) -> Self {
        let side = |at: f32, most: u32| at.ceil().clamp(0.0, most as f32) as u32;
        let (left, top) = (side(b.x1, size.width), side(b.y1, size.height));
        let (right, bottom) = (side(b.x2, size.width), side(b.y2, size.height));
        Self { left, top, width: right.saturating_sub(left), height: bottom.saturating_sub(top) }
    }

    /// Its columns and rows in the whole, one pixel after the other, row by row.
    pub fn pixels(self) -> impl Iterator<Item = (u32, u32)> {
        let Self { left, top, width, height } = self;
        (top..top + height).flat_map(move |y| (left..left + width).map(move |x| (x, y)))
    }
}

impl Mask {
    /// Those pixels of the frame that `is_set` says, by column and row in the whole.
    pub(crate) fn new(size: Size, frame: Frame, mut is_set: impl FnMut(u32, u32) -> bool) -> Self {
        let pixels = frame.width as usize * frame.height as usize;
        let mut bits = vec![0; pixels.div_ceil(64)];
        for (index, (x, y)) in frame.pixels().enumerate() {
            bits[index / 64] |= u64::from(is_set(x, y)) << (index % 64);
        }
        Self { size, frame, bits }
    }

    /// Width and height of what it is a part of.
    pub fn size(&self) -> Size {
        self.size
    }

    /// The rectangle that all its pixels lie in.
    pub(crate) fn frame(&self) -> Frame {
        self.frame
    }

    /// Whether the pixel in this column and row belongs to it.
    pub fn contains(&self, x: u32, y: u32) -> bool {
        let Frame { left, top, width, height } = self.frame;
        let is_framed = (left..left + width).contains(&x) && (top..top + height).contains(&y);
        is_framed && {
            let index = (y - top) as usize * width as usize + (x - left) as usize;
            self.bits[index / 64] >> (index % 64) & 1 == 1
        }
    }

    /// How many pixels it has.
    pub fn area(&self) -> usize {
        self.bits.iter().map(|bits| bits.count_ones() as usize).sum()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.bits.iter().all(|&bits| bits == 0)
    }

    /// `[H, W]`.
    pub fn pixels(&self) -> Array2<bool> {
        let mut pixels = Array2::from_elem((self.size.height as usize, self.size.width as usize), false);
        for (x, y) in self.frame.pixels() {
            pixels[[y as usize, x as usize]] = self.contains(x, y);
        }
        pixels
    }

    /// Of a mask in the network's input the one in the picture: each pixel is what lies at its centre.
    #[must_use]
    pub fn to_image(&self, map: &LetterboxMap) -> Self {
        let Frame { left, top, width, height } = self.frame;
        let edges = [left, top, left + width, top + height].map(|edge| edge as f32);
        let b = map.to_image(&BBox::from(edges));
        // No pixel at the edge is lost by rounding.
        let around = BBox { x1: b.x1.floor(), y1: b.y1.floor(), x2: b.x2.ceil(), y2: b.y2.ceil() };
        Self::new(map.image, Frame::of_box(&around, map.image), |x, y| {
            let [x, y] = map.point_to_input([x as f32 + 0.5, y as f32 + 0.5]);
            self.contains(x as u32, y as u32)
        })
    }

    /// How many pixels it has and has not in turn, column by column from the left, each from the top; first those that it has
    /// not. COCO's uncompressed run-length encoding.
    pub fn runs(&self) -> Vec<u64> {
        let Frame { left, top, width, height } = self.frame;
        let rows = u64::from(self.size.height);
        let mut runs = Vec::new();
        // Of the run so far: whether it is of the mask, and where it begins.
        let (mut is_set, mut start) = (false, 0);
        let mut turn = |wanted: bool, at: u64| {
            if wanted != is_set {
                runs.push(at - start);
                (is_set, start) = (wanted, at);
            }
        };
        for x in left..left + width {
            let first = u64::from(x) * rows;
            for y in top..top + height {
                turn(self.contains(x, y), first + u64::from(y));
            }
            // Where the frame fills the columns, a run goes on in the next.
            if u64::from(height) < rows {
                turn(false, first + u64::from(top + height));
            }
        }
        let end = u64::from(self.size.width) * rows;
        if end > start {
            runs.push(end - start);
        }
        runs
    }
}

/// What masks of one picture are made of.
pub(crate) struct Prototypes<'a> {
    head: &'a dyn Head,
    /// Of the whole forward pass.
    outputs: &'a [Tensor],
    /// `[masks, h·w]`.
    prototypes: Tensor,
    /// Rows and columns.
    cells: (usize, usize),
    /// Of the network's input.
    input: Size,
}

impl<'a> Prototypes<'a> {
    /// Of the first picture, if the forward pass that gave `outputs` gave masks too.
    pub fn of(head: &'a dyn Head, outputs: &'a [Tensor]) -> Result<Option<Self>> {
        let Some(prototypes) = head.prototypes(outputs) else { return Ok(None) };
        let &[_, _, rows, columns] = prototypes.size().as_slice() else {
            return Err(Error::Libtorch(format!("expected prototypes [N, C, h, w], found {:?}", prototypes.size())));
        };
        let grids = head.grids(outputs)?;
        let grid = grids.first().ok_or_else(|| Error::Libtorch("a head without levels has masks".into()))?;
        let stride = head.levels()[grid.level].stride;
        let input = Size { width: grid.width as u32 * stride, height: grid.height as u32 * stride };
        let prototypes = prototypes.f_get(0)?.f_flatten(1, -1)?.f_to_kind(Kind::Float)?;
        Ok(Some(Self { head, outputs, prototypes, cells: (rows as usize, columns as usize), input }))
    }

    /// The mask of the prediction at `place`, cropped to its box.
    pub fn mask(&self, place: &Place, b: &BBox) -> Result<Mask> {
        let coefficients = self.head.mask_coefficients(self.outputs, place)?;
        let coefficients = coefficients.ok_or_else(|| Error::Libtorch("a prediction has no coefficients".into()))?;
        let logits = values(&self.prototypes.f_detach()?.f_transpose(0, 1)?.f_mv(&coefficients.f_detach()?)?)?;
        let (rows, columns) = self.cells;
        let along = |pixels: u32, cells: usize| -> Vec<Between> {
            (0..pixels).map(|pixel| Between::of_pixel(pixel, pixels, cells)).collect()
        };
        let (xs, ys) = (along(self.input.width, columns), along(self.input.height, rows));
        let is_set = |x: u32, y: u32| {
            let (x, y) = (&xs[x as usize], &ys[y as usize]);
            let in_row = |row: usize| x.mix(logits[row * columns + x.cells[0]], logits[row * columns + x.cells[1]]);
            y.mix(in_row(y.cells[0]), in_row(y.cells[1])) > 0.0
        };
        Ok(Mask::new(self.input, Frame::of_box(b, self.input), is_set))
    }

    /// The mean of the logits inside `mask`, with its autograd graph; 0 if the mask has no pixels.
    ///
    /// `coefficients`: `[masks]`.
    pub fn mean_logit(&self, coefficients: &Tensor, mask: &Mask) -> Result<Tensor> {
        let (rows, columns) = self.cells;
        let logits = self.prototypes.f_transpose(0, 1)?.f_mv(coefficients)?;
        let small = logits.f_view([1, 1, rows as i64, columns as i64])?;
        let size = [i64::from(mask.size.height), i64::from(mask.size.width)];
        let large = small.f_upsample_bilinear2d(size, false, None, None)?.f_view(size)?;
        let share = 1.0 / mask.area().max(1) as f32;
        let weights: Vec<f32> = mask.pixels().iter().map(|&is_set| if is_set { share } else { 0.0 }).collect();
        let weights = Tensor::from_slice(&weights).f_to_device(large.device())?.f_view(size)?;
        Ok(large.f_mul(&weights)?.f_sum(Kind::Float)?)
    }
}

/// Where the centre of a pixel lies between those of two cells: bilinear interpolation, in one direction.
struct Between {
    cells: [usize; 2],
    /// Of the second.
    share: f32,
}

impl Between {
    /// As PyTorch's `interpolate(mode="bilinear", align_corners=False)`.
    fn of_pixel(pixel: u32, pixels: u32, cells: usize) -> Self {
        let at = ((pixel as f32 + 0.5) * (cells as f32 / pixels as f32) - 0.5).max(0.0);
        let first = (at as usize).min(cells.saturating_sub(1));
        Self { cells: [first, (first + 1).min(cells.saturating_sub(1))], share: at - first as f32 }
    }

    fn mix(&self, first: f32, second: f32) -> f32 {
        first * (1.0 - self.share) + second * self.share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(rows: &[&str]) -> Mask {
        let size = Size { width: rows[0].len() as u32, height: rows.len() as u32 };
        let frame = Frame { left: 0, top: 0, width: size.width, height: size.height };
        Mask::new(size, frame, |x, y| rows[y as usize].as_bytes()[x as usize] == b'#')
    }

    #[test]
    fn runs_go_down_the_columns_and_begin_with_what_is_outside() {
        assert_eq!(mask(&["..#", ".##"]).runs(), [3, 3]);
        assert_eq!(mask(&["#..", ".#."]).runs(), [0, 1, 2, 1, 2]);
        assert_eq!(mask(&["...", "..."]).runs(), [6]);
        let framed =
            Mask::new(Size { width: 4, height: 4 }, Frame { left: 1, top: 1, width: 2, height: 2 }, |_, _| true);
        assert_eq!(framed.runs(), [5, 2, 2, 2, 5]);
        assert_eq!((framed.area(), framed.contains(1, 1), framed.contains(3, 1)), (4, true, false));
    }

    #[test]
    fn a_mask_is_found_again_in_the_picture() {
        let input = mask(&["....", ".##.", ".#..", "...."]);
        // The picture is twice as large as the input, which has no padding on the left and one row above.
        let map = LetterboxMap {
            image: Size { width: 8, height: 6 },
            input: input.size(),
            scaled: Size { width: 4, height: 3 },
            scale: 0.5,
            pad_x: 0,
            pad_y: 1,
        };
        let picture = input.to_image(&map);
        assert_eq!(picture.size(), map.image);
        let rows = ["..####..", "..####..", "..##....", "..##....", "........", "........"];
        assert_eq!(picture.pixels(), mask(&rows).pixels());
    }

    #[test]
    fn a_box_crops_to_whole_pixels_and_one_outside_leaves_nothing() {
        let size = Size { width: 10, height: 8 };
        let frame = |b: [f32; 4]| Frame::of_box(&BBox::from(b), size);
        assert_eq!(frame([1.4, 2.5, 3.6, 5.0]), Frame { left: 2, top: 3, width: 2, height: 2 });
        assert_eq!(frame([-5.0, -1.0, 30.0, 8.2]), Frame { left: 0, top: 0, width: 10, height: 8 });
        assert_eq!(Mask::new(size, frame([12.0, 2.0, 20.0, 5.0]), |_, _| true).area(), 0);
    }

    #[test]
    fn pixels_between_cells_are_mixed_as_pytorch_does() {
        let small = Tensor::from_slice(&[0.0f32, 1.0, 5.0]).view([1, 1, 1, 3]);
        let large = values(&small.upsample_bilinear2d([1, 12], false, None, None)).unwrap();
        for (pixel, expected) in large.into_iter().enumerate() {
            let between = Between::of_pixel(pixel as u32, 12, 3);
            let cells = [0.0, 1.0, 5.0];
            let found = between.mix(cells[between.cells[0]], cells[between.cells[1]]);
            assert!((found - expected).abs() < 1e-6, "pixel {pixel}: {found}, expected {expected}");
        }
    }
}
