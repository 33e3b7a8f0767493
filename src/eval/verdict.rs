//! What measuring a box's own map says of it, in one of three words.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a map is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Word {
    /// It names what the detector needs better than a Gaussian on the box does.
    #[serde(rename = "faithful")]
    Faithful,
    /// It says nothing that the box does not.
    #[serde(rename = "blob")]
    NoBetterThanABlob,
    /// It names other pixels than those that the detector needs.
    #[serde(rename = "misleading")]
    Misleading,
}

impl Word {
    /// All words, the best first.
    pub const ALL: [Self; 3] = [Self::Faithful, Self::NoBetterThanABlob, Self::Misleading];

    /// As reports for programs have it: `faithful`, `blob` or `misleading`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Faithful => "faithful",
            Self::NoBetterThanABlob => "blob",
            Self::Misleading => "misleading",
        }
    }
}

impl fmt::Display for Word {
    /// For people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Faithful => "faithful",
            Self::NoBetterThanABlob => "no better than a blob",
            Self::Misleading => "misleading",
        })
    }
}

/// What was measured of a box under one fill. All scores are shares of that of the untouched picture, so that 1 is as sure as
/// there; they may be above it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FillFigures {
    /// Insertion − deletion of the box's own map, the mean over all amounts of pixels: about −1 to 1, higher is better.
    pub own: f64,
    /// The same of a Gaussian on the box.
    pub gaussian: f64,
    /// Insertion − deletion of a random map, at a single amount of pixels.
    pub random: f64,
    /// That of the box's own map at the same amount.
    pub own_beside_random: f64,
    /// What is left of the score when the hottest pixels are gone, the mean over all amounts.
    pub left: f64,
}

impl FillFigures {
    /// How far the box's own map is above the Gaussian.
    pub fn gain(&self) -> f64 {
        self.own - self.gaussian
    }
}

/// A word and the figures that it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// What the map is worth.
    pub word: Word,
    /// Where removed pixels take the mean colour of the picture ([`Fill::Mean`](super::Fill::Mean)).
    pub mean: FillFigures,
    /// Where the picture's own tiles, in random order, take their place ([`Fill::Tiles`](super::Fill::Tiles)).
    pub tiles: FillFigures,
}

/// A score that rises by less is one that stays: forward passes round by other numbers of threads and of pictures.
const ROUNDING: f64 = 1e-3;

impl Verdict {
    /// The word for these figures.
    ///
    /// Each reason must hold under both fills. A fill changes the picture by more than it hides: it may look like an object, or
    /// unlike everything that the network knows, and what is seen under one alone may be the fill's doing. What misleads does so
    /// even where the Gaussian is worse still: a box that is found by what is around it.
    pub fn new(mean: FillFigures, tiles: FillFigures) -> Self {
        let both = |holds: fn(&FillFigures) -> bool| holds(&mean) && holds(&tiles);
        let is_below_random = both(|figures| figures.own_beside_random < figures.random);
        let rises = both(|figures| figures.left > 1.0 + ROUNDING);
        let word = if is_below_random || rises {
            Word::Misleading
        } else if both(|figures| figures.own > figures.gaussian) {
            Word::Faithful
        } else {
            Word::NoBetterThanABlob
        };
        Self { word, mean, tiles }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: FillFigures = FillFigures { own: 0.6, gaussian: 0.5, random: 0.1, own_beside_random: 0.7, left: 0.2 };

    #[test]
    fn each_reason_must_hold_under_both_fills() {
        let word = |mean, tiles| Verdict::new(mean, tiles).word;
        assert_eq!(word(GOOD, GOOD), Word::Faithful);
        let blob = FillFigures { own: 0.5, ..GOOD };
        assert_eq!(word(blob, blob), Word::NoBetterThanABlob, "as good is not better");
        assert_eq!((word(GOOD, blob), word(blob, GOOD)), (Word::NoBetterThanABlob, Word::NoBetterThanABlob));
        let below = FillFigures { own_beside_random: 0.0, ..blob };
        assert_eq!(word(below, below), Word::Misleading);
        assert_eq!((word(below, blob), word(blob, below)), (Word::NoBetterThanABlob, Word::NoBetterThanABlob));
        let rises = FillFigures { left: 1.1, ..blob };
        assert_eq!(word(rises, rises), Word::Misleading);
        assert_eq!((word(rises, blob), word(blob, rises)), (Word::NoBetterThanABlob, Word::NoBetterThanABlob));
        let better_than_a_bad_gaussian = FillFigures { own: -0.1, gaussian: -0.4, own_beside_random: 0.0, ..GOOD };
        assert_eq!(word(better_than_a_bad_gaussian, better_than_a_bad_gaussian), Word::Misleading);
        let rounded = FillFigures { left: 1.0 + 1e-6, ..blob };
        assert_eq!(word(rounded, rounded), Word::NoBetterThanABlob, "that is rounding");
    }

    #[test]
    fn programs_and_people_get_words_of_their_own() {
        for word in Word::ALL {
            assert_eq!(serde_json::to_value(word).unwrap(), word.name());
        }
        assert_eq!(Word::NoBetterThanABlob.to_string(), "no better than a blob");
        let verdict = Verdict::new(GOOD, GOOD);
        let json = serde_json::to_string(&verdict).unwrap();
        assert_eq!(serde_json::from_str::<Verdict>(&json).unwrap(), verdict);
    }
}
