//! Small text files that flags name.

use std::path::Path;

use anyhow::{Result, anyhow, bail};
use serde::de::DeserializeOwned;
use yolo_cam::files::{BYTE_ORDER_MARK, read_regular};

/// Such a file has less.
const MOST_BYTES: usize = 1 << 20;

/// The text of a file. `what`: what errors call it, before its path.
///
/// # Errors
/// If the file can't be read, is too large, or is no UTF-8, in one line.
pub fn read(path: &Path, what: &str) -> Result<String> {
    let bytes =
        read_regular(path).map_err(|error| anyhow!("{what} {path:?} cannot be read: {error}; check the path"))?;
    if bytes.len() > MOST_BYTES {
        bail!("{what} {path:?} has more than {} KiB; check that it is the right file", MOST_BYTES >> 10);
    }
    let text = String::from_utf8(bytes).map_err(|_| anyhow!("{what} {path:?} is not UTF-8 text; save it as UTF-8"))?;
    Ok(text.trim_start_matches(BYTE_ORDER_MARK).to_owned())
}

/// What a text in YAML holds. The error is one line: where it is wrong, and how.
pub fn yaml<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_saphyr::from_str(text).map_err(|error| {
        let error = error.to_string();
        let line = error.lines().next().unwrap_or_default();
        line.strip_prefix("error: ").unwrap_or(line).to_owned()
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_wrong_with_a_file_is_told_in_a_line_with_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let told = || read(&path, "settings").unwrap_err().to_string();
        let missing = told();
        assert!(missing.contains("cannot be read: No such file") && missing.ends_with("; check the path"), "{missing}");
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(told().ends_with("is not UTF-8 text; save it as UTF-8"));
        fs::write(&path, vec![b'a'; MOST_BYTES + 1]).unwrap();
        assert!(told().contains("has more than 1024 KiB"));
        fs::write(&path, "\u{feff}a").unwrap();
        assert_eq!(read(&path, "settings").unwrap(), "a");
        let problem = yaml::<Vec<u8>>("[1").unwrap_err();
        assert!(problem.starts_with("line 1 column "), "{problem}");
    }
}
