//! Maps, masks and points from files.

use std::{fs::File, io::BufReader, path::Path};

use image::DynamicImage;
use ndarray::Array2;
use ndarray_npy::{ReadNpyError, ReadNpyExt, ReadableElement};

use super::Point;
use crate::error::{Error, Result};

/// Reads a map or mask: a picture (brightness; 8 or 16 bits), or a two-dimensional `.npy` of floats, integers or
/// booleans. `[H, W]`, as the file has it.
///
/// # Errors
/// [`Error::Io`] if the file can't be read, [`Error::Picture`] if it holds no map.
pub fn read_map(path: &Path) -> Result<Array2<f32>> {
    let unusable = |problem: String| Error::Picture { path: path.to_owned(), problem };
    let is_npy = path.extension().is_some_and(|ext| ext.eq_ignore_ascii_case("npy"));
    if is_npy {
        return read_npy(path)?.ok_or_else(|| {
            unusable("is no map; expected a two-dimensional .npy of floats, integers or booleans".into())
        });
    }
    let bytes = std::fs::read(path).map_err(Error::io(path))?;
    let picture =
        image::load_from_memory(&bytes).map_err(|_| unusable("is no map; expected a picture or a .npy".into()))?;
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
fn read_npy(path: &Path) -> Result<Option<Array2<f32>>> {
    Ok(read_as(path, |value: f32| value)?
        .or(read_as(path, |value: f64| value as f32)?)
        .or(read_as(path, |value: bool| f32::from(u8::from(value)))?)
        .or(read_as(path, |value: u8| f32::from(value))?)
        .or(read_as(path, |value: u16| f32::from(value))?)
        .or(read_as(path, |value: i32| value as f32)?)
        .or(read_as(path, |value: i64| value as f32)?))
}

/// `None` if the elements are of another type, or the array has another number of dimensions.
fn read_as<T: ReadableElement + Copy>(path: &Path, convert: impl Fn(T) -> f32) -> Result<Option<Array2<f32>>> {
    let file = File::open(path).map_err(Error::io(path))?;
    match Array2::<T>::read_npy(BufReader::new(file)) {
        Ok(values) if !values.is_empty() => Ok(Some(values.mapv(convert))),
        Ok(_) | Err(ReadNpyError::WrongDescriptor(_) | ReadNpyError::WrongNdim(..)) => Ok(None),
        Err(error) => Err(Error::Picture { path: path.to_owned(), problem: format!("is a damaged .npy: {error}") }),
    }
}

/// Reads points from a CSV file: x and y in the first two columns of each row. A first row without numbers is a header.
///
/// # Errors
/// [`Error::Io`] if the file can't be read, [`Error::Picture`] if a row is no point, with its line.
pub fn read_points(path: &Path) -> Result<Vec<Point>> {
    let unusable = |problem: String| Error::Picture { path: path.to_owned(), problem };
    let file = File::open(path).map_err(Error::io(path))?;
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
