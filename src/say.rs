//! What the program says on stderr, all of it through [`say!`].

use std::io::{self, Write};

use yolo_cam::text::printable;

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
    writeln!(io::stderr().lock(), "{}", cut(printable(text))).ok();
}

/// The text, or as much of it as a line may have.
fn cut(mut text: String) -> String {
    if text.chars().nth(MOST_LETTERS).is_some() {
        let end = text.char_indices().nth(MOST_LETTERS - 1).map_or(0, |(end, _)| end);
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_at_most_500_letters() {
        for letters in [499, 500] {
            assert_eq!(cut("ü".repeat(letters)), "ü".repeat(letters));
        }
        for text in ["ü", "\u{1b}"] {
            let shown = cut(printable(&text.repeat(100_000)));
            assert!(shown.chars().count() <= 500 && shown.ends_with('…'), "{}", shown.chars().count());
        }
    }
}
