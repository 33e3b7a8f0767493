//! Any bytes as the pickle of a checkpoint whose tensors are sound: the pickle reader, and what builds the network.
#![no_main]

use std::{io::Cursor, sync::OnceLock};

use yolo_cam_fuzz::{SEED, load, packed, unpacked};
use zip::ZipArchive;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    static TENSORS: OnceLock<Vec<(String, Vec<u8>)>> = OnceLock::new();
    let tensors = TENSORS.get_or_init(|| {
        let mut entries = unpacked(ZipArchive::new(Cursor::new(SEED)).expect("the seed is an archive"));
        entries.retain(|(name, _)| !name.ends_with("data.pkl"));
        entries
    });
    let pickle = ("blocks/data.pkl".to_owned(), data.to_vec());
    load(&packed(tensors.iter().cloned().chain([pickle])));
});
