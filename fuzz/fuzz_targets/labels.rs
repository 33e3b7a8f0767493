//! Any bytes as COCO's labels, and as a text file of YOLO's.
#![no_main]

use std::{fs, path::PathBuf, sync::OnceLock};

use yolo_cam::{geometry::Size, labels::Labels};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| tempfile::tempdir().expect("a temporary folder").keep());
    let names = ["cat", "dog"].map(str::to_owned);
    let size = Size { width: 200, height: 100 };
    for (file, labels) in [("labels.json", folder.join("labels.json")), ("picture.txt", folder.clone())] {
        fs::write(folder.join(file), data).expect("it is written");
        let found = Labels::open(&labels, &names).and_then(|labels| {
            labels.odd().into_iter().for_each(check);
            labels.of(&folder.join("picture.jpg"), size)
        });
        match found {
            Ok(found) => {
                let labels = found.unwrap_or_default();
                assert!(labels.iter().all(|(class, b)| *class < names.len() && b.is_finite()), "{labels:?}");
            }
            Err(error) => check(&error.to_string()),
        }
    }
});

fn check(line: &str) {
    assert_eq!(line.lines().count(), 1, "it is one line: {line}");
}
