//! The blocks of the package `ultralytics`, `ultralytics/nn/modules/`: one file for each generation of networks, with what it
//! brought. Their Python modules have moved between releases, so that a class goes by its name alone.

mod head;
mod rtdetr;
mod yolo11;
mod yolo12;
mod yolo26;
mod yolov10;
mod yolov8;
mod yolov9;

pub(super) use self::{
    head::{DETECT, detect},
    rtdetr::rep_c3,
    yolo11::{c2_psa, psa_block},
    yolov8::{c2f, c2f_of},
    yolov9::activated_sum,
};
use super::{Block, Collection};

/// The blocks of each generation.
pub(super) const GENERATIONS: [&Collection; 8] = [
    &generation("YOLOv8", yolov8::BLOCKS),
    &generation("YOLOv9", yolov9::BLOCKS),
    &generation("YOLOv10", yolov10::BLOCKS),
    &generation("YOLO11", yolo11::BLOCKS),
    &generation("YOLO12", yolo12::BLOCKS),
    &generation("YOLO26", yolo26::BLOCKS),
    &generation("RT-DETR", rtdetr::BLOCKS),
    &generation("Ultralytics, all", head::BLOCKS),
];

const fn generation(name: &'static str, blocks: &'static [Block]) -> Collection {
    Collection { name, source: "https://github.com/ultralytics/ultralytics", modules: &["ultralytics"], blocks }
}

/// What a network is for whose head is `name`, where such networks are not supported.
pub(super) fn other_task(name: &str) -> Option<&'static str> {
    Some(match name {
        "WorldDetect" | "YOLOEDetect" | "YOLOESegment" | "YOLOESegment26" => "detects what a text describes",
        "SemanticSegment" | "SemanticSegment26" => "gives a class to each pixel",
        _ => return None,
    })
}
