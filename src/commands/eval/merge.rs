//! The reports of a run whose pictures were measured in shards.

use std::collections::HashMap;

use anyhow::Result;

use super::{
    super::{records::Records, wanted::Wanted},
    facts::RunFacts,
    measure::PictureFigures,
    measurements::Measurements,
    reports::REPORTS,
};
use crate::{
    cli::Verbosity,
    exit::Exit,
    output::shards::{Parts, Told},
};

/// Among the settings in the head of a shard's journal: what is measured.
pub const SUBJECTS: &str = "methods and layers";

/// Whether the report with this name can be written of shards, as all are; `None` if it is none.
pub fn can_merge(name: &str) -> Option<bool> {
    REPORTS.iter().any(|report| report.extension == name).then_some(true)
}

/// Writes the journal and the reports of the whole run.
///
/// # Errors
/// If the journal can't be written, or that of a shard or its results can't be read.
pub fn merge(parts: &mut Parts, wanted: &Wanted) -> Result<Exit> {
    let facts: RunFacts = parts.first().facts()?;
    let mut settings = parts.first().settings.clone();
    settings.remove(SUBJECTS);
    let mut measurements = Measurements::new(&facts, wanted.folder, &settings, wanted.verbosity);
    let mut journal = Records::begin(&wanted.folder.join(format!("{}.jsonl", facts.name)), &settings)?;
    // Which shard knows which picture.
    let mut parts_of: HashMap<String, usize> = HashMap::new();
    parts.in_order(|_, part, told: Told<PictureFigures>| {
        match told {
            Told::Done(record) => {
                journal.add(&record)?;
                parts_of.insert(record.image.clone(), part.head.shard.number as usize);
                measurements.pictures.know(&record.explainer, &record.cases);
                measurements.records.push(record);
            }
            Told::Failed { image, error, .. } => _ = measurements.fail((image, error)),
        }
        Ok(())
    })?;
    if wanted.verbosity >= Verbosity::Normal {
        say!("{} merged", parts.counted());
    }
    for (image, file) in measurements.pictures.files() {
        let number = parts_of.get(image);
        let part = parts.all().iter().find(|part| number == Some(&(part.head.shard.number as usize)));
        let file = format!("{}-files/{file}", facts.name);
        // What could not be drawn is not shown.
        if let Some(part) = part.filter(|part| part.folder.join(&file).exists()) {
            wanted.bring(&file, part)?;
        }
    }
    measurements.pictures.remove_others()?;
    Ok(measurements.close())
}
