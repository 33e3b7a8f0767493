//! What a YOLO detector looked at: for each box that it draws, a heatmap of what made it say so.
//!
//! Load a model, explain a picture, and take detections and maps as numbers, or draw them:
//!
//! ```
//! use yolo_cam::{ExplainOptions, Model, explain, explain::{Grouping, MapSize, methods}, picture, render};
//!
//! # let path = "tests/data/tiny/yolov3-tiny.pt"; // The bundled model is too large for a package.
//! let model = Model::load(path, tch::Device::Cpu)?;
//! let dog = picture::read("images/dog.jpg")?;
//! let options = ExplainOptions::default().with_method(methods::LAYER_CAM);
//! # // It was never trained.
//! # let options = options.with_detect(yolo_cam::detect::DetectOptions::default().with_conf_threshold(Some(0.0)).with_max_det(Some(2)));
//! let explanation = explain(&model, &dog, &options)?;
//!
//! // A map at the resolution of the picture, and the box that it belongs to.
//! let map = explanation.map(0, MapSize::Image)?;
//! assert_eq!(map.dim(), (576, 768));
//! let found = &explanation.boxes[0].detection;
//! let corners = explanation.letterbox.map.place(found.box_input.as_ref());
//! assert!(corners.x2 <= 768.0);
//! println!("{} at {corners:?}", model.names()[found.class_id]);
//!
//! // The same as a picture.
//! let group = &explanation.groups(Grouping::Box)[0];
//! let overlay = render::overlay(&dog, &explanation, group, &model, &render::RenderOptions::default())?;
//! assert_eq!(overlay.dimensions(), (768, 576));
//! # Ok::<(), yolo_cam::Error>(())
//! ```
//!
//! Data goes one way: [`picture`] → [`detect`] (letterbox) → [`model`] → [`families`] (decoding) → [`detect`] (detections) →
//! [`mod@explain`] → [`render`] and [`report`]. [`eval`] measures what [`mod@explain`] makes; [`diagnose`] compares
//! what [`detect`] found with [`labels`].

#[macro_use]
mod options;

pub mod detect;
pub mod diagnose;
mod error;
pub mod eval;
pub mod explain;
pub mod families;
pub mod files;
pub mod geometry;
pub mod labels;
pub mod limits;
pub mod model;
pub mod picture;
mod registry;
pub mod render;
pub mod report;
pub mod shape;
mod tensor;
pub mod text;

pub use self::{
    error::{Error, Result},
    explain::{
        ExplainOptions, ExplainedBox, Explanation, Fuse, Heatmap, Method, NoSignal, Target, TargetLayer, explain,
    },
    model::{ExportOptions, LoadOptions, Model, Precision},
    registry::{Listed, Spec},
};
/// The version of `tch` whose tensors and devices this library takes.
pub use tch;
