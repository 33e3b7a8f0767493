//! YOLO26. Its detector is made of blocks that were there; its masks, keypoints and angles are made in another way.

use super::{
    super::{Block, Task},
    head::{box_head, obb, pose, segment},
};
use crate::model::checkpoint::view::ModuleView;

pub(super) const BLOCKS: &[Block] = &[
    // What is called `semseg` is used in training alone.
    Block::new("Proto26", "feat_refine feat_fuse cv1 upsample cv2 cv3 semseg?", proto).taking(levels),
    Block::new("Segment26", box_head!("cv4? one2one_cv4? proto .nm .npr .detect?"), |module| {
        segment(module, &module.inputs())
    })
    .box_head(Task::Segment),
    Block::new(
        "Pose26",
        box_head!(
            "cv4? one2one_cv4? cv4_kpts? one2one_cv4_kpts? cv4_sigma? one2one_cv4_sigma? flow_model? .kpt_shape .nk .nk_sigma? \
             .detect?"
        ),
        |module| pose(module, (&["cv4", "cv4_kpts"], "{} + c")),
    )
    .box_head(Task::Pose),
    // It is used in training alone.
    Block::new("RealNVP", "loc cov mask s t", |_| Ok(String::new())),
    Block::new("OBB26", box_head!("cv4? one2one_cv4? .ne .angle? .detect?"), |module| obb(module, "{}")).box_head(Task::Obb),
];

/// All levels, the finest first.
fn levels(module: &ModuleView) -> Vec<String> {
    (0..=module.children_of("feat_refine").count()).map(|level| format!("x{level}")).collect()
}

/// The finest level with all others added to it.
fn proto(module: &ModuleView) -> Result<String, String> {
    let refined = module.children_of("feat_refine").enumerate().map(|(index, name)| {
        format!(
            " + torch.upsample_nearest2d(getattr(self.feat_refine, \"{name}\").forward(x{}), [x0.size(2), x0.size(3)], None)",
            index + 1
        )
    });
    Ok(format!(
        "x = self.feat_fuse.forward(x0{})
         return self.cv3.forward(self.cv2.forward(self.upsample.forward(self.cv1.forward(x))))",
        refined.collect::<String>()
    ))
}
