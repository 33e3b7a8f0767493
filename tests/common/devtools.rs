//! A browser without a window, told over its DevTools what to do.

use std::{
    cell::RefCell,
    fs,
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use tungstenite::{Message, WebSocket};

use super::{browser::chromium, page::Page, temp};

/// How long to wait for what should come. Nothing takes as long unless it is broken.
pub const LIMIT: Duration = Duration::from_secs(60);

pub const PAUSE: Duration = Duration::from_millis(20);

/// What a page asked for: `POST /api/pictures/0/map`, and the JSON that went with it.
#[derive(Debug)]
pub struct Request {
    pub what: String,
    pub body: Value,
}

/// A connection to the browser or to one of its pages.
pub struct Session {
    socket: WebSocket<TcpStream>,
    commands: u64,
    /// What went wrong so far.
    pub problems: Vec<String>,
    pub requests: Vec<Request>,
}

impl Session {
    fn connect(port: &str, path: &str) -> Self {
        let stream = TcpStream::connect(format!("127.0.0.1:{port}")).expect("the browser listens");
        stream.set_read_timeout(Some(2 * LIMIT)).expect("it is no zero");
        let (socket, _) = tungstenite::client(format!("ws://127.0.0.1:{port}{path}"), stream).expect("it answers");
        Self { socket, commands: 0, problems: Vec::new(), requests: Vec::new() }
    }

    fn send(&mut self, method: &str, params: &Value) -> u64 {
        self.commands += 1;
        let command = json!({"id": self.commands, "method": method, "params": params});
        self.socket.send(Message::text(command.to_string())).expect("the browser is there");
        self.commands
    }

    pub fn try_command(&mut self, method: &str, params: &Value) -> Result<Value, String> {
        let id = self.send(method, params);
        loop {
            let message = self.socket.read().unwrap_or_else(|error| panic!("{method}: {error}"));
            let Message::Text(text) = message else { continue };
            let mut answer: Value = serde_json::from_str(&text).expect("it is JSON");
            match answer["method"].as_str() {
                Some(event) => self.note(event, &answer["params"]),
                None if answer["id"] != id => {}
                None if answer["error"].is_null() => return Ok(answer["result"].take()),
                None => return Err(format!("{method}: {}", answer["error"])),
            }
        }
    }

    pub fn command(&mut self, method: &str, params: Value) -> Value {
        self.try_command(method, &params).unwrap_or_else(|error| panic!("{error}"))
    }

    fn note(&mut self, event: &str, params: &Value) {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let problem = match event {
            "Network.requestWillBeSent" => {
                let request = &params["request"];
                // Neither blob: nor data: is a request.
                let url = text(&request["url"]).strip_prefix("http").map(str::to_owned);
                if let Some(path) = url.and_then(|url| Some(url.splitn(4, '/').nth(3)?.to_owned())) {
                    let body = request["postData"].as_str().and_then(|text| serde_json::from_str(text).ok());
                    let what = format!("{} /{path}", text(&request["method"]));
                    self.requests.push(Request { what, body: body.unwrap_or_default() });
                }
                return;
            }
            "Runtime.exceptionThrown" => {
                let details = &params["exceptionDetails"];
                format!("{} {}", text(&details["text"]), text(&details["exception"]["description"]))
            }
            "Runtime.consoleAPICalled" if ["error", "warning", "assert"].iter().any(|kind| params["type"] == *kind) => {
                params["args"].to_string()
            }
            "Log.entryAdded" if ["error", "warning"].iter().any(|level| params["entry"]["level"] == *level) => {
                format!("{} ({})", text(&params["entry"]["text"]), text(&params["entry"]["url"]))
            }
            "Network.loadingFailed" if params["canceled"] != true && params["errorText"] != "net::ERR_ABORTED" => {
                format!("{}: {}", text(&params["type"]), text(&params["errorText"]))
            }
            "Page.javascriptDialogOpening" => {
                self.send("Page.handleJavaScriptDialog", &json!({"accept": true}));
                format!("dialog: {}", text(&params["message"]))
            }
            "Inspector.targetCrashed" => panic!("the page crashed"),
            _ => return,
        };
        // The answer to what a newer request has replaced.
        if !problem.contains("status of 409") {
            self.problems.push(problem);
        }
    }
}

pub struct Browser {
    process: Child,
    port: String,
    control: RefCell<Session>,
    downloads: PathBuf,
    _profile: TempDir,
}

impl Browser {
    /// `None` (said on stderr) where there is no Chromium.
    pub fn start() -> Option<Self> {
        let profile = temp();
        let mut command = Command::new(chromium()?);
        command
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"])
            .args(["--disable-component-update", "--disable-sync", "--hide-scrollbars", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut process = command.spawn().expect("it starts");
        // It tells its port and the path of its DevTools once it listens.
        let told = eventually("the browser listens", || {
            assert_eq!(process.try_wait().expect("it can be asked"), None, "the browser has ended");
            let told = fs::read_to_string(profile.path().join("DevToolsActivePort")).ok()?;
            let (port, path) = told.split_once('\n')?;
            path.starts_with('/').then(|| (port.to_owned(), path.trim().to_owned()))
        });
        let mut control = Session::connect(&told.0, &told.1);
        let downloads = profile.path().join("downloads");
        control.command("Browser.setDownloadBehavior", json!({"behavior": "allow", "downloadPath": downloads}));
        let permissions = ["clipboardReadWrite", "clipboardSanitizedWrite"];
        control.command("Browser.grantPermissions", json!({"permissions": permissions}));
        let control = RefCell::new(control);
        Some(Self { process, port: told.0, control, downloads, _profile: profile })
    }

    /// A page in a window of its own, loaded. `size`: of what the page has, in pixels.
    pub fn open(&self, url: &str, size: (u32, u32), is_dark: bool) -> Page {
        let target = json!({"url": "about:blank", "newWindow": true});
        let target = self.control.borrow_mut().command("Target.createTarget", target);
        let path = format!("/devtools/page/{}", target["targetId"].as_str().expect("text"));
        let mut session = Session::connect(&self.port, &path);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            session.command(&format!("{domain}.enable"), json!({}));
        }
        // Each page acts as if it had the focus.
        session.command("Emulation.setFocusEmulationEnabled", json!({"enabled": true}));
        let scheme = json!({"name": "prefers-color-scheme", "value": if is_dark { "dark" } else { "light" }});
        let still = json!({"name": "prefers-reduced-motion", "value": "reduce"});
        session.command("Emulation.setEmulatedMedia", json!({"features": [scheme, still]}));
        Page::new(session, self.downloads.clone(), url, size)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let asked = self.control.try_borrow_mut().ok().and_then(|mut control| {
            let close = json!({"id": 0, "method": "Browser.close"});
            control.socket.send(Message::text(close.to_string())).ok()
        });
        let deadline = Instant::now() + LIMIT / 6;
        while asked.is_some() && matches!(self.process.try_wait(), Ok(None)) && Instant::now() < deadline {
            thread::sleep(PAUSE);
        }
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What `look` finds, once it does.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "in vain: {what}");
        thread::sleep(PAUSE);
    }
}
