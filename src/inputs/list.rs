//! Lists of inputs: `@list.txt`, and `-` for stdin.

use std::{
    io::BufRead,
    path::{Path, PathBuf},
};

use yolo_cam::{
    Error,
    files::{BYTE_ORDER_MARK, read_regular},
};

/// A line of a list.
pub struct Entry {
    /// The error is the line as far as it is text.
    pub path: Result<PathBuf, String>,
    /// The list and the line, as messages name them.
    pub place: String,
}

/// The entries of the list that `input` names; `None` if it names none. A list has a path on each line; blank lines, and
/// those that begin with `#`, are left out.
pub fn of(input: &Path, stdin: &mut impl BufRead) -> Option<Result<Vec<Entry>, String>> {
    if input == Path::new("-") {
        let mut bytes = Vec::new();
        let read = stdin.read_to_end(&mut bytes);
        return Some(read.map(|_| entries("stdin", &bytes)).map_err(|error| format!("list on stdin: {error}")));
    }
    // A file may really be called so.
    let list = input.to_str()?.strip_prefix('@').filter(|_| !input.exists())?;
    let read = read_regular(Path::new(list));
    Some(
        read.map(|bytes| entries(list, &bytes))
            .map_err(|reason| format!("list {}", Error::Io { path: list.into(), reason })),
    )
}

fn entries(list: &str, bytes: &[u8]) -> Vec<Entry> {
    let mark = BYTE_ORDER_MARK.to_string();
    let bytes = bytes.strip_prefix(mark.as_bytes()).unwrap_or(bytes);
    let lines = bytes.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).zip(1..);
    let lines = lines.filter(|(line, _)| !line.is_empty() && !line.starts_with(b"#"));
    lines.map(|(line, number)| Entry { path: path(line), place: format!("{list}:{number}") }).collect()
}

/// Names of files are any bytes.
#[cfg(unix)]
fn path(line: &[u8]) -> Result<PathBuf, String> {
    use std::os::unix::ffi::OsStrExt;
    Ok(std::ffi::OsStr::from_bytes(line).into())
}

#[cfg(not(unix))]
fn path(line: &[u8]) -> Result<PathBuf, String> {
    std::str::from_utf8(line).map(PathBuf::from).map_err(|_| String::from_utf8_lossy(line).into_owned())
}
