//! `make bench`: what it costs to split a run and to join it again. Nothing here fails a build.
//!
//! `cargo bench --bench shards -- merging` measures only what is named: `splitting`, `merging`.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::Instant,
};

use serde_json::{Value, json};

const MODEL: &str = "weights/yolov5s.torchscript";
/// How many pictures are explained: the start of a process, which each shard pays, is small beside them.
const PICTURES: usize = 40;
const ROUNDS: usize = 3;
const ROWS: usize = 100_000;
const SHARDS: usize = 16;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wants = |section: &str| arguments.is_empty() || arguments.iter().any(|argument| argument == section);
    if wants("splitting") {
        splitting();
    }
    if wants("merging") {
        merging();
    }
}

fn show(what: &str, figure: String, limit: &str) {
    println!("{what:<62} {figure:>12}   {limit}");
}

fn program(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_yolo-cam"));
    command.args(words).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

fn expect_success(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Two shards side by side, and one process with the threads of both, in turns.
fn splitting() {
    let (pictures, output) = (temp(), temp());
    for number in 0..PICTURES {
        fs::copy("images/dog.jpg", pictures.path().join(format!("{number:03}.jpg"))).expect("it is copied");
    }
    let pictures = pictures.path().to_str().expect("it is text").to_owned();
    let run = |name: &str, more: &[&str]| -> Child {
        let folder = output.path().join(name);
        let own = [
            "--model-path",
            MODEL,
            "--img-path",
            &pictures,
            "--report",
            "csv,html",
            "-q",
            "--exist-ok",
            "--output-dir",
        ];
        program(&own).arg(folder).args(more).spawn().expect("it starts")
    };
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        expect_success(&run("whole", &["--threads", "2"]).wait_with_output().expect("it ends"));
        let whole = start.elapsed();
        let start = Instant::now();
        let shards = ["1/2", "2/2"].map(|shard| run("split", &["--threads", "1", "--shard", shard]));
        shards.into_iter().for_each(|shard| expect_success(&shard.wait_with_output().expect("it ends")));
        ratios.push(start.elapsed().as_secs_f64() / whole.as_secs_f64());
    }
    ratios.sort_by(f64::total_cmp);
    show(
        &format!("two shards of one thread / one process of two, {PICTURES} pictures"),
        format!("{:.2}", ratios[ROUNDS / 2]),
        "at most 1.1",
    );
}

/// Many rows of many shards into one table.
fn merging() {
    let folder = temp();
    let words = [
        "--model-path",
        MODEL,
        "--img-path",
        "images/dog.jpg",
        "--report",
        "csv",
        "-q",
        "--shard",
        "1/1",
        "--output-dir",
    ];
    expect_success(&program(&words).arg(folder.path()).output().expect("it runs"));
    let only = folder.path().join(".yolo-cam.shard-1-of-1.jsonl");
    let text = fs::read_to_string(&only).expect("it is there");
    fs::remove_file(only).expect("it is there");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect();
    let done = lines.iter().find(|line| line.get("done").is_some()).expect("the picture is done");
    let rows = done["done"]["record"]["rows"].as_array().map_or(1, Vec::len);
    write_shards(folder.path(), &lines[0], done, ROWS / rows);
    let start = Instant::now();
    let output = program(&["merge", "-v"]).arg(folder.path()).output().expect("it runs");
    let seconds = start.elapsed().as_secs_f64();
    expect_success(&output);
    let table = fs::read_to_string(folder.path().join("report.csv")).expect("it is written");
    let count = table.lines().count() - 1;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let peak = said.lines().find_map(|line| line.strip_prefix("memory: peak ")).unwrap_or("not told");
    show(&format!("merging {count} rows of {SHARDS} shards"), format!("{seconds:.1} s"), "seconds");
    show("its peak memory, libtorch included", peak.to_owned(), "whatever the number of rows");
}

/// The journals of shards in which `pictures` pictures are like the one that is `done`.
fn write_shards(folder: &Path, head: &Value, done: &Value, pictures: usize) {
    for number in 0..SHARDS {
        let mut head = head.clone();
        head["head"]["shard"]["number"] = json!(number + 1);
        head["head"]["shard"]["of"] = json!(SHARDS);
        head["head"]["inputs"]["count"] = json!(pictures);
        let file = File::create(folder.join(format!(".yolo-cam.shard-{}-of-{SHARDS}.jsonl", number + 1)));
        let mut out = BufWriter::new(file.expect("it is made"));
        writeln!(out, "{head}").expect("it is written");
        let mut line = done.clone();
        for input in (number..pictures).step_by(SHARDS) {
            line["done"]["turn"] = json!([input, 0, 0]);
            line["done"]["record"]["stem"] = json!(format!("dog-{input}"));
            line["done"]["record"]["files"] = json!([]);
            writeln!(out, "{line}").expect("it is written");
        }
        writeln!(out, "\"end\"").and_then(|()| out.flush()).expect("it is written");
    }
}

fn temp() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}
