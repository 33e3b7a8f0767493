//! The Ultralytics families against what PyTorch computes with the package's own code.

mod common;

use common::{Npz, compared, material, pattern};
use ndarray::{Array1, Array2, Array3, ArrayD};
use serde_json::Value;
use tch::{Device, Kind, Tensor};
use yolo_cam::{
    Error, ExplainOptions, LoadOptions, Method, Model, Precision, TargetLayer,
    detect::{DetectOptions, Detection, Letterbox, detect, to_tensor},
    explain::{MethodOptions, explain_found, methods, targets, unwatched},
    families::{Aspect, Branch, Place},
    picture,
};

/// A file of `families/tiny`, and which branch of its head is looked at.
struct Case {
    file: &'static str,
    figures: &'static str,
    /// `many` where the figures of the one-to-many branch of a head with two are meant, else `head`.
    branch: &'static str,
    /// How far raw outputs may be off, as a share of the largest.
    tolerance: f32,
}

/// A trace is of the fused network.
const FUSED: f32 = 3e-4;

const fn traced(file: &'static str, figures: &'static str, branch: &'static str) -> Case {
    Case { file, figures, branch, tolerance: FUSED }
}

const fn unfused(file: &'static str, figures: &'static str, branch: &'static str) -> Case {
    Case { file, figures, branch, tolerance: 1e-4 }
}

/// Those of heads with two branches are of the one that runs by default.
const CASES: &[Case] = &[
    traced("tiny/v5u.torchscript", "tiny/v5u", "head"),
    traced("tiny/v8.torchscript", "tiny/v8", "head"),
    traced("tiny/v8-p2.torchscript", "tiny/v8-p2", "head"),
    traced("tiny/v9e.torchscript", "tiny/v9e", "head"),
    traced("tiny/v10b.torchscript", "tiny/v10b", "many"),
    traced("tiny/11.torchscript", "tiny/11", "head"),
    traced("tiny/12.torchscript", "tiny/12", "head"),
    traced("tiny/26.torchscript", "tiny/26", "many"),
    traced("tiny/26-e2e.torchscript", "tiny/26", "head"),
    traced("tiny/v8-seg.torchscript", "tiny/v8-seg", "head"),
    traced("tiny/26-seg.torchscript", "tiny/26-seg", "many"),
    traced("tiny/11-pose.torchscript", "tiny/11-pose", "head"),
    traced("tiny/11-pose-dynamic.torchscript", "tiny/11-pose", "head"),
    traced("tiny/v8-obb.torchscript", "tiny/v8-obb", "head"),
    traced("tiny/26-obb.torchscript", "tiny/26-obb", "many"),
    traced("tiny/26-obb-e2e.torchscript", "tiny/26-obb", "head"),
    unfused("tiny/v5u.pt", "tiny/v5u", "head"),
    unfused("tiny/v8.pt", "tiny/v8", "head"),
    unfused("tiny/v8-p2.pt", "tiny/v8-p2", "head"),
    unfused("tiny/v9e.pt", "tiny/v9e", "head"),
    // Two convolutions side by side are fused when it is read.
    traced("tiny/v10b.pt", "tiny/v10b", "many"),
    unfused("tiny/11.pt", "tiny/11", "head"),
    unfused("tiny/12.pt", "tiny/12", "head"),
    unfused("tiny/26.pt", "tiny/26", "many"),
    unfused("tiny/v8-seg.pt", "tiny/v8-seg", "head"),
    unfused("tiny/26-seg.pt", "tiny/26-seg", "many"),
    unfused("tiny/11-pose.pt", "tiny/11-pose", "head"),
    unfused("tiny/v8-obb.pt", "tiny/v8-obb", "head"),
    unfused("tiny/26-obb.pt", "tiny/26-obb", "many"),
    unfused("tiny/12-fork.pt", "tiny/12-fork", "head"),
    unfused("legacy/v8-8.0.0.pt", "legacy/v8-8.0.0", "head"),
    unfused("legacy/v8-seg-8.0.100.pt", "legacy/v8-seg-8.0.100", "head"),
    unfused("legacy/v8-8.2.50-unstripped.pt", "legacy/v8-8.2.50-unstripped", "head"),
    unfused("legacy/26-fused.pt", "legacy/26-fused", "head"),
];

/// Traces with weights of 16 bits, with the figures of what they are in 32: all predictions and nothing else.
const HALF_CASES: &[Case] = &[
    traced("tiny/v8-half.torchscript", "tiny/v8-half", "head"),
    traced("tiny/26-seg-half.torchscript", "tiny/26-seg-half", "head"),
];

struct Opened {
    case: &'static Case,
    model: Model,
    golden: Npz,
    input: Tensor,
}

impl Opened {
    fn all() -> impl Iterator<Item = Self> {
        Self::of(CASES)
    }

    fn of(cases: &'static [Case]) -> impl Iterator<Item = Self> {
        cases.iter().filter_map(|case| {
            let file = material(&format!("families/{}", case.file))?;
            let golden = Npz::open(&material(&format!("families/{}.npz", case.figures))?);
            compared(&format!("families/{}", case.file));
            let model = Model::load(file, Device::Cpu).unwrap_or_else(|error| panic!("{error}"));
            Some(Self { case, model, golden, input: pattern() })
        })
    }

    /// What the figures of the branch are called beside those of the other.
    fn prefixed(&self, name: &str) -> String {
        match self.case.branch {
            "many" => format!("many.{name}"),
            _ => name.to_owned(),
        }
    }

    /// The most confident predictions of the network, as PyTorch has them: where they are, and what.
    fn predictions(&mut self) -> Vec<Detection> {
        let mut get = |name: &str| -> Vec<i64> {
            let name = self.prefixed(name);
            self.golden.get::<i64, ndarray::Ix1>(&name).to_vec()
        };
        let (rows, levels, classes) = (get("row"), get("level"), get("class"));
        let cells: Array2<i64> = self.golden.get(&self.prefixed("cell"));
        let confidences: Array1<f32> = self.golden.get(&self.prefixed("conf"));
        let place = |at: usize| {
            let (row, column) = (cells[[at, 0]] as usize, cells[[at, 1]] as usize);
            Place { level: levels[at] as usize, row, column, slot: 0, index: rows[at] as usize }
        };
        let detection = |at: usize| Detection {
            box_input: Some(yolo_cam::geometry::BBox { x1: 0.0, y1: 0.0, x2: 1.0, y2: 1.0 }),
            class_id: classes[at] as usize,
            confidence: confidences[at],
            logit: 0.0,
            place: place(at),
            mask: None,
            rotated: None,
            keypoints: Vec::new(),
        };
        (0..rows.len()).map(detection).collect()
    }

    /// Whether a raw output is PyTorch's.
    fn check_output(&mut self, found: &Tensor, name: &str) {
        let expected: ArrayD<f32> = self.golden.get(name);
        let shape: Vec<usize> = found.size().iter().map(|&side| side as usize).collect();
        assert_eq!(shape, expected.shape(), "{}: {name}", self.case.file);
        let values = Vec::<f32>::try_from(found.contiguous().view(-1)).expect("f32 on the CPU");
        let found = ArrayD::from_shape_vec(shape, values).expect("of this shape");
        let most = expected.iter().fold(0.0f32, |most, value| most.max(value.abs()));
        let worst = (&found - &expected).iter().fold(0.0f32, |worst, d| worst.max(d.abs()));
        let limit = self.case.tolerance * most;
        assert!(worst <= limit, "{}: {name}: off by {worst}, largest {most}", self.case.file);
    }

    /// The outputs that boxes are made of, and what masks are made of.
    fn outputs(&self) -> (Vec<Tensor>, Vec<Tensor>) {
        let mut outputs = self.model.forward(&self.input, &[]).expect("it runs").outputs;
        let masks = outputs.split_off(self.model.head().outputs().len());
        (outputs, masks)
    }
}

#[test]
fn raw_outputs_are_pytorchs() {
    for mut opened in Opened::all() {
        let (outputs, _) = opened.outputs();
        for (level, of_level) in opened.model.levels().to_vec().iter().enumerate() {
            let further = if opened.model.head().has(Aspect::Angle) { "angle" } else { "kpt" };
            for (&output, kind) in of_level.outputs.iter().zip(["box", "cls", further]) {
                let name = format!("{}{level}.{kind}", opened.case.branch);
                if !opened.golden.names().contains(&name) {
                    // Some files have the class branch alone.
                    assert_eq!(kind, "box", "{}: PyTorch has no {name}", opened.case.figures);
                    continue;
                }
                opened.check_output(&outputs[output], &name);
            }
        }
    }
}

#[test]
fn coefficients_and_prototypes_of_masks_are_pytorchs() {
    for mut opened in Opened::all() {
        let (_, masks) = opened.outputs();
        let file = opened.case.file;
        assert_eq!(!masks.is_empty(), file.contains("-seg"), "{file}: whether it gives masks");
        let Some((prototypes, coefficients)) = masks.split_last() else { continue };
        assert_eq!(coefficients.len(), opened.model.levels().len(), "{file}");
        for (level, coefficients) in coefficients.iter().enumerate() {
            opened.check_output(coefficients, &format!("{}{level}.mask", opened.case.branch));
        }
        // Those of the early release were not kept.
        if !file.starts_with("legacy/") {
            opened.check_output(prototypes, "proto");
        }
    }
}

/// Files whose masks PyTorch's figures have: of YOLO26 those of its one-to-one branch.
const MASK_CASES: &[(Case, Branch)] = &[
    (unfused("tiny/v8-seg.pt", "tiny/v8-seg", "head"), Branch::Many),
    (traced("tiny/v8-seg.torchscript", "tiny/v8-seg", "head"), Branch::Many),
    (unfused("tiny/26-seg.pt", "tiny/26-seg", "head"), Branch::One),
];

#[test]
fn masks_are_the_packages() {
    for (case, branch) in MASK_CASES {
        let Some(mut opened) = Opened::of(std::slice::from_ref(case)).next() else { continue };
        let file = case.file;
        let path = material(&format!("families/{file}")).expect("it was opened");
        let options = LoadOptions::default().with_branch(Some(*branch));
        opened.model = Model::load_with(path, Device::Cpu, options).expect("it loads");
        let outputs = opened.model.forward(&opened.input, &[]).expect("it runs").outputs;
        let expected: Array2<f32> = opened.golden.get("det");
        // [3, H, W] of the most confident.
        let masks: Array3<u8> = opened.golden.get("det.mask");
        let options = DetectOptions::default().with_conf_threshold(Some(0.25));
        let found = detect(&opened.model, &outputs, &options).expect("they are read");
        assert!(found.iter().all(|found| found.mask.as_ref().is_some_and(|mask| mask.area() > 0)), "{file}");
        let boxes = &outputs[..opened.model.head().outputs().len()];
        let all = detect(&opened.model, boxes, &options).expect("they are read");
        assert_eq!(all.len(), expected.nrows(), "{file}: number of detections before any is dropped");
        for (index, detection) in all.iter().enumerate() {
            let own = opened.model.head().mask_coefficients(&outputs, &detection.place).expect("they are read");
            let own = Vec::<f32>::try_from(own.expect("it has masks")).expect("f32 on the CPU");
            let largest = expected.iter().skip(6).fold(1.0f32, |most, value| most.max(value.abs()));
            let is_near = |(own, expected): (&f32, &f32)| (own - expected).abs() <= case.tolerance * largest;
            assert!(own.iter().zip(expected.row(index).iter().skip(6)).all(is_near), "{file}: coefficients of {index}");
            if index >= masks.dim().0 {
                continue;
            }
            let kept =
                found.iter().find(|found| found.place == detection.place && found.class_id == detection.class_id);
            let mask = masks.index_axis(ndarray::Axis(0), index);
            let pixels = mask.iter().filter(|&&pixel| pixel > 0).count();
            let Some(kept) = kept else {
                assert_eq!(pixels, 0, "{file}: mask {index} was dropped");
                continue;
            };
            let own = kept.mask.as_ref().expect("it has masks").pixels();
            let wrong = own.iter().zip(mask).filter(|(own, expected)| **own != (**expected > 0)).count();
            assert!(wrong as f64 <= 0.002 * pixels as f64, "{file}: mask {index}: {wrong} of {pixels} pixels");
        }
    }
}

/// Boxes that are dropped for their empty masks are none of the most confident: those that stay move up.
#[test]
fn as_many_boxes_are_shown_as_were_asked_for_though_some_have_empty_masks() {
    let Some(path) = material("families/tiny/v8-seg.pt") else { return };
    let model = Model::load(path, Device::Cpu).expect("it loads");
    let picture = picture::read("images/dog.jpg").expect("the picture is sound");
    let input =
        Letterbox::of(&picture, &model, Some(320)).expect("it has pixels").tensor(Device::Cpu).expect("a tensor");
    let outputs = model.forward(&input, &[]).expect("it runs").outputs;
    let options = DetectOptions::default().with_conf_threshold(Some(1e-4)).with_max_det(Some(30));
    let all = detect(&model, &outputs, &options).expect("they are read");
    assert!(all.len() < 30, "a box has an empty mask");
    for top in [1, 5, all.len()] {
        let shown = detect(&model, &outputs, &options.clone().with_top(Some(top))).expect("they are read");
        assert_eq!(shown, all[..top], "the first {top}");
    }
}

/// YOLOv5's coefficients are the last values of its rows.
#[test]
fn coefficients_of_yolov5_are_those_of_its_rows() {
    for file in ["tiny/v7-seg.pt", "tiny/v7-seg.torchscript"] {
        let (Some(path), Some(figures)) = (material(file), material("tiny/v7-seg.npz")) else { continue };
        let model = Model::load(path, Device::Cpu).expect("it loads");
        let outputs = model.forward(&pattern(), &[]).expect("it runs").outputs;
        let head = model.head();
        assert_eq!(outputs.len(), head.outputs().len() + 1, "{file}: the prototypes");
        let masks = head.prototypes(&outputs).expect("it has masks").size()[1] as usize;
        // [1, rows, values]
        let rows: Array3<f32> = Npz::open(&figures).get("pred");
        let options = DetectOptions::default().with_conf_threshold(Some(0.0)).with_max_det(Some(20));
        let found = detect(&model, &outputs, &options).expect("they are read");
        assert_eq!(found.len(), 20, "{file}: its own package drops no box");
        for found in found {
            let own = head.mask_coefficients(&outputs, &found.place).expect("they are read").expect("it has masks");
            let own = Vec::<f32>::try_from(own).expect("f32 on the CPU");
            let row = rows.slice(ndarray::s![0, found.place.index, -(masks as isize)..]);
            let is_near = |(own, expected): (&f32, &f32)| (own - expected).abs() <= 1e-4 * expected.abs().max(1.0);
            assert!(own.len() == masks && own.iter().zip(row).all(is_near), "{file}: {own:?} instead of {row}");
            let mask = found.mask.expect("it has masks");
            let inside = mask.pixels().indexed_iter().filter(|(_, is_set)| **is_set).all(|((y, x), _)| {
                let b = found.box_input.expect("a detector gives boxes");
                (b.x1..b.x2).contains(&(x as f32)) && (b.y1..b.y2).contains(&(y as f32))
            });
            assert!(inside, "{file}: a mask ends at its box");
        }
    }
}

/// What the package makes of pictures with an official model.
#[test]
fn masks_of_an_official_model_are_the_packages() {
    const FILE: &str = "65-11n-seg-official.pt";
    let (Some(path), Some(expected)) = (material(&format!("zoo/{FILE}")), material("zoo/expected.json")) else {
        return;
    };
    let model = Model::load(path, Device::Cpu).expect("it loads");
    let expected = common::report(&expected)[FILE].clone();
    let options = ExplainOptions::default().with_detect(DetectOptions::default().with_conf_threshold(Some(0.25)));
    for name in ["dog.jpg", "person.jpg", "horses.jpg", "eagle.jpg"] {
        let picture = yolo_cam::picture::read(format!("images/{name}")).expect("the picture is sound");
        let found = yolo_cam::explain(&model, &picture, &options).expect("it is explained");
        let map = found.letterbox.map;
        for expected in expected[name].as_array().expect("a list") {
            // What just exceeds the threshold there may not here.
            if expected["conf"].as_f64().is_some_and(|confidence| confidence < 0.27) {
                continue;
            }
            let corners: [f32; 4] = serde_json::from_value(expected["xyxy"].clone()).expect("four corners");
            let is_it = |found: &&yolo_cam::ExplainedBox| {
                let own: [f32; 4] = map.to_image(&found.detection.box_input.expect("a detector gives boxes")).into();
                own.iter().zip(corners).all(|(own, expected)| (own - expected).abs() <= 2.0)
            };
            let detection = &found.boxes.iter().find(is_it).unwrap_or_else(|| panic!("{name}: {expected}")).detection;
            assert_eq!(Some(detection.class_id as u64), expected["cls"].as_u64(), "{name}");
            let confidence = expected["conf"].as_f64().expect("a number");
            assert!((f64::from(detection.confidence) - confidence).abs() <= 0.02, "{name}: {}", detection.confidence);
            // Both in pixels of the input.
            let area = detection.mask.as_ref().expect("it has masks").area() as f64;
            let pixels = expected["mask_pixels"].as_f64().expect("a number");
            assert!((area / pixels - 1.0).abs() <= 0.03, "{name}: {area} instead of {pixels} pixels");
        }
    }
}

/// Where two levels or more feed the prototypes, and where it is the finest alone.
#[test]
fn maps_of_masks_are_those_of_plain_gradients() {
    for file in ["tiny/v8-seg.pt", "tiny/26-seg.pt", "tiny/26-seg.torchscript"] {
        let case = CASES.iter().find(|case| case.file == file).expect("it is listed");
        let Some(opened) = Opened::of(std::slice::from_ref(case)).next() else { continue };
        let model = &opened.model;
        let outputs = model.forward(&opened.input, &[]).expect("it runs").outputs;
        let options = DetectOptions::default().with_conf_threshold(Some(0.0));
        let found = detect(model, &outputs, &options).expect("they are read");
        for level in 0..model.levels().len() {
            let of_level = |found: &&Detection| {
                found.place.level == level && found.mask.as_ref().is_some_and(|mask| mask.area() > 50)
            };
            let Some(detection) = found.iter().find(of_level) else { continue };
            let feeds = (0..model.levels().len()).flat_map(|level| model.feeds_of(level).expect("layers feed it"));
            for layer in feeds.chain([model.find_layer("9").expect("it is there")]) {
                let seen = &model.layers()[layer];
                if !seen.is_seen_by(level) && !seen.is_seen_by_masks() {
                    continue;
                }
                let expected = plain_map(&opened, detection, layer);
                let options = ExplainOptions::default()
                    .with_target(targets::MASK)
                    .with_target_layer(TargetLayer::Layers(vec![layer]))
                    .with_method(methods::HIRES_CAM);
                let own = explain_found(model, &opened.input, vec![detection.clone()], &options, &mut unwatched);
                let own = own.expect("it is explained").remove(0).heatmap;
                let peak = expected.iter().copied().fold(0.0, f32::max);
                let worst = (own.values() - &expected).iter().fold(0.0f32, |worst, d| worst.max(d.abs()));
                let place = format!("{file}: level {level} at {}", model.layers()[layer].path);
                assert!(worst <= 1e-3 * peak.max(1e-5), "{place}: off by {worst}, peak {peak}");
            }
        }
    }
}

/// Activation times gradient of the mean logit inside the mask, summed over channels, where positive.
fn plain_map(opened: &Opened, detection: &Detection, layer: usize) -> Array2<f32> {
    let forward = opened.model.forward(&opened.input, &[layer]).expect("it runs");
    let (levels, raw) = (opened.model.levels().len(), opened.model.head().outputs().len());
    let (coefficients, prototypes) = (&forward.outputs[raw + detection.place.level], &forward.outputs[raw + levels]);
    let (row, column) = (detection.place.row as i64, detection.place.column as i64);
    let coefficients = coefficients.get(0).select(2, column).select(1, row).view([-1, 1, 1]);
    let logits = (coefficients * prototypes.get(0)).sum_dim_intlist([0i64].as_slice(), false, Kind::Float);
    let (height, width) = (opened.input.size()[2], opened.input.size()[3]);
    let logits = logits.unsqueeze(0).unsqueeze(0).upsample_bilinear2d([height, width], false, None, None);
    let mask = detection.mask.as_ref().expect("it has masks").pixels();
    let mask: Vec<bool> = mask.iter().copied().collect();
    let mean = logits.view(-1).masked_select(&Tensor::from_slice(&mask)).mean(Kind::Float);
    let tap = &forward.taps[0];
    let gradient = Tensor::run_backward(&[mean], &[tap], false, false).remove(0);
    let map = (gradient * tap).sum_dim_intlist([1i64].as_slice(), false, Kind::Float).relu().get(0);
    let shape = (map.size()[0] as usize, map.size()[1] as usize);
    Array2::from_shape_vec(shape, Vec::try_from(map.contiguous().view(-1)).expect("f32 on the CPU")).expect("a map")
}

#[test]
fn a_mask_is_no_target_of_a_network_without_masks() {
    let Some(file) = material("families/tiny/v8.pt") else { return };
    let model = Model::load(file, Device::Cpu).expect("it loads");
    let options = ExplainOptions::default().with_target(targets::MASK);
    let refused = explain_found(&model, &pattern(), Vec::new(), &options, &mut unwatched);
    assert!(matches!(refused, Err(Error::TargetMissing { target, lacks: "masks", .. }) if target == "mask"));
}

/// Centre, width and height, or two corners, as corners.
fn corners(values: [f32; 4], are_corners: bool) -> [f32; 4] {
    let [x, y, w, h] = values;
    if are_corners { values } else { [x - w / 2.0, y - h / 2.0, x + w / 2.0, y + h / 2.0] }
}

fn largest_angle(all: &[f32]) -> f32 {
    all.iter().fold(1.0, |most, angle| angle.abs().max(most))
}

/// Whether a box is that of PyTorch: its corners, or of a rotated one centre, width and height; and whether what it says besides is.
/// `further`: the values of that.
/// `largest`: the largest angle of all.
fn check_figure(
    (case, largest): (&Case, f32),
    found: &Detection,
    expected: [f32; 4],
    further: &mut dyn FnMut(usize) -> f32,
) {
    let file = case.file;
    let own: [f32; 4] = match &found.rotated {
        Some(b) => [b.cx, b.cy, b.w, b.h],
        None => found.box_input.expect("a detector gives boxes").into(),
    };
    let is_near = |own: f32, expected: f32, tolerance: f32| (own - expected).abs() <= tolerance;
    let is_all_near = own.iter().zip(expected).all(|(&own, expected)| is_near(own, expected, 0.05));
    assert!(is_all_near, "{file}: box {own:?} instead of {expected:?}");
    if let Some(b) = &found.rotated {
        // As of raw outputs: random weights give angles of several turns.
        let tolerance = case.tolerance * largest;
        assert!(is_near(b.angle, further(0), tolerance), "{file}: angle {} instead of {}", b.angle, further(0));
    }
    let mut channel = 0;
    for (index, keypoint) in found.keypoints.iter().enumerate() {
        let mut next = || {
            channel += 1;
            further(channel - 1)
        };
        let (x, y) = (next(), next());
        let is_here = is_near(keypoint.x, x, 0.05) && is_near(keypoint.y, y, 0.05);
        assert!(is_here, "{file}: keypoint {index} at {keypoint:?} instead of {x}, {y}");
        if let Some(visibility) = keypoint.visibility {
            assert!(is_near(visibility, next(), 1e-4), "{file}: visibility of keypoint {index}");
        }
    }
}

#[test]
fn predictions_are_pytorchs() {
    for mut opened in Opened::all().chain(Opened::of(HALF_CASES)) {
        let (outputs, _) = opened.outputs();
        let options = DetectOptions::default().with_conf_threshold(Some(0.0));
        let options = options.with_iou_threshold(Some(1.0)).with_max_det(Some(usize::MAX));
        let found = detect(&opened.model, &outputs, &options).expect("they are read");
        let names = opened.golden.names();
        let is_one_to_one = opened.case.branch == "head" && names.contains(&"pred.one2one".to_owned());
        let name = match opened.case.branch {
            "many" => "pred.one2many",
            _ if is_one_to_one => "pred.one2one",
            _ => "pred",
        };
        // [1, 4 + classes and more, predictions]
        let expected: Array3<f32> = opened.golden.get(name);
        let file = opened.case.file;
        let classes = opened.model.names().len();
        let largest = largest_angle(&expected.index_axis(ndarray::Axis(0), 0).row(expected.dim().1 - 1).to_vec());
        assert!(found.len() >= expected.dim().2, "{file}: {} of {} predictions", found.len(), expected.dim().2);
        for found in &found {
            let of = |channel: usize| expected[[0, channel, found.place.index]];
            let score = (4..4 + classes).map(of).fold(0.0, f32::max);
            let is_best = (of(4 + found.class_id) - found.confidence).abs() <= opened.case.tolerance;
            assert!(is_best, "{file}: {} of {}, best {score}", found.confidence, found.place.index);
            let first = [0, 1, 2, 3].map(of);
            let expected = if found.rotated.is_some() { first } else { corners(first, is_one_to_one) };
            check_figure((opened.case, largest), found, expected, &mut |channel| of(4 + classes + channel));
        }
    }
}

#[test]
fn detections_are_the_packages() {
    for mut opened in Opened::all() {
        let (outputs, _) = opened.outputs();
        let options = DetectOptions::default().with_conf_threshold(Some(0.25));
        let found = detect(&opened.model, &outputs, &options).expect("they are read");
        let (file, name) = (opened.case.file, opened.prefixed("det"));
        if !opened.golden.names().contains(&name) {
            assert!(file.starts_with("legacy/"), "{file}: PyTorch has no {name}");
            continue;
        }
        let expected: Array2<f32> = opened.golden.get(&name);
        assert_eq!(found.len(), expected.nrows(), "{file}: number of detections");
        let largest = largest_angle(&expected.column(expected.ncols() - 1).to_vec());
        for (found, expected) in found.iter().zip(expected.rows()) {
            assert_eq!(found.class_id as f32, expected[5], "{file}: class");
            assert!(
                (found.confidence - expected[4]).abs() <= opened.case.tolerance,
                "{file}: {} {}",
                found.confidence,
                expected[4]
            );
            let first = [0, 1, 2, 3].map(|channel| expected[channel]);
            check_figure((opened.case, largest), found, first, &mut |channel| expected[6 + channel]);
        }
    }
}

/// The gradient of a keypoint and of an angle is that of their values: one-sided differences of the input show it.
#[test]
fn keypoints_and_angles_are_explained() {
    for (file, target) in [
        ("tiny/11-pose.pt", "keypoint:2"),
        ("tiny/11-pose.torchscript", "keypoint:0:x"),
        ("tiny/v8-obb.pt", "angle"),
        ("tiny/26-obb.torchscript", "angle"),
        ("tiny/v8-obb.torchscript", "x1"),
        ("tiny/v8-obb.torchscript", "w"),
    ] {
        let Some(path) = material(&format!("families/{file}")) else { continue };
        let model = Model::load(path, Device::Cpu).expect("it loads");
        let outputs = model.forward(&pattern(), &[]).expect("it runs").outputs;
        let options = DetectOptions::default().with_conf_threshold(Some(0.0)).with_top(Some(2));
        let found = detect(&model, &outputs, &options).expect("they are read");
        let target = yolo_cam::Target::named(target).expect("there is such a target");
        let options = ExplainOptions::default().with_target(target).with_method(methods::ELEMENT_WISE);
        let explained = explain_found(&model, &pattern(), found, &options, &mut unwatched).expect("it is explained");
        assert!(explained.iter().all(|explained| explained.heatmap.no_signal().is_none()), "{file}: {}", target.name);
    }
}

#[test]
fn a_keypoint_that_is_not_there_is_refused_with_those_that_are() {
    let Some(path) = material("families/tiny/11-pose.pt") else { return };
    let model = Model::load(path, Device::Cpu).expect("it loads");
    let refused = |target: &str| {
        let options = ExplainOptions::default().with_target(yolo_cam::Target::named(target).expect("well formed"));
        explain_found(&model, &pattern(), Vec::new(), &options, &mut unwatched).expect_err("it is refused").to_string()
    };
    assert_eq!(refused("keypoint:4"), "keypoint \"4\" not found; use one of this model's keypoints: 0, 1, 2, 3");
    assert!(refused("keypoint:nose").contains("\"nose\" not found"));
    assert!(refused("keypoint:0:v").contains("predicts no visibility of keypoints"));
    assert!(refused("angle").contains("predicts no angles"));
}

#[test]
fn maps_are_pytorchs() {
    for mut opened in Opened::all() {
        let detections = opened.predictions();
        let count = compare_maps(&mut opened, &detections);
        assert!(count >= 3, "{}: only {count} maps were compared", opened.case.file);
    }
}

/// Compares all stored maps of these predictions, and returns how many there are.
fn compare_maps(opened: &mut Opened, detections: &[Detection]) -> usize {
    let methods =
        [methods::GRAD_CAM, methods::HIRES_CAM, methods::ELEMENT_WISE, methods::LAYER_CAM, methods::GRAD_CAM_PP];
    let names = opened.golden.names();
    let mut count = 0;
    for (index, detection) in detections.iter().enumerate() {
        for method in methods {
            let (before, behind) = (opened.prefixed(&format!("{index}/")), format!("/{}", method.name));
            // Near the pole of its weights the last digits count, and a trace is of the fused network.
            if method == methods::GRAD_CAM_PP && opened.case.tolerance == FUSED {
                continue;
            }
            for layer in names.iter().filter_map(|name| name.strip_prefix(&before)?.strip_suffix(&behind)) {
                check_map(opened, detection, index, layer, method);
                count += 1;
            }
        }
    }
    count
}

/// Compares the map of a prediction at a layer with the stored one.
fn check_map(opened: &mut Opened, detection: &Detection, index: usize, layer: &str, method: Method) {
    let name = opened.prefixed(&format!("{index}/{layer}/{}", method.name));
    let expected: Array2<f32> = opened.golden.get(&name);
    let target_layer = TargetLayer::Layers(vec![opened.model.find_layer(layer).expect("it has that layer")]);
    let options = ExplainOptions::default().with_target_layer(target_layer).with_method(method);
    let found = explain_found(&opened.model, &opened.input, vec![detection.clone()], &options, &mut unwatched);
    let found = found.expect("it is explained").remove(0).heatmap;
    let peak = expected.iter().copied().fold(0.0, f32::max);
    let worst = (found.values() - &expected).iter().fold(0.0f32, |worst, d| worst.max(d.abs()));
    // Near the pole of its weights, the order in which a machine adds numbers counts.
    let tolerance = if method == methods::GRAD_CAM_PP { 2e-2 } else { 1e-3 };
    // A weaker map is what is left where terms cancel out, and hangs on whether normalisation is fused into the weights.
    const LEAST: f32 = 1e-5;
    assert!(worst <= tolerance * peak.max(LEAST), "{}: {name}: off by {worst}, peak {peak}", opened.case.file);
}

#[test]
fn what_is_not_explained_is_refused_in_a_line_with_its_reason() {
    let refused = [("tiny/v5u-nms.torchscript", "has non-maximum suppression built in")];
    for (file, reason) in refused {
        let Some(path) = material(&format!("families/{file}")) else { continue };
        let error = Model::load(path, Device::Cpu).err().unwrap_or_else(|| panic!("{file} is taken")).to_string();
        assert!(error.contains(reason) && error.lines().count() == 1, "{file}: {error}");
    }
}

/// A checkpoint that is saved as TorchScript is the same detector, with the head that it ran before.
#[test]
fn an_export_is_explained_as_its_checkpoint() {
    for (name, branch) in [
        ("v8", None),
        ("26", None),
        ("26", Some(Branch::One)),
        ("v8-seg", None),
        ("11-pose", None),
        ("v8-obb", None),
        ("26-obb", None),
    ] {
        let Some(file) = material(&format!("families/tiny/{name}.pt")) else { continue };
        let load = |path: &std::path::Path| {
            let options = yolo_cam::LoadOptions::default().with_branch(branch);
            Model::load_with(path, Device::Cpu, options).unwrap_or_else(|error| panic!("{error}"))
        };
        let model = load(&file);
        let exported = tempfile::Builder::new().suffix(".torchscript").tempfile().expect("a temporary file");
        model.export(exported.path(), &yolo_cam::ExportOptions::default()).expect("it is written");
        let again = load(exported.path());
        assert!(again.warnings().is_empty(), "{name}: {:?}", again.warnings());
        assert_eq!((again.names(), again.head().habits()), (model.names(), model.head().habits()), "{name}");
        let options = DetectOptions::default().with_conf_threshold(Some(0.25));
        let found = [&model, &again].map(|model| {
            let outputs = model.forward(&pattern(), &[]).expect("it runs").outputs;
            detect(model, &outputs, &options).expect("they are read")
        });
        assert_eq!(found[0].len(), found[1].len(), "{name}");
        for (before, after) in found[0].iter().zip(&found[1]) {
            assert_eq!((before.class_id, before.place), (after.class_id, after.place), "{name}");
            assert!((before.confidence - after.confidence).abs() <= 1e-5, "{name}");
            assert_eq!(
                (before.keypoints.len(), before.rotated.is_some()),
                (after.keypoints.len(), after.rotated.is_some()),
                "{name}"
            );
        }
    }
}

/// A network that a stranger trained, on pictures that were letterboxed already.
#[test]
fn a_strangers_yolov8_gives_pytorchs_detections_and_maps() {
    let Some(file) = material("zoo/63-v8s-fall.pt") else { return };
    let model = Model::load(file, Device::Cpu).unwrap_or_else(|error| panic!("{error}"));
    for picture in ["fall-bus", "fall-person"] {
        let Some(mut golden) = material(&format!("families/golden/{picture}.npz")).map(|path| Npz::open(&path)) else {
            continue;
        };
        compared(&format!("families/golden/{picture}"));
        let pixels: Array3<u8> = golden.get("input");
        let (height, width, _) = pixels.dim();
        let bytes = pixels.into_raw_vec_and_offset().0;
        let image = image::RgbImage::from_raw(width as u32, height as u32, bytes).expect("H·W·3 bytes");
        let input = to_tensor(&image, Device::Cpu).expect("there is memory");
        let outputs = model.forward(&input, &[]).expect("it runs").outputs;
        let options = DetectOptions::default().with_conf_threshold(Some(0.25)).with_iou_threshold(Some(0.45));
        let found = detect(&model, &outputs, &options).expect("they are read");
        let expected: Array2<f32> = golden.get("det");
        assert_eq!(found.len(), expected.nrows(), "{picture}");
        for (found, expected) in found.iter().zip(expected.rows()) {
            let corners: [f32; 4] = found.box_input.expect("a detector gives boxes").into();
            assert!(corners.iter().zip(expected).all(|(own, expected)| (own - expected).abs() <= 0.5), "{corners:?}");
            assert!((found.confidence - expected[4]).abs() <= 0.002, "{picture}: {} {expected}", found.confidence);
        }
        let usual =
            detect(&model, &outputs, &DetectOptions::default().with_conf_threshold(Some(0.25))).expect("they are read");
        assert_eq!(
            usual.len(),
            golden.get::<f32, ndarray::Ix2>("det_iou70").nrows(),
            "{picture}: the package's own NMS"
        );
        let mut opened = Opened { case: &STRANGER, model: model.share().expect("it is shared"), golden, input };
        let count = compare_maps(&mut opened, &found);
        assert!(count >= 4, "{picture}: only {count} maps were compared");
    }
}

/// The official YOLO11n-seg on pictures, through our own decoder and letterbox.
#[test]
fn an_official_model_finds_what_its_package_finds() {
    const FILE: &str = "65-11n-seg-official.pt";
    let Some(file) = material(&format!("zoo/{FILE}")) else { return };
    let Some(expected) = material("zoo/expected.json").map(|path| common::report(&path)) else { return };
    let model = Model::load(file, Device::Cpu).unwrap_or_else(|error| panic!("{error}"));
    for picture in ["dog.jpg", "horses.jpg", "person.jpg", "eagle.jpg"] {
        compared(&format!("zoo/{FILE}: {picture}"));
        let pixels = picture::read(format!("images/{picture}")).expect("the picture is sound");
        let letterbox = Letterbox::new(&pixels, model.input_side(None), model.max_stride()).expect("it has pixels");
        let input = letterbox.tensor(Device::Cpu).expect("there is memory");
        let outputs = model.forward(&input, &[]).expect("it runs").outputs;
        // One of the package's lies at its threshold of 0.25.
        let options = DetectOptions::default().with_conf_threshold(Some(0.23));
        let found = detect(&model, &outputs, &options).expect("they are read");
        let expected = expected[FILE][picture].as_array().expect("the package found something");
        let sure = found.iter().filter(|found| found.confidence > 0.27).count();
        assert!(sure <= expected.len(), "{picture}: {sure} instead of {}", expected.len());
        // In any order: some are equally sure.
        for expected in expected {
            let of = |value: &Value| value.as_f64().expect("a number") as f32;
            let is_it = |found: &&Detection| {
                let corners: [f32; 4] =
                    letterbox.map.to_image(&found.box_input.expect("a detector gives boxes")).into();
                let expected_corners = expected["xyxy"].as_array().expect("four numbers");
                Some(found.class_id as u64) == expected["cls"].as_u64()
                    && (found.confidence - of(&expected["conf"])).abs() <= 0.02
                    && corners.iter().zip(expected_corners).all(|(own, expected)| (own - of(expected)).abs() <= 2.0)
            };
            assert_eq!(found.iter().filter(is_it).count(), 1, "{picture}: {expected} in {found:?}");
        }
    }
}

/// Names for what is told of a stranger's network.
static STRANGER: Case = unfused("zoo/63-v8s-fall.pt", "golden", "head");

#[test]
fn a_branch_can_be_asked_for_and_one_that_is_missing_is_none() {
    let Some(file) = material("families/tiny/26-e2e.torchscript") else { return };
    let load = |branch| {
        let options = LoadOptions::default().with_branch(branch);
        Model::load_with(&file, Device::Cpu, options).expect("it loads")
    };
    assert_eq!(load(None).head().habits().iou_threshold, None, "it has the one-to-one branch alone");
    assert_eq!(load(Some(Branch::Many)).head().habits().iou_threshold, None, "there is no other");
    assert!(load(None).warnings().is_empty(), "that its output cannot be compared is no oddity");
}

/// How far apart D-RISE's maps of the most confident box in f32 and bf16 are, as a share of the peak.
fn effect_of_half_the_bits(model: &Model, input: &Tensor, confidence: f32, masks: usize) -> f32 {
    let outputs = model.forward(input, &[]).expect("it runs").outputs;
    let found = DetectOptions::default().with_conf_threshold(Some(confidence)).with_max_det(Some(1));
    let detections = detect(model, &outputs, &found).expect("they are read");
    let [exact, rounded] = [Precision::F32, Precision::Bf16].map(|precision| {
        let method_options = MethodOptions::default().with_masks(masks).with_precision(precision);
        let options = ExplainOptions::default().with_method(methods::D_RISE).with_method_options(method_options);
        let maps = explain_found(model, input, detections.clone(), &options, &mut unwatched);
        maps.unwrap_or_else(|error| panic!("{:?}: {error}", model.path())).remove(0).heatmap
    });
    let differences = exact.values() - rounded.values();
    differences.iter().fold(0.0f32, |most, value| most.max(value.abs())) / exact.peak()
}

#[test]
fn all_families_run_with_half_the_bits() {
    for opened in Opened::all().chain(Opened::of(HALF_CASES)) {
        let effect = effect_of_half_the_bits(&opened.model, &opened.input, 0.0, 4);
        // Weights that were never trained make much of the rounding.
        assert!(effect > 0.0 && effect < 1.0, "{}: {effect}", opened.case.file);
    }
}

#[test]
fn half_the_bits_change_little_where_weights_were_trained() {
    let official = material("zoo/65-11n-seg-official.pt");
    for file in [Some("weights/yolov5s.torchscript".into()), official].into_iter().flatten() {
        let model = Model::load(&file, Device::Cpu).expect("it loads");
        let picture = picture::read("images/dog.jpg").expect("it is a picture");
        let letterbox = Letterbox::of(&picture, &model, Some(320)).expect("it fits");
        let input = letterbox.tensor(Device::Cpu).expect("there is memory");
        let effect = effect_of_half_the_bits(&model, &input, 0.25, 32);
        assert!(effect > 0.0 && effect < 0.1, "{file:?}: {effect}");
    }
}
