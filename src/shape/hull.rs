//! Polygons: area, length, convex hull.

/// A point, x to the right and y down, in pixels.
pub type Point = [f64; 2];

/// Twice the signed area of the triangle `a`, `b`, `c`: positive where the way turns from the x towards the y axis.
fn turn(a: Point, b: Point, c: Point) -> f64 {
    (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
}

/// The convex hull: its corners in order, with positive [`signed_area`]; no three of them on a line. Fewer than three where all
/// points are on a line. Points that are no numbers are left out.
///
/// Andrew's monotone chain (A. M. Andrew, Information Processing Letters 9, 1979): O(n log n).
pub fn convex_hull(points: &[Point]) -> Vec<Point> {
    let mut sorted: Vec<Point> = points.iter().copied().filter(|point| point.iter().all(|c| c.is_finite())).collect();
    sorted.sort_unstable_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
    sorted.dedup();
    if sorted.len() < 3 {
        return sorted;
    }
    let mut hull = half(sorted.iter().copied());
    // Each half ends where the other begins.
    hull.pop();
    let mut upper = half(sorted.iter().rev().copied());
    upper.pop();
    hull.extend(upper);
    hull
}

/// The points of one half, left to right (or back), that the hull turns around.
fn half(points: impl Iterator<Item = Point>) -> Vec<Point> {
    let mut chain: Vec<Point> = Vec::new();
    for point in points {
        while let [.., a, b] = chain[..]
            && turn(a, b, point) <= 0.0
        {
            chain.pop();
        }
        chain.push(point);
    }
    chain
}

/// The area of a closed polygon by Gauss's formula: positive where it is traversed from the x towards the y axis.
pub fn signed_area(polygon: &[Point]) -> f64 {
    edges(polygon).map(|(a, b)| a[0] * b[1] - b[0] * a[1]).sum::<f64>() / 2.0
}

/// The length of a closed polygon.
pub fn perimeter(polygon: &[Point]) -> f64 {
    edges(polygon).map(|(a, b)| distance(a, b)).sum()
}

/// Pairs of neighbours, the last with the first.
pub(super) fn edges(polygon: &[Point]) -> impl Iterator<Item = (Point, Point)> {
    polygon.iter().copied().zip(polygon.iter().copied().cycle().skip(1))
}

pub(super) fn distance(a: Point, b: Point) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// By definition: a point is a corner if it lies in no triangle of others.
    fn reference(points: &[Point]) -> Vec<Point> {
        let mut unique = points.to_vec();
        unique.sort_unstable_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
        unique.dedup();
        let is_in = |p: Point, [a, b, c]: [Point; 3]| {
            let turns = [turn(a, b, p), turn(b, c, p), turn(c, a, p)];
            // Flat triangles hold what lies between their ends.
            let inside = turns.iter().all(|&t| t >= 0.0) || turns.iter().all(|&t| t <= 0.0);
            let within = |axis: usize| {
                let range = [a[axis], b[axis], c[axis]];
                let (least, most) =
                    (range.iter().copied().fold(f64::MAX, f64::min), range.iter().copied().fold(f64::MIN, f64::max));
                (least..=most).contains(&p[axis])
            };
            inside && within(0) && within(1)
        };
        let is_corner = |p: &Point| {
            let others: Vec<Point> = unique.iter().copied().filter(|other| other != p).collect();
            let n = others.len();
            !(0..n).any(|i| (i..n).any(|j| (j..n).any(|k| is_in(*p, [others[i], others[j], others[k]]))))
        };
        unique.iter().copied().filter(is_corner).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn the_hull_is_convex_holds_all_points_and_is_that_of_the_definition(
            points in prop::collection::vec((0i32..20, 0i32..20), 3..14)
        ) {
            let points: Vec<Point> = points.into_iter().map(|(x, y)| [f64::from(x), f64::from(y)]).collect();
            let hull = convex_hull(&points);
            let mut corners = hull.clone();
            corners.sort_unstable_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
            prop_assert_eq!(&corners, &reference(&points));
            if hull.len() >= 3 {
                for ((a, b), c) in edges(&hull).zip(hull.iter().cycle().skip(2)) {
                    prop_assert!(turn(a, b, *c) > 0.0, "convex");
                    prop_assert!(points.iter().all(|&point| turn(a, b, point) >= 0.0), "all inside");
                }
                prop_assert!(signed_area(&hull) > 0.0);
            }
        }
    }

    #[test]
    fn area_and_length_of_a_square() {
        let square = [[1.0, 1.0], [4.0, 1.0], [4.0, 4.0], [1.0, 4.0]];
        assert_eq!((signed_area(&square), perimeter(&square)), (9.0, 12.0));
        let back: Vec<Point> = square.into_iter().rev().collect();
        assert_eq!(signed_area(&back), -9.0);
        assert_eq!(convex_hull(&[[2.0, 2.0], [2.0, 2.0]]), [[2.0, 2.0]]);
        assert_eq!(convex_hull(&[[f64::NAN, 2.0], [1.0, 2.0]]), [[1.0, 2.0]]);
    }
}
