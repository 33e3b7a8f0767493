//! Of all boxes, whether their maps depend on class and box.

use yolo_cam::eval::{Agreement, ClassCheck, bootstrap};

use super::reports::{CheckMean, Correlations};

/// A check: its name in reports, what it compares, what is to be expected, which part of a [`ClassCheck`] it is, and whether a box can be
/// lost for it.
type Row = (&'static str, &'static str, &'static str, fn(&ClassCheck) -> Option<Agreement>, bool);

const ROWS: [Row; 3] = [
    ("follows", "class swapped: its map and that of the other class", "1", |check| check.follows, true),
    ("kept", "class swapped: its map and the one it had", "low", |check| check.kept, true),
    ("other_box", "its map and that of another box", "low", |check| check.other_box, false),
];

/// The means of all checks that compared something. `seed`: of bootstrap samples.
pub fn check_means(checks: &[&ClassCheck], seed: u64) -> Vec<CheckMean> {
    let lost = checks.iter().filter(|check| check.lost).count();
    let mut means = Vec::new();
    for (check, words, expected, part, can_lose) in ROWS {
        let found: Vec<Agreement> = checks.iter().filter_map(|check| part(check)).collect();
        let lost = if can_lose { lost } else { 0 };
        if found.is_empty() && lost == 0 {
            continue;
        }
        let mean =
            |of: fn(&Agreement) -> Option<f64>| bootstrap(&found.iter().filter_map(of).collect::<Vec<f64>>(), seed);
        let empty = found.iter().filter(|found| found.correlation.is_none()).count();
        let (correlation, inside) = (mean(|found| found.correlation), mean(|found| found.inside));
        let maps = Correlations { correlation, inside, lost, empty };
        means.push(CheckMean { check, words, expected, maps });
    }
    means
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_without_signal_and_lost_ones_are_counted_beside_the_means() {
        let of = |correlation| Some(Agreement { correlation, inside: None });
        let check = |kept, lost| ClassCheck { partner: Some(1), lost, follows: None, kept, other_box: None };
        let all = [check(of(Some(0.2)), false), check(of(Some(0.4)), false), check(of(None), false), check(None, true)];
        let means = check_means(&all.iter().collect::<Vec<_>>(), 0);
        assert_eq!(means.iter().map(|mean| mean.check).collect::<Vec<_>>(), ["follows", "kept"], "no other boxes");
        let kept = &means[1].maps;
        assert_eq!((kept.lost, kept.empty, kept.inside), (1, 1, None));
        let correlation = kept.correlation.unwrap();
        assert!((correlation.mean - 0.3).abs() < 1e-9 && correlation.count == 2);
        assert_eq!(check_means(&[], 0), []);
    }
}
