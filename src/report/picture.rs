//! The result picture.

use std::{
    io::{self, Cursor, Write},
    path::Path,
};

use image::{ImageFormat, RgbImage};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use crate::error::Result;
use crate::files::write_atomically;

/// OpenCV's default, which users of the Python tools have.
pub const DEFAULT_QUALITY: u8 = 95;

/// The longest side that a picture in the format of `path` (told from its extension) can have, in pixels.
pub fn max_side(path: &Path) -> u32 {
    match ImageFormat::from_path(path) {
        Ok(ImageFormat::WebP) => 16_383,
        Ok(ImageFormat::Jpeg | ImageFormat::Gif) => 65_535,
        _ => 1 << 24,
    }
}

/// Writes `picture` in the format that the extension of `path` names. `quality`, 1 to 100, is for JPEG; the other formats lose
/// nothing.
///
/// # Errors
/// [`crate::Error::Io`], also for an extension of no supported format.
pub fn write_picture(path: &Path, picture: &RgbImage, quality: u8) -> Result<()> {
    write_atomically(path, |out| {
        let format = ImageFormat::from_path(path).map_err(io::Error::other)?;
        if format == ImageFormat::Jpeg {
            return write_jpeg(out, picture, quality);
        }
        // Some encoders seek.
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).map_err(io::Error::other)?;
        out.write_all(bytes.get_ref())
    })
}

/// A picture as JPEG. `quality`: 1 to 100.
///
/// # Errors
/// If a side is longer than 65 535 pixels.
pub fn jpeg_bytes(picture: &RgbImage, quality: u8) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    write_jpeg(&mut bytes, picture, quality)?;
    Ok(bytes)
}

/// Two to three times faster than the `image` crate's encoder.
fn write_jpeg(out: impl Write, picture: &RgbImage, quality: u8) -> io::Result<()> {
    let mut encoder = Encoder::new(out, quality);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    let side = |side: u32| u16::try_from(side).map_err(|_| io::Error::other("a JPEG has at most 65535 pixels a side"));
    let (width, height) = (side(picture.width())?, side(picture.height())?);
    encoder.encode(picture.as_raw(), width, height, ColorType::Rgb).map_err(io::Error::other)
}
