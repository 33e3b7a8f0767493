//! How the maps of cases are made, for commands that put them into numbers.

use anyhow::{Result, bail};
use clap::Args;
use yolo_cam::{
    Fuse, Method, Target,
    explain::{MethodOptions, methods::BEST},
};

use super::{
    shared::{DetectionChoice, MethodArgs, check_method, check_precision, method_flags, target_layers},
    values::{Joining, joining, method},
};

#[derive(Debug, Args)]
pub struct MapArgs {
    /// The method; 'yolo-cam methods' tells more
    #[arg(long, value_name = "METHOD", value_parser = method(), ignore_case = true, default_value = BEST.name, help_heading = "Explanation")]
    method: Method,
    /// Layers to explain at: auto, or names separated by commas, whose maps are fused
    #[arg(long, value_name = "LAYERS", value_delimiter = ',', default_value = "auto", help_heading = "Explanation")]
    target_layer: Vec<String>,
    /// How the maps of several layers are joined
    #[arg(long, value_name = "FUSE", value_parser = joining(), default_value = "mean", help_heading = "Explanation")]
    fuse: Joining,
    /// Random numbers: of bootstrap samples, d-rise's masks, and --verify where there is one
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Explanation")]
    seed: u64,
    #[command(flatten)]
    method_args: MethodArgs,
}

/// How maps are made.
#[derive(Debug)]
pub struct MapChoice {
    /// `None` is `auto`.
    pub target_layers: Option<Vec<String>>,
    pub fuse: Fuse,
    pub method: Method,
    pub target: Target,
    pub method_options: MethodOptions,
}

impl MapArgs {
    /// `verifies`: whether maps are measured with changed pictures.
    pub fn validated(self, verifies: bool) -> Result<MapChoice> {
        let target_layers = target_layers(self.target_layer)?;
        let (target, method_options) = self.method_args.split(self.seed, MethodOptions::default().batch);
        MapChoice { target_layers, fuse: fused(self.fuse)?, method: self.method, target, method_options }
            .checked(verifies)
    }
}

/// How the maps of several layers become one.
pub fn fused(joining: Joining) -> Result<Fuse> {
    match joining {
        Joining::Fused(fuse) => Ok(fuse),
        Joining::Separate => {
            bail!("--fuse none gives several maps for a box, and here a box has one; take mean or max")
        }
    }
}

impl MapChoice {
    /// The same, if method, target, layers and options go together.
    pub fn checked(self, verifies: bool) -> Result<Self> {
        let method = check_method(self.method, self.target, self.target_layers.as_deref(), &self.method_options)?;
        check_precision(&self.method_options, method, verifies)?;
        Ok(self)
    }

    /// The flags with which an explanation has these maps, in all but the picture. `layers`: `auto`, or paths joined by commas.
    pub fn flags(&self, method: Method, layers: &str, detection: &DetectionChoice) -> String {
        let mut flags = vec![method_flags(method, layers, self.target, self.fuse, &self.method_options)];
        let DetectionChoice { img_size, conf_threshold, iou_threshold, max_det, agnostic_nms, .. } = detection;
        flags.extend(img_size.map(|side| format!("--img-size {side}")));
        flags.extend(conf_threshold.map(|least| format!("--conf-thres {least}")));
        flags.extend(iou_threshold.map(|most| format!("--iou-thres {most}")));
        flags.extend(max_det.map(|most| format!("--max-det {most}")));
        flags.extend(agnostic_nms.then(|| "--agnostic-nms".to_owned()));
        flags.join(" ")
    }
}
