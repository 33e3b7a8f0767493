//! Animated GIF, WebP and PNG, as frames.

use std::{
    fs::File,
    io::{BufRead, BufReader, Seek},
    path::Path,
    sync::mpsc::{self, Receiver},
    thread,
};

use image::{
    AnimationDecoder, DynamicImage, Frames, ImageDecoder, ImageResult, RgbImage,
    codecs::{gif::GifDecoder, png::PngDecoder, webp::WebPDecoder},
};
use yolo_cam::limits::Limits;

/// Whether the file has more than one frame. What can't be read has none: reading it as a picture tells why.
pub fn is_animated(path: &Path) -> bool {
    let frames = || -> Option<bool> {
        let mut file = open(path)?;
        let start = file.fill_buf().ok()?;
        if start.starts_with(b"GIF8") {
            let decoder = GifDecoder::new(file).ok()?;
            let (width, height) = decoder.dimensions();
            let is_readable = u64::from(width) * u64::from(height) * 4 <= Limits::PICTURE_BYTES;
            return Some(is_readable && decoder.into_frames().take(2).filter(Result::is_ok).count() == 2);
        }
        if start.starts_with(b"\x89PNG") {
            return PngDecoder::new(file).ok()?.is_apng().ok();
        }
        let is_webp = start.starts_with(b"RIFF") && start.get(8..12) == Some(b"WEBP");
        is_webp.then(|| WebPDecoder::new(file).is_ok_and(|decoder| decoder.has_animation()))
    };
    frames().unwrap_or(false)
}

fn open(path: &Path) -> Option<BufReader<File>> {
    File::open(path).ok().map(BufReader::new)
}

/// A frame with its number, or in one line why there is none.
type Frame = Result<(u64, RgbImage), String>;

/// Composited frames, transparent parts on black, decoded by a thread of their own that is one frame ahead.
pub struct Animation(Receiver<Frame>);

impl Animation {
    /// `every`: how many frames there are from one that is taken to the next.
    pub fn open(path: &Path, every: u64) -> Result<Self, String> {
        let name = format!("{path:?}");
        let file = File::open(path).map(BufReader::new).map_err(|error| format!("{name}: {error}"))?;
        // Without a buffer: the sender waits until a frame is taken.
        let (sender, frames) = mpsc::sync_channel(0);
        thread::spawn(move || {
            // Nobody wants more once sending fails.
            decode(file, every, &name, |frame| sender.send(frame).is_ok());
        });
        Ok(Self(frames))
    }
}

impl Iterator for Animation {
    type Item = Frame;

    fn next(&mut self) -> Option<Frame> {
        self.0.recv().ok()
    }
}

/// Hands every `every`-th frame to `take` until that says no.
fn decode(file: BufReader<File>, every: u64, name: &str, mut take: impl FnMut(Frame) -> bool) {
    let frames = match frames(file) {
        Ok(frames) => frames,
        Err(error) => {
            take(Err(format!("{name} is a damaged animation: {error}")));
            return;
        }
    };
    for (frame, index) in frames.zip(0u64..) {
        let goes_on = match frame {
            Ok(_) if index % every != 0 => true,
            Ok(frame) => take(Ok((index, DynamicImage::ImageRgba8(frame.into_buffer()).into_rgb8()))),
            Err(error) => {
                take(Err(format!("{name} is a damaged animation: frame {index}: {error}")));
                false
            }
        };
        if !goes_on {
            return;
        }
    }
}

fn frames(mut file: impl BufRead + Seek + 'static) -> ImageResult<Frames<'static>> {
    let mut limits = image::Limits::no_limits();
    limits.max_alloc = Some(Limits::PICTURE_BYTES);
    let start = file.fill_buf()?;
    if start.starts_with(b"GIF8") {
        let mut decoder = GifDecoder::new(file)?;
        decoder.set_limits(limits)?;
        return Ok(decoder.into_frames());
    }
    if start.starts_with(b"\x89PNG") {
        return Ok(PngDecoder::with_limits(file, limits)?.apng()?.into_frames());
    }
    let mut decoder = WebPDecoder::new(file)?;
    decoder.set_limits(limits)?;
    Ok(decoder.into_frames())
}
