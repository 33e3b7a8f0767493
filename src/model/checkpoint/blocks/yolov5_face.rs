//! The blocks of YOLOv5-face, `models/common.py` of <https://github.com/deepcam-cn/yolov5-face>, and of its forks for licence plates.

use super::{Block, Collection, yolov5_lite::shuffle_block};
use crate::model::checkpoint::view::ModuleView;

pub(super) const BLOCKS: Collection = Collection {
    name: "YOLOv5-face",
    source: "https://github.com/deepcam-cn/yolov5-face",
    modules: &["models"],
    blocks: &[
        Block::new("StemBlock", "stem_1 stem_2a stem_2b stem_2p stem_3", stem_block),
        Block::new("ShuffleV2Block", "branch1? branch2 .stride", shuffle_block),
        Block::new("BlazeBlock", "branch1 shortcut? relu .use_pool", blaze_block),
        Block::new("DoubleBlazeBlock", "branch1 shortcut? relu .use_pool", blaze_block),
    ],
};

/// Scales down by 4: PeleeNet's stem, Wang, Li and Ling, NeurIPS 2018, <https://arxiv.org/abs/1804.06882>.
fn stem_block(_: &ModuleView) -> Result<String, String> {
    Ok("x = self.stem_1.forward(x)
        y = self.stem_2b.forward(self.stem_2a.forward(x))
        return self.stem_3.forward(torch.cat([y, self.stem_2p.forward(x)], 1))"
        .into())
}

/// BlazeFace's single and double block: Bazarevsky and others, 2019, <https://arxiv.org/abs/1907.05047>.
fn blaze_block(module: &ModuleView) -> Result<String, String> {
    let shortcut = if module.bool("use_pool")? { "self.shortcut.forward(x)" } else { "x" };
    Ok(format!("return self.relu.forward(self.branch1.forward(x) + {shortcut})"))
}
