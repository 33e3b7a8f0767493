//! From the pickled module tree to a module that libtorch runs.

use std::{
    collections::HashMap,
    io::{Read, Seek},
};

use tch::{Device, Kind, Tensor};

use super::{
    blocks,
    pickle::{Id, Pickle, Value},
};
use crate::model::ffi::{Builder, ScriptModule};

/// How deep modules lie in each other; real ones less than ten.
const MAX_DEPTH: usize = 32;

/// The most bytes of weights: a hostile file could name the same ones again and again.
const MAX_WEIGHTS: u64 = 2 << 30;

/// A pickled `nn.Module`, and what its forward is written from.
pub(super) struct ModuleView<'p, 'a> {
    pickle: &'p Pickle<'a>,
    id: Id,
}

impl<'p, 'a> ModuleView<'p, 'a> {
    /// The class without its Python module, `Conv`.
    pub fn class_name(&self) -> &'a str {
        self.pickle.class(self.id).map_or("?", |(_, name)| name)
    }

    /// The class with its Python module, `models.common.Conv`.
    pub fn class(&self) -> String {
        self.pickle.class(self.id).map_or_else(|| "?".to_owned(), |(module, name)| format!("{module}.{name}"))
    }

    fn modules(&self) -> impl Iterator<Item = (&'a str, Id)> {
        let modules = self.pickle.attribute(self.id, "_modules");
        let entries = modules.map_or(&[][..], |modules| self.pickle.entries(modules));
        let is_module = |id: Id| self.pickle.attribute(id, "_modules").is_some();
        entries
            .iter()
            .filter(move |(_, id)| is_module(*id))
            .filter_map(|&(name, id)| Some((self.pickle.str(name)?, id)))
    }

    /// Names of the modules inside.
    pub fn children(&self) -> impl Iterator<Item = &'a str> {
        self.modules().map(|(name, _)| name)
    }

    pub fn has_child(&self, name: &str) -> bool {
        self.children().any(|child| child == name)
    }

    fn child(&self, name: &str) -> Option<Self> {
        self.modules().find(|(child, _)| *child == name).map(|(_, id)| Self { pickle: self.pickle, id })
    }

    /// Names of the modules inside the module `name`.
    pub fn children_of(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let names: Vec<&str> = self.child(name).map(|child| child.children().collect()).unwrap_or_default();
        names.into_iter()
    }

    /// Parameters and buffers that are there.
    fn tensors(&self) -> impl Iterator<Item = (&'a str, Id)> {
        ["_parameters", "_buffers"]
            .into_iter()
            .flat_map(|kind| {
                let tensors = self.pickle.attribute(self.id, kind);
                let entries = tensors.map_or(&[][..], |tensors| self.pickle.entries(tensors));
                entries.iter().filter(|(_, id)| *self.pickle.get(*id) != Value::None)
            })
            .filter_map(|&(name, id)| Some((self.pickle.str(name)?, id)))
    }

    pub fn has_tensor(&self, name: &str) -> bool {
        self.tensors().any(|(tensor, _)| tensor == name)
    }

    fn attribute(&self, name: &str) -> Result<&'p Value<'a>, String> {
        let id = self.pickle.attribute(self.id, name);
        id.map(|id| self.pickle.get(id)).ok_or_else(|| format!("{} has no {name:?}", self.class()))
    }

    fn misfit(&self, name: &str, value: &Value) -> String {
        format!("{} has {name:?} = {value:?}, which is not understood", self.class())
    }

    pub fn int(&self, name: &str) -> Result<i64, String> {
        match self.attribute(name)? {
            Value::Int(value) => Ok(*value),
            other => Err(self.misfit(name, other)),
        }
    }

    pub fn bool(&self, name: &str) -> Result<bool, String> {
        match self.attribute(name)? {
            Value::Bool(value) => Ok(*value),
            other => Err(self.misfit(name, other)),
        }
    }

    /// A finite number as Python writes it.
    pub fn float(&self, name: &str) -> Result<String, String> {
        match self.attribute(name)? {
            Value::Int(value) => Ok(format!("{value}.0")),
            Value::Float(value) if value.is_finite() => Ok(format!("{value:?}")),
            other => Err(self.misfit(name, other)),
        }
    }

    pub fn text(&self, name: &str) -> Option<&'a str> {
        match self.attribute(name) {
            Ok(Value::Str(text)) => Some(text),
            _ => None,
        }
    }

    /// A number or several.
    pub fn ints(&self, name: &str) -> Result<Vec<i64>, String> {
        let value = self.attribute(name)?;
        let numbers = match value {
            Value::Int(number) => Some(vec![*number]),
            Value::Tuple(items) | Value::List(items) => items.iter().map(|&id| int(self.pickle, id)).collect(),
            _ => None,
        };
        numbers.ok_or_else(|| self.misfit(name, value))
    }

    /// Two numbers, or one for both.
    pub fn pair(&self, name: &str) -> Result<[i64; 2], String> {
        match self.ints(name)?.as_slice() {
            &[both] => Ok([both, both]),
            &[first, second] => Ok([first, second]),
            other => Err(format!("{} has {} values for {name:?}, expected 1 or 2", self.class(), other.len())),
        }
    }

    /// Where the outermost block takes its inputs from: relative to itself if negative, else by index.
    fn from(&self) -> Result<Vec<i64>, String> {
        self.ints("f")
    }

    /// How many inputs the outermost block has.
    pub fn inputs(&self) -> usize {
        self.from().map_or(1, |from| from.len())
    }
}

fn int(pickle: &Pickle, id: Id) -> Option<i64> {
    match pickle.get(id) {
        Value::Int(number) => Some(*number),
        _ => None,
    }
}

/// Builds the network `id`. `prefix` is the folder of the tensors in the archive.
pub(super) fn build<R: Read + Seek>(
    archive: &mut zip::ZipArchive<R>,
    prefix: &str,
    pickle: &Pickle,
    id: Id,
    device: Device,
) -> Result<ScriptModule, String> {
    let builder = Builder::new().map_err(|error| error.to_string())?;
    let mut assembly = Assembly { archive, prefix, pickle, builder, made: HashMap::new(), room: MAX_WEIGHTS };
    let root = assembly.network(id)?;
    assembly.builder.finish(root, device).map_err(|error| error.to_string())
}

struct Assembly<'r, 'p, 'a, R> {
    archive: &'r mut zip::ZipArchive<R>,
    prefix: &'r str,
    pickle: &'p Pickle<'a>,
    builder: Builder,
    /// Numbers of modules that were made: one activation may serve all convolutions.
    made: HashMap<Id, usize>,
    /// How many more bytes of weights may be read.
    room: u64,
}

impl<R: Read + Seek> Assembly<'_, '_, '_, R> {
    fn view(&self, id: Id) -> ModuleView<'_, '_> {
        ModuleView { pickle: self.pickle, id }
    }

    /// The network: its blocks, and a forward that leads from one to the next.
    fn network(&mut self, id: Id) -> Result<usize, String> {
        let pickle = self.pickle;
        let network = ModuleView { pickle, id };
        let blocks = network.child("model").ok_or("has no blocks: the network has no module \"model\"")?;
        let sequence = self.start(blocks.id, 0)?;
        let mut source = String::from("def forward(self, x):\n");
        for (index, (name, block)) in blocks.modules().enumerate() {
            let block = ModuleView { pickle, id: block };
            let inputs = block.from()?.into_iter().map(|from| {
                let from = if from < 0 { index as i64 + from } else { from };
                match from {
                    -1 => Ok("x".to_owned()),
                    from if (0..index as i64).contains(&from) => Ok(format!("y{from}")),
                    _ => Err(format!("block {name} takes its input from block {from}, which is not before it")),
                }
            });
            let inputs = inputs.collect::<Result<Vec<_>, String>>()?.join(", ");
            source += &format!("    y{index} = getattr(self.model, {name:?}).forward({inputs})\n");
        }
        source += &format!("    return y{}\n", blocks.modules().count().checked_sub(1).ok_or("has no blocks")?);
        let root = self.module_start(id)?;
        self.call(|builder| builder.child(root, "model", sequence))?;
        self.call(|builder| builder.define(root, &source))?;
        Ok(root)
    }

    /// A module with all inside it and its forward.
    fn module(&mut self, id: Id, depth: usize) -> Result<usize, String> {
        if let Some(&made) = self.made.get(&id) {
            return Ok(made);
        }
        let number = self.start(id, depth)?;
        if let Some(source) = blocks::forward(&self.view(id))? {
            self.call(|builder| builder.define(number, &source))?;
        }
        self.made.insert(id, number);
        Ok(number)
    }

    /// A module with all inside it, without its forward.
    fn start(&mut self, id: Id, depth: usize) -> Result<usize, String> {
        if depth > MAX_DEPTH {
            return Err(format!("has modules that lie more than {MAX_DEPTH} deep in each other"));
        }
        let pickle = self.pickle;
        let view = ModuleView { pickle, id };
        let children: Vec<_> = view.modules().collect();
        // Names become source code.
        let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if let Some((name, _)) = children.iter().find(|(name, _)| !is_name(name)) {
            return Err(format!("has a module with the name {name:?}"));
        }
        let children = children
            .into_iter()
            .map(|(name, child)| Ok((name, self.module(child, depth + 1)?)))
            .collect::<Result<Vec<_>, String>>()?;
        let number = self.module_start(id)?;
        for (name, child) in children {
            self.call(|builder| builder.child(number, name, child))?;
        }
        for (name, tensor) in view.tensors() {
            let tensor = self.tensor(tensor).map_err(|problem| format!("{problem} ({name} of {})", view.class()))?;
            self.call(|builder| builder.tensor(number, name, &tensor))?;
        }
        Ok(number)
    }

    fn module_start(&mut self, id: Id) -> Result<usize, String> {
        let class = self.view(id).class();
        self.call(|builder| builder.module(&class))
    }

    fn call<T>(&mut self, work: impl FnOnce(&mut Builder) -> crate::Result<T>) -> Result<T, String> {
        work(&mut self.builder).map_err(|error| error.to_string())
    }

    /// Reads a tensor: `_rebuild_tensor_v2(storage, offset, size, stride, …)`, which may stand inside
    /// `_rebuild_parameter(tensor, …)`.
    fn tensor(&mut self, id: Id) -> Result<Tensor, String> {
        let pickle = self.pickle;
        let arguments = |id: Id| match pickle.get(id) {
            Value::Object { args, .. } => match pickle.get(*args) {
                Value::Tuple(args) => args.as_slice(),
                _ => &[],
            },
            _ => &[],
        };
        let id = match (pickle.class(id), arguments(id)) {
            (Some(("torch._utils", "_rebuild_parameter")), &[tensor, ..]) => tensor,
            _ => id,
        };
        let (Some(("torch._utils", "_rebuild_tensor_v2")), &[storage, offset, size, stride, ..]) =
            (pickle.class(id), arguments(id))
        else {
            return Err("has a tensor that is not understood".into());
        };
        let ints = |id: Id| match pickle.get(id) {
            Value::Tuple(items) => items.iter().map(|&item| int(pickle, item).filter(|&n| n >= 0)).collect(),
            _ => None::<Vec<i64>>,
        };
        match (int(pickle, offset), ints(size), ints(stride)) {
            (Some(offset), Some(size), Some(stride)) if offset >= 0 => self.storage(storage, offset, &size, &stride),
            _ => Err("has a tensor with a shape that is not understood".into()),
        }
    }

    /// Reads the storage with the key `('storage', type, name, device, length)` and gives it its shape.
    fn storage(&mut self, id: Id, offset: i64, size: &[i64], stride: &[i64]) -> Result<Tensor, String> {
        let pickle = self.pickle;
        let unknown = || "has a tensor whose storage is not understood".to_owned();
        let Value::Persistent(key) = pickle.get(id) else { return Err(unknown()) };
        let Value::Tuple(parts) = pickle.get(*key) else { return Err(unknown()) };
        let &[_, kind, name, ..] = parts.as_slice() else { return Err(unknown()) };
        let (Value::Global { name: kind, .. }, Some(name)) = (pickle.get(kind), pickle.str(name)) else {
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
        let entry = format!("{}data/{name}", self.prefix);
        let file = self.archive.by_name(&entry).map_err(|_| format!("lacks its tensor {entry}"))?;
        self.room = self.room.checked_sub(file.size()).ok_or("has more weights than any detector")?;
        let (length, mut bytes) = (file.size(), Vec::new());
        file.take(length).read_to_end(&mut bytes).map_err(|error| format!("has a damaged tensor {entry}: {error}"))?;
        let count = (bytes.len() / kind.elt_size_in_bytes()) as i64;
        // How many values the shape has, and the last one that it reaches.
        let values = size.iter().try_fold(1i64, |values, &side| values.checked_mul(side));
        let reach = size
            .iter()
            .zip(stride)
            .try_fold(offset, |reach, (&size, &stride)| reach.checked_add((size - 1).max(0).checked_mul(stride)?));
        let fits =
            values.is_some_and(|values| values <= count && (values == 0 || reach.is_some_and(|reach| reach < count)));
        if size.len() != stride.len() || !fits {
            return Err(format!("has a tensor {entry} of {count} values, too few for its shape {size:?}"));
        }
        let all = Tensor::f_from_data_size(&bytes, &[count], kind).map_err(|error| error.to_string())?;
        let shaped = all.f_as_strided(size, stride, offset).and_then(|tensor| tensor.f_contiguous());
        shaped.map_err(|error| error.to_string())
    }
}
