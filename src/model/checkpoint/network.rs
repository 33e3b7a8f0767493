//! From the pickled module tree to a module that libtorch runs.

use std::{
    collections::{HashMap, HashSet},
    io::{Read, Seek},
};

use tch::{Device, Kind, Tensor};

use super::{
    blocks,
    pickle::{Id, Pickle, Value},
    tensors::Tensors,
};
use crate::{
    limits::Limits,
    model::{
        ffi::{Builder, ScriptModule, TensorRole},
        stored::StoredTensor,
    },
};

/// A pickled `nn.Module`, and what its forward is written from.
#[derive(Clone, Copy)]
pub(super) struct ModuleView<'p, 'a> {
    pickle: &'p Pickle<'a>,
    id: Id,
    /// The batch normalisation that is fused into this convolution.
    norm: Option<Id>,
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

    /// The class as it stands in the source of an exported file.
    fn type_name(&self) -> String {
        let class = self.class();
        if class.split('.').all(is_name) && class.len() <= Limits::PATH_LETTERS { class } else { "Module".to_owned() }
    }

    fn new(pickle: &'p Pickle<'a>, id: Id) -> Self {
        Self { pickle, id, norm: None }
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

    /// The modules inside. A batch normalisation behind a convolution is fused into it, as Ultralytics does.
    fn modules(&self) -> impl Iterator<Item = (&'a str, Self)> + use<'p, 'a> {
        let norm = self.fusible_norm();
        self.pickled_modules().filter(move |(name, _)| norm.is_none() || *name != "bn").map(move |(name, module)| {
            let norm = norm.filter(|_| name == "conv");
            (name, Self { norm, ..module })
        })
    }

    fn fusible_norm(&self) -> Option<Id> {
        if !matches!(self.class_name(), "Conv" | "DWConv") {
            return None;
        }
        let child = |wanted: &str| self.pickled_modules().find(|(name, _)| *name == wanted).map(|(_, module)| module);
        let (conv, norm) = (child("conv")?, child("bn")?);
        let fits = conv.class_name() == "Conv2d"
            && matches!(norm.class_name(), "BatchNorm2d" | "SyncBatchNorm")
            && norm.has_tensor("running_mean");
        fits.then_some(norm.id)
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
    fn tensors(&self) -> impl Iterator<Item = (&'a str, Id, TensorRole)> {
        [("_parameters", TensorRole::Parameter), ("_buffers", TensorRole::Buffer)]
            .into_iter()
            .flat_map(|(kind, role)| {
                let tensors = self.pickle.attribute(self.id, kind);
                let entries = tensors.map_or(&[][..], |tensors| self.pickle.entries(tensors));
                entries.iter().filter(|(_, id)| *self.pickle.get(*id) != Value::None).map(move |entry| (entry, role))
            })
            .filter_map(|(&(name, id), role)| Some((self.pickle.str(name)?, id, role)))
            .chain(self.stride())
    }

    /// The strides of a head are a plain attribute, and decoding needs them.
    fn stride(&self) -> Option<(&'a str, Id, TensorRole)> {
        let id = self.pickle.attribute(self.id, "stride")?;
        let is_head = matches!(self.class_name(), "Detect" | "Segment");
        is_head.then_some(("stride", id, TensorRole::Buffer))
    }

    pub fn has_tensor(&self, name: &str) -> bool {
        // A fused normalisation gives its convolution a bias.
        self.norm.is_some() && name == "bias" || self.tensor(name).is_some()
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

    /// Names of the inputs in the forward: `x`, or `x0`, `x1`, … for a block that takes a list.
    pub fn inputs(&self) -> Vec<String> {
        match self.attribute("f") {
            Ok(Value::List(from) | Value::Tuple(from)) => (0..from.len()).map(|index| format!("x{index}")).collect(),
            _ => vec!["x".to_owned()],
        }
    }
}

fn too_many_modules() -> String {
    format!("has more than {} modules, each counted as often as it is used; detectors have some hundred", Limits::CALLS)
}

/// Whether a name may stand in source code.
fn is_name(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=Limits::PATH_LETTERS).contains(&name.len()) && name.bytes().all(is_letter)
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
    let tensors = Tensors::new(archive, prefix, pickle);
    let mut assembly = Assembly {
        tensors,
        builder,
        made: HashMap::new(),
        sizes: Vec::new(),
        modules_left: Limits::CALLS,
        inputs_left: Limits::BLOCK_INPUTS + Limits::CALLS,
    };
    let root = assembly.network(ModuleView::new(pickle, id))?;
    let module = assembly.builder.finish(root, device).map_err(|error| error.to_string())?;
    // A module may call one inside it several times: a few in each other make millions of calls.
    module.operators().map_err(|error| error.to_string())?;
    Ok(module)
}

struct Assembly<'r, 'p, 'a, R> {
    tensors: Tensors<'r, 'p, 'a, R>,
    builder: Builder,
    /// Numbers of modules that were made: one activation may serve all convolutions. With the normalisation that was
    /// fused into them.
    made: HashMap<(Id, Option<Id>), usize>,
    /// How many modules lie in each that was made, itself included, and each as often as it is reached: libtorch walks
    /// through all of them.
    sizes: Vec<usize>,
    /// How many more modules may be put into others.
    modules_left: usize,
    /// How many more inputs blocks may take, all together.
    inputs_left: usize,
}

impl<'p, 'a, R: Read + Seek> Assembly<'_, 'p, 'a, R> {
    /// The network: its blocks, and a forward that leads from one to the next.
    fn network(&mut self, network: ModuleView<'p, 'a>) -> Result<usize, String> {
        let blocks = network.child("model").ok_or("has no blocks: the network has no module \"model\"")?;
        let sequence = self.parts(&blocks, "model", 0)?;
        let mut source = String::new();
        for (index, (name, block)) in blocks.modules().enumerate() {
            let inputs = block.from()?.into_iter().map(|from| {
                let from = if from < 0 { index as i64 + from } else { from };
                match from {
                    -1 => Ok("x".to_owned()),
                    from if (0..index as i64).contains(&from) => Ok(format!("y{from}")),
                    _ => Err(format!("block {name} takes its input from block {from}, which is not before it")),
                }
            });
            let inputs = inputs.collect::<Result<Vec<_>, String>>()?.join(", ");
            source += &format!("y{index} = getattr(self.model, {name:?}).forward({inputs})\n");
        }
        source += &format!("return y{}", blocks.modules().count().checked_sub(1).ok_or("has no blocks")?);
        let root = self.call(|builder| builder.module(&network.type_name()))?;
        self.call(|builder| builder.child(root, "model", sequence))?;
        self.forward(root, &["x".to_owned()], &source)?;
        Ok(root)
    }

    /// A module with all inside it and its forward. `path` is its place.
    fn module(&mut self, view: &ModuleView<'p, 'a>, path: &str, depth: usize) -> Result<usize, String> {
        let key = (view.id, view.norm);
        if let Some(&made) = self.made.get(&key) {
            return Ok(made);
        }
        let at_path = |problem: String| format!("{path}: {problem}");
        let (module, name) = view.pickle.class(view.id).unwrap_or(("?", "?"));
        let forward =
            blocks::find(module, name).ok_or_else(|| at_path(format!("{module}.{name} is no known block")))?;
        let number = self.parts(view, path, depth)?;
        let inputs = view.inputs();
        if inputs.len() > Limits::BLOCK_INPUTS {
            return Err(at_path(format!("takes {} inputs; at most {} are read", inputs.len(), Limits::BLOCK_INPUTS)));
        }
        // One for each module, and some more.
        self.inputs_left =
            self.inputs_left.checked_sub(inputs.len()).ok_or_else(|| at_path("has too many inputs".to_owned()))?;
        let body = forward(view).map_err(at_path)?;
        if !body.is_empty() {
            self.forward(number, &inputs, &body).map_err(at_path)?;
        }
        self.made.insert(key, number);
        Ok(number)
    }

    /// A module with all inside it, without a forward.
    fn parts(&mut self, view: &ModuleView<'p, 'a>, path: &str, depth: usize) -> Result<usize, String> {
        if depth > Limits::MODULE_DEPTH {
            return Err(format!("has modules that lie more than {} deep in each other", Limits::MODULE_DEPTH));
        }
        let children: Vec<_> = view.modules().collect();
        if let Some((name, _)) = children.iter().find(|(name, _)| !is_name(name)) {
            return Err(format!("has a module with the name {name:?}"));
        }
        self.modules_left = (self.modules_left.checked_sub(children.len())).ok_or_else(too_many_modules)?;
        let children = children
            .into_iter()
            .map(|(name, child)| Ok((name, self.module(&child, &format!("{path}.{name}"), depth + 1)?)))
            .collect::<Result<Vec<_>, String>>()?;
        let number = self.call(|builder| builder.module(&view.type_name()))?;
        let size = children.iter().fold(1, |size: usize, &(_, child)| size.saturating_add(self.sizes[child]));
        if size > Limits::CALLS {
            return Err(too_many_modules());
        }
        self.sizes.push(size);
        for (name, child) in children {
            self.call(|builder| builder.child(number, name, child))?;
        }
        for (name, tensor, role) in self.tensors(view).map_err(|problem| format!("{path}: {problem}"))? {
            if !is_name(name) {
                return Err(format!("{path}: has a tensor with the name {name:?}"));
            }
            self.call(|builder| builder.tensor(number, name, &tensor, role))?;
        }
        Ok(number)
    }

    /// Defines the forward of the module `number`.
    fn forward(&mut self, number: usize, inputs: &[String], body: &str) -> Result<(), String> {
        let lines: String = body.lines().map(|line| format!("    {}\n", line.trim())).collect();
        let source = format!("def forward(self, {}):\n{lines}", inputs.join(", "));
        self.call(|builder| builder.define(number, &source))
    }

    fn call<T>(&mut self, work: impl FnOnce(&mut Builder) -> crate::Result<T>) -> Result<T, String> {
        work(&mut self.builder).map_err(|error| error.to_string())
    }

    /// Reads parameters and buffers; of a convolution with its normalisation fused into them.
    fn tensors(&mut self, view: &ModuleView<'p, 'a>) -> Result<Vec<Named<'a>>, String> {
        let mut tensors = view
            .tensors()
            .map(|(name, id, role)| {
                let tensor =
                    self.tensors.read(id).map_err(|problem| format!("{problem} ({name} of {})", view.class()))?;
                Ok((name, tensor, role))
            })
            .collect::<Result<Vec<_>, String>>()?;
        apply_masks(&mut tensors)?;
        if let Some(norm) = view.norm.map(|id| ModuleView::new(view.pickle, id)) {
            let norm_tensors = self.tensors(&norm)?;
            let (weight, bias) = fused(&tensors, &norm_tensors, norm.float("eps")?)?;
            tensors.retain(|(name, ..)| !matches!(*name, "weight" | "bias"));
            tensors.push(("weight", weight, TensorRole::Parameter));
            tensors.push(("bias", bias, TensorRole::Parameter));
        }
        Ok(tensors)
    }
}

/// What a parameter that was pruned with torch.nn.utils.prune is called until it is made permanent, and its mask.
const PRUNED: &str = "_orig";
const MASK: &str = "_mask";

/// Puts the product with its mask into the place of each parameter that was pruned.
fn apply_masks(tensors: &mut Vec<Named>) -> Result<(), String> {
    let mask = |(name, tensor, _): &Named<'_>| Some((name.strip_suffix(MASK)?.to_owned(), tensor.shallow_clone()));
    let masks: HashMap<String, Tensor> = tensors.iter().filter_map(mask).collect();
    let mut applied = HashSet::new();
    for (name, tensor, _) in tensors.iter_mut() {
        let Some((plain, mask)) = name.strip_suffix(PRUNED).and_then(|plain| Some((plain, masks.get(plain)?))) else {
            continue;
        };
        *tensor = tensor.f_mul(mask).map_err(|error| format!("{name}: {}", crate::Error::from(error)))?;
        *name = plain;
        applied.insert(plain);
    }
    tensors.retain(|(name, ..)| !name.strip_suffix(MASK).is_some_and(|plain| applied.contains(plain)));
    Ok(())
}

/// Weight `[C, K, h, w]` and bias `[C]` of the convolution that does what `conv` and then the normalisation `norm` do,
/// whose `y = (x - mean) / sqrt(var + eps) · weight + bias` is linear.
fn fused(conv: &[Named], norm: &[Named], eps: f64) -> Result<(Tensor, Tensor), String> {
    let find = |tensors: &[Named], wanted: &str| {
        let found = tensors.iter().find(|(name, ..)| *name == wanted);
        found.map(|(_, tensor, _)| tensor.f_to_kind(Kind::Double)).transpose().map_err(|error| error.to_string())
    };
    let need = |tensors, wanted| find(tensors, wanted)?.ok_or_else(|| format!("lacks the tensor {wanted:?}"));
    let (weight, mean, variance) = (need(conv, "weight")?, need(norm, "running_mean")?, need(norm, "running_var")?);
    let (bias, gain, shift) = (find(conv, "bias")?, find(norm, "weight")?, find(norm, "bias")?);
    let fuse = || {
        let mut scale = variance.f_add_scalar(eps)?.f_rsqrt()?;
        if let Some(gain) = gain {
            scale = scale.f_mul(&gain)?;
        }
        let weight = weight.f_mul(&scale.f_view([-1, 1, 1, 1])?)?;
        let offset = match bias {
            Some(bias) => bias.f_sub(&mean)?,
            None => mean.f_neg()?,
        };
        let mut bias = offset.f_mul(&scale)?;
        if let Some(shift) = shift {
            bias = bias.f_add(&shift)?;
        }
        Ok((weight.f_to_kind(Kind::Float)?, bias.f_to_kind(Kind::Float)?))
    };
    fuse().map_err(|error: tch::TchError| crate::Error::from(error).to_string())
}

type Named<'a> = (&'a str, Tensor, TensorRole);

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor<'a>(name: &'a str, values: &[f32], shape: &[i64]) -> Named<'a> {
        (name, Tensor::from_slice(values).view(shape), TensorRole::Parameter)
    }

    fn values(tensor: Tensor) -> Vec<f32> {
        Vec::try_from(tensor.view(-1)).unwrap()
    }

    #[test]
    fn a_normalisation_is_fused_into_the_convolution_before_it() {
        let weight = tensor("weight", &[1.0, 2.0, 3.0, 4.0], &[2, 2, 1, 1]);
        let mean = tensor("running_mean", &[1.0, 5.0], &[2]);
        // With eps 1 the divisors are 2 and 3.
        let variance = tensor("running_var", &[3.0, 8.0], &[2]);
        let norm = [mean, variance, tensor("weight", &[2.0, 6.0], &[2]), tensor("bias", &[10.0, 20.0], &[2])];
        let (scaled, offset) = fused(&[weight], &norm, 1.0).unwrap();
        // Gains 2/2 and 6/3; offsets 10 - 1·1 and 20 - 5·2.
        assert_eq!(values(scaled), [1.0, 2.0, 6.0, 8.0]);
        assert_eq!(values(offset), [9.0, 10.0]);

        let conv = [tensor("weight", &[1.0, 1.0], &[2, 1, 1, 1]), tensor("bias", &[3.0, 8.0], &[2])];
        let plain = [tensor("running_mean", &[1.0, 5.0], &[2]), tensor("running_var", &[3.0, 8.0], &[2])];
        let (scaled, offset) = fused(&conv, &plain, 1.0).unwrap();
        assert_eq!(values(scaled), [0.5, 1.0 / 3.0]);
        assert_eq!(values(offset), [1.0, 1.0]);
    }

    #[test]
    fn a_normalisation_that_does_not_fit_is_an_error() {
        let weight = [tensor("weight", &[1.0, 2.0, 3.0], &[3, 1, 1, 1])];
        assert!(fused(&weight, &[tensor("running_mean", &[1.0], &[1])], 1.0).unwrap_err().contains("running_var"));
        let norm = [tensor("running_mean", &[1.0, 1.0], &[2]), tensor("running_var", &[1.0, 1.0], &[2])];
        assert!(fused(&weight, &norm, 1.0).is_err());
    }
}
