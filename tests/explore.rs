//! What the explorer answers: the same as the command line, for the same question.

mod common;

use std::{
    collections::BTreeMap,
    env, fs,
    io::{Cursor, Read},
    net::TcpStream,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use common::{
    explorer::{Answer, Explorer, PLANTED, SHORTCUT_PICTURES},
    report, temp,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use zip::ZipArchive;

/// What the command line writes.
fn explained(flags: &[&str]) -> TempDir {
    let output = temp();
    let mut command = common::yolo_cam();
    command.args(["--quiet", "--report", "json", "--no-config", "--output-dir"]).arg(output.path()).args(flags);
    command.assert().success();
    output
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("expected a list, found {value}"))
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("expected a number, found {value}"))
}

/// Says that an answer has all that the report has under these names.
fn assert_same(answer: &Value, report: &Value, names: &[&str]) {
    for name in names {
        assert_eq!(answer[name], report[name], "{name} of {answer} and of {report}");
    }
}

/// Compares the map of each subject with the file that the command line writes.
fn assert_same_maps(explorer: &Explorer, picture: &str, flags: &[&str], view: &Value, query: Option<&Value>) {
    let output = explained(&[&["--raw", "npy", "--img-path", picture], flags].concat());
    let stem = Path::new(picture).file_stem().expect("it has one").to_string_lossy();
    let report = report(&output.path().join(format!("{stem}-res.json")));
    assert!(!list(&report["detections"]).is_empty(), "{report}");
    let id = explorer.picture(picture.rsplit('/').next().expect("a name"));
    for found in list(&report["detections"]) {
        let subject = query.map_or_else(|| json!({"box": found["index"]}), |query| json!({"query": query}));
        let answer = explorer.ask(id, "map", &json!({"view": view, "subject": subject}));
        let (line, bytes) = answer.parts();
        let file = fs::read(output.path().join(found["map"].as_str().expect("a name"))).expect("it is there");
        assert!(bytes == file, "the map of {found} with {flags:?} is another: {line}");
        let names = ["class_id", "class", "confidence", "box_image", "layers", "peak", "empty", "reason"];
        assert_same(&line, found, &names);
        assert_same(&line, &report, &["method", "target"]);
        assert_eq!(line["grid"], found["map_grid"], "{line}");
    }
}

#[test]
fn a_map_is_byte_for_byte_what_the_command_line_writes() {
    let explorer = Explorer::bundled(&[]);
    let same = |flags: &[&str], view: Value, query: Option<Value>| {
        assert_same_maps(&explorer, "images/dog.jpg", flags, &view, query.as_ref());
    };
    same(&[], json!({}), None);
    let flags = ["--method", "layercam", "--target-layer", "model.9,model.6"];
    same(&flags, json!({"method": "layercam", "layers": "model.9,model.6"}), None);
    let flags = ["--method", "best", "--target", "logit", "--fuse", "max", "--contrast", "person", "--top", "1"];
    same(&flags, json!({"method": "best", "target": "logit", "fuse": "max", "contrast": "person"}), None);
    let flags = ["--box", "300,100,500,300", "--class", "dog"];
    same(&flags, json!({}), Some(json!({"box": [300, 100, 500, 300], "class": "dog"})));
    same(&["--point", "600,120"], json!({}), Some(json!({"point": [600, 120], "class": null})));
}

#[test]
fn fifty_people_who_ask_at_once_all_get_the_right_answer() {
    let explorer = Explorer::small(&[]);
    let output = explained(&[&PLANTED[..], &["--raw", "npy", "--img-path", SHORTCUT_PICTURES]].concat());
    let pictures: Vec<(usize, Value)> = fs::read_dir(output.path())
        .expect("it can be listed")
        .map(|file| file.expect("it can be listed").path())
        .filter(|file| file.to_string_lossy().ends_with("-res.json"))
        .map(|file| report(&file))
        .filter(|report| !list(&report["detections"]).is_empty())
        .map(|report| {
            let path = report["image"]["path"].as_str().expect("a path");
            (explorer.picture(path.rsplit('/').next().expect("a name")), report)
        })
        .collect();
    assert!(pictures.len() > 5);
    let ask = |client: usize, turn: usize| {
        let (id, report) = &pictures[(client * 7 + turn) % pictures.len()];
        let all = list(&report["detections"]);
        let who = json!({"client": format!("client {client}"), "turn": 2 * turn});
        assert_eq!(list(&explorer.ask(*id, "boxes", &who).json()["detections"]).len(), all.len());
        let found = &all[turn % all.len()];
        let mut what = who;
        what["subject"] = json!({"box": found["index"]});
        let answer = explorer.ask(*id, "map", &what);
        let file = fs::read(output.path().join(found["map"].as_str().expect("a name"))).expect("it is there");
        assert!(answer.parts().1 == file, "{found}");
    };
    thread::scope(|scope| {
        for client in 0..50 {
            let ask = &ask;
            scope.spawn(move || (0..4).for_each(|turn| ask(client, turn)));
        }
    });
    explorer.assert_sound();
}

#[test]
fn a_map_of_many_passes_is_what_the_command_line_writes() {
    let explorer = Explorer::small(&["--masks", "50", "--max-channels", "8"]);
    let small = [&PLANTED[..], &["--masks", "50", "--max-channels", "8"]].concat();
    for method in ["d-rise", "scorecam", "ablationcam", "eigencam"] {
        let flags = [&small[..], &["--method", method]].concat();
        assert_same_maps(&explorer, "tests/data/shortcut/images/001.png", &flags, &json!({"method": method}), None);
    }
}

#[test]
fn boxes_follow_the_thresholds_without_another_forward_pass() {
    let explorer = Explorer::bundled(&[]);
    for (picture, settings) in [
        ("dog", [(0.1, 0.45), (0.25, 0.45), (0.7, 0.45), (0.25, 0.2), (0.25, 0.9)].as_slice()),
        ("horses", &[(0.05, 0.2), (0.05, 0.9)]),
    ] {
        let id = explorer.picture(&format!("{picture}.jpg"));
        let first = explorer.ask(id, "boxes", &json!({})).json();
        assert!(number(&first["forward_ms"]) > 0.0, "{first}");
        let (width, height) = image::image_dimensions(format!("images/{picture}.jpg")).expect("it is there");
        assert_eq!(first["picture"], json!({"width": width, "height": height}));
        assert_eq!((&first["is_undefined"], &first["labels"]), (&json!(false), &Value::Null));
        for (conf, iou) in settings {
            let (conf, iou) = (conf.to_string(), iou.to_string());
            let path = format!("images/{picture}.jpg");
            let output = explained(&["--img-path", &path, "--conf-thres", &conf, "--iou-thres", &iou]);
            let report = report(&output.path().join(format!("{picture}-res.json")));
            let parsed = |text: &str| text.parse::<f64>().expect("a number");
            let view = json!({"conf": parsed(&conf), "iou": parsed(&iou)});
            let answer = explorer.ask(id, "boxes", &json!({"view": view})).json();
            assert_eq!(answer["forward_ms"], Value::Null, "the outputs are there");
            let (ours, theirs) = (list(&answer["detections"]), list(&report["detections"]));
            assert_eq!(ours.len(), theirs.len(), "above {conf} and {iou}: {answer}");
            for (own, other) in ours.iter().zip(theirs) {
                assert_same(own, other, &["index", "class_id", "class", "confidence", "logit", "box_image"]);
            }
        }
        // Whoever else asks.
        let other = explorer.ask(id, "boxes", &json!({"client": "other", "view": {"method": "eigencam"}})).json();
        assert_eq!(other["forward_ms"], Value::Null);
        assert_eq!(other["detections"], first["detections"]);
    }
}

#[test]
fn a_prediction_is_known_again_at_other_thresholds() {
    let explorer = Explorer::bundled(&[]);
    let id = explorer.picture("dog.jpg");
    let places = |conf: f64| {
        let answer = explorer.ask(id, "boxes", &json!({"view": {"conf": conf}})).json();
        let found = list(&answer["detections"]).iter();
        found
            .map(|one| (format!("{} {}", one["place"], one["class_id"]), one["box_image"].clone()))
            .collect::<BTreeMap<_, _>>()
    };
    let (few, many) = (places(0.5), places(0.05));
    assert!(many.len() > few.len() && !few.is_empty());
    for (place, found) in &few {
        assert_eq!(many.get(place), Some(found), "{place}");
    }
}

#[test]
fn where_nothing_is_found_the_best_candidate_is_told() {
    let explorer = Explorer::small(&[]);
    let answer = explorer.ask(explorer.picture("003.png"), "boxes", &json!({})).json();
    assert_eq!(answer["detections"], json!([]));
    let best = &answer["best_candidate"];
    assert!(number(&best["confidence"]) < 0.4 && list(&best["box_image"]).len() == 4, "{answer}");
    let view = json!({"conf": number(&best["confidence"]) * 0.999});
    let answer = explorer.ask(explorer.picture("003.png"), "boxes", &json!({"view": view})).json();
    assert_same(&answer["detections"][0], best, &["class_id", "class", "confidence", "box_image"]);
    assert_eq!(answer["best_candidate"], Value::Null);
}

#[test]
fn candidates_for_a_place_are_those_of_the_command_line() {
    let explorer = Explorer::bundled(&[]);
    let id = explorer.picture("dog.jpg");
    // Around no object, though a bicycle is behind; around the dog; at the car, which is a truck too.
    let (nothing, dog, car) =
        (json!({"box": [300, 100, 500, 300]}), json!({"box": [130, 220, 310, 540]}), json!({"point": [600, 120]}));
    for (flags, query, class, view, is_found) in [
        (["--box", "300,100,500,300"].as_slice(), &nothing, None, json!({}), false),
        (&["--box", "300,100,500,300", "--class", "dog"], &nothing, Some("dog"), json!({}), false),
        (&["--box", "130,220,310,540"], &dog, None, json!({}), true),
        (&["--point", "600,120"], &car, None, json!({}), true),
        (&["--point", "600,120", "--class", "7", "--conf", "0.9"], &car, Some("7"), json!({"conf": 0.9}), false),
        (
            &["--point", "600,120", "--conf", "0.05", "--iou", "0.1"],
            &car,
            None,
            json!({"conf": 0.05, "iou": 0.1}),
            true,
        ),
    ] {
        let mut query = query.clone();
        query["class"] = class.into();
        let output = explained(&[&["--img-path", "images/dog.jpg"], flags].concat());
        let report = report(&output.path().join("dog-res.json"));
        let answer = explorer.ask(id, "query", &json!({"query": query, "view": view})).json();
        let (ours, theirs) = (list(&answer["candidates"]), list(&report["query"]["candidates"]));
        assert_eq!(ours.len(), theirs.len(), "{flags:?}: {answer}");
        assert!(!ours.is_empty());
        for (own, other) in ours.iter().zip(theirs) {
            for (name, value) in other.as_object().expect("an object") {
                // The best class at the place has no words of its own here.
                if name != "winner" {
                    assert_eq!(&own[name], value, "{name} of {own}");
                }
            }
            assert_same(&own["winner"], &other["winner"], &["class_id", "class", "confidence", "box_image"]);
            assert!(own["words"].as_str().is_some_and(|words| !words.is_empty()), "{own}");
        }
        assert_eq!(answer["is_found"], is_found, "{answer}");
    }
}

#[test]
fn labels_are_told_found_or_missed() {
    let explorer = Explorer::small(&["--labels", "tests/data/shortcut/labels"]);
    let (mut found, mut missed) = (0, 0);
    for name in 0..24 {
        let name = format!("{name:03}");
        let answer = explorer.ask(explorer.picture(&format!("{name}.png")), "boxes", &json!({})).json();
        let file = fs::read_to_string(format!("tests/data/shortcut/labels/{name}.txt")).expect("it is there");
        let labels = list(&answer["labels"]);
        assert_eq!(labels.len(), file.lines().count(), "{answer}");
        for (label, line) in labels.iter().zip(file.lines()) {
            let figures: Vec<f64> = line.split(' ').map(|figure| figure.parse().expect("a number")).collect();
            let [class_id, x, y, width, height] = figures[..] else { panic!("{line}") };
            assert_eq!(number(&label["class_id"]), class_id);
            let corners =
                [x - width / 2.0, y - height / 2.0, x + width / 2.0, y + height / 2.0].map(|share| share * 128.0);
            for (own, corner) in list(&label["box_image"]).iter().zip(corners) {
                assert!((number(own) - corner).abs() < 0.01, "{label}: {line}");
            }
            let is_met = |one: &Value| {
                one["class_id"] == label["class_id"] && iou(&one["box_image"], &label["box_image"]) >= 0.5
            };
            let is_found = list(&answer["detections"]).iter().any(is_met);
            assert_eq!((&label["found"], &label["is_crowd"]), (&json!(is_found), &json!(false)), "{answer}");
            if is_found { found += 1 } else { missed += 1 }
        }
    }
    assert!(found > 10 && missed > 3, "{found} found, {missed} missed");
    // All of them are missed where nothing is confident enough.
    let answer = explorer.ask(0, "boxes", &json!({"view": {"conf": 1.0}})).json();
    assert!(list(&answer["labels"]).iter().all(|label| label["found"] == false), "{answer}");
}

fn iou(a: &Value, b: &Value) -> f64 {
    let corner = |one: &Value, index: usize| number(&one[index]);
    let side = |low: f64, high: f64| (high - low).max(0.0);
    let area = |one: &Value| side(corner(one, 0), corner(one, 2)) * side(corner(one, 1), corner(one, 3));
    let shared =
        [0, 1].map(|axis| side(corner(a, axis).max(corner(b, axis)), corner(a, axis + 2).min(corner(b, axis + 2))));
    let shared = shared[0] * shared[1];
    shared / (area(a) + area(b) - shared)
}

#[test]
fn paint_over_the_object_lowers_its_score_and_paint_elsewhere_does_not() {
    let explorer = Explorer::bundled(&[]);
    let id = explorer.picture("dog.jpg");
    let painted = |subject: &Value, fill: &str, strokes: Value| {
        let answer = explorer.ask(id, "paint", &json!({"subject": subject, "fill": fill, "strokes": strokes}));
        let (line, jpeg) = answer.parts();
        let picture = image::load_from_memory(jpeg).expect("it is a picture").into_rgb8();
        assert_eq!(picture.dimensions(), (768, 576));
        (line, picture)
    };
    let dog = json!({"box": 0});
    // 132,221,310,543
    let all_of_it = json!([{"radius": 110, "points": [[221, 220], [221, 543]]}]);
    let far_corner = json!([{"radius": 15, "points": [[750, 15]]}]);
    for fill in ["black", "blurred"] {
        let (line, picture) = painted(&dog, fill, all_of_it.clone());
        let (before, after) = (number(&line["before"]), number(&line["after"]));
        assert!((before - number(&line["confidence"])).abs() < 1e-5 && before > 0.9, "{line}");
        assert!(after < 0.2, "{fill}: {line}");
        // A stadium, cut off at the lower edge.
        assert!((0.2..0.25).contains(&number(&line["share"])), "{line}");
        assert!(list(&line["detections"]).iter().all(|one| one["class"] != "dog"), "{line}");
        assert!(fill != "black" || picture.get_pixel(221, 400).0.iter().all(|value| *value < 16), "it is black");
        let (line, picture) = painted(&dog, fill, far_corner.clone());
        assert!((number(&line["after"]) - before).abs() < 0.02, "{fill}: {line}");
        assert!(number(&line["share"]) < 0.002, "{line}");
        assert!(list(&line["detections"]).iter().any(|one| one["class"] == "dog"), "{line}");
        assert!(fill != "black" || picture.get_pixel(750, 15).0.iter().all(|value| *value < 16), "it is black");
    }
    let (line, _) = painted(&dog, "black", json!([]));
    assert_eq!((&line["before"], &line["share"]), (&line["after"], &json!(0.0)), "nothing is painted");
    // What is painted stays out of what is asked next.
    let answer = explorer.ask(id, "boxes", &json!({})).json();
    assert_eq!(answer["detections"][0]["class"], "dog");
    // What a user points at has a score too.
    let truck = json!({"query": {"point": [600, 120], "class": "truck"}});
    let (line, _) = painted(&truck, "black", json!([{"radius": 150, "points": [[580, 120]]}]));
    assert!(number(&line["after"]) < number(&line["before"]) / 2.0, "{line}");
}

/// Whether a request was given up for a newer one.
fn is_superseded(answer: &Answer) -> bool {
    answer.status == 409 || answer.status == 0
}

/// A map that takes hours, being made. `turn`: at least 1.
fn long(explorer: &Explorer, client: &str, pane: usize, turn: u64) -> TcpStream {
    let asked = |turn: u64| json!({"client": client, "pane": pane, "turn": turn, "subject": {"box": 0}});
    let mut more = asked(turn);
    more["view"] = json!({"method": "d-rise"});
    let stream = explorer.begin(0, "map", &more);
    // Once it is there, an older question of the same kind is refused. Until then that is answered.
    let deadline = Instant::now() + Duration::from_secs(60);
    while explorer.ask(0, "map", &asked(turn - 1)).status != 409 {
        assert!(Instant::now() < deadline, "it never came");
    }
    stream
}

#[test]
fn a_newer_request_of_the_same_client_and_kind_takes_the_place_of_the_older() {
    let explorer = Explorer::small(&["--masks", "5000000"]);
    let quick = |turn: u64| explorer.ask(0, "map", &json!({"client": "a", "turn": turn, "subject": {"box": 0}}));
    let mut first = long(&explorer, "a", 0, 1);
    quick(2).fine();
    assert!(is_superseded(&Answer::read(&mut first)), "of two maps the newer counts");
    let mut first = long(&explorer, "a", 0, 3);
    let mut others = [long(&explorer, "b", 0, 1), long(&explorer, "a", 1, 1)];
    // Other questions take the place of none.
    explorer.ask(0, "boxes", &json!({"client": "a", "turn": 4})).fine();
    explorer.ask(1, "query", &json!({"client": "a", "turn": 5, "query": {"point": [90, 50], "class": null}})).fine();
    quick(6).fine();
    assert!(is_superseded(&Answer::read(&mut first)), "of two maps the newer counts");
    for other in &mut others {
        other.set_read_timeout(Some(Duration::from_millis(300))).expect("it is no zero");
        assert!(other.read(&mut [0; 1]).is_err(), "what somebody else or another pane asked goes on");
    }
}

#[test]
fn an_older_request_that_comes_late_is_given_up() {
    let explorer = Explorer::small(&["--masks", "5000000"]);
    // It is, or this would not end.
    let mut newer = long(&explorer, "a", 0, 9);
    newer.set_read_timeout(Some(Duration::from_millis(300))).expect("it is no zero");
    assert!(newer.read(&mut [0; 1]).is_err(), "and the newer one goes on");
}

#[test]
fn what_is_in_view_waits_for_no_scan() {
    let explorer = Explorer::small(&["--masks", "20000"]);
    let begin = |(client, when): (usize, &str)| {
        let more =
            json!({"client": client.to_string(), "when": when, "view": {"method": "d-rise"}, "subject": {"box": 0}});
        explorer.begin(0, "map", &more)
    };
    let mut waiting: Vec<_> = [(1, "scan"), (2, "scan"), (3, "next"), (4, "next"), (5, "scan")].map(begin).into();
    explorer.ask(0, "map", &json!({"subject": {"box": 0}})).fine();
    let answered = waiting.iter_mut().map(|stream| {
        stream.set_nonblocking(true).expect("it can be");
        stream.read(&mut [0; 1]).is_ok()
    });
    assert!(answered.filter(|is_answered| *is_answered).count() <= 2, "it waited for all");
}

#[test]
fn a_picture_that_is_added_is_as_good_as_one_from_the_disk() {
    let explorer = Explorer::bundled(&[]);
    let bytes = fs::read("images/dog.jpg").expect("it is there");
    let added = explorer.post("/api/pictures?name=my%20d%C3%B6g.jpg", "application/octet-stream", &bytes).json();
    assert_eq!(added["name"], "my dög.jpg");
    let (own, other) = (added["id"].as_u64().expect("a number") as usize, explorer.picture("dog.jpg"));
    let boxes = |id: usize| explorer.ask(id, "boxes", &json!({})).json();
    assert_same(&boxes(own), &boxes(other), &["picture", "detections", "heat_area"]);
    let map = |id: usize| explorer.ask(id, "map", &json!({"subject": {"box": 0}})).parts().1.to_vec();
    assert!(map(own) == map(other));
    for what in ["picture", "thumbnail"] {
        let get = |id: usize| explorer.get(&format!("/api/pictures/{id}/{what}")).fine().to_vec();
        assert!(get(own) == get(other), "{what}");
    }
    let pictures = explorer.get("/api/pictures").json();
    let entry = list(&pictures["pictures"]).iter().find(|one| one["id"] == own).expect("it is listed").clone();
    assert_eq!(entry, json!({"id": own, "name": "my dög.jpg", "is_added": true}));
    assert_eq!(list(&pictures["pictures"]).iter().filter(|one| one["is_added"] == false).count(), 6);
}

/// The files of an archive.
fn unpacked(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut archive = ZipArchive::new(Cursor::new(archive)).expect("an archive");
    let mut files = BTreeMap::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).expect("it is sound");
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("it is sound");
        files.insert(entry.name().expect("text").into_owned(), content);
    }
    files
}

/// The files below a folder but those that a run keeps for itself.
fn written(folder: &Path, prefix: &str) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("it can be listed") {
        let path = entry.expect("it can be listed").path();
        let name = format!("{prefix}{}", path.file_name().expect("it has one").to_string_lossy());
        if path.is_dir() {
            files.extend(written(&path, &format!("{name}/")));
        } else if !name.contains(".yolo-cam.") {
            files.insert(name, fs::read(&path).expect("it can be read"));
        }
    }
    files
}

/// Runs a copied line as a user would, in a folder with the model and the pictures, and returns what it wrote.
fn run(line: &str, folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let program = Path::new(env!("CARGO_BIN_EXE_yolo-cam")).parent().expect("a folder").to_path_buf();
    let known = env::var_os("PATH").expect("it is set");
    let path = env::join_paths([program].into_iter().chain(env::split_paths(&known))).expect("names without colons");
    let run = Command::new("sh").args(["-c", line]).current_dir(folder).env("PATH", path).output().expect("it runs");
    assert!(run.status.success(), "{line}: {}", String::from_utf8_lossy(&run.stderr));
    // Each line has a folder of its own.
    let mut made =
        fs::read_dir(folder.join("explored")).expect("it is made").map(|entry| entry.expect("it can be listed").path());
    let (Some(own), None) = (made.next(), made.next()) else { panic!("{line} should make one folder") };
    let files = written(&own, "");
    fs::remove_dir_all(folder.join("explored")).expect("it is there");
    files
}

/// An explorer in a folder with names that a shell would take for more than names.
fn among_hard_names() -> (Explorer, TempDir) {
    let folder = temp();
    let pictures = folder.path().join("it's $HOME");
    fs::create_dir(&pictures).expect("it is made");
    fs::copy("tests/data/shortcut/planted.pt", folder.path().join("a model.pt")).expect("it is copied");
    fs::copy("tests/data/shortcut/images/001.png", pictures.join("-one \"1\".png")).expect("it is copied");
    let flags = ["--model-path", "a model.pt", "--img-size", "128", "--img-path", "it's $HOME"];
    (Explorer::start_in(folder.path(), &flags), folder)
}

fn look() -> Value {
    json!({"colormap": "viridis", "alpha": 0.4, "threshold": 0.3})
}

/// Compares what a line writes in `folder` with what is saved, but for `besides`.
fn assert_same_files(
    explorer: &Explorer,
    id: usize,
    asked: &Value,
    folder: &Path,
    besides: Option<&str>,
) -> BTreeMap<String, Vec<u8>> {
    let answer = explorer.ask(id, "save", asked);
    assert_eq!(answer.header("content-type"), Some("application/zip"));
    let disposition = answer.header("content-disposition").expect("it has one");
    assert!(disposition.starts_with("attachment; filename=") && disposition.contains("-explored.zip"), "{disposition}");
    let mut saved = unpacked(answer.fine());
    if let Some(besides) = besides {
        fs::write(folder.join(besides), saved.remove(besides).expect("it is saved")).expect("it is written");
    }
    let command = explorer.ask(id, "command", asked).json();
    let line = command["line"].as_str().expect("text");
    assert!(line.starts_with("yolo-cam ") && !line.contains('\n'), "{line}");
    assert!(command["note"].as_str().is_some_and(|note| !note.is_empty()), "{command}");
    let files = run(line, folder);
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&files), names(&saved), "{line}");
    for (name, content) in &files {
        let [own, other] = [content, &saved[name]].map(|bytes| String::from_utf8_lossy(bytes));
        let first = own.lines().zip(other.lines()).find(|(own, other)| own != other);
        assert!(*content == saved[name], "{name} is another: {:?}; {line}", first.filter(|_| name.ends_with(".json")));
    }
    files
}

#[test]
fn the_copied_command_writes_what_is_saved() {
    let (explorer, folder) = among_hard_names();
    let query = json!({"query": {"box": [90, 70, 120, 100], "class": "disc"}});
    for (subject, view) in [
        (json!({"box": 1}), json!({})),
        (json!({"box": 0}), json!({"conf": 0.995, "iou": 0.3})),
        (json!(null), json!({"method": "layercam", "layers": "model.6,model.10", "fuse": "max", "target": "prob"})),
        (query, json!({"contrast": "square"})),
        (json!({"query": {"point": [100, 45], "class": null}}), json!({"conf": 0.9})),
    ] {
        let asked = json!({"subject": subject, "view": view, "look": look()});
        let files = assert_same_files(&explorer, 0, &asked, folder.path(), None);
        if !subject.is_null() {
            let answer = explorer.ask(0, "map", &asked);
            let map = answer.parts().1;
            assert!(files.values().any(|content| content == map), "{asked}: {:?}", files.keys());
        }
    }
}

#[test]
fn what_was_painted_or_added_is_saved_with_what_the_command_needs() {
    let (explorer, folder) = among_hard_names();
    let paint = json!({"fill": "black", "strokes": [{"radius": 6, "points": [[20, 20], [40, 30]]}]});
    let asked = json!({"subject": {"box": 1}, "look": look(), "paint": paint});
    let files = assert_same_files(&explorer, 0, &asked, folder.path(), Some("-one \"1\"-painted.png"));
    let (line, _) =
        explorer.ask(0, "paint", &json!({"subject": {"box": 1}, "fill": "black", "strokes": paint["strokes"]})).parts();
    let report = files.iter().find(|(name, _)| name.ends_with("-res.json")).expect("a report").1;
    let report: Value = serde_json::from_slice(report).expect("it is JSON");
    // What is shown of the painted picture comes from the same pixels.
    assert_eq!(list(&report["detections"]).len(), list(&line["detections"]).len(), "{line}");
    for (found, shown) in list(&report["detections"]).iter().zip(list(&line["detections"])) {
        assert_same(found, shown, &["class_id", "confidence", "box_image"]);
    }
    let bytes = fs::read("tests/data/shortcut/images/002.png").expect("it is there");
    let added = explorer.post("/api/pictures?name=a%20b.png", "image/png", &bytes).json();
    let id = added["id"].as_u64().expect("a number") as usize;
    let asked = json!({"subject": {"box": 0}, "look": look()});
    assert_same_files(&explorer, id, &asked, folder.path(), Some("a b.png"));
    assert!(fs::read(folder.path().join("a b.png")).expect("it was saved") == bytes, "the same file");
}

#[test]
fn a_picture_that_is_gone_is_named() {
    let folder = temp();
    let picture = folder.path().join("gone.png");
    fs::copy("tests/data/shortcut/images/000.png", &picture).expect("it is copied");
    let pictures = folder.path().to_str().expect("text");
    let explorer = Explorer::start(&[&PLANTED[..], &["--img-path", pictures]].concat());
    fs::remove_file(&picture).expect("it is there");
    let answers = [
        explorer.get("/api/pictures/0/picture"),
        explorer.get("/api/pictures/0/thumbnail"),
        explorer.ask(0, "boxes", &json!({})),
        explorer.ask(0, "map", &json!({"subject": {"box": 0}})),
    ];
    for answer in &answers {
        assert_eq!(answer.status, 404, "{answer:?}");
        let text = answer.text();
        assert!(text.contains("gone.png") && text.trim_end().lines().count() == 1, "{text}");
    }
    // Once it is back, it is shown.
    fs::copy("tests/data/shortcut/images/000.png", &picture).expect("it is copied");
    explorer.ask(0, "boxes", &json!({})).fine();
}

#[test]
fn a_picture_that_changed_on_the_disk_is_looked_at_again() {
    let folder = temp();
    let picture = folder.path().join("one.png");
    fs::copy("tests/data/shortcut/images/000.png", &picture).expect("it is copied");
    let pictures = folder.path().to_str().expect("text");
    let explorer = Explorer::start(&[&PLANTED[..], &["--img-path", pictures]].concat());
    let classes = || {
        let answer = explorer.ask(0, "boxes", &json!({})).json();
        list(&answer["detections"]).iter().map(|one| one["class"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(classes(), ["disc"]);
    fs::copy("tests/data/shortcut/images/001.png", &picture).expect("it is copied");
    assert_eq!(classes(), ["square", "disc"]);
}

#[test]
fn a_map_is_verified_as_on_the_command_line() {
    let explorer = Explorer::small(&[]);
    let mut words = Vec::new();
    for name in ["000", "001", "004"] {
        let path = format!("{SHORTCUT_PICTURES}/{name}.png");
        let output = explained(&[&PLANTED[..], &["--verify", "--img-path", &path]].concat());
        let report = report(&output.path().join(format!("{name}-res.json")));
        for found in list(&report["detections"]) {
            let subject = json!({"box": found["index"]});
            let answer =
                explorer.ask(explorer.picture(&format!("{name}.png")), "verify", &json!({"subject": subject})).json();
            for (figure, value) in found["verify"].as_object().expect("it is verified") {
                assert_eq!(&answer[figure], value, "{figure} of {answer}");
            }
            words.push(answer["word"].clone());
        }
    }
    assert!(words.len() >= 5, "{words:?}");
}

#[test]
fn two_models_answer_for_themselves() {
    let explorer = Explorer::small(&["--compare-model", "tests/data/shortcut/clean.pt"]);
    let other = explained(&[
        "--model-path",
        "tests/data/shortcut/clean.pt",
        "--img-size",
        "128",
        "--raw",
        "npy",
        "--img-path",
        SHORTCUT_PICTURES,
    ]);
    let own = explained(&[&PLANTED[..], &["--raw", "npy", "--img-path", SHORTCUT_PICTURES]].concat());
    let mut different = 0;
    for name in ["000", "002", "003", "019"] {
        let id = explorer.picture(&format!("{name}.png"));
        let reports = [&own, &other].map(|output| report(&output.path().join(format!("{name}-res.json"))));
        for (model, (output, report)) in [&own, &other].into_iter().zip(&reports).enumerate() {
            let answer = explorer.ask(id, "boxes", &json!({"view": {"model": model}, "pane": model})).json();
            assert_eq!(list(&answer["detections"]).len(), list(&report["detections"]).len(), "{name}: {answer}");
            for (found, expected) in list(&answer["detections"]).iter().zip(list(&report["detections"])) {
                assert_same(found, expected, &["class_id", "confidence", "box_image"]);
                let asked = json!({"view": {"model": model}, "pane": model, "subject": {"box": found["index"]}});
                let file =
                    fs::read(output.path().join(expected["map"].as_str().expect("a name"))).expect("it is there");
                assert!(explorer.ask(id, "map", &asked).parts().1 == file, "{name}: {expected}");
            }
        }
        different += usize::from(reports[0]["detections"] != reports[1]["detections"]);
    }
    assert!(different > 0);
}

#[test]
fn a_classifier_has_classes_without_boxes() {
    let model = "tests/data/families/tiny/11-cls.pt";
    let explorer = Explorer::start(&["--model-path", model, "--img-path", "images/"]);
    let output = explained(&["--model-path", model, "--raw", "npy", "--img-path", "images/dog.jpg"]);
    let report = report(&output.path().join("dog-res.json"));
    let id = explorer.picture("dog.jpg");
    let answer = explorer.ask(id, "boxes", &json!({})).json();
    assert_eq!(list(&answer["detections"]).len(), list(&report["detections"]).len(), "{answer}");
    for (found, expected) in list(&answer["detections"]).iter().zip(list(&report["detections"])) {
        assert_same(found, expected, &["class_id", "class", "confidence"]);
        assert_eq!(found.get("box_image"), None);
        let answer = explorer.ask(id, "map", &json!({"subject": {"box": found["index"]}}));
        let file = fs::read(output.path().join(expected["map"].as_str().expect("a name"))).expect("it is there");
        assert!(answer.parts().1 == file, "{found}");
    }
    let page = explorer.get("/").text();
    let (_, data) = page.split_once(r#"id="data">"#).expect("it has data");
    let data: Value = serde_json::from_str(data.split_once("</script>").expect("they end").0).expect("it is JSON");
    assert_eq!(data["models"][0]["has_boxes"], false);
}

#[test]
fn the_page_starts_with_what_the_command_line_asked_for() {
    let flags = [
        "--conf",
        "0.25",
        "--iou",
        "0.3",
        "--method",
        "layercam",
        "--target",
        "prob",
        "--target-layer",
        "model.9,model.6",
    ];
    let explorer = Explorer::small(&[&flags[..], &["--fuse", "max"]].concat());
    let page = explorer.get("/").text();
    let (_, data) = page.split_once(r#"id="data">"#).expect("it has data");
    let data: Value = serde_json::from_str(data.split_once("</script>").expect("they end").0).expect("it is JSON");
    let view = &data["view"];
    for (name, value) in
        [("model", json!(0)), ("method", json!("layercam")), ("target", json!("prob")), ("fuse", json!("max"))]
    {
        assert_eq!(view[name], value, "{view}");
    }
    assert_eq!(view["layers"], "model.9,model.6", "{view}");
    assert!((number(&view["conf"]) - 0.25).abs() < 1e-6 && (number(&view["iou"]) - 0.3).abs() < 1e-6, "{view}");
    let model = &data["models"][0];
    assert_eq!((&model["name"], &model["classes"]), (&json!("planted.pt"), &json!(["disc", "square"])));
    assert_eq!((&data["look"]["colormap_name"], &data["has_labels"]), (&json!("jet"), &json!(false)));
    assert_eq!(list(&data["look"]["colormap"]).len(), 256);
    assert_eq!(list(&data["look"]["fading"]).len(), 256);
    for name in ["methods", "fuses", "colormaps", "fills", "colors"] {
        assert!(!list(&data[name]).is_empty(), "{name}");
    }
    // What is asked with the page's view is what is asked without one.
    let subject = json!({"box": 0});
    let asked = explorer.ask(0, "map", &json!({"view": view, "subject": subject})).parts().0;
    assert_eq!(
        (&asked["method"], &asked["target"], &asked["layers"]),
        (&json!("layercam"), &json!("prob"), &json!(["model.9", "model.6"]))
    );
}
