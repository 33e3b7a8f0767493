//! Checkpoints of each family against what PyTorch computes with them.
#![allow(clippy::disallowed_macros)] // A test says what it skips.

use std::{
    env,
    fs::{File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

use ndarray::ArrayD;
use ndarray_npy::NpzReader;
use tch::{CModule, Device, IValue, Tensor};

use super::{Checkpoint, Package, Task, load};
use crate::model::{
    ffi::{Ends, ScriptModule, Tap, TappedGraph},
    torchscript,
};

/// A file of tests/data, or of the folder that YOLO_CAM_MATERIAL names. `None`, and counted as skipped, where neither has it.
fn material(path: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = root.join("tests/data").join(path);
    if own.is_file() {
        return Some(own);
    }
    let Some(folder) = env::var_os("YOLO_CAM_MATERIAL").filter(|folder| !folder.is_empty()) else {
        eprintln!("skipped: {path} (in the folder that YOLO_CAM_MATERIAL names)");
        note("skipped", &format!("{path} (in the folder that YOLO_CAM_MATERIAL names)"));
        return None;
    };
    let file = root.join(folder).join(path);
    assert!(file.exists(), "{file:?} is not there");
    Some(file)
}

/// A line in the file in which `make test` collects what was compared and what was skipped.
fn note(kind: &str, what: &str) {
    let Some(path) = env::var_os("YOLO_CAM_CHECKS") else { return };
    let test = std::thread::current().name().unwrap_or("?").to_owned();
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(format!("{kind}\t{test}\t{what}\n").as_bytes()).unwrap();
}

/// The input of the figures.
fn pattern() -> Tensor {
    let value = |c: i64, y: i64, x: i64| ((37 * c + 3 * y + 5 * x + x * y / 16) % 256) as f32 / 255.0;
    let values: Vec<f32> =
        (0..3).flat_map(|c| (0..192).flat_map(move |y| (0..256).map(move |x| value(c, y, x)))).collect();
    Tensor::from_slice(&values).view([1, 3, 192, 256])
}

/// What PyTorch computes.
struct Figures(NpzReader<File>);

impl Figures {
    fn names(&mut self) -> Vec<String> {
        self.0.names().unwrap().into_iter().map(|name| name.trim_end_matches(".npy").to_owned()).collect()
    }

    fn get(&mut self, name: &str) -> Tensor {
        let values: ArrayD<f32> = self.0.by_name(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        let shape: Vec<i64> = values.shape().iter().map(|&side| side as i64).collect();
        Tensor::from_slice(&values.iter().copied().collect::<Vec<_>>()).view(shape.as_slice())
    }
}

/// The largest difference, relative to the largest value.
fn difference(found: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(found.size(), expected.size());
    ((found - expected).abs().max() / expected.abs().max()).double_value(&[])
}

/// What the module gives for an input, as it does once it is exported.
fn run(module: &ScriptModule, input: &Tensor) -> Vec<Tensor> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("module.torchscript");
    module.save(&path, "{}", false).unwrap();
    let module = CModule::load(&path).unwrap();
    match tch::no_grad(|| module.forward_is(&[IValue::Tensor(input.shallow_clone())])).unwrap() {
        IValue::Tensor(tensor) => vec![tensor],
        IValue::Tuple(parts) => parts.into_iter().map(|part| Tensor::try_from(part).unwrap()).collect(),
        other => panic!("{other:?}"),
    }
}

/// Boxes by their corners, by centre and size.
fn by_centre(rows: &Tensor) -> Tensor {
    let (low, high) = (rows.narrow(1, 0, 2), rows.narrow(1, 2, 2));
    Tensor::cat(&[(&low + &high) / 2.0, high - low, rows.narrow(1, 4, rows.size()[1] - 4)], 1)
}

/// Compares what the checkpoint gives, and each of its raw outputs, with what PyTorch computes.
fn compare(name: &str, task: Task, tolerance: f64) {
    let (Some(path), Some(figures)) =
        (material(&format!("families/{name}.pt")), material(&format!("families/{name}.npz")))
    else {
        return;
    };
    let checkpoint = load(&path, Device::Cpu).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!((checkpoint.origin.task, checkpoint.classes), (task, Some(3)), "{name}");
    let mut figures = Figures(NpzReader::new(File::open(figures).unwrap()).unwrap());
    let names = figures.names();
    let has = |name: &str| names.iter().any(|known| known == name);
    for (operator, result) in checkpoint.module.operators().unwrap() {
        assert!(!torchscript::refused(&operator, &result), "{name}: an export calls {operator} for {result}");
    }
    let found = run(&checkpoint.module, &pattern());
    let has_both =
        checkpoint.module.tensors().unwrap().iter().any(|(path, _)| path.contains(".cv3.")) && has("pred.one2many");
    let expected = match (has_both, has("pred.one2one")) {
        (true, _) => figures.get("pred.one2many"),
        // Rotated boxes are by their centres anyway.
        (false, true) if task == Task::Obb => figures.get("pred.one2one"),
        (false, true) => by_centre(&figures.get("pred.one2one")),
        (false, false) => figures.get("pred"),
    };
    let mut worst = vec![("pred".to_owned(), difference(&found[0], &expected))];
    if has("proto") {
        worst.push(("proto".to_owned(), difference(&found[1], &figures.get("proto"))));
    }
    worst.extend(raw_differences(&checkpoint, &mut figures, &names));
    eprintln!("{name}: {worst:?}");
    for (what, difference) in worst {
        assert!(difference <= tolerance, "{name}: {what} differs by {difference:e}");
    }
    note("compared", name);
}

/// For each raw output that there are figures of, how much it differs.
fn raw_differences(checkpoint: &Checkpoint, figures: &mut Figures, names: &[String]) -> Vec<(String, f64)> {
    let tensors = checkpoint.module.tensors().unwrap();
    let head = &checkpoint.origin.head;
    let is_end_to_end = tensors.iter().any(|(path, _)| path.contains(".one2one_cv3."));
    let mut paths = Vec::new();
    for name in names {
        let Some((branch, part)) = name.split_once('.') else { continue };
        let Some(level) = branch.strip_prefix("head").or_else(|| branch.strip_prefix("many")) else { continue };
        let prefix = if is_end_to_end && branch.starts_with("head") { "one2one_" } else { "" };
        let Some((_, list)) = [("box", "cv2"), ("cls", "cv3"), ("mask", "cv4"), ("kpt", "cv4"), ("angle", "cv4")]
            .into_iter()
            .find(|(of, _)| *of == part)
        else {
            continue;
        };
        paths.push((name, format!("{head}.{prefix}{list}.{level}.2")));
    }
    if paths.is_empty() {
        return Vec::new();
    }
    let outputs: Vec<&str> = paths.iter().map(|(_, path)| path.as_str()).collect();
    let mut graph =
        TappedGraph::new(&checkpoint.module, &Ends { outputs: &outputs, starts: &[] }, &[], Tap::Observe).unwrap();
    let found = tch::no_grad(|| graph.run(&pattern())).unwrap().outputs;
    let compared = paths.iter().zip(&found);
    compared.map(|((name, _), found)| ((*name).clone(), difference(found, &figures.get(name)))).collect()
}

#[test]
fn networks_of_yolov8_and_before_are_pytorchs() {
    for name in ["tiny/v5u", "tiny/v8", "tiny/v8-p2"] {
        compare(name, Task::Detect, 1e-4);
    }
    compare("tiny/v8-seg", Task::Segment, 1e-4);
    compare("tiny/v8-obb", Task::Obb, 1e-4);
    compare("tiny/v5-cls", Task::Classify, 1e-4);
}

#[test]
fn checkpoints_of_early_releases_are_pytorchs() {
    for name in ["legacy/v8-8.0.0", "legacy/v8-8.2.50-unstripped"] {
        compare(name, Task::Detect, 1e-4);
    }
    compare("legacy/v8-seg-8.0.100", Task::Segment, 1e-4);
}

#[test]
fn networks_of_yolov9_are_pytorchs() {
    compare("tiny/v9e", Task::Detect, 1e-4);
    let Some(path) = material("families/tiny/v9e.pt") else { return };
    let tensors = load(&path, Device::Cpu).unwrap().module.tensors().unwrap();
    let twofold = tensors.iter().find(|(path, _)| path.contains(".conv1.") || path.contains(".conv2."));
    assert!(twofold.is_none(), "{twofold:?} is not fused");
}

#[test]
fn networks_of_yolov10_are_pytorchs() {
    // Normalisations that are fused into sums move this one more than others.
    compare("tiny/v10b", Task::Detect, 3e-4);
}

#[test]
fn networks_of_yolo11_are_pytorchs() {
    compare("tiny/11", Task::Detect, 1e-4);
    compare("tiny/11-pose", Task::Pose, 1e-4);
    compare("tiny/11-cls", Task::Classify, 1e-4);
}

#[test]
fn networks_of_yolo12_are_pytorchs() {
    compare("tiny/12", Task::Detect, 1e-4);
    compare("tiny/12-fork", Task::Detect, 1e-4);
}

#[test]
fn networks_of_yolo26_are_pytorchs() {
    compare("tiny/26", Task::Detect, 1e-4);
    compare("tiny/26-seg", Task::Segment, 1e-4);
    // The raw angles of one level lie close to 0.
    compare("tiny/26-obb", Task::Obb, 2e-4);
    compare("legacy/26-fused", Task::Detect, 1e-4);
}

#[test]
fn networks_of_rtdetr_are_pytorchs() {
    compare("tiny/rtdetr", Task::Detect, 1e-4);
}

#[test]
fn a_checkpoint_says_what_it_is() {
    let origin = |name: &str| Some(load(&material(&format!("families/{name}.pt"))?, Device::Cpu).unwrap().origin);
    if let Some(origin) = origin("legacy/26-fused") {
        assert_eq!((origin.package, origin.version.as_deref()), (Package::Ultralytics, Some("8.4.190")));
        assert_eq!((origin.head.as_str(), origin.head_class.as_str()), ("model.23", "Detect"));
        assert_eq!(origin.network, "ultralytics.nn.tasks.DetectionModel");
        assert_eq!((origin.strides.as_slice(), origin.task), ([8.0, 16.0, 32.0].as_slice(), Task::Detect));
    }
    if let Some(origin) = origin("tiny/v5-cls") {
        assert_eq!((origin.package, origin.version), (Package::YoloV5, None));
        assert_eq!((origin.head_class.as_str(), origin.strides.len()), ("Classify", 0));
    }
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tiny/v7-seg.pt");
    let origin = load(&own, Device::Cpu).unwrap().origin;
    assert_eq!((origin.package, origin.task), (Package::YoloV5, Task::Segment));
    assert_eq!((origin.head_class.as_str(), origin.strides), ("Segment", vec![8.0, 16.0, 32.0]));
}

#[test]
fn boxes_are_made_for_any_size_of_the_input() {
    for name in ["v8", "26", "12"] {
        let Some(path) = material(&format!("families/tiny/{name}.pt")) else { continue };
        let module = load(&path, Device::Cpu).unwrap().module;
        let input = pattern().narrow(2, 0, 128).narrow(3, 0, 160).repeat([2, 1, 1, 1]);
        let rows = (16 * 20) + (8 * 10) + (4 * 5);
        assert_eq!(run(&module, &input)[0].size(), [2, 7, rows], "{name}");
    }
}

#[test]
fn networks_that_strangers_trained_are_built() {
    for (name, shapes) in [
        ("zoo/59-v8n-cls", vec![vec![1, 4]]),
        ("zoo/60-11n-cls", vec![vec![1, 2]]),
        ("zoo/63-v8s-fall", vec![vec![1, 6, 1008]]),
        ("zoo/65-11n-seg-official", vec![vec![1, 116, 1008], vec![1, 32, 48, 64]]),
    ] {
        let Some(path) = material(&format!("{name}.pt")) else { continue };
        let checkpoint = load(&path, Device::Cpu).unwrap_or_else(|error| panic!("{name}: {error}"));
        eprintln!("{name}: {:?}", checkpoint.origin);
        let found: Vec<Vec<i64>> = run(&checkpoint.module, &pattern()).iter().map(Tensor::size).collect();
        assert_eq!(found, shapes, "{name}");
    }
}

/// A picture as the Ultralytics package gives it to a classifier: the short side resized to `side`, the centre cut out.
fn classifier_input(name: &str, side: u32) -> Tensor {
    let picture = image::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("images").join(name)).unwrap().to_rgb8();
    let (width, height) = picture.dimensions();
    let short = width.min(height);
    let [new_width, new_height] = [width, height].map(|length| side * length / short);
    let mut resized = image::RgbImage::new(new_width, new_height);
    let filter = fast_image_resize::ResizeAlg::Convolution(fast_image_resize::FilterType::Bilinear);
    let options = fast_image_resize::ResizeOptions::new().resize_alg(filter);
    fast_image_resize::Resizer::new().resize(&picture, &mut resized, &options).unwrap();
    let (left, top) = ((new_width - side) / 2, (new_height - side) / 2);
    let cut = image::imageops::crop_imm(&resized, left, top, side, side).to_image();
    let side = i64::from(side);
    let values = Tensor::from_slice(cut.as_raw()).view([1, side, side, 3]).permute([0, 3, 1, 2]);
    values.to_kind(tch::Kind::Float) / 255.0
}

#[test]
fn classifiers_that_strangers_trained_are_as_sure_as_in_pytorch() {
    let Some(expected) = material("zoo/expected.json") else { return };
    let expected: serde_json::Value = serde_json::from_reader(File::open(expected).unwrap()).unwrap();
    for name in ["59-v8n-cls.pt", "60-11n-cls.pt"] {
        let Some(path) = material(&format!("zoo/{name}")) else { continue };
        let module = load(&path, Device::Cpu).unwrap().module;
        for picture in ["dog.jpg", "horses.jpg", "person.jpg", "eagle.jpg"] {
            let found = &run(&module, &classifier_input(picture, 224))[0];
            for class in expected[name][picture].as_array().unwrap() {
                let probability = found.double_value(&[0, class[0].as_i64().unwrap()]);
                let difference = probability - class[1].as_f64().unwrap();
                assert!(difference.abs() < 0.02, "{name}, {picture}: {class}, found {probability}");
                eprintln!("{name}, {picture}: {difference:+.5}");
            }
        }
        note("compared", name);
    }
}
