//! One picture through two detectors.

use anyhow::{Result, bail};
use image::RgbImage;
use ndarray::Array2;
use tch::Tensor;
use yolo_cam::{
    ExplainOptions, ExplainedBox, Explanation, Model,
    detect::{Detection, Letterbox, Query, Spot, candidates_of_all, detect, is_defined},
    diagnose::{
        Drift, ErrorKind, Evidence, Judgement, MapOfPicture, ScoredBox, Verdict, drift, evidence, judge, pairs,
    },
    explain::Examined,
    geometry::{BBox, Size},
    labels::{Label, Labels},
};

use super::super::{fate::FateWords, labels::labels_of, session::go_on};
use crate::{
    inputs::Picture,
    output::{
        difference::{Change, Outcome, PictureDifference, Side, Thing},
        reports::gallery::{CardFiles, GalleryPictures, Shown, heat::greys},
    },
};

/// Predictions of less confidence are no rivals of a detection.
const LEAST_RIVAL: f32 = 0.05;

/// From this overlap (IoU) on a prediction that suppression took is of the same thing.
const NEAR: f32 = 0.7;

/// A detector, and what its classes are among those of both.
pub struct Detector {
    pub model: Model,
    pub options: ExplainOptions,
    pub classes: Vec<usize>,
}

/// What all workers do.
#[derive(Clone, Copy)]
pub struct Task<'a> {
    pub labels: Option<&'a Labels>,
    /// Where the page's pictures go, if there is a page.
    pub pictures: Option<&'a GalleryPictures>,
}

/// Works on one picture after the other.
pub struct Worker<'a> {
    pub old: Detector,
    pub new: Detector,
    /// The classes that are wanted, among those of both; `None`: all.
    pub wanted: Option<Vec<usize>>,
    /// Another training of the old one, which shows what is noise.
    pub other: Option<Detector>,
    /// Of libtorch; set in the thread that works.
    pub threads: Option<i32>,
    pub task: Task<'a>,
}

/// A picture as one of the detectors sees it.
struct Sight<'a> {
    detector: &'a Detector,
    letterbox: &'a Letterbox,
    examined: Examined<'a>,
    outputs: Vec<Tensor>,
    /// What it found, and the same boxes in pixels of the picture with classes of both.
    detections: Vec<Detection>,
    boxes: Vec<ScoredBox>,
    verdicts: Vec<Verdict>,
}

/// A map at the size of the input, with where its heat lies.
struct Map {
    heat: Array2<f32>,
    evidence: Option<Evidence>,
}

/// A thing before it is explained.
#[derive(Clone, Copy)]
struct Draft {
    /// What of the old detector it is, and of the new.
    found: [Option<usize>; 2],
    label: Option<usize>,
}

/// What a detector is asked of a thing: what it found, or its best prediction where the other one did.
struct Asked {
    detection: Option<Detection>,
    /// What stopped it, if it did not find it.
    fate: Option<String>,
}

impl Worker<'_> {
    /// `label_text`: the digest of the text with its labels.
    pub fn work(&mut self, picture: Picture, label_text: Option<String>, image: &str) -> Result<PictureDifference> {
        if let Some(threads) = self.threads.take() {
            tch::set_num_threads(threads);
        }
        self.compare(picture, label_text, image)
    }

    fn compare(&self, picture: Picture, label_text: Option<String>, image: &str) -> Result<PictureDifference> {
        let loaded = picture.content.load()?;
        let size = Size { width: loaded.picture.width(), height: loaded.picture.height() };
        let labels_of = |labels| labels_of(labels, (image, loaded.file, size), self.wanted.as_deref());
        let (is_labelled, labels) = self.task.labels.map(labels_of).transpose()?.unzip();
        let detectors: Vec<&Detector> =
            [Some(&self.old), Some(&self.new), self.other.as_ref()].into_iter().flatten().collect();
        let input = |detector: &&Detector| -> Result<(Letterbox, Tensor)> {
            let letterbox = Letterbox::of(&loaded.picture, &detector.model, detector.options.img_size)?;
            let input = letterbox.tensor(detector.model.device())?;
            Ok((letterbox, input))
        };
        let inputs = detectors.iter().map(input).collect::<Result<Vec<_>>>()?;
        let sights = detectors
            .iter()
            .zip(&inputs)
            .map(|(detector, (letterbox, input))| Sight::of(detector, letterbox, input, labels.as_deref()));
        let sights = sights.collect::<Result<Vec<Sight>>>()?;
        let [old, new, others @ ..] = sights.as_slice() else { bail!("there are two detectors") };
        let drafts = drafts(old, new);
        let labels = labels.unwrap_or_default();
        let asked = [old.asked(&drafts, 0, new)?, new.asked(&drafts, 1, old)?];
        let explained = [old.explained(&asked[0])?, new.explained(&asked[1])?];
        let (rival_sight, rivals) = rivals(old, others.first(), &drafts)?;
        let rivals = rival_sight.explained(&rivals)?;
        let mut things = Vec::with_capacity(drafts.len());
        for (index, draft) in drafts.iter().enumerate() {
            let object = draft.object([old, new], &labels);
            // They are large: those of one thing are in memory at a time.
            let map = |sight: &Sight, explained: &Option<ExplainedBox>| {
                explained.as_ref().map(|explained| sight.map(explained, &object, draft.label, &labels)).transpose()
            };
            let maps = [map(old, &explained[0][index])?, map(new, &explained[1][index])?];
            let rival = map(rival_sight, &rivals[index])?;
            let side = |of: usize, sight: &Sight| {
                sight.side(draft.found[of], &asked[of][index], explained[of][index].as_ref(), maps[of].as_ref())
            };
            let sides = [side(0, old), side(1, new)];
            let outcome = self.task.labels.map(|_| outcome(draft, &sides));
            let [old_side, new_side] = sides;
            things.push(Thing {
                change: match draft.found {
                    [Some(_), Some(_)] => Change::Kept,
                    [None, _] => Change::Gained,
                    [_, None] => Change::Lost,
                },
                outcome,
                label: draft.label,
                old: old_side,
                new: new_side,
                drift: drift_between((old, maps[0].as_ref()), (new, maps[1].as_ref())),
                noise: drift_between((old, maps[0].as_ref()), (rival_sight, rival.as_ref())),
            });
        }
        let files = match self.task.pictures {
            Some(pictures) if !things.is_empty() => {
                let stem = picture.names.source();
                Some(write_pictures(pictures, stem, &loaded.picture, [old, new], explained, &mut things)?)
            }
            _ => None,
        };
        Ok(PictureDifference {
            image: image.to_owned(),
            picture: picture.id.clone(),
            label_text,
            width: size.width,
            height: size.height,
            is_labelled,
            labels,
            files,
            things,
        })
    }
}

impl<'a> Sight<'a> {
    fn of(
        detector: &'a Detector,
        letterbox: &'a Letterbox,
        input: &'a Tensor,
        labels: Option<&[Label]>,
    ) -> Result<Self> {
        let Detector { model, options, classes } = detector;
        let examined = Examined::new(model, input, options)?;
        let outputs = examined.outputs();
        let detections = detect(model, &outputs, &options.detect)?;
        if detections.is_empty() && !is_defined(&outputs)? {
            return Err(yolo_cam::Error::Undefined.into());
        }
        let boxes: Vec<ScoredBox> = detections
            .iter()
            .map(|found| ScoredBox {
                class_id: classes[found.class_id],
                confidence: found.confidence,
                b: letterbox.map.place(found.box_input.as_ref()),
            })
            .collect();
        let verdicts = labels.map_or_else(Vec::new, |labels| {
            let Judgement { found, .. } = judge(labels, &boxes);
            found
        });
        Ok(Self { detector, letterbox, examined, outputs, detections, boxes, verdicts })
    }

    /// What this detector is asked of each thing. `own`: which of both it is; `other`: the other one.
    fn asked(&self, drafts: &[Draft], own: usize, other: &Self) -> Result<Vec<Asked>> {
        let Detector { model, options, classes } = self.detector;
        // Where only the other one found something, and this one has such a class.
        let query = |draft: &Draft| {
            let wanted = other.boxes[draft.found[1 - own].filter(|_| draft.found[own].is_none())?];
            let class_id = Some(classes.iter().position(|class| *class == wanted.class_id)?);
            Some(Query { spot: Spot::Box(self.letterbox.map.to_input(&wanted.b)), class_id })
        };
        let queries: Vec<Option<Query>> = drafts.iter().map(query).collect();
        let asked: Vec<Query> = queries.iter().flatten().copied().collect();
        let mut candidates = candidates_of_all(model, &self.outputs, &asked, &options.detect)?.into_iter();
        let words = FateWords { model, top: None };
        let answer = |(draft, query): (&Draft, &Option<Query>)| match (draft.found[own], query) {
            (Some(index), _) => Asked { detection: Some(self.detections[index].clone()), fate: None },
            (None, None) => Asked { detection: None, fate: Some("it has no such class".to_owned()) },
            (None, Some(_)) => {
                let best = candidates.next().into_iter().flatten().next();
                let nothing = || "no prediction is about this place".to_owned();
                let fate = best.as_ref().map_or_else(nothing, |best| words.of_unfound(best));
                Asked { detection: best.map(|best| best.detection), fate: Some(fate) }
            }
        };
        Ok(drafts.iter().zip(&queries).map(answer).collect())
    }

    /// Explains those that there are.
    fn explained<'d>(&self, wanted: impl IntoIterator<Item = &'d Asked>) -> Result<Vec<Option<ExplainedBox>>> {
        let wanted: Vec<&Option<Detection>> = wanted.into_iter().map(|asked| &asked.detection).collect();
        let detections = wanted.iter().copied().flatten().cloned().collect();
        let mut explained = self.examined.explain(detections, None, &mut |_, _| go_on())?.into_iter();
        Ok(wanted.into_iter().map(|wanted| wanted.as_ref().and_then(|_| explained.next())).collect())
    }

    /// What this detector made of a thing. `own`: what it found; `asked`: that, or its best prediction; with its map.
    fn side(&self, own: Option<usize>, asked: &Asked, explained: Option<&ExplainedBox>, map: Option<&Map>) -> Side {
        let Detector { model, classes, .. } = self.detector;
        let Asked { detection, fate } = asked;
        let detection = detection.as_ref();
        let layers = explained.into_iter().flat_map(|explained| &explained.layers);
        let box_input = detection.and_then(|detection| detection.box_input);
        Side {
            is_found: own.is_some(),
            class_id: detection.map(|detection| classes[detection.class_id]),
            confidence: detection.map(|detection| detection.confidence),
            box_image: box_input.map(|b| self.letterbox.map.to_image(&b)),
            error: own.and_then(|index| self.verdicts.get(index)).and_then(|verdict| verdict.error),
            fate: fate.clone(),
            layers: layers.map(|&layer| model.layers()[layer].path.clone()).collect(),
            reason: explained.and_then(|explained| explained.why_no_signal(model)),
            evidence: map.and_then(|map| map.evidence.clone()),
            map: None,
        }
    }

    /// A map, and where its heat lies. `object`: in pixels of the picture.
    fn map(&self, explained: &ExplainedBox, object: &BBox, label: Option<usize>, labels: &[Label]) -> Result<Map> {
        let place = &self.letterbox.map;
        let heat = explained.heatmap.normalized(place.input)?;
        let others = labels.iter().enumerate().filter(|&(at, _)| Some(at) != label);
        let others: Vec<Label> = others.map(|(_, label)| label.in_input(place)).collect();
        let evidence = evidence(heat.view(), &place.to_input(object), &others);
        Ok(Map { heat, evidence })
    }

    fn view<'m>(&'m self, map: &'m Map) -> Option<MapOfPicture<'m>> {
        Some(MapOfPicture { heat: &map.heat, place: &self.letterbox.map, evidence: map.evidence.as_ref()? })
    }
}

impl Draft {
    /// What the maps should be about, in pixels of the picture.
    fn object(&self, sights: [&Sight; 2], labels: &[Label]) -> BBox {
        let found = |of: usize| self.found[of].map(|index| sights[of].boxes[index].b);
        let label = self.label.map(|at| labels[at].b);
        label.or_else(|| found(0)).or_else(|| found(1)).unwrap_or(BBox { x1: 0.0, y1: 0.0, x2: 0.0, y2: 0.0 })
    }
}

/// What the detectors found. First boxes of both that have the same class and overlap; then boxes that are about the same label, whatever
/// class they give it; then the others. Boxes in crowds are left out.
fn drafts(old: &Sight, new: &Sight) -> Vec<Draft> {
    let open = |sight: &Sight| {
        let is_in_crowd = |index: usize| {
            sight.verdicts.get(index).is_some_and(|verdict| verdict.is_ignored && verdict.error.is_some())
        };
        (0..sight.boxes.len()).filter(|&index| !is_in_crowd(index)).collect::<Vec<usize>>()
    };
    let about = |sight: &Sight, index: usize| {
        let verdict = sight.verdicts.get(index).filter(|verdict| verdict.error != Some(ErrorKind::Duplicate));
        verdict.and_then(|verdict| verdict.label)
    };
    let (mut of_old, mut of_new) = (open(old), open(new));
    let boxes = |sight: &Sight, indices: &[usize]| indices.iter().map(|&index| sight.boxes[index]).collect::<Vec<_>>();
    let both = pairs(&boxes(old, &of_old), &boxes(new, &of_new));
    let both: Vec<(usize, usize)> = both.into_iter().map(|(a, b)| (of_old[a], of_new[b])).collect();
    let mut drafts: Vec<Draft> = both
        .iter()
        .map(|&(a, b)| Draft { found: [Some(a), Some(b)], label: about(old, a).or(about(new, b)) })
        .collect();
    of_old.retain(|index| !both.iter().any(|(a, _)| a == index));
    of_new.retain(|index| !both.iter().any(|(_, b)| b == index));
    for index in of_old {
        let label = about(old, index);
        let partner = label.and_then(|at| of_new.iter().position(|&other| about(new, other) == Some(at)));
        drafts.push(Draft { found: [Some(index), partner.map(|place| of_new.remove(place))], label });
    }
    drafts.extend(of_new.into_iter().map(|index| Draft { found: [None, Some(index)], label: about(new, index) }));
    // In the order of confidence, as a reader of one detector's boxes expects them.
    drafts.sort_by_key(|draft| (draft.found[0].is_none(), draft.found));
    drafts
}

/// What became of an error.
fn outcome(draft: &Draft, [old, new]: &[Side; 2]) -> Outcome {
    let is_object = draft.label.is_some();
    // Where nothing is, nothing should be found.
    let is_right = |side: &Side| if side.is_found { side.error.is_none() } else { !is_object };
    match (is_right(old), is_right(new)) {
        (false, true) => Outcome::Fixed,
        (true, false) => Outcome::Broken,
        (true, true) => Outcome::Right,
        (false, false) => Outcome::Wrong,
    }
}

fn drift_between((a, map_a): (&Sight, Option<&Map>), (b, map_b): (&Sight, Option<&Map>)) -> Option<Drift> {
    Some(drift(a.view(map_a?)?, b.view(map_b?)?))
}

/// What shows the noise of each kept thing: what another training of the old detector found of it, if there is one; else the old detector's own
/// most confident prediction of the same thing that suppression took, which another threshold might have left. With who predicts it.
fn rivals<'s, 'a>(
    old: &'s Sight<'a>,
    other: Option<&'s Sight<'a>>,
    drafts: &[Draft],
) -> Result<(&'s Sight<'a>, Vec<Asked>)> {
    let rivals: Vec<(usize, Detection)> = match other {
        Some(other) => {
            let both = pairs(&old.boxes, &other.boxes);
            both.into_iter().map(|(own, theirs)| (own, other.detections[theirs].clone())).collect()
        }
        None => {
            let Detector { model, options, .. } = old.detector;
            let least = options.detect.conf_threshold.unwrap_or_default().max(LEAST_RIVAL);
            let everything = options.detect.clone().with_iou_threshold(Some(1.0)).with_max_det(Some(usize::MAX));
            let everything = everything.with_conf_threshold(Some(least));
            let all = detect(model, &old.outputs, &everything)?;
            let runner_up = |(index, own): (usize, &Detection)| {
                let is_near = |other: &&Detection| {
                    let iou = own.overlap(other);
                    other.place != own.place && other.class_id == own.class_id && iou >= NEAR
                };
                all.iter().find(is_near).map(|other| (index, other.clone()))
            };
            old.detections.iter().enumerate().filter_map(runner_up).collect()
        }
    };
    let rival = |draft: &Draft| {
        let own = draft.found[0].filter(|_| draft.found[1].is_some());
        let rival = own.and_then(|own| rivals.iter().find(|(index, _)| *index == own));
        Asked { detection: rival.map(|(_, rival)| rival.clone()), fate: None }
    };
    Ok((other.unwrap_or(old), drafts.iter().map(rival).collect()))
}

/// Writes what the page shows of a picture, and tells the things where their maps are.
fn write_pictures(
    pictures: &GalleryPictures,
    stem: &str,
    picture: &RgbImage,
    sights: [&Sight; 2],
    explained: [Vec<Option<ExplainedBox>>; 2],
    things: &mut [Thing],
) -> Result<CardFiles> {
    let picture = GalleryPictures::large(picture);
    let mut all: Vec<Option<RgbImage>> = Vec::new();
    for (sight, explained) in sights.into_iter().zip(explained) {
        let has_map: Vec<bool> = explained.iter().map(Option::is_some).collect();
        let boxes = explained.into_iter().flatten().collect();
        let explanation = Explanation::of_boxes(sight.letterbox.clone(), boxes);
        let mut greys = greys(&explanation)?.into_iter();
        all.extend(has_map.into_iter().map(|has_map| if has_map { greys.next().flatten() } else { None }));
    }
    let heat_area = sights[0].letterbox.map.visible();
    let shown = Shown { thumbnail: GalleryPictures::small(&picture), picture, maps: all, heat_area };
    let mut files = pictures.write(stem, &shown)?;
    let mut urls = files.take_maps().into_iter();
    things.iter_mut().for_each(|thing| thing.old.map = urls.next().flatten());
    things.iter_mut().for_each(|thing| thing.new.map = urls.next().flatten());
    Ok(files)
}
