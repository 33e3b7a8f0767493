//! Lists of inputs: `@list.txt`, and `-` for stdin.

use std::{
    io::BufRead,
    path::{Path, PathBuf},
};

use yolo_cam::files::read_regular_text;

/// A line of a list.
pub struct Entry {
    pub path: PathBuf,
    /// The list and the line, as messages name them.
    pub place: String,
}

/// The entries of the list that `input` names; `None` if it names none. A list has a path on each line; blank lines, and
/// those that begin with `#`, are left out.
pub fn of(input: &Path, stdin: &mut impl BufRead) -> Option<Result<Vec<Entry>, String>> {
    if input == Path::new("-") {
        let mut text = String::new();
        let read = stdin.read_to_string(&mut text);
        return Some(read.map(|_| entries("stdin", &text)).map_err(|error| format!("list on stdin: {error}")));
    }
    // A file may really be called so.
    let list = input.to_str()?.strip_prefix('@').filter(|_| !input.exists())?;
    let read = read_regular_text(Path::new(list));
    Some(read.map(|text| entries(list, &text)).map_err(|error| format!("list {list:?}: {error}")))
}

fn entries(list: &str, text: &str) -> Vec<Entry> {
    let lines = text.lines().map(str::trim).zip(1..).filter(|(line, _)| !line.is_empty() && !line.starts_with('#'));
    lines.map(|(line, number)| Entry { path: line.into(), place: format!("{list}:{number}") }).collect()
}
