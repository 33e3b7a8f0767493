//! One map for several boxes.

use ndarray::{Array2, Zip};

use super::Explanation;
use crate::error::Result;

/// Which boxes share a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Grouping {
    /// None: each box has its own
    #[default]
    Box,
    /// All boxes of a class
    Class,
    /// All boxes
    #[cfg_attr(feature = "cli", value(skip))]
    All,
}

/// Which value of the raw maps becomes 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Normalize {
    /// The peak of each box's own map
    #[default]
    Box,
    /// The largest peak of all boxes of the picture, so that their strengths can be compared
    Image,
}

/// Boxes with one map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The class, if they have the same.
    pub class_id: Option<usize>,
    /// Indices of the boxes.
    pub boxes: Vec<usize>,
}

impl Explanation {
    /// The boxes by class or all together, those with the most confident box first. By box: each alone.
    pub fn groups(&self, grouping: Grouping) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        for (index, explained) in self.boxes.iter().enumerate() {
            let class = explained.detection.class_id;
            let joins = |group: &&mut Group| match grouping {
                Grouping::Box => false,
                Grouping::Class => group.class_id == Some(class),
                Grouping::All => true,
            };
            match groups.iter_mut().find(joins) {
                Some(group) => group.boxes.push(index),
                None => {
                    groups.push(Group { class_id: (grouping != Grouping::All).then_some(class), boxes: vec![index] });
                }
            }
        }
        groups
    }

    /// The largest of the normalised maps of a group's boxes, `[H, W]` at the size of the input, 0 to 1; zeros where none
    /// has a signal.
    ///
    /// # Errors
    /// [`crate::Error::Libtorch`] if a map can't be scaled.
    pub fn heat(&self, group: &Group, normalize: Normalize) -> Result<Array2<f32>> {
        let size = self.letterbox.map.input;
        let peaks = self.boxes.iter().map(|explained| &explained.heatmap);
        let peaks = peaks.filter(|heatmap| heatmap.no_signal().is_none()).map(|heatmap| heatmap.peak());
        let largest = peaks.fold(f32::MIN_POSITIVE, f32::max);
        if let (&[only], Normalize::Box) = (group.boxes.as_slice(), normalize) {
            return self.boxes[only].heatmap.normalized(size);
        }
        let mut heat = Array2::zeros((size.height as usize, size.width as usize));
        for &index in &group.boxes {
            let heatmap = &self.boxes[index].heatmap;
            let share = match normalize {
                Normalize::Box => 1.0,
                Normalize::Image => (heatmap.peak() / largest).min(1.0),
            };
            let map = heatmap.normalized(size)?;
            Zip::from(&mut heat).and(&map).for_each(|most: &mut f32, &value| *most = most.max(value * share));
        }
        Ok(heat)
    }
}
