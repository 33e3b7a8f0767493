//! Words of a command line that a shell is to read.

/// A word as a POSIX shell reads it back: in single quotes, unless it is plain.
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,=@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_plain_word_stays_as_it_is() {
        assert_eq!(quoted("images/cat-dog.jpg"), "images/cat-dog.jpg");
        assert_eq!(quoted("--box=1,2,3.5,4"), "--box=1,2,3.5,4");
    }

    #[cfg(unix)]
    #[test]
    fn a_shell_reads_every_word_back() {
        let words =
            ["", "a b", "it's", "''", "$HOME", "~", "*", "a;b&c|d", "\\", "\"", "`ls`", "two\nlines", "#x", "é", "!"];
        let line = words.map(quoted).join(" ");
        let output = Command::new("sh").args(["-c", &format!("printf '%s\\0' {line}")]).output().unwrap();
        let read = String::from_utf8(output.stdout).unwrap();
        assert_eq!(read.split_terminator('\0').collect::<Vec<_>>(), words);
    }
}
