//! Errors of detectors: as the packages pycocotools and tidecv count them, and found out on networks that were made to have them.

mod common;

use std::{fs, path::Path};

use assert_cmd::Command;
use common::{material, report, temp, yolo_cam};
use image::{Rgb, RgbImage};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;
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
    let text = fs::read_to_string(material("diagnosis.json").expect("it is in the repository")).expect("it is a file");
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

/// The program, told to diagnose pictures; its results go to `output`.
fn diagnose(model: &str, img_path: &str, output: &TempDir) -> Command {
    let mut command = yolo_cam();
    command.args(["diagnose", "--model-path", model, "--img-path", img_path, "--output-dir"]).arg(output.path());
    command
}

/// Of pictures on which a network was trained to find discs by a patch on their left, or not.
fn shortcut(model: &str, output: &TempDir) -> Value {
    let model = format!("tests/data/shortcut/{model}.pt");
    let run = diagnose(&model, "tests/data/shortcut/images", output).args(["--img-size", "128"]).assert().success();
    let told = String::from_utf8_lossy(&run.get_output().stdout).into_owned();
    let found = report(&output.path().join("diagnose.json"));
    let suspicions = found["suspicions_in_words"].as_array().expect("a list");
    for words in suspicions {
        assert!(told.contains(words.as_str().expect("words")), "{told}");
    }
    found
}

/// The mean share of heat on the objects, of all cases of a class and kind.
fn on_object(report: &Value, class: usize, kind: &str) -> f64 {
    let groups = report["groups"].as_array().expect("a list");
    let group = groups.iter().find(|group| group["class_id"] == class && group["kind"] == kind).expect("it has cases");
    group["object"]["mean"].as_f64().expect("a share")
}

#[test]
fn a_planted_shortcut_is_found_out() {
    let [planted, clean] = [temp(), temp()];
    let [found, honest] = [shortcut("planted", &planted), shortcut("clean", &clean)];
    let suspicions = found["suspicions"].as_array().expect("a list");
    let [only] = suspicions.as_slice() else { panic!("{suspicions:?}") };
    assert_eq!((&only["class_id"], &only["error"]), (&json!(0), &Value::Null), "correct discs");
    assert_eq!(only["focus"], json!({"beside": "left"}), "where the patch is");
    assert_eq!((&only["count"], &only["of"]), (&json!(15), &json!(15)));
    // Where a patch is alone, a disc is seen beside it.
    assert_eq!(only["errors"][0]["error"], "background");
    assert!(only["errors"][0]["count"].as_u64() >= Some(5), "{only}");
    let words = found["suspicions_in_words"][0].as_str().expect("words");
    assert!(
        words.starts_with("15 of 15 correct detections of disc look left of the object, not at it; so do "),
        "{words}"
    );
    assert_eq!(honest["suspicions"], json!([]));
    assert!(on_object(&found, 0, "correct") < 0.45 && on_object(&honest, 0, "correct") > 0.6);
    // The mean map of discs is hottest left of the box.
    let groups = found["groups"].as_array().expect("a list");
    let discs = groups.iter().find(|group| group["class_id"] == 0 && group["kind"] == "correct").expect("it is there");
    assert!(discs["portrait_peak"][0].as_f64() < Some(0.0), "{}", discs["portrait_peak"]);
    // Without the patch discs are missed, and each says why.
    let cases = found["cases"].as_array().expect("a list");
    let missed: Vec<&Value> = cases.iter().filter(|case| case["kind"] == "missed").collect();
    assert!(!missed.is_empty() && missed.iter().all(|case| case["fate"].as_str().is_some_and(|fate| !fate.is_empty())));
    // A disc that is called a square: why that, and not a disc.
    let confused = cases.iter().filter(|case| case["kind"] == "class").inspect(|case| {
        assert_eq!((&case["contrast"], &case["label_class"]), (&json!(0), &json!("disc")));
    });
    assert!(confused.count() > 0);
    assert_eq!(honest["precision"]["ap50"], 1.0);
}

/// A picture of 8x8 cells of 8x8 pixels, of which some are red.
fn picture(folder: &Path, name: &str, red: &[(u32, u32)]) {
    let color = |x: u32, y: u32| if red.contains(&(x / 8, y / 8)) { Rgb([255u8, 0, 0]) } else { Rgb([0, 0, 0]) };
    RgbImage::from_fn(64, 64, color).save(folder.join(name)).expect("it is written");
}

#[test]
fn of_a_detector_whose_evidence_is_known_shares_and_portraits_are_those_worked_out_by_hand() {
    let [pictures, output] = [temp(), temp()];
    // In three.pt the logit of a cell is 2 red - green of this cell alone. So the map of a box at model.0 is one cell, which becomes a
    // tent of 16 by 16 pixels around the cell's middle.
    picture(pictures.path(), "a.png", &[(4, 3)]);
    // The cell itself, and a nut in the cell on its left.
    let labels = "0 0.5625 0.4375 0.125 0.125\n1 0.4375 0.4375 0.125 0.125\n";
    fs::write(pictures.path().join("a.txt"), labels).expect("it is written");
    let mut command = diagnose("tests/data/three.pt", pictures.path().to_str().expect("text"), &output);
    command.args(["--img-size", "64", "--conf-thres", "0.5", "--method", "hirescam", "--target-layer", "model.0"]);
    command.assert().success();
    let found = report(&output.path().join("diagnose.json"));
    let cases = found["cases"].as_array().expect("a list");
    assert_eq!(cases.iter().map(|case| &case["kind"]).collect::<Vec<_>>(), ["correct", "missed"], "{found}");
    let evidence = &cases[0]["evidence"];
    // Along an axis the eight pixels of the cell have 6 of 8 parts of the heat, and each of the cells beside it one.
    let close = |value: &Value, expected: f64| {
        let value = value.as_f64().expect("a share");
        assert!((value - expected).abs() < 1e-6, "{value}, {expected}: {evidence}");
    };
    close(&evidence["object"], 0.75 * 0.75);
    assert_eq!(evidence["others"][0][0], 1);
    close(&evidence["others"][0][1], 0.125 * 0.75);
    close(&evidence["around"], 1.0 - 0.75 * 0.75 - 0.125 * 0.75);
    close(&evidence["far"], 0.0);
    assert_eq!(evidence["focus"], "object");
    // The portrait reads the tent at 32 places of half a pixel, from one end to the other.
    let group = found["groups"].as_array().expect("a list").iter().find(|group| group["kind"] == "correct");
    let portrait = &group.expect("it is there")["portrait"];
    let tent = |cell: usize| {
        let off_middle = (cell as f64 + 0.5) / 2.0 - 8.0;
        // Between the two pixels in the middle the map is flat, and from the middle of the last pixel on.
        ((8.0 - off_middle.abs().clamp(0.5, 7.5)) / 7.5, off_middle.abs() > 7.5)
    };
    for (row, column) in [(15, 15), (15, 8), (4, 20), (10, 30), (28, 3)] {
        let ((y, _), (x, _)) = (tent(row), tent(column));
        let value = portrait[row][column].as_f64().expect("a number");
        assert!((value - x * y).abs() < 1.0 / 255.0, "{row} {column}: {value}, {}", x * y);
    }
    // Nothing of the nut's cell speaks for a nut: what was found there, and why it is missed.
    let nut = &cases[1];
    assert!(nut["fate"].as_str().is_some_and(|fate| fate.contains("bolt")), "{nut}");
}

#[test]
fn a_dataset_says_where_pictures_and_labels_are_and_what_they_are_called() {
    let [folder, output] = [temp(), temp()];
    let at = |path: &str| folder.path().join(path);
    for place in ["images/val", "labels/val"] {
        fs::create_dir_all(at(place)).expect("it is made");
    }
    picture(&at("images/val"), "a.png", &[(4, 3)]);
    picture(&at("images/val"), "b.png", &[]);
    // In the dataset the bolt is number 1, and class 0 is none of the model's.
    fs::write(at("labels/val/a.txt"), "1 0.5625 0.4375 0.125 0.125\n0 0.5 0.5 0.1 0.1\n").expect("it is written");
    fs::write(at("data.yaml"), "val: images/val\nnames: [washer, bolt]\n").expect("it is written");
    let mut command = yolo_cam();
    command.args([
        "diagnose",
        "--model-path",
        "tests/data/three.pt",
        "--img-size",
        "64",
        "--conf-thres",
        "0.5",
        "--report",
    ]);
    command.args(["json,coco", "--data"]).arg(at("data.yaml")).arg("--output-dir").arg(output.path());
    let run = command.assert().success();
    let told = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
    assert!(told.contains("ignoring labels of classes that the model does not have: washer"), "{told}");
    assert!(told.contains("note: 1 of 2 pictures has no label file and counts as empty"), "{told}");
    let found = report(&output.path().join("diagnose.json"));
    assert_eq!((&found["objects"], &found["pictures"]), (&json!(1), &json!(2)));
    assert_eq!(found["cases"][0]["kind"], "correct");
    assert!(!output.path().join("diagnose.html").exists() && !output.path().join("diagnose-files").exists());
    let boxes = report(&output.path().join("detections.coco.json"));
    let first = &boxes[0];
    assert_eq!((&first["image_id"], &first["category_id"]), (&json!("a"), &json!(0)));
    assert_eq!(first["bbox"], json!([32.0, 24.0, 8.0, 8.0]));
    // All of them, with however little confidence: 64 cells of two pictures.
    assert_eq!(boxes.as_array().map(Vec::len), Some(128));
}

#[test]
fn labels_of_coco_give_pictures_and_classes_their_numbers() {
    let [folder, output] = [temp(), temp()];
    picture(folder.path(), "a.png", &[(4, 3), (1, 1)]);
    picture(folder.path(), "b.png", &[(0, 0)]);
    let labels = json!({
        "images": [{"id": 42, "file_name": "a.png", "width": 64, "height": 64}],
        "categories": [{"id": 7, "name": "bolt"}, {"id": 9, "name": "nut"}],
        "annotations": [
            {"id": 1, "image_id": 42, "category_id": 7, "bbox": [32, 24, 8, 8]},
            // One of the bolts lies in a crowd.
            {"id": 2, "image_id": 42, "category_id": 7, "bbox": [4, 4, 16, 16], "iscrowd": 1}
        ]
    });
    let path = folder.path().join("labels.json");
    fs::write(&path, labels.to_string()).expect("it is written");
    let mut command = diagnose("tests/data/three.pt", folder.path().to_str().expect("text"), &output);
    command.args(["--img-size", "64", "--conf-thres", "0.5", "--report", "json,coco,csv", "--labels"]).arg(&path);
    let run = command.assert().code(1);
    let told = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
    assert!(told.contains("b.png\" is not among the pictures of --labels"), "{told}");
    let found = report(&output.path().join("diagnose.json"));
    let kinds: Vec<&Value> = found["cases"].as_array().expect("a list").iter().map(|case| &case["kind"]).collect();
    assert_eq!(kinds, ["correct"], "what lies in a crowd is no error: {found}");
    let boxes = report(&output.path().join("detections.coco.json"));
    assert_eq!((&boxes[0]["image_id"], &boxes[0]["category_id"]), (&json!(42), &json!(7)));
    let table = fs::read_to_string(output.path().join("diagnose.csv")).expect("it is written");
    assert_eq!(table.lines().count(), 2, "{table}");
}

#[test]
fn a_run_that_was_stopped_goes_on_and_comes_to_the_same() {
    let [whole, stopped] = [temp(), temp()];
    shortcut("planted", &whole);
    let run = |output: &TempDir, flags: &[&str]| {
        let mut command = diagnose("tests/data/shortcut/planted.pt", "tests/data/shortcut/images", output);
        command.args(["--img-size", "128"]).args(flags).assert()
    };
    run(&stopped, &[]).success();
    let path = stopped.path().join("diagnose.jsonl");
    let journal = fs::read_to_string(&path).expect("it is written");
    // Killed within a line.
    let cut = journal.match_indices('\n').nth(9).expect("there are more lines").0 + 100;
    fs::write(&path, &journal[..cut]).expect("it is written");
    let again = run(&stopped, &["--skip-existing"]).success();
    let told = String::from_utf8_lossy(&again.get_output().stderr).into_owned();
    assert!(told.contains("1 damaged line of") && told.contains("9 pictures were looked at already"), "{told}");
    let stopped_folder = stopped;
    let [whole, stopped] =
        [&whole, &stopped_folder].map(|output| fs::read_to_string(output.path().join("diagnose.json")));
    assert_eq!(whole.expect("it is there"), stopped.expect("it is there"));
    run(&temp(), &["--skip-existing", "--jobs", "2"]).success();
    let other = run(&stopped_folder, &["--skip-existing", "--conf-thres", "0.3"]).code(2);
    let told = String::from_utf8_lossy(&other.get_output().stderr).into_owned();
    assert!(told.contains("is of a run with conf_thres 0.4"), "{told}");
}

#[test]
fn a_picture_whose_labels_changed_is_diagnosed_again_and_one_that_is_no_longer_meant_is_left_out() {
    let [folder, output] = [temp(), temp()];
    picture(folder.path(), "a.png", &[(4, 3)]);
    picture(folder.path(), "b.png", &[(0, 0)]);
    let label = "0 0.5625 0.4375 0.125 0.125\n";
    fs::write(folder.path().join("a.txt"), label).expect("it is written");
    fs::write(folder.path().join("b.txt"), "").expect("it is written");
    let run = |img_path: &str| {
        let mut command =
            diagnose("tests/data/three.pt", folder.path().join(img_path).to_str().expect("text"), &output);
        command.args(["--img-size", "64", "--conf-thres", "0.5", "--report", "json,coco", "--skip-existing"]);
        command.assert().success();
        let found = report(&output.path().join("diagnose.json"));
        let kinds = found["cases"].as_array().expect("a list").iter().map(|case| case["kind"].clone());
        (kinds.collect::<Vec<_>>(), report(&output.path().join("detections.coco.json")).as_array().map(Vec::len))
    };
    assert_eq!(run(""), (vec![json!("correct"), json!("background")], Some(128)));
    fs::write(folder.path().join("a.txt"), "").expect("it is written");
    assert_eq!(run(""), (vec![json!("background"), json!("background")], Some(128)));
    assert_eq!(run("b.png"), (vec![json!("background")], Some(64)));
}

#[test]
fn what_cannot_be_diagnosed_is_told_in_a_line() {
    let output = temp();
    let three = || diagnose("tests/data/three.pt", "tests/data/shortcut/images", &output);
    let told = |mut command: Command, code: i32, words: &str| {
        let run = command.assert().code(code);
        let told = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
        assert!(told.contains(words), "{told}");
        assert_eq!(told.lines().filter(|line| line.starts_with("error")).count(), 1, "{told}");
    };
    let with = |flags: &[&str]| {
        let mut command = three();
        command.args(flags);
        command
    };
    told(
        diagnose("tests/data/three.pt", "images", &output),
        2,
        "no labels found: \"labels/cat-dog.txt\" does not exist, and neither does one",
    );
    told(with(&["--top", "3"]), 2, "--top leaves out detections");
    told(with(&["--labels", "nowhere"]), 2, "nowhere");
    told(with(&["--labels", "README.md"]), 2, "is no COCO file");
    told(with(&["--data", "nowhere.yaml"]), 2, "--data: \"nowhere.yaml\" cannot be read");
    told(with(&["--split", "val"]), 2, "--data");
    told(with(&["--fuse", "none"]), 2, "--fuse none");
    told(diagnose("tests/data/families/tiny/11-cls.pt", "images", &output), 2, "take a detector");
    told(diagnose("tests/data/three.pt", "nowhere.jpg", &output), 1, "nowhere.jpg");
}

#[test]
fn each_map_can_be_measured_too() {
    let output = temp();
    let mut command = diagnose("tests/data/shortcut/clean.pt", "tests/data/shortcut/images", &output);
    command.args(["--img-size", "128", "--verify", "2", "--report", "json,csv"]).assert().success();
    let found = report(&output.path().join("diagnose.json"));
    for case in found["cases"].as_array().expect("a list") {
        let word = case["verify"]["word"].as_str().expect("it has one");
        assert!(["faithful", "blob", "misleading"].contains(&word), "{case}");
    }
}
