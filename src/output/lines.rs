//! `--json-lines`: a line of JSON on stdout for each result.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Result, anyhow};
use serde::{Serialize, Serializer};
use yolo_cam::report::Record;

use super::{Sink, reports::Told};

/// Writes the lines, until nobody reads them any more.
pub struct JsonLines {
    /// Where the results are.
    folder: PathBuf,
    state: Result<(), io::Error>,
}

/// One result, for scripts.
#[derive(Serialize)]
struct Line<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<ImagePath<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[serde(serialize_with = "as_text")]
    files: &'a [PathBuf],
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(flatten)]
    record: Option<&'a Record>,
}

#[derive(Serialize)]
struct ImagePath<'a> {
    path: &'a str,
}

/// JSON knows no other bytes than text: what is none becomes U+FFFD, as in all that is shown.
fn as_text<S: Serializer>(files: &[PathBuf], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(files.iter().map(|file| file.to_string_lossy()))
}

impl JsonLines {
    /// Of results in `folder`.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), state: Ok(()) }
    }

    fn write(&mut self, line: &Line) {
        if self.state.is_ok() {
            self.state = write_line(line);
        }
    }
}

/// Whole or not at all: half a line is no JSON.
fn write_line(line: &Line) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&text)?;
    out.flush()
}

impl Sink<Told<'_>> for JsonLines {
    fn take(&mut self, told: &Told) {
        match told {
            Told::Explained { results, .. } => {
                for result in *results {
                    let (files, record) = (result.pictures.as_slice(), Some(&result.record));
                    self.write(&Line { status: "done", image: None, files, error: None, record });
                }
            }
            Told::Skipped(entry) => {
                let (image, files) = (Some(ImagePath { path: &entry.image }), [entry.first_file(&self.folder)]);
                self.write(&Line { status: "skipped", image, files: &files, error: None, record: None });
            }
            Told::Failed { image, error, .. } => {
                let (image, error) = (Some(ImagePath { path: image }), Some(*error));
                self.write(&Line { status: "failed", image, files: &[], error, record: None });
            }
        }
    }

    fn close(self: Box<Self>) -> Result<()> {
        match self.state {
            // A reader that has seen enough is no error: `yolo-cam --json-lines | head`.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(anyhow!("--json-lines: {error}")),
            _ => Ok(()),
        }
    }
}
