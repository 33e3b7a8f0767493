//! `diff`: what changes when one detector takes the place of another.

mod common;

use std::{fs, path::Path};

use assert_cmd::Command;
use common::{report, temp, yolo_cam};
use serde_json::{Value, json};
use tempfile::TempDir;

const PICTURES: &str = "tests/data/shortcut/images";
const LABELS: &str = "tests/data/shortcut/labels";

/// The detector that was trained on a planted shortcut, and the one that was trained without.
const PLANTED: &str = "tests/data/shortcut/planted.pt";
const CLEAN: &str = "tests/data/shortcut/clean.pt";

fn diff(old: &str, new: &str, output: &TempDir) -> Command {
    let mut command = yolo_cam();
    command.args(["diff", old, new, "--img-path", PICTURES, "--img-size", "128", "--output-dir"]).arg(output.path());
    command
}

/// The group of a class, or of all.
fn group<'a>(report: &'a Value, class: &Value) -> &'a Value {
    let groups = report["groups"].as_array().expect("a list");
    groups.iter().find(|group| group["class_id"] == *class).expect("it is there")
}

fn mean(value: &Value) -> f64 {
    value["mean"].as_f64().expect("a mean")
}

#[test]
fn evidence_that_moved_off_a_shortcut_is_told() {
    let output = temp();
    let run = diff(PLANTED, CLEAN, &output).args(["--labels", LABELS]).assert().success();
    let found = report(&output.path().join("diff.json"));
    let [disc, square] = [0, 1].map(|class| group(&found, &json!(class)));
    // All 15 discs with a patch are kept, and the evidence moved from the patch to the disc, far more than noise.
    assert_eq!((&disc["kept"], &disc["broken"]), (&json!(15), &json!(0)));
    assert!(disc["moved"]["low"].as_f64() > disc["noise_moved"]["high"].as_f64(), "{disc}");
    assert!(mean(&disc["object_old"]) < 0.45 && mean(&disc["object_new"]) > 0.6, "{disc}");
    assert!(mean(&square["moved"]) < 0.2, "{square}");
    // Discs without a patch are found now, and the false ones beside lone patches are gone.
    assert_eq!((&disc["lost"], group(&found, &Value::Null)["fixed"].as_u64()), (&json!(6), Some(15)));
    let told = String::from_utf8_lossy(&run.get_output().stdout).into_owned();
    assert!(told.contains("the evidence for disc moved more than noise does"), "{told}");
    assert!(!told.contains("the evidence for square"), "{told}");
    let things = found["things"].as_array().expect("a list");
    // What is lost says what became of it, and has its map too.
    for lost in things.iter().filter(|thing| thing["change"] == "lost") {
        assert_eq!(lost["outcome"], "fixed", "{lost}");
        assert!(lost["new"]["fate"].as_str().is_some_and(|fate| !fate.is_empty()), "{lost}");
    }
    // A disc that the old one called a square is one thing, whose class changed.
    let renamed = things.iter().filter(|thing| thing["old"]["error"] == "class");
    assert!(renamed.inspect(|thing| assert_eq!(thing["new_class"], "disc", "{thing}")).count() > 0);
    let table = fs::read_to_string(output.path().join("diff.csv")).expect("it is written");
    assert_eq!(table.lines().count(), things.len() + 1);
}

#[test]
fn a_detector_does_not_differ_from_itself_and_another_training_is_noise() {
    let output = temp();
    diff(PLANTED, PLANTED, &output).args(["--noise", CLEAN]).assert().success();
    let found = report(&output.path().join("diff.json"));
    let all = group(&found, &Value::Null);
    assert_eq!((&all["lost"], &all["gained"], &all["kept"]), (&json!(0), &json!(0), &json!(34)));
    assert!(mean(&all["moved"]) < 1e-9 && mean(&all["correlation"]) > 0.999, "{all}");
    assert!(mean(&all["noise_moved"]) > 0.2, "the other training looks elsewhere: {all}");
    assert_eq!(found["noise"], "from the old model to another training of it");
    for thing in found["things"].as_array().expect("a list") {
        assert_eq!((&thing["change"], &thing["outcome"]), (&json!("kept"), &Value::Null), "there are no labels");
    }
}

#[test]
fn detectors_of_other_families_and_classes_are_compared_by_name() {
    let output = temp();
    // Nothing that a network of random weights finds is a disc or a square.
    let mut command = diff(PLANTED, "tests/data/families/legacy/v8-8.0.0.pt", &output);
    command.args(["--report", "json"]).assert().success();
    let found = report(&output.path().join("diff.json"));
    let classes = found["classes"].as_array().expect("a list");
    assert_eq!(classes[..2], [json!("disc"), json!("square")]);
    assert!(classes.len() > 2, "those of the other one are there too");
    let lost = found["things"].as_array().expect("a list").iter().find(|thing| thing["change"] == "lost");
    assert_eq!(lost.expect("all of them are")["new"]["fate"], "it has no such class");
    assert!(!output.path().join("diff.html").exists());
}

#[test]
fn a_run_that_was_stopped_goes_on_and_comes_to_the_same() {
    let output = temp();
    let run = |flags: &[&str]| diff(PLANTED, CLEAN, &output).args(flags).assert();
    run(&[]).success();
    let read = |name: &str| fs::read_to_string(output.path().join(name)).expect("it is written");
    let (journal, whole) = (read("diff.jsonl"), read("diff.json"));
    let cut = journal.match_indices('\n').nth(5).expect("there are more lines").0 + 50;
    fs::write(output.path().join("diff.jsonl"), &journal[..cut]).expect("it is written");
    let again = run(&["--skip-existing"]).success();
    let told = String::from_utf8_lossy(&again.get_output().stderr).into_owned();
    assert!(told.contains("5 pictures were looked at already"), "{told}");
    assert_eq!(read("diff.json"), whole);
    let other = run(&["--skip-existing", "--method", "gradcam"]).code(2);
    let told = String::from_utf8_lossy(&other.get_output().stderr).into_owned();
    assert!(told.contains("is of a run with method \"best\""), "{told}");
}

#[test]
fn what_cannot_be_compared_is_told_in_a_line() {
    let output = temp();
    let told = |mut command: Command, code: i32, words: &str| {
        let run = command.assert().code(code);
        let told = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
        assert!(told.contains(words), "{told}");
        assert_eq!(told.lines().filter(|line| line.starts_with("error")).count(), 1, "{told}");
    };
    told(diff(PLANTED, "nowhere.pt", &output), 2, "nowhere.pt");
    told(diff(PLANTED, "tests/data/families/tiny/11-cls.pt", &output), 2, "take detectors");
    let mut command = diff(PLANTED, CLEAN, &output);
    command.args(["--top", "2"]);
    told(command, 2, "--top leaves out detections");
    let mut command = yolo_cam();
    command.args(["diff", PLANTED]);
    told(command, 2, "<NEW>");
    assert!(Path::new(PICTURES).is_dir());
}
