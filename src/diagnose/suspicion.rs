//! What a person should look at first: errors whose evidence lies elsewhere than that of correct detections, and classes that are found
//! by what lies beside their objects.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ErrorKind, Focus, Side};

/// What is known of one case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    /// Class of the detection; of a missed object its own.
    pub class_id: usize,
    /// What is wrong; `None` if it is right.
    pub error: Option<ErrorKind>,
    /// Where its map looks.
    pub focus: Focus,
    /// Beyond which side of the object most of the other heat lies.
    pub side: Side,
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
    /// On which side of the object that is for most of them, if for so many.
    pub side: Option<Side>,
    /// How many look there.
    pub count: usize,
    /// Of how many.
    pub of: usize,
    /// How many correct detections of the class look there.
    pub correct: usize,
    /// Of how many.
    pub of_correct: usize,
    /// Of correct detections: how many errors of the class look there too, by kind.
    pub errors: Vec<SameFocus>,
    /// How likely so great a difference to the correct ones is if there is none in truth (Fisher's exact test, one-sided); `None` of
    /// correct detections.
    pub p: Option<f64>,
}

/// Errors that look where the correct detections do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SameFocus {
    /// Which errors.
    pub error: ErrorKind,
    /// How many of them look there.
    pub count: usize,
    /// Of how many.
    pub of: usize,
}

impl Suspicion {
    /// Whether a case is one of those meant.
    pub fn is_about(&self, case: &Observation) -> bool {
        let is_kind = self.error == case.error || self.errors.iter().any(|same| Some(same.error) == case.error);
        is_kind && (self.class_id, self.focus) == (case.class_id, case.focus)
    }
}

/// Fewer cases that look at one place say nothing.
const LEAST_CASES: usize = 5;

/// Correct detections are suspicious if this share of them looks at one and the same place beside the object.
const LEAST_SHARE: f64 = 0.5;

/// What is said of a side goes for this share of the cases.
const LEAST_SIDED: f64 = 2.0 / 3.0;

/// Errors are suspicious if so great a difference is less likely than this in any of all comparisons (Bonferroni).
const LEAST_LIKELY: f64 = 0.01;

/// And if they look there so many times as often as correct detections do: in a large run, small differences are certain too.
const LEAST_RATIO: f64 = 2.0;

/// Where the cases of a class and kind look.
#[derive(Default)]
struct Looks {
    all: usize,
    at: BTreeMap<Focus, usize>,
    sides: BTreeMap<(Focus, Side), usize>,
}

impl Looks {
    /// The places beside the object at which enough of them look.
    fn beside(&self) -> impl Iterator<Item = (Focus, usize)> {
        let is_enough = |&(focus, count): &(Focus, usize)| focus != Focus::Object && count >= LEAST_CASES;
        self.at.iter().map(|(&focus, &count)| (focus, count)).filter(is_enough)
    }

    fn count(&self, focus: Focus) -> usize {
        self.at.get(&focus).copied().unwrap_or(0)
    }

    /// On which side most of those lie that look at `focus`.
    fn side(&self, focus: Focus) -> Option<Side> {
        let count = |side: &Side| self.sides.get(&(focus, *side)).copied().unwrap_or(0);
        Side::ALL.into_iter().find(|side| count(side) as f64 >= LEAST_SIDED * self.count(focus) as f64)
    }
}

/// What is suspicious about the cases of a run. Of each class, first where most of the correct detections look, if that is not at the
/// object; then the errors that look at a place beside the object at least twice as often as the correct detections, and significantly so.
pub fn suspicions(cases: &[Observation]) -> Vec<Suspicion> {
    let mut all: BTreeMap<(usize, Option<ErrorKind>), Looks> = BTreeMap::new();
    for case in cases {
        let looks = all.entry((case.class_id, case.error)).or_default();
        looks.all += 1;
        *looks.at.entry(case.focus).or_default() += 1;
        *looks.sides.entry((case.focus, case.side)).or_default() += 1;
    }
    let mut found = Vec::new();
    let factorials = LogFactorials::up_to(cases.len());
    let compared = all.iter().filter(|((_, error), _)| error.is_some());
    let comparisons: usize = compared.map(|(_, looks)| looks.beside().count()).sum();
    for (&(class_id, error), looks) in &all {
        let of = looks.all;
        let correct = all.get(&(class_id, None));
        let of_correct = correct.map_or(0, |looks| looks.all);
        for (focus, count) in looks.beside() {
            let correct = correct.map_or(0, |looks| looks.count(focus));
            let p = error.map(|_| factorials.by_chance((count, of), (correct, of_correct)));
            let is_suspicious = match p {
                None => count as f64 >= LEAST_SHARE * of as f64,
                Some(p) => {
                    let is_often = (count * of_correct) as f64 >= LEAST_RATIO * (correct * of) as f64;
                    is_often && p < LEAST_LIKELY / comparisons as f64
                }
            };
            if is_suspicious {
                let errors = ErrorKind::ALL.into_iter().filter(|_| error.is_none()).filter_map(|kind| {
                    let looks = all.get(&(class_id, Some(kind)))?;
                    let count = looks.count(focus);
                    (count > 0).then_some(SameFocus { error: kind, count, of: looks.all })
                });
                let errors = errors.collect();
                let side = looks.side(focus);
                found.push(Suspicion { class_id, error, focus, side, count, of, correct, of_correct, errors, p });
            }
        }
    }
    found
}

/// The logarithms of the factorials of 0, 1, 2, …
struct LogFactorials(Vec<f64>);

impl LogFactorials {
    fn up_to(most: usize) -> Self {
        let mut sum = 0.0;
        let next = |factor: usize| {
            sum += (factor.max(1) as f64).ln();
            sum
        };
        Self((0..=most).map(next).collect())
    }

    /// How likely it is that at least `count` of `of` cases are among all `count + other` that have a property, if it has nothing to do
    /// with whose cases they are: one-sided, of a table of two rows (Fisher, Journal of the Royal Statistical Society 85, 1922).
    fn by_chance(&self, (count, of): (usize, usize), (other, of_others): (usize, usize)) -> f64 {
        let (with, all) = (count + other, of + of_others);
        let ways = |k: usize, n: usize| self.0[n] - self.0[k] - self.0[n - k];
        let likely = |k: usize| (ways(k, of) + ways(with - k, of_others) - ways(with, all)).exp();
        (count..=of.min(with)).map(likely).sum::<f64>().min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    const SIGN: Focus = Focus::Other(7);

    /// So many cases, of which some look at a place.
    fn cases(error: Option<ErrorKind>, focus: Focus, count: usize, of: usize) -> Vec<Observation> {
        let focus = |index| if index < count { focus } else { Focus::Object };
        (0..of).map(|index| Observation { class_id: 2, error, focus: focus(index), side: Side::Below }).collect()
    }

    #[test]
    fn chances_are_those_of_fishers_exact_test() {
        // The tea-tasting lady, 3 of 4; and what R's fisher.test(matrix(c(14, 6, 1, 39), 2), alternative = "greater") gives.
        let by_chance = |a, b| LogFactorials::up_to(60).by_chance(a, b);
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
        assert_eq!(only.side, Some(Side::Below));
        assert!(only.is_about(&errors[0]) && !only.is_about(&errors[19]));
        let alike = [errors, cases(None, SIGN, 20, 41)].concat();
        assert!(suspicions(&alike).is_empty(), "correct ones look there too, though not most of them");
        let few = [cases(Some(ErrorKind::Background), SIGN, 4, 4), cases(None, SIGN, 0, 600)].concat();
        assert!(suspicions(&few).is_empty(), "too few look there");
        let many = [cases(Some(ErrorKind::Background), SIGN, 1500, 5000), cases(None, SIGN, 2500, 10000)].concat();
        assert!(suspicions(&many).is_empty(), "it is certain, and little");
        let alone = cases(Some(ErrorKind::Background), SIGN, 20, 20);
        assert!(suspicions(&alone).is_empty(), "there is nothing to compare them with");
    }

    #[test]
    fn a_class_that_is_found_by_what_lies_beside_it_is_told() {
        let left = Focus::Beside(Side::Left);
        let found = suspicions(&cases(None, left, 30, 36));
        assert_eq!((found[0].focus, found[0].count, found[0].of, found[0].p), (left, 30, 36, None));
        let beside = cases(Some(ErrorKind::Background), left, 6, 8);
        let found = suspicions(&[cases(None, left, 30, 36), beside.clone()].concat());
        let [only] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(
            only.errors,
            [SameFocus { error: ErrorKind::Background, count: 6, of: 8 }],
            "the same as correct ones"
        );
        assert!(only.is_about(&beside[0]) && !only.is_about(&beside[7]));
        assert!(suspicions(&cases(None, left, 10, 36)).is_empty());
        assert!(suspicions(&cases(None, Focus::Object, 36, 36)).is_empty());
    }
}
