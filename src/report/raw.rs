//! Maps as numbers: NumPy's `.npy`, 16-bit PNG, 32-bit TIFF.

use std::{
    io::{self, Cursor, Write},
    path::Path,
};

use image::{ImageBuffer, ImageFormat, Luma};
use ndarray::Array2;
use ndarray_npy::WriteNpyExt;
use tiff::encoder::{TiffEncoder, colortype::Gray32Float};

use crate::{error::Result, files::write_atomically};

/// What a raw map is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum RawFormat {
    /// NumPy, f32
    #[default]
    Npy,
    /// 16-bit grey: 65535 is the map's largest value
    Png16,
    /// One channel of f32
    Tiff,
}

impl RawFormat {
    /// The ending of the file's name: `npy`; `map.png` and `map.tiff`, so that no map is called like a picture.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Npy => "npy",
            Self::Png16 => "map.png",
            Self::Tiff => "map.tiff",
        }
    }
}

/// Writes a map `[h, w]` ≥ 0 in C order.
///
/// # Errors
/// [`crate::Error::Io`].
pub fn write_raw(path: &Path, map: &Array2<f32>, format: RawFormat) -> Result<()> {
    write_atomically(path, |out| out.write_all(&raw_bytes(map, format)?))
}

/// What is in the file of a map `[h, w]` ≥ 0, in C order.
///
/// # Errors
/// If the map has no cells, or there is not enough memory.
pub fn raw_bytes(map: &Array2<f32>, format: RawFormat) -> io::Result<Vec<u8>> {
    let (height, width) = map.dim();
    let size = (width as u32, height as u32);
    let values = || map.iter().copied();
    // Two of the encoders seek.
    let mut bytes = Cursor::new(Vec::new());
    match format {
        RawFormat::Npy => map.write_npy(&mut bytes).map_err(io::Error::other)?,
        RawFormat::Tiff => {
            let mut encoder = TiffEncoder::new(&mut bytes).map_err(io::Error::other)?;
            let values: Vec<f32> = values().collect();
            encoder.write_image::<Gray32Float>(size.0, size.1, &values).map_err(io::Error::other)?;
        }
        RawFormat::Png16 => {
            let largest = values().fold(f32::MIN_POSITIVE, f32::max);
            let levels = values().map(|value| (value / largest * 65_535.0).round() as u16).collect();
            let picture = ImageBuffer::<Luma<u16>, Vec<u16>>::from_raw(size.0, size.1, levels);
            let picture = picture.ok_or_else(|| io::Error::other("the map has no cells"))?;
            picture.write_to(&mut bytes, ImageFormat::Png).map_err(io::Error::other)?;
        }
    }
    Ok(bytes.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use ndarray_npy::ReadNpyExt;

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let map = array![[0.0f32, 0.5, 2.0], [1.0, 0.25, 0.125]];
        let write = |format: RawFormat| {
            let path = folder.path().join(format!("map.{}", format.extension()));
            write_raw(&path, &map, format).unwrap();
            path
        };
        let npy = std::fs::File::open(write(RawFormat::Npy)).unwrap();
        assert_eq!(Array2::<f32>::read_npy(npy).unwrap(), map);
        let png = image::open(write(RawFormat::Png16)).unwrap().into_luma16();
        assert_eq!(png.as_raw(), &[0, 16384, 65535, 32768, 8192, 4096]);
        let mut tiff = tiff::decoder::Decoder::new(std::fs::File::open(write(RawFormat::Tiff)).unwrap()).unwrap();
        assert_eq!(tiff.dimensions().unwrap(), (3, 2));
        let tiff::decoder::DecodingResult::F32(values) = tiff.read_image().unwrap() else { panic!("not f32") };
        assert_eq!(values, map.iter().copied().collect::<Vec<_>>());
    }
}
