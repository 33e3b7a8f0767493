//! What became of a prediction, in words.

use yolo_cam::{
    Model,
    detect::{Candidate, Detection, Fate, Winner},
};

/// Who says it.
#[derive(Clone, Copy)]
pub struct FateWords<'a> {
    pub model: &'a Model,
    /// The number of `--top`, if the user gave it.
    pub top: Option<usize>,
}

impl FateWords<'_> {
    /// What became of a candidate: `not above --conf-thres 0.4; best class there: kite 0.2100`
    pub fn of(self, Candidate { fate, winner, .. }: &Candidate) -> String {
        match (fate, winner) {
            (Fate::BetterClass, Some(Winner { detection, fate })) => {
                format!("{} is more probable: {}", self.scored(detection), self.step(fate))
            }
            (_, Some(Winner { detection, .. })) => {
                format!("{}; best class there: {}", self.step(fate), self.scored(detection))
            }
            (_, None) => self.step(fate),
        }
    }

    /// The same of the best prediction for an object that nothing has found: it may be a detection, of something else.
    pub fn of_unfound(self, candidate: &Candidate) -> String {
        match &candidate.fate {
            Fate::Detected { index } => {
                format!(
                    "the best prediction there is detection {}, which is of another object or too far off",
                    index + 1
                )
            }
            _ => self.of(candidate),
        }
    }

    fn step(self, fate: &Fate) -> String {
        match fate {
            Fate::Detected { index } => format!("detected, number {}", index + 1),
            Fate::Threshold { least } => format!("not above --conf-thres {least}"),
            Fate::Unwanted => "left out by --classes".to_owned(),
            Fate::Crowded { most } => format!("not among the {most} most confident, and the model takes no more"),
            Fate::Suppressed { by, iou, limit } => {
                format!("NMS, by {}: IoU {iou:.2}, above --iou-thres {limit}", self.scored(by))
            }
            Fate::Surplus { most } if self.top == Some(*most) => format!("beyond --top {most}"),
            Fate::Surplus { most } => format!("beyond --max-det {most}"),
            Fate::EmptyMask => "dropped, as its mask has no pixel".to_owned(),
            other => other.name().to_owned(),
        }
    }

    /// `kite 0.0512`
    pub fn scored(self, found: &Detection) -> String {
        format!("{} {:.4}", self.model.names()[found.class_id], found.confidence)
    }
}
