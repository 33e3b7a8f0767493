//! Where the objects really are: label files of YOLO and COCO.
//!
//! ```
//! use std::path::Path;
//! use yolo_cam::{geometry::Size, labels::Labels};
//!
//! let folder = tempfile::tempdir()?;
//! std::fs::write(folder.path().join("dog.txt"), "0 0.5 0.5 0.2 0.4\n")?;
//! let labels = Labels::open(folder.path(), &["dog".to_owned()])?;
//! let size = Size { width: 200, height: 100 };
//! let of_dog = labels.of(Path::new("images/dog.jpg"), size)?.expect("there is a file for it");
//! assert_eq!((of_dog[0].class_id, of_dog[0].b.x1), (0, 80.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod coco;
mod yolo;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    files::read_regular_text,
    geometry::{BBox, LetterboxMap, Size},
};

/// An object that somebody marked in a picture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Label {
    /// Index of its class.
    pub class_id: usize,
    /// Its box, in pixels of the picture.
    #[serde(rename = "box")]
    pub b: BBox,
    /// Whether it is a crowd: an area with many objects of the class, which are not marked one by one. Nothing has to be found there,
    /// and what is found there is no error.
    #[serde(default)]
    pub is_crowd: bool,
}

impl Label {
    /// A single object.
    pub fn new(class_id: usize, b: BBox) -> Self {
        Self { class_id, b, is_crowd: false }
    }

    /// The same in pixels of the network's input.
    #[must_use]
    pub fn in_input(&self, map: &LetterboxMap) -> Self {
        Self { b: map.to_input(&self.b), ..*self }
    }
}

/// A picture of a file of COCO's.
#[derive(Debug, Clone)]
pub struct LabelledPicture {
    /// As the file names it, `/` between folders.
    pub path: PathBuf,
    /// Where the file says it.
    pub size: Option<Size>,
    /// Its labels.
    pub labels: Vec<Label>,
}

/// The labels of many pictures.
#[derive(Debug, Clone)]
pub enum Labels {
    /// A folder with `STEM.txt` for each picture.
    Yolo {
        /// The folder.
        folder: PathBuf,
        /// How many classes the model has.
        classes: usize,
    },
    /// COCO's annotations.
    Coco {
        /// By file name: several folders may have one of the same.
        pictures: HashMap<String, Vec<LabelledPicture>>,
        /// In one line, what of the file is left out, if something is.
        odd: Option<String>,
    },
}

impl Labels {
    /// Opens a folder of YOLO's text files, or a JSON file of COCO. `names`: the model's classes, which COCO's categories
    /// are matched with: by name; where none of the names is the same, in the order of their numbers.
    ///
    /// # Errors
    /// [`Error::Labels`] if it is neither; [`Error::Io`].
    pub fn open(path: &Path, names: &[String]) -> Result<Self> {
        if path.is_dir() {
            return Ok(Self::Yolo { folder: path.to_owned(), classes: names.len() });
        }
        let text = read_regular_text(path).map_err(Error::io(path))?;
        coco::read(&text, names).map_err(|problem| Error::Labels { path: path.to_owned(), problem })
    }

    /// In one line, what of the labels is left out because it says nothing that can be used; `None` if nothing is.
    pub fn odd(&self) -> Option<&str> {
        match self {
            Self::Yolo { .. } => None,
            Self::Coco { odd, .. } => odd.as_deref(),
        }
    }

    /// The labels of the picture at `picture`, of `size`; `None` if it has none, not even an empty list.
    ///
    /// # Errors
    /// [`Error::Labels`] if its file is damaged; [`Error::Io`].
    pub fn of(&self, picture: &Path, size: Size) -> Result<Option<Vec<Label>>> {
        match self {
            Self::Yolo { folder, classes } => {
                let stem = picture.file_stem().unwrap_or_default();
                let mut name = stem.to_owned();
                name.push(".txt");
                let path = folder.join(name);
                if !path.exists() {
                    return Ok(None);
                }
                let text = read_regular_text(&path).map_err(Error::io(&path))?;
                let labels = yolo::read(&text, *classes, size);
                labels.map(Some).map_err(|problem| Error::Labels { path, problem })
            }
            Self::Coco { pictures, .. } => {
                let picture = coco::portable(&picture.to_string_lossy());
                let name = picture.file_name().unwrap_or_default().to_string_lossy();
                let Some(found) = pictures.get(name.as_ref()) else { return Ok(None) };
                // Several folders may have a picture of this name. The only one may lie elsewhere than when it was labelled;
                // that it is the same shows in its size.
                let same = found.iter().find(|labelled| picture.ends_with(&labelled.path));
                let is_bare = picture.parent().is_none_or(|folder| folder == Path::new(""));
                let only = || match found.as_slice() {
                    [only] if is_bare || only.size == Some(size) => Some(only),
                    _ => None,
                };
                Ok(same.or_else(only).map(|labelled| labelled.labels.clone()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const SIZE: Size = Size { width: 200, height: 100 };

    #[test]
    fn a_folder_has_a_file_for_each_picture() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.txt"), "0 0.5 0.5 1 1").unwrap();
        fs::write(folder.path().join("bad.txt"), "zero").unwrap();
        let labels = Labels::open(folder.path(), &["cat".to_owned()]).unwrap();
        assert_eq!(labels.of(Path::new("x/a.jpg"), SIZE).unwrap().unwrap().len(), 1);
        assert_eq!(labels.of(Path::new("x/b.jpg"), SIZE).unwrap(), None);
        let problem = labels.of(Path::new("bad.png"), SIZE).unwrap_err().to_string();
        assert!(problem.contains("bad.txt") && problem.contains("line 1"), "{problem}");
    }
}
