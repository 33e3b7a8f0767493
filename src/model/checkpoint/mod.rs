//! PyTorch checkpoints: a network pickled as Python objects, read as data and built anew. No code in it ever runs.

mod blocks;
#[cfg(test)]
mod figures;
mod network;
pub(super) mod pickle;
mod tensors;
mod view;

use std::{
    collections::{BTreeSet, HashSet},
    fs::File,
    io::{Read, Seek},
    path::Path,
};

use tch::Device;

pub use self::blocks::{KnownBlock, known_blocks};
use self::{
    blocks::Block,
    pickle::{Id, Pickle, Value},
    view::ModuleView,
};
pub(super) use self::{blocks::Task, view::Package};
use super::{
    archive,
    ffi::ScriptModule,
    names::{Names, python_bool, python_float},
};
use crate::limits::Limits;

/// A checkpoint, ready to run.
pub(super) struct Checkpoint {
    pub module: ScriptModule,
    /// Class names.
    pub names: Option<Names>,
    /// Number of classes.
    pub classes: Option<usize>,
    /// What is odd about the file, each in one line.
    pub warnings: Vec<String>,
    /// What the file says of its network.
    pub origin: Origin,
}

/// What a checkpoint says of its network.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Origin {
    /// Who wrote its classes.
    pub package: Package,
    /// The version of the package that wrote the file, `8.3.0`. YOLOv5 names none.
    pub version: Option<String>,
    /// The class of the network, `ultralytics.nn.tasks.DetectionModel`.
    pub network: String,
    pub task: Task,
    /// Path of the head, `model.22`.
    pub head: String,
    /// The class of the head without its Python module, `Detect`.
    pub head_class: String,
    /// The strides that the head states, level by level; none of a classifier.
    pub strides: Vec<f64>,
    /// The side of the input in training.
    pub img_size: Option<u32>,
    /// How many keypoints an object has, and how many values each of them.
    pub keypoints: Option<(usize, usize)>,
    /// Names of the keypoints.
    pub keypoint_names: Vec<String>,
}

/// What stands in a checkpoint's place of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    /// A network made of blocks that are known.
    Network {
        network: Id,
        head: Head,
        /// How many networks the file holds, this one included.
        networks: usize,
        /// What is to be said of blocks that may be others than they seem to be, each once.
        doubts: Vec<&'static str>,
    },
    /// A network with blocks that its package has not.
    UnknownBlocks {
        package: Package,
        /// Each class with its first path, in order.
        blocks: Vec<String>,
        /// The key of the network in the file; `None` where it is all of the file.
        place: Option<&'static str>,
        /// Whether the code that it was trained with has an exporter that gives TorchScript.
        has_exporter: bool,
    },
    /// A network of a known package for something that is not explained: the class of its head, and what it does.
    OtherTask { head: String, does: &'static str },
    /// A network of the Ultralytics package that wants something looked up while it is read.
    Lookup(String),
    /// A network of another kind, by its class.
    NoDetector(String),
    /// A network of more modules than can be run.
    TooLarge,
    /// Several networks, or none, whose boxes are joined.
    Ensemble(usize),
    /// Weights by name, without a network.
    StateDict,
    /// Something else.
    Other,
}

/// The head of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Head {
    id: Id,
    path: String,
    class: String,
    package: Package,
    task: Task,
    /// How many classes it says it has.
    classes: Option<usize>,
}

/// Loads the checkpoint at `path` onto `device`. The error says what it is instead of a detector that can be run, and
/// the way out.
pub(super) fn load(path: &Path, device: Device) -> Result<Checkpoint, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut archive = archive::open(file)?;
    // The root folder has any name.
    let entry = archive.file_names().flatten().find(|name| name.ends_with("/data.pkl")).map(|name| name.into_owned());
    let entry = entry.ok_or("has no data.pkl")?;
    let data = read_pickle(&mut archive, &entry)?;
    let pickle = Pickle::read(&data)?;
    let (network, head, networks, doubts) = match content(&pickle) {
        Content::Network { network, head, networks, doubts } => (network, head, networks, doubts),
        other => return Err(refusal(other)),
    };
    let prefix = entry.trim_end_matches("data.pkl");
    let built = network::build(&mut archive, prefix, &pickle, (network, head.id), device).map_err(|problem| {
        format!("is {} that cannot be run: {problem}; {}", described(head.package), way_out(head.package))
    })?;
    let several = (networks > 1).then(|| {
        format!("it holds {networks} networks under names that YOLOv5 does not use; the first detector is taken")
    });
    let warnings = several.into_iter().chain(doubts.into_iter().map(str::to_owned)).collect();
    let origin = Origin {
        package: head.package,
        version: version(&pickle),
        network: class_name(&pickle, network),
        task: head.task,
        head: head.path,
        head_class: head.class,
        strides: if head.task == Task::Classify { Vec::new() } else { built.strides },
        img_size: img_size(&pickle, network),
        keypoints: keypoints(&pickle, head.id).or_else(|| points(&pickle, head.id, head.package)),
        keypoint_names: keypoint_names(&pickle, network),
    };
    Ok(Checkpoint { module: built.module, names: names(&pickle, network), classes: head.classes, warnings, origin })
}

fn described(package: Package) -> &'static str {
    match package {
        Package::YoloV5 => "a YOLOv5 checkpoint",
        Package::Ultralytics => "a checkpoint of the Ultralytics package",
    }
}

/// What the package is called, and the command that exports with it.
fn exporter(package: Package) -> (&'static str, &'static str) {
    match package {
        Package::YoloV5 => ("YOLOv5", "python export.py --weights FILE --include torchscript"),
        Package::Ultralytics => ("the Ultralytics package", "yolo export model=FILE format=torchscript"),
    }
}

/// The way out for a file that cannot be run.
pub(super) fn way_out(package: Package) -> String {
    let (owner, command) = exporter(package);
    format!("export it with {owner}'s '{command}'")
}

/// The command that makes TorchScript of a network with PyTorch alone, which runs where the modules of its classes are found. The
/// head makes its grid in a first pass, and is traced in the second.
fn by_hand(place: Option<&str>) -> String {
    let key = place.map_or(String::new(), |key| format!("['{key}']"));
    format!(
        "python -c \"import json, torch as t; m = t.load('FILE', 'cpu', weights_only=False){key}.float().eval(); \
         x = t.zeros(1, 3, 640, 640); m(x); t.jit.trace(m, x, strict=False).save('FILE.torchscript', \
         _extra_files={{'config.txt': json.dumps({{'names': m.names}})}})\""
    )
}

/// Whether the code that wrote a network of this class has YOLOv5's exporter since v6.2, which gives TorchScript. That of forks of
/// earlier releases, whose networks are a `models.yolo.Model`, often gives ONNX alone.
fn has_exporter(network: &str) -> bool {
    matches!(network.strip_prefix("models.yolo."), Some("DetectionModel" | "SegmentationModel" | "ClassificationModel"))
}

/// The key under which the network at `place` is in the file; `None` where it is all of the file.
fn key_of(pickle: &Pickle, place: Id) -> Option<&'static str> {
    if place == pickle.root() {
        return None;
    }
    Some(if pickle.entry(pickle.root(), "ema") == Some(place) { "ema" } else { "model" })
}

/// The way out for a file that does not say which package it is of.
pub(super) fn ways_out() -> String {
    let [yolov5, ultralytics] = [Package::YoloV5, Package::Ultralytics].map(exporter);
    let named = |(owner, command): (&str, &str)| format!("{owner}'s '{command}'");
    format!("export it with {}, or {}", named(yolov5), named(ultralytics))
}

/// The version of the package that wrote the file.
fn version(pickle: &Pickle) -> Option<String> {
    /// More letters than any version has.
    const MOST: usize = 40;
    let version = pickle.str(pickle.entry(pickle.root(), "version")?)?;
    let is_sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'-');
    (version.len() <= MOST && version.bytes().all(is_sound)).then(|| version.to_owned())
}

/// The keypoints of a head of YOLOv5's forks, which have a place each, and nothing else.
fn points(pickle: &Pickle, head: Id, package: Package) -> Option<(usize, usize)> {
    let points = (package == Package::YoloV5).then(|| blocks::points(&ModuleView::new(pickle, head)));
    points.flatten().map(|points| (points, 2))
}

/// The side of the input in training: of the file's arguments, or the network's.
fn img_size(pickle: &Pickle, network: Id) -> Option<u32> {
    /// More than any network is trained with.
    const MOST: u32 = 1 << 14;
    let arguments = [pickle.entry(pickle.root(), "train_args"), pickle.attribute(network, "args")];
    arguments.into_iter().flatten().find_map(|arguments| match pickle.get(pickle.entry(arguments, "imgsz")?) {
        &Value::Int(side) => u32::try_from(side).ok().filter(|side| (1..=MOST).contains(side)),
        _ => None,
    })
}

/// `kpt_shape` of a head: how many keypoints, and how many values of each.
fn keypoints(pickle: &Pickle, head: Id) -> Option<(usize, usize)> {
    let number = |&id: &Id| match pickle.get(id) {
        &Value::Int(number) => usize::try_from(number).ok(),
        _ => None,
    };
    match pickle.get(pickle.attribute(head, "kpt_shape")?) {
        Value::List(shape) | Value::Tuple(shape) => match shape.as_slice() {
            [count, values] => Some((number(count)?, number(values)?)),
            _ => None,
        },
        _ => None,
    }
}

/// `kpt_names` of a network: a list for each class. All have as many keypoints; the first list counts.
fn keypoint_names(pickle: &Pickle, network: Id) -> Vec<String> {
    let lists = pickle.attribute(network, "kpt_names").map_or(&[][..], |lists| pickle.entries(lists));
    match lists.first().map(|&(_, list)| pickle.get(list)) {
        Some(Value::List(names) | Value::Tuple(names)) => {
            names.iter().filter_map(|&name| pickle.str(name)).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

fn class_name(pickle: &Pickle, id: Id) -> String {
    let (module, name) = pickle.class(id).unwrap_or(("?", "?"));
    format!("{module}.{name}")
}

fn read_pickle<R: Read + Seek>(archive: &mut zip::ZipArchive<R>, entry: &str) -> Result<Vec<u8>, String> {
    let unreadable = |error: &dyn std::fmt::Display| format!("has an unreadable pickle: {error}");
    let file = archive.by_name(entry).map_err(|error| unreadable(&error))?;
    let mut data = Vec::new();
    file.take(Limits::PICKLE_BYTES + 1).read_to_end(&mut data).map_err(|error| unreadable(&error))?;
    if data.len() as u64 > Limits::PICKLE_BYTES {
        return Err(format!("has a pickle of more than {} MiB", Limits::PICKLE_BYTES >> 20));
    }
    Ok(data)
}

/// Why there is nothing to run.
fn refusal(content: Content) -> String {
    /// How many unknown blocks are named.
    const MOST: usize = 6;
    match content {
        Content::Network { .. } => "can be run".into(),
        Content::UnknownBlocks { package, blocks, place, has_exporter } => {
            let more = if blocks.len() > MOST { ", ..." } else { "" };
            let named = blocks.iter().take(MOST).cloned().collect::<Vec<_>>().join(", ");
            let (owner, export) = exporter(package);
            // Where there is no exporter, or one that gives no TorchScript, PyTorch itself gives it.
            let export = if has_exporter { export.to_owned() } else { by_hand(place) };
            // A long line is cut at its end, which takes the names, not the command.
            format!(
                "has blocks that {owner} does not have; to convert it to TorchScript, run this in the folder of its code: \
                 {export} (unknown: {named}{more})"
            )
        }
        Content::OtherTask { head, does } => format!(
            "is a checkpoint of a network that {does} (its head is {head}), which is not supported; use a model for boxes, masks, \
             keypoints, rotated boxes or classes with a head of YOLOv5 or the Ultralytics package"
        ),
        Content::Lookup(what) => format!(
            "is a checkpoint that wants {what} looked up while it is read, which networks of the Ultralytics package do \
             not; {}",
            way_out(Package::Ultralytics)
        ),
        Content::NoDetector(class) => {
            format!("is a checkpoint of {class}, which has no detection head, so there are no boxes to explain")
        }
        Content::TooLarge => {
            format!("is a checkpoint of more than {} modules; detectors have some hundred", Limits::CALLS)
        }
        Content::Ensemble(members) => {
            format!("is an ensemble of {members} networks; save each by itself, as {{'model': ensemble[0]}}")
        }
        Content::StateDict => {
            let ways_out = ways_out();
            format!(
                "holds weights only (a state dict), without a network; take the whole model that they were saved from, or {ways_out}"
            )
        }
        Content::Other => "is a PyTorch file that holds no network".into(),
    }
}

/// The attribute `names` of a network: a list, or a map from index to name.
fn names(pickle: &Pickle, network: Id) -> Option<Names> {
    let mut names = Names::default();
    match pickle.get(pickle.attribute(network, "names")?) {
        Value::List(items) | Value::Tuple(items) => {
            items.iter().enumerate().for_each(|(class, &item)| names.add(Some(class), name(pickle.get(item))));
        }
        Value::Dict(entries) => {
            entries.iter().for_each(|&(key, item)| names.add(class(pickle.get(key)), name(pickle.get(item))));
        }
        _ => return None,
    }
    Some(names)
}

/// The class that a key of `names` stands for. Of a map that went through JSON it is text.
fn class(key: &Value) -> Option<usize> {
    match key {
        Value::Int(number) => usize::try_from(*number).ok(),
        Value::Str(text) => text.parse().ok(),
        _ => None,
    }
}

/// A name as YOLOv5 prints it: names of data.yaml may be numbers.
fn name(value: &Value) -> Option<String> {
    match value {
        Value::Str(text) => Some((*text).to_owned()),
        Value::Int(number) => Some(number.to_string()),
        Value::Bool(value) => Some(python_bool(*value)),
        Value::Float(value) => Some(python_float(*value)),
        Value::None => Some("None".to_owned()),
        _ => None,
    }
}

fn content(pickle: &Pickle) -> Content {
    let root = pickle.root();
    let places = network_places(pickle);
    let Some(&place) = places.first() else {
        return if holds_tensors(pickle, root) { Content::StateDict } else { Content::Other };
    };
    let network = match unwrapped(pickle, place) {
        Ok(network) => network,
        Err(members) => return Content::Ensemble(members),
    };
    let mut modules = modules(pickle, network);
    if modules.len() > Limits::CALLS {
        return Content::TooLarge;
    }
    let package = pickle.class(network).and_then(|(module, _)| Package::of(module));
    if package == Some(Package::Ultralytics) {
        if let Some(lookup) = foreign_lookup(pickle) {
            return Content::Lookup(lookup);
        }
        // Losses may lie beside the layers, and are no part of what is run.
        modules.retain(|module| module.path == "model" || module.path.starts_with("model."));
    }
    let heads: Vec<_> = modules.iter().filter(|module| module.is_head()).collect();
    if let Some((head, does)) = heads.iter().find_map(|head| Some((head, head.other_task()?))) {
        return Content::OtherTask { head: format!("{}.{}", head.package, head.name), does };
    }
    let blocks: Vec<(&Module, Result<Block, String>)> =
        modules.iter().map(|module| (module, module.block(pickle))).collect();
    let unknown = unknown_blocks(&blocks);
    if heads.is_empty() && (unknown.is_empty() || package != Some(Package::Ultralytics)) {
        return Content::NoDetector(class_name(pickle, place));
    }
    let package = heads.first().and_then(|head| Package::of(head.package)).or(package).unwrap_or(Package::YoloV5);
    match heads.first().and_then(|head| Some((head, head.block(pickle).ok()?.task?))) {
        Some((head, task)) if unknown.is_empty() => {
            let classes = if heads.len() == 1 { head_classes(pickle, head, task) } else { None };
            // Heads of YOLOv5's forks have the same name with points as without.
            let task = if points(pickle, head.id, package).is_some() { Task::Pose } else { task };
            let (path, class) = (head.path.clone(), head.name.to_owned());
            let head = Head { id: head.id, path, class, package, task, classes };
            let doubts = blocks.iter().filter_map(|(_, block)| block.as_ref().ok()?.doubt);
            let doubts = doubts.collect::<BTreeSet<_>>().into_iter().collect();
            Content::Network { network, head, networks: places.len(), doubts }
        }
        _ => Content::UnknownBlocks {
            package,
            blocks: unknown,
            place: key_of(pickle, place),
            has_exporter: package == Package::Ultralytics || has_exporter(&class_name(pickle, network)),
        },
    }
}

/// The blocks that are not known, each class at its first place, with what is unknown about it.
fn unknown_blocks(blocks: &[(&Module, Result<Block, String>)]) -> Vec<String> {
    let mut seen = HashSet::new();
    let unknown = blocks.iter().filter_map(|(module, block)| Some((*module, block.as_ref().err()?)));
    let unknown = unknown.filter(|(module, misfit)| seen.insert((module.package, module.name, *misfit)));
    let told = |(module, misfit): (&Module, &String)| {
        format!("{}: {}.{} {misfit}", module.path, module.package, module.name).trim_end().to_owned()
    };
    unknown.map(told).collect()
}

/// The number of classes that a head says it has. The network's own number may be that of the one it began as.
fn head_classes(pickle: &Pickle, head: &Module, task: Task) -> Option<usize> {
    let classes = match task {
        Task::Detect | Task::Segment | Task::Pose | Task::Obb => pickle.attribute(head.id, "nc")?,
        Task::Classify => {
            let linear = ModuleView::new(pickle, head.id).child("linear")?;
            return linear.shape("weight")?.first().and_then(|&classes| usize::try_from(classes).ok());
        }
    };
    match pickle.get(classes) {
        &Value::Int(classes) => usize::try_from(classes).ok(),
        _ => None,
    }
}

/// What a pickle wants looked up with `getattr`, beyond the two forms that networks of the Ultralytics package have: the
/// method of a class that a head keeps beside it, and the method of a fused block that it calls in place of another. Nothing
/// is looked up for either.
fn foreign_lookup(pickle: &Pickle) -> Option<String> {
    let lookups = (0..pickle.len()).filter(|&id| view::is_lookup(pickle, id));
    let foreign = lookups.filter(|&id| !view::is_fused_forward(pickle, id) && !is_class_forward(pickle, id));
    foreign.map(|id| pickle.arguments(id).unwrap_or_default()).map(|arguments| lookup_name(pickle, arguments)).next()
}

/// `getattr(ultralytics…Detect, 'forward')`.
fn is_class_forward(pickle: &Pickle, id: Id) -> bool {
    match pickle.arguments(id) {
        Some(&[class, method]) => {
            let is_head = matches!(pickle.get(class), Value::Global { module, name: "Detect" }
                if Package::of(module) == Some(Package::Ultralytics));
            is_head && pickle.str(method) == Some("forward")
        }
        _ => false,
    }
}

/// The attribute that is looked up, for a message.
fn lookup_name(pickle: &Pickle, arguments: &[Id]) -> String {
    match arguments.get(1).and_then(|&name| pickle.str(name)) {
        Some(name) if view::is_name(name) => format!("{name:?}"),
        _ => "something".to_owned(),
    }
}

/// The networks in a file, the one to take first. Ultralytics keeps the averaged weights in `ema` while training, and moves
/// them to `model` at the end: only that one then. Others use names of their own, and all of theirs are listed.
fn network_places(pickle: &Pickle) -> Vec<Id> {
    /// More values of a file are not looked at: a network is among the first.
    const MOST: usize = 1000;
    let is_network = |id: &Id| pickle.attribute(*id, "_modules").is_some() || compiled(pickle, *id).is_some();
    let root = pickle.root();
    let mut known = ["ema", "model"].into_iter().filter_map(|key| pickle.entry(root, key)).chain([root]);
    if let Some(network) = known.find(is_network) {
        return vec![network];
    }
    let inside = |id: Id| match pickle.get(id) {
        Value::List(items) | Value::Tuple(items) => items.iter().take(MOST).copied().collect::<Vec<_>>(),
        Value::Dict(entries) => entries.iter().take(MOST).map(|&(_, value)| value).collect(),
        _ => Vec::new(),
    };
    let first = inside(root);
    let second = first.iter().flat_map(|&id| inside(id)).take(MOST);
    let mut seen = HashSet::new();
    let all = first.iter().copied().chain(second).filter(is_network);
    let mut places: Vec<Id> = all.filter(|id| seen.insert(*id)).collect();
    // One that detects before one that does not.
    places.sort_by_cached_key(|&id| {
        !unwrapped(pickle, id).is_ok_and(|network| modules(pickle, network).iter().any(Module::is_head))
    });
    places
}

/// The network inside what Ultralytics, PyTorch and others wrap around one: modules with one module inside. The error is
/// the number of members of an ensemble.
fn unwrapped(pickle: &Pickle, mut network: Id) -> Result<Id, usize> {
    /// More than there are wrappers; a network may be pickled as its own part.
    const MOST: usize = 4;
    for _ in 0..MOST {
        if let Some(inner) = compiled(pickle, network) {
            network = inner;
            continue;
        }
        let parts = pickle.attribute(network, "_modules").map_or(&[][..], |parts| pickle.entries(parts));
        let is_ensemble = matches!(pickle.class(network), Some((_, "Ensemble")));
        network = match *parts {
            // The blocks of a network lie in a Sequential.
            [(_, inner)] if !matches!(pickle.class(inner), None | Some((_, "Sequential" | "ModuleList"))) => inner,
            _ if is_ensemble => return Err(parts.len()),
            _ => break,
        };
    }
    Ok(network)
}

/// The network that torch.compile wrapped: PyTorch pickles it as an argument.
fn compiled(pickle: &Pickle, id: Id) -> Option<Id> {
    match (pickle.class(id)?, pickle.arguments(id)?) {
        ((_, "OptimizedModule"), &[network, ..]) => Some(network),
        _ => None,
    }
}

/// Whether a dict's values are tensors, at the top or below one of its keys.
fn holds_tensors(pickle: &Pickle, id: Id) -> bool {
    let is_tensor = |id: Id| matches!(pickle.class(id), Some(("torch._utils", _)));
    let values = |id: Id| pickle.entries(id).iter().map(|&(_, value)| value);
    values(id).any(|value| is_tensor(value) || values(value).any(is_tensor))
}

/// A module of a network.
struct Module<'a> {
    path: String,
    id: Id,
    /// The Python module of its class.
    package: &'a str,
    /// The name of its class.
    name: &'a str,
    /// Whether it has anchors, as only heads have.
    has_anchors: bool,
}

impl Module<'_> {
    fn is_head(&self) -> bool {
        matches!(self.name, "Detect" | "Segment")
            || self.has_anchors
            || blocks::is_head_name(self.package, self.name)
            || self.other_task().is_some()
    }

    /// The block that it is. The error says what is unknown about it, to be told behind its class.
    fn block(&self, pickle: &Pickle) -> Result<Block, String> {
        blocks::find(&ModuleView::new(pickle, self.id))
    }

    fn other_task(&self) -> Option<&'static str> {
        blocks::other_task(self.package, self.name)
    }
}

/// All modules below `network`, each once.
fn modules<'a>(pickle: &Pickle<'a>, network: Id) -> Vec<Module<'a>> {
    let mut found = Vec::new();
    let mut seen = HashSet::from([network]);
    // Children that are yet to come, the next one last.
    let mut open = vec![(String::new(), network)];
    while let Some((path, id)) = open.pop() {
        // One more than can be run.
        if found.len() > Limits::CALLS {
            break;
        }
        if let Some((package, name)) = pickle.class(id).filter(|_| !path.is_empty()) {
            let has_anchors = ModuleView::new(pickle, id).has_tensor("anchors");
            found.push(Module { path: path.clone(), id, package, name, has_anchors });
        }
        let Some(children) = pickle.attribute(id, "_modules") else { continue };
        for &(name, child) in pickle.entries(children).iter().rev() {
            let (Some(name), true) = (pickle.str(name), matches!(pickle.get(child), Value::Object(_))) else {
                continue;
            };
            // A chain of a thousand modules would give paths of a thousand names each.
            if path.len() + name.len() < Limits::PATH_LETTERS && seen.insert(child) {
                open.push((if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }, child));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Builds what a pickle describes, with the tensors of the file it came from.
    fn build(archive: &mut zip::ZipArchive<File>, entry: &str, data: &[u8]) -> Result<(), String> {
        let pickle = Pickle::read(data)?;
        let (network, head) = match content(&pickle) {
            Content::Network { network, head, .. } => (network, head.id),
            other => return Err(refusal(other)),
        };
        names(&pickle, network);
        network::build(archive, entry.trim_end_matches("data.pkl"), &pickle, (network, head), Device::Cpu).map(drop)
    }

    /// A checkpoint of tests/data: the archive, its pickle's name, and the pickle.
    fn checkpoint(name: &str) -> (zip::ZipArchive<File>, String, Vec<u8>) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
        let file = File::open(path).unwrap();
        let mut archive = zip::ZipArchive::new(file).unwrap();
        let entry = archive.file_names().flatten().find(|name| name.ends_with("/data.pkl")).unwrap().into_owned();
        let data = read_pickle(&mut archive, &entry).unwrap();
        (archive, entry, data)
    }

    /// How many of so many damaged forms of a checkpoint are refused.
    fn refused(name: &str, rounds: usize) -> usize {
        let (mut archive, entry, data) = checkpoint(name);
        assert_eq!(build(&mut archive, &entry, &data), Ok(()));
        let mut refused = 0;
        for round in 0..rounds {
            // A fixed walk over the whole pickle: one byte changed, or all from there on gone.
            let at = round * 7919 % data.len();
            let mut damaged = data.clone();
            if round % 10 == 0 {
                damaged.truncate(at);
            } else {
                damaged[at] = damaged[at].wrapping_add((1 + round % 251) as u8);
            }
            refused += usize::from(build(&mut archive, &entry, &damaged).is_err());
        }
        refused
    }

    #[test]
    fn a_damaged_pickle_is_an_error_and_nothing_worse() {
        let (yolov5, ultralytics) = (refused("blocks.pt", 300), refused("families/legacy/26-fused.pt", 60));
        assert!(yolov5 > 50, "only {yolov5} of 300 were refused");
        assert!(ultralytics > 10, "only {ultralytics} of 60 were refused");
    }

    #[test]
    fn names_of_modules_cannot_smuggle_code_in() {
        let (mut archive, entry, data) = checkpoint("blocks.pt");
        let mut renamed = |from: &[u8], to: &[u8]| {
            let at = data.windows(from.len()).position(|window| window == from).unwrap();
            let mut damaged = data.clone();
            damaged[at..at + from.len()].copy_from_slice(to);
            build(&mut archive, &entry, &damaged).unwrap_err()
        };
        // In a list any name may stand, in a block those of its parts alone.
        let of_list = renamed(b"X\x01\0\0\x000", b"X\x01\0\0\0\"");
        assert!(of_list.contains("has a module with the name"), "{of_list}");
        let of_block = renamed(b"X\x04\0\0\0conv", b"X\x04\0\0\0\");x");
        assert!(of_block.contains(r#"with "\");x""#), "{of_block}");
    }

    #[test]
    fn a_network_is_found_inside_what_is_wrapped_around_it() {
        // torch.hub's AutoShape(DetectMultiBackend(Model)); only the innermost is made of blocks.
        let data = b"cmodels.common\nAutoShape\n)\x81}(X\x08\0\0\0_modules}X\x05\0\0\0model\
            cmodels.common\nDetectMultiBackend\n)\x81}(X\x08\0\0\0_modules}X\x05\0\0\0model\
            cmodels.yolo\nDetectionModel\n)\x81}(X\x08\0\0\0_modules}ub\
            subsub.";
        let pickle = Pickle::read(data).unwrap();
        assert_eq!(content(&pickle), Content::NoDetector("models.common.AutoShape".into()));
        let network = unwrapped(&pickle, pickle.root()).unwrap();
        assert_eq!(pickle.class(network), Some(("models.yolo", "DetectionModel")));
    }

    #[test]
    fn a_network_inside_itself_is_no_network() {
        // An object whose `_modules` hold the object itself.
        let data = b"cmodels.yolo\nModel\n)\x81q\0}(X\x08\0\0\0_modules}X\x05\0\0\0modelh\0sub.";
        let pickle = Pickle::read(data).unwrap();
        assert_eq!(content(&pickle), Content::NoDetector("models.yolo.Model".into()));
    }

    /// A network of the Ultralytics package with the attribute `key` of a Conv made by `value`, opcodes that may recall the
    /// Conv as number 1.
    fn with_attribute(key: &str, value: &[u8]) -> Vec<u8> {
        let mut data = b"cultralytics.nn.tasks\nDetectionModel\n)\x81}(X\x08\0\0\0_modules}X\x05\0\0\0model\
            ctorch.nn\nSequential\n)\x81}X\x08\0\0\0_modules}X\x01\0\0\x000\
            cultralytics.nn.modules.conv\nConv\n)\x81q\x01}(X\x08\0\0\0_modules}(X\x04\0\0\0conv\
            ctorch.nn\nConv2d\n)\x81}X\x08\0\0\0_modules}sbX\x03\0\0\0actctorch.nn\nSiLU\n)\x81}X\x08\0\0\0_modules}sbuX"
            .to_vec();
        data.extend((key.len() as u32).to_le_bytes());
        data.extend(key.as_bytes());
        data.extend(value);
        // The Conv's state, the blocks, the list's state, the network's modules and its state.
        data.extend(b"ubssbsub.");
        data
    }

    #[test]
    fn a_block_with_an_attribute_of_its_own_is_no_known_block() {
        let found = |key: &str| content(&Pickle::read(&with_attribute(key, b"K\x01")).unwrap());
        let Content::UnknownBlocks { blocks, .. } = found("scale") else { panic!("is known") };
        assert_eq!(blocks, ["model.0: ultralytics.nn.modules.conv.Conv with \"scale\""]);
        // What each layer of a network has, and what PyTorch keeps to itself.
        for key in ["np", "training", "_version"] {
            assert_eq!(found(key), Content::NoDetector("ultralytics.nn.tasks.DetectionModel".into()), "{key}");
        }
    }

    /// With an exporter that gives TorchScript, that; else a line of Python with the key under which the network is.
    #[test]
    fn the_way_out_for_unknown_blocks_is_what_their_code_offers() {
        let unknown = |place: Option<&'static str>, has_exporter: bool| {
            let blocks = vec!["model.0: models.common.Odd".to_owned()];
            refusal(Content::UnknownBlocks { package: Package::YoloV5, blocks, place, has_exporter })
        };
        assert!(
            unknown(Some("model"), true)
                .contains("python export.py --weights FILE --include torchscript (unknown: model.0")
        );
        assert!(
            unknown(Some("ema"), false).contains("t.load('FILE', 'cpu', weights_only=False)['ema'].float().eval()")
        );
        assert!(unknown(None, false).contains("weights_only=False).float().eval()"));
        assert!(unknown(None, false).contains("t.jit.trace(m, x, strict=False).save('FILE.torchscript'"));
    }

    #[test]
    fn lookups_are_accepted_in_two_forms_alone() {
        let no_head = Content::NoDetector("ultralytics.nn.tasks.DetectionModel".into());
        let found = |key: &str, value: &[u8]| content(&Pickle::read(&with_attribute(key, value)).unwrap());
        assert_eq!(found("f", b"K\x01"), no_head);
        let fused = b"c__builtin__\ngetattr\nh\x01X\x0c\0\0\0forward_fuse\x86R";
        assert_eq!(found("forward", fused), no_head);
        // It is no part of a Conv, though nothing is looked up.
        let of_class = b"cbuiltins\ngetattr\ncultralytics.nn.modules.head\nDetect\nX\x07\0\0\0forward\x86R";
        let Content::UnknownBlocks { blocks, .. } = found("detect", of_class) else { panic!("is known") };
        assert_eq!(blocks, ["model.0: ultralytics.nn.modules.conv.Conv with \"detect\""]);

        // Of another module than the one that calls it, of another class, of another name, and without any.
        assert_eq!(found("detect", fused), Content::Lookup("\"forward_fuse\"".into()));
        for (value, name) in [
            (&b"c__builtin__\ngetattr\nctorch\nDetect\nX\x07\0\0\0forward\x86R"[..], "\"forward\""),
            (b"c__builtin__\ngetattr\ncos\nsystem\nX\x08\0\0\0__call__\x86R", "\"__call__\""),
            (b"c__builtin__\ngetattr\nh\x01X\x03\0\0\0\x1b[2\x86R", "something"),
            (b"c__builtin__\ngetattr\n)R", "something"),
        ] {
            assert_eq!(found("forward", value), Content::Lookup(name.into()));
        }
        let Content::UnknownBlocks { blocks, .. } = found("forward", b"cos\nsystem\n") else { panic!("is known") };
        assert_eq!(blocks, ["model.0: ultralytics.nn.modules.conv.Conv with \"forward\""]);
    }
}
