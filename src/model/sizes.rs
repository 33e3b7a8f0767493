//! Which sizes of the input a network takes, and which it gets.

use super::{MIN_STRIDE, Model, metadata::Metadata};
use crate::{
    families::{Aspect, Framing, Head},
    geometry::Size,
    limits::Limits,
};

/// Which sizes of the input a network takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sizes {
    /// All whose sides are whole strides.
    Any,
    /// The same. Unless the user chooses, each picture is padded to this one, as the package does that traced the network.
    Traced(Size),
}

impl Sizes {
    /// Of a network that runs at any size. The Ultralytics package pads to the smallest rectangle only for checkpoints and for
    /// exports that are dynamic.
    pub fn of(head: &dyn Head, metadata: &Metadata) -> Self {
        let is_static = metadata.ultralytics_version.is_some() && !metadata.is_dynamic;
        let stride = max_stride(head);
        let fits = |size: &Size| {
            let is_framed = head.framing() == Framing::Letterbox || size.width == size.height;
            let is_sound = |side: u32| side.is_multiple_of(stride) && side <= Limits::TRACED_SIDE;
            is_framed && is_sound(size.width) && is_sound(size.height)
        };
        match metadata.traced_size().filter(|size| is_static && fits(size)) {
            Some(size) => Self::Traced(size),
            None => Self::Any,
        }
    }
}

/// As [`Model::max_stride`].
fn max_stride(head: &dyn Head) -> u32 {
    if !head.has(Aspect::Box) {
        return 1;
    }
    head.levels().iter().map(|level| level.stride).fold(MIN_STRIDE, u32::max)
}

impl Model {
    /// What sides of the input are multiples of: the largest stride of a level, but at least 32, as in YOLOv5. The
    /// network may scale down further than its levels do. Where a network predicts no boxes: 1, any side will do.
    pub fn max_stride(&self) -> u32 {
        max_stride(self.head())
    }

    /// The size that every picture is padded to, whatever its shape; `None` where that is the smallest rectangle of whole strides
    /// that holds it. `img_size` as in [`input_side`](Self::input_side).
    pub fn full_size(&self, img_size: Option<u32>) -> Option<Size> {
        match self.sizes {
            Sizes::Traced(size) if img_size.is_none() => Some(size),
            Sizes::Traced(_) | Sizes::Any => None,
        }
    }

    /// The longest side of the input that `img_size` leads to, in pixels: whole strides. `None` is the side that a static export
    /// of the Ultralytics package was traced at, else 640, of classifiers 224.
    pub fn input_side(&self, img_size: Option<u32>) -> u32 {
        if let Some(size) = self.full_size(img_size) {
            return size.longest();
        }
        img_size.unwrap_or(self.head().habits().img_size).max(1).next_multiple_of(self.max_stride())
    }

    /// The largest input that `img_size` leads to.
    pub fn input_size(&self, img_size: Option<u32>) -> Size {
        self.full_size(img_size).unwrap_or_else(|| Size::square(self.input_side(img_size)))
    }
}
