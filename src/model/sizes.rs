//! Which sizes of the input a network takes, and which it gets.

use super::{
    MIN_STRIDE, Model,
    metadata::Metadata,
    probe::{Found, PROBE},
};
use crate::{
    error::{Error, Result},
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
    /// This one alone: it is baked into the trace.
    Fixed(Size),
}

impl Sizes {
    /// Of a network whose head was measured. The Ultralytics package pads to the smallest rectangle only for checkpoints and for
    /// exports that are dynamic.
    ///
    /// # Errors
    /// In one line, why no picture can be brought to the only size.
    pub fn of(head: &dyn Head, metadata: &Metadata, found: &Found) -> Result<Self, String> {
        let is_square = |size: Size| size.width == size.height;
        let takes = |size: Size| matches!(head.framing(), Framing::Letterbox | Framing::Stretch) || is_square(size);
        if found.is_only {
            return match takes(found.size) {
                true => Ok(Self::Fixed(found.size)),
                false => Err(format!(
                    "runs only at the size that it was traced at, {}; classifiers are explained at squares: export it again \
                     at one",
                    found.size
                )),
            };
        }
        let is_static = metadata.ultralytics_version.is_some() && !metadata.is_dynamic;
        let stride = max_stride(head);
        let fits = |size: &Size| {
            let is_sound = |side: u32| side.is_multiple_of(stride) && side <= Limits::TRACED_SIDE;
            takes(*size) && is_sound(size.width) && is_sound(size.height)
        };
        let traced = metadata.traced_size().filter(|size| is_static && fits(size));
        Ok(traced.map_or(Self::Any, Self::Traced))
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

    /// The only size of the input that the network runs at: that at which it was traced, where sizes are baked into the trace.
    /// `None` if it runs at any.
    pub fn fixed_size(&self) -> Option<Size> {
        match self.sizes {
            Sizes::Fixed(size) => Some(size),
            Sizes::Traced(_) | Sizes::Any => None,
        }
    }

    /// Whether the network runs at this size of the input, which is [`input_side`](Self::input_side)'s.
    ///
    /// # Errors
    /// [`Error::FixedSize`] if it runs at another alone.
    pub fn check_img_size(&self, img_size: Option<u32>) -> Result<()> {
        match (self.fixed_size(), img_size) {
            (Some(fixed), Some(asked)) if fixed.longest() != asked => Err(Error::FixedSize { asked, fixed }),
            _ => Ok(()),
        }
    }

    /// An input that shows strides and shapes.
    pub(crate) fn probe_size(&self) -> Size {
        self.fixed_size().unwrap_or(PROBE)
    }

    /// How many pictures the network takes at once: their number may be baked into a trace too.
    pub(crate) fn most_pictures(&self) -> usize {
        self.most_pictures
    }

    /// The size that every picture is padded to, whatever its shape; `None` where that is the smallest rectangle of whole strides
    /// that holds it. `img_size` as in [`input_side`](Self::input_side).
    pub fn full_size(&self, img_size: Option<u32>) -> Option<Size> {
        match self.sizes {
            Sizes::Fixed(size) => Some(size),
            Sizes::Traced(size) if img_size.is_none() => Some(size),
            Sizes::Traced(_) | Sizes::Any => None,
        }
    }

    /// The longest side of the input that `img_size` leads to, in pixels: whole strides. `None` is the side that a static export
    /// of the Ultralytics package was traced at, else 640, of classifiers 224. That of [`fixed_size`](Self::fixed_size), if there is
    /// one, whatever `img_size` is.
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
