//! Shapes, as a part of an explanation and as a command of their own.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use yolo_cam::shape::{ShapeOptions, Threshold};

/// How shapes are measured.
#[derive(Debug, Args)]
pub struct ShapeArgs {
    /// From which share of its maximum on a map is lit; otsu: where it best parts into dark and bright
    #[arg(long, value_name = "0..1|otsu", default_value = "0.5", value_parser = shape_threshold, help_heading = "Shape")]
    shape_threshold: Threshold,
    /// How many Fourier descriptors of the contour are reported
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=256), help_heading = "Shape")]
    descriptors: u16,
    /// From how many positive and negative frequencies the contour is rebuilt
    #[arg(long, value_name = "K", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256), help_heading = "Shape")]
    reconstruct: u16,
    /// How many frequencies are plotted
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=256), help_heading = "Shape")]
    spectrum: u16,
}

impl From<ShapeArgs> for ShapeOptions {
    fn from(args: ShapeArgs) -> Self {
        Self::default()
            .with_threshold(args.shape_threshold)
            .with_descriptors(args.descriptors.into())
            .with_reconstruct(args.reconstruct.into())
            .with_spectrum(args.spectrum.into())
    }
}

#[derive(Debug, Args)]
pub struct ShapeCommandArgs {
    /// Masks or maps: pictures (their brightness counts) or .npy
    #[arg(value_name = "FILE", required_unless_present = "points")]
    files: Vec<PathBuf>,
    /// Points instead, a row x,y for each: their convex hull is drawn
    #[arg(long, value_name = "FILE.csv", conflicts_with_all = ["files", "compare"])]
    points: Option<PathBuf>,
    /// Compare two files: distance of their descriptors, and IoU
    #[arg(long)]
    compare: bool,
    /// Folder for the results, created if missing
    #[arg(long, value_name = "DIR", default_value = "outputs")]
    output_dir: PathBuf,
    /// Also write the numbers: json (STEM-shape.json for each file), csv (shape.csv)
    #[arg(long, value_name = "FORMATS", value_enum, value_delimiter = ',')]
    report: Vec<ShapeReport>,
    #[command(flatten)]
    shape: ShapeArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ShapeReport {
    Json,
    Csv,
}

#[derive(Debug)]
pub struct ShapeCommand {
    pub files: Vec<PathBuf>,
    /// Points instead of files.
    pub points: Option<PathBuf>,
    pub compare: bool,
    pub output_dir: PathBuf,
    pub json: bool,
    pub csv: bool,
    pub options: ShapeOptions,
}

impl ShapeCommandArgs {
    pub fn validated(self) -> Result<ShapeCommand> {
        if self.compare && self.files.len() != 2 {
            bail!("--compare takes two files; {} given", self.files.len());
        }
        Ok(ShapeCommand {
            files: self.files,
            points: self.points,
            compare: self.compare,
            output_dir: self.output_dir,
            json: self.report.iter().any(|report| matches!(report, ShapeReport::Json)),
            csv: self.report.iter().any(|report| matches!(report, ShapeReport::Csv)),
            options: self.shape.into(),
        })
    }
}

fn shape_threshold(text: &str) -> Result<Threshold, String> {
    match text.parse() {
        _ if text == "otsu" => Ok(Threshold::Otsu),
        Ok(share) if share > 0.0 && share <= 1.0 => Ok(Threshold::Share(share)),
        _ => Err("expected a number above 0 and up to 1, or otsu".into()),
    }
}
