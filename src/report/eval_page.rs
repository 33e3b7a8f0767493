//! `eval.html`: how far the maps of methods can be trusted, as a page without scripts.

use std::{
    fmt::{self, Write as _},
    io::{self, Write as _},
    path::Path,
};

use super::html::{escaped, split};
use crate::{
    error::Result,
    eval::{Band, Case, Explainer, LocalizationMeans, Mean, Row, Summary},
    files::write_atomically,
};

const TEMPLATE: &str = include_str!("html/eval.html");
const STYLE: &str = concat!(include_str!("html/base.css"), include_str!("html/eval.css"));

/// What the page shows.
#[derive(Debug)]
pub struct EvalPage<'a> {
    /// Names and values.
    pub settings: &'a [(String, String)],
    /// The comparison.
    pub summary: &'a Summary,
    /// Of each method, by rank.
    pub cases: &'a [CaseGroup],
    /// For each module from the head down, what is left of the maps; empty if it was not measured.
    pub randomized: &'a [ModuleMean],
    /// Pictures that failed, each with its reason.
    pub failed: &'a [(String, String)],
    /// What the figures about boxes are measured against.
    pub truth: &'a str,
}

/// Cases of a method, each with the URL of its picture, if there is one.
#[derive(Debug)]
pub struct CaseGroup {
    /// The method.
    pub explainer: Explainer,
    /// The best first.
    pub best: Vec<(Case, Option<String>)>,
    /// The worst first.
    pub worst: Vec<(Case, Option<String>)>,
}

/// The mean rank correlation of maps with those of a network that is randomised down to a module.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ModuleMean {
    /// The module, `model.23`.
    pub module: String,
    /// Over boxes; `None` if no map has a signal.
    pub correlation: Option<Mean>,
    /// The same of the parts of the maps inside their boxes.
    pub inside: Option<Mean>,
    /// Boxes whose map has no signal any more.
    pub empty: usize,
}

/// Writes the page.
///
/// # Errors
/// [`crate::Error::Io`].
pub fn write_eval_page(path: &Path, page: &EvalPage) -> Result<()> {
    write_atomically(path, |out| {
        let mut body = String::new();
        page.write(&mut body).map_err(io::Error::other)?;
        let (head, rest) = split(TEMPLATE, "{{STYLE}}")?;
        let (middle, tail) = split(rest, "{{BODY}}")?;
        [head, STYLE, middle, &body, tail].iter().try_for_each(|part| out.write_all(part.as_bytes()))
    })
}

impl EvalPage<'_> {
    fn write(&self, out: &mut String) -> fmt::Result {
        let Summary { rows, recommendation } = self.summary;
        let boxes = rows.first().map_or(0, |row| row.boxes);
        writeln!(out, "<header>\n<h1>How far can the maps be trusted?</h1>")?;
        writeln!(out, "<p class=\"recommendation\">{}</p>", escaped(recommendation))?;
        writeln!(out, "<details><summary>Settings of this run</summary>\n<dl id=\"settings\">")?;
        for (name, value) in self.settings {
            writeln!(out, "<dt>{}</dt><dd>{}</dd>", escaped(name), escaped(value))?;
        }
        writeln!(out, "</dl></details>\n</header>\n<main>\n<section>\n<h2>Figures of {boxes} boxes</h2>")?;
        self.write_table(out)?;
        writeln!(out, "</section>\n<section>\n<h2>Curves</h2>")?;
        writeln!(
            out,
            "<p>What the detector still finds of a box while pixels are removed (deletion: low is good) or added (insertion: \
             high is good), those first that the map calls important. Mean of all boxes, with its 95 % band.</p>\n\
             <p class=\"key\"><span class=\"insertion\">insertion</span><span class=\"deletion\">deletion</span>\
             <span class=\"gaussian\">the same of a Gaussian on the box</span></p>\n<div class=\"curves\">"
        )?;
        let gaussian = rows.iter().find(|row| row.explainer == Explainer::Gaussian);
        for row in rows {
            write_curves(out, row, gaussian, highest(rows))?;
        }
        writeln!(out, "</div>\n</section>")?;
        self.write_randomized(out)?;
        writeln!(out, "<section>\n<h2>Best and worst cases</h2>\n<p>By insertion - deletion.</p>")?;
        for (group, at) in self.cases.iter().zip(0..) {
            let open = if at == 0 { " open" } else { "" };
            writeln!(out, "<details{open}><summary>{}</summary>", escaped(&group.explainer.to_string()))?;
            write_cases(out, "Best", &group.best)?;
            write_cases(out, "Worst", &group.worst)?;
            writeln!(out, "</details>")?;
        }
        writeln!(out, "</section>")?;
        if !self.failed.is_empty() {
            writeln!(out, "<section>\n<h2>Pictures that failed</h2>\n<ul>")?;
            for (image, reason) in self.failed {
                writeln!(out, "<li>{}: <span class=\"error\">{}</span></li>", escaped(image), escaped(reason))?;
            }
            writeln!(out, "</ul>\n</section>")?;
        }
        writeln!(out, "</main>")
    }

    fn write_table(&self, out: &mut String) -> fmt::Result {
        let rows = &self.summary.rows;
        let has_labels = rows.iter().any(|row| row.labelled.energy_pointing_game.is_some());
        write!(
            out,
            "<p>Means with their 95 % bootstrap intervals; arrows say what is better. Pointing games and ODI are measured \
             against {}.",
            escaped(self.truth)
        )?;
        let labelled = rows.iter().filter_map(|row| row.labelled.energy_pointing_game.as_ref());
        if let Some(count) = labelled.map(|mean| mean.count).max() {
            write!(out, " {count} boxes have a label.")?;
        }
        writeln!(out, "</p>\n<div class=\"wide\"><table aria-label=\"Figures of each method\">\n<thead><tr>")?;
        let local = ["pointing game ↑", "energy pointing game ↑", "ODI ↓"];
        let local_labelled = local.map(|name| format!("{name} <small>labels</small>"));
        let mut heads: Vec<&str> = vec!["rank", "maps", "deletion ↓", "insertion ↑", "insertion - deletion ↑"];
        heads.extend(["<span class=\"unseen\">the same, drawn</span>", "above Gaussian ↑"]);
        heads.extend(local);
        if has_labels {
            heads.extend(local_labelled.iter().map(String::as_str));
        }
        heads.extend(["compactness ↓", "sparsity ↑", "cost <small>forward passes</small>", "empty"]);
        for head in heads {
            write!(out, "<th scope=\"col\">{head}</th>")?;
        }
        writeln!(out, "</tr></thead>\n<tbody>")?;
        let gaussian = rows.iter().find(|row| row.explainer == Explainer::Gaussian).map(|row| row.overall.mean);
        for row in rows {
            let class = if row.explainer.is_baseline() { " class=\"baseline\"" } else { "" };
            let rank = row.rank.map_or(String::new(), |rank| rank.to_string());
            write!(out, "<tr{class}><td class=\"number\">{rank}</td>")?;
            write!(out, "<th scope=\"row\">{}</th>", escaped(&row.explainer.to_string()))?;
            write_mean(out, Some(&row.deletion))?;
            write_mean(out, Some(&row.insertion))?;
            write_mean(out, Some(&row.overall))?;
            write!(out, "<td>")?;
            write_interval(out, rows, row, gaussian)?;
            write!(out, "</td>")?;
            write_mean(out, Some(&row.above_gaussian).filter(|_| row.explainer != Explainer::Gaussian))?;
            let local = |means: &LocalizationMeans| {
                [means.pointing_game, means.energy_pointing_game, means.object_discrimination_index]
            };
            for mean in local(&row.detected) {
                write_mean(out, mean.as_ref())?;
            }
            if has_labels {
                for mean in local(&row.labelled) {
                    write_mean(out, mean.as_ref())?;
                }
            }
            write_mean(out, row.compactness.as_ref())?;
            write_mean(out, row.sparsity.as_ref())?;
            let cost = row.cost.map_or(String::new(), |cost| format!("{cost:.1}"));
            writeln!(out, "<td class=\"number\">{cost}</td><td class=\"number\">{}</td></tr>", row.empty)?;
        }
        writeln!(out, "</tbody></table></div>")
    }

    fn write_randomized(&self, out: &mut String) -> fmt::Result {
        if self.randomized.is_empty() {
            return Ok(());
        }
        writeln!(
            out,
            "<section>\n<h2>Do the maps depend on what was learnt?</h2>\n<p>Weights are shuffled module by module, from the head \
             down. The rank correlation of the maps with the original ones should fall to 0: a method whose maps stay shows \
             edges, not what the network learnt. Over the whole picture maps of one box correlate because they are high near it \
             for any weights; inside the box only what they show there counts.</p>\n<div class=\"wide\"><table aria-label=\"Rank correlation after weights were shuffled\"><thead><tr><th scope=\"col\">randomised down \
             to</th><th scope=\"col\">rank correlation, inside the box</th><th scope=\"col\">whole picture</th><th scope=\"col\">maps without signal</th></tr></thead><tbody>"
        )?;
        for row in self.randomized {
            write!(out, "<tr><th scope=\"row\">{}</th>", escaped(&row.module))?;
            write_mean(out, row.inside.as_ref())?;
            write_mean(out, row.correlation.as_ref())?;
            writeln!(out, "<td class=\"number\">{}</td></tr>", row.empty)?;
        }
        writeln!(out, "</tbody></table></div>\n</section>")
    }
}

fn write_mean(out: &mut String, mean: Option<&Mean>) -> fmt::Result {
    match mean {
        Some(Mean { mean, low, high, .. }) => {
            write!(out, "<td class=\"number\">{mean:.3} <small>[{low:.3}, {high:.3}]</small></td>")
        }
        None => write!(out, "<td></td>"),
    }
}

/// Ends of all intervals of insertion minus deletion, with some room.
fn extent(rows: &[Row]) -> (f64, f64) {
    let low = rows.iter().map(|row| row.overall.low).fold(f64::INFINITY, f64::min);
    let high = rows.iter().map(|row| row.overall.high).fold(f64::NEG_INFINITY, f64::max);
    let room = ((high - low) * 0.05).max(0.005);
    (low - room, high + room)
}

/// A point for the mean, and a line for its interval, on the scale that all rows share.
fn write_interval(out: &mut String, rows: &[Row], row: &Row, gaussian: Option<f64>) -> fmt::Result {
    const WIDTH: f64 = 192.0;
    let (low, high) = extent(rows);
    let x = |value: f64| (value - low) / (high - low) * WIDTH;
    let Mean { mean, low, high, .. } = row.overall;
    write!(out, "<svg class=\"interval\" viewBox=\"0 0 {WIDTH} 20\" aria-hidden=\"true\">")?;
    if let Some(gaussian) = gaussian {
        let at = x(gaussian);
        write!(out, "<path class=\"gaussian\" d=\"M{at:.1} 0V20\"/>")?;
    }
    write!(out, "<path class=\"reach\" d=\"M{:.1} 10H{:.1}\"/>", x(low), x(high))?;
    write!(out, "<circle class=\"point\" cx=\"{:.1}\" cy=\"10\" r=\"4\"/></svg>", x(mean))
}

/// The highest score of all curves, rounded up to a tenth.
fn highest(rows: &[Row]) -> f64 {
    let bands = rows.iter().flat_map(|row| [&row.deletion_curve, &row.insertion_curve]);
    let high = bands.flat_map(|band| band.high.iter().chain(&band.mean)).copied().fold(0.1, f64::max);
    (high * 10.0).ceil() / 10.0
}

fn write_curves(out: &mut String, row: &Row, gaussian: Option<&Row>, top: f64) -> fmt::Result {
    const SIZE: (f64, f64) = (320.0, 220.0);
    const LEFT: f64 = 30.0;
    const BELOW: f64 = 32.0;
    const ABOVE: f64 = 8.0;
    let (width, height) = (SIZE.0 - LEFT - 8.0, SIZE.1 - BELOW - ABOVE);
    let place = |step: usize, steps: usize, score: f64| {
        let x = LEFT + width * step as f64 / (steps - 1).max(1) as f64;
        format!("{x:.1} {:.1}", ABOVE + height * (1.0 - (score / top).clamp(0.0, 1.0)))
    };
    let line = |scores: &[f64]| {
        let points = scores.iter().enumerate().map(|(step, &score)| place(step, scores.len(), score));
        points.collect::<Vec<_>>().join("L")
    };
    let around = |band: &Band| {
        let low = band.low.iter().enumerate().rev().map(|(step, &score)| place(step, band.low.len(), score));
        format!("M{}L{}Z", line(&band.high), low.collect::<Vec<_>>().join("L"))
    };
    let name = escaped(&row.explainer.to_string());
    writeln!(
        out,
        "<figure><svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"Curves of {name}: deletion {:.3}, insertion {:.3}\">",
        SIZE.0, SIZE.1, row.deletion.mean, row.insertion.mean
    )?;
    let (right, bottom) = (LEFT + width, ABOVE + height);
    write!(out, "<path class=\"axis\" d=\"M{LEFT} {ABOVE}V{bottom}H{right}\"/>")?;
    for share in [0.0, 0.5, 1.0] {
        let (x, y) = (LEFT + width * share, ABOVE + height * (1.0 - share));
        write!(
            out,
            "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{:.1}</text>",
            LEFT - 5.0,
            y + 4.0,
            top * share
        )?;
        let anchor = if share == 1.0 { "end" } else { "middle" };
        write!(
            out,
            "<text x=\"{x:.0}\" y=\"{:.0}\" text-anchor=\"{anchor}\">{:.0} %</text>",
            bottom + 14.0,
            share * 100.0
        )?;
    }
    write!(
        out,
        "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\">of the pixels</text>",
        LEFT + width / 2.0,
        bottom + 27.0
    )?;
    if let Some(gaussian) = gaussian.filter(|gaussian| gaussian.explainer != row.explainer) {
        for band in [&gaussian.deletion_curve, &gaussian.insertion_curve] {
            write!(out, "<path class=\"gaussian\" d=\"M{}\"/>", line(&band.mean))?;
        }
    }
    for (class, band) in [("deletion", &row.deletion_curve), ("insertion", &row.insertion_curve)] {
        write!(out, "<path class=\"band {class}\" d=\"{}\"/>", around(band))?;
        write!(out, "<path class=\"line {class}\" d=\"M{}\"/>", line(&band.mean))?;
    }
    let rank = row.rank.map_or(String::new(), |rank| format!("{rank}. "));
    writeln!(
        out,
        "</svg><figcaption>{rank}<strong>{name}</strong>: deletion {:.3}, insertion {:.3}</figcaption></figure>",
        row.deletion.mean, row.insertion.mean
    )
}

fn write_cases(out: &mut String, title: &str, cases: &[(Case, Option<String>)]) -> fmt::Result {
    if cases.is_empty() {
        return Ok(());
    }
    writeln!(out, "<h3>{title}</h3>\n<ol class=\"cases\">")?;
    for (case, url) in cases {
        let image = escaped(&case.image);
        let class = escaped(&case.class);
        write!(out, "<li>")?;
        if let Some(url) = url {
            write!(out, "<img src=\"{}\" alt=\"Heat of {class} in {image}\" loading=\"lazy\">", escaped(url))?;
        }
        write!(
            out,
            "<p>{image}<br>{class} {:.2}: insertion - deletion {:.3}, energy pointing game {:.2}",
            case.confidence,
            case.overall(),
            case.figures.detected.energy_pointing_game
        )?;
        if let Some(reason) = &case.reason {
            write!(out, "<br><span class=\"error\">no signal: {}</span>", escaped(reason))?;
        }
        writeln!(out, "</p></li>")?;
    }
    writeln!(out, "</ol>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::{Cost, Curve, Curves, Figures, Localization, Sample};

    const HOSTILE: &str = r#"</td><script>alert("1")</script>&amp;'{{BODY}}"#;

    fn case() -> Case {
        let curve = |area: f64| Curve { scores: vec![0.0, area as f32, 1.0], area };
        let detected =
            Localization { pointing_game: 1.0, energy_pointing_game: 0.5, object_discrimination_index: None };
        Case {
            image: HOSTILE.into(),
            index: 0,
            class: HOSTILE.into(),
            confidence: 0.5,
            box_share: 0.1,
            reason: Some(HOSTILE.into()),
            figures: Figures {
                curves: Curves { deletion: curve(0.1), insertion: curve(0.6) },
                detected,
                labelled: Some(detected),
                compactness: None,
                sparsity: Some(2.0),
            },
        }
    }

    #[test]
    fn names_are_text_and_nothing_is_left_of_the_template() {
        let method = Explainer::Method { name: HOSTILE.into(), layers: "auto".into() };
        let sample = |explainer: &Explainer| Sample {
            explainer: explainer.clone(),
            recipe: None,
            cases: vec![case()],
            costs: vec![Cost { explanation: 2.0, forward: 1.0 }],
        };
        let summary = Summary::new(vec![sample(&method), sample(&Explainer::Gaussian)], 0).unwrap();
        let group = CaseGroup { explainer: method, best: vec![(case(), Some(HOSTILE.into()))], worst: Vec::new() };
        let mean = Mean { mean: 0.25, low: 0.0, high: 0.5, count: 3 };
        let page = EvalPage {
            settings: &[(HOSTILE.to_owned(), HOSTILE.to_owned())],
            summary: &summary,
            cases: &[group],
            randomized: &[ModuleMean { module: HOSTILE.into(), correlation: Some(mean), inside: None, empty: 1 }],
            failed: &[(HOSTILE.to_owned(), HOSTILE.to_owned())],
            truth: HOSTILE,
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("eval.html");
        write_eval_page(&path, &page).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("<script") && !text.contains("alert(\"") && !text.contains("'{{"), "{text}");
        assert!(!text.contains("{{STYLE}}") && text.contains(STYLE));
        // A method and the Gaussian; one case; labels have columns of their own.
        assert_eq!(text.matches("<figure>").count(), 2);
        assert_eq!(text.matches("<img ").count(), 1);
        assert_eq!(text.matches("<small>labels</small>").count(), 3);
        for (open, close) in
            [("<section>", "</section>"), ("<td", "</td>"), ("<tr", "</tr>"), ("<details", "</details>")]
        {
            assert_eq!(text.matches(open).count(), text.matches(close).count(), "{open}");
        }
        assert!(!text.contains("NaN") && !text.contains("inf"), "no figure is undefined");
    }
}
