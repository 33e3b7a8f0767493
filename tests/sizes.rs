//! At which size of the input a network runs: any, the one that its export names, or the one that is baked into its trace.

mod common;

use std::fs;

use common::{repacked, temp, yolo_cam};
use image::{RgbImage, imageops};
use predicates::str::contains;
use tch::Device;
use yolo_cam::{
    ExplainOptions, ExportOptions, Method, Model,
    detect::{DetectOptions, Letterbox},
    explain::{MethodOptions, check_target, explain, methods},
    picture,
};
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

/// With gradients, without, and by running the network again.
const METHODS: [Method; 4] = [methods::GRAD_CAM, methods::EIGEN_CAM, methods::SCORE_CAM, methods::D_RISE];

/// A network of a head for two classes with stride 8 behind 8 channels, scripted.
const BASE: &[u8] = include_bytes!("data/torchscript/base.torchscript");

/// The network, with this done to its feature map `x1` of stride 4, and this `config.txt`.
fn with_lines(lines: &str, config: &str) -> Vec<u8> {
    repacked(BASE, None, CompressionMethod::Stored, |name, content| match name {
        "code/__torch__/m_00_base.py" => {
            let text = String::from_utf8(content).expect("text");
            let lines: String = lines.lines().map(|line| format!("    {}\n", line.trim())).collect();
            text.replacen("    blk = self.blk\n", &format!("{lines}    blk = self.blk\n"), 1).into_bytes()
        }
        "extra/config.txt" => config.as_bytes().to_vec(),
        _ => content,
    })
}

/// The network with a channel shuffle whose sizes are baked for so many rows and columns, as tracing does it of code that takes
/// them from `x.data.size()`.
fn shuffled(rows: u32, columns: u32, config: &str) -> Vec<u8> {
    let lines = format!(
        "x1 = torch.reshape(x1, [1, 2, 4, {rows}, {columns}])
         x1 = torch.permute(x1, [0, 2, 1, 3, 4])
         x1 = torch.reshape(x1, [1, -1, {rows}, {columns}])"
    );
    with_lines(&lines, config)
}

#[test]
fn a_trace_with_baked_sizes_runs_at_the_size_that_it_was_traced_at() {
    for (rows, columns, config) in [
        (40, 40, r#"{"shape": [1, 3, 160, 160]}"#),
        // Where the file says nothing, or what is wrong, the constants of the network tell.
        (40, 40, "{}"),
        (40, 40, r#"{"shape": [1, 3, 640, 640]}"#),
        (48, 64, r#"{"shape": [1, 3, 192, 256]}"#),
        (48, 64, r#"{"version": "8.3.240", "imgsz": [192, 256]}"#),
        (48, 64, "{}"),
        // The size at which networks are tried first is no other.
        (32, 32, "{}"),
    ] {
        let model = load(&shuffled(rows, columns, config)).unwrap_or_else(|error| panic!("{config}: {error}"));
        let size = (4 * columns, 4 * rows);
        assert_eq!(model.fixed_size().map(|size| (size.width, size.height)), Some(size), "{config}");
        assert_eq!(model.levels().iter().map(|level| level.stride).collect::<Vec<_>>(), [8], "{config}");
        let longest = size.0.max(size.1);
        for img_size in [None, Some(longest)] {
            assert_eq!(input(&model, &dog(), img_size), size, "{config}");
            assert_eq!(model.input_side(img_size), longest, "{config}");
        }
        assert_eq!(input(&model, &imageops::rotate90(&dog()), None), size, "{config}");
        let error = Letterbox::of(&dog(), &model, Some(640)).expect_err("it runs at no other").to_string();
        assert_eq!(
            error,
            format!("the network runs only at the size that it was traced at, {}x{}, and not at 640", size.0, size.1)
        );
        let strides = model.layer_strides().expect("it runs");
        assert!(strides.iter().flatten().any(|&stride| stride == 2), "{config}: {strides:?}");
        for method in METHODS {
            let options = ExplainOptions::default()
                .with_method(method)
                .with_method_options(MethodOptions::default().with_masks(3))
                .with_detect(DetectOptions::default().with_conf_threshold(Some(0.0)).with_max_det(Some(1)));
            check_target(&model, &options).unwrap_or_else(|error| panic!("{config}: {error}"));
            let found = explain(&model, &dog(), &options).unwrap_or_else(|error| panic!("{}: {error}", method.name));
            assert_eq!(found.boxes.len(), 1, "{config}: {}", method.name);
        }
    }
}

#[test]
fn a_trace_whose_number_of_pictures_is_baked_runs_at_any_size() {
    let lines = "h = torch.size(x1, 2)
         w = torch.size(x1, 3)
         x1 = torch.reshape(torch.reshape(x1, [1, -1]), [1, 8, h, w])";
    let model = load(&with_lines(lines, "{}")).expect("it runs");
    assert_eq!((model.fixed_size(), input(&model, &dog(), Some(320))), (None, (320, 256)));
    let options = ExplainOptions::default()
        .with_img_size(Some(160))
        .with_method(methods::SCORE_CAM)
        .with_detect(DetectOptions::default().with_conf_threshold(Some(0.0)).with_max_det(Some(1)));
    assert_eq!(explain(&model, &dog(), &options).expect("one picture after the other").boxes.len(), 1);
}

#[test]
fn a_network_that_runs_at_no_likely_size_is_refused() {
    for bytes in [shuffled(5000, 5000, "{}"), with_lines("x1 = torch.reshape(x1, [1, 8, 7])", "{}")] {
        let error = load(&bytes).err().expect("it is refused");
        assert!(error.contains("fails on a 128x128 input: "), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn the_program_says_at_which_size_a_network_runs_and_refuses_others() {
    const NOTE: &str = "note: the network runs only at the size that it was traced at, 256x192\n";
    let folder = temp();
    let model = folder.path().join("baked.torchscript");
    fs::write(&model, shuffled(48, 64, "{}")).expect("it is written");
    let run = |words: &[&str]| {
        let mut command = yolo_cam();
        command.args(words).arg("--model-path").arg(&model);
        command.assert()
    };
    let output = folder.path().join("out");
    let output = output.to_str().expect("text");
    let explaining = ["--img-path", "images/dog.jpg", "--output-dir", output, "--conf-thres", "0.01", "--top", "1"];
    run(&explaining).success().stderr(contains(NOTE));
    let refusal = "runs only at the size that it was traced at, 256x192, and not at 640; leave --img-size out";
    run(&[&explaining[..], &["--img-size", "640"]].concat()).code(2).stderr(contains(refusal));
    run(&[&explaining[..], &["--img-size", "256"]].concat()).success();
    let at_place = [&explaining[..], &["--exist-ok", "--point", "300,300"]].concat();
    run(&at_place).success();
    let no_other =
        "--try-sizes needs other sizes, and the network runs only at the size that it was traced at, 256x192";
    run(&[&at_place[..], &["--try-sizes"]].concat()).code(2).stderr(contains(no_other));
    run(&["layers"]).success().stderr(contains(NOTE)).stdout(contains("8x24x32"));
    run(&["layers", "--img-size", "640"]).code(2).stderr(contains(refusal));
    let eval = [&["eval", "--steps", "2"][..], &explaining].concat();
    run(&eval).success().stderr(contains(NOTE));
    run(&[&eval[..], &["--img-size", "640"]].concat()).code(2).stderr(contains(refusal));
}
