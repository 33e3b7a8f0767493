//! NumPy's `.npy`.

use std::{io, path::Path};

use ndarray::Array2;
use ndarray_npy::WriteNpyExt;

use crate::error::Result;
use crate::files::write_atomically;

/// Writes a map `[h, w]` as f32 in C order.
///
/// # Errors
/// [`crate::Error::Io`].
pub fn write_npy(path: &Path, map: &Array2<f32>) -> Result<()> {
    write_atomically(path, |out| map.write_npy(out).map_err(io::Error::other))
}
