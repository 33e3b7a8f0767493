//! What is asked: how boxes are found and maps are made, and of what. All of it is flags of the program, so that each answer is what a
//! command line gives.

use std::ffi::OsString;

use serde::{Deserialize, Serialize};
use yolo_cam::{
    Method, Model,
    detect::{Query, Spot},
    explain::MethodOptions,
    geometry::BBox,
    render::Colormap,
};

use super::refusal::Refusal;
use crate::{
    cli::{ExploreCommand, numbers_of, setting_flags},
    commands::{explain::check_spot, options::class_id},
};

/// How boxes are found and maps are made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a view: a map of names and values")]
pub struct View {
    /// The first or the second model.
    pub model: usize,
    /// `None`, here and below: as the model has it.
    pub conf: Option<f32>,
    pub iou: Option<f32>,
    pub method: String,
    pub target: String,
    /// `auto`, or paths joined by commas.
    pub layers: String,
    pub fuse: String,
    pub contrast: Option<String>,
}

impl Default for View {
    fn default() -> Self {
        let [auto, mean] = ["auto", "mean"].map(str::to_owned);
        Self {
            model: 0,
            conf: None,
            iou: None,
            method: auto.clone(),
            target: auto.clone(),
            layers: auto,
            fuse: mean,
            contrast: None,
        }
    }
}

impl View {
    /// What the page begins with.
    pub fn of(command: &ExploreCommand) -> Self {
        let layers = command.maps.target_layers.as_ref().map_or("auto".to_owned(), |layers| layers.join(","));
        Self {
            model: 0,
            conf: command.detection.conf_threshold,
            iou: command.detection.iou_threshold,
            method: command.maps.method.name.to_owned(),
            target: command.maps.target.name.to_owned(),
            layers,
            fuse: command.maps.fuse.name().to_owned(),
            contrast: None,
        }
    }

    /// The flags that say so, where they are not as usual. `own`: the settings of methods.
    pub fn flags(&self, own: &MethodOptions) -> Vec<OsString> {
        let usual = Self::default();
        let number = |value: Option<f32>| value.map(|value| value.to_string());
        let unusual = |value: &String, usual: &String| (value != usual).then(|| value.clone());
        let flags = [
            ("conf-thres", number(self.conf)),
            ("iou-thres", number(self.iou)),
            ("method", unusual(&self.method, &usual.method)),
            ("target", unusual(&self.target, &usual.target)),
            ("target-layer", unusual(&self.layers, &usual.layers)),
            ("fuse", unusual(&self.fuse, &usual.fuse)),
            ("contrast", self.contrast.clone()),
        ];
        let own = self.known_method().map(|method| setting_flags(method, own)).unwrap_or_default();
        let own = own.into_iter().map(|(name, value)| (name, Some(value)));
        flags.into_iter().chain(own).filter_map(|(name, value)| Some(flag(name, &value?))).collect()
    }

    /// The method, if it is one.
    fn known_method(&self) -> Option<Method> {
        Method::named(&self.method.to_lowercase())
    }

    /// Whether maps take many forward passes.
    pub fn is_slow(&self) -> bool {
        self.known_method().is_some_and(Method::runs_again)
    }
}

/// A word of a command line that can be nothing but the value of this flag.
pub fn flag(name: &str, value: &str) -> OsString {
    format!("--{name}={value}").into()
}

/// What a map is of.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields, expecting = "{\"box\": NUMBER} or {\"query\": PLACE}")]
pub enum Subject {
    /// The detection of this number.
    Box(usize),
    /// The strongest candidate for a place.
    Query(Place),
}

/// A place, and the class that something there should have.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a place: {\"box\": [x1, y1, x2, y2]} or {\"point\": [x, y]}")]
pub struct Place {
    #[serde(default, rename = "box")]
    drawn: Option<BBox>,
    #[serde(default)]
    point: Option<[f32; 2]>,
    /// By number or name; `None`: any.
    #[serde(default)]
    class: Option<String>,
}

impl Place {
    /// # Errors
    /// If it is no place.
    fn spot(&self) -> Result<Spot, Refusal> {
        match (self.drawn, self.point) {
            (Some(b), None) if b.is_finite() && b.area() > 0.0 => Ok(Spot::Box(b)),
            (None, Some(point)) if point.iter().all(|number| number.is_finite()) => Ok(Spot::Point(point)),
            (Some(_), None) => Err(Refusal::bad("a box is [x1, y1, x2, y2] with x1 < x2 and y1 < y2")),
            _ => Err(Refusal::bad("a query takes either a box or a point")),
        }
    }

    /// What is asked, in pixels of a picture of this size.
    ///
    /// # Errors
    /// If the place is not in the picture, or there is no such class.
    pub fn query(&self, model: &Model, picture: (u32, u32)) -> Result<Query, Refusal> {
        let spot = self.spot()?;
        check_spot(&spot, picture)?;
        let class = self.class.as_ref().map(|class| class_id(class, model.names())).transpose()?;
        Ok(Query { spot, class_id: class })
    }

    fn flags(&self) -> Result<Vec<OsString>, Refusal> {
        let spot = self.spot()?;
        let name = if matches!(spot, Spot::Point(_)) { "point" } else { "box" };
        let class = self.class.as_ref().map(|class| flag("class", class));
        Ok([flag(name, &numbers_of(&spot))].into_iter().chain(class).collect())
    }
}

impl Subject {
    /// The flags that ask for it: none, for one of the detections.
    ///
    /// # Errors
    /// If the place is none.
    pub fn flags(&self) -> Result<Vec<OsString>, Refusal> {
        match self {
            Self::Box(_) => Ok(Vec::new()),
            Self::Query(place) => place.flags(),
        }
    }
}

/// How heat is shown.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a look: colormap, alpha and threshold")]
pub struct Look {
    colormap: String,
    /// Opacity of the hottest.
    alpha: f32,
    threshold: f32,
}

impl Look {
    /// The flags that draw it so: all over the picture, and the more opaque the hotter.
    pub fn flags(&self) -> Vec<OsString> {
        let usual = (self.colormap != Colormap::default().name()).then(|| flag("colormap", &self.colormap));
        let threshold = (self.threshold != 0.0).then(|| flag("threshold", &self.threshold.to_string()));
        let alpha = flag("alpha", &self.alpha.to_string());
        let always = [flag("heat", "full"), flag("blend", "heat"), alpha];
        always.into_iter().chain(usual).chain(threshold).collect()
    }
}
