//! TIFFs of the kinds that the `image` crate does not read: palettes, bands without a meaning, signed samples, YCbCr and
//! CIE L*a*b*.
//!
//! The `tiff` crate unpacks the samples, which it does for every kind if it takes them for grey. What they mean is told here.

use std::io::Cursor;

use image::{DynamicImage, RgbImage, metadata::Orientation};
use tiff::{
    TiffError,
    decoder::{BufferLayoutPreference, Decoder, DecodingResult},
    tags::{PhotometricInterpretation as Photometric, PlanarConfiguration, Tag},
};

/// The marks of TIFF and BigTIFF, in both byte orders.
const MARKS: [&[u8; 4]; 4] = [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"];

/// Whether `bytes` begin as a TIFF or BigTIFF does.
pub(super) fn is_tiff(bytes: &[u8]) -> bool {
    MARKS.iter().any(|mark| bytes.starts_with(*mark))
}

/// What the samples of a picture are.
pub(super) struct Kind {
    photometric: Photometric,
    samples: usize,
    bits: u8,
    /// As the file has it: 1 unsigned, 2 signed, 3 floats.
    format: u16,
    is_planar: bool,
    compression: u16,
    subsampling: Vec<u16>,
    pub width: u32,
    pub height: u32,
    orientation: Orientation,
    /// Red, then green, then blue, if there is a palette.
    palette: Vec<u16>,
}

/// How a pixel's samples become RGB.
type Meaning = fn(&Kind, &[u8]) -> [u8; 3];

impl Kind {
    /// # Errors
    /// If it is damaged.
    pub fn of(bytes: &[u8]) -> Result<Self, TiffError> {
        let mut decoder = Decoder::new(Cursor::new(bytes))?;
        let (width, height) = decoder.dimensions()?;
        let photometric = decoder.find_tag_unsigned(Tag::PhotometricInterpretation)?;
        let photometric =
            photometric.and_then(Photometric::from_u16).ok_or(tiff::TiffUnsupportedError::UnknownInterpretation)?;
        let first = |values: Option<Vec<u16>>, default| values.and_then(|all| all.first().copied()).unwrap_or(default);
        let planar = decoder.find_tag_unsigned(Tag::PlanarConfiguration)?.unwrap_or(1u16);
        let orientation = decoder.find_tag_unsigned::<u8>(Tag::Orientation).ok().flatten();
        let palette = match photometric {
            Photometric::RGBPalette => decoder.get_tag_u16_vec(Tag::ColorMap)?,
            _ => Vec::new(),
        };
        Ok(Self {
            photometric,
            samples: decoder.find_tag_unsigned(Tag::SamplesPerPixel)?.unwrap_or(1u16).into(),
            bits: first(decoder.find_tag_unsigned_vec(Tag::BitsPerSample)?, 1).try_into().unwrap_or(u8::MAX),
            format: first(decoder.find_tag_unsigned_vec(Tag::SampleFormat)?, 1),
            is_planar: planar == PlanarConfiguration::Planar.to_u16(),
            compression: decoder.find_tag_unsigned(Tag::Compression)?.unwrap_or(1),
            subsampling: decoder.find_tag_unsigned_vec(Tag::ChromaSubsampling)?.unwrap_or(vec![2, 2]),
            width,
            height,
            orientation: orientation.and_then(Orientation::from_exif).unwrap_or(Orientation::NoTransforms),
            palette,
        })
    }

    /// Bytes of all samples.
    pub fn bytes(&self) -> u64 {
        let pixels = u64::from(self.width) * u64::from(self.height);
        pixels.saturating_mul(self.samples as u64).saturating_mul(u64::from(self.bits).div_ceil(8))
    }

    /// In words, for those who are to save it otherwise.
    fn describe(&self) -> String {
        let meaning = match self.photometric {
            Photometric::WhiteIsZero | Photometric::BlackIsZero => "grey",
            Photometric::RGB => "RGB",
            Photometric::RGBPalette => "palette",
            Photometric::TransparencyMask => "mask",
            Photometric::CMYK => "CMYK",
            Photometric::YCbCr => "YCbCr",
            Photometric::CIELab => "CIELab",
            Photometric::IccLab => "ICCLab",
            Photometric::ItuLab => "ITULab",
            _ => "unknown",
        };
        let Self { samples, bits, .. } = self;
        let format = match self.format {
            1 => "",
            2 => ", signed",
            3 => ", floats",
            _ => ", of an unknown format",
        };
        format!("{meaning}, samples {samples}, bits {bits}{format}, compression {}", self.compression)
    }

    /// How `pixel`, a pixel's samples, becomes RGB; `None` if nobody knows.
    fn meaning(&self) -> Option<Meaning> {
        const JPEG: u16 = 7;
        let is_whole =
            matches!((self.bits, self.format), (8 | 16, 1 | 2)) || matches!((self.bits, self.format), (1 | 2 | 4, 1));
        if !is_whole {
            return None;
        }
        match (self.photometric, self.samples) {
            (Photometric::BlackIsZero, 1 | 2) => Some(|_, pixel| [pixel[0]; 3]),
            (Photometric::WhiteIsZero, 1 | 2) => Some(|_, pixel| [255 - pixel[0]; 3]),
            // What programs write that know of bands, but not of colours.
            (Photometric::BlackIsZero, 3 | 4) => Some(|_, pixel| [pixel[0], pixel[1], pixel[2]]),
            (Photometric::RGB, 3..) => Some(|_, pixel| [pixel[0], pixel[1], pixel[2]]),
            (Photometric::RGBPalette, 1..) if self.bits <= 8 && self.palette.len() == 3 << self.bits => {
                Some(Self::looked_up)
            }
            (Photometric::YCbCr, 3) if self.compression == JPEG || self.subsampling == [1, 1] => Some(|_, p| ycbcr(p)),
            (Photometric::CIELab, 3) => {
                Some(|_, pixel| lab(pixel[0], f64::from(pixel[1] as i8), f64::from(pixel[2] as i8)))
            }
            (Photometric::IccLab, 3) => {
                Some(|_, pixel| lab(pixel[0], f64::from(pixel[1]) - 128.0, f64::from(pixel[2]) - 128.0))
            }
            _ => None,
        }
    }

    fn looked_up(&self, pixel: &[u8]) -> [u8; 3] {
        let colors = self.palette.len() / 3;
        // Some programs fill it with 8 bits.
        let shift = if self.palette.iter().all(|&value| value < 256) { 0 } else { 8 };
        [0, 1, 2].map(|channel| (self.palette[channel * colors + usize::from(pixel[0])] >> shift) as u8)
    }

    /// Reads the picture of this kind from `bytes`.
    ///
    /// # Errors
    /// In one line, what it is instead.
    pub fn decode(&self, bytes: &[u8], max_bytes: u64) -> Result<DynamicImage, String> {
        let Some(meaning) = self.meaning() else {
            return Err(format!(
                "is a TIFF of a kind that cannot be read ({}); save it as RGB with 8 bits",
                self.describe()
            ));
        };
        let (samples, layout) = self.samples(bytes, max_bytes).map_err(super::describe_tiff)?;
        let mut picture = RgbImage::new(self.width, self.height);
        let stride = layout.row_stride.map_or(0, usize::from);
        let plane = layout.plane_stride.map_or(0, usize::from);
        let mut pixel = vec![0; self.samples];
        for (x, y, rgb) in picture.enumerate_pixels_mut() {
            for (channel, value) in pixel.iter_mut().enumerate() {
                let (start, column) = match self.is_planar {
                    true => (channel * plane + y as usize * stride, x as usize),
                    false => (y as usize * stride, x as usize * self.samples + channel),
                };
                *value = self.sample(&samples, start, column);
            }
            rgb.0 = meaning(self, &pixel);
        }
        let mut picture = DynamicImage::ImageRgb8(picture);
        picture.apply_orientation(self.orientation);
        Ok(picture)
    }

    /// The sample at `column` of the row whose first byte is at `start`, with 8 bits; a number in a palette as it is.
    fn sample(&self, samples: &DecodingResult, start: usize, column: usize) -> u8 {
        // OpenCV takes the upper byte too, of signed numbers as if they had no sign.
        let value = match samples {
            DecodingResult::U8(all) if self.bits < 8 => {
                let bit = column * usize::from(self.bits);
                let byte = all.get(start + bit / 8).copied().unwrap_or(0);
                let most = (1u8 << self.bits) - 1;
                let value = byte >> (8 - usize::from(self.bits) - bit % 8) & most;
                Some(if self.palette.is_empty() { value * (255 / most) } else { value })
            }
            DecodingResult::U8(all) => all.get(start + column).copied(),
            DecodingResult::I8(all) => all.get(start + column).map(|&value| value as u8),
            DecodingResult::U16(all) => all.get(start / 2 + column).map(|&value| (value >> 8) as u8),
            DecodingResult::I16(all) => all.get(start / 2 + column).map(|&value| (value as u16 >> 8) as u8),
            _ => None,
        };
        value.unwrap_or(0)
    }

    fn samples(&self, bytes: &[u8], max_bytes: u64) -> Result<(DecodingResult, BufferLayoutPreference), TiffError> {
        let mut bytes = bytes.to_vec();
        take_for_grey(&mut bytes);
        let mut limits = tiff::decoder::Limits::default();
        limits.decoding_buffer_size = max_bytes.try_into().unwrap_or(usize::MAX);
        limits.intermediate_buffer_size = limits.decoding_buffer_size;
        let mut decoder = Decoder::new(Cursor::new(bytes))?.with_limits(limits);
        let mut samples = DecodingResult::U8(Vec::new());
        let layout = decoder.read_image_to_buffer(&mut samples)?;
        Ok((samples, layout))
    }
}

/// Changes what the first directory says that the samples mean: black is zero. Does nothing to what is damaged.
fn take_for_grey(bytes: &mut [u8]) {
    let is_little = bytes.starts_with(b"II");
    let is_big = matches!(bytes.get(2..4), Some(b"+\0" | b"\0+"));
    // How long offsets are, where the first is, and how long counts and entries of a directory are.
    let (word, at, count, entry) = if is_big { (8, 8, 8, 20) } else { (4, 4, 2, 12) };
    let number = |bytes: &[u8], at: usize, length: usize| -> Option<usize> {
        let digits = bytes.get(at..at.checked_add(length)?)?;
        let add = |sum: u64, digit: &u8| sum << 8 | u64::from(*digit);
        let value = if is_little { digits.iter().rev().fold(0, add) } else { digits.iter().fold(0, add) };
        value.try_into().ok()
    };
    let Some(directory) = number(bytes, at, word) else { return };
    let entries = number(bytes, directory, count).unwrap_or(0);
    for index in 0..entries.min(usize::from(u16::MAX)) {
        let Some(at) = directory.checked_add(count + index * entry) else { return };
        if number(bytes, at, 2) == Some(Tag::PhotometricInterpretation.to_u16().into()) {
            let grey = Photometric::BlackIsZero.to_u16();
            let grey = if is_little { grey.to_le_bytes() } else { grey.to_be_bytes() };
            if let Some(value) = bytes.get_mut(at + 4 + word..at + 6 + word) {
                value.copy_from_slice(&grey);
            }
        } else if number(bytes, at, 2).is_none() {
            return;
        }
    }
}

/// ITU-R BT.601 with the full range, as JPEG has it.
fn ycbcr(pixel: &[u8]) -> [u8; 3] {
    let [y, cb, cr] = [0, 1, 2].map(|channel| f64::from(pixel[channel]));
    let (cb, cr) = (cb - 128.0, cr - 128.0);
    [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb].map(|value| value.round() as u8)
}

/// CIE L*a*b* under D50 to sRGB as libtiff shows it, and with it OpenCV: without adaptation to D65, with a bare power.
fn lab(l: u8, a: f64, b: f64) -> [u8; 3] {
    const WHITE: [f64; 3] = [96.425, 100.0, 82.468];
    const TO_RGB: [[f64; 3]; 3] = [[3.2410, -1.5374, -0.4986], [-0.9692, 1.8760, 0.0416], [0.0556, -0.2040, 1.0570]];
    /// Of brightness.
    const STEPS: f64 = 1500.0;
    let y = (f64::from(l) / 2.55 + 16.0) / 116.0;
    let cubed = |t: f64| if t < 6.0 / 29.0 { (t - 16.0 / 116.0) / 7.787 } else { t.powi(3) };
    let [x, y, z] = [y + a / 500.0, y, y - b / 200.0].map(cubed);
    let xyz = [x * WHITE[0], y * WHITE[1], z * WHITE[2]];
    TO_RGB.map(|row| {
        let light: f64 = row.iter().zip(xyz).map(|(weight, value)| weight * value).sum();
        let step = ((light.clamp(1.0, 100.0) - 1.0) / 99.0 * STEPS).floor();
        (255.0 * (step / STEPS).powf(1.0 / 2.4)).round() as u8
    })
}

#[cfg(test)]
mod tests {
    /// A little-endian TIFF of one strip of 8x1 pixels; `more`: tags with a value of their own.
    fn strip(photometric: u16, samples: u16, bits: u16, more: &[(u16, &[u16])], data: &[u8]) -> Vec<u8> {
        let mut tags: Vec<(u16, Vec<u16>)> = vec![
            (256, vec![8]),
            (257, vec![1]),
            (258, vec![bits]),
            (259, vec![1]),
            (262, vec![photometric]),
            (273, vec![8]),
            (277, vec![samples]),
            (278, vec![1]),
            (279, vec![data.len() as u16]),
        ];
        tags.extend(more.iter().map(|&(tag, values)| (tag, values.to_vec())));
        tags.sort();
        let mut bytes = [b"II*\0\0\0\0\0", data].concat();
        let bytes_of = |values: &[u16]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let mut entries = Vec::new();
        for (tag, values) in &tags {
            let value = match values.as_slice() {
                [value] => u32::from(*value),
                values => {
                    let at = bytes.len() as u32;
                    bytes.extend(bytes_of(values));
                    at
                }
            };
            entries.extend(bytes_of(&[*tag, 3]));
            entries.extend((values.len() as u32).to_le_bytes());
            entries.extend(value.to_le_bytes());
        }
        let directory = (bytes.len() as u32).to_le_bytes();
        bytes[4..8].copy_from_slice(&directory);
        bytes.extend((tags.len() as u16).to_le_bytes());
        bytes.extend(entries);
        bytes.extend([0; 4]);
        bytes
    }

    fn row(tiff: &[u8]) -> Result<Vec<[u8; 3]>, String> {
        Ok(crate::picture::decode(tiff)?.into_rgb8().pixels().map(|pixel| pixel.0).collect())
    }

    #[test]
    fn palettes_of_few_bits_are_looked_up() {
        let colors: Vec<u16> = [10u16, 20, 30].iter().flat_map(|base| (0..16).map(move |i| (base + i) << 8)).collect();
        let tiff = strip(3, 1, 4, &[(320, &colors)], &[0x01, 0x23, 0x45, 0xFF]);
        let expected = [0, 1, 2, 3, 4, 5, 15, 15].map(|i| [10 + i, 20 + i, 30 + i]);
        assert_eq!(row(&tiff).unwrap(), expected);
        // One with 8 bits, as some programs write it.
        let colors: Vec<u16> = vec![1, 2, 3, 4, 5, 6];
        assert_eq!(row(&strip(3, 1, 1, &[(320, &colors)], &[0b0100_0000])).unwrap()[..2], [[1, 3, 5], [2, 4, 6]]);
    }

    #[test]
    fn three_and_four_bands_are_colours_and_the_second_of_two_is_left_out() {
        let data: Vec<u8> = (0..32).collect();
        assert_eq!(row(&strip(1, 3, 8, &[], &data[..24])).unwrap()[7], [21, 22, 23]);
        assert_eq!(row(&strip(1, 4, 8, &[], &data)).unwrap()[7], [28, 29, 30]);
        assert_eq!(row(&strip(1, 2, 8, &[], &data[..16])).unwrap()[7], [14; 3]);
        assert_eq!(row(&strip(0, 2, 8, &[], &data[..16])).unwrap()[7], [255 - 14; 3]);
    }

    #[test]
    fn other_kinds_are_told() {
        let five = row(&strip(1, 5, 8, &[], &[0; 40])).unwrap_err();
        assert!(five.contains("(grey, samples 5, bits 8, compression 1)"), "{five}");
        let floats = row(&strip(1, 1, 32, &[(339, &[3])], &[0; 32])).unwrap_err();
        assert!(floats.contains("(grey, samples 1, bits 32, floats, compression 1)"), "{floats}");
        // A palette with too few colours.
        assert!(row(&strip(3, 1, 8, &[(320, &[1, 2, 3])], &[0; 8])).unwrap_err().contains("palette"));
    }

    #[test]
    fn a_tiff_that_breaks_off_or_is_changed_is_an_error_or_a_picture() {
        let whole = strip(3, 1, 8, &[(320, &[7; 768])], &[0; 8]);
        for length in 0..whole.len() {
            row(&whole[..length]).ok();
        }
        for at in 0..whole.len() {
            for value in [0, 1, 255] {
                let mut changed = whole.clone();
                changed[at] = value;
                row(&changed).ok();
            }
        }
    }
}
