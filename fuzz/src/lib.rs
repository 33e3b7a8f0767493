//! What the fuzz targets share. `make fuzz` runs them.

use std::{fs, io::Write, path::PathBuf, sync::OnceLock};

use yolo_cam::Model;

/// A small checkpoint with many kinds of blocks.
pub const SEED: &[u8] = include_bytes!("../../tests/data/blocks.pt");

/// Loads `bytes` as a model file. Errors are what is expected of them.
pub fn load(bytes: &[u8]) {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    let path = FILE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder").keep();
        folder.join("model.pt")
    });
    fs::File::create(path).and_then(|mut file| file.write_all(bytes)).expect("it is written");
    if let Err(error) = Model::load(path, tch::Device::Cpu) {
        let text = error.to_string();
        assert_eq!(text.lines().count(), 1, "an error is one line: {text}");
    }
}
