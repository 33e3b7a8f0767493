//! What was measured, as a table on stdout.

use std::io::{self, Write};

use anyhow::Result;
use yolo_cam::{
    eval::{Explainer, LEAST_SCORE, Mean},
    text::counted,
};

use super::{
    super::stdout::{print, write_table},
    reports::{CheckMean, Correlations, Findings, ModuleMean},
};

/// The columns of the table on stdout.
const HEADS: [&str; 14] = [
    "RANK",
    "MAPS",
    "DELETION",
    "INSERTION",
    "INS-DEL [95 %]",
    "ABOVE GAUSSIAN [95 %]",
    "POINTING",
    "ENERGY PG",
    "BY RANK",
    "ODI",
    "COMPACT",
    "SPARSE",
    "COST",
    "EMPTY",
];

/// Prints the table, and what to take of it.
///
/// # Errors
/// If stdout can't be written.
pub fn show(findings: &Findings) -> Result<()> {
    let Findings { summary, truth, randomized, class_checks, pictures, run, .. } = findings;
    let number = |mean: Option<&Mean>| mean.map_or("-".to_owned(), |mean| format!("{:.3}", mean.mean));
    let has_labels = summary.rows.iter().any(|row| row.labelled.energy_pointing_game.is_some());
    let mut table = vec![HEADS.map(str::to_owned).to_vec()];
    if has_labels {
        table[0]
            .extend(["POINTING (LABELS)", "ENERGY PG (LABELS)", "BY RANK (LABELS)", "ODI (LABELS)"].map(str::to_owned));
    }
    for row in &summary.rows {
        let is_gaussian = row.explainer == Explainer::Gaussian;
        let mut cells = vec![
            row.rank.map_or("-".to_owned(), |rank| rank.to_string()),
            row.explainer.to_string(),
            number(Some(&row.deletion)),
            number(Some(&row.insertion)),
            interval(&row.overall),
            if is_gaussian { "-".to_owned() } else { interval(&row.above_gaussian) },
        ];
        cells.extend(row.detected.all().map(|mean| number(mean.as_ref())));
        cells.extend([
            number(row.compactness.as_ref()),
            number(row.sparsity.as_ref()),
            row.cost.map_or("-".to_owned(), |cost| format!("{cost:.1}")),
            row.empty.to_string(),
        ]);
        if has_labels {
            cells.extend(row.labelled.all().map(|mean| number(mean.as_ref())));
        }
        table.push(cells);
    }
    let boxes = summary.rows.first().map_or(0, |row| row.boxes);
    print(|out| {
        write_table(out, &table)?;
        for (explainer, checks) in class_checks {
            show_checks(out, explainer, checks)?;
        }
        for (explainer, modules) in randomized {
            writeln!(out, "\nRank correlation of the maps of {explainer} with those of shuffled weights:")?;
            let row = |module: &ModuleMean| correlation_row(&[&module.module], cells(&module.maps));
            write_table(
                out,
                &iter_with(correlation_row(&["DOWN TO"], HEADS_OF_CORRELATIONS), modules.iter().map(row)),
            )?;
        }
        let lost_modules = randomized.iter().flat_map(|(_, modules)| modules).map(|module| module.maps.lost);
        let lost_checks = class_checks.iter().flat_map(|(_, checks)| checks).map(|check| check.maps.lost);
        if lost_modules.chain(lost_checks).any(|lost| lost > 0) {
            writeln!(
                out,
                "LOST: no signal: the detector no longer finds this {} (its score is below {LEAST_SCORE}).",
                run.noun.one()
            )?;
        }
        writeln!(
            out,
            "\n{} of {}; target {}, protocol {}, {} steps; pointing games and ODI against {truth}.",
            run.noun.counted(boxes),
            counted(*pictures, "picture", "pictures"),
            run.target,
            run.protocol,
            run.steps
        )?;
        writeln!(out, "{}", summary.recommendation)
    })?;
    Ok(())
}

fn interval(mean: &Mean) -> String {
    format!("{:+.3} [{:+.3}, {:+.3}]", mean.mean, mean.low, mean.high)
}

fn shown(mean: &Option<Mean>) -> String {
    mean.as_ref().map_or("-".to_owned(), interval)
}

/// The last columns of a table of correlations.
const HEADS_OF_CORRELATIONS: [&str; 4] = ["INSIDE THE BOX [95 %]", "WHOLE PICTURE [95 %]", "LOST", "EMPTY"];

fn cells(maps: &Correlations) -> [String; 4] {
    [shown(&maps.inside), shown(&maps.correlation), maps.lost.to_string(), maps.empty.to_string()]
}

fn correlation_row<T: Into<String>>(first: &[&str], last: [T; 4]) -> Vec<String> {
    first.iter().map(|&cell| cell.to_owned()).chain(last.map(Into::into)).collect()
}

fn show_checks(out: &mut impl Write, explainer: &Explainer, checks: &[CheckMean]) -> io::Result<()> {
    writeln!(out, "\nRank correlation of the maps of {explainer}, the detector intact but for its classes:")?;
    let row = |check: &CheckMean| correlation_row(&[check.words, check.expected], cells(&check.maps));
    let heads = correlation_row(&["CHECK", "EXPECTED"], HEADS_OF_CORRELATIONS);
    write_table(out, &iter_with(heads, checks.iter().map(row)))
}

fn iter_with(first: Vec<String>, rest: impl Iterator<Item = Vec<String>>) -> Vec<Vec<String>> {
    [first].into_iter().chain(rest).collect()
}
