//! What all pages share: how they look, and how they name the pictures beside them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Colours, text and tables, in light and dark. Each page adds its own.
pub const BASE_STYLE: &str = include_str!("page.css");

/// All bytes but the unreserved ones of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A relative path as a URL.
pub fn url_path(path: &str) -> String {
    path.split('/').map(|name| utf8_percent_encode(name, RESERVED).to_string()).collect::<Vec<_>>().join("/")
}
