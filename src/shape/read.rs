//! Maps, masks and points from files.

use std::{io::Cursor, path::Path};

use image::DynamicImage;
use ndarray::Array2;
use ndarray_npy::{ReadNpyError, ReadNpyExt, ReadableElement};

use super::Point;
use crate::{
    error::{Error, Result},
    files::{open_regular, read_regular},
    limits::Limits,
    picture,
};

/// Reads a map or mask: a picture (brightness; 8 or 16 bits), or a two-dimensional `.npy` of floats, integers or
/// booleans. `[H, W]`, as the file has it.
///
/// # Errors
/// [`Error::Io`] if the file can't be read, [`Error::Picture`] if it holds no map.
pub fn read_map(path: &Path) -> Result<Array2<f32>> {
    read(path, |_| Ok(()))
}

/// The same of a heatmap: colours stand for numbers that nobody knows, and are refused.
///
/// # Errors
/// As [`read_map`].
pub(crate) fn read_heat(path: &Path) -> Result<Array2<f32>> {
    read(path, |picture| {
        let is_grey = |picture: &DynamicImage| picture.to_rgb8().pixels().all(|pixel| pixel.0 == [pixel.0[0]; 3]);
        if !picture.color().has_color() || is_grey(picture) {
            return Ok(());
        }
        Err("is a picture in colours, which are no numbers; expected a grey one, or a .npy".into())
    })
}

fn read(path: &Path, check: impl Fn(&DynamicImage) -> std::result::Result<(), String>) -> Result<Array2<f32>> {
    let unusable = |problem: String| Error::Picture { path: path.to_owned(), problem };
    let is_npy = path.extension().is_some_and(|ext| ext.eq_ignore_ascii_case("npy"));
    if is_npy {
        let bytes = read_regular(path).map_err(Error::io(path))?;
        check_npy(&bytes).map_err(unusable)?;
        return read_npy(path, &bytes)?.ok_or_else(|| {
            unusable("is no map; expected a two-dimensional .npy of floats, integers or booleans".into())
        });
    }
    let bytes = read_regular(path).map_err(Error::io(path))?;
    if bytes.is_empty() || !picture::is_known(&bytes) {
        return Err(unusable("is no map; expected a picture or a .npy".into()));
    }
    let picture = picture::decode(&bytes).map_err(unusable)?;
    check(&picture).map_err(unusable)?;
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let values = match picture {
        DynamicImage::ImageLuma8(_) | DynamicImage::ImageRgb8(_) | DynamicImage::ImageRgba8(_) => {
            picture.into_luma8().iter().map(|&value| f32::from(value)).collect()
        }
        deep => deep.into_luma16().iter().map(|&value| f32::from(value)).collect(),
    };
    Array2::from_shape_vec((height, width), values).map_err(|_| unusable("has no pixels".into()))
}

/// `None` if it is an array of another kind.
fn read_npy(path: &Path, bytes: &[u8]) -> Result<Option<Array2<f32>>> {
    Ok(read_as(path, bytes, |value: f32| value)?
        .or(read_as(path, bytes, |value: f64| value as f32)?)
        .or(read_as(path, bytes, |value: bool| f32::from(u8::from(value)))?)
        .or(read_as(path, bytes, |value: u8| f32::from(value))?)
        .or(read_as(path, bytes, |value: u16| f32::from(value))?)
        .or(read_as(path, bytes, |value: i32| value as f32)?)
        .or(read_as(path, bytes, |value: i64| value as f32)?))
}

/// `None` if the elements are of another type, or the array has another number of dimensions.
fn read_as<T: ReadableElement + Copy>(
    path: &Path,
    bytes: &[u8],
    convert: impl Fn(T) -> f32,
) -> Result<Option<Array2<f32>>> {
    match Array2::<T>::read_npy(Cursor::new(bytes)) {
        Ok(values) if !values.is_empty() => Ok(Some(values.mapv(convert))),
        Ok(_) | Err(ReadNpyError::WrongDescriptor(_) | ReadNpyError::WrongNdim(..)) => Ok(None),
        Err(error) => {
            let reason = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
            let reason: String = reason.chars().take(200).collect();
            Err(Error::Picture { path: path.to_owned(), problem: damaged(&reason) })
        }
    }
}

/// With the way out.
fn damaged(what: &str) -> String {
    format!("is a damaged .npy: {what}; save it again")
}

/// Whether the header is a short one and its shape has no more elements than the file has bytes, before memory is
/// reserved for them.
fn check_npy(bytes: &[u8]) -> Result<(), String> {
    const NO_NPY: &str = "is no .npy; save it with numpy.save";
    let length = match (bytes.strip_prefix(b"\x93NUMPY"), bytes.get(6)) {
        (Some(_), Some(1)) => {
            bytes.get(8..10).map(|length| (10, usize::from(u16::from_le_bytes([length[0], length[1]]))))
        }
        (Some(_), Some(_)) => {
            let length = bytes.get(8..12).and_then(|length| Some(u32::from_le_bytes(length.try_into().ok()?)));
            length.map(|length| (12, length as usize))
        }
        _ => None,
    };
    let (start, length) = length.ok_or(NO_NPY)?;
    if length > Limits::NPY_HEADER_BYTES {
        let most = Limits::NPY_HEADER_BYTES;
        return Err(damaged(&format!("its header has {length} bytes, expected at most {most}")));
    }
    let broken = || damaged("it breaks off in its header");
    let header = String::from_utf8_lossy(bytes.get(start..start + length).ok_or_else(broken)?);
    // The header is a Python dictionary: `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
    let shape = header.split_once("'shape'").and_then(|(_, rest)| rest.split_once('(')?.1.split_once(')'));
    let Some((shape, _)) = shape else { return Err(damaged("its header has no shape")) };
    let sides = shape.split(',').map(str::trim).filter(|side| !side.is_empty());
    let mut sides = sides.map(|side| side.trim_end_matches('L').parse::<usize>().ok());
    let elements = sides.try_fold(1usize, |product, side| product.checked_mul(side?));
    let data = bytes.len() - start - length;
    match elements {
        Some(elements) if elements <= data => Ok(()),
        _ => {
            let shape: String = shape.chars().take(60).collect();
            Err(damaged(&format!("it has {data} bytes, too few for its shape ({shape})")))
        }
    }
}

/// Reads points from a CSV file: x and y in the first two columns of each row. A first row without numbers is a header.
///
/// # Errors
/// [`Error::Io`] if the file can't be read, [`Error::Picture`] if a row is no point, with its line.
pub fn read_points(path: &Path) -> Result<Vec<Point>> {
    let unusable = |problem: String| Error::Picture { path: path.to_owned(), problem };
    let file = open_regular(path).map_err(Error::io(path))?;
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).trim(csv::Trim::All).from_reader(file);
    let mut points = Vec::new();
    for (index, row) in reader.records().enumerate() {
        let row = row.map_err(|error| unusable(format!("is no CSV: {error}")))?;
        let number = |column: usize| row.get(column)?.parse::<f64>().ok().filter(|number| number.is_finite());
        match (number(0), number(1)) {
            (Some(x), Some(y)) => points.push([x, y]),
            _ if index == 0 => {}
            _ => {
                let line = row.position().map_or(index as u64 + 1, |position| position.line());
                let found = row.iter().collect::<Vec<_>>().join(",");
                return Err(unusable(format!("line {line}: {found:?} is no point; expected x,y")));
            }
        }
    }
    if points.is_empty() {
        return Err(unusable("has no points; expected a row x,y for each".into()));
    }
    Ok(points)
}
