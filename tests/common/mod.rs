//! What the tests share.
#![allow(dead_code)] // Each test binary uses its own part.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use ndarray::{Array, Dimension};
use ndarray_npy::{NpzReader, ReadableElement};
use yolo_cam::Model;

/// The bundled model.
pub const YOLOV5S: &str = "weights/yolov5s.torchscript";

/// A file of the test data beside the repository, or `None` (said on stderr) where that is absent.
pub fn shared(path: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    if !root.is_dir() {
        eprintln!("skipped: ../shared is absent, and with it {path}");
        return None;
    }
    let file = root.join(path);
    assert!(file.exists(), "../shared has no {path}");
    Some(file)
}

/// The bundled model on the CPU.
pub fn yolov5s() -> Model {
    Model::load(YOLOV5S, tch::Device::Cpu).expect("the bundled model loads")
}

/// An opened `.npz`.
pub struct Npz(NpzReader<File>);

impl Npz {
    pub fn open(path: &Path) -> Self {
        Self(NpzReader::new(File::open(path).expect("the npz opens")).expect("it is an npz"))
    }

    pub fn names(&mut self) -> Vec<String> {
        self.0.names().expect("the npz has a directory")
    }

    /// The array called `name`.
    pub fn get<T: ReadableElement, D: Dimension>(&mut self, name: &str) -> Array<T, D> {
        self.0.by_name(name).unwrap_or_else(|error| panic!("{name}: {error}"))
    }
}
