//! `report.csv`.

use std::path::PathBuf;

use anyhow::Result;
use yolo_cam::report::{CsvRow, write_rows};

use super::{ReportSpec, Sink, Told};

pub const SPEC: ReportSpec = ReportSpec {
    name: "csv",
    summary: "report.csv, a row for each box",
    of_pictures: None,
    of_run: Some(|run| Box::new(Table { path: run.folder.join("report.csv"), rows: Vec::new() })),
    knows: |_| true,
};

struct Table {
    path: PathBuf,
    rows: Vec<CsvRow>,
}

impl Sink<Told<'_>> for Table {
    fn take(&mut self, told: &Told) {
        match told {
            Told::Explained { entry, .. } | Told::Skipped(entry) => self.rows.extend(entry.rows.iter().cloned()),
            Told::Failed { image, error } => self.rows.push(CsvRow::failed(image, error)),
        }
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(write_rows(&self.path, &self.rows)?)
    }
}
