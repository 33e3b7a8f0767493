//! Weights that lost what was learnt, for tests of whether maps depend on it.

use std::sync::Arc;

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use tch::Tensor;

use super::{GraphKind, Model, Precision, Shared};
use crate::{
    error::{Error, Result},
    tensor::values,
};

impl Model {
    /// Paths of the outermost modules that have weights, against the order of execution: the head's first, `model.24`,
    /// `model.23`, …, `model.0`.
    ///
    /// # Errors
    /// [`Error::Libtorch`] if there is not enough memory.
    pub(crate) fn weighted_modules(&self) -> Result<Vec<String>> {
        let weights = self.weights()?;
        let has_weights = |path: &str| weights.iter().any(|(name, _)| is_inside(name, path));
        let outer = self.layers.outermost().map(|index| self.layers.list[index].path.as_str());
        let paths = outer.chain([self.layers.head_module()]).filter(|path| has_weights(path));
        let mut paths: Vec<String> = paths.map(str::to_owned).collect();
        paths.reverse();
        Ok(paths)
    }

    /// Shuffles the values of each weight and bias inside the module `path`, in memory: what was learnt is gone, the
    /// range of the activations stays. Handles that [`share`](Self::share) gave keep the weights that they had. The same
    /// `seed` gives the same weights.
    ///
    /// # Errors
    /// [`Error::LayerNotFound`] if nothing inside has weights; [`Error::Libtorch`].
    pub(crate) fn shuffle_weights(&mut self, path: &str, seed: u64) -> Result<()> {
        self.own_weights()?;
        let mut is_found = false;
        for ((name, tensor), stream) in self.weights()?.iter().zip(0..) {
            if !is_inside(name, path) {
                continue;
            }
            is_found = true;
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            random.set_stream(stream);
            let mut shuffled = values(tensor)?;
            for last in (1..shuffled.len()).rev() {
                // Fisher and Yates; the bias of this scaling is below 2⁻³².
                let other = ((u128::from(random.next_u64()) * (last as u128 + 1)) >> 64) as usize;
                shuffled.swap(last, other);
            }
            overwrite(tensor, &Tensor::from_slice(&shuffled).f_view(tensor.size().as_slice())?)?;
        }
        if is_found { Ok(()) } else { Err(Error::LayerNotFound { name: path.to_owned(), similar: None }) }
    }

    /// Swaps classes in the head, in memory, each with that at its place in `partners`, which are pairs; one without partner stays.
    /// The network says of each what it said of the other. `false`, and nothing is changed, if the head does not say where
    /// its classes are, or none has a partner. Handles that [`share`](Self::share) gave keep their weights.
    ///
    /// # Errors
    /// [`Error::Libtorch`].
    pub(crate) fn swap_class_rows(&mut self, partners: &[Option<usize>]) -> Result<bool> {
        let channels = self.head().class_channels();
        if channels.is_empty() || partners.iter().all(Option::is_none) {
            return Ok(false);
        }
        self.own_weights()?;
        let outputs = self.head().outputs();
        let mut is_found = false;
        for (name, tensor) in self.weights()? {
            let output = outputs.iter().position(|path| is_inside(&name, path));
            let Some(starts) = output.and_then(|output| channels.get(output)) else { continue };
            let mut order: Vec<i64> = (0..tensor.size()[0]).collect();
            for start in starts {
                for (class, partner) in partners.iter().enumerate() {
                    order[start + class] = (start + partner.unwrap_or(class)) as i64;
                }
            }
            let order = Tensor::from_slice(&order).f_to_device(tensor.device())?;
            overwrite(&tensor, &tensor.f_index_select(0, &order)?)?;
            is_found = true;
        }
        Ok(is_found)
    }

    /// Overwrites the weights by those of another handle of the same file.
    ///
    /// # Errors
    /// [`Error::Libtorch`] if the networks differ.
    pub(crate) fn restore_weights(&mut self, from: &Self) -> Result<()> {
        self.own_weights()?;
        let (own, from) = (self.weights()?, from.weights()?);
        if own.len() != from.len() {
            return Err(Error::Libtorch(format!("{} weights cannot take the values of {}", own.len(), from.len())));
        }
        own.iter().zip(&from).try_for_each(|((_, own), (_, from))| overwrite(own, from))
    }

    /// Copies the weights, if another handle has them too: threads that run the network must not see them change. What was made
    /// of them is forgotten.
    fn own_weights(&mut self) -> Result<()> {
        // Nobody can take a share meanwhile: that needs this handle, or one of those that there are.
        match Arc::get_mut(&mut self.shared) {
            Some(shared) => {
                *shared = Shared::default();
                self.graphs.get_mut().remove(&GraphKind::Boxes(Precision::Bf16));
            }
            None => *self = self.copied()?,
        }
        Ok(())
    }

    fn weights(&self) -> Result<Vec<(String, Tensor)>> {
        let mut tensors = self.module.tensors()?;
        tensors.retain(|(name, tensor)| {
            (name.ends_with("weight") || name.ends_with("bias")) && tensor.is_floating_point()
        });
        Ok(tensors)
    }
}

fn is_inside(name: &str, path: &str) -> bool {
    name.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'))
}

fn overwrite(tensor: &Tensor, values: &Tensor) -> Result<()> {
    tch::no_grad(|| tensor.shallow_clone().f_copy_(values))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    #[test]
    fn shuffled_weights_change_this_handle_alone_and_restored_ones_bring_it_back() {
        let file = "weights/yolov5s.torchscript";
        let intact = Model::load(file, Device::Cpu).unwrap();
        let mut model = intact.share().unwrap();
        let modules = model.weighted_modules().unwrap();
        assert_eq!((modules[0].as_str(), modules[1].as_str()), ("model.24", "model.23"));
        assert_eq!(modules.last().map(String::as_str), Some("model.0"));
        assert!(!modules.contains(&"model.22".to_owned()), "a concatenation has none");
        let input = Tensor::full([1, 3, 64, 64], 0.5, (Kind::Float, Device::Cpu));
        let run = |model: &Model| model.forward(&input, &[]).unwrap();
        let before = run(&model);
        model.shuffle_weights("model.24", 0).unwrap();
        let after = run(&model);
        let differs = |a: &Tensor, b: &Tensor| a.f_sub(b).unwrap().abs().max().double_value(&[]) > 1e-3;
        assert!(differs(&before.outputs[0], &after.outputs[0]), "the head is another");
        assert!(!differs(&before.outputs[0], &run(&intact).outputs[0]), "other handles keep their weights");
        assert!(!differs(&before.level_inputs[0], &after.level_inputs[0]), "what feeds it is not");
        let sorted = |model: &Model| {
            let mut values = values(&model.pointwise[0].as_ref().unwrap().weight).unwrap();
            values.sort_by(f32::total_cmp);
            values
        };
        assert_eq!(sorted(&model), sorted(&intact), "the same values elsewhere");
        model.restore_weights(&intact).unwrap();
        assert!(!differs(&before.outputs[0], &run(&model).outputs[0]));
        let rounded = |model: &Model| model.forward_boxes_in(&input, Precision::Bf16).unwrap().remove(0);
        let before_rounded = rounded(&model);
        model.shuffle_weights("model.24", 0).unwrap();
        assert!(differs(&before_rounded, &rounded(&model)), "what was made of the weights changes with them");
        model.restore_weights(&intact).unwrap();
        assert!(!differs(&before_rounded, &rounded(&model)));
        let shared = model.share().unwrap();
        model.shuffle_weights("model.0", 0).unwrap();
        assert!(
            differs(&before.level_inputs[0], &run(&model).level_inputs[0]),
            "its graphs are those of its new weights"
        );
        assert!(!differs(&before.outputs[0], &run(&shared).outputs[0]), "a handle that it gave keeps them too");
        assert!(matches!(model.shuffle_weights("model.22", 0), Err(Error::LayerNotFound { .. })));
    }
}
