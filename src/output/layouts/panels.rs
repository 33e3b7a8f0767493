//! The known tool's layout.

use yolo_cam::render::{Blend, HeatArea, panels};

use super::{Drawn, LayoutSpec};

pub const SPEC: LayoutSpec = LayoutSpec {
    name: "panels",
    summary: "The network's input, then a panel for each box",
    heat: HeatArea::Box,
    blend: Blend::Uniform,
    is_small_scale: true,
    draw: |explained, options| {
        Ok(Drawn::of_sheet(explained.names, panels(explained.explanation, explained.model, options)?))
    },
};
