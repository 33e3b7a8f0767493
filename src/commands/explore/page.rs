//! The page and its files, all of them in the program.

use anyhow::{Context, Result};
use serde::Serialize;
use yolo_cam::{
    Fuse, Method, Model, Target,
    explain::methods::AutoLayers,
    families::Aspect,
    render::{Colormap, RenderOptions},
};

use super::{Explorer, answers::FILLS, catalogue::MOST_BYTES, view::View};
use crate::{
    commands::options::detect_options,
    output::{
        embedded,
        reports::gallery::{Look, colors},
    },
};

const PAGE: &str = include_str!("page/page.html");

macro_rules! files {
    ($($folder:literal $name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!($folder, $name)))),*]
    };
}

/// What it shares with the other pages, and its own; by name.
const FILES: &[(&str, &str)] = files![
    "../../output/" "page.css",
    "../../output/web/" "view.css",
    "page/" "style.css",
    "../../output/web/" "base.js",
    "../../output/web/" "boxes.js",
    "../../output/web/" "commands.js",
    "../../output/web/" "figure.js",
    "../../output/web/" "heat.js",
    "../../output/web/" "labels.js",
    "../../output/web/" "zoom.js",
    "page/" "address.js",
    "page/" "answers.js",
    "page/" "believe.js",
    "page/" "controls.js",
    "page/" "explore.js",
    "page/" "facts.js",
    "page/" "globals.js",
    "page/" "keys.js",
    "page/" "layers.js",
    "page/" "looking.js",
    "page/" "maps.js",
    "page/" "now.js",
    "page/" "paint.js",
    "page/" "pictures.js",
    "page/" "pinning.js",
    "page/" "redraw.js",
    "page/" "scan.js",
    "page/" "server.js",
    "page/" "stage.js",
    "page/" "subject.js",
    "page/" "takeaway.js",
    "page/" "tools.js",
];

/// A file of the page: its media type, and what is in it.
pub fn asset(name: &str) -> Option<(&'static str, &'static str)> {
    let kind = if name.ends_with(".css") { "text/css; charset=utf-8" } else { "text/javascript; charset=utf-8" };
    FILES.iter().find(|(own, _)| *own == name).map(|(_, text)| (kind, *text))
}

#[derive(Serialize)]
struct Data<'a> {
    version: &'static str,
    models: Vec<ModelFacts<'a>>,
    methods: Vec<MethodFacts>,
    fuses: Vec<Named>,
    colormaps: Vec<Colors>,
    fills: Vec<Named>,
    view: View,
    look: PageLook,
    colors: Vec<String>,
    has_labels: bool,
    most_upload: usize,
}

#[derive(Serialize)]
struct ModelFacts<'a> {
    name: String,
    family: &'static str,
    task: &'static str,
    has_boxes: bool,
    classes: &'a [String],
    conf: Option<f32>,
    iou: Option<f32>,
    max_det: Option<usize>,
    img_size: u32,
    layers: Vec<LayerFacts<'a>>,
    targets: Vec<Named>,
}

#[derive(Serialize)]
struct LayerFacts<'a> {
    path: &'a str,
    class: &'a str,
    stride: Option<u32>,
    /// Without that of the batch.
    shape: Vec<i64>,
    heads: Vec<String>,
    is_outermost: bool,
}

#[derive(Serialize)]
struct MethodFacts {
    name: &'static str,
    summary: &'static str,
    cost: &'static str,
    takes_layers: bool,
    auto_layers: &'static str,
    takes_gradient: bool,
    is_slow: bool,
}

#[derive(Serialize)]
struct Named {
    name: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    summary: &'static str,
}

#[derive(Serialize)]
struct Colors {
    name: &'static str,
    colors: Vec<[u8; 3]>,
}

#[derive(Serialize)]
struct PageLook {
    #[serde(flatten)]
    look: Look,
    colormap_name: &'static str,
}

/// The page, with what its scripts know from the beginning.
///
/// # Errors
/// If a network can't run at its size.
pub fn html(explorer: &Explorer, models: &[Model]) -> Result<String> {
    let data = Data {
        version: env!("CARGO_PKG_VERSION"),
        models: models.iter().map(|model| model_facts(model, explorer)).collect::<Result<_>>()?,
        methods: Method::all().into_iter().map(method_facts).collect(),
        fuses: Fuse::ALL.into_iter().map(|fuse| Named { name: fuse.name(), summary: "" }).collect(),
        colormaps: Colormap::ALL
            .into_iter()
            .map(|map| Colors {
                name: map.name(),
                colors: Look::of(&RenderOptions::default().with_colormap(map)).into_colors(),
            })
            .collect(),
        fills: FILLS.iter().map(|&(name, summary, _)| Named { name, summary }).collect(),
        view: View::of(&explorer.command),
        look: PageLook { look: Look::of(&RenderOptions::default()), colormap_name: Colormap::default().name() },
        colors: colors(),
        has_labels: explorer.labels.is_some(),
        most_upload: MOST_BYTES,
    };
    let (head, rest) = PAGE.split_once("{{DATA}}").context("the page has no place for its data")?;
    Ok([head, &embedded(&serde_json::to_string(&data)?), rest].concat())
}

fn model_facts<'a>(model: &'a Model, explorer: &Explorer) -> Result<ModelFacts<'a>> {
    let detection = &explorer.command.detection;
    let detect = detect_options(detection, model);
    let input = model.input_size(detection.img_size);
    let shapes = model.layer_shapes(input)?;
    let outermost: Vec<usize> = model.outermost_layers().collect();
    let layer = |(index, shape): (usize, &Vec<i64>)| {
        let layer = &model.layers()[index];
        let heads = (0..model.levels().len()).filter(|&level| layer.is_seen_by(level));
        LayerFacts {
            path: &layer.path,
            class: &layer.class,
            stride: match shape.as_slice() {
                &[_, _, height, width] => input.pixels_per_cell(height, width),
                _ => None,
            },
            shape: shape.iter().skip(1).copied().collect(),
            heads: heads.map(|level| model.levels()[level].name()).collect(),
            is_outermost: outermost.contains(&index),
        }
    };
    let file = model.path().file_name().unwrap_or(model.path().as_os_str());
    let targets = Target::all_of(model).into_iter();
    Ok(ModelFacts {
        name: file.to_string_lossy().into_owned(),
        family: model.head().family(),
        task: model.head().task(),
        has_boxes: model.head().has(Aspect::Box),
        classes: model.names(),
        conf: detect.conf_threshold,
        iou: detect.iou_threshold,
        max_det: detect.max_det,
        img_size: model.input_side(detection.img_size),
        layers: shapes.iter().enumerate().map(layer).collect(),
        targets: targets.map(|target| Named { name: target.name, summary: target.summary }).collect(),
    })
}

fn method_facts(method: Method) -> MethodFacts {
    MethodFacts {
        name: method.name,
        summary: method.summary,
        cost: method.cost,
        takes_layers: method.takes_layers(),
        auto_layers: AutoLayers::summary(method.auto_layers),
        takes_gradient: method.takes_gradient(),
        is_slow: method.runs_again(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn all_files_that_the_page_names_are_there_and_have_names_of_their_own() {
        let names: BTreeSet<&str> = FILES.iter().map(|(name, _)| *name).collect();
        assert_eq!(names.len(), FILES.len());
        let mut named: Vec<&str> = PAGE.split("\"/assets/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        for (_, text) in FILES {
            named.extend(text.split(" \"./").skip(1).filter_map(|rest| rest.split('"').next()));
        }
        assert_eq!(BTreeSet::from_iter(named), names);
    }
}
