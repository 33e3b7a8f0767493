//! From libtorch's tensors to `ndarray`.

use image::RgbImage;
use ndarray::{Array2, Array3};
use tch::{Device, Kind, Tensor};

use crate::error::{Error, Result};

/// In which order the values of a feature map lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryOrder {
    /// Channel after channel, the cells of each side by side.
    Channels,
    /// Cell after cell, the channels of each side by side, as mostly in libtorch: a copy takes the least time.
    Cells,
}

/// Copies a `[1, C, h, w]` tensor on any device to `[C, h, w]` f32, whatever its order in memory.
///
/// # Errors
/// [`Error::Libtorch`] if the tensor has another number of dimensions or more than one picture.
pub(crate) fn to_array3(tensor: &Tensor, order: MemoryOrder) -> Result<Array3<f32>> {
    let size = tensor.size();
    let &[1, channels, height, width] = size.as_slice() else { return Err(misfit("[1, C, h, w]", &size)) };
    let (channels, height, width) = (channels as usize, height as usize, width as usize);
    let array = match order {
        MemoryOrder::Channels => Array3::from_shape_vec((channels, height, width), values(tensor)?),
        MemoryOrder::Cells => {
            Array3::from_shape_vec((height, width, channels), values(&tensor.f_permute([0, 2, 3, 1])?)?)
                .map(|cells| cells.permuted_axes([2, 0, 1]))
        }
    };
    array.map_err(|_| misfit("[1, C, h, w]", &size))
}

/// Copies a tensor with two dimensions on any device to f32.
///
/// # Errors
/// [`Error::Libtorch`] if the tensor has another number of dimensions.
pub(crate) fn to_array2(tensor: &Tensor) -> Result<Array2<f32>> {
    let size = tensor.size();
    let &[rows, columns] = size.as_slice() else { return Err(misfit("[h, w]", &size)) };
    Array2::from_shape_vec((rows as usize, columns as usize), values(tensor)?).map_err(|_| misfit("[h, w]", &size))
}

/// Copies a `[1, 3, h, w]` tensor of RGB in 0..1 on any device to bytes.
///
/// # Errors
/// [`Error::Libtorch`] if the tensor has another shape.
pub(crate) fn to_rgb(tensor: &Tensor) -> Result<RgbImage> {
    let size = tensor.size();
    let &[1, 3, height, width] = size.as_slice() else { return Err(misfit("[1, 3, h, w]", &size)) };
    let bytes = values(&tensor.f_permute([0, 2, 3, 1])?)?.into_iter().map(|value| (value * 255.0).round() as u8);
    RgbImage::from_raw(width as u32, height as u32, bytes.collect()).ok_or_else(|| misfit("[1, 3, h, w]", &size))
}

/// The elements in row-major order.
///
/// # Errors
/// [`Error::Libtorch`] if there is not enough memory.
pub(crate) fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    let flat = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?.f_contiguous()?.f_view(-1)?;
    Ok(Vec::try_from(flat)?)
}

fn misfit(expected: &str, size: &[i64]) -> Error {
    Error::Libtorch(format!("expected a tensor {expected}, found {size:?}"))
}
