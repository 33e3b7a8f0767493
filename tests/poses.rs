//! Poses and rotated boxes against what PyTorch computes with the Ultralytics package's own code, on small networks that are in the
//! repository (tests/data/make_poses.py).

mod common;

use common::{Figured, figured, pattern};
use ndarray::{Array2, Array3};
use tch::Tensor;
use yolo_cam::{
    ExplainOptions, Target, TargetLayer,
    detect::{DetectOptions, Detection, detect},
    explain::{explain_found, methods, unwatched},
};

/// Files, their figures, and how far values may be off: a trace is of the fused network.
static CASES: [(&str, &str, f32); 8] = [
    ("tiny/pose-small.pt", "tiny/pose-small", 1e-4),
    ("tiny/pose-small.torchscript", "tiny/pose-small", 3e-4),
    ("tiny/pose26-small.pt", "tiny/pose26-small", 1e-4),
    ("tiny/pose26-small.torchscript", "tiny/pose26-small", 3e-4),
    ("tiny/obb-small.pt", "tiny/obb-small", 1e-4),
    ("tiny/obb-small.torchscript", "tiny/obb-small", 3e-4),
    ("tiny/obb26-small.pt", "tiny/obb26-small", 1e-4),
    ("tiny/obb26-small.torchscript", "tiny/obb26-small", 3e-4),
];

/// Of all rows the figures have each fifth.
const EACH: usize = 5;

fn all() -> impl Iterator<Item = Figured> {
    figured(&CASES).inspect(|opened| assert_eq!(opened.model.warnings(), [""; 0], "{}", opened.file))
}

fn outputs(opened: &Figured) -> Vec<Tensor> {
    opened.model.forward(&opened.input, &[]).expect("it runs").outputs
}

/// What the network says of a prediction besides its box and class: the keypoints, or the angle.
fn further(found: &Detection) -> Vec<f32> {
    let of_keypoints =
        found.keypoints.iter().flat_map(|keypoint| [Some(keypoint.x), Some(keypoint.y), keypoint.visibility]).flatten();
    of_keypoints.chain(found.rotated.map(|b| b.angle)).collect()
}

/// Whether all values are near those expected: places within 0.05 pixels, probabilities and angles within the tolerance.
fn is_near(opened: &Figured, found: &[f32], expected: &[f32]) -> bool {
    let is_rotated = opened.model.head().task() == "obb";
    let is_place = |index: usize| !is_rotated && index % 3 < 2;
    let limit = |index: usize, expected: f32| match is_place(index) {
        true => 0.05,
        false => opened.tolerance * expected.abs().max(1.0),
    };
    let mut pairs = found.iter().zip(expected).enumerate();
    found.len() == expected.len()
        && pairs.all(|(index, (found, &expected))| (found - expected).abs() <= limit(index, expected))
}

fn box_of(found: &Detection) -> [f32; 4] {
    match &found.rotated {
        Some(b) => [b.cx, b.cy, b.w, b.h],
        None => found.box_input.expect("a detector gives boxes").into(),
    }
}

fn is_near_box(found: [f32; 4], expected: [f32; 4]) -> bool {
    found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() <= 0.05)
}

#[test]
fn predictions_are_pytorchs() {
    for mut opened in all() {
        let expected: Array3<f32> = opened.golden.get("pred");
        let options = DetectOptions::default().with_conf_threshold(Some(0.0)).with_iou_threshold(Some(1.0));
        let options = options.with_max_det(Some(usize::MAX));
        let found = detect(&opened.model, &outputs(&opened), &options).expect("they are read");
        let (file, classes) = (opened.file, opened.model.names().len());
        let mut count = 0;
        for found in found.iter().filter(|found| found.place.index % EACH == 0) {
            let row: Vec<f32> = expected.index_axis(ndarray::Axis(0), 0).column(found.place.index / EACH).to_vec();
            let confidence = row[4 + found.class_id];
            assert!(
                (found.confidence - confidence).abs() <= opened.tolerance,
                "{file}: {} {confidence}",
                found.confidence
            );
            let [x, y, w, h] = [row[0], row[1], row[2], row[3]];
            let corners = [x - w / 2.0, y - h / 2.0, x + w / 2.0, y + h / 2.0];
            let b = if found.rotated.is_some() { [x, y, w, h] } else { corners };
            assert!(is_near_box(box_of(found), b), "{file}: box {:?} instead of {b:?}", box_of(found));
            let (own, rest) = (further(found), &row[4 + classes..]);
            assert!(is_near(&opened, &own, rest), "{file}: {own:?} instead of {rest:?}");
            count += 1;
        }
        assert_eq!(count, expected.dim().2, "{file}");
    }
}

#[test]
fn detections_are_the_packages() {
    for mut opened in all() {
        let expected: Array2<f32> = opened.golden.get("det");
        let options = DetectOptions::default().with_conf_threshold(Some(0.25)).with_top(Some(expected.nrows()));
        let found = detect(&opened.model, &outputs(&opened), &options).expect("they are read");
        let file = opened.file;
        assert_eq!(found.len(), expected.nrows(), "{file}");
        for (found, expected) in found.iter().zip(expected.rows()) {
            let row = expected.to_vec();
            assert_eq!(found.class_id as f32, row[5], "{file}");
            assert!((found.confidence - row[4]).abs() <= opened.tolerance, "{file}: {} {}", found.confidence, row[4]);
            let b = [row[0], row[1], row[2], row[3]];
            assert!(is_near_box(box_of(found), b), "{file}: box {:?} instead of {b:?}", box_of(found));
            assert!(
                is_near(&opened, &further(found), &row[6..]),
                "{file}: {:?} instead of {:?}",
                further(found),
                &row[6..]
            );
        }
    }
}

#[test]
fn maps_of_keypoints_and_angles_are_pytorchs() {
    for mut opened in all() {
        let options = DetectOptions::default().with_conf_threshold(Some(0.0)).with_top(Some(1));
        let found = detect(&opened.model, &outputs(&opened), &options).expect("they are read");
        let layer = opened.model.find_layer("model.2").expect("it has that layer");
        let names = opened.golden.names();
        let targets: Vec<&String> = names.iter().filter(|name| !["pred", "det"].contains(&name.as_str())).collect();
        assert!(targets.len() >= 2, "{names:?}");
        for name in targets {
            let target = Target::named(name).unwrap_or_else(|| panic!("no target {name}"));
            let options = ExplainOptions::default().with_target(target).with_method(methods::ELEMENT_WISE);
            let options = options.with_target_layer(TargetLayer::Layers(vec![layer]));
            let explained = explain_found(&opened.model, &pattern(), found.clone(), &options, &mut unwatched);
            let map = explained.expect("it is explained").remove(0).heatmap;
            let expected: Array2<f32> = opened.golden.get(name);
            let peak = expected.iter().copied().fold(0.0, f32::max);
            let worst = (map.values() - &expected).iter().fold(0.0f32, |worst, d| worst.max(d.abs()));
            assert!(worst <= 2e-3 * peak, "{}: {name}: off by {worst}, peak {peak}", opened.file);
        }
    }
}
