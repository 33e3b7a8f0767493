//! The engine against what PyTorch computes on the same weights and inputs.

mod common;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use common::{Npz, compared, material, yolov5s};
use image::RgbImage;
use ndarray::{Array1, Array2, Array3, ArrayD, Ix2, IxDyn};
use tch::{CModule, Device, IValue, Kind, Tensor};
use yolo_cam::explain::methods::{self, AutoLayers};
use yolo_cam::{
    ExplainOptions, ExplainedBox, ExportOptions, Method, Model, NoSignal, TargetLayer,
    detect::{DetectOptions, Detection, to_tensor},
    explain::{MethodOptions, explain, explain_input, unwatched},
    families::Grid,
    picture,
};

const PICTURES: [&str; 6] = ["bus.jpg", "chelsea.png", "dog.jpg", "eagle.jpg", "horses.jpg", "person.jpg"];

fn golden(picture: &str) -> Option<Npz> {
    let stem = picture.split_once('.').map_or(picture, |(stem, _)| stem);
    let golden = material(&format!("golden/{stem}.npz")).map(|path| Npz::open(&path))?;
    compared(&format!("golden/{stem}"));
    Some(golden)
}

/// PyTorch's detections of a picture: x1 y1 x2 y2 confidence class.
fn check_detections(picture: &str, golden: &mut Npz, found: &[&Detection], box_px: f32, confidence: f32) {
    let expected: Array2<f32> = golden.get("det");
    assert_eq!(found.len(), expected.nrows(), "{picture}: number of detections");
    for (found, expected) in found.iter().zip(expected.rows()) {
        assert_eq!(found.class_id as f32, expected[5], "{picture}: class");
        let corners: [f32; 4] = found.box_input.expect("a detector gives boxes").into();
        for (corner, expected) in corners.iter().zip(expected) {
            assert!((corner - expected).abs() <= box_px, "{picture}: box {corners:?} instead of {expected:?}");
        }
        assert!(
            (found.confidence - expected[4]).abs() <= confidence,
            "{picture}: {} {}",
            found.confidence,
            expected[4]
        );
    }
}

fn golden_input(golden: &mut Npz) -> RgbImage {
    let pixels: Array3<u8> = golden.get("input");
    let (height, width, _) = pixels.dim();
    RgbImage::from_raw(width as u32, height as u32, pixels.into_raw_vec_and_offset().0).expect("H·W·3 bytes")
}

fn explain_at(model: &Model, input: &Tensor, target_layer: TargetLayer) -> Vec<ExplainedBox> {
    let options = ExplainOptions::default().with_target_layer(target_layer);
    explain_input(model, input, &options, &mut unwatched).expect("the input is explained").0
}

#[test]
fn golden_inputs_give_pytorchs_detections() {
    for_each_form(detections_are_pytorchs);
}

/// Runs a check on the bundled TorchScript and on the same weights as a checkpoint.
fn for_each_form(check: fn(&Model)) {
    check(&yolov5s());
    if let Some(path) = material("weights/yolov5s.pt") {
        check(&Model::load(path, Device::Cpu).unwrap_or_else(|error| panic!("{error}")));
    }
}

fn detections_are_pytorchs(model: &Model) {
    for picture in PICTURES {
        let Some(mut golden) = golden(picture) else { continue };
        let input = to_tensor(&golden_input(&mut golden), Device::Cpu).expect("there is memory");
        let boxes = explain_at(model, &input, TargetLayer::Auto);
        let found: Vec<&Detection> = boxes.iter().map(|explained| &explained.detection).collect();
        check_detections(picture, &mut golden, &found, 0.5, 0.002);
        let rows: Array1<i64> = golden.get("anchor_index");
        let logits: Array1<f32> = golden.get("logit");
        for ((found, row), logit) in found.iter().zip(rows).zip(logits) {
            assert_eq!(found.place.index as i64, row, "{picture}: anchor row");
            assert!((found.logit - logit).abs() <= 0.01, "{picture}: logit {} instead of {logit}", found.logit);
        }
    }
}

#[test]
fn golden_inputs_give_pytorchs_maps_by_every_method() {
    for_each_form(maps_are_pytorchs);
}

/// Those that run the network once, but for the one that PyTorch's figures lack: ssgradcam++, whose weights are gradcam++'s.
fn stored_methods() -> impl Iterator<Item = Method> {
    let is_single = |method: &Method| !method.runs_again() && *method != methods::SS_GRAD_CAM_PP;
    Method::all().into_iter().filter(move |method| is_single(method) && method.takes_layers() && !method.is_choice())
}

/// A map as [`yolo_cam::Heatmap`] has it: of a principal component the larger magnitude is positive; then the ReLU.
fn as_shown(method: Method, mut raw: Array2<f32>) -> Array2<f32> {
    let (least, most) = raw.iter().fold((0.0f32, 0.0f32), |(least, most), &v| (least.min(v), most.max(v)));
    if [methods::EIGEN_CAM, methods::EIGEN_GRAD_CAM].contains(&method) && -least > most {
        raw.mapv_inplace(|value| -value);
    }
    raw.mapv_into(|value| value.max(0.0))
}

fn maps_are_pytorchs(model: &Model) {
    let mut compared = HashMap::new();
    let mut pictures = 0;
    for picture in PICTURES {
        let Some(mut golden) = golden(picture) else { continue };
        pictures += 1;
        let names = golden.names();
        let input = to_tensor(&golden_input(&mut golden), Device::Cpu).expect("there is memory");
        for (layer, method) in ["model.23", "model.20", "model.17", "model.9"]
            .into_iter()
            .flat_map(|layer| stored_methods().map(move |method| (layer, method)))
        {
            let target_layer = TargetLayer::Layers(vec![model.find_layer(layer).expect("YOLOv5s has it")]);
            let options = ExplainOptions::default().with_target_layer(target_layer).with_method(method);
            let boxes = explain_input(model, &input, &options, &mut unwatched).expect("the input is explained").0;
            for (index, explained) in boxes.iter().enumerate() {
                // Without smoothing the same.
                let stored = if method == methods::ODAM { "hirescam" } else { method.name };
                let name = format!("{index}/{layer}/{stored}");
                let is_unseen = explained.heatmap.no_signal() == Some(NoSignal::HeadUnseen);
                if !names.contains(&name) {
                    let is_eigen = [methods::EIGEN_CAM, methods::EIGEN_GRAD_CAM].contains(&method);
                    assert!(is_unseen || is_eigen && layer == "model.17", "{picture}: PyTorch has no {name}");
                    continue;
                }
                if is_unseen {
                    // There eigencam has a map, though it is not the box's.
                    let is_zero = golden.get::<f32, Ix2>(&name).iter().all(|&value| value == 0.0);
                    assert!(is_zero || method == methods::EIGEN_CAM, "{picture}: {name} is seen");
                    continue;
                }
                let expected = as_shown(method, golden.get(&name));
                let found = explained.heatmap.values();
                assert_eq!(found.dim(), expected.dim(), "{picture}: {name}");
                let peak = expected.iter().copied().fold(0.0, f32::max);
                let worst = (found - &expected).iter().fold(0.0f32, |worst, d| worst.max(d.abs()));
                let tolerance = match method.name {
                    // Its values at the guard hang on the last bit.
                    "gradcam++" => 1e-2,
                    // It divides by sums of activations that nearly cancel out. The stored figures, of f32, are up to 2e-3
                    // from those of f64.
                    "xgradcam" => 3e-3,
                    _ => 1e-3,
                };
                assert!(worst <= tolerance * peak, "{picture}: {name}: off by {worst}, peak {peak}");
                *compared.entry(method.name).or_insert(0) += 1;
            }
        }
    }
    for method in stored_methods() {
        let count = compared.get(method.name).copied().unwrap_or(0);
        assert!(pictures > 0 && count >= 3 * pictures, "{}: only {count} maps were compared", method.name);
    }
}

#[test]
fn auto_gives_the_map_of_the_layer_that_feeds_the_box() {
    let model = yolov5s();
    for picture in PICTURES {
        let Some(mut golden) = golden(picture) else { continue };
        let input = to_tensor(&golden_input(&mut golden), Device::Cpu).expect("there is memory");
        for (index, explained) in explain_at(&model, &input, TargetLayer::Auto).iter().enumerate() {
            let layer = ["model.17", "model.20", "model.23"][explained.detection.place.level];
            assert_eq!(explained.layer_names(&model), layer);
            let expected: Array2<f32> = golden.get(&format!("{index}/{layer}/gradcam"));
            let peak = expected.iter().copied().fold(0.0, f32::max);
            let close = (explained.heatmap.values() - &expected).iter().all(|d| d.abs() <= 1e-3 * peak);
            assert!(close, "{picture}: detection {index}");
        }
    }
}

#[test]
fn pictures_give_pytorchs_detections_through_our_own_decoder_and_letterbox() {
    let model = yolov5s();
    for picture in PICTURES {
        let Some(mut golden) = golden(picture) else { continue };
        let own = PathBuf::from(format!("images/{picture}"));
        let path = if own.exists() { Some(own) } else { material(&format!("images/{picture}")) };
        let Some(path) = path else { continue };
        let pixels = picture::read(path).expect("the picture is sound");
        let explanation = explain(&model, &pixels, &ExplainOptions::default()).expect("it is explained");
        let input = golden_input(&mut golden);
        assert_eq!(explanation.letterbox.image.dimensions(), input.dimensions(), "{picture}: letterbox size");
        let found: Vec<&Detection> = explanation.boxes.iter().map(|explained| &explained.detection).collect();
        check_detections(picture, &mut golden, &found, 2.0, 0.02);
    }
}

#[test]
fn the_letterbox_is_opencvs_to_the_last_bit_but_one() {
    let model = yolov5s();
    // PNG: no decoder's freedom in between.
    let Some(mut golden) = golden("chelsea.png") else { return };
    let pixels = picture::read("images/chelsea.png").expect("the picture is sound");
    let found = explain(&model, &pixels, &ExplainOptions::default()).expect("it is explained").letterbox.image;
    let worst = found.as_raw().iter().zip(golden_input(&mut golden).as_raw()).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(worst <= Some(1), "off by {worst:?}");
}

/// The input of the `tiny` and `checkpoints` figures: ((37c + 3y + 5x + ⌊xy/16⌋) mod 256)/255.
fn pattern(height: i64, width: i64) -> Tensor {
    let mut values = Vec::new();
    for c in 0..3 {
        for y in 0..height {
            values.extend((0..width).map(|x| ((37 * c + 3 * y + 5 * x + x * y / 16) % 256) as f32 / 255.0));
        }
    }
    Tensor::from_slice(&values).view([1, 3, height, width])
}

/// A model file and what PyTorch computes with it.
struct Figures {
    name: &'static str,
    model: PathBuf,
    golden: Npz,
    input: Tensor,
}

impl Figures {
    /// `folder/name` with `extension`, and the `npz` beside it.
    fn open(folder: &str, name: &'static str, extension: &str) -> Option<Self> {
        let input = pattern_of(name);
        let model = material(&format!("{folder}/{name}.{extension}"))?;
        let golden = Npz::open(&material(&format!("{folder}/{name}.npz")).expect("it stands beside the model"));
        compared(&format!("{folder}/{name}.{extension}"));
        Some(Self { name, model, golden, input })
    }

    /// The checkpoint of seldom used blocks in this repository.
    fn blocks() -> Self {
        let file = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
        let golden = Npz::open(&file("blocks.npz"));
        compared("blocks");
        Self { name: "blocks", model: file("blocks.pt"), golden, input: pattern_of("blocks") }
    }

    /// Each checkpoint with figures.
    fn checkpoints() -> Vec<Self> {
        let tiny = TINY_CHECKPOINTS.iter().filter_map(|name| Self::open("tiny", name, "pt"));
        let real = REAL_CHECKPOINTS.iter().filter_map(|name| Self::open("checkpoints", name, "pt"));
        tiny.chain(real).chain([Self::blocks()]).collect()
    }

    /// Loads the model and compares its raw heads.
    fn check_heads(&mut self) -> Model {
        let model = Model::load(&self.model, Device::Cpu).unwrap_or_else(|error| panic!("{error}"));
        let mut found = model.forward(&self.input, &[]).expect("it runs").outputs;
        // What masks are made of stands behind.
        found.truncate(model.head().outputs().len());
        let heads = self.golden.names().iter().filter(|name| name.starts_with("head")).count();
        assert_eq!(found.len(), heads, "{}", self.name);
        for (index, found) in found.iter().enumerate() {
            self.check(&format!("head{index}"), found);
        }
        model
    }

    /// Compares a tensor with the figures called `what`, to 1e-4 of the largest.
    fn check(&mut self, what: &str, found: &Tensor) {
        let expected: ArrayD<f32> = self.golden.get(what);
        let shape: Vec<usize> = found.size().iter().map(|&side| side as usize).collect();
        assert_eq!(shape, expected.shape(), "{}: {what}", self.name);
        let values = Vec::<f32>::try_from(found.contiguous().view(-1)).expect("f32");
        let found = ArrayD::from_shape_vec(IxDyn(&shape), values).expect("its own shape");
        let magnitude = |values: &ArrayD<f32>| values.iter().fold(0.0f32, |most, value| most.max(value.abs()));
        let (worst, scale) = (magnitude(&(&found - &expected)), magnitude(&expected));
        assert!(worst <= 1e-4 * scale, "{}: {what}: off by {worst}, scale {scale}", self.name);
    }
}

const TINY_CHECKPOINTS: [&str; 9] =
    ["fpn", "ghost", "leakyrelu", "p2", "transformer", "v7-p6", "v7-s", "v7-seg", "yolov3-tiny"];
const REAL_CHECKPOINTS: [&str; 4] =
    ["v5-focus-bottleneckcsp", "v7-dill-forklift", "v7-windowspath-head", "yolov5n-v6.1-coco"];

fn pattern_of(name: &str) -> Tensor {
    match name {
        "v7-p6" => pattern(256, 384),
        "blocks" => pattern(64, 96),
        _ => pattern(192, 256),
    }
}

#[test]
fn raw_heads_of_every_torchscript_are_pytorchs() {
    for name in ["leakyrelu", "p2", "v7-p6", "v7-s", "v7-seg"] {
        let Some(mut figures) = Figures::open("tiny", name, "torchscript") else { continue };
        figures.check_heads();
    }
}

#[test]
fn raw_heads_of_every_checkpoint_are_pytorchs() {
    for mut figures in Figures::checkpoints() {
        figures.check_heads();
    }
}

/// What libtorch's plain loader and interpreter make of a file: the boxes, and the prototypes if it segments.
fn run_plainly(path: &Path, input: &Tensor) -> Vec<Tensor> {
    let mut module = CModule::load(path).expect("libtorch loads it");
    module.set_eval();
    let output = tch::no_grad(|| module.forward_is(&[IValue::Tensor(input.shallow_clone())])).expect("it runs");
    let IValue::Tuple(parts) = output else { panic!("a tuple, as of an exported model") };
    parts.into_iter().map(|part| Tensor::try_from(part).expect("a tensor")).collect()
}

#[test]
fn an_exported_checkpoint_runs_anywhere_with_equal_heads_and_pytorchs_boxes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for mut figures in Figures::checkpoints() {
        let checkpoint = figures.check_heads();
        let path = folder.path().join(format!("{}.torchscript", figures.name));
        checkpoint.export(&path, &ExportOptions::default()).expect("it is exported");

        let exported = Model::load(&path, Device::Cpu).unwrap_or_else(|error| panic!("{error}"));
        let heads = |model: &Model| model.forward(&figures.input, &[]).expect("it runs").outputs;
        for (ours, theirs) in heads(&checkpoint).iter().zip(heads(&exported)) {
            assert!(ours.equal(&theirs), "{}: heads differ", figures.name);
        }
        let layers = |model: &Model| model.layers().iter().map(|layer| layer.path.clone()).collect::<Vec<_>>();
        assert_eq!(layers(&checkpoint), layers(&exported), "{}", figures.name);
        assert_eq!(checkpoint.names(), exported.names(), "{}", figures.name);

        let plain = run_plainly(&path, &figures.input);
        assert_eq!(plain.len(), if figures.name == "v7-seg" { 2 } else { 1 }, "{}", figures.name);
        if figures.golden.names().iter().any(|name| name == "pred") {
            figures.check("pred", &plain[0]);
        }
        // Not bound to one size, as a trace is.
        assert_eq!(run_plainly(&path, &pattern(128, 64))[0].size()[0], 1);
    }
}

#[test]
fn an_export_of_16_bits_is_half_as_large_and_nearly_equal() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut figures = Figures::blocks();
    let checkpoint = figures.check_heads();
    let size = |half: bool| {
        let path = folder.path().join("model.torchscript");
        checkpoint.export(&path, &ExportOptions::default().with_half(half)).expect("it is exported");
        (std::fs::metadata(&path).expect("it is there").len(), Model::load(path, Device::Cpu).expect("it loads"))
    };
    let ((whole, _), (half, exported)) = (size(false), size(true));
    let weights: i64 = 2 * 25_000;
    assert!((whole - half) as i64 > weights / 2, "{whole} and {half} bytes");
    let heads = |model: &Model| model.forward(&figures.input, &[]).expect("it runs").outputs;
    for (ours, theirs) in heads(&checkpoint).iter().zip(heads(&exported)) {
        let (worst, scale) = ((ours - &theirs).abs().max(), ours.abs().max());
        assert!(worst.double_value(&[]) <= 0.01 * scale.double_value(&[]), "off by {worst:?}");
    }
    // The checkpoint itself stays as it was.
    figures.check_heads();
}

#[test]
fn strides_anchors_and_names_of_every_real_checkpoint_are_pytorchs() {
    let cases: [(&'static str, &[&str]); 4] = [
        ("v5-focus-bottleneckcsp", &["car", "sign"]),
        ("v7-dill-forklift", &["forklift_1", "forklift_2"]),
        ("v7-windowspath-head", &["head"]),
        ("yolov5n-v6.1-coco", &["person", "bicycle", "car"]),
    ];
    for (name, first_names) in cases {
        let Some(Figures { model, mut golden, .. }) = Figures::open("checkpoints", name, "pt") else { continue };
        let model = Model::load(model, Device::Cpu).unwrap_or_else(|error| panic!("{error}"));
        let strides: Array1<f32> = golden.get("stride");
        let anchors: Array3<f32> = golden.get("anchors");
        for (index, level) in model.levels().iter().enumerate() {
            assert_eq!(level.stride as f32, strides[index], "{name}");
            // A raw width and height of 0 is the anchor itself.
            let grid = Grid { level: index, height: 1, width: 1, first_index: 0 };
            let raw = vec![0.0; model.head().channels()[index]];
            model.head().scan(&grid, &mut [0].into_iter(), &[&raw], -1.0, &mut |found| {
                let b = found.box_input.expect("a detector gives boxes");
                for (side, found_side) in [b.x2 - b.x1, b.y2 - b.y1].into_iter().enumerate() {
                    let expected = anchors[[index, found.place.slot, side]] * strides[index];
                    let is_near = (found_side - expected).abs() <= 1e-3 * expected;
                    assert!(is_near, "{name}: anchor {found_side}, expected {expected}");
                }
                -1.0
            });
        }
        assert_eq!(model.names()[..first_names.len()], *first_names, "{name}");
        assert!(model.names().len() == if name.ends_with("coco") { 80 } else { first_names.len() }, "{name}");
    }
}

#[test]
fn any_input_size_gives_what_the_traced_size_gives() {
    let model = yolov5s();
    // Traced at 640x640. A convolution's far corner does not see what is beyond the near one.
    let large = model.forward(&pattern(320, 640), &[]).expect("it runs at another size");
    assert_eq!(large.outputs[0].size()[2..], [40, 80]);
}

#[test]
fn a_map_does_not_depend_on_what_ran_before() {
    let model = yolov5s();
    let explain = |path: &str| {
        let picture = picture::read(path).expect("the picture is sound");
        explain(&model, &picture, &ExplainOptions::default()).expect("it is explained")
    };
    let first = explain("images/dog.jpg");
    explain("images/horses.jpg");
    explain("images/chelsea.png");
    let again = explain("images/dog.jpg");
    assert_eq!(first.boxes.len(), again.boxes.len());
    for (a, b) in first.boxes.iter().zip(&again.boxes) {
        assert_eq!(a.detection, b.detection);
        assert_eq!(a.heatmap, b.heatmap, "bit for bit");
    }
}

#[test]
fn a_forward_pass_records_gradients_only_between_the_layer_and_the_heads() {
    let model = yolov5s();
    let input = Tensor::zeros([1, 3, 64, 64], (Kind::Float, Device::Cpu));
    let layer = model.find_layer("model.20").expect("YOLOv5s has it");
    let forward = model.forward(&input, &[layer]).expect("it runs");
    assert!(forward.taps[0].requires_grad() && forward.taps[0].is_leaf(), "the layer is where gradients end");
    assert!(!forward.outputs[0].requires_grad(), "P3 does not see model.20, and the weights take no part");
    assert!(forward.outputs[1].requires_grad() && forward.outputs[2].requires_grad());
    forward.outputs[2].sum(Kind::Float).backward();
    assert!(forward.taps[0].grad().defined(), "the gradient reaches the layer");

    let bare = model.forward(&input, &[]).expect("it runs");
    assert!(bare.outputs.iter().all(|head| !head.requires_grad()), "without taps nothing is recorded");
}

#[test]
fn boxes_below_the_threshold_are_left_out() {
    let model = yolov5s();
    let picture = picture::read("images/dog.jpg").expect("the picture is sound");
    let at = |conf_threshold| {
        let detect = DetectOptions::default().with_conf_threshold(Some(conf_threshold));
        let options = ExplainOptions::default().with_detect(detect);
        explain(&model, &picture, &options).expect("it is explained").boxes.len()
    };
    assert!(at(0.1) > at(0.4) && at(0.4) > at(0.8) && at(0.99) == 0);
}

#[test]
fn every_layer_that_is_listed_can_be_explained_or_says_why_not() {
    for name in ["v7-s.torchscript", "leakyrelu.torchscript", "v7-seg.pt", "yolov3-tiny.pt"] {
        let Some(path) = material(&format!("tiny/{name}")) else { continue };
        let model = Model::load(path, Device::Cpu).expect("it loads");
        let input = pattern(64, 96);
        let (mut explained, mut resolved) = (0, 0);
        for (index, layer) in model.layers().iter().enumerate() {
            let detect = DetectOptions::default().with_conf_threshold(Some(0.0)).with_max_det(Some(2));
            let options =
                ExplainOptions::default().with_target_layer(TargetLayer::Layers(vec![index])).with_detect(detect);
            let (boxes, _) = explain_input(&model, &input, &options, &mut unwatched)
                .unwrap_or_else(|e| panic!("{}: {e}", layer.path));
            for found in &boxes {
                let is_unseen = found.heatmap.no_signal() == Some(NoSignal::HeadUnseen);
                assert_eq!(is_unseen, !layer.is_seen_by(found.detection.place.level), "{name}: {}", layer.path);
                assert_eq!(found.why_no_signal(&model).is_some(), found.heatmap.no_signal().is_some());
                explained += usize::from(found.heatmap.no_signal().is_none());
                if found.heatmap.no_signal() == Some(NoSignal::NothingPositive) {
                    let working = found.working_layers.clone().expect("some layer speaks for the box");
                    let detect = options.detect.clone();
                    let target_layer = TargetLayer::Layers(working.clone());
                    let there = ExplainOptions::default().with_target_layer(target_layer).with_detect(detect);
                    let (boxes, _) = explain_input(&model, &input, &there, &mut unwatched).expect("the layer exists");
                    let same = boxes.iter().find(|other| other.detection == found.detection).expect("the same boxes");
                    assert!(same.heatmap.no_signal().is_none(), "{name}: layers {working:?} do not work");
                    resolved += 1;
                }
            }
        }
        assert!(explained > model.layers().len() / 2, "{name}: only {explained} maps have a signal");
        assert!(resolved > 0, "{name}: no box was without a positive cell");
    }
}

#[test]
fn every_method_names_a_layer_that_works_where_a_head_does_not_see_the_one_asked_for() {
    let model = yolov5s();
    let picture = picture::read("images/dog.jpg").expect("the picture is sound");
    // The truck comes from P4, which model.23 does not feed.
    let layer = model.find_layer("model.23").expect("YOLOv5s has it");
    for method in Method::all().into_iter().filter(|&method| method != methods::D_RISE) {
        let at = |layers| {
            let method_options = MethodOptions::default().with_max_channels(Some(8));
            let target_layer = TargetLayer::Layers(layers);
            let options = ExplainOptions::default()
                .with_method(method)
                .with_method_options(method_options)
                .with_target_layer(target_layer);
            explain(&model, &picture, &options).expect("it is explained").boxes.remove(3)
        };
        let truck = at(vec![layer]);
        assert_eq!(truck.heatmap.no_signal(), Some(NoSignal::HeadUnseen), "{method:?}");
        let working = truck.working_layers.clone().unwrap_or_else(|| panic!("{method:?} names no layer"));
        assert!(truck.why_no_signal(&model).is_some() && truck.working_layer_names(&model).is_some());
        assert_eq!(working.len() > 1, method.auto_layers != AutoLayers::LevelInput, "{method:?}: not a single cell");
        assert_eq!(at(working).heatmap.no_signal(), None, "{method:?}");
    }
}

#[test]
fn best_is_elementwise_at_all_stages_with_more_contrast() {
    let model = yolov5s();
    let picture = picture::read("images/dog.jpg").expect("the picture is sound");
    let boxes = |method, target_layer| {
        let options = ExplainOptions::default().with_method(method).with_target_layer(target_layer);
        explain(&model, &picture, &options).expect("it is explained").boxes
    };
    let stages = ["model.9", "model.6", "model.4", "model.2", "model.0"];
    let stages = stages.map(|path| model.find_layer(path).expect("YOLOv5s has it"));
    let best = boxes(methods::BEST, TargetLayer::Auto);
    let plain = boxes(methods::ELEMENT_WISE, TargetLayer::Layers(stages.to_vec()));
    assert_eq!((best.len(), plain.len()), (4, 4));
    for (best, plain) in best.iter().zip(plain) {
        assert_eq!(best.layers, stages);
        let expected = plain.heatmap.values().mapv(|value| (value / plain.heatmap.peak()).powf(2.5));
        assert_eq!(*best.heatmap.values(), expected);
    }
}

#[test]
fn a_cpp_exception_becomes_one_line_without_backtrace() {
    let model = yolov5s();
    let four_channels = Tensor::zeros([1, 4, 64, 64], (Kind::Float, Device::Cpu));
    let error = model.forward(&four_channels, &[]).expect_err("the network has three input channels");
    let message = error.to_string();
    assert!(message.contains("libtorch: ") && message.contains("channels"), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
    assert!(!message.contains("frame #"), "{message}");
    // And the model is as good as before.
    assert!(model.forward(&pattern(64, 64), &[]).is_ok());
}
