//! The page of the explorer, driven by mouse and keyboard.

mod common;

use std::{collections::BTreeSet, fs, path::Path};

use common::{
    devtools::Browser,
    explorer::Explorer,
    page::{At, Page},
    temp,
};
use image::RgbImage;
use ndarray::Array2;
use ndarray_npy::ReadNpyExt;
use serde_json::{Value, json};

const WINDOW: (u32, u32) = (1400, 900);

/// A picture with a square (number 0, in the upper right) and a disc (number 1, below it).
const TWO: &str = "001.png";

/// An explorer, and a page of it at a picture whose boxes are found.
struct Visit {
    explorer: Explorer,
    page: Page,
    /// The picture's number.
    id: usize,
    browser: Browser,
}

/// `None` where there is no Chromium.
fn visit_with(flags: &[&str], name: &str) -> Option<Visit> {
    let browser = Browser::start()?;
    let explorer = Explorer::small(flags);
    let id = explorer.picture(name);
    let page = browser.open(&address_of(&explorer, id), WINDOW, false);
    await_boxes(&page);
    Some(Visit { explorer, page, id, browser })
}

fn visit(name: &str) -> Option<Visit> {
    visit_with(&[], name)
}

/// The address of a picture.
fn address_of(explorer: &Explorer, id: usize) -> String {
    format!("{}#picture={}", explorer.url, name_of(explorer, id))
}

fn name_of(explorer: &Explorer, id: usize) -> String {
    let list = explorer.get("/api/pictures").json();
    let found = list["pictures"].as_array().expect("a list").iter().find(|one| one["id"] == id);
    found.expect("it is listed")["name"].as_str().expect("text").to_owned()
}

fn await_boxes(page: &Page) {
    page.until("/^\\d/.test(byId('boxes-title').textContent) && panes[0].picture.complete && inView.size");
}

impl Visit {
    fn boxes(&self, view: &Value) -> Vec<Value> {
        let answer = self.explorer.ask(self.id, "boxes", &json!({"view": view})).json();
        answer["detections"].as_array().expect("a list").clone()
    }

    fn map(&self, subject: &Value, view: &Value) -> Map {
        let answer = self.explorer.ask(self.id, "map", &json!({"subject": subject, "view": view}));
        let (line, bytes) = answer.parts();
        Map { values: Array2::read_npy(bytes).expect("it is a map"), line }
    }

    /// Where the middle of a detection is in the window.
    fn middle(&self, index: usize) -> At {
        let corners = self.boxes(&json!({}))[index]["box_image"].clone();
        let corner = |at: usize| corners[at].as_f64().expect("a number");
        at(&self.page, "panes[0]", (corner(0) + corner(2)) / 2.0, (corner(1) + corner(3)) / 2.0)
    }

    /// What was asked about pictures in view since the last time, by kind.
    fn asked(&self, kind: &str) -> Vec<Value> {
        let asked = self.page.requests().into_iter();
        let asked =
            asked.filter(|request| request.what.ends_with(&format!("/{kind}")) && request.body["when"] == "view");
        asked.map(|request| request.body).collect()
    }

    fn assert_fine(&self) {
        assert_eq!(self.page.problems(), [""; 0]);
        assert!(!self.explorer.said().contains("panicked"), "{}", self.explorer.said());
    }
}

/// Where a place of the picture is in the window.
fn at(page: &Page, pane: &str, x: f64, y: f64) -> At {
    let found = page.run(&format!(
        "const {{ left, top, width, height }} = {pane}.scene.getBoundingClientRect(); \
         return [left + {x} / inView.size.width * width, top + {y} / inView.size.height * height];"
    ));
    (found[0].as_f64().expect("a number"), found[1].as_f64().expect("a number"))
}

/// A map as the server gives it.
struct Map {
    line: Value,
    values: Array2<f32>,
}

impl Map {
    fn figure(&self, name: &str) -> f64 {
        self.line["grid"][name].as_f64().expect("a number")
    }

    /// The middle of the hottest or of the coldest cell, in pixels of the picture.
    fn extreme(&self, is_hot: bool) -> (f64, f64) {
        let order = |a: &f32, b: &f32| if is_hot { a.total_cmp(b) } else { b.total_cmp(a) };
        let ((row, column), _) = self.values.indexed_iter().max_by(|a, b| order(a.1, b.1)).expect("it has cells");
        let place = |cell: usize, axis: &str| {
            self.figure(&format!("offset_{axis}")) + (cell as f64 + 0.5) * self.figure(&format!("scale_{axis}"))
        };
        (place(column, "x"), place(row, "y"))
    }

    /// A place in the picture with a bit more than half of the peak.
    fn warm(&self) -> (f64, f64) {
        let peak = self.line["peak"].as_f64().expect("a number");
        let mut places = (1..32).flat_map(|x| (1..32).map(move |y| (f64::from(4 * x), f64::from(4 * y))));
        places.find(|(x, y)| (0.5..0.75).contains(&(self.value(*x, *y) / peak))).expect("heat fades")
    }

    /// The value at a place of the picture, between the middles of cells as torch has it.
    fn value(&self, x: f64, y: f64) -> f64 {
        let (rows, columns) = self.values.dim();
        let between = |at: f64, axis: &str, count: usize| {
            let cell = (at - self.figure(&format!("offset_{axis}"))) / self.figure(&format!("scale_{axis}")) - 0.5;
            let cell = cell.clamp(0.0, (count - 1) as f64);
            (cell as usize, (cell as usize + 1).min(count - 1), cell.fract())
        };
        let ((left, right, across), (top, bottom, down)) = (between(x, "x", columns), between(y, "y", rows));
        let cell = |row: usize, column: usize| f64::from(self.values[[row, column]]);
        let row = |row: usize| cell(row, left) * (1.0 - across) + cell(row, right) * across;
        row(top) * (1.0 - down) + row(bottom) * down
    }
}

/// Waits until a pane shows the map of a method, whole and not that of before.
fn await_heat(page: &Page, prefix: &str, method: &str) {
    page.until(&format!(
        "((canvas) => !canvas.hidden && !canvas.classList.contains('old'))(byId('{prefix}heat-canvas')) \
         && byId('{prefix}note').textContent.startsWith('{method} ')"
    ));
}

/// The grey of the heat at a place of the picture, 0 to 255, as an expression.
fn grey_at(prefix: &str, (x, y): (f64, f64)) -> String {
    format!(
        "((canvas, {{ width, height }}) => {{ \
         const spot = new OffscreenCanvas(1, 1).getContext('2d', {{ willReadFrequently: true }}); \
         spot.drawImage(canvas, -Math.floor({x} / width * canvas.width), -Math.floor({y} / height * canvas.height)); \
         return spot.getImageData(0, 0, 1, 1).data[0]; }})(byId('{prefix}heat-canvas'), inView.size)"
    )
}

fn grey(page: &Page, prefix: &str, at: (f64, f64)) -> u64 {
    page.eval(&grey_at(prefix, at)).as_u64().expect("a number")
}

/// All of the heat that a pane shows.
fn heat(page: &Page, prefix: &str) -> Value {
    page.run(&format!("return byId('{prefix}heat-canvas').toDataURL();"))
}

/// How far two pictures of the window are apart around a place.
fn apart(a: &RgbImage, b: &RgbImage, (x, y): At) -> f64 {
    let near = (-4..=4).flat_map(|down| (-4..=4).map(move |across| (x as i32 + across, y as i32 + down)));
    let differ = near.map(|(x, y)| {
        let (a, b) = (a.get_pixel(x as u32, y as u32), b.get_pixel(x as u32, y as u32));
        a.0.iter().zip(b.0).map(|(a, b)| f64::from(a.abs_diff(b))).sum::<f64>()
    });
    differ.sum::<f64>() / 81.0
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().expect("a list").iter().map(|one| one.as_str().expect("text")).collect()
}

#[test]
fn it_opens_with_the_pictures_and_nothing_goes_wrong() {
    let Some(visit) = visit_with(&["--labels", "tests/data/shortcut/labels"], TWO) else { return };
    let Visit { page, .. } = &visit;
    page.until("all('#list img').some((image) => image.complete && image.naturalWidth > 0)");
    assert_eq!(page.eval("byId('count').textContent"), "24 pictures");
    assert!(page.eval("byId('heading').textContent").as_str().is_some_and(|text| text.contains("planted.pt")));
    assert_eq!(page.eval("byId('boxes-title').textContent"), "2 boxes");
    assert_eq!(page.eval("texts('#boxes .class')"), json!(["square", "disc"]));
    // 1: the picture itself fills its place.
    let drawn = page.eval("[panes[0].picture.naturalWidth, inView.size.width, inView.size.height]");
    assert_eq!(drawn, json!([128, 128, 128]));
    // Both labels of this picture are found, and one of the next is not.
    assert_eq!(
        page.eval("all('rect.truth').map((mark) => mark.getAttribute('class'))"),
        json!(["truth found", "truth found"])
    );
    page.click_on("#next");
    page.click_on("#next");
    page.until_equal("texts('.plates .truth')", json!(["missed: disc"]));
    visit.assert_fine();
}

#[test]
fn pictures_are_searched_looked_at_and_filtered() {
    let Some(visit) = visit(TWO) else { return };
    let Visit { page, .. } = &visit;
    page.press("/");
    page.type_text("02");
    // 002, and 020 to 023.
    page.until_equal("byId('count').textContent", "5 of 24 pictures");
    let names = page.eval("texts('#list .name')");
    assert!(strings(&names).iter().all(|name| name.contains("02")) && strings(&names).len() == 5, "{names}");
    page.press("Control+a");
    page.press("Backspace");
    page.until_equal("byId('count').textContent", "24 pictures");
    page.click_on("#scan");
    page.until("byId('scan').textContent === 'Look at all' && all('#list .seen').every((seen) => seen.textContent)");
    page.choose("#show", "none");
    page.until_equal("byId('count').textContent", "2 of 24 pictures");
    page.choose("#show", "boxes");
    page.choose("#having", "square");
    let squares = (0..24).filter(|id| {
        let answer = visit.explorer.ask(*id, "boxes", &json!({})).json();
        answer["detections"].as_array().expect("a list").iter().any(|found| found["class"] == "square")
    });
    page.until_equal("byId('count').textContent", format!("{} of 24 pictures", squares.count()));
    // What was chosen is in the address, and can be opened there.
    page.until("location.hash.includes('having=square')");
    let again = visit.browser.open(page.eval("location.href").as_str().expect("text"), WINDOW, false);
    again.until("byId('having').value === 'square' && byId('show').value === 'boxes'");
    visit.assert_fine();
}

#[test]
fn files_are_added_by_choice_and_by_dropping_them() {
    let Some(visit) = visit(TWO) else { return };
    let Visit { page, explorer, .. } = &visit;
    let file = |path: &str| fs::canonicalize(path).expect("it is there");
    page.give_files("#file", &[file("images/dog.jpg")]);
    page.until_equal("byId('name').textContent", "dog.jpg");
    await_boxes(page);
    page.drop_files(page.centre("#stage"), &[file("images/eagle.jpg"), file("images/chelsea.png")]);
    page.until_equal("byId('name').textContent", "chelsea.png");
    assert_eq!(page.eval("byId('count').textContent"), "27 pictures");
    assert_eq!(page.eval("byId('drop').hidden"), true);
    page.choose("#show", "added");
    page.until_equal("texts('#list .name')", json!(["dog.jpg", "eagle.jpg", "chelsea.png"]));
    assert_eq!(explorer.picture("eagle.jpg"), 25);
    visit.assert_fine();
    // What is no picture is told in a line, which can be put away.
    page.give_files("#file", &[file("Cargo.toml")]);
    page.until("!byId('problem').hidden");
    let told = page.eval("byId('problem-text').textContent");
    assert!(told.as_str().is_some_and(|text| text.contains("Cargo.toml") && !text.contains("/work")), "{told}");
    page.click_on("#problem-close");
    page.until("byId('problem').hidden");
}

#[test]
fn pointing_at_a_box_shows_its_heat_and_a_click_keeps_it() {
    let Some(visit) = visit(TWO) else { return };
    let Visit { page, .. } = &visit;
    let (square, aside) = (visit.middle(0), page.centre("#name"));
    page.move_to(aside);
    assert_eq!(page.eval("byId('heat-canvas').hidden"), true);
    let without = page.screenshot();
    visit.asked("map");
    page.move_to(square);
    await_heat(page, "", "gradcam");
    let map = visit.map(&json!({"box": 0}), &json!({}));
    let (hot, cold) = (map.extreme(true), map.extreme(false));
    assert!(
        grey(page, "", hot) > 240 && grey(page, "", cold) < 64,
        "{} and {}",
        grey(page, "", hot),
        grey(page, "", cold)
    );
    let hot = at(page, "panes[0]", hot.0, hot.1);
    let is_shown = || apart(&page.screenshot(), &without, hot) > 30.0;
    assert!(is_shown(), "the heat is seen");
    page.move_to(aside);
    page.until("byId('heat-canvas').hidden");
    // A map is asked for once.
    page.move_to(square);
    await_heat(page, "", "gradcam");
    page.move_to(aside);
    assert_eq!(visit.asked("map").len(), 1);
    page.click(square);
    page.until_equal("byId('pinned-title').textContent", "square 1.00");
    page.move_to(aside);
    await_heat(page, "", "gradcam");
    assert!(is_shown(), "it stays");
    let facts = page.eval(
        "Object.fromEntries(all('#pinned-facts dt').map((name) => [name.textContent, name.nextSibling.textContent]))",
    );
    let found = &visit.boxes(&json!({}))[0];
    assert_eq!(facts["class"], "square");
    assert_eq!(facts["confidence"], format!("{:.4}", found["confidence"].as_f64().expect("a number")));
    let corner = |at: usize| found["box_image"][at].as_f64().expect("a number");
    assert_eq!(facts["box"], format!("{:.0} {:.0} {:.0} {:.0}", corner(0), corner(1), corner(2), corner(3)));
    assert_eq!(facts["head"], found["head"]);
    // Another is pointed at meanwhile, and the first is back afterwards.
    let kept = heat(page, "");
    page.move_to(visit.middle(1));
    page.until("byId('note').textContent.startsWith('gradcam ') && document.querySelector('#boxes .pointed .class')?.textContent === 'disc'");
    page.until(&format!("byId('heat-canvas').toDataURL() !== {kept}"));
    page.move_to(aside);
    page.until(&format!("byId('heat-canvas').toDataURL() === {kept}"));
    page.press("Escape");
    page.until("byId('heat-canvas').hidden && byId('pinned-title').textContent === 'Nothing pinned'");
    // The same from the list.
    page.move_to(page.centre("#boxes li:nth-child(2) button"));
    await_heat(page, "", "gradcam");
    visit.assert_fine();
}

#[test]
fn a_drawn_box_and_a_spot_are_asked_about() {
    let Some(visit) = visit(TWO) else { return };
    let Visit { page, explorer, id, .. } = &visit;
    let spot = |x: f64, y: f64| at(page, "panes[0]", x, y);
    let is_told = |query: &Value| {
        let answer = explorer.ask(*id, "query", &json!({"query": query})).json();
        let candidates = answer["candidates"].as_array().expect("a list");
        let words: Vec<_> = candidates.iter().map(|one| one["words"].clone()).collect();
        assert!(!words.is_empty(), "{answer}");
        page.until_equal("texts('#answers li p')", words);
        let classes: Vec<_> = candidates.iter().map(|one| one["class"].clone()).collect();
        page.until_equal("texts('#answers .candidate').map((text) => text.split(' ')[0])", classes);
        // The strongest is explained.
        let map = visit.map(&json!({"query": query}), &json!({}));
        await_heat(page, "", "gradcam");
        page.until(&format!("{} > 240", grey_at("", map.extreme(true))));
    };
    page.click_on("#tool-box");
    page.drag(spot(5.0, 90.0), spot(40.0, 120.0));
    page.until_equal("byId('pinned-title').textContent", "Box 5 90 40 120");
    is_told(&json!({"box": [5, 90, 40, 120], "class": null}));
    assert_eq!(page.eval("byId('tool-point').ariaPressed"), "true", "the tool is put away");
    for class in ["disc", "square"] {
        page.choose("#query-class", class);
        page.until_equal("byId('pinned-title').textContent", format!("Box 5 90 40 120: {class}"));
        is_told(&json!({"box": [5, 90, 40, 120], "class": class}));
    }
    // From right to left, and over the edge.
    page.click_on("#tool-box");
    page.drag(spot(60.0, 60.0), spot(-3.0, -3.0));
    page.until_equal("byId('pinned-title').textContent", "Box 0 0 60 60");
    is_told(&json!({"box": [0, 0, 60, 60], "class": null}));
    page.press("Escape");
    page.click(spot(20.5, 105.5));
    page.until("byId('pinned-title').textContent.startsWith('Spot ')");
    let asked = page.eval("byId('pinned-title').textContent.split(' ').slice(1).map(Number)");
    is_told(&json!({"point": asked, "class": null}));
    visit.assert_fine();
}

#[test]
fn thresholds_move_the_boxes() {
    let Some(visit) = visit("007.png") else { return };
    let Visit { page, .. } = &visit;
    let is_shown = |conf: f64, iou: f64| {
        let boxes = visit.boxes(&json!({"conf": conf, "iou": iou}));
        let classes: Vec<_> = boxes.iter().map(|found| found["class"].clone()).collect();
        page.until_equal("texts('#boxes .class')", classes);
        page.until_equal("all('#panes figure:first-child .boxes rect.detection').length", boxes.len());
        boxes.len()
    };
    let value = |id: &str| page.eval(&format!("Number(byId('{id}').value)")).as_f64().expect("a number");
    assert_eq!(is_shown(0.4, 0.45), 2);
    page.run("byId('conf').focus()");
    page.press("Home");
    page.press("ArrowRight");
    let many = is_shown(0.01, 0.45);
    assert!(many > 2, "{many}");
    page.press("End");
    assert_eq!(value("conf"), 0.99);
    assert_eq!(is_shown(0.99, 0.45), 0);
    let best = page.eval("byId('no-boxes').textContent");
    assert!(best.as_str().is_some_and(|text| text.contains("disc 0.99")), "{best}");
    // By mouse, a bit at a time.
    let (x, y) = page.centre("#conf");
    let width = page.eval("byId('conf').getBoundingClientRect().width").as_f64().expect("a number");
    visit.asked("boxes");
    page.drag((x + width / 2.0 - 9.0, y), (x - width / 2.0 + 9.0, y));
    is_shown(value("conf"), 0.45);
    let asked = visit.asked("boxes");
    assert!((1..=5).contains(&asked.len()), "{asked:?}");
    page.run("byId('iou').focus()");
    page.press("End");
    let all = is_shown(value("conf"), 1.0);
    page.press("Home");
    let few = is_shown(value("conf"), value("iou"));
    assert!(all > few, "{all} and {few}");
    // What is pinned stays the same prediction.
    page.run("byId('conf').focus()");
    page.press("Home");
    page.until("all('#boxes button').length > 2");
    page.click_on("#boxes li:nth-child(2) button");
    let title = page.eval("byId('pinned-title').textContent");
    let corners = page.eval("texts('#pinned-facts dd')[3]");
    page.run("byId('iou').focus()");
    page.press("End");
    is_shown(value("conf"), 1.0);
    assert_eq!(page.eval("[byId('pinned-title').textContent, texts('#pinned-facts dd')[3]]"), json!([title, corners]));
    // Where it is none of the boxes any more, it is told why.
    page.run("byId('conf').focus()");
    page.press("End");
    page.until("texts('#answers li p').some((words) => words.includes('--conf-thres'))");
    visit.assert_fine();
}

#[test]
fn colours_change_without_a_request() {
    let Some(visit) = visit(TWO) else { return };
    let Visit { page, .. } = &visit;
    page.click(visit.middle(0));
    await_heat(page, "", "gradcam");
    let map = visit.map(&json!({"box": 0}), &json!({}));
    let hot = map.extreme(true);
    let hot = at(page, "panes[0]", hot.0, hot.1);
    page.move_to(page.centre("#name"));
    // What may come later, comes before.
    page.until("performance.getEntriesByType('resource').some(({ name }) => name.endsWith('/picture')) && location.hash.includes('pin=')");
    let mut seen = vec![page.screenshot()];
    let mut changed = |what: &str| {
        let now = page.screenshot();
        assert!(apart(&now, seen.last().expect("one"), hot) > 5.0, "{what}");
        seen.push(now);
    };
    let asked = |page: &Page| page.requests().into_iter().filter(|request| request.body["when"] == "view").count();
    asked(page);
    for colormap in ["viridis", "turbo"] {
        page.choose("#colormap", colormap);
        changed(colormap);
    }
    page.run("byId('opacity').focus()");
    page.press("Home");
    changed("without opacity");
    page.press("End");
    changed("with full opacity");
    page.press("h");
    changed("without heat");
    page.press("h");
    changed("with heat");
    page.run("byId('threshold').focus()");
    let shown = page.screenshot();
    page.press("End");
    let warm = map.warm();
    assert!(apart(&page.screenshot(), &shown, at(page, "panes[0]", warm.0, warm.1)) > 5.0, "it is hidden");
    assert_eq!(asked(page), 0, "nothing is asked for");
    visit.assert_fine();
}

#[test]
fn each_choice_of_how_maps_are_made_is_one_request() {
    let Some(visit) = visit(TWO) else { return };
    let Visit { page, .. } = &visit;
    page.click(visit.middle(0));
    await_heat(page, "", "gradcam");
    page.move_to(page.centre("#name"));
    let mut last = heat(page, "");
    visit.asked("map");
    let mut is_one = |change: &dyn Fn(), method: &str, view: Value| {
        change();
        await_heat(page, "", method);
        page.until(&format!("byId('heat-canvas').toDataURL() !== {last}"));
        last = heat(page, "");
        let asked = visit.asked("map");
        assert_eq!(asked.len(), 1, "{view}: {asked:?}");
        for (name, value) in view.as_object().expect("an object") {
            assert_eq!(&asked[0]["view"][name], value, "{}", asked[0]);
        }
        let map = visit.map(&asked[0]["subject"], &asked[0]["view"]);
        assert!(grey(page, "", map.extreme(true)) > 240, "{view}");
    };
    is_one(&|| page.choose("#method", "hirescam"), "hirescam", json!({"method": "hirescam"}));
    is_one(&|| page.choose("#target", "x1"), "hirescam", json!({"target": "x1"}));
    let layer = |path: &str| page.click_on(&format!("#layers-list input[value='{path}']"));
    page.click_on("#layers summary");
    is_one(&|| layer("model.6"), "hirescam", json!({"layers": "model.6", "target": "x1"}));
    is_one(&|| layer("model.4"), "hirescam", json!({"layers": "model.4,model.6"}));
    page.press("Escape");
    is_one(&|| page.choose("#fuse", "max"), "hirescam", json!({"fuse": "max"}));
    is_one(&|| page.choose("#target", "logit"), "hirescam", json!({"target": "logit"}));
    is_one(&|| page.choose("#contrast", "disc"), "hirescam", json!({"contrast": "disc"}));
    // Back to what is known.
    page.choose("#contrast", "");
    await_heat(page, "", "hirescam");
    assert_eq!(visit.asked("map").len(), 0, "known maps are kept");
    visit.assert_fine();
}

#[test]
fn two_panes_show_other_settings_of_the_same_place() {
    let Some(visit) = visit(TWO) else { return };
    let Visit { page, .. } = &visit;
    page.click(visit.middle(0));
    await_heat(page, "", "gradcam");
    page.click_on("#paired");
    await_heat(page, "second-", "gradcam");
    assert_eq!(heat(page, ""), heat(page, "second-"));
    page.choose("#second-method", "hirescam");
    await_heat(page, "second-", "hirescam");
    assert_ne!(heat(page, ""), heat(page, "second-"));
    page.click_on("#second-layers summary");
    page.click_on("#second-layers-list input[value='model.6']");
    page.until("byId('second-note').textContent.includes('model.6')");
    page.press("Escape");
    page.choose("#second-target", "w");
    page.until("byId('second-note').textContent.includes('target w')");
    let first = page.eval("byId('note').textContent");
    assert!(first.as_str().is_some_and(|text| text.starts_with("gradcam ") && !text.contains("target w")), "{first}");
    // The wheel zooms both at the same place.
    let before = at(page, "panes[1]", 100.0, 50.0);
    page.wheel(before, -300.0);
    page.until("place.zoom > 1.5");
    let places = page.eval("panes.map(({ scene }) => scene.style.transform)");
    assert_eq!(places[0], places[1]);
    let after = at(page, "panes[1]", 100.0, 50.0);
    assert!((after.0 - before.0).abs() < 1.0 && (after.1 - before.1).abs() < 1.0, "{before:?} and {after:?}");
    let (x, y) = page.centre("#stage");
    page.drag((x, y), (x + 40.0, y + 30.0));
    let places = page.eval("panes.map(({ scene }) => scene.style.transform)");
    assert_eq!(places[0], places[1]);
    page.click_on("#fit");
    assert_eq!(page.eval("place.zoom"), 1);
    // One place is pointed at in both.
    page.move_to(at(page, "panes[0]", 20.5, 100.5));
    page.until("['pixel', 'second-pixel'].every((id) => byId(id).textContent.startsWith('x 20, y 100'))");
    page.press("s");
    page.until("byId('second-figure').hidden");
    visit.assert_fine();
}

#[test]
fn two_models_are_seen_side_by_side() {
    let Some(visit) = visit_with(&["--compare-model", "tests/data/shortcut/clean.pt"], "000.png") else { return };
    let Visit { page, .. } = &visit;
    page.press("s");
    page.until("byId('second-model').selectedOptions[0].textContent.includes('clean.pt')");
    let boxes = [0, 1].map(|model| visit.boxes(&json!({"model": model})));
    for (pane, boxes) in boxes.iter().enumerate() {
        page.until_equal(&format!("panes[{pane}].boxes.querySelectorAll('rect.detection').length"), boxes.len());
    }
    page.click(visit.middle(0));
    await_heat(page, "", "gradcam");
    // The other model is asked about the same place.
    page.until("byId('second-note').textContent !== '' && !byId('second-note').textContent.includes('working')");
    visit.assert_fine();
}

#[test]
fn the_value_under_the_pointer_is_that_of_the_map() {
    let Some(visit) = visit(TWO) else { return };
    let Visit { page, .. } = &visit;
    page.click(visit.middle(0));
    await_heat(page, "", "gradcam");
    let map = visit.map(&json!({"box": 0}), &json!({}));
    let peak = map.line["peak"].as_f64().expect("a number");
    let mut shares = BTreeSet::new();
    for (x, y) in [(100.5, 45.5), (64.5, 64.5), (2.5, 2.5), (126.5, 126.5), (20.5, 100.5)] {
        page.move_to(at(page, "panes[0]", x, y));
        page.until(&format!("byId('pixel').textContent.startsWith('x {}, y {}')", x as u32, y as u32));
        let text = page.eval("byId('pixel').textContent");
        let text = text.as_str().expect("text");
        let (_, value) = text.split_once(": ").expect("a value");
        let (value, share) = value.split_once(", ").expect("a share");
        let (value, expected): (f64, f64) = (value.parse().expect("a number"), map.value(x, y));
        // The pointer is at a pixel of the window, and three digits are told.
        assert!((value - expected).abs() < 0.02 * peak, "{text}: {expected}");
        let share: f64 = share.split(' ').next().and_then(|share| share.parse().ok()).expect("a number");
        assert!((share / 100.0 - value / peak).abs() < 0.01, "{text}: {peak}");
        shares.insert(share as u64);
    }
    assert!(shares.len() > 2, "{shares:?}");
    page.move_to(page.centre("#name"));
    page.until_equal("byId('pixel').textContent", "");
    visit.assert_fine();
}

#[test]
fn paint_over_the_object_moves_its_score() {
    let Some(visit) = visit(TWO) else { return };
    let Visit { page, .. } = &visit;
    let square = visit.middle(0);
    page.click(square);
    page.until_equal("byId('pinned-title').textContent", "square 1.00");
    page.press("m");
    page.until("document.activeElement.id === 'brush'");
    page.press("End");
    let spot = |x: f64, y: f64| at(page, "panes[0]", x, y);
    let before = page.screenshot();
    page.stroke(&[spot(90.0, 40.0), spot(100.0, 48.0), spot(112.0, 58.0)]);
    page.until("byId('score-text').textContent !== '' && panes[0].picture.src.startsWith('blob:') && panes[0].picture.complete");
    let scores = page.eval("byId('score-text').textContent.split(' → ').map(Number)");
    let (was, is) = (scores[0].as_f64().expect("a number"), scores[1].as_f64().expect("a number"));
    assert!(was > 0.95 && is < 0.5, "{scores}");
    assert!(apart(&page.screenshot(), &before, square) > 5.0, "it is seen");
    page.press("u");
    page.until("byId('score-text').textContent === '' && panes[0].picture.src.endsWith('/picture') && panes[0].picture.complete");
    // Elsewhere it does nothing much.
    page.run("byId('brush').focus()");
    page.press("Home");
    page.stroke(&[spot(10.0, 120.0)]);
    page.until("byId('score-text').textContent !== ''");
    let scores = page.eval("byId('score-text').textContent.split(' → ').map(Number)");
    assert!((scores[0].as_f64().expect("a number") - scores[1].as_f64().expect("a number")).abs() < 0.05, "{scores}");
    page.choose("#fill", "black");
    page.click_on("#cover-box");
    page.until("byId('score-text').textContent.split(' → ')[1] < 0.3");
    page.click_on("#clear");
    page.until("byId('score-text').textContent === ''");
    page.press("Escape");
    assert_eq!(page.eval("byId('tool-point').ariaPressed"), "true");
    visit.assert_fine();
}

/// What a page shows, as far as its address has to tell it.
const STATE: &str = "({
    picture: byId('name').textContent, pinned: byId('pinned-title').textContent, facts: texts('#pinned-facts dd'),
    boxes: texts('#boxes .class'), answers: texts('#answers li p'), notes: [byId('note').textContent, byId('second-note').textContent],
    values: ['search', 'show', 'conf', 'iou', 'method', 'target', 'fuse', 'contrast', 'second-method', 'opacity', 'threshold', 'colormap',
        'fill'].map((id) => byId(id).value),
    layers: all('summary[aria-label]').map((one) => one.ariaLabel), paired: byId('paired').ariaPressed,
    score: byId('score-text').textContent, checked: ['heat-shown', 'names'].map((id) => byId(id).checked) })";

#[test]
fn the_address_tells_the_whole_view() {
    let Some(visit) = visit(TWO) else { return };
    let Visit { page, .. } = &visit;
    page.press("/");
    page.type_text("00");
    page.run("byId('conf').focus()");
    (0..5).for_each(|_| page.press("ArrowRight"));
    page.click(visit.middle(1));
    page.until_equal("byId('pinned-title').textContent", "disc 0.99");
    page.choose("#method", "hirescam");
    page.choose("#target", "prob");
    page.click_on("#layers summary");
    page.click_on("#layers-list input[value='model.6']");
    page.click_on("#layers-list input[value='model.4']");
    page.press("Escape");
    page.choose("#fuse", "max");
    page.choose("#colormap", "viridis");
    page.run("byId('opacity').focus()");
    page.press("Home");
    page.press("PageUp");
    page.click_on("#paired");
    page.choose("#second-method", "eigencam");
    page.click_on("#tool-paint");
    page.stroke(&[at(page, "panes[0]", 20.0, 20.0), at(page, "panes[0]", 30.0, 30.0)]);
    page.until("byId('score-text').textContent !== ''");
    page.click_on("#names");
    page.until("location.hash.includes('paint=') && location.hash.includes('names=no')");
    await_heat(page, "", "hirescam");
    await_heat(page, "second-", "eigencam");
    let (state, address) = (page.eval(STATE), page.eval("location.href"));
    let again = visit.browser.open(address.as_str().expect("text"), WINDOW, true);
    again.until_equal(STATE, state);
    again.until("all('#heat-canvas, #second-heat-canvas').every((canvas) => !canvas.hidden)");
    assert_eq!([heat(&again, ""), heat(&again, "second-")], [heat(page, ""), heat(page, "second-")]);
    assert_eq!(again.problems(), [""; 0]);
    // What was asked about a place, too.
    page.press("Escape");
    page.click_on("#clear");
    page.click(at(page, "panes[0]", 20.0, 105.0));
    page.until("location.hash.includes('point=') && texts('#answers li p').length > 0 && !byId('heat-canvas').hidden");
    await_heat(page, "", "hirescam");
    await_heat(page, "second-", "eigencam");
    let (state, address) = (page.eval(STATE), page.eval("location.href"));
    again.go("about:blank");
    again.go(address.as_str().expect("text"));
    again.until_equal(STATE, state);
    visit.assert_fine();
}

#[test]
fn the_command_is_copied_and_its_files_are_saved() {
    let Some(visit) = visit(TWO) else { return };
    let Visit { page, explorer, id, .. } = &visit;
    page.click(visit.middle(1));
    await_heat(page, "", "gradcam");
    page.press("c");
    page.until("byId('command').textContent.startsWith('yolo-cam ')");
    page.choose("#method", "hirescam");
    page.until("byId('command').textContent.includes('hirescam')");
    page.click_on("#copy");
    page.until("byId('copy').textContent.includes('Copied')");
    let copied = page.eval("await navigator.clipboard.readText()");
    assert_eq!(copied, page.eval("byId('command').textContent"));
    page.requests();
    page.click_on("#save");
    let file = page.download();
    assert!(file.file_name().is_some_and(|name| name == "001-explored.zip"), "{file:?}");
    let asked = visit.asked("save");
    assert_eq!(asked.len(), 1);
    // The archive is what the server gives for the same question.
    let names = |bytes: Vec<u8>| {
        let archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).expect("an archive");
        let names: BTreeSet<_> = archive.file_names().map(|name| name.expect("text").into_owned()).collect();
        names
    };
    let saved = names(fs::read(file).expect("it is there"));
    assert_eq!(saved, names(explorer.ask(*id, "save", &asked[0]).fine().to_vec()));
    assert!(!saved.is_empty());
    visit.assert_fine();
}

#[test]
fn everything_can_be_done_without_a_mouse() {
    let Some(visit) = visit("000.png") else { return };
    let Visit { page, .. } = &visit;
    let focus = |id: &str| page.until_equal("document.activeElement.id", id);
    // Another picture from the list, by the Tab key.
    page.press("/");
    focus("search");
    for _ in 0..20 {
        page.press("Tab");
        if page.eval("byId('list').contains(document.activeElement)") == true {
            break;
        }
    }
    page.press("ArrowDown");
    page.press("Enter");
    page.until("byId('name').textContent.includes('001.png')");
    await_boxes(page);
    // Its boxes: heat by focus, pinned by Enter.
    page.press("]");
    await_heat(page, "", "gradcam");
    page.press("]");
    page.press("Enter");
    page.until_equal("byId('pinned-title').textContent", "disc 0.99");
    // It can be believed, or not.
    page.press("v");
    page.until("byId('trust').textContent !== '' && !byId('trust').textContent.includes('measuring')");
    page.press("Escape");
    page.until_equal("byId('pinned-title').textContent", "Nothing pinned");
    // A box by its corners.
    page.press("b");
    focus("ask-x1");
    for corner in ["5", "90", "40", "120"] {
        page.type_text(corner);
        page.press("Tab");
    }
    focus("ask-class");
    page.press("Tab");
    page.press("Enter");
    page.until_equal("byId('pinned-title').textContent", "Box 5 90 40 120");
    page.until("texts('#answers li p').length > 0");
    page.press("Escape");
    page.press("Escape");
    // Paint.
    page.press("]");
    page.press("Enter");
    page.press("m");
    focus("brush");
    page.press("ArrowRight");
    for _ in 0..20 {
        page.press("Tab");
        if page.eval("document.activeElement.id") == "cover-x" {
            break;
        }
    }
    for number in ["100", "48"] {
        page.type_text(number);
        page.press("Tab");
    }
    page.press("Enter");
    page.until("byId('score-text').textContent !== ''");
    page.press("Escape");
    page.press("Escape");
    // Zoom, side by side, help, the next picture, and the command.
    page.press("+");
    page.until("place.zoom > 1");
    page.press("0");
    page.until("place.zoom === 1");
    page.press("s");
    page.until("!byId('second-figure').hidden");
    page.press("?");
    page.until("byId('help').open");
    page.press("Escape");
    page.until("!byId('help').open");
    page.press("n");
    page.until("byId('name').textContent.includes('002.png')");
    page.press("p");
    page.until("byId('name').textContent.includes('001.png')");
    page.press("c");
    focus("copy");
    visit.assert_fine();
}

#[test]
fn whatever_has_the_focus_shows_it_and_nothing_keeps_it() {
    let Some(visit) = visit(TWO) else { return };
    let Visit { page, .. } = &visit;
    page.click(visit.middle(0));
    page.click_on("#paired");
    page.press("c");
    page.run("document.activeElement.blur()");
    let mut stops = BTreeSet::new();
    for _ in 0..150 {
        page.press("Tab");
        let found = page.run(
            "const one = document.activeElement; const { outlineStyle, boxShadow } = getComputedStyle(one); \
             return [one.id || one.outerHTML.slice(0, 60), one === document.body || outlineStyle !== 'none' || boxShadow !== 'none'];",
        );
        assert_eq!(found[1], true, "{found} does not show the focus");
        stops.insert(found[0].to_string());
    }
    assert!(stops.len() > 40, "{stops:?}");
    visit.assert_fine();
}

#[test]
fn everything_has_a_name_and_nothing_is_wider_than_the_window() {
    let Some(browser) = Browser::start() else { return };
    let flags = ["--labels", "tests/data/shortcut/labels", "--compare-model", "tests/data/shortcut/clean.pt"];
    let explorer = Explorer::small(&flags);
    let address = address_of(&explorer, explorer.picture(TWO)) + "&pair=yes&box=5+90+40+120&paint=5+20+20";
    for (width, is_dark) in [(420, false), (1400, true), (2560, false), (420, true)] {
        let page = browser.open(&address, (width, 900), is_dark);
        await_boxes(&page);
        page.until("texts('#answers li p').length > 0");
        page.run("for (const one of all('details:not(.layers-choice details)')) one.open = true;");
        let found = page.run(
            r#"
            const labelsOf = (element) => [...(element.labels ?? [])].map((label) => label.textContent).join("");
            const nameOf = (element) => element.ariaLabel || element.alt || labelsOf(element)
                || byId(element.getAttribute("aria-labelledby"))?.textContent || element.textContent;
            const isSeen = (element) => element.checkVisibility();
            const controls = all("button, input, select, summary, dialog, section, form, nav, [role], [tabindex]").filter(isSeen);
            const isQuiet = (element) => ["status", "alert"].includes(element.role) || element.closest("[aria-hidden=true]");
            const nameless = controls.filter((element) => !nameOf(element)?.trim() && !isQuiet(element));
            const ids = all("[id]").map((element) => element.id);
            const wide = all("body *").filter((element) => isSeen(element) && !element.closest("svg, .scene")
                && element.getBoundingClientRect().right > innerWidth + 1);
            return { width: document.documentElement.scrollWidth, controls: controls.length,
                nameless: nameless.map((element) => element.outerHTML.slice(0, 120)),
                wide: wide.map((element) => element.outerHTML.slice(0, 80)),
                twice: ids.filter((id, index) => ids.indexOf(id) !== index) };
            "#,
        );
        assert!(found["width"].as_u64() <= Some(width.into()), "{width}: {found}");
        for what in ["nameless", "wide", "twice"] {
            assert_eq!(found[what], json!([]), "{width}: {found}");
        }
        assert!(found["controls"].as_u64() > Some(60), "{found}");
        assert_eq!(page.problems(), [""; 0]);
    }
}

#[test]
fn of_ten_thousand_pictures_only_those_in_view_are_in_the_document() {
    let Some(browser) = Browser::start() else { return };
    let folder = temp();
    let first = folder.path().join("00000.png");
    fs::copy(Path::new("tests/data/shortcut/images").join(TWO), &first).expect("it is copied");
    for index in 1..10_000 {
        fs::hard_link(&first, folder.path().join(format!("{index:05}.png"))).expect("it is linked");
    }
    let pictures = folder.path().to_str().expect("text");
    let explorer = Explorer::start(&[&common::explorer::PLANTED[..], &["--img-path", pictures]].concat());
    let page = browser.open(&explorer.url, WINDOW, false);
    page.until_equal("byId('count').textContent", "10000 pictures");
    await_boxes(&page);
    let rows = || page.eval("all('#list li').length").as_u64().expect("a number");
    assert!((5..100).contains(&rows()), "{}", rows());
    let places = "all('#list li').map((row) => Number(row.ariaPosInSet))";
    let elements = page.eval("all('*').length").as_u64().expect("a number");
    assert!(elements < 3000, "{elements}");
    page.requests();
    page.wheel(page.centre("#scroller"), 200_000.0);
    page.until(&format!("{places}.some((place) => place > 3000 && place < 4000)"));
    assert!(rows() < 100, "{}", rows());
    page.until(
        "all('#list img').some((image) => image.naturalWidth > 0 && Number(image.closest('li').ariaPosInSet) > 3000)",
    );
    let thumbnails = page.requests().iter().filter(|request| request.what.ends_with("/thumbnail")).count();
    assert!(thumbnails < 100, "what was scrolled past is not loaded: {thumbnails}");
    page.run("document.querySelector('#list [tabindex=\"0\"]').focus({ preventScroll: true })");
    page.press("End");
    page.until_equal("document.activeElement.closest('li')?.ariaPosInSet", "10000");
    page.press("Enter");
    page.until("byId('name').textContent.includes('09999')");
    page.press("/");
    page.type_text("0731");
    page.until_equal("byId('count').textContent", "11 of 10000 pictures");
    assert!(rows() <= 12, "{}", rows());
    page.choose("#show", "none");
    page.until("byId('count').textContent.startsWith('None of 10000 pictures fits')");
    assert_eq!(page.problems(), [""; 0]);
}

#[test]
fn whether_a_map_can_be_believed_is_told_on_demand() {
    let Some(visit) = visit(TWO) else { return };
    let Visit { page, explorer, id, .. } = &visit;
    page.click(visit.middle(0));
    await_heat(page, "", "gradcam");
    page.click_on("#believe");
    page.until("byId('trust').textContent !== '' && !byId('trust').textContent.includes('measuring')");
    let told = page.eval("byId('trust').textContent");
    let answer = explorer.ask(*id, "verify", &json!({"subject": {"box": 0}})).json();
    let word = if answer["word"] == "blob" { "no better than a blob" } else { answer["word"].as_str().expect("text") };
    assert!(told.as_str().is_some_and(|told| told.starts_with(word)), "{told}: {answer}");
    // Of another box nothing was said.
    page.click(visit.middle(1));
    page.until_equal("byId('trust').textContent", "");
    visit.assert_fine();
}

#[test]
fn a_click_counts_even_if_the_page_is_redrawn_meanwhile() {
    let Some(visit) = visit(TWO) else { return };
    let Visit { page, .. } = &visit;
    let (boxes, facts) =
        ("byId('names').click(); byId('names').click();", "byId('fuse').dispatchEvent(new Event('input'));");
    for (pressed, redraw) in [
        ("panes[0].boxes.querySelector('.detection')", boxes),
        ("byId('boxes').children[1].querySelector('button')", boxes),
        ("byId('answers').querySelector('.candidate')", facts),
    ] {
        if redraw == facts {
            page.click(at(page, "panes[0]", 5.0, 100.0));
            page.until("texts('#answers .candidate').length");
        }
        page.run(&format!("window.pressed = {pressed}; window.before = byId('pinned-title').textContent;"));
        let place = page.centre_of("pressed");
        page.press_at(place);
        page.run(redraw);
        assert_eq!(page.eval("pressed.isConnected"), true, "{pressed}: what is pressed stays");
        page.release_at(place);
        page.until("!byId('unpin').hidden && byId('pinned-title').textContent !== before && !pressed.isConnected");
    }
    visit.assert_fine();
}

#[test]
fn the_page_is_redrawn_after_a_context_menu_took_the_release() {
    let Some(visit) = visit(TWO) else { return };
    let Visit { page, .. } = &visit;
    page.run(
        "window.pressed = panes[0].boxes.querySelector('.detection'); \
         pressed.dispatchEvent(new PointerEvent('pointerdown', { bubbles: true, button: 2 })); \
         byId('names').click(); byId('names').click();",
    );
    assert_eq!(page.eval("pressed.isConnected"), true);
    page.run("pressed.dispatchEvent(new MouseEvent('contextmenu', { bubbles: true }));");
    page.until("!pressed.isConnected");
    visit.assert_fine();
}

#[test]
fn opening_a_picture_finds_its_boxes_once() {
    let Some(visit) = visit(TWO) else { return };
    let Visit { page, .. } = &visit;
    page.click(visit.middle(0));
    await_heat(page, "", "gradcam");
    assert_eq!(visit.asked("boxes").len(), 1);
    visit.assert_fine();
}

#[test]
fn a_server_that_has_gone_is_told() {
    let Some(visit) = visit(TWO) else { return };
    let Visit { mut explorer, page, .. } = visit;
    explorer.signal("-TERM");
    explorer.ends();
    page.press("n");
    page.until("!byId('problem').hidden && byId('problem-text').textContent.includes('server has gone')");
}

#[test]
fn hostile_names_are_text() {
    let Some(browser) = Browser::start() else { return };
    let folder = temp();
    let hostile = "<img src=x onerror=\"document.title='broken'\"><b>&amp;.png";
    fs::copy(Path::new("tests/data/shortcut/images").join(TWO), folder.path().join(hostile)).expect("it is copied");
    let names = "</script><script>alert(1)</script>,<b>disc";
    let pictures = folder.path().to_str().expect("text");
    let explorer =
        Explorer::start(&[&common::explorer::PLANTED[..], &["--names", names, "--img-path", pictures]].concat());
    let page = browser.open(&explorer.url, WINDOW, false);
    await_boxes(&page);
    page.press("]");
    await_heat(&page, "", "gradcam");
    page.press("Enter");
    page.press("c");
    page.until("byId('command').textContent.startsWith('yolo-cam ')");
    assert!(page.eval("byId('name').textContent").as_str().is_some_and(|name| name.ends_with(hostile)));
    assert_eq!(page.eval("[all('main b b, #list b, #name b').length, all('script').length > 12]"), json!([0, false]));
    assert_eq!(page.problems(), [""; 0]);
}
