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
    ffi::OsStr,
    path::{Component, Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    error::{Error, Result},
    files::read_regular_text,
    geometry::{BBox, LetterboxMap, Size},
    text::counted,
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
struct LabelledPicture {
    /// As the file names it, `/` between folders.
    path: PathBuf,
    /// What the file calls it.
    id: Value,
    /// Where the file says it.
    size: Option<Size>,
    /// Its labels.
    labels: Vec<Label>,
}

/// The labels of many pictures.
#[derive(Debug, Clone)]
pub struct Labels {
    files: Files,
    odd: Option<String>,
    unknown: Vec<String>,
    is_by_order: bool,
    /// What COCO calls the model's classes; none of YOLO's.
    category_ids: Vec<Option<Value>>,
}

#[derive(Debug, Clone)]
enum Files {
    /// A text `STEM.txt` for each picture.
    Yolo {
        /// Where they are; `None`: where YOLO looks for them.
        folder: Option<PathBuf>,
        /// The model's class of each of theirs.
        classes: Vec<Option<usize>>,
    },
    /// COCO's annotations, by file name: several folders may have one of the same.
    Coco(HashMap<String, Vec<LabelledPicture>>),
}

impl Labels {
    /// Opens a folder of YOLO's text files, or a JSON file of COCO. `names`: the model's classes, which COCO's categories
    /// are matched with: by name; where none of the names is the same, in the order of their numbers.
    ///
    /// # Errors
    /// [`Error::Labels`] if it is neither; [`Error::Io`].
    pub fn open(path: &Path, names: &[String]) -> Result<Self> {
        if path.is_dir() {
            return Ok(Self::yolo(Some(path.to_owned()), names));
        }
        let text = read_regular_text(path).map_err(Error::io(path))?;
        coco::read(&text, names).map_err(|problem| Error::Labels { path: path.to_owned(), problem })
    }

    /// YOLO's text files where its packages look for them: in the path of a picture the last folder `images` becomes `labels`; a path
    /// without such a folder has the text beside the picture. `names`: the model's classes.
    pub fn beside(names: &[String]) -> Self {
        Self::yolo(None, names)
    }

    fn yolo(folder: Option<PathBuf>, names: &[String]) -> Self {
        let classes = (0..names.len()).map(Some).collect();
        Self {
            files: Files::Yolo { folder, classes },
            odd: None,
            unknown: Vec::new(),
            is_by_order: false,
            category_ids: Vec::new(),
        }
    }

    /// The same labels where the classes of YOLO's files are called `own`, in their order, and the model's `names`: matched by name, or
    /// in their order where none of the names is the same. COCO's files have names of their own.
    ///
    /// # Errors
    /// In one line, if no name is the same, and there are not as many.
    pub fn with_names(mut self, own: &[String], names: &[String]) -> Result<Self, String> {
        if let Files::Yolo { classes, .. } = &mut self.files {
            *classes = matched(own, names)?;
            self.unknown = unmatched(own, classes);
            self.is_by_order = !share_a_name(own, names);
        }
        Ok(self)
    }

    /// In one line, what of the labels is left out because it says nothing that can be used; `None` if nothing is.
    pub fn odd(&self) -> Option<&str> {
        self.odd.as_deref()
    }

    /// Whether no name of the labels' classes is the model's, so that they are taken in their order.
    pub fn is_by_order(&self) -> bool {
        self.is_by_order
    }

    /// Classes that the model lacks. Their labels are left out.
    pub fn unknown(&self) -> &[String] {
        &self.unknown
    }

    /// The labels of the picture at `picture`, of `size`; `None` if it has none, not even an empty list.
    ///
    /// # Errors
    /// [`Error::Labels`] if its file is damaged; [`Error::Io`].
    pub fn of(&self, picture: &Path, size: Size) -> Result<Option<Vec<Label>>> {
        match &self.files {
            Files::Yolo { classes, .. } => {
                let Some(path) = self.text_of(picture).filter(|path| path.exists()) else { return Ok(None) };
                let text = read_regular_text(&path).map_err(Error::io(&path))?;
                let labels = yolo::read(&text, classes.len(), size);
                let labels = labels.map_err(|problem| Error::Labels { path, problem })?;
                let known = |label: Label| Some(Label { class_id: classes[label.class_id]?, ..label });
                Ok(Some(labels.into_iter().filter_map(known).collect()))
            }
            Files::Coco(pictures) => Ok(labelled(pictures, picture, size).map(|labelled| labelled.labels.clone())),
        }
    }

    /// The text of YOLO's with the labels of the picture, whether it is there or not; `None` if the labels are COCO's.
    pub fn text_of(&self, picture: &Path) -> Option<PathBuf> {
        let Files::Yolo { folder, .. } = &self.files else { return None };
        // Not the stem's extension: "a.b.jpg" has "a.b.txt".
        Some(match folder {
            Some(folder) => below(folder, &picture.with_extension("txt")),
            None => beside(picture).with_extension("txt"),
        })
    }

    /// What a file of COCO's calls the picture; `None` if it has none such, or the labels are YOLO's.
    pub fn coco_id(&self, picture: &Path, size: Size) -> Option<Value> {
        match &self.files {
            Files::Yolo { .. } => None,
            Files::Coco(pictures) => labelled(pictures, picture, size).map(|labelled| labelled.id.clone()),
        }
    }

    /// What a file of COCO's calls a class of the model; `None` if it has none such, or the labels are YOLO's.
    pub fn category_id(&self, class_id: usize) -> Option<&Value> {
        self.category_ids.get(class_id)?.as_ref()
    }

    /// Whether the labels are texts of YOLO's, of which there need be none for a picture without objects.
    pub fn is_yolo(&self) -> bool {
        matches!(self.files, Files::Yolo { .. })
    }
}

/// What a file of COCO's says of a picture.
fn labelled<'a>(
    pictures: &'a HashMap<String, Vec<LabelledPicture>>,
    picture: &Path,
    size: Size,
) -> Option<&'a LabelledPicture> {
    let picture = coco::portable(&picture.to_string_lossy());
    let name = picture.file_name().unwrap_or_default().to_string_lossy();
    let found = pictures.get(name.as_ref())?;
    // A picture that was turned may be told of with its sides changed.
    let fits = |labelled: &LabelledPicture| {
        let is_same =
            |own: Size| [(size.width, size.height), (size.height, size.width)].contains(&(own.width, own.height));
        labelled.size.is_none_or(is_same)
    };
    // Several folders may have a picture of this name. The only one may lie elsewhere than when it was labelled; that it is the same
    // shows in its size.
    let same = found.iter().filter(|labelled| picture.ends_with(&labelled.path) && fits(labelled));
    let same = same.max_by_key(|labelled| labelled.path.components().count());
    let is_bare = picture.parent().is_none_or(|folder| folder == Path::new(""));
    let only = || match found.as_slice() {
        [only] if is_bare || only.size == Some(size) => Some(only),
        _ => None,
    };
    same.or_else(only)
}

/// The file in a folder that has most of the folders of `file` above it: pictures in folders may have texts in like ones.
fn below(folder: &Path, file: &Path) -> PathBuf {
    let parts: Vec<Component> = file.components().filter(|part| matches!(part, Component::Normal(_))).collect();
    let candidates = (0..parts.len()).map(|first| folder.join(parts[first..].iter().collect::<PathBuf>()));
    let bare = folder.join(file.file_name().unwrap_or_default());
    candidates.into_iter().find(|path| path.is_file()).unwrap_or(bare)
}

/// Where YOLO's packages look for the text of a picture.
fn beside(picture: &Path) -> PathBuf {
    let parts: Vec<&OsStr> = picture.iter().collect();
    // The file itself may be called so.
    let folders = &parts[..parts.len().saturating_sub(1)];
    match folders.iter().rposition(|folder| *folder == "images") {
        Some(at) => parts
            .iter()
            .enumerate()
            .map(|(index, &part)| if index == at { OsStr::new("labels") } else { part })
            .collect(),
        None => picture.to_owned(),
    }
}

/// The model's class of each class of the labels: by name; where none of the names is the same, in their order.
fn matched(own: &[String], names: &[String]) -> Result<Vec<Option<usize>>, String> {
    let by_name: Vec<Option<usize>> = own.iter().map(|own| names.iter().position(|name| name == own)).collect();
    if by_name.iter().any(Option::is_some) {
        return Ok(by_name);
    }
    if own.len() != names.len() {
        return Err(format!(
            "{}, none with the name of one of the model's {}; give them the same names",
            counted(own.len(), "class", "classes"),
            names.len()
        ));
    }
    Ok((0..own.len()).map(Some).collect())
}

/// Whether one of the names is the same.
fn share_a_name(own: &[String], names: &[String]) -> bool {
    own.iter().any(|own| names.contains(own))
}

/// Those of the names that have no class.
fn unmatched(own: &[String], classes: &[Option<usize>]) -> Vec<String> {
    own.iter().zip(classes).filter(|(_, class)| class.is_none()).map(|(name, _)| name.clone()).collect()
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

    #[test]
    fn a_text_is_where_yolo_looks_for_it() {
        assert_eq!(beside(Path::new("/data/images/val/a.jpg")), Path::new("/data/labels/val/a.jpg"));
        assert_eq!(beside(Path::new("images/old/images/a.jpg")), Path::new("images/old/labels/a.jpg"));
        assert_eq!(beside(Path::new("set/images")), Path::new("set/images"), "a file of that name");
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("labels")).unwrap();
        fs::write(folder.path().join("labels/a.b.txt"), "1 0.5 0.5 1 1\n0 0.5 0.5 1 1").unwrap();
        let names = ["cat", "dog"].map(str::to_owned);
        let of = |labels: &Labels| labels.of(&folder.path().join("images/a.b.jpg"), SIZE).unwrap().unwrap();
        let classes = |labels: &Labels| of(labels).iter().map(|label| label.class_id).collect::<Vec<_>>();
        let labels = Labels::beside(&names);
        assert_eq!(classes(&labels), [1, 0]);
        // The dataset has its classes in another order, and one that the model lacks.
        let labels = labels.with_names(&["dog", "hat"].map(str::to_owned), &names).unwrap();
        assert_eq!((classes(&labels), labels.unknown()), (vec![1], &["hat".to_owned()][..]));
        assert!(Labels::beside(&names).with_names(&["hat".to_owned()], &names).is_err());
        let by_order = Labels::beside(&names).with_names(&["Katze", "Hund"].map(str::to_owned), &names).unwrap();
        assert_eq!(classes(&by_order), [1, 0]);
    }
}
