//! Reading pictures, and making them smaller.

mod animation;
mod budget;
mod tiff;

use std::{io::Cursor, path::Path};

use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, RgbImage};

use crate::{
    error::{Error, Result},
    files::read_regular,
    geometry::{BBox, Size},
    limits::Limits,
};

pub use self::{
    animation::{Animation, is_animated},
    budget::{Budget, Share},
};

/// Reads a picture as RGB with 8 bits, upright by its EXIF orientation. The format is told from the content.
/// Alpha is dropped, as OpenCV's `imread` does.
///
/// # Errors
/// [`Error::Io`] if the file can't be read, [`Error::Picture`] if it is damaged or no picture.
pub fn read(path: impl AsRef<Path>) -> Result<RgbImage> {
    let path = path.as_ref();
    let bytes = read_regular(path).map_err(Error::io(path))?;
    let picture = decode(&bytes).map_err(|problem| Error::Picture { path: path.to_owned(), problem })?;
    Ok(picture.into_rgb8())
}

/// The same with a share of `budget`, for as long as the picture is used: it is waited for before anything is decoded.
///
/// # Errors
/// As [`read`].
pub fn read_within(path: impl AsRef<Path>, budget: &Budget) -> Result<(RgbImage, Share<'_>)> {
    let path = path.as_ref();
    let bytes = read_regular(path).map_err(Error::io(path))?;
    read_bytes_within(&bytes, path, budget)
}

/// The same for a picture that is not in a file: `bytes` is what would be in it, `path` what errors call it.
///
/// # Errors
/// [`Error::Picture`] if it is damaged or no picture.
pub fn read_bytes_within<'a>(bytes: &[u8], path: &Path, budget: &'a Budget) -> Result<(RgbImage, Share<'a>)> {
    let problem = |problem| Error::Picture { path: path.to_owned(), problem };
    let mut share = None;
    let picture = decode_after(bytes, |needed| {
        share = budget.take(needed);
        share.is_some()
    });
    let picture = picture.map_err(problem)?.into_rgb8();
    let share = share.ok_or_else(|| problem("was not looked into".to_owned()))?;
    Ok((picture, share))
}

const EXPECTED: &str = "expected JPEG, PNG, BMP, GIF, TIFF or WebP";

/// The way out of a damaged picture.
const RENEW: &str = "; copy or save it again";

/// Whether the bytes begin as those of a picture do.
pub(crate) fn is_known(bytes: &[u8]) -> bool {
    tiff::is_tiff(bytes) || image::guess_format(bytes).is_ok()
}

/// The picture in `bytes`, upright, with the kind of pixels that they have.
pub(crate) fn decode(bytes: &[u8]) -> Result<DynamicImage, String> {
    decode_after(bytes, |needed| needed <= Limits::PICTURE_BYTES)
}

/// The same once `is_allowed` said yes to the bytes that it takes.
fn decode_after(bytes: &[u8], is_allowed: impl FnOnce(u64) -> bool) -> Result<DynamicImage, String> {
    if bytes.is_empty() {
        return Err(format!("is empty; {EXPECTED}"));
    }
    let format = match tiff::is_tiff(bytes) {
        true => ImageFormat::Tiff,
        false => image::guess_format(bytes).map_err(|_| format!("is no picture that can be read; {EXPECTED}"))?,
    };
    if format == ImageFormat::Jpeg {
        match jpeg_scans(bytes) {
            None => {
                return Err(format!("is a damaged picture: the JPEG breaks off after {} bytes{RENEW}", bytes.len()));
            }
            Some(scans) if scans > Limits::JPEG_SCANS => {
                let most = Limits::JPEG_SCANS;
                return Err(format!("is a JPEG of {scans} scans; expected at most {most}, so save it again"));
            }
            Some(_) => {}
        }
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = image::Limits::no_limits();
    limits.max_alloc = Some(Limits::PICTURE_BYTES);
    reader.limits(limits);
    let mut decoder = match reader.into_decoder() {
        Err(image::ImageError::Unsupported(_)) if format == ImageFormat::Tiff => {
            let kind = tiff::Kind::of(bytes).map_err(describe_tiff)?;
            check_size((kind.width, kind.height), kind.bytes(), false, is_allowed)?;
            return kind.decode(bytes, Limits::PICTURE_BYTES);
        }
        decoder => decoder.map_err(describe)?,
    };
    let is_rgb = decoder.color_type() == image::ColorType::Rgb8;
    // A GIF's frame need not lie inside, and is decoded as a whole.
    let outside = if format == ImageFormat::Gif { animation::gif_pixels(bytes) } else { 0 };
    check_size(decoder.dimensions(), decoder.total_bytes().saturating_add(outside), is_rgb, is_allowed)?;
    let orientation = decoder.orientation().map_err(describe)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(describe)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// Asks for what a picture takes that has `bytes` when it is decoded: they, the same as RGB, and a copy to draw on.
fn check_size(
    (width, height): (u32, u32),
    bytes: u64,
    is_rgb: bool,
    is_allowed: impl FnOnce(u64) -> bool,
) -> Result<(), String> {
    let pixels = u64::from(width) * u64::from(height);
    let copies = if is_rgb { 1 } else { 2 };
    let needed = bytes.saturating_add(pixels.saturating_mul(3 * copies));
    if is_allowed(needed) {
        return Ok(());
    }
    let megapixels = u128::from(Limits::PICTURE_BYTES) * u128::from(pixels) / u128::from(needed) / 1_000_000;
    Err(format!(
        "is {width}x{height} pixels; at most {megapixels} megapixels of its kind can be read, so scale it down"
    ))
}

/// `picture` with a longest side of at most `longest` pixels (at least 1), antialiased; never scaled up.
pub fn shrunk(picture: &RgbImage, longest: u32) -> RgbImage {
    let (width, height) = picture.dimensions();
    let scale = f64::from(longest) / f64::from(width.max(height).max(1));
    if scale >= 1.0 {
        return picture.clone();
    }
    let side = |side: u32| ((f64::from(side) * scale).round() as u32).max(1);
    let mut small = RgbImage::new(side(width), side(height));
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom));
    Resizer::new().resize(picture, &mut small, &options).expect("both are RGB with 8 bits, and neither is empty");
    small
}

/// A part of a picture at another size, interpolated; `part`: in its pixels, within it.
pub(crate) fn cut(picture: &RgbImage, part: &BBox, size: Size) -> RgbImage {
    let part = part.clipped(Size { width: picture.width(), height: picture.height() });
    let mut cut = RgbImage::new(size.width, size.height);
    // Rounding must not make it larger than the picture, nor empty.
    let span = |from: f32, to: f32, whole: u32| {
        let length = (f64::from(to) - f64::from(from)).clamp(1e-3, f64::from(whole));
        (f64::from(from).clamp(0.0, f64::from(whole) - length), length)
    };
    let (left, width) = span(part.x1, part.x2, picture.width());
    let (top, height) = span(part.y1, part.y2, picture.height());
    let algorithm = ResizeAlg::Convolution(FilterType::CatmullRom);
    let options = ResizeOptions::new().resize_alg(algorithm).crop(left, top, width, height);
    Resizer::new().resize(picture, &mut cut, &options).expect("both are RGB with 8 bits, and the part lies inside");
    cut
}

/// Copies `from` into `into`, its upper left corner at (`x`, `y`), row by row: many times faster than pixel by pixel.
///
/// # Panics
/// If it reaches beyond `into`.
pub(crate) fn paste(into: &mut RgbImage, from: &RgbImage, (x, y): (u32, u32)) {
    let (width, height) = from.dimensions();
    assert!(x + width <= into.width() && y + height <= into.height(), "what is pasted must fit");
    let (row, stride, offset) = (3 * width as usize, 3 * into.width() as usize, 3 * x as usize);
    if row == 0 {
        return;
    }
    let rows = into.chunks_exact_mut(stride).skip(y as usize);
    for (into, from) in rows.zip(from.chunks_exact(row)) {
        into[offset..offset + row].copy_from_slice(from);
    }
}

fn describe(error: image::ImageError) -> String {
    // The decoders' messages may run over several lines.
    let reason = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    match error {
        image::ImageError::Limits(_) => format!("takes more than {} MiB; scale it down", Limits::PICTURE_BYTES >> 20),
        image::ImageError::Unsupported(_) => format!("cannot be read: {reason}; {EXPECTED}"),
        _ => format!("is a damaged picture: {reason}{RENEW}"),
    }
}

fn describe_tiff(error: ::tiff::TiffError) -> String {
    let reason = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    match error {
        ::tiff::TiffError::LimitsExceeded => {
            format!("takes more than {} MiB; scale it down", Limits::PICTURE_BYTES >> 20)
        }
        ::tiff::TiffError::UnsupportedError(_) => format!("cannot be read: {reason}; {EXPECTED}"),
        _ => format!("is a damaged picture: {reason}{RENEW}"),
    }
}

/// How many scans come before the end marker; `None` if there is none. The decoder fills what is missing with grey and
/// says nothing.
///
/// Walks the segments (ITU-T T.81, annex B), since a thumbnail inside has an end marker of its own, and cameras
/// append videos behind the picture.
fn jpeg_scans(bytes: &[u8]) -> Option<usize> {
    const START_OF_SCAN: u8 = 0xDA;
    const END_OF_IMAGE: u8 = 0xD9;
    let is_bare = |marker: u8| matches!(marker, 0x00 | 0x01 | 0xD0..=0xD8);
    let (mut at, mut scans) = (0, 0);
    // Between markers lie fill bytes or a scan's data, in which 0xFF is followed by 0 or a restart marker.
    while let Some(offset) =
        bytes[at..].windows(2).position(|pair| pair[0] == 0xFF && pair[1] != 0xFF && !is_bare(pair[1]))
    {
        at += offset;
        match bytes[at + 1] {
            END_OF_IMAGE => return Some(scans),
            START_OF_SCAN => (at, scans) = (at + 2, scans + 1),
            _ => match bytes.get(at + 2..at + 4) {
                Some(&[high, low]) => at += 2 + usize::from(u16::from_be_bytes([high, low])),
                _ => return None,
            },
        }
        if at >= bytes.len() {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, codecs::jpeg::JpegEncoder};

    fn jpeg() -> Vec<u8> {
        let picture = RgbImage::from_fn(64, 64, |x, y| Rgb([(x * 4) as u8, (y * 4) as u8, (x * y) as u8]));
        let mut bytes = Vec::new();
        picture.write_with_encoder(JpegEncoder::new(&mut bytes)).expect("it is written");
        bytes
    }

    /// The JPEG with a segment APP1 behind its start marker.
    fn with_segment(jpeg: &[u8], content: &[u8]) -> Vec<u8> {
        let length = (content.len() as u16 + 2).to_be_bytes();
        [&jpeg[..2], &[0xFF, 0xE1], &length, content, &jpeg[2..]].concat()
    }

    #[test]
    fn a_jpeg_that_breaks_off_is_damaged_wherever_it_does() {
        // A segment with an end marker inside, as a thumbnail has.
        let whole = with_segment(&jpeg(), &[0xFF, 0xD8, 0xFF, 0xD9]);
        assert!(decode(&whole).is_ok());
        for length in 4..whole.len() - 1 {
            assert!(decode(&whole[..length]).is_err(), "{length} of {} bytes", whole.len());
        }
        // A video behind the picture.
        assert!(decode(&[whole.as_slice(), &[0, 0xFF, 0xDA, 1, 2]].concat()).is_ok());
    }

    #[test]
    fn exif_orientation_is_applied() {
        // Little-endian TIFF with one entry: orientation (0x0112), a short, 6: turn clockwise by 90 degrees.
        let exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
        let upright = decode(&jpeg()).expect("it is sound");
        let turned = decode(&with_segment(&jpeg(), exif)).expect("it is sound");
        assert_eq!(turned.into_rgb8(), image::imageops::rotate90(&upright.into_rgb8()));
    }

    #[test]
    fn a_picture_that_would_take_too_much_memory_is_refused() {
        // Decoded, and a copy to draw on.
        let size = 64 * 64 * 3 * 2;
        assert!(decode_after(&jpeg(), |needed| needed <= size).is_ok());
        assert!(decode_after(&jpeg(), |needed| needed < size).unwrap_err().contains("64x64 pixels"));
    }

    #[test]
    fn a_jpeg_of_very_many_scans_is_refused() {
        let whole = jpeg();
        let scan = [0xFF, 0xDA, 0, 2].repeat(Limits::JPEG_SCANS);
        let end = whole.len() - 2;
        let many = [&whole[..end], &scan, &whole[end..]].concat();
        assert!(decode(&many).unwrap_err().contains("101 scans"));
    }

    #[test]
    fn a_picture_is_pasted_where_it_should_be() {
        let small = RgbImage::from_fn(2, 3, |x, y| Rgb([x as u8 + 1, y as u8 + 1, 9]));
        let mut large = RgbImage::new(5, 6);
        paste(&mut large, &small, (3, 2));
        let expected = |x, y| if x >= 3 && (2..5).contains(&y) { *small.get_pixel(x - 3, y - 2) } else { Rgb([0; 3]) };
        assert_eq!(large, RgbImage::from_fn(5, 6, expected));
    }

    #[test]
    fn what_is_no_picture_is_told() {
        assert_eq!(decode(b"").unwrap_err(), format!("is empty; {EXPECTED}"));
        assert!(decode(b"hello").unwrap_err().contains("no picture"));
        assert!(decode(b"\x89PNG\r\n\x1a\nrest").unwrap_err().contains("damaged"));
    }

    #[test]
    fn grey_alpha_16_bit_and_palette_pictures_become_rgb() {
        let png = |picture: DynamicImage| {
            let mut bytes = Cursor::new(Vec::new());
            picture.write_to(&mut bytes, ImageFormat::Png).expect("it is written");
            decode(bytes.get_ref()).expect("it is sound").into_rgb8().get_pixel(0, 0).0
        };
        assert_eq!(png(image::GrayImage::from_pixel(2, 2, image::Luma([7])).into()), [7, 7, 7]);
        assert_eq!(png(image::GrayAlphaImage::from_pixel(2, 2, image::LumaA([7, 0])).into()), [7, 7, 7]);
        assert_eq!(png(image::RgbaImage::from_pixel(2, 2, image::Rgba([1, 2, 3, 0])).into()), [1, 2, 3]);
        let deep = image::ImageBuffer::from_pixel(2, 2, Rgb([0x0100u16, 0x8000, 0xFFFF]));
        assert_eq!(png(DynamicImage::ImageRgb16(deep)), [1, 128, 255]);
        let mut gif = Cursor::new(Vec::new());
        RgbImage::from_pixel(2, 2, Rgb([9, 8, 7])).write_to(&mut gif, ImageFormat::Gif).expect("it is written");
        assert_eq!(decode(gif.get_ref()).expect("it is sound").into_rgb8().get_pixel(0, 0).0, [9, 8, 7]);
    }
}
