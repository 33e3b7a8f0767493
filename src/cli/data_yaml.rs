//! `data.yaml`, the file in which YOLO's datasets say where their pictures are and what their classes are called.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Result, anyhow, bail};
use serde::Deserialize;
use yolo_cam::files::read_regular_text;

use super::text_file;

/// What such a file says, as far as it is of use.
#[derive(Debug, Deserialize)]
pub struct DataYaml {
    path: Option<PathBuf>,
    train: Option<Places>,
    #[serde(alias = "valid")]
    val: Option<Places>,
    test: Option<Places>,
    names: Option<Names>,
}

/// Folders of pictures, or lists of them.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Places {
    One(PathBuf),
    Several(Vec<PathBuf>),
}

/// A list, or a map from number to name.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Names {
    List(Vec<Name>),
    Map(BTreeMap<usize, Name>),
}

/// A name may be a number.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Name {
    Text(String),
    Integer(i64),
    Number(f64),
    Switch(bool),
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        match name {
            Name::Text(text) => text,
            Name::Integer(number) => number.to_string(),
            Name::Number(number) => number.to_string(),
            Name::Switch(is_on) => is_on.to_string(),
        }
    }
}

/// What is expected of the names.
const EXPECTED: &str = "expected 'names:' with a list, or a map from 0 on";

impl DataYaml {
    /// Reads the text of such a file. The error goes on after the name of the file.
    pub fn parse(text: &str) -> Result<Self, String> {
        text_file::yaml(text).map_err(|line| format!("is no such YAML: {line}; {EXPECTED}"))
    }

    /// The names of the classes. The error goes on after the name of the file.
    pub fn into_names(self) -> Result<Vec<String>, String> {
        match self.names {
            None => Err(format!("has no names; {EXPECTED}")),
            Some(Names::List(names)) => Ok(names.into_iter().map(String::from).collect()),
            Some(Names::Map(names)) if names.keys().copied().eq(0..names.len()) => {
                Ok(names.into_values().map(String::from).collect())
            }
            Some(Names::Map(_)) => Err(format!("leaves out some classes; {EXPECTED}")),
        }
    }

    /// Where the pictures of a split are, folders or lists of them; `folder`: that of the file.
    ///
    /// As the Ultralytics package finds them: below `path`, which is below the folder of the file; what begins with `../` is looked
    /// for without that too, since many files are written for another place.
    fn pictures(&self, split: Split, folder: &Path) -> Result<Vec<PathBuf>, String> {
        let places = match split {
            Split::Train => &self.train,
            Split::Val => &self.val,
            Split::Test => &self.test,
        };
        let places = match places {
            None => return Err(format!("names no pictures as {}; try another --split", split.name())),
            Some(Places::One(place)) => vec![place.clone()],
            Some(Places::Several(places)) => places.clone(),
        };
        let roots = [self.path.as_ref().map(|path| folder.join(path)), Some(folder.to_owned())];
        let find = |place: &PathBuf| {
            let short = place.strip_prefix("..").ok();
            let candidates = roots
                .iter()
                .flatten()
                .flat_map(|root| [Some(place.as_path()), short].into_iter().flatten().map(|place| root.join(place)));
            let found = candidates.into_iter().find(|path| path.exists());
            found.ok_or_else(|| {
                format!("names {place:?} as {}, which is not there; correct it, or give --img-path", split.name())
            })
        };
        places.iter().map(find).collect()
    }
}

/// Which pictures of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Split {
    /// Those that the detector learnt from.
    Train,
    /// Those on which it was measured while it learnt.
    #[default]
    Val,
    /// Those that were kept for the end.
    Test,
}

impl Split {
    fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        }
    }
}

/// A file of a dataset that was read.
pub struct Dataset {
    file: PathBuf,
    data: DataYaml,
}

impl Dataset {
    /// # Errors
    /// If the file can't be read, in one line.
    pub fn open(file: &Path) -> Result<Self> {
        let data = DataYaml::parse(&text_file::read(file, "--data:")?);
        Ok(Self { file: file.to_owned(), data: data.map_err(|problem| anyhow!("--data: {file:?} {problem}"))? })
    }

    /// The pictures of a split, folders and files.
    ///
    /// # Errors
    /// If what the file names is not there, in one line.
    pub fn pictures(&self, split: Split) -> Result<Vec<PathBuf>> {
        let folder = self.file.parent().unwrap_or(Path::new(""));
        let places = self.data.pictures(split, folder);
        let places = places.map_err(|problem| anyhow!("--data: {:?} {problem}", self.file))?;
        let mut pictures = Vec::new();
        for place in places {
            // A text is a list of pictures.
            match place.extension().is_some_and(|ending| ending == "txt") {
                true => pictures.extend(listed(&place)?),
                false => pictures.push(place),
            }
        }
        Ok(pictures)
    }

    /// The names of the classes.
    ///
    /// # Errors
    /// If the file has none, in one line.
    pub fn into_names(self) -> Result<Vec<String>> {
        let Self { file, data } = self;
        match data.into_names() {
            Ok(names) if names.is_empty() => bail!("--data: {file:?} has no names; {EXPECTED}"),
            names => names.map_err(|problem| anyhow!("--data: {file:?} {problem}")),
        }
    }
}

/// The pictures that a list names. What begins with `./` is found from the folder of the list, as in the Ultralytics package.
fn listed(list: &Path) -> Result<Vec<PathBuf>> {
    let text = read_regular_text(list).map_err(|error| anyhow!("--data: list {list:?} cannot be read: {error}"))?;
    let folder = list.parent().unwrap_or(Path::new(""));
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(lines.map(|line| line.strip_prefix("./").map_or_else(|| line.into(), |below| folder.join(below))).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn pictures_are_found_as_the_package_finds_them() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        for place in ["set/images/val", "valid/images", "images/test"] {
            fs::create_dir_all(at(place)).unwrap();
        }
        fs::write(at("list.txt"), "./images/a.jpg\n\nelsewhere/b.jpg\n").unwrap();
        let file = at("data.yaml");
        let of = |text: &str, split| {
            fs::write(&file, text).unwrap();
            let read = || -> Result<(Vec<PathBuf>, Vec<String>)> {
                Ok((Dataset::open(&file)?.pictures(split)?, Dataset::open(&file)?.into_names()?))
            };
            read()
                .map(|(pictures, names)| {
                    (
                        pictures
                            .iter()
                            .map(|path| path.display().to_string().replace(&folder.path().display().to_string(), ""))
                            .collect::<Vec<_>>(),
                        names,
                    )
                })
                .map_err(|error| error.to_string())
        };
        let names = vec!["a".to_owned(), "b".to_owned()];
        let found =
            |paths: &[&str]| Ok((paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>(), names.clone()));
        assert_eq!(of("path: set\nval: images/val\nnames: [a, b]", Split::Val), found(&["/set/images/val"]));
        assert_eq!(
            of("val: ../valid/images\nnames: [a, b]", Split::Val),
            found(&["/valid/images"]),
            "as Roboflow writes them"
        );
        assert_eq!(
            of("path: elsewhere\ntest: [images/test, list.txt]\nnames: {0: a, 1: b}", Split::Test),
            Ok((["/images/test", "/images/a.jpg", "elsewhere/b.jpg"].map(str::to_owned).to_vec(), names.clone()))
        );
        assert!(of("train: x\nnames: [a]", Split::Val).unwrap_err().contains("names no pictures as val"));
        assert!(of("val: x\nnames: [a]", Split::Val).unwrap_err().contains("which is not there"));
        assert!(of("val: valid/images", Split::Val).unwrap_err().contains("has no names"));
    }
}
