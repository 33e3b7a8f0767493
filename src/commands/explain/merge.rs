//! The reports of a run whose pictures were explained in shards.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::{
    cli::Verbosity,
    commands::wanted::Wanted,
    exit::Exit,
    output::{
        Entry, Journal, ResultSettings,
        reports::{ReportSpec, Run, Told as Outcome, files_of_page, gallery::RunFacts, named},
        shards::{Parts, ShardHead, Told},
    },
};

/// What the head of a shard's journal says of the run.
#[derive(Serialize, Deserialize)]
pub struct ShardFacts {
    /// As the journal of the whole run has them.
    pub settings: ResultSettings,
    /// What reports say.
    pub run: RunFacts,
}

/// Whether the report with this name can be written of these shards; `None` if it is none.
pub fn can_merge(name: &str, head: &ShardHead) -> Option<bool> {
    let report = named(name)?;
    Some(report.of_pictures.is_none() || head.reports.iter().any(|wanted| wanted == name))
}

/// Writes the journal and the reports of the whole run.
///
/// # Errors
/// If the journal can't be written, or that of a shard or its results can't be read.
pub fn merge(parts: &mut Parts, wanted: &Wanted) -> Result<Exit> {
    let facts = parts.all().iter().map(|part| part.head.facts::<ShardFacts>()).collect::<Result<Vec<_>>>()?;
    let run = Run { folder: wanted.folder, facts: &facts[0].run };
    let reports = wanted.reports_of(parts.first()).iter().filter_map(|name| named(name));
    let reports: Vec<&ReportSpec> = reports.collect();
    let mut sinks: Vec<_> = reports.iter().filter_map(|report| Some(report.of_run?(&run))).collect();
    let mut journal = Journal::read(wanted.folder);
    let unwritable = || format!("the journal in {:?} cannot be written", wanted.folder);
    journal.start(facts.iter().map(|facts| &facts.settings)).with_context(unwritable)?;
    let (mut done, mut failed) = (0, 0);
    parts.in_order(|_, part, told: Told<Entry>| {
        match told {
            Told::Done(entry) => {
                done += 1;
                let files = entry.files.iter().flatten().cloned().chain(files_of_page(&entry));
                files.into_iter().try_for_each(|file| wanted.bring(&file, part))?;
                sinks.iter_mut().for_each(|sink| sink.take(&Outcome::Skipped(&entry)));
                journal.pass(entry).with_context(unwritable)?;
            }
            Told::Failed { image, frame, error } => {
                failed += 1;
                let outcome = Outcome::Failed { image: &image, frame, error: &error };
                sinks.iter_mut().for_each(|sink| sink.take(&outcome));
            }
        }
        Ok(())
    })?;
    let problems: Vec<_> = sinks.into_iter().filter_map(|sink| sink.close().err()).collect();
    problems.iter().for_each(|problem| say!("error: {problem:#}"));
    if failed > 0 || wanted.verbosity >= Verbosity::Normal {
        let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
        say!("{} merged: {done} pictures done{failed}", parts.counted());
    }
    Ok(if failed == 0 && problems.is_empty() { Exit::Fine } else { Exit::SomeFailed })
}
