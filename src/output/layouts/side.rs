//! Before and after.

use yolo_cam::render::{Blend, HeatArea, side};

use super::{Drawn, LayoutSpec};

pub const SPEC: LayoutSpec = LayoutSpec {
    name: "side",
    summary: "The picture, and beside it the same with all boxes",
    heat: HeatArea::Full,
    blend: Blend::Heat,
    is_small_scale: false,
    draw: |explained, options| {
        let pair = side(explained.picture, explained.explanation, explained.model, options)?;
        Ok(Drawn::single(explained.names, pair))
    },
};
