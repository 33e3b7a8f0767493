//! Keeps what was measured.

use std::{collections::BTreeMap, fs};

use anyhow::Result;
use image::RgbImage;
use yolo_cam::eval::Explainer;

use super::{
    super::{
        records::Keeper,
        session::{Attempt, tell_shard},
    },
    measure::{MeasureOutcome, Measured, PictureFigures},
    measurements::Measurements,
    reports::REPORTS,
};
use crate::{
    cli::Verbosity,
    exit::Exit,
    output::{Shard, shards::Turn},
    progress::Meter,
};

pub struct EvalLedger<'a> {
    journal: Keeper<PictureFigures>,
    meter: &'a Meter,
    measurements: Measurements<'a>,
    /// The part of the run that this is, if it is one.
    shard: Option<&'a Shard>,
    /// Whether what an earlier run reported is still there, and is to go.
    is_stale: bool,
}

impl<'a> EvalLedger<'a> {
    /// `measurements`: with what an earlier run left, if that counts; `is_stale`: whether its reports are to go.
    pub fn new(
        mut measurements: Measurements<'a>,
        (journal, is_stale): (Keeper<PictureFigures>, bool),
        shard: Option<&'a Shard>,
        meter: &'a Meter,
    ) -> Self {
        let Measurements { pictures, records, .. } = &mut measurements;
        records.iter().for_each(|record| pictures.know(&record.explainer, &record.cases));
        Self { journal, meter, measurements, shard, is_stale }
    }

    pub fn take(&mut self, outcome: MeasureOutcome) {
        let MeasureOutcome { image, turn, state } = outcome;
        match state {
            Attempt::Done(Measured { record, pictures }) => {
                if let Err(error) = self.keep(turn, &record, pictures) {
                    self.fail(turn, &image, format!("{error:#}"));
                }
                if self.measurements.verbosity >= Verbosity::Verbose {
                    let boxes = self.measurements.facts.noun.counted(record.cases.len());
                    self.meter.say(&format!("{image}: {}: {boxes} measured", record.explainer));
                }
                if matches!(record.explainer, Explainer::Maps { .. }) {
                    self.tell_reasons(&record);
                }
                self.measurements.records.push(record);
            }
            Attempt::Failed(error) => self.fail(turn, &image, format!("{error:#}")),
            Attempt::Interrupted => self.measurements.is_interrupted = true,
        }
    }

    /// Tells which maps of another program say nothing, or are not there.
    fn tell_reasons(&self, record: &PictureFigures) {
        let noun = self.measurements.facts.noun;
        let mut boxes: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for case in &record.cases {
            if let Some(reason) = &case.reason {
                boxes.entry(reason).or_default().push(case.index.to_string());
            }
        }
        for (reason, indices) in boxes {
            let what = if indices.len() == 1 { noun.one() } else { noun.many() };
            self.meter.say(&format!("warning: {}: {what} {}: {reason}", record.image, indices.join(", ")));
        }
    }

    /// Pictures first: a run that goes on does not draw what the journal has.
    fn keep(&mut self, turn: Turn, record: &PictureFigures, pictures: Vec<(usize, RgbImage)>) -> Result<()> {
        let of_cases = &mut self.measurements.pictures;
        if std::mem::take(&mut self.is_stale) {
            of_cases.remove_all()?;
            REPORTS.iter().for_each(|report| _ = fs::remove_file(self.measurements.path(report.extension)));
        }
        let of_cases = &mut self.measurements.pictures;
        of_cases.create_folder()?;
        for (index, picture) in pictures {
            of_cases.add(&record.explainer, &record.cases[index], &picture)?;
        }
        self.journal.add(turn, record)
    }

    /// Tells of a picture that failed, once where all methods fail in the same way.
    fn fail(&mut self, turn: Turn, image: &str, error: String) {
        if let Err(error) = self.journal.fail(turn, image, &error) {
            self.meter.say(&format!("error: {error:#}"));
        }
        let line = format!("error: {error}");
        if self.measurements.fail((image.to_owned(), error)) {
            self.meter.say(&line);
        }
    }

    /// Writes the reports, and tells the result.
    pub fn close(mut self, is_stopped: bool) -> Exit {
        self.measurements.is_interrupted |= is_stopped;
        self.meter.clear();
        let Some(shard) = self.shard else { return self.measurements.close() };
        let Measurements { is_interrupted, verbosity, folder, .. } = self.measurements;
        let ended = if is_interrupted { Ok(()) } else { self.journal.end() };
        if let Err(error) = &ended {
            say!("error: {error:#}");
        }
        if verbosity >= Verbosity::Normal {
            tell_shard(shard, folder, is_interrupted);
        }
        let exit = self.measurements.exit();
        if ended.is_err() && exit == Exit::Fine { Exit::SomeFailed } else { exit }
    }
}
