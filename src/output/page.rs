//! What all pages share: how they look, how they are put together, and how they name the pictures beside them.

use std::{
    io::{self, Write},
    path::Path,
};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::Serialize;
use yolo_cam::files::write_atomically;

/// Colours, text and tables, in light and dark. Each page adds its own.
pub const BASE_STYLE: &str = include_str!("page.css");

/// All bytes but the unreserved ones of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A relative path as a URL.
pub fn url_path(path: &str) -> String {
    path.split('/').map(|name| utf8_percent_encode(name, RESERVED).to_string()).collect::<Vec<_>>().join("/")
}

/// The path that such a URL is of.
pub fn path_of_url(url: &str) -> String {
    percent_decode_str(url).decode_utf8_lossy().into_owned()
}

/// Writes a page that scripts make of its data, all of it in one file. `template`: with the marks `{{STYLE}}`, `{{DATA}}` and `{{SCRIPT}}`,
/// in this order; `style`: what follows [`BASE_STYLE`]; `scripts`: in the order in which they run.
///
/// # Errors
/// [`yolo_cam::Error::Io`].
pub fn write_page(
    path: &Path,
    (template, style, scripts): (&str, &str, &[&str]),
    data: &impl Serialize,
) -> yolo_cam::Result<()> {
    write_atomically(path, |out| {
        let data = embedded(&serde_json::to_string(data).map_err(io::Error::other)?);
        // The template is split before the data come in: names in these may look like a mark.
        let (head, rest) = split(template, "{{STYLE}}")?;
        let (body, rest) = split(rest, "{{DATA}}")?;
        let (middle, tail) = split(rest, "{{SCRIPT}}")?;
        let parts = [&[head, BASE_STYLE, style, body, &data, middle][..], scripts, &[tail]].concat();
        parts.iter().try_for_each(|part| out.write_all(part.as_bytes()))
    })
}

fn split<'a>(text: &'a str, mark: &str) -> io::Result<(&'a str, &'a str)> {
    text.split_once(mark).ok_or_else(|| io::Error::other(format!("the template has no {mark}")))
}

/// JSON for inside a script element: nothing in it can end the element or open a comment.
pub fn embedded(json: &str) -> String {
    // These stand in strings only.
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}
