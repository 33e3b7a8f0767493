//! Classifiers of both packages against what PyTorch computes with their own code, and what the program makes of them.

mod common;

use std::path::Path;

use common::{Figured, compared, figured, material, report, yolo_cam};
use ndarray::{Array1, Array2};
use serde_json::Value;
use tch::{Device, Tensor};
use yolo_cam::{
    Error, ExplainOptions, ExportOptions, Method, Model, TargetLayer,
    detect::{DetectOptions, Detection, Letterbox, detect},
    explain::{MapSize, explain, explain_found, methods, targets, unwatched},
    picture,
};

/// File, figures, and how far logits may be off, as a share of the largest: a trace is of the fused network.
const CASES: &[(&str, &str, f32)] = &[
    ("tiny/11-cls.pt", "tiny/11-cls", 1e-4),
    ("tiny/11-cls.torchscript", "tiny/11-cls", 3e-4),
    ("tiny/v5-cls.pt", "tiny/v5-cls", 1e-4),
    ("tiny/v5-cls.torchscript", "tiny/v5-cls", 3e-4),
];

/// The files that are there.
fn all() -> impl Iterator<Item = Figured> {
    figured(CASES).map(|opened| {
        // Figures are of what the network is given, and a model takes colours from 0 to 1.
        let input = match opened.model.head().normalization() {
            None => opened.input,
            Some(colors) => {
                let of = |values: [f32; 3]| Tensor::from_slice(&values).view([1, 3, 1, 1]);
                opened.input * of(colors.deviation) + of(colors.mean)
            }
        };
        Figured { input, ..opened }
    })
}

fn load(path: &Path) -> Model {
    Model::load(path, Device::Cpu).unwrap_or_else(|error| panic!("{error}"))
}

/// All classes, the most probable first.
fn found(model: &Model, input: &Tensor) -> Vec<Detection> {
    let outputs = model.forward(input, &[]).expect("it runs").outputs;
    detect(model, &outputs, &DetectOptions::default()).expect("they are read")
}

#[test]
fn classes_are_pytorchs() {
    for mut opened in all() {
        let found = found(&opened.model, &opened.input);
        let logits: Array2<f32> = opened.golden.get("logits");
        let classes: Array1<i64> = opened.golden.get("class");
        let confidences: Array1<f32> = opened.golden.get("conf");
        let most = logits.iter().fold(0.0f32, |most, logit| most.max(logit.abs()));
        assert_eq!(found.len(), classes.len(), "{}", opened.file);
        for ((found, class), confidence) in found.iter().zip(&classes).zip(&confidences) {
            assert_eq!((found.class_id as i64, found.box_input), (*class, None), "{}", opened.file);
            let expected = logits[[0, found.class_id]];
            assert!((found.logit - expected).abs() <= opened.tolerance * most, "{}: {}", opened.file, found.logit);
            assert!((found.confidence - confidence).abs() <= 1e-4, "{}: {}", opened.file, found.confidence);
        }
    }
}

#[test]
fn maps_are_pytorchs() {
    let methods =
        [methods::GRAD_CAM, methods::HIRES_CAM, methods::ELEMENT_WISE, methods::LAYER_CAM, methods::GRAD_CAM_PP];
    for mut opened in all() {
        let found = found(&opened.model, &opened.input);
        let last = opened.model.layers()[opened.model.feeds_of(0).expect("a layer feeds the head")[0]].path.clone();
        for (index, detection) in found.iter().enumerate() {
            for method in methods {
                let name = format!("{index}/{last}/{}", method.name);
                let expected: Array2<f32> = opened.golden.get(&name);
                // Where it looks unless it is told, and where it is told to: over the whole network.
                for layer in [TargetLayer::Auto, TargetLayer::Layers(vec![opened.model.find_layer(&last).unwrap()])] {
                    let map = map(&opened, detection, method, layer);
                    let peak = expected.iter().copied().fold(1e-5, f32::max);
                    let worst = (&map - &expected).iter().fold(0.0f32, |worst, d| worst.max(d.abs()));
                    let tolerance = if method == methods::GRAD_CAM_PP { 1e-2 } else { 1e-3 };
                    assert!(worst <= tolerance * peak, "{}: {name}: off by {worst}, peak {peak}", opened.file);
                }
            }
        }
    }
}

fn map(opened: &Figured, detection: &Detection, method: Method, layer: TargetLayer) -> Array2<f32> {
    let options = ExplainOptions::default().with_method(method).with_target_layer(layer);
    let maps = explain_found(&opened.model, &opened.input, vec![detection.clone()], &options, &mut unwatched);
    maps.expect("it is explained").remove(0).heatmap.values().clone()
}

#[test]
fn targets_of_boxes_and_masks_are_refused_before_anything_is_explained() {
    let Some(path) = material("families/tiny/11-cls.pt") else { return };
    let model = load(&path);
    for (target, lacked) in [(targets::OBJ, "objectness"), (targets::X1, "boxes"), (targets::MASK, "masks")] {
        let options = ExplainOptions::default().with_target(target);
        let refused = yolo_cam::explain::check_target(&model, &options);
        assert!(matches!(refused, Err(Error::TargetMissing { lacks, .. }) if lacks == lacked), "{}", target.name);
    }
}

#[test]
fn a_map_lies_in_a_picture_of_which_the_network_sees_a_single_pixel() {
    let Some(path) = material("families/tiny/11-cls.pt") else { return };
    let model = load(&path);
    for length in [2, 3, 33_333, 50_001, 65_535, 65_536] {
        let picture = image::RgbImage::from_fn(1, length, |_, y| image::Rgb([(y % 251) as u8; 3]));
        let explanation = explain(&model, &picture, &ExplainOptions::default()).expect("it is explained");
        let map = explanation.map(0, MapSize::Image).expect("there is memory");
        assert_eq!(map.dim(), (length as usize, 1));
        let seen = map.iter().filter(|&&heat| heat > 0.0).count();
        assert!(seen <= 2, "{length}: heat in {seen} rows");
    }
}

/// A head's weights take more room than a small picture.
#[test]
fn a_network_for_small_pictures_is_explained_at_the_size_of_its_training() {
    let Some(path) = material("zoo/59-v8n-cls.pt") else { return };
    let model = load(&path);
    assert_eq!((model.trained_side(), model.input_side(None)), (Some(64), 224));
    let dog = picture::read("images/dog.jpg").expect("the picture is sound");
    let options = ExplainOptions::default().with_img_size(model.trained_side());
    let explanation = explain(&model, &dog, &options).expect("it is explained");
    assert_eq!(explanation.letterbox.image.dimensions(), (64, 64));
    assert_eq!(explanation.boxes[0].heatmap.values().dim(), (2, 2));
}

/// What packages make of pictures with networks of strangers.
#[test]
fn the_most_probable_classes_of_pictures_are_the_packages() {
    let Some(expected) = material("zoo/expected.json").map(|path| report(&path)) else { return };
    for file in ["59-v8n-cls.pt", "60-11n-cls.pt"] {
        let Some(path) = material(&format!("zoo/{file}")) else { continue };
        let model = load(&path);
        for name in ["dog.jpg", "horses.jpg", "person.jpg", "eagle.jpg"] {
            compared(&format!("zoo/{file}: {name}"));
            let picture = picture::read(format!("images/{name}")).expect("the picture is sound");
            let input = Letterbox::of(&picture, &model, None).expect("it has pixels").tensor(Device::Cpu);
            let found = found(&model, &input.expect("there is memory"));
            let expected = expected[file][name].as_array().expect("a list");
            assert_eq!(found.len(), expected.len(), "{file}: {name}");
            for expected in expected {
                let own = found.iter().find(|found| Some(found.class_id as u64) == expected[0].as_u64());
                let own = f64::from(own.expect("all classes are there").confidence);
                let confidence = expected[1].as_f64().expect("a number");
                assert!((own - confidence).abs() <= 0.02, "{file}: {name}: {own} instead of {confidence}");
            }
        }
    }
}

#[test]
fn an_export_is_explained_as_its_checkpoint() {
    for name in ["11-cls", "v5-cls"] {
        let Some(file) = material(&format!("families/tiny/{name}.pt")) else { continue };
        let model = load(&file);
        let exported = tempfile::Builder::new().suffix(".torchscript").tempfile().expect("a temporary file");
        model.export(exported.path(), &ExportOptions::default()).expect("it is written");
        let again = load(exported.path());
        assert!(again.warnings().is_empty(), "{name}: {:?}", again.warnings());
        assert_eq!((again.names(), again.head().family()), (model.names(), model.head().family()), "{name}");
        let dog = picture::read("images/dog.jpg").expect("the picture is sound");
        let explained =
            [&model, &again].map(|model| explain(model, &dog, &ExplainOptions::default()).expect("it is explained"));
        assert_eq!(explained[0].letterbox.image, explained[1].letterbox.image, "{name}");
        for (before, after) in explained[0].boxes.iter().zip(&explained[1].boxes) {
            assert_eq!(before.detection.class_id, after.detection.class_id, "{name}");
            assert!((before.detection.confidence - after.detection.confidence).abs() <= 1e-5, "{name}");
            assert_eq!(before.heatmap.values().dim(), after.heatmap.values().dim(), "{name}");
        }
    }
}

/// A run of the program over a picture: its messages, and its report of dog.jpg.
fn run(flags: &[&str]) -> (String, Value) {
    let output = tempfile::tempdir().expect("a temporary folder");
    let mut command = yolo_cam();
    command.args(["--model-path", "tests/data/families/tiny/11-cls.pt", "--img-path", "images/dog.jpg"]);
    command.args(["--report", "json,csv,html", "--output-dir"]).arg(output.path()).args(flags);
    let run = command.assert().success();
    let messages = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
    (messages, report(&output.path().join("dog-res.json")))
}

#[test]
fn the_program_explains_the_most_probable_classes() {
    let (messages, report) = run(&["--top", "2"]);
    assert!(
        messages.contains("YOLOv8-cls (classify), 3 classes; the 2 most probable classes; method best"),
        "{messages}"
    );
    assert!(messages.contains(": 2 classes ("), "{messages}");
    let classes = report["detections"].as_array().expect("a list");
    assert_eq!(classes.len(), 2);
    assert!(classes[0]["confidence"].as_f64() >= classes[1]["confidence"].as_f64());
    assert_eq!(classes[0].get("box_image"), None);
    // 768x576 pixels, scaled to a height of 224, and cut to the middle.
    assert_eq!(report["input"]["width"], 224);
    assert_eq!((&report["input"]["pad_x"], &report["input"]["pad_y"]), (&Value::from(-37), &Value::from(0)));
}

#[test]
fn a_class_is_explained_however_improbable() {
    let all = run(&[]).1;
    let least = &all["detections"][2];
    let name = least["class"].as_str().expect("a name");
    let (messages, report) = run(&["--class", name, "--contrast", "0", "--method", "gradcam"]);
    assert!(messages.contains("1 class ("), "{messages}");
    assert_eq!(
        (report["detections"].as_array().map(Vec::len), &report["detections"][0]["class"]),
        (Some(1), &least["class"])
    );
    assert_eq!(report["detections"][0]["confidence"], least["confidence"]);
}

#[test]
fn what_asks_for_a_box_is_refused_in_one_line() {
    let refused = |model: &str, flags: &[&str]| {
        let output = tempfile::tempdir().expect("a temporary folder");
        let mut command = yolo_cam();
        command.args(["--img-path", "images/dog.jpg", "--model-path", model, "--output-dir"]).arg(output.path());
        let run = command.args(flags).assert().code(2);
        String::from_utf8_lossy(&run.get_output().stderr).into_owned()
    };
    let classifier = |flags: &[&str]| refused("tests/data/families/tiny/11-cls.pt", flags);
    let text = classifier(&["--box", "1,1,50,50", "--class", "cat"]);
    assert!(text.contains("predicts none; --class alone explains the class"), "{text}");
    let text = classifier(&["--target", "w"]);
    assert!(text.contains("predicts no boxes"), "{text}");
    let text = refused("weights/yolov5s.torchscript", &["--class", "dog"]);
    assert!(text.contains("--class is for --box, --point or a classifier"), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
}

#[test]
fn eval_measures_maps_of_classes() {
    let output = tempfile::tempdir().expect("a temporary folder");
    let mut command = yolo_cam();
    command.args(["eval", "--model-path", "tests/data/families/tiny/11-cls.pt", "--img-path", "images/dog.jpg"]);
    command.args(["--top", "1", "--steps", "4", "--output-dir"]).arg(output.path());
    let run = command.assert().success();
    let table = String::from_utf8_lossy(&run.get_output().stdout).into_owned();
    assert!(table.contains("1 class of 1 picture;") && table.contains("the model predicts no boxes"), "{table}");
    let figures = report(&output.path().join("eval.json"));
    let case = &figures["cases"][0];
    assert_eq!((&case["detected"], &case["box_share"]), (&Value::Null, &Value::from(1.0)));
    let whole = case["deletion"]["scores"][0].as_f64().expect("a number");
    let probability = case["confidence"].as_f64().expect("a number");
    assert!((whole - probability).abs() < 1e-5, "the score is the probability of the class: {case}");
}
