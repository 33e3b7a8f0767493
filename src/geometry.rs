//! Boxes, sizes, and the way between a picture's pixels and the network's input.

use std::{fmt, ops::Range};

use serde::{Deserialize, Serialize};

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Size {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

impl Size {
    /// A square.
    pub fn square(side: u32) -> Self {
        Self { width: side, height: side }
    }

    /// The longest side.
    pub fn longest(self) -> u32 {
        self.width.max(self.height)
    }

    /// Pixels of a side of a cell where so many rows and columns of them cover this size; `None` if they are no squares of whole
    /// pixels.
    pub fn pixels_per_cell(self, rows: i64, columns: i64) -> Option<u32> {
        let along = |side: u32, cells: i64| {
            let cells = u32::try_from(cells).ok().filter(|&cells| cells > 0)?;
            side.is_multiple_of(cells).then_some(side / cells)
        };
        along(self.height, rows).filter(|&pixels| along(self.width, columns) == Some(pixels))
    }
}

impl fmt::Display for Size {
    /// Width, then height: `640x480`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// An axis-parallel box by its corners, in pixels; x to the right, y down. Serialised as `[x1, y1, x2, y2]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(into = "[f32; 4]", from = "[f32; 4]")]
pub struct BBox {
    /// Left.
    pub x1: f32,
    /// Top.
    pub y1: f32,
    /// Right.
    pub x2: f32,
    /// Bottom.
    pub y2: f32,
}

impl From<BBox> for [f32; 4] {
    fn from(b: BBox) -> Self {
        [b.x1, b.y1, b.x2, b.y2]
    }
}

impl From<[f32; 4]> for BBox {
    fn from([x1, y1, x2, y2]: [f32; 4]) -> Self {
        Self { x1, y1, x2, y2 }
    }
}

impl BBox {
    /// The box with this centre and size.
    pub fn from_cxcywh(cx: f32, cy: f32, w: f32, h: f32) -> Self {
        Self { x1: cx - w / 2.0, y1: cy - h / 2.0, x2: cx + w / 2.0, y2: cy + h / 2.0 }
    }

    /// Whether all corners are numbers.
    pub fn is_finite(&self) -> bool {
        <[f32; 4]>::from(*self).iter().all(|side| side.is_finite())
    }

    /// Area in square pixels; 0 for a box turned inside out.
    pub fn area(&self) -> f32 {
        (self.x2 - self.x1).max(0.0) * (self.y2 - self.y1).max(0.0)
    }

    /// Area that both cover, in square pixels.
    pub fn shared_area(&self, other: &Self) -> f32 {
        let shared = Self {
            x1: self.x1.max(other.x1),
            y1: self.y1.max(other.y1),
            x2: self.x2.min(other.x2),
            y2: self.y2.min(other.y2),
        };
        shared.area()
    }

    /// Whether a point (x, y) lies inside or on an edge.
    pub fn covers(&self, [x, y]: [f32; 2]) -> bool {
        (self.x1..=self.x2).contains(&x) && (self.y1..=self.y2).contains(&y)
    }

    /// Intersection over union, 0 to 1; 0 where both are empty.
    pub fn iou(&self, other: &Self) -> f32 {
        let overlap = self.shared_area(other);
        let union = self.area() + other.area() - overlap;
        if union > 0.0 { overlap / union } else { 0.0 }
    }

    /// IoU of what two predictions are about, where `None` is the whole picture.
    pub fn overlap(a: Option<&Self>, b: Option<&Self>) -> f32 {
        match (a, b) {
            (Some(a), Some(b)) => a.iou(b),
            (None, None) => 1.0,
            _ => 0.0,
        }
    }

    /// The part of the box that lies in a picture of this size.
    #[must_use]
    pub fn clipped(&self, size: Size) -> Self {
        let (w, h) = (size.width as f32, size.height as f32);
        Self {
            x1: self.x1.clamp(0.0, w),
            y1: self.y1.clamp(0.0, h),
            x2: self.x2.clamp(0.0, w),
            y2: self.y2.clamp(0.0, h),
        }
    }
}

/// A rotated box, in pixels; x to the right, y down.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RotatedBox {
    /// Of the centre.
    pub cx: f32,
    /// Of the centre.
    pub cy: f32,
    /// The side that lies along the angle.
    pub w: f32,
    /// The other side.
    pub h: f32,
    /// From the x axis to the first side, in radians, clockwise as a picture is seen.
    pub angle: f32,
}

impl RotatedBox {
    /// The corners [x, y], one after the other around the box.
    pub fn corners(&self) -> [[f32; 2]; 4] {
        let (sin, cos) = self.angle.sin_cos();
        let (along, across) = ([self.w / 2.0 * cos, self.w / 2.0 * sin], [-self.h / 2.0 * sin, self.h / 2.0 * cos]);
        [(1.0, 1.0), (1.0, -1.0), (-1.0, -1.0), (-1.0, 1.0)]
            .map(|(a, b)| [self.cx + a * along[0] + b * across[0], self.cy + a * along[1] + b * across[1]])
    }

    /// The smallest axis-parallel box around it.
    pub fn hull(&self) -> BBox {
        let (sin, cos) = self.angle.sin_cos();
        let (w, h) = ((self.w * cos).abs() + (self.h * sin).abs(), (self.w * sin).abs() + (self.h * cos).abs());
        BBox::from_cxcywh(self.cx, self.cy, w, h)
    }

    /// How much two rotated boxes are alike, 0 to 1: 1 less the Hellinger distance of the Gaussian distributions that they stand for.
    ///
    /// Murrugarra-Llerena, Kirsten and Jung, 2021, <https://arxiv.org/abs/2106.06072>; `probiou` of the Ultralytics package.
    pub fn prob_iou(&self, other: &Self) -> f32 {
        /// Keeps what is divided by, and what a logarithm is taken of, from being 0.
        const EPS: f64 = 1e-7;
        // Variances along x and y, and the covariance.
        let gaussian = |b: &Self| {
            let (sin, cos) = f64::from(b.angle).sin_cos();
            let (along, across) = (f64::from(b.w).powi(2) / 12.0, f64::from(b.h).powi(2) / 12.0);
            let x = along * cos * cos + across * sin * sin;
            let y = along * sin * sin + across * cos * cos;
            (x, y, (along - across) * cos * sin)
        };
        let ((x1, y1, c1), (x2, y2, c2)) = (gaussian(self), gaussian(other));
        let (x, y, c) = (x1 + x2, y1 + y2, c1 + c2);
        let (dx, dy) = (f64::from(self.cx) - f64::from(other.cx), f64::from(self.cy) - f64::from(other.cy));
        let determinant = x * y - c * c;
        let position = 0.25 * (x * dy * dy + y * dx * dx - 2.0 * c * dx * dy) / (determinant + EPS);
        let own = ((x1 * y1 - c1 * c1).max(0.0) * (x2 * y2 - c2 * c2).max(0.0)).sqrt();
        let shape = 0.5 * (determinant / (4.0 * own + EPS) + EPS).ln();
        let distance = (position + shape).clamp(EPS, 100.0);
        (1.0 - (1.0 - (-distance).exp() + EPS).sqrt()) as f32
    }

    /// Whether all of it are numbers.
    pub fn is_finite(&self) -> bool {
        [self.cx, self.cy, self.w, self.h, self.angle].iter().all(|value| value.is_finite())
    }
}

/// How a picture was scaled into the network's input, and padded or cut.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LetterboxMap {
    /// The picture.
    pub image: Size,
    /// The network's input.
    pub input: Size,
    /// The whole picture at the scale of the input, without padding.
    pub scaled: Size,
    /// Input pixels per picture pixel, before the sides of `scaled` are rounded; of a stretched picture along its rows.
    pub scale: f32,
    /// Columns of padding on the left; less than 0: so many are cut off.
    pub pad_x: i32,
    /// Rows of padding on the top; less than 0: so many are cut off.
    pub pad_y: i32,
}

impl LetterboxMap {
    /// The letterbox of YOLOv5 (`letterbox(auto=True, scaleup=True)` of `utils/augmentations.py`): the longest
    /// side becomes `longest`, the other is padded to the next multiple of `stride`, half on each side.
    ///
    /// `image` must not be empty, and `longest` should be a multiple of `stride`.
    pub fn new(image: Size, longest: u32, stride: u32) -> Self {
        Self::within(image, Size::square(longest), |missing| missing % stride)
    }

    /// The same with padding up to the whole of `input` (`letterbox(auto=False)`), as later packages do it for static exports.
    ///
    /// `image` must not be empty.
    pub fn full(image: Size, input: Size) -> Self {
        Self::within(image, input, |missing| missing)
    }

    /// The picture as large as it fits into `frame`. `pad`: how much of what is missing on a side is filled.
    fn within(image: Size, frame: Size, pad: impl Fn(u32) -> u32) -> Self {
        let (w, h) = (f64::from(image.width), f64::from(image.height));
        let scale = (f64::from(frame.width) / w).min(f64::from(frame.height) / h);
        // Python's round: a half goes to the even neighbour. A side never vanishes.
        let side = |side: f64, most: u32| ((side * scale).round_ties_even() as u32).clamp(1, most);
        let scaled = Size { width: side(w, frame.width), height: side(h, frame.height) };
        let (pad_w, pad_h) = (pad(frame.width - scaled.width), pad(frame.height - scaled.height));
        let before = |pad: u32| (f64::from(pad) / 2.0 - 0.1).round_ties_even().max(0.0) as i32;
        Self {
            image,
            input: Size { width: scaled.width + pad_w, height: scaled.height + pad_h },
            scaled,
            scale: scale as f32,
            pad_x: before(pad_w),
            pad_y: before(pad_h),
        }
    }

    /// The picture stretched to all of `input`; the scale is that of its columns.
    ///
    /// `image` must not be empty.
    pub fn stretched(image: Size, input: Size) -> Self {
        Self::identity(input).onto(image)
    }

    /// A square of `side` pixels around the centre of the picture, whose shortest side becomes `side`. As torchvision's `Resize`
    /// and `CenterCrop`.
    ///
    /// `image` must not be empty.
    pub fn centre_crop(image: Size, side: u32) -> Self {
        let shortest = image.width.min(image.height);
        let along = |length: u32| (u64::from(length) * u64::from(side) / u64::from(shortest)) as u32;
        let scaled = Size { width: along(image.width), height: along(image.height) };
        let before = |length: u32| -(f64::from(length - side) / 2.0).round_ties_even() as i32;
        Self {
            image,
            input: Size { width: side, height: side },
            scaled,
            scale: side as f32 / shortest as f32,
            pad_x: before(scaled.width),
            pad_y: before(scaled.height),
        }
    }

    /// Where in the picture a box of the input is, clipped to the picture; without a box the part of the picture that lies in the
    /// input. In pixels of the picture.
    pub fn place(&self, b: Option<&BBox>) -> BBox {
        b.map_or_else(|| self.visible(), |b| self.to_image(b))
    }

    /// The part of the picture that lies in the input, in pixels of the picture.
    pub fn visible(&self) -> BBox {
        self.to_image(&BBox { x1: 0.0, y1: 0.0, x2: self.input.width as f32, y2: self.input.height as f32 })
    }

    /// The columns and the rows of the input that show the picture: no padding. Never empty.
    pub fn shown(&self) -> (Range<u32>, Range<u32>) {
        let along = |pad: i32, scaled: u32, input: u32| {
            let (first, end) = (pad.max(0) as u32, i64::from(pad) + i64::from(scaled));
            first..end.clamp(i64::from(first) + 1, i64::from(input.max(first + 1))) as u32
        };
        (
            along(self.pad_x, self.scaled.width, self.input.width),
            along(self.pad_y, self.scaled.height, self.input.height),
        )
    }

    /// A picture that is the input itself.
    pub fn identity(input: Size) -> Self {
        Self { image: input, input, scaled: input, scale: 1.0, pad_x: 0, pad_y: 0 }
    }

    /// As if the picture had another `size`, with the same content.
    #[must_use]
    pub fn onto(&self, size: Size) -> Self {
        Self { image: size, scale: self.scaled.width as f32 / size.width as f32, ..*self }
    }

    /// A box in picture pixels, clipped to the picture, from one in input pixels.
    pub fn to_image(&self, b: &BBox) -> BBox {
        let ([x1, y1], [x2, y2]) = (self.point_to_image([b.x1, b.y1]), self.point_to_image([b.x2, b.y2]));
        BBox { x1, y1, x2, y2 }.clipped(self.image)
    }

    /// A rotated box in picture pixels from one in input pixels. It may stick out of the picture. Its angle stays, as the
    /// Ultralytics package does it.
    pub fn rotated_to_image(&self, b: &RotatedBox) -> RotatedBox {
        let [cx, cy] = self.point_to_image([b.cx, b.cy]);
        let (sx, sy) = self.scales();
        RotatedBox { cx, cy, w: b.w / sx, h: b.h / sy, angle: b.angle }
    }

    /// A point in picture pixels from one in input pixels. It may lie outside of the picture.
    pub fn point_to_image(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        let (sx, sy) = self.scales();
        [(x - self.pad_x as f32) / sx, (y - self.pad_y as f32) / sy]
    }

    /// Where a point of the input is in the picture, in picture pixels, moved to its edge if it lies outside.
    pub fn point_in_image(&self, point: [f32; 2]) -> [f32; 2] {
        let [x, y] = self.point_to_image(point);
        [x.clamp(0.0, self.image.width as f32), y.clamp(0.0, self.image.height as f32)]
    }

    /// A box in input pixels from one in picture pixels.
    pub fn to_input(&self, b: &BBox) -> BBox {
        let ([x1, y1], [x2, y2]) = (self.point_to_input([b.x1, b.y1]), self.point_to_input([b.x2, b.y2]));
        BBox { x1, y1, x2, y2 }
    }

    /// A point in input pixels from one in picture pixels.
    pub fn point_to_input(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        let (sx, sy) = self.scales();
        [x * sx + self.pad_x as f32, y * sy + self.pad_y as f32]
    }

    /// What the resizing really did on each axis: for a very long picture the short side's rounding counts.
    fn scales(&self) -> (f32, f32) {
        let ratio = |scaled: u32, image: u32| scaled as f32 / image as f32;
        (ratio(self.scaled.width, self.image.width), ratio(self.scaled.height, self.image.height))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn letterbox(width: u32, height: u32) -> LetterboxMap {
        LetterboxMap::new(Size { width, height }, 640, 32)
    }

    #[test]
    fn letterbox_agrees_with_yolov5_on_known_sizes() {
        // (width, height) -> input (width, height), pad (x, y); from letterbox(auto=True, stride=32).
        let cases = [
            ((768, 576), (640, 480), (0, 0)),
            ((773, 512), (640, 448), (0, 12)),
            ((810, 1080), (480, 640), (0, 0)),
            ((451, 300), (640, 448), (0, 11)),
            ((640, 424), (640, 448), (0, 12)),
            ((1000, 10), (640, 32), (0, 13)),
        ];
        for ((w, h), (input_w, input_h), pad) in cases {
            let map = letterbox(w, h);
            assert_eq!((map.input.width, map.input.height), (input_w, input_h), "{w}x{h}");
            assert_eq!((map.pad_x, map.pad_y), pad, "{w}x{h}");
        }
    }

    #[test]
    fn a_full_letterbox_agrees_with_ultralytics_on_known_sizes() {
        // (width, height) -> scaled (width, height), pad (x, y); from LetterBox((192, 256), auto=False).
        let cases = [
            ((768, 576), (256, 192), (0, 0)),
            ((773, 512), (256, 170), (0, 11)),
            ((810, 1080), (144, 192), (56, 0)),
            ((451, 300), (256, 170), (0, 11)),
            ((1000, 10), (256, 3), (0, 94)),
        ];
        let input = Size { width: 256, height: 192 };
        for ((width, height), scaled, pad) in cases {
            let map = LetterboxMap::full(Size { width, height }, input);
            assert_eq!(map.input, input, "{width}x{height}");
            assert_eq!((map.scaled.width, map.scaled.height), scaled, "{width}x{height}");
            assert_eq!((map.pad_x, map.pad_y), pad, "{width}x{height}");
        }
    }

    #[test]
    fn a_stretched_picture_fills_the_input_and_boxes_go_back_by_each_axis() {
        let map = LetterboxMap::stretched(Size { width: 768, height: 576 }, Size::square(640));
        assert_eq!((map.input, map.scaled, map.pad_x, map.pad_y), (Size::square(640), Size::square(640), 0, 0));
        let b = map.to_image(&BBox { x1: 64.0, y1: 64.0, x2: 640.0, y2: 320.0 });
        for (found, expected) in <[f32; 4]>::from(b).into_iter().zip([76.8, 57.6, 768.0, 288.0]) {
            assert!((found - expected).abs() < 1e-3, "{b:?}");
        }
        assert_eq!(map.shown(), (0..640, 0..640));
    }

    #[test]
    fn what_is_shown_is_the_input_without_its_padding() {
        assert_eq!(letterbox(773, 512).shown(), (0..640, 12..436));
        let size = |width, height| Size { width, height };
        assert_eq!(LetterboxMap::full(size(810, 1080), size(256, 192)).shown(), (56..200, 0..192));
        assert_eq!(LetterboxMap::centre_crop(size(768, 576), 224).shown(), (0..224, 0..224), "all of it is cut out");
    }

    #[test]
    fn a_centre_crop_is_torchvisions() {
        // (width, height) -> scaled, cut off on the left and on the top.
        let cases = [
            ((768, 576), (298, 224), (37, 0)),
            ((773, 512), (338, 224), (57, 0)),
            ((451, 900), (224, 447), (0, 112)),
            ((224, 224), (224, 224), (0, 0)),
            ((10, 1000), (224, 22_400), (0, 11_088)),
        ];
        for ((width, height), scaled, cut) in cases {
            let map = LetterboxMap::centre_crop(Size { width, height }, 224);
            assert_eq!((map.scaled.width, map.scaled.height), scaled, "{width}x{height}");
            assert_eq!((-map.pad_x, -map.pad_y), cut, "{width}x{height}");
            let visible = map.visible();
            let shortest = width.min(height) as f32;
            for side in [visible.x2 - visible.x1, visible.y2 - visible.y1] {
                assert!((side - shortest).abs() <= 0.01 * shortest, "{width}x{height}: {visible:?}");
            }
        }
    }

    #[test]
    fn cells_are_squares_of_whole_pixels() {
        let size = Size { width: 256, height: 192 };
        assert_eq!(size.pixels_per_cell(24, 32), Some(8));
        for (rows, columns) in [(32, 24), (24, 24), (0, 0), (-24, -32), (100, 133), (1 << 40, 1 << 40)] {
            assert_eq!(size.pixels_per_cell(rows, columns), None, "{rows}x{columns}");
        }
    }

    #[test]
    fn iou_of_known_boxes() {
        let a = BBox { x1: 0.0, y1: 0.0, x2: 2.0, y2: 2.0 };
        let b = BBox { x1: 1.0, y1: 0.0, x2: 3.0, y2: 2.0 };
        assert_eq!(a.iou(&a), 1.0);
        assert_eq!(a.iou(&b), 1.0 / 3.0);
        let empty = BBox { x1: 1.0, y1: 1.0, x2: 1.0, y2: 1.0 };
        assert_eq!(empty.iou(&empty), 0.0);
    }

    proptest! {
        #[test]
        fn a_box_survives_the_way_to_the_input_and_back(
            w in 1u32..5000, h in 1u32..5000, fractions in prop::array::uniform4(0.0f32..1.0)
        ) {
            let map = letterbox(w, h);
            let [a, b, c, d] = fractions;
            let there = BBox {
                x1: a.min(b) * w as f32, y1: c.min(d) * h as f32, x2: a.max(b) * w as f32, y2: c.max(d) * h as f32,
            };
            let back: [f32; 4] = map.to_image(&map.to_input(&there)).into();
            let tolerance = 1e-3 * w.max(h) as f32;
            for (left, right) in back.iter().zip(<[f32; 4]>::from(there)) {
                prop_assert!((left - right).abs() <= tolerance, "{back:?} {there:?}");
            }
        }

        #[test]
        fn the_input_is_whole_strides_and_holds_the_picture(w in 1u32..20000, h in 1u32..20000) {
            let map = letterbox(w, h);
            prop_assert_eq!((map.input.width % 32, map.input.height % 32), (0, 0));
            prop_assert_eq!(map.input.width.max(map.input.height), 640);
            prop_assert!(map.pad_x as u32 + map.scaled.width <= map.input.width);
            prop_assert!(map.pad_y as u32 + map.scaled.height <= map.input.height);
        }
    }
}
