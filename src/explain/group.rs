//! One map for several boxes.

use ndarray::{Array2, Zip};

use super::Explanation;
use crate::error::Result;

/// For what there is a map each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Grouping {
    /// Each box.
    #[default]
    Box,
    /// All boxes of a class.
    Class,
    /// All boxes.
    All,
}

/// Boxes with one map.
#[derive(Debug, Clone)]
pub struct Group {
    /// The class, if they have the same.
    pub class_id: Option<usize>,
    /// Indices of the boxes.
    pub boxes: Vec<usize>,
    /// The largest of their normalised maps, `[H, W]` at the size of the input, 0 to 1; zeros where none has a signal.
    pub heat: Array2<f32>,
}

impl Explanation {
    /// The boxes by class or all together, those with the most confident box first. By box: each alone.
    ///
    /// # Errors
    /// [`crate::Error::Libtorch`] if a map can't be scaled.
    pub fn groups(&self, grouping: Grouping) -> Result<Vec<Group>> {
        let mut groups: Vec<(Option<usize>, Vec<usize>)> = Vec::new();
        for (index, explained) in self.boxes.iter().enumerate() {
            let class = explained.detection.class_id;
            let joins = |group: &&mut (Option<usize>, Vec<usize>)| match grouping {
                Grouping::Box => false,
                Grouping::Class => group.0 == Some(class),
                Grouping::All => true,
            };
            match groups.iter_mut().find(joins) {
                Some(group) => group.1.push(index),
                None => groups.push(((grouping != Grouping::All).then_some(class), vec![index])),
            }
        }
        let size = self.letterbox.map.input;
        let join = |(class_id, boxes): (Option<usize>, Vec<usize>)| {
            let mut heat = Array2::zeros((size.height as usize, size.width as usize));
            for &index in &boxes {
                let map = self.boxes[index].heatmap.normalized(size)?;
                Zip::from(&mut heat).and(&map).for_each(|most: &mut f32, &value| *most = most.max(value));
            }
            Ok(Group { class_id, boxes, heat })
        };
        groups.into_iter().map(join).collect()
    }
}
