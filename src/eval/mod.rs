//! Whether a map can be trusted: how well it names what the detector needs, and how much of it lies on the object.
//!
//! ```
//! use yolo_cam::{ExplainOptions, Model, eval::*, explain, explain::unwatched, picture};
//!
//! # let path = "tests/data/tiny/yolov3-tiny.pt";
//! let model = Model::load(path, tch::Device::Cpu)?;
//! let mut options = ExplainOptions::default();
//! options.detect.max_det = Some(2); // A field can be set as well.
//! # options.detect.conf_threshold = Some(0.0); // It was never trained.
//! let explanation = explain(&model, &picture::read("images/dog.jpg")?, &options)?;
//! let input = explanation.letterbox.tensor(model.device())?;
//! let dog = explanation.boxes[0].detection.clone();
//! let size = explanation.letterbox.map.input;
//!
//! // Its map against one that knows nothing of the model.
//! let map = explanation.boxes[0].heatmap.normalized(size)?;
//! let gaussian = gaussian_map(size, &dog.box_input.expect("a detector gives boxes"));
//! let candidates = [Candidate { detection: 0, map: &map }, Candidate { detection: 0, map: &gaussian }];
//! let all: Vec<_> = explanation.boxes.iter().map(|explained| explained.detection.clone()).collect();
//! let detected = Objects::detected(&[dog.clone()], &all);
//! let scene = Scene { input: &input, detections: &[dog], detected: &detected, labels: None };
//! let options = CurveOptions::default().with_steps(Some(4));
//! let mut crew = Crew::new(&model, 1)?;
//! for figures in evaluate(&mut crew, &scene, &candidates, &options, &mut unwatched)? {
//!     let Curves { deletion, insertion } = &figures.curves;
//!     println!("{:.2} {:.2} {:.2?}", deletion.area, insertion.area, figures.detected);
//! }
//! # Ok::<(), yolo_cam::Error>(())
//! ```

mod baseline;
mod class_swap;
mod crew;
mod curve;
mod evaluate;
mod foreign;
pub mod metrics;
mod paint;
mod protocol;
mod randomization;
mod stats;
mod summary;
mod verdict;
mod verify;

pub use self::{
    baseline::{gaussian_map, picture_seed, random_map},
    class_swap::{Agreement, ClassCheck},
    crew::Crew,
    curve::{Curve, CurveOptions, Curves, curves},
    evaluate::{Candidate, Figures, Localization, Objects, Scene, evaluate},
    foreign::{ForeignMap, foreign_maps},
    paint::painted,
    protocol::{Fill, Protocol},
    randomization::{LEAST_SCORE, Randomization, Randomized},
    stats::{Mean, bootstrap, rank_correlation},
    summary::{Band, Case, Cost, Explainer, LocalizationMeans, Row, Sample, Summary},
    verdict::{FillFigures, Verdict, Word},
    verify::{VerifyOptions, verify},
};
