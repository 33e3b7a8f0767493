//! The blocks of networks whose channels were pruned: those of YOLOv5 and of the package `ultralytics` under names of their own,
//! since each of their convolutions has a number of channels of its own.

use super::{Block, Collection, Task, ultralytics, yolov5};
use crate::model::checkpoint::view::ModuleView;

pub(super) const BLOCKS: Collection = Collection {
    name: "Pruned YOLOv5, YOLOv8 and YOLO11",
    source: "https://github.com/ImOP12138/yolov11-prune-selfstudy",
    modules: &["pruned_common", "models", "ultralytics"],
    blocks: &[
        // Of YOLOv5; the first three in the Python module `pruned_common`.
        Block::new("Bottleneck", "cv1 cv2 .add", yolov5::bottleneck),
        Block::new("C3", "cv1 cv2 cv3 m", yolov5::c3),
        Block::new("SPPF", "cv1 cv2 m", yolov5::sppf),
        Block::new("BottleneckPruned", "cv1 cv2 .add", yolov5::bottleneck),
        Block::new("C3Pruned", "cv1 cv2 cv3 m", yolov5::c3),
        Block::new("SPPPruned", "cv1 cv2 m", yolov5::spp),
        Block::new("SPPFPruned", "cv1 cv2 m", yolov5::sppf),
        // Of the package.
        Block::new("Bottleneck_C2f", "cv1 cv2 .add", yolov5::bottleneck),
        Block::new("C3kPruned", "cv1 cv2 cv3 m", yolov5::c3),
        Block::new("C2fPruned", "cv1 cv2 m .cv1_split_sections .c?", c2f),
        Block::new("C2fPruned", "cv1 cv2 m .c .bottle_args", ultralytics::c2f),
        Block::new("C3k2Pruned", "cv1 cv2 m .cv1_split_sections .c3k .c?", c2f),
        Block::new("PSABlockPruned", "attn ffn .add", ultralytics::psa_block),
        Block::new("C2PSAPruned", "cv1 cv2 m .c", ultralytics::c2_psa),
        Block::new("DetectPruned", ultralytics::DETECT, ultralytics::detect).box_head(Task::Detect),
    ],
};

/// C2f whose two parts are not halves.
fn c2f(module: &ModuleView) -> Result<String, String> {
    match module.ints("cv1_split_sections")?.as_slice() {
        &[first, second] if first > 0 && second > 0 => Ok(ultralytics::c2f_of(
            module,
            &format!("y = self.cv1.forward(x)\na, b = torch.split(y, [{first}, {second}], 1)\n"),
        )),
        other => Err(format!("{} splits its channels into {other:?}, expected two parts", module.class())),
    }
}
