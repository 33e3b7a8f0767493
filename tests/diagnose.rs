//! Errors of detectors: as the packages pycocotools and tidecv count them, and found out on networks that were made to have them.

mod common;

use common::material;
use serde::Deserialize;
use serde_json::Value;
use yolo_cam::{
    diagnose::{ErrorKind, ErrorTally, PrecisionTally, ScoredBox, judge},
    geometry::BBox,
    labels::Label,
};

/// What the packages round to, and more.
const TOLERANCE: f64 = 1e-6;

/// `tests/data/diagnosis.json`.
#[derive(Deserialize)]
struct Expected {
    coco: Value,
    tide: Value,
    pictures: Vec<Drawn>,
}

#[derive(Deserialize)]
struct Drawn {
    labels: Vec<(usize, BBox, bool)>,
    found: Vec<(usize, f32, BBox)>,
}

impl Drawn {
    fn labels(&self) -> Vec<Label> {
        self.labels.iter().map(|&(class_id, b, is_crowd)| Label { class_id, b, is_crowd }).collect()
    }

    fn found(&self) -> Vec<ScoredBox> {
        self.found.iter().map(|&(class_id, confidence, b)| ScoredBox { class_id, confidence, b }).collect()
    }
}

fn expected() -> Expected {
    let text =
        std::fs::read_to_string(material("diagnosis.json").expect("it is in the repository")).expect("it is a file");
    serde_json::from_str(&text).expect("it is as the script writes it")
}

#[track_caller]
fn assert_close(found: Option<f64>, expected: &Value, what: &str) {
    match (found, expected.as_f64()) {
        (Some(found), Some(expected)) => assert!((found - expected).abs() < TOLERANCE, "{what}: {found}, {expected}"),
        (found, expected) => assert_eq!(found, expected, "{what}"),
    }
}

#[test]
fn average_precision_is_that_of_pycocotools() {
    let Expected { coco, pictures, .. } = expected();
    let mut tally = PrecisionTally::default();
    pictures.iter().for_each(|picture| tally.add(&picture.labels(), &picture.found()));
    let found = tally.average_precision();
    assert_close(found.ap, &coco["ap"], "AP");
    assert_close(found.ap50, &coco["ap50"], "AP50");
    assert_close(found.ap75, &coco["ap75"], "AP75");
    for (class, found) in found.classes.iter().enumerate() {
        let expected = &coco["classes"][class];
        for (name, value) in [("ap", found.map(|class| class.ap)), ("ap50", found.map(|class| class.ap50))] {
            assert_close(value, expected.get(name).unwrap_or(&Value::Null), &format!("{name} of class {class}"));
        }
    }
}

#[test]
fn errors_and_what_they_cost_are_those_of_tidecv() {
    let Expected { tide, pictures, .. } = expected();
    let mut tally = ErrorTally::default();
    pictures.iter().for_each(|picture| tally.add(&picture.labels(), &picture.found()));
    let costs = tally.costs();
    assert_close(costs.ap, &tide["ap"], "AP");
    for kind in ErrorKind::ALL {
        let (found, expected) = (costs.of(kind), &tide["kinds"][kind.name()]);
        assert_eq!(found.count, expected["count"], "{}", kind.name());
        assert_close(Some(found.delta_ap), &expected["delta_ap"], kind.name());
    }
    assert_close(Some(costs.false_positives), &tide["false_positives"], "false positives");
    assert_close(Some(costs.false_negatives), &tide["false_negatives"], "false negatives");
}

#[test]
fn each_box_has_the_error_that_tidecv_gives_it() {
    let Expected { tide, pictures, .. } = expected();
    let mut kinds = tide["of_boxes"].as_array().expect("one for each box").iter();
    for picture in pictures {
        let found = picture.found();
        let verdicts = judge(&picture.labels(), &found).found;
        // The package does not look at more boxes of a picture than this.
        let mut order: Vec<usize> = (0..found.len()).collect();
        order.sort_by(|&a, &b| found[b].confidence.total_cmp(&found[a].confidence));
        for (index, (verdict, kind)) in verdicts.iter().zip(kinds.by_ref().take(found.len())).enumerate() {
            if order[..found.len().min(100)].contains(&index) {
                assert_eq!(verdict.error.map(ErrorKind::name), kind.as_str(), "{:?}", found[index]);
            }
        }
    }
}
