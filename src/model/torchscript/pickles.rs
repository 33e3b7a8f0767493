//! The pickles of a TorchScript file: objects of its classes, and tensors with their storages.

use crate::{
    limits::Limits,
    model::{
        checkpoint::pickle::{Id, Pickle, Value},
        stored::StoredTensor,
    },
};

/// Looks through a pickle. `size`: how many bytes the storage of a key has, if it is there.
pub(super) fn check(data: &[u8], size: impl Fn(&str) -> Option<u64>) -> Result<(), String> {
    let pickle = Pickle::read(data)?;
    // libtorch makes room for as many values.
    if pickle.largest_key() > pickle.len() as u64 {
        return Err(format!("it stores value {} of {}", pickle.largest_key(), pickle.len()));
    }
    check_depth(&pickle)?;
    let mut keys = Vec::new();
    let mut used = Vec::new();
    let mut room = Limits::EXPANDED_VALUES;
    for id in 0..pickle.len() {
        match pickle.get(id) {
            Value::Global { module, name } if !is_known(module, name) => {
                return Err(format!("it names {module}.{name}, which is neither a class of the file nor a tensor"));
            }
            Value::Persistent(_) => keys.push(id),
            Value::Object(_) => match pickle.class(id) {
                None => return Err("it has an object of something that is no class".into()),
                Some(("torch._utils", _)) => used.push(check_tensor(&pickle, id, &size, &mut room)?),
                Some(_) => {}
            },
            _ => {}
        }
    }
    used.sort_unstable();
    match keys.iter().find(|key| used.binary_search(key).is_err()) {
        Some(_) => Err("it has a storage that belongs to no tensor".into()),
        None => Ok(()),
    }
}

fn is_known(module: &str, name: &str) -> bool {
    match module {
        "collections" => name == "OrderedDict",
        "torch._utils" => name == "_rebuild_tensor_v2",
        "torch.jit._pickle" => {
            matches!(
                name,
                "build_intlist" | "build_tensorlist" | "build_doublelist" | "build_boollist" | "restore_type_tag"
            )
        }
        "torch" => name.ends_with("Storage") || name == "device",
        _ => {
            let is_own = module == "__torch__" || module.starts_with("__torch__.");
            is_own && !is_of_torch_classes(module)
        }
    }
}

/// Classes that are written in C++ and registered with libtorch, as those of quantized networks and mobile exports are.
fn is_of_torch_classes(module: &str) -> bool {
    module == "__torch__.torch.classes" || module.starts_with("__torch__.torch.classes.")
}

/// Whether a pickle holds objects of such classes, which plain libtorch does not have.
pub(super) fn has_torch_classes(data: &[u8]) -> bool {
    let is_one = |value: &Value| matches!(value, Value::Global { module, .. } if is_of_torch_classes(module));
    Pickle::read(data).is_ok_and(|pickle| (0..pickle.len()).any(|id| is_one(pickle.get(id))))
}

/// The shapes of the tensors in a pickle; none of one that cannot be read.
pub(super) fn shapes(data: &[u8]) -> Vec<Vec<u64>> {
    let Ok(pickle) = Pickle::read(data) else { return Vec::new() };
    let is_tensor = |&id: &Id| matches!(pickle.class(id), Some(("torch._utils", _)));
    let tensors = (0..pickle.len()).filter(is_tensor);
    tensors.filter_map(|id| StoredTensor::of(&pickle, id).ok()).map(|tensor| tensor.size).collect()
}

/// A tensor must fit its storage. A grid of anchors is a small storage that is expanded; `room`: by how many values that may
/// still be. Returns the pickle's value for the storage.
fn check_tensor(pickle: &Pickle, id: Id, size: impl Fn(&str) -> Option<u64>, room: &mut u64) -> Result<Id, String> {
    let tensor = StoredTensor::of(pickle, id).map_err(|problem| format!("it has {problem}"))?;
    let (key, shape) = (tensor.key, &tensor.size);
    let (bytes, count) = value_bytes(tensor.kind).zip(tensor.count).ok_or("it has a tensor of an unknown type")?;
    let stored = size(key).ok_or_else(|| format!("the storage {key:?} is missing"))?;
    if count.checked_mul(bytes) != Some(stored) {
        return Err(format!("the storage {key:?} has {stored} bytes, expected {count} values of {bytes} bytes"));
    }
    // An empty tensor still has sides, which libtorch multiplies.
    let is_small = shape.iter().chain(&tensor.stride).all(|&number| number < 1 << 40);
    let left = tensor.values().and_then(|values| room.checked_sub(values.saturating_sub(count)));
    *room = left
        .filter(|_| is_small && tensor.lies_within(count))
        .ok_or_else(|| format!("a tensor of shape {shape:?} does not fit its storage {key:?} of {count} values"))?;
    Ok(tensor.storage)
}

/// Bytes of a value in a storage of this type.
fn value_bytes((module, name): (&str, &str)) -> Option<u64> {
    Some(match name {
        _ if module != "torch" => return None,
        "BoolStorage" | "ByteStorage" | "CharStorage" => 1,
        "HalfStorage" | "BFloat16Storage" | "ShortStorage" => 2,
        "FloatStorage" | "IntStorage" => 4,
        "DoubleStorage" | "LongStorage" => 8,
        _ => return None,
    })
}

/// Values lie in each other only so deep, and none in itself: libtorch frees them by recursion.
fn check_depth(pickle: &Pickle) -> Result<(), String> {
    // 0: not seen yet.
    let mut depths = vec![0usize; pickle.len()];
    let mut is_open = vec![false; pickle.len()];
    let mut way = vec![(pickle.root(), pickle.parts(pickle.root()), 0)];
    while let Some((id, parts, next)) = way.pop() {
        is_open[id] = true;
        let Some(&part) = parts.get(next) else {
            is_open[id] = false;
            depths[id] = 1 + parts.iter().map(|&part| depths[part]).max().unwrap_or(0);
            if depths[id] > Limits::PICKLE_DEPTH {
                return Err(format!("values lie more than {} deep in each other", Limits::PICKLE_DEPTH));
            }
            continue;
        };
        way.push((id, parts, next + 1));
        if is_open[part] {
            return Err("a value lies in itself".into());
        }
        if depths[part] == 0 {
            way.push((part, pickle.parts(part), 0));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `torch._utils._rebuild_tensor_v2(('storage', torch.FloatStorage, '0', 'cpu', count), offset, shape, strides)`.
    fn tensor(count: u8, offset: u8, shape: [u8; 2], strides: [u8; 2]) -> Vec<u8> {
        let pair = |[a, b]: [u8; 2]| [b'K', a, b'K', b, 0x86];
        let mut data =
            b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK"
                .to_vec();
        data.extend([count, b't', b'Q', b'K', offset]);
        data.extend(pair(shape));
        data.extend(pair(strides));
        data.extend(b"\x89)tR.");
        data
    }

    #[test]
    fn a_tensor_fits_its_storage() {
        let of_six = |key: &str| (key == "0").then_some(24);
        assert_eq!(check(&tensor(6, 0, [2, 3], [3, 1]), of_six), Ok(()));
        assert_eq!(check(&tensor(6, 1, [5, 1], [1, 1]), of_six), Ok(()));
        assert_eq!(check(&tensor(6, 0, [200, 6], [0, 1]), of_six), Ok(()), "a grid is expanded");
        for (data, problem) in [
            (tensor(7, 0, [2, 3], [3, 1]), "has 24 bytes"),
            (tensor(6, 1, [2, 3], [3, 1]), "does not fit"),
            (tensor(6, 0, [2, 4], [3, 1]), "does not fit"),
            (tensor(6, 0, [200, 7], [0, 1]), "does not fit"),
        ] {
            assert!(check(&data, of_six).unwrap_err().contains(problem), "{problem}");
        }
        assert!(check(&tensor(6, 0, [2, 3], [3, 1]), |_| None).unwrap_err().contains("is missing"));
    }

    #[test]
    fn only_classes_of_the_file_are_named() {
        let none = |_: &str| None;
        assert_eq!(check(b"c__torch__.models.yolo\nModel\n)\x81}b.", none), Ok(()));
        let mobile = b"c__torch__.torch.classes.xnnpack\nConv2dOpContext\n)\x81.";
        assert!(has_torch_classes(mobile) && !has_torch_classes(b"cos\nsystem\n)R."));
        for data in [&b"cos\nsystem\n)R."[..], b"c__torch__.torch.classes.xnnpack\nConv2dOpContext\n)\x81.", b"N)R."] {
            assert!(check(data, none).is_err());
        }
        assert!(check(b"X\x01\0\0\0aQ.", none).unwrap_err().contains("no tensor"));
    }

    #[test]
    fn values_are_numbered_as_they_come() {
        let stored = |key: u32| {
            let mut data = b"]r".to_vec();
            data.extend(key.to_le_bytes());
            data.push(b'.');
            check(&data, |_| None)
        };
        assert_eq!(stored(0), Ok(()));
        assert!(stored(996_108_387).unwrap_err().contains("stores value 996108387 of"));
    }

    #[test]
    fn depth_has_a_bound_and_circles_are_refused() {
        let none = |_: &str| None;
        let mut deep = vec![b']'; 100_000];
        deep.extend(vec![b'a'; 99_999]);
        deep.push(b'.');
        assert!(check(&deep, none).unwrap_err().contains("deep"));
        assert!(check(b"]q\0h\0a.", none).unwrap_err().contains("in itself"));
    }
}
