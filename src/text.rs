//! Text for people to read: strings of untrusted files made safe to print, and counts with their nouns.

/// The text as one line that can't steer a terminal: control characters, and those that turn the direction of what follows
/// or break the line, are written out.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|letter| if steers(letter) { letter.escape_default().to_string() } else { letter.into() })
        .collect()
}

fn steers(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A count with its noun, in the singular for one: `1 box`, `2 boxes`.
pub fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
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
    fn one_thing_is_one() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "class", "classes")), ["0 classes", "1 class", "2 classes"]);
    }
}
