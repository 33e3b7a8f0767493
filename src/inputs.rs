//! Which pictures are meant, and what their results are called.

use std::{
    collections::HashSet,
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

/// Extensions of the pictures that a folder is searched for.
const EXTENSIONS: [&str; 8] = ["jpg", "jpeg", "png", "bmp", "gif", "tif", "tiff", "webp"];

/// The ending of a result's stem.
const RESULT_SUFFIX: &str = "-res";

/// An input, or why it is none.
pub type Input = Result<PathBuf, String>;

/// The pictures that `paths` mean: files as they are; of a folder its pictures by extension, sorted by name.
///
/// Results of an earlier run are left out where a folder is also the output folder.
pub fn pictures(paths: &[PathBuf], output_dir: &Path) -> Vec<Input> {
    paths.iter().flat_map(|path| pictures_of(path, output_dir)).collect()
}

fn pictures_of(path: &Path, output_dir: &Path) -> Vec<Input> {
    if !path.is_dir() {
        return vec![Ok(path.to_owned())];
    }
    let holds_results = same_folder(path, output_dir);
    let is_wanted = |file: &Path| {
        let is_picture = extension(file).is_some_and(|ext| EXTENSIONS.contains(&ext.as_str()));
        is_picture && !(holds_results && stem(file).ends_with(RESULT_SUFFIX))
    };
    let list = || -> io::Result<Vec<PathBuf>> {
        let files = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        let mut files: Vec<_> = files.into_iter().filter(|file| is_wanted(file)).collect();
        files.sort();
        Ok(files)
    };
    match list() {
        Ok(files) if files.is_empty() => {
            vec![Err(format!("{path:?} has no pictures; expected files ending in {}", EXTENSIONS.join(", ")))]
        }
        Ok(files) => files.into_iter().map(Ok).collect(),
        Err(error) => vec![Err(format!("{path:?}: {error}"))],
    }
}

fn same_folder(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

fn extension(path: &Path) -> Option<String> {
    path.extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase)
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

    /// The same names with `suffix` behind the stem: `STEMsuffix-res`.
    pub fn with_suffix(&self, suffix: &str) -> Self {
        let stem = self.stem.strip_suffix(RESULT_SUFFIX).unwrap_or(&self.stem);
        Self { stem: format!("{stem}{suffix}{RESULT_SUFFIX}"), ..self.clone() }
    }

    /// `STEM-res.json`.
    pub fn json(&self) -> PathBuf {
        self.dir.join(format!("{}.json", self.stem))
    }

    /// `STEM-res-WHAT.npy`, without its folder.
    pub fn map(&self, what: &str) -> String {
        format!("{}-{what}.npy", self.stem)
    }

    /// The folder of the results.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

/// Gives each picture of a run its own result names.
#[derive(Debug)]
pub struct Namer {
    dir: PathBuf,
    taken: HashSet<String>,
}

impl Namer {
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), taken: HashSet::new() }
    }

    /// Names for the results of `picture`. Where another picture of this run had the same stem, a number is added.
    pub fn names(&mut self, picture: &Path) -> ResultNames {
        let base = stem(picture);
        let unique = (1..)
            .map(|count| if count == 1 { base.clone() } else { format!("{base}-{count}") })
            // Some file systems don't tell A from a.
            .find(|stem| self.taken.insert(stem.to_lowercase()))
            .unwrap_or(base);
        let extension = picture.extension().and_then(OsStr::to_str);
        let known = extension.filter(|ext| EXTENSIONS.contains(&ext.to_ascii_lowercase().as_str()));
        ResultNames {
            dir: self.dir.clone(),
            stem: format!("{unique}{RESULT_SUFFIX}"),
            extension: known.unwrap_or("jpg").to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_its_pictures_in_order_without_earlier_results() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.JPG", "a.png", "a-res.png", "notes.txt", "c-res.jpg.json"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let found = |output: &Path| -> Vec<String> {
            pictures(&[folder.path().to_owned()], output)
                .into_iter()
                .map(|input| input.unwrap().file_name().unwrap().to_string_lossy().into_owned())
                .collect()
        };
        assert_eq!(found(Path::new("elsewhere")), ["a-res.png", "a.png", "b.JPG"]);
        assert_eq!(found(folder.path()), ["a.png", "b.JPG"]);
    }

    #[test]
    fn a_folder_without_pictures_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let found = pictures(&[folder.path().to_owned()], Path::new("out"));
        assert!(found[0].as_ref().unwrap_err().contains("no pictures"));
    }

    #[test]
    fn equal_stems_get_different_names() {
        let mut namer = Namer::new(Path::new("out"));
        let mut picture = |path: &str| namer.names(Path::new(path)).picture();
        assert_eq!(picture("x/cat.jpg"), Path::new("out/cat-res.jpg"));
        assert_eq!(picture("y/cat.jpg"), Path::new("out/cat-2-res.jpg"));
        assert_eq!(picture("y/Cat.PNG"), Path::new("out/Cat-3-res.PNG"));
        assert_eq!(picture("y/cat-2.jpg"), Path::new("out/cat-2-2-res.jpg"));
        assert_eq!(picture("noextension"), Path::new("out/noextension-res.jpg"));
    }
}
