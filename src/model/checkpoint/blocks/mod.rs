//! The forward of each block class, in TorchScript. One function each, in the file of the package that has the class; a new
//! class is one more line in that file's list.

mod additions;
mod decoupled;
mod pruned;
mod pytorch;
mod slim_neck;
mod ultralytics;
mod yolov12_repository;
mod yolov5;
mod yolov5_face;
mod yolov5_lite;
mod yolov7;

use super::view::{ModuleView, first};

/// Writes the body of a module's forward, which takes what [`Block::parameters`] names; empty for a container that is
/// never called itself. The error names what the module lacks.
pub(super) type Forward = fn(&ModuleView) -> Result<String, String>;

/// What a head is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::model) enum Task {
    /// Boxes.
    Detect,
    /// Boxes with masks.
    Segment,
    /// Boxes with keypoints.
    Pose,
    /// Rotated boxes.
    Obb,
    /// One class for the whole picture.
    Classify,
}

impl Task {
    /// As the Ultralytics package calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Detect => "detect",
            Self::Segment => "segment",
            Self::Pose => "pose",
            Self::Obb => "obb",
            Self::Classify => "classify",
        }
    }
}

/// A block class that is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    /// The class.
    name: &'static str,
    /// Names of what is directly in it: of modules and tensors as they are, of other attributes with a dot before; those that may be
    /// missing with `?` behind. `None` where they are not checked.
    parts: Option<&'static str>,
    pub forward: Forward,
    parameters: fn(&ModuleView) -> Vec<String>,
    /// What it is for, if it is a head.
    pub task: Option<Task>,
    /// Whether it is given the picture too, behind its inputs.
    pub sees_picture: bool,
    /// What a user should know who has one, in a sentence.
    pub doubt: Option<&'static str>,
}

impl Block {
    const fn new(name: &'static str, parts: &'static str, forward: Forward) -> Self {
        let parameters = |module: &ModuleView| module.inputs();
        Self { name, parts: Some(parts), forward, parameters, task: None, sees_picture: false, doubt: None }
    }

    /// A block whose parts are not checked: PyTorch's own, which nobody changes.
    const fn unchecked(name: &'static str, forward: Forward) -> Self {
        Self { parts: None, ..Self::new(name, "", forward) }
    }

    /// With other parameters than its inputs.
    const fn taking(self, parameters: fn(&ModuleView) -> Vec<String>) -> Self {
        Self { parameters, ..self }
    }

    /// With a word of caution.
    const fn doubtful(self, doubt: &'static str) -> Self {
        Self { doubt: Some(doubt), ..self }
    }

    /// As a head.
    const fn head(self, task: Task) -> Self {
        Self { task: Some(task), ..self }
    }

    /// As a head that makes boxes by the size of the picture.
    const fn box_head(self, task: Task) -> Self {
        Self { sees_picture: true, ..self.head(task) }
    }

    /// The parameters of its forward.
    pub fn parameters(&self, module: &ModuleView) -> Vec<String> {
        let mut parameters = (self.parameters)(module);
        if self.sees_picture {
            parameters.push(PICTURE.to_owned());
        }
        parameters
    }

    /// In what a module differs from the block that goes by its name: `with "qk"`. A fork may have changed the block and
    /// kept the name.
    fn misfit(&self, module: &ModuleView) -> Option<String> {
        let parts = self.parts?;
        // Each with whether it is an attribute, and whether it may be missing.
        let known = || {
            parts.split_whitespace().map(|part| {
                let name = part.trim_end_matches('?');
                ((name.trim_start_matches('.'), name.starts_with('.')), part.ends_with('?'))
            })
        };
        let own_parts = module.part_names().filter(|name| !COUNTERS.contains(name)).map(|name| (name, false));
        let found: Vec<(&str, bool)> = own_parts.chain(module.attribute_names().map(|name| (name, true))).collect();
        if let Some((name, _)) = found.iter().find(|&&part| !known().any(|(known, _)| known == part)) {
            return Some(format!("with {name:?}"));
        }
        let missing = known().find(|(part, is_optional)| !is_optional && !found.contains(part));
        missing.map(|((name, _), _)| format!("without {name:?}"))
    }
}

/// What the tool thop leaves in the blocks that it counted the operations of.
const COUNTERS: [&str; 2] = ["total_ops", "total_params"];

/// The blocks of a package or a fork.
pub(super) struct Collection {
    /// Whose blocks they are, as people call it.
    name: &'static str,
    /// Where their own code is, or what describes them.
    source: &'static str,
    /// The Python modules that have them, or what is in front of a dot of their names.
    modules: &'static [&'static str],
    blocks: &'static [Block],
}

impl Collection {
    fn has_module(&self, module: &str) -> bool {
        self.modules.iter().any(|known| {
            let rest = module.strip_prefix(known);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }
}

/// How many points YOLOv5's head `head` finds for each box; `None` if none.
pub(super) fn points(head: &ModuleView) -> Option<usize> {
    usize::try_from(yolov5::points(head)).ok().filter(|&points| points > 0)
}

/// The name of the picture among the parameters of a head.
const PICTURE: &str = "picture";

/// All collections, in the order in which they are asked.
fn collections() -> impl Iterator<Item = &'static Collection> {
    let forks = [
        &yolov12_repository::BLOCKS,
        &yolov7::BLOCKS,
        &yolov5_lite::BLOCKS,
        &yolov5_face::BLOCKS,
        &slim_neck::BLOCKS,
        &decoupled::BLOCKS,
        &pruned::BLOCKS,
    ];
    [&pytorch::BLOCKS, &yolov5::BLOCKS]
        .into_iter()
        .chain(ultralytics::GENERATIONS)
        .chain(forks)
        .chain(additions::COLLECTIONS.iter().copied())
}

/// The blocks of the class `name` of the Python module `module`: several, if packages have different ones by one name.
fn called<'n>(module: &'n str, name: &'n str) -> impl Iterator<Item = &'static Block> + 'n {
    // The package on PyPI has the same classes one level deeper.
    let module = module.strip_prefix("yolov5.").unwrap_or(module);
    let collections = collections().filter(move |collection| collection.has_module(module));
    collections.flat_map(|collection| collection.blocks).filter(move |block| block.name == name)
}

/// The block that a module is. The error says what is unknown about it, to be told behind its class: nothing, where the class is not
/// known at all.
pub(super) fn find(module: &ModuleView) -> Result<Block, String> {
    let (package, name) = module.class_parts();
    let mut misfit = None;
    for block in called(package, name) {
        match block.misfit(module) {
            None => return Ok(*block),
            Some(found) => misfit = misfit.or(Some(found)),
        }
    }
    Err(misfit.unwrap_or_default())
}

/// Whether heads go by this name, of what parts ever.
pub(super) fn is_head_name(module: &str, name: &str) -> bool {
    called(module, name).any(|block| block.task.is_some())
}

/// A block of checkpoints, for the manual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownBlock {
    /// The Python class.
    pub class: &'static str,
    /// Whose block it is: a package, its generation of networks, or a fork.
    pub origin: &'static str,
    /// Where its own code is, or what describes it: an address.
    pub source: &'static str,
}

/// All blocks that checkpoints may be made of, in the order in which they are asked.
pub fn known_blocks() -> Vec<KnownBlock> {
    let blocks = collections().flat_map(|collection| collection.blocks.iter().map(move |block| (collection, block)));
    let known = blocks.map(|(collection, block)| KnownBlock {
        class: block.name,
        origin: collection.name,
        source: collection.source,
    });
    known.collect()
}

/// What a network is for whose head of this name is known and not supported.
pub(super) fn other_task(module: &str, name: &str) -> Option<&'static str> {
    match first(module) {
        "ultralytics" => ultralytics::other_task(name),
        "models" => yolov7::other_task(name),
        _ => None,
    }
}
