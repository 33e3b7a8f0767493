//! The explorer, asked as a page asks it, and as no page would.

use std::{
    fmt,
    fs::{self, File},
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::temp;

/// How long an answer may take. None takes as long unless something is broken.
const LIMIT: Duration = Duration::from_secs(120);

/// A small model that knows discs by a mark on their left, and squares. Its pictures have 128 by 128 pixels.
pub const PLANTED: [&str; 4] = ["--model-path", "tests/data/shortcut/planted.pt", "--img-size", "128"];
pub const SHORTCUT_PICTURES: &str = "tests/data/shortcut/images";

pub struct Explorer {
    process: Child,
    /// What it says to open, as `http://127.0.0.1:4321/`.
    pub url: String,
    pub port: u16,
    folder: TempDir,
}

impl Explorer {
    /// Started in the repository's root.
    pub fn start(flags: &[&str]) -> Self {
        Self::start_in(Path::new(env!("CARGO_MANIFEST_DIR")), flags)
    }

    /// With the small model and its pictures.
    pub fn small(flags: &[&str]) -> Self {
        Self::start(&[&PLANTED[..], &["--img-path", SHORTCUT_PICTURES], flags].concat())
    }

    /// With the bundled model and pictures.
    pub fn bundled(flags: &[&str]) -> Self {
        Self::start(&[&["--model-path", super::YOLOV5S, "--img-path", "images/"], flags].concat())
    }

    pub fn start_in(at: &Path, flags: &[&str]) -> Self {
        Self::started(command(at, flags))
    }

    /// By a command that becomes the program.
    pub fn started(mut command: Command) -> Self {
        let folder = temp();
        let said = File::create(folder.path().join("said")).expect("it is made");
        let mut process = command.stdout(Stdio::piped()).stderr(said).spawn().expect("it starts");
        // It says where it is once it can be asked.
        let mut line = String::new();
        let stdout = process.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it is text");
        let url = line.trim_end().strip_prefix("explore: ").map(str::to_owned);
        let port = url.as_deref().and_then(|url| url.split([':', '/']).nth(4)?.parse().ok());
        let mut explorer = Self { process, url: url.unwrap_or_default(), port: port.unwrap_or_default(), folder };
        if explorer.port == 0 {
            explorer.process.wait().expect("it ends");
            panic!("expected an address, found {line:?}; {}", explorer.said());
        }
        explorer
    }

    /// What it said on stderr so far.
    pub fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("said")).expect("it is there")
    }

    /// What a browser writes into `Host`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn connect(&self) -> TcpStream {
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        let stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("{error}; {}", self.said()));
        stream.set_read_timeout(Some(LIMIT)).expect("it is no zero");
        stream.set_write_timeout(Some(LIMIT)).expect("it is no zero");
        stream
    }

    /// Sends bytes and reads what comes.
    pub fn raw(&self, request: &[u8]) -> Answer {
        let mut stream = self.connect();
        // It may answer before it has read everything, and end the connection.
        let _ = stream.write_all(request);
        Answer::read(&mut stream)
    }

    /// A request of this program, with `more` headers in lines that end in `\r\n`.
    pub fn head(&self, method: &str, target: &str, more: &str) -> String {
        format!("{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{more}\r\n", self.host())
    }

    pub fn get(&self, target: &str) -> Answer {
        self.raw(self.head("GET", target, "").as_bytes())
    }

    pub fn post(&self, target: &str, kind: &str, body: &[u8]) -> Answer {
        self.raw(&self.post_of(target, kind, body))
    }

    fn post_of(&self, target: &str, kind: &str, body: &[u8]) -> Vec<u8> {
        let more = format!("Content-Type: {kind}\r\nContent-Length: {}\r\n", body.len());
        [self.head("POST", target, &more).as_bytes(), body].concat()
    }

    /// Asks about a picture: `boxes`, `map`, `query`, `paint`, `verify`, `command` or `save`. `more` replaces what is asked by default.
    pub fn ask(&self, picture: usize, what: &str, more: &Value) -> Answer {
        let target = format!("/api/pictures/{picture}/{what}");
        self.post(&target, "application/json", question(more).to_string().as_bytes())
    }

    /// The same, without waiting for the answer.
    pub fn begin(&self, picture: usize, what: &str, more: &Value) -> TcpStream {
        let mut stream = self.connect();
        let target = format!("/api/pictures/{picture}/{what}");
        let request = self.post_of(&target, "application/json", question(more).to_string().as_bytes());
        stream.write_all(&request).expect("it listens");
        stream
    }

    /// The number of the picture whose file is called so.
    pub fn picture(&self, name: &str) -> usize {
        let list = self.get("/api/pictures").json();
        let pictures = list["pictures"].as_array().expect("a list");
        let found =
            pictures.iter().find(|one| one["name"].as_str().is_some_and(|own| own.rsplit('/').next() == Some(name)));
        found.unwrap_or_else(|| panic!("{name} is not in {list}"))["id"].as_u64().expect("a number") as usize
    }

    /// Of the process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Sends a signal, `-INT`.
    pub fn signal(&self, name: &str) {
        let told = Command::new("kill").args([name, &self.process.id().to_string()]).status().expect("it runs");
        assert!(told.success());
    }

    /// How it ends, which it does soon.
    pub fn ends(&mut self) -> ExitStatus {
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            if let Some(status) = self.process.try_wait().expect("it can be asked") {
                return status;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("it goes on; {}", self.said());
    }

    /// It still answers, and nothing in it broke.
    pub fn assert_sound(&self) {
        let answer = self.ask(0, "boxes", &json!({"client": "sound"}));
        assert_eq!(answer.status, 200, "{answer:?}; {}", self.said());
        assert!(!self.said().contains("panicked"), "{}", self.said());
    }
}

impl Drop for Explorer {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The program, told to explore at a port that is free, without a browser.
pub fn command(at: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_yolo-cam"));
    command.current_dir(at).args(["explore", "--no-open", "--no-config"]).args(flags);
    if !flags.contains(&"--port") {
        command.args(["--port", "0"]);
    }
    command
}

/// What is asked with every request about a picture, unless `more` says otherwise.
pub fn question(more: &Value) -> Value {
    let mut question = json!({"client": "test", "pane": 0, "when": "view", "view": {
        "model": 0, "conf": null, "iou": null, "method": "auto", "target": "auto", "layers": "auto", "fuse": "mean",
        "contrast": null,
    }});
    for (name, value) in more.as_object().expect("an object") {
        match (name.as_str(), value.as_object()) {
            ("view", Some(changes)) => {
                changes.iter().for_each(|(name, value)| question["view"][name] = value.clone());
            }
            _ => question[name] = value.clone(),
        }
    }
    question
}

/// What the explorer answers.
pub struct Answer {
    /// 0: nothing was answered before the connection ended.
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl fmt::Debug for Answer {
    /// A picture says nothing to people, nor does a whole page.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} {:?} {:?}", self.status, self.headers, self.text().chars().take(300).collect::<String>())
    }
}

impl Answer {
    /// Reads all until the connection ends.
    pub fn read(stream: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        match stream.read_to_end(&mut bytes) {
            // What was read before it is there.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&bytes)),
            Ok(_) => {}
        }
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Self { status: 0, headers: Vec::new(), body: bytes };
        };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("it is HTTP");
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect();
        let mut answer = Self { status, headers, body: bytes.split_off(end + 4) };
        if answer.header("transfer-encoding") == Some("chunked") {
            answer.body = joined(&answer.body);
        }
        answer
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.0 == name).map(|header| header.1.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body of an answer that went well.
    pub fn fine(&self) -> &[u8] {
        assert_eq!(self.status, 200, "{}", self.text());
        &self.body
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(self.fine()).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// A line of JSON and the bytes behind it.
    pub fn parts(&self) -> (Value, &[u8]) {
        let body = self.fine();
        let end = body.iter().position(|byte| *byte == b'\n').expect("a line");
        (serde_json::from_slice(&body[..end]).expect("it is JSON"), &body[end + 1..])
    }

    /// What went wrong: one line for people, without what is nobody's business.
    pub fn problem(&self) -> String {
        let text = self.text();
        assert!((400..500).contains(&self.status), "{self:?}");
        assert!(self.header("content-type").is_some_and(|kind| kind.starts_with("text/plain")), "{self:?}");
        let line = text.strip_suffix('\n').unwrap_or(&text);
        assert!(!line.is_empty() && line.chars().count() <= 500, "{self:?}");
        assert!(!line.contains(char::is_control), "{self:?}");
        for secret in
            [env!("CARGO_MANIFEST_DIR"), "/tmp/", ".rs:", "panicked", "Some(", "Err(", "::", "struct ", "[package]"]
        {
            assert!(!line.contains(secret), "{line}");
        }
        line.to_owned()
    }
}

/// The content of chunks, as far as they came.
fn joined(mut rest: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&rest[..end]).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
        let size = size.expect("a size");
        if size == 0 {
            break;
        }
        let chunk = &rest[end + 2..];
        assert!(chunk.len() >= size + 2, "the answer ends early");
        whole.extend(&chunk[..size]);
        rest = &chunk[size + 2..];
    }
    whole
}
