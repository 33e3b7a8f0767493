//! The page of a diagnosis, opened in a browser.

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

/// A model that knows discs by a mark on their left, and squares by what they are.
const MODEL: &str = "tests/data/shortcut/planted.pt";
const PICTURES: &str = "tests/data/shortcut/images";

/// What drivers of this page use besides.
const HELP: &str = r##"
    const pressed = () => all("[aria-pressed=true]").map((button) => button.ariaLabel ?? button.textContent);
    const click = (button) => {
        button.click();
        return { count: byId("count").textContent, kinds: [...new Set(texts("#cases .kind"))], hash: location.hash,
            names: [...new Set(texts("#cases .name"))], pressed: pressed(), focus: document.activeElement.id };
    };
    const facts = () => Object.fromEntries(all("#facts dt").map((name) => [name.textContent, name.nextSibling.textContent]));
"##;

/// A run over pictures of discs and squares. `model` and `pictures` as the command takes them.
fn diagnosed_from(model: &Path, pictures: &Path) -> TempDir {
    let output = temp();
    let mut command = common::yolo_cam();
    command.arg("diagnose").arg("--model-path").arg(model).arg("--img-path").arg(pictures);
    command.args(["--img-size", "128", "--report", "html", "--quiet", "--output-dir"]).arg(output.path());
    command.assert().success();
    watch(&page_of(&output));
    output
}

fn diagnosed() -> TempDir {
    diagnosed_from(Path::new(MODEL), Path::new(PICTURES))
}

fn page_of(output: &TempDir) -> PathBuf {
    output.path().join("diagnose.html")
}

/// What `driver` returns in a frame of the page, in which nothing may go wrong.
fn driven(size: (u32, u32), page: &Path, fragment: &str, driver: &str) -> Option<Value> {
    watched::driven(size, page, fragment, &format!("{HELP} {driver}"))
}

/// How many cases have a property.
fn count(data: &Value, is_meant: impl Fn(&Value) -> bool) -> usize {
    list(&data["cases"]).iter().filter(|case| is_meant(case)).count()
}

fn plural(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// The name of a class.
fn name_of(data: &Value, class: &Value) -> String {
    data["classes"][class.as_u64().expect("an index") as usize].as_str().expect("text").to_owned()
}

fn assert_shown(state: &Value, data: &Value, is_meant: impl Fn(&Value) -> bool) {
    let shown = format!("{} of {} cases shown", count(data, is_meant), list(&data["cases"]).len());
    assert_eq!(state["count"], shown, "{state}");
}

#[test]
fn bars_show_what_errors_cost_and_lead_to_their_cases() {
    let output = diagnosed();
    let page = page_of(&output);
    let data = data_of(&page);
    let driver = r##"
        const bars = all("#costs .asks").map((bar) => ({
            name: bar.ariaLabel, width: bar.querySelector(".bar").offsetWidth, disabled: bar.disabled }));
        const missed = all("#costs .asks").find((bar) => bar.ariaLabel.startsWith("missed"));
        return { bars, figures: texts("#figures dd"), missed: click(missed), again: click(missed) };
    "##;
    let Some(found) = driven(TALL, &page, "", driver) else { return };
    let summary = &data["summary"];
    let percent = |name: &str| format!("{:.1} %", number(&summary["precision"][name]) * 100.0);
    assert_eq!(list(&found["figures"])[..3], ["ap", "ap50", "ap75"].map(percent).map(Value::from));
    assert_eq!(found["figures"][5], list(&data["cases"]).len().to_string());
    let mut costs: Vec<&Value> = list(&summary["errors"]["kinds"]).iter().collect();
    costs.sort_by(|a, b| number(&b["delta_ap"]).total_cmp(&number(&a["delta_ap"])));
    assert_eq!(list(&found["bars"]).len(), costs.len());
    for (bar, cost) in list(&found["bars"]).iter().zip(&costs) {
        let kind = list(&data["kinds"]).iter().find(|pair| pair[0] == cost["kind"]).expect("it is known");
        let words = kind[1].as_str().expect("text");
        let cases = count(&data, |case| case["kind"] == cost["kind"]);
        let errors = plural(number(&cost["count"]) as usize, "error");
        let points = number(&cost["delta_ap"]) * 100.0;
        let name = format!("{words}, {points:.1} points of AP50, {errors}, {}", plural(cases, "case"));
        assert_eq!((&bar["name"], &bar["disabled"]), (&name.into(), &(cases == 0).into()));
        let share = number(&cost["delta_ap"]) / number(&costs[0]["delta_ap"]);
        let (width, most) = (number(&bar["width"]), number(&found["bars"][0]["width"]));
        assert!(most > 100.0 && (width - share * most).abs() <= 1.0, "{bar}");
    }
    let missed = &found["missed"];
    assert_shown(missed, &data, |case| case["kind"] == "missed");
    assert_eq!(missed["kinds"], json!(["missed"]));
    assert_eq!((&missed["hash"], &missed["focus"]), (&"#kind=missed".into(), &"cases-title".into()));
    assert_eq!(list(&missed["pressed"]).len(), 2, "the bar, and the button of what missed objects look at: {missed}");
    assert_shown(&found["again"], &data, |_| true);
    assert_eq!((&found["again"]["hash"], &found["again"]["pressed"]), (&"".into(), &json!([])));
}

#[test]
fn cells_of_the_matrix_lead_to_the_cases_that_they_count() {
    let output = diagnosed();
    let page = page_of(&output);
    let data = data_of(&page);
    let driver = r##"
        const cell = all("#matrix button").find((cell) => cell.ariaLabel.includes("disc found as square"));
        return { cells: all("#matrix button").map((cell) => cell.ariaLabel), rows: texts("#matrix tbody th"),
            columns: texts("#matrix thead th"), clicked: click(cell) };
    "##;
    let Some(found) = driven(TALL, &page, "", driver) else { return };
    assert_eq!(found["rows"], json!(["disc", "square", "nothing there"]));
    assert_eq!(found["columns"], json!(["disc", "square", "not found"]));
    let words = |label: &Value, found: &Value| match (label.is_null(), found.is_null()) {
        (true, _) => format!("{} found where nothing is", name_of(&data, found)),
        (false, true) => format!("{} not found", name_of(&data, label)),
        (false, false) => format!("{} found as {}", name_of(&data, label), name_of(&data, found)),
    };
    let cell = |cell: &Value| {
        let (label, found) = (&cell["label"], &cell["found"]);
        let cases = count(&data, |case| case["cell"] == json!([label, found]));
        assert_eq!(cell["count"], cases);
        format!("{}: {}", plural(cases, "case"), words(label, found))
    };
    let cells: Vec<Value> = list(&data["summary"]["confusion"]).iter().map(cell).map(Value::from).collect();
    assert_eq!(list(&found["cells"]).len(), cells.len());
    assert!(list(&found["cells"]).iter().all(|name| cells.contains(name)), "{found}");
    let clicked = &found["clicked"];
    assert_shown(clicked, &data, |case| case["cell"] == json!([0, 1]));
    assert_eq!(clicked["names"], json!(["disc found as square"]));
    assert_eq!(clicked["hash"], "#labelled=0&found-as=1");
}

#[test]
fn suspicions_classes_and_looks_lead_to_the_cases_that_they_mean() {
    let output = diagnosed();
    let page = page_of(&output);
    let data = data_of(&page);
    let driver = r##"
        const square = all("#precision button").find((button) => button.textContent === "square");
        const groups = [];
        for (const id of ["", "0", "1"]) {
            enter("looks-class", id);
            for (const button of all("#looks button")) {
                groups.push([button.ariaLabel, parseInt(button.textContent) === parseInt(click(button).count)]);
                button.click();
            }
        }
        return { groups, suspicions: texts("#suspicions li span:first-child"), classes: texts("#precision-rows tr"),
            suspicion: click(all("#suspicions button")[0]), square: click(square) };
    "##;
    let Some(found) = driven(TALL, &page, "", driver) else { return };
    assert_eq!(found["suspicions"], data["suspicions"]);
    assert!(found["suspicions"][0].as_str().is_some_and(|text| text.contains("disc look left of the object")));
    assert_shown(&found["suspicion"], &data, |case| list(&case["suspicions"]).contains(&0.into()));
    assert_eq!(list(&found["suspicion"]["pressed"]).len(), 1, "{found}");
    let label = |case: &Value| {
        let at = case["label"].as_u64()? as usize;
        data["pictures"][case["picture"].as_u64()? as usize]["labels"][at]["class_id"].as_u64()
    };
    assert_shown(&found["square"], &data, |case| case["class_id"] == 1 || label(case) == Some(1));
    assert!(found["classes"][0].as_str().is_some_and(|row| row.starts_with("disc24")), "the lowest AP first: {found}");
    assert_eq!(list(&found["groups"]).len(), list(&data["summary"]["groups"]).len());
    for group in list(&found["groups"]) {
        assert_eq!(group[1], true, "as many cases are shown as it says: {group}");
    }
}

#[test]
fn cases_are_filtered_and_sorted_by_what_the_address_says() {
    let output = diagnosed();
    let page = page_of(&output);
    let data = data_of(&page);
    let cases = list(&data["cases"]);
    let image = |case: &Value| &data["pictures"][case["picture"].as_u64().expect("an index") as usize]["image"];
    let heat = |case: &Value| case["evidence"]["object"].as_f64();
    let confidence = |case: &Value| case["confidence"].as_f64().unwrap_or(0.0);
    type Filter<'a> = (&'a str, Box<dyn Fn(&Value) -> bool + 'a>);
    let filters: Vec<Filter> = vec![
        ("kind=missed", Box::new(|case| case["kind"] == "missed")),
        ("kind=errors", Box::new(|case| case["kind"] != "correct")),
        ("labelled=none", Box::new(|case| case["cell"][0].is_null())),
        ("found-as=none", Box::new(|case| case["cell"][1].is_null())),
        ("labelled=0&found-as=1&kind=class", Box::new(|case| case["cell"] == json!([0, 1]))),
        ("from=0.9&to=0.99", Box::new(|case| (0.9..=0.99).contains(&confidence(case)))),
        ("heat-from=50", Box::new(|case| heat(case).is_some_and(|share| share >= 0.5))),
        ("heat-to=30", Box::new(|case| heat(case).is_some_and(|share| share <= 0.3))),
        ("search=IMAGES%2F00", Box::new(|case| image(case).as_str().is_some_and(|path| path.contains("images/00")))),
        ("suspicion=any", Box::new(|case| !list(&case["suspicions"]).is_empty())),
        // What the page does not know asks for nothing.
        ("kind=nonsense", Box::new(|_| true)),
    ];
    type Order<'a> = (&'a str, Box<dyn Fn(&Value) -> f64 + 'a>);
    let orders: Vec<Order> = vec![
        (
            "sort=problems",
            Box::new(|case| {
                let group = if case["kind"] == "correct" { 10.0 } else { 0.0 };
                group - confidence(case)
            }),
        ),
        ("sort=sure", Box::new(|case| -confidence(case))),
        ("sort=unsure", Box::new(|case| case["confidence"].as_f64().unwrap_or(2.0))),
        ("sort=heat", Box::new(|case| heat(case).unwrap_or(2.0))),
        ("sort=order", Box::new(|_| 0.0)),
    ];
    let fragments: Vec<&str> =
        filters.iter().map(|filter| filter.0).chain(orders.iter().map(|order| order.0)).collect();
    let driver = format!(
        r##"
        const seen = () => all("#cases .card").map((card) => card.lastElementChild.title);
        const at = async (fragment) => {{
            const changed = new Promise((done) => addEventListener("hashchange", done, {{ once: true }}));
            location.hash = fragment;
            await changed;
            return {{ shown, images: seen(), count: byId("count").textContent }};
        }};
        const found = [];
        for (const fragment of {}) found.push(await at(fragment));
        return found;
        "##,
        json!(fragments)
    );
    let Some(found) = driven(TALL, &page, "", &driver) else { return };
    let check = |index: usize, expected: Vec<usize>| {
        let found = &found[index];
        assert_eq!(found["shown"], json!(expected), "{}", fragments[index]);
        let images: Vec<&Value> = expected.iter().map(|&index| image(&cases[index])).collect();
        assert_eq!(found["images"], json!(images), "{}", fragments[index]);
        assert_eq!(found["count"], format!("{} of {} cases shown", expected.len(), cases.len()));
    };
    let sorted = |rank: &dyn Fn(&Value) -> f64| {
        let mut indices: Vec<usize> = (0..cases.len()).collect();
        indices.sort_by(|&a, &b| rank(&cases[a]).total_cmp(&rank(&cases[b])));
        indices
    };
    let by_problem = sorted(&orders[0].1);
    for (index, (fragment, is_meant)) in filters.iter().enumerate() {
        let expected: Vec<usize> = by_problem.iter().copied().filter(|&case| is_meant(&cases[case])).collect();
        assert!(!expected.is_empty(), "{fragment} leaves something");
        check(index, expected);
    }
    for (index, (_, rank)) in orders.iter().enumerate() {
        check(filters.len() + index, sorted(rank));
    }
}

#[test]
fn filters_that_leave_nothing_say_so_and_are_reset() {
    let output = diagnosed();
    let page = page_of(&output);
    let data = data_of(&page);
    let driver = r##"
        const state = () => ({ hidden: byId("nothing").hidden, hash: location.hash, count: byId("count").textContent,
            cards: all(".card").length });
        enter("sort", "order");
        enter("search", "no such picture");
        const empty = state();
        byId("nothing").querySelector("button").click();
        await until(() => byId("nothing").hidden);
        // An empty field asks for nothing.
        enter("to", "");
        return { empty, reset: state(), trust: byId("trust-filter").hidden };
    "##;
    let Some(found) = driven(TALL, &page, "", driver) else { return };
    assert_shown(&found["empty"], &data, |_| false);
    assert_eq!((&found["empty"]["hidden"], &found["empty"]["cards"]), (&false.into(), &0.into()));
    assert_eq!(found["empty"]["hash"], "#search=no+such+picture&sort=order");
    assert_shown(&found["reset"], &data, |_| true);
    assert_eq!((&found["reset"]["hash"], &found["reset"]["cards"]), (&"".into(), &list(&data["cases"]).len().into()));
    assert_eq!(found["trust"], true, "nothing was verified");
}

#[test]
fn a_case_is_opened_stepped_through_and_closed() {
    let output = diagnosed();
    let page = page_of(&output);
    let data = data_of(&page);
    let driver = r##"
        const seen = [];
        const look = () => seen.push({
            open: byId("view").open, name: byId("view-name").textContent, place: byId("view-place").textContent,
            facts: facts(),
            plates: all("#view-labels span").map((plate) => plate.textContent), lines: all("#view-boxes rect").length,
            shares: texts("#view-shares li"), command: byId("command").textContent, hash: location.hash,
            heat: byId("heat-layer").hidden, ends: [byId("previous").disabled, byId("next").disabled],
            zoom: byId("zoom").textContent,
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
        press(view, "+");
        byId("heat-shown").click();
        enter("opacity", "0.5");
        look();
        // As the key Escape asks for.
        view.requestClose();
        await until(() => location.hash === "#kind=class&opacity=0.5&heat-shown=no");
        look();
        return { seen, focus: all(".card").indexOf(document.activeElement), cases: shown };
    "##;
    let Some(found) = driven((1400, 900), &page, "kind=class", driver) else { return };
    let cases = list(&found["cases"]);
    let case = |at: usize| &data["cases"][cases[at].as_u64().expect("an index") as usize];
    let seen = |at: usize, what: &str| &found["seen"][at][what];
    let name = |at: usize| format!("wrong class: disc found as square {:.2}", number(&case(at)["confidence"]));
    let picture = |at: usize| &data["pictures"][case(at)["picture"].as_u64().expect("an index") as usize];
    assert_eq!((seen(0, "open"), seen(0, "name")), (&true.into(), &name(1).into()));
    let image = picture(1)["image"].as_str().expect("text");
    assert_eq!(seen(0, "place"), &format!("{image}, 128×128 pixels, 2 of {}", cases.len()));
    assert_eq!(seen(0, "hash"), &format!("#kind=class&open={}", cases[1]));
    let facts = seen(0, "facts");
    assert_eq!((&facts["found as"], &facts["label"]), (&"square".into(), &"disc".into()));
    assert_eq!(facts["heat"], "why square rather than disc");
    assert!(facts["kind"].as_str().is_some_and(|text| text.starts_with("wrong class. The box is on an object")));
    assert_eq!(facts["IoU"], format!("{:.2}", number(&case(1)["iou"])));
    assert_eq!(facts["layers"], "model.6, model.4, model.2, model.0");
    let object = number(&case(1)["evidence"]["object"]) * 100.0;
    assert_eq!(seen(0, "shares")[0], format!("on the object {object:.0} %"));
    let plates = list(seen(0, "plates"));
    assert_eq!(
        plates[..2],
        [format!("square {:.2}", number(&case(1)["confidence"])), "label: disc".to_owned()].map(Value::from)
    );
    let labels = list(&picture(1)["labels"]).len();
    assert_eq!((plates.len(), seen(0, "lines")), (1 + labels, &(2 * (1 + labels)).into()), "each line on a dark one");
    let flags = case(1)["flags"].as_str().expect("text");
    assert!(flags.contains("--contrast 0"), "{flags}");
    let command = data["command"].as_str().expect("text");
    assert_eq!(seen(0, "command"), &format!("{command} --img-path {image} {flags} --output-dir again"));
    assert_eq!((seen(1, "name"), seen(1, "ends")), (&name(0).into(), &json!([true, false])));
    assert_eq!(seen(2, "name"), &name(0), "the first, and no further");
    assert_eq!((seen(3, "name"), seen(3, "zoom"), seen(3, "heat")), (&name(2).into(), &"150 %".into(), &true.into()));
    assert_eq!(seen(4, "open"), false);
    assert_eq!(found["focus"], 2, "on the card of the case that was in view last");
}

#[test]
fn the_address_restores_filters_and_the_case_in_view() {
    let output = diagnosed();
    let page = page_of(&output);
    let data = data_of(&page);
    let missed = list(&data["cases"]).iter().position(|case| case["kind"] == "missed").expect("there is one");
    let driver = r##"
        await until(() => !byId("view-heat").hidden);
        const [canvas, picture] = ["view-heat", "view-picture"].map((id) => byId(id).getBoundingClientRect().toJSON());
        return { open: byId("view").open, name: byId("view-name").textContent, facts: facts(), canvas, picture,
            count: byId("count").textContent, opacity: byId("opacity").value, heat: byId("heat-shown").checked,
            looks: byId("looks-class").value, titles: texts("#looks h3").length };
    "##;
    let fragment = format!("kind=missed&sort=heat&looks=1&opacity=0.3&open={missed}");
    let Some(found) = driven((420, 900), &page, &fragment, driver) else { return };
    let case = &data["cases"][missed];
    assert_eq!((&found["open"], &found["name"]), (&true.into(), &"missed: disc".into()));
    assert_eq!(found["facts"]["why missed"], case["fate"]);
    assert_eq!(found["facts"]["heat"], "what speaks for disc in the best prediction");
    assert!(found["facts"]["confidence"].as_str().is_some_and(|text| text.ends_with("of the best prediction for it")));
    assert_eq!((&found["opacity"], &found["heat"], &found["looks"]), (&"0.3".into(), &true.into(), &"1".into()));
    assert_eq!(found["canvas"], found["picture"], "the heat lies on the picture from edge to edge");
    assert_shown(&found, &data, |case| case["kind"] == "missed");
    let groups = list(&data["summary"]["groups"]).iter().filter(|group| group["class_id"] == 1).count();
    assert_eq!(found["titles"], groups, "the kinds of the class whose looks are shown");
}

#[test]
fn the_command_of_a_case_gives_its_map_again() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = diagnosed_from(&folder.join(MODEL), &folder.join(PICTURES));
    let page = page_of(&output);
    let data = data_of(&page);
    let one_of = |kind: &str| list(&data["cases"]).iter().position(|case| case["kind"] == kind).expect("there is one");
    let indices = ["correct", "class", "background", "missed"].map(one_of);
    let driver = format!(
        r##"
        const commands = [];
        for (const index of {indices:?}) {{
            location.hash = `open=${{index}}`;
            await until(() => opened === index);
            byId("copy").click();
            await until(() => byId("copy").textContent === "Copied");
            commands.push(byId("command").textContent);
        }}
        return commands;
        "##
    );
    let Some(commands) = driven((1400, 900), &page, "", &driver) else { return };
    for (index, line) in indices.into_iter().zip(list(&commands)) {
        let case = &data["cases"][index];
        let line = line.as_str().and_then(|line| line.strip_prefix("yolo-cam ")).expect("it begins with the program");
        let line = format!("'{}' {line} --report html --quiet", env!("CARGO_BIN_EXE_yolo-cam"));
        let place = temp();
        let status = Command::new("sh").args(["-c", &line]).current_dir(place.path()).status();
        assert!(status.expect("it starts").success(), "{line}");
        let again = common::cards(&place.path().join("again/report.html"));
        let found = &again[0]["detections"][0];
        assert_eq!((&found["class_id"], &found["box_image"]), (&case["class_id"], &case["box"]), "{line}");
        let map =
            |folder: PathBuf, url: &Value| fs::read(folder.join(url.as_str().expect("it has a map"))).expect("a file");
        let (first, second) =
            (map(output.path().to_owned(), &case["map"]), map(place.path().join("again"), &found["map"]));
        assert!(first == second, "{line}");
    }
}

#[test]
fn portraits_are_drawn_and_tell_where_discs_are_known_by() {
    let output = diagnosed();
    let driver = r##"
        const look = () => all("#looks > li").map((item) => {
            const canvas = item.querySelector("canvas");
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            const colors = new Set();
            for (let at = 0; at < data.length; at += 4) colors.add(data.slice(at, at + 3).join(" "));
            return { side: canvas.width, colors: colors.size, name: canvas.ariaLabel,
                numbers: [...item.querySelectorAll(".numbers li")].map((line) => line.textContent) };
        });
        const options = texts("#looks-class option");
        const whole = look();
        enter("looks-class", "0");
        const discs = look();
        enter("looks-class", "1");
        return { options, whole, discs, squares: look(), hash: location.hash, legend: texts("#legend li").length };
    "##;
    let Some(found) = driven((1400, 900), &page_of(&output), "", driver) else { return };
    assert_eq!(found["options"], json!(["all classes", "disc", "square"]));
    for one in ["whole", "discs", "squares"].iter().flat_map(|name| list(&found[*name])) {
        assert!(one["side"] == 32 && number(&one["colors"]) > 20.0 && list(&one["numbers"]).len() == 4, "{one}");
    }
    assert_eq!(found["discs"][0]["name"], "Mean map, correct: hottest left of the box");
    assert_eq!(found["squares"][0]["name"], "Mean map, correct: hottest in the box");
    let data = data_of(&page_of(&output));
    let groups = list(&data["summary"]["groups"]);
    let correct = groups.iter().find(|group| group["class_id"] == 0 && group["kind"] == "correct").expect("a group");
    let [mean, low, high] = ["mean", "low", "high"].map(|name| number(&correct["object"][name]) * 100.0);
    assert_eq!(found["discs"][0]["numbers"][0], format!("on the object {mean:.0} % ({low:.0}–{high:.0})"));
    assert_eq!((&found["hash"], &found["legend"]), (&"#looks=1".into(), &4.into()));
}

#[test]
fn every_control_has_a_name_and_nothing_is_wider_than_the_window() {
    assert_named_and_narrow(&page_of(&diagnosed()), "", 50.0);
}

#[test]
fn five_thousand_cases_are_shown_with_few_cards() {
    let output = diagnosed();
    let page = page_of(&output);
    let mut data = data_of(&page);
    let cases = list(&data["cases"]).to_vec();
    data["cases"] = (0..5000).map(|index| cases[index % cases.len()].clone()).collect();
    write_data(&page, &data);
    let missed = count(&data, |case| case["kind"] == "missed");
    let driver = r##"
        const places = () => all("#cases li").map((item) => Number(item.ariaPosInSet));
        const seen = [];
        const look = () => seen.push({ cards: places().length, elements: all("*").length,
            sorted: places().every((place, index, all) => index === 0 || place > all[index - 1]) });
        byId("cases-title").scrollIntoView();
        await until(() => places().includes(1));
        look();
        scrollTo(0, document.documentElement.scrollHeight / 2);
        await until(() => places().length && places()[0] > 1000);
        look();
        const card = all(".card")[0];
        card.focus({ preventScroll: true });
        const kept = card.closest("li").ariaPosInSet;
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
        enter("kind", "missed");
        look();
        return { seen, isKept, kept, end, before, home, count: byId("count").textContent, of: all("#cases li")[0].ariaSetSize };
    "##;
    let Some(found) = driven((1400, 900), &page, "", driver) else { return };
    for look in list(&found["seen"]) {
        assert!((1.0..300.0).contains(&number(&look["cards"])) && number(&look["elements"]) < 5000.0, "{look}");
        assert_eq!(look["sorted"], true, "cards are in the order of the keyboard: {look}");
    }
    assert_eq!(found["isKept"], true, "a card that has the focus stays");
    assert_eq!((&found["end"], &found["before"], &found["home"]), (&"5000".into(), &"4999".into(), &"1".into()));
    assert_eq!(
        (&found["count"], &found["of"]),
        (&format!("{missed} of 5000 cases shown").into(), &missed.to_string().into())
    );
}

#[test]
fn hostile_names_are_text_and_a_run_without_cases_has_a_page() {
    let output = diagnosed();
    let page = page_of(&output);
    let hostile = r#"</script><img src=x onerror="document.title='broken'"><b>&amp;<!--{{SCRIPT}}.jpg"#;
    let mut data = data_of(&page);
    for (place, name) in
        [("/classes/0", hostile), ("/pictures/0/image", hostile), ("/suspicions/0", hostile), ("/command", hostile)]
    {
        *data.pointer_mut(place).expect("it is there") = name.into();
    }
    data["failed"] = json!([[hostile, hostile]]);
    data["pictures"][1].as_object_mut().expect("an object").remove("input");
    write_data(&page, &data);
    let of_second = list(&data["cases"]).iter().position(|case| case["picture"] == 1).expect("it has a case");
    let driver = r##"
        return { title: document.title, bold: all("b").filter((b) => !b.closest(".numbers")).length, images: all("img").length,
            place: byId("view-place").textContent, failed: texts("#failed li"), count: texts("#failed-count"),
            suspicion: texts("#suspicions li span:first-child")[0], head: texts("#matrix tbody th")[0],
            option: texts("#looks-class option")[1], command: byId("command").textContent, plate: texts("#view-labels span")[0] };
    "##;
    let Some(found) = driven(TALL, &page, "open=0", driver) else { return };
    assert_eq!(
        (&found["title"], &found["bold"], &found["images"]),
        (&"yolo-cam diagnosis".into(), &0.into(), &1.into())
    );
    for what in ["suspicion", "head", "option"] {
        assert_eq!(found[what], hostile, "{what}");
    }
    assert_eq!(
        (&found["failed"], &found["count"]),
        (&json!([format!("{hostile}: {hostile}")]), &json!(["1 picture failed"]))
    );
    for what in ["place", "command", "plate"] {
        assert!(found[what].as_str().is_some_and(|text| text.starts_with(hostile)), "{what}: {found}");
    }
    let driver = "return [byId('command').textContent, byId('copy').hidden, byId('command-note').textContent];";
    let Some(found) = driven((1400, 900), &page, &format!("open={of_second}"), driver) else { return };
    assert_eq!(found, json!(["", true, "A name is no text that a command could be shown with."]));

    for (name, empty) in [("cases", json!([])), ("pictures", json!([])), ("suspicions", json!([]))] {
        data[name] = empty;
    }
    for (name, empty) in [("groups", json!([])), ("confusion", json!([])), ("suspicions", json!([]))] {
        data["summary"][name] = empty;
    }
    data["summary"]["precision"] = json!({"ap": null, "ap50": null, "ap75": null, "classes": []});
    data["classes"] = json!([]);
    write_data(&page, &data);
    let driver = r##"
        const isSeen = (id) => byId(id).offsetHeight > 0;
        return { count: byId("count").textContent, figures: texts("#figures dd").slice(0, 3), notes: texts("#matrix-note"),
            seen: ["unsuspicious", "no-looks", "precision", "matrix-room", "nothing"].filter(isSeen) };
    "##;
    let Some(found) = driven((1400, 900), &page, "open=0", driver) else { return };
    assert_eq!(found["count"], "0 of 0 cases shown");
    assert_eq!((&found["figures"], &found["notes"]), (&json!(["–", "–", "–"]), &json!(["There are no cases."])));
    assert_eq!(found["seen"], json!(["unsuspicious", "no-looks"]));
}
