//! What the program says on stderr, all of it through [`say!`].

use std::io::{self, Write};

/// More letters of a line than these say nothing to a reader.
const MOST_LETTERS: usize = 500;

/// Writes a line to stderr: takes what `format!` takes. Nobody may be there to read it, as behind a closed terminal or
/// `2>&1 | head`; that is no reason to end.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::say::line(&format!($($text)*))
    };
}

/// Writes a line to stderr, whatever stands in it.
pub fn line(text: &str) {
    writeln!(io::stderr().lock(), "{}", printable(text)).ok();
}

/// The text as one line of bounded length that can't steer a terminal: names and paths are strangers'.
fn printable(text: &str) -> String {
    let mut shown = String::new();
    let mut letters = 0;
    for letter in text.chars() {
        let escaped = if steers(letter) { letter.escape_default().to_string() } else { letter.to_string() };
        letters += escaped.chars().count();
        if letters >= MOST_LETTERS {
            shown.push('…');
            break;
        }
        shown.push_str(&escaped);
    }
    shown
}

/// Control characters, and those that turn the direction of what follows or break the line.
fn steers(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_and_steers_nothing() {
        assert_eq!(printable("a\u{1b}[2J\nb\u{202e}c"), r"a\u{1b}[2J\nb\u{202e}c");
        assert_eq!(printable("人 ü ≤ \"q\""), "人 ü ≤ \"q\"");
    }

    #[test]
    fn a_line_has_at_most_500_letters() {
        assert_eq!(printable(&"ü".repeat(499)).chars().count(), 499);
        for text in ["ü", "\u{1b}"] {
            let shown = printable(&text.repeat(100_000));
            assert!(shown.chars().count() <= 500 && shown.ends_with('…'), "{}", shown.chars().count());
        }
    }
}
