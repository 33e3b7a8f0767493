//! A program that is built on the library adds a family, a method and a target, each in one place.

mod common;

use std::fs;

use common::repacked;
use ndarray::{Array2, ArrayView3};
use tch::{Device, Tensor};
use yolo_cam::{
    Error, ExplainOptions, Method, Model, Result, Target,
    detect::DetectOptions,
    explain::{
        explain,
        methods::{MethodSpec, Run},
        targets::{self, TargetSpec, Value},
    },
    families::{self, CellValues, ClassScale, Extent, Family, Grid, Head, Level, Network, Place, Prediction, Traced},
    geometry::{BBox, Size},
    picture,
};
use zip::CompressionMethod;

/// Boxes are the cells themselves, and nothing says whether there is something.
struct Cells;

impl Family for Cells {
    fn name(&self) -> &'static str {
        "Cells"
    }

    fn find(&self, network: &Network) -> Vec<Box<dyn Head>> {
        let is_mine = network.tensor("head.anchorz").is_some();
        if is_mine { vec![Box::new(CellHead { levels: Vec::new() })] } else { Vec::new() }
    }
}

struct CellHead {
    levels: Vec<Level>,
}

/// Of the 14 channels of the network's output two are classes.
const CHANNELS: usize = 14;

impl Head for CellHead {
    fn family(&self) -> &'static str {
        Cells.name()
    }

    fn path(&self) -> &str {
        "head"
    }

    fn outputs(&self) -> Vec<String> {
        vec!["head.m.0".into()]
    }

    fn classes(&self) -> usize {
        2
    }

    fn trains_classes(&self) -> bool {
        true
    }

    fn values_per_box(&self) -> usize {
        2
    }

    fn measure(&mut self, shapes: &[Vec<i64>], input: Size) -> std::result::Result<(), String> {
        self.levels = vec![Level { stride: input.width / shapes[0][3] as u32, rank: 0, outputs: vec![0], label: None }];
        Ok(())
    }

    fn levels(&self) -> &[Level] {
        &self.levels
    }

    fn predictions_in(&self, _level: usize, cells: usize) -> usize {
        cells
    }

    fn channels(&self) -> Vec<usize> {
        vec![CHANNELS]
    }

    fn sample_rows(&self, _input: Size, _raw: &dyn Fn(usize, usize) -> f32) -> Vec<(usize, Vec<f32>)> {
        Vec::new()
    }

    fn promising_cells(&self, _level: usize, _outputs: &[Tensor], _least: f32) -> Result<Option<Vec<usize>>> {
        Ok(None)
    }

    fn scan(
        &self,
        grid: &Grid,
        cells: &mut dyn Iterator<Item = usize>,
        values: &[&[f32]],
        mut least: f32,
        visit: &mut dyn FnMut(&Prediction<'_>) -> f32,
    ) {
        let stride = self.levels[0].stride as f32;
        for (cell, raw) in cells.zip(values[0].chunks_exact(CHANNELS)) {
            let (row, column) = (cell / grid.width, cell % grid.width);
            let place = Place { level: 0, row, column, slot: 0, index: cell };
            let (x1, y1) = (column as f32 * stride, row as f32 * stride);
            let box_input = BBox { x1, y1, x2: x1 + stride, y2: y1 + stride };
            if least < 1.0 {
                least = visit(&Prediction {
                    place,
                    box_input: Some(box_input),
                    rotated: None,
                    keypoints: &[],
                    presence: 1.0,
                    class_logits: &raw[..2],
                    class_scale: ClassScale::Sigmoid,
                });
            }
        }
    }

    fn trace<'a>(
        &'a self,
        place: &Place,
        classes: &[usize],
        values: Box<CellValues<'a>>,
    ) -> Result<Box<dyn Traced + 'a>> {
        Ok(Box::new(TracedCell(values(0, classes, (place.row, place.column))?)))
    }
}

struct TracedCell(Tensor);

impl Traced for TracedCell {
    fn class_logit(&self, n: usize) -> Result<Tensor> {
        Ok(self.0.f_get(n as i64)?)
    }

    fn presence_logit(&self) -> Result<Option<Tensor>> {
        Ok(None)
    }

    fn extent(&self, _extent: Extent) -> Result<Tensor> {
        Ok(self.0.f_get(0)?.f_zeros_like()?)
    }
}

/// The first channel of the gradient.
fn first_channel(_acts: ArrayView3<f32>, grads: ArrayView3<f32>) -> Result<Array2<f32>> {
    Ok(grads.index_axis(ndarray::Axis(0), 0).mapv(f32::abs))
}

const FIRST: MethodSpec = MethodSpec {
    summary: "First channel of the gradient",
    ..MethodSpec::new("first", Run::Gradient(|acts, grads, _| first_channel(acts, grads)))
};

const TWICE: TargetSpec = TargetSpec {
    name: "twice",
    summary: "Twice the class logit",
    explains_class: true,
    needs: None,
    value: Value::Scalar(|subject| Ok(subject.class_logit()?.f_mul_scalar(2.0)?)),
};

/// The small network of the other tests, whose anchors go by a name that YOLOv5 does not know.
fn network() -> Vec<u8> {
    let base = include_bytes!("data/torchscript/base.torchscript");
    repacked(base, None, CompressionMethod::Stored, |_, content| {
        let (from, to) = (b"anchors", b"anchorz");
        let mut changed = content.clone();
        for at in 0..content.len().saturating_sub(from.len()) {
            if content[at..].starts_with(from) {
                changed[at..at + to.len()].copy_from_slice(to);
            }
        }
        changed
    })
}

#[test]
fn a_family_a_method_and_a_target_are_each_one_thing() {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(file.path(), network()).expect("it is written");
    let load = || Model::load(file.path(), Device::Cpu);
    let unknown = load().err().expect("nobody knows it yet").to_string();
    assert!(unknown.contains("has no detection head of a known family: YOLOv5, "), "{unknown}");

    families::register(&Cells);
    let model = load().expect("it is known now");
    assert_eq!((model.head().family(), model.levels()[0].stride), ("Cells", 8));
    let first = Method::register(&FIRST);
    let twice = Target::register(&TWICE);
    assert_eq!((Method::named("first"), Target::named("twice")), (Some(first), Some(twice)));
    assert_eq!(Method::all().last(), Some(&first), "it is listed");

    let dog = picture::read("images/dog.jpg").expect("the picture is sound");
    let detect = DetectOptions::default().with_conf_threshold(Some(0.0)).with_max_det(Some(2));
    let options = ExplainOptions::default().with_img_size(Some(64)).with_detect(detect).with_method(first);
    let maps = |target| {
        let options = options.clone().with_target(target);
        explain(&model, &dog, &options).map(|explanation| explanation.boxes)
    };
    let plain = maps(targets::LOGIT).expect("it is explained");
    assert_eq!(plain.len(), 2);
    assert!(plain.iter().all(|found| found.detection.box_input.is_some_and(|b| b.x2 - b.x1 == 8.0)));
    let doubled = maps(twice).expect("it is explained");
    for (plain, doubled) in plain.iter().zip(&doubled) {
        assert!(plain.heatmap.peak() > 0.0);
        assert!((doubled.heatmap.peak() - 2.0 * plain.heatmap.peak()).abs() < 1e-5 * plain.heatmap.peak());
    }
    let missing = maps(targets::OBJ);
    assert!(matches!(missing, Err(Error::TargetMissing { .. })), "it predicts no objectness");
}
