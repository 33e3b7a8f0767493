//! The pictures of the page: those of the inputs, and those that were added by hand. Nothing else can be read through it.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use axum::http::StatusCode;
use yolo_cam::picture::read_bytes_within;

use super::refusal::Refusal;
use crate::{
    inputs::{Content, PICTURES, Remote, Source, SourceKind, Unusable},
    output::PictureId,
};

/// The largest file that is taken as a picture that is added, in bytes.
pub const MOST_BYTES: usize = 64 << 20;

/// What all pictures that were added may take together, in bytes of their files.
const MOST_ADDED_BYTES: usize = 512 << 20;

/// A picture.
#[derive(Clone)]
pub struct Entry {
    pub id: usize,
    /// As the user knows it.
    pub name: String,
    origin: Origin,
}

#[derive(Clone)]
enum Origin {
    Input(Source),
    Added(Arc<[u8]>),
}

/// Which picture it is, and which state of its file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version(usize, Option<PictureId>);

impl Entry {
    pub fn is_added(&self) -> bool {
        matches!(self.origin, Origin::Added(_))
    }

    /// Where it is. Pictures on servers are fetched again each time: all together they may be many.
    pub fn content(&self) -> Content {
        match &self.origin {
            Origin::Input(Source { path, kind: SourceKind::Remote, .. }) => Content::Remote(Remote::new(path.clone())),
            Origin::Input(Source { path, .. }) => Content::File(path.clone()),
            Origin::Added(bytes) => Content::Bytes(PathBuf::from(&self.name), Arc::clone(bytes)),
        }
    }

    /// The file, if it has one of its own.
    pub fn file(&self) -> Option<&Path> {
        match &self.origin {
            Origin::Input(Source { path, kind, .. }) if *kind != SourceKind::Remote => Some(path),
            _ => None,
        }
    }

    /// As a command line names it.
    pub fn input(&self) -> PathBuf {
        match &self.origin {
            Origin::Input(Source { path, .. }) => path.clone(),
            Origin::Added(_) => PathBuf::from(&self.name),
        }
    }

    /// What was added, as it came.
    pub fn added_bytes(&self) -> Option<&[u8]> {
        match &self.origin {
            Origin::Added(bytes) => Some(bytes),
            Origin::Input(_) => None,
        }
    }

    pub fn version(&self) -> Version {
        Version(self.id, self.file().map(|file| PictureId::of(file, None)))
    }

    /// The name of the file, without its folders and its ending.
    pub fn stem(&self) -> String {
        let input = self.input();
        let stem = input.file_stem().unwrap_or(input.as_os_str());
        stem.to_string_lossy().into_owned()
    }
}

/// All pictures. They are known by their number, which they keep.
pub struct Catalogue {
    inputs: Vec<Entry>,
    added: RwLock<Vec<Entry>>,
    /// Inputs that lead to no picture, and why.
    pub problems: Vec<String>,
}

impl Catalogue {
    pub fn new(sources: Vec<Result<Source, Unusable>>) -> Self {
        let (mut inputs, mut problems) = (Vec::new(), Vec::new());
        for source in sources {
            match source {
                Ok(source) if matches!(source.kind, SourceKind::Video | SourceKind::Animation) => {
                    let path = source.path.display();
                    problems.push(format!(
                        "{path}: a page shows pictures, and this has frames; explain them with yolo-cam --img-path, or give \
                         pictures of them"
                    ));
                }
                Ok(source) => {
                    let (id, name) = (inputs.len(), source.path.display().to_string());
                    inputs.push(Entry { id, name, origin: Origin::Input(source) });
                }
                Err(Unusable { problem, .. }) => problems.push(problem),
            }
        }
        Self { inputs, added: RwLock::default(), problems }
    }

    /// # Errors
    /// If there is no such picture.
    pub fn get(&self, id: usize) -> Result<Entry, Refusal> {
        let found = match id.checked_sub(self.inputs.len()) {
            None => self.inputs.get(id).cloned(),
            Some(place) => self.added.read().unwrap_or_else(PoisonError::into_inner).get(place).cloned(),
        };
        found.ok_or_else(|| Refusal::missing(format!("there is no picture {id}")))
    }

    /// How many pictures the inputs have.
    pub fn count(&self) -> usize {
        self.inputs.len()
    }

    /// All, in order.
    pub fn all(&self) -> Vec<Entry> {
        let added = self.added.read().unwrap_or_else(PoisonError::into_inner);
        self.inputs.iter().chain(added.iter()).cloned().collect()
    }

    /// Adds a picture. `name`: of a file; folders are left out.
    ///
    /// # Errors
    /// If the bytes are no picture, or there are too many.
    pub fn add(&self, name: &str, bytes: &[u8]) -> Result<Entry, Refusal> {
        let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
        let name: String = name.chars().filter(|c| !c.is_control()).take(200).collect();
        let name = if matches!(name.trim(), "" | "." | "..") { "picture".to_owned() } else { name };
        // Whether it can be read is told at once, not when somebody looks at it.
        drop(read_bytes_within(bytes, Path::new(&name), &PICTURES)?);
        let mut added = self.added.write().unwrap_or_else(PoisonError::into_inner);
        let held: usize = added.iter().filter_map(Entry::added_bytes).map(<[u8]>::len).sum();
        if held + bytes.len() > MOST_ADDED_BYTES {
            let line = format!(
                "{name:?}: pictures that were added take at most {} MiB together; start yolo-cam explore with --img-path and the \
                 folder instead",
                MOST_ADDED_BYTES >> 20
            );
            return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, line));
        }
        // Addresses name pictures.
        let is_taken = |name: &str| self.inputs.iter().chain(added.iter()).any(|entry| entry.name == name);
        let (stem, ending) =
            name.rsplit_once('.').map_or((name.as_str(), String::new()), |(s, e)| (s, format!(".{e}")));
        let numbered = |count: u32| if count == 1 { name.clone() } else { format!("{stem}-{count}{ending}") };
        let name = (1..).map(numbered).find(|name| !is_taken(name)).unwrap_or_default();
        let entry = Entry { id: self.inputs.len() + added.len(), name, origin: Origin::Added(bytes.into()) };
        added.push(entry.clone());
        Ok(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_added_picture_has_a_name_of_its_own_and_no_folder() {
        let catalogue = Catalogue::new(Vec::new());
        let mut png = std::io::Cursor::new(Vec::new());
        image::RgbImage::new(2, 2).write_to(&mut png, image::ImageFormat::Png).unwrap();
        let add = |name: &str| catalogue.add(name, png.get_ref()).map(|entry| (entry.id, entry.name)).unwrap();
        assert_eq!(add("a.png"), (0, "a.png".to_owned()));
        assert_eq!(add("../../etc/a.png"), (1, "a-2.png".to_owned()));
        assert_eq!(add("..\\b.png\n"), (2, "b.png".to_owned()));
        assert_eq!(add("x/.."), (3, "picture".to_owned()));
        assert_eq!(catalogue.get(1).unwrap().name, "a-2.png");
        assert_eq!(catalogue.get(4).err().unwrap().status, StatusCode::NOT_FOUND);
        let refused = catalogue.add("c.png", b"no picture").err().unwrap();
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(catalogue.all().len(), 4);
    }
}
