//! The six kinds of errors of TIDE (Bolya et al., ECCV 2020, arXiv 2008.08115), told apart as the package `tidecv` does.

use serde::{Deserialize, Serialize};

use super::{
    ScoredBox,
    overlap::{by_confidence, iou},
};
use crate::labels::Label;

/// From this overlap (IoU) on a box is on an object.
pub(super) const ON_OBJECT: f64 = 0.5;

/// Up to this overlap (IoU) a box is on the background.
const ON_BACKGROUND: f64 = 0.1;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ErrorKind {
    /// The box is on an object (IoU at least 0.5) of another class.
    Class,
    /// The class is right, but the box is not well enough on the object (IoU from 0.1 to 0.5).
    Localization,
    /// Neither is right: the box is near an object of another class.
    Both,
    /// Another box, more confident, has found the object already.
    Duplicate,
    /// There is no object (IoU at most 0.1 with all).
    Background,
    /// An object that no box found, and that no error of class or place stands for.
    Missed,
}

impl ErrorKind {
    /// All, in the order of the paper.
    pub const ALL: [Self; 6] =
        [Self::Class, Self::Localization, Self::Both, Self::Duplicate, Self::Background, Self::Missed];

    /// As reports name it: a stable word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Class => "class",
            Self::Localization => "localization",
            Self::Both => "both",
            Self::Duplicate => "duplicate",
            Self::Background => "background",
            Self::Missed => "missed",
        }
    }

    /// In a few words.
    pub fn summary(self) -> &'static str {
        match self {
            Self::Class => "wrong class",
            Self::Localization => "wrong place",
            Self::Both => "wrong class and place",
            Self::Duplicate => "found twice",
            Self::Background => "nothing there",
            Self::Missed => "missed",
        }
    }
}

/// What became of a box that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// What is wrong with it; `None` if it is right.
    pub error: Option<ErrorKind>,
    /// Whether it lies in a crowd of its class, and so is no error whatever is said above.
    pub is_ignored: bool,
    /// Index of the label that it is about: the one that it found, or should have had; of a duplicate the one that is found twice.
    /// `None` of errors of both kinds and on the background.
    pub label: Option<usize>,
    /// Its IoU with that label; without one, the highest with any object.
    pub iou: f64,
}

/// What was found in a picture, compared with its labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// Of each box, in the given order.
    pub found: Vec<Verdict>,
    /// Indices of the labels of [missed](ErrorKind::Missed) objects, as `tidecv` counts them: what lies in a crowd can stand for another
    /// object.
    pub missed: Vec<usize>,
    /// The same where what lies in a crowd stands for nothing.
    pub overlooked: Vec<usize>,
}

/// Compares boxes with the labels of a picture. The most confident box chooses first: of the objects of its class that are left the one
/// that it overlaps most.
pub fn judge(labels: &[Label], found: &[ScoredBox]) -> Judgement {
    let objects: Vec<usize> = (0..labels.len()).filter(|&at| !labels[at].is_crowd).collect();
    let mut finder: Vec<Option<usize>> = vec![None; labels.len()];
    let order = by_confidence(found);
    for &(index, found) in &order {
        let free = |at: &usize| labels[*at].class_id == found.class_id && finder[*at].is_none();
        if let Some((at, overlap)) = most_overlapped(found, labels, objects.iter().copied().filter(free))
            && overlap >= ON_OBJECT
        {
            finder[at] = Some(index);
        }
    }
    let verdict = |(index, found): (usize, &ScoredBox)| match finder.iter().position(|finder| *finder == Some(index)) {
        Some(at) => Verdict { error: None, is_ignored: false, label: Some(at), iou: iou(&found.b, &labels[at]) },
        None => wrong(found, labels, &objects, &finder),
    };
    let verdicts: Vec<Verdict> = found.iter().enumerate().map(verdict).collect();
    let stands_for = |verdict: &Verdict, at: usize| {
        verdict.label == Some(at) && matches!(verdict.error, Some(ErrorKind::Class | ErrorKind::Localization))
    };
    let unfound = || objects.iter().copied().filter(|&at| finder[at].is_none());
    let missed = unfound().filter(|&at| !verdicts.iter().any(|verdict| stands_for(verdict, at))).collect();
    let stands_outside = |verdict: &Verdict, at: usize| !verdict.is_ignored && stands_for(verdict, at);
    let overlooked = unfound().filter(|&at| !verdicts.iter().any(|verdict| stands_outside(verdict, at))).collect();
    Judgement { found: verdicts, missed, overlooked }
}

/// What is wrong with a box that found nothing. `finder`: of each label the box that found it.
fn wrong(found: &ScoredBox, labels: &[Label], objects: &[usize], finder: &[Option<usize>]) -> Verdict {
    let is_crowd = |label: &&Label| label.is_crowd && label.class_id == found.class_id;
    let is_ignored = labels.iter().filter(is_crowd).any(|crowd| iou(&found.b, crowd) > ON_OBJECT);
    let among = |wanted: &dyn Fn(usize) -> bool| {
        most_overlapped(found, labels, objects.iter().copied().filter(|&at| wanted(at)))
    };
    let is_own = |at: usize| labels[at].class_id == found.class_id;
    let any = among(&|_| true).map_or(0.0, |(_, iou)| iou);
    let (error, about) = match (among(&is_own), among(&|at| !is_own(at))) {
        _ if objects.is_empty() => (ErrorKind::Background, None),
        (Some(own), _) if (ON_BACKGROUND..=ON_OBJECT).contains(&own.1) => (ErrorKind::Localization, Some(own)),
        (_, Some(other)) if other.1 >= ON_OBJECT => (ErrorKind::Class, Some(other)),
        _ => match among(&|at| is_own(at) && finder[at].is_some()) {
            Some(taken) if taken.1 >= ON_OBJECT => (ErrorKind::Duplicate, Some(taken)),
            _ if any <= ON_BACKGROUND => (ErrorKind::Background, None),
            _ => (ErrorKind::Both, None),
        },
    };
    let (label, iou) = about.map_or((None, any), |(at, iou)| (Some(at), iou));
    Verdict { error: Some(error), is_ignored, label, iou }
}

/// Which of some labels a box overlaps most, the first of equals, and how much (IoU).
fn most_overlapped(found: &ScoredBox, labels: &[Label], among: impl Iterator<Item = usize>) -> Option<(usize, f64)> {
    let overlaps = among.map(|at| (at, iou(&found.b, &labels[at])));
    overlaps.reduce(|best, next| if next.1 > best.1 { next } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::BBox;

    fn at(x: f32) -> BBox {
        BBox { x1: x, y1: 0.0, x2: x + 10.0, y2: 10.0 }
    }

    fn found(class_id: usize, confidence: f32, x: f32) -> ScoredBox {
        ScoredBox { class_id, confidence, b: at(x) }
    }

    fn kinds(labels: &[Label], all: &[ScoredBox]) -> (Vec<Option<ErrorKind>>, Vec<usize>) {
        let Judgement { found, missed, .. } = judge(labels, all);
        (found.iter().map(|verdict| verdict.error).collect(), missed)
    }

    #[test]
    fn each_kind_is_told() {
        let labels = [Label::new(0, at(0.0)), Label::new(1, at(100.0)), Label::new(1, at(200.0))];
        let all = [
            found(0, 0.5, 1.0),
            found(0, 0.9, 0.0),
            found(0, 0.8, 4.0),
            found(0, 0.8, 100.0),
            found(0, 0.8, 104.0),
            found(0, 0.8, 50.0),
        ];
        use ErrorKind::*;
        let expected = vec![Some(Duplicate), None, Some(Localization), Some(Class), Some(Both), Some(Background)];
        assert_eq!(kinds(&labels, &all), (expected, vec![2]));
        assert_eq!(kinds(&[], &all[..1]), (vec![Some(Background)], vec![]));
        assert_eq!(kinds(&labels[..1], &[]), (vec![], vec![0]));
    }

    #[test]
    fn what_lies_in_a_crowd_is_ignored() {
        let crowd = Label { is_crowd: true, ..Label::new(0, BBox { x2: 90.0, ..at(0.0) }) };
        let Judgement { found: verdicts, missed, .. } = judge(&[crowd], &[found(0, 0.9, 5.0), found(1, 0.9, 5.0)]);
        assert_eq!(verdicts.iter().map(|verdict| verdict.is_ignored).collect::<Vec<_>>(), [true, false]);
        assert!(missed.is_empty());
        // In the crowd there is an object of another class, and what was found there is one of the crowd.
        let Judgement { missed, overlooked, .. } = judge(&[crowd, Label::new(1, at(5.0))], &[found(0, 0.9, 5.0)]);
        assert_eq!((missed, overlooked), (vec![], vec![1]));
    }

    #[test]
    fn kinds_have_stable_names() {
        for kind in ErrorKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }
}
