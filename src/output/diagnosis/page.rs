//! `diagnose.html` as one file: data, styles and scripts.

use std::path::Path;

use serde::Serialize;
use yolo_cam::{
    Result,
    diagnose::{ErrorKind, Evidence, Suspicion},
    eval::Verdict,
    geometry::BBox,
    render::RenderOptions,
};

use super::{Case, Findings, PictureRecord, Summary, record::kind_name, told};
use crate::output::{
    reports::{
        Heading,
        gallery::{CardFiles, Input, Look},
    },
    write_page,
};

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str =
    concat!(include_str!("../web/view.css"), include_str!("../web/list.css"), include_str!("page/style.css"));
/// In the order in which they run.
const SCRIPTS: [&str; 22] = [
    include_str!("../web/base.js"),
    include_str!("page/page.js"),
    include_str!("../web/evidence.js"),
    include_str!("page/figures.js"),
    include_str!("page/matrix.js"),
    include_str!("page/looks.js"),
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
pub struct DiagnosisPage<'a> {
    findings: &'a Findings<'a>,
    pictures: Vec<Picture>,
    cases: Vec<PageCase>,
}

/// All that the scripts know.
#[derive(Serialize)]
struct Data<'a> {
    heading: &'a Heading,
    settings: &'a [(String, String)],
    look: Look,
    /// The command line that explains a picture in the same way, up to the picture.
    command: &'a str,
    /// Names of the classes.
    classes: &'a [String],
    /// The kinds of cases, as their names and in words.
    kinds: Vec<(&'static str, &'static str)>,
    summary: &'a Summary,
    /// The suspicions in words.
    suspicions: Vec<String>,
    pictures: &'a [Picture],
    cases: &'a [PageCase],
    failed: &'a [(String, String)],
}

/// A picture with cases.
#[derive(Serialize)]
struct Picture {
    image: String,
    width: u32,
    height: u32,
    files: Option<CardFiles>,
    /// As a shell takes it; `None` if its name is no text.
    #[serde(flatten)]
    input: Option<Input>,
    labels: Vec<PageLabel>,
}

#[derive(Serialize)]
struct PageLabel {
    class_id: usize,
    #[serde(rename = "box")]
    b: BBox,
    is_crowd: bool,
}

#[derive(Serialize)]
struct PageCase {
    /// Index of its picture.
    picture: usize,
    /// `correct`, or the kind of error.
    kind: &'static str,
    class_id: usize,
    confidence: Option<f32>,
    /// Of the prediction.
    #[serde(rename = "box")]
    b: Option<BBox>,
    /// Index of its label in its picture.
    label: Option<usize>,
    iou: f64,
    /// Of a missed object: what became of the best prediction for it.
    fate: Option<String>,
    /// The class whose logit was subtracted.
    contrast: Option<usize>,
    layers: Vec<String>,
    reason: Option<String>,
    evidence: Option<Evidence>,
    /// URL of its heat as grey levels.
    map: Option<String>,
    verify: Option<Verdict>,
    /// Indices of the suspicions that it belongs to.
    suspicions: Vec<usize>,
    /// Its cell of the confusion matrix: class of the object and class as which it was found.
    cell: (Option<usize>, Option<usize>),
    /// What is added to the command line behind the picture, to have this map again.
    flags: String,
}

impl<'a> DiagnosisPage<'a> {
    pub fn new(findings: &'a Findings<'a>) -> Self {
        Self { findings, pictures: Vec::new(), cases: Vec::new() }
    }

    pub fn add(&mut self, record: &PictureRecord) {
        if record.cases.is_empty() {
            return;
        }
        let picture = self.pictures.len();
        let labels = record.labels.iter();
        self.pictures.push(Picture {
            image: record.image.clone(),
            width: record.width,
            height: record.height,
            files: record.files.clone(),
            input: Input::of(&record.image, record.picture.frame()),
            labels: labels
                .map(|label| PageLabel { class_id: label.class_id, b: label.b, is_crowd: label.is_crowd })
                .collect(),
        });
        self.cases.extend(record.cases.iter().map(|case| PageCase {
            picture,
            kind: kind_name(case.error),
            class_id: case.class_id,
            confidence: case.confidence,
            b: case.box_image,
            label: case.label,
            iou: case.iou,
            fate: case.fate.clone(),
            contrast: case.contrast,
            layers: case.layers.clone(),
            reason: case.reason.clone(),
            evidence: case.evidence.clone(),
            map: case.map.clone(),
            verify: case.verify,
            suspicions: suspicions_of(case, &self.findings.summary.suspicions),
            cell: super::summary::cell(case, record),
            flags: flags(case, record),
        }));
    }

    /// Writes the page.
    ///
    /// # Errors
    /// [`yolo_cam::Error::Io`].
    pub fn write(&self, path: &Path) -> Result<()> {
        let Findings { run, summary, names, failed, .. } = self.findings;
        let correct = (kind_name(None), "correct");
        let data = Data {
            heading: &run.heading,
            settings: &run.settings,
            look: Look::of(&RenderOptions::default()),
            command: &run.command,
            classes: names,
            kinds: [correct].into_iter().chain(ErrorKind::ALL.map(|kind| (kind.name(), kind.summary()))).collect(),
            summary,
            suspicions: summary.suspicions.iter().map(|one| told(one, names)).collect(),
            pictures: &self.pictures,
            cases: &self.cases,
            failed,
        };
        write_page(path, (PAGE, STYLE, &SCRIPTS), &data)
    }
}

fn suspicions_of(case: &Case, all: &[Suspicion]) -> Vec<usize> {
    let Some(observation) = case.observation() else { return Vec::new() };
    (0..all.len()).filter(|&index| all[index].is_about(&observation)).collect()
}

/// What asks for this case alone, behind the picture: a box is asked for as it was found, whatever its confidence.
fn flags(case: &Case, record: &PictureRecord) -> String {
    let label = case.label.and_then(|at| record.labels.get(at)).map(|label| label.b);
    let asked = match case.error {
        Some(ErrorKind::Missed) => label,
        _ => case.box_image,
    };
    let mut flags = Vec::new();
    if let Some(BBox { x1, y1, x2, y2 }) = asked {
        flags.push(format!("--box={x1},{y1},{x2},{y2} --class {}", case.class_id));
    }
    flags.extend(case.contrast.map(|class| format!("--contrast {class}")));
    flags.join(" ")
}
