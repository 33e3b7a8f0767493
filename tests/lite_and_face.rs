//! YOLOv5-Lite, YOLOv5-face and its forks for licence plates, against what PyTorch computes with them.

mod common;

use std::path::{Path, PathBuf};

use common::{Npz, compared, material, pattern_of};
use ndarray::{Array1, Array2, Array3, Array4};
use tch::{CModule, Device, IValue, Tensor};
use yolo_cam::{
    ExportOptions, Model,
    detect::{DetectOptions, detect},
    geometry::Size,
};

/// The size of the input of the figures in tests/data/forks.
const SMALL: Size = Size { width: 64, height: 96 };

fn pattern(Size { width, height }: Size) -> Tensor {
    pattern_of(height.into(), width.into())
}

fn own(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn load(path: &Path) -> Model {
    Model::load(path, Device::Cpu).unwrap_or_else(|error| panic!("{error}"))
}

/// The decoded output of a checkpoint that is saved as TorchScript, for an input: rows of values.
fn decoded(model: &Model, input: &Tensor) -> Array2<f32> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("exported.torchscript");
    model.export(&path, &ExportOptions::default()).expect("it is exported");
    let module = CModule::load(&path).expect("libtorch loads it");
    let output = tch::no_grad(|| module.forward_is(&[IValue::Tensor(input.shallow_clone())])).expect("it runs");
    let IValue::Tuple(parts) = output else { panic!("a tuple, as of an exported model") };
    let rows = Tensor::try_from(parts.into_iter().next().expect("boxes")).expect("a tensor").squeeze_dim(0);
    let (count, values) = rows.size2().expect("rows of values");
    Array2::from_shape_vec((count as usize, values as usize), Vec::try_from(rows.contiguous().view(-1)).expect("f32"))
        .expect("its own shape")
}

/// How far values lie apart, relative to the largest of their column.
fn difference(found: &Array2<f32>, expected: &Array2<f32>) -> f32 {
    assert_eq!(found.dim(), expected.dim());
    let column = |column: usize| {
        let most = |values: &mut dyn Iterator<Item = f32>| values.fold(0.0f32, |most, value| most.max(value.abs()));
        let (found, expected) = (found.column(column), expected.column(column));
        most(&mut found.iter().zip(&expected).map(|(a, b)| a - b)) / most(&mut expected.iter().copied())
    };
    (0..found.ncols()).map(column).fold(0.0, f32::max)
}

/// How far the raw outputs lie apart from the figures, relative to the largest.
fn raw_difference(model: &Model, figures: &mut Npz) -> f32 {
    let outputs = model.forward(&pattern(SMALL), &[]).expect("it runs").outputs;
    let level = |(level, output): (usize, &Tensor)| {
        let expected: Array4<f32> = figures.get(&format!("head{level}"));
        let expected_shape: Vec<i64> = expected.shape().iter().map(|&side| side as i64).collect();
        assert_eq!(output.size(), expected_shape);
        let expected = Tensor::from_slice(expected.as_slice().expect("in order")).view(expected_shape.as_slice());
        ((output - &expected).abs().max() / expected.abs().max()).double_value(&[]) as f32
    };
    outputs.iter().enumerate().map(level).fold(0.0, f32::max)
}

#[test]
fn all_blocks_and_heads_of_the_forks_are_pytorchs() {
    for (name, family, names) in [
        ("lite", "YOLOv5", &["bolt", "nut"][..]),
        ("face", "YOLOv5-face", &["face", "mask"]),
        ("plate", "YOLOv5-face", &["plate"]),
    ] {
        let model = load(&own(&format!("forks/{name}.pt")));
        assert_eq!(
            (model.head().family(), model.names()),
            (family, names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>().as_slice()),
            "{name}"
        );
        let mut figures = Npz::open(&own(&format!("forks/{name}.npz")));
        let expected: Array3<f32> = figures.get("pred");
        let found = [raw_difference(&model, &mut figures), {
            let expected = expected.index_axis(ndarray::Axis(0), 0).to_owned();
            difference(&decoded(&model, &pattern(SMALL)), &expected)
        }];
        assert!(found.iter().all(|&difference| difference <= 1e-4), "{name}: {found:?}");
        // Sizes are taken from the maps, as a trace does not.
        assert_eq!(decoded(&model, &pattern(Size { width: 160, height: 64 })).nrows(), 2 * (4 * 10 + 2 * 5), "{name}");
        compared(name);
    }
}

#[test]
fn models_that_strangers_trained_are_pytorchs() {
    for (name, family, classes) in [
        ("31-lite-s-sadi", "YOLOv5", 4),
        ("33-lite-e-coco", "YOLOv5", 80),
        ("37-face-cnplate", "YOLOv5-face", 2),
        ("38-face-n05", "YOLOv5-face", 1),
    ] {
        let Some(path) = material(&format!("zoo/{name}.pt")) else { continue };
        let model = load(&path);
        assert_eq!((model.head().family(), model.head().classes()), (family, classes), "{name}");
        let mut figures = Npz::open(&own(&format!("zoo/{name}.npz")));
        let (expected, rows): (Array2<f32>, Array1<i64>) = (figures.get("pred"), figures.get("rows"));
        let rows: Vec<usize> = rows.iter().map(|&row| row as usize).collect();
        let found = decoded(&model, &pattern(Size { width: 256, height: 192 })).select(ndarray::Axis(0), &rows);
        let difference = difference(&found, &expected);
        assert!(difference <= 1e-4, "{name}: {difference}");
        compared(name);
    }
}

#[test]
fn points_of_faces_and_corners_of_plates_are_keypoints() {
    for (name, points) in [("face", 5), ("plate", 4)] {
        let model = load(&own(&format!("forks/{name}.pt")));
        assert_eq!((model.head().keypoints(), model.head().tells_visibility()), (points, false), "{name}");
        let expected: Array3<f32> = Npz::open(&own(&format!("forks/{name}.npz"))).get("pred");
        let outputs = model.forward(&pattern(SMALL), &[]).expect("it runs").outputs;
        let options = DetectOptions::default().with_conf_threshold(Some(0.0));
        let found = detect(&model, &outputs, &options).expect("they are read");
        assert!(!found.is_empty(), "{name}");
        for detection in &found {
            let row = expected.slice(ndarray::s![0, detection.place.index, 5..5 + 2 * points]);
            let found: Vec<f32> = detection.keypoints.iter().flat_map(|point| [point.x, point.y]).collect();
            assert_eq!(found.len(), row.len(), "{name}");
            assert!(found.iter().zip(&row).all(|(a, b)| (a - b).abs() <= 1e-4 * b.abs().max(32.0)), "{found:?}, {row}");
        }
        compared(name);
    }
}

/// A trace of YOLOv5-face has neither names nor sizes apart, and channels of points where YOLOv5 has classes.
#[test]
fn a_trace_of_points_is_known_by_its_own_decoding() {
    let model = load(&own("forks/face.torchscript"));
    assert_eq!((model.head().family(), model.head().classes()), ("YOLOv5-face", 1));
    assert_eq!(model.fixed_size(), Some(SMALL));
    assert_eq!(model.warnings(), [""; 0]);
    let difference = raw_difference(&model, &mut Npz::open(&own("forks/trace.npz")));
    assert!(difference <= 1e-5, "{difference}");
    compared("trace");
}

#[test]
fn a_mobile_export_gets_its_line() {
    let Some(path) = material("zoo/47-yolopose-mobile-ts.torchscript.pt") else { return };
    let error = Model::load(path, Device::Cpu).err().expect("it is refused").to_string();
    assert!(error.contains("is a mobile or quantized export, which plain libtorch cannot run"), "{error}");
    assert_eq!(error.lines().count(), 1);
}
