//! The forward of each block class, in TorchScript. One function each, in the file of the package that has the class; a new
//! class is one more line in that file's list.

mod pytorch;
mod ultralytics;
mod yolov5;

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
    /// One class for the whole picture.
    Classify,
}

/// A block class that is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    /// The class.
    name: &'static str,
    /// Names of the modules and tensors directly in it, those that may be missing with `?` behind; `None` where they are not
    /// checked.
    parts: Option<&'static str>,
    pub forward: Forward,
    parameters: fn(&ModuleView) -> Vec<String>,
    /// What it is for, if it is a head.
    pub task: Option<Task>,
    /// Whether it is given the picture too, behind its inputs.
    pub sees_picture: bool,
}

impl Block {
    const fn new(name: &'static str, parts: &'static str, forward: Forward) -> Self {
        let parameters = |module: &ModuleView| module.inputs();
        Self { name, parts: Some(parts), forward, parameters, task: None, sees_picture: false }
    }

    /// A block whose parts are not checked.
    const fn unchecked(forward: Forward) -> Self {
        Self { parts: None, ..Self::new("", "", forward) }
    }

    /// With other parameters than its inputs.
    const fn taking(self, parameters: fn(&ModuleView) -> Vec<String>) -> Self {
        Self { parameters, ..self }
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
    pub fn misfit(&self, module: &ModuleView) -> Option<String> {
        let parts = self.parts?;
        let known = || parts.split(' ').map(|part| (part.trim_end_matches('?'), part.ends_with('?')));
        let has = |name: &str| module.part_names().any(|part| part == name);
        if let Some(part) = module.part_names().find(|part| !known().any(|(name, _)| name == *part)) {
            return Some(format!("with {part:?}"));
        }
        let missing = known().find(|&(name, is_optional)| !is_optional && !has(name));
        missing.map(|(name, _)| format!("without {name:?}")).filter(|_| !parts.is_empty())
    }

    /// Whether all parts of its modules are known, so that others in them need no look.
    pub fn is_checked(&self) -> bool {
        self.parts.is_some()
    }
}

/// The name of the picture among the parameters of a head.
const PICTURE: &str = "picture";

/// The class `name` of the Python module `module`; `None` if it is no block that is known.
pub(super) fn find(module: &str, name: &str) -> Option<Block> {
    // The package on PyPI has the same classes one level deeper.
    let module = module.strip_prefix("yolov5.").unwrap_or(module);
    match first(module) {
        "torch" => pytorch::find(name).map(Block::unchecked),
        package @ ("models" | "utils") => yolov5::find(package, name),
        "ultralytics" => ultralytics::find(name),
        _ => None,
    }
}

/// What a network is for whose head of this name is known and not supported.
pub(super) fn other_task(module: &str, name: &str) -> Option<&'static str> {
    if first(module) == "ultralytics" { ultralytics::other_task(name) } else { None }
}
