//! A module as it stands in a pickle.

use super::pickle::{Id, Pickle, Value};
use crate::{
    limits::Limits,
    model::{ffi::TensorRole, stored::StoredTensor},
};

/// What a parameter that was pruned with torch.nn.utils.prune is called until that is made permanent.
pub(super) const PRUNED: &str = "_orig";

/// Who wrote the classes of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::model) enum Package {
    /// YOLOv5's repository, and its package on PyPI.
    YoloV5,
    /// The package `ultralytics`: YOLOv8 and later, and earlier ones with its heads (YOLOv5u).
    Ultralytics,
}

impl Package {
    /// The package that has the Python module `module`; `None` if it is neither.
    pub fn of(module: &str) -> Option<Self> {
        match first(module) {
            "models" | "utils" | "yolov5" => Some(Self::YoloV5),
            "ultralytics" => Some(Self::Ultralytics),
            _ => None,
        }
    }
}

/// The first part of a Python module's name.
pub(super) fn first(module: &str) -> &str {
    module.split('.').next().unwrap_or_default()
}

/// A pickled `nn.Module`, and what its forward is written from.
#[derive(Clone, Copy)]
pub(super) struct ModuleView<'p, 'a> {
    pickle: &'p Pickle<'a>,
    id: Id,
    /// The batch normalisation that is fused into this convolution.
    norm: Option<Id>,
    /// The convolution that is added to this one, with the normalisation that is fused into it.
    addend: Option<(Id, Option<Id>)>,
}

/// What tells a module from others: a convolution with others fused into it is another one than without.
pub(super) type Key = (Id, Option<Id>, Option<(Id, Option<Id>)>);

impl<'p, 'a> ModuleView<'p, 'a> {
    pub fn new(pickle: &'p Pickle<'a>, id: Id) -> Self {
        Self { pickle, id, norm: None, addend: None }
    }

    pub fn key(&self) -> Key {
        (self.id, self.norm, self.addend)
    }

    /// The Python module of the class, and its name.
    pub fn class_parts(&self) -> (&'a str, &'a str) {
        self.pickle.class(self.id).unwrap_or(("?", "?"))
    }

    /// The class without its Python module, `Conv`.
    pub fn class_name(&self) -> &'a str {
        self.class_parts().1
    }

    /// The class with its Python module, `models.common.Conv`.
    pub fn class(&self) -> String {
        self.pickle.class(self.id).map_or_else(|| "?".to_owned(), |(module, name)| format!("{module}.{name}"))
    }

    /// The class as it stands in the source of an exported file.
    pub fn type_name(&self) -> String {
        let class = self.class();
        if class.split('.').all(is_name) && class.len() <= Limits::PATH_LETTERS { class } else { "Module".to_owned() }
    }

    /// The modules inside as they are pickled.
    fn pickled_modules(&self) -> impl Iterator<Item = (&'a str, Self)> + use<'p, 'a> {
        let pickle = self.pickle;
        let modules = pickle.attribute(self.id, "_modules");
        let entries = modules.map_or(&[][..], |modules| pickle.entries(modules));
        let is_module = move |id: Id| pickle.attribute(id, "_modules").is_some();
        entries
            .iter()
            .filter(move |(_, id)| is_module(*id))
            .filter_map(move |&(name, id)| Some((pickle.str(name)?, Self::new(pickle, id))))
    }

    fn pickled_module(&self, wanted: &str) -> Option<Self> {
        self.pickled_modules().find(|(name, _)| *name == wanted).map(|(_, module)| module)
    }

    /// The modules inside. What is linear is fused, as Ultralytics does: a batch normalisation into the convolution before
    /// it, and two convolutions side by side into one.
    pub fn modules(&self) -> impl Iterator<Item = (&'a str, Self)> + use<'p, 'a> {
        let (norm, sum) = (self.fusible_norm(), self.fusible_sum());
        let is_fused = move |name: &str| norm.is_some() && name == "bn" || sum.is_some() && name != "act";
        let others = self.pickled_modules().filter(move |(name, _)| !is_fused(name)).map(move |(name, module)| {
            let norm = norm.filter(|_| name == "conv");
            (name, Self { norm, ..module })
        });
        sum.map(|convolution| ("conv", convolution)).into_iter().chain(others)
    }

    /// The batch normalisation that is fused into this convolution.
    pub fn fused_norm(&self) -> Option<Self> {
        self.norm.map(|id| Self::new(self.pickle, id))
    }

    /// The convolution that is added to this one.
    pub fn addend(&self) -> Option<Self> {
        self.addend.map(|(id, norm)| Self { norm, ..Self::new(self.pickle, id) })
    }

    fn fusible_norm(&self) -> Option<Id> {
        if !matches!(self.class_name(), "Conv" | "DWConv") {
            return None;
        }
        let (conv, norm) = (self.pickled_module("conv")?, self.pickled_module("bn")?);
        let fits = conv.class_name() == "Conv2d"
            && matches!(norm.class_name(), "BatchNorm2d" | "SyncBatchNorm")
            && norm.has_tensor("running_mean");
        fits.then_some(norm.id)
    }

    /// The one convolution that gives the sum of the two of a block that trains with both: the larger, with the smaller added.
    fn fusible_sum(&self) -> Option<Self> {
        let (large, small) = match self.class_name() {
            "RepConv" => ("conv1", "conv2"),
            "RepVGGDW" => ("conv", "conv1"),
            _ => return None,
        };
        if self.pickled_module("bn").is_some() {
            return None;
        }
        let inner = |name: &str| {
            let block = self.pickled_module(name).filter(|block| matches!(block.class_name(), "Conv" | "DWConv"))?;
            let is_plain = block.child_class("act") == Some("Identity") && !block.has_child("bn");
            block.child("conv").filter(|conv| is_plain && conv.class_name() == "Conv2d" && conv.is_centred())
        };
        let (large, small) = (inner(large)?, inner(small)?);
        let [larger, smaller] = [large, small].map(|conv| conv.pair("kernel_size"));
        let is_larger = larger.ok()?.iter().zip(smaller.ok()?).all(|(&larger, smaller)| larger >= smaller);
        let is_alike = ["stride", "dilation", "groups"].into_iter().all(|name| large.ints(name) == small.ints(name));
        (is_larger && is_alike).then_some(Self { addend: Some((small.id, small.norm)), ..large })
    }

    /// Whether each value of a convolution is computed from what lies around its place, as far to one side as to the other.
    fn is_centred(&self) -> bool {
        let [kernel, padding, dilation] = ["kernel_size", "padding", "dilation"].map(|name| self.pair(name));
        let (Ok(kernel), Ok(padding), Ok(dilation)) = (kernel, padding, dilation) else { return false };
        let is_centred = |(&kernel, padding): (&i64, i64)| kernel % 2 == 1 && kernel / 2 == padding;
        kernel.iter().zip(padding).all(is_centred) && dilation == [1, 1]
    }

    /// Names of the modules, parameters and buffers directly inside, as they are pickled.
    pub fn part_names(&self) -> impl Iterator<Item = &'a str> {
        self.pickled_modules().map(|(name, _)| name).chain(self.own_tensors().map(|(name, ..)| name))
    }

    /// Names of the other attributes of its class directly inside: not those that each module of PyTorch has, nor those that a network
    /// gives each of its layers.
    pub fn attribute_names(&self) -> impl Iterator<Item = &'a str> + use<'p, 'a> {
        let is_common = |name: &str| matches!(name, "training" | "i" | "f" | "type" | "np");
        let pickle = self.pickle;
        let names = pickle.attributes(self.id).iter().filter_map(move |&(name, _)| pickle.str(name));
        let module = *self;
        names.filter(move |name| {
            !name.starts_with('_') && !is_common(name) && (*name != "forward" || !module.is_fused())
        })
    }

    /// Whether it calls another of its methods in place of `forward`, since its normalisation was fused into its convolution.
    fn is_fused(&self) -> bool {
        let forward = self.pickle.attribute(self.id, "forward");
        forward.is_some_and(|forward| is_fused_forward(self.pickle, forward))
            && !self.part_names().any(|part| part == "bn")
    }

    /// Names of the modules inside.
    pub fn children(&self) -> impl Iterator<Item = &'a str> {
        self.modules().map(|(name, _)| name)
    }

    pub fn has_child(&self, name: &str) -> bool {
        self.children().any(|child| child == name)
    }

    pub fn child(&self, name: &str) -> Option<Self> {
        self.modules().find(|(child, _)| *child == name).map(|(_, module)| module)
    }

    pub fn last_child(&self) -> Option<Self> {
        self.modules().last().map(|(_, module)| module)
    }

    /// The class of the module `name` inside, without its Python module.
    pub fn child_class(&self, name: &str) -> Option<&'a str> {
        self.child(name).map(|child| child.class_name())
    }

    /// Names of the modules inside the module `name`.
    pub fn children_of(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let names: Vec<&str> = self.child(name).map(|child| child.children().collect()).unwrap_or_default();
        names.into_iter()
    }

    /// Parameters and buffers that are there, with what they are.
    pub fn tensors(&self) -> impl Iterator<Item = (&'a str, Id, TensorRole)> {
        self.own_tensors().chain(self.stride())
    }

    fn own_tensors(&self) -> impl Iterator<Item = (&'a str, Id, TensorRole)> {
        [("_parameters", TensorRole::Parameter), ("_buffers", TensorRole::Buffer)]
            .into_iter()
            .flat_map(|(kind, role)| {
                let tensors = self.pickle.attribute(self.id, kind);
                let entries = tensors.map_or(&[][..], |tensors| self.pickle.entries(tensors));
                entries.iter().filter(|(_, id)| *self.pickle.get(*id) != Value::None).map(move |entry| (entry, role))
            })
            .filter_map(|(&(name, id), role)| Some((self.pickle.str(name)?, id, role)))
    }

    /// The strides of a head with anchors are a plain attribute, and decoding needs them.
    fn stride(&self) -> Option<(&'a str, Id, TensorRole)> {
        let id = self.pickle.attribute(self.id, "stride")?;
        let has_anchors = self.own_tensors().any(|(name, ..)| name == "anchors");
        has_anchors.then_some(("stride", id, TensorRole::Buffer))
    }

    pub fn has_tensor(&self, name: &str) -> bool {
        // A fused normalisation gives its convolution a bias.
        let is_fused = self.norm.is_some() || self.addend.is_some();
        is_fused && name == "bias" || self.tensor(name).is_some()
    }

    fn tensor(&self, name: &str) -> Option<Id> {
        let is_wanted = |tensor: &str| tensor == name || tensor.strip_suffix(PRUNED) == Some(name);
        self.tensors().find(|(tensor, ..)| is_wanted(tensor)).map(|(_, id, _)| id)
    }

    /// The shape of a tensor as the file has it.
    pub fn shape(&self, name: &str) -> Option<Vec<u64>> {
        StoredTensor::of(self.pickle, self.tensor(name)?).ok().map(|stored| stored.size)
    }

    fn attribute(&self, name: &str) -> Result<&'p Value<'a>, String> {
        let id = self.pickle.attribute(self.id, name);
        id.map(|id| self.pickle.get(id)).ok_or_else(|| format!("{} has no {name:?}", self.class()))
    }

    fn misfit(&self, name: &str, value: &Value) -> String {
        let kind = match value {
            Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Str(_) => format!("{value:?}"),
            Value::List(_) | Value::Tuple(_) => "a list of something else than numbers".to_owned(),
            _ => "something that is no number".to_owned(),
        };
        format!("{} has {name:?} = {kind}, which is not understood", self.class())
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

    /// The same of an attribute that older versions of the class lack.
    pub fn bool_or(&self, name: &str, default: bool) -> Result<bool, String> {
        if self.has_attribute(name) { self.bool(name) } else { Ok(default) }
    }

    /// A size or a count.
    pub fn count(&self, name: &str) -> Result<i64, String> {
        /// More than any network has of anything that is counted.
        const MOST: i64 = 1 << 20;
        match self.int(name)? {
            count @ 1..=MOST => Ok(count),
            other => Err(self.misfit(name, &Value::Int(other))),
        }
    }

    /// The same of an attribute that older versions of the class lack.
    pub fn count_or(&self, name: &str, default: i64) -> Result<i64, String> {
        if self.has_attribute(name) { self.count(name) } else { Ok(default) }
    }

    pub fn has_attribute(&self, name: &str) -> bool {
        self.pickle.attribute(self.id, name).is_some()
    }

    /// A finite number.
    pub fn float(&self, name: &str) -> Result<f64, String> {
        match self.attribute(name)? {
            Value::Int(value) => Ok(*value as f64),
            Value::Float(value) if value.is_finite() => Ok(*value),
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
            Value::Tuple(items) | Value::List(items) if items.len() <= Limits::BLOCK_INPUTS => {
                items.iter().map(|&id| int(self.pickle, id)).collect()
            }
            _ => None,
        };
        numbers.ok_or_else(|| self.misfit(name, value))
    }

    /// Two numbers, or one for both; either may be none.
    pub fn sides(&self, name: &str) -> Result<[Option<i64>; 2], String> {
        let value = self.attribute(name)?;
        let side = |id: Id| match self.pickle.get(id) {
            Value::Int(side) => Some(Some(*side)),
            Value::None => Some(None),
            _ => None,
        };
        let sides = match value {
            Value::Int(both) => Some([Some(*both); 2]),
            Value::Tuple(items) | Value::List(items) => match items.as_slice() {
                &[first, second] => side(first).zip(side(second)).map(|(first, second)| [first, second]),
                _ => None,
            },
            _ => None,
        };
        sides.ok_or_else(|| self.misfit(name, value))
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
    pub fn from(&self) -> Result<Vec<i64>, String> {
        self.ints("f")
    }

    /// Names of the inputs in the forward: `x`, or `x0`, `x1`, … for a block that takes a list.
    pub fn inputs(&self) -> Vec<String> {
        match self.attribute("f") {
            Ok(Value::List(from) | Value::Tuple(from)) => (0..from.len()).map(|index| format!("x{index}")).collect(),
            _ => vec!["x".to_owned()],
        }
    }
}

/// Whether a value is what `getattr` finds.
pub(super) fn is_lookup(pickle: &Pickle, id: Id) -> bool {
    matches!(pickle.class(id), Some(("__builtin__" | "builtins", "getattr")))
}

/// `getattr(block, 'forward_fuse')`, which is that block's own attribute `forward`. YOLOv5 before v6.0: `fuseforward`, of
/// YOLOv5-Lite's `RepVGGBlock`: `fusevggforward`.
pub(super) fn is_fused_forward(pickle: &Pickle, id: Id) -> bool {
    match pickle.arguments(id) {
        Some(&[block, method]) => {
            is_lookup(pickle, id)
                && matches!(pickle.str(method), Some("forward_fuse" | "fuseforward" | "fusevggforward"))
                && pickle.attribute(block, "forward") == Some(id)
        }
        _ => false,
    }
}

/// Whether a name may stand in source code.
pub(super) fn is_name(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=Limits::PATH_LETTERS).contains(&name.len()) && name.bytes().all(is_letter)
}

fn int(pickle: &Pickle, id: Id) -> Option<i64> {
    match pickle.get(id) {
        Value::Int(number) => Some(*number),
        _ => None,
    }
}
