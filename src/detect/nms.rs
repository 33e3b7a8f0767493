//! Non-maximum suppression.

use super::{DetectOptions, Detection};

/// How many candidates take part, most confident first, as in YOLOv5 (`max_nms`).
const MAX_CANDIDATES: usize = 30_000;

/// Keeps the most confident of each group of overlapping boxes of one class, most confident first.
///
/// As YOLOv5's `non_max_suppression` with one label a box.
pub fn nms(mut candidates: Vec<Detection>, options: &DetectOptions) -> Vec<Detection> {
    if let Some(classes) = &options.classes {
        candidates.retain(|candidate| classes.contains(&candidate.class_id));
    }
    candidates.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    candidates.truncate(MAX_CANDIDATES);
    let mut kept: Vec<Detection> = Vec::new();
    for candidate in candidates {
        if kept.len() == options.max_det {
            break;
        }
        let is_rival = |other: &Detection| options.agnostic || other.class_id == candidate.class_id;
        let overlaps = |other: &Detection| other.box_input.iou(&candidate.box_input) > options.iou_threshold;
        if !kept.iter().any(|other| is_rival(other) && overlaps(other)) {
            kept.push(candidate);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{families::Place, geometry::BBox};
    use proptest::prelude::*;

    fn candidate(x: f32, y: f32, side: f32, class_id: usize, confidence: f32) -> Detection {
        Detection {
            box_input: BBox { x1: x, y1: y, x2: x + side, y2: y + side },
            class_id,
            confidence,
            logit: 0.0,
            place: Place { level: 0, row: 0, column: 0, slot: 0, index: 0 },
        }
    }

    fn confidences(kept: &[Detection]) -> Vec<f32> {
        kept.iter().map(|candidate| candidate.confidence).collect()
    }

    #[test]
    fn overlapping_boxes_of_one_class_leave_the_most_confident() {
        let all = || {
            vec![
                candidate(0.0, 0.0, 10.0, 0, 0.6),
                candidate(1.0, 1.0, 10.0, 0, 0.9),
                candidate(0.0, 0.0, 10.0, 1, 0.7),
            ]
        };
        let options = DetectOptions::default();
        assert_eq!(confidences(&nms(all(), &options)), [0.9, 0.7]);
        let agnostic = DetectOptions { agnostic: true, ..DetectOptions::default() };
        assert_eq!(confidences(&nms(all(), &agnostic)), [0.9]);
        let first = DetectOptions { max_det: 1, ..DetectOptions::default() };
        assert_eq!(confidences(&nms(all(), &first)), [0.9]);
        let class = DetectOptions { classes: Some(vec![1]), ..DetectOptions::default() };
        assert_eq!(confidences(&nms(all(), &class)), [0.7]);
    }

    proptest! {
        #[test]
        fn what_is_kept_is_sorted_and_does_not_overlap(
            boxes in prop::collection::vec((0.0f32..100.0, 0.0f32..100.0, 1.0f32..50.0, 0usize..3, 0.0f32..1.0), 0..60)
        ) {
            let all: Vec<_> = boxes.into_iter().map(|(x, y, side, class, conf)| candidate(x, y, side, class, conf)).collect();
            let options = DetectOptions::default();
            let kept = nms(all.clone(), &options);
            prop_assert!(kept.windows(2).all(|pair| pair[0].confidence >= pair[1].confidence));
            for (index, a) in kept.iter().enumerate() {
                for b in &kept[index + 1..] {
                    prop_assert!(a.class_id != b.class_id || a.box_input.iou(&b.box_input) <= options.iou_threshold);
                }
            }
            // Whatever was dropped overlaps a more confident one.
            for candidate in &all {
                prop_assert!(kept.iter().any(|other| other.class_id == candidate.class_id
                    && other.confidence >= candidate.confidence
                    && (other == candidate || other.box_input.iou(&candidate.box_input) > options.iou_threshold)));
            }
        }
    }
}
