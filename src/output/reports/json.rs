//! `STEM-res.json` for each picture.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::Value;
use yolo_cam::report::{Record, write_json};

use super::{PictureReport, ReportSpec};
use crate::output::Explained;

pub const SPEC: ReportSpec = ReportSpec {
    name: "json",
    summary: "STEM-res.json for each picture",
    of_pictures: Some(|_| Ok(Box::new(Json))),
    of_run: None,
    knows: |_| true,
};

struct Json;

impl PictureReport for Json {
    fn write(&self, explained: &Explained, record: &Record, written: &mut Vec<PathBuf>) -> Result<Value> {
        let file = explained.names.json();
        write_json(&file, explained.model, record)?;
        written.push(file);
        Ok(Value::Null)
    }
}
