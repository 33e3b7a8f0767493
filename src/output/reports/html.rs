//! `report.html`. The pictures that it shows are written by the workers.

use std::path::PathBuf;

use yolo_cam::{
    Result,
    report::{HtmlEntry, write_html},
};

use super::{ReportSpec, RunReport, Told};

pub const SPEC: ReportSpec = ReportSpec {
    name: "html",
    summary: "report.html, a gallery; its pictures are in report-files/",
    open: Some(|run| {
        Box::new(Page { path: run.folder.join("report.html"), settings: run.settings.to_vec(), cards: Vec::new() })
    }),
};

struct Page {
    path: PathBuf,
    settings: Vec<(String, String)>,
    cards: Vec<HtmlEntry>,
}

impl RunReport for Page {
    fn take(&mut self, told: &Told) {
        match told {
            Told::Explained(entry) => self.cards.extend(entry.cards.iter().cloned()),
            Told::Failed { image, error } => self.cards.push(HtmlEntry::failed(image, error)),
        }
    }

    fn close(self: Box<Self>) -> Result<()> {
        write_html(&self.path, &self.settings, &self.cards)
    }
}
