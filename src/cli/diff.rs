//! Two detectors: `diff`.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;

use super::{
    labels::{LabelArgs, LabelChoice},
    maps::{MapArgs, MapChoice},
    shared::{
        DetectionArgs, DetectionChoice, MessageArgs, ModelChoice, PictureArgs, PictureChoice, RuntimeArgs, Verbosity,
        each_once,
    },
    values::record_report,
    words::Words,
};
use crate::output::{RecordReport, difference::Difference};

#[derive(Debug, Args)]
pub struct DiffArgs {
    /// The old model
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The new model, of any family. Classes are matched by name
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// Another training of the old model, with another seed: the difference between its evidence and the old model's counts as noise
    /// [default: the difference between the old model's best prediction of an object and its second-best]
    #[arg(long, value_name = "MODEL", help_heading = "Model")]
    noise: Option<PathBuf>,
    #[command(flatten)]
    runtime: RuntimeArgs,
    #[command(flatten)]
    pictures: PictureArgs,
    #[command(flatten)]
    labels: LabelArgs,
    /// Reports to write
    #[arg(long, value_name = "KIND,...", value_parser = record_report::<Difference>(), ignore_case = true, value_delimiter = ',', default_value = "html,json,csv", help_heading = "Input and output")]
    report: Vec<&'static RecordReport<Difference>>,
    /// Resume an earlier run into the same folder
    #[arg(long, help_heading = "Input and output")]
    skip_existing: bool,
    /// Pictures that are processed at the same time [default: as suits the cores, at most 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Input and output")]
    jobs: Option<u16>,
    #[command(flatten)]
    maps: MapArgs,
    #[command(flatten)]
    detection: DetectionArgs,
    #[command(flatten)]
    messages: MessageArgs,
}

#[derive(Debug)]
pub struct DiffCommand {
    pub old: ModelChoice,
    pub new: ModelChoice,
    /// Another training of the old one.
    pub noise: Option<ModelChoice>,
    pub pictures: PictureChoice,
    pub labels: LabelChoice,
    /// Each once.
    pub reports: Vec<&'static RecordReport<Difference>>,
    pub skip_existing: bool,
    /// `None`: as suits the cores.
    pub jobs: Option<u16>,
    pub maps: MapChoice,
    pub detection: DetectionChoice,
    pub verbosity: Verbosity,
}

impl DiffArgs {
    pub fn validated(self) -> Result<DiffCommand> {
        let detection = DetectionChoice::from(self.detection);
        if detection.top.is_some() {
            bail!("--top leaves out detections, which would look lost; take --conf-thres or --max-det");
        }
        let words = Words::default();
        let has_pictures = self.pictures.names_pictures(&words);
        let (labels, pictures) = self.labels.validated(has_pictures, self.pictures.validated(words)?)?;
        let choice = |path: PathBuf| self.runtime.choice(Some(path));
        Ok(DiffCommand {
            old: choice(self.old)?,
            new: choice(self.new)?,
            noise: self.noise.map(choice).transpose()?,
            pictures,
            labels,
            reports: each_once(self.report, |report| report.name),
            skip_existing: self.skip_existing,
            jobs: self.jobs,
            maps: self.maps.validated(false)?,
            detection,
            verbosity: self.messages.into(),
        })
    }
}
