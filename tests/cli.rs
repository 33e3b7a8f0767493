//! The program as its users and their scripts see it.

mod common;

use std::{fs, path::Path};

use assert_cmd::Command;
use common::{cards, explain, files, material, report, temp, yolo_cam};
use ndarray::Array2;
use ndarray_npy::ReadNpyExt;
use predicates::{prelude::*, str::contains};
use serde_json::Value;
use tempfile::TempDir;
use yolo_cam::{Method, Target, explain::targets};

/// One line that begins with `error: ` and holds all `parts`, nothing on stdout, exit code 2.
fn fails_with_one_line(command: &mut Command, parts: &[&str]) {
    let output = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(output.stdout.is_empty());
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.starts_with("error: "), "{said}");
    for part in parts {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
}

#[test]
fn the_default_model_is_the_bundled_one_and_that_is_told() {
    let output = temp();
    explain("images/cat-dog.jpg", &output)
        .assert()
        .success()
        .stderr(contains(r#"model: "weights/yolov5s.torchscript", YOLOv5 (detect), 80 classes"#))
        .stderr(contains("not found").not())
        .stderr(contains("cat 0.7").and(contains("dog 0.7")));
    assert_eq!(files(&output), ["cat-dog-res.jpg"]);
}

#[test]
fn the_result_is_the_picture_and_one_panel_for_each_box() {
    let output = temp();
    explain("images/dog.jpg", &output).args(["--report", "json"]).assert().success();
    let result = image::open(output.path().join("dog-res.jpg")).expect("it is a picture").into_rgb8();
    let report = report(&output.path().join("dog-res.json"));
    let boxes = report["detections"].as_array().expect("a list").len() as u32;
    assert_eq!(result.width(), 640 * (boxes + 1));
    assert!((490..520).contains(&result.height()), "480 rows and the footer, not {}", result.height());
    // Panels differ from the picture inside their box only.
    let original = image::imageops::crop_imm(&result, 0, 0, 640, 480).to_image();
    let corners = &report["detections"][0]["box_input"];
    let corner = |index: usize| corners[index].as_f64().expect("a number") as u32;
    let panel = image::imageops::crop_imm(&result, 640, 0, 640, 480).to_image();
    let difference = |x, y| {
        let (a, b) = (original.get_pixel(x, y).0, panel.get_pixel(x, y).0);
        a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(b))).sum::<u32>()
    };
    let (x, y) = ((corner(0) + corner(2)) / 2, (corner(1) + corner(3)) / 2);
    assert!(difference(x, y) > 60, "heat in the middle of the box");
    assert!(difference(corner(2) + 40, y) < 30, "none outside");
}

#[test]
fn a_folder_is_explained_picture_by_picture_to_the_same_bytes_as_each_alone() {
    let (together, alone) = (temp(), temp());
    // Rounding depends on libtorch's threads.
    let arguments = ["--raw", "--report", "json", "--threads", "1"];
    explain("images/", &together).args(arguments).args(["--jobs", "3"]).assert().success();
    for picture in ["dog.jpg", "chelsea.png"] {
        explain(&format!("images/{picture}"), &alone).args(arguments).assert().success();
    }
    let alone_files = files(&alone);
    assert!(alone_files.contains(&"chelsea-res.png".to_owned()), "png for png: {alone_files:?}");
    assert!(alone_files.contains(&"dog-res-3.npy".to_owned()), "{alone_files:?}");
    for name in alone_files {
        let read = |folder: &TempDir| fs::read(folder.path().join(&name)).expect("both wrote it");
        assert!(read(&alone) == read(&together), "{name} differs");
    }
}

#[test]
fn the_report_holds_every_field_of_its_schema() {
    let output = temp();
    explain("images/person.jpg", &output).args(["--report", "json", "--raw"]).assert().success();
    let report = report(&output.path().join("person-res.json"));
    assert_eq!(report["schema"], 1);
    assert!(report["tool"].as_str().is_some_and(|tool| tool.starts_with("yolo-cam ")));
    assert_eq!(report["model"]["kind"], "torchscript");
    assert_eq!(report["model"]["path"], "weights/yolov5s.torchscript");
    assert_eq!(report["model"]["classes"].as_array().map(Vec::len), Some(80));
    assert_eq!(report["image"]["path"], "images/person.jpg");
    assert_eq!((&report["method"], &report["target"]), (&"gradcam".into(), &"logit".into()));
    let (picture, input) = (&report["image"], &report["input"]);
    let number = |value: &Value| value.as_f64().expect("a number");
    assert_eq!((number(&picture["width"]), number(&picture["height"])), (640.0, 424.0));
    assert_eq!((number(&input["width"]), number(&input["height"])), (640.0, 448.0));
    assert_eq!((number(&input["scale"]), number(&input["pad_x"]), number(&input["pad_y"])), (1.0, 0.0, 12.0));
    let detections = report["detections"].as_array().expect("a list");
    assert_eq!(detections.len(), 3);
    let keys = [
        "anchor_row",
        "box_image",
        "box_input",
        "class",
        "class_id",
        "confidence",
        "empty",
        "head",
        "index",
        "layers",
        "logit",
        "map",
        "map_grid",
        "peak",
        "reason",
    ];
    for (index, detection) in detections.iter().enumerate() {
        let mut found: Vec<&String> = detection.as_object().expect("an object").keys().collect();
        found.sort();
        assert_eq!(found, keys);
        assert_eq!(number(&detection["index"]), index as f64);
        assert_eq!((&detection["empty"], &detection["reason"]), (&false.into(), &Value::Null));
        for corner in 0..4 {
            let pad = if corner % 2 == 1 { 12.0 } else { 0.0 };
            let expected = number(&detection["box_input"][corner]) - pad;
            assert!((number(&detection["box_image"][corner]) - expected).abs() < 0.01);
        }
        let map = output.path().join(detection["map"].as_str().expect("a file name"));
        let map = Array2::<f32>::read_npy(fs::File::open(map).expect("it is there")).expect("it is an npy");
        let peak = map.iter().copied().fold(0.0, f32::max);
        assert_eq!(f64::from(peak), f64::from(number(&detection["peak"]) as f32));
        assert!(map.iter().all(|&value| value >= 0.0));
    }
    // The person comes from P4 (strides 8, 16, 32: heads 0, 1, 2), the others from P5.
    let heads: Vec<f64> = detections.iter().map(|detection| number(&detection["head"])).collect();
    assert_eq!(heads, [1.0, 2.0, 2.0]);
    assert_eq!(detections[0]["layers"], serde_json::json!(["model.20"]));
}

#[test]
fn a_layer_that_a_boxs_head_does_not_see_is_told_and_auto_shows_heat() {
    let output = temp();
    explain("images/dog.jpg", &output)
        .args(["--target-layer", "model_23_cv3_act", "--report", "json", "--raw", "-q"])
        .assert()
        .success()
        .stderr(contains("warning: images/dog.jpg: truck"))
        .stderr(contains("model.23.cv3.act does not feed the P4 head").and(contains("--target-layer model.20 works")));
    let flagged = report(&output.path().join("dog-res.json"));
    let truck = &flagged["detections"][3];
    assert_eq!((&truck["class"], &truck["empty"], &truck["map"]), (&"truck".into(), &true.into(), &Value::Null));
    assert!(truck["reason"].as_str().is_some_and(|reason| reason.contains("model.20")));
    assert_eq!(truck["peak"], 0.0);

    let again = explain("images/dog.jpg", &output).args(["--report", "json", "--exist-ok"]).assert();
    again.success().stderr(contains("warning").not());
    let explained = report(&output.path().join("dog-res.json"));
    let truck = &explained["detections"][3];
    assert_eq!(
        (&truck["class"], &truck["empty"], &truck["layers"]),
        (&"truck".into(), &false.into(), &serde_json::json!(["model.20"]))
    );
    assert!(truck["peak"].as_f64() > Some(0.0));
}

#[test]
fn a_layer_goes_by_three_names() {
    let explained = ["model_17_cv3_act", "model.17.cv3.act", "17"].map(|name| {
        let output = temp();
        explain("images/eagle.jpg", &output).args(["--target-layer", name, "--raw"]).assert().success();
        fs::read(output.path().join("eagle-res-0.npy")).expect("the map is there")
    });
    assert!(explained[0] == explained[1]);
    // Of a module and the last one inside it the output is the same.
    assert!(explained[1] == explained[2]);
}

/// The first detection of the dog's report, explained with these flags.
fn first_of_dog(args: &[&str]) -> Value {
    let output = temp();
    explain("images/dog.jpg", &output).args(["--report", "json"]).args(args).assert().success();
    report(&output.path().join("dog-res.json"))
}

#[test]
fn every_method_and_target_gives_a_map_for_every_box() {
    let flags: Vec<_> = Method::all().into_iter().map(|method| ["--method", method.name]).collect();
    let few = ["--masks", "8", "--max-channels", "8"];
    // This model has neither masks nor rotated boxes.
    let targets = Target::all().into_iter().filter(|target| ![targets::MASK, targets::ANGLE].contains(target));
    let targets: Vec<_> = targets.map(|target| ["--target", target.name]).collect();
    for flag in flags.iter().chain(&targets).chain(&[["--method", "gradcampp"], ["--contrast", "cat"]]) {
        let report = first_of_dog(&[flag.as_slice(), &few].concat());
        let name = match flag.as_slice() {
            [_, "gradcampp"] => "gradcam++",
            ["--method", "auto"] => "gradcam",
            // This model has 80 classes.
            ["--target", "auto"] => "logit",
            flag => flag[1],
        };
        assert!(flag[0] == "--contrast" || report[&flag[0][2..]] == name, "{flag:?}: {report}");
        let boxes = report["detections"].as_array().expect("a list");
        assert_eq!(boxes.len(), 4);
        assert!(boxes.iter().all(|found| found["empty"] == false), "{flag:?}");
    }
}

#[test]
fn a_name_that_no_font_has_is_told_once() {
    let (output, pictures) = (temp(), temp());
    for name in ["a.jpg", "b.jpg"] {
        let dog = Path::new(env!("CARGO_MANIFEST_DIR")).join("images/dog.jpg");
        fs::copy(dog, pictures.path().join(name)).expect("it is copied");
    }
    let said = |flags: &[&str]| {
        // No script has this letter.
        let names =
            ["--model-path", "tests/data/three.pt", "--names", "nut \u{3fffd},bolt", "--img-size", "256", "--top", "2"];
        let mut run = explain(&pictures.path().to_string_lossy(), &output);
        let run = run.args(names).args(["--conf-thres", "0.1", "--exist-ok"]).args(flags).assert().success();
        String::from_utf8_lossy(&run.get_output().stderr)
            .matches("note: no font here has all letters of class 0")
            .count()
    };
    assert_eq!(said(&[]), 1);
    assert_eq!(said(&["--no-labels"]), 0);
}

#[test]
fn methods_are_listed_with_what_they_need_and_where_they_come_from() {
    let list = yolo_cam().arg("methods").output().expect("it runs");
    let list = String::from_utf8(list.stdout).expect("text");
    assert_eq!(list.lines().count(), 1 + Method::all().len());
    for method in Method::all() {
        let line = list.lines().find(|line| line.split_whitespace().next() == Some(method.name));
        assert!(line.is_some_and(|line| line.contains(method.source)), "{}", method.name);
    }
}

#[test]
fn boxes_are_explained_one_by_one_by_class_or_all_at_once() {
    let panels = |args: &[&str]| {
        let output = temp();
        explain("images/horses.jpg", &output).args(["--raw"]).args(args).assert().success();
        let (width, _) = image::image_dimensions(output.path().join("horses-res.jpg")).expect("it is a picture");
        let map = files(&output).into_iter().find(|name| name.contains("class17") || name.contains("all"));
        let map = map.map(|name| {
            let file = fs::File::open(output.path().join(name)).expect("it is there");
            Array2::<f32>::read_npy(file).expect("it is an npy")
        });
        (width / 640, map)
    };
    assert!(matches!(panels(&[]), (5, None)));
    assert!(matches!(panels(&["--top", "2"]), (3, None)));
    for flags in [["--per", "class"].as_slice(), &["--merged"]] {
        let (count, map) = panels(flags);
        let map = map.expect("the map of the group");
        assert_eq!((count, map.ncols()), (2, 640));
        assert_eq!(map.iter().copied().fold(0.0, f32::max), 1.0);
    }
    // The dog picture has four classes.
    let output = temp();
    explain("images/dog.jpg", &output).args(["--per", "class"]).assert().success();
    assert_eq!(image::image_dimensions(output.path().join("dog-res.jpg")).expect("it is a picture").0, 5 * 640);
}

#[test]
fn several_layers_are_fused_or_give_a_result_each() {
    let layers = |args: &[&str]| first_of_dog(args)["detections"][0]["layers"].clone();
    // The dog comes from P5, which sees all three; the truck from P4.
    assert_eq!(
        layers(&["--target-layer", "17,model_20,model.23"]),
        serde_json::json!(["model.17", "model.20", "model.23"])
    );
    let truck = first_of_dog(&["--target-layer", "17,20,23", "--fuse", "max"])["detections"][3].clone();
    assert_eq!(truck["layers"], serde_json::json!(["model.17", "model.20"]));
    assert_eq!(layers(&["--method", "layercam"]), serde_json::json!(["model.9", "model.6", "model.4"]));

    let output = temp();
    explain("images/dog.jpg", &output).args(["--target-layer", "17,model_20", "--fuse", "none"]).assert().success();
    assert_eq!(files(&output), ["dog-model.17-res.jpg", "dog-model.20-res.jpg"]);
}

#[test]
fn layers_are_listed_with_shape_stride_and_heads() {
    let output = yolo_cam().args(["layers", "--model-path", "weights/yolov5s.torchscript"]).output().expect("it runs");
    assert!(output.status.success() && output.stderr.is_empty());
    let list = String::from_utf8(output.stdout).expect("text");
    let row = |layer: &str| -> Vec<&str> {
        let line = list.lines().find(|line| line.split_whitespace().next() == Some(layer));
        line.unwrap_or_else(|| panic!("no {layer} in {list}")).split_whitespace().skip(1).collect()
    };
    assert_eq!(row("LAYER"), ["CLASS", "SHAPE", "STRIDE", "HEADS"]);
    assert_eq!(row("model.9"), ["SPPF", "512x20x20", "32", "P3", "P4", "P5"]);
    assert_eq!(row("model.17"), ["C3", "128x80x80", "8", "P3", "P4", "P5"]);
    assert_eq!(row("model.20"), ["C3", "256x40x40", "16", "P4", "P5"]);
    assert_eq!(row("model.23.cv3.act"), ["SiLU", "512x20x20", "32", "P5"]);
    assert_eq!(row("model.9.m#3"), ["MaxPool2d", "256x20x20", "32", "P3", "P4", "P5"]);
    assert!(!list.contains("model.24"), "the head is no layer");
}

#[test]
fn a_picture_without_detections_is_written_alone() {
    let output = temp();
    explain("images/eagle.jpg", &output)
        .args(["--conf-thres", "0.99"])
        .assert()
        .success()
        .stderr(contains("no detections (best: "));
    let size = || image::image_dimensions(output.path().join("eagle-res.jpg")).expect("it is a picture");
    let (width, height) = size();
    assert!(width == 640 && (460..500).contains(&height), "{height} rows with the footer");
    explain("images/eagle.jpg", &output).args(["--conf-thres", "0.99", "--no-footer", "--exist-ok"]).assert().success();
    assert_eq!(size(), (640, 448));
}

#[test]
fn panels_wrap_where_one_row_would_exceed_what_jpeg_holds() {
    let output = temp();
    let flags = ["--conf-thres", "0.001", "--iou-thres", "0.9", "--max-det", "110", "--report", "json", "--no-footer"];
    explain("images/dog.jpg", &output).args(flags).assert().success();
    let report = report(&output.path().join("dog-res.json"));
    let panels = report["detections"].as_array().expect("a list").len() as u32 + 1;
    assert!(panels > 102, "only {panels} panels");
    let (width, height) = image::image_dimensions(output.path().join("dog-res.jpg")).expect("it is a picture");
    assert_eq!((width, height), (102 * 640, panels.div_ceil(102) * 480));
}

#[test]
fn detection_flags_do_what_detect_py_does() {
    let boxes = |args: &[&str]| -> Vec<String> {
        let output = temp();
        explain("images/dog.jpg", &output).args(["--report", "json"]).args(args).assert().success();
        let report = report(&output.path().join("dog-res.json"));
        let detections = report["detections"].as_array().expect("a list");
        detections.iter().map(|detection| detection["class"].as_str().expect("a name").to_owned()).collect()
    };
    assert_eq!(boxes(&[]), ["dog", "bicycle", "car", "truck"]);
    assert_eq!(boxes(&["--conf-thres", "0.6"]), ["dog", "bicycle"]);
    assert_eq!(boxes(&["--max-det", "1"]), ["dog"]);
    assert_eq!(boxes(&["--classes", "2", "7"]), ["car", "truck"]);
    assert_eq!(boxes(&["--classes", "truck"]), ["truck"]);
    // Car and truck are the same object.
    assert_eq!(boxes(&["--agnostic-nms"]), ["dog", "bicycle", "car"]);
    assert_eq!(boxes(&["--iou-thres", "0.05", "--agnostic-nms"]).len(), 2);
}

#[test]
fn the_input_size_is_rounded_up_to_whole_strides_and_that_is_told() {
    let output = temp();
    explain("images/eagle.jpg", &output)
        .args(["--img-size", "300"])
        .assert()
        .success()
        .stderr(contains("--img-size 300 rounded up to 320, a multiple of the largest stride 32"));
    assert_eq!(image::image_dimensions(output.path().join("eagle-res.jpg")).map(|size| size.0 % 320).ok(), Some(0));
}

#[test]
fn a_network_that_segments_has_masks_in_its_reports_and_pictures() {
    let Some(model) = material("tiny/v7-seg.pt") else { return };
    let run = |options: &[&str]| {
        let output = temp();
        let mut command = explain("images/dog.jpg", &output);
        command.arg("--model-path").arg(&model).args(["--conf-thres", "0", "--top", "2", "--target", "mask"]);
        command.args(["--img-size", "256", "--shape", "--report", "json,csv,html", "--format", "png"]).args(options);
        command.assert().success();
        output
    };
    let plain = run(&[]);
    let found = report(&plain.path().join("dog-res.json"));
    assert_eq!(found["target"], "mask");
    let detections = found["detections"].as_array().expect("it is a list");
    assert_eq!(detections.len(), 2);
    for detection in detections {
        let mask = &detection["mask"];
        assert_eq!(mask["size"], serde_json::json!([576, 768]));
        assert!(mask["area"].as_u64().is_some() && mask["counts"].is_string(), "{mask}");
        let compared = detection["shape"]["mask_iou"].as_f64();
        assert!(detection["empty"] == true || compared.is_some_and(|iou| (0.0..=1.0).contains(&iou)), "{detection}");
    }
    let table = fs::read_to_string(plain.path().join("report.csv")).expect("it is there");
    assert!(table.lines().next().is_some_and(|header| header.ends_with(",mask_area")), "{table}");
    assert!(cards(&plain.path().join("report.html")).len() == 1);
    let picture = |output: &tempfile::TempDir| fs::read(output.path().join("dog-res.png")).expect("it is there");
    assert_ne!(picture(&plain), picture(&run(&["--fill-masks"])));
}

#[test]
fn masks_are_no_target_of_a_network_without_them() {
    let Some(model) = material("tiny/yolov3-tiny.pt") else { return };
    let mut command = explain("images/dog.jpg", &temp());
    command.arg("--model-path").arg(&model).args(["--target", "mask"]);
    fails_with_one_line(&mut command, &["mask", "predicts no masks"]);
}

#[test]
fn names_replace_the_files_own() {
    let Some(model) = material("tiny/v7-seg.pt") else { return };
    let output = temp();
    let with = |names: &str| {
        let mut command = explain("images/dog.jpg", &output);
        command.arg("--model-path").arg(&model).args(["--names", names, "--report", "json"]);
        command
    };
    with("a, b,c,d").assert().success();
    let classes = report(&output.path().join("dog-res.json"))["model"]["classes"].clone();
    assert_eq!(classes, serde_json::json!(["a", "b", "c", "d"]));
    fails_with_one_line(&mut with("a,b"), &["2 class names", "4 classes"]);
}

#[test]
fn wrong_use_is_one_line_and_exit_code_2() {
    let output = temp();
    let with = |args: &[&str]| {
        let mut command = explain("images/eagle.jpg", &output);
        command.args(["--model-path", "weights/yolov5s.torchscript"]).args(args);
        command
    };
    fails_with_one_line(
        &mut with(&["--target-layer", "model.99"]),
        &["model.99", r#"did you mean "model.9"?"#, "yolo-cam layers"],
    );
    fails_with_one_line(&mut with(&["--target-layer", "24"]), &["detection head", "auto"]);
    fails_with_one_line(&mut with(&["--target-layer", "17,auto"]), &["auto or names of layers"]);
    fails_with_one_line(&mut with(&["--contrast", "cat", "--target", "w"]), &["--target logit"]);
    fails_with_one_line(&mut with(&["--contrast", "unicorn"]), &["unicorn", "person, bicycle"]);
    fails_with_one_line(&mut with(&["--smooth", "2"]), &["--method odam"]);
    fails_with_one_line(&mut with(&["--classes", "unicorn"]), &["unicorn", "person, bicycle"]);
    fails_with_one_line(&mut with(&["--classes", "80"]), &["class 80", "80 classes"]);
    fails_with_one_line(&mut with(&["--device", "tpu"]), &["tpu", "cpu, cuda, cuda:N or N"]);
    if !tch::Cuda::is_available() {
        fails_with_one_line(&mut with(&["--device", "cuda:1"]), &["cuda:1", "--device cpu"]);
    }
    fails_with_one_line(&mut with(&["--method", "magic"]), &["magic", "gradcam, gradcam++", "--help"]);
    fails_with_one_line(&mut with(&["--method", "gradcan"]), &["a similar value exists: 'gradcam'"]);
    fails_with_one_line(&mut with(&["--conf-thres", "2"]), &["from 0 to 1"]);
    fails_with_one_line(&mut with(&["--classes", "Dogg"]), &[r#"did you mean "dog"?"#]);
    assert_eq!(files(&output), [""; 0], "nothing was written");
}

#[test]
fn another_model_than_the_named_one_is_told_even_when_quiet() {
    let output = temp();
    explain("images/eagle.jpg", &output)
        .args(["-q", "--model-path", "runs/exp7/yolov5s.pt"])
        .assert()
        .success()
        .stderr(contains(r#""runs/exp7/yolov5s.pt" not found; using "weights/yolov5s.torchscript""#));
}

#[test]
fn a_layer_whose_output_is_no_map_is_wrong_use() {
    let Some(model) = material("tiny/transformer.pt") else { return };
    let output = temp();
    let mut command = explain("images/", &output);
    // An inner layer of the attention block: its output is a sequence, not a map.
    command.arg("--model-path").arg(model).args(["--target-layer", "model.8.m.linear"]);
    fails_with_one_line(&mut command, &["model.8.m.linear", "no feature map", "take another layer"]);
    assert_eq!(files(&output), [""; 0], "nothing was written");
}

#[test]
fn a_model_that_is_not_there_says_where_it_was_looked_for() {
    let output = temp();
    let mut command = explain("images/eagle.jpg", &output);
    command.args(["--model-path", "best.pt"]);
    fails_with_one_line(&mut command, &["best.pt", "weights/best.torchscript"]);
}

#[test]
fn each_strangers_file_is_explained_or_refused_in_one_line_with_its_own_reason() {
    let Some(folder) = material("checkpoints") else { return };
    let output = temp();
    let picture = Path::new(env!("CARGO_MANIFEST_DIR")).join("images/dog.jpg");
    let mut names: Vec<_> =
        fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("a file").path()).collect();
    names.retain(|path| path.extension().is_some_and(|extension| extension != "npz"));
    names.sort();
    let mut outcomes = String::new();
    for path in names {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        let run = Command::cargo_bin("yolo-cam")
            .expect("it is built")
            // Where messages name the file as it is.
            .current_dir(&folder)
            .args(["--model-path", name, "--conf-thres", "0.001", "--max-det", "2", "--report", "json", "--img-path"])
            .arg(&picture)
            .arg("--output-dir")
            .arg(output.path())
            .output()
            .expect("it runs");
        let said = String::from_utf8(run.stderr).expect("text");
        let outcome = match run.status.code() {
            Some(0) => {
                let report = report(&output.path().join("dog-res.json"));
                let found = report["detections"].as_array().expect("a list");
                let maps = found.iter().filter(|found| found["empty"] == false).count();
                for file in files(&output) {
                    fs::remove_file(output.path().join(file)).expect("it is removed");
                }
                format!("explained: {} boxes, {maps} maps\n", found.len())
            }
            code => format!("exit code {}: {said}", code.expect("it exits")),
        };
        assert_eq!(outcome.lines().count(), 1, "{name}: {outcome}");
        assert_eq!(files(&output), [""; 0], "{name}: nothing is written beside a refusal");
        outcomes += &format!("{name}\n    {outcome}");
    }
    insta::assert_snapshot!(outcomes);
}

#[test]
fn a_file_is_known_by_its_content_not_its_name() {
    let output = temp();
    let disguised = output.path().join("model.jpg");
    fs::copy("weights/yolov5s.torchscript", &disguised).expect("it is copied");
    explain("images/eagle.jpg", &output).arg("--model-path").arg(&disguised).assert().success();
}

#[test]
fn an_fp16_file_exported_on_a_gpu_explains_on_a_cpu() {
    let Some(model) = material("checkpoints/v7-fp16.torchscript") else { return };
    let output = temp();
    explain("images/dog.jpg", &output)
        .args(["--conf-thres", "0.02", "--report", "json", "--model-path"])
        .arg(model)
        .assert()
        .success();
    let report = report(&output.path().join("dog-res.json"));
    let first = &report["detections"][0];
    assert_eq!((&first["empty"], &first["class"]), (&false.into(), &"wire".into()));
    assert!(first["peak"].as_f64() > Some(0.0));
}

#[test]
fn one_bad_picture_does_not_stop_the_others() {
    let (pictures, output) = (temp(), temp());
    let whole = fs::read("images/eagle.jpg").expect("it is there");
    let put = |name: &str, bytes: &[u8]| fs::write(pictures.path().join(name), bytes).expect("it is written");
    put("1-empty.jpg", b"");
    put("2-text.png", b"hello");
    put("3-half.jpg", &whole[..whole.len() / 2]);
    put("4-good.jpg", &whole);
    yolo_cam()
        .args(["--img-path"])
        .arg(pictures.path())
        .arg("missing.jpg")
        .arg("--output-dir")
        .arg(output.path())
        .assert()
        .code(1)
        .stderr(contains("1-empty.jpg\": is empty; expected JPEG"))
        .stderr(contains("2-text.png\": is no picture that can be read"))
        .stderr(contains("3-half.jpg\": is a damaged picture").and(contains("copy or save it again")))
        .stderr(contains("\"missing.jpg\": No such file").count(1).and(contains("check the path").count(1)))
        .stderr(contains("1 of 5 pictures done, 4 failed; 1 box in "));
    assert_eq!(files(&output), ["4-good-res.jpg"]);
}

#[test]
fn pictures_of_every_kind_are_read() {
    let output = temp();
    // Saved from dog.jpg as CMYK.
    explain("tests/data/dog-cmyk.jpg", &output).assert().success().stderr(contains("dog 0.9"));
    let dog = image::open("images/dog.jpg").expect("it is a picture");
    let pictures = temp();
    for (name, picture) in [
        ("grey.png", image::DynamicImage::from(dog.to_luma8())),
        ("deep.png", dog.to_rgb16().into()),
        ("alpha.png", dog.to_rgba8().into()),
        ("palette.gif", dog.to_rgb8().into()),
        ("plain.bmp", dog.to_rgb8().into()),
        ("plain.tiff", dog.to_rgb8().into()),
        ("plain.webp", dog.to_rgb8().into()),
    ] {
        picture.save(pictures.path().join(name)).expect("it is written");
    }
    yolo_cam().arg("--img-path").arg(pictures.path()).arg("--output-dir").arg(output.path()).assert().success();
    for name in
        ["grey-res.png", "deep-res.png", "alpha-res.png", "palette-res.gif", "plain-res.bmp", "dog-cmyk-res.jpg"]
    {
        let (width, _) =
            image::image_dimensions(output.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(width > 640, "{name}: the dog is found");
    }
}

#[test]
fn threads_do_not_change_what_is_found() {
    let output = temp();
    explain("images/eagle.jpg", &output).args(["--threads", "1"]).assert().success().stderr(contains("bird 0.86"));
}

#[test]
fn verbose_tells_the_model_and_the_times() {
    let output = temp();
    explain("images/eagle.jpg", &output)
        .arg("-v")
        .assert()
        .success()
        .stderr(contains("80 classes; ").and(contains("heads: P3 P4 P5")))
        .stderr(contains("forward ").and(contains("maps ")));
}

#[test]
fn labels_are_written_as_yolo_writes_them() {
    let output = temp();
    explain("images/dog.jpg", &output).args(["--save-txt", "--report", "json"]).assert().success();
    let report = report(&output.path().join("dog-res.json"));
    let labels = fs::read_to_string(output.path().join("labels/dog.txt")).expect("it is written");
    let detections = report["detections"].as_array().expect("a list");
    assert_eq!(labels.lines().count(), detections.len());
    for (line, detection) in labels.lines().zip(detections) {
        let numbers: Vec<f64> = line.split(' ').map(|number| number.parse().expect("a number")).collect();
        let [class, x, y, w, h, confidence] = numbers.try_into().expect("six numbers");
        let corners = [x - w / 2.0, y - h / 2.0, x + w / 2.0, y + h / 2.0];
        for (side, (corner, pixels)) in corners.into_iter().zip([768.0, 576.0, 768.0, 576.0]).enumerate() {
            let expected = detection["box_image"][side].as_f64().expect("a number");
            assert!((corner * pixels - expected).abs() < 0.01, "{line}: {detection}");
        }
        assert_eq!(Some(class as u64), detection["class_id"].as_u64());
        assert!((confidence - detection["confidence"].as_f64().expect("a number")).abs() < 1e-5);
    }
    // The next run knows them.
    let again = explain("images/dog.jpg", &output).args(["--save-txt", "--report", "json", "--skip-existing"]).assert();
    let said = String::from_utf8_lossy(&again.success().get_output().stderr).into_owned();
    assert!(said.contains("skipped"), "{said}");
    fs::remove_file(output.path().join("labels/dog.txt")).expect("it is there");
    let again = explain("images/dog.jpg", &output).args(["--save-txt", "--report", "json", "--skip-existing"]).assert();
    let said = String::from_utf8_lossy(&again.success().get_output().stderr).into_owned();
    assert!(!said.contains("skipped"), "what is missing is made again: {said}");
}
