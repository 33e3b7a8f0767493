//! `detections.coco.json`: all boxes that were found, as COCO's result files have them.

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use yolo_cam::{files::write_atomically, geometry::BBox};

use super::{Diagnosis, Findings, FoundBox, PictureRecord, RecordReport, Sink};

pub const SPEC: RecordReport<Diagnosis> = RecordReport {
    name: "coco",
    summary: "detections.coco.json, all boxes from confidence 0.001 on, as COCO's result files have them",
    file: "detections.coco.json",
    has_pictures: false,
    open: |path, findings| Box::new(Detections { path, findings, images: HashSet::new() }),
};

struct Detections<'a> {
    path: PathBuf,
    findings: &'a Findings<'a>,
    images: HashSet<String>,
}

/// A box.
#[derive(Serialize)]
struct Detection<'a> {
    /// As the labels call the picture; where they are none of COCO's, the name of the file without its ending: a number, if it is one.
    image_id: Value,
    category_id: &'a Value,
    /// x, y, width and height, in pixels of the picture.
    bbox: [f64; 4],
    score: f32,
}

impl Sink<PictureRecord> for Detections<'_> {
    /// The journal has the boxes, and may have those of other pictures too.
    fn take(&mut self, record: &PictureRecord) {
        self.images.insert(record.image.clone());
    }

    fn close(self: Box<Self>) -> Result<()> {
        let Findings { records, run, .. } = self.findings;
        let last = last_lines(records).with_context(|| format!("{records:?} cannot be read"))?;
        let journal = File::open(records).with_context(|| format!("{records:?} cannot be read"))?;
        write_atomically(&self.path, |out| {
            let mut separator = "[\n";
            for (number, line) in BufReader::new(journal).split(b'\n').enumerate() {
                // The first line is none of a picture.
                let Ok(record) = serde_json::from_slice::<PictureRecord>(&line?) else { continue };
                if last.get(&record.image) != Some(&number) || !self.images.contains(&record.image) {
                    continue;
                }
                let image_id = record.image_id();
                for &FoundBox(class, confidence, BBox { x1, y1, x2, y2 }) in &record.found {
                    let [x, y, right, bottom] = [x1, y1, x2, y2].map(f64::from);
                    out.write_all(separator.as_bytes())?;
                    serde_json::to_writer(
                        &mut *out,
                        &Detection {
                            image_id: image_id.clone(),
                            category_id: &run.category_ids[class],
                            bbox: [x, y, right - x, bottom - y],
                            score: confidence,
                        },
                    )?;
                    separator = ",\n";
                }
            }
            out.write_all(if separator == "[\n" { b"[]\n" } else { b"\n]\n" })
        })?;
        Ok(())
    }
}

/// The number of the last line of each picture: one that had changed was diagnosed again.
fn last_lines(records: &Path) -> io::Result<HashMap<String, usize>> {
    #[derive(Deserialize)]
    struct Line {
        image: String,
    }
    let mut last = HashMap::new();
    for (number, line) in BufReader::new(File::open(records)?).split(b'\n').enumerate() {
        if let Ok(Line { image }) = serde_json::from_slice(&line?) {
            last.insert(image, number);
        }
    }
    Ok(last)
}
