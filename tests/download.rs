//! Official models that are not there, and pictures, from a server of the test's own.

mod common;

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use assert_cmd::Command;
use common::material;
use predicates::{prelude::*, str::contains};
use tempfile::TempDir;

/// A sound checkpoint, as large as none of the release is.
const CHECKPOINT: &[u8] = include_bytes!("data/blocks.pt");

/// Answers every request with the same bytes.
struct Server {
    url: String,
    requests: Arc<AtomicUsize>,
}

impl Server {
    fn start(answer: impl Fn(&mut TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}/v7.0", listener.local_addr().expect("an address"));
        let requests = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let mut lines = BufReader::new(stream.try_clone().expect("a second handle")).lines();
                while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
                count.fetch_add(1, Ordering::SeqCst);
                answer(&mut stream);
            }
        });
        Self { url, requests }
    }

    /// Announces `length` bytes and sends `body`.
    fn serve(status: &'static str, length: usize, body: Vec<u8>) -> Self {
        Self::start(move |stream| {
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
            // A client that has seen enough hangs up.
            _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
        })
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// The program, which asks the test's own server and no proxy.
fn program() -> Command {
    let mut command = Command::cargo_bin("yolo-cam").expect("it is built");
    for proxy in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(proxy);
    }
    command
}

/// `yolo-cam layers` for an official model, in an empty folder and with an empty cache below `folder`.
fn layers(folder: &Path, name: &str, url: &str) -> Command {
    let mut command = program();
    command.current_dir(folder).env("YOLO_CAM_CACHE", folder.join("cache")).env("YOLO_CAM_WEIGHTS_URL", url).args([
        "layers",
        "--model-path",
        name,
    ]);
    command
}

fn temp() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn cached(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder.join("cache/weights")) else { return Vec::new() };
    entries.map(|entry| entry.expect("it is listed").file_name().to_string_lossy().into_owned()).collect()
}

/// One line that holds all `parts`, exit code 2, and nothing in the cache.
fn fails(server: &Server, name: &str, parts: &[&str]) {
    let folder = temp();
    let output = layers(folder.path(), name, &server.url).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    let errors: Vec<&str> = said.lines().filter(|line| !line.starts_with("note: downloading ")).collect();
    assert_eq!((output.status.code(), errors.len()), (Some(2), 1), "{said}");
    for part in [name, "weights/", "the download from", &server.url, "take another model"].iter().chain(parts) {
        assert!(errors[0].contains(part), "no {part:?} in {said}");
    }
    assert_eq!(cached(folder.path()), [""; 0], "{said}");
}

#[test]
fn an_official_model_is_downloaded_once() {
    let server = Server::serve("200 OK", CHECKPOINT.len(), CHECKPOINT.to_vec());
    let folder = temp();
    // The part that a killed run left: no process has this number, it is above the most that Linux gives.
    fs::create_dir_all(folder.path().join("cache/weights")).expect("it is created");
    if cfg!(target_os = "linux") {
        fs::write(folder.path().join("cache/weights/.yolo-cam-4194305-part"), b"half").expect("it is written");
    }
    let note = r#""yolov5n-seg.pt" not found; using "#;
    let first = contains(format!("note: downloading {}/yolov5n-seg.pt, a model of Ultralytics ", server.url))
        .and(contains("under the licence AGPL-3.0"));
    layers(folder.path(), "yolov5n-seg.pt", &server.url).assert().success().stderr(first.and(contains(note)));
    assert_eq!(cached(folder.path()), ["yolov5n-seg.pt"]);
    let again = contains("downloading").not().and(contains(note));
    layers(folder.path(), "yolov5n-seg.pt", &server.url).arg("--offline").assert().success().stderr(again);
    assert_eq!(server.requests(), 1);
}

#[test]
fn a_redirect_is_followed() {
    let target = Server::serve("200 OK", CHECKPOINT.len(), CHECKPOINT.to_vec());
    let location = format!("{}/elsewhere", target.url);
    let server = Server::start(move |stream| {
        _ = write!(stream, "HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
    });
    let folder = temp();
    layers(folder.path(), "yolov5x-seg.pt", &server.url).assert().success();
    assert_eq!((server.requests(), target.requests()), (1, 1));
}

#[test]
fn the_sum_of_a_known_file_is_checked() {
    let Some(path) = material("checkpoints/yolov5n-v6.1-coco.pt") else { return };
    let mut bytes = fs::read(path).expect("it is there");
    let length = bytes.len();
    let sound = Server::serve("200 OK", length, bytes.clone());
    let folder = temp();
    layers(folder.path(), "yolov5n.pt", &sound.url).assert().success();
    // One bit of a weight.
    bytes[length / 2] ^= 1;
    fails(&Server::serve("200 OK", length, bytes), "yolov5n.pt", &["another file", "SHA-256", "4f180cf2"]);
}

#[test]
fn what_is_not_the_model_is_refused_and_leaves_nothing() {
    let length = CHECKPOINT.len();
    let half = CHECKPOINT[..length / 2].to_vec();
    let page = b"<!DOCTYPE html><html>Log in</html>".to_vec();
    fails(&Server::serve("404 Not Found", 0, Vec::new()), "yolov5m-seg.pt", &["404"]);
    fails(&Server::serve("200 OK", length, half.clone()), "yolov5m-seg.pt", &["broke off", &half.len().to_string()]);
    fails(&Server::serve("200 OK", half.len(), half), "yolov5m-seg.pt", &["damaged zip"]);
    fails(&Server::serve("200 OK", length / 2, CHECKPOINT.to_vec()), "yolov5m-seg.pt", &["damaged zip"]);
    fails(&Server::serve("200 OK", 1 << 60, CHECKPOINT.to_vec()), "yolov5m-seg.pt", &["1152921504606846976 bytes"]);
    fails(&Server::serve("200 OK", length, CHECKPOINT.to_vec()), "yolov5m.pt", &["expected 42806829"]);
    fails(&Server::serve("200 OK", page.len(), page), "yolov5m-seg.pt", &["web page"]);
    fails(&Server::start(|_| {}), "yolov5m-seg.pt", &["failed"]);
}

#[test]
fn without_network_one_line_says_so_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let refused = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    // Reserved for documentation (RFC 5737): nobody answers.
    for url in [refused.as_str(), "http://192.0.2.1", "http://no-such-host.invalid"] {
        let start = Instant::now();
        let server = Server { url: url.to_owned(), requests: Arc::default() };
        fails(&server, "yolov5l6.pt", &[]);
        // Five seconds, and what a busy machine needs to start a program.
        assert!(start.elapsed() < Duration::from_secs(15), "{url}: {:?}", start.elapsed());
    }
}

#[test]
fn offline_nothing_is_asked_for_and_the_bundled_model_is_named() {
    let server = Server::serve("200 OK", CHECKPOINT.len(), CHECKPOINT.to_vec());
    let folder = temp();
    let mut command = layers(folder.path(), "yolov5m.pt", &server.url);
    command.current_dir(env!("CARGO_MANIFEST_DIR")).arg("--offline").assert().code(2).stderr(
        contains("--offline forbids")
            .and(contains(format!("{}/yolov5m.pt", server.url)))
            .and(contains("--model-path yolov5s.pt is bundled and there")),
    );
    assert_eq!(server.requests(), 0);
}

#[test]
fn only_official_names_are_asked_for() {
    let server = Server::serve("200 OK", CHECKPOINT.len(), CHECKPOINT.to_vec());
    let folder = temp();
    layers(folder.path(), "best.pt", &server.url).assert().code(2).stderr(contains(r#""best.pt" not found"#));
    assert_eq!(server.requests(), 0);
}

#[test]
fn a_picture_on_a_server_is_explained_and_what_is_none_costs_itself_alone() {
    let picture = fs::read("images/dog.jpg").expect("it is there");
    let server = Server::serve("200 OK", picture.len(), picture.clone());
    let half = picture[..picture.len() / 2].to_vec();
    let broken = Server::serve("200 OK", picture.len(), half);
    let (missing, large) =
        (Server::serve("404 Not Found", 0, Vec::new()), Server::serve("200 OK", 1 << 40, Vec::new()));
    let output = temp();
    let run = |flags: &[&str]| {
        let mut command = program();
        command.args(["--model-path", "tests/data/three.pt", "--img-size", "64", "--no-footer", "--img-path"]);
        command.arg(format!("{}/my%20dog.jpg?size=640", server.url));
        command.args([&broken, &missing, &large].map(|server| format!("{}/a.jpg", server.url)));
        command.arg("--output-dir").arg(output.path()).args(flags).assert()
    };
    run(&[]).code(1).stderr(
        contains("/v7.0/my%20dog.jpg?size=640: ")
            .and(contains("a.jpg\" cannot be fetched: it broke off"))
            .and(contains("404"))
            .and(contains("has 1099511627776 bytes, expected at most 64 MiB"))
            .and(contains("1 of 4 pictures done, 3 failed")),
    );
    let result = image::open(output.path().join("my dog-res.jpg")).expect("it is there");
    assert_eq!(result.height(), 64);
    assert_eq!(server.requests(), 1);
    run(&["--offline"]).code(1).stderr(contains("--offline forbids fetching it"));
    assert_eq!(server.requests(), 1);
}

#[test]
fn all_methods_measure_the_same_picture_of_a_server() {
    let picture = fs::read("images/eagle.jpg").expect("it is there");
    let server = Server::serve("200 OK", picture.len(), picture);
    let output = temp();
    let mut command = program();
    command.args([
        "compare",
        "--model-path",
        "tests/data/three.pt",
        "--img-size",
        "64",
        "--conf-thres",
        "0.1",
        "--top",
        "1",
    ]);
    command
        .args(["--methods", "gradcam,hirescam", "--steps", "2", "--img-path"])
        .arg(format!("{}/eagle.jpg", server.url));
    command.arg("--output-dir").arg(output.path()).assert().success();
    assert_eq!(server.requests(), 1, "two methods and two baselines");
}
