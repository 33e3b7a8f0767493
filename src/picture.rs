//! Reading pictures.

use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageReader, RgbImage};

use crate::error::{Error, Result};

/// Reads a picture as RGB with 8 bits, upright by its EXIF orientation. The format is told from the content.
/// Alpha is dropped, as OpenCV's `imread` does.
///
/// # Errors
/// [`Error::Picture`] if the file is missing, damaged, or no picture.
pub fn read(path: impl AsRef<Path>) -> Result<RgbImage> {
    let path = path.as_ref();
    decode(path).map_err(|problem| Error::Picture { path: path.to_owned(), problem })
}

fn decode(path: &Path) -> Result<RgbImage, String> {
    let reader =
        ImageReader::open(path).and_then(ImageReader::with_guessed_format).map_err(|error| error.to_string())?;
    let broken = |error: image::ImageError| match error {
        image::ImageError::Unsupported(_) => {
            "is no picture that can be read; expected JPEG, PNG, BMP, GIF, TIFF or WebP".to_owned()
        }
        other => format!("is a damaged picture: {other}"),
    };
    let mut decoder = reader.into_decoder().map_err(broken)?;
    let orientation = decoder.orientation().map_err(broken)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(broken)?;
    picture.apply_orientation(orientation);
    Ok(picture.into_rgb8())
}
