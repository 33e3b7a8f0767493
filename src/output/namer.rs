//! Gives results their names.

use std::{
    collections::HashSet,
    ffi::OsStr,
    path::{Path, PathBuf},
};

use super::{
    Journal, PictureId,
    journal::KnownStems,
    names::{
        DIGITS, FORMATS, RESULT_SUFFIX, ResultNames, SHAPE_SUFFIX, before_number, frame_stem, has_result_name, stem,
    },
};

/// Gives each picture of a run its own result names.
pub struct Namer {
    dir: PathBuf,
    /// Extension of all results; `None`: that of each picture.
    format: Option<&'static str>,
    /// Stems, in lower case: some file systems don't tell A from a.
    taken: HashSet<String>,
    /// What those of them that are like a frame's have in front of the number.
    like_frames: HashSet<String>,
    /// The same of videos. Nobody asks how many frames one has: any number is taken.
    videos: HashSet<String>,
    /// Names of inputs in the folder of results, in lower case: no result may take their place.
    spared: Vec<String>,
    /// The stems of pictures that keep the names which they had.
    kept: KnownStems,
}

impl Namer {
    pub fn new(dir: &Path, format: Option<&'static str>) -> Self {
        Self {
            dir: dir.to_owned(),
            format,
            taken: HashSet::new(),
            like_frames: HashSet::new(),
            videos: HashSet::new(),
            spared: Vec::new(),
            kept: KnownStems::default(),
        }
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
        let stems: Vec<String> = self.kept.all().map(str::to_lowercase).collect();
        stems.into_iter().for_each(|stem| _ = self.insert(stem));
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

    /// What the names of the results of a video's frames have in common. Where an earlier picture is called like one of the frames, whichever
    /// there are, a number is added.
    pub fn names_of_frames(&mut self, video: &Path, below: &Path) -> ResultNames {
        let known = self.kept.of_frames(&PictureId::of(video, None)).map(str::to_owned);
        let stem = known.unwrap_or_else(|| {
            self.first_free(stem_in(below, video), |namer, stem| {
                let overwrites = |name: &String| {
                    let behind = name.strip_prefix(stem)?.strip_prefix('-')?;
                    let number = behind.len() - behind.trim_start_matches(|c: char| c.is_ascii_digit()).len();
                    Some(number >= DIGITS && is_behind_stem(&behind[number..]))
                };
                let is_free = !namer.like_frames.contains(stem)
                    && !namer.spared.iter().any(|name| overwrites(name) == Some(true));
                is_free && namer.insert(stem.to_owned())
            })
        });
        self.videos.insert(stem.to_lowercase());
        self.results(stem, self.format.unwrap_or("jpg").to_owned())
    }

    /// Names for the results of frame `index`, which is `id`, of a video whose frames have `names`.
    pub fn frame(&mut self, names: &ResultNames, index: u64, id: &PictureId) -> ResultNames {
        let stem = self.kept(id).unwrap_or_else(|| frame_stem(names.source(), index));
        self.results(stem, names.extension.clone())
    }

    /// Takes the names of a picture or a video of which nothing is to be written: another process does that.
    pub fn pass(&mut self, file: &Path, below: &Path, has_frames: bool) {
        if has_frames {
            self.names_of_frames(file, below);
        } else {
            self.unique(stem_in(below, file));
        }
    }

    fn results(&self, stem: String, extension: String) -> ResultNames {
        ResultNames { dir: self.dir.clone(), stem: format!("{stem}{RESULT_SUFFIX}"), extension }
    }

    fn kept(&self, id: &PictureId) -> Option<String> {
        self.kept.of(id).map(str::to_owned)
    }

    fn unique(&mut self, base: String) -> String {
        self.first_free(base, |namer, stem| {
            let overwrites = |name: &String| name.strip_prefix(stem).is_some_and(is_behind_stem);
            let is_frame = before_number(stem).is_some_and(|video| namer.videos.contains(video));
            !is_frame && !namer.spared.iter().any(overwrites) && namer.insert(stem.to_owned())
        })
    }

    /// The first of `base`, `base-2`, `base-3` and so on of which `takes`, which sees it in lower case, says so.
    fn first_free(&mut self, base: String, mut takes: impl FnMut(&mut Self, &str) -> bool) -> String {
        let numbered = |count: u32| if count == 1 { base.clone() } else { format!("{base}-{count}") };
        (1..).map(numbered).find(|stem| takes(self, &stem.to_lowercase())).unwrap_or(base)
    }

    /// Whether a stem, in lower case, was not taken before.
    fn insert(&mut self, stem: String) -> bool {
        self.like_frames.extend(before_number(&stem).map(str::to_owned));
        self.taken.insert(stem)
    }
}

/// Whether this stands behind the stem in the name of a result picture.
fn is_behind_stem(rest: &str) -> bool {
    let behind_result = rest.strip_prefix(RESULT_SUFFIX).is_some_and(|rest| rest.starts_with(['.', '-']));
    behind_result || rest.strip_prefix(SHAPE_SUFFIX).is_some_and(|rest| rest.starts_with('.'))
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
        assert_eq!(frame(6), Path::new("out/clip-2-000006-res.jpg"));
        assert_eq!(frame(12), Path::new("out/clip-2-000012-res.jpg"));
    }

    #[test]
    fn a_picture_is_never_called_like_a_frame_of_an_earlier_video_whether_there_is_such_a_frame_or_not() {
        let mut namer = Namer::new(Path::new("out"), None);
        namer.pass(Path::new("Clip.mp4"), Path::new(""), true);
        let mut picture = |path: &str| names(&mut namer, path).picture();
        assert_eq!(picture("clip-000012.jpg"), Path::new("out/clip-000012-2-res.jpg"));
        assert_eq!(picture("clip-12345678.jpg"), Path::new("out/clip-12345678-2-res.jpg"));
        assert_eq!(picture("clip-12.jpg"), Path::new("out/clip-12-res.jpg"));
        assert_eq!(picture("clip.jpg"), Path::new("out/clip-2-res.jpg"));
    }

    #[test]
    fn names_are_the_same_whoever_writes_the_results() {
        let files = ["a.jpg", "x/a.jpg", "clip-000003.jpg", "clip.mp4", "y/a.jpg", "clip-2-000001.png", "z/clip.gif"];
        let all = |passes: &dyn Fn(usize) -> bool| {
            let mut namer = Namer::new(Path::new("out"), None);
            let mut found = Vec::new();
            for (index, file) in files.iter().map(Path::new).enumerate() {
                let (below, has_frames) =
                    (Path::new(""), file.extension().is_some_and(|ext| ext != "jpg" && ext != "png"));
                found.push(match has_frames {
                    _ if passes(index) => {
                        namer.pass(file, below, has_frames);
                        None
                    }
                    true => {
                        let names = namer.names_of_frames(file, below);
                        Some(namer.frame(&names, 1, &PictureId::of(file, Some(1))).picture())
                    }
                    false => Some(names(&mut namer, file.to_str().unwrap()).picture()),
                });
            }
            found
        };
        let alone = all(&|_| false);
        for (own, name) in alone.iter().enumerate() {
            assert_eq!(all(&|index| index != own)[own], *name, "{own}");
        }
    }

    #[test]
    fn frames_of_a_video_that_is_known_keep_what_their_names_have_in_common() {
        let folder = tempfile::tempdir().unwrap();
        let clip = folder.path().join("clip.mp4");
        std::fs::write(&clip, "").unwrap();
        let mut journal = Journal::read(folder.path());
        let first = PictureId::of(&clip, Some(0));
        journal.add(crate::output::Entry::planned("clip.mp4#0", &first, "", "clip-000000")).unwrap();
        let mut namer = Namer::new(folder.path(), None).keeping(&journal);
        let clip_names = namer.names_of_frames(&clip, Path::new(""));
        let second = namer.frame(&clip_names, 1, &PictureId::of(&clip, Some(1)));
        assert_eq!(second.source(), "clip-000001");
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
