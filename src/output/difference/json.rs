//! `diff.json`: all figures and all things that were found.

use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;
use serde_json::{Map, Value};
use yolo_cam::report::write_value;

use super::{Difference, Findings, PictureDifference, RecordReport, Side, Sink, Summary, Thing};

pub const SPEC: RecordReport<Difference> = RecordReport {
    name: "json",
    summary: "diff.json, all figures and boxes",
    file: "diff.json",
    has_pictures: false,
    open: |path, findings| Box::new(Json { path, findings, things: Vec::new() }),
};

struct Json<'a> {
    path: PathBuf,
    findings: &'a Findings<'a>,
    things: Vec<Entry>,
}

impl Sink<PictureDifference> for Json<'_> {
    fn take(&mut self, record: &PictureDifference) {
        let names = self.findings.names;
        let class = |side: &Side| side.class_id.map(|class| names[class].clone());
        // The page's own files are left out.
        let bare = |side: &Side| Side { map: None, ..side.clone() };
        self.things.extend(record.things.iter().enumerate().map(|(index, thing)| Entry {
            image: record.image.clone(),
            index,
            old_class: class(&thing.old),
            new_class: class(&thing.new),
            thing: Thing { old: bare(&thing.old), new: bare(&thing.new), ..thing.clone() },
        }));
    }

    fn close(self: Box<Self>) -> Result<()> {
        let Findings { run, summary, names, failed, settings } = self.findings;
        let report = Report {
            schema: 1,
            tool: concat!("yolo-cam ", env!("CARGO_PKG_VERSION")),
            old: &run.models[0],
            new: &run.models[1],
            settings,
            classes: names,
            noise: &run.noise,
            summary,
            failed: failed.iter().map(|(image, error)| Failed { image, error }).collect(),
            things: self.things,
        };
        Ok(write_value(&self.path, &report)?)
    }
}

#[derive(Serialize)]
struct Report<'a> {
    schema: u32,
    tool: &'static str,
    old: &'a str,
    new: &'a str,
    settings: &'a Map<String, Value>,
    classes: &'a [String],
    noise: &'a str,
    #[serde(flatten)]
    summary: &'a Summary,
    failed: Vec<Failed<'a>>,
    things: Vec<Entry>,
}

#[derive(Serialize)]
struct Failed<'a> {
    image: &'a str,
    error: &'a str,
}

#[derive(Serialize)]
struct Entry {
    image: String,
    index: usize,
    old_class: Option<String>,
    new_class: Option<String>,
    #[serde(flatten)]
    thing: Thing,
}
