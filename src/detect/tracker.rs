//! What a detector still finds of a box where its picture or its features are changed.

use std::thread;

use tch::Tensor;

use super::{Detection, EVERYTHING};
use crate::{
    error::Result,
    families::{Aspect, Grid, Head, Prediction},
    model::Model,
    tensor::values,
};

/// How alike the classes of a prediction and of the tracked box are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likeness {
    /// The probability of the box's class.
    SameClass,
    /// The cosine between the vectors of class probabilities.
    Cosine,
}

/// Scores detections by the best prediction for them: IoU · presence · likeness of class, 0 to 1. Of a single class, whose
/// output is not trained, all are alike; of a class of the whole picture the score is its probability. Not by the same place
/// in the network: another may take over.
pub struct Tracker<'a> {
    head: &'a dyn Head,
    detections: &'a [Detection],
    /// `None` if all classes are alike.
    likeness: Option<Likeness>,
    /// Class probabilities of each detection, as a unit vector.
    classes: Vec<Vec<f32>>,
}

impl<'a> Tracker<'a> {
    /// `outputs`: those of the whole picture, `[1, C, h, w]`.
    ///
    /// # Errors
    /// [`Error::Libtorch`](crate::Error::Libtorch) if they are not those of this network.
    pub fn new(model: &'a Model, detections: &'a [Detection], outputs: &[Tensor], likeness: Likeness) -> Result<Self> {
        let head = model.head();
        let mut classes = vec![Vec::new(); detections.len()];
        for grid in head.grids(outputs)? {
            let level = Values::of(head, &grid, outputs)?;
            for (detection, classes) in detections.iter().zip(&mut classes) {
                if detection.place.level != grid.level {
                    continue;
                }
                let cell = detection.place.row * grid.width + detection.place.column;
                let values = level.of_cell(cell);
                head.scan(&grid, &mut [cell].into_iter(), &values, EVERYTHING, &mut |prediction| {
                    if prediction.place == detection.place {
                        *classes = unit_vector(probabilities(prediction).collect());
                    }
                    EVERYTHING
                });
            }
        }
        // What is said of the whole picture is a class, and no object that keeps its place under another.
        let likeness = if head.has(Aspect::Box) { likeness } else { Likeness::SameClass };
        Ok(Self { head, detections, likeness: head.trains_classes().then_some(likeness), classes })
    }

    /// For each picture of a batch the score of each detection. `outputs`: `[N, C, h, w]`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn scores(&self, outputs: &[Tensor]) -> Result<Vec<Vec<f32>>> {
        let pictures = outputs.first().map_or(0, |output| output.size()[0] as usize);
        let all: Vec<usize> = (0..self.detections.len()).collect();
        self.scores_of(outputs, &vec![all.as_slice(); pictures])
    }

    /// For each picture of a batch the score of the detections that are `wanted` of it, by their indices. `outputs`:
    /// `[N, C, h, w]`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn scores_of(&self, outputs: &[Tensor], wanted: &[&[usize]]) -> Result<Vec<Vec<f32>>> {
        let pictures = wanted.len();
        let mut best: Vec<Vec<f32>> = wanted.iter().map(|wanted| vec![0.0; wanted.len()]).collect();
        for grid in self.head.grids(outputs)? {
            let values = Values::of(self.head, &grid, outputs)?;
            // libtorch's threads are idle meanwhile.
            let share = pictures.div_ceil(tch::get_num_threads().max(1) as usize);
            let improve_all = |first: usize, best: &mut [Vec<f32>], wanted: &[&[usize]]| {
                for ((best, wanted), picture) in best.iter_mut().zip(wanted).zip(first..) {
                    self.improve(best, wanted, &grid, &values.of_picture(picture, pictures));
                }
            };
            if share == pictures {
                improve_all(0, &mut best, wanted);
                continue;
            }
            thread::scope(|scope| {
                let parts = best.chunks_mut(share).zip(wanted.chunks(share)).enumerate();
                for (part, (best, wanted)) in parts {
                    let improve_all = &improve_all;
                    scope.spawn(move || improve_all(part * share, best, wanted));
                }
            });
        }
        Ok(best)
    }

    /// Raises `best`, the scores of the detections `wanted`, by the predictions of one level for one picture.
    fn improve(&self, best: &mut [f32], wanted: &[usize], grid: &Grid, values: &[&[f32]]) {
        // IoU and likeness are 1 at most.
        let least = |best: &[f32]| best.iter().copied().fold(f32::INFINITY, f32::min);
        let mut cells = 0..grid.height * grid.width;
        self.head.scan(grid, &mut cells, values, least(best), &mut |prediction| {
            for (best, &index) in best.iter_mut().zip(wanted) {
                let detection = &self.detections[index];
                let overlap = detection.overlap_of(prediction);
                let limit = overlap * prediction.presence;
                if limit > *best {
                    let likeness = self.likeness(prediction, detection.class_id, &self.classes[index]);
                    *best = best.max(limit * likeness);
                }
            }
            least(best)
        });
    }

    fn likeness(&self, prediction: &Prediction, class: usize, classes: &[f32]) -> f32 {
        match self.likeness {
            None => 1.0,
            Some(Likeness::SameClass) => prediction.probability(class),
            Some(Likeness::Cosine) => {
                let (mut product, mut square) = (0.0, 0.0);
                for (probability, &class) in probabilities(prediction).zip(classes) {
                    product += probability * class;
                    square += probability * probability;
                }
                product / square.sqrt()
            }
        }
    }
}

/// Of each class.
fn probabilities(prediction: &Prediction) -> impl Iterator<Item = f32> {
    (0..prediction.class_logits.len()).map(|class| prediction.probability(class))
}

fn unit_vector(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    vector.iter_mut().for_each(|value| *value /= length);
    vector
}

/// The values of a level's raw outputs, `[N, h, w, C]` each.
struct Values {
    outputs: Vec<(Vec<f32>, usize)>,
}

impl Values {
    fn of(head: &dyn Head, grid: &Grid, outputs: &[Tensor]) -> Result<Self> {
        let channels = |output: &Tensor| output.size().get(1).map_or(0, |&channels| channels as usize);
        // No copy before the last for an output in channels_last.
        let values =
            |&output: &usize| Ok((values(&outputs[output].f_permute([0, 2, 3, 1])?)?, channels(&outputs[output])));
        Ok(Self { outputs: head.levels()[grid.level].outputs.iter().map(values).collect::<Result<_>>()? })
    }

    fn of_picture(&self, picture: usize, pictures: usize) -> Vec<&[f32]> {
        let part = |(values, _): &'_ (Vec<f32>, usize)| values.len() / pictures;
        self.outputs.iter().map(|output| &output.0[picture * part(output)..][..part(output)]).collect()
    }

    /// Of the first picture.
    fn of_cell(&self, cell: usize) -> Vec<&[f32]> {
        self.outputs.iter().map(|(values, channels)| &values[cell * channels..][..*channels]).collect()
    }
}
