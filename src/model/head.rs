//! Detection heads: the convolutions whose raw output a box is decoded from.

use std::collections::HashMap;

use tch::Tensor;

use crate::limits::Limits;

/// One detection head of a YOLOv5 network, a 1×1 convolution on one feature map.
#[derive(Debug, Clone)]
pub struct Head {
    /// Path of the convolution, `model.24.m.0`.
    pub path: String,
    /// Input pixels per cell.
    pub stride: u32,
    /// Rank by stride: 0 is the finest.
    pub rank: usize,
    /// Width and height of each anchor in input pixels.
    pub anchors: Vec<[f32; 2]>,
    /// Channels per anchor: x, y, w, h, objectness, the classes, then mask coefficients if it segments.
    pub channels_per_anchor: usize,
}

impl Head {
    /// The pyramid level, `P3` for stride 8.
    pub fn name(&self) -> String {
        format!("P{}", self.stride.ilog2())
    }
}

/// What the weights alone tell of the heads, before a forward pass shows their strides.
#[derive(Debug)]
pub(super) struct HeadModule {
    /// Path of the module that holds the heads, `model.24`.
    pub path: String,
    /// Anchor sizes in cells, per head.
    pub anchors: Vec<Vec<[f32; 2]>>,
    /// The same in pixels, where the file has them apart. YOLOv5 up to v5.0 decodes with these, and leaves the others wrong
    /// where it reversed their order.
    pub pixel_anchors: Option<Vec<Vec<[f32; 2]>>>,
    pub channels_per_anchor: usize,
    pub classes: usize,
}

/// Channels in front of the classes: x, y, w, h, objectness.
pub(super) const BOX_CHANNELS: usize = 5;

impl HeadModule {
    /// Finds the detection head by its structure: a module with a buffer `anchors` [heads, anchors, 2] and as many
    /// 1×1 convolutions `m.0`, `m.1`, … with the same number of channels for each anchor. A `proto` beside them
    /// makes it a segmentation head, whose mask coefficients come last.
    ///
    /// `tensors`: parameters and buffers by path. The error says what is missing.
    pub fn find(tensors: &[(String, Tensor)]) -> Result<Self, String> {
        let by_path: HashMap<&str, &Tensor> = tensors.iter().map(|(path, tensor)| (path.as_str(), tensor)).collect();
        let get = |path: &str| by_path.get(path).copied();
        let mut found = Vec::new();
        for (name, anchors) in tensors {
            let Some(path) = name.strip_suffix(".anchors") else { continue };
            let &[n_heads, n_anchors, 2] = anchors.size().as_slice() else { continue };
            // Sets of heads are kept in 64 bits.
            if n_anchors == 0 || !(1..=64).contains(&n_heads) {
                continue;
            }
            let channels = (0..n_heads)
                .map(|head| match get(&format!("{path}.m.{head}.weight"))?.size().as_slice() {
                    &[channels, _, 1, 1] if channels % n_anchors == 0 => Some((channels / n_anchors) as usize),
                    _ => None,
                })
                .collect::<Option<Vec<_>>>();
            let Some(&[channels_per_anchor, ref rest @ ..]) = channels.as_deref() else { continue };
            let masks = get(&format!("{path}.proto.cv3.conv.weight")).map_or(0, |weight| weight.size()[0] as usize);
            if rest.iter().any(|&other| other != channels_per_anchor) || channels_per_anchor <= BOX_CHANNELS + masks {
                continue;
            }
            found.push(Self {
                path: path.to_owned(),
                anchors: anchor_sizes(anchors),
                pixel_anchors: get(&format!("{path}.anchor_grid"))
                    .filter(|grid| grid.size() == [n_heads, 1, n_anchors, 1, 1, 2])
                    .and_then(|grid| grid.f_reshape([n_heads, n_anchors, 2]).ok())
                    .map(|grid| anchor_sizes(&grid)),
                channels_per_anchor,
                classes: channels_per_anchor - BOX_CHANNELS - masks,
            });
        }
        match found.len() {
            1 if found[0].classes > Limits::CLASSES => {
                Err(format!("has a head for {} classes; at most {} are explained", found[0].classes, Limits::CLASSES))
            }
            1 => Ok(found.remove(0)),
            0 if get_suffix(tensors, ".dfl.conv.weight") => {
                Err("has an anchor-free head (YOLOv8 or later), and only YOLOv5's anchor-based head is supported"
                    .into())
            }
            0 => Err("has no YOLOv5 detection head (a module with a buffer 'anchors' and 1x1 convolutions 'm.0', \
                      'm.1', ...)"
                .into()),
            n => Err(format!("has {n} detection heads, and exactly one is supported")),
        }
    }

    /// Anchor sizes of head `index` in pixels, for its stride.
    pub fn anchors_in_pixels(&self, index: usize, stride: u32) -> Vec<[f32; 2]> {
        match &self.pixel_anchors {
            Some(anchors) => anchors[index].clone(),
            None => self.anchors[index].iter().map(|&[w, h]| [w * stride as f32, h * stride as f32]).collect(),
        }
    }

    /// Paths of the head convolutions.
    pub fn convolutions(&self) -> Vec<String> {
        (0..self.anchors.len()).map(|head| format!("{}.m.{head}", self.path)).collect()
    }
}

fn get_suffix(tensors: &[(String, Tensor)], suffix: &str) -> bool {
    tensors.iter().any(|(name, _)| name.ends_with(suffix))
}

/// `[heads, anchors, 2]` as nested vectors.
fn anchor_sizes(anchors: &Tensor) -> Vec<Vec<[f32; 2]>> {
    let size = anchors.size();
    let at = |head, anchor, side| anchors.double_value(&[head, anchor, side]) as f32;
    (0..size[0]).map(|head| (0..size[1]).map(|anchor| [at(head, anchor, 0), at(head, anchor, 1)]).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    fn find(anchors: &[i64]) -> Result<HeadModule, String> {
        let zeros = |size: &[i64]| Tensor::zeros(size, (Kind::Float, Device::Cpu));
        let weights = (0..anchors[0].min(70)).map(|head| (format!("model.9.m.{head}.weight"), zeros(&[21, 8, 1, 1])));
        let tensors: Vec<_> = weights.chain([("model.9.anchors".to_owned(), zeros(anchors))]).collect();
        HeadModule::find(&tensors)
    }

    #[test]
    fn heads_are_found_by_their_structure() {
        let found = find(&[2, 3, 2]).unwrap();
        assert_eq!((found.path.as_str(), found.anchors.len(), found.classes), ("model.9", 2, 2));
    }

    #[test]
    fn anchors_without_sense_are_no_head() {
        for anchors in [[2, 0, 2], [0, 3, 2], [65, 3, 2], [2, 3, 4]] {
            assert!(find(&anchors).unwrap_err().contains("no YOLOv5 detection head"), "{anchors:?}");
        }
    }
}
