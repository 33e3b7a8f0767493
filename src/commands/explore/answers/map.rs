//! The map of a box, or of the strongest candidate for a place: just what `--raw npy` writes.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use yolo_cam::{
    explain::CellGrid,
    geometry::BBox,
    report::{PredictionEntry, RawFormat, raw_bytes},
};

use super::{
    super::{refusal::Refusal, studio::Studio, view::Subject, view::View},
    Answer, Asking, Question, Watch,
    boxes::{milliseconds, place},
};

#[derive(Deserialize)]
pub struct Map {
    subject: Subject,
}

#[derive(Serialize)]
struct Facts<'a> {
    #[serde(flatten)]
    prediction: PredictionEntry,
    place: String,
    head: String,
    layers: Vec<&'a str>,
    method: &'static str,
    target: &'static str,
    peak: f32,
    /// Whether it has no signal, and why.
    empty: bool,
    reason: Option<String>,
    working_layers: Option<String>,
    grid: CellGrid,
    heat_area: BBox,
    map_ms: f64,
    /// `None` where the picture was examined before.
    forward_ms: Option<f64>,
}

impl Question for Map {
    const NAME: &'static str = "map";

    fn is_slow(&self, view: &View) -> bool {
        view.is_slow()
    }

    fn answer(self, studio: &mut Studio, asked: &Asking, watch: &mut Watch) -> Result<Answer, Refusal> {
        let Asking { picture, view, .. } = asked;
        let model = studio.model(view)?;
        let options = studio.options(view)?;
        let (seen, forward) = studio.seen(picture, view, true)?;
        let start = Instant::now();
        let detection = seen.subject(model, &self.subject, &options)?;
        let explained = seen.explained(detection, &options, watch)?;
        let time = start.elapsed();
        let map = seen.map();
        let bytes = raw_bytes(explained.heatmap.values(), RawFormat::Npy)
            .map_err(|error| Refusal::fault(&format!("the map cannot be sent: {error}")))?;
        let facts = Facts {
            prediction: PredictionEntry::new(&explained.detection, model, map),
            place: place(&explained.detection),
            head: model.levels()[explained.detection.place.level].name(),
            layers: explained.layers.iter().map(|&layer| model.layers()[layer].path.as_str()).collect(),
            method: options.method_of(model).name,
            target: options.target.of(model).name,
            peak: explained.heatmap.peak(),
            empty: explained.heatmap.no_signal().is_some(),
            reason: explained.why_no_signal(model),
            working_layers: explained.working_layer_names(model),
            grid: CellGrid::of(explained.heatmap.values().dim(), map),
            heat_area: map.visible(),
            map_ms: milliseconds(time),
            forward_ms: forward.map(milliseconds),
        };
        Ok(Answer::facts(&facts)?.with(bytes))
    }
}
