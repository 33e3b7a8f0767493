//! A page that answers questions about a detector: `explore`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use yolo_cam::{Method, explain::MethodOptions};

use super::{
    labels::{LabelArgs, LabelChoice},
    maps::{MapChoice, fused},
    shared::{
        DetectionArgs, DetectionChoice, InputArgs, MessageArgs, MethodArgs, ModelArgs, ModelChoice, PictureChoice,
        Verbosity, target_layers,
    },
    values::{Joining, joining, method},
};

/// Where the page is served, unless the user says.
pub const DEFAULT_HOST: &str = "127.0.0.1";
/// Without a flag any other will do where it is taken.
pub const DEFAULT_PORT: u16 = 8642;

#[derive(Debug, Args)]
pub struct ExploreArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// A second model to compare with the first, side by side
    #[arg(long, value_name = "FILE", help_heading = "Model")]
    compare_model: Option<PathBuf>,
    #[command(flatten)]
    inputs: InputArgs,
    #[command(flatten)]
    labels: LabelArgs,
    /// Address to listen on. Anything but loopback lets other machines in; the page then needs a token, which is part of the address that
    /// is printed
    #[arg(long, value_name = "ADDRESS", default_value = DEFAULT_HOST, help_heading = "Page")]
    host: String,
    /// Port to listen on; 0 takes any that is free [default: 8642, or any that is free if 8642 is taken]
    #[arg(long, value_name = "N", help_heading = "Page")]
    port: Option<u16>,
    /// Only print the address; open no browser
    #[arg(long, help_heading = "Page")]
    no_open: bool,
    /// The method to start with; 'yolo-cam methods' tells more
    #[arg(long, value_name = "METHOD", value_parser = method(), ignore_case = true, default_value = Method::default().name, help_heading = "Explanation")]
    method: Method,
    /// The layers to start with: auto, or names separated by commas
    #[arg(long, value_name = "LAYERS", value_delimiter = ',', default_value = "auto", help_heading = "Explanation")]
    target_layer: Vec<String>,
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

/// Flags that say how the page is served, or what it begins with: an explanation has none of them, or as the page asks for it.
pub const OF_THE_PAGE: [&str; 18] = [
    "compare_model",
    "labels",
    "data",
    "split",
    "host",
    "port",
    "no_open",
    "no_config",
    "method",
    "target_layer",
    "fuse",
    "target",
    "smooth",
    "masks",
    "max_channels",
    "precision",
    "conf_thres",
    "iou_thres",
];

#[derive(Debug)]
pub struct ExploreCommand {
    pub model: ModelChoice,
    /// A second one beside it.
    pub compare_model: Option<ModelChoice>,
    pub pictures: PictureChoice,
    pub labels: LabelChoice,
    pub host: String,
    /// `None`: the usual one, or any other.
    pub port: Option<u16>,
    /// Whether a browser is to show the page.
    pub opens: bool,
    /// What the page begins with.
    pub maps: MapChoice,
    pub detection: DetectionChoice,
    pub verbosity: Verbosity,
}

impl ExploreArgs {
    pub fn validated(self) -> Result<ExploreCommand> {
        let (target, method_options) = self.method_args.split(0, MethodOptions::default().batch);
        let maps = MapChoice {
            target_layers: target_layers(self.target_layer)?,
            fuse: fused(self.fuse)?,
            method: self.method,
            target,
            method_options,
        };
        let compare_model = self.compare_model.map(|path| self.model.another(path)).transpose()?;
        let (model, words) = self.model.validated()?;
        let has_pictures = self.inputs.names_pictures(&words);
        let (labels, pictures) = self.labels.validated(has_pictures, self.inputs.validated(words)?)?;
        Ok(ExploreCommand {
            model,
            compare_model,
            pictures,
            labels,
            host: self.host,
            port: self.port,
            opens: !self.no_open,
            maps: maps.checked(true)?,
            detection: self.detection.into(),
            verbosity: self.messages.into(),
        })
    }
}
