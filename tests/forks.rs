//! YOLOv7 and forks of YOLOv5 and of the package `ultralytics`, against what PyTorch computes with their own blocks.

mod common;

use std::path::Path;

use common::{Npz, compared, material, pattern, pattern_of, temp};
use ndarray::{Array1, Array2, ArrayD};
use tch::{CModule, Device, IValue, Kind, Tensor};
use yolo_cam::{
    ExplainOptions, ExportOptions, Model,
    detect::DetectOptions,
    explain::{explain_input, methods, unwatched},
};

/// Files of `forks`, made by `make_forks.py`.
const CHECKPOINTS: [&str; 10] = [
    "slim-neck",
    "yolov7",
    "yolov7-aux",
    "yolov7-fused",
    "attention",
    "additions",
    "decoupled",
    "decouple",
    "pruned",
    "pruned-11",
];
const TRACES: [&str; 3] = ["idetect", "idetect-unfused", "decoupled-one"];

/// How far values may be off, as a share of the largest.
const TOLERANCE: f64 = 1e-4;

fn load(name: &str) -> (Model, Npz) {
    let file = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/forks").join(name);
    let model = Model::load(file(name), Device::Cpu).unwrap_or_else(|error| panic!("{error}"));
    let doubts = model.warnings();
    let is_sure = !name.starts_with("slim-neck");
    assert_eq!(doubts.is_empty(), is_sure, "{name}: {doubts:?}");
    assert!(doubts.iter().all(|doubt| doubt.contains("shuffle the channels of GSConv")), "{name}: {doubts:?}");
    compared(&format!("forks/{name}"));
    (model, Npz::open(&file(name).with_extension("npz")))
}

/// The pattern at the size of the figures.
fn input() -> Tensor {
    pattern_of(64, 96)
}

fn figures(npz: &mut Npz, name: &str) -> Tensor {
    let values: ArrayD<f32> = npz.get(name);
    let shape: Vec<i64> = values.shape().iter().map(|&side| side as i64).collect();
    Tensor::from_slice(&values.iter().copied().collect::<Vec<_>>()).view(shape.as_slice())
}

fn check(name: &str, found: &Tensor, expected: &Tensor) {
    assert_eq!(found.size(), expected.size(), "{name}");
    let worst = ((found - expected).abs().max() / expected.abs().max()).double_value(&[]);
    println!("{name}: {worst:.1e}");
    assert!(worst <= TOLERANCE, "{name}: off by {worst:e}");
}

/// Compares all raw outputs.
fn check_heads(name: &str, model: &Model, npz: &mut Npz) {
    let found = model.forward(&input(), &[]).expect("it runs").outputs;
    let heads = npz.names().iter().filter(|name| name.starts_with("head")).count();
    // Figures of anchor-free heads are of the boxes alone.
    assert!(heads == found.len() || heads == 0, "{name}: {heads} heads, found {}", found.len());
    for (index, found) in found.iter().enumerate().take(heads) {
        check(&format!("{name}, head {index}"), found, &figures(npz, &format!("head{index}")));
    }
}

/// What libtorch's plain loader and interpreter make of a file, `[N, rows, values]` or `[N, values, rows]`.
fn run_plainly(path: &Path, input: &Tensor) -> Tensor {
    let mut module = CModule::load(path).expect("libtorch loads it");
    module.set_eval();
    match tch::no_grad(|| module.forward_is(&[IValue::Tensor(input.shallow_clone())])).expect("it runs") {
        IValue::Tensor(boxes) => boxes,
        IValue::Tuple(parts) => Tensor::try_from(parts.into_iter().next().expect("boxes")).expect("a tensor"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn checkpoints_give_pytorchs_boxes_and_can_be_exported() {
    let folder = temp();
    for name in CHECKPOINTS {
        let (model, mut npz) = load(&format!("{name}.pt"));
        check_heads(name, &model, &mut npz);
        let path = folder.path().join(format!("{name}.torchscript"));
        model.export(&path, &ExportOptions::default()).expect("it is exported");
        check(name, &run_plainly(&path, &input()), &figures(&mut npz, "pred"));
        let exported = Model::load(&path, Device::Cpu).unwrap_or_else(|error| panic!("{error}"));
        check_heads(name, &exported, &mut npz);
    }
}

#[test]
fn traces_give_pytorchs_raw_outputs() {
    for name in TRACES {
        let (model, mut npz) = load(&format!("{name}.torchscript"));
        check_heads(name, &model, &mut npz);
    }
}

#[test]
fn what_is_multiplied_behind_a_convolution_is_part_of_its_raw_output() {
    // Of the same network: what is fused into the convolution is not looked for behind it, though the file has it.
    for (file, output) in [
        ("idetect.torchscript", "model.4.m.0"),
        ("idetect-unfused.torchscript", "model.4.im.0"),
        ("yolov7-fused.pt", "model.17.m.0"),
        ("yolov7.pt", "model.17.im.0"),
    ] {
        assert_eq!(load(file).0.head().outputs()[0], output, "{file}");
    }
}

#[test]
fn values_of_a_cell_are_those_of_the_whole_map() {
    for name in ["yolov7.pt", "yolov7-fused.pt", "decoupled.pt", "decouple.pt", "idetect-unfused.torchscript"] {
        let (model, _) = load(name);
        let forward = tch::no_grad(|| model.forward(&input(), &[])).expect("it runs");
        for (output, map) in forward.outputs.iter().enumerate() {
            let (_, channels, rows, columns) = map.size4().expect("a map");
            let all: Vec<usize> = (0..channels as usize).collect();
            for (row, column) in [(0, 0), (rows / 2, columns / 3), (rows - 1, columns - 1)] {
                let cell = (row as usize, column as usize);
                let found = tch::no_grad(|| model.cell_values(&forward, output, &all, cell)).expect("it is computed");
                check(
                    &format!("{name}, output {output}, cell {cell:?}"),
                    &found,
                    &map.get(0).select(1, row).select(1, column),
                );
            }
        }
    }
}

#[test]
fn each_network_is_explained() {
    let detect = DetectOptions::default().with_conf_threshold(Some(0.001)).with_max_det(Some(3));
    // Terms of one sign are enough for a map, whatever random weights make of their sum.
    let options = ExplainOptions::default().with_method(methods::ELEMENT_WISE).with_detect(detect);
    for name in CHECKPOINTS {
        let (model, _) = load(&format!("{name}.pt"));
        let (found, _) = explain_input(&model, &input(), &options, &mut unwatched).expect("it is explained");
        assert!(!found.is_empty(), "{name}: nothing is found");
        let has_map = found.iter().any(|found| found.heatmap.no_signal().is_none());
        assert!(has_map, "{name}: no map");
    }
}

/// Checkpoints that strangers trained, whose figures `make_zoo.py` made with the forks' own code.
#[test]
fn checkpoints_of_strangers_give_their_own_codes_boxes() {
    let folder = temp();
    for name in ["41-v7tiny-p6", "44-pruned-C3", "50-v8n-ghost", "55-11n-pruned"] {
        let Some(path) = material(&format!("zoo/{name}.pt")) else { continue };
        let model = Model::load(&path, Device::Cpu).unwrap_or_else(|error| panic!("{error}"));
        let exported = folder.path().join(format!("{name}.torchscript"));
        model.export(&exported, &ExportOptions::default()).expect("it is exported");
        let rows = model.head().rows(&run_plainly(&exported, &pattern())).expect("boxes").expect("boxes").get(0);
        let mut npz = Npz::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/zoo/{name}.npz")));
        let (all, places): (Array1<f32>, Array1<f32>) = (npz.get("all"), npz.get("rows"));
        assert_eq!(rows.size()[0] as f32, all[0], "{name}: number of predictions");
        let places: Vec<i64> = places.iter().map(|&place| place as i64).collect();
        let expected: Array2<f32> = npz.get("pred");
        let shape = [expected.nrows() as i64, expected.ncols() as i64];
        let expected = Tensor::from_slice(&expected.iter().copied().collect::<Vec<_>>()).view(shape);
        let found = rows.index_select(0, &Tensor::from_slice(&places));
        // Boxes are in pixels, scores are not.
        for (part, first, length) in [("boxes", 0, 4), ("scores", 4, shape[1] - 4)] {
            let [found, expected] = [&found, &expected].map(|rows| rows.narrow(1, first, length).to_kind(Kind::Float));
            check(&format!("{name}, {part}"), &found, &expected);
        }
        compared(&format!("zoo/{name}"));
    }
}
