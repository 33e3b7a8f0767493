//! Files that were made to attack the program: whatever they hold, it ends by itself, soon, in bounded memory, with a few
//! plain lines, and touches no file but its own.
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

use common::{shared, temp};

/// The promise is ten seconds; a busy machine with an unoptimised program gets more.
const MOST_TIME: Duration = Duration::from_secs(60);

/// 1 GiB, and what the program with libtorch takes for a sound file.
const MOST_MIB: u64 = 1024 + 400;

/// Address space: libtorch reserves far more than it uses.
const ADDRESS_KIB: u64 = 12 << 20;

const MOST_LINES: usize = 3;
const MOST_LETTERS: usize = 500;

/// What became of a run.
struct Outcome {
    code: Option<i32>,
    stderr: String,
    /// As far as the system tells.
    peak_mib: u64,
    /// Names of files in the folder where it ran.
    left: Vec<String>,
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
    Outcome { code: status.code(), stderr, peak_mib, left }
}

/// The most memory that a process has held, in MiB, where the system tells.
fn peak_memory(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kib| kib / 1024)
}

/// What is wrong with how a run ended.
fn misbehaviour(outcome: &Outcome) -> Option<String> {
    let Outcome { code, stderr, peak_mib, left } = outcome;
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
        ("o05-10M-x200.pt", 2, "far more bytes than its file has"),
        ("r02-memoize.pt", 2, "holds no network"),
        ("r15-objs.pt", 2, "holds no network"),
        ("s01-sum-20000.pt", 2, "takes 20000 inputs; at most 1000"),
        ("s04-upsample-100.pt", 0, ""),
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

#[test]
fn every_hostile_model_beside_the_repository_behaves() {
    let Some(folder) = shared("hostile/models") else { return };
    let found = misbehaving(&folder, explain_with);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_hostile_torchscript_beside_the_repository_behaves() {
    let Some(folder) = shared("hostile/ts") else { return };
    let found = misbehaving(&folder, explain_with);
    assert!(found.is_empty(), "{}", found.join("\n"));
}
