//! Any bytes as a model file: the zip archive and what tells files apart.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| yolo_cam_fuzz::load(data));
