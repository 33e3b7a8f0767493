//! What a person should look at first: errors whose evidence lies elsewhere than that of correct detections, and classes that are found
//! by what lies beside their objects.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ErrorKind, Focus};

/// What is known of one case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    /// Class of the detection; of a missed object its own.
    pub class_id: usize,
    /// What is wrong; `None` if it is right.
    pub error: Option<ErrorKind>,
    /// Where its map looks.
    pub focus: Focus,
}

/// Something odd about many cases of a class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Suspicion {
    /// The class.
    pub class_id: usize,
    /// Of which errors; `None` of correct detections.
    pub error: Option<ErrorKind>,
    /// Where they look.
    pub focus: Focus,
    /// How many look there.
    pub count: usize,
    /// Of how many.
    pub of: usize,
    /// How many correct detections of the class look there.
    pub correct: usize,
    /// Of how many.
    pub of_correct: usize,
    /// How likely so great a difference to the correct ones is if there is none in truth (Fisher's exact test, one-sided); `None` of
    /// correct detections.
    pub p: Option<f64>,
}

impl Suspicion {
    /// Whether a case is one of those meant.
    pub fn is_about(&self, case: &Observation) -> bool {
        (self.class_id, self.error, self.focus) == (case.class_id, case.error, case.focus)
    }
}

/// Fewer cases say nothing.
const LEAST_CASES: usize = 5;

/// Correct detections are suspicious if this share of them looks at one and the same place beside the object.
const LEAST_SHARE: f64 = 0.5;

/// Errors are suspicious if so great a difference is less likely than this.
const LEAST_LIKELY: f64 = 0.01;

/// What is suspicious about the cases of a run. Of each class, first where most of the correct detections look, if that is not at the
/// object; then the errors that look at a place beside the object significantly more often than the correct detections do.
pub fn suspicions(cases: &[Observation]) -> Vec<Suspicion> {
    // How many cases of a class and kind there are, and how many of them look at each place.
    let mut all: BTreeMap<(usize, Option<ErrorKind>), (usize, BTreeMap<Focus, usize>)> = BTreeMap::new();
    for case in cases {
        let (count, foci) = all.entry((case.class_id, case.error)).or_default();
        *count += 1;
        *foci.entry(case.focus).or_default() += 1;
    }
    let mut found = Vec::new();
    for (&(class_id, error), (of, foci)) in &all {
        let correct = all.get(&(class_id, None));
        let of_correct = correct.map_or(0, |(count, _)| *count);
        for (&focus, &count) in foci.iter().filter(|(focus, _)| **focus != Focus::Object) {
            if *of < LEAST_CASES {
                continue;
            }
            let correct = correct.and_then(|(_, foci)| foci.get(&focus)).copied().unwrap_or(0);
            let p = error.map(|_| by_chance((count, *of), (correct, of_correct)));
            let is_suspicious = match p {
                None => count as f64 >= LEAST_SHARE * *of as f64,
                Some(p) => p < LEAST_LIKELY,
            };
            if is_suspicious {
                found.push(Suspicion { class_id, error, focus, count, of: *of, correct, of_correct, p });
            }
        }
    }
    found
}

/// How likely it is that at least `count` of `of` cases are among all `count + other` that have a property, if it has nothing to do with
/// whose cases they are: one-sided, of a table of two rows (Fisher, Journal of the Royal Statistical Society 85, 1922).
fn by_chance((count, of): (usize, usize), (other, of_others): (usize, usize)) -> f64 {
    let (with, all) = (count + other, of + of_others);
    let ways = |k: usize, n: usize| log_factorial(n) - log_factorial(k) - log_factorial(n - k);
    let likely = |k: usize| (ways(k, of) + ways(with - k, of_others) - ways(with, all)).exp();
    (count..=of.min(with)).map(likely).sum::<f64>().min(1.0)
}

fn log_factorial(n: usize) -> f64 {
    (2..=n).map(|factor| (factor as f64).ln()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::Side;

    const SIGN: Focus = Focus::Other(7);

    /// So many cases, of which some look at a place.
    fn cases(error: Option<ErrorKind>, focus: Focus, count: usize, of: usize) -> Vec<Observation> {
        let focus = |index| if index < count { focus } else { Focus::Object };
        (0..of).map(|index| Observation { class_id: 2, error, focus: focus(index) }).collect()
    }

    #[test]
    fn chances_are_those_of_fishers_exact_test() {
        // The tea-tasting lady, 3 of 4; and what R's fisher.test(matrix(c(14, 6, 1, 39), 2), alternative = "greater") gives.
        assert!((by_chance((3, 4), (1, 4)) - 17.0 / 70.0).abs() < 1e-12);
        assert!((by_chance((14, 20), (1, 40)) - 2.94376e-8).abs() < 1e-12, "{}", by_chance((14, 20), (1, 40)));
        assert!((by_chance((0, 4), (1, 4)) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn errors_that_look_elsewhere_than_correct_detections_are_told() {
        let errors = cases(Some(ErrorKind::Background), SIGN, 14, 20);
        let found = suspicions(&[errors.clone(), cases(None, SIGN, 1, 40)].concat());
        let [only] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((only.count, only.of, only.correct, only.of_correct), (14, 20, 1, 40));
        assert!(only.is_about(&errors[0]) && !only.is_about(&errors[19]));
        let alike = [errors, cases(None, SIGN, 20, 41)].concat();
        assert!(suspicions(&alike).is_empty(), "correct ones look there too, though not most of them");
        assert!(suspicions(&cases(Some(ErrorKind::Background), SIGN, 4, 4)).is_empty(), "too few");
    }

    #[test]
    fn a_class_that_is_found_by_what_lies_beside_it_is_told() {
        let left = Focus::Beside(Side::Left);
        let found = suspicions(&cases(None, left, 30, 36));
        assert_eq!((found[0].focus, found[0].count, found[0].of, found[0].p), (left, 30, 36, None));
        assert!(suspicions(&cases(None, left, 10, 36)).is_empty());
        assert!(suspicions(&cases(None, Focus::Object, 36, 36)).is_empty());
    }
}
