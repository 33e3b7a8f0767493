//! The main job: explains pictures, several at a time, and tells of each in the order of the inputs.

use std::{
    io::{self, Write},
    iter,
    path::Path,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use anyhow::Result;
use yolo_cam::{Model, parallel::in_order, report::HtmlPictures};

use super::{
    create_results, interrupt,
    ledger::RunLedger,
    lists::print,
    load_named_model, note_rounding, open_results,
    options::{explain_options, result_settings, settings},
    tell_memory, tell_model, warn_of_target,
    worker::{ExplainWorker, PictureJob, ResultKind, Task, Work, result_kinds},
};
use crate::{
    cli::{ExplainCommand, Verbosity},
    exit::Exit,
    inputs::{Item, Items, Search, Source, sources},
    output::{Entry, Journal, Namer, PictureId, ResultNames},
    progress::{Bar, Progress},
};

/// More workers than this gain little, and each takes memory for its own forward pass.
const MOST_WORKERS: usize = 4;

pub fn explain(command: &ExplainCommand) -> Result<Exit> {
    let start = Instant::now();
    let is_talkative = command.verbosity >= Verbosity::Normal;
    let model = load_named_model(&command.model, command.pictures.names.as_deref(), !is_talkative)?;
    let kinds = result_kinds(explain_options(command, &model)?, command.fuse.is_some(), &model);
    if is_talkative {
        note_rounding(command.detection.img_size, &model);
    }
    warn_of_target(command.target, iter::once(command.method), &model);
    let search = Search { recursive: command.pictures.recursive, output_dir: &command.pictures.output_dir };
    let sources = sources(&command.pictures.inputs, search, io::stdin().lock());
    let output_dir = &command.pictures.output_dir;
    let plan = move |journal: &Journal| {
        let files = sources.iter().flatten().map(Source::path);
        let namer = Namer::new(output_dir, command.format).sparing(files);
        let namer = if command.skip_existing { namer.keeping(journal) } else { namer };
        Items::new(sources, command.pictures.every, namer)
    };
    let planner = Planner { command, kinds: &kinds, settings: result_settings(command, &model) };
    if command.dry_run {
        let journal = Journal::read(output_dir);
        return list(plan(&journal), &planner, &journal);
    }
    if let Err(error) = create_results(output_dir) {
        say!("error: {error}");
        let total = plan(&Journal::default()).total();
        let count = total.map(|total| format!("0 of {total} pictures done, {total} failed"));
        say!("{}", count.as_deref().unwrap_or("no picture done"));
        return Ok(Exit::SomeFailed);
    }
    let _lock = open_results(output_dir)?;
    let mut journal = Journal::read(output_dir);
    if command.skip_existing && journal.damaged() > 0 {
        let damaged = journal.damaged();
        let lines = if damaged == 1 { "line" } else { "lines" };
        say!("warning: {damaged} damaged {lines} of the journal left out; what they told of is explained again");
    }
    let mut items = plan(&journal);
    let total = items.total();
    let started = journal.start();
    let journal = Mutex::new(journal);
    if command.verbosity >= Verbosity::Verbose {
        tell_model(&model, start);
    }
    interrupt::install()?;

    let takes_steps = command.method.runs_again();
    let threads = tch::get_num_threads().max(1) as usize;
    let workers = match command.jobs {
        Some(jobs) => jobs.into(),
        // Such methods keep all cores busy with batches by themselves.
        None if takes_steps => 1,
        None => threads.min(MOST_WORKERS),
    };
    let workers = workers.min(total.unwrap_or(usize::MAX)).max(1);
    let progress = Progress {
        pictures: match total {
            Some(total) => Bar::of_pictures(is_talkative && total > 1 && !takes_steps),
            None => Bar::of_frames(is_talkative && !takes_steps),
        },
        steps: Bar::of_steps(is_talkative && takes_steps && workers == 1),
    };
    let mut ledger = RunLedger::new(command, total, &settings(command, &model), &journal, &progress);
    if let Err(error) = started {
        ledger.give_up_journal(&error);
    }
    let jobs = iter::from_fn(|| if interrupt::is_stopped() { None } else { items.next() });
    let jobs = jobs.map(|item| planner.job(item, &mut journal.lock().unwrap_or_else(PoisonError::into_inner)));
    let page = command.writes("html").then(|| HtmlPictures::new(output_dir));
    let page = page.and_then(|page| page.map_err(|error| ledger.give_up("html", &error)).ok());
    let workers = crew(model, workers, threads, &Task { command, kinds: &kinds, steps: &progress.steps, page })?;
    let workers = workers.into_iter().map(|mut worker| move |job| worker.work(job)).collect();
    in_order(jobs, workers, |outcome| ledger.take(outcome));
    let exit = ledger.close(interrupt::is_stopped());
    if command.verbosity >= Verbosity::Verbose {
        tell_memory();
    }
    Ok(exit)
}

/// `count` workers, which share the model's weights and the threads.
fn crew<'a>(model: Model, count: usize, threads: usize, task: &Task<'a>) -> Result<Vec<ExplainWorker<'a>>> {
    let threads = (threads / count).max(1) as i32;
    let mut models = (1..count).map(|_| Ok(model.share()?)).collect::<Result<Vec<Model>>>()?;
    models.push(model);
    Ok(models.into_iter().map(|model| ExplainWorker::new(model, threads, task.clone())).collect())
}

/// Decides what is to be done for each picture.
struct Planner<'a> {
    command: &'a ExplainCommand,
    kinds: &'a [ResultKind],
    /// A digest of what results depend on.
    settings: String,
}

impl Planner<'_> {
    /// The results of a picture, if they are all there and the user does not want them anew.
    fn results<'a>(&self, picture: &PictureId, names: &ResultNames, journal: &'a Journal) -> Option<&'a Entry> {
        let entry = journal.results_of(picture, &self.settings).filter(|_| self.command.skip_existing)?;
        let files = entry.files.as_deref().unwrap_or_default();
        let is_there = |file: &Path| files.iter().any(|name| file.file_name().is_some_and(|file| *file == **name));
        let has_json = || self.kinds.iter().all(|kind| is_there(&kind.names(names).json()));
        let has_cards = || entry.cards.len() == self.kinds.len();
        let (json, html) = (self.command.writes("json"), self.command.writes("html"));
        ((!json || has_json()) && (!html || has_cards())).then_some(entry)
    }

    /// What is to be done for a picture: nothing, where all its results are there.
    fn job(&self, item: Item, journal: &mut Journal) -> PictureJob {
        let work = match item.content {
            Err(problem) => Work::Unusable(problem),
            Ok(picture) => match self.results(&picture.id, &picture.names, journal) {
                Some(entry) => Work::Existing(entry.clone()),
                None => {
                    let entry = Entry::planned(&item.image, &picture.id, &self.settings, picture.names.source());
                    // If that fails, so does the line of the results, which is told.
                    journal.add(entry.clone()).ok();
                    Work::Picture(picture, entry)
                }
            },
        };
        PictureJob { image: item.image, work }
    }
}

/// Lists the pictures and their results to stdout, and what is no picture to stderr.
fn list(items: Items, planner: &Planner, journal: &Journal) -> Result<Exit> {
    let mut exit = Exit::Fine;
    let planned: Vec<_> = items.planned().collect();
    print(|out| {
        for picture in planned {
            let (image, id, names) = match picture {
                Ok(picture) => picture,
                Err(problem) => {
                    exit = Exit::SomeFailed;
                    say!("error: {problem}");
                    continue;
                }
            };
            if let Some(entry) = id.and_then(|id| planner.results(&id, &names, journal)) {
                writeln!(out, "{image}: skipped, {} is there", entry.first_file(names.dir()).display())?;
                continue;
            }
            for kind in planner.kinds {
                writeln!(out, "{image} -> {}", kind.names(&names).picture().display())?;
            }
        }
        Ok(())
    })?;
    Ok(exit)
}
