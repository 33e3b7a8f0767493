//! From the figures of many boxes to a comparison: means, intervals, ranks, a recommendation.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};

use super::{Curve, Figures, Localization, Mean, bootstrap};

/// What makes maps: a method at layers, another program, or a baseline that does not know the model.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Explainer {
    /// A method.
    #[serde(rename = "method")]
    Method {
        /// As `--method` takes it.
        name: String,
        /// As `--target-layer` takes them.
        layers: String,
    },
    /// Another program: [`foreign_maps`](super::foreign_maps).
    #[serde(rename = "maps")]
    Maps {
        /// Where they are, as given.
        folder: String,
    },
    /// [`gaussian_map`](super::gaussian_map).
    #[serde(rename = "gaussian")]
    Gaussian,
    /// [`random_map`](super::random_map).
    #[serde(rename = "random")]
    Random,
}

impl Explainer {
    /// Whether it knows nothing of the model.
    pub fn is_baseline(&self) -> bool {
        matches!(self, Self::Gaussian | Self::Random)
    }
}

impl fmt::Display for Explainer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method { name, layers } => write!(f, "{name} at {layers}"),
            Self::Maps { folder } => write!(f, "maps of {folder}"),
            Self::Gaussian => f.write_str("Gaussian on the box"),
            Self::Random => f.write_str("random"),
        }
    }
}

/// What is known of one map of one box.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// The picture, as given.
    pub image: String,
    /// Index of the box in the picture, most confident first.
    pub index: usize,
    /// Name of its class.
    pub class: String,
    /// 0 to 1.
    pub confidence: f32,
    /// The share of the network's input that the box takes.
    pub box_share: f64,
    /// Why the map says nothing, if so.
    pub reason: Option<String>,
    /// The figures.
    #[serde(flatten)]
    pub figures: Figures,
}

impl Case {
    /// Insertion minus deletion.
    pub fn overall(&self) -> f64 {
        self.figures.curves.overall()
    }
}

/// How long a picture took, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Making the maps of a picture, the forward pass included.
    pub explanation: f64,
    /// A bare forward pass of the picture.
    pub forward: f64,
}

/// An explainer, and what it made of many boxes.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// What made the maps.
    pub explainer: Explainer,
    /// How such maps are made, in the caller's words, as the recommendation names it; `None` for a baseline, and for
    /// those of another program.
    pub recipe: Option<String>,
    /// In any order.
    pub cases: Vec<Case>,
    /// Of each picture; none but of methods.
    pub costs: Vec<Cost>,
}

/// A mean curve, and the band that holds the mean with 95 % (1.96 standard errors to each side).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Band {
    /// From none to all pixels, in even steps.
    pub mean: Vec<f64>,
    /// Lower end.
    pub low: Vec<f64>,
    /// Upper end.
    pub high: Vec<f64>,
}

/// Means of [`Localization`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LocalizationMeans {
    /// Share of the maps with their maximum in the box.
    pub pointing_game: Option<Mean>,
    /// Share of the heat in the box.
    pub energy_pointing_game: Option<Mean>,
    /// The same where only the order of the pixels counts.
    pub energy_by_rank: Option<Mean>,
    /// Share of all objects' heat in others; lower is better.
    pub object_discrimination_index: Option<Mean>,
}

impl LocalizationMeans {
    /// All of them, in the order of the fields.
    pub fn all(&self) -> [Option<Mean>; 4] {
        [self.pointing_game, self.energy_pointing_game, self.energy_by_rank, self.object_discrimination_index]
    }
}

/// What is known of an explainer. Means are over boxes, each with its 95 % bootstrap interval.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// What made the maps.
    pub explainer: Explainer,
    /// As in [`Sample::recipe`].
    #[serde(rename = "flags")]
    pub recipe: Option<String>,
    /// From 1, by [`overall`](Self::overall); baselines have none.
    pub rank: Option<usize>,
    /// Boxes.
    pub boxes: usize,
    /// Boxes whose map says nothing; they count with what such a map gets.
    pub empty: usize,
    /// Time for the maps of a picture ÷ time of a bare forward pass, the median of all pictures; none but of methods.
    pub cost: Option<f64>,
    /// Area below the deletion curve; lower is better.
    pub deletion: Mean,
    /// Area below the insertion curve; higher is better.
    pub insertion: Mean,
    /// Insertion minus deletion.
    pub overall: Mean,
    /// The same minus that of the Gaussian on the same boxes.
    pub above_gaussian: Mean,
    /// Against the detector's own boxes.
    pub detected: LocalizationMeans,
    /// Against labels, of the boxes that have one.
    pub labelled: LocalizationMeans,
    /// Lower is more compact.
    pub compactness: Option<Mean>,
    /// Higher is sparser.
    pub sparsity: Option<Mean>,
    /// Mean curve.
    pub deletion_curve: Band,
    /// Mean curve.
    pub insertion_curve: Band,
}

/// A comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Methods and other programs by rank, then the baselines.
    pub rows: Vec<Row>,
    /// In one sentence, which of them to take.
    pub recommendation: String,
}

impl Summary {
    /// Compares `samples`, of which one is of [`Explainer::Gaussian`], on the boxes that all of them have; `None` if there
    /// are none. Samples without any case are left out. The result depends on neither the order of samples nor that of cases.
    pub fn new(mut samples: Vec<Sample>, seed: u64) -> Option<Self> {
        samples.retain(|sample| !sample.cases.is_empty());
        let key = |case: &Case| (case.image.clone(), case.index);
        let keys = |sample: &Sample| sample.cases.iter().map(key).collect::<BTreeSet<_>>();
        let common = samples.iter().map(keys).reduce(|a, b| &a & &b).filter(|common| !common.is_empty())?;
        for sample in &mut samples {
            sample.cases.retain(|case| common.contains(&key(case)));
            sample.cases.sort_by_key(key);
        }
        samples.sort_by(|a, b| a.explainer.cmp(&b.explainer));
        let overall: BTreeMap<&Explainer, Vec<f64>> = samples
            .iter()
            .map(|sample| (&sample.explainer, sample.cases.iter().map(Case::overall).collect()))
            .collect();
        let gaussian = overall.get(&Explainer::Gaussian)?;
        let mut rows: Vec<Row> = samples.iter().map(|sample| row(sample, gaussian, seed)).collect::<Option<_>>()?;
        rows.sort_by(|a, b| {
            let is_baseline = a.explainer.is_baseline().cmp(&b.explainer.is_baseline());
            is_baseline.then(b.overall.mean.total_cmp(&a.overall.mean))
        });
        for (row, rank) in rows.iter_mut().filter(|row| !row.explainer.is_baseline()).zip(1..) {
            row.rank = Some(rank);
        }
        let recommendation = recommendation(&rows, &overall, seed);
        Some(Self { rows, recommendation })
    }
}

fn row(sample: &Sample, gaussian: &[f64], seed: u64) -> Option<Row> {
    let cases = &sample.cases;
    let values = |value: &dyn Fn(&Case) -> Option<f64>| cases.iter().filter_map(value).collect::<Vec<f64>>();
    let mean = |value: &dyn Fn(&Case) -> Option<f64>| bootstrap(&values(value), seed);
    let localization = |of: &dyn Fn(&Case) -> Option<Localization>| LocalizationMeans {
        pointing_game: mean(&|case| Some(of(case)?.pointing_game)),
        energy_pointing_game: mean(&|case| Some(of(case)?.energy_pointing_game)),
        energy_by_rank: mean(&|case| Some(of(case)?.energy_by_rank)),
        object_discrimination_index: mean(&|case| of(case)?.object_discrimination_index),
    };
    let above: Vec<f64> = cases.iter().map(Case::overall).zip(gaussian).map(|(own, gaussian)| own - gaussian).collect();
    Some(Row {
        explainer: sample.explainer.clone(),
        recipe: sample.recipe.clone(),
        rank: None,
        boxes: cases.len(),
        empty: cases.iter().filter(|case| case.reason.is_some()).count(),
        cost: median(sample.costs.iter().map(|cost| cost.explanation / cost.forward)),
        deletion: mean(&|case| Some(case.figures.curves.deletion.area))?,
        insertion: mean(&|case| Some(case.figures.curves.insertion.area))?,
        overall: mean(&|case| Some(case.overall()))?,
        above_gaussian: bootstrap(&above, seed)?,
        detected: localization(&|case| case.figures.detected),
        labelled: localization(&|case| case.figures.labelled),
        compactness: mean(&|case| case.figures.compactness),
        sparsity: mean(&|case| case.figures.sparsity),
        deletion_curve: band(cases, |case| &case.figures.curves.deletion),
        insertion_curve: band(cases, |case| &case.figures.curves.insertion),
    })
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn band(cases: &[Case], curve: impl Fn(&Case) -> &Curve) -> Band {
    let steps = cases.iter().map(|case| curve(case).scores.len()).min().unwrap_or(0);
    let count = cases.len() as f64;
    let mut band = Band { mean: Vec::new(), low: Vec::new(), high: Vec::new() };
    for step in 0..steps {
        let scores = || cases.iter().map(|case| f64::from(curve(case).scores[step]));
        let mean = scores().sum::<f64>() / count;
        let variance = scores().map(|score| (score - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
        let reach = 1.96 * (variance / count).sqrt();
        band.mean.push(mean);
        band.low.push(mean - reach);
        band.high.push(mean + reach);
    }
    band
}

/// `rows` by rank.
fn recommendation(rows: &[Row], overall: &BTreeMap<&Explainer, Vec<f64>>, seed: u64) -> String {
    let Some(best) = rows.first().filter(|row| row.rank.is_some()) else {
        return "There is no method to recommend.".to_owned();
    };
    let best_recipe = best.recipe.clone().unwrap_or_else(|| format!("the {}", best.explainer));
    let figure = |mean: &Mean| format!("{:.3} [{:.3}, {:.3}]", mean.mean, mean.low, mean.high);
    let methods = rows.iter().filter(|row| row.rank.is_some()).count();
    let place = if methods > 1 { format!("the highest of {methods}") } else { "measured alone".to_owned() };
    let own = format!("insertion - deletion {} is {place}", figure(&best.overall));
    let above = &best.above_gaussian;
    if above.high <= 0.0 {
        return format!(
            "Trust none of them on these pictures: the best, {best_recipe} ({own}), is below a Gaussian on the box, which knows \
             nothing of the model, by {}.",
            figure(&Mean { mean: -above.mean, low: -above.high, high: -above.low, ..*above })
        );
    }
    let gaussian = if above.low > 0.0 {
        format!("above a Gaussian on the box by {}", figure(above))
    } else {
        format!("no better than a Gaussian on the box by this measure (difference {})", figure(above))
    };
    // The same places are drawn for both, so that the interval is that of the difference on the same boxes.
    let difference = |row: &Row| -> Option<Mean> {
        let pairs = overall.get(&best.explainer)?.iter().zip(overall.get(&row.explainer)?);
        bootstrap(&pairs.map(|(best, other)| best - other).collect::<Vec<_>>(), seed)
    };
    let is_cheaper = |row: &&Row| row.cost.zip(best.cost).is_some_and(|(own, best)| own < 0.8 * best);
    let same = rows.iter().skip(1).filter(|row| row.rank.is_some()).filter(is_cheaper).find_map(|row| {
        let difference = difference(row).filter(|difference| difference.low <= 0.0)?;
        let costs = format!("{:.1} instead of {:.1} forward passes", row.cost?, best.cost?);
        Some(format!(
            "; {} does as well, within the interval of the difference ({}), and costs {costs}",
            row.recipe.as_deref()?,
            figure(&difference)
        ))
    });
    format!("Take {best_recipe}: {own}, and {gaussian}{}.", same.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::Curves;

    fn method(name: &str) -> Explainer {
        Explainer::Method { name: name.into(), layers: "auto".into() }
    }

    fn case(image: &str, index: usize, deletion: f64, insertion: f64) -> Case {
        let curve = |area: f64| Curve { scores: vec![area as f32; 3], area };
        let detected = Localization {
            pointing_game: 1.0,
            energy_pointing_game: 0.5,
            energy_by_rank: 0.5,
            object_discrimination_index: None,
        };
        Case {
            image: image.into(),
            index,
            class: "dog".into(),
            confidence: 0.5,
            box_share: 0.1,
            reason: None,
            figures: Figures {
                curves: Curves { deletion: curve(deletion), insertion: curve(insertion) },
                detected: Some(detected),
                labelled: None,
                compactness: None,
                sparsity: Some(2.0),
            },
        }
    }

    /// Boxes of ten pictures with `overall` as insertion minus deletion, up to a wave.
    fn sample(explainer: Explainer, overall: f64, cost: f64) -> Sample {
        let cases = (0..20).map(|index| {
            let wave = [0.0, 0.01, -0.01, 0.02, -0.02][index % 5];
            case(&format!("{}.jpg", index / 2), index % 2, 0.1, 0.1 + overall + wave)
        });
        let recipe = match &explainer {
            Explainer::Method { name, .. } => Some(name.clone()),
            _ => None,
        };
        Sample { explainer, recipe, cases: cases.collect(), costs: vec![Cost { explanation: cost, forward: 1.0 }] }
    }

    fn samples() -> Vec<Sample> {
        let baseline = |explainer, overall| Sample { costs: Vec::new(), ..sample(explainer, overall, 0.0) };
        vec![
            sample(method("low"), 0.3, 1.0),
            baseline(Explainer::Random, 0.1),
            sample(method("high"), 0.6, 5.0),
            baseline(Explainer::Gaussian, 0.5),
        ]
    }

    #[test]
    fn methods_are_ranked_and_baselines_stand_below() {
        let summary = Summary::new(samples(), 0).unwrap();
        let shown: Vec<_> = summary.rows.iter().map(|row| (row.explainer.to_string(), row.rank)).collect();
        let expected =
            [("high at auto", Some(1)), ("low at auto", Some(2)), ("Gaussian on the box", None), ("random", None)];
        assert_eq!(shown, expected.map(|(name, rank)| (name.to_owned(), rank)));
        let best = &summary.rows[0];
        assert!((best.overall.mean - 0.6).abs() < 1e-6 && best.overall.low < 0.6 && best.overall.high > 0.6);
        assert!((best.above_gaussian.mean - 0.1).abs() < 1e-6);
        assert!(best.above_gaussian.high - best.above_gaussian.low < 1e-6, "the wave is the same in both");
        assert_eq!((best.cost, best.boxes), (Some(5.0), 20));
        assert_eq!(summary.rows[3].cost, None);
        assert_eq!((best.detected.object_discrimination_index, best.labelled.pointing_game), (None, None));
        assert_eq!(best.sparsity.unwrap().mean, 2.0);
        assert_eq!(best.deletion_curve.mean.len(), 3);
        assert!((best.deletion_curve.high[1] - 0.1).abs() < 1e-6, "all are the same");
    }

    #[test]
    fn neither_order_counts() {
        let mut other = samples();
        other.reverse();
        other.iter_mut().for_each(|sample| sample.cases.reverse());
        assert_eq!(Summary::new(samples(), 3), Summary::new(other, 3));
    }

    #[test]
    fn only_boxes_that_all_have_are_compared() {
        let mut samples = samples();
        samples[0].cases.truncate(5);
        let summary = Summary::new(samples, 0).unwrap();
        assert!(summary.rows.iter().all(|row| row.boxes == 5));
        assert_eq!(Summary::new(Vec::new(), 0), None);
    }

    #[test]
    fn what_was_measured_nowhere_takes_nothing_from_the_others() {
        let mut more = samples();
        more.push(Sample { cases: Vec::new(), ..sample(method("failed"), 0.9, 1.0) });
        assert_eq!(Summary::new(more, 0), Summary::new(samples(), 0));
    }

    #[test]
    fn maps_of_others_are_ranked_among_the_methods() {
        let mut more = samples();
        let folder = "heat".to_owned();
        let others = Sample { costs: Vec::new(), ..sample(Explainer::Maps { folder }, 0.7, 0.0) };
        more.push(others);
        let summary = Summary::new(more, 0).unwrap();
        let first = &summary.rows[0];
        assert_eq!((first.explainer.to_string().as_str(), first.rank, first.cost), ("maps of heat", Some(1), None));
        assert_eq!(summary.rows[1].rank, Some(2));
        let told = &summary.recommendation;
        assert!(told.starts_with("Take the maps of heat: insertion - deletion 0.700 ["), "{told}");
        assert!(told.contains("the highest of 3"), "{told}");
    }

    #[test]
    fn the_recommendation_is_a_sentence_with_the_recipe() {
        let best = Summary::new(samples(), 0).unwrap().recommendation;
        assert!(best.starts_with("Take high: insertion - deletion 0.600 [") && best.contains("by 0.100"), "{best}");
        assert!(!best.contains("instead of"), "low is far below: {best}");

        let mut even = samples();
        even.push(sample(method("near"), 0.5999, 1.5));
        even[4].cases[0].figures.curves.insertion.area += 0.5;
        let cheap = Summary::new(even, 0).unwrap().recommendation;
        assert!(cheap.contains("Take near"), "{cheap}");

        let mut near = samples();
        near.push(sample(method("near"), 0.6001, 9.0));
        near[4].cases[0].figures.curves.insertion.area -= 0.001;
        let cheap = Summary::new(near, 0).unwrap().recommendation;
        assert!(
            cheap.contains("high does as well, within the interval") && cheap.contains("5.0 instead of 9.0"),
            "{cheap}"
        );

        let mut poor = samples();
        poor.remove(2);
        poor[0].recipe = Some("low, fused by max".into());
        let none = Summary::new(poor, 0).unwrap().recommendation;
        assert!(none.starts_with("Trust none") && none.contains("by 0.200"), "{none}");
        assert!(none.contains("low, fused by max ("), "{none}");
    }
}
