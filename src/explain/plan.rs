//! At which layers the boxes of each level are explained.

use std::iter;

use tch::Tensor;

use super::{ExplainOptions, TargetLayer};
use crate::{
    error::Result,
    families::Aspect,
    model::{Forward, Layer, Model},
};

/// Where a method looks unless it is told. Which layers these are depends on the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AutoLayers {
    /// The feature map that the box's level is predicted from.
    LevelInput,
    /// The end of the backbone with its stages at strides 16 and 8. For methods that keep where in the layer the gradient is:
    /// at the input of a level that is a single cell.
    DeepBackbone,
    /// The end of the backbone with all of its stages.
    WholeBackbone,
    /// No layer: the method changes the picture.
    None,
}

impl AutoLayers {
    /// In a few words.
    pub fn summary(self) -> &'static str {
        match self {
            Self::LevelInput => "the input of the box's head",
            Self::DeepBackbone => "end, P4 and P3 of the backbone",
            Self::WholeBackbone => "all stages of the backbone",
            Self::None => "none",
        }
    }
}

/// Which layers are tapped, and which of them explain the boxes of which level.
pub(super) struct Plan {
    /// Indices of layers, in order.
    pub taps: Vec<usize>,
    /// The layers that explain the boxes of each level; none, if the level sees none of those asked for.
    pub layers_of: Vec<Vec<usize>>,
    /// The layers that were asked for.
    pub asked: Vec<usize>,
    /// The layers that feed each level, to be tried where those asked for say nothing: none, if they are those, or if they
    /// show only a single cell by this method.
    pub feeds_of: Vec<Vec<usize>>,
    /// Whether masks are explained: they are made of prototypes that may come from another level than the box.
    is_of_masks: bool,
}

impl Plan {
    /// For boxes that are explained at the layers of `target`, by the method and for the target of `options`.
    pub fn new(model: &Model, target: &TargetLayer, options: &ExplainOptions) -> Result<Self> {
        let auto_layers = options.method.auto_layers;
        options.target.check(model)?;
        let is_of_masks = options.target.needs == Some(Aspect::Mask);
        if auto_layers == AutoLayers::None {
            let none = vec![Vec::new(); model.levels().len()];
            let feeds_of = none.clone();
            return Ok(Self { taps: Vec::new(), layers_of: none, asked: Vec::new(), feeds_of, is_of_masks });
        }
        let levels = 0..model.levels().len();
        let seen = |layers: &[usize], level: usize| -> Vec<usize> {
            let is_seen = |layer: &Layer| layer.is_seen_by(level) || is_of_masks && layer.is_seen_by_masks();
            layers.iter().copied().filter(|&layer| is_seen(&model.layers()[layer])).collect()
        };
        let layers_of: Vec<Vec<usize>> = match target {
            TargetLayer::Layers(layers) => levels.clone().map(|level| seen(layers, level)).collect(),
            TargetLayer::Auto => {
                // What is said of a whole picture is said of the last feature map.
                let stages = match auto_layers {
                    _ if !model.head().has(Aspect::Box) => Vec::new(),
                    AutoLayers::WholeBackbone => backbone_stages(model, |_| true)?,
                    AutoLayers::DeepBackbone => backbone_stages(model, |stride| [8, 16].contains(&stride))?,
                    AutoLayers::LevelInput | AutoLayers::None => Vec::new(),
                };
                let of_head = |level: usize| match seen(&stages, level) {
                    layers if layers.is_empty() => model.feeds_of(level),
                    layers => Ok(layers),
                };
                levels.clone().map(of_head).collect::<Result<_>>()?
            }
        };
        let is_single_cell = auto_layers != AutoLayers::LevelInput;
        let feeds_of = levels.map(|level| {
            let feeds = model.feeds_of(level).unwrap_or_default();
            let is_tried = *target != TargetLayer::Auto && !is_single_cell && layers_of[level] != feeds;
            if is_tried { feeds } else { Vec::new() }
        });
        let feeds_of: Vec<Vec<usize>> = feeds_of.collect();
        let asked = match target {
            TargetLayer::Layers(layers) => layers.clone(),
            TargetLayer::Auto => Vec::new(),
        };
        let mut taps: Vec<usize> = layers_of.iter().flatten().chain(feeds_of.iter().flatten()).copied().collect();
        // The map of a level that sees none of them has their size.
        taps.extend(asked.first());
        taps.sort_unstable();
        taps.dedup();
        Ok(Self { taps, layers_of, asked, feeds_of, is_of_masks })
    }

    /// Runs the network with the taps of this plan.
    pub fn forward(&self, model: &Model, input: &Tensor) -> Result<Forward> {
        match self.is_at_levels(model) && !self.is_of_masks {
            true => model.forward_to_levels(input, &self.taps),
            false => model.forward(input, &self.taps),
        }
    }

    /// Whether the forward pass of another plan is just that of this one.
    pub fn has_forward_of(&self, other: &Self, model: &Model) -> bool {
        let to_levels = |plan: &Self| plan.is_at_levels(model) && !plan.is_of_masks;
        self.taps == other.taps && to_levels(self) == to_levels(other)
    }

    /// Whether the boxes of each level are explained at that level's own input, and nowhere else.
    fn is_at_levels(&self, model: &Model) -> bool {
        let is_own = |(level, layers): (usize, &Vec<usize>)| {
            model.head().starts_of(level).len() == 1 && model.feeds_of(level).is_ok_and(|feeds| *layers == feeds)
        };
        // Where two levels have the same input there are fewer taps.
        self.taps.len() == self.layers_of.len() && self.layers_of.iter().enumerate().all(is_own)
    }
}

/// The end of the backbone, and its stages at the strides that are wanted: of the layers before the first upsampling the
/// last block at the largest stride, and the last layers at the others. In YOLOv5s model.9, and model.6, 4, 2 and 0 at
/// strides 16, 8, 4 and 2.
///
/// Element-wise maps collapse into one cell at a level's own input; here they show the object (docs/evaluation.md).
fn backbone_stages(model: &Model, is_wanted: fn(u32) -> bool) -> Result<Vec<usize>> {
    let strides = model.layer_strides()?;
    let layers = model.layers();
    let mut backbone: Vec<(usize, u32)> = Vec::new();
    for index in model.outermost_layers() {
        let Some(stride) = strides[index] else { continue };
        if backbone.last().is_some_and(|&(_, last)| stride < last) {
            break;
        }
        backbone.push((index, stride));
    }
    let deepest = backbone.last().map_or(0, |&(_, stride)| stride);
    let last_at = |wanted: u32, is_block: fn(&Layer) -> bool| {
        let fits = |&&(index, stride): &&(usize, u32)| stride == wanted && is_block(&layers[index]);
        backbone.iter().rev().find(fits).map(|&(index, _)| index)
    };
    // The neck begins with a single convolution, before it scales up; that of RT-DETR with attention between two.
    let end = last_at(deepest, |layer| !["Conv", "AIFI"].contains(&layer.class.as_str()))
        .or_else(|| last_at(deepest, |_| true));
    let halvings = iter::successors(Some(deepest / 2), |&stride| Some(stride / 2)).take_while(|&stride| stride > 1);
    let stages = halvings.filter(|&stride| is_wanted(stride)).map(|stride| last_at(stride, |_| true));
    Ok([end].into_iter().chain(stages).flatten().collect())
}
