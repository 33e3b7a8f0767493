//! What a YOLOv5 detector looked at: for each box that it draws, a heatmap of what made it say so.
//!
//! Data goes one way: [`picture`] → [`detect`] (letterbox) → [`model`] → [`detect`] (decoding) → [`mod@explain`] →
//! [`render`] and [`report`].

pub mod detect;
mod error;
pub mod explain;
mod files;
pub mod geometry;
pub mod model;
pub mod picture;
pub mod render;
pub mod report;
mod tensor;

pub use self::{
    error::{Error, Result},
    explain::{
        ExplainOptions, ExplainedBox, Explanation, Fuse, Heatmap, Method, NoSignal, Target, TargetLayer, explain,
    },
    model::{ExportOptions, Model},
};
