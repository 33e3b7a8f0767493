//! At which size of the input a network runs: any, the one that its export names, or the one that is baked into its trace.

mod common;

use std::fs;

use common::{repacked, temp, yolo_cam};
use image::{RgbImage, imageops};
use predicates::str::contains;
use tch::Device;
use yolo_cam::{ExportOptions, Model, detect::Letterbox, picture};
use zip::CompressionMethod;

fn load(bytes: &[u8]) -> Result<Model, String> {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(file.path(), bytes).expect("it is written");
    Model::load(file.path(), Device::Cpu).map_err(|error| error.to_string())
}

/// A checkpoint's export, with this in its `config.txt`.
fn export(checkpoint: &str, config: &str) -> Model {
    let folder = temp();
    let path = folder.path().join("exported.torchscript");
    let model = Model::load(checkpoint, Device::Cpu).expect("it is sound");
    model.export(&path, &ExportOptions::default()).expect("it is exported");
    let exported = fs::read(&path).expect("it is there");
    let change = |name: &str, content| if name == "extra/config.txt" { config.as_bytes().to_vec() } else { content };
    load(&repacked(&exported, None, CompressionMethod::Stored, change)).expect("it is sound")
}

fn dog() -> RgbImage {
    picture::read("images/dog.jpg").expect("the picture is sound")
}

/// Width and height of the input that a picture becomes.
fn input(model: &Model, picture: &RgbImage, img_size: Option<u32>) -> (u32, u32) {
    let size = Letterbox::of(picture, model, img_size).expect("it becomes an input").map.input;
    (size.width, size.height)
}

const DETECTOR: &str = "tests/data/families/legacy/v8-8.0.0.pt";
const CLASSIFIER: &str = "tests/data/families/tiny/11-cls.pt";

#[test]
fn a_static_export_of_the_later_package_is_padded_to_its_full_size_unless_the_user_chooses() {
    let with = |words: &str| export(DETECTOR, &format!(r#"{{"version": "8.3.240", "task": "detect", {words}}}"#));
    // Height comes first.
    for words in [r#""imgsz": [192, 256]"#, r#""imgsz": [192, 256], "args": {"dynamic": false}"#] {
        let model = with(words);
        assert_eq!(input(&model, &dog(), None), (256, 192), "{words}");
        assert_eq!(input(&model, &imageops::rotate90(&dog()), None), (256, 192), "{words}");
        assert_eq!(input(&model, &imageops::rotate90(&dog()), Some(128)), (96, 128), "{words}");
        assert_eq!((model.input_side(None), model.fixed_size()), (256, None), "{words}");
    }
    assert_eq!(input(&with(r#""imgsz": 160"#), &dog(), None), (160, 160));
    // Where the network runs at any size, or the file names none that it runs at.
    for words in [
        r#""imgsz": [192, 256], "args": {"dynamic": true}"#,
        r#""imgsz": [100, 100]"#,
        r#""imgsz": [4096, 4096]"#,
        r#""imgsz": "640""#,
        r#""batch": 1"#,
    ] {
        assert_eq!(input(&with(words), &dog(), None), (640, 480), "{words}");
    }
}

#[test]
fn other_models_are_padded_to_whole_strides() {
    let model = Model::load(DETECTOR, Device::Cpu).expect("it is sound");
    assert_eq!(input(&model, &dog(), None), (640, 480), "a checkpoint");
    let folder = temp();
    let path = folder.path().join("exported.torchscript");
    model.export(&path, &ExportOptions::default().with_img_size(Some(320))).expect("it is exported");
    let own = Model::load(&path, Device::Cpu).expect("it is sound");
    assert_eq!(input(&own, &dog(), None), (640, 480), "our own exports are dynamic");
    assert_eq!(input(&common::yolov5s(), &dog(), None), (640, 480), "YOLOv5's trace");
}

#[test]
fn a_static_classifier_takes_the_square_that_it_was_exported_for() {
    let with = |words: &str| export(CLASSIFIER, &format!(r#"{{"version": "8.3.240", "task": "classify", {words}}}"#));
    let model = with(r#""imgsz": [64, 64]"#);
    assert_eq!((input(&model, &dog(), None), input(&model, &dog(), Some(96))), ((64, 64), (96, 96)));
    for words in [r#""imgsz": [192, 256]"#, r#""imgsz": [64, 64], "args": {"dynamic": true}"#] {
        assert_eq!(input(&with(words), &dog(), None), (224, 224), "{words}");
    }
}
