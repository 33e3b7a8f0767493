//! What became of the pictures: told as it happens, reported in the end.

use std::{
    io,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use yolo_cam::report::CsvRow;

use super::{
    super::{
        noun::Noun,
        session::{exit, tell_shard},
    },
    messages::{summary, verdicts},
    worker::{PictureOutcome, PictureState},
};
use crate::{
    cli::{ExplainCommand, Verbosity},
    exit::Exit,
    output::{
        Entry, Finished, Journal, JsonLines,
        reports::{ReportSpec, Run, RunReport, Told},
        shards::Turn,
    },
    progress::Progress,
};

/// Takes outcomes in the order of the inputs.
pub struct RunLedger<'a> {
    command: &'a ExplainCommand,
    noun: Noun,
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
    reports: Vec<(&'static str, Box<RunReport>)>,
    journal: &'a Mutex<Journal>,
    /// Until it can't be written.
    has_journal: bool,
}

impl<'a> RunLedger<'a> {
    pub fn new(
        command: &'a ExplainCommand,
        noun: Noun,
        total: Option<usize>,
        run: &Run,
        journal: &'a Mutex<Journal>,
        progress: &'a Progress,
    ) -> Self {
        let open = |report: &&'static ReportSpec| Some((report.name, report.of_run?(run)));
        // Of the run of which this may be a part there will be one report.
        let of_run = command.reports.iter().filter(|_| command.pictures.shard.is_none());
        let mut reports: Vec<_> = of_run.filter_map(open).collect();
        if command.json_lines {
            reports.push(("json-lines", Box::new(JsonLines::new(run.folder))));
        }
        Self {
            command,
            noun,
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
            reports,
            journal,
            has_journal: true,
        }
    }

    /// Tells what became of the next picture, and keeps what the reports need.
    pub fn take(&mut self, outcome: PictureOutcome) {
        self.taken += 1;
        for warning in &outcome.warnings {
            self.progress.say(warning);
        }
        let PictureOutcome { ref image, turn, frame, .. } = outcome;
        match outcome.state {
            PictureState::Done(results, entry) => self.take_results((image, turn), &results, entry),
            PictureState::Skipped(entry) => {
                self.skipped += 1;
                let file = entry.first_file(&self.command.pictures.output_dir);
                self.tell(Verbosity::Normal, || format!("{image}: skipped, {} is there", file.display()));
                self.report(&Told::Skipped(&entry));
            }
            PictureState::Failed(error) => {
                self.failed += 1;
                let error = format!("{error:#}");
                self.progress.say(&format!("error: {error}"));
                self.report(&Told::Failed { image, frame, error: &error });
                self.write_journal(|journal| journal.fail(turn, image, frame, &error));
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

    /// Of a picture that was explained. `entry`: what the journal said of it before.
    fn take_results(&mut self, (image, turn): (&str, Turn), results: &[Finished], mut entry: Entry) {
        self.done += 1;
        let mut files = Vec::new();
        for result in results {
            let folder = &self.command.pictures.output_dir;
            let names =
                result.pictures.iter().chain(&result.others).map(|file| file.strip_prefix(folder).unwrap_or(file));
            files.extend(names.map(|name| name.to_string_lossy().into_owned()));
            entry.rows.extend(CsvRow::explained(&result.record));
            for (report, kept) in &result.kept {
                entry.kept.entry((*report).to_owned()).or_default().push(kept.clone());
            }
            self.tell_result(image, result);
        }
        entry.files = Some(files);
        self.report(&Told::Explained { entry: &entry, results });
        self.write_journal(|journal| journal.add_at(turn, entry));
    }

    fn write_journal(&mut self, write: impl FnOnce(&mut Journal) -> io::Result<()>) {
        let written = write(&mut self.journal.lock().unwrap_or_else(PoisonError::into_inner));
        if let Err(error) = written {
            self.give_up_journal(&error);
        }
    }

    fn tell_result(&mut self, image: &str, Finished { pictures, record, verified, times, .. }: &Finished) {
        self.boxes += record.detections.len();
        let shown = match pictures.as_slice() {
            [] => String::new(),
            [only] => only.display().to_string(),
            [first, rest @ ..] => format!("{} and {} more", first.display(), rest.len()),
        };
        let noun = self.noun;
        self.tell(Verbosity::Normal, || format!("{image}: {} -> {shown}", summary(record, noun)));
        if let Some(line) = verified.as_ref().and_then(|verified| verdicts(record, noun, verified)) {
            self.tell(Verbosity::Normal, || format!("{image}: {line}"));
        }
        if self.command.verbosity >= Verbosity::Verbose {
            self.progress.say(&format!("time: {times}"));
        }
    }

    /// A line that says which picture of how many it is about.
    fn tell(&self, level: Verbosity, text: impl FnOnce() -> String) {
        if self.command.verbosity >= level {
            let total = self.total.map(|total| format!("/{total}")).unwrap_or_default();
            self.progress.say(&format!("[{}{total}] {}", self.taken, text()));
        }
    }

    /// Writes the reports of the run, and tells how it went.
    pub fn close(mut self, is_stopped: bool) -> Exit {
        for (_, report) in std::mem::take(&mut self.reports) {
            if let Err(error) = report.close() {
                self.tell_incomplete(&format!("{error:#}"));
            }
        }
        self.interrupted |= is_stopped;
        if !self.interrupted {
            self.write_journal(Journal::end);
        }
        let is_worth_telling = self.taken > 1 || self.interrupted;
        if self.failed > 0 || (self.command.verbosity >= Verbosity::Normal && is_worth_telling) {
            self.progress.say(&self.closing_line());
        }
        if let Some(choice) = &self.command.pictures.shard
            && self.command.verbosity >= Verbosity::Normal
        {
            tell_shard(&choice.shard, &self.command.pictures.output_dir, self.interrupted);
        }
        exit(self.interrupted, self.failed > 0 || self.is_incomplete)
    }

    /// This report cannot be written. The pictures are explained all the same.
    pub fn give_up(&mut self, report: &str, error: &anyhow::Error) {
        self.reports.retain(|(name, _)| *name != report);
        self.tell_incomplete(&format!("{error:#}"));
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
        line += &format!("; {} in {seconds:.1} s", self.noun.counted(*boxes));
        if self.interrupted {
            line = format!("interrupted: {line}");
        }
        line
    }
}
