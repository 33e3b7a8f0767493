//! Means with intervals, ranks.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use serde::{Deserialize, Serialize};

/// How many samples a bootstrap draws.
const RESAMPLES: usize = 2000;

/// A mean with the interval that holds it in 95 % of bootstrap samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// Of how many values.
    pub count: usize,
}

/// The mean of `values` with its percentile bootstrap interval (Efron, Annals of Statistics 7, 1979); `None` of no values. The same `seed`
/// draws the same places, so that figures of several methods are drawn from the same boxes.
pub fn bootstrap(values: &[f64], seed: u64) -> Option<Mean> {
    let count = values.len();
    if count == 0 {
        return None;
    }
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut place = || (random.next_u64() % count as u64) as usize;
    let mut means: Vec<f64> =
        (0..RESAMPLES).map(|_| (0..count).map(|_| values[place()]).sum::<f64>() / count as f64).collect();
    means.sort_by(f64::total_cmp);
    let at = |share: f64| means[((RESAMPLES - 1) as f64 * share).round() as usize];
    Some(Mean { mean: values.iter().sum::<f64>() / count as f64, low: at(0.025), high: at(0.975), count })
}

/// Spearman's rank correlation, -1 to 1; ties share their mean rank; `None` where one side does not vary, or of fewer than two pairs.
///
/// # Panics
/// If there are not as many `b` as `a`.
pub fn rank_correlation(a: &[f32], b: &[f32]) -> Option<f64> {
    assert_eq!(a.len(), b.len(), "pairs");
    if a.is_empty() {
        return None;
    }
    let (a, b) = (ranks(a), ranks(b));
    let mean = (a.len() as f64 - 1.0) / 2.0;
    let sum = |value: &dyn Fn(usize) -> f64| (0..a.len()).map(value).sum::<f64>();
    let both = sum(&|index| (a[index] - mean) * (b[index] - mean));
    let spread = sum(&|index| (a[index] - mean).powi(2)) * sum(&|index| (b[index] - mean).powi(2));
    (spread > 0.0).then(|| both / spread.sqrt())
}

/// From 0; equal values share the mean of their ranks.
fn ranks(values: &[f32]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for group in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let shared = first as f64 + (group.len() as f64 - 1.0) / 2.0;
        for &index in group {
            ranks[index] = shared;
        }
        first += group.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_holds_the_mean_and_narrows_with_more_values() {
        assert_eq!(bootstrap(&[], 0), None);
        assert_eq!(bootstrap(&[2.0], 0), Some(Mean { mean: 2.0, low: 2.0, high: 2.0, count: 1 }));
        let values = |count: usize| (0..count).map(|index| (index % 10) as f64).collect::<Vec<_>>();
        let (few, many) = (bootstrap(&values(20), 0).unwrap(), bootstrap(&values(2000), 0).unwrap());
        assert_eq!((few.mean, many.mean), (4.5, 4.5));
        // 1.96 standard errors: the deviation of 0 to 9 is 2.872.
        let expected = |count: f64| 1.96 * 2.872 / count.sqrt();
        assert!(((few.high - few.low) / 2.0 / expected(20.0) - 1.0).abs() < 0.15, "{few:?}");
        assert!(((many.high - many.low) / 2.0 / expected(2000.0) - 1.0).abs() < 0.15, "{many:?}");
        assert_eq!(bootstrap(&values(20), 0), bootstrap(&values(20), 0));
    }

    #[test]
    fn rank_correlation_of_known_lists() {
        assert_eq!(rank_correlation(&[1.0, 2.0, 3.0], &[10.0, 20.0, 1000.0]), Some(1.0));
        assert_eq!(rank_correlation(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), Some(-1.0));
        // Ranks 0, 1.5, 1.5, 3 and 0, 2, 1, 3: by hand 4.5 ÷ √(4.5·5).
        let ties = rank_correlation(&[1.0, 2.0, 2.0, 3.0], &[1.0, 3.0, 2.0, 4.0]).unwrap();
        assert!((ties - 4.5 / 22.5f64.sqrt()).abs() < 1e-12);
        assert_eq!(rank_correlation(&[1.0, 1.0], &[1.0, 2.0]), None);
    }
}
