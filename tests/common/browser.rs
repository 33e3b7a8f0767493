//! A page, opened in a browser.

use std::{fs, path::Path, process::Command};

use image::RgbImage;
use serde_json::Value;

use super::{skip, temp};

/// In milliseconds, how long a page has on its own clock, which leaps to the next timer as soon as nothing else is to do. It does not
/// wait for pictures that are decoded in another thread: a driver that waits for one needs many leaps, above all on a busy machine.
const VIRTUAL_TIME: &str = "--virtual-time-budget=600000";

/// The name of the browser, `None` (said on stderr) where there is no Chromium.
pub fn chromium() -> Option<&'static str> {
    let found = ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find(|name| Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success()));
    if found.is_none() {
        skip("no Chromium is installed");
    }
    found
}

/// A browser without a window. `profile`: a folder of its own. Its `size` is that of the window, `1400,900`.
fn browser(profile: &Path, size: &str) -> Option<Command> {
    let mut command = Command::new(chromium()?);
    command
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"])
        .args(["--disable-component-update", "--disable-sync", "--hide-scrollbars", VIRTUAL_TIME])
        .arg(format!("--window-size={size}"))
        .arg(format!("--user-data-dir={}", profile.display()));
    Some(command)
}

/// What the page looks like to a browser once `driver` (JavaScript that returns something) ran in it, at `fragment`. `None`
/// where there is no Chromium.
pub fn in_browser(page: &Path, fragment: &str, driver: &str) -> Option<Value> {
    in_frame((1400, 900), page, fragment, driver)
}

/// The same in a frame of so many pixels: a window has at least 500.
pub fn in_frame((width, height): (u32, u32), page: &Path, fragment: &str, driver: &str) -> Option<Value> {
    let (profile, copies) = (temp(), page.parent().expect("it has one"));
    let mut browser = browser(profile.path(), "4000,2500")?;
    // A copy beside the page, so that its pictures are found.
    let copy = copies.join("driven.html");
    let result = format!(
        "<script>addEventListener('load', () => setTimeout(async () => {{ \
         const until = async (holds) => {{ while (!holds()) await new Promise((done) => setTimeout(done, 20)); }}; \
         parent.postMessage(JSON.stringify(await (async () => {{ {driver} }})()), '*'); }}, 500));</script></body>"
    );
    let frame = format!(
        "<!doctype html><meta charset='utf-8'><body style='margin: 0'><script>addEventListener('message', (event) => \
         document.body.replaceChildren(Object.assign(document.createElement('pre'), \
         {{ id: 'result', textContent: event.data }})));</script><iframe src='driven.html#{fragment}' \
         style='border: 0; width: {width}px; height: {height}px'></iframe>"
    );
    let outer = copies.join("frame.html");
    fs::write(&outer, frame).expect("it is written");
    let text = fs::read_to_string(page).expect("the page is there");
    // A page without scripts forbids them.
    let text = text.replace(
        "style-src 'unsafe-inline'; img-src",
        "style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src",
    );
    fs::write(&copy, text.replace("</body>", &result)).expect("it is written");
    let address = format!("file://{}", outer.display());
    let output = browser.args(["--dump-dom", &address]).output().expect("it starts");
    let dom = String::from_utf8_lossy(&output.stdout).into_owned();
    let (_, rest) = dom.split_once("<pre id=\"result\">").unwrap_or_else(|| panic!("no result in {dom}"));
    let json = rest.split_once("</pre>").expect("it ends").0;
    let json = json.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    Some(serde_json::from_str(&json).expect("it is JSON"))
}

/// What a window of 1400 by 900 pixels shows of the page at `fragment`. `None` where there is no Chromium.
pub fn seen(page: &Path, fragment: &str) -> Option<RgbImage> {
    let profile = temp();
    let picture = profile.path().join("seen.png");
    let mut browser = browser(profile.path(), "1400,900")?;
    browser.arg(format!("--screenshot={}", picture.display()));
    let output = browser.arg(format!("file://{}#{fragment}", page.display())).output().expect("it starts");
    assert!(picture.exists(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(image::open(picture).expect("it is a picture").into_rgb8())
}
