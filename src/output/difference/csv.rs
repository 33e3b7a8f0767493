//! `diff.csv`: a row for each thing that one of the detectors found, or both.

use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;
use yolo_cam::report::{Cell, write_csv};

use super::{Difference, Findings, PictureDifference, RecordReport, Side, Sink, Thing};

pub const SPEC: RecordReport<Difference> = RecordReport {
    name: "csv",
    summary: "diff.csv, a row for each box that one of them found, or both",
    file: "diff.csv",
    has_pictures: false,
    open: |path, findings| Box::new(Table { path, findings, rows: Vec::new() }),
};

struct Table<'a> {
    path: PathBuf,
    findings: &'a Findings<'a>,
    rows: Vec<Row>,
}

impl Sink<PictureDifference> for Table<'_> {
    fn take(&mut self, record: &PictureDifference) {
        let names = self.findings.names;
        let row = |(index, thing): (usize, &Thing)| Row::new(&record.image, index, thing, names);
        self.rows.extend(record.things.iter().enumerate().map(row));
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(write_csv(&self.path, &self.rows)?)
    }
}

#[derive(Default, Serialize)]
struct Row {
    image: Cell,
    index: usize,
    change: &'static str,
    outcome: Option<&'static str>,
    old_class: Option<Cell>,
    new_class: Option<Cell>,
    old_confidence: Option<f32>,
    new_confidence: Option<f32>,
    x1: Option<f32>,
    y1: Option<f32>,
    x2: Option<f32>,
    y2: Option<f32>,
    old_error: Option<&'static str>,
    new_error: Option<&'static str>,
    old_fate: Option<Cell>,
    new_fate: Option<Cell>,
    correlation: Option<f64>,
    moved: Option<f64>,
    noise_correlation: Option<f64>,
    noise_moved: Option<f64>,
    old_heat_object: Option<f64>,
    new_heat_object: Option<f64>,
}

impl Row {
    fn new(image: &str, index: usize, thing: &Thing, names: &[String]) -> Self {
        let Thing { change, outcome, old, new, drift, noise, .. } = thing;
        let class = |side: &Side| side.class_id.map(|class| names[class].as_str().into());
        let fate = |side: &Side| side.fate.as_deref().map(Cell::from);
        let corners = if old.is_found { old.box_image } else { new.box_image }.map(<[f32; 4]>::from);
        Self {
            image: image.into(),
            index,
            change: change.name(),
            outcome: outcome.map(super::Outcome::name),
            old_class: class(old),
            new_class: class(new),
            old_confidence: old.confidence,
            new_confidence: new.confidence,
            x1: corners.map(|corners| corners[0]),
            y1: corners.map(|corners| corners[1]),
            x2: corners.map(|corners| corners[2]),
            y2: corners.map(|corners| corners[3]),
            old_error: old.error.map(yolo_cam::diagnose::ErrorKind::name),
            new_error: new.error.map(yolo_cam::diagnose::ErrorKind::name),
            old_fate: fate(old),
            new_fate: fate(new),
            correlation: drift.and_then(|drift| drift.correlation),
            moved: drift.map(|drift| drift.moved),
            noise_correlation: noise.and_then(|noise| noise.correlation),
            noise_moved: noise.map(|noise| noise.moved),
            old_heat_object: old.evidence.as_ref().map(|evidence| evidence.object),
            new_heat_object: new.evidence.as_ref().map(|evidence| evidence.object),
        }
    }
}
