//! Animated GIF, WebP and PNG, as frames.

use std::{
    fs::File,
    io::{BufRead, BufReader, Cursor, Read, Seek},
    path::Path,
};

use image::{
    AnimationDecoder, DynamicImage, Frames, ImageDecoder, ImageError, RgbImage,
    codecs::{gif::GifDecoder, png::PngDecoder, webp::WebPDecoder},
};

use super::describe;
use crate::{
    files::{open_regular, read_regular},
    limits::Limits,
};

const GIF: &[u8] = b"GIF8";
const PNG: &[u8] = b"\x89PNG";

/// Whether the file has more than one frame. What can't be read has none: reading it as a picture tells why. Only headers
/// are looked at.
pub fn is_animated(path: impl AsRef<Path>) -> bool {
    let frames = || -> Option<bool> {
        let mut file = BufReader::new(open_regular(path.as_ref()).ok()?);
        let start = file.fill_buf().ok()?;
        if start.starts_with(GIF) {
            return Some(gif_frames(file, 2).is_some_and(|frames| frames.len() == 2));
        }
        if start.starts_with(PNG) {
            return PngDecoder::with_limits(file, limits()).ok()?.is_apng().ok();
        }
        let is_webp = start.starts_with(b"RIFF") && start.get(8..12) == Some(b"WEBP");
        is_webp.then(|| WebPDecoder::new(file).is_ok_and(|decoder| decoder.has_animation()))
    };
    frames().unwrap_or(false)
}

/// The sizes of a GIF's first frames, as the file tells them: nothing is decoded. `None` if it is damaged.
fn gif_frames(file: impl Read, most: usize) -> Option<Vec<(u16, u16)>> {
    let mut options = gif::DecodeOptions::new();
    options.skip_frame_decoding(true);
    let mut decoder = options.read_info(file).ok()?;
    let mut frames = Vec::new();
    while frames.len() < most
        && let Some(frame) = decoder.next_frame_info().ok()?
    {
        frames.push((frame.width, frame.height));
    }
    Some(frames)
}

/// Pixels of the larger of a GIF and its first frame, which need not lie inside. 0 if it is damaged.
pub(super) fn gif_pixels(bytes: &[u8]) -> u64 {
    let frames = gif_frames(Cursor::new(bytes), 1).unwrap_or_default();
    frames.iter().map(|&(width, height)| u64::from(width) * u64::from(height)).max().unwrap_or(0)
}

fn limits() -> image::Limits {
    let mut limits = image::Limits::no_limits();
    limits.max_alloc = Some(Limits::PICTURE_BYTES);
    limits
}

/// Composited frames, transparent parts on black.
pub struct Animation {
    frames: Frames<'static>,
    bytes: u64,
}

impl Animation {
    /// # Errors
    /// In one line, why there are no frames.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, String> {
        let mut file = open_regular(path.as_ref()).map_err(|error| error.to_string())?;
        let mut start = [0; 4];
        let is_gif = file.read_exact(&mut start).and_then(|()| file.rewind()).is_ok() && start == GIF;
        if !is_gif {
            return Self::of(BufReader::new(file));
        }
        drop::<File>(file);
        let bytes = read_regular(path.as_ref()).map_err(|error| error.to_string())?;
        let largest = gif_frames(Cursor::new(&bytes), usize::MAX).unwrap_or_default();
        for (width, height) in largest {
            affordable((width.into(), height.into()))?;
        }
        Self::of(Cursor::new(bytes))
    }

    fn of(mut file: impl BufRead + Seek + 'static) -> Result<Self, String> {
        let start = file.fill_buf().map_err(|error| error.to_string())?;
        let (is_gif, is_png) = (start.starts_with(GIF), start.starts_with(PNG));
        let (frames, bytes) = if is_gif {
            let mut decoder = GifDecoder::new(file).map_err(describe)?;
            let bytes = affordable(decoder.dimensions())?;
            decoder.set_limits(limits()).map_err(describe)?;
            (decoder.into_frames(), bytes)
        } else if is_png {
            let decoder = PngDecoder::with_limits(file, limits()).map_err(describe)?;
            let bytes = affordable(decoder.dimensions())?;
            (decoder.apng().map_err(describe)?.into_frames(), bytes)
        } else {
            let mut decoder = WebPDecoder::new(file).map_err(describe)?;
            let bytes = affordable(decoder.dimensions())?;
            decoder.set_limits(limits()).map_err(describe)?;
            (decoder.into_frames(), bytes)
        };
        Ok(Self { frames, bytes })
    }

    /// Bytes that decoding takes at once.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Iterator for Animation {
    type Item = Result<RgbImage, ImageError>;

    fn next(&mut self) -> Option<Self::Item> {
        let frame = self.frames.next()?;
        Some(frame.map(|frame| DynamicImage::ImageRgba8(frame.into_buffer()).into_rgb8()))
    }
}

/// What frames of this size take: three with alpha, of which each is made, and two without.
fn affordable((width, height): (u32, u32)) -> Result<u64, String> {
    const BYTES: u64 = 3 * 4 + 2 * 3;
    let bytes = (u64::from(width) * u64::from(height)).saturating_mul(BYTES);
    if bytes <= Limits::PICTURE_BYTES {
        return Ok(bytes);
    }
    let megapixels = Limits::PICTURE_BYTES / BYTES / 1_000_000;
    Err(format!("has frames of {width}x{height} pixels; at most {megapixels} megapixels can be read, so scale it down"))
}
