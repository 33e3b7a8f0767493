//! Figures of maps: against answers worked out by hand on a detector whose evidence is known, and as a user gets them.

mod common;

use std::{fs, path::Path};

use common::{browser::in_frame, files, material, report, temp, yolo_cam, yolov5s};
use ndarray::Array2;
use predicates::{prelude::*, str::contains};
use serde_json::{Value, json};
use tch::{CModule, Device, Kind, Tensor};
use tempfile::TempDir;
use yolo_cam::explain::methods;
use yolo_cam::{
    ExplainOptions, ExportOptions, Method, Model, TargetLayer,
    detect::{DetectOptions, Detection, Letterbox, detect},
    eval::{
        Agreement, Candidate, ClassCheck, Crew, CurveOptions, Figures, LEAST_SCORE, Objects, Protocol, Randomization,
        Randomized, Scene, evaluate, random_map,
    },
    explain::{explain_found, unwatched},
    geometry::Size,
    labels::Label,
    picture,
};

/// A detector that looks at one patch for each box: tests/data/three.pt, in which a cell's features are the mean colours of
/// its own 8x8 pixels, with 40·red - 20 as logits of objectness and class. Without the patch nothing is found, and nothing else matters.
mod known_evidence {
    use super::*;

    const SIDE: u32 = 32;
    const SIZE: Size = Size { width: SIDE, height: SIDE };
    /// The red cell, row and column.
    const CELL: (usize, usize) = (1, 2);
    /// As many pixels in each step as a cell has.
    const STEPS: usize = 16;

    fn sigmoid(x: f64) -> f64 {
        1.0 / (1.0 + (-x).exp())
    }

    /// The score of the whole picture: objectness times class.
    fn whole() -> f64 {
        sigmoid(20.0) * sigmoid(20.0)
    }

    struct Known {
        crew: Crew,
        input: Tensor,
        detections: Vec<Detection>,
    }

    impl Known {
        fn new() -> Self {
            let folder = temp();
            let path = folder.path().join("patch.torchscript");
            let three = Model::load("tests/data/three.pt", Device::Cpu).expect("it loads");
            three.export(&path, &ExportOptions::default()).expect("it is exported");
            let module = CModule::load(&path).expect("libtorch loads it");
            tch::no_grad(|| {
                for (name, tensor) in module.named_parameters().expect("it has some") {
                    if name.ends_with(".m.0.weight") {
                        // Channels: x, y, w, h, objectness, two classes; inputs: red and green.
                        let logits = tensor.narrow(0, 4, 2);
                        _ = logits.narrow(1, 0, 1).fill_(40.0);
                        _ = logits.narrow(1, 1, 1).fill_(0.0);
                    } else if name.ends_with(".m.0.bias") {
                        _ = tensor.narrow(0, 4, 2).fill_(-20.0);
                    }
                }
            });
            module.save(&path).expect("it is saved");
            let model = Model::load(&path, Device::Cpu).expect("it loads");
            let input = Tensor::zeros([1, 3, i64::from(SIDE), i64::from(SIDE)], (Kind::Float, Device::Cpu));
            let patch = input.narrow(1, 0, 1).narrow(2, 8 * CELL.0 as i64, 8).narrow(3, 8 * CELL.1 as i64, 8);
            _ = patch.shallow_clone().fill_(1.0);
            let heads = model.forward(&input, &[]).expect("it runs").outputs;
            let detections = detect(&model, &heads, &DetectOptions::default()).expect("it is decoded");
            assert_eq!(detections.len(), 1);
            assert!((f64::from(detections[0].confidence) - whole()).abs() < 1e-6);
            Self { crew: Crew::new(&model, 1).expect("it is shared"), input, detections }
        }

        fn figures(&mut self, maps: &[Array2<f32>], protocol: Protocol) -> Vec<Figures> {
            let candidates: Vec<Candidate> = maps.iter().map(|map| Candidate { detection: 0, map }).collect();
            let detected = Objects::detected(&self.detections, &self.detections);
            let scene = Scene { input: &self.input, detections: &self.detections, detected: &detected, labels: None };
            let options =
                CurveOptions::default().with_protocol(protocol).with_steps(Some(STEPS)).with_batch(5).with_seed(0);
            evaluate(&mut self.crew, &scene, &candidates, &options, &mut unwatched).expect("it is evaluated")
        }
    }

    /// `patch` in the red cell, `elsewhere` in all others.
    fn map(patch: f32, elsewhere: f32) -> Array2<f32> {
        let side = SIDE as usize;
        Array2::from_shape_fn((side, side), |(y, x)| if (y / 8, x / 8) == CELL { patch } else { elsewhere })
    }

    fn assert_near(found: f64, expected: f64, what: &str) {
        assert!((found - expected).abs() < 1e-4, "{what}: {found}, expected {expected}");
    }

    #[test]
    fn a_perfect_map_gets_the_best_and_a_wrong_one_the_worst() {
        let mut known = Known::new();
        let steps = STEPS as f64;
        for protocol in [Protocol::Vps, Protocol::DRise] {
            let name = protocol.name();
            let figures = known.figures(&[map(1.0, 0.0), map(0.0, 1.0)], protocol);
            // All is lost, or found, in the first step; half a trapezoid.
            let (sudden, steady) = (whole() / 2.0 / steps, whole() * (1.0 - 1.0 / 2.0 / steps));
            assert_near(figures[0].curves.deletion.area, sudden, &format!("{name}: deletion of the perfect map"));
            assert_near(figures[0].curves.insertion.area, steady, &format!("{name}: insertion of the perfect map"));
            assert_near(figures[1].curves.deletion.area, steady, &format!("{name}: deletion of the wrong map"));
            assert_near(figures[1].curves.insertion.area, sudden, &format!("{name}: insertion of the wrong map"));
            let mut expected = vec![0.0; STEPS + 1];
            expected[0] = whole() as f32;
            for (found, expected) in figures[0].curves.deletion.scores.iter().zip(expected) {
                assert_near(f64::from(*found), f64::from(expected), name);
            }
        }
    }

    #[test]
    fn no_map_is_better_than_the_perfect_one_or_worse_than_the_wrong_one() {
        let mut known = Known::new();
        let mut maps = vec![map(1.0, 0.0), map(0.0, 1.0)];
        maps.extend((0..20).map(|index| random_map(SIZE, 0, index)));
        for protocol in Protocol::ALL {
            let overall: Vec<f64> = known
                .figures(&maps, protocol)
                .iter()
                .map(|figures| figures.curves.insertion.area - figures.curves.deletion.area)
                .collect();
            let others = &overall[2..];
            assert!(others.iter().all(|other| *other < overall[0]), "{}: {overall:?}", protocol.name());
            assert!(others.iter().all(|other| *other > overall[1]), "{}: {overall:?}", protocol.name());
        }
    }

    #[test]
    fn odam_scores_are_shares_of_the_whole() {
        let mut known = Known::new();
        let figures = known.figures(&[map(1.0, 0.0)], Protocol::Odam);
        let Figures { curves, .. } = &figures[0];
        assert_eq!((curves.deletion.scores[0], curves.insertion.scores[STEPS]), (1.0, 1.0));
        // What is left is random colours: the same at the end of deletion and the beginning of insertion.
        assert_eq!(curves.deletion.scores[STEPS], curves.insertion.scores[0]);
    }

    #[test]
    fn the_other_metrics_have_their_values() {
        let mut known = Known::new();
        let mut peaked = map(1.0, 0.0);
        peaked[[8, 16]] = 2.0;
        let figures = known.figures(&[peaked, map(0.0, 1.0), map(3.0, 1.0)], Protocol::Vps);
        let [perfect, wrong, half] = figures.as_slice() else { panic!("three") };
        let b = known.detections[0].box_input.expect("a detector gives boxes");
        assert!((b.x1 - 16.0).abs() < 1e-4 && (b.y2 - 16.0).abs() < 1e-4, "the box is the cell: {b:?}");
        assert_eq!(
            (
                perfect.detected.expect("it has a box").pointing_game,
                wrong.detected.expect("it has a box").pointing_game
            ),
            (1.0, 0.0)
        );
        assert_near(perfect.detected.expect("it has a box").energy_pointing_game, 1.0, "energy of the perfect map");
        assert_near(wrong.detected.expect("it has a box").energy_pointing_game, 0.0, "energy of the wrong map");
        assert_near(
            half.detected.expect("it has a box").energy_pointing_game,
            3.0 * 64.0 / (3.0 * 64.0 + 960.0),
            "energy of the other",
        );
        assert_eq!(
            perfect.detected.expect("it has a box").object_discrimination_index,
            Some(0.0),
            "there are no others"
        );
        // Maximum 2, mean 65/1024; distances from the corner of the patch: 0..7 squared has the mean 17.5, in x and y; a
        // quarter of the diagonal's square is 512.
        assert_near(perfect.sparsity.expect("a figure"), 2.0 * 1024.0 / 65.0, "sparsity");
        assert_near(perfect.compactness.expect("a figure"), (35.0f64 * 64.0 / 65.0 / 512.0).sqrt(), "compactness");
    }

    #[test]
    fn a_label_elsewhere_is_another_truth() {
        let mut known = Known::new();
        let mut label = known.detections[0].box_input.expect("a detector gives boxes");
        label.x1 -= 4.0;
        let objects = Objects::labelled(&known.detections, &[Label::new(known.detections[0].class_id, label)]);
        let detected = Objects::detected(&known.detections, &known.detections);
        let scene =
            Scene { input: &known.input, detections: &known.detections, detected: &detected, labels: Some(&objects) };
        let all = Array2::from_elem((SIDE as usize, SIDE as usize), 1.0);
        let candidates = [Candidate { detection: 0, map: &all }];
        let options = CurveOptions::default().with_steps(Some(2));
        let figures =
            evaluate(&mut known.crew, &scene, &candidates, &options, &mut unwatched).expect("it is evaluated");
        assert_near(figures[0].detected.expect("it has a box").energy_pointing_game, 64.0 / 1024.0, "the box");
        assert_near(figures[0].labelled.expect("a label").energy_pointing_game, 96.0 / 1024.0, "the label");
    }
}

/// Maps of a model, and what is left of them as its weights are shuffled.
struct Shuffled {
    model: Model,
    input: Tensor,
    detections: Vec<Detection>,
    randomization: Randomization,
}

impl Shuffled {
    fn new(model: Model, side: u32, found: &DetectOptions) -> Self {
        let picture = picture::read("images/dog.jpg").expect("it is sound");
        let letterbox = Letterbox::new(&picture, side, model.max_stride()).expect("it has pixels");
        let input = letterbox.tensor(Device::Cpu).expect("there is memory");
        let heads = model.forward(&input, &[]).expect("it runs").outputs;
        let detections = detect(&model, &heads, found).expect("it is decoded");
        assert!(detections.len() > 1);
        let randomization = Randomization::new(&model, 0).expect("it loads");
        Self { model, input, detections, randomization }
    }

    fn run(&mut self, method: Method, layer: &str) -> Vec<Randomized> {
        let Self { model, input, detections, randomization } = self;
        let target_layer = TargetLayer::Layers(vec![model.find_layer(layer).expect("it has one")]);
        let options = ExplainOptions::default().with_method(method).with_target_layer(target_layer);
        let maps = explain_found(model, input, detections.clone(), &options, &mut unwatched).expect("it runs");
        randomization.run(model, input, &maps, &options, &mut unwatched).expect("it runs")
    }
}

#[test]
fn maps_depend_on_weights_or_it_shows() {
    // It was never trained, and its scores are about as high with shuffled weights: high enough.
    let tiny = Model::load("tests/data/tiny/yolov3-tiny.pt", Device::Cpu).expect("it loads");
    let found = DetectOptions::default().with_conf_threshold(Some(0.0)).with_top(Some(4));
    let mut shuffled = Shuffled::new(tiny, 64, &found);
    let before = "model.8";
    let eigen = shuffled.run(methods::EIGEN_CAM, before);
    assert_eq!(eigen[0].lost, [false; 4]);
    assert_eq!(eigen[0].correlations, [Some(1.0); 4], "the head is behind what it looks at");
    let low = |correlations: &[f64]| !correlations.is_empty() && correlations.iter().all(|value| value.abs() < 0.9);
    let last: Vec<f64> = eigen.last().expect("modules").correlations.iter().copied().flatten().collect();
    assert!(low(&last), "{last:?}");
    let grad = shuffled.run(methods::GRAD_CAM, before);
    let last: Vec<f64> = grad.last().expect("modules").correlations.iter().copied().flatten().collect();
    assert!(low(&last), "{last:?}");
    assert_eq!(shuffled.run(methods::GRAD_CAM, before), grad, "the weights are restored, and the seed is the same");
}

#[test]
fn of_a_box_that_is_no_longer_found_there_is_no_map_to_compare() {
    let mut shuffled = Shuffled::new(yolov5s(), 320, &DetectOptions::default());
    let boxes = shuffled.detections.len();
    // It looks before the head, whose weights change nothing for it: its maps would correlate.
    let eigen = shuffled.run(methods::EIGEN_CAM, "model.17");
    assert_eq!((eigen[0].module.as_str(), eigen.len()), ("model.24", 19));
    for module in &eigen {
        assert_eq!(module.lost, vec![true; boxes], "{}", module.module);
        assert_eq!((&module.correlations, &module.inside), (&vec![None; boxes], &vec![None; boxes]));
    }
}

impl Shuffled {
    /// What becomes of the maps as classes are swapped.
    fn swap(&mut self, method: Method, target_layer: TargetLayer) -> Vec<ClassCheck> {
        let Self { model, input, detections, randomization } = self;
        let options = ExplainOptions::default().with_method(method).with_target_layer(target_layer);
        let maps = explain_found(model, input, detections.clone(), &options, &mut unwatched).expect("it runs");
        randomization.swap_classes(model, input, &maps, &options, &mut unwatched).expect("it runs")
    }
}

fn whole(agreement: Option<Agreement>) -> f64 {
    agreement.expect("it was compared").correlation.expect("both have a signal")
}

#[test]
fn maps_follow_the_class_whose_rows_the_head_has() {
    let mut shuffled = Shuffled::new(yolov5s(), 320, &DetectOptions::default());
    let layer = TargetLayer::Layers(vec![shuffled.model.find_layer("model.17").expect("it has one")]);
    let grad = shuffled.swap(methods::GRAD_CAM, TargetLayer::Auto);
    assert_eq!(grad.len(), shuffled.detections.len());
    let names = shuffled.model.names();
    let swapped = |index: usize| names[grad[index].partner.expect("there are 80 classes")].as_str();
    let dog = shuffled.detections.iter().position(|found| names[found.class_id] == "dog").expect("it is found");
    assert_ne!(swapped(dog), "dog");
    for (check, found) in grad.iter().zip(&shuffled.detections) {
        let name = &names[found.class_id];
        assert!(!check.lost, "{name} is found under the other name");
        assert!(check.follows.is_none_or(|follows| follows.correlation.is_none_or(|value| value > 0.9999)), "{name}");
    }
    assert!(grad.iter().any(|check| check.kept.is_some_and(|kept| kept.correlation.is_some_and(|value| value < 0.5))));
    // It looks at no class and at no box.
    for check in shuffled.swap(methods::EIGEN_CAM, layer) {
        let all = [check.follows, check.kept, check.other_box].map(whole);
        assert!(all.iter().all(|value| *value > 0.9999), "{all:?}");
    }
    let again = shuffled.swap(methods::GRAD_CAM, TargetLayer::Auto);
    assert_eq!(again, grad, "the weights are restored");
}

#[test]
fn classes_are_swapped_in_the_heads_of_all_families() {
    let mut alive = 0;
    for path in ["tiny/v7-seg.pt", "three.pt", "families/tiny/11-cls.pt"].into_iter().chain([
        "families/tiny/v8.pt",
        "families/tiny/v10b.pt",
        "families/tiny/26-seg.pt",
    ]) {
        let Some(file) = material(path) else { continue };
        let model = Model::load(file, Device::Cpu).expect("it loads");
        let found = DetectOptions::default().with_conf_threshold(Some(0.0)).with_top(Some(2));
        let mut shuffled = Shuffled::new(model, 64, &found);
        let checks = shuffled.swap(methods::HIRES_CAM, TargetLayer::Auto);
        assert!(checks.iter().any(|check| check.partner.is_some()), "{path}");
        for (check, own) in checks.iter().zip(&shuffled.detections) {
            assert!(check.partner != Some(own.class_id), "{path}: {check:?}");
            assert_eq!(
                check.lost,
                check.partner.is_some() && own.confidence < LEAST_SCORE,
                "{path}: {check:?}, {own:?}"
            );
            let follows = check.follows.and_then(|follows| follows.correlation);
            assert!(follows.is_none_or(|value| value > 0.9999), "{path}: {check:?}");
            alive += usize::from(follows.is_some());
        }
        assert!(checks[0].other_box.is_some(), "{path}: there are two");
    }
    assert!(alive >= 2, "those of the classifier");
}

/// The program, told to compare into `output`.
fn compare(output: &TempDir) -> assert_cmd::Command {
    let mut command = yolo_cam();
    command.args(["compare", "--model-path", "weights/yolov5s.torchscript", "--output-dir"]).arg(output.path());
    command
}

fn text(output: &TempDir, name: &str) -> String {
    fs::read_to_string(output.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The rows of a report but for the cost, which is a time.
fn rows(output: &TempDir) -> Value {
    let mut rows = report(&output.path().join("compare.json"))["rows"].take();
    for row in rows.as_array_mut().expect("rows") {
        row.as_object_mut().expect("a row").remove("cost");
    }
    rows
}

#[test]
fn figures_are_the_same_for_any_batch_threads_and_order() {
    let run = |pictures: [&str; 2], arguments: [&str; 4]| {
        let output = temp();
        compare(&output)
            .arg("--img-path")
            .args(pictures)
            .args(["--methods", "gradcam,best,d-rise", "--masks", "12", "--steps", "4", "--img-size", "320"])
            .args(arguments)
            .assert()
            .success();
        (rows(&output), text(&output, "compare.csv"))
    };
    let one = run(["images/dog.jpg", "images/eagle.jpg"], ["--threads", "1", "--batch", "1"]);
    assert!(one.1.lines().count() > 2 * 5);
    let other = run(["images/eagle.jpg", "images/dog.jpg"], ["--threads", "3", "--batch", "7"]);
    assert!(one == other, "{}\n{}", one.1, other.1);
    // More threads than jobs: several for each.
    let crews = run(["images/eagle.jpg", "images/dog.jpg"], ["--threads", "13", "--batch", "2"]);
    assert!(one == crews, "{}\n{}", one.1, crews.1);
}

#[test]
fn a_run_that_was_stopped_goes_on_with_the_same_figures() {
    let output = temp();
    let run = |methods: &str, steps: &str| {
        let mut command = compare(&output);
        command.args(["--img-path", "images/dog.jpg", "images/eagle.jpg", "--img-size", "320", "--skip-existing"]);
        command.args(["--methods", methods, "--steps", steps]);
        command.assert()
    };
    run("gradcam,best", "3").success();
    let (whole, csv) = (rows(&output), text(&output, "compare.csv"));
    let journal = text(&output, "compare.jsonl");
    let half: Vec<&str> = journal.lines().take(4).collect();
    fs::write(output.path().join("compare.jsonl"), half.join("\n") + "\n{\"image\": \"ima").expect("it is written");
    run("gradcam,best", "3").success().stderr(contains("note: 3 maps of pictures are measured already"));
    assert_eq!(rows(&output), whole);
    assert_eq!(text(&output, "compare.csv"), csv);
    // Another method is added to those.
    run("gradcam,best,layercam", "3").success().stderr(contains("note: 8 maps of pictures are measured already"));
    assert_eq!(rows(&output).as_array().map(Vec::len), Some(5));
    run("gradcam", "4").code(2).stderr(contains("is of a run with steps 3, now 4; take another --output-dir"));
}

#[test]
fn the_random_baseline_has_the_boxs_share_and_best_beats_the_gaussian() {
    let output = temp();
    compare(&output)
        .args(["--img-path", "images/", "--methods", "best,gradcam", "--steps", "8"])
        .assert()
        .success()
        .stdout(contains("Take --method best: insertion - deletion"));
    let rows = rows(&output);
    let row = |name: &str| {
        let is_named = |row: &&Value| row["explainer"] == name || row["explainer"]["method"]["name"] == name;
        rows.as_array().expect("rows").iter().find(is_named).unwrap_or_else(|| panic!("no {name}")).clone()
    };
    let number = |value: &Value| value.as_f64().expect("a number");

    let mut shares = Vec::new();
    for record in csv(&output) {
        if record["method"] == "random" {
            let (share, energy) = (parsed(&record["box_share"]), parsed(&record["energy_pointing_game"]));
            assert!((share - energy).abs() < 0.01, "{record:?}");
            shares.push(share);
        }
    }
    let share = shares.iter().sum::<f64>() / shares.len() as f64;
    let energy = &row("random")["detected"]["energy_pointing_game"];
    assert!((number(&energy["low"])..=number(&energy["high"])).contains(&share), "{share}: {energy}");

    let best = row("best");
    assert_eq!(best["rank"], 1);
    assert!(number(&best["above_gaussian"]["mean"]) > 0.0, "{}", best["above_gaussian"]);
    let energy = number(&best["detected"]["energy_pointing_game"]["mean"]);
    assert!(energy >= 0.9, "{energy}");
}

/// The table, each row by its columns.
fn csv(output: &TempDir) -> Vec<std::collections::HashMap<String, String>> {
    csv_of(output, "compare.csv")
}

fn csv_of(output: &TempDir, name: &str) -> Vec<std::collections::HashMap<String, String>> {
    let text = text(output, name);
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let header = lines.next().expect("a header");
    lines.map(|line| header.iter().cloned().zip(line).collect()).collect()
}

fn parsed(text: &str) -> f64 {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn labels_count_beside_the_models_own_boxes() {
    let (output, labels) = (temp(), temp());
    // The dog, and nothing of the bicycle.
    fs::write(labels.path().join("dog.txt"), "16 0.3 0.7 0.25 0.5\n").expect("it is written");
    let run = |labels: &Path| {
        let mut command = yolo_cam();
        command.args(["eval", "--model-path", "weights/yolov5s.torchscript", "--img-path", "images/dog.jpg"]);
        command.args(["images/eagle.jpg", "--img-size", "320", "--steps", "2", "--sanity", "--output-dir"]);
        command.arg(output.path()).arg("--labels").arg(labels).assert()
    };
    run(labels.path()).success().stdout(
        contains("ENERGY PG (LABELS)")
            .and(contains("BY RANK (LABELS)"))
            .and(contains("(1 of 2 pictures have some)"))
            .and(contains("Rank correlation of the maps of gradcam at auto"))
            .and(contains("class swapped: its map and that of the other class"))
            .and(contains("LOST: no signal: the detector no longer finds this box (its score is below 0.01).")),
    );
    let page = text(&output, "eval.html");
    assert!(page.contains("<small>labels</small>") && page.contains("Do the maps depend on what was learnt?"));
    assert!(!page.contains("{{") && page.matches("<figure>").count() == 3);
    assert!(files(&output).contains(&"eval-files".to_owned()));
    let measured = report(&output.path().join("eval.json"));
    assert_eq!(measured["rows"][0]["labelled"]["energy_pointing_game"]["count"], 1);
    assert_eq!(measured["rows"][0]["labelled"]["energy_by_rank"]["count"], 1);
    let head = &measured["randomization"][0]["modules"][0];
    assert_eq!(head["module"], "model.24");
    let boxes = measured["rows"][0]["boxes"].as_u64().expect("a count");
    assert_eq!((&head["lost"], &head["empty"], &head["correlation"]), (&boxes.into(), &0.into(), &Value::Null));
    assert!(page.contains("boxes no longer found") && page.contains("Do the maps depend on class and box?"));
    let checks = &measured["class_checks"][0]["checks"];
    assert_eq!((&checks[0]["check"], &checks[0]["lost"]), (&"follows".into(), &0.into()));
    assert!(checks[0]["correlation"]["mean"].as_f64().is_some_and(|mean| mean > 0.9999), "{checks}");
    let swapped = csv_of(&output, "eval.csv").into_iter().filter(|row| row["method"] == "gradcam");
    assert!(swapped.into_iter().all(|row| !row["swapped_class"].is_empty() && row["swapped_class"] != row["class"]));
    // All of 19 modules; the baselines know no network.
    let lost =
        csv_of(&output, "eval.csv").into_iter().map(|row| (row["method"].clone(), row["randomized_lost"].clone()));
    for (method, lost) in lost {
        assert_eq!(lost, if method == "gradcam" { "19" } else { "" }, "{method}");
    }

    let coco = output.path().join("coco.json");
    fs::write(&coco, "{}").expect("it is written");
    run(&coco).code(2).stderr(contains("is no COCO file").and(contains("a folder of YOLO's text files")));
    run(Path::new("nowhere")).code(2).stderr(contains("nowhere"));
    // The same settings, but other labels: their figures would be mixed.
    let mut command = yolo_cam();
    command.args(["eval", "--model-path", "weights/yolov5s.torchscript", "--img-path", "images/dog.jpg"]);
    command.args(["--img-size", "320", "--steps", "2", "--sanity", "--skip-existing", "--output-dir"]);
    command.arg(output.path()).arg("--labels").arg(labels.path());
    command.assert().success().stderr(contains("are measured already"));
    fs::write(labels.path().join("dog.txt"), "16 0.3 0.7 0.25 0.6\n").expect("it is written");
    command.assert().code(2).stderr(contains("is of a run with labels_sha256"));
    // One file for two pictures.
    let other = output.path().join("dog.jpg");
    fs::copy("images/eagle.jpg", &other).expect("it is copied");
    let mut command = yolo_cam();
    command.args(["eval", "--model-path", "weights/yolov5s.torchscript", "--img-size", "320", "--steps", "2"]);
    command.arg("--output-dir").arg(output.path()).arg("--labels").arg(labels.path());
    command.args(["--img-path", "images/dog.jpg"]).arg(&other);
    command.assert().success().stderr(contains("have the same label file"));

    fs::write(labels.path().join("dog.txt"), "dog 0 0 1 1\n").expect("it is written");
    run(labels.path()).code(1).stderr(contains("dog.txt").and(contains("line 1 is")));
}

#[test]
fn other_objects_count_though_they_are_not_explained() {
    let index = |arguments: &[&str]| {
        let output = temp();
        compare(&output)
            .args(["--img-path", "images/dog.jpg", "--methods", "gradcam", "--steps", "2"])
            .args(arguments)
            .assert()
            .success();
        let dog = csv(&output).into_iter().find(|row| row["method"] == "gradcam" && row["class"] == "dog");
        dog.expect("the dog is found")["object_discrimination_index"].clone()
    };
    let whole = index(&[]);
    assert!(parsed(&whole) > 0.0);
    assert_eq!(index(&["--top", "1"]), whole);
    assert_eq!(index(&["--classes", "dog"]), whole);
}

/// The program, told to measure `maps` on two pictures.
fn eval_of_maps(output: &TempDir, maps: &Path) -> assert_cmd::Command {
    let mut command = yolo_cam();
    command.args(["eval", "--model-path", "weights/yolov5s.torchscript", "--img-size", "320", "--steps", "4"]);
    command.args(["--img-path", "images/dog.jpg", "images/eagle.jpg", "--method", "elementwise"]);
    command.arg("--maps").arg(maps).arg("--output-dir").arg(output.path());
    command
}

#[test]
fn maps_from_files_are_measured_as_the_methods_own_are() {
    let (maps, output) = (temp(), temp());
    let mut explain = yolo_cam();
    explain.args(["--model-path", "weights/yolov5s.torchscript", "--img-size", "320", "--method", "elementwise"]);
    explain.args(["--img-path", "images/dog.jpg", "images/eagle.jpg", "--raw", "--raw-size", "image", "--output-dir"]);
    explain.arg(maps.path()).assert().success();
    let name = format!("maps of {}", maps.path().display());
    eval_of_maps(&output, maps.path())
        .assert()
        .success()
        .stdout(contains(name.as_str()))
        .stderr(contains("warning: ").not());
    let measured = report(&output.path().join("eval.json"));
    let rows = measured["rows"].as_array().expect("rows");
    let of = |is_own: &dyn Fn(&Value) -> bool| rows.iter().find(|row| is_own(&row["explainer"])).expect("a row");
    let (own, read) =
        (of(&|explainer| explainer["method"].is_object()), of(&|explainer| explainer["maps"].is_object()));
    for figure in ["deletion", "insertion", "overall", "above_gaussian"] {
        let [own, read] = [own, read].map(|row| row[figure]["mean"].as_f64().expect("a mean"));
        assert!((own - read).abs() < 0.01, "{figure}: {own} and {read}");
    }
    for figure in ["pointing_game", "energy_pointing_game", "object_discrimination_index"] {
        let [own, read] = [own, read].map(|row| row["detected"][figure]["mean"].as_f64().expect("a mean"));
        assert!((own - read).abs() < 0.02, "{figure}: {own} and {read}");
    }
    assert_eq!((&read["empty"], &read["cost"], &read["flags"]), (&0.into(), &Value::Null, &Value::Null));
    assert!(own["rank"] != read["rank"] && !read["rank"].is_null());
    let folder = maps.path().display().to_string();
    let cells = csv_of(&output, "eval.csv").into_iter().filter(|row| row["method"] == "maps");
    assert!(cells.map(|row| row["layers"].clone()).all(|layers| layers == folder));
    assert!(text(&output, "eval.html").contains(&name));
    // Its files may be others now, and are measured again; the rest is not.
    let boxes = read["boxes"].as_u64().expect("a count");
    fs::remove_file(maps.path().join("eagle-res-0.npy")).expect("it was there");
    eval_of_maps(&output, maps.path()).arg("--skip-existing").assert().success().stderr(
        contains("note: 6 maps of pictures are measured already")
            .and(contains("eagle.jpg: box 0: no map in"))
            .and(contains("expected eagle-res-INDEX.npy or eagle.npy (or .png)"))
            .and(contains(format!("warning: 1 of {boxes} boxes have no map among the {name}"))),
    );
}

#[test]
fn maps_that_are_missing_or_broken_are_told() {
    let (maps, output) = (temp(), temp());
    let run = || eval_of_maps(&output, maps.path()).assert();
    run().code(1).stderr(contains("dog.jpg: boxes 0, 1").and(contains("they count as maps of zeros")));
    let rows = report(&output.path().join("eval.json"))["rows"].take();
    let is_read = |row: &&Value| row["explainer"]["maps"].is_object();
    let row = rows.as_array().expect("rows").iter().find(is_read).expect("it has a row");
    assert_eq!(row["empty"], row["boxes"], "counted, not left out");
    for name in ["dog", "eagle"] {
        fs::write(maps.path().join(format!("{name}.npy")), "no map").expect("it is written");
    }
    run().code(1).stderr(contains("dog.npy").and(contains("is no .npy")));
    fs::copy("images/dog.jpg", maps.path().join("dog.png")).expect("it is copied");
    fs::remove_file(maps.path().join("dog.npy")).expect("it was there");
    run().code(1).stderr(contains("is a picture in colours"));
    let mut command = eval_of_maps(&output, Path::new("images/dog.jpg"));
    command.assert().code(2).stderr(contains("--maps \"images/dog.jpg\" is no folder"));
}

#[test]
fn the_recommended_flags_are_those_that_were_measured() {
    let output = temp();
    let flags = ["--fuse", "max", "--smooth", "1", "--masks", "12", "--seed", "3", "--max-channels", "4"];
    compare(&output)
        .args(["--img-path", "images/eagle.jpg", "--img-size", "320", "--steps", "2"])
        .args(["--methods", "gradcam,odam,ablationcam,d-rise", "--layers", "auto,model.9+6"])
        .args(flags)
        .assert()
        .success();
    let rows = rows(&output);
    let mut found: Vec<&str> = rows.as_array().expect("rows").iter().filter_map(|row| row["flags"].as_str()).collect();
    found.sort_unstable();
    let expected = [
        "--method ablationcam --max-channels 4",
        "--method ablationcam --target-layer model.9,model.6 --fuse max --max-channels 4",
        "--method d-rise --masks 12 --seed 3",
        "--method gradcam",
        "--method gradcam --target-layer model.9,model.6 --fuse max",
        "--method odam --fuse max --smooth 1",
        "--method odam --target-layer model.9,model.6 --fuse max --smooth 1",
    ];
    assert_eq!(found, expected);
    for flags in expected {
        let mut command = yolo_cam();
        command.args(["--model-path", "weights/yolov5s.torchscript", "--img-path", "images/eagle.jpg"]);
        command.args(["--img-size", "320", "--exist-ok", "--output-dir"]).arg(output.path()).args(flags.split(' '));
        command.assert().success();
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "only Linux tells a process its peak memory")]
fn memory_does_not_grow_with_the_number_of_pictures() {
    let pictures = temp();
    let dog = image::open("images/dog.jpg").expect("it is a picture");
    // 14 MB each in memory.
    let large = dog.resize_exact(2500, 1875, image::imageops::FilterType::Nearest);
    let peak = |count: usize| {
        for index in 0..count {
            let path = pictures.path().join(format!("{index}.jpg"));
            if !path.exists() {
                large.save(path).expect("it is written");
            }
        }
        let output = temp();
        let run = compare(&output)
            .args(["-v", "--methods", "gradcam", "--steps", "2", "--img-size", "160", "--top", "1", "--threads", "2"])
            .arg("--img-path")
            .arg(pictures.path())
            .assert()
            .success()
            .stdout(contains(format!("boxes of {count} pictures")));
        let told = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
        let peak = told.lines().find_map(|line| line.strip_prefix("memory: peak ")?.strip_suffix(" MiB"));
        parsed(peak.unwrap_or_else(|| panic!("no peak in {told}")))
    };
    let (few, many) = (peak(4), peak(24));
    // What 20 pictures take together would be 270 MiB.
    assert!(many < few + 90.0, "{few} MiB for 4 pictures, {many} MiB for 24");
}

#[test]
fn the_page_shows_four_figures_first_and_nothing_is_cut_off_in_any_window() {
    let output = temp();
    let mut command = compare(&output);
    command.args(["--img-path", "images/dog.jpg", "--img-size", "320", "--steps", "2", "--methods"]);
    command.args(["gradcam,elementwise", "--layers", "auto,model.17+20+23"]).assert().success();
    let page = output.path().join("compare.html");
    let driver = r#"
        const all = (what) => [...document.querySelectorAll(what)];
        const table = document.querySelector("table.main");
        // Details that are closed have no size.
        const image = all(".cases img")[0];
        await until(() => image.naturalWidth);
        return {
            heads: [...table.tHead.rows[0].cells].map((cell) => cell.textContent),
            folded: all("table").filter((other) => !other.checkVisibility()).length,
            lines: all("figure svg .line").filter((line) => line.getBoundingClientRect().width > 50).length,
            points: all("svg.interval circle").length,
            page: document.documentElement.scrollWidth, frame: innerWidth,
            table: table.scrollWidth - table.parentElement.clientWidth,
            link: image.parentElement.getAttribute("href") === image.getAttribute("src"), large: image.naturalWidth,
        };
    "#;
    for size in [(420, 900), (1400, 900), (3840, 2160)] {
        let Some(found) = in_frame(size, &page, "", driver) else { return };
        let heads =
            ["maps", "insertion - deletion ↑", "above Gaussian ↑", "energy pointing game ↑", "cost forward passes"];
        assert_eq!(found["heads"], json!(heads));
        assert_eq!(found["folded"], 1, "all other figures");
        // Two for each of four kinds of maps and two baselines.
        assert_eq!((&found["lines"], &found["points"]), (&12.into(), &6.into()), "{size:?}");
        assert_eq!(found["frame"], size.0);
        assert!(found["page"].as_u64() <= Some(size.0.into()), "{size:?}: {found}");
        assert!(found["table"].as_i64() <= Some(0), "{size:?}: {found}");
        assert_eq!((&found["link"], &found["large"]), (&true.into(), &768.into()), "the picture in its own size");
    }
}

#[test]
fn pictures_of_cases_show_the_picture_where_there_is_no_heat() {
    let output = temp();
    let flags =
        ["--img-path", "images/dog.jpg", "--methods", "best", "--top", "1", "--img-size", "320", "--steps", "2"];
    compare(&output).args(flags).assert().success();
    let mut files = fs::read_dir(output.path().join("compare-files")).expect("it can be listed");
    let file = files.next().expect("a case has a picture").expect("it can be listed").path();
    let case = image::open(file).expect("it is a picture").into_rgb8();
    let plain = image::open("images/dog.jpg").expect("it is a picture").into_rgb8();
    assert_eq!(case.dimensions(), plain.dimensions());
    // Far from the dog; JPEG changes single pixels, but not what many have in common.
    let mean = |picture: &image::RgbImage, channel: usize| {
        let part = image::imageops::crop_imm(picture, 500, 300, 200, 200).to_image();
        part.pixels().map(|pixel| f64::from(pixel[channel])).sum::<f64>() / 40_000.0
    };
    for channel in 0..3 {
        let (found, own) = (mean(&case, channel), mean(&plain, channel));
        assert!((found - own).abs() < 3.0, "channel {channel}: {found} {own}");
    }
}

#[test]
fn results_are_no_input_and_other_files_stay() {
    let output = temp();
    fs::copy("images/eagle.jpg", output.path().join("eagle.jpg")).expect("it is copied");
    let run = || {
        let mut command = compare(&output);
        command.args(["--recursive", "--img-size", "320", "--steps", "2", "--methods", "gradcam", "--img-path"]);
        command.arg(output.path()).assert().success().stdout(contains("of 1 picture;"));
        let page = text(&output, "compare.html");
        assert!(page.matches("<img ").count() > 0);
    };
    run();
    let holiday = output.path().join("compare-files/holiday.jpg");
    fs::write(&holiday, "no picture of a case").expect("it is written");
    run();
    assert!(holiday.exists());
    // A run that measures nothing leaves what is there.
    compare(&output).args(["--methods", "gradcam", "--img-path", "nowhere.jpg"]).assert().code(1);
    assert!(output.path().join("compare.html").exists());
    let journal = text(&output, "compare.jsonl");
    assert!(journal.lines().count() > 1);
}

#[test]
fn wrong_use_is_told_in_a_line() {
    let output = temp();
    let eval = |arguments: &[&str]| {
        let mut command = yolo_cam();
        command.args(["eval", "--model-path", "weights/yolov5s.torchscript", "--output-dir"]).arg(output.path());
        command.args(arguments).assert()
    };
    eval(&["--img-path", "nowhere.jpg"])
        .code(1)
        .stderr(contains("nowhere.jpg").and(contains("no box was measured")).and(contains("error: ").count(1)));
    eval(&["--target-layer", "model.99"]).code(2).stderr(contains("did you mean"));
    eval(&["--method", "best", "--target-layer", "model.9"]).code(2).stderr(contains("brings its layers along"));
    eval(&["--fuse", "none"]).code(2).stderr(contains("yolo-cam compare"));
    eval(&["--steps", "1"]).code(2).stderr(contains("--steps"));
    eval(&["--smooth", "2"]).code(2).stderr(contains("--smooth is for --method odam only"));
    let methods = ["--methods", "gradcam,best", "--smooth", "2"];
    compare(&output).args(methods).assert().code(2).stderr(contains("--smooth is for --method odam only"));
    eval(&["--img-path", "images/eagle.jpg", "--conf-thres", "0.99"])
        .code(1)
        .stderr(contains("--conf-thres may be too high"));
}
