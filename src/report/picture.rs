//! The result picture.

use std::{
    io::{self, Cursor, Write},
    path::Path,
};

use image::{ImageFormat, RgbImage, codecs::jpeg::JpegEncoder};

use super::write_atomically;
use crate::error::Result;

/// OpenCV's default, which users of the Python tools have.
const JPEG_QUALITY: u8 = 95;

/// The widest picture that the format of `path` (told from its extension) can hold, in pixels.
pub fn max_width(path: &Path) -> u32 {
    match ImageFormat::from_path(path) {
        Ok(ImageFormat::WebP) => 16_383,
        Ok(ImageFormat::Jpeg | ImageFormat::Gif) => 65_535,
        _ => 1 << 24,
    }
}

/// Writes `picture` in the format that the extension of `path` names.
///
/// # Errors
/// [`crate::Error::Io`], also for an extension of no supported format.
pub fn write_picture(path: &Path, picture: &RgbImage) -> Result<()> {
    write_atomically(path, |out| {
        let format = ImageFormat::from_path(path).map_err(io::Error::other)?;
        if format == ImageFormat::Jpeg {
            return picture
                .write_with_encoder(JpegEncoder::new_with_quality(out, JPEG_QUALITY))
                .map_err(io::Error::other);
        }
        // Some encoders seek.
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).map_err(io::Error::other)?;
        out.write_all(bytes.get_ref())
    })
}
