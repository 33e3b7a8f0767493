//! What results are called.

use std::path::{Path, PathBuf};

/// The endings of pictures, which results have too.
pub const FORMATS: [&str; 8] = ["jpg", "jpeg", "png", "bmp", "gif", "tif", "tiff", "webp"];

/// The ending of a result's stem.
pub(super) const RESULT_SUFFIX: &str = "-res";

/// The ending of the stem of a picture of shapes.
pub(super) const SHAPE_SUFFIX: &str = "-shape";

/// Whether a file is called like a result picture or map: `STEM-res`, `STEM-res-0`, `STEM-res-0-class16`, `STEM-res-all`,
/// `STEM-shape`.
pub(super) fn has_result_name(path: &Path) -> bool {
    let stem = stem(path);
    if stem.ends_with(SHAPE_SUFFIX) {
        return true;
    }
    let Some((_, behind)) = stem.rsplit_once(RESULT_SUFFIX) else { return false };
    let is_part = |part: &str| {
        let number = part.strip_prefix("class").unwrap_or(part);
        part == "all" || (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let behind = behind.strip_suffix(".map").unwrap_or(behind);
    behind.is_empty() || behind.strip_prefix('-').is_some_and(|parts| parts.split('-').all(is_part))
}

/// A file name without its last ending.
pub(super) fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// At least so many digits have the numbers of frames.
pub(super) const DIGITS: usize = 6;

/// The stem of a frame of the video with this stem.
pub(super) fn frame_stem(video: &str, index: u64) -> String {
    format!("{video}-{index:0DIGITS$}")
}

/// The stem of the video, if this is like that of a frame.
pub(super) fn before_number(stem: &str) -> Option<&str> {
    let (video, number) = stem.rsplit_once('-')?;
    (number.len() >= DIGITS && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(video)
}

/// The files of one picture's result.
#[derive(Debug, Clone, PartialEq)]
pub struct ResultNames {
    pub(super) dir: PathBuf,
    pub(super) stem: String,
    pub(super) extension: String,
}

impl ResultNames {
    /// `STEM-res.EXT`.
    pub fn picture(&self) -> PathBuf {
        self.dir.join(format!("{}.{}", self.stem, self.extension))
    }

    /// `STEM-res-WHAT.EXT`, where there are several pictures.
    pub fn picture_of(&self, what: &str) -> PathBuf {
        self.dir.join(format!("{}-{what}.{}", self.stem, self.extension))
    }

    /// The same names with `suffix` behind the stem: `STEMsuffix-res`.
    pub fn with_suffix(&self, suffix: &str) -> Self {
        Self { stem: format!("{}{suffix}{RESULT_SUFFIX}", self.source()), ..self.clone() }
    }

    /// `STEM`, behind the folder below that of all results if it lies in one: what tells this picture from the others of the
    /// run.
    pub fn source(&self) -> &str {
        self.stem.strip_suffix(RESULT_SUFFIX).unwrap_or(&self.stem)
    }

    /// `STEM-shape.png`.
    pub fn shape(&self) -> PathBuf {
        self.dir.join(format!("{}{SHAPE_SUFFIX}.png", self.source()))
    }

    /// `STEM-res.json`.
    pub fn json(&self) -> PathBuf {
        self.dir.join(format!("{}.json", self.stem))
    }

    /// `STEM-res-WHAT.EXT`, as seen from the folder of all results.
    pub fn map(&self, what: &str, extension: &str) -> String {
        format!("{}-{what}.{extension}", self.stem)
    }

    /// The folder of the results.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_every_layout_are_known_by_their_names() {
        for name in ["a-res.jpg", "a-res-0.png", "a-res-12.map.tiff", "a-res-0-class16.jpg", "a-res-all.webp"] {
            assert!(has_result_name(Path::new(name)), "{name}");
        }
        for name in ["a.jpg", "res.jpg", "a-resting.jpg", "high-res-photo.jpg", "a-res-.jpg"] {
            assert!(!has_result_name(Path::new(name)), "{name}");
        }
    }
}
