//! Why a detector is wrong: `diagnose`.

use anyhow::{Result, bail};
use clap::Args;

use super::{
    labels::{LabelArgs, LabelChoice},
    maps::{MapArgs, MapChoice},
    shared::{
        DetectionArgs, DetectionChoice, MessageArgs, ModelArgs, ModelChoice, PictureArgs, PictureChoice, Verbosity,
        each_once,
    },
    values::{record_report, verify_steps},
};
use crate::output::{RecordReport, diagnosis::Diagnosis};

#[derive(Debug, Args)]
pub struct DiagnoseArgs {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    pictures: PictureArgs,
    #[command(flatten)]
    labels: LabelArgs,
    /// Reports to write
    #[arg(long, value_name = "KIND,...", value_parser = record_report::<Diagnosis>(), ignore_case = true, value_delimiter = ',', default_value = "html,json,csv", help_heading = "Input and output")]
    report: Vec<&'static RecordReport<Diagnosis>>,
    /// Resume an earlier run into the same folder
    #[arg(long, help_heading = "Input and output")]
    skip_existing: bool,
    /// Pictures that are processed at the same time [default: as suits the cores, at most 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Input and output")]
    jobs: Option<u16>,
    #[command(flatten)]
    maps: MapArgs,
    /// Also measure how far each map can be trusted; see --verify in 'yolo-cam --help'
    #[arg(long, value_name = "STEPS", num_args = 0..=1, default_missing_value = "12", value_parser = verify_steps, help_heading = "Explanation")]
    verify: Option<u16>,
    #[command(flatten)]
    detection: DetectionArgs,
    #[command(flatten)]
    messages: MessageArgs,
}

#[derive(Debug)]
pub struct DiagnoseCommand {
    pub model: ModelChoice,
    pub pictures: PictureChoice,
    pub labels: LabelChoice,
    /// Each once.
    pub reports: Vec<&'static RecordReport<Diagnosis>>,
    pub skip_existing: bool,
    /// `None`: as suits the cores.
    pub jobs: Option<u16>,
    pub maps: MapChoice,
    /// With how many changed pictures for each map and fill maps are measured, if they are.
    pub verify: Option<u16>,
    pub detection: DetectionChoice,
    pub verbosity: Verbosity,
}

impl DiagnoseArgs {
    pub fn validated(self) -> Result<DiagnoseCommand> {
        let maps = self.maps.validated(self.verify.is_some())?;
        let detection = DetectionChoice::from(self.detection);
        if detection.top.is_some() {
            bail!("--top leaves out detections, which would look like errors; take --conf-thres or --max-det");
        }
        let (model, words) = self.model.validated()?;
        let has_pictures = self.pictures.names_pictures(&words);
        let (labels, pictures) = self.labels.validated(has_pictures, self.pictures.validated(words)?)?;
        Ok(DiagnoseCommand {
            model,
            pictures,
            labels,
            reports: each_once(self.report, |report| report.name),
            skip_existing: self.skip_existing,
            jobs: self.jobs,
            maps,
            verify: self.verify,
            detection,
            verbosity: self.messages.into(),
        })
    }
}
