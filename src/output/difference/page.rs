//! `diff.html` as one file: data, styles and scripts.

use std::path::Path;

use serde::Serialize;
use yolo_cam::{
    Result,
    diagnose::{Drift, ErrorKind, Evidence},
    geometry::BBox,
    render::RenderOptions,
};

use super::{Findings, PictureDifference, Side, Summary, Thing};
use crate::output::{
    reports::gallery::{CardFiles, Input, Look},
    write_page,
};

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str =
    concat!(include_str!("../web/view.css"), include_str!("../web/list.css"), include_str!("page/style.css"));
/// In the order in which they run.
const SCRIPTS: [&str; 20] = [
    include_str!("../web/base.js"),
    include_str!("page/page.js"),
    include_str!("../web/evidence.js"),
    include_str!("page/figures.js"),
    include_str!("page/filters.js"),
    include_str!("../web/asking.js"),
    include_str!("../web/form.js"),
    include_str!("../web/boxes.js"),
    include_str!("../web/crop.js"),
    include_str!("page/cards.js"),
    include_str!("../web/deal.js"),
    include_str!("../web/dialog.js"),
    include_str!("../web/commands.js"),
    include_str!("../web/zoom.js"),
    include_str!("../web/labels.js"),
    include_str!("../web/heat.js"),
    include_str!("page/view.js"),
    include_str!("../web/entry.js"),
    include_str!("../web/state.js"),
    include_str!("page/start.js"),
];

/// Collects what the page shows.
pub struct DifferencePage<'a> {
    findings: &'a Findings<'a>,
    pictures: Vec<Picture>,
    things: Vec<PageThing>,
}

/// All that the scripts know.
#[derive(Serialize)]
struct Data<'a> {
    /// Paths of the old model and the new.
    models: &'a [String; 2],
    date: &'a str,
    settings: &'a [(String, String)],
    look: Look,
    /// The command lines that explain a picture in the same way by either model, up to the picture.
    commands: &'a [String; 2],
    /// Names of the classes of both models.
    classes: &'a [String],
    /// The kinds of errors, as their names and in words.
    kinds: Vec<(&'static str, &'static str)>,
    has_labels: bool,
    /// What noise is here, in words.
    noise: &'a str,
    summary: &'a Summary,
    /// Indices of the groups whose evidence moved more than noise does.
    drifted: Vec<usize>,
    pictures: &'a [Picture],
    things: &'a [PageThing],
    failed: &'a [(String, String)],
}

#[derive(Serialize)]
struct Picture {
    image: String,
    width: u32,
    height: u32,
    files: Option<CardFiles>,
    /// As a shell takes it; `None` if its name is no text.
    #[serde(flatten)]
    input: Option<Input>,
    labels: Vec<(usize, BBox)>,
}

#[derive(Serialize)]
struct PageThing {
    /// Index of its picture.
    picture: usize,
    change: &'static str,
    outcome: Option<&'static str>,
    /// Index of its label in its picture.
    label: Option<usize>,
    drift: Option<Drift>,
    noise: Option<Drift>,
    old: PageSide,
    new: PageSide,
}

#[derive(Serialize)]
struct PageSide {
    is_found: bool,
    class_id: Option<usize>,
    confidence: Option<f32>,
    #[serde(rename = "box")]
    b: Option<BBox>,
    error: Option<&'static str>,
    fate: Option<String>,
    layers: Vec<String>,
    reason: Option<String>,
    evidence: Option<Evidence>,
    /// URL of its heat as grey levels.
    map: Option<String>,
    /// What is added to the command line behind the picture, to have this map again.
    flags: String,
}

impl<'a> DifferencePage<'a> {
    pub fn new(findings: &'a Findings<'a>) -> Self {
        Self { findings, pictures: Vec::new(), things: Vec::new() }
    }

    pub fn add(&mut self, record: &PictureDifference) {
        if record.things.is_empty() {
            return;
        }
        let picture = self.pictures.len();
        self.pictures.push(Picture {
            image: record.image.clone(),
            width: record.width,
            height: record.height,
            files: record.files.clone(),
            input: Input::of(&record.image, record.picture.frame()),
            labels: record.labels.iter().map(|label| (label.class_id, label.b)).collect(),
        });
        let own_classes = &self.findings.run.own_classes;
        self.things.extend(record.things.iter().map(|thing| {
            let Thing { change, outcome, label, old, new, drift, noise } = thing;
            PageThing {
                picture,
                change: change.name(),
                outcome: outcome.map(super::Outcome::name),
                label: *label,
                drift: *drift,
                noise: *noise,
                old: PageSide::new(old, &own_classes[0]),
                new: PageSide::new(new, &own_classes[1]),
            }
        }));
    }

    /// Writes the page.
    ///
    /// # Errors
    /// [`yolo_cam::Error::Io`].
    pub fn write(&self, path: &Path) -> Result<()> {
        let Findings { run, summary, names, failed, .. } = self.findings;
        let data = Data {
            models: &run.models,
            date: &run.date,
            settings: &run.settings,
            look: Look::of(&RenderOptions::default()),
            commands: &run.commands,
            classes: names,
            kinds: ErrorKind::ALL.map(|kind| (kind.name(), kind.summary())).to_vec(),
            has_labels: run.has_labels,
            noise: &run.noise,
            summary,
            drifted: (0..summary.groups.len()).filter(|&index| summary.groups[index].has_drifted()).collect(),
            pictures: &self.pictures,
            things: &self.things,
            failed,
        };
        write_page(path, (PAGE, STYLE, &SCRIPTS), &data)
    }
}

impl PageSide {
    /// `own_classes`: the model's class of each class of both.
    fn new(side: &Side, own_classes: &[Option<usize>]) -> Self {
        let class = side.class_id.and_then(|class| own_classes[class]);
        let flags = match (side.box_image, class) {
            (Some(BBox { x1, y1, x2, y2 }), Some(class)) => format!("--box={x1},{y1},{x2},{y2} --class {class}"),
            _ => String::new(),
        };
        Self {
            is_found: side.is_found,
            class_id: side.class_id,
            confidence: side.confidence,
            b: side.box_image,
            error: side.error.map(ErrorKind::name),
            fate: side.fate.clone(),
            layers: side.layers.clone(),
            reason: side.reason.clone(),
            evidence: side.evidence.clone(),
            map: side.map.clone(),
            flags,
        }
    }
}
