//! What was measured, as a table on stdout.

use std::io::Write;

use anyhow::Result;
use yolo_cam::{
    Target,
    eval::{CurveOptions, Explainer, LEAST_SCORE, Mean},
};

use super::{
    super::stdout::{print, write_table},
    reports::{Findings, ModuleMean},
};

/// The columns of the table on stdout.
const HEADS: [&str; 13] = [
    "RANK",
    "MAPS",
    "DELETION",
    "INSERTION",
    "INS-DEL [95 %]",
    "ABOVE GAUSSIAN [95 %]",
    "POINTING",
    "ENERGY PG",
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
pub fn show(findings: &Findings, target: Target, curves: &CurveOptions) -> Result<()> {
    let Findings { summary, truth, randomized, pictures, noun, .. } = findings;
    let number = |mean: Option<&Mean>| mean.map_or("-".to_owned(), |mean| format!("{:.3}", mean.mean));
    let interval = |mean: &Mean| format!("{:+.3} [{:+.3}, {:+.3}]", mean.mean, mean.low, mean.high);
    let has_labels = summary.rows.iter().any(|row| row.labelled.energy_pointing_game.is_some());
    let mut table = vec![HEADS.map(str::to_owned).to_vec()];
    if has_labels {
        table[0].extend(["POINTING (LABELS)", "ENERGY PG (LABELS)", "ODI (LABELS)"].map(str::to_owned));
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
            number(row.detected.pointing_game.as_ref()),
            number(row.detected.energy_pointing_game.as_ref()),
            number(row.detected.object_discrimination_index.as_ref()),
            number(row.compactness.as_ref()),
            number(row.sparsity.as_ref()),
            row.cost.map_or("-".to_owned(), |cost| format!("{cost:.1}")),
            row.empty.to_string(),
        ];
        if has_labels {
            let labelled = &row.labelled;
            let means = [labelled.pointing_game, labelled.energy_pointing_game, labelled.object_discrimination_index];
            cells.extend(means.iter().map(|mean| number(mean.as_ref())));
        }
        table.push(cells);
    }
    let boxes = summary.rows.first().map_or(0, |row| row.boxes);
    print(|out| {
        write_table(out, &table)?;
        for (explainer, modules) in randomized {
            writeln!(out, "\nRank correlation of the maps of {explainer} with those of shuffled weights:")?;
            let row = |module: &ModuleMean| {
                let shown = |mean: &Option<Mean>| mean.as_ref().map_or("-".to_owned(), interval);
                let (inside, whole) = (shown(&module.inside), shown(&module.correlation));
                vec![module.module.clone(), inside, whole, module.lost.to_string(), module.empty.to_string()]
            };
            let heads = ["DOWN TO", "INSIDE THE BOX [95 %]", "WHOLE PICTURE [95 %]", "LOST", "EMPTY"];
            write_table(out, &iter_with(heads.map(str::to_owned).to_vec(), modules.iter().map(row)))?;
            if modules.iter().any(|module| module.lost > 0) {
                writeln!(
                    out,
                    "LOST: no signal: the detector no longer finds this {} (its score is below {LEAST_SCORE}).",
                    noun.one()
                )?;
            }
        }
        writeln!(
            out,
            "\n{} of {}; target {}, protocol {}, {} steps; pointing games and ODI against {truth}.",
            noun.counted(boxes),
            if *pictures == 1 { "1 picture".to_owned() } else { format!("{pictures} pictures") },
            target.name,
            curves.protocol.name(),
            curves.steps()
        )?;
        writeln!(out, "{}", summary.recommendation)
    })?;
    Ok(())
}

fn iter_with(first: Vec<String>, rest: impl Iterator<Item = Vec<String>>) -> Vec<Vec<String>> {
    [first].into_iter().chain(rest).collect()
}
