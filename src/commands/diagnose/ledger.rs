//! Keeps what is known of each picture, and reports it.

use anyhow::Result;
use yolo_cam::{diagnose::ErrorKind, text::printable};

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
        diagnosis::{Case, Diagnosis, Findings, LEAST_CONFIDENCE, PictureRecord, RunFacts, Summary, Summing, told},
        path_of_url,
        reports::gallery::CardFiles,
    },
};

impl Record for PictureRecord {
    fn image(&self) -> &str {
        &self.image
    }

    fn picture(&self) -> &PictureId {
        &self.picture
    }

    fn label_text(&self) -> Option<&str> {
        self.label_text.as_deref()
    }

    /// `3 correct, 1 wrong class, 2 missed`
    fn in_short(&self) -> String {
        counted(&self.cases)
    }

    fn files(&self) -> Vec<String> {
        let maps = self.cases.iter().filter_map(|case| case.map.as_deref());
        self.files.iter().flat_map(CardFiles::urls).chain(maps).map(path_of_url).collect()
    }
}

pub struct DiagnoseLedger {
    run: RunFacts,
    summing: Summing,
    /// What the reports need of each picture: all but the boxes, of which there may be hundreds, and the portraits.
    records: Vec<PictureRecord>,
}

impl Ledger for DiagnoseLedger {
    type Run = Diagnosis;
    type Facts = RunFacts;

    fn new(run: RunFacts) -> Self {
        Self { run, summing: Summing::default(), records: Vec::new() }
    }

    fn keep(&mut self, mut record: PictureRecord) {
        self.summing.add(&record);
        record.found = Vec::new();
        record.cases.iter_mut().for_each(|case| case.portrait = None);
        self.records.push(record);
    }

    fn close(&self, end: &End, reports: &[&RecordReport<Diagnosis>]) -> Exit {
        let summary = self.summing.summary(self.run.seed);
        tell_unlabelled(summary.pictures, summary.unlabelled);
        let findings = Findings {
            run: &self.run,
            summary: &summary,
            names: &self.run.names,
            failed: &end.failed,
            settings: &end.settings,
            records: &end.records,
        };
        end.close(reports, &findings, &self.records, || self.show(&summary))
    }
}

impl DiagnoseLedger {
    /// The figures to stdout.
    fn show(&self, summary: &Summary) -> Result<()> {
        let percent = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{:.1}", value * 100.0));
        let count = |error: ErrorKind| {
            self.records.iter().flat_map(|record| &record.cases).filter(|case| case.error == Some(error)).count()
        };
        let least = self.run.least_confidence;
        let mut table = vec![["ERROR", "AP50 LOST", "CASES", "HEAT ON THE OBJECT [95 %]"].map(str::to_owned)];
        let on_object = |kind: &str| {
            let group = summary.groups.iter().find(|group| group.class_id.is_none() && group.kind == kind);
            group.and_then(|group| group.object).map_or("-".to_owned(), |mean| {
                format!("{:.0} % [{:.0}, {:.0}]", mean.mean * 100.0, mean.low * 100.0, mean.high * 100.0)
            })
        };
        let correct = self.records.iter().flat_map(|record| &record.cases).filter(|case| case.error.is_none()).count();
        table.push(["none (correct)".to_owned(), String::new(), correct.to_string(), on_object("correct")]);
        for cost in &summary.errors.kinds {
            table.push([
                cost.kind.summary().to_owned(),
                format!("{:.1}", cost.delta_ap * 100.0),
                count(cost.kind).to_string(),
                on_object(cost.kind.name()),
            ]);
        }
        print(|out| {
            use std::io::Write;
            writeln!(
                out,
                "AP {}, AP50 {}, AP75 {}: {} objects in {}, boxes from confidence {} on",
                percent(summary.precision.ap),
                percent(summary.precision.ap50),
                percent(summary.precision.ap75),
                summary.objects,
                pictures(summary.pictures),
                least.min(LEAST_CONFIDENCE)
            )?;
            writeln!(out, "cases: boxes above confidence {least}, and what they miss\n")?;
            write_table(out, &table)?;
            if !summary.suspicions.is_empty() {
                writeln!(out, "\nLook at these first:")?;
            }
            summary.suspicions.iter().try_for_each(|one| writeln!(out, "  {}", printable(&told(one, &self.run.names))))
        })?;
        Ok(())
    }
}

/// `3 correct, 1 wrong class, 2 missed`
fn counted(cases: &[Case]) -> String {
    let count = |error: Option<ErrorKind>| cases.iter().filter(|case| case.error == error).count();
    let correct = count(None);
    let errors = ErrorKind::ALL.into_iter().map(|kind| (count(Some(kind)), kind.summary()));
    let told = [(correct, "correct")].into_iter().chain(errors).filter(|(count, _)| *count > 0);
    let told: Vec<String> = told.map(|(count, what)| format!("{count} {what}")).collect();
    if told.is_empty() { "nothing there, and nothing found".to_owned() } else { told.join(", ") }
}
