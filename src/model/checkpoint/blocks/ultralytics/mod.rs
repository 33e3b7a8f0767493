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

use super::Block;

/// The blocks of each generation.
const GENERATIONS: [&[Block]; 8] = [
    yolov8::BLOCKS,
    yolov9::BLOCKS,
    yolov10::BLOCKS,
    yolo11::BLOCKS,
    yolo12::BLOCKS,
    yolo26::BLOCKS,
    rtdetr::BLOCKS,
    head::BLOCKS,
];

/// The class `name`.
pub(super) fn find(name: &str) -> Option<Block> {
    GENERATIONS.iter().flat_map(|blocks| blocks.iter()).find(|block| block.name == name).copied()
}

/// What a network is for whose head is `name`, where such networks are not supported.
pub(super) fn other_task(name: &str) -> Option<&'static str> {
    Some(match name {
        "Pose" | "Pose26" => "finds the keypoints of poses",
        "OBB" | "OBB26" => "detects rotated boxes",
        "WorldDetect" | "YOLOEDetect" | "YOLOESegment" | "YOLOESegment26" => "detects what a text describes",
        "SemanticSegment" | "SemanticSegment26" => "gives a class to each pixel",
        _ => return None,
    })
}
