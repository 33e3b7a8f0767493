//! Gives results their names.

use std::{
    collections::HashSet,
    ffi::OsStr,
    path::{Path, PathBuf},
};

use super::{
    Journal, PictureId,
    journal::KnownStems,
    names::{FORMATS, RESULT_SUFFIX, ResultNames, SHAPE_SUFFIX, has_result_name, stem},
};

/// Gives each picture of a run its own result names.
pub struct Namer {
    dir: PathBuf,
    /// Extension of all results; `None`: that of each picture.
    format: Option<&'static str>,
    /// Stems, in lower case: some file systems don't tell A from a.
    taken: HashSet<String>,
    /// Names of inputs in the folder of results, in lower case: no result may take their place.
    spared: Vec<String>,
    /// The stems of pictures that keep the names which they had.
    kept: KnownStems,
}

impl Namer {
    pub fn new(dir: &Path, format: Option<&'static str>) -> Self {
        Self { dir: dir.to_owned(), format, taken: HashSet::new(), spared: Vec::new(), kept: KnownStems::default() }
    }

    /// Spares those of `inputs` that lie in the folder of results.
    pub fn sparing<'a>(mut self, inputs: impl Iterator<Item = &'a Path>) -> Self {
        let Ok(dir) = self.dir.canonicalize() else { return self };
        let inside = inputs.filter_map(|input| {
            let parent = input.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let below = parent.canonicalize().ok()?.strip_prefix(&dir).ok()?.to_owned();
            Some(below.join(input.file_name()?))
        });
        let names = inside.map(|name| name.to_string_lossy().to_lowercase());
        self.spared = names.filter(|name| has_result_name(Path::new(name))).collect();
        self
    }

    /// Pictures that `journal` knows keep their names.
    pub fn keeping(mut self, journal: &Journal) -> Self {
        self.kept = journal.stems().clone();
        self.taken.extend(self.kept.all().map(str::to_lowercase));
        self
    }

    /// Names for the results of `picture`, which is `id`, in the folder `below` that of all results. Where another picture had
    /// the same there, a number is added.
    pub fn names(&mut self, picture: &Path, below: &Path, id: &PictureId) -> ResultNames {
        let own = picture.extension().and_then(OsStr::to_str);
        let known = own.filter(|own| FORMATS.contains(&own.to_ascii_lowercase().as_str()));
        let extension = self.format.or(known).unwrap_or("jpg").to_owned();
        let stem = self.kept(id).unwrap_or_else(|| self.unique(stem_in(below, picture)));
        self.results(stem, extension)
    }

    /// What the names of the results of a video's frames have in common.
    pub fn names_of_frames(&mut self, video: &Path, below: &Path) -> ResultNames {
        let stem = self.unique(stem_in(below, video));
        self.results(stem, self.format.unwrap_or("jpg").to_owned())
    }

    /// Names for the results of frame `index`, which is `id`, of a video whose frames have `names`.
    pub fn frame(&mut self, names: &ResultNames, index: u64, id: &PictureId) -> ResultNames {
        let stem = self.kept(id).unwrap_or_else(|| self.unique(format!("{}-{index:06}", names.source())));
        self.results(stem, names.extension.clone())
    }

    fn results(&self, stem: String, extension: String) -> ResultNames {
        ResultNames { dir: self.dir.clone(), stem: format!("{stem}{RESULT_SUFFIX}"), extension }
    }

    fn kept(&self, id: &PictureId) -> Option<String> {
        self.kept.of(id).map(str::to_owned)
    }

    fn unique(&mut self, base: String) -> String {
        let numbered = |count: u32| if count == 1 { base.clone() } else { format!("{base}-{count}") };
        let mut is_free = |stem: &String| {
            let stem = stem.to_lowercase();
            let overwrites = |name: &String| {
                let behind = |suffix: &str| name.strip_prefix(&stem)?.strip_prefix(suffix);
                behind(RESULT_SUFFIX).is_some_and(|rest| rest.starts_with(['.', '-']))
                    || behind(SHAPE_SUFFIX).is_some_and(|rest| rest.starts_with('.'))
            };
            !self.spared.iter().any(overwrites) && self.taken.insert(stem)
        };
        (1..).map(numbered).find(|stem| is_free(stem)).unwrap_or(base)
    }
}

/// `below/STEM`.
fn stem_in(below: &Path, file: &Path) -> String {
    let stem = Some(stem(file)).filter(|stem| !stem.is_empty()).unwrap_or_else(|| "picture".to_owned());
    below.join(stem).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(namer: &mut Namer, path: &str) -> ResultNames {
        namer.names(Path::new(path), Path::new(""), &PictureId::of(Path::new(path), None))
    }

    #[test]
    fn equal_stems_get_different_names() {
        let mut namer = Namer::new(Path::new("out"), None);
        let mut picture = |path: &str| names(&mut namer, path).picture();
        assert_eq!(picture("x/cat.jpg"), Path::new("out/cat-res.jpg"));
        assert_eq!(picture("y/cat.jpg"), Path::new("out/cat-2-res.jpg"));
        assert_eq!(picture("y/Cat.PNG"), Path::new("out/Cat-3-res.PNG"));
        assert_eq!(picture("y/cat-2.jpg"), Path::new("out/cat-2-2-res.jpg"));
        assert_eq!(picture("noextension"), Path::new("out/noextension-res.jpg"));
    }

    #[test]
    fn a_format_that_is_asked_for_is_that_of_all_results() {
        let mut namer = Namer::new(Path::new("out"), Some("webp"));
        assert_eq!(names(&mut namer, "cat.jpg").picture(), Path::new("out/cat-res.webp"));
    }

    #[test]
    fn frames_are_numbered_and_never_called_like_a_picture_of_the_run() {
        let mut namer = Namer::new(Path::new("out"), None);
        names(&mut namer, "clip-000012.jpg");
        let clip = namer.names_of_frames(Path::new("clip.mp4"), Path::new(""));
        let mut frame = |index| {
            let id = PictureId::of(Path::new("clip.mp4"), Some(index));
            namer.frame(&clip, index, &id).picture()
        };
        assert_eq!(frame(6), Path::new("out/clip-000006-res.jpg"));
        assert_eq!(frame(12), Path::new("out/clip-000012-2-res.jpg"));
    }

    #[test]
    fn names_are_told_apart_in_each_folder_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("x")).unwrap();
        let (below, spared) = (Path::new("x"), folder.path().join("x/dog-res.jpg"));
        let mut namer = Namer::new(folder.path(), None).sparing([spared.as_path()].into_iter());
        let mut picture = |path: &str, below: &Path| {
            namer.names(Path::new(path), below, &PictureId::of(Path::new(path), None)).picture()
        };
        assert_eq!(picture("a/x/cat.jpg", below), folder.path().join("x/cat-res.jpg"));
        assert_eq!(picture("a/cat.jpg", Path::new("")), folder.path().join("cat-res.jpg"));
        assert_eq!(picture("b/x/cat.jpg", below), folder.path().join("x/cat-2-res.jpg"));
        assert_eq!(picture("a/x/dog.jpg", below), folder.path().join("x/dog-2-res.jpg"), "that is an input");
    }

    #[test]
    fn an_input_in_the_folder_of_results_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let inputs = ["low.png", "low-res.png", "plan.png", "plan-shape.png"].map(|name| folder.path().join(name));
        let mut namer = Namer::new(folder.path(), None).sparing(inputs.iter().map(PathBuf::as_path));
        let results =
            inputs.each_ref().map(|input| namer.names(input, Path::new(""), &PictureId::of(input, None)).picture());
        let expected = ["low-2-res.png", "low-res-res.png", "plan-2-res.png", "plan-shape-res.png"];
        assert_eq!(results, expected.map(|name| folder.path().join(name)));
    }
}
