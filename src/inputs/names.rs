//! What results are called.

use std::{
    collections::{BTreeSet, HashSet},
    fs,
    path::{Path, PathBuf},
};

use super::{expand::PICTURES, extension};

/// The ending of a result's stem.
const RESULT_SUFFIX: &str = "-res";

/// The ending of the stem of a picture of shapes.
const SHAPE_SUFFIX: &str = "-shape";

/// Whether a file is called like a result picture or map: `STEM-res`, `STEM-res-0`, `STEM-res-0-class16`, `STEM-res-all`,
/// `STEM-shape`.
pub(super) fn is_result(path: &Path) -> bool {
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

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The files of one picture's result.
#[derive(Debug, Clone, PartialEq)]
pub struct ResultNames {
    dir: PathBuf,
    stem: String,
    extension: String,
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

    /// `STEM`: what tells this picture from the others of the run.
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

    /// `STEM-res-WHAT.EXT`, without its folder.
    pub fn map(&self, what: &str, extension: &str) -> String {
        format!("{}-{what}.{extension}", self.stem)
    }

    /// The folder of the results.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

/// The results that were there before the run.
#[derive(Debug, Default)]
pub struct Existing(BTreeSet<String>);

impl Existing {
    /// Those in `dir`; none if it can't be listed.
    pub fn in_folder(dir: &Path) -> Self {
        let names = fs::read_dir(dir).into_iter().flatten().flatten();
        Self(names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
    }

    /// The picture that is written last of a result, if it is there: then the others are too.
    pub fn result(&self, names: &ResultNames) -> Option<PathBuf> {
        let ResultNames { dir, stem, extension } = names;
        let first_of_class = format!("{stem}-0-class");
        let mut of_class = self.0.range(first_of_class.clone()..).take_while(|name| name.starts_with(&first_of_class));
        let exact = ["", "-0", "-all"].map(|what| format!("{stem}{what}.{extension}"));
        let found = exact.iter().find(|name| self.0.contains(*name));
        found.or_else(|| of_class.find(|name| name.ends_with(extension))).map(|name| dir.join(name))
    }
}

/// Gives each picture of a run its own result names.
#[derive(Debug)]
pub struct Namer {
    dir: PathBuf,
    /// Extension of all results; `None`: that of each picture.
    format: Option<&'static str>,
    taken: HashSet<String>,
}

impl Namer {
    pub fn new(dir: &Path, format: Option<&'static str>) -> Self {
        Self { dir: dir.to_owned(), format, taken: HashSet::new() }
    }

    /// Names for the results of `picture`. Where another picture of this run had the same stem, a number is added.
    pub fn names(&mut self, picture: &Path) -> ResultNames {
        let own = picture.extension().and_then(std::ffi::OsStr::to_str);
        let known = own.filter(|_| extension(picture).is_some_and(|ext| PICTURES.contains(&ext.as_str())));
        let extension = self.format.or(known).unwrap_or("jpg").to_owned();
        ResultNames { dir: self.dir.clone(), stem: self.unique(stem(picture)), extension }
    }

    /// What the names of the results of a video's frames have in common.
    pub fn names_of_frames(&mut self, video: &Path) -> ResultNames {
        let extension = self.format.unwrap_or("jpg").to_owned();
        ResultNames { dir: self.dir.clone(), stem: self.unique(stem(video)), extension }
    }

    /// Names for the results of frame `index` of a video whose frames have `names`.
    pub fn frame(&mut self, names: &ResultNames, index: u64) -> ResultNames {
        let stem = self.unique(format!("{}-{index:06}", names.source()));
        ResultNames { stem, ..names.clone() }
    }

    fn unique(&mut self, base: String) -> String {
        let unique = (1..)
            .map(|count| if count == 1 { base.clone() } else { format!("{base}-{count}") })
            // Some file systems don't tell A from a.
            .find(|stem| self.taken.insert(stem.to_lowercase()));
        format!("{}{RESULT_SUFFIX}", unique.unwrap_or(base))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_stems_get_different_names() {
        let mut namer = Namer::new(Path::new("out"), None);
        let mut picture = |path: &str| namer.names(Path::new(path)).picture();
        assert_eq!(picture("x/cat.jpg"), Path::new("out/cat-res.jpg"));
        assert_eq!(picture("y/cat.jpg"), Path::new("out/cat-2-res.jpg"));
        assert_eq!(picture("y/Cat.PNG"), Path::new("out/Cat-3-res.PNG"));
        assert_eq!(picture("y/cat-2.jpg"), Path::new("out/cat-2-2-res.jpg"));
        assert_eq!(picture("noextension"), Path::new("out/noextension-res.jpg"));
    }

    #[test]
    fn a_format_that_is_asked_for_is_that_of_all_results() {
        let mut namer = Namer::new(Path::new("out"), Some("webp"));
        assert_eq!(namer.names(Path::new("cat.jpg")).picture(), Path::new("out/cat-res.webp"));
    }

    #[test]
    fn frames_are_numbered_and_never_called_like_a_picture_of_the_run() {
        let mut namer = Namer::new(Path::new("out"), None);
        namer.names(Path::new("clip-000012.jpg"));
        let clip = namer.names_of_frames(Path::new("clip.mp4"));
        assert_eq!(namer.frame(&clip, 6).picture(), Path::new("out/clip-000006-res.jpg"));
        assert_eq!(namer.frame(&clip, 12).picture(), Path::new("out/clip-000012-2-res.jpg"));
    }

    #[test]
    fn results_of_every_layout_are_known_by_their_names() {
        for name in ["a-res.jpg", "a-res-0.png", "a-res-12.map.tiff", "a-res-0-class16.jpg", "a-res-all.webp"] {
            assert!(is_result(Path::new(name)), "{name}");
        }
        for name in ["a.jpg", "res.jpg", "a-resting.jpg", "high-res-photo.jpg", "a-res-.jpg"] {
            assert!(!is_result(Path::new(name)), "{name}");
        }
    }

    #[test]
    fn a_result_is_there_if_its_last_file_is() {
        let names = Namer::new(Path::new("out"), None).names(Path::new("cat.jpg"));
        let found = |file: &str| Existing([file.to_owned()].into()).result(&names);
        for file in ["cat-res.jpg", "cat-res-0.jpg", "cat-res-all.jpg", "cat-res-0-class16.jpg"] {
            assert_eq!(found(file), Some(Path::new("out").join(file)));
        }
        for file in ["cat-res-1.jpg", "cat-res-1-class16.jpg", "cat-res.json", "cat-res-0.png", "cat-2-res.jpg"] {
            assert_eq!(found(file), None, "{file}");
        }
    }
}
