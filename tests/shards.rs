//! Runs in parts: what `merge` makes of them is what one run makes, byte for byte.

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Output,
};

use common::{YOLOV5S, temp, yolo_cam};
use image::{Delay, Frame, Rgba, RgbaImage, codecs::gif::GifEncoder};
use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::Value;
use tempfile::TempDir;

/// A small detector with a class that is told by a mark beside the object, and its pictures.
const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/shortcut");

/// Runs the program in `folder`, with words apart by spaces.
fn run_in(folder: &Path, words: &str) -> Output {
    let mut command = yolo_cam();
    // A date in reports would be another a minute later.
    command.current_dir(folder).env("SOURCE_DATE_EPOCH", "1800000000").args(words.split_whitespace());
    command.output().expect("it runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn ends_with(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{}", said(output));
    said(output)
}

/// A folder with pictures of all kinds in `pictures`: with equal stems, broken, moving, and called like a frame.
fn folder_of_pictures() -> TempDir {
    let folder = temp();
    let pictures = folder.path().join("pictures");
    for (number, place) in (0..9).map(|number| (number, if number < 5 { "a" } else { "b" })) {
        fs::create_dir_all(pictures.join(place)).expect("it is made");
        let name = format!("{:03}.png", number % 5);
        fs::copy(format!("{DATA}/images/{number:03}.png"), pictures.join(place).join(name)).expect("it is copied");
    }
    fs::write(pictures.join("broken.png"), "no picture").expect("it is written");
    let picture = yolo_cam::picture::read(Path::new(&format!("{DATA}/images/003.png"))).expect("it is a picture");
    let frame = |shift: u32| {
        let (width, height) = picture.dimensions();
        let at = |x: u32, y: u32| picture.get_pixel((x + shift) % width, y).0;
        let frame = RgbaImage::from_fn(width, height, |x, y| {
            let [r, g, b] = at(x, y);
            Rgba([r, g, b, 255])
        });
        Frame::from_parts(frame, 0, 0, Delay::from_numer_denom_ms(40, 1))
    };
    let clip = fs::File::create(pictures.join("clip.gif")).expect("it is made");
    GifEncoder::new(clip).encode_frames((0..3).map(frame)).expect("it is written");
    fs::copy(format!("{DATA}/images/010.png"), pictures.join("clip-000001.png")).expect("it is copied");
    fs::copy(format!("{DATA}/images/011.png"), pictures.join("clip.png")).expect("it is copied");
    folder
}

/// The files below `folder` with what is in them, without journals and locks.
fn results(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn add(folder: &Path, below: &str, all: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(folder).expect("it can be read").map(|entry| entry.expect("it can be read")) {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{below}{name}");
            if entry.path().is_dir() {
                add(&entry.path(), &format!("{path}/"), all);
            } else if !name.starts_with(".yolo-cam") && !name.ends_with(".jsonl") {
                all.insert(path, fs::read(entry.path()).expect("it can be read"));
            }
        }
    }
    let mut all = BTreeMap::new();
    add(folder, "", &mut all);
    // A data set names the pictures beside it by their full paths.
    if let Some(samples) = all.get_mut("fiftyone/samples.json") {
        let text = String::from_utf8(samples.clone()).expect("it is text");
        *samples = text.replace(folder.to_str().expect("it is text"), "OUT").into_bytes();
    }
    all
}

#[track_caller]
fn assert_same_results(found: &Path, expected: &Path, what: &str) {
    let (found, expected) = (results(found), results(expected));
    let names = |all: &BTreeMap<String, Vec<u8>>| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(&expected), "{what}");
    for (name, bytes) in &found {
        assert!(*bytes == expected[name], "{what}: {name}: {}", first_difference(bytes, &expected[name]));
    }
}

fn first_difference(a: &[u8], b: &[u8]) -> String {
    let at = a.iter().zip(b).position(|(a, b)| a != b).unwrap_or(a.len().min(b.len()));
    let near =
        |bytes: &[u8]| String::from_utf8_lossy(&bytes[at.saturating_sub(60)..(at + 60).min(bytes.len())]).into_owned();
    format!("{:?} and {:?}", near(a), near(b))
}

fn model() -> String {
    format!("--model-path {DATA}/planted.pt --img-size 128 --conf-thres 0.25 -q")
}

fn explaining() -> String {
    format!("{} --img-path pictures gone.png --recursive --report html,csv,json,txt --output-dir out", model())
}

fn diagnosing() -> String {
    let reports = "--report html,json,csv,coco,fiftyone";
    format!("diagnose {} --img-path {DATA}/images --labels {DATA}/labels {reports} --output-dir out", model())
}

fn comparing() -> String {
    let some = ["000", "003", "006", "010"].map(|name| format!("{DATA}/images/{name}.png")).join(" ");
    format!("eval {} --steps 4 --img-path {some} none.png --skip-existing --output-dir out", model())
}

#[test]
fn shards_of_an_explanation_merge_into_what_one_run_writes() {
    let whole = folder_of_pictures();
    ends_with(&run_in(whole.path(), &explaining()), 1);
    for of in [1, 2, 5, 20] {
        let folder = folder_of_pictures();
        // Whatever order they are in, and by which measure they are split.
        let by = if of == 5 { "size" } else { "number" };
        for number in (1..=of).rev() {
            let output = run_in(folder.path(), &format!("{} --shard {number}/{of} --shard-by={by}", explaining()));
            assert!(matches!(output.status.code(), Some(0 | 1)), "{}", said(&output));
            let names = results(&folder.path().join("out"));
            assert!(!names.contains_key("report.csv") && !names.contains_key("report.html"), "they are of the run");
        }
        ends_with(&run_in(folder.path(), "merge out -q"), 1);
        assert_same_results(&folder.path().join("out"), &whole.path().join("out"), &format!("{of} shards"));
        // The journal is that of a whole run.
        let again = run_in(folder.path(), &format!("{} --skip-existing -v", explaining().replace(" -q", "")));
        let told = ends_with(&again, 1);
        assert!(told.contains("0 of") || told.contains("0 pictures done"), "{told}");
        assert!(!told.contains(" -> "), "nothing is explained again: {told}");
    }
}

#[test]
fn figures_do_not_depend_on_how_many_pictures_a_shard_has() {
    let root = env!("CARGO_MANIFEST_DIR");
    let pictures = ["dog", "cat-dog"].map(|name| format!("{root}/images/{name}.jpg")).join(" ");
    let words = format!("--model-path {root}/{YOLOV5S} --img-path {pictures} --img-size 320 --report json,csv -q");
    let (whole, folder) = (temp(), temp());
    // Threads are divided by the pictures of the whole run.
    ends_with(&run_in(whole.path(), &format!("{words} --output-dir out --threads 4")), 0);
    for number in 1..=2 {
        ends_with(&run_in(folder.path(), &format!("{words} --output-dir out --threads 4 --shard {number}/2")), 0);
    }
    ends_with(&run_in(folder.path(), "merge out -q"), 0);
    assert_same_results(&folder.path().join("out"), &whole.path().join("out"), "yolov5s");
}

#[test]
fn shards_with_folders_of_their_own_merge_into_another() {
    let whole = folder_of_pictures();
    ends_with(&run_in(whole.path(), &explaining()), 1);
    let folders = [folder_of_pictures(), folder_of_pictures(), folder_of_pictures()];
    for (folder, number) in folders.iter().zip(1..) {
        run_in(folder.path(), &format!("{} --shard {number}/3", explaining()));
    }
    let merged = temp();
    let named = folders.each_ref().map(|folder| folder.path().join("out").display().to_string()).join(" ");
    let refused = ends_with(&run_in(merged.path(), &format!("merge {named}")), 2);
    assert!(refused.contains("--output-dir"), "{refused}");
    ends_with(&run_in(merged.path(), &format!("merge {named} --output-dir out -q")), 1);
    assert_same_results(&merged.path().join("out"), &whole.path().join("out"), "folders of their own");
}

#[test]
fn shards_of_a_diagnosis_merge_into_what_one_run_writes() {
    let (whole, folder) = (temp(), temp());
    let alone = run_in(whole.path(), &diagnosing());
    ends_with(&alone, 0);
    for number in [3, 1, 2] {
        let output = run_in(folder.path(), &format!("{} --shard {number}/3", diagnosing()));
        ends_with(&output, 0);
        assert!(output.stdout.is_empty(), "figures are of the run");
    }
    let merged = run_in(folder.path(), "merge out -q");
    ends_with(&merged, 0);
    assert_eq!(String::from_utf8_lossy(&merged.stdout), String::from_utf8_lossy(&alone.stdout));
    assert_same_results(&folder.path().join("out"), &whole.path().join("out"), "diagnose");
    let journal = |folder: &TempDir| fs::read_to_string(folder.path().join("out/diagnose.jsonl")).expect("it is there");
    assert!(journal(&folder) == journal(&whole), "records are in the order of the pictures");
}

#[test]
fn shards_of_a_difference_merge_into_what_one_run_writes() {
    let (whole, folder) = (temp(), temp());
    let pictures = format!("--img-path {DATA}/images --labels {DATA}/labels --img-size 128 --conf-thres 0.25 -q");
    let words = format!("diff {DATA}/planted.pt {DATA}/clean.pt {pictures} --output-dir out");
    let alone = run_in(whole.path(), &words);
    ends_with(&alone, 0);
    for number in 1..=2 {
        ends_with(&run_in(folder.path(), &format!("{words} --shard={number}/2")), 0);
    }
    let merged = run_in(folder.path(), "merge out -q");
    ends_with(&merged, 0);
    assert_eq!(String::from_utf8_lossy(&merged.stdout), String::from_utf8_lossy(&alone.stdout));
    assert_same_results(&folder.path().join("out"), &whole.path().join("out"), "diff");
}

/// Deals the lines of the only shard in `folder` out to the shards of `of`, in another order.
fn deal(folder: &Path, journal: &str, of: usize, order: &[usize]) {
    let text = fs::read_to_string(folder.join(journal)).expect("it is there");
    let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("it is JSON"));
    let head = lines.next().expect("there is a head");
    let lines: Vec<Value> = lines.filter(|line| line.is_object()).collect();
    let turn = |line: &Value| {
        let record = line.as_object().and_then(|line| line.values().next()).expect("it has a kind");
        [0, 1, 2].map(|part| record["turn"][part].as_u64().expect("it has a turn") as usize)
    };
    let stem = journal.strip_suffix("shard-1-of-1.jsonl").expect("it is that of the only shard");
    for number in 1..=of {
        let mut own: Vec<&Value> = lines.iter().filter(|line| turn(line)[0] % of == number - 1).collect();
        // Lines of one turn stay in their order: the last one counts.
        own.sort_by_key(|line| order[turn(line).iter().sum::<usize>() % order.len()]);
        let mut head = head.clone();
        head["head"]["shard"]["number"] = number.into();
        head["head"]["shard"]["of"] = of.into();
        let mut text = format!("{head}\n");
        own.iter().for_each(|line| text += &format!("{line}\n"));
        text += "\"end\"\n";
        fs::write(folder.join(format!("{stem}shard-{number}-of-{of}.jsonl")), text).expect("it is written");
    }
}

/// Merges the run of `words` from 1 to 40 shards, and compares what comes out with what one run writes.
fn assert_any_split_merges(words: &str, journal: &str, folder: &Path, code: i32) {
    let out = folder.join("out");
    let kept = fs::read(out.join(journal)).expect("it is there");
    let mut runner = TestRunner::new(ProptestConfig { cases: 8, ..ProptestConfig::default() });
    let splits = (1..=40usize, prop::collection::vec(0..31usize, 1..50));
    let expected = temp();
    run_in(folder, &format!("merge out --output-dir {} -q", expected.path().display()));
    let check = |of: usize, order: &[usize]| {
        fs::write(out.join(journal), &kept).expect("it is written");
        deal(&out, journal, of, order);
        if of > 1 {
            fs::remove_file(out.join(journal)).expect("it is there");
        }
        let merged = temp();
        let output = run_in(folder, &format!("merge out --output-dir {} -q", merged.path().display()));
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        assert_same_results(merged.path(), expected.path(), &format!("{words}: {of} shards"));
        for number in 1..=of {
            let stem = journal.strip_suffix("shard-1-of-1.jsonl").expect("it is that of the only shard");
            fs::remove_file(out.join(format!("{stem}shard-{number}-of-{of}.jsonl"))).expect("it is there");
        }
    };
    check(40, &[3, 1, 2]);
    runner
        .run(&splits, |(of, order)| {
            check(of, &order);
            Ok(())
        })
        .expect("any split is fine");
}

#[test]
fn any_number_of_shards_that_are_done_in_any_order_merges_into_the_same() {
    let folder = folder_of_pictures();
    let (explain, diagnose, eval) = (explaining(), diagnosing(), comparing());
    ends_with(&run_in(folder.path(), &format!("{explain} --shard 1/1")), 1);
    assert_any_split_merges(&explain, ".yolo-cam.shard-1-of-1.jsonl", folder.path(), 1);
    let folder = temp();
    ends_with(&run_in(folder.path(), &format!("{diagnose} --shard 1/1")), 0);
    assert_any_split_merges(&diagnose, "diagnose.shard-1-of-1.jsonl", folder.path(), 0);
    let folder = temp();
    ends_with(&run_in(folder.path(), &format!("{eval} --shard 1/1")), 1);
    assert_any_split_merges(&eval, "eval.shard-1-of-1.jsonl", folder.path(), 1);
}

#[test]
fn shards_of_an_evaluation_merge_into_what_one_run_makes_of_the_same_figures() {
    let folder = temp();
    for number in [2, 1] {
        let output = run_in(folder.path(), &format!("{} --shard {number}/2", comparing()));
        assert!(output.stdout.is_empty(), "figures are of the run");
    }
    let merged = run_in(folder.path(), "merge out -q");
    ends_with(&merged, 1);
    let kept = temp();
    let out = folder.path().join("out");
    for (name, bytes) in results(&out) {
        let path = kept.path().join(name);
        fs::create_dir_all(path.parent().expect("it is in a folder")).expect("it is made");
        fs::write(path, bytes).expect("it is written");
    }
    // Costs are measured, and never the same: this run takes all figures from the journal.
    let whole = run_in(folder.path(), &comparing());
    ends_with(&whole, 1);
    assert_eq!(String::from_utf8_lossy(&merged.stdout), String::from_utf8_lossy(&whole.stdout));
    assert_same_results(kept.path(), &out, "eval");
}

/// Some pictures, explained in shards.
fn some_shards(of: u32, numbers: &[u32]) -> (TempDir, String) {
    let folder = temp();
    let words = format!("{} --img-path {DATA}/images --report csv --output-dir out", model());
    for number in numbers {
        ends_with(&run_in(folder.path(), &format!("{words} --shard {number}/{of}")), 0);
    }
    (folder, words)
}

#[test]
fn what_is_missing_or_not_complete_is_told_and_left_out_if_the_user_says_so() {
    let (folder, words) = some_shards(4, &[1, 2, 4]);
    let out = folder.path().join("out");
    let partial = out.join(".yolo-cam.shard-2-of-4.jsonl");
    let text = fs::read_to_string(&partial).expect("it is there");
    let cut: Vec<&str> = text.lines().take(5).collect();
    fs::write(&partial, cut.join("\n")).expect("it is written");
    let told = ends_with(&run_in(folder.path(), "merge out"), 2);
    assert!(told.contains("explain: shard 3 of 4 is missing; run it with --shard 3/4"), "{told}");
    assert!(told.contains("explain: shard 2 of 4 is not complete; run it again with --skip-existing"), "{told}");
    assert!(!out.join("report.csv").exists());
    let told = ends_with(&run_in(folder.path(), "merge out --allow-missing"), 1);
    assert!(told.contains("warning: explain: shard 3 of 4 is missing"), "{told}");
    let rows = |folder: &Path| fs::read_to_string(folder.join("report.csv")).expect("it is there").lines().count();
    let some = rows(&out);
    // They go on, and all is there.
    ends_with(&run_in(folder.path(), &format!("{words} --shard 2/4 --skip-existing")), 0);
    ends_with(&run_in(folder.path(), &format!("{words} --shard 3/4 --skip-existing")), 0);
    ends_with(&run_in(folder.path(), "merge out"), 0);
    assert!(rows(&out) > some);
    let whole = temp();
    ends_with(&run_in(whole.path(), &words), 0);
    assert_same_results(&out, &whole.path().join("out"), "after all");
}

#[test]
fn what_does_not_go_together_is_told() {
    let (folder, words) = some_shards(2, &[1, 2]);
    let other = temp();
    let in_other = |words: &str| ends_with(&run_in(other.path(), words), 0);
    let refused = |more: &str| {
        let merged =
            run_in(folder.path(), &format!("merge out {} --output-dir merged", other.path().join(more).display()));
        let told = ends_with(&merged, 2);
        assert_eq!(told.lines().count(), 1, "{told}");
        told
    };
    in_other(&format!("{words} --shard 2/2"));
    assert!(refused("out").contains("shard 2/2 is there twice"));
    in_other(&format!("{} --shard 2/2 --output-dir settings --top 1", words.replace("--output-dir out", "")));
    let told = refused("settings");
    assert!(told.contains("is from another run than") && told.contains(": top 1, not auto"), "{told}");
    let clean = words.replace("planted", "clean").replace("--output-dir out", "");
    in_other(&format!("{clean} --shard 2/2 --output-dir model"));
    assert!(refused("model").contains(": another model"));
    in_other(&format!("{} --shard 3/3 --output-dir number", words.replace("--output-dir out", "")));
    assert!(refused("number").contains(": number of shards 3, not 2"));
    let inputs = words.replace("/images ", "/images/000.png ").replace("--output-dir out", "");
    in_other(&format!("{inputs} --shard 2/2 --output-dir inputs"));
    assert!(refused("inputs").contains(": number of inputs 1, not 24"));
    let version = other.path().join("out/.yolo-cam.shard-2-of-2.jsonl");
    let text = fs::read_to_string(&version).expect("it is there");
    fs::write(
        &version,
        text.replace(&format!(r#""yolo_cam":"{}""#, env!("CARGO_PKG_VERSION")), r#""yolo_cam":"0.0.1""#),
    )
    .expect("it is written");
    assert!(refused("out").contains(": version 0.0.1, not"));
    let told = ends_with(&run_in(folder.path(), "merge out --report html"), 2);
    assert!(told.contains("--report html is written with each picture"), "{told}");
    let told = ends_with(&run_in(folder.path(), "merge out --report coco"), 2);
    assert!(told.contains("--report coco is not a report of explain"), "{told}");
    let empty = ends_with(&run_in(folder.path(), "merge ."), 2);
    assert!(empty.contains("no shards in \".\""), "{empty}");
    // Going on with what is not the same is refused too.
    let told = ends_with(&run_in(folder.path(), &format!("{words} --shard 1/2 --skip-existing --top 1")), 2);
    assert!(told.contains("is of a run with top auto, now 1"), "{told}");
    let told = ends_with(&run_in(folder.path(), &format!("{words} --shard 1/2 --top 1")), 2);
    assert!(told.contains("already has results made with other settings"), "{told}");
}

#[test]
fn a_journal_names_no_file_outside_of_its_folder() {
    let (folder, _) = some_shards(1, &[1]);
    let journal = folder.path().join("out/.yolo-cam.shard-1-of-1.jsonl");
    let text = fs::read_to_string(&journal).expect("it is there");
    let outside = folder.path().join("mine.png");
    fs::write(&outside, "mine").expect("it is written");
    for name in ["../mine.png", outside.to_str().expect("it is text"), "a/../../mine.png"] {
        assert!(text.contains(r#""files":["000-res.png""#), "{text}");
        fs::write(&journal, text.replace("000-res.png", name)).expect("it is written");
        for flags in ["", " --output-dir merged"] {
            let told = ends_with(&run_in(folder.path(), &format!("merge out{flags}")), 2);
            assert!(told.contains("which is no file in its folder; remove it"), "{told}");
        }
        assert_eq!(fs::read_to_string(&outside).expect("it is there"), "mine");
    }
}

#[test]
fn a_shard_is_a_part_of_the_pictures_whose_names_are_those_of_the_whole_run() {
    let folder = folder_of_pictures();
    let words = "--img-path pictures gone.png --recursive --flat --output-dir out --dry-run";
    let words = format!("{} {words}", model());
    let lines = |more: &str| {
        let output = run_in(folder.path(), &format!("{words} {more}"));
        String::from_utf8(output.stdout).expect("it is text").lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let whole = lines("");
    assert!(whole.iter().any(|line| line.ends_with("/000-2-res.png")), "{whole:?}");
    for by in ["number", "size"] {
        let parts: Vec<Vec<String>> =
            (1..=3).map(|number| lines(&format!("--shard {number}/3 --shard-by {by}"))).collect();
        let all: BTreeSet<&String> = parts.iter().flatten().collect();
        assert_eq!(all, whole.iter().collect(), "{by}");
        assert_eq!(parts.iter().map(Vec::len).sum::<usize>(), whole.len(), "{by}");
    }
    let slurm = |variables: &[(&str, &str)]| {
        let mut command = yolo_cam();
        command.current_dir(folder.path()).args(words.replace("-q", "").split_whitespace()).args(["--shard", "auto"]);
        for name in ["SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX", "RANK"] {
            command.env_remove(name);
        }
        command.envs(variables.iter().copied()).output().expect("it runs")
    };
    let array = [("SLURM_ARRAY_TASK_ID", "2"), ("SLURM_ARRAY_TASK_COUNT", "3"), ("SLURM_ARRAY_TASK_MIN", "1")];
    let output = slurm(&array);
    assert!(said(&output).contains("note: this is shard 2/3, by SLURM_ARRAY_TASK_ID 2"), "{}", said(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().collect::<Vec<_>>(), lines("--shard 2/3"));
    let told = ends_with(&slurm(&[]), 2);
    assert!(told.contains("finds none of SLURM_ARRAY_TASK_ID, JOB_COMPLETION_INDEX and RANK"), "{told}");
}

#[test]
fn a_shard_that_is_none_is_wrong_use() {
    let folder = temp();
    for wrong in ["0/4", "5/4", "4", "a/b", "1/0", "-1/4", "1/99999999"] {
        let told = ends_with(&run_in(folder.path(), &format!("--img-path {DATA}/images --shard={wrong}")), 2);
        assert!(told.lines().count() == 1 && told.contains("expected K/N with K from 1 to N"), "{told}");
    }
    let told = ends_with(&run_in(folder.path(), &format!("--img-path {DATA}/images --shard-by size")), 2);
    assert!(told.contains("--shard <K/N|auto>"), "{told}");
}

#[test]
fn results_of_shards_are_no_inputs() {
    let folder = folder_of_pictures();
    let words = format!("{} --img-path pictures --output-dir pictures --report html,txt", model());
    let listed = |more: &str| {
        let output =
            run_in(folder.path(), &format!("{} --img-path pictures --dry-run --output-dir other {more}", model()));
        String::from_utf8(output.stdout).expect("it is text")
    };
    let before = listed("--recursive");
    // Both see the same inputs, though the first has written some results by then.
    for number in 1..=2 {
        run_in(folder.path(), &format!("{words} --shard {number}/2"));
        assert_eq!(listed("--recursive"), before);
    }
    ends_with(&run_in(folder.path(), "merge pictures -q"), 1);
    assert_eq!(listed("--recursive"), before);
}

#[cfg(unix)]
mod signals {
    use std::{
        process::{Child, Command, Stdio},
        thread,
        time::Duration,
    };

    use rustix::process::{Pid, Signal, kill_process};

    use super::*;

    fn start(folder: &Path, words: &str) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_yolo-cam"));
        command.current_dir(folder).env("SOURCE_DATE_EPOCH", "1800000000").args(words.split_whitespace());
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts")
    }

    fn signal(signal: Signal, run: &Child) {
        kill_process(Pid::from_child(run), signal).expect("it runs");
    }

    /// Waits until the journal has so many lines.
    fn wait_for_lines(journal: &Path, count: usize) {
        for _ in 0..6000 {
            if fs::read_to_string(journal).is_ok_and(|text| text.lines().count() >= count) {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("{journal:?} never had {count} lines");
    }

    fn interrupted(how: Signal, code: Option<i32>) {
        let (whole, folder) = (temp(), temp());
        let words = "--report html,csv --output-dir out --jobs 1 --skip-existing";
        let words = format!("{} --img-path {DATA}/images {words}", model());
        ends_with(&run_in(whole.path(), &words), 0);
        let out = folder.path().join("out");
        let journal = out.join(".yolo-cam.shard-1-of-2.jsonl");
        let mut run = start(folder.path(), &format!("{words} --shard 1/2"));
        wait_for_lines(&journal, 5);
        signal(how, &run);
        assert_eq!(run.wait().expect("it ends").code(), code);
        let done = fs::read_to_string(&journal).expect("it is there").matches("{\"done\":").count();
        assert!((1..12).contains(&done), "{done}");
        ends_with(&run_in(folder.path(), &format!("{words} --shard 2/2")), 0);
        ends_with(&run_in(folder.path(), "merge out"), 2);
        let first = out.join("000-res.png");
        let time = || fs::metadata(&first).and_then(|found| found.modified()).expect("it is there");
        let before = time();
        ends_with(&run_in(folder.path(), &format!("{words} --shard 1/2")), 0);
        assert_eq!(time(), before, "it is not made again");
        ends_with(&run_in(folder.path(), "merge out -q"), 0);
        assert_same_results(&out, &whole.path().join("out"), "gone on with");
    }

    #[test]
    fn a_shard_that_is_killed_goes_on_where_it_was() {
        interrupted(Signal::KILL, None);
    }

    #[test]
    fn a_shard_that_is_terminated_finishes_its_picture_and_goes_on_where_it_was() {
        interrupted(Signal::TERM, Some(143));
    }

    #[test]
    fn a_diagnosis_that_is_killed_goes_on_where_it_was() {
        let (whole, folder) = (temp(), temp());
        let words = format!("{} --jobs 1", diagnosing());
        ends_with(&run_in(whole.path(), &words), 0);
        let journal = folder.path().join("out/diagnose.shard-1-of-2.jsonl");
        let mut run = start(folder.path(), &format!("{words} --shard 1/2"));
        wait_for_lines(&journal, 4);
        signal(Signal::KILL, &run);
        run.wait().expect("it ends");
        for number in 1..=2 {
            ends_with(&run_in(folder.path(), &format!("{words} --shard {number}/2 --skip-existing")), 0);
        }
        ends_with(&run_in(folder.path(), "merge out -q"), 0);
        // The command says how it was called at last.
        let page = |folder: &TempDir| fs::read_to_string(folder.path().join("out/diagnose.html")).expect("it is there");
        assert!(page(&folder).replace(" --skip-existing", "") == page(&whole), "the page is the same");
    }

    #[test]
    fn a_shard_has_one_process_and_a_folder_shards_or_one_run() {
        let folder = temp();
        let words = format!("{} --img-path {DATA}/images --output-dir out", model());
        let long = format!("{words} --method d-rise --masks 1000000 --shard 1/2");
        let mut run = start(folder.path(), &long);
        wait_for_lines(&folder.path().join("out/.yolo-cam.shard-1-of-2.jsonl"), 2);
        let process = run.id();
        let told = ends_with(&run_in(folder.path(), &long), 2);
        assert!(told.contains(&format!("another process (process {process}) has this shard")), "{told}");
        let told = ends_with(&run_in(folder.path(), &words), 2);
        assert!(told.contains("shards of a run are writing to \"out\""), "{told}");
        let told = ends_with(&run_in(folder.path(), "merge out --allow-missing"), 2);
        assert!(told.contains("shards of a run are writing to \"out\""), "{told}");
        let other = run_in(folder.path(), &format!("{words} --shard 2/2"));
        ends_with(&other, 0);
        signal(Signal::KILL, &run);
        run.wait().expect("it ends");
        // Its locks are gone with it.
        ends_with(&run_in(folder.path(), &format!("{words} --exist-ok --shard 1/2")), 0);
    }
}
