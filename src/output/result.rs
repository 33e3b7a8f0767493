//! One result of a picture, while its files are made and once they are written.

use std::{path::PathBuf, time::Duration};

use image::RgbImage;
use serde_json::Value;
use yolo_cam::{
    Explanation, Model, Precision,
    explain::{Group, Grouping},
    render::RenderOptions,
    report::Record,
};

use super::ResultNames;

/// A picture that was explained, of which files are to be made.
pub struct Explained<'a> {
    /// As messages and reports name it.
    pub image: &'a str,
    pub picture: &'a RgbImage,
    pub names: &'a ResultNames,
    /// The layer, where each has a result of its own.
    pub layer: Option<&'a str>,
    pub model: &'a Model,
    pub explanation: &'a Explanation,
    pub render: &'a RenderOptions,
    /// Of JPEG pictures.
    pub quality: u8,
}

/// What a report keeps of one result: the report's name, and the value.
pub type Kept = (&'static str, Value);

/// A result that is written.
pub struct Finished {
    /// The result pictures.
    pub pictures: Vec<PathBuf>,
    /// What else was written.
    pub others: Vec<PathBuf>,
    pub record: Record,
    /// What each report of single pictures keeps of it.
    pub kept: Vec<Kept>,
    /// What its maps being verified took, if that was asked for.
    pub verified: Option<Verified>,
    /// Where the time went.
    pub times: String,
}

/// What it took to verify the maps of a result.
pub struct Verified {
    /// Forward passes for each box.
    pub passes: usize,
    pub precision: Precision,
    pub time: Duration,
}

/// How files name a group of boxes: by the number of its box, by its class, or as all.
pub fn group_name(group: &Group, grouping: Grouping) -> String {
    match (grouping, group.class_id) {
        (Grouping::Box, _) => group.boxes[0].to_string(),
        (_, Some(class)) => format!("class{class}"),
        (_, None) => "all".to_owned(),
    }
}
