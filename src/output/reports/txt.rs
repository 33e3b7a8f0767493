//! `labels/STEM.txt` for each picture, as YOLO's `--save-txt --save-conf` writes it.

use std::{fs, io::Write as _, path::PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;
use yolo_cam::{
    files::write_atomically,
    report::{DetectionEntry, Record},
};

use super::{PictureReport, ReportSpec};
use crate::output::Explained;

/// The folder of these files, in that of the results.
const FOLDER: &str = "labels";

pub const SPEC: ReportSpec = ReportSpec {
    name: "txt",
    summary: "labels/STEM.txt for each picture: class, centre and size as shares of the picture, confidence",
    of_pictures: Some(|run| {
        let folder = run.folder.join(FOLDER);
        fs::create_dir_all(&folder).with_context(|| format!("folder {folder:?} cannot be created"))?;
        Ok(Box::new(Txt { folder }))
    }),
    of_run: None,
    knows: |_| true,
};

struct Txt {
    folder: PathBuf,
}

impl PictureReport for Txt {
    fn write(&self, explained: &Explained, record: &Record, written: &mut Vec<PathBuf>) -> Result<Value> {
        let file = self.folder.join(format!("{}.txt", explained.names.source()));
        let folder = file.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder).with_context(|| format!("folder {folder:?} cannot be created"))?;
        write_atomically(&file, |out| {
            record.detections.iter().try_for_each(|found| out.write_all(line(found, record).as_bytes()))
        })?;
        written.push(file);
        Ok(Value::Null)
    }
}

/// A box as class, centre, size and confidence; a class of the whole picture as probability and name.
fn line(found: &DetectionEntry, record: &Record) -> String {
    let Some(b) = found.box_image else {
        return format!("{:.2} {}\n", found.confidence, found.class);
    };
    let (width, height) = (record.image.width as f32, record.image.height as f32);
    let (x, y) = ((b.x1 + b.x2) / 2.0 / width, (b.y1 + b.y2) / 2.0 / height);
    let (w, h) = ((b.x2 - b.x1) / width, (b.y2 - b.y1) / height);
    format!("{} {x:.6} {y:.6} {w:.6} {h:.6} {:.6}\n", found.class_id, found.confidence)
}
