//! From a picture to the network's input.

use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::{Rgb, RgbImage};
use tch::{Device, Kind, Tensor};

use crate::{
    error::{Error, Result},
    geometry::{LetterboxMap, Size},
    picture::paste,
};

/// The grey of YOLOv5's padding.
const PADDING: Rgb<u8> = Rgb([114, 114, 114]);

/// A picture, scaled and padded to the network's input.
#[derive(Debug, Clone)]
pub struct Letterbox {
    /// The input, RGB.
    pub image: RgbImage,
    /// How the picture lies in it.
    pub map: LetterboxMap,
}

impl Letterbox {
    /// Scales `picture` so that its longest side is `longest` pixels and pads the other to a multiple of `stride`,
    /// as YOLOv5's `letterbox(auto=True)`. Resized bilinearly without antialiasing, as OpenCV's `INTER_LINEAR`.
    ///
    /// `longest` should be a multiple of `stride`.
    ///
    /// # Errors
    /// [`Error::EmptyPicture`] if the picture has no pixels.
    pub fn new(picture: &RgbImage, longest: u32, stride: u32) -> Result<Self> {
        let (width, height) = picture.dimensions();
        if width == 0 || height == 0 {
            return Err(Error::EmptyPicture { width, height });
        }
        let map = LetterboxMap::new(Size { width, height }, longest, stride);
        let scaled = resize(picture, map.scaled);
        let mut image = RgbImage::from_pixel(map.input.width, map.input.height, PADDING);
        paste(&mut image, &scaled, (map.pad_x, map.pad_y));
        Ok(Self { image, map })
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

fn resize(picture: &RgbImage, size: Size) -> RgbImage {
    if picture.dimensions() == (size.width, size.height) {
        return picture.clone();
    }
    let mut scaled = RgbImage::new(size.width, size.height);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Interpolation(FilterType::Bilinear));
    Resizer::new().resize(picture, &mut scaled, &options).expect("both are RGB with 8 bits, and neither is empty");
    scaled
}
