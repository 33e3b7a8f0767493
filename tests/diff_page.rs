//! The page of a difference, opened in a browser.

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use common::{
    temp,
    watched::{self, TALL, assert_named_and_narrow, data_of, list, number, watch, write_data},
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A model that knows discs by a mark on their left, and one that does not.
const MODELS: [&str; 2] = ["tests/data/shortcut/planted.pt", "tests/data/shortcut/clean.pt"];
const PICTURES: &str = "tests/data/shortcut/images";
const LABELS: &str = "tests/data/shortcut/labels";

/// What drivers of this page use besides.
const HELP: &str = r##"
    const state = () => ({ count: byId("count").textContent, shown: [...shown], hash: location.hash,
        changes: [...new Set(texts("#pairs .change"))], pressed: texts("[aria-pressed=true]"), focus: document.activeElement.id });
    const click = (button) => {
        button.click();
        return state();
    };
    const facts = () => ({
        pair: Object.fromEntries(all("#pair-facts dt").map((name) => [name.textContent, name.nextSibling.textContent])),
        sides: Object.fromEntries(all("#fact-rows tr").map((row) =>
            [row.cells[0].textContent, [row.cells[1].textContent, row.cells[2].textContent]])),
    });
    const commands_ = () => ["old", "new"].map((side) => byId(`${side}-command`).textContent);
"##;

/// A run over pictures of discs and squares. `folder`: before all paths.
fn compared_from(folder: &Path, flags: &[&str]) -> TempDir {
    let output = temp();
    let mut command = common::yolo_cam();
    command.arg("diff").args(MODELS.map(|model| folder.join(model))).arg("--img-path").arg(folder.join(PICTURES));
    command.args(["--img-size", "128", "--report", "html", "--quiet", "--output-dir"]).arg(output.path()).args(flags);
    command.assert().success();
    watch(&page_of(&output));
    output
}

fn compared() -> TempDir {
    compared_from(Path::new(""), &["--labels", LABELS])
}

fn page_of(output: &TempDir) -> PathBuf {
    output.path().join("diff.html")
}

/// What `driver` returns in a frame of the page, in which nothing may go wrong.
fn driven(size: (u32, u32), page: &Path, fragment: &str, driver: &str) -> Option<Value> {
    watched::driven(size, page, fragment, &format!("{HELP} {driver}"))
}

/// The class that a pair counts for.
fn class_of(thing: &Value) -> &Value {
    let side = if thing["old"]["is_found"] == true { "old" } else { "new" };
    &thing[side]["class_id"]
}

/// Indices of the pairs that have a property, the farthest moved first.
fn meant(data: &Value, is_meant: impl Fn(&Value) -> bool) -> Vec<usize> {
    let things = list(&data["things"]);
    let moved = |index: &usize| things[*index]["drift"]["moved"].as_f64().unwrap_or(-1.0);
    let mut indices: Vec<usize> = (0..things.len()).filter(|&index| is_meant(&things[index])).collect();
    indices.sort_by(|a, b| moved(b).total_cmp(&moved(a)));
    indices
}

fn assert_shown(state: &Value, data: &Value, is_meant: impl Fn(&Value) -> bool) {
    let expected = meant(data, is_meant);
    assert_eq!(state["count"], format!("{} of {} pairs shown", expected.len(), list(&data["things"]).len()), "{state}");
    assert_eq!(state["shown"], json!(expected), "{state}");
}

/// `30 % [22, 39]`
fn interval(mean: &Value) -> String {
    let [mean, low, high] = ["mean", "low", "high"].map(|name| number(&mean[name]) * 100.0);
    format!("{mean:.0} % [{low:.0}, {high:.0}]")
}

#[test]
fn numbers_and_rows_tell_what_changed_and_lead_to_their_pairs() {
    let output = compared();
    let page = page_of(&output);
    let data = data_of(&page);
    let driver = r##"
        const [lost, , kept, broken, fixed] = all(".figure");
        const rows = all("#group-rows tr").map((row) => [...row.cells].map((cell) => cell.innerText.split("\n")));
        return { figures: texts(".figure"), disabled: broken.disabled, rows, heading: byId("heading").textContent,
            noise: byId("noise").textContent, at_first: state(), lost: click(lost), again: click(lost), fixed: click(fixed),
            disc: click(all("#group-rows tr")[1].cells[6]), square: click(all("#group-rows button")[2]),
            whole: click(all("#group-rows tr")[0].cells[1]) };
    "##;
    let Some(found) = driven(TALL, &page, "", driver) else { return };
    let groups = list(&data["summary"]["groups"]);
    let words =
        [("lost", "lost"), ("gained", "gained"), ("kept", "kept"), ("broken", "new errors"), ("fixed", "fixed")];
    let figures = words.map(|(name, words)| format!("{}{words}", groups[0][name]));
    assert_eq!(found["figures"], json!(figures));
    assert_eq!(found["disabled"], groups[0]["broken"] == 0);
    let date = data["date"].as_str().expect("text");
    assert_eq!(found["heading"], format!("planted.pt → clean.pt · {date} · 24 pictures"));
    let noise = data["noise"].as_str().expect("text");
    assert_eq!(found["noise"], format!("Noise: {noise}."));
    assert_eq!(list(&found["rows"]).len(), groups.len());
    for (index, (row, group)) in list(&found["rows"]).iter().zip(groups).enumerate() {
        assert_eq!(row[0][0], ["all", "disc", "square"][index]);
        let counts = words.map(|(name, _)| group[name].to_string());
        assert_eq!((1..6).map(|at| row[at][0].as_str().expect("text")).collect::<Vec<_>>(), counts);
        assert_eq!(
            (&row[6][0], &row[7][0]),
            (&interval(&group["moved"]).into(), &interval(&group["noise_moved"]).into())
        );
        let has_drifted = list(&data["drifted"]).contains(&index.into());
        assert_eq!(row[6].get(1), has_drifted.then(|| json!("moved more than noise")).as_ref(), "{row}");
        let [before, after] = ["object_old", "object_new"].map(|name| number(&group[name]["mean"]) * 100.0);
        assert_eq!(row[10][0], format!("{before:.0} % → {after:.0} %"));
    }
    assert!(list(&data["drifted"]).contains(&1.into()) && !list(&data["drifted"]).contains(&2.into()), "disc alone");
    assert_shown(&found["at_first"], &data, |_| true);
    assert_shown(&found["lost"], &data, |thing| thing["change"] == "lost");
    let lost = &found["lost"];
    assert_eq!((&lost["hash"], &lost["focus"]), (&"#change=lost".into(), &"pairs-title".into()));
    assert_eq!((&lost["changes"], &lost["pressed"]), (&json!(["lost, fixed"]), &json!([figures[0]])));
    assert_shown(&found["again"], &data, |_| true);
    assert_shown(&found["fixed"], &data, |thing| thing["outcome"] == "fixed");
    assert_shown(&found["disc"], &data, |thing| *class_of(thing) == 0);
    assert_eq!((&found["disc"]["hash"], &found["disc"]["pressed"]), (&"#class=0".into(), &json!(["disc"])));
    assert_shown(&found["square"], &data, |thing| *class_of(thing) == 1);
    assert_shown(&found["whole"], &data, |_| true);
    assert_eq!((&found["whole"]["hash"], &found["whole"]["pressed"]), (&"".into(), &json!(["all"])));
}

#[test]
fn pairs_are_filtered_and_sorted_by_what_the_address_says() {
    let output = compared();
    let page = page_of(&output);
    let mut data = data_of(&page);
    data["things"][4]["outcome"] = "broken".into();
    data["things"][7]["outcome"] = "broken".into();
    data["things"][3]["drift"] = Value::Null;
    data["models"] = json!(["runs/one/weights/best.pt", "runs\\two\\weights\\best.pt"]);
    write_data(&page, &data);
    let things = list(&data["things"]);
    let image = |thing: &Value| &data["pictures"][thing["picture"].as_u64().expect("an index") as usize]["image"];
    let moved = |thing: &Value| thing["drift"]["moved"].as_f64();
    let confidence = |thing: &Value, side: &str| thing[side]["confidence"].as_f64().unwrap_or(0.0);
    let sureness = |thing: &Value| {
        let found = ["old", "new"].into_iter().filter(|side| thing[*side]["is_found"] == true);
        found.map(|side| confidence(thing, side)).fold(0.0, f64::max)
    };
    type Filter<'a> = (&'a str, Box<dyn Fn(&Value) -> bool + 'a>);
    let filters: Vec<Filter> = vec![
        ("change=kept", Box::new(|thing| thing["change"] == "kept")),
        ("change=gained", Box::new(|thing| thing["change"] == "gained")),
        ("outcome=broken", Box::new(|thing| thing["outcome"] == "broken")),
        ("outcome=right", Box::new(|thing| thing["outcome"] == "right")),
        ("class=0&change=lost", Box::new(|thing| *class_of(thing) == 0 && thing["change"] == "lost")),
        ("moved-from=40", Box::new(|thing| moved(thing).is_some_and(|share| share >= 0.4))),
        ("moved-to=10", Box::new(|thing| moved(thing).is_some_and(|share| share <= 0.1))),
        ("from=0.9&to=0.999", Box::new(|thing| (0.9..=0.999).contains(&sureness(thing)))),
        ("search=IMAGES%2F00", Box::new(|thing| image(thing).as_str().is_some_and(|path| path.contains("images/00")))),
        // What the page does not know asks for nothing.
        ("change=nonsense&sort=nonsense", Box::new(|_| true)),
    ];
    type Order<'a> = (&'a str, Box<dyn Fn(&Value) -> f64 + 'a>);
    let orders: Vec<Order> = vec![
        ("sort=moved", Box::new(|thing| -moved(thing).unwrap_or(-1.0))),
        ("sort=correlation", Box::new(|thing| thing["drift"]["correlation"].as_f64().unwrap_or(2.0))),
        (
            "sort=broken",
            Box::new(|thing| {
                let group = if thing["outcome"] == "broken" { 0.0 } else { 10.0 };
                group - moved(thing).unwrap_or(-1.0)
            }),
        ),
        ("sort=confidence", Box::new(|thing| confidence(thing, "new") - confidence(thing, "old"))),
        ("sort=order", Box::new(|_| 0.0)),
    ];
    let fragments: Vec<&str> =
        filters.iter().map(|filter| filter.0).chain(orders.iter().map(|order| order.0)).collect();
    let driver = format!(
        r##"
        const at = async (fragment) => {{
            const changed = new Promise((done) => addEventListener("hashchange", done, {{ once: true }}));
            location.hash = fragment;
            await changed;
            return {{ ...state(), images: all("#pairs .card").map((card) => card.lastElementChild.title) }};
        }};
        const first = all("#pairs .card")[0];
        const found = [];
        for (const fragment of {}) found.push(await at(fragment));
        return {{ found, models: texts(".pane figcaption"), first: [first.lastElementChild.title, first.querySelector(".moved").textContent] }};
        "##,
        json!(fragments)
    );
    let Some(seen) = driven(TALL, &page, "", &driver) else { return };
    let models = json!(["Old: one/weights/best.pt", "New: two/weights/best.pt"]);
    assert_eq!(seen["models"], models, "as many folders as they need to differ");
    let found = &seen["found"];
    for (index, (fragment, is_meant)) in filters.iter().enumerate() {
        assert!(!meant(&data, is_meant).is_empty(), "{fragment} leaves something");
        assert_shown(&found[index], &data, is_meant);
    }
    for (index, (fragment, rank)) in orders.iter().enumerate() {
        let mut expected: Vec<usize> = (0..things.len()).collect();
        expected.sort_by(|&a, &b| rank(&things[a]).total_cmp(&rank(&things[b])));
        let found = &found[filters.len() + index];
        assert_eq!(found["shown"], json!(expected), "{fragment}");
        let images: Vec<&Value> = expected.iter().map(|&index| image(&things[index])).collect();
        assert_eq!(found["images"], json!(images), "{fragment}");
    }
    // The first card is that of the pair that moved farthest.
    let most = &things[meant(&data, |_| true)[0]];
    let [moved, noise] = ["drift", "noise"].map(|name| number(&most[name]["moved"]) * 100.0);
    assert_eq!(seen["first"], json!([image(most), format!("heat moved {moved:.0} %, noise {noise:.0} %")]));
}

#[test]
fn a_card_shows_what_each_model_found() {
    let output = compared();
    let page = page_of(&output);
    let data = data_of(&page);
    let driver = r##"
        return all("#pairs li").map((item) => ({
            sides: [...item.querySelectorAll(".half")].map((half) => [...half.querySelectorAll(":scope > span")].map((one) => one.textContent)),
            lines: [...item.querySelectorAll("svg")].map((svg) => svg.lastElementChild.getAttribute("class")),
            views: [...item.querySelectorAll("svg")].map((svg) => svg.getAttribute("viewBox")),
            change: item.querySelector(".change").textContent }));
    "##;
    let Some(found) = driven(TALL, &page, "sort=order", driver) else { return };
    let things = list(&data["things"]);
    assert_eq!(list(&found).len(), things.len());
    for (card, thing) in list(&found).iter().zip(things) {
        for (at, name) in ["old", "new"].into_iter().enumerate() {
            let side = &thing[name];
            let is_found = side["is_found"] == true;
            assert_eq!(card["lines"][at], if is_found { "found" } else { "best" }, "{card}");
            let state = match (is_found, side["error"].as_str()) {
                (false, _) => "not found",
                (true, None) => "found",
                (true, Some(error)) => {
                    let kind = list(&data["kinds"]).iter().find(|kind| kind[0] == error).expect("it is known");
                    kind[1].as_str().expect("text")
                }
            };
            let class = data["classes"][side["class_id"].as_u64().expect("an index") as usize].as_str().expect("text");
            let words = card["sides"][at][0].as_str().expect("text");
            assert!(words.starts_with(&format!("{name}: {class} ")), "{card}");
            assert_eq!(card["sides"][at][1], state);
        }
        assert_eq!(card["views"][0], card["views"][1], "both show the same part of the picture");
        let change = card["change"].as_str().expect("text");
        assert!(change.starts_with(thing["change"].as_str().expect("text")), "{card}");
    }
}

#[test]
fn filters_that_leave_nothing_say_so_and_are_reset() {
    let output = compared();
    let page = page_of(&output);
    let data = data_of(&page);
    let driver = r##"
        const look = () => ({ ...state(), hidden: byId("nothing").hidden, cards: all(".card").length });
        enter("sort", "order");
        enter("search", "no such picture");
        const empty = look();
        byId("nothing").querySelector("button").click();
        await until(() => byId("nothing").hidden);
        // An empty field asks for nothing.
        enter("moved-to", "");
        return { empty, reset: look(), outcome: byId("outcome-filter").hidden };
    "##;
    let Some(found) = driven(TALL, &page, "", driver) else { return };
    assert_shown(&found["empty"], &data, |_| false);
    assert_eq!((&found["empty"]["hidden"], &found["empty"]["cards"]), (&false.into(), &0.into()));
    assert_eq!(found["empty"]["hash"], "#search=no+such+picture&sort=order");
    assert_shown(&found["reset"], &data, |_| true);
    assert_eq!((&found["reset"]["hash"], &found["reset"]["cards"]), (&"".into(), &list(&data["things"]).len().into()));
    assert_eq!(found["outcome"], false, "there are labels");
}

#[test]
fn a_pair_is_opened_stepped_through_and_closed() {
    let output = compared();
    let page = page_of(&output);
    let data = data_of(&page);
    let driver = r##"
        const seen = [];
        const look = () => seen.push({
            open: byId("view").open, name: byId("view-name").textContent, place: byId("view-place").textContent,
            facts: facts(), plates: ["old", "new"].map((side) => texts(`#${side}-pane .plates span`)),
            lines: all("#view .boxes rect:not(.under)").map((rect) => rect.getAttribute("class")),
            commands: commands_(), hash: location.hash, ends: [byId("previous").disabled, byId("next").disabled],
        });
        const view = byId("view");
        const cards = all(".card");
        cards[1].focus();
        cards[1].click();
        look();
        press(view, "ArrowLeft");
        look();
        press(view, "ArrowLeft");
        look();
        byId("next").click();
        byId("next").click();
        byId("heat-shown").click();
        enter("opacity", "0.5");
        const heat = all(".heat-layer").map((layer) => layer.offsetHeight);
        look();
        // As the key Escape asks for.
        view.requestClose();
        await until(() => location.hash === "#change=lost&opacity=0.5&heat-shown=no");
        look();
        return { seen, heat, focus: all(".card").indexOf(document.activeElement) };
    "##;
    let Some(found) = driven((1400, 900), &page, "change=lost", driver) else { return };
    let lost = meant(&data, |thing| thing["change"] == "lost");
    let thing = |at: usize| &data["things"][lost[at]];
    let seen = |at: usize, what: &str| &found["seen"][at][what];
    let picture = |at: usize| &data["pictures"][thing(at)["picture"].as_u64().expect("an index") as usize];
    let image = picture(1)["image"].as_str().expect("text");
    assert_eq!((seen(0, "open"), seen(0, "name")), (&true.into(), &"lost, fixed: disc".into()));
    assert_eq!(seen(0, "place"), &format!("{image}, 128×128 pixels, 2 of {}", lost.len()));
    assert_eq!(seen(0, "hash"), &format!("#change=lost&open={}", lost[1]));
    let sides = &seen(0, "facts")["sides"];
    let [old, new] = ["old", "new"].map(|side| &thing(1)[side]);
    let fate = new["fate"].as_str().expect("it says why");
    assert_eq!(sides["found"], json!(["yes", format!("no: {fate}")]));
    assert_eq!(sides["class"], json!(["disc", "disc"]));
    assert_eq!(sides["error"], json!(["nothing there", "none"]));
    assert_eq!(sides["confidence"][0], format!("{:.2}", number(&old["confidence"])));
    assert!(sides["confidence"][1].as_str().is_some_and(|text| text.ends_with("of its best prediction there")));
    let share = |side: &Value| format!("{:.0} %", number(&side["evidence"]["object"]) * 100.0);
    assert_eq!(sides["on the object"], json!([share(old), share(new)]));
    assert_eq!(sides["looks"][0], "left of the object");
    assert_eq!(sides["layers"][0], "model.6, model.4, model.2, model.0");
    let pair = &seen(0, "facts")["pair"];
    assert_eq!(pair["heat moved"], format!("{:.0} %", number(&thing(1)["drift"]["moved"]) * 100.0));
    assert_eq!(pair["change"], "lost, fixed");
    let own = |side: usize| seen(0, "plates")[side][0].as_str().expect("text");
    assert!(own(0).starts_with("disc ") && own(1).starts_with("disc "), "{found}");
    let lines = list(seen(0, "lines"));
    assert!(lines.contains(&"found".into()) && lines.contains(&"best".into()), "{lines:?}");
    let input = picture(1)["input"].as_str().expect("it is text");
    for (at, (side, name)) in [(old, "old"), (new, "new")].into_iter().enumerate() {
        let (command, flags) = (data["commands"][at].as_str().expect("text"), side["flags"].as_str().expect("text"));
        let line = format!("{command} --img-path {input} {flags} --output-dir again-{name}");
        assert_eq!(seen(0, "commands")[at], line);
    }
    assert_eq!(seen(1, "ends"), &json!([true, false]));
    assert_eq!(seen(2, "place"), seen(1, "place"), "the first, and no further");
    let third = picture(2)["image"].as_str().expect("text");
    assert_eq!(seen(3, "place"), &format!("{third}, 128×128 pixels, 3 of {}", lost.len()));
    assert_eq!(found["heat"], json!([0, 0]), "neither heat is shown");
    assert_eq!((seen(4, "open"), &found["focus"]), (&false.into(), &2.into()), "the card of what was in view last");
}

#[test]
fn the_address_restores_the_pair_and_both_pictures_move_as_one() {
    let output = compared();
    let page = page_of(&output);
    let data = data_of(&page);
    let kept = meant(&data, |thing| thing["change"] == "kept")[0];
    let driver = r##"
        const panes = all(".pane");
        const scenes = () => panes.map((pane) => pane.querySelector(".scene").style.transform);
        const part = (name) => panes.map((pane) => pane.querySelector(name));
        await until(() => part("canvas").every((canvas) => !canvas.hidden));
        const place = (element) => element.getBoundingClientRect().toJSON();
        const seen = [scenes()];
        const canvases = part("canvas").map(place);
        const pictures = part("img").map(place);
        const stage = part(".stage")[1];
        const { left, top } = stage.getBoundingClientRect();
        const wheel = { deltaY: -300, clientX: left + 30, clientY: top + 40, bubbles: true, cancelable: true };
        stage.dispatchEvent(new WheelEvent("wheel", wheel));
        seen.push(scenes());
        press(part(".stage")[0], "ArrowLeft");
        press(part(".stage")[0], "ArrowRight");
        press(part(".stage")[0], "ArrowDown");
        seen.push(scenes());
        const zoom = byId("zoom").textContent;
        const cursors = part(".stage").map((stage) => stage.classList.contains("zoomed"));
        byId("fit").click();
        seen.push(scenes());
        press(byId("view"), "+");
        seen.push(scenes());
        return { ...state(), seen, zoom, cursors, canvases, pictures, open: byId("view").open, facts: facts(),
            opacity: byId("opacity").value, sort: byId("sort").value, sources: part("img").map((img) => img.getAttribute("src")),
            maps: part("canvas").map((canvas) => canvas.dataset.map) };
    "##;
    let fragment = format!("class=0&sort=correlation&open={kept}&opacity=0.3");
    for size in [(1400, 900), (420, 900)] {
        let Some(found) = driven(size, &page, &fragment, driver) else { return };
        let thing = &data["things"][kept];
        assert_eq!((&found["open"], &found["opacity"]), (&true.into(), &"0.3".into()));
        assert_eq!((&found["sort"], &found["hash"]), (&"correlation".into(), &format!("#{fragment}").into()));
        assert_eq!(list(&found["shown"]).len(), meant(&data, |thing| *class_of(thing) == 0).len());
        assert_eq!(found["canvases"], found["pictures"], "the heat lies on the picture from edge to edge");
        assert_eq!(found["sources"][0], found["sources"][1]);
        assert_eq!(found["maps"], json!([thing["old"]["map"], thing["new"]["map"]]));
        let [old, new] = [0, 1].map(|at| &found["pictures"][at]);
        let is_stacked = size.0 < 900;
        assert_eq!((old["x"] == new["x"], old["y"] == new["y"]), (is_stacked, !is_stacked), "{old} {new}");
        let seen = list(&found["seen"]);
        assert!(seen.iter().all(|scenes| scenes[0] == scenes[1]), "{seen:?}");
        assert!(seen[0] != seen[1] && seen[1] != seen[2] && seen[3] == seen[0] && seen[4] != seen[0], "{seen:?}");
        assert_eq!((&found["zoom"], &found["cursors"]), (&"212 %".into(), &json!([true, true])));
        let [moved, noise] = ["drift", "noise"].map(|name| number(&thing[name]["moved"]) * 100.0);
        assert_eq!(found["facts"]["pair"]["heat moved"], format!("{moved:.0} %, noise {noise:.0} %"));
        assert_eq!(found["facts"]["pair"]["label"], "disc");
    }
}

#[test]
fn the_commands_of_a_pair_give_its_maps_again() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let labels = folder.join(LABELS);
    let output = compared_from(folder, &["--labels", labels.to_str().expect("it is text")]);
    let page = page_of(&output);
    let data = data_of(&page);
    let indices = ["kept", "lost"].map(|change| meant(&data, |thing| thing["change"] == change)[0]);
    let driver = format!(
        r##"
        const found = [];
        for (const index of {indices:?}) {{
            location.hash = `open=${{index}}`;
            await until(() => opened === index);
            for (const side of ["old", "new"]) {{
                byId(`${{side}}-copy`).click();
                await until(() => byId(`${{side}}-copy`).textContent === "Copied");
            }}
            found.push(commands_());
        }}
        return found;
        "##
    );
    let Some(found) = driven((1400, 900), &page, "", &driver) else { return };
    for (index, lines) in indices.into_iter().zip(list(&found)) {
        for (line, name) in list(lines).iter().zip(["old", "new"]) {
            let side = &data["things"][index][name];
            let line =
                line.as_str().and_then(|line| line.strip_prefix("yolo-cam ")).expect("it begins with the program");
            let line = format!("'{}' {line} --report html --quiet", env!("CARGO_BIN_EXE_yolo-cam"));
            let place = temp();
            let status = Command::new("sh").args(["-c", &line]).current_dir(place.path()).status();
            assert!(status.expect("it starts").success(), "{line}");
            let again = place.path().join(format!("again-{name}"));
            let cards = common::cards(&again.join("report.html"));
            let card = &cards[0]["detections"][0];
            assert_eq!((&card["class_id"], &card["box_image"]), (&side["class_id"], &side["box"]), "{line}");
            let map = |folder: &Path, url: &Value| {
                fs::read(folder.join(url.as_str().expect("it has a map"))).expect("a file")
            };
            assert!(map(output.path(), &side["map"]) == map(&again, &card["map"]), "{line}");
        }
    }
}

#[test]
fn every_control_has_a_name_and_nothing_is_wider_than_the_window() {
    assert_named_and_narrow(&page_of(&compared()), ", table", 40.0);
}

#[test]
fn five_thousand_pairs_are_shown_with_few_cards() {
    let output = compared();
    let page = page_of(&output);
    let mut data = data_of(&page);
    let things = list(&data["things"]).to_vec();
    data["things"] = (0..5000).map(|index| things[index % things.len()].clone()).collect();
    write_data(&page, &data);
    let driver = r##"
        const places = () => all("#pairs li").map((item) => Number(item.ariaPosInSet));
        const seen = [];
        const look = () => seen.push({ cards: places().length, elements: all("*").length,
            sorted: places().every((place, index, all) => index === 0 || place > all[index - 1]) });
        byId("pairs-title").scrollIntoView();
        await until(() => places().includes(1));
        look();
        scrollTo(0, document.documentElement.scrollHeight / 2);
        await until(() => places().length && places()[0] > 1000);
        look();
        const card = all(".card")[0];
        card.focus({ preventScroll: true });
        scrollTo(0, document.documentElement.scrollHeight);
        await until(() => places().includes(5000));
        look();
        const isKept = document.activeElement === card;
        press(card, "End");
        const end = document.activeElement.closest("li").ariaPosInSet;
        press(document.activeElement, "ArrowLeft");
        const before = document.activeElement.closest("li").ariaPosInSet;
        press(document.activeElement, "Home");
        const home = document.activeElement.closest("li").ariaPosInSet;
        look();
        enter("change", "lost");
        look();
        return { seen, isKept, end, before, home, count: byId("count").textContent, of: all("#pairs li")[0].ariaSetSize };
    "##;
    let Some(found) = driven((1400, 900), &page, "", driver) else { return };
    for look in list(&found["seen"]) {
        assert!((1.0..300.0).contains(&number(&look["cards"])) && number(&look["elements"]) < 5000.0, "{look}");
        assert_eq!(look["sorted"], true, "cards are in the order of the keyboard: {look}");
    }
    assert_eq!(found["isKept"], true, "a card that has the focus stays");
    assert_eq!((&found["end"], &found["before"], &found["home"]), (&"5000".into(), &"4999".into(), &"1".into()));
    let lost = meant(&data, |thing| thing["change"] == "lost").len();
    assert_eq!(
        (&found["count"], &found["of"]),
        (&format!("{lost} of 5000 pairs shown").into(), &lost.to_string().into())
    );
}

#[test]
fn without_labels_nothing_is_right_or_wrong() {
    let output = compared_from(Path::new(""), &[]);
    let page = page_of(&output);
    let data = data_of(&page);
    let driver = r##"
        return { ...state(), figures: texts(".figure span + span"), heads: texts("#groups thead th"),
            cells: all("#group-rows tr").map((row) => row.cells.length), outcome: byId("outcome-filter").offsetHeight,
            sorts: all("#sort option").map((option) => option.value), facts: facts() };
    "##;
    let Some(found) = driven(TALL, &page, "open=0&outcome=fixed&sort=broken", driver) else { return };
    assert_shown(&found, &data, |_| true);
    assert_eq!(found["figures"], json!(["lost", "gained", "kept"]));
    let heads = list(&found["heads"]);
    assert!(heads.len() == 9 && list(&found["cells"]).iter().all(|cells| *cells == 9), "{found}");
    assert_eq!(
        (&found["outcome"], &found["sorts"]),
        (&0.into(), &json!(["moved", "correlation", "confidence", "order"]))
    );
    assert_eq!(found["facts"]["sides"]["error"], Value::Null);
    assert!(["lost", "gained", "kept"].iter().any(|change| found["facts"]["pair"]["change"] == *change), "{found}");
}

#[test]
fn hostile_names_are_text_and_a_run_that_found_nothing_has_a_page() {
    let output = compared();
    let page = page_of(&output);
    let hostile = r#"</script><img src=x onerror="document.title='broken'"><b>&amp;<!--{{SCRIPT}}.jpg"#;
    let mut data = data_of(&page);
    for place in ["/classes/0", "/pictures/0/image", "/models/0", "/noise", "/commands/0", "/things/0/new/fate"] {
        *data.pointer_mut(place).expect("it is there") = hostile.into();
    }
    // A picture whose name is no text, a side without a prediction, and maps that say nothing.
    data["failed"] = json!([[hostile, hostile]]);
    data["pictures"][1].as_object_mut().expect("an object").remove("input");
    let of_second = list(&data["things"]).iter().position(|thing| thing["picture"] == 1).expect("it has a pair");
    let lost = meant(&data, |thing| thing["change"] == "lost")[0];
    let nothing = json!({"is_found": false, "class_id": null, "confidence": null, "box": null, "error": null,
        "fate": "it has no such class", "layers": [], "reason": null, "evidence": null, "map": null, "flags": ""});
    data["things"][lost]["new"] = nothing;
    data["things"][lost]["drift"] = Value::Null;
    data["things"][0]["new"]["is_found"] = false.into();
    write_data(&page, &data);
    let driver = r##"
        return { bold: all("b").length, images: all("img").length, place: byId("view-place").textContent,
            heading: byId("heading").textContent, failed: texts("#failed li"), count: texts("#failed-count"),
            head: texts("#group-rows th")[1], noise: byId("noise").textContent, command: commands_()[0],
            plate: texts(".plates span")[0], found: facts().sides.found };
    "##;
    let Some(found) = driven(TALL, &page, "open=0", driver) else { return };
    assert_eq!((&found["bold"], &found["images"]), (&0.into(), &2.into()));
    assert_eq!(found["head"], hostile);
    assert_eq!(found["found"], json!(["yes", format!("no: {hostile}")]));
    assert_eq!(
        (&found["failed"], &found["count"]),
        (&json!([format!("{hostile}: {hostile}")]), &json!(["1 picture failed"]))
    );
    assert_eq!(found["noise"], format!("Noise: {hostile}."));
    for what in ["place", "command", "plate"] {
        assert!(found[what].as_str().is_some_and(|text| text.starts_with(hostile)), "{what}: {found}");
    }
    let driver = "return [commands_(), byId('old-copy').hidden, byId('old-command-note').textContent];";
    let Some(found) = driven((1400, 900), &page, &format!("open={of_second}"), driver) else { return };
    assert_eq!(found, json!([["", ""], true, "A name is no text that a command could be shown with."]));
    let driver = r##"
        return [commands_()[1], byId("new-copy").hidden, byId("new-command-note").textContent, facts().sides.confidence[1],
            facts().sides.heat[1], facts().pair["heat moved"] ?? null, texts("#new-pane .plates .best")];
    "##;
    let Some(found) = driven((1400, 900), &page, &format!("open={lost}"), driver) else { return };
    assert_eq!(found, json!(["", true, "There is no box to explain.", "no prediction", "no map", null, []]));

    for name in ["things", "pictures", "drifted"] {
        data[name] = json!([]);
    }
    data["summary"]["groups"] = json!([]);
    write_data(&page, &data);
    let driver = r##"
        const isSeen = (id) => byId(id).offsetHeight > 0;
        return { figures: texts(".figure .number"), empty: byId("empty").textContent,
            seen: ["empty", "browser", "groups-room", "nothing"].filter(isSeen) };
    "##;
    let Some(found) = driven((1400, 900), &page, "open=0", driver) else { return };
    assert_eq!(found["figures"], json!(["0", "0", "0", "0", "0"]));
    assert_eq!((&found["empty"], &found["seen"]), (&"Neither model found anything.".into(), &json!(["empty"])));
}
