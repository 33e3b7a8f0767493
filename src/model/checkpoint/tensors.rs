//! Reads the tensors of a checkpoint from its archive.

use std::{
    collections::{HashMap, HashSet},
    io::{Read, Seek},
};

use tch::{Kind, Tensor};
use zip::{ZipArchive, result::ZipError};

use super::pickle::{Id, Pickle};
use crate::{limits::Limits, model::stored::StoredTensor};

/// Reads tensors, and counts what they take.
pub(super) struct Tensors<'r, 'p, 'a, R> {
    archive: &'r mut ZipArchive<R>,
    /// The folder of the tensors in the archive.
    prefix: &'r str,
    pickle: &'p Pickle<'a>,
    /// How many more tensors may be read.
    tensors_left: usize,
    /// How many more bytes of storages may be unpacked.
    packed_left: u64,
    /// How many more bytes tensors may take, as they are used.
    values_left: u64,
    /// Storages that were read.
    seen: HashSet<&'a str>,
    /// Storages that several tensors share, so that each is read twice at most. Others are not kept: the weights would be
    /// there twice.
    shared: HashMap<&'a str, Tensor>,
}

impl<'r, 'p, 'a, R: Read + Seek> Tensors<'r, 'p, 'a, R> {
    pub fn new(archive: &'r mut ZipArchive<R>, prefix: &'r str, pickle: &'p Pickle<'a>) -> Self {
        // The directory stands behind all entries; their own sizes are only claims.
        let packed = archive.central_directory_start();
        let most = packed.saturating_mul(Limits::UNPACKED_TIMES).clamp(Limits::UNPACKED_BYTES, Limits::WEIGHT_BYTES);
        Self {
            archive,
            prefix,
            pickle,
            tensors_left: Limits::TENSORS,
            packed_left: most,
            // Weights of 16 bits become f32.
            values_left: 2 * most,
            seen: HashSet::new(),
            shared: HashMap::new(),
        }
    }

    /// Reads a tensor. Floats become f32.
    pub fn read(&mut self, id: Id) -> Result<Tensor, String> {
        self.tensors_left =
            (self.tensors_left.checked_sub(1)).ok_or_else(|| format!("has more than {} tensors", Limits::TENSORS))?;
        let stored = StoredTensor::of(self.pickle, id).map_err(|problem| format!("has {problem}"))?;
        self.view(&stored)
    }

    /// The tensor with these values of a storage.
    fn view(&mut self, stored: &StoredTensor<'a>) -> Result<Tensor, String> {
        let kind = kind(stored.kind.1)?;
        let bytes = self.bytes(stored.key)?;
        let entry = || format!("{}data/{}", self.prefix, stored.key);
        let count = bytes.size1().unwrap_or(0) / kind.elt_size_in_bytes() as i64;
        let values = stored.values().filter(|&values| values <= count as u64 && stored.lies_within(count as u64));
        let Some(values) = values else {
            return Err(format!("has a tensor {} of {count} values, too few for its shape {:?}", entry(), stored.size));
        };
        let wanted = if kind == Kind::Int64 { Kind::Int64 } else { Kind::Float };
        let taken = values * wanted.elt_size_in_bytes() as u64;
        self.values_left = self.values_left.checked_sub(taken).ok_or_else(too_much)?;
        let signed = |numbers: &[u64]| numbers.iter().map(|&number| number as i64).collect::<Vec<_>>();
        let read = || {
            let whole = bytes.f_narrow(0, 0, count * kind.elt_size_in_bytes() as i64)?.f_view_dtype(kind)?;
            let tensor = whole.f_as_strided(signed(&stored.size), signed(&stored.stride), stored.offset as i64)?;
            // At once, so that the weights are never there in both precisions; and a copy, since the storage may be shared.
            tensor.f_to_dtype(wanted, false, true)?.f_contiguous()
        };
        read().map_err(|error: tch::TchError| crate::Error::from(error).to_string())
    }

    /// The bytes of a storage, `[length]` u8.
    fn bytes(&mut self, name: &'a str) -> Result<Tensor, String> {
        if let Some(bytes) = self.shared.get(name) {
            return Ok(bytes.shallow_clone());
        }
        let entry = format!("{}data/{name}", self.prefix);
        let file = self.archive.by_name(&entry).map_err(|error| match error {
            ZipError::FileNotFound => format!("lacks its tensor {entry}"),
            error => format!("has an unreadable tensor {entry}: {error}"),
        })?;
        let length = file.size();
        self.packed_left = self.packed_left.checked_sub(length).ok_or_else(too_much)?;
        let mut bytes = Vec::new();
        file.take(length).read_to_end(&mut bytes).map_err(|error| format!("has a damaged tensor {entry}: {error}"))?;
        let bytes = Tensor::f_from_data_size(&bytes, &[bytes.len() as i64], Kind::Uint8)
            .map_err(|error| crate::Error::from(error).to_string())?;
        if !self.seen.insert(name) {
            self.shared.insert(name, bytes.shallow_clone());
        }
        Ok(bytes)
    }
}

/// The type of the values in a storage.
fn kind(storage: &str) -> Result<Kind, String> {
    Ok(match storage {
        "HalfStorage" => Kind::Half,
        "BFloat16Storage" => Kind::BFloat16,
        "FloatStorage" => Kind::Float,
        "DoubleStorage" => Kind::Double,
        "LongStorage" => Kind::Int64,
        other => return Err(format!("has a tensor of {other}, which is not understood")),
    })
}

fn too_much() -> String {
    "has weights of far more bytes than its file has, and PyTorch does not compress any".into()
}
