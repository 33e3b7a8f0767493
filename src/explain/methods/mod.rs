//! How a box is explained. A method is one file here and one line in `METHODS`.

mod ablation_cam;
mod auto;
mod best;
mod d_rise;
mod eigen_cam;
mod eigen_grad_cam;
mod element_wise;
mod grad_cam;
mod grad_cam_pp;
mod hires_cam;
mod layer_cam;
mod odam;
mod perturb;
mod score_cam;
mod ss_grad_cam_pp;
mod xgrad_cam;

use ndarray::{Array2, ArrayView3, Axis, Zip};

pub use self::{
    ablation_cam::{ABLATION_CAM, ablation_cam},
    auto::AUTO,
    best::BEST,
    d_rise::{D_RISE, DRise, random_masks},
    eigen_cam::{EIGEN_CAM, eigen_cam},
    eigen_grad_cam::{EIGEN_GRAD_CAM, eigen_grad_cam},
    element_wise::{ELEMENT_WISE, element_wise},
    grad_cam::{GRAD_CAM, grad_cam},
    grad_cam_pp::{GRAD_CAM_PP, grad_cam_pp},
    hires_cam::{HIRES_CAM, hires_cam},
    layer_cam::{LAYER_CAM, layer_cam},
    odam::{ODAM, odam},
    perturb::Perturbation,
    score_cam::{SCORE_CAM, score_cam},
    ss_grad_cam_pp::{SS_GRAD_CAM_PP, ss_grad_cam_pp},
    xgrad_cam::{XGRAD_CAM, xgrad_cam},
};
use super::Watch;
pub use super::plan::AutoLayers;
pub use crate::tensor::MemoryOrder;
use crate::{
    detect::Detection,
    error::{Error, Result},
    model::{Model, Precision},
    registry::{Listed, Registry, Spec},
};

/// All methods, in the order in which they are listed.
static METHODS: Registry<MethodSpec> = Registry::new(&[
    &auto::SPEC,
    &grad_cam::SPEC,
    &grad_cam_pp::SPEC,
    &xgrad_cam::SPEC,
    &hires_cam::SPEC,
    &element_wise::SPEC,
    &layer_cam::SPEC,
    &odam::SPEC,
    &ss_grad_cam_pp::SPEC,
    &eigen_cam::SPEC,
    &eigen_grad_cam::SPEC,
    &score_cam::SPEC,
    &ablation_cam::SPEC,
    &d_rise::SPEC,
    &best::SPEC,
]);

/// A method: what it is called, where it comes from, and what it does.
pub struct MethodSpec {
    /// The name in options and reports.
    pub name: &'static str,
    /// Other spellings that options take.
    pub aliases: &'static [&'static str],
    /// What the map is, in a line.
    pub summary: &'static str,
    /// Who published it, `Selvaraju et al., 2017`; empty if nobody did.
    pub authors: &'static str,
    /// Where it can be read.
    pub source: &'static str,
    /// What it takes besides the forward pass that finds the boxes, in a line.
    pub cost: &'static str,
    /// Where it looks unless it is told.
    pub auto_layers: AutoLayers,
    /// If it is another method with settings of its own, that method's name. Its layers are part of the settings.
    pub preset_of: Option<&'static str>,
    /// The exponent that raises the contrast of its maps: (x ÷ peak)^power. 1 leaves them as they are.
    pub power: f32,
    /// In which order it wants activations and gradients in memory: that in which it goes through them. Changes nothing but speed.
    pub order: MemoryOrder,
    /// Which of [`MethodOptions`] it looks at.
    pub settings: &'static [Setting],
    /// What it does.
    pub run: Run,
}

impl MethodSpec {
    /// A method about which nothing else is known: it looks at a level's input, and takes one backward pass per box.
    pub const fn new(name: &'static str, run: Run) -> Self {
        Self {
            name,
            aliases: &[],
            summary: "",
            authors: "",
            source: "",
            cost: "1 backward pass to the layer per box",
            auto_layers: AutoLayers::LevelInput,
            preset_of: None,
            power: 1.0,
            order: MemoryOrder::Channels,
            settings: &[],
            run,
        }
    }
}

/// A field of [`MethodOptions`] that changes the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// [`MethodOptions::smooth`].
    Smooth,
    /// [`MethodOptions::masks`].
    Masks,
    /// [`MethodOptions::seed`].
    Seed,
    /// [`MethodOptions::max_channels`].
    MaxChannels,
    /// [`MethodOptions::precision`].
    Precision,
}

/// What a method does, and what it needs for that.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Run {
    /// Weights a layer's activations by the target's gradient there.
    Gradient(GradientMap),
    /// Looks at a layer's activations, whatever the box.
    Activations(ActivationMap),
    /// Runs the network again for the channels of a layer.
    Channels(ChannelMaps),
    /// Runs the network on changed pictures.
    Pictures(PictureMaps),
    /// Another method, which depends on the model, and on whether it is told where to look.
    Choice(fn(&Model, bool) -> Method),
}

/// Makes a map `[h, w]`, before the ReLU, of a layer's activations and the target's gradient there, `[K, h, w]` each.
pub type GradientMap = fn(ArrayView3<f32>, ArrayView3<f32>, &MethodOptions) -> Result<Array2<f32>>;
/// Makes a map `[h, w]`, before the ReLU, of a layer's activations `[K, h, w]`.
pub type ActivationMap = fn(ArrayView3<f32>, &MethodOptions) -> Result<Array2<f32>>;
/// Makes a map `[h, w]` of each box at a layer (its index in [`crate::Model::layers`]).
pub type ChannelMaps = fn(&Perturbation, usize, &[Detection], &mut Watch) -> Result<Vec<Array2<f32>>>;
/// Makes a map `[H, W]` of each box.
pub type PictureMaps = fn(&Perturbation, &[Detection], &mut Watch) -> Result<Vec<Array2<f32>>>;

impl Spec for MethodSpec {
    const KIND: &'static str = "Method";

    fn name(&self) -> &'static str {
        self.name
    }

    fn aliases(&self) -> &'static [&'static str] {
        self.aliases
    }

    fn list() -> &'static Registry<Self> {
        &METHODS
    }
}

/// A method in the list, which derefs to its [`MethodSpec`].
pub type Method = Listed<MethodSpec>;

impl Method {
    /// Whether it can be told where to look: some look at no layer, and a preset has its own.
    pub fn takes_layers(self) -> bool {
        self.preset_of.is_none() && self.auto_layers != AutoLayers::None
    }

    /// What it needs, in a word: `gradient`, `activations` or `forwards`.
    pub fn needs(self) -> &'static str {
        match self.run {
            Run::Gradient(_) => "gradient",
            Run::Activations(_) => "activations",
            Run::Channels(_) | Run::Pictures(_) => "forwards",
            Run::Choice(_) => "-",
        }
    }

    /// What explains the boxes of this model: the method itself, or what it chooses. `has_layers`: whether it is told where to
    /// look.
    pub fn of(self, model: &Model, has_layers: bool) -> Self {
        match self.run {
            Run::Choice(choose) => choose(model, has_layers),
            Run::Gradient(_) | Run::Activations(_) | Run::Channels(_) | Run::Pictures(_) => self,
        }
    }

    /// Whether this one of [`MethodOptions`] changes its maps.
    pub fn takes(self, setting: Setting) -> bool {
        self.settings.contains(&setting)
    }

    /// Whether it only chooses another method.
    pub fn is_choice(self) -> bool {
        matches!(self.run, Run::Choice(_))
    }

    /// Whether it takes the gradient of a target.
    pub fn takes_gradient(self) -> bool {
        matches!(self.run, Run::Gradient(_) | Run::Choice(_))
    }

    /// Whether it runs the network again and again, for which it tracks the confidence of boxes.
    pub fn runs_again(self) -> bool {
        matches!(self.run, Run::Channels(_) | Run::Pictures(_))
    }
}

impl Default for Method {
    fn default() -> Self {
        AUTO
    }
}

/// What a method takes besides activations and gradients.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct MethodOptions {
    /// ODAM: standard deviation of the Gaussian that smooths the gradient, in cells; 0 does not. Default: 0.
    pub smooth: f32,
    /// D-RISE: how many masks. Default: 1000.
    pub masks: usize,
    /// D-RISE: which random masks. Default: 0.
    pub seed: u64,
    /// Score-CAM and Ablation-CAM: only so many channels, those that vary most. Default: all.
    pub max_channels: Option<usize>,
    /// How many changed pictures are run at once by methods without gradients. Changes speed and memory, and the map only
    /// by rounding. Default: 8.
    pub batch: usize,
    /// D-RISE and Score-CAM: in which precision the network runs on changed pictures. Default: f32.
    pub precision: Precision,
}

with_fields!(MethodOptions {
    with_smooth => smooth: f32,
    with_masks => masks: usize,
    with_seed => seed: u64,
    with_max_channels => max_channels: Option<usize>,
    with_batch => batch: usize,
    with_precision => precision: Precision,
});

impl Default for MethodOptions {
    fn default() -> Self {
        Self { smooth: 0.0, masks: 1000, seed: 0, max_channels: None, batch: 8, precision: Precision::F32 }
    }
}

fn check_shapes(acts: ArrayView3<f32>, grads: ArrayView3<f32>) -> Result<()> {
    if acts.dim() == grads.dim() {
        return Ok(());
    }
    Err(Error::Shape { activations: acts.shape().to_vec(), weights: "gradients", found: grads.shape().to_vec() })
}

/// Σ_k of `term(activation, gradient)` in each cell.
fn sum_of_products(
    acts: ArrayView3<f32>,
    grads: ArrayView3<f32>,
    term: impl Fn(f32, f32) -> f32,
) -> Result<Array2<f32>> {
    check_shapes(acts, grads)?;
    let (_, height, width) = acts.dim();
    let mut map = Array2::zeros((height, width));
    let channels = Axis(0);
    if acts.stride_of(channels) == 1 && grads.stride_of(channels) == 1 {
        Zip::from(&mut map).and(acts.lanes(channels)).and(grads.lanes(channels)).for_each(|sum, acts, grads| {
            let (acts, grads) = acts.to_slice().zip(grads.to_slice()).expect("their strides are 1");
            *sum = sum_of_terms(acts, grads, &term);
        });
    } else {
        for (act, grad) in acts.outer_iter().zip(grads.outer_iter()) {
            Zip::from(&mut map).and(&act).and(&grad).for_each(|sum, &act, &grad| *sum += term(act, grad));
        }
    }
    Ok(map)
}

/// Σ of `term(a, b)`, in as many sums side by side as a processor works on at once.
fn sum_of_terms(a: &[f32], b: &[f32], term: impl Fn(f32, f32) -> f32) -> f32 {
    let ((a, rest_of_a), (b, rest_of_b)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    let mut sums = [0.0; 16];
    for (a, b) in a.iter().zip(b) {
        sums.iter_mut().zip(a).zip(b).for_each(|((sum, &a), &b)| *sum += term(a, b));
    }
    let rest: f32 = rest_of_a.iter().zip(rest_of_b).map(|(&a, &b)| term(a, b)).sum();
    sums.iter().sum::<f32>() + rest
}

/// Σ_k of the channel's weight times its activation, in each cell.
fn weighted_sum(
    acts: ArrayView3<f32>,
    grads: ArrayView3<f32>,
    weight: impl Fn(ndarray::ArrayView2<f32>, ndarray::ArrayView2<f32>) -> f32,
) -> Result<Array2<f32>> {
    check_shapes(acts, grads)?;
    let (_, height, width) = acts.dim();
    let mut map = Array2::zeros((height, width));
    for (act, grad) in acts.outer_iter().zip(grads.outer_iter()) {
        map.scaled_add(weight(act, grad), &act);
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    #[test]
    fn names_and_aliases_are_different() {
        let methods = Method::all();
        let names = methods.iter().flat_map(|method| [&[method.name], method.aliases].concat());
        let names: Vec<&str> = names.collect();
        let different: std::collections::HashSet<_> = names.iter().collect();
        assert_eq!(different.len(), names.len(), "{names:?}");
        assert!(names.iter().all(|name| Method::named(name).is_some()));
        assert_eq!(Method::named("gradcampp"), Some(GRAD_CAM_PP));
    }

    #[test]
    fn shapes_that_differ_are_an_error() {
        let (a, b) = (Array3::zeros((2, 3, 4)), Array3::zeros((2, 4, 3)));
        for method in Method::all() {
            let Run::Gradient(map) = method.run else { continue };
            let map = map(a.view(), b.view(), &MethodOptions::default());
            assert!(matches!(map, Err(Error::Shape { .. })), "{}", method.name);
        }
    }

    #[test]
    fn the_order_in_memory_changes_nothing() {
        // As many channels as fill whole sums side by side, and some more.
        let wave =
            |scale: f32| Array3::from_shape_fn((37, 3, 5), |(k, y, x)| ((k * 15 + y * 5 + x) as f32 * scale).sin());
        let (acts, grads) = (wave(0.7), wave(1.3));
        let by_cells = |array: &Array3<f32>| {
            let cells = array.view().permuted_axes([1, 2, 0]).as_standard_layout().into_owned();
            cells.permuted_axes([2, 0, 1])
        };
        let (acts_by_cells, grads_by_cells) = (by_cells(&acts), by_cells(&grads));
        assert_ne!(acts.strides(), acts_by_cells.strides());
        for method in Method::all() {
            let Run::Gradient(map) = method.run else { continue };
            let map = |acts: &Array3<f32>, grads: &Array3<f32>| {
                map(acts.view(), grads.view(), &MethodOptions::default()).unwrap()
            };
            let (expected, found) = (map(&acts, &grads), map(&acts_by_cells, &grads_by_cells));
            let peak = expected.iter().fold(0.0f32, |peak, value| peak.max(value.abs()));
            let worst = (&expected - &found).iter().fold(0.0f32, |worst, value| worst.max(value.abs()));
            assert!(worst <= 1e-5 * peak, "{}: off by {worst}, peak {peak}", method.name);
        }
    }

    #[test]
    fn zeros_give_zeros() {
        let zeros = Array3::zeros((2, 3, 4));
        let options = MethodOptions::default();
        for method in Method::all() {
            let map = match method.run {
                Run::Gradient(map) => map(zeros.view(), zeros.view(), &options),
                Run::Activations(map) => map(zeros.view(), &options),
                _ => continue,
            };
            assert_eq!(map.unwrap(), Array2::<f32>::zeros((3, 4)), "{}", method.name);
        }
    }
}
