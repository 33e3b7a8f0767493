//! Reads the tensors of a checkpoint from its archive.

use std::{
    collections::{HashMap, HashSet},
    io::{Read, Seek},
};

use tch::{Kind, Tensor};
use zip::{ZipArchive, result::ZipError};

use super::pickle::{Id, Pickle, Value};
use crate::limits::Limits;

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

/// Where a tensor's values lie: `('storage', type, name, device, length)`.
struct Storage<'a> {
    name: &'a str,
    kind: Kind,
}

/// Which values of its storage a tensor has.
struct View {
    offset: i64,
    size: Vec<i64>,
    stride: Vec<i64>,
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

    /// Reads a tensor: `_rebuild_tensor_v2(storage, offset, size, stride, …)`, which may stand inside
    /// `_rebuild_parameter(tensor, …)`. Floats become f32.
    pub fn read(&mut self, id: Id) -> Result<Tensor, String> {
        self.tensors_left =
            (self.tensors_left.checked_sub(1)).ok_or_else(|| format!("has more than {} tensors", Limits::TENSORS))?;
        let id = match (self.pickle.class(id), self.arguments(id)) {
            (Some(("torch._utils", "_rebuild_parameter")), &[tensor, ..]) => tensor,
            _ => id,
        };
        let (Some(("torch._utils", "_rebuild_tensor_v2")), &[storage, offset, size, stride, ..]) =
            (self.pickle.class(id), self.arguments(id))
        else {
            return Err("has a tensor that is not understood".into());
        };
        let storage = self.storage(storage)?;
        match (self.count(offset), self.counts(size), self.counts(stride)) {
            (Some(offset), Some(size), Some(stride)) if size.len() == stride.len() => {
                self.view(&storage, &View { offset, size, stride })
            }
            _ => Err("has a tensor with a shape that is not understood".into()),
        }
    }

    fn arguments(&self, id: Id) -> &'p [Id] {
        match self.pickle.get(id) {
            Value::Object(object) => match self.pickle.get(object.args) {
                Value::Tuple(args) => args,
                _ => &[],
            },
            _ => &[],
        }
    }

    fn count(&self, id: Id) -> Option<i64> {
        match self.pickle.get(id) {
            Value::Int(number) if *number >= 0 => Some(*number),
            _ => None,
        }
    }

    fn counts(&self, id: Id) -> Option<Vec<i64>> {
        match self.pickle.get(id) {
            Value::Tuple(items) if items.len() <= Limits::TENSOR_DIMENSIONS => {
                items.iter().map(|&item| self.count(item)).collect()
            }
            _ => None,
        }
    }

    fn storage(&self, id: Id) -> Result<Storage<'a>, String> {
        let unknown = || "has a tensor whose storage is not understood".to_owned();
        let Value::Persistent(key) = self.pickle.get(id) else { return Err(unknown()) };
        let Value::Tuple(parts) = self.pickle.get(*key) else { return Err(unknown()) };
        let &[_, kind, name, ..] = parts.as_slice() else { return Err(unknown()) };
        let (Value::Global { name: kind, .. }, Some(name)) = (self.pickle.get(kind), self.pickle.str(name)) else {
            return Err(unknown());
        };
        let kind = match *kind {
            "HalfStorage" => Kind::Half,
            "BFloat16Storage" => Kind::BFloat16,
            "FloatStorage" => Kind::Float,
            "DoubleStorage" => Kind::Double,
            "LongStorage" => Kind::Int64,
            other => return Err(format!("has a tensor of {other}, which is not understood")),
        };
        Ok(Storage { name, kind })
    }

    /// The tensor with these values of a storage.
    fn view(&mut self, storage: &Storage<'a>, view: &View) -> Result<Tensor, String> {
        let bytes = self.bytes(storage.name)?;
        let entry = || format!("{}data/{}", self.prefix, storage.name);
        let count = bytes.size1().unwrap_or(0) / storage.kind.elt_size_in_bytes() as i64;
        let View { offset, size, stride } = view;
        // How many values the shape has, and the last one that it reaches.
        let values = size.iter().try_fold(1i64, |values, &side| values.checked_mul(side));
        let reach = (size.iter().zip(stride))
            .try_fold(*offset, |reach, (&size, &stride)| reach.checked_add((size - 1).max(0).checked_mul(stride)?));
        let values = values.filter(|&values| {
            values <= count && (values == 0 || reach.is_some_and(|reach| reach < count)) && *offset <= count
        });
        let Some(values) = values else {
            return Err(format!("has a tensor {} of {count} values, too few for its shape {size:?}", entry()));
        };
        let kind = if storage.kind == Kind::Int64 { Kind::Int64 } else { Kind::Float };
        let taken = values as u64 * kind.elt_size_in_bytes() as u64;
        self.values_left = self.values_left.checked_sub(taken).ok_or_else(too_much)?;
        let read = || {
            let whole = bytes.f_narrow(0, 0, count * storage.kind.elt_size_in_bytes() as i64)?;
            let tensor = whole.f_view_dtype(storage.kind)?.f_as_strided(size, stride, *offset)?;
            // At once, so that the weights are never there in both precisions; and a copy, since the storage may be shared.
            tensor.f_to_dtype(kind, false, true)?.f_contiguous()
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

fn too_much() -> String {
    "has weights of far more bytes than its file has, and PyTorch does not compress any".into()
}
