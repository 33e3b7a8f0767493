//! Flags that several commands have.

use std::{num::NonZeroU32, path::PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use tch::Device;
use yolo_cam::{
    Fuse, Method, Precision, Target,
    explain::{
        MethodOptions,
        methods::{AutoLayers, Setting},
    },
    families::Branch,
};

use super::{
    names::class_names,
    shard::{ShardArgs, ShardChoice},
    values::{device, fraction, img_size, smooth, target},
    words::Words,
};

#[derive(Debug, Args)]
pub struct ModelArgs {
    /// The model, recognised by its content or extension, and the pictures: short for --model-path and --img-path
    #[arg(value_name = "MODEL | PICTURES", allow_negative_numbers = true)]
    words: Vec<PathBuf>,
    /// A YOLO model, TorchScript or checkpoint, told by its content. If missing: the same name in weights/, then the same stem
    /// with .torchscript there; an official model (yolov5s.pt, yolov8n-seg.pt, yolo11n.pt, yolo26x.pt, ...) is downloaded
    /// [default: yolov5s.pt]
    #[arg(long, visible_aliases = ["weights", "model"], value_name = "FILE", help_heading = "Model")]
    model_path: Option<PathBuf>,
    #[command(flatten)]
    runtime: RuntimeArgs,
}

/// How models run.
#[derive(Debug, Args)]
pub struct RuntimeArgs {
    /// Which head to run of a model that has two: the one trained for one box per object, or the one for many [default: the one
    /// that the package version which wrote the file runs]
    #[arg(long, value_enum, help_heading = "Model")]
    branch: Option<Branch>,
    /// Download nothing: neither a model nor pictures
    #[arg(long, help_heading = "Model")]
    offline: bool,
    /// Run whatever code a TorchScript file contains, including code that reads and writes files. Use it only for files whose
    /// maker you trust; otherwise a file that does more than a detector needs is refused
    #[arg(long, help_heading = "Model")]
    trust_model: bool,
    /// Where to run: cpu, cuda, or cuda:N or N for one of several GPUs
    #[arg(long, default_value = "cpu", help_heading = "Model")]
    device: String,
    /// A YAML file of flags, such as conf-thres: 0.3; the command line takes precedence [default: yolo-cam.yaml in the folder of
    /// the pictures, or in the folder above it]
    #[arg(long, value_name = "FILE", help_heading = "Model")]
    config: Option<PathBuf>,
    /// Ignore any yolo-cam.yaml
    #[arg(long, conflicts_with = "config", help_heading = "Model")]
    no_config: bool,
    /// Threads of libtorch [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Model")]
    threads: Option<u16>,
}

/// Which pictures there are.
#[derive(Debug, Args)]
pub struct InputArgs {
    /// Class names in order, overriding the file's own: A,B or 'A' 'B', or a file: data.yaml, or a text with a name on each line
    #[arg(long, value_name = "A,B,...", num_args = 1.., help_heading = "Model")]
    names: Option<Vec<String>>,
    /// Pictures, videos, folders of them, https:// addresses of pictures, patterns such as 'site/*.jpg', @LIST for a file with one of these on each line, or -
    /// for such a list on stdin. Of videos (if ffmpeg is on the PATH) and animated GIFs all frames are taken [default: images/]
    #[arg(long, visible_alias = "source", value_name = "PATH", num_args = 1.., help_heading = "Input and output")]
    img_path: Vec<PathBuf>,
    /// Look into subfolders too; results go into subfolders of the same names
    #[arg(long, help_heading = "Input and output")]
    recursive: bool,
}

#[derive(Debug, Args)]
pub struct PictureArgs {
    #[command(flatten)]
    inputs: InputArgs,
    /// With --recursive: put all results directly into the output folder
    #[arg(long, requires = "recursive", help_heading = "Input and output")]
    flat: bool,
    /// Of videos and animations take only every N-th frame
    #[arg(
        long,
        visible_alias = "vid-stride",
        value_name = "N",
        default_value = "1",
        help_heading = "Input and output"
    )]
    every: NonZeroU32,
    /// Folder for the results, created if missing [default: outputs]
    #[arg(long, value_name = "DIR", help_heading = "Input and output")]
    output_dir: Option<PathBuf>,
    /// Together with --name, as in YOLO: write the results to DIR/NAME
    #[arg(long, value_name = "DIR", conflicts_with = "output_dir", help_heading = "Input and output")]
    project: Option<PathBuf>,
    /// The folder in --project [default: the project itself]
    #[arg(long, value_name = "NAME", requires = "project", help_heading = "Input and output")]
    name: Option<PathBuf>,
    #[command(flatten)]
    shard: ShardArgs,
}

#[derive(Debug, Args)]
pub struct DetectionArgs {
    /// Longest side of the network's input in pixels, rounded up to a multiple of the largest stride; of classifiers each side
    /// [default: 640, of classifiers 224, of static exports of the Ultralytics package their own size]
    #[arg(long, visible_aliases = ["imgsz", "img"], value_name = "PIXELS", value_parser = img_size, help_heading = "Detection")]
    img_size: Option<u32>,
    /// Least confidence of a box, or of a class of the whole picture [default: 0.4, none for classifiers]
    #[arg(long, visible_alias = "conf", value_name = "0..1", value_parser = fraction, help_heading = "Detection")]
    conf_thres: Option<f32>,
    /// Boxes of one class that overlap more than this (IoU) count as one [default: that of the model's own package: 0.45 for
    /// YOLOv5, 0.7 for later families, none for models that predict one box per object]
    #[arg(long, visible_alias = "iou", value_name = "0..1", value_parser = fraction, help_heading = "Detection")]
    iou_thres: Option<f32>,
    /// Most boxes in one picture [default: 300]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Detection")]
    max_det: Option<u32>,
    /// Explain only the most confident boxes, so many; of classifiers the most probable classes [default: all boxes, 5 classes]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Detection")]
    top: Option<u32>,
    /// Only these classes, by number or name [default: all]
    #[arg(long, value_name = "CLASS", num_args = 1.., value_delimiter = ',', help_heading = "Detection")]
    classes: Option<Vec<String>>,
    /// Let boxes of different classes suppress each other
    #[arg(long, help_heading = "Detection")]
    agnostic_nms: bool,
}

/// What methods take, whatever they are used for.
#[derive(Debug, Args)]
pub struct MethodArgs {
    /// What to explain about each box
    #[arg(long, value_name = "TARGET", value_parser = target(), ignore_case = true, default_value = Target::default().name, help_heading = "Explanation")]
    target: Target,
    /// Standard deviation of the Gaussian that smooths odam's gradients, in cells
    #[arg(long, value_name = "SIGMA", default_value_t = 0.0, value_parser = smooth, help_heading = "Explanation")]
    smooth: f32,
    /// How many random masks d-rise takes
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Explanation")]
    masks: u32,
    /// Let scorecam and ablationcam look only at so many channels, those that vary most [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Explanation")]
    max_channels: Option<u32>,
    /// Number format in which the network runs on changed pictures (d-rise, scorecam, --verify, deletion and insertion). bf16 is faster
    /// on processors that support it, and changes the figures slightly
    #[arg(long, value_enum, default_value_t, help_heading = "Explanation")]
    precision: Precision,
}

#[derive(Debug, Args)]
pub struct MessageArgs {
    /// Only warnings and errors
    #[arg(short, long, conflicts_with = "verbose", help_heading = "Messages")]
    quiet: bool,
    /// Also model facts and where the time went
    #[arg(short, long, help_heading = "Messages")]
    verbose: bool,
}

/// Where the model comes from and where it runs.
#[derive(Debug)]
pub struct ModelChoice {
    /// Whether the user named none.
    pub is_default: bool,
    /// As given: the file may stand elsewhere.
    pub path: PathBuf,
    pub offline: bool,
    /// `None`: as the version that wrote the file.
    pub branch: Option<Branch>,
    /// Whether a TorchScript file may run any code.
    pub trust: bool,
    pub device: Device,
    pub threads: Option<u16>,
    /// A file of settings that were taken.
    pub config: Option<PathBuf>,
}

/// Which pictures there are, and where results go.
#[derive(Debug)]
pub struct PictureChoice {
    pub names: Option<Vec<String>>,
    pub inputs: Vec<PathBuf>,
    pub recursive: bool,
    /// Whether results of folders within folders lie beside those of others.
    pub flat: bool,
    /// One frame in so many is taken.
    pub every: NonZeroU32,
    pub output_dir: PathBuf,
    /// Which part of the pictures this process has, if not all.
    pub shard: Option<ShardChoice>,
}

/// Which predictions become detections.
#[derive(Debug, Clone)]
pub struct DetectionChoice {
    /// `None`, here and below: the family's own.
    pub img_size: Option<u32>,
    pub conf_threshold: Option<f32>,
    pub iou_threshold: Option<f32>,
    pub max_det: Option<usize>,
    pub top: Option<usize>,
    /// Numbers or names.
    pub classes: Option<Vec<String>>,
    pub agnostic_nms: bool,
}

/// How much is said on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    Quiet,
    Normal,
    Verbose,
}

/// The model, unless the user names one.
const DEFAULT_MODEL: &str = "yolov5s.pt";

impl RuntimeArgs {
    /// A model that runs like this; `None` is the default one.
    pub fn choice(&self, path: Option<PathBuf>) -> Result<ModelChoice> {
        Ok(ModelChoice {
            is_default: path.is_none(),
            path: path.unwrap_or_else(|| DEFAULT_MODEL.into()),
            offline: self.offline,
            branch: self.branch,
            trust: self.trust_model,
            device: device(&self.device)?,
            threads: self.threads,
            config: self.config.clone(),
        })
    }
}

impl ModelArgs {
    /// What is said without a flag.
    pub fn words(&self) -> &[PathBuf] {
        &self.words
    }

    /// Another model that runs like this one.
    pub fn another(&self, path: PathBuf) -> Result<ModelChoice> {
        self.runtime.choice(Some(path))
    }

    /// The model, and what else is said without a flag.
    pub fn validated(self) -> Result<(ModelChoice, Words)> {
        let mut words = Words::read(self.words)?;
        let model = words.model.take();
        let path = match (self.model_path, model) {
            (Some(path), Some(other)) => bail!("{other:?} and --model-path {path:?} are both models; a run takes one"),
            (path, model) => path.or(model),
        };
        Ok((self.runtime.choice(path)?, words))
    }

    /// The model of a command that takes no pictures.
    pub fn alone(self, command: &str) -> Result<ModelChoice> {
        match self.validated()? {
            (choice, Words { inputs, numbers, .. }) if inputs.is_empty() && numbers.is_empty() => Ok(choice),
            (_, Words { inputs, numbers, .. }) => {
                let other = inputs.into_iter().chain(numbers.into_iter().map(PathBuf::from)).next().unwrap_or_default();
                bail!("'yolo-cam {command}' takes a model alone, and {other:?} is none")
            }
        }
    }
}

/// Where pictures are, and where results go, unless the user says.
pub const DEFAULT_INPUT: &str = "images/";
const DEFAULT_OUTPUT: &str = "outputs";

impl InputArgs {
    /// Whether the user says which pictures there are, with a flag or without.
    pub fn names_pictures(&self, words: &Words) -> bool {
        !self.img_path.is_empty() || !words.inputs.is_empty()
    }

    /// With results in the usual folder. `words`: what is said without a flag.
    pub fn validated(self, words: Words) -> Result<PictureChoice> {
        words.no_numbers_left()?;
        let mut inputs = [words.inputs, self.img_path].concat();
        if inputs.is_empty() {
            inputs.push(DEFAULT_INPUT.into());
        }
        Ok(PictureChoice {
            names: self.names.as_deref().map(class_names).transpose()?,
            inputs,
            recursive: self.recursive,
            flat: false,
            every: NonZeroU32::MIN,
            output_dir: DEFAULT_OUTPUT.into(),
            shard: None,
        })
    }
}

impl PictureArgs {
    /// Whether the user says which pictures there are, with a flag or without.
    pub fn names_pictures(&self, words: &Words) -> bool {
        self.inputs.names_pictures(words)
    }

    /// `words`: what is said without a flag.
    pub fn validated(self, words: Words) -> Result<PictureChoice> {
        let of_project = self.project.map(|project| match &self.name {
            Some(name) => project.join(name),
            None => project,
        });
        let usual = self.inputs.validated(words)?;
        let output_dir = self.output_dir.or(of_project).unwrap_or(usual.output_dir);
        let shard = self.shard.validated()?;
        Ok(PictureChoice { flat: self.flat, every: self.every, output_dir, shard, ..usual })
    }
}

impl DetectionChoice {
    /// The same for boxes of any class.
    pub fn of_any_class(&self) -> Self {
        Self { classes: None, ..self.clone() }
    }
}

impl From<DetectionArgs> for DetectionChoice {
    fn from(args: DetectionArgs) -> Self {
        Self {
            img_size: args.img_size,
            conf_threshold: args.conf_thres,
            iou_threshold: args.iou_thres,
            max_det: args.max_det.map(|most| most as usize),
            top: args.top.map(|top| top as usize),
            classes: args.classes.map(trimmed),
            agnostic_nms: args.agnostic_nms,
        }
    }
}

impl MethodArgs {
    /// The target, and the options with what commands have by themselves.
    pub fn split(self, seed: u64, batch: usize) -> (Target, MethodOptions) {
        let options = MethodOptions::default()
            .with_smooth(self.smooth)
            .with_masks(self.masks as usize)
            .with_seed(seed)
            .with_max_channels(self.max_channels.map(|channels| channels as usize))
            .with_batch(batch)
            .with_precision(self.precision);
        (self.target, options)
    }
}

impl From<MessageArgs> for Verbosity {
    fn from(args: MessageArgs) -> Self {
        match (args.quiet, args.verbose) {
            (true, _) => Self::Quiet,
            (_, true) => Self::Verbose,
            _ => Self::Normal,
        }
    }
}

/// Those of a list whose name no earlier one has.
pub fn each_once<T>(list: Vec<T>, name: impl Fn(&T) -> &'static str) -> Vec<T> {
    let mut wanted: Vec<T> = Vec::new();
    for item in list {
        if wanted.iter().all(|other| name(other) != name(&item)) {
            wanted.push(item);
        }
    }
    wanted
}

pub fn trimmed(list: Vec<String>) -> Vec<String> {
    list.iter().map(|item| item.trim().to_owned()).collect()
}

/// The layers that `--target-layer` names; `None` for `auto`.
pub fn target_layers(names: Vec<String>) -> Result<Option<Vec<String>>> {
    let names = trimmed(names);
    match names.as_slice() {
        [only] if only == "auto" => Ok(None),
        layers if layers.iter().any(|layer| layer == "auto") => {
            bail!("--target-layer takes auto or names of layers, not both")
        }
        _ => Ok(Some(names)),
    }
}

/// Whether a method goes with the target, the layers and the options.
pub fn check_method(
    method: Method,
    target: Target,
    layers: Option<&[String]>,
    options: &MethodOptions,
) -> Result<Method> {
    let name = method.name;
    if method.runs_again() && !target.is_class_logit() {
        bail!("--target needs a gradient, which --method {name} does without: it tracks the confidence");
    }
    match method.preset_of {
        _ if layers.is_none() => {}
        Some(other) => {
            bail!("--method {name} brings its layers along; leave --target-layer out, or take --method {other}")
        }
        None if method.auto_layers == AutoLayers::None => {
            bail!("--method {name} looks at the picture, not at a layer; leave --target-layer out")
        }
        None => {}
    }
    if options.smooth > 0.0 && !method.takes(Setting::Smooth) {
        bail!("--smooth is for {} only", smoothing_methods());
    }
    Ok(method)
}

/// The flags with which an explanation has the maps of `method` at `layers`: `auto`, or paths joined by commas.
pub fn method_flags(method: Method, layers: &str, target: Target, fuse: Fuse, own: &MethodOptions) -> String {
    let has_several = matches!(method.auto_layers, AutoLayers::DeepBackbone | AutoLayers::WholeBackbone);
    let is_fused = layers.contains(',') || (layers == "auto" && has_several);
    let mut flags = vec![format!("--method {}", method.name)];
    let mut add = |applies: bool, flag: String| {
        if applies {
            flags.push(flag);
        }
    };
    add(layers != "auto", format!("--target-layer {layers}"));
    add(target != Target::default(), format!("--target {}", target.name));
    add(is_fused && fuse != Fuse::default(), format!("--fuse {}", fuse.name()));
    flags.extend(setting_flags(method, own).into_iter().map(|(name, value)| format!("--{name} {value}")));
    flags.join(" ")
}

/// Names and values of the flags that set what a method takes, where that is not as usual.
pub fn setting_flags(method: Method, own: &MethodOptions) -> Vec<(&'static str, String)> {
    let plain = MethodOptions::default();
    let flag = |&setting: &Setting| match setting {
        Setting::Smooth => (own.smooth != plain.smooth).then(|| ("smooth", own.smooth.to_string())),
        Setting::Masks => (own.masks != plain.masks).then(|| ("masks", own.masks.to_string())),
        Setting::Seed => (own.seed != plain.seed).then(|| ("seed", own.seed.to_string())),
        Setting::MaxChannels => own.max_channels.map(|most| ("max-channels", most.to_string())),
        Setting::Precision => {
            (own.precision != plain.precision).then(|| ("precision", own.precision.name().to_owned()))
        }
    };
    method.settings.iter().filter_map(flag).collect()
}

/// Whether there are changed pictures that a precision can be chosen for.
pub fn check_precision(options: &MethodOptions, method: Method, verifies: bool) -> Result<()> {
    if options.precision != Precision::default() && !verifies && !method.takes(Setting::Precision) {
        bail!(
            "--precision is for changed pictures, which --method {} does without; leave it out, or add --verify",
            method.name
        );
    }
    Ok(())
}

/// `--method odam`.
fn smoothing_methods() -> String {
    let smooth = Method::all().into_iter().filter(|method| method.takes(Setting::Smooth));
    smooth.map(|method| format!("--method {}", method.name)).collect::<Vec<_>>().join(" or ")
}
