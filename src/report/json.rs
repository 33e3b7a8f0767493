//! `STEM-res.json`.

use std::{borrow::Cow, io, path::Path};

use serde::Serialize;

use crate::files::write_atomically;
use crate::{
    error::Result,
    explain::{ExplainOptions, ExplainedBox, Explanation},
    geometry::BBox,
    model::Model,
};

/// The version of the report's structure.
const SCHEMA: u32 = 1;

/// All that is known of one picture's explanation.
#[derive(Debug, Serialize)]
pub struct JsonReport<'a> {
    schema: u32,
    tool: &'static str,
    model: ModelEntry<'a>,
    image: ImageEntry<'a>,
    input: InputEntry,
    method: &'static str,
    target: &'static str,
    /// What was asked for instead of detections.
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<QueryEntry<'a>>,
    detections: Vec<DetectionEntry<'a>>,
}

#[derive(Debug, Serialize)]
struct QueryEntry<'a> {
    class_id: usize,
    class: &'a str,
    box_image: BBox,
    /// `None` if no prediction overlaps the box.
    iou: Option<f32>,
    winner: Option<WinnerEntry<'a>>,
}

#[derive(Debug, Serialize)]
struct WinnerEntry<'a> {
    class_id: usize,
    class: &'a str,
    confidence: f32,
    box_image: BBox,
}

#[derive(Debug, Serialize)]
struct ModelEntry<'a> {
    /// Lossy where the name is no UTF-8: JSON knows nothing else.
    path: Cow<'a, str>,
    kind: &'static str,
    classes: &'a [String],
}

#[derive(Debug, Serialize)]
struct ImageEntry<'a> {
    /// Lossy where the name is no UTF-8: JSON knows nothing else.
    path: Cow<'a, str>,
    width: u32,
    height: u32,
}

#[derive(Debug, Serialize)]
struct InputEntry {
    width: u32,
    height: u32,
    scale: f32,
    pad_x: u32,
    pad_y: u32,
}

#[derive(Debug, Serialize)]
struct DetectionEntry<'a> {
    index: usize,
    class_id: usize,
    class: &'a str,
    confidence: f32,
    logit: f32,
    box_image: BBox,
    box_input: BBox,
    head: usize,
    anchor_row: usize,
    layers: Vec<&'a str>,
    peak: f32,
    empty: bool,
    reason: Option<String>,
    map: Option<&'a str>,
}

impl<'a> JsonReport<'a> {
    /// `maps`: for each box the file name of its raw map, if there is one, relative to the report.
    pub fn new(
        model: &'a Model,
        image: &'a Path,
        explanation: &'a Explanation,
        options: &ExplainOptions,
        maps: &'a [Option<String>],
    ) -> Self {
        let map = &explanation.letterbox.map;
        let entry = |(index, explained): (usize, &'a ExplainedBox)| {
            let detection = &explained.detection;
            let reason = explained.no_signal_reason(model);
            DetectionEntry {
                index,
                class_id: detection.class_id,
                class: &model.names()[detection.class_id],
                confidence: detection.confidence,
                logit: detection.logit,
                box_image: map.to_image(&detection.box_input),
                box_input: detection.box_input,
                head: model.heads()[detection.head].rank,
                anchor_row: detection.anchor_row,
                layers: explained.layers.iter().map(|&layer| model.layers()[layer].path.as_str()).collect(),
                peak: explained.heatmap.peak(),
                empty: explained.heatmap.no_signal().is_some(),
                reason,
                map: maps.get(index).and_then(Option::as_deref),
            }
        };
        let query = options.query.map(|query| {
            let answer = explanation.answer.as_ref();
            let winner = answer.and_then(|answer| answer.winner.as_ref());
            QueryEntry {
                class_id: query.class_id,
                class: &model.names()[query.class_id],
                box_image: query.target,
                iou: answer.map(|answer| answer.iou),
                winner: winner.map(|winner| WinnerEntry {
                    class_id: winner.class_id,
                    class: &model.names()[winner.class_id],
                    confidence: winner.confidence,
                    box_image: map.to_image(&winner.box_input),
                }),
            }
        });
        Self {
            schema: SCHEMA,
            tool: concat!("yolo-cam ", env!("CARGO_PKG_VERSION")),
            model: ModelEntry {
                path: model.path().to_string_lossy(),
                kind: model.kind().name(),
                classes: model.names(),
            },
            image: ImageEntry { path: image.to_string_lossy(), width: map.image.width, height: map.image.height },
            input: InputEntry {
                width: map.input.width,
                height: map.input.height,
                scale: map.scale,
                pad_x: map.pad_x,
                pad_y: map.pad_y,
            },
            method: options.method.name(),
            target: options.target.name(),
            query,
            detections: explanation.boxes.iter().enumerate().map(entry).collect(),
        }
    }
}

/// Writes the report as indented JSON.
///
/// # Errors
/// [`crate::Error::Io`].
pub fn write_json(path: &Path, report: &JsonReport) -> Result<()> {
    write_atomically(path, |out| {
        serde_json::to_writer_pretty(&mut *out, report).map_err(io::Error::other)?;
        io::Write::write_all(out, b"\n")
    })
}
