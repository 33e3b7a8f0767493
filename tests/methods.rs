//! Methods on small networks: against answers worked out by hand, and against direct, slow references that share no code
//! with the product.

use ndarray::{Array1, Array2, Array3, Axis, array};
use std::ops::ControlFlow;
use tch::{CModule, Device, IValue, Kind, Tensor};

use yolo_cam::explain::methods;
use yolo_cam::{
    ExplainOptions, ExplainedBox, ExportOptions, Method, Model, TargetLayer,
    detect::{DetectOptions, Detection},
    explain::{MethodOptions, explain_input, explain_watched, methods::random_masks, unwatched},
};

fn load(name: &str) -> Model {
    let path = format!("{}/tests/data/{name}.pt", env!("CARGO_MANIFEST_DIR"));
    Model::load(path, Device::Cpu).expect("it loads")
}

fn explained(model: &Model, input: &Tensor, options: &ExplainOptions) -> Vec<ExplainedBox> {
    explain_input(model, input, options, &mut unwatched).expect("it is explained").0
}

fn assert_close(found: &Array2<f32>, expected: &Array2<f32>, tolerance: f32, what: &str) {
    assert_eq!(found.dim(), expected.dim(), "{what}");
    let peak = expected.iter().copied().fold(0.0, f32::max);
    let worst = (found - expected).iter().fold(0.0f32, |worst, difference| worst.max(difference.abs()));
    assert!(worst <= tolerance * peak, "{what}: off by {worst}, peak {peak}");
}

/// tests/data/three.pt: in each cell of 8x8 pixels the channels are the mean red and the mean green; the logit of class 0
/// is 2·red − green, objectness 2, and the box the cell itself.
mod by_hand {
    use super::*;

    const GREEN: f32 = 0.5;
    /// The cell that is detected, row and column.
    const CELL: (usize, usize) = (1, 2);

    fn red() -> Array2<f32> {
        array![[0.1, 0.2, 0.3, 0.1], [0.0, 0.4, 0.9, 0.2], [0.3, 0.1, 0.5, 0.0], [0.2, 0.1, 0.4, 0.2]]
    }

    fn input() -> Tensor {
        let pixel = |channel: usize, y: usize, x: usize| match channel {
            0 => red()[[y / 8, x / 8]],
            1 => GREEN,
            _ => 0.0,
        };
        let pixels = Array3::from_shape_fn((3, 32, 32), |(c, y, x)| pixel(c, y, x));
        Tensor::try_from(&pixels).expect("f32").view([1, 3, 32, 32])
    }

    /// The map of the one box at the head's own input.
    fn map(method: Method) -> Array2<f32> {
        let model = load("three");
        let detect = DetectOptions::default().with_conf_threshold(Some(0.6));
        let target_layer = TargetLayer::Layers(vec![model.find_layer("1").expect("it has one")]);
        let options = ExplainOptions::default().with_method(method).with_target_layer(target_layer).with_detect(detect);
        let boxes = explained(&model, &input(), &options);
        assert_eq!(boxes.len(), 1);
        assert_eq!((boxes[0].detection.place.row, boxes[0].detection.place.column), CELL);
        boxes[0].heatmap.values().clone()
    }

    /// `value` in the detected cell, `elsewhere` in all others.
    fn only(value: f32, elsewhere: f32) -> Array2<f32> {
        Array2::from_shape_fn((4, 4), |cell| if cell == CELL { value } else { elsewhere })
    }

    fn positive(map: Array2<f32>) -> Array2<f32> {
        map.mapv_into(|value| value.max(0.0))
    }

    #[test]
    fn pooled_methods_spread_the_gradient_of_one_cell() {
        // The gradients are 2 and -1 in the cell.
        assert_close(&map(methods::GRAD_CAM), &positive((red() * 2.0 - GREEN) / 16.0), 1e-5, "gradcam");
        // α = G²/(2G² + ΣA·G³); the second gradient is negative.
        let alpha = 1.0 / (2.0 + 2.0 * red().sum());
        assert_close(&map(methods::GRAD_CAM_PP), &(red() * 2.0 * alpha), 1e-5, "gradcam++");
        // The same where the gradient is.
        let spatial = only(2.0 * alpha * red()[CELL], 0.0);
        assert_close(&map(methods::SS_GRAD_CAM_PP), &spatial, 1e-5, "ssgradcam++");
        let weights = [2.0 * red()[CELL] / red().sum(), -1.0 / 16.0];
        assert_close(&map(methods::XGRAD_CAM), &positive(red() * weights[0] + GREEN * weights[1]), 1e-5, "xgradcam");
    }

    #[test]
    fn element_wise_methods_show_one_cell_at_a_heads_own_input() {
        let (speaks_for, speaks_against) = (2.0 * red()[CELL], GREEN);
        for (method, value) in [
            (methods::HIRES_CAM, speaks_for - speaks_against),
            (methods::ODAM, speaks_for - speaks_against),
            (methods::ELEMENT_WISE, speaks_for),
            (methods::LAYER_CAM, speaks_for),
        ] {
            assert_close(&map(method), &only(value, 0.0), 1e-5, method.name);
        }
    }

    #[test]
    fn eigen_methods_project_on_what_varies() {
        // Only red varies, so the component is red, centred; the larger magnitude is above the mean.
        let mean = red().mean().expect("cells");
        assert_close(&map(methods::EIGEN_CAM), &positive(red() - mean), 1e-5, "eigencam");
        // The products are (2 red, -green) in one cell and 0 elsewhere.
        let length = (2.0 * red()[CELL]).hypot(GREEN);
        let expected = positive(only(length * 15.0 / 16.0, -length / 16.0));
        assert_close(&map(methods::EIGEN_GRAD_CAM), &expected, 1e-5, "eigengradcam");
    }

    #[test]
    fn ablation_weighs_by_what_is_lost() {
        // Objectness is the same everywhere and boxes do not overlap, so that only the cell's class counts.
        let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
        let score = sigmoid(2.0 * red()[CELL] - GREEN);
        let lost = [sigmoid(-GREEN), sigmoid(2.0 * red()[CELL])].map(|without| (score - without) / score);
        assert_close(&map(methods::ABLATION_CAM), &positive(red() * lost[0] + GREEN * lost[1]), 1e-4, "ablationcam");
    }
}

/// tests/data/blocks.pt, run by libtorch's own interpreter.
struct Reference {
    model: Model,
    input: Tensor,
    file: tempfile::NamedTempFile,
}

impl Reference {
    fn new() -> Self {
        let model = load("blocks");
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        model.export(file.path(), &ExportOptions::default()).expect("it is exported");
        tch::manual_seed(1);
        Self { model, input: Tensor::rand([1, 3, 64, 96], (Kind::Float, Device::Cpu)), file }
    }

    fn module(&self) -> CModule {
        let mut module = CModule::load(self.file.path()).expect("it loads");
        module.set_eval();
        module
    }

    /// Decoded predictions `[rows, 7]`: centre, size, objectness, two classes.
    fn predictions(module: &CModule, input: &Tensor) -> Array2<f32> {
        let output = tch::no_grad(|| module.forward_is(&[IValue::Tensor(input.shallow_clone())])).expect("it runs");
        let IValue::Tuple(mut parts) = output else { panic!("a tuple") };
        let boxes = Tensor::try_from(parts.remove(0)).expect("a tensor");
        let rows = boxes.size()[1] as usize;
        let values = Vec::try_from(boxes.contiguous().view(-1)).expect("f32");
        Array2::from_shape_vec((rows, 7), values).expect("7 values each")
    }

    fn options(&self, method: Method, method_options: MethodOptions) -> ExplainOptions {
        let detect = DetectOptions::default().with_conf_threshold(Some(0.0)).with_max_det(Some(3));
        let target_layer = TargetLayer::Layers(vec![self.model.find_layer("11").expect("it has one")]);
        ExplainOptions::default()
            .with_method(method)
            .with_method_options(method_options)
            .with_target_layer(target_layer)
            .with_detect(detect)
    }

    fn boxes(&self, method: Method, method_options: MethodOptions) -> Vec<ExplainedBox> {
        let boxes = explained(&self.model, &self.input, &self.options(method, method_options));
        assert_eq!(boxes.len(), 3);
        boxes
    }

    /// Activations `[16, 8, 12]` of layer 11.
    fn acts(&self) -> Array3<f32> {
        let layer = self.model.find_layer("11").expect("it has one");
        let tap = self.model.forward(&self.input, &[layer]).expect("it runs").taps.remove(0).detach();
        Array3::from_shape_vec((16, 8, 12), Vec::try_from(tap.contiguous().view(-1)).expect("f32")).expect("its shape")
    }
}

/// IoU of a prediction (centre and size) with corners.
fn iou(prediction: ndarray::ArrayView1<f32>, b: [f32; 4]) -> f32 {
    let (w, h) = (prediction[2], prediction[3]);
    let own = [prediction[0] - w / 2.0, prediction[1] - h / 2.0, prediction[0] + w / 2.0, prediction[1] + h / 2.0];
    let width = (own[2].min(b[2]) - own[0].max(b[0])).max(0.0);
    let height = (own[3].min(b[3]) - own[1].max(b[1])).max(0.0);
    let overlap = width * height;
    overlap / (w * h + (b[2] - b[0]) * (b[3] - b[1]) - overlap)
}

/// The best IoU · objectness · class probability.
fn score(predictions: &Array2<f32>, found: &ExplainedBox) -> f32 {
    let b = found.detection.box_input.expect("a detector gives boxes").into();
    let one = |row: ndarray::ArrayView1<f32>| iou(row, b) * row[4] * row[5 + found.detection.class_id];
    predictions.rows().into_iter().map(one).fold(0.0, f32::max)
}

fn positive_sum(acts: &Array3<f32>, weights: &Array1<f32>) -> Array2<f32> {
    let sum = acts.outer_iter().zip(weights).fold(Array2::zeros((8, 12)), |sum, (act, &weight)| sum + &act * weight);
    sum.mapv_into(|value: f32| value.max(0.0))
}

#[test]
fn ablation_cam_is_that_of_a_network_without_the_channel() {
    let reference = Reference::new();
    let boxes = reference.boxes(methods::ABLATION_CAM, MethodOptions::default());
    let whole = Reference::predictions(&reference.module(), &reference.input);
    // A channel of this layer is 0 where its convolution has no weights: its ReLU6 of 0 is 0.
    let without: Vec<Array2<f32>> = (0..16)
        .map(|channel| {
            let module = reference.module();
            for (name, tensor) in module.named_parameters().expect("it has some") {
                if name.starts_with("model.11.conv.") {
                    _ = tch::no_grad(|| tensor.get(channel).zero_());
                }
            }
            Reference::predictions(&module, &reference.input)
        })
        .collect();
    let acts = reference.acts();
    for (index, found) in boxes.iter().enumerate() {
        let all = score(&whole, found);
        let weights = without.iter().map(|predictions| (all - score(predictions, found)) / all).collect();
        assert_close(found.heatmap.values(), &positive_sum(&acts, &weights), 2e-3, &format!("box {index}"));
    }
}

#[test]
fn score_cam_is_that_of_pictures_masked_one_by_one() {
    let reference = Reference::new();
    let boxes = reference.boxes(methods::SCORE_CAM, MethodOptions::default().with_batch(5));
    let (acts, module) = (reference.acts(), reference.module());
    let masked: Vec<Array2<f32>> = acts
        .axis_iter(Axis(0))
        .map(|act| {
            let small = Tensor::try_from(&act.to_owned()).expect("f32").view([1, 1, 8, 12]);
            let large = small.upsample_bilinear2d([64, 96], false, None, None);
            let (least, most) = (large.min().double_value(&[]), large.max().double_value(&[]));
            let range = if most > least { most - least } else { 1.0 };
            Reference::predictions(&module, &(&reference.input * ((large - least) / range)))
        })
        .collect();
    for (index, found) in boxes.iter().enumerate() {
        let powers: Array1<f32> = masked.iter().map(|predictions| score(predictions, found).exp()).collect();
        let weights = &powers / powers.sum();
        assert_close(found.heatmap.values(), &positive_sum(&acts, &weights), 1e-3, &format!("box {index}"));
    }
}

#[test]
fn d_rise_is_the_mean_of_masks_run_one_by_one() {
    let reference = Reference::new();
    let options = MethodOptions::default().with_masks(40).with_seed(7).with_batch(16);
    let boxes = reference.boxes(methods::D_RISE, options);
    let module = reference.module();
    let whole = Reference::predictions(&module, &reference.input);
    for (index, found) in boxes.iter().enumerate() {
        let own = whole.row(found.detection.place.index);
        let (mut weighted, mut seen) = (Array2::zeros((64, 96)), Array2::zeros((64, 96)));
        for mask_index in 0..40 {
            let mask = random_masks(7, &[mask_index], 64, 96).expect("it is made");
            let predictions = Reference::predictions(&module, &(&reference.input * &mask));
            let length = |row: ndarray::ArrayView1<f32>| row[5].hypot(row[6]);
            let one = |row: ndarray::ArrayView1<f32>| {
                let cosine = (row[5] * own[5] + row[6] * own[6]) / (length(row) * length(own));
                iou(row, found.detection.box_input.expect("a detector gives boxes").into()) * row[4] * cosine
            };
            let score = predictions.rows().into_iter().map(one).fold(0.0, f32::max);
            let values = Vec::<f32>::try_from(mask.contiguous().view(-1)).expect("f32");
            let mask = Array2::from_shape_vec((64, 96), values).expect("its shape");
            weighted.scaled_add(score, &mask);
            seen += &mask;
        }
        assert_close(found.heatmap.values(), &(weighted / seen), 1e-3, &format!("box {index}"));
    }
}

#[test]
fn maps_depend_neither_on_the_batch_nor_on_threads() {
    let reference = Reference::new();
    for method in [methods::SCORE_CAM, methods::ABLATION_CAM, methods::D_RISE] {
        let with = |batch| reference.boxes(method, MethodOptions::default().with_masks(30).with_batch(batch));
        let expected = with(8);
        let threads = tch::get_num_threads();
        let others = [with(1), with(7), {
            tch::set_num_threads(1);
            let boxes = with(8);
            tch::set_num_threads(threads);
            boxes
        }];
        for (found, expected) in others.iter().flat_map(|boxes| boxes.iter().zip(&expected)) {
            assert_close(found.heatmap.values(), expected.heatmap.values(), 1e-4, method.name);
        }
    }
}

/// docs/guide/choosing.md says so, and why.
#[test]
fn grad_cam_has_one_map_for_boxes_of_one_class_level_and_anchor() {
    let model = Model::load("weights/yolov5s.torchscript", Device::Cpu).expect("the bundled model loads");
    let picture = yolo_cam::picture::read("images/horses.jpg").expect("the picture is sound");
    let boxes = |method| {
        let options = ExplainOptions::default().with_method(method);
        yolo_cam::explain(&model, &picture, &options).expect("it is explained").boxes
    };
    let (pooled, element_wise) = (boxes(methods::GRAD_CAM), boxes(methods::BEST));
    let kind = |index: usize| {
        let Detection { class_id, place, .. } = &pooled[index].detection;
        (*class_id, place.level, place.slot)
    };
    let mut alike = 0;
    for (first, second) in (0..pooled.len()).flat_map(|second| (0..second).map(move |first| (first, second))) {
        let differ = |boxes: &[ExplainedBox]| boxes[first].heatmap != boxes[second].heatmap;
        assert_eq!(differ(&pooled), kind(first) != kind(second), "boxes {first} and {second}");
        assert!(differ(&element_wise), "boxes {first} and {second}");
        alike += usize::from(kind(first) == kind(second));
    }
    assert!(alike > 0, "there are none to compare");
}

#[test]
fn d_rise_points_into_each_box_of_a_picture() {
    let model = Model::load("weights/yolov5s.torchscript", Device::Cpu).expect("the bundled model loads");
    let picture = yolo_cam::picture::read("images/dog.jpg").expect("the picture is sound");
    let method_options = MethodOptions::default().with_masks(2000);
    let options = ExplainOptions::default().with_method(methods::D_RISE).with_method_options(method_options);
    let mut steps = Vec::new();
    let explanation = explain_watched(&model, &picture, &options, &mut |done, total| {
        steps.push((done, total));
        ControlFlow::Continue(())
    });
    let boxes = explanation.expect("it is explained").boxes;
    assert_eq!(boxes.len(), 4);
    for found in boxes {
        let map = found.heatmap.values();
        let highest = map.indexed_iter().max_by(|a, b| a.1.total_cmp(b.1)).map(|(cell, _)| cell);
        let (y, x) = highest.expect("a map has cells");
        let b = found.detection.box_input.expect("a detector gives boxes");
        let (x, y) = (x as f32 + 0.5, y as f32 + 0.5);
        assert!((b.x1..b.x2).contains(&x) && (b.y1..b.y2).contains(&y), "({x}, {y}) is not in {b:?}");
    }
    assert_eq!((steps.len(), steps[0], steps[249]), (250, (8, 2000), (2000, 2000)));
}

#[test]
fn fewer_channels_are_those_that_vary_most() {
    let reference = Reference::new();
    let with =
        |max_channels| reference.boxes(methods::ABLATION_CAM, MethodOptions::default().with_max_channels(max_channels));
    let (all, sixteen, one) = (with(None), with(Some(16)), with(Some(1)));
    assert_eq!(all[0].heatmap, sixteen[0].heatmap);
    let acts = reference.acts();
    let spread: Vec<f32> = acts.outer_iter().map(|act| act.std(0.0)).collect();
    let widest = (0..16).max_by(|&a, &b| spread[a].total_cmp(&spread[b])).expect("channels");
    let (map, act) = (one[0].heatmap.values(), acts.index_axis(Axis(0), widest));
    let factor = map.sum() / act.sum();
    assert_close(map, &(&act * factor), 1e-4, "one channel");
}
