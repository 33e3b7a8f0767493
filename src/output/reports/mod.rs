//! Reports of a run. A report is one file here and one line in [`REPORTS`]; `--report` takes their names.

mod csv;
pub mod gallery;
mod html;
mod json;
mod txt;

use std::{
    fmt,
    path::{Path, PathBuf},
};

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use yolo_cam::report::Record;

use self::gallery::RunFacts;
use super::{Entry, Explained, Finished, Sink};

pub use self::html::files_of_page;

/// All reports, in the order in which they are listed.
pub static REPORTS: &[&ReportSpec] = &[
    &json::SPEC,
    &csv::SPEC,
    &html::SPEC,
    &txt::SPEC,
    #[cfg(test)]
    &toy::SPEC,
];

/// A report: what it is called, and what it does.
pub struct ReportSpec {
    /// As `--report` takes it.
    pub name: &'static str,
    /// What is written, in a line.
    pub summary: &'static str,
    /// Begins what is written with the results of each picture.
    pub of_pictures: Option<OpenOfPictures>,
    /// Begins what is written once all pictures are done.
    pub of_run: Option<fn(&Run) -> Box<RunReport>>,
    /// Whether it can use what an earlier run, maybe of another version, kept for it of a result.
    pub knows: fn(&Value) -> bool,
}

/// Fails where what it needs can't be made.
pub type OpenOfPictures = fn(&Run) -> Result<Box<dyn PictureReport>>;

impl fmt::Debug for ReportSpec {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}", self.name)
    }
}

/// What a report knows of its run.
pub struct Run<'a> {
    /// Where it is written.
    pub folder: &'a Path,
    /// What the page says of it.
    pub facts: &'a RunFacts,
}

/// What a run is called.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Heading {
    /// The file of the model, without its folder.
    pub model: String,
    /// The name of the method.
    pub method: String,
    /// When it was made.
    pub date: String,
}

/// What a report writes for each picture. Several threads may do so at once.
pub trait PictureReport: Send + Sync {
    /// Writes what there is of one result, and adds its files to `written`. Returns what the journal keeps for the report of
    /// the run, [`Value::Null`] if it needs nothing.
    ///
    /// # Errors
    /// If a file can't be written.
    fn write(&self, explained: &Explained, record: &Record, written: &mut Vec<PathBuf>) -> Result<Value>;
}

/// What a report writes once all pictures are done. It is told of each, in the order of the inputs.
pub type RunReport = dyn for<'a> Sink<Told<'a>>;

/// What became of a picture.
pub enum Told<'a> {
    /// It was explained, with these results.
    Explained { entry: &'a Entry, results: &'a [Finished] },
    /// It was explained by an earlier run.
    Skipped(&'a Entry),
    /// It failed.
    Failed {
        /// As messages name it.
        image: &'a str,
        /// Its number, if it is one of a video or an animation.
        frame: Option<u64>,
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

    use super::{ReportSpec, Sink, Told};

    pub const SPEC: ReportSpec = ReportSpec {
        name: "toy",
        summary: "toy.txt, a toy for tests",
        of_pictures: None,
        of_run: Some(|run| Box::new(Toy { path: run.folder.join("toy.txt"), lines: Vec::new() })),
        knows: |_| true,
    };

    struct Toy {
        path: PathBuf,
        lines: Vec<String>,
    }

    impl Sink<Told<'_>> for Toy {
        fn take(&mut self, told: &Told) {
            self.lines.push(match told {
                Told::Explained { entry, .. } | Told::Skipped(entry) => {
                    format!("{}: {} rows", entry.image, entry.rows.len())
                }
                Told::Failed { image, .. } => format!("{image}: failed"),
            });
        }

        fn close(self: Box<Self>) -> anyhow::Result<()> {
            Ok(fs::write(&self.path, self.lines.join("\n"))?)
        }
    }
}
