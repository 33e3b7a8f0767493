//! `yolo-cam merge`: the reports of a run whose pictures were processed in shards.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Result, anyhow, bail, ensure};

use super::{
    diagnose, diff, eval, explain,
    recorded::can_merge,
    session::{open_results, tell_memory},
    wanted::Wanted,
};
use crate::{
    cli::MergeCommand,
    exit::Exit,
    output::{
        diagnosis::Diagnosis,
        difference::Difference,
        shards::{EXPLAIN, Mismatch, Part, Parts, find},
    },
};

/// How many shards a line names.
const MOST_NAMED: usize = 20;

/// Runs the command.
///
/// # Errors
/// If there are no shards, or the merged results can't be written.
pub fn merge(command: &MergeCommand) -> Result<Exit> {
    let runs = runs(&command.folders)?;
    let (mut problems, mut missing) = (Vec::new(), Vec::new());
    for (name, parts) in &runs {
        let contradictions = contradictions(parts);
        if contradictions.is_empty() {
            missing.extend(missing_of(name, parts));
        }
        problems.extend(contradictions);
    }
    problems.extend(unknown_reports(&runs, &command.reports));
    if !command.allows_missing {
        problems.extend(missing.iter().map(|text| format!("{text}; --allow-missing merges what is there")));
    }
    if !problems.is_empty() {
        problems.iter().for_each(|problem| say!("error: {problem}"));
        return Ok(Exit::Unusable);
    }
    missing.iter().for_each(|text| say!("warning: {text}"));
    let _lock = open_results(&command.output_dir, None)?;
    let wanted = Wanted { folder: &command.output_dir, reports: &command.reports, verbosity: command.verbosity };
    let mut exit = if missing.is_empty() { Exit::Fine } else { Exit::SomeFailed };
    for (name, parts) in runs {
        let mut parts = Parts::new(parts);
        let own = match name.as_str() {
            EXPLAIN => explain::merge(&mut parts, &wanted),
            "eval" | "compare" => eval::merge(&mut parts, &wanted),
            "diagnose" => diagnose::merge(&mut parts, &wanted),
            "diff" => diff::merge(&mut parts, &wanted),
            _ => bail!("there are shards of {name:?}, which this version does not know"),
        };
        if own? != Exit::Fine {
            exit = Exit::SomeFailed;
        }
    }
    tell_memory(command.verbosity);
    Ok(exit)
}

/// The shards of each command, in the order of their numbers.
fn runs(folders: &[PathBuf]) -> Result<BTreeMap<String, Vec<Part>>> {
    let mut looked_at = Vec::new();
    let mut runs: BTreeMap<String, Vec<Part>> = BTreeMap::new();
    for folder in folders {
        let place =
            folder.canonicalize().map_err(|error| anyhow!("{folder:?} cannot be read: {error}; check the path"))?;
        if looked_at.contains(&place) {
            continue;
        }
        looked_at.push(place);
        for part in find(folder)? {
            runs.entry(part.head.command.clone()).or_default().push(part);
        }
    }
    let named = folders.iter().map(|folder| format!("{folder:?}")).collect::<Vec<_>>().join(" and ");
    ensure!(!runs.is_empty(), "no shards in {named}; expected a folder with the results of runs with --shard K/N");
    runs.values_mut().for_each(|parts| parts.sort_by_key(|part| (part.head.shard.number, part.head.shard.of)));
    Ok(runs)
}

/// What does not go together, each in a line.
fn contradictions(parts: &[Part]) -> Vec<String> {
    let mut problems = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let Part { path, head, .. } = part;
        if let Some(Mismatch { what, values }) = parts[0].head.difference(head) {
            let first = &parts[0].path;
            let told = match values {
                Some([before, now]) => format!("{what} {now}, not {before}"),
                None => format!("another {what}"),
            };
            problems
                .push(format!("{path:?} is from another run than {first:?}: {told}; remove the one you do not want"));
        } else if let Some(other) = parts[..index].iter().find(|other| other.head.shard == head.shard) {
            let name = head.shard;
            problems.push(format!("shard {name} is there twice: {:?} and {path:?}; remove one of them", other.path));
        }
    }
    problems
}

/// What of a run is not there, in a line for what is missing and one for what is not complete.
fn missing_of(command: &str, parts: &[Part]) -> Vec<String> {
    let of = parts.first().map_or(0, |part| part.head.shard.of);
    let is_there = |number: &u32| parts.iter().any(|part| part.head.shard.number == *number);
    let missing: Vec<u32> = (1..=of).filter(|number| !is_there(number)).collect();
    let partial = parts.iter().filter(|part| !part.is_complete || part.damaged > 0);
    let partial: Vec<u32> = partial.map(|part| part.head.shard.number).collect();
    let told = |numbers: &[u32], one: &str, many: &str, way: &str| {
        let named = numbers.iter().take(MOST_NAMED).map(u32::to_string).collect::<Vec<_>>().join(", ");
        let more = numbers.len().saturating_sub(MOST_NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        match numbers {
            [] => None,
            [only] => Some(format!("{command}: shard {only} of {of} {one}; run it {way}")),
            _ => Some(format!("{command}: shards {named}{more} of {of} {many}; run them {way}")),
        }
    };
    let flag = match missing.as_slice() {
        [only] => format!("with --shard {only}/{of}"),
        _ => format!("with --shard K/{of}"),
    };
    let missing = told(&missing, "is missing", "are missing", &flag);
    let partial = told(&partial, "is not complete", "are not complete", "again with --skip-existing");
    [missing, partial].into_iter().flatten().collect()
}

/// Reports that are asked for and can't be written, each in a line.
fn unknown_reports(runs: &BTreeMap<String, Vec<Part>>, wanted: &[String]) -> Vec<String> {
    let mut problems = Vec::new();
    for name in wanted {
        let mut is_known = false;
        for (command, parts) in runs {
            let Some(part) = parts.first() else { continue };
            let can_write = match command.as_str() {
                EXPLAIN => explain::can_merge(name, &part.head),
                "diagnose" => can_merge::<Diagnosis>(name, &part.head),
                "diff" => can_merge::<Difference>(name, &part.head),
                _ => eval::can_merge(name),
            };
            let Some(can_write) = can_write else { continue };
            is_known = true;
            if !can_write {
                problems.push(format!(
                    "{command}: --report {name} is written with each picture, and the shards were run without it; leave it out, \
                     or run them again with it"
                ));
            }
        }
        if !is_known {
            let commands = runs.keys().cloned().collect::<Vec<_>>().join(" and ");
            problems.push(format!("--report {name} is not a report of {commands}; leave it out"));
        }
    }
    problems
}
