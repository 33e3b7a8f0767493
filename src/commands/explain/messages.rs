//! What is said of a picture.

use std::sync::atomic::{AtomicBool, Ordering};

use yolo_cam::{
    ExplainedBox, Explanation, Model, Precision,
    detect::Detection,
    eval::Word,
    geometry::BBox,
    render::is_drawable,
    report::{DetectionEntry, Record},
};

use super::super::noun::Noun;
use crate::output::Verified;

/// Which boxes have no signal and why: a line for each reason, two at most.
pub fn empty_maps(image: &str, explanation: &Explanation, model: &Model) -> Vec<String> {
    let name = |explained: &ExplainedBox| {
        let Detection { class_id, confidence, .. } = explained.detection;
        format!("{} {confidence:.2}", model.names()[class_id])
    };
    let mut of_reason: Vec<(String, Vec<String>)> = Vec::new();
    for explained in &explanation.boxes {
        let Some(reason) = no_signal_reason(explained, model) else { continue };
        match of_reason.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, boxes)) => boxes.push(name(explained)),
            None => of_reason.push((reason, vec![name(explained)])),
        }
    }
    no_signal_lines(image, &of_reason, Noun::of(model))
}

/// In one line, why the map of a box has no signal, and what to do; `None` if it has.
pub fn no_signal_reason(explained: &ExplainedBox, model: &Model) -> Option<String> {
    let reason = explained.why_no_signal(model)?;
    Some(match explained.working_layer_names(model) {
        // It was found behind none of the masks.
        _ if explained.layers.is_empty() => format!("{reason} (--masks)"),
        Some(working) => format!("{reason}; --target-layer {working} works"),
        None => format!("{reason}; no other layer that was tried has a signal either"),
    })
}

/// `of_reason`: names of boxes by reason.
fn no_signal_lines(image: &str, of_reason: &[(String, Vec<String>)], noun: Noun) -> Vec<String> {
    /// More reasons would hide what else is said.
    const MOST: usize = 2;
    let line = |(reason, boxes): &(String, Vec<String>)| match boxes.as_slice() {
        [only] => format!("warning: {image}: {only}: no signal: {reason}"),
        boxes => format!("warning: {image}: {}: no signal: {reason}", listed(boxes, noun)),
    };
    let (told, rest) = of_reason.split_at(if of_reason.len() > MOST { MOST - 1 } else { of_reason.len() });
    let mut lines: Vec<String> = told.iter().map(line).collect();
    if !rest.is_empty() {
        let count: usize = rest.iter().map(|(_, boxes)| boxes.len()).sum();
        let noun = noun.many();
        lines.push(format!("warning: {image}: {count} more {noun} without signal; --report json tells why for each"));
    }
    lines
}

/// The first time that a picture shows a class by its number, since no font has the letters of its name: that it does.
pub fn undrawable_name(explanation: &Explanation, model: &Model) -> Option<String> {
    static IS_TOLD: AtomicBool = AtomicBool::new(false);
    let classes = explanation.boxes.iter().map(|explained| explained.detection.class_id);
    let class = classes.into_iter().find(|&class| !is_drawable(&model.names()[class]))?;
    (!IS_TOLD.swap(true, Ordering::Relaxed)).then(|| {
        format!(
            "note: no font here has all letters of class {class}, {:?}: pictures show numbers of such classes; install a \
             font of that script, as Noto's, and they show names",
            model.names()[class]
        )
    })
}

/// The first time that boxes are too small to look at in a panel: how they can be looked at.
pub fn small_boxes(explanation: &Explanation) -> Option<String> {
    /// In pixels of the network's input, which is what a panel shows.
    const SMALL: f32 = 32.0;
    static IS_TOLD: AtomicBool = AtomicBool::new(false);
    let is_small = |b: &BBox| (b.x2 - b.x1).max(b.y2 - b.y1) < SMALL;
    let small =
        explanation.boxes.iter().filter(|explained| explained.detection.box_input.as_ref().is_some_and(is_small));
    let small = small.count();
    (small > 0 && !IS_TOLD.swap(true, Ordering::Relaxed)).then(|| {
        let boxes = if small == 1 { "a box is" } else { "some boxes are" };
        format!("note: {boxes} smaller than {SMALL} pixels in the panels; --layout crops enlarges each of them")
    })
}

/// The boxes of a picture, or its classes, in one line.
pub fn summary(record: &Record, noun: Noun) -> String {
    let detections = &record.detections;
    let name = |detection: &DetectionEntry| format!("{} {:.2}", detection.class, detection.confidence);
    match detections.len() {
        0 => match &record.best_candidate {
            Some(best) => format!("no detections ({})", nearest(&best.class, best.confidence)),
            None => "no detections".to_owned(),
        },
        _ => listed(&detections.iter().map(name).collect::<Vec<_>>(), noun),
    }
}

/// How many maps of a picture have which word, and what that took; `None` if no map has one.
pub fn verdicts(record: &Record, noun: Noun, verified: &Verified) -> Option<String> {
    let words: Vec<Word> = record.detections.iter().filter_map(|detection| Some(detection.verify?.word)).collect();
    let count = |word: Word| words.iter().filter(|&&other| other == word).count();
    let counts = Word::ALL.map(|word| format!("{word} {}", count(word))).join(", ");
    let seconds = verified.time.as_secs_f64();
    let precision = match verified.precision {
        Precision::F32 => String::new(),
        other => format!(" in {}", other.name()),
    };
    (!words.is_empty()).then(|| {
        format!("verify: {counts}; {} passes{precision} for each {}, {seconds:.1} s", verified.passes, noun.one())
    })
}

/// The best of what is below the threshold, and a threshold that shows it.
fn nearest(class: &str, confidence: f32) -> String {
    const THRESHOLDS: [f32; 10] = [0.3, 0.2, 0.15, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001];
    match THRESHOLDS.into_iter().find(|&threshold| threshold < confidence) {
        Some(threshold) => format!("best: {class} {confidence:.2}; --conf-thres {threshold} shows it"),
        None => format!("best: {class}, below 0.001"),
    }
}

/// `2 boxes (cat 0.90, dog 0.80)`
fn listed(boxes: &[String], noun: Noun) -> String {
    /// More would make the line unreadable.
    const MOST: usize = 8;
    let list = boxes.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join(", ");
    let rest = if boxes.len() > MOST { ", ..." } else { "" };
    format!("{} ({list}{rest})", noun.counted(boxes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_candidate_comes_with_a_threshold_that_shows_it() {
        assert_eq!(nearest("head", 0.09), "best: head 0.09; --conf-thres 0.05 shows it");
        assert_eq!(nearest("head", 0.05), "best: head 0.05; --conf-thres 0.02 shows it");
        assert_eq!(nearest("head", 0.0004), "best: head, below 0.001");
    }

    #[test]
    fn boxes_without_signal_share_a_line_for_each_reason() {
        let of = |reasons: &[(&str, usize)]| {
            let boxes = |count: usize| (0..count).map(|index| format!("cat 0.{index}")).collect();
            let of_reason: Vec<_> = reasons.iter().map(|&(reason, count)| (reason.to_owned(), boxes(count))).collect();
            no_signal_lines("a.jpg", &of_reason, Noun::Box)
        };
        assert_eq!(of(&[("why", 1)]), ["warning: a.jpg: cat 0.0: no signal: why"]);
        assert_eq!(of(&[("why", 2)]), ["warning: a.jpg: 2 boxes (cat 0.0, cat 0.1): no signal: why"]);
        let many = of(&[("why", 300), ("x", 2), ("y", 1)]);
        assert_eq!(many.len(), 2);
        assert!(many[0].contains("cat 0.7, ...): no signal: why") && many[1].contains("3 more boxes"), "{many:?}");
    }
}
