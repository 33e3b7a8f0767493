//! Any bytes as a picture, as an animation and as a map.
#![no_main]

use std::{fs, path::PathBuf, sync::OnceLock};

use yolo_cam::{picture, shape::read_map};

/// Frames of one input: a small animation may have thousands.
const FRAMES: usize = 20;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| tempfile::tempdir().expect("a temporary folder").keep());
    let file = |name: &str| {
        let path = folder.join(name);
        fs::write(&path, data).expect("it is written");
        path
    };
    let path = file("picture");
    if let Err(error) = picture::read(&path) {
        check(&error.to_string());
    }
    if picture::is_animated(&path) {
        match picture::Animation::open(&path) {
            Ok(frames) => frames.take(FRAMES).map_while(Result::ok).for_each(drop),
            Err(problem) => check(&problem),
        }
    }
    if let Err(error) = read_map(&file("map.npy")) {
        check(&error.to_string());
    }
});

fn check(error: &str) {
    assert_eq!(error.lines().count(), 1, "an error is one line: {error}");
    assert!(error.chars().count() <= 500, "an error is short: {error}");
}
