//! The page of a run, opened in a browser.
#![allow(clippy::disallowed_macros)] // A test says what it skips.

mod common;

use std::{fs, path::Path, process::Command};

use common::{cards, page_parts, temp};
use serde_json::{Value, json};

/// What the page looks like to a browser once `driver` (JavaScript that returns something) ran in it, at `fragment`. `None`
/// (said on stderr) where there is no Chromium.
fn in_browser(page: &Path, fragment: &str, driver: &str) -> Option<Value> {
    let Some(browser) = ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find(|name| Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success()))
    else {
        common::skip("no Chromium is installed");
        return None;
    };
    let (profile, copies) = (temp(), page.parent().expect("it has one"));
    // A copy beside the page, so that its pictures are found.
    let copy = copies.join("driven.html");
    let result = format!(
        "<script>addEventListener('load', () => setTimeout(async () => {{ \
         const result = await (async () => {{ {driver} }})(); \
         document.body.replaceChildren(Object.assign(document.createElement('pre'), \
         {{ id: 'result', textContent: JSON.stringify(result) }})); }}, 500));</script></body>"
    );
    let text = fs::read_to_string(page).expect("the page is there");
    fs::write(&copy, text.replace("</body>", &result)).expect("it is written");
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"])
        .args(["--disable-component-update", "--disable-sync", "--window-size=1400,900"])
        .args(["--virtual-time-budget=4000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("file://{}#{fragment}", copy.display()))
        .output()
        .expect("it starts");
    let dom = String::from_utf8_lossy(&output.stdout).into_owned();
    let (_, rest) = dom.split_once("<pre id=\"result\">").unwrap_or_else(|| panic!("no result in {dom}"));
    let json = rest.split_once("</pre>").expect("it ends").0;
    let json = json.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    Some(serde_json::from_str(&json).expect("it is JSON"))
}

/// A run over the bundled pictures and one that is missing.
fn run_with_a_missing_picture() -> tempfile::TempDir {
    let output = temp();
    let mut command = common::yolo_cam();
    command.args(["--img-path", "images/", "missing.jpg", "--report", "html", "--output-dir"]).arg(output.path());
    command.assert().code(1);
    output
}

const NAMES: &str = "return [...document.querySelectorAll('#gallery .name')].map((name) => name.textContent);";

#[test]
fn cards_are_filtered_and_sorted_by_what_the_address_says() {
    let output = run_with_a_missing_picture();
    let page = output.path().join("report.html");
    let names = |fragment: &str| in_browser(&page, fragment, NAMES);
    let Some(all) = names("") else { return };
    let image = |name: &str| format!("images/{name}");
    let pictures = ["cat-dog.jpg", "chelsea.png", "dog.jpg", "eagle.jpg", "horses.jpg", "person.jpg"].map(image);
    assert_eq!(all, json!([&pictures[..], &["missing.jpg".to_owned()]].concat()));
    let shows = |fragment: &str, expected: &[&str]| {
        assert_eq!(names(fragment), Some(json!(expected)), "{fragment}");
    };
    shows("class=dog&sort=sure", &["images/dog.jpg", "images/person.jpg", "images/cat-dog.jpg"]);
    shows("class=dog&from=0.9", &["images/dog.jpg"]);
    shows("show=failed", &["missing.jpg"]);
    shows("search=BIRD", &["images/eagle.jpg"]);
    shows("search=horses&sort=name", &["images/horses.jpg"]);
    shows("show=none", &[]);
    shows("class=cat&sort=unsure", &["images/chelsea.png", "images/cat-dog.jpg"]);
}

#[test]
fn a_picture_is_opened_stepped_through_wiped_and_closed_by_keyboard() {
    let output = run_with_a_missing_picture();
    let driver = r#"
        const byId = (id) => document.getElementById(id);
        const press = (key) => byId("view").dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
        const seen = [];
        const look = () => seen.push({
            open: byId("view").open, name: byId("view-name").textContent, place: byId("view-place").textContent,
            rows: byId("view-rows").children.length, boxes: byId("view-boxes").children.length,
            heat: byId("view-heat").getAttribute("src"), hash: location.hash,
        });
        const card = document.querySelectorAll(".card")[1];
        card.focus();
        card.click();
        look();
        press("ArrowRight");
        look();
        byId("wipe").value = 25;
        byId("wipe").dispatchEvent(new Event("input", { bubbles: true }));
        const row = byId("view-rows").children[1];
        row.focus();
        const chosen = byId("view-boxes").children[1].classList.contains("chosen");
        const clip = byId("view-heat").style.clipPath;
        const size = [byId("view-heat").naturalWidth, byId("view-picture").naturalWidth];
        for (let index = 0; index < 9; index += 1) press("ArrowRight");
        look();
        const note = byId("view-note").textContent;
        byId("close").click();
        look();
        return { seen, chosen, clip, size, note };
    "#;
    let Some(found) = in_browser(&output.path().join("report.html"), "", driver) else { return };
    let seen = |index: usize, key: &str| &found["seen"][index][key];
    assert_eq!((seen(0, "open"), seen(0, "name")), (&true.into(), &"images/chelsea.png".into()));
    assert_eq!(seen(0, "place"), "451×300 pixels, 2 of 7");
    assert_eq!(seen(1, "name"), "images/dog.jpg");
    assert_eq!((seen(1, "rows"), seen(1, "boxes")), (&4.into(), &4.into()));
    assert_eq!(seen(1, "heat"), "report-files/dog-heat.jpg");
    assert_eq!(seen(1, "hash"), "#open=2");
    assert_eq!(found["chosen"], true, "the box of the row in focus stands out");
    assert_eq!(found["clip"], "inset(0px 75% 0px 0px)");
    assert_eq!(seen(2, "name"), "missing.jpg", "the last, and no further");
    assert!(found["note"].as_str().is_some_and(|note| note.contains("No such file")));
    assert_eq!(seen(3, "open"), false);
}

#[test]
fn hostile_names_are_text() {
    let output = temp();
    let page = output.path().join("report.html");
    // A picture that is missing and a class, in the page's settings too: they tell the command.
    let hostile = r#"</script><img src=x onerror="document.title='broken'"><b>&amp;<!--{{SCRIPT}}.jpg"#;
    let mut command = common::yolo_cam();
    command.args(["--model-path", "tests/data/three.pt", "--img-size", "64", "--conf-thres", "0.1", "--top", "1"]);
    command.args(["--names", &[hostile; 2].join(","), "--img-path", hostile, "images/dog.jpg", "--report", "html"]);
    command.arg("--output-dir").arg(output.path()).assert().code(1);
    let [missing, dog] = cards(&page).try_into().expect("two cards");
    assert_eq!((&missing["image"], &dog["detections"][0]["class"]), (&hostile.into(), &hostile.into()));
    let driver = "return { name: document.querySelector('.name').textContent, title: document.title, \
                  note: document.getElementById('view-note').textContent, \
                  classes: [...document.querySelectorAll('#class option')].map((option) => option.value), \
                  settings: [...document.querySelectorAll('#settings dd')].map((value) => value.textContent), \
                  bold: document.querySelectorAll('b').length, labels: [...document.querySelectorAll('input, select')] \
                  .every((input) => input.labels.length || input.ariaLabel) };";
    let Some(found) = in_browser(&page, "open=0", driver) else { return };
    assert_eq!(found["name"], hostile);
    assert_eq!(found["note"], missing["error"]);
    assert_eq!(found["classes"], json!(["", hostile]));
    let settings = found["settings"].as_array().expect("a list");
    assert!(settings.iter().any(|value| value.as_str().is_some_and(|text| text.contains(hostile))), "{settings:?}");
    assert_eq!(found["title"], "yolo-cam report");
    assert_eq!(found["bold"], 0);
    assert_eq!(found["labels"], true, "every control is named for screen readers");
}

#[test]
fn a_thousand_pictures_open_and_only_those_in_sight_are_loaded() {
    let output = temp();
    let page = output.path().join("report.html");
    common::explain("images/dog.jpg", &output).args(["--report", "html"]).assert().success();
    // The page of one picture, with its card a thousand times; each has a thumbnail of its own.
    let [before, data, behind] = page_parts(&page);
    let mut data: Value = serde_json::from_str(&data).expect("it is JSON");
    let card = data["entries"][0].take();
    let folder = output.path().join("report-files");
    let copy = |index: usize| {
        let mut card = card.clone();
        card["image"] = format!("p{index}.jpg").into();
        card["files"]["thumbnail"] = format!("report-files/p{index}.jpg").into();
        fs::hard_link(folder.join("dog-thumbnail.jpg"), folder.join(format!("p{index}.jpg"))).expect("it is linked");
        card
    };
    data["entries"] = (0..1000).map(copy).collect();
    fs::write(&page, format!("{before}{data}{behind}")).expect("it is written");
    // The browser's virtual time stands still while a file is loaded, and not while it is decoded.
    let driver = "const images = [...document.querySelectorAll('.card img')]; \
                  if (!images[0].naturalWidth) \
                  await new Promise((loaded) => images[0].addEventListener('load', loaded)); \
                  const search = document.getElementById('search'); search.value = 'p99'; \
                  search.dispatchEvent(new Event('input', { bubbles: true })); \
                  return { cards: images.length, loaded: images.filter((image) => image.naturalWidth > 0).length, \
                  found: document.querySelectorAll('.card').length };";
    let Some(found) = in_browser(&page, "", driver) else { return };
    assert_eq!(found["cards"], 1000);
    let loaded = found["loaded"].as_u64().expect("a number");
    assert!((1..400).contains(&loaded), "{loaded} of 1000 thumbnails are loaded");
    assert_eq!(found["found"], 11, "p99 and p990 to p999");
}
