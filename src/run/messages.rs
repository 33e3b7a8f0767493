//! What is said of a picture.

use yolo_cam::{ExplainedBox, Explanation, Model, detect::Query, report::DetectionEntry};

/// In a line each, which boxes have no signal.
pub fn empty_maps(image: &str, explanation: &Explanation, model: &Model) -> Vec<String> {
    let line = |explained: &ExplainedBox| {
        let reason = explained.no_signal_reason(model)?;
        let class = &model.names()[explained.detection.class_id];
        let confidence = explained.detection.confidence;
        Some(format!("warning: {image}: {class} {confidence:.2}: no signal: {reason}"))
    };
    explanation.boxes.iter().filter_map(line).collect()
}

/// In one line, what the detector made of the box that was asked for.
pub fn query_outcome(query: &Query, explanation: &Explanation, model: &Model, threshold: f32) -> String {
    let class = &model.names()[query.class_id];
    let Some(answer) = &explanation.answer else {
        return format!("no prediction overlaps the box, of {class} or any other class");
    };
    let confidence = answer.detection.confidence;
    let is_below = if confidence > threshold { "" } else { ", not above --conf-thres" };
    let own = format!("the best prediction of {class} has confidence {confidence:.4}{is_below}, IoU {:.2}", answer.iou);
    match &answer.winner {
        Some(winner) if winner.class_id == query.class_id => format!("{own}; no other class won there"),
        Some(winner) => {
            format!("{own}; there {} won with {:.4}", model.names()[winner.class_id], winner.confidence)
        }
        None => format!("{own}; no prediction overlaps the box by a half"),
    }
}

/// The boxes of a picture in one line.
pub fn summary(detections: &[DetectionEntry]) -> String {
    /// More would make the line unreadable.
    const MOST: usize = 8;
    let name = |detection: &DetectionEntry| format!("{} {:.2}", detection.class, detection.confidence);
    let list = detections.iter().take(MOST).map(name).collect::<Vec<_>>().join(", ");
    match detections.len() {
        0 => "no detections".to_owned(),
        1 => format!("1 box ({list})"),
        count @ 2..=MOST => format!("{count} boxes ({list})"),
        count => format!("{count} boxes ({list}, ...)"),
    }
}
