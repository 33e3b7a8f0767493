//! The main job: explains pictures, several at a time, and tells of each in the order of the inputs.

mod ledger;
mod merge;
mod messages;
mod missed;
mod spot;
mod worker;

use std::{
    io::Write,
    iter,
    path::Path,
    sync::{Mutex, PoisonError},
};

use anyhow::{Result, bail};
use serde_json::Value;
use yolo_cam::{Model, text::counted};

use self::{
    ledger::RunLedger,
    worker::{ExplainWorker, PictureJob, PictureReports, PictureState, ResultKind, Task, Work, result_kinds},
};
pub use self::{
    merge::{can_merge, merge},
    spot::check_spot,
};
use super::{
    interrupt,
    model::warn_of_target,
    noun::Noun,
    options::{explain_options, heading, method_of, result_settings, settings, trial_sizes},
    parallel::in_order,
    session::{Session, create_results, tell_memory, threads, until_stopped, workers},
    stdout::print,
};
use crate::{
    cli::{ExplainCommand, again},
    exit::Exit,
    inputs::{Item, Items, Picture},
    output::{
        Entry, Finished, Inputs, Journal, Namer, PictureId, ResultSettings, Shard,
        reports::{
            ReportSpec, Run,
            gallery::{Look, RunFacts},
        },
        shards::{EXPLAIN, ShardHead, Turn},
    },
    progress::{Bar, Progress},
    weights,
};

/// Runs the command.
///
/// # Errors
/// Wrong use, an unusable model, or a folder of results that another run has.
pub fn explain(command: &ExplainCommand) -> Result<Exit> {
    let session = Session::open(
        &command.model,
        &command.pictures,
        &command.detection,
        command.method_options.precision,
        command.verbosity,
    )?;
    let model = &session.model;
    let kinds = result_kinds(explain_options(command, model)?, command.fuse.is_some(), model);
    let sizes = &trial_sizes(command, model)?;
    let method = method_of(command, model);
    warn_of_target(command.target, iter::once(method), model);
    let sources = session.sources();
    let output_dir = &command.pictures.output_dir;
    let settings = result_settings(command, model);
    let facts = facts(command, model);
    let shard = session.shard();
    let head = session.part(&sources).map(|part| shard_head(command, model, part, (&settings, &facts))).transpose()?;
    let plan = move |journal: &Journal| {
        let files = sources.iter().flatten().map(|source| source.path.as_path());
        let namer = Namer::new(output_dir, command.format).sparing(files);
        // Names of shards are as in a run that begins: none of them knows those that others have given.
        let keeps = command.skip_existing && shard.is_none();
        let namer = if keeps { namer.keeping(journal) } else { namer };
        Items::new(sources, command.pictures.every, namer).of_shard(shard)
    };
    let read = || match &head {
        Some(head) => Journal::read_shard(output_dir, head, command.skip_existing),
        None => Ok(Journal::read(output_dir)),
    };
    let planner = Planner { command, kinds: &kinds, sizes, digest: settings.digest(), settings };
    if command.dry_run {
        let journal = read()?;
        return list(plan(&journal), &planner, &journal);
    }
    if let Err(error) = create_results(output_dir) {
        say!("error: {error}");
        let total = plan(&Journal::default()).total();
        let count = total.map(|total| format!("0 of {total} pictures done, {total} failed"));
        say!("{}", count.as_deref().unwrap_or("no picture done"));
        return Ok(Exit::SomeFailed);
    }
    let _lock = session.begin()?;
    let journal = read()?;
    if !command.exist_ok {
        refuse_other_settings(&journal, &planner.settings, output_dir)?;
        if shard.is_some() {
            refuse_other_settings(&Journal::read(output_dir), &planner.settings, output_dir)?;
        }
    }
    if session.is_talkative() {
        let layers = command.target_layers.as_deref();
        session.tell_choices(method, layers, &kinds[0].options.detect);
    }
    if command.skip_existing && journal.damaged() > 0 {
        let lines = counted(journal.damaged(), "damaged line", "damaged lines");
        say!("warning: {lines} of the journal left out; what they told of is explained again");
    }
    let items = plan(&journal);
    let exit = explain_all(session, &planner, items, (journal, head.as_ref()), &facts)?;
    tell_memory(command.verbosity);
    Ok(exit)
}

/// Keeps results that were made in another way from being replaced by accident.
fn refuse_other_settings(journal: &Journal, settings: &ResultSettings, output_dir: &Path) -> Result<()> {
    let Some(other) = journal.other_settings(settings) else { return Ok(()) };
    bail!(
        "{output_dir:?} already has results made with other settings ({}); use another --output-dir, or --exist-ok to replace \
         them",
        other.difference(settings)
    );
}

/// What the journal of a shard begins with. `inputs`: of the whole run.
fn shard_head(
    command: &ExplainCommand,
    model: &Model,
    (shard, inputs): (Shard, Inputs),
    (results, run): (&ResultSettings, &RunFacts),
) -> Result<ShardHead> {
    let mut settings = results.values();
    // It may stand elsewhere on another machine.
    settings.insert("model".to_owned(), weights::sha256(model.path())?.into());
    let reports = command.reports.iter().map(|report| report.name.to_owned()).collect();
    let facts = merge::ShardFacts { settings: results.clone(), run: run.clone() };
    ShardHead::new(EXPLAIN, shard, inputs, reports, settings).with_facts(&facts)
}

/// What reports say of the run.
fn facts(command: &ExplainCommand, model: &Model) -> RunFacts {
    let arguments: Vec<_> = std::env::args_os().collect();
    RunFacts {
        heading: heading(model, method_of(command, model)),
        settings: settings(command, model),
        look: Look::of(&command.render),
        command: again(command, &arguments),
    }
}

fn explain_all(
    session: Session,
    planner: &Planner,
    items: Items,
    (mut journal, head): (Journal, Option<&ShardHead>),
    facts: &RunFacts,
) -> Result<Exit> {
    let &Planner { command, kinds, sizes, .. } = planner;
    let total = items.total();
    let started = match head {
        Some(head) => journal.start_shard(head),
        None => journal.start(Some(&planner.settings)),
    };
    let journal = Mutex::new(journal);
    let takes_steps = command.method.runs_again() || command.verify.is_some();
    let workers = workers(command.jobs, takes_steps, items.total_of_run());
    let is_talkative = session.is_talkative();
    let progress = Progress {
        pictures: match total {
            Some(total) => Bar::of_pictures(is_talkative && total > 1 && !takes_steps),
            None => Bar::of_frames(is_talkative && !takes_steps),
        },
        steps: Bar::of_steps(is_talkative && takes_steps && workers == 1),
    };
    let run = Run { folder: &command.pictures.output_dir, facts };
    let mut ledger = RunLedger::new(command, Noun::of(&session.model), total, &run, &journal, &progress);
    if let Err(error) = started {
        ledger.give_up_journal(&error);
    }
    let mut reports = PictureReports::new();
    for report in &command.reports {
        match report.of_pictures.map(|open| open(&run)) {
            None => {}
            Some(Ok(open)) => reports.push((report.name, open)),
            Some(Err(error)) => ledger.give_up(report.name, &error),
        }
    }
    let jobs = until_stopped(items);
    let jobs = jobs.map(|item| planner.job(item, &mut journal.lock().unwrap_or_else(PoisonError::into_inner)));
    let task = Task { command, kinds, sizes, steps: &progress.steps, reports: &reports };
    let workers = crew(session.model, workers, threads(), task)?;
    let workers = workers.into_iter().map(|mut worker| move |job| worker.work(job)).collect();
    in_order(jobs, workers, |outcome| ledger.take(outcome));
    Ok(ledger.close(interrupt::is_stopped()))
}

/// Explains one picture as a run does, into the folder of `command`, in which there is nothing else.
///
/// # Errors
/// If the picture can't be explained as `command` says, or its results can't be written.
pub fn explain_one(model: Model, command: &ExplainCommand, picture: Picture, image: &str) -> Result<Vec<Finished>> {
    let kinds = result_kinds(explain_options(command, &model)?, command.fuse.is_some(), &model);
    let sizes = &trial_sizes(command, &model)?;
    let run = Run { folder: &command.pictures.output_dir, facts: &facts(command, &model) };
    let open = |report: &&ReportSpec| Some(report.of_pictures?(&run).map(|open| (report.name, open)));
    let reports =
        command.reports.iter().copied().filter_map(|report| open(&report)).collect::<Result<PictureReports>>()?;
    let steps = Bar::of_steps(false);
    let task = Task { command, kinds: &kinds, sizes, steps: &steps, reports: &reports };
    let entry = Entry::planned(image, &picture.id, "", picture.names.source());
    let job = PictureJob { image: image.to_owned(), turn: Turn::default(), work: Work::Picture(picture, entry) };
    match ExplainWorker::new(model, threads() as i32, task)?.work(job).state {
        PictureState::Done(results, _) => Ok(results),
        PictureState::Failed(error) => Err(error),
        PictureState::Skipped(_) | PictureState::Interrupted => bail!("{image:?} was not explained"),
    }
}

/// `count` workers, which share the model's weights and the threads.
fn crew<'a>(model: Model, count: usize, threads: usize, task: Task<'a>) -> Result<Vec<ExplainWorker<'a>>> {
    let threads = (threads / count).max(1) as i32;
    let mut models = (1..count).map(|_| Ok(model.share()?)).collect::<Result<Vec<Model>>>()?;
    models.push(model);
    models.into_iter().map(|model| ExplainWorker::new(model, threads, task)).collect()
}

/// Decides what is to be done for each picture.
struct Planner<'a> {
    command: &'a ExplainCommand,
    kinds: &'a [ResultKind],
    /// Other sizes of the input at which a place is looked at.
    sizes: &'a [u32],
    /// What results depend on, and its digest.
    settings: ResultSettings,
    digest: String,
}

impl Planner<'_> {
    /// The results of a picture, if they are all there and the user does not want them anew.
    fn results<'a>(&self, picture: &PictureId, journal: &'a Journal) -> Option<&'a Entry> {
        let entry = journal.results_of(picture, &self.digest).filter(|_| self.command.skip_existing)?;
        let of_pictures = self.command.reports.iter().filter(|report| report.of_pictures.is_some());
        let is_made = |report: &ReportSpec| {
            let is_whole = |kept: &Vec<Value>| kept.len() == self.kinds.len() && kept.iter().all(report.knows);
            entry.kept.get(report.name).is_some_and(is_whole)
        };
        of_pictures.copied().all(is_made).then_some(entry)
    }

    /// What is to be done for a picture: nothing, where all its results are there.
    fn job(&self, item: Item, journal: &mut Journal) -> PictureJob {
        let work = match item.content {
            Err(problem) => Work::Unusable(problem),
            Ok(picture) => match self.results(&picture.id, journal) {
                Some(entry) => Work::Existing(entry.clone()),
                None => {
                    let entry = Entry::planned(&item.image, &picture.id, &self.digest, picture.names.source());
                    // If that fails, so does the line of the results, which is told.
                    journal.add_at(item.turn, entry.clone()).ok();
                    Work::Picture(picture, entry)
                }
            },
        };
        PictureJob { image: item.image, turn: item.turn, work }
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
            if let Some(entry) = id.and_then(|id| planner.results(&id, journal)) {
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
