//! From libtorch's tensors to `ndarray`.

use ndarray::Array3;
use tch::{Device, Kind, Tensor};

use crate::error::{Error, Result};

/// Copies a `[1, C, h, w]` tensor on any device to `[C, h, w]` f32.
///
/// # Errors
/// [`Error::Libtorch`] if the tensor has another number of dimensions or more than one picture.
pub(crate) fn to_array3(tensor: &Tensor) -> Result<Array3<f32>> {
    let size = tensor.size();
    let &[1, channels, height, width] = size.as_slice() else {
        return Err(Error::Libtorch(format!("expected a tensor [1, C, h, w], found {size:?}")));
    };
    let values = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?.f_contiguous()?.f_view(-1)?;
    let shape = (channels as usize, height as usize, width as usize);
    Array3::from_shape_vec(shape, Vec::try_from(values)?)
        .map_err(|error| Error::Libtorch(format!("a tensor {size:?} has another number of elements: {error}")))
}
