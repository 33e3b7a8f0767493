//! The page of a run, opened in a browser.

mod common;

use std::{fs, process::Command};

use common::{
    browser::{in_browser, in_frame, seen},
    cards, page_parts, temp,
};
use image::RgbImage;
use ndarray::Array2;
use serde_json::{Value, json};

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
    let pictures = ["cat-dog.jpg", "chelsea.png", "dog.jpg", "eagle.jpg", "horses.jpg", "person.jpg"];
    assert_eq!(all, json!([&["missing.jpg"], &pictures[..]].concat()), "problems first");
    assert_eq!(names("sort=order"), Some(json!([&pictures[..], &["missing.jpg"]].concat())));
    let shows = |fragment: &str, expected: &[&str]| {
        assert_eq!(names(fragment), Some(json!(expected)), "{fragment}");
    };
    shows("class=dog&sort=sure", &["dog.jpg", "person.jpg", "cat-dog.jpg"]);
    shows("class=dog&from=0.9", &["dog.jpg"]);
    shows("show=failed", &["missing.jpg"]);
    shows("search=BIRD", &["eagle.jpg"]);
    shows("search=images/horses&sort=name", &["horses.jpg"]);
    shows("show=none", &[]);
    shows("class=cat&sort=unsure", &["chelsea.png", "cat-dog.jpg"]);
    let texts = "const texts = (name) => [...document.querySelectorAll(`#gallery .${name}`)].map((text) => text.textContent); \
                 return { facts: texts('facts'), problems: texts('problem'), \
                 heading: document.getElementById('heading').textContent, page: document.documentElement.scrollWidth };";
    for size in [(420, 900), (1400, 900), (3840, 2160)] {
        let Some(found) = in_frame(size, &page, "", texts) else { return };
        assert_eq!(found["problems"][0], "failed");
        assert_eq!(found["problems"][1], "");
        assert_eq!(found["facts"][1], "cat 0.78, dog 0.77, bicycle 0.68");
        assert_eq!(found["facts"][5], "horse ×4 0.91");
        let heading = found["heading"].as_str().expect("it is text");
        assert!(heading.starts_with("yolov5s.torchscript · gradcam · 20") && heading.ends_with(" UTC"), "{heading}");
        assert!(found["page"].as_u64() <= Some(size.0.into()), "nothing is wider than the window: {found}");
    }
}

#[test]
fn pictures_of_the_same_name_are_told_by_their_folders() {
    let (pictures, output) = (temp(), temp());
    for place in ["a/dog.jpg", "b/dog.jpg", "b/cat.jpg"] {
        let path = pictures.path().join(place);
        fs::create_dir_all(path.parent().expect("a folder")).expect("it is made");
        fs::copy("images/dog.jpg", path).expect("it is copied");
    }
    let mut command = common::explain(&pictures.path().to_string_lossy(), &output);
    command.args(["--recursive", "--img-size", "64", "--report", "html"]).assert().success();
    let Some(names) = in_browser(&output.path().join("report.html"), "sort=order", NAMES) else { return };
    assert_eq!(names, json!(["a/dog.jpg", "cat.jpg", "b/dog.jpg"]));
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
            pressed: [...byId("view").querySelectorAll("[aria-pressed=true]")].map((button) => button.textContent),
            says: byId("heat-of").textContent, hash: location.hash, zoom: byId("zoom").textContent,
        });
        const card = document.querySelectorAll(".card")[2];
        card.focus();
        card.click();
        look();
        press("ArrowRight");
        look();
        byId("wipe").value = 25;
        byId("wipe").dispatchEvent(new Event("input", { bubbles: true }));
        const clip = byId("heat-layer").style.clipPath;
        const button = byId("view-rows").children[1].querySelector("button");
        button.focus();
        const outlines = () => [...byId("view-boxes").children];
        const pointed = outlines().filter((rect) => rect.classList.contains("pointed")).length;
        button.click();
        press("+");
        look();
        const dim = outlines().filter((rect) => rect.classList.contains("dim")).length;
        byId("heat-none").click();
        press("0");
        look();
        for (let index = 0; index < 9; index += 1) press("ArrowRight");
        look();
        const note = byId("view-note").textContent;
        byId("close").click();
        look();
        return { seen, clip, pointed, dim, note };
    "#;
    let Some(found) = in_browser(&output.path().join("report.html"), "", driver) else { return };
    let seen = |index: usize, key: &str| &found["seen"][index][key];
    assert_eq!((seen(0, "open"), seen(0, "name")), (&true.into(), &"chelsea.png".into()));
    assert_eq!(seen(0, "place"), "images/chelsea.png, 451×300 pixels, 3 of 7");
    assert_eq!(seen(1, "name"), "dog.jpg");
    assert_eq!((seen(1, "rows"), seen(1, "boxes")), (&4.into(), &4.into()));
    assert_eq!((seen(1, "pressed"), seen(1, "says")), (&json!(["All"]), &"Heat of 4 boxes".into()));
    assert_eq!(seen(1, "hash"), "#open=2");
    assert_eq!(found["clip"], "inset(0px 75% 0px 0px)");
    assert_eq!(found["pointed"], 1, "the box of the row in focus stands out");
    assert_eq!((seen(2, "pressed"), seen(2, "says")), (&json!(["bicycle"]), &"Heat of bicycle 0.61".into()));
    assert_eq!((seen(2, "hash"), seen(2, "zoom")), (&"#open=2&heat=1&wipe=25".into(), &"150 %".into()));
    assert_eq!(found["dim"], 3, "the other boxes");
    assert_eq!((seen(3, "pressed"), seen(3, "says")), (&json!(["None"]), &"No heat".into()));
    assert_eq!(seen(3, "zoom"), "100 %");
    assert_eq!(seen(4, "name"), "person.jpg", "the last, and no further");
    assert_eq!(seen(4, "says"), "No heat", "as chosen before");
    assert_eq!(found["note"], "");
    assert_eq!(seen(5, "open"), false);
}

#[test]
fn wheel_and_pinch_zoom_where_they_are_a_drag_pans_and_a_click_on_a_box_shows_its_heat() {
    let output = temp();
    common::explain("images/dog.jpg", &output).args(["--report", "html"]).assert().success();
    let driver = r#"
        const byId = (id) => document.getElementById(id);
        const stage = byId("stage");
        const { left, top } = stage.getBoundingClientRect();
        const [x, y] = [left + 200, top + 150];
        const spot = () => {
            const { left, top, width, height } = byId("view-picture").getBoundingClientRect();
            return [(x - left) / width, (y - top) / height, width];
        };
        const before = spot();
        const wheel = new WheelEvent("wheel", { deltaY: -400, clientX: x, clientY: y, cancelable: true, bubbles: true });
        stage.dispatchEvent(wheel);
        const zoomed = spot();
        const pointer = (type, dx, target = stage, pointerId = 1) => target.dispatchEvent(new PointerEvent(type,
            { pointerId, clientX: x + dx, clientY: y, bubbles: true }));
        // There is no real pointer to capture.
        stage.setPointerCapture = () => {};
        pointer("pointerdown", 0);
        pointer("pointermove", 50);
        pointer("pointerup", 50);
        const dragged = spot();
        const rect = [...byId("view-boxes").children].find((rect) => rect.getAttribute("width") < 200);
        rect.dispatchEvent(new MouseEvent("click", { bubbles: true }));
        const afterDrag = byId("heat-of").textContent;
        stage.dispatchEvent(new MouseEvent("dblclick", { bubbles: true }));
        const whole = spot();
        // Two fingers around the spot, which go apart to twice the distance.
        pointer("pointerdown", -40);
        pointer("pointerdown", 40, stage, 2);
        pointer("pointermove", -80);
        pointer("pointermove", 80, stage, 2);
        pointer("pointerup", -80);
        pointer("pointerup", 80, stage, 2);
        const pinched = spot();
        byId("fit").click();
        pointer("pointerdown", 0, rect);
        pointer("pointerup", 0, rect);
        rect.dispatchEvent(new MouseEvent("click", { bubbles: true }));
        const afterClick = byId("heat-of").textContent;
        await until(() => !byId("view-heat").hidden);
        const [canvas, picture] = ["view-heat", "view-picture"].map((id) => byId(id).getBoundingClientRect());
        const plates = [...byId("view-labels").children].map((plate) => plate.getBoundingClientRect());
        const overlaps = plates.filter((a, index) => plates.some((b, other) => other < index
            && a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)).length;
        byId("copy").click();
        await until(() => byId("copy").textContent === "Copied");
        return { before, zoomed, dragged, whole, pinched, afterDrag, afterClick, prevented: wheel.defaultPrevented,
            canvas: canvas.toJSON(), picture: picture.toJSON(), overlaps, plates: plates.length };
    "#;
    let Some(found) = in_browser(&output.path().join("report.html"), "open=0", driver) else { return };
    let spot = |name: &str| [0, 1, 2].map(|index| found[name][index].as_f64().expect("a number"));
    let (before, zoomed, dragged) = (spot("before"), spot("zoomed"), spot("dragged"));
    assert!((zoomed[2] / before[2] - 1.0_f64.exp()).abs() < 0.01, "{before:?} {zoomed:?}");
    let near = |a: f64, b: f64| (a - b).abs() < 0.003;
    assert!(near(before[0], zoomed[0]) && near(before[1], zoomed[1]), "{before:?} {zoomed:?}");
    assert!(near(zoomed[0] - dragged[0], 50.0 / zoomed[2]) && near(zoomed[1], dragged[1]), "{zoomed:?} {dragged:?}");
    assert_eq!(found["prevented"], true);
    assert_eq!(found["whole"], found["before"]);
    let pinched = spot("pinched");
    assert!((pinched[2] / before[2] - 2.0).abs() < 0.01, "{before:?} {pinched:?}");
    assert!(near(before[0], pinched[0]) && near(before[1], pinched[1]), "{before:?} {pinched:?}");
    assert_eq!(found["afterDrag"], "Heat of 4 boxes", "a drag is no click");
    assert_eq!(found["afterClick"], "Heat of dog 0.91");
    assert_eq!(found["canvas"], found["picture"], "the heat lies on the picture from edge to edge");
    assert_eq!((&found["overlaps"], &found["plates"]), (&0.into(), &4.into()));
}

#[test]
fn a_class_that_is_asked_for_dims_the_others() {
    let output = temp();
    common::explain("images/dog.jpg", &output).args(["--report", "html"]).assert().success();
    let driver = "const dim = (list) => [...document.getElementById(list).children].map((of) => of.classList.contains('dim')); \
                  return { rows: dim('view-rows'), labels: dim('view-labels'), \
                  says: document.getElementById('heat-of').textContent };";
    let page = output.path().join("report.html");
    let Some(found) = in_browser(&page, "class=dog&open=0", driver) else { return };
    assert_eq!(found["rows"], json!([false, true, true, true]));
    assert_eq!(found["labels"], found["rows"]);
    assert_eq!(found["says"], "Heat of 1 box of 4");
}

/// Where the largest value is: x and y of its middle, as shares of the width and height.
fn hottest(map: &Array2<f32>) -> (f32, f32) {
    let (height, width) = map.dim();
    let most = map.iter().copied().fold(0.0, f32::max);
    let hot = || map.indexed_iter().filter(move |(_, value)| **value >= 0.9 * most);
    let count = hot().count() as f32;
    let mean = |sum: f32, side: usize| sum / count / side as f32;
    let (x, y) = hot().fold((0.0, 0.0), |(x, y), ((row, column), _)| (x + column as f32 + 0.5, y + row as f32 + 0.5));
    (mean(x, width), mean(y, height))
}

#[test]
fn heat_of_a_box_is_where_its_map_is_hot_and_cold_pixels_are_those_of_the_picture() {
    let output = temp();
    let mut command = common::explain("images/dog.jpg", &output);
    command.args(["--report", "html", "--raw", "--raw-size", "image", "--alpha", "1", "--no-labels"]);
    command.assert().success();
    let page = output.path().join("report.html");
    let cards = cards(&page);
    for (index, found) in cards[0]["detections"].as_array().expect("a list").iter().enumerate() {
        let raw = output.path().join(format!("dog-res-{index}.npy"));
        let raw: Array2<f32> = ndarray_npy::read_npy(raw).expect("a map");
        let url = found["map"].as_str().expect("it has one");
        let grey = image::open(output.path().join(url)).expect("it is a picture").into_luma8();
        let side = |side: u32| side as usize;
        let grey = Array2::from_shape_fn((side(grey.height()), side(grey.width())), |(y, x)| {
            f32::from(grey.get_pixel(x as u32, y as u32)[0])
        });
        let (expected, found) = (hottest(&raw), hottest(&grey));
        let pixels = ((expected.0 - found.0) * 768.0).hypot((expected.1 - found.1) * 576.0);
        assert!(pixels < 2.0, "box {index}: {pixels} pixels apart");
    }
    // What the reader sees of the dog, and of the picture alone.
    let driver = "const { left, top, width, height } = document.getElementById('view-picture').getBoundingClientRect(); \
                  return [left, top, width, height];";
    let Some(place) = in_browser(&page, "open=0&heat=0", driver) else { return };
    let [left, top, width, height] = [0, 1, 2, 3].map(|index| place[index].as_f64().expect("a number") as f32);
    let (Some(heat), Some(alone)) = (seen(&page, "open=0&heat=0"), seen(&page, "open=0&heat=none")) else { return };
    let at = |picture: &RgbImage, (x, y): (f32, f32)| {
        picture.get_pixel((left + x * width) as u32, (top + y * height) as u32).0.map(i32::from)
    };
    // Jet's hottest is dark red.
    let raw: Array2<f32> = ndarray_npy::read_npy(output.path().join("dog-res-0.npy")).expect("a map");
    let most = raw.iter().copied().fold(0.0, f32::max);
    let ((row, column), _) = raw.indexed_iter().find(|(_, value)| **value == most).expect("it is one of them");
    let [red, green, blue] = at(&heat, (column as f32 / 768.0, row as f32 / 576.0));
    assert!((100..190).contains(&red) && green < 50 && blue < 50, "{red} {green} {blue}");
    // Lines of boxes change with the choice, too.
    let near_a_line = |row: usize, column: usize| {
        let near = |side: &Value, place: usize| (side.as_f64().expect("a number") - place as f64).abs() < 5.0;
        let mut corners = (0..4).map(|index| &cards[0]["detections"][index]["box_image"]);
        corners.any(|b| near(&b[0], column) || near(&b[2], column) || near(&b[1], row) || near(&b[3], row))
    };
    let mut cold = 0;
    for (row, column) in (20..556).step_by(8).flat_map(|row| (20..748).step_by(8).map(move |column| (row, column))) {
        let spot = ((column as f32 + 0.5) / 768.0, (row as f32 + 0.5) / 576.0);
        let change = at(&heat, spot).iter().zip(at(&alone, spot)).map(|(a, b)| (a - b).abs()).max().unwrap_or(0);
        if raw[[row, column]] < 0.01 * most && !near_a_line(row, column) {
            cold += 1;
            // A hundredth of a colour, and rounding.
            assert!(change <= 8, "{row} {column}: {change}");
        }
    }
    assert!(cold > 100, "{cold} cold pixels are compared");
}

#[test]
fn opacity_and_threshold_begin_as_in_the_run_and_work_at_once() {
    let output = temp();
    let mut command = common::explain("images/dog.jpg", &output);
    command.args(["--report", "html", "--alpha", "0.7", "--threshold", "0.2", "--colormap", "gray", "--no-labels"]);
    command.args(["--normalize", "image"]).assert().success();
    let driver = r#"
        const byId = (id) => document.getElementById(id);
        const table = (id) => byId(id).getAttribute("tableValues").split(" ").map(Number);
        const look = () => ({
            opacity: byId("opacity").value, threshold: byId("threshold").value, alpha: table("heat-A"),
            red: table("heat-R"), hash: location.hash, labels: byId("labels").checked, note: byId("key-note").textContent,
        });
        const first = look();
        for (const [id, value] of [["opacity", 1], ["threshold", 0.5]]) {
            byId(id).value = value;
            byId(id).dispatchEvent(new Event("input", { bubbles: true }));
        }
        byId("labels").click();
        return [first, look()];
    "#;
    let Some(found) = in_browser(&output.path().join("report.html"), "open=0", driver) else { return };
    let value = |time: usize, table: &str, step: usize| found[time][table][step].as_f64().expect("a number");
    assert_eq!((&found[0]["opacity"], &found[0]["threshold"]), (&"0.7".into(), &"0.2".into()));
    assert_eq!((&found[0]["labels"], &found[0]["hash"]), (&false.into(), &"#open=0".into()));
    assert_eq!(found[0]["note"], "1 is the largest peak of all boxes of the picture.");
    assert_eq!((value(0, "alpha", 50), value(0, "alpha", 255)), (0.0, 0.7), "below 0.2, and at 1");
    assert!(
        (value(0, "red", 51) - 0.2).abs() < 1e-6 && (value(0, "alpha", 102) - 0.7 * 0.4_f64.powf(1.25)).abs() < 1e-3
    );
    assert_eq!((value(1, "alpha", 127), value(1, "alpha", 255)), (0.0, 1.0));
    assert_eq!(found[1]["hash"], "#open=0&opacity=1&threshold=0.5&labels=yes");
}

#[test]
fn the_command_of_a_picture_gives_its_result_again() {
    let (pictures, output) = (temp(), temp());
    let odd = pictures.path().join("it's a $dog.jpg");
    fs::copy("images/dog.jpg", &odd).expect("it is copied");
    fs::copy("images/eagle.jpg", pictures.path().join("eagle.jpg")).expect("it is copied");
    let mut command = common::yolo_cam();
    // Model and pictures without flags.
    command.arg(common::YOLOV5S).arg(pictures.path());
    command.args(["--method", "layercam", "--top", "2", "--classes", "dog", "car", "--report", "html", "--quiet"]);
    command.args(["--img-size", "320", "--format", "png", "--output-dir"]).arg(output.path().join("run"));
    command.assert().success();
    let page = output.path().join("run/report.html");
    let driver = "return document.getElementById('command').textContent;";
    let dog = cards(&page).iter().position(|card| card["image"] == json!(odd)).expect("it has a card");
    let Some(line) = in_browser(&page, &format!("open={dog}"), driver) else { return };
    let line = line.as_str().expect("it is text");
    assert!(!line.contains("--quiet") && line.contains("--model-path"), "{line}");
    let status = Command::new("sh").args(["-c", line]).current_dir(env!("CARGO_MANIFEST_DIR")).status();
    assert!(status.expect("it starts").success(), "{line}");
    let result = |folder: &str| fs::read(output.path().join(folder).join("it's a $dog-res.png")).expect("it is there");
    assert!(result("run") == result("run-again"), "{line}");
    let again = cards(&output.path().join("run-again/report.html"));
    assert_eq!(again.len(), 1);
    assert_eq!(again[0]["detections"], cards(&page)[dog]["detections"]);
}

#[test]
fn a_picture_whose_card_is_of_an_older_version_is_explained_anew() {
    let output = temp();
    let run = || {
        let mut command = common::explain("images/eagle.jpg", &output);
        command.args(["--img-size", "320", "--report", "html", "--skip-existing"]).assert().success()
    };
    let is_skipped = || String::from_utf8_lossy(&run().get_output().stderr).contains("skipped");
    assert!(!is_skipped());
    assert!(is_skipped());
    let journal = output.path().join(".yolo-cam.jsonl");
    let text = fs::read_to_string(&journal).expect("it is there");
    assert!(text.contains("heat_area"), "{text}");
    fs::write(&journal, text.replace("heat_area", "heat")).expect("it is written");
    assert!(!is_skipped());
    assert_eq!(cards(&output.path().join("report.html")).len(), 1);
}

#[test]
fn classes_of_whole_pictures_have_rows_with_heat_and_no_boxes() {
    let Some(model) = common::material("families/tiny/11-cls.pt") else { return };
    let output = temp();
    let mut command = common::explain("images/cat-dog.jpg", &output);
    command.args(["--report", "html", "--top", "2", "--model-path"]).arg(model).assert().success();
    let driver = "const byId = (id) => document.getElementById(id); \
                  const heat = byId('view-heat'), picture = byId('view-picture').getBoundingClientRect(); \
                  await until(() => !heat.hidden); \
                  const covered = heat.getBoundingClientRect(); \
                  return { rows: byId('view-rows').children.length, says: byId('heat-of').textContent, \
                  labels: [...byId('view-labels').children].filter((label) => label.offsetWidth).length, \
                  share: covered.width / picture.width, square: covered.width / covered.height };";
    let Some(found) = in_browser(&output.path().join("report.html"), "open=0", driver) else { return };
    assert_eq!((&found["rows"], &found["says"], &found["labels"]), (&2.into(), &"Heat of 2 classes".into(), &0.into()));
    let number = |name: &str| found[name].as_f64().expect("a number");
    assert!(number("share") < 0.9 && (number("square") - 1.0).abs() < 0.02, "the part that the network saw: {found}");
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
    let driver = "return { name: document.querySelector('.name').title, title: document.title, \
                  note: document.getElementById('view-note').textContent, \
                  classes: [...document.querySelectorAll('#class option')].map((option) => option.value), \
                  settings: [...document.querySelectorAll('#settings dd')].map((value) => value.textContent), \
                  bold: document.querySelectorAll('b').length, labels: [...document.querySelectorAll('input, select')] \
                  .every((input) => input.labels.length || input.ariaLabel), \
                  command: document.getElementById('command').textContent };";
    let Some(found) = in_browser(&page, "open=0", driver) else { return };
    assert_eq!(found["name"], hostile);
    assert_eq!(found["note"], missing["error"]);
    assert_eq!(found["classes"], json!(["", hostile]));
    let settings = found["settings"].as_array().expect("a list");
    assert!(settings.iter().any(|value| value.as_str().is_some_and(|text| text.contains(hostile))), "{settings:?}");
    assert_eq!(found["title"], "yolo-cam report");
    assert_eq!(found["bold"], 0);
    // In the quotes of a shell.
    assert!(found["command"].as_str().is_some_and(|line| line.contains(&hostile.replace('\'', r"'\''"))));
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
