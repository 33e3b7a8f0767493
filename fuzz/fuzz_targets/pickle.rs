//! Any bytes as the pickle of a checkpoint whose tensors are sound: the pickle reader, and what builds the network.
#![no_main]

use std::{
    io::{Cursor, Read, Write},
    sync::OnceLock,
};

use yolo_cam_fuzz::{SEED, load};
use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    static TENSORS: OnceLock<Vec<(String, Vec<u8>)>> = OnceLock::new();
    let tensors = TENSORS.get_or_init(tensors);
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut file = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in tensors.iter().map(|(name, content)| (name.as_str(), content.as_slice())) {
        file.start_file(name, options).expect("in memory");
        file.write_all(content).expect("in memory");
    }
    file.start_file("blocks/data.pkl", options).expect("in memory");
    file.write_all(data).expect("in memory");
    load(file.finish().expect("in memory").get_ref());
});

fn tensors() -> Vec<(String, Vec<u8>)> {
    let mut archive = ZipArchive::new(Cursor::new(SEED)).expect("the seed is an archive");
    let mut tensors = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).expect("the seed is sound");
        let name = entry.name().expect("the seed's names are text").into_owned();
        if !name.ends_with("data.pkl") {
            let mut content = Vec::new();
            entry.read_to_end(&mut content).expect("the seed is sound");
            tensors.push((name, content));
        }
    }
    tensors
}
