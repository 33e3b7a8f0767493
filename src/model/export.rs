//! Saves a network that was built from a checkpoint, as Ultralytics' exporter does.

use std::{collections::BTreeMap, path::Path};

use serde::{Serialize, Serializer};

use super::{FileKind, MIN_STRIDE, Model};
use crate::{
    error::{Error, Result},
    files::create_atomically,
};

/// Settings of an export.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct ExportOptions {
    /// Longest side of the input in pixels that the file says it is for, rounded up to whole strides; `None` is 640. The
    /// network takes any other as well. Default: `None`.
    pub img_size: Option<u32>,
    /// Weights of 16 bits. Default: false.
    pub half: bool,
}

with_fields!(ExportOptions {
    with_img_size => img_size: Option<u32>,
    with_half => half: bool,
});

impl Model {
    /// Writes a checkpoint's network as TorchScript to `path`, in the form that its own package gives. Batch normalisation is
    /// fused.
    ///
    /// YOLOv5's `export.py`: it returns decoded boxes `[N, rows, 5 + classes]` in a tuple (with the masks' prototypes behind them
    /// if it segments), and `config.txt` inside holds `shape`, `stride` and `names`. The Ultralytics package's `model.export`:
    /// decoded boxes `[N, 4 + classes, rows]`, and of classifiers probabilities `[N, classes]`; `config.txt` holds `version`, `stride`, `task`, `batch`,
    /// `imgsz`, `args` (it is dynamic) and `names`.
    ///
    /// # Errors
    /// [`Error::Model`] if the model is TorchScript already, [`Error::Io`] or [`Error::Libtorch`] if it can't be written;
    /// then nothing is left behind.
    pub fn export(&self, path: impl AsRef<Path>, options: &ExportOptions) -> Result<()> {
        if self.kind() == FileKind::TorchScript {
            return Err(Error::model(self.path(), "is TorchScript already; only a checkpoint is exported"));
        }
        let side = self.input_side(options.img_size);
        let strides = self.levels().iter().map(|level| level.stride);
        let names = self.names();
        let config = match &self.ultralytics_version {
            // Of a classifier it is that of the backbone.
            None => {
                let stride = strides.max().filter(|&stride| stride > 0).unwrap_or(MIN_STRIDE);
                serde_json::to_string(&Config { shape: [1, 3, side, side], stride, names })
            }
            Some(version) => {
                let task = self.head.task();
                let stride = strides.max().filter(|&stride| stride > 0).unwrap_or(self.max_stride());
                let imgsz = [side, side];
                let args = ExportArguments { dynamic: true };
                let keypoints = self.head.keypoints();
                let kpt_shape = (keypoints > 0).then(|| [keypoints, if self.head.tells_visibility() { 3 } else { 2 }]);
                let kpt_names = (!self.keypoint_names().is_empty())
                    .then(|| (0..names.len()).map(|class| (class, self.keypoint_names())).collect());
                let config = LaterConfig { version, stride, task, batch: 1, imgsz, args, kpt_shape, kpt_names, names };
                serde_json::to_string(&config)
            }
        };
        let config = config.expect("numbers and text are JSON");
        create_atomically(path.as_ref(), |path| self.module.save(path, &config, options.half))
    }
}

/// `config.txt`.
#[derive(Debug, Serialize)]
struct Config<'a> {
    shape: [u32; 4],
    stride: u32,
    #[serde(serialize_with = "by_index")]
    names: &'a [String],
}

/// The same of the Ultralytics package.
#[derive(Debug, Serialize)]
struct LaterConfig<'a> {
    version: &'a str,
    stride: u32,
    task: &'static str,
    batch: u32,
    /// Height and width.
    imgsz: [u32; 2],
    args: ExportArguments,
    /// How many keypoints an object has, and how many values each of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    kpt_shape: Option<[usize; 2]>,
    /// What they are called, class by class.
    #[serde(skip_serializing_if = "Option::is_none")]
    kpt_names: Option<BTreeMap<usize, &'a [String]>>,
    #[serde(serialize_with = "by_index")]
    names: &'a [String],
}

/// How the package's exporter was called.
#[derive(Debug, Serialize)]
struct ExportArguments {
    /// For any size, and not for `imgsz` alone.
    dynamic: bool,
}

/// A list as a map from index to item.
fn by_index<S: Serializer>(list: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(list.iter().enumerate())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_config_is_that_of_export_py() {
        let names = ["helmet", "vest"].map(str::to_owned);
        let config = Config { shape: [1, 3, 640, 640], stride: 32, names: &names };
        let expected = r#"{"shape":[1,3,640,640],"stride":32,"names":{"0":"helmet","1":"vest"}}"#;
        assert_eq!(serde_json::to_string(&config).unwrap(), expected);
    }
}
