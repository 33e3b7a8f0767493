//! `diff.html`: pairs side by side.

use std::path::PathBuf;

use anyhow::Result;

use super::{Difference, PictureDifference, RecordReport, Sink, page::DifferencePage};

pub const SPEC: RecordReport<Difference> = RecordReport {
    name: "html",
    summary: "diff.html, pairs side by side; its pictures are in diff-files/",
    file: "diff.html",
    has_pictures: true,
    open: |path, findings| Box::new(Page { path, page: DifferencePage::new(findings) }),
};

struct Page<'a> {
    path: PathBuf,
    page: DifferencePage<'a>,
}

impl Sink<PictureDifference> for Page<'_> {
    fn take(&mut self, record: &PictureDifference) {
        self.page.add(record);
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(self.page.write(&self.path)?)
    }
}
