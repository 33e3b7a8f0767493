//! A tensor as PyTorch pickles it, in checkpoints and TorchScript files alike: which values of which storage.

use super::checkpoint::pickle::{Id, Pickle, Value};
use crate::limits::Limits;

/// `_rebuild_tensor_v2(storage, offset, size, stride, …)`, which may stand inside `_rebuild_parameter(tensor, …)`, and where
/// Python attributes were set on it, inside `_rebuild_parameter_with_state(tensor, …)` or
/// `_rebuild_from_type_v2(function, type, arguments, state)`.
pub(super) struct StoredTensor<'a> {
    /// The pickle's value for the storage.
    pub storage: Id,
    /// The storage's name among those of the file.
    pub key: &'a str,
    /// Its type and the Python module of that: `torch`, `HalfStorage`.
    pub kind: (&'a str, &'a str),
    /// How many values it is said to have.
    pub count: Option<u64>,
    pub offset: u64,
    pub size: Vec<u64>,
    /// As many as there are sizes.
    pub stride: Vec<u64>,
}

impl<'a> StoredTensor<'a> {
    /// What the value `id` says. The error names the part that is not understood.
    pub fn of(pickle: &Pickle<'a>, id: Id) -> Result<Self, &'static str> {
        let Some(&[storage, offset, size, stride, ..]) = rebuilding(pickle, id) else {
            return Err("a tensor that is not understood");
        };
        let (key, kind, count) = storage_of(pickle, storage).ok_or("a tensor whose storage is not understood")?;
        match (number(pickle, offset), numbers(pickle, size), numbers(pickle, stride)) {
            (Some(offset), Some(size), Some(stride)) if size.len() == stride.len() => {
                Ok(Self { storage, key, kind, count, offset, size, stride })
            }
            _ => Err("a tensor with a shape that is not understood"),
        }
    }

    /// How many values the shape has; `None` if they can't be counted.
    pub fn values(&self) -> Option<u64> {
        self.size.iter().try_fold(1u64, |values, &side| values.checked_mul(side))
    }

    /// Whether all values lie among the first `count` of the storage.
    pub fn lies_within(&self, count: u64) -> bool {
        let last = self.size.iter().zip(&self.stride).try_fold(self.offset, |last, (&side, &stride)| {
            last.checked_add(side.saturating_sub(1).checked_mul(stride)?)
        });
        self.offset <= count && (self.values() == Some(0) || last.is_some_and(|last| last < count))
    }
}

/// The arguments of `_rebuild_tensor_v2`.
fn rebuilding<'p>(pickle: &'p Pickle, id: Id) -> Option<&'p [Id]> {
    let arguments = pickle.arguments(id)?;
    match (pickle.class(id)?, arguments) {
        (("torch._utils", "_rebuild_tensor_v2"), _) => Some(arguments),
        // A parameter in a parameter is not followed further: the file could lead in a circle.
        (("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state"), &[tensor, ..]) => {
            match pickle.class(tensor)? {
                ("torch._utils", "_rebuild_tensor_v2") => pickle.arguments(tensor),
                _ => None,
            }
        }
        (("torch._tensor", "_rebuild_from_type_v2"), &[function, _, arguments, ..]) => {
            match (pickle.get(function), pickle.get(arguments)) {
                (Value::Global { module: "torch._utils", name: "_rebuild_tensor_v2" }, Value::Tuple(items)) => {
                    Some(items)
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// Key, type and number of values of `('storage', type, key, device, number)`.
fn storage_of<'a>(pickle: &Pickle<'a>, id: Id) -> Option<(&'a str, (&'a str, &'a str), Option<u64>)> {
    let Value::Persistent(key) = pickle.get(id) else { return None };
    let Value::Tuple(parts) = pickle.get(*key) else { return None };
    let &[_, kind, key, ref rest @ ..] = parts.as_slice() else { return None };
    let &Value::Global { module, name } = pickle.get(kind) else { return None };
    let count = rest.get(1).and_then(|&count| number(pickle, count));
    Some((pickle.str(key)?, (module, name), count))
}

fn number(pickle: &Pickle, id: Id) -> Option<u64> {
    match pickle.get(id) {
        &Value::Int(number) => u64::try_from(number).ok(),
        _ => None,
    }
}

fn numbers(pickle: &Pickle, id: Id) -> Option<Vec<u64>> {
    match pickle.get(id) {
        Value::Tuple(items) if items.len() <= Limits::TENSOR_DIMENSIONS => {
            items.iter().map(|&item| number(pickle, item)).collect()
        }
        _ => None,
    }
}
