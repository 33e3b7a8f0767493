//! What a detector still finds of a box where its picture or its features are changed.

use std::thread;

use tch::Tensor;

use crate::{
    detect::{Detection, decode_box, sigmoid},
    error::{Error, Result},
    model::{Head, Model},
    tensor::values,
};

/// How alike the classes of a prediction and of the tracked box are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Likeness {
    /// The probability of the box's class.
    SameClass,
    /// The cosine between the vectors of class probabilities.
    Cosine,
}

/// Scores detections by the best prediction for them: IoU · objectness · likeness of class, 0 to 1. Of a single class,
/// whose output is not trained, all are alike. Not by the same
/// anchor: another may take over.
pub(crate) struct Tracker<'a> {
    heads: &'a [Head],
    detections: &'a [Detection],
    likeness: Likeness,
    /// Class probabilities of each detection, as a unit vector.
    classes: Vec<Vec<f32>>,
    trains_classes: bool,
}

/// Values of raw heads, `[N, h, w, anchors·channels]`, with h and w.
type Cells = (Vec<f32>, usize, usize);

impl<'a> Tracker<'a> {
    /// `heads`: those of the whole picture, `[1, C, h, w]`.
    pub fn new(model: &'a Model, detections: &'a [Detection], heads: &[Tensor], likeness: Likeness) -> Result<Self> {
        let cells = heads.iter().map(cells).collect::<Result<Vec<_>>>()?;
        let count = model.names().len();
        let classes = detections.iter().map(|detection| {
            let head = &model.heads()[detection.head];
            let (values, _, width) = &cells[detection.head];
            let channels = head.channels_per_anchor;
            let start = ((detection.row * width + detection.column) * head.anchors.len() + detection.anchor) * channels;
            let mut vector: Vec<f32> = values[start + CLASSES..][..count].iter().map(|&raw| sigmoid(raw)).collect();
            let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
            vector.iter_mut().for_each(|value| *value /= length);
            vector
        });
        let classes = classes.collect();
        Ok(Self { heads: model.heads(), detections, likeness, classes, trains_classes: model.trains_classes() })
    }

    /// For each picture of a batch the score of each detection. `heads`: `[N, C, h, w]`.
    pub fn scores(&self, heads: &[Tensor]) -> Result<Vec<Vec<f32>>> {
        let pictures = heads.first().map_or(0, |head| head.size()[0] as usize);
        let all: Vec<usize> = (0..self.detections.len()).collect();
        self.scores_of(heads, &vec![all.as_slice(); pictures])
    }

    /// For each picture of a batch the score of the detections that are `wanted` of it, by their indices. `heads`:
    /// `[N, C, h, w]`.
    pub fn scores_of(&self, heads: &[Tensor], wanted: &[&[usize]]) -> Result<Vec<Vec<f32>>> {
        let pictures = wanted.len();
        let mut best: Vec<Vec<f32>> = wanted.iter().map(|wanted| vec![0.0; wanted.len()]).collect();
        for (head, raw) in self.heads.iter().zip(heads) {
            let (values, height, width) = cells(raw)?;
            // libtorch's threads are idle meanwhile.
            let share = pictures.div_ceil(tch::get_num_threads().max(1) as usize);
            let each = values.len() / pictures;
            let improve_all = |best: &mut [Vec<f32>], wanted: &[&[usize]], values: &[f32]| {
                for ((best, wanted), values) in best.iter_mut().zip(wanted).zip(values.chunks_exact(each)) {
                    self.improve(best, wanted, head, values, (height, width));
                }
            };
            if share == pictures {
                improve_all(&mut best, wanted, &values);
                continue;
            }
            thread::scope(|scope| {
                let parts = best.chunks_mut(share).zip(wanted.chunks(share)).zip(values.chunks(share * each));
                for ((best, wanted), values) in parts {
                    scope.spawn(|| improve_all(best, wanted, values));
                }
            });
        }
        Ok(best)
    }

    /// `values`: those of one head for one picture.
    fn improve(
        &self,
        best: &mut [f32],
        wanted: &[usize],
        head: &Head,
        values: &[f32],
        (height, width): (usize, usize),
    ) {
        let mut rows = values.chunks_exact(head.channels_per_anchor);
        for cell in 0..height * width {
            for (anchor, raw) in (0..head.anchors.len()).zip(&mut rows) {
                let objectness = sigmoid(raw[OBJECTNESS]);
                // IoU and likeness are 1 at most.
                if best.iter().all(|&best| objectness <= best) {
                    continue;
                }
                let b = decode_box(head, anchor, (cell / width, cell % width), |channel| raw[channel]);
                for (best, &index) in best.iter_mut().zip(wanted) {
                    let detection = &self.detections[index];
                    let limit = b.iou(&detection.box_input) * objectness;
                    if limit > *best {
                        *best = best.max(limit * self.likeness(raw, detection.class_id, &self.classes[index]));
                    }
                }
            }
        }
    }

    fn likeness(&self, raw: &[f32], class: usize, classes: &[f32]) -> f32 {
        match self.likeness {
            _ if !self.trains_classes => 1.0,
            Likeness::SameClass => sigmoid(raw[CLASSES + class]),
            Likeness::Cosine => {
                let (mut product, mut square) = (0.0, 0.0);
                for (&raw, &class) in raw[CLASSES..].iter().zip(classes) {
                    let probability = sigmoid(raw);
                    product += probability * class;
                    square += probability * probability;
                }
                product / square.sqrt()
            }
        }
    }
}

const OBJECTNESS: usize = 4;
const CLASSES: usize = 5;

fn cells(head: &Tensor) -> Result<Cells> {
    let &[_, _, height, width] = head.size().as_slice() else {
        return Err(Error::Libtorch(format!("expected a head [N, C, h, w], found {:?}", head.size())));
    };
    // No copy before the last for a head in channels_last.
    Ok((values(&head.f_permute([0, 2, 3, 1])?)?, height as usize, width as usize))
}
