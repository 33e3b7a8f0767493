//! Saves a network that was built from a checkpoint, as Ultralytics' exporter does.

use std::path::Path;

use serde::{Serialize, Serializer};
use serde_json::json;

use super::{FileKind, Model};
use crate::{
    error::{Error, Result},
    files::create_atomically,
};

/// Settings of an export.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExportOptions {
    /// Longest side of the input in pixels that the file says it is for, rounded up to whole strides; `None` is 640. The
    /// network takes any other as well. Default: `None`.
    pub img_size: Option<u32>,
    /// Weights of 16 bits. Default: false.
    pub half: bool,
}

impl Model {
    /// Writes a checkpoint's network as TorchScript to `path`, in the form that YOLOv5's `export.py` gives: it returns
    /// decoded boxes `[N, rows, 5 + classes]` in a tuple (with the masks' prototypes behind them if it segments), and
    /// `config.txt` inside holds `shape`, `stride` and `names`. Batch normalisation is fused.
    ///
    /// # Errors
    /// [`Error::Model`] if the model is TorchScript already, [`Error::Io`] or [`Error::Libtorch`] if it can't be written;
    /// then nothing is left behind.
    pub fn export(&self, path: impl AsRef<Path>, options: &ExportOptions) -> Result<()> {
        if self.kind() == FileKind::TorchScript {
            return Err(Error::model(self.path(), "is TorchScript already; only a checkpoint is exported"));
        }
        let side = self.input_side(options.img_size);
        let config = json!({
            "shape": [1, 3, side, side],
            "stride": self.heads().iter().map(|head| head.stride).max(),
            "names": ByIndex(self.names()),
        });
        create_atomically(path.as_ref(), |path| self.module.save(path, &config.to_string(), options.half))
    }
}

/// A list as a map from index to item.
struct ByIndex<'a>(&'a [String]);

impl Serialize for ByIndex<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().enumerate())
    }
}
