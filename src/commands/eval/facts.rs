//! What reports say of a run itself: what a shard's journal needs to hold, so that reports can be made without the model.

use serde::{Deserialize, Serialize};
use yolo_cam::eval::Explainer;

use super::super::noun::Noun;

/// What reports say of the run itself.
#[derive(Serialize, Deserialize)]
pub struct RunFacts {
    /// Which of the two commands, and what its files are called.
    pub name: String,
    /// Path of the model.
    pub model: String,
    /// Names of its classes.
    pub classes: Vec<String>,
    pub noun: Noun,
    pub subjects: Vec<SubjectFacts>,
    /// Name of what is explained of its boxes.
    pub target: String,
    /// Name of how deletion and insertion are measured.
    pub protocol: String,
    pub steps: usize,
    /// Of bootstrap samples.
    pub seed: u64,
    /// Where labels are, if there are any.
    pub labels: Option<String>,
    /// The version of the program, how it was called, and when.
    pub program: Vec<(String, String)>,
    pub date: String,
}

/// What is measured.
#[derive(Serialize, Deserialize)]
pub struct SubjectFacts {
    pub explainer: Explainer,
    /// With which the user has the same maps; none of a baseline.
    pub flags: Option<String>,
}
