//! The data set for the package fiftyone, held against `diagnose.json`. `tests/data/check_fiftyone.py` imports one with the package.

mod common;

use std::{collections::BTreeMap, fs, path::Path};

use common::{report, temp, yolo_cam};
use image::GrayImage;
use serde_json::{Value, json};
use tempfile::TempDir;

const MODEL: &str = "tests/data/shortcut/planted.pt";
const PICTURES: &str = "tests/data/shortcut/images";
/// Their width and their height.
const SIDE: f64 = 128.0;

/// Runs the program into a new folder.
fn diagnosed(pictures: &Path, more: &[&str]) -> (TempDir, String) {
    let output = temp();
    let mut command = yolo_cam();
    command.args(["diagnose", "--model-path", MODEL, "--img-size", "128", "--report", "json,fiftyone", "--img-path"]);
    command.arg(pictures).arg("--output-dir").arg(output.path()).args(more);
    let done = command.assert().success();
    let told = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
    (output, told)
}

fn samples(output: &TempDir) -> Vec<Value> {
    let mut report = report(&output.path().join("fiftyone/samples.json"));
    serde_json::from_value(report["samples"].take()).expect("a list")
}

fn list<'a>(sample: &'a Value, field: &str) -> &'a [Value] {
    assert_eq!(sample[field]["_cls"], "Detections", "{field}");
    let all = sample[field]["detections"].as_array().expect("a list");
    assert!(all.iter().all(|one| one["_cls"] == "Detection"));
    all
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// Whether a box is that with these corners in pixels.
#[track_caller]
fn assert_box(found: &Value, corners: &Value) {
    let corner = |at: usize| number(&corners[at]).clamp(0.0, SIDE) / SIDE;
    let expected = [corner(0), corner(1), corner(2) - corner(0), corner(3) - corner(1)];
    for (at, expected) in expected.into_iter().enumerate() {
        let share = number(&found["bounding_box"][at]);
        assert!((share - expected).abs() < 1e-6 && (0.0..=1.0).contains(&share), "{found}, {corners}");
    }
}

/// Whether the same is said of a map as in the case.
#[track_caller]
fn assert_looks(found: &Value, case: &Value) {
    assert_eq!(found["case"], case["index"]);
    assert_eq!(found["heat_object"], case["evidence"]["object"]);
    assert_eq!(found["looks"] == "object", case["evidence"]["focus"] == "object");
}

/// At each place the largest level of the maps of these boxes.
fn largest(found: &[&Value]) -> GrayImage {
    let maps = found.iter().map(|found| image::open(text(&found["map_path"])).expect("it is there").into_luma8());
    let larger = |mut all: GrayImage, map: GrayImage| {
        all.iter_mut().zip(map.iter()).for_each(|(all, &level)| *all = (*all).max(level));
        all
    };
    maps.reduce(larger).expect("there is one")
}

#[test]
fn fiftyone_has_what_the_json_has() {
    let (output, _) = diagnosed(Path::new(PICTURES), &[]);
    let report = report(&output.path().join("diagnose.json"));
    let mut cases: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for case in report["cases"].as_array().expect("a list") {
        cases.entry(text(&case["image"])).or_default().push(case);
    }
    let samples = samples(&output);
    assert_eq!(json!(samples.len()), report["pictures"]);
    let objects: usize = samples.iter().map(|sample| list(sample, "ground_truth").len()).sum();
    assert_eq!(json!(objects), report["objects"]);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut kinds = BTreeMap::new();
    for sample in &samples {
        let file = Path::new(text(&sample["filepath"]));
        assert!(file.is_absolute() && file.is_file());
        let image = file.strip_prefix(root).expect("they are below the root").to_str().expect("text");
        let (missed, found): (Vec<&Value>, Vec<&Value>) =
            cases.remove(image).unwrap_or_default().into_iter().partition(|case| case["kind"] == "missed");
        let predictions = list(sample, "predictions");
        assert_eq!(predictions.len(), found.len(), "{image}");
        for (prediction, case) in predictions.iter().zip(found) {
            *kinds.entry(text(&case["kind"]).to_owned()).or_insert(0) += 1;
            assert_box(prediction, &case["box_image"]);
            for (ours, theirs) in [("label", "class"), ("kind", "kind"), ("confidence", "confidence"), ("iou", "iou")] {
                assert_eq!(prediction[ours], case[theirs], "{image}");
            }
            assert_eq!(prediction["label_class"], case["label_class"]);
            assert_looks(prediction, case);
        }
        let objects = list(sample, "ground_truth");
        let marked: Vec<&Value> = objects.iter().filter(|object| object["missed"] == true).collect();
        assert_eq!(marked.len(), missed.len(), "{image}");
        for case in missed {
            *kinds.entry("missed".to_owned()).or_insert(0) += 1;
            let object = &objects[case["label"].as_u64().expect("an index") as usize];
            assert_box(object, &case["label_box"]);
            assert_eq!((&object["missed"], &object["label"]), (&json!(true), &case["label_class"]));
            assert_eq!(object["fate"], case["fate"]);
            assert_looks(object, case);
        }
        let found: Vec<&Value> = predictions.iter().chain(marked).collect();
        assert_eq!((&sample["heat"]["_cls"], &sample["heat"]["range"]), (&json!("Heatmap"), &json!([0.0, 255.0])));
        let heat = image::open(text(&sample["heat"]["map_path"])).expect("it is there");
        assert_eq!(heat.color(), image::ColorType::L8);
        assert_eq!(heat.into_luma8(), largest(&found));
    }
    assert!(cases.is_empty());
    // Else little was looked at.
    assert!(["correct", "class", "background", "missed"].iter().all(|kind| kinds.contains_key(*kind)), "{kinds:?}");
}

#[test]
fn fiftyone_knows_of_what_run_it_is() {
    let (output, _) = diagnosed(&Path::new(PICTURES).join("000.png"), &[]);
    let found = report(&output.path().join("fiftyone/metadata.json"));
    assert_eq!((&found["media_type"], &found["info"]["model"]), (&json!("image"), &json!(MODEL)));
    assert_eq!(found["info"]["default_classes"], json!(["disc", "square"]));
    // With it, the package would take the samples for entries of its database.
    assert_eq!(found.get("version"), None);
}

#[test]
fn fiftyone_takes_pictures_whatever_they_are_called() {
    let folder = temp();
    let (images, labels) = (folder.path().join("images"), folder.path().join("labels"));
    for (name, of) in [("a b#%é.png", "000"), ("unlabelled.png", "004")] {
        fs::create_dir_all(images.join("below")).unwrap();
        fs::copy(Path::new(PICTURES).join(format!("{of}.png")), images.join("below").join(name)).unwrap();
    }
    fs::create_dir_all(labels.join("below")).unwrap();
    fs::copy("tests/data/shortcut/labels/000.txt", labels.join("below/a b#%é.txt")).unwrap();
    let (output, _) = diagnosed(&images.join("below/../../images"), &["--recursive"]);
    let samples = samples(&output);
    let [named, unlabelled] = samples.as_slice() else { panic!("{samples:?}") };
    let full = images.canonicalize().unwrap().join("below");
    assert_eq!(text(&named["filepath"]), full.join("a b#%é.png").to_str().unwrap());
    assert_eq!(list(named, "ground_truth").len(), 1);
    assert!(Path::new(text(&named["heat"]["map_path"])).is_file());
    // Nobody said that there is nothing.
    assert_eq!(unlabelled.get("ground_truth"), None);
    assert!(!list(unlabelled, "predictions").is_empty());
}

#[test]
fn fiftyone_goes_without_frames() {
    let folder = temp();
    let film = folder.path().join("film.gif");
    let mut frames = image::codecs::gif::GifEncoder::new(fs::File::create(&film).unwrap());
    for name in ["000", "004"] {
        let picture = image::open(Path::new(PICTURES).join(format!("{name}.png"))).unwrap().into_rgba8();
        frames.encode_frame(image::Frame::new(picture)).unwrap();
    }
    drop(frames);
    // Frames have no labels, and without any nothing is diagnosed.
    let labelled = Path::new(PICTURES).join("000.png");
    let (output, told) = diagnosed(&film, &["--img-path", labelled.to_str().expect("text")]);
    assert_eq!(samples(&output).len(), 1);
    assert!(told.contains("note: 2 of 3 pictures are no files"), "{told}");
}
