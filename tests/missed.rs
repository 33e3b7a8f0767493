//! Why was it missed? What the detector made of a place that the user points at, and what stopped each candidate.

mod common;

use std::{collections::BTreeSet, fs, path::Path};

use common::{explain, material, report, temp, yolo_cam, yolov5s};
use predicates::{prelude::PredicateBooleanExt, str::contains};
use serde_json::Value;
use tch::{Device, Tensor};
use yolo_cam::{
    Model,
    detect::{
        Candidate, DetectOptions, Detection, Fate, Letterbox, MOST_CANDIDATES, Query, Spot, candidates, detect,
        try_size,
    },
    geometry::BBox,
    picture,
};

/// What a network says of a picture, which is then asked again and again.
struct Seen<'a> {
    model: &'a Model,
    outputs: Vec<Tensor>,
    name: String,
}

impl<'a> Seen<'a> {
    fn new(model: &'a Model, file: &Path, img_size: Option<u32>) -> Self {
        let picture = picture::read(file).expect("it is a picture");
        let input = Letterbox::of(&picture, model, img_size).expect("it has pixels").tensor(Device::Cpu);
        let outputs = model.forward(&input.expect("there is memory"), &[]).expect("it runs").outputs;
        Self { model, outputs, name: file.display().to_string() }
    }

    fn ask(&self, spot: Spot, class_id: Option<usize>, options: &DetectOptions) -> Vec<Candidate> {
        candidates(self.model, &self.outputs, &Query { spot, class_id }, options).expect("tensors are read")
    }

    /// The strongest candidate for a box. Checks that no two are near-duplicates.
    fn first(&self, drawn: BBox) -> Candidate {
        let all = self.ask(Spot::Box(drawn), None, &DetectOptions::default());
        for (index, a) in all.iter().map(|candidate| &candidate.detection).enumerate() {
            for b in all[index + 1..].iter().map(|candidate| &candidate.detection) {
                let is_duplicate = a.class_id == b.class_id && box_of(a).iou(&box_of(b)) >= 0.8;
                assert!(!is_duplicate, "{}: {a:?} and {b:?}", self.name);
            }
        }
        all.into_iter().next().expect("something is about every box")
    }

    fn detect(&self, options: &DetectOptions) -> Vec<Detection> {
        detect(self.model, &self.outputs, options).expect("tensors are read")
    }
}

fn pictures() -> Vec<std::path::PathBuf> {
    let files = fs::read_dir("images").expect("it is there").map(|entry| entry.expect("it can be listed").path());
    let mut files: Vec<_> = files.filter(|file| file.extension().is_some_and(|ending| ending != "md")).collect();
    files.sort();
    files
}

fn box_of(found: &Detection) -> BBox {
    found.box_input.expect("a detector gives boxes")
}

fn is_same(a: &Detection, b: &Detection) -> bool {
    (a.place, a.class_id) == (b.place, b.class_id)
}

/// The box as other hands would draw it: moved by up to a tenth of its size along each axis, a bit larger or smaller, much larger
/// or much smaller.
fn drawn_again(b: &BBox, seed: &mut u64) -> Vec<BBox> {
    // Numbers from -0.1 to 0.1.
    let mut random = || {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 40) as f32 / (1u32 << 24) as f32 * 0.2 - 0.1
    };
    let moves = [
        [-0.1, -0.1, 0.0, 0.0],
        [0.1, -0.1, 0.1, 0.0],
        [-0.1, 0.1, 0.0, -0.1],
        [0.1, 0.1, 0.0, 0.0],
        [random(), random(), random(), random()],
        [0.0, 0.0, 0.4, 0.4],
        [0.0, 0.0, -0.28, -0.28],
    ];
    let (w, h) = (b.x2 - b.x1, b.y2 - b.y1);
    let moved = |[x, y, wider, higher]: [f32; 4]| {
        BBox::from_cxcywh(
            (b.x1 + b.x2) / 2.0 + x * w,
            (b.y1 + b.y2) / 2.0 + y * h,
            w * (1.0 + wider),
            h * (1.0 + higher),
        )
    };
    moves.map(moved).to_vec()
}

#[test]
fn the_first_answer_does_not_follow_the_hand() {
    let (detected, missed) = drawn_again_and_again(&yolov5s());
    assert!(detected >= 16 && missed >= 3, "{detected} detected and {missed} missed objects were tried");
}

#[test]
fn nor_does_it_of_a_later_family() {
    let Some(file) = material("zoo/65-11n-seg-official.pt") else { return };
    let (detected, missed) = drawn_again_and_again(&Model::load(file, Device::Cpu).expect("it is sound"));
    assert!(detected >= 16 && missed >= 1, "{detected} detected and {missed} missed objects were tried");
}

/// Draws a box around each object that the network detects, and around each that it has below the threshold where it detects none,
/// as several hands would, and checks that the first answer is the same. Returns how many objects there were of either kind.
fn drawn_again_and_again(model: &Model) -> (usize, usize) {
    let (mut seed, mut detected, mut missed) = (1, 0, 0);
    for file in pictures() {
        let seen = Seen::new(model, &file, None);
        let detections = seen.detect(&DetectOptions::default());
        let below = seen.detect(&DetectOptions::default().with_conf_threshold(Some(0.05)));
        let is_about = |a: &BBox, b: &BBox| a.shared_area(b) >= 0.5 * a.area().min(b.area());
        for found in &below {
            let drawn = box_of(found);
            let first = seen.first(drawn);
            if detections.iter().any(|other| is_same(other, found)) {
                detected += 1;
                assert!(first.is_found(), "{}: {found:?} is said to be {first:?}", seen.name);
            } else if detections.iter().any(|other| is_about(&drawn, &box_of(other))) {
                // Something is detected there: by hand either may be meant.
                continue;
            } else {
                missed += 1;
                let fate = &first.fate;
                assert!(matches!(fate, Fate::Threshold { .. }), "{}: {found:?} is said to be {fate:?}", seen.name);
            }
            for moved in drawn_again(&drawn, &mut seed) {
                let other = seen.first(moved);
                assert!(
                    is_same(&first.detection, &other.detection),
                    "{}: {:?} becomes {:?} where {drawn:?} is drawn as {moved:?}",
                    seen.name,
                    first.detection,
                    other.detection
                );
            }
        }
    }
    (detected, missed)
}

/// Options without the step that stopped a candidate.
fn without(fate: &Fate, candidate: &Candidate, options: &DetectOptions) -> Option<DetectOptions> {
    let options = options.clone();
    Some(match fate {
        Fate::Threshold { .. } => options.with_conf_threshold(Some(candidate.detection.confidence * 0.999)),
        Fate::Unwanted => options.with_classes(None),
        Fate::Suppressed { .. } => options.with_iou_threshold(Some(1.0)),
        Fate::Surplus { .. } => options.with_max_det(Some(usize::MAX)).with_top(None),
        _ => return None,
    })
}

/// The steps of detection, in order.
const STEPS: [&str; 7] = ["class", "threshold", "unwanted", "crowded", "nms", "max_det", "detected"];

/// Checks each candidate of many places against the detector itself, and returns the fates that were met.
fn checked(seen: &Seen, options: &DetectOptions, class_id: Option<usize>) -> BTreeSet<&'static str> {
    let step = |fate: &Fate| STEPS.iter().position(|name| *name == fate.name());
    let detections = seen.detect(options);
    let mut met = BTreeSet::new();
    let boxes = seen.detect(&DetectOptions::default().with_max_det(Some(2)));
    let spots = boxes.iter().map(|found| Spot::Box(box_of(found)));
    for spot in spots.chain([Spot::Point([200.0, 200.0]), Spot::Box(BBox::from([20.0, 30.0, 150.0, 220.0]))]) {
        let all = seen.ask(spot, class_id, options);
        assert!(all.len() <= MOST_CANDIDATES);
        assert!(all.windows(2).all(|pair| pair[0].strength() >= pair[1].strength()), "{all:?}");
        for candidate in &all {
            met.insert(candidate.fate.name());
            let index = detections.iter().position(|found| is_same(found, &candidate.detection));
            let is_told = match &candidate.fate {
                Fate::Detected { index } => Some(*index),
                _ => None,
            };
            assert_eq!(is_told, index, "{candidate:?}");
            match (&candidate.fate, &candidate.winner) {
                (Fate::BetterClass, Some(winner)) => {
                    assert!(winner.detection.confidence >= candidate.detection.confidence, "{candidate:?}");
                }
                (Fate::BetterClass, None) => panic!("{candidate:?}: no class is better"),
                (Fate::Threshold { least }, _) => assert!(candidate.detection.confidence <= *least),
                (Fate::Suppressed { by, iou, limit }, _) => {
                    assert!(detections.iter().any(|found| is_same(found, by)), "what suppressed it is kept");
                    assert_eq!(box_of(by).iou(&box_of(&candidate.detection)), *iou);
                    assert!(iou > limit && by.confidence >= candidate.detection.confidence);
                }
                _ => {}
            }
            // Without the step that stopped it, it goes further.
            let Some(other) = without(&candidate.fate, candidate, options) else { continue };
            let all = seen.ask(spot, class_id, &other);
            // It may be no candidate of its own then, beside what is one.
            let again = all.iter().find(|again| is_same(&again.detection, &candidate.detection));
            let further = again.is_none_or(|again| step(&again.fate) > step(&candidate.fate));
            assert!(further, "{candidate:?} is {:?} with {other:?}", again.map(|again| &again.fate));
        }
    }
    met
}

#[test]
fn what_is_said_to_have_stopped_a_candidate_did() {
    let model = yolov5s();
    let dog = Seen::new(&model, Path::new("images/dog.jpg"), None);
    let options = DetectOptions::default();
    let person = Some(0);
    let met = |met: BTreeSet<&'static str>, expected: &[&str]| {
        assert!(expected.iter().all(|fate| met.contains(fate)), "{expected:?} should be among {met:?}");
    };
    met(checked(&dog, &options, None), &["detected", "threshold"]);
    met(checked(&dog, &options, person), &["class"]);
    met(checked(&dog, &options.clone().with_max_det(Some(1)), None), &["detected", "max_det"]);
    // Of the bicycle alone.
    let bicycle = options.clone().with_classes(Some(vec![1])).with_conf_threshold(Some(0.1));
    met(checked(&dog, &bicycle, None), &["detected", "unwanted"]);
    // Car and truck are one.
    let agnostic = options.clone().with_agnostic(true);
    met(checked(&dog, &agnostic, None), &["detected"]);
    let horses = Seen::new(&model, Path::new("images/horses.jpg"), None);
    let close = options.with_iou_threshold(Some(0.1)).with_conf_threshold(Some(0.02));
    met(checked(&horses, &close, None), &["detected", "nms"]);
}

#[test]
fn suppression_between_classes_names_the_box_that_won() {
    let model = yolov5s();
    let dog = Seen::new(&model, Path::new("images/dog.jpg"), None);
    let options = DetectOptions::default().with_agnostic(true);
    let car = box_of(&dog.detect(&options).into_iter().find(|found| found.class_id == 2).expect("there is a car"));
    let all = dog.ask(Spot::Box(car), Some(7), &options);
    let Fate::Suppressed { by, iou, .. } = &all[0].fate else { panic!("the truck is said to be {:?}", all[0].fate) };
    assert_eq!(model.names()[by.class_id], "car");
    assert!(*iou > 0.8, "{iou}");
}

#[test]
fn networks_of_one_box_an_object_say_what_stopped_a_candidate_too() {
    let model = Model::load("tests/data/families/legacy/26-fused.pt", Device::Cpu).expect("it is sound");
    let seen = Seen::new(&model, Path::new("images/dog.jpg"), Some(320));
    for class_id in [None, Some(1)] {
        checked(&seen, &DetectOptions::default(), class_id);
        let met = checked(&seen, &DetectOptions::default().with_conf_threshold(Some(0.0)), class_id);
        assert!(met.contains("detected"), "{met:?}");
    }
    let all = seen.ask(Spot::Point([160.0, 120.0]), None, &DetectOptions::default().with_conf_threshold(Some(0.0)));
    assert!(!all.is_empty() && all.iter().all(|candidate| candidate.iou.is_none() && candidate.fit == 1.0));
}

#[test]
fn the_explained_candidate_has_its_mask() {
    let Some(file) = material("zoo/65-11n-seg-official.pt") else { return };
    let model = Model::load(file, Device::Cpu).expect("it is sound");
    let dog = Seen::new(&model, Path::new("images/dog.jpg"), None);
    let options = DetectOptions::default();
    checked(&dog, &options, None);
    let found = dog.detect(&options).remove(0);
    let all = dog.ask(Spot::Box(box_of(&found)), None, &options);
    assert_eq!(all[0].detection, found, "with its mask");
    assert!(all[1..].iter().all(|other| other.detection.mask.is_none()));
}

#[test]
fn a_trial_is_what_a_run_at_that_size_finds() {
    let model = yolov5s();
    let file = Path::new("images/dog.jpg");
    let picture = picture::read(file).expect("it is a picture");
    let options = DetectOptions::default();
    let drawn = BBox::from([120.0, 120.0, 570.0, 430.0]);
    let query = Query { spot: Spot::Box(drawn), class_id: None };
    let trial = try_size(&model, &picture, &query, &options, 320).expect("it runs");
    let seen = Seen::new(&model, file, Some(320));
    let query = query.in_input(&trial.map);
    let expected = candidates(&model, &seen.outputs, &query, &options).expect("tensors are read");
    assert_eq!(trial.map.input.longest(), 320);
    let best = trial.best.expect("there is a bicycle");
    assert!(is_same(&best.detection, &expected[0].detection) && best.is_found());
    assert_eq!(model.names()[best.detection.class_id], "bicycle");
}

/// What the program says with these flags of the dog, and its report.
fn asked(flags: &[&str]) -> (String, Value) {
    let output = temp();
    let run = explain("images/dog.jpg", &output).args(flags).args(["--report", "json"]).assert().success();
    let said = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
    (said, report(&output.path().join("dog-res.json")))
}

#[test]
fn a_box_has_its_candidates_in_a_line_each_and_the_strongest_is_explained() {
    let (said, report) = asked(&["--box", "460,70,690,175"]);
    let lines: Vec<&str> = said.lines().skip_while(|line| !line.starts_with("query: ")).collect();
    assert_eq!(
        lines[0],
        "query: images/dog.jpg: 5 candidates at the box 460,70,690,175, strongest first; the first is explained"
    );
    assert!(
        lines[1].starts_with("  0.58") && lines[1].contains("  car ") && lines[1].ends_with("  detected, number 3")
    );
    assert!(
        lines[2].starts_with("  0.52") && lines[2].contains("  truck ") && lines[2].ends_with("  detected, number 4")
    );
    assert!(lines[3..6].iter().all(|line| line.starts_with("  0.") && line.ends_with("  not above --conf-thres 0.4")));
    // What each says of the box is in one column.
    let column = |line: &str| line.find("  IoU 0.").expect("a box was drawn");
    assert!(lines[1..6].iter().all(|line| column(line) == column(lines[1])), "{said}");
    assert!(!said.contains("--try-sizes"), "it is found: {said}");

    let query = &report["query"];
    assert_eq!(query["box_image"], serde_json::json!([460.0, 70.0, 690.0, 175.0]));
    for missing in ["point_image", "class", "class_id", "sizes"] {
        assert_eq!(query.get(missing), None, "{query}");
    }
    let all = query["candidates"].as_array().expect("a list");
    assert_eq!(all.len(), 5);
    let keys: Vec<_> = all[0].as_object().expect("an object").keys().map(String::as_str).collect();
    let expected = ["box_image", "class", "class_id", "confidence", "fit", "index", "iou", "outcome"];
    assert_eq!(keys.into_iter().collect::<BTreeSet<_>>(), BTreeSet::from(expected));
    assert_eq!(
        (&all[0]["class"], &all[0]["outcome"], &all[0]["index"]),
        (&"car".into(), &"detected".into(), &2.into())
    );
    assert_eq!((&all[2]["outcome"], &all[2]["threshold"]), (&"threshold".into(), &serde_json::json!(0.4)));
    assert!(all[0]["iou"].as_f64() > Some(0.8) && all[0]["fit"] == 1.0);
    let explained = report["detections"].as_array().expect("a list");
    assert_eq!(explained.len(), 1);
    for key in ["class", "confidence", "box_image"] {
        assert_eq!(explained[0][key], all[0][key]);
    }
}

#[test]
fn of_a_class_the_candidates_are_told_with_what_won_there() {
    let (said, report) = asked(&["--box", "60,100,500,420", "--class", "person"]);
    assert!(said.contains("query: images/dog.jpg: 5 candidates of person at the box 60,100,500,420"), "{said}");
    assert!(
        said.contains("  bicycle 0.4308 is more probable: NMS, by bicycle 0.6099: IoU 0.89, above --iou-thres 0.45")
    );
    assert!(said.contains("  --try-sizes looks whether an input of another size finds it"), "{said}");
    let query = &report["query"];
    assert_eq!((&query["class"], &query["class_id"]), (&"person".into(), &0.into()));
    for candidate in query["candidates"].as_array().expect("a list") {
        assert_eq!((&candidate["class"], &candidate["outcome"]), (&"person".into(), &"class".into()));
        assert!(candidate["winner"]["confidence"].as_f64() > candidate["confidence"].as_f64());
    }
    let winner = &query["candidates"][0]["winner"];
    assert_eq!((&winner["class"], &winner["outcome"]), (&"bicycle".into(), &"nms".into()));
    assert_eq!(winner["by"]["class"], "bicycle");
    assert!(winner["by_iou"].as_f64() > winner["threshold"].as_f64());
    assert_eq!(
        (&report["detections"][0]["class"], &report["detections"][0]["empty"]),
        (&"person".into(), &false.into())
    );
}

#[test]
fn a_point_has_the_boxes_that_cover_it() {
    for flags in [["--point", "300,300"].as_slice(), &["--point", "300", "300"]] {
        let (said, report) = asked(flags);
        assert!(said.contains("query: images/dog.jpg: 5 candidates at the point 300,300"), "{said}");
        let query = &report["query"];
        assert_eq!((&query["point_image"], query.get("box_image")), (&serde_json::json!([300.0, 300.0]), None));
        let all = query["candidates"].as_array().expect("a list");
        assert_eq!((&all[0]["class"], &all[1]["class"]), (&"dog".into(), &"bicycle".into()));
        for candidate in all {
            let side = |index: usize| candidate["box_image"][index].as_f64().expect("a number");
            assert!(side(0) <= 300.0 && side(1) <= 300.0 && side(2) >= 300.0 && side(3) >= 300.0);
            assert_eq!((candidate.get("iou"), &candidate["fit"]), (None, &1.0.into()));
        }
    }
}

#[test]
fn to_be_quiet_means_one_line() {
    let (said, _) = asked(&["--point", "300,300", "--quiet"]);
    assert_eq!(said, "query: images/dog.jpg: strongest at the point 300,300: dog 0.9134: detected, number 1\n");
}

#[test]
fn several_results_of_a_picture_have_one_answer() {
    let output = temp();
    let flags = ["--point", "300,300", "--target-layer", "17,20", "--fuse", "none", "-q", "--report", "json"];
    let run = explain("images/dog.jpg", &output).args(flags).assert().success();
    let said = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
    assert_eq!(said.matches("query: ").count(), 1, "{said}");
    for layer in [17, 20] {
        let report = report(&output.path().join(format!("dog-model.{layer}-res.json")));
        assert_eq!(report["query"]["candidates"][0]["class"], "dog");
    }
}

#[test]
fn a_picture_of_nothing_has_nothing_there_and_that_is_told() {
    let folder = temp();
    let grey = folder.path().join("grey.png");
    image::RgbImage::from_pixel(320, 240, image::Rgb([114; 3])).save(&grey).expect("it is written");
    let run = |flags: &[&str]| {
        let output = temp();
        let run = explain(&grey.to_string_lossy(), &output).args(["--box", "50,50,60,60"]).args(flags).assert();
        String::from_utf8_lossy(&run.success().get_output().stderr).into_owned()
    };
    let said = run(&["--class", "boat"]);
    assert!(
        said.contains("nothing of boat at the box 50,50,60,60: of 5 candidates none is stronger than noise"),
        "{said}"
    );
    assert!(said.contains("--try-sizes looks whether"), "{said}");
    let said = run(&["--class", "boat", "--quiet"]);
    let in_short = "nothing of boat at the box 50,50,60,60: the strongest candidate, boat 0.00";
    assert!(said.contains(in_short) && said.lines().count() == 1, "{said}");
    let said = run(&["--class", "boat", "--try-sizes", "--img-size", "128"]);
    for size in [64, 192, 256] {
        assert!(said.contains(&format!("\n  at --img-size {size}: ")), "{said}");
    }
    assert!(said.contains("  no size that was tried finds it"), "{said}");
}

#[test]
fn other_sizes_are_tried_on_request_and_one_that_finds_it_is_named() {
    // At 640 the car is below this threshold, at 320 it is above.
    let flags = ["--box", "460,70,690,175", "--conf-thres", "0.7", "--try-sizes"];
    let (said, report) = asked(&flags);
    assert!(said.contains("\n  at --img-size 320: car 0.75") && said.contains(": detected, number 3\n"), "{said}");
    assert!(said.contains("\n  at --img-size 960: ") && said.contains("\n  at --img-size 1280: "), "{said}");
    assert!(said.contains("\n  --img-size 320 finds it\n"), "{said}");
    let sizes = report["query"]["sizes"].as_array().expect("a list");
    let told: Vec<_> = sizes.iter().map(|trial| (&trial["img_size"], &trial["best"]["outcome"])).collect();
    let (detected, threshold) = (&"detected".into(), &"threshold".into());
    assert_eq!(told, [(&320.into(), detected), (&960.into(), threshold), (&1280.into(), threshold)]);
    // And so it is.
    let (said, _) = asked(&["--box", "460,70,690,175", "--conf-thres", "0.7", "--img-size", "320", "-q"]);
    assert!(said.contains("car 0.75") && said.contains("detected, number 3"), "{said}");
    let (said, _) = asked(&[&flags[..], &["-q"]].concat());
    assert!(said.lines().count() == 1 && said.ends_with("; --img-size 320 finds it\n"), "{said}");
}

#[test]
fn a_limit_is_told_by_the_flag_that_set_it() {
    let (said, _) = asked(&["--box", "460,70,690,175", "--top", "1"]);
    assert!(said.contains("  beyond --top 1\n"), "{said}");
    let (said, _) = asked(&["--box", "460,70,690,175", "--max-det", "2"]);
    assert!(said.contains("  beyond --max-det 2\n"), "{said}");
    let (said, _) = asked(&["--box", "460,70,690,175", "--classes", "dog"]);
    assert!(said.contains("  left out by --classes\n"), "{said}");
}

#[test]
fn each_wrong_use_is_refused_in_one_line_with_the_way_out() {
    let refused = |flags: &[&str], code: i32, parts: &[&str]| {
        let output = temp();
        let run = explain("images/dog.jpg", &output).args(flags).assert().code(code);
        let said = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
        let line =
            said.lines().find(|line| line.starts_with("error: ")).unwrap_or_else(|| panic!("no error in {said}"));
        for part in parts {
            assert!(line.contains(part), "no {part:?} in {line}");
        }
    };
    refused(&["--box", "9,9,1,1"], 2, &["--box is \"9,9,1,1\"", "X1 < X2"]);
    refused(&["--box", "1,2,3"], 2, &["expected four numbers"]);
    refused(&["--box", "NaN,2,3,4"], 2, &["expected four numbers"]);
    refused(&["--point", "1,2,3"], 2, &["--point is \"1,2,3\"", "expected two numbers X,Y"]);
    refused(&["--point", "inf,2"], 2, &["expected two numbers X,Y"]);
    refused(&["--point", "1,2", "--box", "1,2,3,4"], 2, &["--point", "cannot be used with", "--box"]);
    refused(&["--point", "1,2", "--class", "dgo"], 2, &["class \"dgo\" not found, did you mean \"dog\"?"]);
    refused(&["--try-sizes"], 2, &["--try-sizes looks at a place", "--box X1,Y1,X2,Y2 or --point X,Y"]);
    refused(&["--class", "dog"], 2, &["--class is for --box, --point or a classifier"]);
    // These depend on the picture, and other pictures go on.
    refused(&["--point", "0.5,0.5"], 1, &["images/dog.jpg: --point 0.5,0.5 looks like fractions", "--point 384,288"]);
    refused(&["--point", "900,10"], 1, &["lies outside the picture, which is 768x576 pixels"]);
    refused(&["--point", "-5,10"], 1, &["lies outside the picture"]);
    refused(&["--box", "0.1,0.1,0.5,0.5"], 1, &["looks like fractions"]);
    refused(&["--box", "800,10,900,20"], 1, &["lies outside the picture"]);
}

#[test]
fn classifiers_and_networks_of_one_size_are_told_the_way_out() {
    let output = temp();
    let classifier = ["--model-path", "tests/data/families/tiny/11-cls.pt"];
    explain("images/dog.jpg", &output)
        .args(classifier)
        .args(["--point", "100,100", "--try-sizes"])
        .assert()
        .code(2)
        .stderr(contains("--point asks for boxes around a point").and(contains("--class alone explains the class")));
    let help = yolo_cam().arg("--help").output().expect("it runs");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    for flag in ["--point <X,Y>", "--box <X1,Y1,X2,Y2>", "--try-sizes"] {
        assert!(help.contains(flag), "{flag} is not in {help}");
    }
}
