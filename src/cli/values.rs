//! What flags take, and what the library calls it.

use anyhow::{Result, bail};
use clap::ValueEnum;
use tch::Device;
use yolo_cam::{explain::MapSize, geometry::BBox, render, report::RawFormat};

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Per {
    Box,
    Class,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Report {
    Json,
    Csv,
    Html,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Raw {
    Npy,
    Png16,
    Tiff,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum RawSize {
    Feature,
    Input,
    Image,
}

/// How results are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Layout {
    Panels,
    Overlay,
    Sheet,
    Side,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum HeatArea {
    Box,
    Full,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Normalize {
    Box,
    Image,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Colormap {
    Jet,
    Turbo,
    Viridis,
    Inferno,
    Magma,
    Gray,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Format {
    Jpg,
    Png,
    Webp,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Method {
    /// Channels weighted by their mean gradient (Selvaraju et al., 2017)
    Gradcam,
    /// Channels weighted by their positive gradients (Chattopadhay et al., 2018)
    #[value(name = "gradcam++", alias = "gradcampp")]
    GradcamPp,
    /// Channels weighted by gradients, by share of activation (Fu et al., 2020)
    Xgradcam,
    /// Activation times gradient (Draelos and Carin, 2020)
    Hirescam,
    /// Positive part of activation times gradient
    Elementwise,
    /// Activation times positive gradient (Jiang et al., 2021)
    Layercam,
    /// Activation times gradient, smoothed with --smooth (Zhao and Chan, 2023)
    Odam,
    /// First principal component of the activations, whatever the box (Muhammad and Yeasin, 2020)
    Eigencam,
    /// First principal component of activation times gradient
    Eigengradcam,
    /// Channels weighted by what is still found behind them (Wang et al., 2020)
    Scorecam,
    /// Channels weighted by what is lost without them (Desai and Ramaswamy, 2020)
    Ablationcam,
    /// Random masks weighted by what is still found behind them (Petsiuk et al., 2021)
    #[value(alias = "drise")]
    DRise,
    /// What measured best: elementwise at more layers, with more contrast
    Best,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Target {
    Auto,
    Logit,
    Prob,
    Obj,
    Conf,
    X1,
    Y1,
    X2,
    Y2,
    W,
    H,
    Odam,
}

/// How deletion and insertion are measured.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Protocol {
    /// Deletion to black, insertion from a blur, 50 steps; IoU, objectness and cosine of classes (Petsiuk et al., 2021)
    Drise,
    /// To and from random colours, 50 steps; share of the original confidence (Zhao and Chan, 2023)
    Odam,
    /// To and from black, 49 steps; IoU and confidence (Chen et al., 2025)
    Vps,
}

impl From<Protocol> for yolo_cam::eval::Protocol {
    fn from(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Drise => Self::DRise,
            Protocol::Odam => Self::Odam,
            Protocol::Vps => Self::Vps,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Fuse {
    Mean,
    Max,
    Product,
    None,
}

impl From<Raw> for RawFormat {
    fn from(format: Raw) -> Self {
        match format {
            Raw::Npy => Self::Npy,
            Raw::Png16 => Self::Png16,
            Raw::Tiff => Self::Tiff,
        }
    }
}

impl From<RawSize> for MapSize {
    fn from(size: RawSize) -> Self {
        match size {
            RawSize::Feature => Self::Feature,
            RawSize::Input => Self::Input,
            RawSize::Image => Self::Image,
        }
    }
}

impl From<Colormap> for render::Colormap {
    fn from(colormap: Colormap) -> Self {
        match colormap {
            Colormap::Jet => Self::Jet,
            Colormap::Turbo => Self::Turbo,
            Colormap::Viridis => Self::Viridis,
            Colormap::Inferno => Self::Inferno,
            Colormap::Magma => Self::Magma,
            Colormap::Gray => Self::Gray,
        }
    }
}

impl From<Method> for yolo_cam::Method {
    fn from(method: Method) -> Self {
        match method {
            Method::Gradcam => Self::GradCam,
            Method::GradcamPp => Self::GradCamPp,
            Method::Xgradcam => Self::XGradCam,
            Method::Hirescam => Self::HiResCam,
            Method::Elementwise => Self::ElementWise,
            Method::Layercam => Self::LayerCam,
            Method::Odam => Self::Odam,
            Method::Eigencam => Self::EigenCam,
            Method::Eigengradcam => Self::EigenGradCam,
            Method::Scorecam => Self::ScoreCam,
            Method::Ablationcam => Self::AblationCam,
            Method::DRise => Self::DRise,
            Method::Best => Self::Best,
        }
    }
}

impl From<Target> for yolo_cam::Target {
    fn from(target: Target) -> Self {
        match target {
            Target::Auto => Self::Auto,
            Target::Logit => Self::Logit,
            Target::Prob => Self::Prob,
            Target::Obj => Self::Obj,
            Target::Conf => Self::Conf,
            Target::X1 => Self::X1,
            Target::Y1 => Self::Y1,
            Target::X2 => Self::X2,
            Target::Y2 => Self::Y2,
            Target::W => Self::W,
            Target::H => Self::H,
            Target::Odam => Self::Odam,
        }
    }
}

/// Cells of a feature map; more than its width is a slip.
pub fn smooth(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(value) if (0.0..=100.0).contains(&value) => Ok(value),
        _ => Err("expected a number of cells from 0 to 100".into()),
    }
}

/// At most what a GPU of today can hold; more is a slip.
pub fn img_size() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=16_384)
}

pub fn corners(text: &str) -> Result<BBox, String> {
    let numbers: Option<Vec<f32>> = text.split(',').map(|number| number.trim().parse().ok()).collect();
    match numbers.as_deref() {
        Some(&[x1, y1, x2, y2]) if x1 < x2 && y1 < y2 && [x1, y1, x2, y2].iter().all(|side| side.is_finite()) => {
            Ok(BBox { x1, y1, x2, y2 })
        }
        _ => Err("expected four numbers X1,Y1,X2,Y2 with X1 < X2 and Y1 < Y2".into()),
    }
}

pub fn fraction(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(value) if (0.0..=1.0).contains(&value) => Ok(value),
        _ => Err("expected a number from 0 to 1".into()),
    }
}

pub fn device(text: &str) -> Result<Device> {
    let index = match text {
        "cpu" => return Ok(Device::Cpu),
        "cuda" => Some(0),
        _ => text.strip_prefix("cuda:").and_then(|index| index.parse::<usize>().ok()),
    };
    let Some(index) = index else { bail!("device {text:?} is unknown; expected cpu, cuda or cuda:N") };
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
