//! From the pickled module tree to a module that libtorch runs.

use std::{
    collections::{HashMap, HashSet},
    io::{Read, Seek},
};

use tch::{Device, Kind, Tensor};

use super::{
    blocks,
    pickle::{Id, Pickle},
    tensors::Tensors,
    view::{Key, ModuleView, PRUNED, is_name},
};
use crate::{
    limits::Limits,
    model::ffi::{Builder, ScriptModule, TensorRole},
};

fn too_many_modules() -> String {
    format!("has more than {} modules, each counted as often as it is used; detectors have some hundred", Limits::CALLS)
}

/// A network that was built.
pub(super) struct Built {
    pub module: ScriptModule,
    /// The strides that its head states.
    pub strides: Vec<f64>,
}

/// Builds the network `id` with the head `head`. `prefix` is the folder of the tensors in the archive.
pub(super) fn build<R: Read + Seek>(
    archive: &mut zip::ZipArchive<R>,
    prefix: &str,
    pickle: &Pickle,
    (id, head): (Id, Id),
    device: Device,
) -> Result<Built, String> {
    let builder = Builder::new().map_err(|error| error.to_string())?;
    let tensors = Tensors::new(archive, prefix, pickle);
    let mut assembly = Assembly {
        tensors,
        builder,
        made: HashMap::new(),
        sizes: Vec::new(),
        modules_left: Limits::CALLS,
        inputs_left: Limits::BLOCK_INPUTS + Limits::CALLS,
        code_left: Limits::CODE_BYTES,
    };
    let root = assembly.network(ModuleView::new(pickle, id))?;
    let strides = assembly.strides(pickle.attribute(head, "stride"));
    let module = assembly.builder.finish(root, device).map_err(|error| error.to_string())?;
    // A module may call one inside it several times: a few in each other make millions of calls.
    module.operators().map_err(|error| error.to_string())?;
    Ok(Built { module, strides })
}

struct Assembly<'r, 'p, 'a, R> {
    tensors: Tensors<'r, 'p, 'a, R>,
    builder: Builder,
    /// Numbers of modules that were made: one activation may serve all convolutions. With what was fused
    /// into them.
    made: HashMap<Key, usize>,
    /// How many modules lie in each that was made, itself included, and each as often as it is reached: libtorch walks
    /// through all of them.
    sizes: Vec<usize>,
    /// How many more modules may be put into others.
    modules_left: usize,
    /// How many more inputs blocks may take, all together.
    inputs_left: usize,
    /// How many more bytes of forwards may be written: one list of modules may be part of many blocks.
    code_left: u64,
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
            let mut inputs = inputs.collect::<Result<Vec<_>, String>>()?;
            if blocks::find(&block).is_ok_and(|known| known.sees_picture) {
                inputs.push("x".to_owned());
            }
            let inputs = inputs.join(", ");
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
        let key = view.key();
        if let Some(&made) = self.made.get(&key) {
            return Ok(made);
        }
        let at_path = |problem: String| format!("{path}: {problem}");
        let block = blocks::find(view)
            .map_err(|misfit| at_path(format!("{} is no known block {misfit}", view.class()).trim_end().to_owned()))?;
        let number = self.parts(view, path, depth)?;
        let inputs = block.parameters(view);
        if inputs.len() > Limits::BLOCK_INPUTS {
            return Err(at_path(format!("takes {} inputs; at most {} are read", inputs.len(), Limits::BLOCK_INPUTS)));
        }
        // One for each module, and some more.
        self.inputs_left =
            self.inputs_left.checked_sub(inputs.len()).ok_or_else(|| at_path("has too many inputs".to_owned()))?;
        let body = (block.forward)(view).map_err(at_path)?;
        self.code_left = (self.code_left.checked_sub(body.len() as u64))
            .ok_or_else(|| at_path("has blocks of too many parts".to_owned()))?;
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

    /// The numbers in a head's attribute `stride`; none if it has no such.
    fn strides(&mut self, stride: Option<Id>) -> Vec<f64> {
        let tensor = stride.and_then(|stride| self.tensors.read(stride).ok());
        let few = tensor.filter(|tensor| tensor.numel() <= Limits::BLOCK_INPUTS);
        few.and_then(|tensor| Vec::try_from(tensor.f_view(-1).ok()?.f_to_kind(Kind::Double).ok()?).ok())
            .unwrap_or_default()
    }

    fn call<T>(&mut self, work: impl FnOnce(&mut Builder) -> crate::Result<T>) -> Result<T, String> {
        work(&mut self.builder).map_err(|error| error.to_string())
    }

    /// Reads parameters and buffers; of a convolution with what is fused into it.
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
        if let Some(norm) = view.fused_norm() {
            let norm_tensors = self.tensors(&norm)?;
            let fused = fused(&tensors, &norm_tensors, norm.float("eps")?)?;
            replace_convolution(&mut tensors, fused);
        }
        if let Some(addend) = view.addend() {
            let sum = added(&tensors, &self.tensors(&addend)?)?;
            replace_convolution(&mut tensors, sum);
        }
        Ok(tensors)
    }
}

/// What the mask of a parameter is called that was pruned with torch.nn.utils.prune, until that is made permanent.
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

fn replace_convolution(tensors: &mut Vec<Named>, (weight, bias): (Tensor, Tensor)) {
    tensors.retain(|(name, ..)| !matches!(*name, "weight" | "bias"));
    tensors.push(("weight", weight, TensorRole::Parameter));
    tensors.push(("bias", bias, TensorRole::Parameter));
}

/// A tensor by its name.
fn named(tensors: &[Named], wanted: &str) -> Option<Tensor> {
    tensors.iter().find(|(name, ..)| *name == wanted).map(|(_, tensor, _)| tensor.shallow_clone())
}

/// Weight and bias of the convolution that gives the sum of two, of which `small` has a kernel that is no larger.
fn added(large: &[Named], small: &[Named]) -> Result<(Tensor, Tensor), String> {
    let (Some(weight), Some(addend)) = (named(large, "weight"), named(small, "weight")) else {
        return Err("lacks the tensor \"weight\"".into());
    };
    let (shape, inner) = (weight.size(), addend.size());
    let (&[channels, _, height, width], &[_, _, inner_height, inner_width]) = (shape.as_slice(), inner.as_slice())
    else {
        return Err(format!("adds convolutions with weights of shapes {shape:?} and {inner:?}"));
    };
    let (rows, columns) = ((height - inner_height) / 2, (width - inner_width) / 2);
    let sum = || {
        let addend = addend.f_constant_pad_nd([columns, columns, rows, rows])?;
        if addend.size() != shape {
            return Ok(None);
        }
        let mut bias = Tensor::f_zeros([channels], (Kind::Float, weight.device()))?;
        for tensors in [large, small] {
            if let Some(addend) = named(tensors, "bias") {
                bias = bias.f_add(&addend)?;
            }
        }
        Ok(Some((weight.f_add(&addend)?, bias)))
    };
    let sum = sum().map_err(|error: tch::TchError| crate::Error::from(error).to_string())?;
    sum.ok_or_else(|| format!("adds convolutions with weights of shapes {shape:?} and {inner:?}"))
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
    fn a_convolution_is_added_to_a_larger_one_in_its_centre() {
        let large = [tensor("weight", &[1.0; 9], &[1, 1, 3, 3]), tensor("bias", &[2.0], &[1])];
        let small = [tensor("weight", &[5.0], &[1, 1, 1, 1]), tensor("bias", &[3.0], &[1])];
        let (weight, bias) = added(&large, &small).unwrap();
        assert_eq!(values(weight), [1.0, 1.0, 1.0, 1.0, 6.0, 1.0, 1.0, 1.0, 1.0]);
        assert_eq!(values(bias), [5.0]);
        for misfit in [[1, 2, 1, 1].as_slice(), &[1, 1, 1, 2], &[2]] {
            let small = [tensor("weight", &[5.0, 6.0], misfit)];
            assert!(added(&large, &small).unwrap_err().contains("adds convolutions"), "{misfit:?}");
        }
    }

    #[test]
    fn a_normalisation_that_does_not_fit_is_an_error() {
        let weight = [tensor("weight", &[1.0, 2.0, 3.0], &[3, 1, 1, 1])];
        assert!(fused(&weight, &[tensor("running_mean", &[1.0], &[1])], 1.0).unwrap_err().contains("running_var"));
        let norm = [tensor("running_mean", &[1.0, 1.0], &[2]), tensor("running_var", &[1.0, 1.0], &[2])];
        assert!(fused(&weight, &norm, 1.0).is_err());
    }
}
