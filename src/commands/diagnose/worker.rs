//! One picture: find the boxes, hold them against the labels, explain each case.

use std::collections::BTreeMap;

use anyhow::Result;
use image::RgbImage;
use tch::Tensor;
use yolo_cam::{
    ExplainOptions, ExplainedBox, Explanation, Model,
    detect::{Candidate, Detection, Letterbox, Query, Spot, candidates_of_all, detect, is_defined},
    diagnose::{ErrorKind, PortraitSample, ScoredBox, Verdict, evidence, judge},
    eval::{self, Crew, VerifyOptions, picture_seed, verify},
    explain::Examined,
    geometry::BBox,
    labels::{Label, Labels},
    report::CandidateEntry,
};

use super::super::{fate::FateWords, labels::labels_of, session::go_on};
use crate::{
    inputs::Picture,
    output::diagnosis::{Case, FoundBox, LEAST_CONFIDENCE, PictureRecord},
    output::reports::gallery::{CardFiles, GalleryPictures, Shown, heat::greys},
};

/// What all workers do.
#[derive(Clone, Copy)]
pub struct Task<'a> {
    pub options: &'a ExplainOptions,
    pub labels: &'a Labels,
    /// How maps are measured, if they are.
    pub verify: Option<VerifyOptions>,
    /// Where the page's pictures go, if there is a page.
    pub pictures: Option<&'a GalleryPictures>,
}

/// Works on one picture after the other.
pub struct Worker<'a> {
    pub model: Model,
    /// Of libtorch; set in the thread that works.
    pub threads: Option<i32>,
    /// Who runs changed pictures, if maps are measured.
    pub crew: Option<Crew>,
    pub task: Task<'a>,
}

/// A case before it is explained.
struct Draft {
    error: Option<ErrorKind>,
    class_id: usize,
    label: Option<usize>,
    iou: f64,
    /// `None` if there is no prediction for a missed object.
    detection: Option<Detection>,
    contrast: Option<usize>,
    candidate: Option<Candidate>,
}

/// A picture on which the network has run.
struct Seen<'a> {
    letterbox: &'a Letterbox,
    input: &'a Tensor,
    examined: &'a Examined<'a>,
    outputs: &'a [Tensor],
    labels: &'a [Label],
}

impl Worker<'_> {
    /// `label_text`: the digest of the text with its labels.
    pub fn work(&mut self, picture: Picture, label_text: Option<String>, image: &str) -> Result<PictureRecord> {
        if let Some(threads) = self.threads.take() {
            tch::set_num_threads(threads);
        }
        self.diagnose(picture, label_text, image)
    }

    fn diagnose(&mut self, picture: Picture, label_text: Option<String>, image: &str) -> Result<PictureRecord> {
        let Task { options, labels: all_labels, pictures, .. } = self.task;
        let loaded = picture.content.load()?;
        let letterbox = Letterbox::of(&loaded.picture, &self.model, options.img_size)?;
        let size = letterbox.map.image;
        let wanted = options.detect.classes.as_deref();
        let (is_labelled, labels) = labels_of(all_labels, (image, loaded.file, size), wanted)?;
        let input = letterbox.tensor(self.model.device())?;
        let model = &self.model;
        let examined = Examined::new(model, &input, options)?;
        let outputs = examined.outputs();
        let least = options.detect.conf_threshold.unwrap_or_default();
        let all = options.detect.clone().with_conf_threshold(Some(least.min(LEAST_CONFIDENCE)));
        let all = detect(model, &outputs, &all)?;
        if all.is_empty() && !is_defined(&outputs)? {
            return Err(yolo_cam::Error::Undefined.into());
        }
        let found = all.iter().filter_map(|found| {
            Some(FoundBox(found.class_id, found.confidence, letterbox.map.to_image(&found.box_input?)))
        });
        let found: Vec<FoundBox> = found.collect();
        let sure: Vec<Detection> = all.into_iter().filter(|found| found.confidence > least).collect();
        let seen =
            Seen { letterbox: &letterbox, input: &input, examined: &examined, outputs: &outputs, labels: &labels };
        let drafts = drafts(model, &seen, sure, &found, options)?;
        let explained = explained(&seen, &drafts)?;
        let verdicts = verified(self.crew.as_mut(), self.task.verify, &seen, &explained, &loaded.picture)?;
        let mut cases = drafts
            .iter()
            .zip(&explained)
            .zip(verdicts)
            .map(|((draft, explained), verdict)| case(model, &seen, draft, explained.as_ref(), verdict))
            .collect::<Result<Vec<Case>>>()?;
        let files = match pictures {
            Some(pictures) if !cases.is_empty() => {
                Some(shown(pictures, picture.names.source(), &loaded.picture, letterbox, explained, &mut cases)?)
            }
            _ => None,
        };
        Ok(PictureRecord {
            image: image.to_owned(),
            picture: picture.id.clone(),
            label_text,
            coco_id: loaded.file.and_then(|file| all_labels.coco_id(file, size)),
            width: size.width,
            height: size.height,
            is_labelled,
            labels,
            found,
            files,
            cases,
        })
    }
}

/// The cases of a picture: each of the `sure` detections, which are the first of `found`, then each missed object.
fn drafts(
    model: &Model,
    seen: &Seen,
    sure: Vec<Detection>,
    found: &[FoundBox],
    options: &ExplainOptions,
) -> Result<Vec<Draft>> {
    let labels = seen.labels;
    let boxes: Vec<ScoredBox> = found.iter().take(sure.len()).map(ScoredBox::from).collect();
    let judgement = judge(labels, &boxes);
    // Only a gradient can be that of a difference.
    let method = options.method_of(model);
    let can_contrast = method.takes_gradient() && options.target.of(model).is_class_logit();
    let of_detection = |(detection, verdict): (Detection, &Verdict)| Draft {
        error: verdict.error,
        class_id: detection.class_id,
        label: verdict.label,
        iou: verdict.iou,
        contrast: match (verdict.error, verdict.label) {
            (Some(ErrorKind::Class), Some(at)) if can_contrast => Some(labels[at].class_id),
            _ => None,
        },
        detection: Some(detection),
        candidate: None,
    };
    let of_detections = sure.into_iter().zip(&judgement.found).filter(|(_, verdict)| {
        // In a crowd nothing is wrong.
        !verdict.is_ignored
    });
    let mut drafts: Vec<Draft> = of_detections.map(of_detection).collect();
    let query = |&at: &usize| Query {
        spot: Spot::Box(seen.letterbox.map.to_input(&labels[at].b)),
        class_id: Some(labels[at].class_id),
    };
    let queries: Vec<Query> = judgement.overlooked.iter().map(query).collect();
    let candidates = candidates_of_all(model, seen.outputs, &queries, &options.detect)?;
    drafts.extend(judgement.overlooked.iter().zip(candidates).map(|(&at, candidates)| {
        let candidate = candidates.into_iter().next();
        Draft {
            error: Some(ErrorKind::Missed),
            class_id: labels[at].class_id,
            label: Some(at),
            iou: candidate.as_ref().and_then(|candidate| candidate.iou).map_or(0.0, f64::from),
            detection: candidate.as_ref().map(|candidate| candidate.detection.clone()),
            contrast: None,
            candidate,
        }
    }));
    Ok(drafts)
}

/// The map of each case that has a prediction: of a wrong class why it is that and not the right one.
fn explained(seen: &Seen, drafts: &[Draft]) -> Result<Vec<Option<ExplainedBox>>> {
    let mut by_contrast: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
    for (index, draft) in drafts.iter().enumerate().filter(|(_, draft)| draft.detection.is_some()) {
        by_contrast.entry(draft.contrast).or_default().push(index);
    }
    let mut all: Vec<Option<ExplainedBox>> = drafts.iter().map(|_| None).collect();
    for (contrast, indices) in by_contrast {
        let detections = indices.iter().filter_map(|&index| drafts[index].detection.clone()).collect();
        let explained = seen.examined.explain(detections, contrast, &mut |_, _| go_on())?;
        indices.into_iter().zip(explained).for_each(|(index, explained)| all[index] = Some(explained));
    }
    Ok(all)
}

/// What each map is worth, if that is wanted.
fn verified(
    crew: Option<&mut Crew>,
    options: Option<VerifyOptions>,
    seen: &Seen,
    explained: &[Option<ExplainedBox>],
    picture: &RgbImage,
) -> Result<Vec<Option<eval::Verdict>>> {
    let (Some(crew), Some(options)) = (crew, options) else { return Ok(vec![None; explained.len()]) };
    let boxes: Vec<ExplainedBox> = explained.iter().flatten().cloned().collect();
    let options = options.with_seed(picture_seed(picture, options.seed));
    let mut verdicts = verify(crew, seen.input, seen.outputs, &boxes, &options, &mut |_, _| go_on())?.into_iter();
    Ok(explained.iter().map(|explained| explained.as_ref().and_then(|_| verdicts.next().flatten())).collect())
}

fn case(
    model: &Model,
    seen: &Seen,
    draft: &Draft,
    explained: Option<&ExplainedBox>,
    verify: Option<eval::Verdict>,
) -> Result<Case> {
    let map = &seen.letterbox.map;
    let box_input = draft.detection.as_ref().and_then(|detection| detection.box_input);
    // What the map should be about.
    let object: Option<BBox> = draft.label.map(|at| map.to_input(&seen.labels[at].b)).or(box_input);
    let (mut found, mut portrait) = (None, None);
    if let (Some(explained), Some(object)) = (explained, object)
        && explained.heatmap.no_signal().is_none()
    {
        let heat = explained.heatmap.normalized(map.input)?;
        let others = seen.labels.iter().enumerate().filter(|&(at, _)| Some(at) != draft.label);
        let others: Vec<Label> = others.map(|(_, label)| label.in_input(map)).collect();
        found = evidence(heat.view(), &object, &others);
        portrait = PortraitSample::of(heat.view(), &object);
    }
    let candidate = draft.candidate.as_ref();
    let words = FateWords { model, top: None };
    let entry = candidate.map(|candidate| serde_json::to_value(CandidateEntry::new(candidate, model, map)));
    Ok(Case {
        error: draft.error,
        class_id: draft.class_id,
        confidence: draft.detection.as_ref().map(|detection| detection.confidence),
        box_image: box_input.map(|b| map.to_image(&b)),
        label: draft.label,
        iou: draft.iou,
        candidate: entry.transpose()?,
        fate: (draft.error == Some(ErrorKind::Missed)).then(|| match candidate {
            Some(candidate) => words.of_unfound(candidate),
            None => "no prediction is about this place".to_owned(),
        }),
        contrast: draft.contrast,
        layers: explained
            .map(|explained| explained.layers.iter().map(|&layer| model.layers()[layer].path.clone()).collect())
            .unwrap_or_default(),
        reason: explained.and_then(|explained| explained.why_no_signal(model)),
        evidence: found,
        portrait,
        map: None,
        verify,
    })
}

/// Writes what the page shows of a picture, and tells the cases where their maps are.
fn shown(
    pictures: &GalleryPictures,
    stem: &str,
    picture: &RgbImage,
    letterbox: Letterbox,
    explained: Vec<Option<ExplainedBox>>,
    cases: &mut [Case],
) -> Result<CardFiles> {
    let picture = GalleryPictures::large(picture);
    let has_map: Vec<bool> = explained.iter().map(Option::is_some).collect();
    let explanation = Explanation::of_boxes(letterbox, explained.into_iter().flatten().collect());
    let maps = greys(&explanation)?;
    let shown = Shown {
        thumbnail: GalleryPictures::small(&picture),
        picture,
        maps,
        heat_area: explanation.letterbox.map.visible(),
    };
    let mut files = pictures.write(stem, &shown)?;
    let mut urls = files.take_maps().into_iter();
    for (case, _) in cases.iter_mut().zip(has_map).filter(|(_, has_map)| *has_map) {
        case.map = urls.next().flatten();
    }
    Ok(files)
}
