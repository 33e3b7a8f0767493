//! What became of the pictures: told as it happens, reported in the end.

use std::{
    io::{self, Write},
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use serde::{Serialize, Serializer};
use yolo_cam::report::{CsvRow, Record};

use super::{
    messages::summary,
    worker::{Finished, PictureOutcome, PictureState},
};
use crate::{
    cli::{ExplainCommand, Verbosity},
    exit::Exit,
    output::{
        Journal,
        reports::{ReportSpec, Run, RunReport, Told},
    },
    progress::Progress,
};

/// Takes outcomes in the order of the inputs.
pub struct RunLedger<'a> {
    command: &'a ExplainCommand,
    /// How many pictures there are, if that is known.
    total: Option<usize>,
    progress: &'a Progress,
    start: Instant,
    taken: usize,
    done: usize,
    skipped: usize,
    failed: usize,
    interrupted: bool,
    boxes: usize,
    /// A file that belongs to no picture could not be written.
    is_incomplete: bool,
    /// By name.
    reports: Vec<(&'static str, Box<dyn RunReport>)>,
    journal: &'a Mutex<Journal>,
    /// Until it can't be written.
    has_journal: bool,
    /// Until nobody reads them any more.
    writes_lines: bool,
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
    error: Option<String>,
    #[serde(flatten)]
    record: Option<&'a Record>,
}

/// JSON knows no other bytes than text: what is none becomes U+FFFD, as in all that is shown.
fn as_text<S: Serializer>(files: &[PathBuf], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(files.iter().map(|file| file.to_string_lossy()))
}

#[derive(Serialize)]
struct ImagePath<'a> {
    path: &'a str,
}

impl<'a> RunLedger<'a> {
    pub fn new(
        command: &'a ExplainCommand,
        total: Option<usize>,
        settings: &[(String, String)],
        journal: &'a Mutex<Journal>,
        progress: &'a Progress,
    ) -> Self {
        let run = Run { folder: &command.pictures.output_dir, settings };
        let open = |report: &&'static ReportSpec| Some((report.name, report.open?(&run)));
        Self {
            command,
            total,
            progress,
            start: Instant::now(),
            taken: 0,
            done: 0,
            skipped: 0,
            failed: 0,
            interrupted: false,
            boxes: 0,
            is_incomplete: false,
            reports: command.reports.iter().filter_map(open).collect(),
            journal,
            has_journal: true,
            writes_lines: command.json_lines,
        }
    }

    /// Tells what became of the next picture, and keeps what the reports need.
    pub fn take(&mut self, outcome: PictureOutcome) {
        self.taken += 1;
        for warning in &outcome.warnings {
            self.progress.say(warning);
        }
        let image = outcome.image.as_str();
        match outcome.state {
            PictureState::Done(results, mut entry) => {
                self.done += 1;
                let mut files = Vec::new();
                for result in results {
                    let names = result.files.iter().chain(&result.others).filter_map(|file| file.file_name());
                    files.extend(names.map(|name| name.to_string_lossy().into_owned()));
                    entry.rows.extend(CsvRow::explained(&result.record));
                    entry.cards.extend(result.card.clone());
                    self.take_result(image, &result);
                }
                entry.files = Some(files);
                self.report(&Told::Explained(&entry));
                let added = self.journal.lock().unwrap_or_else(PoisonError::into_inner).add(entry);
                if let Err(error) = added {
                    self.give_up_journal(&error);
                }
            }
            PictureState::Skipped(entry) => {
                self.skipped += 1;
                self.report(&Told::Explained(&entry));
                let file = entry.first_file(&self.command.pictures.output_dir);
                self.tell(Verbosity::Normal, || format!("{image}: skipped, {} is there", file.display()));
                self.line(&Line {
                    status: "skipped",
                    image: Some(ImagePath { path: image }),
                    files: &[file],
                    error: None,
                    record: None,
                });
            }
            PictureState::Failed(error) => {
                self.failed += 1;
                let error = format!("{error:#}");
                self.progress.say(&format!("error: {error}"));
                self.line(&Line {
                    status: "failed",
                    image: Some(ImagePath { path: image }),
                    files: &[],
                    error: Some(error.clone()),
                    record: None,
                });
                self.report(&Told::Failed { image, error: &error });
            }
            PictureState::Interrupted => {
                self.taken -= 1;
                self.interrupted = true;
            }
        }
        self.progress.pictures.show(self.taken, self.total.unwrap_or(0));
    }

    fn report(&mut self, told: &Told) {
        self.reports.iter_mut().for_each(|(_, report)| report.take(told));
    }

    fn take_result(&mut self, image: &str, result: &Finished) {
        let Finished { files, record, times, .. } = result;
        self.boxes += record.detections.len();
        let shown = match files.as_slice() {
            [] => String::new(),
            [only] => only.display().to_string(),
            [first, rest @ ..] => format!("{} and {} more", first.display(), rest.len()),
        };
        self.tell(Verbosity::Normal, || format!("{image}: {} -> {shown}", summary(&record.detections)));
        if self.command.verbosity >= Verbosity::Verbose {
            self.progress.say(&format!("time: {times}"));
        }
        self.line(&Line { status: "done", image: None, files, error: None, record: Some(record) });
    }

    /// A line that says which picture of how many it is about.
    fn tell(&self, level: Verbosity, text: impl FnOnce() -> String) {
        if self.command.verbosity >= level {
            let total = self.total.map(|total| format!("/{total}")).unwrap_or_default();
            self.progress.say(&format!("[{}{total}] {}", self.taken, text()));
        }
    }

    /// To stdout.
    fn line(&mut self, line: &Line) {
        if !self.writes_lines {
            return;
        }
        let write = || -> io::Result<()> {
            // Whole or not at all: half a line is no JSON.
            let mut text = serde_json::to_vec(line)?;
            text.push(b'\n');
            let mut out = io::stdout().lock();
            out.write_all(&text)?;
            out.flush()
        };
        if let Err(error) = write() {
            self.writes_lines = false;
            // A reader that has seen enough is no error: `yolo-cam --json-lines | head`.
            if error.kind() != io::ErrorKind::BrokenPipe {
                self.is_incomplete = true;
                self.progress.say(&format!("error: --json-lines: {error}"));
            }
        }
    }

    /// Writes the reports of the run, and tells how it went.
    pub fn close(mut self, is_stopped: bool) -> Exit {
        for (_, report) in std::mem::take(&mut self.reports) {
            if let Err(error) = report.close() {
                self.tell_incomplete(&error.to_string());
            }
        }
        self.interrupted |= is_stopped;
        let is_worth_telling = self.taken > 1 || self.interrupted;
        if self.failed > 0 || (self.command.verbosity >= Verbosity::Normal && is_worth_telling) {
            self.progress.say(&self.closing_line());
        }
        match self {
            Self { interrupted: true, .. } => Exit::Interrupted,
            Self { failed: 0, is_incomplete: false, .. } => Exit::Fine,
            _ => Exit::SomeFailed,
        }
    }

    /// This report cannot be written. The pictures are explained all the same.
    pub fn give_up(&mut self, report: &str, error: &yolo_cam::Error) {
        self.reports.retain(|(name, _)| *name != report);
        self.tell_incomplete(&error.to_string());
    }

    /// The journal cannot be written: a resumed run will explain all pictures again.
    pub fn give_up_journal(&mut self, error: &io::Error) {
        if self.has_journal {
            self.has_journal = false;
            let folder = &self.command.pictures.output_dir;
            self.tell_incomplete(&format!(
                "the journal in {folder:?} cannot be written: {error}; --skip-existing will not recognise these results"
            ));
        }
    }

    fn tell_incomplete(&mut self, problem: &str) {
        self.is_incomplete = true;
        self.progress.say(&format!("error: {problem}"));
    }

    fn closing_line(&self) -> String {
        let Self { done, skipped, failed, boxes, .. } = self;
        let of = self.total.map(|total| format!(" of {total}")).unwrap_or_default();
        let mut line = format!("{done}{of} pictures done");
        for (count, what) in [(skipped, "skipped"), (failed, "failed")] {
            if *count > 0 {
                line += &format!(", {count} {what}");
            }
        }
        let seconds = self.start.elapsed().as_secs_f64();
        let boxes = if *boxes == 1 { "1 box".to_owned() } else { format!("{boxes} boxes") };
        line += &format!("; {boxes} in {seconds:.1} s");
        if self.interrupted {
            line = format!("interrupted: {line}");
        }
        line
    }
}
