//! Any bytes as a source or a pickle of a TorchScript file that is sound but for that: the checks before libtorch loads it, and
//! what libtorch makes of what they let through.
#![no_main]

use std::io::Cursor;

use yolo_cam_fuzz::{SCRIPT, load, packed, unpacked};
use zip::ZipArchive;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((&kind, content)) = data.split_first() else { return };
    let replaced =
        ["00-base/code/__torch__/m_00_base.py", "00-base/data.pkl", "00-base/constants.pkl"][usize::from(kind % 3)];
    let archive = ZipArchive::new(Cursor::new(SCRIPT)).expect("the seed is an archive");
    let entries = unpacked(archive).into_iter().map(|(name, own)| {
        let is_replaced = name == replaced;
        (name, if is_replaced { content.to_vec() } else { own })
    });
    load(&packed(entries));
});
