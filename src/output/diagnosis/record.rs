//! What is known of a picture: what was found in it, and each case. The journal keeps it from run to run.

use std::{borrow::Cow, path::Path};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::Value;
use yolo_cam::{
    diagnose::{ErrorKind, Evidence, Observation, PortraitSample, ScoredBox},
    eval::Verdict,
    geometry::BBox,
    labels::Label,
};

use crate::output::{PictureId, reports::gallery::CardFiles};

/// From this confidence on boxes count for AP, as where YOLO's packages measure it.
pub const LEAST_CONFIDENCE: f32 = 0.001;

/// A picture.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PictureRecord {
    /// As messages and reports name it.
    pub image: String,
    /// Which file it was, and its state.
    pub picture: PictureId,
    /// The digest of the text with its labels, if it has one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_text: Option<String>,
    /// As COCO's labels call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coco_id: Option<Value>,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Whether somebody said what is in it; where nobody did, there is nothing.
    pub is_labelled: bool,
    /// What is in it, in pixels of the picture.
    pub labels: Vec<Label>,
    /// All that was found, with however little confidence, in pixels of the picture.
    pub found: Vec<FoundBox>,
    /// What the page shows of it; `None` without cases.
    pub files: Option<CardFiles>,
    /// What was found with enough confidence, then what was missed.
    pub cases: Vec<Case>,
}

impl PictureRecord {
    /// What COCO's result files call it: as the labels do; where they are none of COCO's, by the name of its file without the ending: by
    /// a number, if it is one, as YOLO's packages do.
    pub fn image_id(&self) -> Value {
        let stem = || Path::new(&self.image).file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let by_name = || {
            let stem = stem();
            stem.parse::<u64>().map_or_else(|_| Value::from(stem), Value::from)
        };
        self.coco_id.clone().unwrap_or_else(by_name)
    }
}

/// A box that was found: class, confidence and box. In this short form, since there are hundreds in a picture.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct FoundBox(pub usize, pub f32, pub BBox);

impl From<&FoundBox> for ScoredBox {
    fn from(&FoundBox(class_id, confidence, b): &FoundBox) -> Self {
        Self { class_id, confidence, b }
    }
}

/// A detection, right or wrong, or an object that was missed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Case {
    /// What is wrong; `None` if it is right.
    pub error: Option<ErrorKind>,
    /// Of the detection; of a missed object its own.
    pub class_id: usize,
    /// Of the prediction; `None` if there is none for a missed object.
    pub confidence: Option<f32>,
    /// Of the prediction, in pixels of the picture.
    pub box_image: Option<BBox>,
    /// Index of the label that it is about.
    pub label: Option<usize>,
    /// IoU with that label; without one, the highest with any object.
    pub iou: f64,
    /// Of a missed object: the best prediction for its box as the reports have it, and what became of it in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fate: Option<String>,
    /// The class whose logit was subtracted, if its map says why the one and not the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contrast: Option<usize>,
    /// The layers of its map.
    pub layers: Vec<String>,
    /// Why its map says nothing, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where the heat lies; `None` if its map says nothing, or there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "as_hex",
        deserialize_with = "from_hex"
    )]
    pub portrait: Option<PortraitSample>,
    /// Its heat as grey levels, a relative URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<String>,
    /// What its map is worth, if that was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<Verdict>,
}

impl Case {
    /// As [`yolo_cam::diagnose::suspicions`] takes it; `None` without a map.
    pub fn observation(&self) -> Option<Observation> {
        let evidence = self.evidence.as_ref()?;
        let (focus, side) = (evidence.focus, evidence.side());
        Some(Observation { class_id: self.class_id, error: self.error, focus, side })
    }
}

/// `correct`, or the name of the error.
pub fn kind_name(error: Option<ErrorKind>) -> &'static str {
    error.map_or("correct", ErrorKind::name)
}

fn as_hex<S: Serializer>(sample: &Option<PortraitSample>, serializer: S) -> Result<S::Ok, S::Error> {
    sample.as_ref().map(|sample| hex::encode(sample.levels())).serialize(serializer)
}

fn from_hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PortraitSample>, D::Error> {
    let Some(text) = Option::<Cow<str>>::deserialize(deserializer)? else { return Ok(None) };
    let levels = hex::decode(text.as_bytes()).map_err(D::Error::custom)?;
    PortraitSample::from_levels(levels).map(Some).ok_or_else(|| D::Error::custom("a portrait of another size"))
}
