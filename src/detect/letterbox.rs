//! From a picture to the network's input.

use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::{Rgb, RgbImage, imageops};
use tch::{Device, Kind, Tensor};

use crate::{
    error::{Error, Result},
    families::Framing,
    geometry::{LetterboxMap, Size},
    model::Model,
    picture::paste,
};

/// The grey of YOLOv5's padding.
const PADDING: Rgb<u8> = Rgb([114, 114, 114]);

/// A picture as the network's input: scaled, and padded or cut.
#[derive(Debug, Clone)]
pub struct Letterbox {
    /// The input, RGB.
    pub image: RgbImage,
    /// How the picture lies in it.
    pub map: LetterboxMap,
}

impl Letterbox {
    /// `picture` as `model` takes it, by the rules of its family. `img_size` as in [`Model::input_side`].
    ///
    /// # Errors
    /// [`Error::EmptyPicture`] if the picture has no pixels; [`Error::FixedSize`] if the network runs at another size alone.
    pub fn of(picture: &RgbImage, model: &Model, img_size: Option<u32>) -> Result<Self> {
        model.check_img_size(img_size)?;
        let side = model.input_side(img_size);
        match model.head().framing() {
            Framing::Letterbox => match model.full_size(img_size) {
                Some(input) => Self::full(picture, input),
                None => Self::new(picture, side, model.max_stride()),
            },
            Framing::Stretch => Self::stretched(picture, model.input_size(img_size)),
            Framing::ScaleThenCrop => Self::centre_crop(picture, side, scaled_crop),
            Framing::CropThenScale => Self::centre_crop(picture, side, cropped),
        }
    }

    /// Scales `picture` so that its longest side is `longest` pixels and pads the other to a multiple of `stride`,
    /// as YOLOv5's `letterbox(auto=True)`. Resized bilinearly without antialiasing, as OpenCV's `INTER_LINEAR`.
    ///
    /// `longest` should be a multiple of `stride`.
    ///
    /// # Errors
    /// [`Error::EmptyPicture`] if the picture has no pixels.
    pub fn new(picture: &RgbImage, longest: u32, stride: u32) -> Result<Self> {
        Ok(Self::padded(picture, LetterboxMap::new(size_of(picture)?, longest, stride)))
    }

    /// Scales `picture` until it just fits into `input`, and pads it to that size, as `letterbox(auto=False)`.
    ///
    /// # Errors
    /// [`Error::EmptyPicture`] if the picture has no pixels.
    pub fn full(picture: &RgbImage, input: Size) -> Result<Self> {
        Ok(Self::padded(picture, LetterboxMap::full(size_of(picture)?, input)))
    }

    /// Scales `picture` to `input`, each axis by itself, as `LetterBox(scale_fill=True)` of the Ultralytics package. Resized as in
    /// [`new`](Self::new).
    ///
    /// # Errors
    /// [`Error::EmptyPicture`] if the picture has no pixels.
    pub fn stretched(picture: &RgbImage, input: Size) -> Result<Self> {
        Ok(Self::padded(picture, LetterboxMap::stretched(size_of(picture)?, input)))
    }

    fn padded(picture: &RgbImage, map: LetterboxMap) -> Self {
        let scaled = resize(picture, map.scaled);
        let mut image = RgbImage::from_pixel(map.input.width, map.input.height, PADDING);
        paste(&mut image, &scaled, (map.pad_x as u32, map.pad_y as u32));
        Self { image, map }
    }

    /// The square around the centre of `picture`, `side` pixels wide. `cut`: makes it.
    fn centre_crop(picture: &RgbImage, side: u32, cut: fn(&RgbImage, &LetterboxMap) -> RgbImage) -> Result<Self> {
        let map = LetterboxMap::centre_crop(size_of(picture)?, side);
        Ok(Self { image: cut(picture, &map), map })
    }

    /// The network's input: `[1, 3, H, W]` f32 in 0..1, channels_last.
    ///
    /// # Errors
    /// [`crate::Error::Libtorch`] if there is not enough memory.
    pub fn tensor(&self, device: Device) -> Result<Tensor> {
        to_tensor(&self.image, device)
    }
}

/// `[1, 3, H, W]` f32 in 0..1 from RGB bytes.
pub fn to_tensor(image: &RgbImage, device: Device) -> Result<Tensor> {
    let shape = [1, i64::from(image.height()), i64::from(image.width()), 3];
    // The bytes lie as [H, W, 3]: as a view of [1, 3, H, W] that is channels_last already.
    let bytes = Tensor::f_from_slice(image.as_raw())?.f_to_device(device)?.f_view(shape)?.f_permute([0, 3, 1, 2])?;
    Ok(bytes.f_to_kind(Kind::Float)?.f_div_scalar(255.0)?)
}

fn size_of(picture: &RgbImage) -> Result<Size> {
    let (width, height) = picture.dimensions();
    if width == 0 || height == 0 {
        return Err(Error::EmptyPicture { width, height });
    }
    Ok(Size { width, height })
}

/// Without antialiasing, as OpenCV's `INTER_LINEAR`.
fn resize(picture: &RgbImage, size: Size) -> RgbImage {
    if picture.dimensions() == (size.width, size.height) {
        return picture.clone();
    }
    resize_with(picture, size, &ResizeOptions::new().resize_alg(ResizeAlg::Interpolation(FilterType::Bilinear)))
}

fn resize_with(picture: &RgbImage, size: Size, options: &ResizeOptions) -> RgbImage {
    let mut scaled = RgbImage::new(size.width, size.height);
    Resizer::new().resize(picture, &mut scaled, options).expect("both are RGB with 8 bits, and neither is empty");
    scaled
}

/// Scaled, antialiased as Pillow does it, then cut. Only what is left is computed: a long picture would not fit into memory.
fn scaled_crop(picture: &RgbImage, map: &LetterboxMap) -> RgbImage {
    let along = |length: u32, scaled: u32, pad: i32, side: u32| {
        let scale = f64::from(length) / f64::from(scaled);
        (-f64::from(pad) * scale, f64::from(side) * scale)
    };
    let (left, width) = along(map.image.width, map.scaled.width, map.pad_x, map.input.width);
    let (top, height) = along(map.image.height, map.scaled.height, map.pad_y, map.input.height);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    resize_with(picture, map.input, &options.crop(left, top, width, height))
}

/// Cut, then scaled. The map is exact to half a pixel of the input: it counts whole pixels behind the scaling.
fn cropped(picture: &RgbImage, map: &LetterboxMap) -> RgbImage {
    let (width, height) = picture.dimensions();
    let side = width.min(height);
    let square = imageops::crop_imm(picture, (width - side) / 2, (height - side) / 2, side, side);
    resize(&square.to_image(), map.input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scaled_crop_is_pillows() {
        let value = |x: u32, y: u32| [3 * x + 5 * y, 7 * x + y * y / 16, x * y / 8].map(|value| (value % 256) as u8);
        let picture = RgbImage::from_fn(301, 187, |x, y| Rgb(value(x, y)));
        // `resize` with BILINEAR to a height of `side`, then `crop` around the centre, of Pillow 12: pixels, and the mean of all.
        let expected = [
            (64, [[184, 160, 9], [66, 124, 146], [119, 112, 134], [32, 163, 174]], 126.8625),
            (224, [[170, 141, 0], [55, 96, 105], [124, 25, 22], [235, 162, 124]], 126.8358),
        ];
        for (side, pixels, mean) in expected {
            let crop = Letterbox::centre_crop(&picture, side, scaled_crop).unwrap().image;
            // By column and row.
            let places = [(0, 0), (side / 3, side / 2), (side - 1, side - 1), (side - 2, 5)];
            for ((x, y), expected) in places.into_iter().zip(pixels) {
                let found = crop.get_pixel(x, y).0;
                let is_near = found.iter().zip(expected).all(|(&found, expected)| found.abs_diff(expected) <= 1);
                assert!(is_near, "{side}: {found:?} instead of {expected:?} at {x}, {y}");
            }
            let sum: f64 = crop.as_raw().iter().map(|&value| f64::from(value)).sum();
            assert!((sum / f64::from(3 * side * side) - mean).abs() < 0.05, "{side}: {sum}");
        }
    }

    #[test]
    fn a_long_picture_is_cut_without_being_scaled_as_a_whole() {
        // Scaled it would have 224 by 14 680 064 pixels.
        let picture = RgbImage::from_fn(1, 65_536, |_, y| Rgb([(y >> 8) as u8; 3]));
        let crop = Letterbox::centre_crop(&picture, 224, scaled_crop).unwrap();
        assert_eq!(crop.image.dimensions(), (224, 224));
        assert!((126..=128).contains(&crop.image.get_pixel(100, 100)[0]));
    }
}
