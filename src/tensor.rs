//! From libtorch's tensors to `ndarray`.

use ndarray::{Array2, Array3};
use tch::{Device, Kind, Tensor};

use crate::error::{Error, Result};

/// Copies a `[1, C, h, w]` tensor on any device to `[C, h, w]` f32. In memory the channels of a cell lie side by side, as they
/// mostly do in the tensor: bringing them in another order would take longer than most of what is done with them.
///
/// # Errors
/// [`Error::Libtorch`] if the tensor has another number of dimensions or more than one picture.
pub(crate) fn to_array3(tensor: &Tensor) -> Result<Array3<f32>> {
    let size = tensor.size();
    let &[1, channels, height, width] = size.as_slice() else { return Err(misfit("[1, C, h, w]", &size)) };
    let shape = (height as usize, width as usize, channels as usize);
    let cells = Array3::from_shape_vec(shape, values(&tensor.f_permute([0, 2, 3, 1])?)?);
    Ok(cells.map_err(|_| misfit("[1, C, h, w]", &size))?.permuted_axes([2, 0, 1]))
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
