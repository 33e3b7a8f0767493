//! Masks in reports.

use serde::Serialize;

use crate::detect::Mask;

/// A mask in the pixels of a picture. `size` and `counts` are COCO's compressed run-length encoding, as its own tools read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MaskEntry {
    /// How many pixels it has.
    pub area: usize,
    /// Height and width of the picture.
    pub size: [u32; 2],
    /// The runs of pixels, column by column.
    pub counts: String,
}

impl MaskEntry {
    /// Of a mask in the picture.
    pub fn new(mask: &Mask) -> Self {
        Self { area: mask.area(), size: [mask.size().height, mask.size().width], counts: compressed(&mask.runs()) }
    }
}

/// Runs as text: from the fourth on each as its difference from the last but one; five bits a letter from `0` on, the lowest
/// first, and a sixth where more follow.
///
/// COCO API, `maskApi.c`, `rleToString`.
fn compressed(runs: &[u64]) -> String {
    let mut text = String::new();
    for (index, &run) in runs.iter().enumerate() {
        let mut left = run as i64 - if index > 2 { runs[index - 2] as i64 } else { 0 };
        loop {
            let bits = (left & 0x1f) as u8;
            left >>= 5;
            // The fifth bit is the sign.
            let is_last = left == if bits & 0x10 > 0 { -1 } else { 0 };
            text.push(char::from(b'0' + bits + if is_last { 0 } else { 0x20 }));
            if is_last {
                break;
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_written_as_coco_writes_them() {
        // Of the tests of the COCO API.
        assert_eq!(compressed(&[6, 1, 40, 4, 5, 4, 5, 4, 21]), "61X13mN000`0");
        assert_eq!(compressed(&[0, 100_000]), "0PeQ3");
    }
}
