//! Which of the predictions become detections.

use std::collections::HashSet;

use super::{
    DetectOptions, Detection,
    fate::{Fate, Fates},
};

/// How many candidates take part, most confident first, as in YOLOv5 (`max_nms`).
const MAX_CANDIDATES: usize = 30_000;

/// How many cells take part where nothing is suppressed, as in the Ultralytics package (`max_det` of a head).
const MAX_CELLS: usize = 300;

/// Those of the classes that are wanted, most confident first.
fn sorted(mut candidates: Vec<Detection>, options: &DetectOptions, fates: &mut Fates) -> Vec<Detection> {
    if let Some(classes) = &options.classes {
        fates.retain(&mut candidates, &Fate::Unwanted, |candidate| classes.contains(&candidate.class_id));
    }
    candidates.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    candidates
}

/// Keeps the most confident, without suppression: of networks that give one box for each object.
///
/// As the Ultralytics package's `get_topk_index`: the cells with the best scores, and of these the best scores of all classes.
pub fn most_confident(mut candidates: Vec<Detection>, options: &DetectOptions, fates: &mut Fates) -> Vec<Detection> {
    // Before a choice of classes: the network has made its own by then.
    candidates.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    let crowded = Fate::Crowded { most: MAX_CELLS };
    let mut cells = HashSet::new();
    fates.retain(&mut candidates, &crowded, |candidate| {
        cells.contains(&candidate.place) || (cells.len() < MAX_CELLS && cells.insert(candidate.place))
    });
    fates.truncate(&mut candidates, MAX_CELLS, &crowded);
    all(candidates, options, fates)
}

/// Keeps the most confident, whatever they overlap.
pub fn all(candidates: Vec<Detection>, options: &DetectOptions, fates: &mut Fates) -> Vec<Detection> {
    let mut kept = sorted(candidates, options, fates);
    if let Some(most) = options.max_det {
        fates.truncate(&mut kept, most, &Fate::Surplus { most });
    }
    kept
}

/// Keeps the most confident of each group of overlapping boxes of one class, most confident first.
///
/// As YOLOv5's `non_max_suppression` with one label a box. With `suppressed_suppress`, a box goes wherever any that is more confident
/// overlaps it, though that one may go itself: as the Ultralytics package does it with rotated boxes (`TorchNMS.fast_nms`).
pub fn nms(
    candidates: Vec<Detection>,
    (iou_threshold, suppressed_suppress): (f32, bool),
    options: &DetectOptions,
    fates: &mut Fates,
) -> Vec<Detection> {
    let mut candidates = sorted(candidates, options, fates);
    fates.truncate(&mut candidates, MAX_CANDIDATES, &Fate::Crowded { most: MAX_CANDIDATES });
    let most = options.max_det.unwrap_or(usize::MAX);
    let mut kept: Vec<Detection> = Vec::new();
    let mut suppressed: Vec<Detection> = Vec::new();
    for candidate in candidates {
        let is_full = kept.len() >= most;
        // Whatever follows is dropped. Only who wants to know why looks further.
        if is_full && !fates.are_told() {
            break;
        }
        let is_rival = |other: &Detection| options.agnostic || other.class_id == candidate.class_id;
        let is_over = |other: &&Detection| is_rival(other) && other.overlap(&candidate) > iou_threshold;
        match kept.iter().chain(&suppressed).find(is_over) {
            Some(by) => {
                let fate =
                    || Fate::Suppressed { by: Box::new(by.clone()), iou: by.overlap(&candidate), limit: iou_threshold };
                fates.tell(&candidate, fate);
                if suppressed_suppress {
                    suppressed.push(candidate);
                }
            }
            None if is_full => fates.tell(&candidate, || Fate::Surplus { most }),
            None => kept.push(candidate),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        families::Place,
        geometry::{BBox, RotatedBox},
    };
    use proptest::prelude::*;

    fn candidate(x: f32, y: f32, side: f32, class_id: usize, confidence: f32) -> Detection {
        Detection {
            box_input: Some(BBox { x1: x, y1: y, x2: x + side, y2: y + side }),
            class_id,
            confidence,
            logit: 0.0,
            place: Place { level: 0, row: 0, column: 0, slot: 0, index: 0 },
            mask: None,
            rotated: None,
            keypoints: Vec::new(),
        }
    }

    fn confidences(kept: &[Detection]) -> Vec<f32> {
        kept.iter().map(|candidate| candidate.confidence).collect()
    }

    fn suppressed(all: Vec<Detection>, options: &DetectOptions) -> Vec<Detection> {
        nms(all, (0.45, false), options, &mut Fates::untold())
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
        assert_eq!(confidences(&suppressed(all(), &options)), [0.9, 0.7]);
        let agnostic = DetectOptions { agnostic: true, ..DetectOptions::default() };
        assert_eq!(confidences(&suppressed(all(), &agnostic)), [0.9]);
        let first = DetectOptions { max_det: Some(1), ..DetectOptions::default() };
        assert_eq!(confidences(&suppressed(all(), &first)), [0.9]);
        let class = DetectOptions { classes: Some(vec![1]), ..DetectOptions::default() };
        assert_eq!(confidences(&suppressed(all(), &class)), [0.7]);
    }

    #[test]
    fn without_suppression_the_best_pairs_of_cell_and_class_are_kept() {
        let at = |column: usize, class_id: usize, confidence: f32| {
            let place = Place { level: 0, row: 0, column, slot: 0, index: column };
            Detection { place, ..candidate(0.0, 0.0, 10.0, class_id, confidence) }
        };
        let all = vec![at(0, 0, 0.6), at(0, 1, 0.7), at(1, 0, 0.9)];
        let options = DetectOptions::default();
        assert_eq!(
            confidences(&most_confident(all.clone(), &options, &mut Fates::untold())),
            [0.9, 0.7, 0.6],
            "of one cell both classes"
        );
        let few = DetectOptions { max_det: Some(2), ..DetectOptions::default() };
        assert_eq!(confidences(&most_confident(all, &few, &mut Fates::untold())), [0.9, 0.7]);
        let many = (0..400).flat_map(|cell| [at(cell, 0, 0.9 - cell as f32 * 1e-3), at(cell, 1, 0.95)]).collect();
        let (last, mut fates) = (at(399, 1, 0.95), Fates::told());
        let kept = most_confident(many, &options, &mut fates);
        assert_eq!(fates.of(&last), Some(&Fate::Crowded { most: 300 }));
        assert!(kept.len() == 300 && kept.iter().all(|found| found.class_id == 1), "the cells have room for no more");
    }

    #[test]
    fn each_that_is_dropped_has_its_fate() {
        let (best, near, other, far) = (
            candidate(0.0, 0.0, 10.0, 0, 0.9),
            candidate(1.0, 1.0, 10.0, 0, 0.8),
            candidate(0.0, 0.0, 10.0, 1, 0.7),
            candidate(50.0, 50.0, 10.0, 0, 0.6),
        );
        // Fates go by place.
        let all: Vec<Detection> = [best, near, other, far]
            .into_iter()
            .enumerate()
            .map(|(index, found)| Detection { place: Place { index, ..found.place }, ..found })
            .collect();
        let options = DetectOptions { classes: Some(vec![0]), max_det: Some(1), ..DetectOptions::default() };
        let mut fates = Fates::told();
        assert_eq!(confidences(&nms(all.clone(), (0.45, false), &options, &mut fates)), [0.9]);
        assert_eq!(fates.of(&all[0]), None);
        let by = Box::new(all[0].clone());
        let iou = all[0].box_input.unwrap().iou(&all[1].box_input.unwrap());
        // Though there is no room for it either.
        assert_eq!(fates.of(&all[1]), Some(&Fate::Suppressed { by, iou, limit: 0.45 }));
        assert_eq!(fates.of(&all[2]), Some(&Fate::Unwanted));
        assert_eq!(fates.of(&all[3]), Some(&Fate::Surplus { most: 1 }));
    }

    #[test]
    fn of_rotated_boxes_the_suppressed_suppress_too() {
        let at = |cx: f32, confidence: f32| {
            let rotated = RotatedBox { cx, cy: 50.0, w: 20.0, h: 10.0, angle: 0.5 };
            Detection { rotated: Some(rotated), ..candidate(cx - 10.0, 40.0, 20.0, 0, confidence) }
        };
        // Each overlaps its neighbour, and the first and the last do not.
        let chain = || vec![at(50.0, 0.9), at(53.0, 0.8), at(56.0, 0.7)];
        let (a, b, c) = (at(50.0, 0.9), at(53.0, 0.8), at(56.0, 0.7));
        assert!(a.overlap(&b) > 0.7 && b.overlap(&c) > 0.7 && a.overlap(&c) < 0.7);
        let kept = |suppressed_suppress: bool| {
            confidences(&nms(chain(), (0.7, suppressed_suppress), &DetectOptions::default(), &mut Fates::untold()))
        };
        assert_eq!(kept(false), [0.9, 0.7]);
        assert_eq!(kept(true), [0.9]);
    }

    proptest! {
        #[test]
        fn what_is_kept_is_sorted_and_does_not_overlap(
            boxes in prop::collection::vec((0.0f32..100.0, 0.0f32..100.0, 1.0f32..50.0, 0usize..3, 0.0f32..1.0), 0..60)
        ) {
            let all: Vec<_> = boxes.into_iter().map(|(x, y, side, class, conf)| candidate(x, y, side, class, conf)).collect();
            let options = DetectOptions::default();
            let kept = suppressed(all.clone(), &options);
            prop_assert!(kept.windows(2).all(|pair| pair[0].confidence >= pair[1].confidence));
            for (index, a) in kept.iter().enumerate() {
                for b in &kept[index + 1..] {
                    prop_assert!(a.class_id != b.class_id || a.box_input.unwrap().iou(&b.box_input.unwrap()) <= 0.45);
                }
            }
            // Whatever was dropped overlaps a more confident one.
            for candidate in &all {
                prop_assert!(kept.iter().any(|other| other.class_id == candidate.class_id
                    && other.confidence >= candidate.confidence
                    && (other == candidate || other.box_input.unwrap().iou(&candidate.box_input.unwrap()) > 0.45)));
            }
        }
    }
}
