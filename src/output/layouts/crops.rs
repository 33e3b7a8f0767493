//! Small boxes, enlarged.

use yolo_cam::render::{Blend, HeatArea, crops};

use super::{Drawn, LayoutSpec};

pub const SPEC: LayoutSpec = LayoutSpec {
    name: "crops",
    summary: "The picture, then each box cut out and enlarged, without and with heat, in rows",
    heat: HeatArea::Full,
    blend: Blend::Heat,
    is_small_scale: false,
    draw: |explained, options| {
        let sheet = crops(explained.picture, explained.explanation, explained.model, options)?;
        Ok(Drawn::of_sheet(explained.names, sheet))
    },
};
