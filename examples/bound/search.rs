//! The searches, which know nothing of pictures: for an order of regions, and for the shape of a Gaussian.

use std::cmp::Ordering;

/// An order of regions, most important first, by greedy search: each next one is that with which `worth` is highest.
///
/// `worth`: of each of several sets of regions, which have true for those of `count` that are in them. It is asked for at most `budget`
/// sets, but at least one for each region. A budget of count·(count + 1)/2 tries all regions at each step; with less, only those that
/// seemed best when last tried, equally many at each step of the first half; what is left then follows in the order of what it was worth.
pub fn greedy<E>(
    count: usize,
    budget: usize,
    mut worth: impl FnMut(&[Vec<bool>]) -> Result<Vec<f64>, E>,
) -> Result<Vec<usize>, E> {
    let mut chosen = vec![false; count];
    let mut order = Vec::with_capacity(count);
    // What each gained when last tried.
    let mut rest: Vec<(usize, f64)> = (0..count).map(|region| (region, 0.0)).collect();
    let is_whole = budget >= count * (count + 1) / 2;
    let breadth = budget.saturating_sub(count) / (count / 2).max(1);
    let (mut left, mut reached) = (budget.max(count), 0.0);
    while !rest.is_empty() {
        let tried = if order.is_empty() || is_whole { rest.len() } else { breadth.min(rest.len()).min(left) };
        if tried == 0 {
            break;
        }
        left -= tried;
        let with = |&(region, _): &(usize, f64)| {
            let mut set = chosen.clone();
            set[region] = true;
            set
        };
        let sets: Vec<Vec<bool>> = rest[..tried].iter().map(with).collect();
        for ((_, gain), worth) in rest.iter_mut().zip(worth(&sets)?) {
            *gain = worth - reached;
        }
        rest[..tried].sort_by(descending);
        let (best, gain) = rest.remove(0);
        chosen[best] = true;
        order.push(best);
        reached += gain;
        rest.sort_by(descending);
    }
    order.extend(rest.into_iter().map(|(region, _)| region));
    Ok(order)
}

/// Stable sorting by it keeps the order of equals.
fn descending(a: &(usize, f64), b: &(usize, f64)) -> Ordering {
    b.1.total_cmp(&a.1)
}

/// The point at which `worth` is highest, as far as steps along single axes find it from `start`: the best of all steps is
/// taken while one helps, then they are halved, `halvings` times. `worth`: of each of several points.
pub fn climb<const N: usize, E>(
    start: [f32; N],
    mut steps: [f32; N],
    halvings: usize,
    mut worth: impl FnMut(&[[f32; N]]) -> Result<Vec<f64>, E>,
) -> Result<[f32; N], E> {
    let (mut at, mut reached) = (start, worth(&[start])?[0]);
    for _ in 0..=halvings {
        loop {
            let near = |axis: usize, step: f32| {
                let mut near = at;
                near[axis] += step;
                near
            };
            let points: Vec<[f32; N]> =
                (0..N).flat_map(|axis| [near(axis, steps[axis]), near(axis, -steps[axis])]).collect();
            let worths = worth(&points)?;
            let best = points.into_iter().zip(worths).max_by(|a, b| a.1.total_cmp(&b.1));
            let Some((point, value)) = best.filter(|&(_, value)| value > reached) else { break };
            (at, reached) = (point, value);
        }
        steps = steps.map(|step| step / 2.0);
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    /// A detector of six regions, whose evidence is known: its score for those that it sees.
    type Detector = fn(&[bool]) -> f64;

    fn sum(seen: &[bool], weights: [f64; 6]) -> f64 {
        seen.iter().zip(weights).filter(|(seen, _)| **seen).map(|(_, weight)| weight).sum()
    }

    const DETECTORS: [(&str, Detector); 4] = [
        ("adds evidence, one region speaks against it", |seen| sum(seen, [0.1, 0.4, -0.1, 0.3, 0.0, 0.2])),
        ("needs two regions at once", |seen| {
            0.7 * f64::from(u8::from(seen[1] && seen[4])) + sum(seen, [0.0, 0.0, 0.1, 0.2, 0.0, 0.0])
        }),
        ("is content with one of two", |seen| {
            0.5 * f64::from(u8::from(seen[0] || seen[5])) + sum(seen, [0.0, 0.0, 0.3, 0.0, 0.2, 0.0])
        }),
        ("saturates", |seen| sum(seen, [0.1, 0.5, 0.2, 0.6, 0.0, 0.3]).min(1.0)),
    ];

    /// As the program has it: what is seen if only they are there, less what is seen without them.
    fn worth(detector: Detector, set: &[bool]) -> f64 {
        let without: Vec<bool> = set.iter().map(|is_there| !is_there).collect();
        detector(set) - detector(&without)
    }

    /// The sum over the steps of an order.
    fn area(detector: Detector, order: &[usize]) -> f64 {
        let mut set = vec![false; order.len()];
        let step = |&region: &usize| {
            set[region] = true;
            worth(detector, &set)
        };
        order.iter().map(step).sum()
    }

    fn orders(count: usize) -> Vec<Vec<usize>> {
        if count == 0 {
            return vec![Vec::new()];
        }
        let longer = |order: Vec<usize>| {
            (0..count).map(move |place| {
                let mut order = order.clone();
                order.insert(place, count - 1);
                order
            })
        };
        orders(count - 1).into_iter().flat_map(longer).collect()
    }

    fn search(detector: Detector, budget: usize) -> (Vec<usize>, usize) {
        let mut asked = 0;
        let order = greedy(6, budget, |sets| {
            asked += sets.len();
            Ok::<_, Infallible>(sets.iter().map(|set| worth(detector, set)).collect())
        });
        (order.unwrap(), asked)
    }

    #[test]
    fn the_order_found_is_the_best_of_all_orders_of_a_known_detector() {
        assert_eq!(orders(6).len(), 720);
        for (what, detector) in DETECTORS {
            let best = orders(6).iter().map(|order| area(detector, order)).fold(f64::MIN, f64::max);
            let (order, asked) = search(detector, 21);
            assert_eq!(asked, 21);
            assert!((area(detector, &order) - best).abs() < 1e-9, "{what}: {order:?}, {best}");
        }
        assert_eq!(search(DETECTORS[0].1, 21).0, [1, 3, 5, 0, 4, 2], "by weight, what speaks against it last");
    }

    #[test]
    fn a_small_budget_is_kept_and_leaves_no_region_out() {
        for budget in [0, 6, 9, 12, 15] {
            let (mut order, asked) = search(DETECTORS[0].1, budget);
            assert!(asked <= budget.max(6), "{asked} of {budget}");
            assert_eq!(order[..2], [1, 3]);
            order.sort_unstable();
            assert_eq!(order, [0, 1, 2, 3, 4, 5]);
        }
    }

    #[test]
    fn a_climb_ends_at_the_top() {
        let height = |at: &[f32; 2]| -f64::from((at[0] - 0.8).powi(2) + 3.0 * (at[1] + 0.3).powi(2));
        let hill = |points: &[[f32; 2]]| Ok::<_, Infallible>(points.iter().map(height).collect());
        let top = climb([0.0, 0.0], [0.2, 0.2], 5, hill).unwrap();
        assert!((top[0] - 0.8).abs() < 0.01 && (top[1] + 0.3).abs() < 0.01, "{top:?}");
    }
}
