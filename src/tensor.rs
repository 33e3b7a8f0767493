//! From libtorch's tensors to `ndarray`.

use ndarray::{Array2, Array3};
use tch::{Device, Kind, Tensor};

use crate::error::{Error, Result};

/// What lies side by side in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// The cells of a channel: for what goes channel by channel.
    Channels,
    /// The channels of a cell, as mostly in the tensor: for what goes cell by cell. Another order would take longer to make than most
    /// of what is done with it.
    Cells,
}

/// Copies a `[1, C, h, w]` tensor on any device to `[C, h, w]` f32, whatever its order in memory.
///
/// # Errors
/// [`Error::Libtorch`] if the tensor has another number of dimensions or more than one picture.
pub(crate) fn to_array3(tensor: &Tensor, order: Order) -> Result<Array3<f32>> {
    let size = tensor.size();
    let &[1, channels, height, width] = size.as_slice() else { return Err(misfit("[1, C, h, w]", &size)) };
    let (channels, height, width) = (channels as usize, height as usize, width as usize);
    let array = match order {
        Order::Channels => Array3::from_shape_vec((channels, height, width), values(tensor)?),
        Order::Cells => Array3::from_shape_vec((height, width, channels), values(&tensor.f_permute([0, 2, 3, 1])?)?)
            .map(|cells| cells.permuted_axes([2, 0, 1])),
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
