//! Keeps what is known of each picture, and reports it.

use std::io::{self, Write};

use anyhow::Result;
use yolo_cam::{eval::Mean, text::printable};

use super::super::{
    labels::tell_unlabelled,
    noun::pictures,
    recorded::{End, Ledger, Record},
    stdout::{print, write_table},
};
use crate::{
    exit::Exit,
    output::{
        PictureId, RecordReport,
        difference::{Change, Difference, Findings, PictureDifference, RunFacts, Summary, Summing},
        path_of_url,
        reports::gallery::CardFiles,
    },
};

impl Record for PictureDifference {
    fn image(&self) -> &str {
        &self.image
    }

    fn picture(&self) -> &PictureId {
        &self.picture
    }

    fn label_text(&self) -> Option<&str> {
        self.label_text.as_deref()
    }

    /// `3 kept, 1 gained`
    fn in_short(&self) -> String {
        counted(self)
    }

    fn files(&self) -> Vec<String> {
        let maps = self.things.iter().flat_map(|thing| [&thing.old.map, &thing.new.map]).flatten();
        self.files.iter().flat_map(CardFiles::urls).chain(maps.map(String::as_str)).map(path_of_url).collect()
    }
}

pub struct DiffLedger {
    run: RunFacts,
    summing: Summing,
    records: Vec<PictureDifference>,
}

impl Ledger for DiffLedger {
    type Run = Difference;
    type Facts = RunFacts;

    fn new(run: RunFacts) -> Self {
        Self { run, summing: Summing::default(), records: Vec::new() }
    }

    fn keep(&mut self, record: PictureDifference) {
        self.summing.add(&record);
        self.records.push(record);
    }

    fn close(&self, end: &End, reports: &[&RecordReport<Difference>]) -> Exit {
        let summary = self.summing.summary(self.run.seed);
        tell_unlabelled(summary.pictures, summary.unlabelled);
        let findings = Findings {
            run: &self.run,
            summary: &summary,
            names: &self.run.names,
            failed: &end.failed,
            settings: &end.settings,
        };
        end.close(reports, &findings, &self.records, || self.show(&summary))
    }
}

impl DiffLedger {
    /// The figures to stdout.
    fn show(&self, summary: &Summary) -> Result<()> {
        print(|out| {
            let [old, new] = &self.run.models;
            writeln!(out, "{} -> {}, {}\n", printable(old), printable(new), pictures(summary.pictures))?;
            self.show_groups(out, summary)
        })?;
        Ok(())
    }

    fn show_groups(&self, out: &mut impl Write, summary: &Summary) -> io::Result<()> {
        let share = |mean: Option<Mean>| {
            mean.map_or("-".to_owned(), |mean| {
                format!("{:.0} % [{:.0}, {:.0}]", mean.mean * 100.0, mean.low * 100.0, mean.high * 100.0)
            })
        };
        let number = |mean: Option<Mean>| mean.map_or("-".to_owned(), |mean| format!("{:.2}", mean.mean));
        let percent = |mean: Option<Mean>| mean.map_or("-".to_owned(), |mean| format!("{:.0} %", mean.mean * 100.0));
        let mut heads = vec!["CLASS", "LOST", "GAINED", "KEPT"];
        if self.run.has_labels {
            heads.extend(["NEW ERRORS", "FIXED"]);
        }
        heads.extend(["HEAT MOVED [95 %]", "NOISE", "RANK CORR.", "NOISE", "ON THE OBJECT"]);
        let mut table = vec![heads.into_iter().map(str::to_owned).collect::<Vec<_>>()];
        for group in &summary.groups {
            let name = group.class_id.map_or("all", |class| self.run.names[class].as_str());
            let mut row =
                vec![printable(name), group.lost.to_string(), group.gained.to_string(), group.kept.to_string()];
            if self.run.has_labels {
                row.extend([group.broken.to_string(), group.fixed.to_string()]);
            }
            row.extend([
                share(group.moved),
                share(group.noise_moved),
                number(group.correlation),
                number(group.noise_correlation),
                format!("{} -> {}", percent(group.object_old), percent(group.object_new)),
            ]);
            table.push(row);
        }
        write_table(out, &table)?;
        writeln!(out, "\nnoise: {}", self.run.noise)?;
        let is_measured = summary.groups.iter().any(|group| group.noise_moved.is_some());
        if !is_measured && summary.groups.iter().any(|group| group.moved.is_some()) {
            writeln!(
                out,
                "noise could not be measured, as the old model has one prediction of each object; give --noise MODEL"
            )?;
        }
        for group in summary.groups.iter().filter(|group| group.has_drifted()) {
            if let Some(class) = group.class_id {
                let (old, new) = (percent(group.object_old), percent(group.object_new));
                writeln!(
                    out,
                    "the evidence for {} moved more than noise does: heat on the object went from {old} to {new}",
                    printable(&self.run.names[class])
                )?;
            }
        }
        Ok(())
    }
}

/// `3 kept, 1 gained`
fn counted(record: &PictureDifference) -> String {
    let count = |change: Change| record.things.iter().filter(|thing| thing.change == change).count();
    let counts = Change::ALL.into_iter().map(|change| (count(change), change.name()));
    let told: Vec<String> =
        counts.filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    if told.is_empty() { "nothing found".to_owned() } else { told.join(", ") }
}
