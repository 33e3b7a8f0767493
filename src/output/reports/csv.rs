//! `report.csv`.

use anyhow::Result;
use yolo_cam::report::{CsvRow, RowTable};

use super::{ReportSpec, Sink, Told};

pub const SPEC: ReportSpec = ReportSpec {
    name: "csv",
    summary: "report.csv, a row for each box",
    of_pictures: None,
    of_run: Some(|run| Box::new(Table(RowTable::new(&run.folder.join("report.csv"))))),
    knows: |_| true,
};

/// The table, as long as it can be written.
struct Table(yolo_cam::Result<RowTable>);

impl Table {
    fn add(&mut self, row: &CsvRow) {
        let added = self.0.as_mut().map_or(Ok(()), |table| table.add(row));
        if let Err(error) = added {
            self.0 = Err(error);
        }
    }
}

impl Sink<Told<'_>> for Table {
    fn take(&mut self, told: &Told) {
        match told {
            Told::Explained { entry, .. } | Told::Skipped(entry) => entry.rows.iter().for_each(|row| self.add(row)),
            Told::Failed { image, error, .. } => self.add(&CsvRow::failed(image, error)),
        }
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(self.0?.close()?)
    }
}
