//! Runs over many pictures: their order, what stays of them when they are stopped, and what scripts see.
#![allow(clippy::disallowed_macros)] // A test says what it skips.

mod common;

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant, SystemTime},
};

use common::{explain, files, report, temp, yolo_cam};
use predicates::{prelude::*, str::contains};
use serde_json::Value;
use tempfile::TempDir;

const PICTURES: [&str; 6] = ["cat-dog.jpg", "chelsea.png", "dog.jpg", "eagle.jpg", "horses.jpg", "person.jpg"];

/// A folder with `count` copies of the bundled pictures.
fn many_pictures(count: usize) -> TempDir {
    let folder = temp();
    for index in 0..count {
        let picture = PICTURES[index % PICTURES.len()];
        let copy = folder.path().join(format!("{index:03}-{picture}"));
        fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("images").join(picture), copy).expect("it is copied");
    }
    folder
}

fn lines(output: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(output).expect("it is UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

#[test]
fn lines_on_stdout_tell_of_each_picture_in_the_order_of_the_inputs() {
    let (pictures, output) = (many_pictures(8), temp());
    fs::write(pictures.path().join("003-eagle.jpg"), b"").expect("it is written");
    let run = explain(&pictures.path().to_string_lossy(), &output)
        .args(["--json-lines", "--jobs", "4", "--report", "csv"])
        .output()
        .expect("it runs");
    assert_eq!(run.status.code(), Some(1));
    let lines = lines(&run.stdout);
    let names: Vec<String> = lines
        .iter()
        .map(|line| line["image"]["path"].as_str().expect("a path").rsplit('/').next().expect("a name").to_owned())
        .collect();
    let mut sorted = names.clone();
    sorted.sort();
    assert_eq!(names, sorted);
    assert_eq!(names.len(), 8);
    assert_eq!(lines[3]["status"], "failed");
    assert!(lines[3]["error"].as_str().is_some_and(|error| error.contains("is empty")));
    assert_eq!(lines[2]["status"], "done");
    assert_eq!(lines[2]["detections"].as_array().map(Vec::len), Some(4));
    let file = lines[2]["files"][0].as_str().expect("a file");
    assert!(Path::new(file).ends_with("002-dog-res.jpg") && Path::new(file).exists());
    // The lines about them on stderr, and the table, have the same order.
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    let places: Vec<usize> = names.iter().map(|name| said.find(name.as_str()).expect("it is told")).collect();
    assert!(places.is_sorted(), "{said}");
    let table = fs::read_to_string(output.path().join("report.csv")).expect("it is there");
    let mut rows: Vec<&str> = table.lines().skip(1).map(|row| row.split(',').next().unwrap_or_default()).collect();
    rows.dedup();
    assert_eq!(rows.len(), 8);
    assert!(rows.is_sorted(), "{table}");
}

#[test]
fn a_reader_that_stops_early_stops_nothing_else() {
    let (pictures, output) = (many_pictures(6), temp());
    let mut run = start(pictures.path(), output.path(), &["--json-lines", "-q"], Stdio::piped(), Stdio::inherit());
    drop(run.stdout.take());
    assert!(ends(&mut run).success());
    assert_eq!(files(&output).len(), 6);
}

/// A terminal: its own end, and the one that a program writes to.
#[cfg(unix)]
fn terminal() -> (fs::File, fs::File) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let own = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("the system has terminals");
    grantpt(&own).and_then(|()| unlockpt(&own)).expect("it is ours");
    let name = ptsname(&own, Vec::new()).expect("it has a name").into_string().expect("it is text");
    let options = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY;
    let other = rustix::fs::open(name, options, rustix::fs::Mode::empty()).expect("it opens");
    (own.into(), other.into())
}

#[cfg(unix)]
#[test]
fn a_terminal_that_is_closed_ends_no_run() {
    use std::io::Read;
    for command in [&["--report", "csv"][..], &["--method", "d-rise", "--masks", "16", "--report", "csv"]] {
        let (pictures, output) = (many_pictures(6), temp());
        fs::write(pictures.path().join("003-eagle.jpg"), b"").expect("it is written");
        let (mut own, other) = terminal();
        let mut run = start(pictures.path(), output.path(), command, Stdio::null(), other.into());
        // It has begun to tell, and has more to say.
        assert!(own.read(&mut [0; 64]).expect("it tells something") > 0);
        drop(own);
        assert_eq!(ends(&mut run).code(), Some(1), "one picture is none");
        let report = fs::read_to_string(output.path().join("report.csv")).expect("it is there");
        assert!(report.contains("005-person.jpg") && report.contains("is empty"), "{report}");
    }
}

#[cfg(unix)]
#[test]
fn nobody_at_the_other_end_of_stderr_ends_no_run() {
    let (pictures, output) = (many_pictures(3), temp());
    let mut run = start(pictures.path(), output.path(), &["-v", "--report", "csv"], Stdio::null(), Stdio::piped());
    drop(run.stderr.take());
    assert!(ends(&mut run).success());
    assert!(output.path().join("report.csv").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_no_text_are_whole_lines_of_json() {
    use std::os::unix::ffi::OsStrExt;
    let (pictures, output) = (temp(), temp());
    for name in [&b"caf\xe9.jpg"[..], b"line\nbreak.jpg", b"=1+1.jpg"] {
        let path = pictures.path().join(std::ffi::OsStr::from_bytes(name));
        fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("images/dog.jpg"), path).expect("it is copied");
    }
    let run = explain(&pictures.path().to_string_lossy(), &output)
        .args(["--json-lines", "--report", "json,csv,html"])
        .output()
        .expect("it runs");
    assert_eq!(run.status.code(), Some(0), "{}", String::from_utf8_lossy(&run.stderr));
    let lines = lines(&run.stdout);
    assert_eq!(lines.len(), 3);
    let file = |line: &Value| line["files"][0].as_str().expect("text").rsplit('/').next().map(str::to_owned);
    assert_eq!(
        lines.iter().filter_map(file).collect::<Vec<_>>(),
        ["=1+1-res.jpg", "caf\u{fffd}-res.jpg", "line\nbreak-res.jpg"]
    );
    assert_eq!(files(&output).len(), 3 * 2 + 3);
}

#[test]
fn a_report_that_cannot_be_written_costs_itself_only() {
    for (report, flags) in [("report-files", ["--report", "html"]), ("report.csv", ["--report", "csv"])] {
        let output = temp();
        // A file where a folder should be, and the other way round.
        match report {
            "report-files" => fs::write(output.path().join(report), b"").expect("it is written"),
            _ => fs::create_dir(output.path().join(report)).expect("it is created"),
        }
        let run = explain("images/dog.jpg", &output).args(flags).assert().code(1);
        run.stderr(contains(format!("{report}\":")).and(contains("4 boxes")));
        assert!(output.path().join("dog-res.jpg").exists() && !output.path().join("report.html").exists());
    }
    for report in ["eval.csv", "eval.json", "eval.html"] {
        let output = temp();
        fs::create_dir(output.path().join(report)).expect("it is created");
        let mut eval = yolo_cam();
        eval.args(["eval", "--model-path", "tests/data/three.pt", "--img-path", "images/dog.jpg", "--img-size", "64"]);
        eval.args(["--conf-thres", "0.1", "--steps", "2", "--top", "1", "--output-dir"]).arg(output.path());
        eval.assert().code(1).stderr(contains(report)).stdout(contains("1 box of 1 picture;"));
        for other in ["eval.csv", "eval.json", "eval.html"] {
            assert_eq!(output.path().join(other).is_file(), other != report, "{other} beside {report}");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_killed_run_left_is_swept_by_the_next() {
    let output = temp();
    fs::create_dir(output.path().join("report-files")).expect("it is created");
    // No process has this number: it is above the most that Linux gives.
    for place in ["", "report-files"] {
        fs::write(output.path().join(place).join(".yolo-cam-4194305-a1b2c3"), b"half").expect("it is written");
    }
    explain("images/dog.jpg", &output).assert().success();
    assert_eq!(files(&output), ["dog-res.jpg", "report-files"]);
    assert_eq!(fs::read_dir(output.path().join("report-files")).expect("it can be listed").count(), 0);
}

/// Starts the program as a script would, in the background.
fn start(pictures: &Path, output: &Path, args: &[&str], stdout: Stdio, stderr: Stdio) -> Child {
    Command::new(env!("CARGO_BIN_EXE_yolo-cam"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .arg("--img-path")
        .arg(pictures)
        .arg("--output-dir")
        .arg(output)
        .args(args)
        .stdout(stdout)
        .stderr(stderr)
        .spawn()
        .expect("it starts")
}

/// Waits for the end, two minutes at most.
fn ends(run: &mut Child) -> ExitStatus {
    let status = (0..1200).find_map(|_| {
        thread::sleep(Duration::from_millis(100));
        run.try_wait().expect("it can be asked")
    });
    run.kill().expect("a child that has ended may be killed too");
    status.expect("it ends")
}

#[cfg(unix)]
fn signal(name: &str, run: &Child) {
    let told = Command::new("kill").args([name, &run.id().to_string()]).status().expect("it runs");
    assert!(told.success());
}

/// Every file has a final name, and is what its name says.
fn assert_sound(folder: &Path) -> usize {
    let mut sound = 0;
    for entry in fs::read_dir(folder).expect("it can be listed") {
        let path = entry.expect("it can be listed").path();
        // What a killed run was writing, the journal and the lock.
        if path.is_dir() || path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".yolo-cam")) {
            continue;
        }
        match path.extension().and_then(|ext| ext.to_str()).expect("an extension") {
            "json" => drop(report(&path)),
            "npy" => {
                let file = fs::File::open(&path).expect("it opens");
                <ndarray::Array2<f32> as ndarray_npy::ReadNpyExt>::read_npy(file).expect("it is sound");
            }
            "jpg" | "png" => drop(yolo_cam::picture::read(&path).expect("it is sound")),
            "csv" => assert!(fs::read_to_string(&path).expect("it opens").ends_with('\n')),
            "html" => assert!(fs::read_to_string(&path).expect("it opens").trim_end().ends_with("</html>")),
            other => panic!("{other}: {path:?}"),
        }
        sound += 1;
    }
    sound
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_finishes_its_pictures_and_reports_them() {
    let (pictures, output) = (many_pictures(60), temp());
    let args = ["--report", "csv,json", "--raw", "--json-lines"];
    let mut run = start(pictures.path(), output.path(), &args, Stdio::piped(), Stdio::piped());
    let mut stdout = BufReader::new(run.stdout.take().expect("it is piped"));
    let mut first = String::new();
    for _ in 0..3 {
        stdout.read_line(&mut first).expect("lines come");
    }
    signal("-INT", &run);
    let mut rest = Vec::new();
    std::io::Read::read_to_end(&mut stdout, &mut rest).expect("it is read");
    let said = std::io::read_to_string(run.stderr.take().expect("it is piped")).expect("it is read");
    assert_eq!(ends(&mut run).code(), Some(130), "{said}");
    let done = first.lines().count() + lines(&rest).len();
    assert!((3..60).contains(&done), "{done}");
    assert!(said.contains(&format!("interrupted: {done} of 60 pictures done")), "{said}");
    assert!(assert_sound(output.path()) > 2 * done, "a picture, a report and maps of each");
    let table = fs::read_to_string(output.path().join("report.csv")).expect("it is there");
    let mut images: Vec<&str> = table.lines().skip(1).map(|row| row.split(',').next().unwrap_or_default()).collect();
    images.dedup();
    assert_eq!(images.len(), done);
}

#[cfg(unix)]
#[test]
fn a_method_of_many_passes_is_interrupted_within_a_picture() {
    let output = temp();
    let args = ["--method", "d-rise", "--masks", "100000", "--raw", "--report", "json", "-v"];
    let mut run = start(Path::new("images/dog.jpg"), output.path(), &args, Stdio::inherit(), Stdio::piped());
    // It tells of the model before it takes the first picture.
    let stderr = BufReader::new(run.stderr.take().expect("it is piped"));
    let mut said = stderr.lines().map_while(Result::ok);
    assert!(said.any(|line| line.starts_with("time: model load")));
    thread::sleep(Duration::from_millis(500));
    signal("-TERM", &run);
    let rest: Vec<String> = said.collect();
    assert_eq!(ends(&mut run).code(), Some(143), "{rest:?}");
    assert!(rest.iter().any(|line| line.starts_with("interrupted: 0 of 1 pictures done")), "{rest:?}");
    assert_eq!(files(&output), [""; 0]);
}

#[cfg(unix)]
#[test]
fn an_interrupted_comparison_reports_what_it_has_and_goes_on_with_the_same_figures() {
    let compare = |output: &TempDir| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_yolo-cam"));
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        command.args(["compare", "--model-path", "weights/yolov5s.torchscript", "--img-path", "images/", "--methods"]);
        command.args(["gradcam", "--steps", "3", "--img-size", "320", "--skip-existing", "-v", "--output-dir"]);
        command.arg(output.path()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts")
    };
    let (output, whole) = (temp(), temp());
    let mut run = compare(&output);
    let mut said = BufReader::new(run.stderr.take().expect("it is piped")).lines().map_while(Result::ok);
    // The first picture is whole with two baselines.
    let measured = (0..4).filter_map(|_| said.find(|line| line.ends_with("boxes measured"))).count();
    signal("-INT", &run);
    let rest: Vec<String> = said.collect();
    assert_eq!(ends(&mut run).code(), Some(130), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("--skip-existing goes on")), "{rest:?}");
    let mut second = compare(&output);
    let said = std::io::read_to_string(second.stderr.take().expect("it is piped")).expect("it is read");
    assert!(ends(&mut second).success(), "{said}");
    let again = said.lines().filter(|line| line.ends_with("boxes measured")).count();
    assert!(measured == 4 && again > 0 && again <= 14, "{said}");
    assert!(ends(&mut compare(&whole)).success());
    let table = |folder: &TempDir| fs::read_to_string(folder.path().join("compare.csv")).expect("it is there");
    assert!(table(&output) == table(&whole), "as if it had not been stopped");
}

#[cfg(unix)]
#[test]
fn a_killed_run_leaves_no_broken_file_under_a_final_name() {
    let pictures = many_pictures(12);
    let begin = |output: &TempDir| {
        let args = ["-q", "--report", "csv,json,html", "--raw", "--raw-size", "image"];
        start(pictures.path(), output.path(), &args, Stdio::null(), Stdio::null())
    };
    let whole = temp();
    let clock = Instant::now();
    assert!(ends(&mut begin(&whole)).success());
    let duration = clock.elapsed();
    let mut sound = 0;
    let mut broken_off = 0;
    // Moments that differ from run to run, over the whole time that a run takes.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    for round in 0..10u32 {
        let output = temp();
        let mut run = begin(&output);
        let jitter = f64::from(now.subsec_micros().wrapping_mul(round * 7919 + 1) % 1000) / 1000.0;
        thread::sleep(duration.mul_f64((f64::from(round) + jitter) / 10.0));
        broken_off += u32::from(run.try_wait().expect("it can be asked").is_none());
        run.kill().expect("it is killed");
        run.wait().expect("it has ended");
        sound += assert_sound(output.path());
        if output.path().join("report-files").exists() {
            sound += assert_sound(&output.path().join("report-files"));
        }
    }
    assert!(broken_off > 0, "some were killed on the way");
    assert!(sound > 0, "some files were there");
}

#[test]
fn bad_pictures_are_a_line_each_and_the_rest_is_done() {
    let (pictures, output) = (temp(), temp());
    let put = |name: &str, bytes: &[u8]| fs::write(pictures.path().join(name), bytes).expect("it is written");
    let good = fs::read("images/eagle.jpg").expect("it is there");
    put("a-zero.png", b"");
    put("b-text.jpg", b"this is no picture");
    put("c-truncated.jpg", &good[..good.len() / 3]);
    // 30000x30000 pixels in a few bytes.
    put(
        "d-huge.gif",
        b"GIF89a\x30\x75\x30\x75\x80\0\0\0\0\0\xff\xff\xff\x2c\0\0\0\0\x30\x75\x30\x75\0\x02\x02\x44\x01\0\x3b",
    );
    image::RgbImage::from_pixel(1, 1, image::Rgb([9; 3])).save(pictures.path().join("e-dot.png")).expect("written");
    put("f-good.jpg", &good);
    put("g-secret.jpg", &good);
    #[cfg(unix)]
    {
        let hidden = std::os::unix::fs::PermissionsExt::from_mode(0o000);
        fs::set_permissions(pictures.path().join("g-secret.jpg"), hidden).expect("it is ours");
    }
    // Root may read everything.
    let is_secret = fs::read(pictures.path().join("g-secret.jpg")).is_err();
    let run = explain(&pictures.path().to_string_lossy(), &output).output().expect("it runs");
    assert_eq!(run.status.code(), Some(1));
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    let reasons = [
        ("a-zero.png", "is empty"),
        ("b-text.jpg", "is no picture that can be read"),
        ("c-truncated.jpg", "is a damaged picture: the JPEG breaks off"),
        ("d-huge.gif", "is 30000x30000 pixels; at most"),
    ];
    for (name, reason) in reasons {
        let lines: Vec<&str> = said.lines().filter(|line| line.contains(name)).collect();
        assert!(lines.len() == 1 && lines[0].starts_with("error: ") && lines[0].contains(reason), "{name}: {lines:?}");
    }
    assert_eq!(said.contains("g-secret.jpg\": Permission denied"), is_secret, "{said}");
    let failed = 4 + usize::from(is_secret);
    assert!(said.contains(&format!("{} of 7 pictures done, {failed} failed", 7 - failed)), "{said}");
    assert!(files(&output).contains(&"e-dot-res.png".to_owned()), "a picture of one pixel is a picture");
}

#[test]
fn an_output_folder_that_is_a_file_fails_every_picture_in_one_line() {
    let output = temp();
    let file = output.path().join("file");
    fs::write(&file, "").expect("it is written");
    yolo_cam()
        .args(["--model-path", "weights/yolov5s.torchscript", "--img-path", "images", "--output-dir"])
        .arg(&file)
        .assert()
        .code(1)
        .stderr(contains("error: output folder").count(1).and(contains("cannot be created")))
        .stderr(contains("0 of 6 pictures done, 6 failed").and(contains('\n').count(2)));
}

/// A disk of 1 MiB, in a mount namespace of its own, or `None` where this user may not mount.
#[cfg(target_os = "linux")]
fn on_small_disk(mount_point: &Path, script: &str) -> Option<std::process::Output> {
    let script = format!("mount -t tmpfs -o size=1m none {mount_point:?} || exit 99; {script}");
    let args = ["--mount", "--map-root-user", "sh", "-c", &script];
    let output = Command::new("unshare").current_dir(env!("CARGO_MANIFEST_DIR")).args(args).output();
    output.ok().filter(|output| output.status.code() != Some(99) && !is_refused(output))
}

#[cfg(target_os = "linux")]
fn is_refused(output: &std::process::Output) -> bool {
    String::from_utf8_lossy(&output.stderr).starts_with("unshare:")
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_fails_the_pictures_that_have_no_room_and_leaves_no_half_of_them() {
    let (disk, kept) = (temp(), temp());
    let program = env!("CARGO_BIN_EXE_yolo-cam");
    let script = format!(
        "{program:?} --img-path images --output-dir {:?} --report csv --threads 1 --jobs 1; code=$?; \
         cp {:?}/* {:?}; ls -A {:?} >&2; exit $code",
        disk.path(),
        disk.path(),
        kept.path(),
        disk.path(),
    );
    let Some(run) = on_small_disk(disk.path(), &script) else {
        return common::skip("this user may not mount a small disk");
    };
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert_eq!(run.status.code(), Some(1), "{said}");
    assert!(said.contains("No space left on device"), "{said}");
    assert!(!said.contains(".yolo-cam-"), "nothing temporary is left: {said}");
    let sound = assert_sound(kept.path());
    assert!((1..6).contains(&sound), "{said}");
}

#[test]
fn a_run_that_was_stopped_goes_on_with_the_same_reports() {
    let (pictures, output, whole) = (many_pictures(6), temp(), temp());
    let reports = ["--report", "csv,html", "--threads", "1"];
    let all = pictures.path().to_string_lossy().into_owned();
    explain(&all, &whole).args(reports).assert().success();
    let first = pictures.path().join("00[0-2]-*").to_string_lossy().into_owned();
    explain(&first, &output).args(reports).assert().success();
    explain(&all, &output)
        .args(reports)
        .args(["--skip-existing", "--dry-run"])
        .assert()
        .success()
        .stdout(contains(": skipped, ").count(3).and(contains(" -> ").count(3)));
    explain(&all, &output)
        .args(reports)
        .arg("--skip-existing")
        .assert()
        .success()
        .stderr(contains("3 of 6 pictures done, 3 skipped"));
    assert_eq!(files(&output), files(&whole));
    let read = |folder: &TempDir| fs::read_to_string(folder.path().join("report.csv")).expect("it is there");
    assert_eq!(read(&output), read(&whole));
    let cards = |folder: &TempDir| common::cards(&folder.path().join("report.html"));
    assert_eq!(cards(&output), cards(&whole));
    assert_eq!(cards(&whole).len(), 6);
}

/// Copies of a picture at `places` in a folder.
fn copies(folder: &TempDir, places: &[&str]) {
    for place in places {
        let path = folder.path().join(place);
        fs::create_dir_all(path.parent().expect("a folder")).expect("it is made");
        fs::copy("images/eagle.jpg", path).expect("it is copied");
    }
}

/// The first column of `report.csv`, relative to `folder`.
fn reported(output: &TempDir, folder: &TempDir) -> Vec<String> {
    let text = fs::read_to_string(output.path().join("report.csv")).expect("it is there");
    let prefix = format!("{}/", folder.path().display());
    text.lines().skip(1).map(|line| line.split(',').next().unwrap_or("").replace(&prefix, "")).collect()
}

#[test]
fn what_is_done_is_known_by_the_picture_and_not_by_the_name_of_its_results() {
    let (pictures, output) = (temp(), temp());
    copies(&pictures, &["b/0001.jpg"]);
    let run = || {
        let mut command = explain(&pictures.path().to_string_lossy(), &output);
        command.args([
            "--recursive",
            "--flat",
            "--skip-existing",
            "--report",
            "csv",
            "--img-size",
            "320",
            "--top",
            "1",
        ]);
        command.output().expect("it runs")
    };
    assert!(run().status.success());
    copies(&pictures, &["a/0001.jpg"]);
    let said = String::from_utf8_lossy(&run().stderr).into_owned();
    assert!(said.contains("b/0001.jpg: skipped, ") && said.contains("/0001-res.jpg is there"), "{said}");
    assert!(said.contains("/0001-2-res.jpg"), "a/0001.jpg gets a name of its own: {said}");
    assert_eq!(reported(&output, &pictures), ["a/0001.jpg", "b/0001.jpg"]);
    // A picture that was changed is another, and so is one whose result was removed.
    fs::copy("images/dog.jpg", pictures.path().join("b/0001.jpg")).expect("it is copied");
    fs::remove_file(output.path().join("0001-2-res.jpg")).expect("it was there");
    let said = String::from_utf8_lossy(&run().stderr).into_owned();
    assert!(said.contains("2 of 2 pictures done; "), "{said}");
    assert_eq!(files(&output), ["0001-2-res.jpg", "0001-res.jpg", "report.csv"]);
    assert!(String::from_utf8_lossy(&run().stderr).contains("2 skipped"));
}

#[test]
fn other_settings_are_other_results_and_reports_hold_those_of_one() {
    let (pictures, output) = (temp(), temp());
    copies(&pictures, &["a.jpg", "b.jpg"]);
    let run = |input: &str, method: &str| {
        let mut command = explain(&pictures.path().join(input).to_string_lossy(), &output);
        command.args(["--skip-existing", "--exist-ok", "--report", "csv", "--img-size", "320", "--method", method]);
        let run = command.output().expect("it runs");
        assert!(run.status.success());
        String::from_utf8_lossy(&run.stderr).into_owned()
    };
    run("*.jpg", "gradcam");
    assert!(!run("a.jpg", "hirescam").contains("skipped"));
    let said = run("*.jpg", "hirescam");
    assert!(said.contains("1 of 2 pictures done, 1 skipped"), "{said}");
    let table = fs::read_to_string(output.path().join("report.csv")).expect("it is there");
    assert!(table.contains("hirescam") && !table.contains("gradcam"), "{table}");
}

#[test]
fn reports_of_a_run_that_was_killed_are_complete_once_it_went_on() {
    let (pictures, output, whole) = (many_pictures(4), temp(), temp());
    let input = pictures.path().to_string_lossy().into_owned();
    let flags = ["--report", "csv,html", "--threads", "1", "--img-size", "320"];
    explain(&input, &whole).args(flags).assert().success();
    explain(&input, &output).args(flags).assert().success();
    // A killed run has written no report, and half a line of its journal.
    let journal = output.path().join(".yolo-cam.jsonl");
    let text = fs::read_to_string(&journal).expect("it is there");
    fs::write(&journal, &text[..text.len() - 9]).expect("it is written");
    for report in ["report.csv", "report.html"] {
        fs::remove_file(output.path().join(report)).expect("it was there");
    }
    let again = explain(&input, &output).args(flags).arg("--skip-existing").output().expect("it runs");
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(said.contains("1 of 4 pictures done, 3 skipped"), "{said}");
    assert!(said.contains("1 damaged line of the journal left out"), "{said}");
    let read = |folder: &TempDir| fs::read_to_string(folder.path().join("report.csv")).expect("it is there");
    assert_eq!(read(&output), read(&whole));
    assert_eq!(files(&output), files(&whole));
}

#[test]
fn pictures_are_told_from_results_in_the_same_folder_and_in_others() {
    let pictures = temp();
    let names = ["high-res-2.jpg", "l-shape.jpg", "low-res.jpg", "low.jpg", "plan-res-3.jpg"];
    copies(&pictures, &names);
    let run = |output: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_yolo-cam"));
        command.args(["--model-path", "weights/yolov5s.torchscript", "--recursive", "--img-size", "320", "--img-path"]);
        command.arg(pictures.path()).arg("--output-dir").arg(output).args(["--report", "html"]);
        let run = command.output().expect("it runs");
        String::from_utf8_lossy(&run.stderr).into_owned()
    };
    let before = fs::read(pictures.path().join("low-res.jpg")).expect("it is there");
    for output in [pictures.path().to_owned(), pictures.path().join("first"), pictures.path().join("second")] {
        let said = run(&output);
        assert!(said.contains("5 of 5 pictures done"), "{said}");
    }
    assert_eq!(fs::read(pictures.path().join("low-res.jpg")).expect("it is there"), before, "a picture of the user's");
}

#[test]
fn a_second_run_into_the_same_folder_is_refused_while_the_first_goes_on() {
    let output = temp();
    let lock = fs::File::create(output.path().join(".yolo-cam.lock")).expect("it is made");
    lock.lock().expect("nobody has it");
    for arguments in [&["--img-path", "images/dog.jpg"][..], &["eval", "--img-path", "images/dog.jpg"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_yolo-cam"));
        command.args(arguments).args(["--model-path", "weights/yolov5s.torchscript", "--output-dir"]);
        let run = command.arg(output.path()).output().expect("it runs");
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        assert_eq!((run.status.code(), said.lines().count()), (Some(2), 1), "{said}");
        assert!(said.contains("is writing to") && said.contains("--output-dir"), "{said}");
    }
    assert!(files(&output).is_empty(), "{:?}", files(&output));
    // The lock of a run that is gone is none.
    drop(lock);
    explain("images/dog.jpg", &output).args(["--img-size", "320"]).assert().success();
}

#[cfg(unix)]
#[test]
fn the_scripts_in_examples_do_what_they_say() {
    let (pictures, output) = (many_pictures(3), temp());
    let run = |script: &str, arguments: &[&Path]| {
        let output = Command::new(format!("examples/{script}"))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("YOLO_CAM", env!("CARGO_BIN_EXE_yolo-cam"))
            .arg("weights/yolov5s.torchscript")
            .args(arguments)
            .output()
            .expect("it starts");
        (output.status.code(), String::from_utf8(output.stdout).expect("it is UTF-8"))
    };
    let batch = || run("batch.sh", &[pictures.path(), output.path()]);
    let (code, said) = batch();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("all pictures are explained") && output.path().join("report.html").exists());
    fs::write(pictures.path().join("bad.jpg"), b"").expect("it is written");
    let (code, said) = batch();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("some pictures failed"));

    let grey = pictures.path().join("grey.png");
    image::RgbImage::from_pixel(64, 64, image::Rgb([128; 3])).save(&grey).expect("it is written");
    let (code, said) = run("classes.sh", &[Path::new("images/dog.jpg"), &grey, Path::new("missing.jpg")]);
    assert_eq!(code, Some(1), "{said}");
    for class in ["dog", "bicycle", "car", "truck"] {
        assert!(said.contains(&format!("1 {class}\n")), "{said}");
    }
    assert!(said.contains(&format!("nothing in {}\n", grey.display())), "{said}");
    assert!(said.contains("failed: missing.jpg\n"), "{said}");
}

#[test]
fn shapes_are_drawn_and_their_numbers_are_in_all_reports() {
    let output = temp();
    explain("images/dog.jpg", &output)
        .args(["--shape", "--report", "json,csv", "--descriptors", "6", "--raw", "npy", "--raw-size", "input"])
        .assert()
        .success();
    let (width, height) = image::image_dimensions(output.path().join("dog-shape.png")).expect("a picture");
    // A legend below each, and the footer.
    assert!((1280..1400).contains(&width) && (4 * 500..4 * 540).contains(&height), "{width}x{height}");
    let report = report(&output.path().join("dog-res.json"));
    let table = fs::read_to_string(output.path().join("report.csv")).expect("it is there");
    assert!(
        table.lines().next().is_some_and(|header| header.contains("shape_area") && header.contains("shape_solidity"))
    );
    for (index, detection) in report["detections"].as_array().expect("a list").iter().enumerate() {
        let shape = &detection["shape"];
        assert_eq!(shape["descriptors"].as_array().map(Vec::len), Some(6));
        let solidity = shape["solidity"].as_f64().expect("a number");
        assert!((0.1..=1.0).contains(&solidity));
        assert!(table.contains(&format!(",{},", shape["area"])), "{table}");

        // The same region, measured by the command that takes files.
        let map = output.path().join(format!("dog-res-{index}.npy"));
        yolo_cam()
            .args(["shape", "--report", "json", "--descriptors", "6", "--output-dir"])
            .arg(output.path())
            .arg(&map)
            .assert()
            .success()
            .stdout(contains(format!("area {} px", shape["area"])));
        let own = common::report(&output.path().join(format!("dog-res-{index}-shape.json")));
        assert_eq!(own["perimeter"], shape["perimeter"]);
        assert_eq!(own["descriptors"], shape["descriptors"]);
    }
}

#[test]
fn masks_are_compared_points_get_a_hull_and_bad_files_a_line() {
    let output = temp();
    let mask = |name: &str, left: u32| {
        let path = output.path().join(name);
        let is_lit = |x: u32, y: u32| (left..left + 100).contains(&x) && (20..80).contains(&y);
        let pixel = |x, y| image::Luma([if is_lit(x, y) { 255u8 } else { 0 }]);
        image::GrayImage::from_fn(300, 100, pixel).save(&path).expect("it is written");
        path
    };
    let shape = |files: &[&PathBuf], args: &[&str]| {
        let mut command = yolo_cam();
        command.arg("shape").args(files).args(args).arg("--output-dir").arg(output.path()).assert()
    };
    let (a, b) = (mask("a.png", 10), mask("b.png", 60));
    // Half of each 100x60 is shared: a third of the union.
    shape(&[&a, &b], &["--compare"]).success().stdout(contains("compared: descriptor distance 0.0000, IoU 0.3333"));
    shape(&[&a], &["--compare"]).code(2).stderr(contains("--compare takes two files; 1 given"));
    let missing = output.path().join("missing.png");
    let black = output.path().join("black.png");
    image::GrayImage::new(9, 9).save(&black).expect("it is written");
    shape(&[&missing, &a, &black], &["--report", "csv"])
        .code(1)
        .stderr(contains("missing.png\": No such file").and(contains("black.png\": the map lights up nothing")))
        .stdout(contains("a.png: area 6000 px"));
    let table = fs::read_to_string(output.path().join("shape.csv")).expect("it is there");
    assert_eq!(table.lines().count(), 4, "{table}");

    let points = output.path().join("points.csv");
    fs::write(&points, "x,y\n0,0\n4,0\n4,3\n0,3\n2,1\n").expect("it is written");
    let points = points.to_string_lossy();
    shape(&[], &["--points", &points]).success().stdout(contains("5 points, hull of 4 corners, area 12, perimeter 14"));
    assert!(output.path().join("points-hull.png").exists());
}

#[test]
fn completions_and_the_manual_know_every_flag() {
    let printed = |args: &[&str]| {
        let run = yolo_cam().args(args).output().expect("it runs");
        assert!(run.status.success(), "{args:?}");
        String::from_utf8(run.stdout).expect("it is UTF-8")
    };
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = printed(&["completions", shell]);
        assert!(script.contains("target-layer") && script.contains("export"), "{shell}");
    }
    let page = printed(&["man"]);
    assert!(page.contains(".TH yolo-cam 1") && page.contains(r"\-\-target\-layer"), "{page}");
    let page = printed(&["man", "export"]);
    assert!(page.contains(r"yolo\-cam\-export") && page.contains(r"\-\-half"), "{page}");
    yolo_cam()
        .args(["man", "nothing"])
        .assert()
        .code(2)
        .stderr(contains("the commands are: layers, methods, eval, compare, diagnose, diff, merge, explore, export"));
}

#[test]
fn each_layout_writes_its_files_at_its_resolution() {
    let with = |args: &[&str]| {
        let output = temp();
        explain("images/dog.jpg", &output).args(args).arg("--no-footer").assert().success();
        let sizes = files(&output).into_iter().map(|name| {
            let (width, height) = image::image_dimensions(output.path().join(&name)).expect("it is a picture");
            (name, width, height)
        });
        sizes.collect::<Vec<_>>()
    };
    let sized = |name: &str, width, height| (name.to_owned(), width, height);
    assert_eq!(with(&[]), [sized("dog-res.jpg", 5 * 640, 480)]);
    let overlays: Vec<_> = (0..4).map(|index| sized(&format!("dog-res-{index}.png"), 768, 576)).collect();
    assert_eq!(with(&["--layout", "overlay", "--format", "png"]), overlays);
    let per_class = with(&["--layout", "overlay", "--per", "class", "--top", "1"]);
    assert_eq!(per_class, [sized("dog-res-0-class16.jpg", 768, 576)]);
    assert_eq!(with(&["--layout", "side", "--format", "webp"]), [sized("dog-res.webp", 2 * 768, 576)]);
    // Five tiles of 480x360 in three rows, 8 pixels between them.
    assert_eq!(with(&["--layout", "sheet"]), [sized("dog-res.jpg", 2 * 480 + 8, 3 * 360 + 16)]);
    // Five pairs of 256 pixels with 4 between them in two columns, 16 pixels between cells; below each crop stands its box.
    let crops = with(&["--layout", "crops", "--no-labels"]);
    assert_eq!(crops, [sized("dog-res.jpg", 2 * 516 + 16, 3 * 256 + 2 * 16)]);
    let none = with(&["--layout", "overlay", "--conf-thres", "1"]);
    assert_eq!(none, [sized("dog-res.jpg", 768, 576)], "the picture alone");
}

#[test]
fn quality_and_colours_change_the_file() {
    let bytes = |args: &[&str]| {
        let output = temp();
        explain("images/dog.jpg", &output).args(args).assert().success();
        fs::read(output.path().join("dog-res.jpg")).expect("it is there")
    };
    let plain = bytes(&[]);
    assert!(bytes(&["--quality", "30"]).len() * 2 < plain.len());
    for args in [
        &["--colormap", "viridis"][..],
        &["--heat", "full"],
        &["--normalize", "image"],
        &["--alpha", "0.9"],
        &["--threshold", "0.5"],
        &["--no-labels"],
        &["--colorbar"],
        &["--line-width", "9"],
        &["--blend", "heat"],
        &["--no-footer"],
    ] {
        assert!(bytes(args) != plain, "{args:?}");
    }
}

/// Where the peak of a map lies in the picture, by what the report says of its cells.
fn peak_in_picture(entry: &Value, values: &[f32]) -> [f64; 2] {
    let grid = &entry["map_grid"];
    let number = |key: &str| grid[key].as_f64().expect("a number");
    let width = number("width") as usize;
    assert_eq!(values.len(), width * number("height") as usize);
    let peak = (0..values.len()).max_by(|&a, &b| values[a].total_cmp(&values[b])).expect("it has cells");
    let centre = |cell: usize, axis: &str| {
        number(&format!("offset_{axis}")) + (cell as f64 + 0.5) * number(&format!("scale_{axis}"))
    };
    [centre(peak % width, "x"), centre(peak / width, "y")]
}

#[test]
fn raw_maps_of_every_format_and_size_say_where_their_cells_lie() {
    let mut peaks = Vec::new();
    for (format, extension) in [("npy", "npy"), ("png16", "map.png"), ("tiff", "map.tiff")] {
        for size in ["feature", "input", "image"] {
            let output = temp();
            // Wide enough for padding.
            explain("images/person.jpg", &output)
                .args(["--raw", format, "--raw-size", size, "--report", "json"])
                .assert()
                .success();
            let report = report(&output.path().join("person-res.json"));
            let entry = &report["detections"][1];
            let file = entry["map"].as_str().expect("a file name");
            assert_eq!(file, format!("person-res-1.{extension}"));
            let values = values(&output.path().join(file));
            if size == "image" {
                assert_eq!(values.len(), 640 * 424);
            }
            peaks.push(peak_in_picture(entry, &values));
        }
    }
    // The same place, up to a cell of 32 pixels at the layer and interpolation elsewhere.
    for peak in &peaks {
        let apart = |axis: usize| (peak[axis] - peaks[0][axis]).abs();
        assert!(apart(0) <= 20.0 && apart(1) <= 20.0, "{peaks:?}");
    }
}

fn values(path: &PathBuf) -> Vec<f32> {
    match path.extension().and_then(|ext| ext.to_str()) {
        Some("npy") => {
            let file = fs::File::open(path).expect("it opens");
            let map: ndarray::Array2<f32> = ndarray_npy::ReadNpyExt::read_npy(file).expect("it is an npy");
            map.into_iter().collect()
        }
        Some("png") => image::open(path).expect("it is a PNG").into_luma16().iter().map(|&v| f32::from(v)).collect(),
        _ => {
            let file = fs::File::open(path).expect("it opens");
            let mut decoder = tiff::decoder::Decoder::new(file).expect("it is a TIFF");
            match decoder.read_image().expect("it is sound") {
                tiff::decoder::DecodingResult::F32(values) => values,
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn one_thread_leaves_no_convolution_to_slower_kernels() {
    let output = temp();
    let run = explain("images/eagle.jpg", &output)
        .args(["--threads", "1", "--img-size", "320"])
        .env("ONEDNN_VERBOSE", "1")
        .output()
        .expect("it runs");
    assert!(run.status.success(), "{run:?}");
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    let of_kernel = |kernel: &str| {
        let is_of = |line: &&str| line.contains(",exec,") && line.contains(",convolution,") && line.contains(kernel);
        said.lines().filter(is_of).count()
    };
    if of_kernel("kh3") == 0 {
        return common::skip("this libtorch runs no convolution through oneDNN");
    }
    // YOLOv5s has 42 of 1x1, its heads included; every pass runs all of them.
    let pointwise = of_kernel("kh1");
    assert!(pointwise > 0 && pointwise % 42 == 0, "{pointwise} of 1x1");
}

#[test]
fn results_of_other_settings_are_kept_unless_the_user_lets_them_go() {
    let output = temp();
    let run = |flags: &[&str]| {
        let mut command = explain("images/eagle.jpg", &output);
        command.args(["--model-path", "tests/data/three.pt", "--img-size", "64"]).args(flags).assert()
    };
    run(&[]).success();
    let result = output.path().join("eagle-res.jpg");
    let before = fs::read(&result).expect("it is there");
    run(&[]).success();
    let told = "already has results made with other settings (method gradcam, now layercam); use another --output-dir, or --exist-ok to replace them";
    run(&["--method", "layercam", "--heat", "full"]).code(2).stderr(contains("drawing"));
    run(&["--method", "layercam"]).code(2).stderr(contains(told));
    assert_eq!(fs::read(&result).expect("it is there"), before);
    run(&["--method", "layercam", "--exist-ok"]).success();
    run(&["--method", "layercam"]).success();
    run(&[]).code(2).stderr(contains("method layercam, now gradcam"));
    fs::remove_file(&result).expect("it is there");
    run(&[]).success();
}

#[test]
fn results_mirror_the_folders_of_the_pictures_unless_flat_is_asked_for() {
    let (pictures, output) = (temp(), temp());
    for place in ["dog.jpg", "north/dog.jpg", "north/cam 1/eagle.jpg"] {
        let copy = pictures.path().join(place);
        fs::create_dir_all(copy.parent().expect("a folder")).expect("it is made");
        let picture = Path::new(env!("CARGO_MANIFEST_DIR")).join("images").join(copy.file_name().expect("a name"));
        fs::copy(picture, &copy).expect("it is copied");
    }
    let run = |output: &Path, flags: &[&str]| {
        let mut command = yolo_cam();
        command.args(["--model-path", "tests/data/three.pt", "--img-size", "64", "--conf-thres", "0.1", "--top", "1"]);
        command.args(["--recursive", "--raw", "--report", "json,csv,html,txt", "--shape"]).args(flags);
        command.arg("--img-path").arg(pictures.path()).arg("--output-dir").arg(output).assert().success()
    };
    run(output.path(), &[]);
    let exist = |folder: &Path, names: &[&str]| {
        for name in names {
            assert!(folder.join(name).is_file(), "{name}");
        }
    };
    exist(output.path(), &["dog-res.jpg", "north/dog-res.jpg", "north/cam 1/eagle-res.jpg", "labels/north/dog.txt"]);
    exist(output.path(), &["north/cam 1/eagle-res.json", "north/cam 1/eagle-res-0.npy", "north/cam 1/eagle-shape.png"]);
    let map = &report(&output.path().join("north/cam 1/eagle-res.json"))["detections"][0]["map"];
    exist(output.path(), &[map.as_str().expect("a name")]);
    for card in common::cards(&output.path().join("report.html")) {
        let thumbnail = card["files"]["thumbnail"].as_str().expect("an address").replace("%20", " ");
        exist(output.path(), &[&thumbnail]);
    }
    // Nothing of it is a picture to the next run, also where it lies among the pictures.
    run(output.path(), &["--skip-existing"]).stderr(contains("0 of 3 pictures done, 3 skipped"));
    run(pictures.path(), &[]).stderr(contains("3 of 3 pictures done"));
    run(pictures.path(), &[]).stderr(contains("3 of 3 pictures done"));
    let flat = temp();
    run(flat.path(), &["--flat"]);
    exist(flat.path(), &["dog-res.jpg", "dog-2-res.jpg", "eagle-res.jpg"]);
}
