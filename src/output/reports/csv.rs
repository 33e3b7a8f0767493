//! `report.csv`.

use std::path::PathBuf;

use yolo_cam::{
    Result,
    report::{CsvRow, write_csv},
};

use super::{ReportSpec, RunReport, Told};

pub const SPEC: ReportSpec = ReportSpec {
    name: "csv",
    summary: "report.csv, a row for each box",
    open: Some(|run| Box::new(Table { path: run.folder.join("report.csv"), rows: Vec::new() })),
};

struct Table {
    path: PathBuf,
    rows: Vec<CsvRow>,
}

impl RunReport for Table {
    fn take(&mut self, told: &Told) {
        match told {
            Told::Explained(entry) => self.rows.extend(entry.rows.iter().cloned()),
            Told::Failed { image, error } => self.rows.push(CsvRow::failed(image, error)),
        }
    }

    fn close(self: Box<Self>) -> Result<()> {
        write_csv(&self.path, &self.rows)
    }
}
