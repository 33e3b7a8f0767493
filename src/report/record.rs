//! What is known of one picture's explanation, as data.

use serde::Serialize;

use super::{
    MaskEntry,
    figure::{Figure, KeypointEntry, RotatedEntry},
    prediction::{Frame, PredictionEntry},
    query::QueryEntry,
};
use crate::{
    eval::Verdict,
    explain::{CellGrid, ExplainOptions, ExplainedBox, Explanation},
    geometry::BBox,
    model::Model,
    shape::ShapeNumbers,
};

/// All that is known of one picture's explanation. Serialises as the documentation says.
#[derive(Debug, Clone, Serialize)]
pub struct Record {
    /// The picture.
    pub image: ImageEntry,
    /// The network's input.
    pub input: InputEntry,
    /// The method's name.
    pub method: &'static str,
    /// The target's name.
    pub target: &'static str,
    /// What was asked for instead of detections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<QueryEntry>,
    /// In order of confidence.
    pub detections: Vec<DetectionEntry>,
    /// Where there are none: the most confident prediction, which stays below the threshold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best_candidate: Option<PredictionEntry>,
}

/// A picture.
#[derive(Debug, Clone, Serialize)]
pub struct ImageEntry {
    /// As given; lossy where it is no UTF-8, since JSON knows nothing else.
    pub path: String,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// The network's input.
#[derive(Debug, Clone, Serialize)]
pub struct InputEntry {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Input pixels per picture pixel.
    pub scale: f32,
    /// Columns of padding on the left; less than 0: so many are cut off.
    pub pad_x: i32,
    /// Rows of padding on the top; less than 0: so many are cut off.
    pub pad_y: i32,
}

/// An explained box.
#[derive(Debug, Clone, Serialize)]
pub struct DetectionEntry {
    /// Its place in the order of confidence.
    pub index: usize,
    /// Its class.
    pub class_id: usize,
    /// The name of the class.
    pub class: String,
    /// 0 to 1.
    pub confidence: f32,
    /// Raw class logit.
    pub logit: f32,
    /// In pixels of the picture; `None` if the class is said of the whole picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub box_image: Option<BBox>,
    /// In pixels of the network's input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub box_input: Option<BBox>,
    /// The rotated box in pixels of the picture, which the others are around; `None` if the network's boxes are not rotated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotated: Option<RotatedEntry>,
    /// Its keypoints in pixels of the picture; none if the network gives none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keypoints: Vec<KeypointEntry>,
    /// What a page draws of it; `None` where that is a rectangle.
    #[serde(skip)]
    pub figure: Option<Figure>,
    /// The head; 0 is the finest.
    pub head: usize,
    /// Row in the concatenated prediction of all levels.
    pub anchor_row: usize,
    /// The layers whose maps were fused.
    pub layers: Vec<String>,
    /// The largest value of the raw map.
    pub peak: f32,
    /// Whether the map has no signal.
    pub empty: bool,
    /// Why not. The program adds what would work.
    pub reason: Option<String>,
    /// File of the raw map, relative to the folder of results.
    pub map: Option<String>,
    /// Where the cells of that map lie in the picture.
    pub map_grid: Option<CellGrid>,
    /// The shape of what the map lights up, in pixels of the network's input; `None` if nobody asked, or there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shape: Option<ShapeNumbers>,
    /// Its mask; `None` if the network gives no masks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask: Option<MaskEntry>,
    /// What its map is worth; `None` if nobody asked, or the map has no signal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verify: Option<Verdict>,
}

/// A raw map that was written.
#[derive(Debug, Clone)]
pub struct RawMap {
    /// Relative to the folder of results.
    pub file: String,
    /// Where its cells lie.
    pub grid: CellGrid,
}

impl Record {
    /// `maps`: for each box its raw map, if one was written; `shapes`: its shape, if it was measured. Verdicts are added by who has
    /// them.
    pub fn new(
        model: &Model,
        image: &str,
        explanation: &Explanation,
        options: &ExplainOptions,
        maps: &[Option<RawMap>],
        shapes: &[Option<ShapeNumbers>],
    ) -> Self {
        let map = &explanation.letterbox.map;
        let name = |class_id: usize| model.names()[class_id].clone();
        let entry = |(index, explained): (usize, &ExplainedBox)| {
            let detection = &explained.detection;
            let raw = maps.get(index).and_then(Option::as_ref);
            DetectionEntry {
                index,
                class_id: detection.class_id,
                class: name(detection.class_id),
                confidence: detection.confidence,
                logit: detection.logit,
                box_image: detection.box_input.map(|b| map.to_image(&b)),
                box_input: detection.box_input,
                rotated: RotatedEntry::of(detection, map),
                keypoints: KeypointEntry::all(detection, model, map),
                figure: Figure::of(detection, map),
                head: model.levels()[detection.place.level].rank,
                anchor_row: detection.place.index,
                layers: explained.layers.iter().map(|&layer| model.layers()[layer].path.clone()).collect(),
                peak: explained.heatmap.peak(),
                empty: explained.heatmap.no_signal().is_some(),
                reason: explained.why_no_signal(model),
                map: raw.map(|raw| raw.file.clone()),
                map_grid: raw.map(|raw| raw.grid),
                shape: shapes.get(index).cloned().flatten(),
                mask: detection.mask.as_ref().map(|mask| MaskEntry::new(&mask.to_image(map))),
                verify: None,
            }
        };
        let frame = Frame { model, map };
        let query = options.query.map(|query| QueryEntry::new(&query, &explanation.candidates, frame));
        Self {
            image: ImageEntry { path: image.to_owned(), width: map.image.width, height: map.image.height },
            input: InputEntry {
                width: map.input.width,
                height: map.input.height,
                scale: map.scale,
                pad_x: map.pad_x,
                pad_y: map.pad_y,
            },
            method: options.method_of(model).name,
            target: options.target.of(model).name,
            query,
            detections: explanation.boxes.iter().enumerate().map(entry).collect(),
            best_candidate: explanation.best_candidate.as_ref().map(|best| frame.prediction(best)),
        }
    }
}
