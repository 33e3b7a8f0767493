//! RT-DETR against what PyTorch computes with the Ultralytics package's own code.

mod common;

use common::{Figured, figured};
use ndarray::{Array1, Array2, Array3, ArrayD};
use tch::{Device, Kind, Tensor};
use yolo_cam::{
    Error, ExplainOptions, ExportOptions, Method, Model, Precision, Target, TargetLayer,
    detect::{DetectOptions, Detection, Letterbox, detect},
    explain::{MethodOptions, explain, explain_found, methods, targets, unwatched},
    families::Framing,
    geometry::Size,
    picture,
};

/// PyTorch's maps of the last two are not looked at: its gradient of a batch normalisation in eval mode is wrong where the gradient
/// comes back permuted (tests/data/make_rtdetr.py), as it does to those before the decoder.
const WITH_MAPS: &str = "tiny/rtdetr-small.pt";

/// Files, their figures, and how far values may be off: a trace is of the fused network.
static CASES: [(&str, &str, f32); 3] = [
    ("tiny/rtdetr-small.pt", "tiny/rtdetr-small", 1e-4),
    ("tiny/rtdetr.pt", "tiny/rtdetr", 1e-4),
    ("tiny/rtdetr.torchscript", "tiny/rtdetr", 3e-4),
];

fn all() -> impl Iterator<Item = Figured> {
    figured(&CASES).inspect(|opened| {
        let warnings = opened.model.warnings();
        assert!(warnings.is_empty(), "{}: {warnings:?}", opened.file);
    })
}

/// Every pair of a query and a class, by confidence.
fn found(model: &Model, input: &Tensor) -> Vec<Detection> {
    let outputs = model.forward(input, &[]).expect("it runs").outputs;
    let options = DetectOptions::default().with_conf_threshold(Some(0.0)).with_max_det(Some(usize::MAX));
    detect(model, &outputs, &options).expect("they are read")
}

fn values(tensor: &Tensor) -> Vec<f32> {
    Vec::try_from(tensor.contiguous().view(-1)).expect("f32 on the CPU")
}

#[test]
fn queries_are_answered_as_in_pytorch() {
    for Figured { file, model, mut golden, input, tolerance } in all() {
        let found = found(&model, &input);
        let logits: Array3<f32> = golden.get("dec_logits");
        let boxes: Array3<f32> = golden.get("dec_boxes");
        let (_, queries, classes) = logits.dim();
        assert_eq!(found.len(), queries * classes, "{file}");
        let largest = logits.iter().fold(0.0f32, |most, logit| most.max(logit.abs()));
        for found in &found {
            let place = found.place;
            assert_eq!((place.level, place.row, place.column), (0, 0, place.index), "{file}");
            let logit = logits[[0, place.index, found.class_id]];
            assert!((found.logit - logit).abs() <= tolerance * largest, "{file}: {} {logit}", found.logit);
            let [cx, cy, w, h] = [0, 1, 2, 3].map(|side| boxes[[0, place.index, side]]);
            let expected =
                [(cx - w / 2.0) * 256.0, (cy - h / 2.0) * 192.0, (cx + w / 2.0) * 256.0, (cy + h / 2.0) * 192.0];
            let own: [f32; 4] = found.box_input.expect("a detector gives boxes").into();
            let is_near = own.iter().zip(expected).all(|(own, expected)| (own - expected).abs() <= 0.05);
            assert!(is_near, "{file}: box {own:?} of query {} instead of {expected:?}", place.index);
        }
        // The best pairs, as the network's own code takes them.
        let expected: Array3<f32> = golden.get("pred");
        for (found, expected) in found.iter().zip(expected.index_axis(ndarray::Axis(0), 0).rows()) {
            assert!(
                (found.confidence - expected[4]).abs() <= tolerance,
                "{file}: {} {}",
                found.confidence,
                expected[4]
            );
        }
    }
}

fn map(opened: &Figured, detection: &Detection, layer: &str, method: Method, target: Target) -> Array2<f32> {
    let layer = TargetLayer::Layers(vec![opened.model.find_layer(layer).expect("it has that layer")]);
    let options = ExplainOptions::default().with_target_layer(layer).with_method(method).with_target(target);
    let found = explain_found(&opened.model, &opened.input, vec![detection.clone()], &options, &mut unwatched);
    found.expect("it is explained").remove(0).heatmap.values().clone()
}

#[test]
fn maps_of_classes_edges_and_sides_are_pytorchs() {
    let all_methods =
        [methods::GRAD_CAM, methods::HIRES_CAM, methods::ELEMENT_WISE, methods::LAYER_CAM, methods::GRAD_CAM_PP];
    let all_targets = [targets::X1, targets::Y1, targets::X2, targets::Y2, targets::W, targets::H];
    let mut wrong = Vec::new();
    for mut opened in all().filter(|opened| opened.file == WITH_MAPS) {
        let (rows, classes): (Array1<i64>, Array1<i64>) = (opened.golden.get("row"), opened.golden.get("class"));
        let found = found(&opened.model, &opened.input);
        let (mut count, mut of_boxes) = (0, 0);
        for name in opened.golden.names() {
            let parts: Vec<&str> = name.split('/').collect();
            let ([index, layer, method], target) = match parts.as_slice() {
                [index, layer, method] => ([*index, *layer, *method], targets::LOGIT),
                [index, layer, method, target] => {
                    of_boxes += 1;
                    let target = all_targets.into_iter().find(|known| known.name == *target);
                    ([*index, *layer, *method], target.expect("it is known"))
                }
                _ => continue,
            };
            let index: usize = index.parse().expect("a number");
            let detection = found
                .iter()
                .find(|found| (found.place.index, found.class_id) == (rows[index] as usize, classes[index] as usize))
                .expect("it is found");
            let method = all_methods.into_iter().find(|known| known.name == method).expect("it is known");
            let expected: Array2<f32> = opened.golden.get(&name);
            let own = map(&opened, detection, layer, method, target);
            assert_eq!(own.dim(), expected.dim(), "{}: {name}", opened.file);
            let peak = expected.iter().copied().fold(0.0, f32::max);
            let worst = (&own - &expected).iter().fold(0.0f32, |worst, d| worst.max(d.abs()));
            let tolerance = if method == methods::GRAD_CAM_PP { 1e-2 } else { 2e-3 };
            if worst > tolerance * peak.max(1e-5) {
                wrong.push(format!("{}: {name}: off by {worst}, peak {peak}", opened.file));
            }
            count += 1;
        }
        assert!(count >= 40, "{}: only {count} maps were compared", opened.file);
        assert!(of_boxes > 0, "{}", opened.file);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_trace_and_its_checkpoint_give_the_same_maps() {
    let of_file = |wanted: &str| all().find(|opened| opened.file == wanted);
    let (Some(checkpoint), Some(trace)) = (of_file("tiny/rtdetr.pt"), of_file("tiny/rtdetr.torchscript")) else {
        return;
    };
    let best = found(&checkpoint.model, &checkpoint.input).remove(0);
    for target in [targets::LOGIT, targets::X1, targets::H] {
        for layer in ["27", "24", "21", "9", "7", "3"] {
            for method in [methods::GRAD_CAM, methods::HIRES_CAM, methods::ELEMENT_WISE] {
                let [own, other] = [&checkpoint, &trace].map(|opened| map(opened, &best, layer, method, target));
                let peak = own.iter().copied().fold(0.0, f32::max);
                let worst = (&own - &other).iter().fold(0.0f32, |worst, d| worst.max(d.abs()));
                // The network has kinks: the sides of cells that are sampled between.
                assert!(
                    worst <= 0.02 * peak.max(1e-3),
                    "{} at {layer}, {}: {worst}, peak {peak}",
                    method.name,
                    target.name
                );
            }
        }
    }
}

#[test]
fn all_levels_feed_the_decoder_and_a_pooled_map_is_of_all_of_them() {
    for opened in all() {
        let Figured { file, model, input, .. } = &opened;
        let path = |&layer: &usize| model.layers()[layer].path.as_str();
        let feeds = model.feeds_of(0).expect("layers feed it");
        let expected = if file.contains("small") { [7, 11, 15] } else { [21, 24, 27] };
        assert_eq!(
            feeds.iter().map(path).collect::<Vec<_>>(),
            expected.map(|index| format!("model.{index}")),
            "{file}"
        );
        assert_eq!(model.levels().iter().map(|level| level.name()).collect::<Vec<_>>(), ["decoder"]);
        let best = found(model, input).remove(0);
        let at = |method: Method, layer: TargetLayer| {
            let options = ExplainOptions::default().with_method(method).with_target_layer(layer);
            explain_found(model, input, vec![best.clone()], &options, &mut unwatched).expect("it runs").remove(0)
        };
        let auto = at(methods::HIRES_CAM, TargetLayer::Auto);
        let named = at(methods::GRAD_CAM, TargetLayer::Layers(feeds.clone()));
        let pooled = at(methods::GRAD_CAM, TargetLayer::Auto);
        assert_eq!(pooled.layers, feeds, "{file}");
        assert_eq!(pooled.heatmap, named.heatmap, "{file}");
        assert!(auto.heatmap.no_signal().is_none(), "{file}");
        let backbone = at(Method::default(), TargetLayer::Auto);
        let end = if file.contains("small") { "model.4" } else { "model.9" };
        assert!(backbone.layers.iter().map(path).any(|path| path == end), "{file}: {:?}", backbone.layer_names(model));
        assert!(backbone.heatmap.no_signal().is_none(), "{file}");
        // Nothing of the encoder.
        assert!(backbone.layers.iter().all(|layer| *layer <= model.find_layer(end).unwrap()), "{file}");
    }
}

#[test]
fn a_picture_is_stretched_to_a_square_or_to_the_size_of_the_trace() {
    let picture = picture::read("images/dog.jpg").expect("the picture is sound");
    for opened in all() {
        let model = &opened.model;
        assert_eq!(model.head().framing(), Framing::Stretch);
        let is_trace = opened.file.ends_with(".torchscript");
        let traced = Size { width: 256, height: 192 };
        assert_eq!(model.fixed_size(), is_trace.then_some(traced), "{}", opened.file);
        if is_trace {
            assert!(matches!(Letterbox::of(&picture, model, Some(320)), Err(Error::FixedSize { asked: 320, .. })));
            assert_eq!(Letterbox::of(&picture, model, None).unwrap().map.input, traced);
            continue;
        }
        let letterbox = Letterbox::of(&picture, model, Some(320)).unwrap();
        assert_eq!(letterbox.map.input, Size::square(320), "{}", opened.file);
        assert_eq!(letterbox.map.shown(), (0..320, 0..320), "{}", opened.file);
        let options = DetectOptions::default().with_conf_threshold(Some(0.3)).with_top(Some(2));
        let options = ExplainOptions::default().with_img_size(Some(320)).with_detect(options);
        let explained = explain(model, &picture, &options).expect("it is explained");
        assert_eq!(explained.boxes.len(), 2, "{}", opened.file);
    }
}

#[test]
fn methods_that_change_pictures_or_channels_follow_a_query_that_moves() {
    for opened in all() {
        let best = found(&opened.model, &opened.input).remove(0);
        let method_options = MethodOptions::default().with_max_channels(Some(4)).with_masks(20);
        for method in [methods::ABLATION_CAM, methods::SCORE_CAM, methods::D_RISE] {
            let options = ExplainOptions::default().with_method(method).with_method_options(method_options);
            let found = explain_found(&opened.model, &opened.input, vec![best.clone()], &options, &mut unwatched);
            let found = found.unwrap_or_else(|error| panic!("{}: {}: {error}", opened.file, method.name));
            assert_eq!(found.len(), 1, "{}", opened.file);
        }
        let rough = opened.model.forward_boxes_in(&opened.input, Precision::Bf16);
        let rough = rough.unwrap_or_else(|error| panic!("{}: in bfloat16: {error}", opened.file));
        assert_eq!(rough.len(), 3, "{}", opened.file);
    }
}

/// A checkpoint that is saved as TorchScript is the same detector, and gives what the package's own exports give.
#[test]
fn an_export_runs_at_any_size_and_gives_pytorchs_predictions() {
    for mut opened in all().filter(|opened| opened.file.ends_with(".pt")) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("saved.torchscript");
        opened.model.export(&path, &ExportOptions::default()).expect("it is written");
        let plain = tch::CModule::load(&path).expect("libtorch loads it");
        let output = tch::no_grad(|| plain.forward_ts(&[&opened.input])).expect("it runs");
        let expected: ArrayD<f32> = opened.golden.get("pred");
        assert_eq!(output.size(), expected.shape().iter().map(|&side| side as i64).collect::<Vec<_>>());
        let worst = values(&output)
            .iter()
            .zip(&expected)
            .fold(0.0f32, |worst, (own, expected)| worst.max((own - expected).abs()));
        // Of pairs with the same score the order is anybody's.
        assert!(worst <= 1e-3, "{}: off by {worst}", opened.file);
        let again = Model::load(&path, Device::Cpu).unwrap_or_else(|error| panic!("{}: {error}", opened.file));
        assert_eq!((again.fixed_size(), again.warnings().len()), (None, 0), "{}: {:?}", opened.file, again.warnings());
        let input = opened.input.narrow(2, 0, 128).narrow(3, 0, 160).repeat([2, 1, 1, 1]);
        let pair = [&opened.model, &again].map(|model| model.forward(&input, &[]).expect("it runs").outputs);
        for (own, other) in pair[0].iter().zip(&pair[1]) {
            assert_eq!(own.size(), other.size());
            let worst = (own - other).abs().max().double_value(&[]);
            assert!(worst <= 1e-4, "{}: off by {worst}", opened.file);
            assert_eq!((own.size()[0], own.kind()), (2, Kind::Float));
        }
    }
}
