//! YOLO11.

use super::{
    super::{Block, yolov5},
    yolov8::{HALVES, c2f},
};
use crate::model::checkpoint::view::ModuleView;

pub(super) const BLOCKS: &[Block] = &[
    Block::new("C3k", "cv1 cv2 cv3 m", yolov5::c3),
    Block::new("C3k2", "cv1 cv2 m .c", c2f),
    Block::new("PSABlock", "attn ffn .add?", psa_block),
    Block::new("C2PSA", "cv1 cv2 m .c", c2_psa),
    Block::new("C2fPSA", "cv1 cv2 m .c", c2f),
];

pub(in super::super) fn psa_block(module: &ModuleView) -> Result<String, String> {
    let shortcut = if module.bool_or("add", true)? { "x + " } else { "" };
    Ok(format!("x = {shortcut}self.attn.forward(x)\nreturn {shortcut}self.ffn.forward(x)"))
}

pub(in super::super) fn c2_psa(_: &ModuleView) -> Result<String, String> {
    Ok(format!("{HALVES}return self.cv2.forward(torch.cat([a, self.m.forward(b)], 1))"))
}
