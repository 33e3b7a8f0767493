//! What is known of a picture that two detectors looked at.

use serde::{Deserialize, Serialize};
use yolo_cam::{
    diagnose::{Drift, ErrorKind, Evidence},
    geometry::BBox,
    labels::Label,
};

use crate::output::{PictureId, reports::gallery::CardFiles};

/// A picture.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PictureDifference {
    /// As messages and reports name it.
    pub image: String,
    /// Which file it was, and its state.
    pub picture: PictureId,
    /// The digest of the text with its labels, if it has one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_text: Option<String>,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Whether somebody said what is in it; `None` if labels are not wanted.
    pub is_labelled: Option<bool>,
    /// In pixels of the picture; none if labels are not wanted.
    pub labels: Vec<Label>,
    /// What the page shows of it; `None` without things.
    pub files: Option<CardFiles>,
    pub things: Vec<Thing>,
}

/// Whether both detectors found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Both did.
    Kept,
    /// The new one did.
    Gained,
    /// The old one did.
    Lost,
}

impl Change {
    pub const ALL: [Self; 3] = [Self::Lost, Self::Gained, Self::Kept];

    /// As reports name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Gained => "gained",
            Self::Lost => "lost",
        }
    }
}

/// What became of an error, if there are labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The old detector was wrong, and the new one is right.
    Fixed,
    /// The old one was right, and the new one is wrong.
    Broken,
    /// Both are right.
    Right,
    /// Both are wrong.
    Wrong,
}

impl Outcome {
    /// As reports name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Broken => "broken",
            Self::Right => "right",
            Self::Wrong => "wrong",
        }
    }
}

/// Something that one of the detectors found, or both.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Thing {
    pub change: Change,
    /// `None` without labels.
    pub outcome: Option<Outcome>,
    /// Index of the label that it is about.
    pub label: Option<usize>,
    pub old: Side,
    pub new: Side,
    /// From the old to the new map; `None` if one of them says nothing.
    pub drift: Option<Drift>,
    /// What is nothing but noise: the same between two maps of the old detector, or to another training of it.
    pub noise: Option<Drift>,
}

/// What one of the detectors made of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Side {
    /// Whether it found it; else what follows is its best prediction there.
    pub is_found: bool,
    /// Among the classes of both detectors. `None` if there is no prediction.
    pub class_id: Option<usize>,
    pub confidence: Option<f32>,
    /// In pixels of the picture.
    pub box_image: Option<BBox>,
    /// What is wrong with it, if it was found and there are labels.
    pub error: Option<ErrorKind>,
    /// What stopped it, if it was not found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fate: Option<String>,
    pub layers: Vec<String>,
    /// Why its map says nothing, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// Its heat as grey levels, a relative URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<String>,
}
