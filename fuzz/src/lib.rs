//! What the fuzz targets share. `make fuzz` runs them.

use std::{
    fs,
    io::{Cursor, Read, Write},
    path::PathBuf,
    sync::OnceLock,
};

use yolo_cam::Model;
use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

/// A small checkpoint with many kinds of blocks.
pub const SEED: &[u8] = include_bytes!("../../tests/data/blocks.pt");

/// A small TorchScript file.
pub const SCRIPT: &[u8] = include_bytes!("../../tests/data/torchscript/base.torchscript");

/// The entries of an archive, in order.
pub fn unpacked(mut archive: ZipArchive<Cursor<&[u8]>>) -> Vec<(String, Vec<u8>)> {
    let count = archive.len();
    let entry = |index: usize| {
        let mut entry = archive.by_index(index).expect("the seed is sound");
        let name = entry.name().expect("the seed's names are text").into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("the seed is sound");
        (name, content)
    };
    (0..count).map(entry).collect()
}

/// An archive of these entries, not compressed, as PyTorch writes it.
pub fn packed(entries: impl IntoIterator<Item = (String, Vec<u8>)>) -> Vec<u8> {
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut file = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        file.start_file(name, options).expect("in memory");
        file.write_all(&content).expect("in memory");
    }
    file.finish().expect("in memory").into_inner()
}

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
