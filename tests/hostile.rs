//! Files of strangers. Those that were made to attack the program: whatever they hold, it ends by itself, soon, in bounded
//! memory, with a few plain lines, and touches no file but its own. Those that others reported: it does what they expected.
#![cfg(unix)]

mod common;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use common::{material, repacked, report, temp};
use tempfile::TempDir;
use zip::CompressionMethod;

/// The promise is ten seconds; a busy machine with an unoptimised program gets more.
const MOST_TIME: Duration = Duration::from_secs(60);

/// 1 GiB, and what the program with libtorch takes for a sound file.
const MOST_MIB: u64 = 1024 + 400;

/// Address space: libtorch reserves far more than it uses.
const ADDRESS_KIB: u64 = 12 << 20;

/// The first says what the model is.
const MOST_LINES: usize = 4;
const MOST_LETTERS: usize = 500;

/// What became of a run.
struct Outcome {
    code: Option<i32>,
    stderr: String,
    /// As far as the system tells.
    peak_mib: u64,
    /// Names of files in the folder where it ran.
    left: Vec<String>,
    /// Where its results are.
    results: TempDir,
}

/// Runs the program in an empty folder; results go elsewhere.
fn run(arguments: &[&Path]) -> Outcome {
    let (folder, results, said) = (temp(), temp(), temp());
    let stderr = said.path().join("stderr");
    let mut program = Command::new("sh")
        .args(["-c", &format!("ulimit -v {ADDRESS_KIB} 2>/dev/null; exec \"$0\" \"$@\"")])
        .arg(env!("CARGO_BIN_EXE_yolo-cam"))
        .args(arguments)
        .arg("--output-dir")
        .arg(results.path())
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(File::create(&stderr).expect("it is created"))
        .spawn()
        .expect("it starts");
    let (start, mut peak_mib) = (Instant::now(), 0);
    let status = loop {
        if let Some(status) = program.try_wait().expect("it can be waited for") {
            break status;
        }
        peak_mib = peak_mib.max(peak_memory(program.id()).unwrap_or(0));
        if start.elapsed() > MOST_TIME {
            program.kill().expect("it is killed");
            program.wait().expect("it is dead");
            panic!("{arguments:?} takes more than {MOST_TIME:?}");
        }
        thread::sleep(Duration::from_millis(10));
    };
    let names = fs::read_dir(folder.path()).expect("it can be listed");
    let left = names.map(|entry| entry.expect("it can be listed").file_name().to_string_lossy().into_owned()).collect();
    let stderr = String::from_utf8_lossy(&fs::read(&stderr).expect("it is there")).into_owned();
    Outcome { code: status.code(), stderr, peak_mib, left, results }
}

/// The most memory that a process has held, in MiB, where the system tells.
fn peak_memory(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kib| kib / 1024)
}

/// What is wrong with how a run ended.
fn misbehaviour(outcome: &Outcome) -> Option<String> {
    let Outcome { code, stderr, peak_mib, left, .. } = outcome;
    let lines: Vec<&str> = stderr.split_terminator('\n').collect();
    let longest = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    match () {
        () if !matches!(code, Some(0..=2)) => Some(format!("ends with {code:?}")),
        () if lines.len() > MOST_LINES => Some(format!("says {} lines", lines.len())),
        () if longest > MOST_LETTERS => Some(format!("says a line of {longest} letters")),
        () if lines.iter().any(|line| line.contains(char::is_control)) => Some("says control characters".into()),
        () if *peak_mib > MOST_MIB => Some(format!("takes {peak_mib} MiB")),
        () if !left.is_empty() => Some(format!("leaves {left:?}")),
        () => None,
    }
}

/// Explains a picture with a model.
fn explain_with(model: &Path) -> Outcome {
    let picture = Path::new(env!("CARGO_MANIFEST_DIR")).join("images/dog.jpg");
    let options = ["--img-size", "256", "--top", "2", "--threads", "1", "--img-path"].map(Path::new);
    run(&[&options[..], &[&picture, Path::new("--model-path"), model]].concat())
}

/// The files in a folder, and what each of them does wrong. Several run at once.
fn misbehaving(folder: &Path, run: impl Fn(&Path) -> Outcome + Sync) -> Vec<String> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).expect("it can be listed").map(|entry| entry.expect("it can be listed").path()).collect();
    files.sort();
    let (open, found) = (Mutex::new(files), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from).min(4) {
            scope.spawn(|| {
                loop {
                    let Some(file) = open.lock().expect("nobody panicked").pop() else { break };
                    let outcome = run(&file);
                    if let Some(problem) = misbehaviour(&outcome) {
                        found.lock().expect("nobody panicked").push(format!("{file:?} {problem}: {}", outcome.stderr));
                    }
                }
            });
        }
    });
    found.into_inner().expect("nobody panicked")
}

fn hostile(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/hostile").join(name)
}

#[test]
fn a_hostile_model_ends_by_itself_with_a_true_reason() {
    for (name, code, reason) in [
        ("b01-laughs-28-10.pt", 2, "more than 5000 modules"),
        ("b05-itself.pt", 2, "more than 32 deep"),
        ("c04-classes-1e6.pt", 2, "1000000 classes; at most 100000"),
        ("m05-path-ansi.pt", 2, "blocks that YOLOv5 does not have"),
        ("n11-empty.pt", 0, "names for 0 of its 2 classes; without one: class0, class1"),
        ("n15-dict-20k.pt", 0, "leaves out 19998 names"),
        ("n16-names-int.pt", 0, "boxes (1 0."),
        ("o05-10M-x200.pt", 2, "models.common.Conv with \"x0\""),
        ("r02-memoize.pt", 2, "holds no network"),
        ("r15-objs.pt", 2, "holds no network"),
        ("s01-sum-20000.pt", 2, "takes 20000 inputs; at most 1000"),
        ("s04-upsample-100.pt", 2, "it makes a tensor of 81920000 bytes"),
        ("t17-overlap.pt", 0, ""),
        ("y16-prefixed.pt", 2, "damaged zip archive"),
        ("y27-encrypted.pt", 2, "Password required"),
        ("n03-newline.pt", 0, ""),
    ] {
        let outcome = explain_with(&hostile(name));
        assert_eq!(misbehaviour(&outcome), None, "{name}: {}", outcome.stderr);
        assert_eq!(outcome.code, Some(code), "{name}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(reason), "{name}: {}", outcome.stderr);
    }
}

/// The file's first block, which has 200 times the same 10 million bytes, as one of PyTorch's, whose parts are not looked at.
#[test]
fn weights_of_more_bytes_than_the_file_has_are_refused() {
    let archive = fs::read(hostile("o05-10M-x200.pt")).expect("it is there");
    let changed = repacked(&archive, None, CompressionMethod::Deflated, |name, content| match name {
        "data.pkl" => {
            let (class, other) = (b"cmodels.common\nConv\n", b"ctorch.nn\nIdentity\n");
            let at = content.windows(class.len()).position(|window| window == class).expect("it has that block");
            [&content[..at], other, &content[at + class.len()..]].concat()
        }
        _ => content,
    });
    let folder = temp();
    let path = folder.path().join("changed.pt");
    fs::write(&path, changed).expect("it is written");
    let outcome = explain_with(&path);
    assert_eq!((misbehaviour(&outcome), outcome.code), (None, Some(2)), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("far more bytes than its file has"), "{}", outcome.stderr);
}

#[test]
fn every_hostile_model_beside_the_repository_behaves() {
    let Some(folder) = material("hostile/models") else { return };
    let found = misbehaving(&folder, explain_with);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_hostile_torchscript_beside_the_repository_behaves() {
    let Some(folder) = material("hostile/ts") else { return };
    let found = misbehaving(&folder, explain_with);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Runs the program on a picture of field/ with a model of it.
fn explain_in_field(field: &Path, model: &str, flags: &[&str]) -> Outcome {
    let picture = field.join("common/dog256.png");
    let model = field.join(model).join("model.pt");
    let flags: Vec<&Path> = flags.iter().map(Path::new).collect();
    let options = ["--img-size", "256", "--report", "json", "--img-path"].map(Path::new);
    run(&[&options[..], &[&picture, Path::new("--model-path"), &model], &flags].concat())
}

/// Each box as PyTorch gives it, in `torch.txt`: x1 y1 x2 y2 confidence class.
fn assert_boxes_are_pytorchs(model: &Path, outcome: &Outcome) {
    let text = fs::read_to_string(model.join("torch.txt")).expect("it is there");
    let row = |line: &str| line.split(' ').map(|word| word.parse().expect("a number")).collect::<Vec<f64>>();
    let expected: Vec<Vec<f64>> = text.lines().map(row).collect();
    let report = report(&outcome.results.path().join("dog256-res.json"));
    let number = |value: &serde_json::Value| value.as_f64().expect("a number");
    let row = |found: &serde_json::Value| {
        let corners = found["box_input"].as_array().expect("a list").iter().map(number);
        corners.chain([number(&found["confidence"]), number(&found["class_id"])]).collect::<Vec<f64>>()
    };
    let found: Vec<Vec<f64>> = report["detections"].as_array().expect("a list").iter().map(row).collect();
    assert_eq!(found.len(), expected.len(), "{model:?}");
    for expected in &expected {
        let is_same = |found: &Vec<f64>| {
            let is_near = |at: usize, most: f64| (found[at] - expected[at]).abs() <= most;
            (0..4).all(|corner| is_near(corner, 0.1)) && is_near(4, 0.001) && found[5] == expected[5]
        };
        assert!(found.iter().any(is_same), "{model:?}: there is no {expected:?}");
    }
}

#[test]
fn every_model_that_strangers_reported_does_what_they_expected() {
    let Some(field) = material("field") else { return };
    // YOLOv5 v5.0 was run with boxes of all classes against each other.
    let agnostic: &[&str] = &["--agnostic-nms"];
    for (model, flags, said) in [
        ("act-frelu-utils", &[][..], "boxes"),
        ("act-gelu", &[], "boxes"),
        ("base", &[], "boxes"),
        ("names-chinese", &[], "人 0."),
        ("names-int", &[], "21008 0."),
        ("names-long", &[], "scaffolding 2 0."),
        ("names-odd", &[], "boxes"),
        ("nc-stale", &[], "boxes"),
        ("one-class-zero", &[], "boxes"),
        ("param-attributes", &[], "boxes"),
        ("prune-not-removed", &[], "300 boxes"),
        ("v5.0-p5first", agnostic, "22 boxes"),
    ] {
        let outcome = explain_in_field(&field, model, flags);
        assert_eq!(misbehaviour(&outcome), None, "{model}: {}", outcome.stderr);
        assert!(outcome.code == Some(0) && outcome.stderr.contains(said), "{model}: {}", outcome.stderr);
        assert_boxes_are_pytorchs(&field.join(model), &outcome);
        let report = report(&outcome.results.path().join("dog256-res.json"));
        let blank = report["detections"].as_array().expect("a list").iter().filter(|found| found["empty"] == true);
        let most = if model == "one-class-zero" { 0 } else { usize::MAX };
        assert!(blank.count() <= most, "{model}: maps are blank");
    }
    for (model, code, said) in [("ch1", 2, "takes pictures of 1 channel"), ("nan-all", 0, "NaN or infinite values")] {
        let outcome = explain_in_field(&field, model, &[]);
        assert_eq!(misbehaviour(&outcome), None, "{model}: {}", outcome.stderr);
        assert!(outcome.code == Some(code) && outcome.stderr.contains(said), "{model}: {}", outcome.stderr);
    }
}

#[test]
fn every_picture_list_and_label_file_that_strangers_reported_is_taken() {
    let Some(field) = material("field") else { return };
    let model = field.join("base/model.pt");
    let options = ["--img-size", "256", "--top", "2", "--model-path"].map(Path::new);
    let explain = |input: &Path| run(&[&options[..], &[&model, Path::new("--img-path"), input]].concat());
    for input in
        ["tiff/3band_minisblack.tif", "tiff/4band_minisblack.tif", "tiff/bigtiff.tif", "apple-double", "common"]
    {
        let outcome = explain(&field.join(input));
        assert_eq!(misbehaviour(&outcome), None, "{input}: {}", outcome.stderr);
        assert!(outcome.code == Some(0) && outcome.stderr.contains("2 boxes"), "{input}: {}", outcome.stderr);
    }
    // The names in these lists stand in folders that are not there: a line each says so.
    for (list, missing) in [("bom.txt", "\"batch/a/cam/0001.png\""), ("latin1-name.txt", "\"a.png\"")] {
        let outcome = explain(Path::new(&format!("@{}", field.join("list-bom").join(list).display())));
        assert_eq!(misbehaviour(&outcome), None, "{list}: {}", outcome.stderr);
        assert!(outcome.code == Some(1) && outcome.stderr.contains(missing), "{list}: {}", outcome.stderr);
    }
    for video in ["base.3gp", "base.asf", "base.flv", "base.ts"] {
        // One frame: each has a line.
        let one = ["--every", "100", "--img-path"].map(Path::new);
        let outcome = run(&[&options[..], &[&model], &one, &[&field.join("video-ext").join(video)]].concat());
        assert_eq!(misbehaviour(&outcome), None, "{video}: {}", outcome.stderr);
        let is_without_ffmpeg = outcome.code == Some(1) && outcome.stderr.contains("ffmpeg");
        assert!(outcome.code == Some(0) || is_without_ffmpeg, "{video}: {}", outcome.stderr);
    }
    let pictures = temp();
    fs::copy(field.join("common/dog256.png"), pictures.path().join("0001.png")).expect("it is copied");
    let labels = fs::read_dir(field.join("coco-json")).expect("it can be listed");
    let labels = labels.map(|entry| entry.expect("it can be listed").path());
    for labels in labels.filter(|path| path.extension().is_some_and(|extension| extension == "json")) {
        let flags = ["--img-size", "256", "--top", "1", "--steps", "2", "--model-path"].map(Path::new);
        let inputs = [&model, Path::new("--img-path"), pictures.path(), Path::new("--labels"), &labels];
        let outcome = run(&[&[Path::new("eval")], &flags[..], &inputs].concat());
        assert_eq!(misbehaviour(&outcome), None, "{labels:?}: {}", outcome.stderr);
        let page = fs::read_to_string(outcome.results.path().join("eval.html")).expect("it is there");
        assert!(page.contains("1 of 1 pictures have some"), "{labels:?}: {}", outcome.stderr);
    }
}
