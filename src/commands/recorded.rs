//! A run that keeps a record of each picture, which a later run need not make again while nothing has changed.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Error, Result, ensure};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use yolo_cam::{labels::Labels, text::counted};

use super::{
    interrupt,
    labels::text_digest,
    noun::pictures,
    parallel::in_order,
    records::{Keeper, Records},
    session::{Attempt, attempt, exit, tell_shard, until_stopped},
    wanted::Wanted,
};
use crate::{
    cli::Verbosity,
    exit::Exit,
    inputs::{Item, Items, Picture},
    output::{
        Inputs, PictureId, RecordReport, RecordedRun, Shard, Sink,
        shards::{Parts, ShardHead, Told, Turn},
    },
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

    /// The files that a page shows of it, in the folder of the page.
    fn files(&self) -> Vec<String>;
}

/// Takes in the records of a run, and reports them.
pub trait Ledger {
    type Run: RecordedRun<Record: Record>;
    /// What reports say of the run itself.
    type Facts: DeserializeOwned;

    fn new(facts: Self::Facts) -> Self;

    /// Takes the next record, in the order of the pictures.
    fn keep(&mut self, record: <Self::Run as RecordedRun>::Record);

    /// Writes the reports, and tells the result.
    fn close(&self, end: &End, reports: &[&RecordReport<Self::Run>]) -> Exit;
}

/// What a run is, before it starts.
pub struct Plan<'a> {
    /// Of the results.
    pub folder: &'a Path,
    /// The command; of the journal, without its ending.
    pub name: &'static str,
    /// All that a record depends on, but for the picture.
    pub settings: Map<String, Value>,
    /// Whether records of an earlier run are used.
    pub goes_on: bool,
    /// What is written in the end.
    pub reports: Vec<String>,
    pub verbosity: Verbosity,
}

/// What a run starts with.
pub struct Start<R> {
    journal: Keeper<R>,
    /// By picture.
    earlier: HashMap<String, R>,
    /// Files of an earlier run that go with the first record.
    stale: Vec<PathBuf>,
    verbosity: Verbosity,
}

/// What a run ends with.
pub struct End {
    /// The journal.
    pub records: PathBuf,
    /// All that a record depends on, but for the picture.
    pub settings: Map<String, Value>,
    /// Pictures and errors.
    pub failed: Vec<(String, String)>,
    pub is_interrupted: bool,
    pub verbosity: Verbosity,
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
    /// `shard`: which part of the run this is, with the inputs of the whole run, and what reports say of it.
    ///
    /// # Errors
    /// If the journal can't be written, or is of a run with other settings.
    pub fn new<K: RecordedRun<Record = R>>(
        plan: &Plan,
        shard: Option<(Shard, Inputs)>,
        facts: &impl Serialize,
    ) -> Result<Self> {
        let &Plan { folder, name, ref settings, goes_on, ref reports, verbosity } = plan;
        let path = folder.join(format!("{name}.jsonl"));
        let mut stale = Vec::new();
        let (journal, earlier, damaged) = match shard {
            Some((shard, inputs)) => {
                let head = ShardHead::new(name, shard, inputs, reports.clone(), settings.clone()).with_facts(facts)?;
                Keeper::of_shard(folder, &head, goes_on)?
            }
            None if goes_on => {
                let (journal, earlier, damaged) = Records::<R>::resume(&path, settings)?;
                (Keeper::Whole(journal), earlier, damaged)
            }
            None => {
                stale = files::<K>(folder, reports);
                (Keeper::Whole(Records::begin(&path, settings)?), Vec::new(), 0)
            }
        };
        if damaged > 0 {
            let lines = counted(damaged, "damaged line", "damaged lines");
            say!("warning: {lines} of {path:?} left out; their pictures are processed again");
        }
        if verbosity >= Verbosity::Normal && !earlier.is_empty() {
            say!(
                "note: {} were looked at already; those whose file or labels have changed are processed again",
                pictures(earlier.len())
            );
        }
        // The last line of a picture counts.
        let earlier = earlier.into_iter().map(|record| (record.image().to_owned(), record)).collect();
        Ok(Self { journal, earlier, stale, verbosity })
    }

    /// Has each of the pictures worked on, unless its record is there, and hands the records to `keep`, in the order of the pictures.
    ///
    /// `workers`: each takes a picture, the digest of the text with its labels, and what messages call it.
    pub fn run<W>(self, items: Items, labels: Option<&Labels>, workers: Vec<W>, mut keep: impl FnMut(R)) -> Ran
    where
        W: FnMut(Picture, Option<String>, &str) -> Result<R> + Send,
    {
        let Self { mut journal, mut earlier, mut stale, verbosity } = self;
        let is_talkative = verbosity >= Verbosity::Normal;
        let total = items.total();
        let progress = Progress { pictures: Bar::of_pictures(is_talkative), steps: Bar::of_steps(false) };
        let jobs = until_stopped(items).map(|item| work_of(item, labels, &mut earlier));
        let worker = |mut make: W| {
            move |(image, turn, work): (String, Turn, Work<R>)| {
                let is_known = matches!(work, Work::Known(_));
                let state = match work {
                    Work::Known(record) => Attempt::Done(*record),
                    Work::Unusable(problem) => Attempt::Failed(Error::msg(problem)),
                    Work::Make(picture, label_text) => attempt(&image, || make(*picture, label_text, &image)),
                };
                (image, turn, is_known, state)
            }
        };
        let (mut failed, mut is_interrupted, mut taken) = (Vec::new(), false, 0);
        in_order(jobs, workers.into_iter().map(worker).collect(), |(image, turn, is_known, state)| {
            let mut fail = |error: Error| {
                let error = format!("{error:#}");
                progress.say(&format!("error: {error}"));
                failed.push((image.clone(), error.clone()));
                error
            };
            match state {
                Attempt::Done(record) => {
                    if !is_known {
                        stale.drain(..).for_each(|file| _ = fs::remove_file(file));
                        if is_talkative {
                            progress.say(&format!("{image}: {}", record.in_short()));
                        }
                        _ = journal.add(turn, &record).map_err(&mut fail);
                    }
                    keep(record);
                }
                Attempt::Failed(error) => {
                    let error = fail(error);
                    _ = journal.fail(turn, &image, &error).map_err(&mut fail);
                }
                Attempt::Interrupted => is_interrupted = true,
            }
            taken += 1;
            progress.pictures.show(taken, total.unwrap_or(0));
        });
        is_interrupted |= interrupt::is_stopped();
        if !is_interrupted && let Err(error) = journal.end() {
            say!("error: {error:#}");
            failed.push((String::new(), format!("{error:#}")));
        }
        Ran { failed, is_interrupted }
    }
}

/// Nothing is to be done where an earlier run knew the picture as it is now.
fn work_of<R: Record>(
    Item { image, turn, content }: Item,
    labels: Option<&Labels>,
    earlier: &mut HashMap<String, R>,
) -> (String, Turn, Work<R>) {
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
    (image, turn, work)
}

/// How the work on the pictures went.
pub struct Ran {
    failed: Vec<(String, String)>,
    is_interrupted: bool,
}

impl Ran {
    /// What the whole run ends with.
    pub fn end(self, plan: Plan) -> End {
        let Plan { folder, name, settings, verbosity, .. } = plan;
        let records = folder.join(format!("{name}.jsonl"));
        End { records, settings, failed: self.failed, is_interrupted: self.is_interrupted, verbosity }
    }

    /// Tells how a part of a run went.
    pub fn close_shard(&self, shard: &Shard, plan: &Plan) -> Exit {
        if plan.verbosity >= Verbosity::Normal {
            tell_shard(shard, plan.folder, self.is_interrupted);
        }
        exit(self.is_interrupted, !self.failed.is_empty())
    }
}

impl End {
    /// Writes the reports, tells the result, and how the run went. `show`: shows the figures.
    pub fn close<'a, K: RecordedRun>(
        &self,
        reports: &[&RecordReport<K>],
        findings: &'a K::Findings<'a>,
        records: &[K::Record],
        show: impl FnOnce() -> Result<()>,
    ) -> Exit {
        let exit = exit(self.is_interrupted, !self.failed.is_empty());
        if records.is_empty() {
            // What failed has its line already; this one closes the run.
            let kind = if self.failed.is_empty() { "error: " } else { "" };
            let why = if self.is_interrupted { "; go on with --skip-existing" } else { "" };
            say!("{kind}no picture could be processed{why}");
            return if self.is_interrupted { exit } else { Exit::SomeFailed };
        }
        let folder = self.records.parent().unwrap_or(Path::new(""));
        let files: Vec<PathBuf> = reports.iter().map(|report| folder.join(report.file)).collect();
        // The figures are shown whatever can't be written.
        let sinks = reports.iter().zip(&files).map(|(report, path)| (report.open)(path.clone(), findings));
        let results = [write_all(sinks, records), show()];
        let problems = results.into_iter().filter_map(Result::err).map(|error| say!("error: {error:#}")).count();
        if self.verbosity >= Verbosity::Normal {
            let files: Vec<_> = files.iter().map(|report| report.display().to_string()).collect();
            say!("reports: {}", files.join(", "));
            if self.is_interrupted {
                say!("interrupted: these are the figures so far; --skip-existing goes on");
            }
        }
        if problems > 0 && exit == Exit::Fine { Exit::SomeFailed } else { exit }
    }
}

/// The files of those reports that have these names.
fn files<K: RecordedRun>(folder: &Path, names: &[String]) -> Vec<PathBuf> {
    named::<K>(names).into_iter().map(|report| folder.join(report.file)).collect()
}

/// The reports with these names, as far as there are such.
fn named<K: RecordedRun>(names: &[String]) -> Vec<&'static RecordReport<K>> {
    let named = |name: &String| K::REPORTS.iter().copied().find(|report| report.name == *name);
    names.iter().filter_map(named).collect()
}

/// Whether the report with this name can be written of these shards; `None` if it is none.
pub fn can_merge<K: RecordedRun>(name: &str, head: &ShardHead) -> Option<bool> {
    let report = K::REPORTS.iter().find(|report| report.name == name)?;
    let reports = named::<K>(&head.reports);
    Some(!report.has_pictures || reports.iter().any(|report| report.has_pictures))
}

/// Writes the journal and the reports of a whole run of which there are shards.
///
/// # Errors
/// If the journal can't be written, or that of a shard or its results can't be read.
pub fn merge<L: Ledger>(parts: &mut Parts, wanted: &Wanted) -> Result<Exit> {
    let head = parts.first();
    let mut ledger = L::new(head.facts()?);
    let reports = named::<L::Run>(wanted.reports_of(head));
    let settings = head.settings.clone();
    let path = wanted.folder.join(format!("{}.jsonl", head.command));
    let mut journal = Records::begin(&path, &settings)?;
    let mut failed = Vec::new();
    parts.in_order(|_, part, told: Told<<L::Run as RecordedRun>::Record>| {
        match told {
            Told::Done(record) => {
                record.files().into_iter().try_for_each(|file| wanted.bring(&file, part))?;
                journal.add(&record)?;
                ledger.keep(record);
            }
            Told::Failed { image, error, .. } => failed.push((image, error)),
        }
        Ok(())
    })?;
    if wanted.verbosity >= Verbosity::Normal {
        say!("{} merged", parts.counted());
    }
    let end = End { records: path, settings, failed, is_interrupted: false, verbosity: wanted.verbosity };
    Ok(ledger.close(&end, &reports))
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
