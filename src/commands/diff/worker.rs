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
    explain::{Examined, Normalize},
    geometry::BBox,
    labels::{Label, Labels},
};

use super::super::{fate::FateWords, session::go_on};
use crate::{
    inputs::Picture,
    output::{
        difference::{Change, Outcome, PictureDifference, Side, Thing},
        reports::gallery::{CardFiles, GalleryPictures, Shown, heat::grey},
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

/// A map with what is known of it.
struct Map {
    explained: ExplainedBox,
    heat: Array2<f32>,
    evidence: Option<Evidence>,
}

/// A thing before it is explained: what of each detector it is.
#[derive(Clone, Copy)]
struct Draft {
    old: Option<usize>,
    new: Option<usize>,
    label: Option<usize>,
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
        let (is_labelled, labels) = self.labels_of(&loaded.picture, loaded.file, image)?.unzip();
        let detectors = [Some(&self.old), Some(&self.new), self.other.as_ref()];
        let letterbox = |detector: &Detector| -> yolo_cam::Result<(Letterbox, Tensor)> {
            let letterbox = Letterbox::of(&loaded.picture, &detector.model, detector.options.img_size)?;
            let input = letterbox.tensor(detector.model.device())?;
            Ok((letterbox, input))
        };
        let inputs: Vec<(&Detector, (Letterbox, Tensor))> = detectors
            .into_iter()
            .flatten()
            .map(|detector| Ok((detector, letterbox(detector)?)))
            .collect::<yolo_cam::Result<_>>()?;
        let sights = inputs
            .iter()
            .map(|(detector, (letterbox, input))| Sight::of(detector, letterbox, input, labels.as_deref()))
            .collect::<Result<Vec<Sight>>>()?;
        let [old, new, others @ ..] = sights.as_slice() else { bail!("there are two detectors") };
        let drafts = drafts(old, new);
        let labels = labels.unwrap_or_default();
        let mut things = Vec::with_capacity(drafts.len());
        let mut shown = Vec::new();
        let noises = noise(old, others.first(), &drafts, &labels)?;
        for (draft, noise) in drafts.iter().zip(noises) {
            let object = draft.object(old, new, &labels);
            let (old_side, old_map) = old.side(draft.old, draft, (new, draft.new), &object, &labels)?;
            let (new_side, new_map) = new.side(draft.new, draft, (old, draft.old), &object, &labels)?;
            let moved = drift_between((old, old_map.as_ref()), (new, new_map.as_ref()));
            things.push(Thing {
                change: match (draft.old, draft.new) {
                    (Some(_), Some(_)) => Change::Kept,
                    (None, _) => Change::Gained,
                    (_, None) => Change::Lost,
                },
                outcome: self.task.labels.map(|_| outcome(draft, &old_side, &new_side)),
                label: draft.label,
                old: old_side,
                new: new_side,
                drift: moved,
                noise,
            });
            shown.push([old_map, new_map]);
        }
        let files = match self.task.pictures {
            Some(pictures) if !things.is_empty() => {
                let stem = picture.names.source();
                Some(write_pictures(pictures, stem, &loaded.picture, [old, new], shown, &mut things)?)
            }
            _ => None,
        };
        let size = old.letterbox.map.image;
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

    /// Whether a picture is labelled, and its labels; `None` if none are wanted. Where YOLO's have no text for it, it is empty.
    fn labels_of(
        &self,
        picture: &RgbImage,
        file: Option<&std::path::Path>,
        image: &str,
    ) -> Result<Option<(bool, Vec<Label>)>> {
        let Some(labels) = self.task.labels else { return Ok(None) };
        let size = yolo_cam::geometry::Size { width: picture.width(), height: picture.height() };
        let own = match file {
            Some(file) => labels.of(file, size)?,
            None => None,
        };
        if own.is_none() && !labels.is_yolo() {
            bail!("{image:?} is not among the pictures of --labels; give the pictures that are labelled");
        }
        let (is_labelled, mut labels) = (own.is_some(), own.unwrap_or_default());
        if let Some(wanted) = &self.wanted {
            // What is not looked for is not missed.
            labels.retain(|label| wanted.contains(&label.class_id));
        }
        Ok(Some((is_labelled, labels)))
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

    /// What this detector made of a thing: `own` if it found it, else its best prediction where the other one did.
    fn side(
        &self,
        own: Option<usize>,
        draft: &Draft,
        (other, found): (&Self, Option<usize>),
        object: &BBox,
        labels: &[Label],
    ) -> Result<(Side, Option<Map>)> {
        let Detector { model, options, classes } = self.detector;
        let (detection, fate) = match (own, found) {
            (Some(index), _) => (Some(self.detections[index].clone()), None),
            (None, Some(index)) => {
                let wanted = &other.boxes[index];
                let class_id = classes.iter().position(|class| *class == wanted.class_id);
                let spot = Spot::Box(self.letterbox.map.to_input(&wanted.b));
                let best = match class_id {
                    Some(_) => candidates_of_all(model, &self.outputs, &[Query { spot, class_id }], &options.detect)?
                        .into_iter()
                        .flatten()
                        .next(),
                    None => None,
                };
                let words = FateWords { model, top: None };
                let fate = match (&best, class_id) {
                    (Some(best), _) => words.of_unfound(best),
                    (None, Some(_)) => "no prediction is about this place".to_owned(),
                    (None, None) => "it has no such class".to_owned(),
                };
                (best.map(|best| best.detection), Some(fate))
            }
            (None, None) => (None, None),
        };
        let map = match &detection {
            Some(detection) => self.map(detection, object, draft.label, labels)?,
            None => None,
        };
        let explained = map.as_ref().map(|map| &map.explained);
        let layers = explained.map(|explained| {
            explained.layers.iter().map(|&layer| model.layers()[layer].path.clone()).collect::<Vec<String>>()
        });
        let side = Side {
            is_found: own.is_some(),
            class_id: detection.as_ref().map(|detection| classes[detection.class_id]),
            confidence: detection.as_ref().map(|detection| detection.confidence),
            box_image: detection
                .as_ref()
                .and_then(|detection| detection.box_input)
                .map(|b| self.letterbox.map.to_image(&b)),
            error: own.and_then(|index| self.verdicts.get(index)).and_then(|verdict| verdict.error),
            fate,
            layers: layers.unwrap_or_default(),
            reason: explained.and_then(|explained| explained.why_no_signal(model)),
            evidence: map.as_ref().and_then(|map| map.evidence.clone()),
            map: None,
        };
        Ok((side, map))
    }

    /// The map of a prediction, and where its heat lies. `object`: in pixels of the picture.
    fn map(&self, detection: &Detection, object: &BBox, label: Option<usize>, labels: &[Label]) -> Result<Option<Map>> {
        let explained = self.examined.explain(vec![detection.clone()], None, &mut |_, _| go_on())?;
        let Some(explained) = explained.into_iter().next() else { return Ok(None) };
        let place = &self.letterbox.map;
        let heat = explained.heatmap.normalized(place.input)?;
        let others = labels.iter().enumerate().filter(|&(at, _)| Some(at) != label);
        let others: Vec<Label> = others.map(|(_, label)| label.in_input(place)).collect();
        let evidence = evidence(heat.view(), &place.to_input(object), &others);
        Ok(Some(Map { explained, heat, evidence }))
    }

    fn view<'m>(&'m self, map: &'m Map) -> Option<MapOfPicture<'m>> {
        Some(MapOfPicture { heat: &map.heat, place: &self.letterbox.map, evidence: map.evidence.as_ref()? })
    }
}

impl Draft {
    /// What the maps should be about, in pixels of the picture.
    fn object(&self, old: &Sight, new: &Sight, labels: &[Label]) -> BBox {
        let label = self.label.map(|at| labels[at].b);
        let found = || self.old.map(|index| old.boxes[index].b).or(self.new.map(|index| new.boxes[index].b));
        label.or_else(found).unwrap_or(BBox { x1: 0.0, y1: 0.0, x2: 0.0, y2: 0.0 })
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
        .map(|&(a, b)| Draft { old: Some(a), new: Some(b), label: about(old, a).or(about(new, b)) })
        .collect();
    of_old.retain(|index| !both.iter().any(|(a, _)| a == index));
    of_new.retain(|index| !both.iter().any(|(_, b)| b == index));
    for index in of_old {
        let label = about(old, index);
        let partner = label.and_then(|at| of_new.iter().position(|&other| about(new, other) == Some(at)));
        drafts.push(Draft { old: Some(index), new: partner.map(|place| of_new.remove(place)), label });
    }
    drafts.extend(of_new.into_iter().map(|index| Draft { old: None, new: Some(index), label: about(new, index) }));
    // In the order of confidence, as a reader of one detector's boxes expects them.
    drafts.sort_by_key(|draft| (draft.old.is_none(), draft.old, draft.new));
    drafts
}

/// What became of an error.
fn outcome(draft: &Draft, old: &Side, new: &Side) -> Outcome {
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

/// Of each thing that the old detector found how far its evidence is from that of another training of the detector, if there is one; else
/// from that of the most confident prediction of the same thing that suppression took, which another threshold might have left.
fn noise(old: &Sight, other: Option<&Sight>, drafts: &[Draft], labels: &[Label]) -> Result<Vec<Option<Drift>>> {
    let partners: Vec<(usize, Detection, &Sight)> = match other {
        Some(other) => {
            let both = pairs(&old.boxes, &other.boxes);
            both.into_iter().map(|(own, theirs)| (own, other.detections[theirs].clone(), other)).collect()
        }
        None => {
            let Detector { model, options, .. } = old.detector;
            let least = options.detect.conf_threshold.unwrap_or_default().max(LEAST_RIVAL);
            let everything = options.detect.clone().with_iou_threshold(Some(1.0)).with_max_det(Some(usize::MAX));
            let everything = everything.with_conf_threshold(Some(least));
            let all = detect(model, &old.outputs, &everything)?;
            let runner_up = |(index, own): (usize, &Detection)| {
                let is_near = |other: &&Detection| {
                    let iou = BBox::overlap(own.box_input.as_ref(), other.box_input.as_ref());
                    other.place != own.place && other.class_id == own.class_id && iou >= NEAR
                };
                all.iter().find(is_near).map(|other| (index, other.clone(), old))
            };
            old.detections.iter().enumerate().filter_map(runner_up).collect()
        }
    };
    let of_draft = |draft: &Draft| -> Result<Option<Drift>> {
        let Some(own) = draft.old.filter(|_| draft.new.is_some()) else { return Ok(None) };
        let Some((_, partner, sight)) = partners.iter().find(|(index, ..)| *index == own) else { return Ok(None) };
        let object = draft.label.map_or(old.boxes[own].b, |at| labels[at].b);
        let first = old.map(&old.detections[own], &object, draft.label, labels)?;
        let second = sight.map(partner, &object, draft.label, labels)?;
        Ok(drift_between((old, first.as_ref()), (sight, second.as_ref())))
    };
    drafts.iter().map(of_draft).collect()
}

/// Writes what the page shows of a picture, and tells the things where their maps are.
fn write_pictures(
    pictures: &GalleryPictures,
    stem: &str,
    picture: &RgbImage,
    sights: [&Sight; 2],
    maps: Vec<[Option<Map>; 2]>,
    things: &mut [Thing],
) -> Result<CardFiles> {
    let picture = GalleryPictures::large(picture);
    let mut all: Vec<Option<RgbImage>> = Vec::new();
    for (side, sight) in sights.into_iter().enumerate() {
        let boxes = maps.iter().filter_map(|both| both[side].as_ref().map(|map| map.explained.clone())).collect();
        let explanation = Explanation {
            letterbox: sight.letterbox.clone(),
            boxes,
            is_undefined: false,
            best_candidate: None,
            candidates: Vec::new(),
            timings: Default::default(),
        };
        let mut greys = explanation.boxes.iter().enumerate().map(|(index, found)| {
            let has_signal = found.heatmap.no_signal().is_none();
            has_signal.then(|| grey(&explanation, index, Normalize::Box)).transpose()
        });
        for both in &maps {
            all.push(both[side].as_ref().and_then(|_| greys.next()).transpose()?.flatten());
        }
    }
    let heat_area = sights[0].letterbox.map.visible();
    let shown = Shown { thumbnail: GalleryPictures::small(&picture), picture, maps: all, heat_area };
    let mut files = pictures.write(stem, &shown)?;
    let mut urls = files.take_maps().into_iter();
    things.iter_mut().for_each(|thing| thing.old.map = urls.next().flatten());
    things.iter_mut().for_each(|thing| thing.new.map = urls.next().flatten());
    Ok(files)
}
