//! `--verify`: what the map of each box is worth.

mod common;

use std::ops::ControlFlow;

use common::{browser::in_browser, cards, explain, report, temp, yolov5s};
use predicates::{prelude::PredicateBooleanExt, str::contains};
use serde_json::{Value, json};
use tch::{Device, Tensor};
use yolo_cam::{
    Error, ExplainOptions, Explanation, Model, Precision,
    eval::{Crew, Verdict, VerifyOptions, Word, verify},
    explain::{ExplainedBox, Heatmap, explain_with_outputs, methods, unwatched},
    picture,
};

/// The most confident box of dog.jpg, at a size that is quick.
fn dog(model: &Model) -> (Explanation, Vec<Tensor>) {
    let picture = picture::read("images/dog.jpg").expect("it is a picture");
    let mut options = ExplainOptions::default().with_img_size(Some(256)).with_method(methods::BEST);
    options.detect.max_det = Some(1);
    explain_with_outputs(model, &picture, &options, &mut unwatched).expect("it is explained")
}

fn verdicts(
    model: &Model,
    threads: usize,
    (explanation, outputs): (&Explanation, &[Tensor]),
    boxes: &[ExplainedBox],
    options: VerifyOptions,
) -> Vec<Option<Verdict>> {
    let input = explanation.letterbox.tensor(Device::Cpu).expect("there is memory");
    let mut crew = Crew::new(model, threads).expect("it is shared");
    let mut told = Vec::new();
    let mut watch = |done: usize, total: usize| {
        told.push((done, total));
        ControlFlow::Continue(())
    };
    let found = verify(&mut crew, &input, outputs, boxes, &options, &mut watch).expect("it is verified");
    let total = found.iter().flatten().count() * options.passes();
    assert_eq!(told, (1..=total).map(|done| (done, total)).collect::<Vec<_>>(), "each pass is told");
    found
}

#[test]
fn of_a_network_the_map_is_believed_and_its_inverse_is_not() {
    let model = yolov5s();
    let (explanation, outputs) = dog(&model);
    let own = &explanation.boxes[0];
    let with = |heatmap| ExplainedBox { heatmap, ..own.clone() };
    let inverted = with(Heatmap::new(own.heatmap.values().mapv(|value| own.heatmap.peak() - value)));
    let without_signal = with(Heatmap::new(own.heatmap.values().mapv(|_| 0.0)));
    let boxes = [own.clone(), without_signal, inverted];
    let seen = (&explanation, outputs.as_slice());
    let options = VerifyOptions::default().with_steps(6);
    let found = verdicts(&model, 2, seen, &boxes, options);
    assert_eq!(found[1], None, "nothing is said of an empty map");
    let [own, inverted] = [0, 2].map(|index: usize| found[index].expect("it has a signal"));
    assert_eq!((own.word, inverted.word), (Word::Faithful, Word::Misleading), "{found:#?}");
    assert_eq!((own.mean.gaussian, own.tiles.random), (inverted.mean.gaussian, inverted.tiles.random));
    assert!(own.mean.left < 0.5 && inverted.mean.left > 0.9, "{found:#?}");
    assert_eq!(found, verdicts(&model, 3, seen, &boxes, options), "whatever the number of threads");
}

#[test]
fn with_half_the_bits_the_figures_are_nearly_the_same() {
    let model = yolov5s();
    let (explanation, outputs) = dog(&model);
    let [exact, rounded] = [Precision::F32, Precision::Bf16].map(|precision| {
        let options = VerifyOptions::default().with_steps(6).with_precision(precision);
        verdicts(&model, 2, (&explanation, &outputs), &explanation.boxes, options)[0].expect("it has a signal")
    });
    assert_eq!(exact.word, rounded.word);
    for (exact, rounded) in [(exact.mean, rounded.mean), (exact.tiles, rounded.tiles)] {
        let difference = (exact.gain() - rounded.gain()).abs();
        assert!(difference > 0.0 && difference < 0.05, "{exact:?}, {rounded:?}");
    }
}

#[test]
fn fewer_bits_are_for_changed_pictures_and_for_processors_that_have_them() {
    let output = temp();
    let run = |flags: &[&str]| {
        let mut command = explain("images/dog.jpg", &output);
        command.args(["--precision", "bf16", "--img-size", "128", "--top", "1", "--exist-ok"]).args(flags);
        command.assert()
    };
    run(&["--method", "gradcam"]).code(2).stderr(contains("--method gradcam does without"));
    run(&["--method", "ablationcam"]).code(2).stderr(contains("--method ablationcam does without"));
    for (flags, told) in [
        (["--verify", "2"].as_slice(), "12 passes in bf16 for each box, "),
        (&["--method", "d-rise", "--masks", "4"], "boxes"),
        (&["--method", "scorecam", "--max-channels", "4"], "boxes"),
    ] {
        match Precision::Bf16.is_native(Device::Cpu) {
            true => run(flags).success().stderr(contains(told)),
            false => run(flags).code(1).stderr(contains("--precision bf16 is slower than f32 on this processor")),
        };
    }
}

#[test]
fn it_stops_where_the_user_does_not_want_to_wait() {
    let model = yolov5s();
    let (explanation, outputs) = dog(&model);
    let input = explanation.letterbox.tensor(Device::Cpu).expect("there is memory");
    let mut crew = Crew::new(&model, 1).expect("it is shared");
    let mut passes = 0;
    let mut watch = |done: usize, _: usize| {
        passes = done;
        if done == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let options = VerifyOptions::default();
    let stopped = verify(&mut crew, &input, &outputs, &explanation.boxes, &options, &mut watch);
    assert!(matches!(stopped, Err(Error::Interrupted)), "{stopped:?}");
    assert_eq!(passes, 3);
    let flat = input.narrow(1, 0, 1);
    let wrong = verify(&mut crew, &flat, &outputs, &explanation.boxes, &options, &mut unwatched).unwrap_err();
    assert!(wrong.to_string().contains("expected an input [1, 3, H, W]"), "{wrong}");
}

#[test]
fn the_word_is_in_each_report_and_on_the_terminal() {
    let output = temp();
    let mut command = explain("images/dog.jpg", &output);
    command.args(["--verify", "4", "--method", "best", "--img-size", "256", "--top", "2", "--json-lines"]);
    let run = command.args(["--report", "json,csv,html"]).assert().success();
    let detections = report(&output.path().join("dog-res.json"))["detections"].take();
    let verify = &detections[0]["verify"];
    let word = verify["word"].as_str().expect("it has one");
    assert!(["faithful", "blob", "misleading"].contains(&word), "{verify}");
    for fill in ["mean", "tiles"] {
        for figure in ["own", "gaussian", "random", "own_beside_random", "left"] {
            assert!(verify[fill][figure].as_f64().is_some_and(f64::is_finite), "{fill} {figure}: {verify}");
        }
    }
    let words: Vec<&Value> = (0..2).map(|index| &detections[index]["verify"]["word"]).collect();
    let count = |word: &str| words.iter().filter(|found| **found == word).count();
    let (faithful, blob, misleading) = (count("faithful"), count("blob"), count("misleading"));
    let line = format!(
        "images/dog.jpg: verify: faithful {faithful}, no better than a blob {blob}, misleading {misleading}; 20 passes for \
         each box, "
    );
    let run = run.stderr(contains(line));
    let line: Value = serde_json::from_slice(&run.get_output().stdout).expect("a line of JSON");
    assert_eq!(&line["detections"][0]["verify"], verify);
    let mut table = csv::Reader::from_path(output.path().join("report.csv")).expect("it is there");
    let columns: Vec<String> = table.headers().expect("it has some").iter().map(str::to_owned).collect();
    assert_eq!(columns[columns.len() - 3..], ["verify", "verify_mean_gain", "verify_tiles_gain"]);
    let row = table.records().next().expect("a box").expect("it is sound");
    assert_eq!(&row[columns.len() - 3], word);
    let gain: f64 = row[columns.len() - 2].parse().expect("a number");
    let figure = |name: &str| verify["mean"][name].as_f64().expect("a number");
    assert!((gain - (figure("own") - figure("gaussian"))).abs() < 1e-9);
    let page = output.path().join("report.html");
    assert_eq!(&cards(&page)[0]["detections"][0]["verify"], verify);

    let driver = "const rows = [...document.querySelectorAll('#view-rows tr')].map((row) => row.children[3].textContent); \
                  return { rows, hidden: document.getElementById('trust-filter').hidden, \
                  shown: document.querySelectorAll('#gallery .card').length, \
                  dim: document.querySelectorAll('#view-rows .dim').length };";
    let Some(seen) = in_browser(&page, "open=0", driver) else { return };
    assert_eq!((&seen["hidden"], &seen["shown"]), (&json!(false), &json!(1)));
    let shown = if word == "blob" { "no better than a blob (" } else { word };
    assert!(seen["rows"][0].as_str().is_some_and(|text| text.starts_with(shown)), "{seen}");
    for (word, boxes) in [("faithful", faithful), ("blob", blob), ("misleading", misleading)] {
        let seen = in_browser(&page, &format!("open=0&trust={word}"), driver).expect("the browser is there");
        assert_eq!((&seen["shown"], &seen["dim"]), (&json!(usize::from(boxes > 0)), &json!(2 - boxes)), "{word}");
    }
}

#[test]
fn without_it_nothing_is_said_and_its_results_are_others() {
    let output = temp();
    let run = || {
        let mut command = explain("images/dog.jpg", &output);
        command.args(["--img-size", "128", "--conf-thres", "0.2", "--top", "1", "--report", "json,csv,html"]);
        command
    };
    run().assert().success().stderr(contains("verify").not());
    assert_eq!(report(&output.path().join("dog-res.json"))["detections"][0].get("verify"), None);
    let table = std::fs::read_to_string(output.path().join("report.csv")).expect("it is there");
    assert!(!table.contains("verify"), "{table}");
    let driver = "return ['trust-filter', 'trust-head'].map((id) => document.getElementById(id).hidden);";
    if let Some(hidden) = in_browser(&output.path().join("report.html"), "open=0", driver) {
        assert_eq!(hidden, json!([true, true]));
    }
    run().args(["--verify", "2"]).assert().code(2).stderr(contains("(verify auto, now 2)"));
    let verified = run().args(["--verify", "2", "--exist-ok"]).assert().success();
    verified.stderr(contains("12 passes for each box"));
    assert_ne!(report(&output.path().join("dog-res.json"))["detections"][0].get("verify"), None);
}

#[test]
fn classes_of_whole_pictures_are_verified_too() {
    let output = temp();
    let mut command = explain("images/dog.jpg", &output);
    command.args(["--model-path", "tests/data/families/tiny/11-cls.pt", "--verify", "2", "--top", "2"]);
    let run = command.args(["--report", "json"]).assert().success();
    let detections = report(&output.path().join("dog-res.json"))["detections"].take();
    let verified = detections.as_array().expect("a list").iter().filter(|found| found.get("verify").is_some()).count();
    let with_signal = detections.as_array().expect("a list").iter().filter(|found| found["empty"] == false).count();
    assert_eq!(verified, with_signal);
    assert!(verified > 0, "{detections}");
    run.stderr(contains("12 passes for each class, "));
}

#[test]
fn wrong_numbers_of_steps_are_refused() {
    for (steps, told) in [("1", "2 to 1000 steps"), ("1001", "2 to 1000 steps"), ("best.pt", "or --verify=12")] {
        let output = temp();
        explain("images/dog.jpg", &output).args(["--verify", steps]).assert().code(2).stderr(contains(told));
    }
}
