//! A page in a browser, driven by what a person has: a mouse, a keyboard and files.

use std::{
    cell::RefCell,
    fs, mem,
    path::{Path, PathBuf},
    thread,
    time::Instant,
};

use image::RgbImage;
use serde_json::{Value, json};

use super::devtools::{LIMIT, PAUSE, Request, Session, eventually};

/// What all expressions may use.
const HELP: &str = "const byId = (id) => document.getElementById(id); \
    const all = (selector) => [...document.querySelectorAll(selector)]; \
    const texts = (selector) => all(selector).map((one) => one.textContent);";

/// Where the element `one` can be pointed at, or why it can't.
const PLACE: &str = "
    if (!one) return 'missing';
    one.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    const centre = () => {
        const { x, y, width, height } = one.getBoundingClientRect();
        return [x + width / 2, y + height / 2];
    };
    const [left, top] = centre();
    await new Promise(requestAnimationFrame);
    const [x, y] = centre();
    if (x !== left || y !== top) return 'moving';
    const hit = document.elementFromPoint(x, y);
    const isOwn = one.contains(hit) || hit?.contains(one) || [...(one.labels ?? [])].some((label) => label.contains(hit));
    return isOwn ? [x, y] : `covered by ${hit?.outerHTML.slice(0, 200)}`;
";

/// Keys with a name: what they write, and their number.
const KEYS: [(&str, &str, u8); 14] = [
    ("Enter", "\r", 13),
    ("Space", " ", 32),
    ("Tab", "", 9),
    ("Escape", "", 27),
    ("Backspace", "", 8),
    ("Delete", "", 46),
    ("ArrowLeft", "", 37),
    ("ArrowUp", "", 38),
    ("ArrowRight", "", 39),
    ("ArrowDown", "", 40),
    ("Home", "", 36),
    ("End", "", 35),
    ("PageUp", "", 33),
    ("PageDown", "", 34),
];

/// A place in the window, in pixels.
pub type At = (f64, f64);

pub struct Page {
    session: RefCell<Session>,
    downloads: PathBuf,
}

impl Page {
    pub fn new(session: Session, downloads: PathBuf, url: &str, size: (u32, u32)) -> Self {
        let page = Self { session: RefCell::new(session), downloads };
        page.resize(size);
        page.go(url);
        page
    }

    fn command(&self, method: &str, params: Value) -> Value {
        self.session.borrow_mut().command(method, params)
    }

    /// Loads an address in this page.
    pub fn go(&self, url: &str) {
        let gone = self.command("Page.navigate", json!({"url": url}));
        assert!(gone["errorText"].is_null(), "{url}: {gone}");
        self.until("document.readyState === 'complete'");
    }

    pub fn resize(&self, (width, height): (u32, u32)) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.command("Emulation.setDeviceMetricsOverride", size);
    }

    fn try_run(&self, body: &str) -> Result<Value, String> {
        let expression = format!("(async () => {{ {HELP} {body} }})()");
        let asked = json!({"expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true});
        let mut found = self.session.borrow_mut().try_command("Runtime.evaluate", &asked)?;
        match &found["exceptionDetails"] {
            Value::Null => Ok(found["result"]["value"].take()),
            details => Err(format!("{}: {}", details["text"], details["exception"]["description"])),
        }
    }

    /// What JavaScript with a `return` returns in the page.
    pub fn run(&self, body: &str) -> Value {
        self.try_run(body).unwrap_or_else(|error| panic!("{body}: {error}"))
    }

    /// What an expression, which may `await`, is in the page.
    pub fn eval(&self, expression: &str) -> Value {
        self.run(&format!("return ({expression});"))
    }

    /// Waits until a condition holds.
    pub fn until(&self, condition: &str) {
        self.until_equal(&format!("Boolean({condition})"), true);
    }

    /// Waits until an expression has a value.
    pub fn until_equal(&self, expression: &str, expected: impl Into<Value>) {
        let (expected, deadline) = (expected.into(), Instant::now() + LIMIT);
        loop {
            // Between two documents there is none to ask.
            let found = self.try_run(&format!("return ({expression});"));
            if found.as_ref() == Ok(&expected) {
                return;
            }
            if Instant::now() > deadline {
                let text = self.try_run("return document.body.innerText.slice(0, 2000)");
                panic!("{expression} is {found:?}, expected {expected}; {:#?}; {text:?}", self.problems());
            }
            thread::sleep(PAUSE);
        }
    }

    /// The centre of the first element of a selector, scrolled into view.
    pub fn centre(&self, selector: &str) -> At {
        self.centre_of(&format!("document.querySelector({})", json!(selector)))
    }

    /// The centre of the element that an expression is, once it is there, at rest and not covered by another.
    pub fn centre_of(&self, element: &str) -> At {
        let place = format!("await (async (one) => {{ {PLACE} }})({element})");
        self.until_equal(&format!("((place) => Array.isArray(place) || place)({place})"), true);
        let found = self.eval(&place);
        found[0].as_f64().zip(found[1].as_f64()).unwrap_or_else(|| panic!("{element} is {found}"))
    }

    fn mouse(&self, kind: &str, (x, y): At, is_down: bool) {
        let mut event = json!({"type": kind, "x": x, "y": y, "buttons": u8::from(is_down)});
        if kind != "mouseMoved" || is_down {
            event["button"] = "left".into();
        }
        if kind != "mouseMoved" {
            event["clickCount"] = 1.into();
        }
        self.command("Input.dispatchMouseEvent", event);
    }

    pub fn move_to(&self, at: At) {
        self.mouse("mouseMoved", at, false);
    }

    pub fn click(&self, at: At) {
        self.stroke(&[at]);
    }

    pub fn click_on(&self, selector: &str) {
        self.click(self.centre(selector));
    }

    pub fn drag(&self, from: At, to: At) {
        let step = |share: f64| (from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share);
        self.stroke(&[0.0, 0.25, 0.5, 0.75, 1.0].map(step));
    }

    /// Presses at the first place, moves over all, and releases at the last.
    pub fn stroke(&self, places: &[At]) {
        let last = *places.last().expect("a place");
        self.press_at(places[0]);
        for place in &places[1..] {
            self.mouse("mouseMoved", *place, true);
        }
        self.release_at(last);
    }

    /// Moves there and presses the button.
    pub fn press_at(&self, at: At) {
        self.move_to(at);
        self.mouse("mousePressed", at, true);
    }

    /// Lets go of the button.
    pub fn release_at(&self, at: At) {
        self.mouse("mouseReleased", at, false);
    }

    /// Turns the wheel by so many pixels; less than nothing is away from the user.
    pub fn wheel(&self, (x, y): At, pixels: f64) {
        let event = json!({"type": "mouseWheel", "x": x, "y": y, "deltaX": 0, "deltaY": pixels});
        self.command("Input.dispatchMouseEvent", event);
    }

    /// Presses a key: a character, or a name as in `ArrowLeft`, `Shift+Tab` and `Control+a`.
    pub fn press(&self, keys: &str) {
        let (modifiers, key) = keys.rsplit_once('+').filter(|(_, key)| !key.is_empty()).unwrap_or(("", keys));
        let has = |name: &str| modifiers.split('+').any(|modifier| modifier == name);
        let is_shifted = key.len() == 1 && (key.contains(char::is_uppercase) || "~!@#$%^&*()_+{}|:\"<>?".contains(key));
        let bits = u8::from(has("Alt")) + 2 * u8::from(has("Control")) + 8 * u8::from(has("Shift") || is_shifted);
        let (key, code, text, number) = match KEYS.iter().find(|known| known.0 == key) {
            Some((name, text, number)) => {
                (if *name == "Space" { " " } else { key }, (*name).to_owned(), *text, *number)
            }
            None => {
                let upper = key.to_uppercase();
                let number = upper.as_bytes()[0];
                let code = match number {
                    b'A'..=b'Z' => format!("Key{upper}"),
                    b'0'..=b'9' => format!("Digit{upper}"),
                    _ => String::new(),
                };
                let number = if code.is_empty() { 0 } else { number };
                (key, code, key, number)
            }
        };
        // With one of these held a key writes nothing.
        let text = if has("Alt") || has("Control") { "" } else { text };
        let event = |kind: &str| json!({"type": kind, "key": key, "code": code, "modifiers": bits, "windowsVirtualKeyCode": number});
        let mut down = event(if text.is_empty() { "rawKeyDown" } else { "keyDown" });
        down["text"] = text.into();
        self.command("Input.dispatchKeyEvent", down);
        self.command("Input.dispatchKeyEvent", event("keyUp"));
    }

    /// Types into what has the focus.
    pub fn type_text(&self, text: &str) {
        for character in text.chars() {
            self.press(&character.to_string());
        }
    }

    /// Chooses an option of a `select` by keyboard: opens it, goes there, and closes it.
    pub fn choose(&self, selector: &str, value: &str) {
        let steps = self.run(&format!(
            "const one = document.querySelector({}); one.focus(); const open = [...one.options].filter((option) => !option.disabled); \
             return open.findIndex((option) => option.value === {}) - open.indexOf(one.selectedOptions[0]);",
            json!(selector),
            json!(value)
        ));
        let steps = steps.as_i64().expect("a number");
        self.press("Space");
        (0..steps.abs()).for_each(|_| self.press(if steps > 0 { "ArrowDown" } else { "ArrowUp" }));
        self.press("Enter");
        self.until_equal(&format!("document.querySelector({}).value", json!(selector)), value);
    }

    /// Gives files to an `input` for files.
    pub fn give_files(&self, selector: &str, files: &[PathBuf]) {
        let asked = json!({"expression": format!("document.querySelector({})", json!(selector))});
        let found = self.command("Runtime.evaluate", asked);
        self.command("DOM.setFileInputFiles", json!({"files": files, "objectId": found["result"]["objectId"]}));
    }

    /// Drags files over a place and drops them.
    pub fn drop_files(&self, (x, y): At, files: &[PathBuf]) {
        for kind in ["dragEnter", "dragOver", "drop"] {
            let data = json!({"items": [], "files": files, "dragOperationsMask": 1});
            self.command("Input.dispatchDragEvent", json!({"type": kind, "x": x, "y": y, "data": data}));
        }
    }

    /// Takes the network away, or gives it back.
    pub fn set_offline(&self, is_offline: bool) {
        let network = json!({"offline": is_offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1});
        self.command("Network.emulateNetworkConditions", network);
    }

    /// The file that the page saved, once it is whole. There is one.
    pub fn download(&self) -> PathBuf {
        eventually("a file is saved", || {
            let files = fs::read_dir(&self.downloads).ok()?;
            let mut files = files.map(|file| file.expect("it can be listed").path());
            files.find(|file| file.extension().is_none_or(|ending| ending != "crdownload") && !is_hidden(file))
        })
    }

    /// What the window shows.
    pub fn screenshot(&self) -> RgbImage {
        let found = self.command("Page.captureScreenshot", json!({"format": "png"}));
        let png = decoded(found["data"].as_str().expect("text"));
        image::load_from_memory(&png).expect("it is a picture").into_rgb8()
    }

    /// What went wrong in the page so far: what it told the console, and what could not be loaded or was forbidden.
    pub fn problems(&self) -> Vec<String> {
        // What happened before an answer comes before it.
        self.eval("0");
        self.session.borrow().problems.clone()
    }

    /// What the page asked for since the last time this was called.
    pub fn requests(&self) -> Vec<Request> {
        self.eval("0");
        mem::take(&mut self.session.borrow_mut().requests)
    }
}

fn is_hidden(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// Bytes that are written as Base64.
fn decoded(text: &str) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0u32, 0);
    for digit in text.bytes().filter(|digit| *digit != b'=') {
        let value = DIGITS.iter().position(|known| *known == digit).expect("it is Base64");
        bits = bits << 6 | value as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    bytes
}
