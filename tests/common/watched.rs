//! Pages that scripts make of data, in which nothing may go wrong while they are driven.

use std::{fs, path::Path};

use serde_json::{Value, json};

use super::{browser::in_frame, page_parts};

/// Room for the cards of all cases.
pub const TALL: (u32, u32) = (1400, 6000);

/// Collects what goes wrong in the page, from its beginning on.
const WATCHER: &str = "<script>const problems = []; \
    const broken = ({ message, reason, target }) => \
    problems.push(String(message ?? reason ?? `${target.tagName} is not loaded`)); \
    for (const kind of ['error', 'unhandledrejection']) addEventListener(kind, broken, true); \
    addEventListener('securitypolicyviolation', (event) => problems.push(`${event.blockedURI} is forbidden`)); \
    console.error = console.warn = (...words) => problems.push(words.join(' '));</script><title>";

/// What all drivers use.
const HELP: &str = r##"
    const byId = (id) => document.getElementById(id);
    const all = (selector) => [...document.querySelectorAll(selector)];
    const texts = (selector) => all(selector).map((one) => one.textContent);
    const enter = (id, value) => {
        byId(id).value = value;
        byId(id).dispatchEvent(new Event("input", { bubbles: true }));
    };
    const press = (target, key) => target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
"##;

/// Has a page tell what goes wrong in it.
pub fn watch(page: &Path) {
    let text = fs::read_to_string(page).expect("the page is there");
    fs::write(page, text.replacen("<title>", WATCHER, 1)).expect("it is written");
}

/// What the scripts of a page know.
pub fn data_of(page: &Path) -> Value {
    serde_json::from_str(&page_parts(page)[1]).expect("it is JSON")
}

/// Gives a page other data.
pub fn write_data(page: &Path, data: &Value) {
    let [before, _, behind] = page_parts(page);
    let data = data.to_string().replace('<', "\\u003c");
    fs::write(page, format!("{before}{data}{behind}")).expect("it is written");
}

/// What `driver` returns in a frame of a watched page, in which nothing may go wrong.
pub fn driven(size: (u32, u32), page: &Path, fragment: &str, driver: &str) -> Option<Value> {
    let driver = format!("const result = await (async () => {{ {HELP} {driver} }})(); return {{ result, problems }};");
    let mut found = in_frame(size, page, fragment, &driver)?;
    assert_eq!(found["problems"], json!([]), "nothing goes wrong");
    Some(found["result"].take())
}

/// Every control has a name, and nothing is wider than the window. `more`: selectors of what should have a name besides; `least`: there are
/// more controls than this.
pub fn assert_named_and_narrow(page: &Path, more: &str, least: f64) {
    let driver = r##"
        const labelsOf = (element) => [...(element.labels ?? [])].map((label) => label.textContent).join("");
        const nameOf = (element) => element.ariaLabel || element.alt || labelsOf(element)
            || byId(element.getAttribute("aria-labelledby"))?.textContent || element.textContent;
        const controls = all("button, input, select, summary, dialog, section, form, nav, img, [role], [tabindex]MORE");
        const nameless = controls.filter((element) => !nameOf(element).trim() && element.role !== "status")
            .map((element) => element.outerHTML.slice(0, 80));
        const ids = all("[id]").map((element) => element.id);
        return { width: document.documentElement.scrollWidth, nameless, controls: controls.length,
            twice: ids.filter((id, index) => ids.indexOf(id) !== index),
            view: byId("view").scrollWidth - byId("view").clientWidth };
    "##;
    let driver = driver.replace("MORE", more);
    for width in [420, 1400, 2560] {
        let Some(found) = driven((width, 900), page, "open=0", &driver) else { return };
        assert!(found["width"].as_u64() <= Some(width.into()) && found["view"] == 0, "{width}: {found}");
        assert_eq!((&found["nameless"], &found["twice"]), (&json!([]), &json!([])));
        assert!(number(&found["controls"]) > least, "{found}");
    }
}

pub fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

pub fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}
