//! Many boxes on one picture.

use yolo_cam::render::{Blend, HeatArea, sheet};

use super::{Drawn, LayoutSpec};

pub const SPEC: LayoutSpec = LayoutSpec {
    name: "sheet",
    summary: "The picture and a tile for each box, in rows",
    heat: HeatArea::Box,
    blend: Blend::Heat,
    is_small_scale: true,
    draw: |explained, options| {
        let sheet = sheet(explained.picture, explained.explanation, explained.model, options)?;
        Ok(Drawn::of_sheet(explained.names, sheet))
    },
};
