//! A run that keeps a record of each picture, which a later run need not make again while nothing has changed.

use std::{
    collections::HashMap,
    fs, mem,
    path::{Path, PathBuf},
};

use anyhow::{Error, Result, ensure};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use yolo_cam::labels::Labels;

use super::{
    interrupt,
    labels::text_digest,
    noun::pictures,
    parallel::in_order,
    records::Records,
    session::{Attempt, attempt, until_stopped},
};
use crate::{
    cli::Verbosity,
    exit::Exit,
    inputs::{Item, Items, Picture},
    output::{PictureId, RecordReport, RecordedRun, Sink},
    progress::{Bar, Progress},
};

/// What is known of a picture.
pub trait Record: Serialize + DeserializeOwned + Send {
    /// As messages and reports name the picture.
    fn image(&self) -> &str;

    /// Which file it was, and its state.
    fn picture(&self) -> &PictureId;

    /// The digest of the text with its labels, if it has one of its own.
    fn label_text(&self) -> Option<&str>;

    /// What was found, in a few words.
    fn in_short(&self) -> String;
}

/// What a run starts with.
pub struct Start<R> {
    journal: Records<R>,
    /// By picture.
    earlier: HashMap<String, R>,
    /// Whether reports of an earlier run go with the first record.
    is_new: bool,
    /// Files that are written in the end.
    reports: Vec<PathBuf>,
    verbosity: Verbosity,
}

/// What a run ends with.
pub struct End<R> {
    pub journal: Records<R>,
    /// Pictures and errors.
    pub failed: Vec<(String, String)>,
    is_interrupted: bool,
    reports: Vec<PathBuf>,
    verbosity: Verbosity,
}

/// What is to be done for a picture.
enum Work<R> {
    /// Its record is to be made; with the digest of the text with its labels.
    Make(Box<Picture>, Option<String>),
    /// An earlier run has made it, and nothing has changed since.
    Known(Box<R>),
    /// In one line why there is no picture.
    Unusable(String),
}

impl<R: Record> Start<R> {
    /// `name`: of the journal in `folder`, without its ending; `settings`: all that a record depends on, but for the picture; `goes_on`:
    /// whether records of an earlier run are used; `reports`: what is written in the end.
    ///
    /// # Errors
    /// If the journal can't be written, or is of a run with other settings.
    pub fn new<K: RecordedRun<Record = R>>(
        (folder, name): (&Path, &str),
        settings: &Map<String, Value>,
        goes_on: bool,
        reports: &[&RecordReport<K>],
        verbosity: Verbosity,
    ) -> Result<Self> {
        let path = folder.join(format!("{name}.jsonl"));
        let reports = reports.iter().map(|report| folder.join(report.file)).collect();
        if !goes_on {
            let journal = Records::begin(&path, settings)?;
            return Ok(Self { journal, earlier: HashMap::new(), is_new: true, reports, verbosity });
        }
        let (journal, earlier, damaged) = Records::<R>::resume(&path, settings)?;
        if damaged > 0 {
            let lines = if damaged == 1 { "line" } else { "lines" };
            say!("warning: {damaged} damaged {lines} of {path:?} left out; their pictures are processed again");
        }
        if verbosity >= Verbosity::Normal && !earlier.is_empty() {
            say!(
                "note: {} were looked at already; those whose file or labels have changed are processed again",
                pictures(earlier.len())
            );
        }
        // The last line of a picture counts.
        let earlier = earlier.into_iter().map(|record| (record.image().to_owned(), record)).collect();
        Ok(Self { journal, earlier, is_new: false, reports, verbosity })
    }

    /// Has each of the pictures worked on, unless its record is there, and hands the records to `keep`, in the order of the pictures.
    ///
    /// `workers`: each takes a picture, the digest of the text with its labels, and what messages call it.
    pub fn run<W>(self, items: Items, labels: Option<&Labels>, workers: Vec<W>, mut keep: impl FnMut(R)) -> End<R>
    where
        W: FnMut(Picture, Option<String>, &str) -> Result<R> + Send,
    {
        let Self { mut journal, mut earlier, mut is_new, reports, verbosity } = self;
        let is_talkative = verbosity >= Verbosity::Normal;
        let total = items.total();
        let progress = Progress { pictures: Bar::of_pictures(is_talkative), steps: Bar::of_steps(false) };
        let jobs = until_stopped(items).map(|item| work_of(item, labels, &mut earlier));
        let worker = |mut make: W| {
            move |(image, work): (String, Work<R>)| {
                let is_known = matches!(work, Work::Known(_));
                let state = match work {
                    Work::Known(record) => Attempt::Done(*record),
                    Work::Unusable(problem) => Attempt::Failed(Error::msg(problem)),
                    Work::Make(picture, label_text) => attempt(&image, || make(*picture, label_text, &image)),
                };
                (image, is_known, state)
            }
        };
        let (mut failed, mut is_interrupted, mut taken) = (Vec::new(), false, 0);
        in_order(jobs, workers.into_iter().map(worker).collect(), |(image, is_known, state)| {
            let mut fail = |error: Error| {
                let error = format!("{error:#}");
                progress.say(&format!("error: {error}"));
                failed.push((image.clone(), error));
            };
            match state {
                Attempt::Done(record) => {
                    if !is_known {
                        if mem::take(&mut is_new) {
                            reports.iter().for_each(|file| _ = fs::remove_file(file));
                        }
                        if is_talkative {
                            progress.say(&format!("{image}: {}", record.in_short()));
                        }
                        journal.add(&record).unwrap_or_else(&mut fail);
                    }
                    keep(record);
                }
                Attempt::Failed(error) => fail(error),
                Attempt::Interrupted => is_interrupted = true,
            }
            taken += 1;
            progress.pictures.show(taken, total.unwrap_or(0));
        });
        is_interrupted |= interrupt::is_stopped();
        End { journal, failed, is_interrupted, reports, verbosity }
    }
}

/// Nothing is to be done where an earlier run knew the picture as it is now.
fn work_of<R: Record>(
    Item { image, content }: Item,
    labels: Option<&Labels>,
    earlier: &mut HashMap<String, R>,
) -> (String, Work<R>) {
    let work = match content {
        Err(problem) => Work::Unusable(problem),
        Ok(picture) => {
            let label_text = labels.and_then(|labels| text_digest(labels, &picture.content));
            let is_same = |known: &R| *known.picture() == picture.id && known.label_text() == label_text.as_deref();
            match earlier.remove(&image).filter(is_same) {
                Some(known) => Work::Known(Box::new(known)),
                None => Work::Make(Box::new(picture), label_text),
            }
        }
    };
    (image, work)
}

impl<R> End<R> {
    /// Writes the reports, tells the result, and how the run went. `show`: shows the figures.
    pub fn close<'a, K: RecordedRun>(
        &self,
        reports: &[&RecordReport<K>],
        findings: &'a K::Findings<'a>,
        records: &[K::Record],
        show: impl FnOnce() -> Result<()>,
    ) -> Exit {
        let exit = match self {
            Self { is_interrupted: true, .. } => Exit::Interrupted,
            Self { failed, .. } if failed.is_empty() => Exit::Fine,
            _ => Exit::SomeFailed,
        };
        if records.is_empty() {
            // What failed has its line already; this one closes the run.
            let kind = if self.failed.is_empty() { "error: " } else { "" };
            let why = if self.is_interrupted { "; go on with --skip-existing" } else { "" };
            say!("{kind}no picture could be processed{why}");
            return if self.is_interrupted { Exit::Interrupted } else { Exit::SomeFailed };
        }
        // The figures are shown whatever can't be written.
        let sinks = reports.iter().zip(&self.reports).map(|(report, path)| (report.open)(path.clone(), findings));
        let results = [write_all(sinks, records), show()];
        let problems = results.into_iter().filter_map(Result::err).map(|error| say!("error: {error:#}")).count();
        if self.verbosity >= Verbosity::Normal {
            let files: Vec<_> = self.reports.iter().map(|report| report.display().to_string()).collect();
            say!("reports: {}", files.join(", "));
            if self.is_interrupted {
                say!("interrupted: these are the figures so far; --skip-existing goes on");
            }
        }
        if problems > 0 && exit == Exit::Fine { Exit::SomeFailed } else { exit }
    }
}

/// Gives all records to each of the sinks, and closes it. The error names those that can't be written.
fn write_all<'a, R: 'a>(sinks: impl Iterator<Item = Box<dyn Sink<R> + 'a>>, records: &[R]) -> Result<()> {
    let mut problems = Vec::new();
    for mut sink in sinks {
        records.iter().for_each(|record| sink.take(record));
        problems.extend(sink.close().err().map(|error| format!("{error:#}")));
    }
    ensure!(problems.is_empty(), "{}", problems.join("; "));
    Ok(())
}
