//! `eval.html`: how far the maps of methods can be trusted, as a page without scripts.

use std::{io::Write as _, path::Path};

use maud::{DOCTYPE, Markup, PreEscaped, html};

use yolo_cam::{
    Result,
    eval::{Band, Case, Explainer, Mean, Row, Summary},
    files::write_atomically,
};

use crate::{commands::noun::Noun, output::BASE_STYLE};

const STYLE: &str = include_str!("page.css");

/// The page loads nothing from anywhere, and runs nothing.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' file:";

/// What the page shows.
#[derive(Debug)]
pub struct EvalPage<'a> {
    /// The model, and when it was measured.
    pub heading: &'a str,
    /// Names and values.
    pub settings: &'a [(String, String)],
    /// The comparison.
    pub summary: &'a Summary,
    /// Of each method, by rank.
    pub cases: &'a [CaseGroup],
    /// For each module from the head down, what is left of the maps; empty if it was not measured.
    pub randomized: &'a [ModuleMean],
    /// What the maps depend on besides; empty if it was not measured.
    pub class_checks: &'a [CheckMean],
    /// Pictures that failed, each with its reason.
    pub failed: &'a [(String, String)],
    /// What the model finds.
    pub noun: Noun,
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
    /// With the original maps.
    #[serde(flatten)]
    pub maps: Correlations,
}

/// How the maps of all boxes correlate with others.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Correlations {
    /// The mean over boxes; `None` if no map has a signal.
    pub correlation: Option<Mean>,
    /// The same of the parts of the maps inside their boxes.
    pub inside: Option<Mean>,
    /// Boxes that the changed network no longer finds: nothing is explained of them.
    pub lost: usize,
    /// Boxes that it finds, but of which one of the maps has no signal.
    pub empty: usize,
}

/// The mean rank correlation of maps with others, of one of the checks whether they depend on class and box.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct CheckMean {
    /// In reports: `follows`, `kept`, `other_box`.
    pub check: &'static str,
    /// What is compared, in words.
    #[serde(skip)]
    pub words: &'static str,
    /// What a map that depends on class and box gets, in words.
    pub expected: &'static str,
    /// With the others.
    #[serde(flatten)]
    pub maps: Correlations,
}

/// Writes the page.
///
/// # Errors
/// [`yolo_cam::Error::Io`].
pub fn write_eval_page(path: &Path, page: &EvalPage) -> Result<()> {
    write_atomically(path, |out| out.write_all(page.markup().into_string().as_bytes()))
}

impl EvalPage<'_> {
    fn markup(&self) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta http-equiv="Content-Security-Policy" content=(POLICY);
                    title { "yolo-cam: how far maps can be trusted" }
                    style { (PreEscaped(BASE_STYLE)) (PreEscaped(STYLE)) }
                }
                body {
                    header {
                        h1 { "How far can the maps be trusted?" }
                        p { (self.heading) }
                        p.recommendation { (self.summary.recommendation) }
                        details {
                            summary { "Settings of this run" }
                            dl #settings {
                                @for (name, value) in self.settings { dt { (name) } dd { (value) } }
                            }
                        }
                    }
                    main {
                        (self.figures())
                        (self.curves())
                        (self.class_checks())
                        (self.randomization())
                        (self.best_and_worst())
                        (self.failures())
                    }
                }
            }
        }
    }

    fn figures(&self) -> Markup {
        let rows = &self.summary.rows;
        let boxes = rows.first().map_or(0, |row| row.boxes);
        let labelled = rows.iter().filter_map(|row| row.labelled.energy_pointing_game.as_ref());
        let labels = labelled.map(|mean| mean.count).max();
        let gaussian = rows.iter().find(|row| row.explainer == Explainer::Gaussian).map(|row| row.overall.mean);
        html! {
            section {
                h2 { "Figures of " (self.noun.counted(boxes)) }
                p {
                    "Means with their 95 % bootstrap intervals; arrows say what is better. Pointing games and ODI are measured \
                     against " (self.truth) "."
                    @if let Some(count) = labels { " " (self.noun.counted(count)) (if count == 1 { " has" } else { " have" }) " a label." }
                }
                .wide {
                    table.main aria-label="The figures that matter most, of each method" {
                        thead {
                            tr {
                                th scope="col" { "maps" }
                                th scope="col" { "insertion - deletion ↑" }
                                th scope="col" { "above Gaussian ↑" }
                                th scope="col" { "energy pointing game ↑" }
                                th scope="col" { "cost " small { "forward passes" } }
                            }
                        }
                        tbody { @for row in rows { (main_figures_of(row, rows, gaussian)) } }
                    }
                }
                details {
                    summary { "All figures" }
                    (self.all_figures(labels.is_some()))
                }
            }
        }
    }

    /// All columns of the table.
    fn all_figures(&self, has_labels: bool) -> Markup {
        let local = ["pointing game ↑", "energy pointing game ↑", "energy by rank ↑", "ODI ↓"];
        html! {
            .wide {
                table aria-label="All figures of each method" {
                    thead {
                        tr {
                            @for head in ["rank", "maps", "deletion ↓", "insertion ↑", "insertion - deletion ↑"] {
                                th scope="col" { (head) }
                            }
                            th scope="col" { "above Gaussian ↑" }
                            @for head in local { th scope="col" { (head) } }
                            @if has_labels {
                                @for head in local { th scope="col" { (head) " " small { "labels" } } }
                            }
                            th scope="col" { "compactness ↓" }
                            th scope="col" { "sparsity ↑" }
                            th scope="col" { "cost " small { "forward passes" } }
                            th scope="col" { "empty" }
                        }
                    }
                    tbody { @for row in &self.summary.rows { (figures_of(row, has_labels)) } }
                }
            }
        }
    }

    fn curves(&self) -> Markup {
        let rows = &self.summary.rows;
        let gaussian = rows.iter().find(|row| row.explainer == Explainer::Gaussian);
        html! {
            section {
                h2 { "Curves" }
                p {
                    "What the detector still finds of a box while pixels are removed (deletion: low is good) or added (insertion: \
                     high is good), those first that the map calls important. Mean of all maps, with its 95 % band."
                }
                p.key {
                    span.insertion { "insertion" }
                    span.deletion { "deletion" }
                    span.gaussian { "the same of a Gaussian on the box" }
                }
                .curves { @for row in rows { (curves_of(row, gaussian, highest(rows))) } }
            }
        }
    }

    fn randomization(&self) -> Markup {
        if self.randomized.is_empty() {
            return Markup::default();
        }
        html! {
            section {
                h2 { "Do the maps depend on what was learnt?" }
                p {
                    "Weights are shuffled module by module, from the head down. The rank correlation of the maps with the original \
                     ones should fall to 0: a method whose maps stay shows edges, not what the network learnt. Over the whole \
                     picture maps of one box correlate because they are high near it for any weights; inside the box only what \
                     they show there counts. Where the detector no longer finds a box, there is nothing to explain: such boxes \
                     are counted, and correlate with nothing."
                }
                (self.correlations(
                    "Rank correlation after weights were shuffled",
                    &["randomised down to", "rank correlation, inside the box"],
                    self.randomized.iter().map(|row| (html! { th scope="row" { (row.module) } }, &row.maps)),
                ))
            }
        }
    }

    fn class_checks(&self) -> Markup {
        if self.class_checks.is_empty() {
            return Markup::default();
        }
        html! {
            section {
                h2 { "Do the maps depend on class and box?" }
                p {
                    "The class is swapped in the head with the one that comes second there, so that the detector goes on finding what \
                     it found, under the other name. The map of the class should become that of the other. A method whose maps stay \
                     does not look at the class; one that gives another box the same map does not look at the box."
                }
                (self.correlations(
                    "Rank correlation where classes were swapped",
                    &["rank correlation of", "expected", "inside the box"],
                    self.class_checks.iter().map(|row| {
                        (html! { th scope="row" { (row.words) } td { (row.expected) } }, &row.maps)
                    }),
                ))
            }
        }
    }

    /// A table of correlations. `heads`: of the first columns, up to that of the correlation inside the box; each of `rows`
    /// begins with its own cells.
    fn correlations<'a>(
        &self,
        label: &str,
        heads: &[&str],
        rows: impl Iterator<Item = (Markup, &'a Correlations)>,
    ) -> Markup {
        html! {
            .wide {
                table aria-label=(label) {
                    thead {
                        tr {
                            @for head in heads { th scope="col" { (head) } }
                            th scope="col" { "whole picture" }
                            th scope="col" { (self.noun.many()) " no longer found" }
                            th scope="col" { "maps without signal" }
                        }
                    }
                    tbody {
                        @for (first, maps) in rows {
                            tr {
                                (first)
                                (mean_cell(maps.inside.as_ref()))
                                (mean_cell(maps.correlation.as_ref()))
                                td.number { (maps.lost) }
                                td.number { (maps.empty) }
                            }
                        }
                    }
                }
            }
        }
    }

    fn best_and_worst(&self) -> Markup {
        html! {
            section {
                h2 { "Best and worst cases" }
                p { "By insertion - deletion." }
                @for (index, group) in self.cases.iter().enumerate() {
                    details open[index == 0] {
                        summary { (group.explainer.to_string()) }
                        (case_list("Best", &group.best))
                        (case_list("Worst", &group.worst))
                    }
                }
            }
        }
    }

    fn failures(&self) -> Markup {
        if self.failed.is_empty() {
            return Markup::default();
        }
        html! {
            section {
                h2 { "Pictures that failed" }
                ul { @for (image, reason) in self.failed { li { (image) ": " span.error { (reason) } } } }
            }
        }
    }
}

/// How far above the Gaussian; of that itself nothing.
fn above_gaussian(row: &Row) -> Option<&Mean> {
    Some(&row.above_gaussian).filter(|_| row.explainer != Explainer::Gaussian)
}

/// A row of the first table.
fn main_figures_of(row: &Row, rows: &[Row], gaussian: Option<f64>) -> Markup {
    html! {
        tr.baseline[row.explainer.is_baseline()] {
            th scope="row" { @if let Some(rank) = row.rank { (rank) ". " } (row.explainer.to_string()) }
            td.number { (mean_of(&row.overall)) (interval(rows, row, gaussian)) }
            (mean_cell(above_gaussian(row)))
            (mean_cell(row.detected.energy_pointing_game.as_ref()))
            td.number { @if let Some(cost) = row.cost { (format!("{cost:.1}")) } }
        }
    }
}

/// A row of the table with all columns.
fn figures_of(row: &Row, has_labels: bool) -> Markup {
    html! {
        tr.baseline[row.explainer.is_baseline()] {
            td.number { @if let Some(rank) = row.rank { (rank) } }
            th scope="row" { (row.explainer.to_string()) }
            @for mean in [&row.deletion, &row.insertion, &row.overall] { (mean_cell(Some(mean))) }
            (mean_cell(above_gaussian(row)))
            @for mean in row.detected.all() { (mean_cell(mean.as_ref())) }
            @if has_labels {
                @for mean in row.labelled.all() { (mean_cell(mean.as_ref())) }
            }
            (mean_cell(row.compactness.as_ref()))
            (mean_cell(row.sparsity.as_ref()))
            td.number { @if let Some(cost) = row.cost { (format!("{cost:.1}")) } }
            td.number { (row.empty) }
        }
    }
}

fn mean_cell(mean: Option<&Mean>) -> Markup {
    let Some(mean) = mean else { return html! { td {} } };
    html! { td.number { (mean_of(mean)) } }
}

fn mean_of(&Mean { mean, low, high, .. }: &Mean) -> Markup {
    html! { (format!("{mean:.3} ")) small { (format!("[{low:.3}, {high:.3}]")) } }
}

/// Ends of all intervals of insertion minus deletion, with some room.
fn extent(rows: &[Row]) -> (f64, f64) {
    let low = rows.iter().map(|row| row.overall.low).fold(f64::INFINITY, f64::min);
    let high = rows.iter().map(|row| row.overall.high).fold(f64::NEG_INFINITY, f64::max);
    let room = ((high - low) * 0.05).max(0.005);
    (low - room, high + room)
}

/// A point for the mean, and a line for its interval, on the scale that all rows share.
fn interval(rows: &[Row], row: &Row, gaussian: Option<f64>) -> Markup {
    const WIDTH: f64 = 192.0;
    let (low, high) = extent(rows);
    let x = |value: f64| format!("{:.1}", (value - low) / (high - low) * WIDTH);
    let Mean { mean, low, high, .. } = row.overall;
    html! {
        svg.interval viewBox=(format!("0 0 {WIDTH} 20")) aria-hidden="true" {
            @if let Some(gaussian) = gaussian { path.gaussian d=(format!("M{} 0V20", x(gaussian))) {} }
            path.reach d=(format!("M{} 10H{}", x(low), x(high))) {}
            circle.point cx=(x(mean)) cy="10" r="4" {}
        }
    }
}

/// The highest score of all curves, rounded up to a tenth.
fn highest(rows: &[Row]) -> f64 {
    let bands = rows.iter().flat_map(|row| [&row.deletion_curve, &row.insertion_curve]);
    let high = bands.flat_map(|band| band.high.iter().chain(&band.mean)).copied().fold(0.1, f64::max);
    (high * 10.0).ceil() / 10.0
}

/// Where the curves of a row are drawn, in pixels.
struct Plot {
    /// The score at its upper edge.
    top: f64,
}

impl Plot {
    const SIZE: (f64, f64) = (320.0, 220.0);
    const LEFT: f64 = 30.0;
    const ABOVE: f64 = 8.0;
    const WIDTH: f64 = Self::SIZE.0 - Self::LEFT - 8.0;
    const HEIGHT: f64 = Self::SIZE.1 - 32.0 - Self::ABOVE;

    fn place(&self, step: usize, steps: usize, score: f64) -> String {
        let x = Self::LEFT + Self::WIDTH * step as f64 / (steps - 1).max(1) as f64;
        format!("{x:.1} {:.1}", Self::ABOVE + Self::HEIGHT * (1.0 - (score / self.top).clamp(0.0, 1.0)))
    }

    fn line(&self, scores: &[f64]) -> String {
        let points = scores.iter().enumerate().map(|(step, &score)| self.place(step, scores.len(), score));
        points.collect::<Vec<_>>().join("L")
    }

    fn around(&self, band: &Band) -> String {
        let low = band.low.iter().enumerate().rev().map(|(step, &score)| self.place(step, band.low.len(), score));
        format!("M{}L{}Z", self.line(&band.high), low.collect::<Vec<_>>().join("L"))
    }

    fn axes(&self) -> Markup {
        let (right, bottom) = (Self::LEFT + Self::WIDTH, Self::ABOVE + Self::HEIGHT);
        let text = |x: f64, y: f64, anchor: &str, text: &str| {
            html! { text x=(format!("{x:.0}")) y=(format!("{y:.0}")) text-anchor=(anchor) { (text) } }
        };
        html! {
            path.axis d=(format!("M{} {}V{bottom}H{right}", Self::LEFT, Self::ABOVE)) {}
            @for share in [0.0, 0.5, 1.0] {
                @let (x, y) = (Self::LEFT + Self::WIDTH * share, Self::ABOVE + Self::HEIGHT * (1.0 - share));
                (text(Self::LEFT - 5.0, y + 4.0, "end", &format!("{:.1}", self.top * share)))
                @let anchor = if share == 1.0 { "end" } else { "middle" };
                (text(x, bottom + 14.0, anchor, &format!("{:.0} %", share * 100.0)))
            }
            (text(Self::LEFT + Self::WIDTH / 2.0, bottom + 27.0, "middle", "of the pixels"))
        }
    }
}

fn curves_of(row: &Row, gaussian: Option<&Row>, top: f64) -> Markup {
    let plot = Plot { top };
    let gaussian = gaussian.filter(|gaussian| gaussian.explainer != row.explainer);
    let figures = format!("deletion {:.3}, insertion {:.3}", row.deletion.mean, row.insertion.mean);
    html! {
        figure {
            svg viewBox=(format!("0 0 {} {}", Plot::SIZE.0, Plot::SIZE.1)) role="img"
                aria-label=(format!("Curves of {}: {figures}", row.explainer)) {
                (plot.axes())
                @if let Some(gaussian) = gaussian {
                    @for band in [&gaussian.deletion_curve, &gaussian.insertion_curve] {
                        path.gaussian d=(format!("M{}", plot.line(&band.mean))) {}
                    }
                }
                @for (class, band) in [("deletion", &row.deletion_curve), ("insertion", &row.insertion_curve)] {
                    path class=(format!("band {class}")) d=(plot.around(band)) {}
                    path class=(format!("line {class}")) d=(format!("M{}", plot.line(&band.mean))) {}
                }
            }
            figcaption {
                @if let Some(rank) = row.rank { (rank) ". " }
                strong { (row.explainer.to_string()) } ": " (figures)
            }
        }
    }
}

fn case_list(title: &str, cases: &[(Case, Option<String>)]) -> Markup {
    if cases.is_empty() {
        return Markup::default();
    }
    let figures = |case: &Case| {
        let game = case.figures.detected.map(|detected| detected.energy_pointing_game);
        let game = game.map_or_else(String::new, |game| format!(", energy pointing game {game:.2}"));
        format!(" {:.2}: insertion - deletion {:.3}{game}", case.confidence, case.overall())
    };
    html! {
        h3 { (title) }
        ol.cases {
            @for (case, url) in cases {
                li {
                    @if let Some(url) = url {
                        a href=(url) {
                            img src=(url) alt=(format!("Heat of {} in {}, large", case.class, case.image)) loading="lazy";
                        }
                    }
                    p {
                        (case.image) br; (case.class) (figures(case))
                        @if let Some(reason) = &case.reason { br; span.error { "no signal: " (reason) } }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use yolo_cam::eval::{Cost, Curve, Curves, Figures, Localization, Sample};

    const HOSTILE: &str = r#"</td><script>alert("1")</script>&amp;'"#;

    fn case() -> Case {
        let curve = |area: f64| Curve { scores: vec![0.0, area as f32, 1.0], area };
        let detected = Localization {
            pointing_game: 1.0,
            energy_pointing_game: 0.5,
            energy_by_rank: 0.5,
            object_discrimination_index: None,
        };
        Case {
            image: HOSTILE.into(),
            index: 0,
            class: HOSTILE.into(),
            confidence: 0.5,
            box_share: 0.1,
            reason: Some(HOSTILE.into()),
            figures: Figures {
                curves: Curves { deletion: curve(0.1), insertion: curve(0.6) },
                detected: Some(detected),
                labelled: Some(detected),
                compactness: None,
                sparsity: Some(2.0),
            },
        }
    }

    #[test]
    fn names_are_text_and_all_parts_are_there() {
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
            heading: HOSTILE,
            settings: &[(HOSTILE.to_owned(), HOSTILE.to_owned())],
            summary: &summary,
            cases: &[group],
            randomized: &[ModuleMean {
                module: HOSTILE.into(),
                maps: Correlations { correlation: Some(mean), inside: None, lost: 2, empty: 1 },
            }],
            class_checks: &[CheckMean {
                check: "kept",
                words: "kept",
                expected: "low",
                maps: Correlations { correlation: None, inside: Some(mean), lost: 0, empty: 1 },
            }],
            noun: Noun::Box,
            failed: &[(HOSTILE.to_owned(), HOSTILE.to_owned())],
            truth: HOSTILE,
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("eval.html");
        write_eval_page(&path, &page).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("<script") && !text.contains("alert(\""), "{text}");
        assert!(text.contains(STYLE) && text.contains(BASE_STYLE));
        // A method and the Gaussian; one case, linked to its picture; labels have columns of their own.
        assert_eq!(text.matches("<figure>").count(), 2);
        assert_eq!((text.matches("<img ").count(), text.matches("<a href=").count()), (1, 1));
        // All columns are folded; four matter.
        let (main, folded) = text.split_once("<summary>All figures</summary>").unwrap();
        assert_eq!((main.matches("<th scope=\"col\">").count(), folded.matches("scope=\"col\"").count()), (5, 29));
        assert_eq!(text.matches("<small>labels</small>").count(), 4);
        // A path that does not end holds all that follows, which is not drawn then.
        for name in ["section", "td", "tr", "details", "a", "svg", "path", "circle", "text"] {
            let opened = [format!("<{name} "), format!("<{name}>")].map(|tag| text.matches(&tag).count());
            assert_eq!(opened[0] + opened[1], text.matches(&format!("</{name}>")).count(), "{name}");
        }
        assert!(!text.contains("NaN") && !text.contains("inf"), "no figure is undefined");
    }
}
