//! Reports of a run. A report is one file here and one line in [`REPORTS`]; `--report` takes their names.

mod csv;
mod html;
mod json;

use std::{fmt, path::Path};

use yolo_cam::Result;

use super::Entry;

/// All reports, in the order in which they are listed.
pub static REPORTS: &[&ReportSpec] = &[
    &json::SPEC,
    &csv::SPEC,
    &html::SPEC,
    #[cfg(test)]
    &toy::SPEC,
];

/// A report: what it is called, and what it does.
pub struct ReportSpec {
    /// As `--report` takes it.
    pub name: &'static str,
    /// What is written, in a line.
    pub summary: &'static str,
    /// Begins the report of a run; `None` of one that is a file for each picture, which the workers write.
    pub open: Option<Open>,
}

/// Begins a report.
pub type Open = fn(&Run) -> Box<dyn RunReport>;

impl fmt::Debug for ReportSpec {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}", self.name)
    }
}

/// What a report knows of its run.
pub struct Run<'a> {
    /// Where it is written.
    pub folder: &'a Path,
    /// Names and values, as the page shows them.
    pub settings: &'a [(String, String)],
}

/// A report that is written once all pictures are done.
pub trait RunReport {
    /// Told of each picture, in the order of the inputs.
    fn take(&mut self, told: &Told);

    /// Writes the report.
    ///
    /// # Errors
    /// [`yolo_cam::Error::Io`].
    fn close(self: Box<Self>) -> Result<()>;
}

/// What became of a picture.
pub enum Told<'a> {
    /// It was explained, in this run or in an earlier one.
    Explained(&'a Entry),
    /// It failed.
    Failed {
        /// As messages name it.
        image: &'a str,
        /// Why, in one line.
        error: &'a str,
    },
}

/// The reports with these names.
pub fn named(name: &str) -> Option<&'static ReportSpec> {
    REPORTS.iter().copied().find(|report| report.name == name)
}

#[cfg(test)]
pub mod toy {
    //! A report as somebody else would add it.

    use std::{fs, path::PathBuf};

    use super::{ReportSpec, RunReport, Told};

    pub const SPEC: ReportSpec = ReportSpec {
        name: "toy",
        summary: "toy.txt, a toy for tests",
        open: Some(|run| Box::new(Toy { path: run.folder.join("toy.txt"), lines: Vec::new() })),
    };

    struct Toy {
        path: PathBuf,
        lines: Vec<String>,
    }

    impl RunReport for Toy {
        fn take(&mut self, told: &Told) {
            self.lines.push(match told {
                Told::Explained(entry) => format!("{}: {} rows", entry.image, entry.rows.len()),
                Told::Failed { image, .. } => format!("{image}: failed"),
            });
        }

        fn close(self: Box<Self>) -> yolo_cam::Result<()> {
            fs::write(&self.path, self.lines.join("\n"))
                .map_err(|reason| yolo_cam::Error::Io { path: self.path, reason })
        }
    }
}
