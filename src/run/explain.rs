//! The main job: explains pictures, several at a time, and tells of each in the order of the inputs.

use std::{
    fs,
    io::{self, Write},
    iter,
    time::Instant,
};

use anyhow::Result;
use yolo_cam::{Model, parallel::in_order, report::HtmlPictures};

use super::{
    interrupt,
    ledger::Ledger,
    lists::print,
    load_named_model, note_rounding,
    options::{explain_options, settings},
    sweep_results, tell_memory, tell_model, warn_of_target,
    worker::{Job, ResultKind, Source, Worker, result_kinds},
};
use crate::{
    Exit,
    cli::{ExplainCommand, Verbosity},
    inputs::{Existing, Item, Items, Namer, Search, sources},
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
    let namer = Namer::new(&command.pictures.output_dir, command.format);
    let items = Items::new(sources, command.pictures.every, namer);
    let existing = command.skip_existing.then(|| Existing::in_folder(&command.pictures.output_dir));
    if command.dry_run {
        return list(items, &kinds, existing.as_ref());
    }
    let total = items.total();
    if let Err(error) = fs::create_dir_all(&command.pictures.output_dir) {
        say!("error: output folder {:?} cannot be created: {error}", command.pictures.output_dir);
        let count = total.map(|total| format!("0 of {total} pictures done, {total} failed"));
        say!("{}", count.as_deref().unwrap_or("no picture done"));
        return Ok(Exit::SomeFailed);
    }
    sweep_results(&command.pictures.output_dir);
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
    let mut ledger = Ledger::new(command, total, settings(command, &model), &progress);
    let mut items = items;
    let jobs = iter::from_fn(|| if interrupt::is_stopped() { None } else { items.next() });
    let jobs = jobs.map(|item| job(item, &kinds, existing.as_ref()));
    let page = command.reports.html.then(|| HtmlPictures::new(&command.pictures.output_dir));
    let page = page.and_then(|page| page.map_err(|error| ledger.give_up_page(&error)).ok());
    let workers = crew(model, workers, threads, command, &kinds, &progress.steps, page)?;
    let workers = workers.into_iter().map(|mut worker| move |job| worker.work(job)).collect();
    in_order(jobs, workers, |outcome| ledger.take(outcome));
    let exit = ledger.close(interrupt::is_stopped());
    if command.verbosity >= Verbosity::Verbose {
        tell_memory();
    }
    Ok(exit)
}

/// `count` workers, which share the model's weights and the threads.
fn crew<'a>(
    model: Model,
    count: usize,
    threads: usize,
    command: &'a ExplainCommand,
    kinds: &'a [ResultKind],
    steps: &'a Bar,
    page: Option<HtmlPictures>,
) -> Result<Vec<Worker<'a>>> {
    let threads = (threads / count).max(1) as i32;
    let mut models = (1..count).map(|_| Ok(model.share()?)).collect::<Result<Vec<Model>>>()?;
    models.push(model);
    Ok(models.into_iter().map(|model| Worker::new(model, threads, command, kinds, steps, page.clone())).collect())
}

/// What is to be done for a picture: nothing, where all its results are there.
fn job(item: Item, kinds: &[ResultKind], existing: Option<&Existing>) -> Job {
    let source = match item.content {
        Err(problem) => Source::Unusable(problem),
        Ok((content, names)) => {
            let result = |kind: &ResultKind| existing?.result(&kind.names(&names));
            match kinds.iter().map(result).collect::<Option<Vec<_>>>() {
                Some(results) => Source::Existing(results.into_iter().next().unwrap_or_default()),
                None => Source::Picture(content, names),
            }
        }
    };
    Job { image: item.image, source }
}

/// Lists the pictures and their results to stdout, and what is no picture to stderr.
fn list(items: Items, kinds: &[ResultKind], existing: Option<&Existing>) -> Result<Exit> {
    let mut exit = Exit::Fine;
    let planned: Vec<_> = items.planned().collect();
    print(|out| {
        for picture in planned {
            let (image, names) = match picture {
                Ok(picture) => picture,
                Err(problem) => {
                    exit = Exit::SomeFailed;
                    say!("error: {problem}");
                    continue;
                }
            };
            for kind in kinds {
                let names = kind.names(&names);
                match existing.and_then(|existing| existing.result(&names)) {
                    Some(result) => writeln!(out, "{image}: skipped, {} is there", result.display())?,
                    None => writeln!(out, "{image} -> {}", names.picture().display())?,
                }
            }
        }
        Ok(())
    })?;
    Ok(exit)
}
