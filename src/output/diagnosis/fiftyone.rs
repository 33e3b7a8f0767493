//! `fiftyone/`: the pictures with labels, detections, errors and heat, as a data set of the Python package `fiftyone`:
//!
//! ```python
//! import fiftyone as fo
//!
//! dataset = fo.Dataset.from_dir(dataset_dir='outputs/fiftyone', dataset_type=fo.types.FiftyOneDataset, dynamic=True)
//! fo.launch_app(dataset).wait()
//! ```
//!
//! `dynamic=True` declares the attributes below, so that the App can filter by them. Of each picture, which stays where it is, there are
//!
//! - `ground_truth`: the labels, with `missed`, and of a missed object what became of it (`fate`) and where the best prediction looks;
//! - `predictions`: what was found with enough confidence, with `kind` (`correct`, or the error), `iou` and where it looks; without what lies
//!   in a crowd, which is neither right nor wrong;
//! - `heat`: where any of these looks, as a heatmap. Each box's own is the picture at its `map_path`, which the App doesn't show.
//!
//! `metadata.json` names no version of the package on purpose. With one, `samples.json` would have to be what that version keeps in its
//! database, declared field by field. Without, each version reads the samples by its public `Sample.from_dict` and declares the fields
//! itself. Should one refuse that some day, there is still
//!
//! ```python
//! samples = json.load(open('outputs/fiftyone/samples.json'))['samples']
//! dataset = fo.Dataset()
//! dataset.add_samples([fo.Sample.from_dict(sample) for sample in samples], dynamic=True)
//! ```

use std::{
    fs,
    path::{Component, Path, PathBuf, absolute},
};

use anyhow::{Context, Result, ensure};
use image::{DynamicImage, GrayImage, codecs::png::PngEncoder};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use yolo_cam::{
    diagnose::{ErrorKind, Evidence},
    files::write_atomically,
    geometry::{BBox, Size},
    labels::Label,
    picture::read,
    report::write_value,
};

use super::{Case, Diagnosis, Findings, PictureRecord, RecordReport, Sink, record::kind_name, told, words::looks};

pub const SPEC: RecordReport<Diagnosis> = RecordReport {
    name: "fiftyone",
    summary: "fiftyone/, a data set for the Python package fiftyone; its heatmaps are in diagnose-files/",
    file: "fiftyone/samples.json",
    has_pictures: true,
    open: |path, findings| Box::new(Dataset { path, findings, samples: Vec::new() }),
};

struct Dataset<'a> {
    path: PathBuf,
    findings: &'a Findings<'a>,
    /// `None` of a picture that is no file.
    samples: Vec<Result<Option<Sample>>>,
}

impl Sink<PictureRecord> for Dataset<'_> {
    fn take(&mut self, record: &PictureRecord) {
        self.samples.push(Sample::new(record, self.findings));
    }

    fn close(self: Box<Self>) -> Result<()> {
        let all = self.samples.into_iter().collect::<Result<Vec<_>>>();
        let all = all.with_context(|| format!("{:?} cannot be written", self.path))?;
        let count = all.len();
        let samples: Vec<Sample> = all.into_iter().flatten().collect();
        let left_out = count - samples.len();
        if left_out > 0 {
            say!(
                "note: {left_out} of {count} pictures are no files (but frames, or on a server), and fiftyone goes without"
            );
        }
        let folder = self.path.parent().unwrap_or(Path::new(""));
        fs::create_dir_all(folder).with_context(|| format!("{folder:?} cannot be created"))?;
        write_value(&folder.join("metadata.json"), &Metadata::new(self.findings))?;
        Ok(write_value(&self.path, &Samples { samples })?)
    }
}

/// `metadata.json`.
#[derive(Serialize)]
struct Metadata<'a> {
    media_type: &'static str,
    info: Info<'a>,
}

/// The package takes the description and the classes as such, and keeps the rest as `dataset.info`.
#[derive(Serialize)]
struct Info<'a> {
    description: String,
    default_classes: &'a [String],
    tool: &'static str,
    model: &'a str,
    least_confidence: f32,
    suspicions: Vec<String>,
}

impl<'a> Metadata<'a> {
    fn new(findings: &Findings<'a>) -> Self {
        let Findings { run, summary, names, .. } = *findings;
        Self {
            media_type: "image",
            info: Info {
                description: format!("What yolo-cam diagnose says of {}", run.model),
                default_classes: names,
                tool: concat!("yolo-cam ", env!("CARGO_PKG_VERSION")),
                model: &run.model,
                least_confidence: run.least_confidence,
                suspicions: summary.suspicions.iter().map(|one| told(one, names)).collect(),
            },
        }
    }
}

/// `samples.json`.
#[derive(Serialize)]
struct Samples {
    samples: Vec<Sample>,
}

/// A picture.
#[derive(Serialize)]
struct Sample {
    filepath: String,
    /// The package would tell it from the ending of the file, which may have none.
    #[serde(rename = "_media_type")]
    media_type: &'static str,
    tags: [String; 0],
    /// `None` if nobody labelled it.
    #[serde(skip_serializing_if = "Option::is_none")]
    ground_truth: Option<Detections<Object>>,
    predictions: Detections<Prediction>,
    #[serde(skip_serializing_if = "Option::is_none")]
    heat: Option<Heatmap>,
}

impl Sample {
    /// Writes the heatmap too. `None` if the picture is no file.
    fn new(record: &PictureRecord, findings: &Findings) -> Result<Option<Self>> {
        let image = Path::new(&record.image);
        if !image.is_file() {
            return Ok(None);
        }
        let names = findings.names;
        // The journal lies beside the folder of the maps.
        let folder = findings.records.parent().unwrap_or(Path::new(""));
        let cases = record.cases.iter().enumerate();
        let looks = cases.map(|(index, case)| Look::new(index, case, folder, names)).collect::<Result<Vec<_>>>()?;
        let heat = heat(&looks)?;
        let mut missed: Vec<Option<Missed>> = record.labels.iter().map(|_| None).collect();
        let mut predictions = Vec::new();
        for (case, look) in record.cases.iter().zip(looks) {
            if case.error != Some(ErrorKind::Missed) {
                predictions.extend(Prediction::new(record, case, look, names));
            } else if let Some(missed) = case.label.and_then(|at| missed.get_mut(at)) {
                *missed = Some(Missed { fate: case.fate.clone(), look });
            }
        }
        let objects = record.labels.iter().zip(missed).map(|(label, missed)| Object::new(record, label, missed, names));
        Ok(Some(Self {
            filepath: full_path(image)?,
            media_type: "image",
            tags: [],
            ground_truth: record.is_labelled.then(|| Detections::new(objects.collect())),
            predictions: Detections::new(predictions),
            heat,
        }))
    }
}

#[derive(Serialize)]
struct Detections<T> {
    #[serde(rename = "_cls")]
    class: &'static str,
    detections: Vec<T>,
}

impl<T> Detections<T> {
    fn new(detections: Vec<T>) -> Self {
        Self { class: "Detections", detections }
    }
}

/// What a detection is to the package, whatever else is known of it.
#[derive(Serialize)]
struct Located {
    #[serde(rename = "_cls")]
    class: &'static str,
    label: String,
    /// Left, top, width and height as shares of the picture's sides.
    bounding_box: [f64; 4],
}

impl Located {
    fn new(record: &PictureRecord, class_id: usize, b: BBox, names: &[String]) -> Self {
        let (width, height) = (record.width, record.height);
        let [x1, y1, x2, y2] = <[f32; 4]>::from(b.clipped(Size { width, height })).map(f64::from);
        let (width, height) = (f64::from(width), f64::from(height));
        Self {
            class: "Detection",
            label: names[class_id].clone(),
            bounding_box: [x1 / width, y1 / height, (x2 - x1) / width, (y2 - y1) / height],
        }
    }
}

/// A label.
#[derive(Serialize)]
struct Object {
    #[serde(flatten)]
    located: Located,
    missed: bool,
    /// As the package's own evaluation calls a crowd.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    iscrowd: bool,
    #[serde(flatten)]
    why: Option<Missed>,
}

/// What is known of a missed object.
#[derive(Serialize)]
struct Missed {
    #[serde(skip_serializing_if = "Option::is_none")]
    fate: Option<String>,
    #[serde(flatten)]
    look: Look,
}

impl Object {
    fn new(record: &PictureRecord, label: &Label, missed: Option<Missed>, names: &[String]) -> Self {
        Self {
            located: Located::new(record, label.class_id, label.b, names),
            missed: missed.is_some(),
            iscrowd: label.is_crowd,
            why: missed,
        }
    }
}

/// A detection above the threshold.
#[derive(Serialize)]
struct Prediction {
    #[serde(flatten)]
    located: Located,
    confidence: Option<f32>,
    kind: &'static str,
    iou: f64,
    /// Class of the object that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    label_class: Option<String>,
    #[serde(flatten)]
    look: Look,
}

impl Prediction {
    /// `None` without a box.
    fn new(record: &PictureRecord, case: &Case, look: Look, names: &[String]) -> Option<Self> {
        let label = case.label.and_then(|at| record.labels.get(at));
        Some(Self {
            located: Located::new(record, case.class_id, case.box_image?, names),
            confidence: case.confidence,
            kind: kind_name(case.error),
            iou: case.iou,
            label_class: label.map(|label| names[label.class_id].clone()),
            look,
        })
    }
}

/// Where a case looks.
#[derive(Serialize)]
struct Look {
    /// Its number in its picture, by which the other reports name it too.
    case: usize,
    #[serde(flatten)]
    heat: Option<Shares>,
    /// Why its map says nothing, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// What its map is worth, if that was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    verify: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    map_path: Option<String>,
}

/// Where the heat lies.
#[derive(Serialize)]
struct Shares {
    heat_object: f64,
    heat_others: f64,
    heat_around: f64,
    heat_far: f64,
    looks: String,
}

impl Look {
    /// `folder`: of the results.
    fn new(index: usize, case: &Case, folder: &Path, names: &[String]) -> Result<Self> {
        let map = case.map.as_ref().map(|url| folder.join(&*percent_decode_str(url).decode_utf8_lossy()));
        Ok(Self {
            case: index,
            heat: case.evidence.as_ref().map(|evidence| Shares::new(evidence, names)),
            reason: case.reason.clone(),
            verify: case.verify.map(|verdict| verdict.word.name()),
            map_path: map.map(|map| full_path(&map)).transpose()?,
        })
    }
}

impl Shares {
    fn new(evidence: &Evidence, names: &[String]) -> Self {
        Self {
            heat_object: evidence.object,
            heat_others: evidence.on_others(),
            heat_around: evidence.around,
            heat_far: evidence.far,
            looks: looks(evidence.focus, names),
        }
    }
}

#[derive(Serialize)]
struct Heatmap {
    #[serde(rename = "_cls")]
    class: &'static str,
    map_path: String,
    /// Of its levels.
    range: [f64; 2],
}

/// Writes the largest of all maps of a picture beside them. `None` if there are none.
fn heat(looks: &[Look]) -> Result<Option<Heatmap>> {
    let maps: Vec<&str> = looks.iter().filter_map(|look| look.map_path.as_deref()).collect();
    let Some((stem, _)) = maps.first().and_then(|first| first.rsplit_once("-map-")) else { return Ok(None) };
    let map_path = format!("{stem}-heat.png");
    let heat = largest(&maps)?;
    write_atomically(Path::new(&map_path), |out| {
        heat.write_with_encoder(PngEncoder::new(out)).map_err(std::io::Error::other)
    })?;
    Ok(Some(Heatmap { class: "Heatmap", map_path, range: [0.0, 255.0] }))
}

/// The largest level of any of the maps at each place.
fn largest(maps: &[&str]) -> Result<GrayImage> {
    let mut all = GrayImage::default();
    for path in maps {
        let map = DynamicImage::from(read(path)?).into_luma8();
        if all.is_empty() {
            all = map;
            continue;
        }
        ensure!(map.dimensions() == all.dimensions(), "{path:?} has not the size of the picture's other maps");
        all.iter_mut().zip(map.iter()).for_each(|(most, &level)| *most = (*most).max(level));
    }
    Ok(all)
}

/// From the root, since the package may be started anywhere, and without `..`, as it has paths itself.
fn full_path(path: &Path) -> Result<String> {
    let full = absolute(path).and_then(|full| {
        let is_plain = full.components().all(|part| part != Component::ParentDir);
        // Where there is none, links keep the names that the user knows.
        if is_plain { Ok(full) } else { full.canonicalize() }
    });
    let full = full.with_context(|| format!("{path:?} has no absolute path"))?;
    Ok(full.to_str().with_context(|| format!("{full:?} is no text, as fiftyone needs it"))?.to_owned())
}
