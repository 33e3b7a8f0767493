//! The command line's flags, made into validated options. clap's types stop here.

use std::{num::NonZeroU32, path::PathBuf};

use anyhow::{Result, bail};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use tch::Device;
use yolo_cam::{
    explain::{Grouping, MapSize},
    geometry::BBox,
    render::{self, RenderOptions},
    report::RawFormat,
    shape::{ShapeOptions, Threshold},
};

/// The program's.
const NAME: &str = "yolo-cam";

#[derive(Debug, Parser)]
#[command(name = NAME, version, about, args_conflicts_with_subcommands = true, max_term_width = 100)]
#[command(after_help = "\
Examples:
  yolo-cam --model-path yolov5s.pt --img-path images/cat-dog.jpg
  yolo-cam --model-path best.torchscript --names helmet,vest --img-path site/ --report json
  yolo-cam --img-path images/dog.jpg --box 60,100,500,420 --class person
  yolo-cam layers --model-path best.torchscript
  yolo-cam export --model-path best.pt --output best.torchscript

Exit codes: 0 all fine; 1 some pictures failed, the others are done; 2 wrong use or unusable model.")]
/// Shows what a YOLOv5 detector looked at: for every box that it draws, a heatmap of what made it say so
pub struct Cli {
    #[command(subcommand)]
    command: Option<Subcommands>,
    #[command(flatten)]
    explain: ExplainArgs,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// List the layers that --target-layer takes: path, class, output shape, stride, and the heads that see it
    Layers(LayersArgs),
    /// List the methods that --method takes: what they need, what they cost, where they come from
    Methods,
    /// Save a checkpoint as TorchScript, as YOLOv5's export.py does: decoded boxes, names and stride in config.txt
    Export(ExportArgs),
    /// Describe the largest region of masks or maps: contour, convex hull, moments, Fourier descriptors
    Shape(ShapeCommandArgs),
    /// Print a script that completes commands and flags in a shell
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print the manual page of the program or of one of its commands, for man(1)
    Man {
        /// The command
        command: Option<String>,
    },
}

#[derive(Debug, Args)]
struct ExportArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// The file to write [default: the model's, with .torchscript]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Side of the input that the file says it is for, in pixels, rounded up to a multiple of the largest stride; it
    /// runs at any other too
    #[arg(long, value_name = "PIXELS", default_value_t = 640, value_parser = img_size())]
    img_size: u32,
    /// Weights of 16 bits: half the size
    #[arg(long)]
    half: bool,
}

#[derive(Debug, Args)]
struct LayersArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// Longest side of the input for which shapes are shown, in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 640, value_parser = img_size())]
    img_size: u32,
}

#[derive(Debug, Args)]
struct ModelArgs {
    /// A YOLOv5 model, TorchScript or checkpoint, told by its content. If missing: the same name in weights/, then the
    /// same stem with .torchscript there; an official model (yolov5n, s, m, l, x, with 6 or -seg behind) is downloaded
    #[arg(long, value_name = "FILE", default_value = "yolov5s.pt", help_heading = "Model")]
    model_path: PathBuf,
    /// Download nothing
    #[arg(long, help_heading = "Model")]
    offline: bool,
    /// Where to run: cpu, cuda or cuda:N
    #[arg(long, default_value = "cpu", help_heading = "Model")]
    device: String,
    /// Threads of libtorch [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Model")]
    threads: Option<u16>,
}

#[derive(Debug, Args)]
struct ExplainArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// Class names in order, overriding the file's own
    #[arg(long, value_name = "A,B,...", value_delimiter = ',', help_heading = "Model")]
    names: Option<Vec<String>>,

    /// Pictures, videos, folders of them, patterns such as 'site/*.jpg', @LIST for a file with one of these on each line, or
    /// - for such a list on stdin. Of videos (if ffmpeg is on the PATH) and animated GIFs all frames are taken
    #[arg(long, value_name = "PATH", num_args = 1.., default_value = "images/", help_heading = "Input and output")]
    img_path: Vec<PathBuf>,
    /// Folder for the results, created if missing
    #[arg(long, value_name = "DIR", default_value = "outputs", help_heading = "Input and output")]
    output_dir: PathBuf,
    /// Look into the folders within folders too
    #[arg(long, help_heading = "Input and output")]
    recursive: bool,
    /// Of videos and animations take only every N-th frame
    #[arg(long, value_name = "N", default_value = "1", help_heading = "Input and output")]
    every: NonZeroU32,
    /// A panel for each box, or for all boxes of a class with the largest of their maps
    #[arg(long, value_enum, default_value_t = Per::Box, help_heading = "Input and output")]
    per: Per,
    /// One panel for all boxes, with the largest of their maps
    #[arg(long, conflicts_with = "per", help_heading = "Input and output")]
    merged: bool,
    /// Also write each map as numbers: npy (f32), png16 (65535 is the map's largest value) or tiff (f32); and the JSON
    /// report, which says where their cells lie
    #[arg(long, value_name = "FORMAT", value_enum, num_args = 0..=1, default_missing_value = "npy", help_heading = "Input and output")]
    raw: Option<Raw>,
    /// Resolution of these maps: that of the layer, of the network's input, or of the picture
    #[arg(long, value_enum, default_value_t = RawSize::Feature, requires = "raw", help_heading = "Input and output")]
    raw_size: RawSize,
    /// Also write reports: json (STEM-res.json for each picture), csv (report.csv, a row for each
    /// box), html (report.html, a gallery; its pictures are in report-files/)
    #[arg(long, value_name = "FORMATS", value_enum, value_delimiter = ',', help_heading = "Input and output")]
    report: Vec<Report>,
    /// Tell of each picture in a line of JSON on stdout
    #[arg(long, help_heading = "Input and output")]
    json_lines: bool,
    /// Leave out pictures whose results are there: goes on where an earlier run was stopped
    #[arg(long, help_heading = "Input and output")]
    skip_existing: bool,
    /// Only list the pictures and what their results would be called
    #[arg(long, help_heading = "Input and output")]
    dry_run: bool,
    /// Pictures that are explained at the same time [default: as suits the cores, at most 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64), help_heading = "Input and output")]
    jobs: Option<u16>,

    /// panels: the network's input, then a panel for each box; overlay: a picture for each box at the picture's own resolution,
    /// STEM-res-INDEX; sheet: tiles in rows; side: the picture, and beside it the same with all boxes
    #[arg(long, value_enum, default_value_t = Layout::Panels, help_heading = "Drawing")]
    layout: Layout,
    /// Heat inside the boxes, or all over the picture [default: box for panels and sheet, full for overlay and side]
    #[arg(long, value_enum, help_heading = "Drawing")]
    heat: Option<HeatArea>,
    /// What is hottest: the peak of each box's own map, or the largest of all boxes of the picture
    #[arg(long, value_enum, default_value_t = Normalize::Box, help_heading = "Drawing")]
    normalize: Normalize,
    /// How heat becomes colour
    #[arg(long, value_enum, default_value_t = Colormap::Jet, help_heading = "Drawing")]
    colormap: Colormap,
    /// A bar on the right that tells which colour stands for how much
    #[arg(long, help_heading = "Drawing")]
    colorbar: bool,
    /// Share of the heat's colour
    #[arg(long, value_name = "0..1", default_value_t = 0.5, value_parser = fraction, help_heading = "Drawing")]
    alpha: f32,
    /// Heat below this is not drawn
    #[arg(long, value_name = "0..1", default_value_t = 0.0, value_parser = fraction, help_heading = "Drawing")]
    threshold: f32,
    /// Boxes without class and confidence
    #[arg(long, help_heading = "Drawing")]
    no_labels: bool,
    /// Thickness of the boxes' lines in pixels [default: 1/320 of the picture's longest side]
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Drawing")]
    line_width: Option<u16>,
    /// Format of the result pictures [default: that of the input]
    #[arg(long, value_enum, help_heading = "Drawing")]
    format: Option<Format>,
    /// Quality of JPEG results; the other formats lose nothing
    #[arg(long, value_name = "1..100", default_value_t = yolo_cam::report::DEFAULT_QUALITY, value_parser = clap::value_parser!(u8).range(1..=100), help_heading = "Drawing")]
    quality: u8,

    /// Layers to explain at: auto (what suits the method), or names such as model_23_cv3_act, model.23.cv3.act or 23,
    /// separated by commas
    #[arg(long, value_name = "LAYERS", value_delimiter = ',', default_value = "auto", help_heading = "Explanation")]
    target_layer: Vec<String>,
    /// How the maps of several layers are joined; none: a result for each
    #[arg(long, value_enum, default_value_t = Fuse::Mean, help_heading = "Explanation")]
    fuse: Fuse,
    /// How activations and gradients become a map; 'yolo-cam methods' tells more
    #[arg(long, value_enum, default_value_t = Method::Gradcam, help_heading = "Explanation")]
    method: Method,
    /// What is explained of a box: its class (logit, prob), objectness (obj), both (conf), an edge in pixels (x1, y1, x2,
    /// y2), its size (w, h), or all edges and the class at once (odam)
    #[arg(long, value_enum, default_value_t = Target::Logit, help_heading = "Explanation")]
    target: Target,
    /// Explain why the box's class rather than this one (number or name): the logit of this is subtracted
    #[arg(long, value_name = "CLASS", help_heading = "Explanation")]
    contrast: Option<String>,
    /// Standard deviation of the Gaussian that smooths odam's gradients, in cells
    #[arg(long, value_name = "SIGMA", default_value_t = 0.0, value_parser = smooth, help_heading = "Explanation")]
    smooth: f32,
    /// How many random masks d-rise takes
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Explanation")]
    masks: u32,
    /// Which random masks d-rise takes: the same seed gives the same map
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Explanation")]
    seed: u64,
    /// Let scorecam and ablationcam look only at so many channels, those that vary most [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Explanation")]
    max_channels: Option<u32>,
    /// How many changed pictures scorecam, ablationcam and d-rise run at once
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..), help_heading = "Explanation")]
    batch: u16,

    /// Longest side of the network's input in pixels, rounded up to a multiple of the largest stride
    #[arg(long, value_name = "PIXELS", default_value_t = 640, value_parser = img_size(), help_heading = "Detection")]
    img_size: u32,
    /// Least confidence of a box
    #[arg(long, value_name = "0..1", default_value_t = 0.4, value_parser = fraction, help_heading = "Detection")]
    conf_thres: f32,
    /// Boxes of one class that overlap more than this (IoU) count as one
    #[arg(long, value_name = "0..1", default_value_t = 0.45, value_parser = fraction, help_heading = "Detection")]
    iou_thres: f32,
    /// Most boxes in one picture
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Detection")]
    max_det: u32,
    /// Explain only the most confident boxes, so many
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Detection")]
    top: Option<u32>,
    /// Explain the best prediction for this box (corners in pixels of the picture) instead of the detections, however low
    /// its confidence: why was this missed? Needs --class
    #[arg(long = "box", value_name = "X1,Y1,X2,Y2", allow_hyphen_values = true, value_parser = corners, requires = "class", help_heading = "Detection")]
    query: Option<BBox>,
    /// The class, number or name, that the box of --box should have
    #[arg(long, value_name = "CLASS", requires = "query", help_heading = "Detection")]
    class: Option<String>,
    /// Only these classes, by number or name [default: all]
    #[arg(long, value_name = "CLASS", num_args = 1.., value_delimiter = ',', help_heading = "Detection")]
    classes: Option<Vec<String>>,
    /// Let boxes of different classes suppress each other
    #[arg(long, help_heading = "Detection")]
    agnostic_nms: bool,

    /// Describe the region that each map lights up: numbers in the reports, STEM-shape.png with contour, hull and spectrum
    #[arg(long, help_heading = "Shape")]
    shape: bool,
    #[command(flatten)]
    shape_args: ShapeArgs,

    /// Only warnings and errors
    #[arg(short, long, conflicts_with = "verbose", help_heading = "Messages")]
    quiet: bool,
    /// Also model facts and where the time went
    #[arg(short, long, help_heading = "Messages")]
    verbose: bool,
}

/// How shapes are measured.
#[derive(Debug, Args)]
struct ShapeArgs {
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
        Self {
            threshold: args.shape_threshold,
            descriptors: args.descriptors.into(),
            reconstruct: args.reconstruct.into(),
            spectrum: args.spectrum.into(),
        }
    }
}

#[derive(Debug, Args)]
struct ShapeCommandArgs {
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

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Per {
    Box,
    Class,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Report {
    Json,
    Csv,
    Html,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Raw {
    Npy,
    Png16,
    Tiff,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RawSize {
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
enum HeatArea {
    Box,
    Full,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Normalize {
    Box,
    Image,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Colormap {
    Jet,
    Turbo,
    Viridis,
    Inferno,
    Magma,
    Gray,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Jpg,
    Png,
    Webp,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Method {
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
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Target {
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

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Fuse {
    Mean,
    Max,
    Product,
    None,
}

/// What is to be done.
#[derive(Debug)]
pub enum Command {
    /// Explain pictures.
    Explain(Box<ExplainCommand>),
    /// List layers.
    Layers(LayersCommand),
    /// List methods.
    Methods,
    /// Save as TorchScript.
    Export(ExportCommand),
    /// Measure shapes in files.
    Shape(ShapeCommand),
    /// Write a text to stdout.
    Print(Vec<u8>),
}

/// Where the model comes from and where it runs.
#[derive(Debug)]
pub struct ModelChoice {
    /// As given: the file may stand elsewhere.
    pub path: PathBuf,
    pub offline: bool,
    pub device: Device,
    pub threads: Option<u16>,
}

#[derive(Debug)]
pub struct ExportCommand {
    pub model: ModelChoice,
    /// `None`: beside the model.
    pub output: Option<PathBuf>,
    pub img_size: u32,
    pub half: bool,
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

#[derive(Debug)]
pub struct LayersCommand {
    pub model: ModelChoice,
    pub img_size: u32,
}

#[derive(Debug)]
pub struct ExplainCommand {
    pub model: ModelChoice,
    pub names: Option<Vec<String>>,
    pub inputs: Vec<PathBuf>,
    pub recursive: bool,
    /// Every how many-th frame is taken.
    pub every: NonZeroU32,
    pub output_dir: PathBuf,
    /// Format and resolution of raw maps, if they are wanted.
    pub raw: Option<(RawFormat, MapSize)>,
    pub reports: Reports,
    pub json_lines: bool,
    pub skip_existing: bool,
    pub dry_run: bool,
    /// `None`: as suits the cores.
    pub jobs: Option<u16>,
    pub layout: Layout,
    pub render: RenderOptions,
    /// Extension of the result pictures; `None`: that of the input.
    pub format: Option<&'static str>,
    pub quality: u8,
    /// `None`: shapes are not measured.
    pub shape: Option<ShapeOptions>,
    /// `None` is `auto`.
    pub target_layers: Option<Vec<String>>,
    /// `None`: a result for each layer.
    pub fuse: Option<yolo_cam::Fuse>,
    pub method: yolo_cam::Method,
    pub target: yolo_cam::Target,
    /// Number or name.
    pub contrast: Option<String>,
    pub method_options: yolo_cam::explain::MethodOptions,
    pub img_size: u32,
    pub conf_threshold: f32,
    pub iou_threshold: f32,
    pub max_det: usize,
    pub top: Option<usize>,
    /// A box in pixels of the picture, and its class by number or name.
    pub query: Option<(BBox, String)>,
    /// Numbers or names.
    pub classes: Option<Vec<String>>,
    pub agnostic_nms: bool,
    pub verbosity: Verbosity,
}

/// Which reports are wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reports {
    pub json: bool,
    pub csv: bool,
    pub html: bool,
}

/// How much is said on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    Quiet,
    Normal,
    Verbose,
}

impl Cli {
    /// The validated options.
    ///
    /// # Errors
    /// If a value means nothing, or libtorch has no such device.
    pub fn into_command(self) -> Result<Command> {
        match self.command {
            Some(Subcommands::Layers(args)) => {
                Ok(Command::Layers(LayersCommand { model: args.model.validated()?, img_size: args.img_size }))
            }
            Some(Subcommands::Methods) => Ok(Command::Methods),
            Some(Subcommands::Export(args)) => Ok(Command::Export(ExportCommand {
                model: args.model.validated()?,
                output: args.output,
                img_size: args.img_size,
                half: args.half,
            })),
            Some(Subcommands::Shape(args)) => args.validated().map(Command::Shape),
            Some(Subcommands::Completions { shell }) => {
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut Self::command(), NAME, &mut script);
                Ok(Command::Print(script))
            }
            Some(Subcommands::Man { command }) => manual_page(command.as_deref()).map(Command::Print),
            None => self.explain.validated().map(Box::new).map(Command::Explain),
        }
    }
}

/// In roff.
fn manual_page(command: Option<&str>) -> Result<Vec<u8>> {
    let mut program = Cli::command();
    // Gives subcommands their full names.
    program.build();
    let page = match command {
        None => program,
        Some(name) => match program.find_subcommand(name) {
            Some(command) => command.clone().display_name(format!("{NAME}-{name}")),
            None => {
                let names: Vec<&str> = program.get_subcommands().map(clap::Command::get_name).collect();
                bail!("command {name:?} not found; the commands are: {}", names.join(", "))
            }
        },
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page).render(&mut text)?;
    Ok(text)
}

impl ShapeCommandArgs {
    fn validated(self) -> Result<ShapeCommand> {
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

impl ModelArgs {
    fn validated(self) -> Result<ModelChoice> {
        Ok(ModelChoice {
            path: self.model_path,
            offline: self.offline,
            device: device(&self.device)?,
            threads: self.threads,
        })
    }
}

impl ExplainArgs {
    fn validated(self) -> Result<ExplainCommand> {
        let trimmed = |list: Vec<String>| list.iter().map(|item| item.trim().to_owned()).collect::<Vec<_>>();
        let names = self.names.map(trimmed);
        if names.as_ref().is_some_and(|names| names.iter().any(String::is_empty)) {
            bail!("--names has an empty name; expected names separated by single commas");
        }
        let target_layer = trimmed(self.target_layer);
        let target_layers = match target_layer.as_slice() {
            [only] if only == "auto" => None,
            layers if layers.iter().any(|layer| layer == "auto") => {
                bail!("--target-layer takes auto or names of layers, not both")
            }
            _ => Some(target_layer),
        };
        if self.contrast.is_some() && !matches!(self.target, Target::Logit) {
            bail!("--contrast compares class logits; take --target logit with it");
        }
        let is_forwards = matches!(self.method, Method::Scorecam | Method::Ablationcam | Method::DRise);
        if is_forwards && (self.contrast.is_some() || !matches!(self.target, Target::Logit)) {
            bail!(
                "--target and --contrast need a gradient, which this --method does without: it tracks the confidence"
            );
        }
        if matches!(self.method, Method::DRise) && target_layers.is_some() {
            bail!("--method d-rise looks at the picture, not at a layer; leave --target-layer out");
        }
        if self.smooth > 0.0 && !matches!(self.method, Method::Odam) {
            bail!("--smooth is for --method odam only");
        }
        Ok(ExplainCommand {
            model: self.model.validated()?,
            names,
            inputs: self.img_path,
            recursive: self.recursive,
            every: self.every,
            output_dir: self.output_dir,
            raw: self.raw.map(|format| (format.into(), self.raw_size.into())),
            reports: Reports {
                // It says where the cells of raw maps lie.
                json: self.raw.is_some() || self.report.iter().any(|report| matches!(report, Report::Json)),
                csv: self.report.iter().any(|report| matches!(report, Report::Csv)),
                html: self.report.iter().any(|report| matches!(report, Report::Html)),
            },
            json_lines: self.json_lines,
            skip_existing: self.skip_existing,
            dry_run: self.dry_run,
            jobs: self.jobs,
            layout: self.layout,
            render: RenderOptions {
                grouping: match (self.merged, self.per) {
                    (true, _) => Grouping::All,
                    (false, Per::Class) => Grouping::Class,
                    (false, Per::Box) => Grouping::Box,
                },
                heat: match (self.heat, self.layout) {
                    (Some(HeatArea::Box), _) | (None, Layout::Panels | Layout::Sheet) => render::HeatArea::Box,
                    (Some(HeatArea::Full), _) | (None, Layout::Overlay | Layout::Side) => render::HeatArea::Full,
                },
                normalize: match self.normalize {
                    Normalize::Box => yolo_cam::explain::Normalize::Box,
                    Normalize::Image => yolo_cam::explain::Normalize::Image,
                },
                colormap: self.colormap.into(),
                alpha: self.alpha,
                threshold: self.threshold,
                labels: !self.no_labels,
                colorbar: self.colorbar,
                line_width: self.line_width.map(u32::from),
                ..RenderOptions::default()
            },
            format: self.format.map(|format| match format {
                Format::Jpg => "jpg",
                Format::Png => "png",
                Format::Webp => "webp",
            }),
            quality: self.quality,
            shape: self.shape.then(|| self.shape_args.into()),
            target_layers,
            fuse: match self.fuse {
                Fuse::Mean => Some(yolo_cam::Fuse::Mean),
                Fuse::Max => Some(yolo_cam::Fuse::Max),
                Fuse::Product => Some(yolo_cam::Fuse::Product),
                Fuse::None => None,
            },
            method: self.method.into(),
            target: self.target.into(),
            contrast: self.contrast,
            method_options: yolo_cam::explain::MethodOptions {
                smooth: self.smooth,
                masks: self.masks as usize,
                seed: self.seed,
                max_channels: self.max_channels.map(|channels| channels as usize),
                batch: self.batch.into(),
            },
            img_size: self.img_size,
            conf_threshold: self.conf_thres,
            iou_threshold: self.iou_thres,
            max_det: self.max_det as usize,
            top: self.top.map(|top| top as usize),
            query: self.query.zip(self.class.map(|class| class.trim().to_owned())),
            classes: self.classes.map(trimmed),
            agnostic_nms: self.agnostic_nms,
            verbosity: match (self.quiet, self.verbose) {
                (true, _) => Verbosity::Quiet,
                (_, true) => Verbosity::Verbose,
                _ => Verbosity::Normal,
            },
        })
    }
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
        }
    }
}

impl From<Target> for yolo_cam::Target {
    fn from(target: Target) -> Self {
        match target {
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
fn smooth(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(value) if (0.0..=100.0).contains(&value) => Ok(value),
        _ => Err("expected a number of cells from 0 to 100".into()),
    }
}

/// At most what a GPU of today can hold; more is a slip.
fn img_size() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=16_384)
}

fn corners(text: &str) -> Result<BBox, String> {
    let numbers: Option<Vec<f32>> = text.split(',').map(|number| number.trim().parse().ok()).collect();
    match numbers.as_deref() {
        Some(&[x1, y1, x2, y2]) if x1 < x2 && y1 < y2 && [x1, y1, x2, y2].iter().all(|side| side.is_finite()) => {
            Ok(BBox { x1, y1, x2, y2 })
        }
        _ => Err("expected four numbers X1,Y1,X2,Y2 with X1 < X2 and Y1 < Y2".into()),
    }
}

fn shape_threshold(text: &str) -> Result<Threshold, String> {
    match text.parse() {
        _ if text == "otsu" => Ok(Threshold::Otsu),
        Ok(share) if share > 0.0 && share <= 1.0 => Ok(Threshold::Share(share)),
        _ => Err("expected a number above 0 and up to 1, or otsu".into()),
    }
}

fn fraction(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(value) if (0.0..=1.0).contains(&value) => Ok(value),
        _ => Err("expected a number from 0 to 1".into()),
    }
}

fn device(text: &str) -> Result<Device> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn explain(args: &[&str]) -> Result<ExplainCommand> {
        match Cli::try_parse_from([&["yolo-cam"], args].concat())?.into_command()? {
            Command::Explain(command) => Ok(*command),
            _ => bail!("not explain"),
        }
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_known_tools_flags_are_taken() {
        let command = explain(&[
            "--model-path",
            "best.pt",
            "--img-path",
            "a.jpg",
            "b/",
            "--output-dir",
            "out",
            "--img-size",
            "320",
            "--target-layer",
            "model_23_cv3_act",
            "--method",
            "gradcam",
            "--device",
            "cpu",
            "--names",
            "helmet, vest",
        ])
        .unwrap();
        assert_eq!(command.inputs, [PathBuf::from("a.jpg"), PathBuf::from("b/")]);
        assert_eq!(command.names.unwrap(), ["helmet", "vest"]);
        assert_eq!(command.target_layers.unwrap(), ["model_23_cv3_act"]);
        assert_eq!(command.img_size, 320);
    }

    #[test]
    fn defaults_are_those_of_the_documentation() {
        let command = explain(&[]).unwrap();
        assert_eq!(command.model.path, PathBuf::from("yolov5s.pt"));
        assert_eq!(command.inputs, [PathBuf::from("images/")]);
        assert_eq!(command.output_dir, PathBuf::from("outputs"));
        assert_eq!((command.conf_threshold, command.iou_threshold, command.max_det), (0.4, 0.45, 300));
        assert_eq!(command.target_layers, None);
        assert_eq!(command.verbosity, Verbosity::Normal);
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for args in [
            ["--conf-thres", "1.5"],
            ["--iou-thres", "x"],
            ["--conf-thres", "NaN"],
            ["--img-size", "0"],
            ["--max-det", "0"],
            ["--threads", "0"],
            ["--device", "tpu"],
            ["--device", "cuda:x"],
            ["--names", "a,,b"],
        ] {
            assert!(explain(&args).is_err(), "{args:?}");
        }
    }
}
