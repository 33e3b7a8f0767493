//! `diagnose.csv`: a row for each case.

use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;
use yolo_cam::{
    geometry::BBox,
    report::{Cell, write_csv},
};

use super::{Case, Diagnosis, Findings, PictureRecord, RecordReport, Sink, record::kind_name, words};

pub const SPEC: RecordReport<Diagnosis> = RecordReport {
    name: "csv",
    summary: "diagnose.csv, a row for each case",
    file: "diagnose.csv",
    has_pictures: false,
    open: |path, findings| Box::new(Table { path, findings, rows: Vec::new() }),
};

struct Table<'a> {
    path: PathBuf,
    findings: &'a Findings<'a>,
    rows: Vec<Row>,
}

impl Sink<PictureRecord> for Table<'_> {
    fn take(&mut self, record: &PictureRecord) {
        let names = self.findings.names;
        self.rows.extend(record.cases.iter().enumerate().map(|(index, case)| Row::new(record, index, case, names)));
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(write_csv(&self.path, &self.rows)?)
    }
}

/// A case.
#[derive(Default, Serialize)]
struct Row {
    image: Cell,
    case: usize,
    kind: &'static str,
    class: Cell,
    confidence: Option<f32>,
    x1: Option<f32>,
    y1: Option<f32>,
    x2: Option<f32>,
    y2: Option<f32>,
    label_class: Option<Cell>,
    label_x1: Option<f32>,
    label_y1: Option<f32>,
    label_x2: Option<f32>,
    label_y2: Option<f32>,
    iou: f64,
    fate: Option<Cell>,
    contrast: Option<Cell>,
    heat_object: Option<f64>,
    heat_others: Option<f64>,
    heat_around: Option<f64>,
    heat_far: Option<f64>,
    looks: Option<Cell>,
    layers: Cell,
    reason: Option<Cell>,
    verify: Option<&'static str>,
}

impl Row {
    fn new(record: &PictureRecord, index: usize, case: &Case, names: &[String]) -> Self {
        let label = case.label.and_then(|at| record.labels.get(at));
        let corner = |b: Option<BBox>, side: usize| b.map(|b| <[f32; 4]>::from(b)[side]);
        let (own, labelled) = (case.box_image, label.map(|label| label.b));
        let heat = case.evidence.as_ref();
        let looks = heat.map(|heat| words::looks(heat.focus, names));
        Self {
            image: record.image.as_str().into(),
            case: index,
            kind: kind_name(case.error),
            class: names[case.class_id].as_str().into(),
            confidence: case.confidence,
            x1: corner(own, 0),
            y1: corner(own, 1),
            x2: corner(own, 2),
            y2: corner(own, 3),
            label_class: label.map(|label| names[label.class_id].as_str().into()),
            label_x1: corner(labelled, 0),
            label_y1: corner(labelled, 1),
            label_x2: corner(labelled, 2),
            label_y2: corner(labelled, 3),
            iou: case.iou,
            fate: case.fate.as_deref().map(Cell::from),
            contrast: case.contrast.map(|class| names[class].as_str().into()),
            heat_object: heat.map(|heat| heat.object),
            heat_others: heat.map(yolo_cam::diagnose::Evidence::on_others),
            heat_around: heat.map(|heat| heat.around),
            heat_far: heat.map(|heat| heat.far),
            looks: looks.map(Cell::from),
            layers: case.layers.join(",").into(),
            reason: case.reason.as_deref().map(Cell::from),
            verify: case.verify.map(|verdict| verdict.word.name()),
        }
    }
}
