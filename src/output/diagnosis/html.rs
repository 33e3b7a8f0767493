//! `diagnose.html`: the figures, and each case with its picture.

use std::path::PathBuf;

use anyhow::Result;

use super::{Diagnosis, PictureRecord, RecordReport, Sink, page::DiagnosisPage};

pub const SPEC: RecordReport<Diagnosis> = RecordReport {
    name: "html",
    summary: "diagnose.html, the figures, and each case large; its pictures are in diagnose-files/",
    file: "diagnose.html",
    has_pictures: true,
    open: |path, findings| Box::new(Page { path, page: DiagnosisPage::new(findings) }),
};

struct Page<'a> {
    path: PathBuf,
    page: DiagnosisPage<'a>,
}

impl Sink<PictureRecord> for Page<'_> {
    fn take(&mut self, record: &PictureRecord) {
        self.page.add(record);
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(self.page.write(&self.path)?)
    }
}
