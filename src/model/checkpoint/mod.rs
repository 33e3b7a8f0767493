//! What a PyTorch checkpoint holds.

mod pickle;

use std::{
    collections::HashSet,
    io::{Read, Seek},
};

use self::pickle::{Id, Pickle, Value};

/// A pickle of a network is some hundred kilobytes; the weights lie beside it.
const MAX_PICKLE: u64 = 64 << 20;

/// What stands in a checkpoint's place of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// A YOLOv5 detector, made of blocks that YOLOv5 has.
    Detector,
    /// A network with blocks that YOLOv5 has not: each path and class, in order.
    UnknownBlocks(Vec<String>),
    /// A network of another kind, by its class.
    NoDetector(String),
    /// Weights by name, without a network.
    StateDict,
    /// Something else.
    Other,
}

/// Reads what the checkpoint holds; `entry` is the name of its pickle. The error says what is wrong with it.
pub(super) fn content<R: Read + Seek>(archive: &mut zip::ZipArchive<R>, entry: &str) -> Result<Content, String> {
    let file = archive.by_name(entry).map_err(|error| format!("has an unreadable pickle: {error}"))?;
    let mut data = Vec::new();
    file.take(MAX_PICKLE + 1).read_to_end(&mut data).map_err(|error| format!("has an unreadable pickle: {error}"))?;
    if data.len() as u64 > MAX_PICKLE {
        return Err(format!("has a pickle of more than {} MiB", MAX_PICKLE >> 20));
    }
    Ok(content_of(&Pickle::read(&data)?))
}

fn content_of(pickle: &Pickle) -> Content {
    let root = pickle.root();
    // Ultralytics keeps the averaged weights in `ema` while training, and moves them to `model` at the end.
    let is_module = |id: &Id| pickle.attribute(*id, "_modules").is_some();
    let in_dict = ["ema", "model"].iter().filter_map(|key| pickle.entry(root, key)).find(is_module);
    let Some(network) = in_dict.or_else(|| Some(root).filter(is_module)) else {
        return if holds_tensors(pickle, root) { Content::StateDict } else { Content::Other };
    };
    let modules = modules(pickle, network);
    let is_head = |class: &str| matches!(class, "Detect" | "Segment");
    if !modules.iter().any(|(_, _, name)| is_head(name)) {
        let (module, name) = pickle.class(network).unwrap_or(("?", "?"));
        return Content::NoDetector(format!("{module}.{name}"));
    }
    let unknown = modules.iter().filter(|(_, module, name)| !is_known(module, name));
    let unknown: Vec<String> = unknown.map(|(path, module, name)| format!("{path}: {module}.{name}")).collect();
    if unknown.is_empty() { Content::Detector } else { Content::UnknownBlocks(unknown) }
}

/// Whether a dict's values are tensors, at the top or below one of its keys.
fn holds_tensors(pickle: &Pickle, id: Id) -> bool {
    let is_tensor = |id: Id| matches!(pickle.class(id), Some(("torch._utils", _)));
    let values = |id: Id| pickle.entries(id).iter().map(|&(_, value)| value);
    values(id).any(|value| is_tensor(value) || values(value).any(is_tensor))
}

/// All modules below `network`, each once: path, Python module, class name.
fn modules<'a>(pickle: &Pickle<'a>, network: Id) -> Vec<(String, &'a str, &'a str)> {
    let mut found = Vec::new();
    let mut seen = HashSet::from([network]);
    // Children that are yet to come, the next one last.
    let mut open = vec![(String::new(), network)];
    while let Some((path, id)) = open.pop() {
        if let Some((module, name)) = pickle.class(id).filter(|_| !path.is_empty()) {
            found.push((path.clone(), module, name));
        }
        let Some(children) = pickle.attribute(id, "_modules") else { continue };
        for &(name, child) in pickle.entries(children).iter().rev() {
            let (Some(name), true) = (pickle.str(name), matches!(pickle.get(child), Value::Object { .. })) else {
                continue;
            };
            // A chain of a thousand modules would give paths of a thousand names each.
            if path.len() < MAX_PATH && seen.insert(child) {
                open.push((if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }, child));
            }
        }
    }
    found
}

/// Longer than any real path, `model.8.m.2.cv1.conv`.
const MAX_PATH: usize = 200;

/// The classes of YOLOv5, v3 to v7.
fn is_known(module: &str, name: &str) -> bool {
    const COMMON: &[&str] = &[
        "Bottleneck",
        "BottleneckCSP",
        "C3",
        "C3Ghost",
        "C3SPP",
        "C3TR",
        "C3x",
        "Concat",
        "Contract",
        "Conv",
        "CrossConv",
        "DWConv",
        "DWConvTranspose2d",
        "Expand",
        "Focus",
        "GhostBottleneck",
        "GhostConv",
        "Proto",
        "SPP",
        "SPPF",
        "TransformerBlock",
        "TransformerLayer",
    ];
    match module {
        "models.common" => COMMON.contains(&name),
        "models.experimental" => matches!(name, "CrossConv" | "GhostConv" | "GhostBottleneck" | "MixConv2d" | "Sum"),
        "models.yolo" => matches!(name, "Detect" | "Segment"),
        "utils.activations" => matches!(name, "SiLU" | "Hardswish" | "Mish" | "MemoryEfficientMish"),
        _ => module.starts_with("torch.nn.modules."),
    }
}
