//! Checkpoints in which sound files differ from those that YOLOv5 v7.0 writes by itself, against what PyTorch computes.

mod common;

use std::path::{Path, PathBuf};

use common::{Npz, compared, report, temp, yolo_cam};
use ndarray::{Array3, Array4};
use predicates::{boolean::PredicateBooleanExt, str::contains};
use tch::{CModule, Device, IValue, Tensor};
use yolo_cam::explain::targets;
use yolo_cam::{
    ExplainOptions, ExportOptions, Model, Target,
    detect::{DetectOptions, detect},
};

/// Those with figures.
const NAMES: [&str; 6] = ["activations", "anchors-reversed", "attributes", "one-class", "pruned", "stale-number"];

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/variants").join(name)
}

fn load(name: &str) -> Result<Model, String> {
    Model::load(file(name).with_extension("pt"), Device::Cpu).map_err(|error| error.to_string())
}

/// The input of the figures.
fn pattern() -> Tensor {
    let value = |c: i64, y: i64, x: i64| ((37 * c + 3 * y + 5 * x + x * y / 16) % 256) as f32 / 255.0;
    let values: Vec<f32> =
        (0..3).flat_map(|c| (0..64).flat_map(move |y| (0..64).map(move |x| value(c, y, x)))).collect();
    Tensor::from_slice(&values).view([1, 3, 64, 64])
}

fn is_near(found: f32, expected: f32) -> bool {
    (found - expected).abs() <= 1e-4 * expected.abs().max(1.0)
}

fn values(tensor: &Tensor) -> Vec<f32> {
    Vec::try_from(tensor.contiguous().view(-1)).expect("f32")
}

#[test]
fn raw_heads_are_pytorchs() {
    let mut figures = Npz::open(&file("figures.npz"));
    for name in NAMES {
        let heads =
            load(name).unwrap_or_else(|error| panic!("{error}")).forward(&pattern(), &[]).expect("it runs").outputs;
        compared(&format!("variants/{name}"));
        for (index, head) in heads.iter().enumerate() {
            let expected: Array4<f32> = figures.get(&format!("{name}/head{index}"));
            // [1, anchors·channels, h, w]
            for (at, (found, expected)) in values(head).into_iter().zip(&expected).enumerate() {
                let cells = (head.size()[2] * head.size()[3]) as usize;
                assert!(
                    is_near(found, *expected),
                    "{name}: head {index}, channel {}: {found}, expected {expected}",
                    at / cells
                );
            }
        }
    }
}

#[test]
fn boxes_and_those_of_the_export_are_pytorchs() {
    let mut figures = Npz::open(&file("figures.npz"));
    let folder = temp();
    for name in NAMES {
        let expected: Array3<f32> = figures.get(&format!("{name}/rows"));
        let model = load(name).expect("it loads");
        let heads = model.forward(&pattern(), &[]).expect("it runs").outputs;
        let all = DetectOptions::default()
            .with_conf_threshold(Some(0.0))
            .with_iou_threshold(Some(1.0))
            .with_max_det(Some(usize::MAX));
        let found = detect(&model, &heads, &all).expect("they are read");
        assert_eq!(found.len(), expected.dim().1, "{name}");
        for found in found {
            let [cx, cy, w, h, objectness] = [0, 1, 2, 3, 4].map(|value| expected[[0, found.place.index, value]]);
            let b = found.box_input.expect("a detector gives boxes");
            for (found, expected) in
                [(b.x1 + b.x2, 2.0 * cx), (b.y1 + b.y2, 2.0 * cy), (b.x2 - b.x1, w), (b.y2 - b.y1, h)]
            {
                assert!(is_near(found, expected), "{name}: {b:?}, expected {cx} {cy} {w} {h}");
            }
            let class = expected[[0, found.place.index, 5 + found.class_id]];
            assert!(is_near(found.confidence, objectness * class), "{name}");
        }

        let path = folder.path().join(name).with_extension("torchscript");
        model
            .export(&path, &ExportOptions::default().with_img_size(Some(64)).with_half(false))
            .expect("it is exported");
        Model::load(&path, Device::Cpu).unwrap_or_else(|error| panic!("{error}"));
        let module = CModule::load(&path).expect("libtorch loads it");
        let output = tch::no_grad(|| module.forward_is(&[IValue::Tensor(pattern())])).expect("it runs");
        let IValue::Tuple(parts) = output else { panic!("{name}: no tuple") };
        let rows = Tensor::try_from(parts.into_iter().next().expect("boxes")).expect("a tensor");
        for (found, expected) in values(&rows).into_iter().zip(&expected) {
            assert!(is_near(found, *expected), "{name}: the export gives {found}, expected {expected}");
        }
    }
}

#[test]
fn a_network_is_found_wherever_the_file_has_it() {
    let heads = |name: &str| {
        let model = load(name).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(model.names(), ["bolt", "nut"], "{name}");
        model.forward(&pattern(), &[]).expect("it runs").outputs
    };
    let expected = heads("in-a-list");
    for name in ["compiled", "ensemble-of-one", "other-key", "two-keys"] {
        assert!(heads(name).iter().zip(&expected).all(|(found, expected)| found.equal(expected)), "{name}");
    }
    let warnings = load("two-keys").expect("it loads").warnings().join("\n");
    assert!(warnings.contains("holds 3 networks") && warnings.contains("first detector"), "{warnings}");
    assert!(load("other-key").expect("it loads").warnings().is_empty());
}

#[test]
fn what_cannot_be_run_has_a_true_reason() {
    for (name, reason) in [
        ("ensemble-of-two", "is an ensemble of 2 networks"),
        ("one-channel", "takes pictures of 1 channel; only models"),
    ] {
        let error = load(name).err().unwrap_or_else(|| panic!("{name} loads"));
        assert!(error.contains(reason), "{error}");
    }
}

/// The program, told to explain a picture with one of the models.
fn explain(name: &str, output: &Path) -> assert_cmd::Command {
    let mut program = yolo_cam();
    program.arg("--model-path").arg(file(name).with_extension("pt"));
    program.args(["--img-path", "images/dog.jpg", "--img-size", "256", "--top", "3", "--exist-ok", "--output-dir"]);
    program.arg(output);
    program
}

#[test]
fn weights_that_are_no_numbers_are_told_at_load_and_at_every_picture() {
    for (name, count) in [("undefined", "8 of the 10"), ("undefined-first", "1 of the 10")] {
        let output = temp();
        let told =
            || contains(count).and(contains("model.0.conv.weight")).and(contains("holds NaN or infinite values"));
        explain(name, output.path()).assert().success().stderr(told().and(contains("no detections")));
        explain(name, output.path())
            .args(["--box", "10,10,90,90", "--class", "nut"])
            .assert()
            .success()
            .stderr(told().and(contains("no prediction").not()));
        let mut eval = yolo_cam();
        eval.args(["eval", "--img-path", "images/dog.jpg", "--img-size", "256", "--output-dir"]).arg(output.path());
        eval.arg("--model-path").arg(file(name).with_extension("pt"));
        eval.assert().code(1).stderr(told().and(contains("--conf-thres").not()));
    }
}

#[test]
fn a_single_class_is_explained_by_objectness() {
    let output = temp();
    let target = |flags: &[&str]| {
        let run = explain("one-class", output.path()).args(["--report", "json"]).args(flags).assert().success();
        let report = report(&output.path().join("dog-res.json"));
        let blank =
            report["detections"].as_array().expect("a list").iter().filter(|found| found["empty"] == true).count();
        let stderr = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
        (report["target"].as_str().expect("text").to_owned(), blank, stderr.matches("does not train").count())
    };
    assert_eq!(target(&[]), ("obj".into(), 0, 0));
    assert_eq!(target(&["--target", "obj"]), ("obj".into(), 0, 0));
    // Its gradient is zero.
    assert_eq!(target(&["--target", "logit"]), ("logit".into(), 3, 1));
    for name in ["prob", "conf", "odam"] {
        assert_eq!(target(&["--target", name]).2, 1, "{name}");
    }
    // What takes no gradient has no target.
    assert_eq!(target(&["--target", "logit", "--method", "d-rise", "--masks", "8"]).2, 0);
    explain("one-class", output.path())
        .args(["--contrast", "weed"])
        .assert()
        .code(2)
        .stderr(contains("needs another class"));

    let mut eval = yolo_cam();
    eval.args([
        "eval",
        "--img-path",
        "images/dog.jpg",
        "--img-size",
        "256",
        "--steps",
        "3",
        "--top",
        "2",
        "--output-dir",
    ]);
    eval.arg(output.path()).arg("--model-path").arg(file("one-class.pt"));
    eval.assert().success().stdout(contains("target obj,"));
    let eval = report(&output.path().join("eval.json"));
    assert_eq!(eval["settings"]["target"], "obj");
}

#[test]
fn auto_is_the_class_logit_of_several_classes() {
    let (one, several) = (load("one-class").expect("it loads"), load("in-a-list").expect("it loads"));
    assert_eq!(ExplainOptions::default().target, targets::AUTO);
    assert_eq!((targets::AUTO.of(&one), targets::AUTO.of(&several)), (targets::OBJ, targets::LOGIT));
    assert!(Target::all().iter().all(|target| !target.is_untrained(&several)));
}
