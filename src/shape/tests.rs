use ndarray::Array2;
use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::{detect::Frame, geometry::Size};

/// An outline with numpy's figures, made by tests/data/make_shapes.py.
#[derive(Deserialize)]
struct Known {
    name: String,
    points: Vec<Point>,
    descriptors: Vec<f64>,
}

fn known() -> Vec<Known> {
    serde_json::from_str(include_str!("../../tests/data/shapes.json")).unwrap()
}

/// `polygon` scaled, turned and moved.
fn moved(polygon: &[Point], scale: f64, degrees: f64, shift: Point) -> Vec<Point> {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let place = |&[x, y]: &Point| [scale * (x * cos - y * sin) + shift[0], scale * (x * sin + y * cos) + shift[1]];
    polygon.iter().map(place).collect()
}

/// `polygon` scaled and turned, around the middle of 1600x1600 pixels.
fn centred(polygon: &[Point], scale: f64, degrees: f64) -> Vec<Point> {
    let mean = |axis: usize| polygon.iter().map(|point| point[axis]).sum::<f64>() / polygon.len() as f64;
    let [x, y] = [mean(0), mean(1)];
    let origin: Vec<Point> = polygon.iter().map(|point| [point[0] - x, point[1] - y]).collect();
    moved(&origin, scale, degrees, [800.0, 800.0])
}

/// The pixels of 1600x1600 whose centres are inside a polygon.
fn drawn(polygon: &[Point]) -> Array2<bool> {
    let mut mask = Array2::from_elem((1600, 1600), false);
    for (row, mut pixels) in mask.outer_iter_mut().enumerate() {
        let y = row as f64 + 0.5;
        let crossing = |(a, b): (Point, Point)| {
            ((a[1] <= y) != (b[1] <= y)).then(|| a[0] + (y - a[1]) / (b[1] - a[1]) * (b[0] - a[0]))
        };
        let mut crossings: Vec<f64> = hull::edges(polygon).filter_map(crossing).collect();
        crossings.sort_by(f64::total_cmp);
        for pair in crossings.chunks_exact(2) {
            let column = |x: f64| (x - 0.5).ceil().clamp(0.0, 1600.0) as usize;
            pixels.slice_mut(ndarray::s![column(pair[0])..column(pair[1])]).fill(true);
        }
    }
    mask
}

#[test]
fn descriptors_of_known_outlines_are_numpys() {
    for Known { name, points, descriptors } in known() {
        let own = Fourier::new(&points).unwrap().descriptors(20);
        for (k, (own, numpy)) in own.iter().zip(&descriptors).enumerate() {
            assert!((own - numpy).abs() < 1e-9, "{name}, k = {}: {own}, numpy {numpy}", k + 1);
        }
        assert_eq!(own.len(), 20);
    }
}

#[test]
fn a_circle_has_one_frequency_and_a_square_every_fourth() {
    let known = known();
    let of = |name: &str| {
        let outline = known.iter().find(|known| known.name == name).unwrap();
        Fourier::new(&outline.points).unwrap().descriptors(9)
    };
    assert!(of("circle")[1..].iter().all(|&strength| strength < 1e-4));
    // A square that is traversed evenly has u_k only for k = 1 - 4n, of strength 1/k²: u_-3, u_5, u_-7, u_9.
    let square = of("square");
    for (index, strength) in square.iter().enumerate() {
        let k = index as f64 + 1.0;
        let expected = if (index + 1) % 4 == 1 { 1.0 / (k * k) } else { 0.0 };
        assert!((strength - expected).abs() < 1e-3, "k = {k}: {strength}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn neither_place_nor_size_nor_turn_nor_beginning_changes_a_descriptor_by_a_hundredth(
        index in 0usize..5, scale in 0.8f64..3.0, degrees in 0.0f64..360.0, shift in (0.0f64..100.0, 0.0f64..100.0),
        begin in 0usize..360
    ) {
        let outline = &known()[index];
        let before = Fourier::new(&outline.points).unwrap().descriptors(10);

        // The outline itself.
        let mut other = moved(&outline.points, scale, degrees, [shift.0, shift.1]);
        let count = other.len();
        other.rotate_left(begin % count);
        let after = Fourier::new(&other).unwrap().descriptors(10);
        other.reverse();
        let reversed = Fourier::new(&other).unwrap().descriptors(10);
        for ((before, after), reversed) in before.iter().zip(&after).zip(&reversed) {
            prop_assert!((before - after).abs() < 0.01 && (before - reversed).abs() < 0.01, "{before} {after} {reversed}");
        }
    }

    #[test]
    fn nor_do_the_pixels_that_it_is_drawn_with(index in 0usize..5, scale in 1.0f64..3.0, degrees in 0.0f64..360.0) {
        let outline = &known()[index];
        // The hand has gaps that narrow to nothing, whose ends pixels fill: it must be larger, and differs more.
        let (scale, tolerance) = if outline.name == "hand" { (scale / 4.0 + 2.5, 0.02) } else { (scale, 0.005) };
        let mask = drawn(&centred(&outline.points, scale, degrees));
        let numbers = shape_of_mask(&mask, None, &ShapeOptions::default()).unwrap().numbers;
        prop_assert!(numbers.major_axis > 100.0);
        for (own, numpy) in numbers.descriptors.iter().zip(&outline.descriptors) {
            prop_assert!((own - numpy).abs() < tolerance, "{}: {own}, numpy {numpy}", outline.name);
        }
    }
}

#[test]
fn the_contour_comes_back_and_the_error_falls_with_every_frequency() {
    for Known { name, points, .. } in known() {
        let fourier = Fourier::new(&points).unwrap();
        let all = fourier.rebuild_error(SAMPLES / 2);
        assert!(all.mean < 1e-9 && all.hausdorff < 0.5, "{name}: {all:?}");
        let rebuilt = fourier.rebuilt(SAMPLES / 2);
        for &corner in &points {
            let nearest = rebuilt.iter().map(|&point| hull::distance(point, corner)).fold(f64::INFINITY, f64::min);
            assert!(nearest <= perimeter(&points) / SAMPLES as f64, "{name}: {corner:?} is {nearest} away");
        }
        // Parseval: what a frequency adds is lost from the squares' sum.
        let errors: Vec<f64> = (1..=SAMPLES / 2).map(|order| fourier.rebuild_error(order).root_mean_square).collect();
        assert!(errors.windows(2).all(|pair| pair[1] <= pair[0] + 1e-12), "{name}: {errors:?}");
        let means: Vec<f64> = [1, 2, 4, 8, 16, 32, 64].map(|order| fourier.rebuild_error(order).mean).into();
        assert!(
            means.windows(2).all(|pair| pair[1] <= pair[0] + 1e-3),
            "{name}, up to a thousandth of a pixel: {means:?}"
        );
    }
}

/// A map that is 1 where `lit` says, and 0.2 elsewhere.
fn map(size: (usize, usize), lit: impl Fn(f64, f64) -> bool) -> Array2<f32> {
    Array2::from_shape_fn(size, |(y, x)| if lit(x as f64 + 0.5, y as f64 + 0.5) { 1.0 } else { 0.2 })
}

#[test]
fn the_numbers_of_a_rectangle_are_those_worked_out_by_hand() {
    // 40x20 pixels from (30, 50), a spot elsewhere, and a box that holds the left half and as much beside it.
    let lit = |x: f64, y: f64| ((30.0..70.0).contains(&x) && (50.0..70.0).contains(&y)) || (x < 2.0 && y < 2.0);
    let b = BBox { x1: 10.0, y1: 50.0, x2: 50.0, y2: 70.0 };
    let shape = shape(map((100, 120), lit).view(), Some(&b), &ShapeOptions::default()).unwrap();
    let numbers = &shape.numbers;
    assert_eq!((numbers.area, numbers.others), (800, 1));
    assert_eq!(numbers.bounding_box, BBox { x1: 30.0, y1: 50.0, x2: 70.0, y2: 70.0 });
    assert_eq!(numbers.centroid, [50.0, 60.0]);
    assert_eq!(numbers.perimeter, 2.0 * (39.0 + 19.0), "through the centres");
    assert_eq!((numbers.hull_area, numbers.solidity), (800.0, 1.0));
    assert_eq!((numbers.inside_box, numbers.box_iou), (Some(0.5), Some(400.0 / 1200.0)));
    // A mask of the left half and as much beside it.
    let mask =
        Mask::new(Size { width: 120, height: 100 }, Frame { left: 10, top: 50, width: 40, height: 20 }, |_, _| true);
    let compared = shape.clone().compared_to(&mask).numbers;
    assert_eq!((compared.inside_mask, compared.mask_iou), (Some(0.5), Some(400.0 / 1200.0)));
    assert_eq!(numbers.orientation, 0.0);
    // The ellipse with the moments of a rectangle a×b has the axes 2a/√3 and 2b/√3.
    assert!((numbers.major_axis - 80.0 / 3f64.sqrt()).abs() < 1e-9);
    assert!((numbers.minor_axis - 40.0 / 3f64.sqrt()).abs() < 1e-9);
    let circularity = 4.0 * std::f64::consts::PI * (39.0 * 19.0) / (116.0f64 * 116.0);
    assert!((numbers.circularity - circularity).abs() < 1e-12);
    assert_eq!(shape.mask.iter().filter(|&&lit| lit).count(), 800);
}

#[test]
fn a_disc_is_round_and_a_turned_bar_points_where_it_does() {
    let options = ShapeOptions::default();
    let disc = |x: f64, y: f64| (x - 100.0).hypot(y - 90.0) < 60.0;
    let numbers = shape(map((200, 200), disc).view(), None, &options).unwrap().numbers;
    assert!((numbers.area as f64 / (std::f64::consts::PI * 3600.0) - 1.0).abs() < 0.01);
    assert!((0.88..1.0).contains(&numbers.circularity), "{}", numbers.circularity);
    assert!((numbers.major_axis - 120.0).abs() < 0.5 && (numbers.minor_axis - 120.0).abs() < 0.5);
    assert!(numbers.solidity > 0.97 && numbers.solidity <= 1.0);
    assert_eq!((numbers.inside_box, numbers.box_iou), (None, None));
    assert_eq!((numbers.inside_mask, numbers.mask_iou), (None, None));
    // Down to the right by 30 degrees.
    let (sin, cos) = 30f64.to_radians().sin_cos();
    let bar = |x: f64, y: f64| {
        let (dx, dy) = (x - 100.0, y - 100.0);
        (dx * cos + dy * sin).abs() < 60.0 && (dy * cos - dx * sin).abs() < 10.0
    };
    let numbers = shape(map((200, 200), bar).view(), None, &options).unwrap().numbers;
    assert!((numbers.orientation - 30.0).abs() < 0.5, "{}", numbers.orientation);
}

#[test]
fn holes_are_no_part_of_the_area_and_the_edge_of_the_map_is_no_obstacle() {
    let ring = |x: f64, y: f64| (10.0..30.0).contains(&(x - 30.0).hypot(y - 30.0));
    let shape = shape(map((60, 60), ring).view(), None, &ShapeOptions::default()).unwrap();
    let expected = std::f64::consts::PI * (900.0 - 100.0);
    assert!((shape.numbers.area as f64 / expected - 1.0).abs() < 0.02);
    assert_eq!(shape.numbers.others, 0);
    assert_eq!(shape.numbers.bounding_box, BBox { x1: 0.0, y1: 0.0, x2: 60.0, y2: 60.0 });
    assert!(!shape.mask[[30, 30]]);
}

#[test]
fn otsu_splits_where_two_heaps_of_values_part() {
    let map = Array2::from_shape_fn((100, 100), |(y, x)| {
        let low = 0.05 + 0.1 * ((x * 7 + y * 3) % 10) as f32 / 10.0;
        if (30..60).contains(&x) && (30..60).contains(&y) { low + 0.7 } else { low }
    });
    let options = ShapeOptions { threshold: Threshold::Otsu, ..ShapeOptions::default() };
    let numbers = shape(map.view(), None, &options).unwrap().numbers;
    assert_eq!(numbers.area, 900);
    assert!((0.15..0.9).contains(&numbers.threshold), "{}", numbers.threshold);
}

#[test]
fn degenerate_maps_are_reported() {
    let options = ShapeOptions::default();
    let problem = |map: Array2<f32>| shape(map.view(), None, &options).unwrap_err();
    assert!(problem(Array2::zeros((5, 5))).contains("no value is above zero"));
    assert!(problem(Array2::from_elem((5, 5), f32::NAN)).contains("undefined"));
    let numbers = |lit: &dyn Fn(f64, f64) -> bool| shape(map((9, 9), lit).view(), None, &options).unwrap().numbers;
    let dot = numbers(&|x, y| x as u32 == 4 && y as u32 == 4);
    assert_eq!((dot.area, dot.perimeter, dot.hull_area, dot.circularity), (1, 0.0, 1.0, 0.0));
    assert!(dot.degenerate.as_ref().is_some_and(|why| why.contains("1 points")), "{dot:?}");
    assert!(dot.descriptors.is_empty() && dot.rebuild_error.is_none());
    let line = numbers(&|_, y| y as u32 == 4);
    assert_eq!((line.area, line.solidity), (9, 1.0));
    assert!(line.descriptors.iter().all(|value| value.is_finite()), "{line:?}");
    let whole = shape(Array2::from_elem((6, 8), 3.0).view(), None, &options).unwrap().numbers;
    assert_eq!(whole.area, 48);
}

#[test]
fn equal_shapes_are_alike_wherever_they_are() {
    let options = ShapeOptions::default();
    let known = known();
    let of = |name: &str, shift: f64| {
        let outline = known.iter().find(|known| known.name == name).unwrap();
        shape_of_mask(&drawn(&moved(&outline.points, 2.0, 0.0, [shift, shift])), None, &options).unwrap()
    };
    let (hand, elsewhere, circle) = (of("hand", 10.0), of("hand", 300.0), of("circle", 10.0));
    let same = compare(&hand, &hand);
    assert_eq!((same.descriptor_distance, same.iou), (Some(0.0), Some(1.0)));
    let far = compare(&hand, &elsewhere);
    assert!(far.descriptor_distance.unwrap() < 1e-9 && far.iou.unwrap() < 0.5, "{far:?}");
    assert!(compare(&hand, &circle).descriptor_distance.unwrap() > 0.1);
}

#[test]
fn maps_and_points_are_read_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let values = ndarray::array![[0.0f64, 1.0, 2.0], [3.0, 4.0, 5.0]];
    ndarray_npy::WriteNpyExt::write_npy(&values, std::fs::File::create(path("a.npy")).unwrap()).unwrap();
    assert_eq!(read_map(&path("a.npy")).unwrap(), values.mapv(|value| value as f32));
    let mask = values.mapv(|value| value > 2.0);
    ndarray_npy::WriteNpyExt::write_npy(&mask, std::fs::File::create(path("b.npy")).unwrap()).unwrap();
    assert_eq!(read_map(&path("b.npy")).unwrap().sum(), 3.0);
    let deep = image::ImageBuffer::from_fn(3, 2, |x, y| image::Luma([(1000 * (x + 3 * y)) as u16]));
    deep.save(path("c.png")).unwrap();
    assert_eq!(read_map(&path("c.png")).unwrap(), values.mapv(|value| 1000.0 * value as f32));
    let line = ndarray::array![1.0f32, 2.0];
    ndarray_npy::WriteNpyExt::write_npy(&line, std::fs::File::create(path("d.npy")).unwrap()).unwrap();
    assert!(read_map(&path("d.npy")).unwrap_err().to_string().contains("two-dimensional"));
    std::fs::write(path("e.png"), "text").unwrap();
    assert!(read_map(&path("e.png")).unwrap_err().to_string().contains("is no map"));

    let points = |text: &str| {
        std::fs::write(path("p.csv"), text).unwrap();
        read_points(&path("p.csv")).map_err(|error| error.to_string())
    };
    assert_eq!(points("x,y\n1, 2\n3.5,-4,more\n").unwrap(), [[1.0, 2.0], [3.5, -4.0]]);
    assert!(points("1,2\n3\n").unwrap_err().contains("line 2: \"3\" is no point"));
    assert!(points("x,y\n").unwrap_err().contains("has no points"));
}
