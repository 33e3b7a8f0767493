//! What flags take, and what the library calls it.

use std::{collections::BTreeSet, ffi::OsStr};

use anyhow::{Result, bail};
use clap::{
    Arg, Command, ValueEnum,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};
use tch::Device;
use yolo_cam::{Fuse, Method, Target, detect::Spot, geometry::BBox};

use crate::output::{
    RecordReport, RecordedRun,
    diagnosis::Diagnosis,
    difference::Difference,
    layouts::{self, LAYOUTS, LayoutSpec},
    reports::{self, REPORTS, ReportSpec},
};

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Format {
    Jpg,
    Png,
    Webp,
}

impl Format {
    /// The ending of file names.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Jpg => "jpg",
            Self::Png => "png",
            Self::Webp => "webp",
        }
    }
}

/// How the maps of several layers are joined, if they are.
#[derive(Debug, Clone, Copy)]
pub enum Joining {
    Fused(Fuse),
    /// A result for each layer.
    Separate,
}

/// Takes the ways to fuse, and `none`.
pub fn joining() -> impl TypedValueParser<Value = Joining> {
    let ways = Fuse::value_variants().iter().filter_map(ValueEnum::to_possible_value);
    let none = PossibleValue::new("none").help("A result for each layer");
    PossibleValuesParser::new(ways.chain([none]))
        .map(|name| Fuse::from_str(&name, false).map_or(Joining::Separate, Joining::Fused))
}

/// Takes the name of a method in the library's list.
pub fn method() -> impl TypedValueParser<Value = Method> {
    let values = Method::all().into_iter().map(|method| {
        let authors = if method.authors.is_empty() { String::new() } else { format!(" ({})", method.authors) };
        PossibleValue::new(method.name).aliases(method.aliases).help(format!("{}{authors}", method.summary))
    });
    // In any case, as flags ask for: the list has small letters.
    let named = |name: String| Method::named(&name.to_lowercase()).expect("clap takes no other");
    Joined(PossibleValuesParser::new(values)).map(named)
}

/// Takes `Grad-CAM` and `grad_cam` for `gradcam`.
#[derive(Clone)]
struct Joined(PossibleValuesParser);

impl TypedValueParser for Joined {
    type Value = String;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<String, clap::Error> {
        let text = value.to_string_lossy();
        let lower = text.to_lowercase();
        match ["-cam", "_cam"].into_iter().find(|behind| lower.contains(behind)) {
            Some(behind) => self.0.parse_ref(command, arg, OsStr::new(&lower.replace(behind, "cam"))),
            None => self.0.parse_ref(command, arg, value),
        }
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        self.0.possible_values()
    }
}

/// Takes the name of a layout in the list.
pub fn layout() -> impl TypedValueParser<Value = &'static LayoutSpec> {
    let values = LAYOUTS.iter().map(|layout| PossibleValue::new(layout.name).help(layout.summary));
    PossibleValuesParser::new(values).map(|name| layouts::named(&name.to_lowercase()).expect("clap takes no other"))
}

/// Takes the name of a report of a run that keeps records.
pub fn record_report<R: RecordedRun>() -> impl TypedValueParser<Value = &'static RecordReport<R>> {
    let values = R::REPORTS.iter().map(|report| PossibleValue::new(report.name).help(report.summary));
    PossibleValuesParser::new(values).map(|name| {
        let is_meant = |report: &&&RecordReport<R>| report.name == name.to_lowercase();
        R::REPORTS.iter().find(is_meant).copied().expect("clap takes no other")
    })
}

/// Takes the name of a report of any command that has shards.
pub fn any_report() -> impl TypedValueParser<Value = String> {
    let own = REPORTS.iter().map(|report| report.name);
    let recorded = names_of::<Diagnosis>().chain(names_of::<Difference>());
    let names: BTreeSet<&'static str> = own.chain(recorded).collect();
    PossibleValuesParser::new(names)
}

fn names_of<R: RecordedRun>() -> impl Iterator<Item = &'static str> {
    R::REPORTS.iter().map(|report| report.name)
}

/// Takes the name of a report in the list.
pub fn report() -> impl TypedValueParser<Value = &'static ReportSpec> {
    let values = REPORTS.iter().map(|report| PossibleValue::new(report.name).help(report.summary));
    PossibleValuesParser::new(values).map(|name| reports::named(&name.to_lowercase()).expect("clap takes no other"))
}

/// Takes the name of a target in the library's list, or a keypoint of the model.
pub fn target() -> impl TypedValueParser<Value = Target> {
    TargetParser
}

#[derive(Clone)]
struct TargetParser;

impl TargetParser {
    fn listed() -> Vec<PossibleValue> {
        let listed = Target::all().into_iter().map(|target| PossibleValue::new(target.name).help(target.summary));
        let keypoint = PossibleValue::new("keypoint:NAME").help(
            "The position of a keypoint, by name or number, or its visibility with \":v\" appended; pose models only",
        );
        listed.chain([keypoint]).collect()
    }
}

impl TypedValueParser for TargetParser {
    type Value = Target;

    fn parse_ref(&self, command: &Command, flag: Option<&Arg>, value: &OsStr) -> Result<Target, clap::Error> {
        let asked = value.to_str().map(str::to_lowercase);
        match asked.as_deref().and_then(Target::named) {
            Some(target) => Ok(target),
            // It words the error.
            None => PossibleValuesParser::new(Self::listed())
                .parse_ref(command, flag, value)
                .map(|name| Target::named(&name.to_lowercase()).expect("all names of the list are known")),
        }
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(Self::listed().into_iter()))
    }
}

/// Cells of a feature map; more than its width is a slip.
pub fn smooth(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(value) if (0.0..=100.0).contains(&value) => Ok(value),
        _ => Err("expected a number of cells from 0 to 100".into()),
    }
}

/// Longest side of the input in pixels: at most what a GPU of today can hold; more is a slip.
pub const MOST_IMG_SIZE: u32 = 16_384;

pub fn img_size(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(side) if (1..=MOST_IMG_SIZE).contains(&side) => Ok(side),
        _ => Err(format!(
            "expected one number from 1 to {MOST_IMG_SIZE}, the longest side; the other side follows from the picture"
        )),
    }
}

/// The box of `60,100,500,420`, or of `60` with the `further` numbers that stand behind it, of which it takes three.
pub fn corners(first: &str, further: &mut Vec<String>) -> Result<BBox> {
    match numbers(first, further) {
        (_, Some([x1, y1, x2, y2])) if x1 < x2 && y1 < y2 => Ok(BBox { x1, y1, x2, y2 }),
        (text, _) => bail!("--box is {text:?}; expected four numbers X1,Y1,X2,Y2 with X1 < X2 and Y1 < Y2"),
    }
}

/// The point of `300,200`, or of `300` with the next of the `further` numbers.
pub fn point(first: &str, further: &mut Vec<String>) -> Result<[f32; 2]> {
    match numbers(first, further) {
        (_, Some(point)) => Ok(point),
        (text, None) => bail!("--point is {text:?}; expected two numbers X,Y"),
    }
}

/// What was written, and the numbers of it, if they are as many; with those `further` ones that stand behind the first.
fn numbers<const N: usize>(first: &str, further: &mut Vec<String>) -> (String, Option<[f32; N]>) {
    let count = if first.contains(',') { 0 } else { further.len().min(N - 1) };
    let text = [first.to_owned()].into_iter().chain(further.drain(..count)).collect::<Vec<_>>().join(",");
    let numbers: Option<Vec<f32>> = text.split(',').map(|number| number.trim().parse().ok()).collect();
    let numbers = numbers.filter(|numbers| numbers.iter().all(|number| number.is_finite()));
    (text, numbers.and_then(|numbers| numbers.try_into().ok()))
}

/// `60,100,500,420` or `300,200`, as the flags take it.
pub fn numbers_of(spot: &Spot) -> String {
    let joined = |numbers: &[f32]| numbers.iter().map(f32::to_string).collect::<Vec<_>>().join(",");
    match *spot {
        Spot::Point(point) => joined(&point),
        Spot::Box(b) => joined(&<[f32; 4]>::from(b)),
    }
}

pub fn fraction(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(value) if (0.0..=1.0).contains(&value) => Ok(value),
        _ => Err("expected a number from 0 to 1".into()),
    }
}

/// Of `--verify`, whose number may be left out: what stands behind it may have been meant as something else.
pub fn verify_steps(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(steps) if (2..=1000).contains(&steps) => Ok(steps),
        Ok(_) => Err("expected 2 to 1000 steps".into()),
        Err(_) => {
            Err("expected a number of steps from 2 to 1000; write --verify behind the model and the pictures, or \
                       --verify=12"
                .into())
        }
    }
}

pub fn device(text: &str) -> Result<Device> {
    let index = match text {
        "cpu" => return Ok(Device::Cpu),
        "cuda" => Some(0),
        "gpu" => bail!("device \"gpu\" is called cuda: type --device cuda, or --device cuda:1 for the second"),
        // Also YOLO's way, without the word.
        _ => text.strip_prefix("cuda:").unwrap_or(text).parse::<usize>().ok(),
    };
    let Some(index) = index else { bail!("device {text:?} is unknown; expected cpu, cuda, cuda:N or N") };
    let available = if tch::Cuda::is_available() { tch::Cuda::device_count().max(0) as usize } else { 0 };
    match available {
        0 => bail!(
            "device {text:?} is not available: this libtorch has no CUDA device; use --device cpu, or build with \
             LIBTORCH pointing at a CUDA build of libtorch"
        ),
        n if index >= n => bail!("device {text:?} is not available: there are {n} CUDA devices, numbered from 0"),
        _ => Ok(Device::Cuda(index)),
    }
}
