//! What a box is besides its corners, as data: how it is rotated, and its keypoints. In pixels of the picture.

use serde::{Deserialize, Serialize};

use crate::{
    detect::Detection,
    families::Keypoint,
    geometry::{LetterboxMap, RotatedBox},
    model::Model,
    render::{is_shown, skeleton},
};

/// A rotated box. Serialises as its fields and the corners, one after the other around it.
#[derive(Debug, Clone, Serialize)]
pub struct RotatedEntry {
    /// The box.
    #[serde(flatten)]
    pub rotated: RotatedBox,
    /// Its corners [x, y].
    pub corners: [[f32; 2]; 4],
}

/// A keypoint.
#[derive(Debug, Clone, Serialize)]
pub struct KeypointEntry {
    /// What it is called, if there are names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// From the left.
    pub x: f32,
    /// From the top.
    pub y: f32,
    /// How sure the network is that it is visible, 0 to 1; `None` if it does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visibility: Option<f32>,
}

impl RotatedEntry {
    /// The rotated box of a detection, if it has one. `map`: how the picture lies in the input.
    pub fn of(found: &Detection, map: &LetterboxMap) -> Option<Self> {
        let rotated = map.rotated_to_image(found.rotated.as_ref()?);
        Some(Self { rotated, corners: rotated.corners() })
    }
}

impl KeypointEntry {
    /// The keypoints of a detection.
    pub fn all(found: &Detection, model: &Model, map: &LetterboxMap) -> Vec<Self> {
        let entry = |(index, keypoint): (usize, &Keypoint)| {
            let [x, y] = map.point_in_image([keypoint.x, keypoint.y]);
            Self { name: model.keypoint_names().get(index).cloned(), x, y, visibility: keypoint.visibility }
        };
        found.keypoints.iter().enumerate().map(entry).collect()
    }
}

/// What pages draw of a box in place of a rectangle, and in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// The corners of a rotated box.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    corners: Option<[[f32; 2]; 4]>,
    /// Keypoints; `None` of one that is not visible.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    points: Vec<Option<[f32; 2]>>,
    /// The keypoints that lines join, by number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    bones: Vec<[usize; 2]>,
}

impl Figure {
    /// Of a detection; `None` where a rectangle is all.
    pub fn of(found: &Detection, map: &LetterboxMap) -> Option<Self> {
        let point = |keypoint: &Keypoint| is_shown(keypoint).then(|| map.point_in_image([keypoint.x, keypoint.y]));
        let figure = Self {
            corners: found.rotated.map(|b| map.rotated_to_image(&b).corners()),
            points: found.keypoints.iter().map(point).collect(),
            bones: skeleton(found.keypoints.len()).to_vec(),
        };
        (figure.corners.is_some() || !figure.points.is_empty()).then_some(figure)
    }
}
