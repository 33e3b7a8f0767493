//! `eval.csv`: a row for each box and explainer.

use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;
use yolo_cam::{
    eval::{Agreement, ClassCheck, Explainer, Localization},
    report::{Cell, write_csv},
};

use super::{CaseEntry, EvalReportSpec, Sink};

pub const SPEC: EvalReportSpec =
    EvalReportSpec { extension: "csv", open: |path, _| Box::new(Table { path, rows: Vec::new() }) };

struct Table {
    path: PathBuf,
    rows: Vec<CaseRow>,
}

impl<'a> Sink<CaseEntry<'a>> for Table {
    fn take(&mut self, entry: &CaseEntry<'a>) {
        self.rows.push(CaseRow::new(entry));
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(write_csv(&self.path, &self.rows)?)
    }
}

/// A row of `eval.csv`: a box and an explainer.
#[derive(Default, Serialize)]
struct CaseRow {
    image: Cell,
    index: usize,
    class: Cell,
    confidence: f32,
    box_share: f64,
    method: Cell,
    layers: Cell,
    deletion: f64,
    insertion: f64,
    insertion_minus_deletion: f64,
    pointing_game: Option<f64>,
    energy_pointing_game: Option<f64>,
    energy_by_rank: Option<f64>,
    object_discrimination_index: Option<f64>,
    labelled_pointing_game: Option<f64>,
    labelled_energy_pointing_game: Option<f64>,
    labelled_energy_by_rank: Option<f64>,
    labelled_object_discrimination_index: Option<f64>,
    compactness: Option<f64>,
    sparsity: Option<f64>,
    reason: Option<Cell>,
    randomized_lost: Option<usize>,
    swapped_class: Option<Cell>,
    swapped_follows: Option<f64>,
    swapped_kept: Option<f64>,
    other_box: Option<f64>,
}

impl CaseRow {
    fn new(&CaseEntry { explainer, case, lost, class_check }: &CaseEntry) -> Self {
        let (method, layers) = match explainer {
            Explainer::Method { name, layers } => (name.as_str(), layers.as_str()),
            Explainer::Maps { folder } => ("maps", folder.as_str()),
            Explainer::Gaussian => ("gaussian", ""),
            Explainer::Random => ("random", ""),
        };
        let figures = &case.figures;
        let labelled = figures.labelled;
        let of = |value: fn(Localization) -> f64| labelled.map(value);
        let check = |part: fn(&ClassCheck) -> Option<Agreement>| part(class_check?.check)?.correlation;
        Self {
            image: case.image.as_str().into(),
            index: case.index,
            class: case.class.as_str().into(),
            confidence: case.confidence,
            box_share: case.box_share,
            method: method.into(),
            layers: layers.into(),
            deletion: figures.curves.deletion.area,
            insertion: figures.curves.insertion.area,
            insertion_minus_deletion: case.overall(),
            pointing_game: figures.detected.map(|detected| detected.pointing_game),
            energy_pointing_game: figures.detected.map(|detected| detected.energy_pointing_game),
            energy_by_rank: figures.detected.map(|detected| detected.energy_by_rank),
            object_discrimination_index: figures.detected.and_then(|detected| detected.object_discrimination_index),
            labelled_pointing_game: of(|labelled| labelled.pointing_game),
            labelled_energy_pointing_game: of(|labelled| labelled.energy_pointing_game),
            labelled_energy_by_rank: of(|labelled| labelled.energy_by_rank),
            labelled_object_discrimination_index: labelled.and_then(|labelled| labelled.object_discrimination_index),
            compactness: figures.compactness,
            sparsity: figures.sparsity,
            reason: case.reason.clone().map(Cell::from),
            randomized_lost: lost,
            swapped_class: class_check.and_then(|check| check.swapped_class).map(Cell::from),
            swapped_follows: check(|check| check.follows),
            swapped_kept: check(|check| check.kept),
            other_box: check(|check| check.other_box),
        }
    }
}
