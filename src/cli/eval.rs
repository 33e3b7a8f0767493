//! Measuring maps: `eval` one method, `compare` several.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use yolo_cam::{
    Fuse, Method, Target,
    eval::{CurveOptions, Protocol},
    explain::{MethodOptions, methods::Setting},
};

use super::{
    shared::{
        DetectionArgs, DetectionChoice, MessageArgs, MethodArgs, ModelArgs, ModelChoice, PictureArgs, PictureChoice,
        Verbosity, check_method, method_flags, target_layers, trimmed,
    },
    values::{Joining, joining, method},
};

#[derive(Debug, Args)]
pub struct EvalArgs {
    /// The method; 'yolo-cam methods' tells more
    #[arg(long, value_name = "METHOD", value_parser = method(), ignore_case = true, default_value = Method::default().name, help_heading = "Explanation")]
    method: Method,
    /// Layers to explain at: auto, or names separated by commas, whose maps are fused
    #[arg(long, value_name = "LAYERS", value_delimiter = ',', default_value = "auto", help_heading = "Explanation")]
    target_layer: Vec<String>,
    /// Also tell what the maps depend on: randomise the weights from the head down, module by module; swap classes in the
    /// head; compare the maps of different boxes
    #[arg(long, help_heading = "Evaluation")]
    sanity: bool,
    #[command(flatten)]
    measure: MeasureArgs,
}

#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The methods
    #[arg(
        long,
        value_name = "A,B,...",
        value_parser = method(),
        ignore_case = true,
        value_delimiter = ',',
        default_value = "gradcam,gradcam++,xgradcam,hirescam,elementwise,layercam,ssgradcam++,eigencam,eigengradcam,best",
        help_heading = "Explanation"
    )]
    methods: Vec<Method>,
    /// Where each of them looks: auto, or a layer; several whose maps are fused are joined by +: model.9+model.6+model.4
    #[arg(long, value_name = "A,B,...", value_delimiter = ',', default_value = "auto", help_heading = "Explanation")]
    layers: Vec<String>,
    #[command(flatten)]
    measure: MeasureArgs,
}

/// What both commands take.
#[derive(Debug, Args)]
struct MeasureArgs {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    pictures: PictureArgs,
    /// Where the objects really are: a folder of YOLO's text files, or a JSON file of COCO [default: the model's own boxes]
    #[arg(long, value_name = "PATH", help_heading = "Input and output")]
    labels: Option<PathBuf>,
    /// Also measure the maps that another program made: STEM-res-INDEX.npy in this folder for a box, or STEM.npy for all boxes
    /// of a picture; grey .png too. May be given several times
    #[arg(long, value_name = "DIR", help_heading = "Input and output")]
    maps: Vec<PathBuf>,
    /// Go on where an earlier run into the same folder was stopped, or add to it
    #[arg(long, help_heading = "Input and output")]
    skip_existing: bool,
    /// How deletion and insertion are measured
    #[arg(long, value_enum, default_value_t, help_heading = "Evaluation")]
    protocol: Protocol,
    /// Steps from the whole picture to nothing [default: as the protocol has it]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=1000), help_heading = "Evaluation")]
    steps: Option<u16>,
    /// How many changed pictures run at once on a GPU. On the CPU each runs by itself, one on each thread: that is as fast
    /// there, and gives the same figures for any number of threads
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..), help_heading = "Evaluation")]
    batch: u16,
    /// Random numbers: of fills, the order of equal pixels, the random baseline, bootstrap samples, and d-rise's masks
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Evaluation")]
    seed: u64,
    /// How the maps of several layers are joined
    #[arg(long, value_name = "FUSE", value_parser = joining(), default_value = "mean", help_heading = "Explanation")]
    fuse: Joining,
    #[command(flatten)]
    method_args: MethodArgs,
    #[command(flatten)]
    detection: DetectionArgs,
    #[command(flatten)]
    messages: MessageArgs,
}

/// A method and the layers that it looks at; `None` is `auto`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub method: yolo_cam::Method,
    pub layers: Option<Vec<String>>,
}

#[derive(Debug)]
pub struct EvalCommand {
    /// Which of the two commands, and what its files are called.
    pub name: &'static str,
    pub model: ModelChoice,
    pub pictures: PictureChoice,
    pub detection: DetectionChoice,
    /// What is measured, at least one.
    pub choices: Vec<Choice>,
    pub fuse: Fuse,
    pub target: Target,
    pub method_options: MethodOptions,
    pub curves: CurveOptions,
    pub labels: Option<PathBuf>,
    /// Folders of maps that other programs made.
    pub maps: Vec<PathBuf>,
    pub sanity: bool,
    pub skip_existing: bool,
    pub verbosity: Verbosity,
}

impl EvalCommand {
    /// The flags with which an explanation has the maps of `method` at `layers`: `auto`, or paths joined by commas.
    pub fn flags(&self, method: Method, layers: &str) -> String {
        method_flags(method, layers, self.target, self.fuse, &self.method_options)
    }
}

impl EvalArgs {
    pub fn validated(self) -> Result<EvalCommand> {
        let layers = target_layers(self.target_layer)?;
        let choice = Choice { method: self.method, layers };
        let command = self.measure.validated("eval", vec![choice])?;
        Ok(EvalCommand { sanity: self.sanity, ..command })
    }
}

impl CompareArgs {
    pub fn validated(self) -> Result<EvalCommand> {
        let layers = trimmed(self.layers).into_iter().map(|layers| match layers.as_str() {
            "auto" => None,
            names => Some(names.split('+').map(|name| name.trim().to_owned()).collect::<Vec<_>>()),
        });
        let layers: Vec<Option<Vec<String>>> = layers.collect();
        let mut choices = Vec::new();
        for method in self.methods {
            for layers in &layers {
                // Some look at no layer, or have their own.
                let layers = layers.clone().filter(|_| method.takes_layers());
                let choice = Choice { method, layers };
                if !choices.contains(&choice) {
                    choices.push(choice);
                }
            }
        }
        self.measure.validated("compare", choices)
    }
}

impl MeasureArgs {
    fn validated(self, name: &'static str, choices: Vec<Choice>) -> Result<EvalCommand> {
        // Not --batch: sums over masks round differently in other batches.
        let (target, method_options) = self.method_args.split(self.seed, MethodOptions::default().batch);
        // One of several may take it.
        let is_smoothed = choices.iter().any(|choice| choice.method.takes(Setting::Smooth));
        let checked = method_options.with_smooth(if is_smoothed { 0.0 } else { method_options.smooth });
        for Choice { method, layers } in &choices {
            check_method(*method, target, layers.as_deref(), &checked)?;
        }
        let fuse = match self.fuse {
            Joining::Fused(fuse) => fuse,
            Joining::Separate => {
                bail!("--fuse none gives several maps for a box; take 'yolo-cam compare' with several --layers")
            }
        };
        let (model, words) = self.model.validated()?;
        Ok(EvalCommand {
            name,
            model,
            pictures: self.pictures.validated(words)?,
            detection: self.detection.into(),
            choices,
            fuse,
            target,
            method_options,
            curves: CurveOptions::default()
                .with_protocol(self.protocol)
                .with_steps(self.steps.map(usize::from))
                .with_batch(self.batch.into())
                .with_seed(self.seed)
                .with_precision(method_options.precision),
            labels: self.labels,
            maps: self.maps,
            sanity: false,
            skip_existing: self.skip_existing,
            verbosity: self.messages.into(),
        })
    }
}
