//! Which pictures are meant, one after the other, and what their results are called.

mod animation;
mod expand;
mod list;
mod remote;
mod video;

use std::{
    borrow::Cow,
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
    vec,
};

use image::RgbImage;
use yolo_cam::{
    limits::Limits,
    picture::{Budget, Share, read_bytes_within, read_within},
};

pub use self::expand::{Search, Source, SourceKind, Unusable, sources};
pub use self::remote::Remote;
use self::{animation::Animation, video::Video};
use crate::output::{Namer, PictureId, ResultNames};

/// What all pictures that are in memory may take together.
pub static PICTURES: Budget = Budget::new(Limits::PICTURE_BYTES);

/// A picture, and what its results are called.
pub struct Item {
    /// As messages and reports name it: `clip.mp4#12` for a frame.
    pub image: String,
    /// The picture, or in one line why there is none.
    pub content: Result<Picture, String>,
}

/// A picture that can be explained.
pub struct Picture {
    pub content: Content,
    /// Which it is, for the journal.
    pub id: PictureId,
    pub names: ResultNames,
}

/// Where a picture is.
pub enum Content {
    /// In a file of its own.
    File(PathBuf),
    /// On a server.
    Remote(Remote),
    /// In a video or an animation.
    Frame(RgbImage),
    /// In no file, but what would be in one; under this name.
    Bytes(PathBuf, Arc<[u8]>),
}

/// A picture in memory.
pub struct Loaded<'a> {
    pub picture: Cow<'a, RgbImage>,
    /// The file, if it has one of its own.
    pub file: Option<&'a Path>,
    /// Of [`PICTURES`], for as long as it is used.
    _share: Option<Share<'static>>,
}

impl Content {
    /// The picture, read or fetched if it is not in memory.
    ///
    /// # Errors
    /// If it can't be, in one line.
    pub fn load(&self) -> anyhow::Result<Loaded<'_>> {
        let (picture, share, file) = match self {
            Self::Frame(picture) => {
                return Ok(Loaded { picture: Cow::Borrowed(picture), file: None, _share: None });
            }
            Self::File(path) => {
                let (picture, share) = read_within(path, &PICTURES)?;
                (picture, share, Some(path.as_path()))
            }
            Self::Remote(remote) => {
                let (picture, share) = read_bytes_within(remote.bytes()?, remote.address(), &PICTURES)?;
                (picture, share, None)
            }
            Self::Bytes(name, bytes) => {
                let (picture, share) = read_bytes_within(bytes, name, &PICTURES)?;
                (picture, share, None)
            }
        };
        Ok(Loaded { picture: Cow::Owned(picture), file, _share: Some(share) })
    }
}

/// All pictures of a run. Videos are opened when it is their turn, and one frame of them is in memory.
pub struct Items {
    sources: vec::IntoIter<Result<Source, Unusable>>,
    /// How many pictures there are, if that is known.
    total: Option<usize>,
    /// Of each group of so many frames one is taken.
    every: NonZeroU32,
    namer: Namer,
    open: Option<OpenFrames>,
}

/// A video or an animation whose turn it is.
struct OpenFrames {
    path: PathBuf,
    image: String,
    names: ResultNames,
    frames: Box<dyn Iterator<Item = Result<(u64, RgbImage), String>> + Send>,
}

impl Items {
    pub fn new(sources: Vec<Result<Source, Unusable>>, every: NonZeroU32, namer: Namer) -> Self {
        let has_frames = |source: &Source| matches!(source.kind, SourceKind::Video | SourceKind::Animation);
        let has_frames = sources.iter().flatten().any(has_frames);
        Self { total: (!has_frames).then_some(sources.len()), sources: sources.into_iter(), every, namer, open: None }
    }

    /// How many there will be; `None` if nobody knows, since there are videos.
    pub fn total(&self) -> Option<usize> {
        self.total
    }

    /// The name of each picture (`clip.mp4#*` for all frames), which it is, and what its results are called, without
    /// looking into any of them.
    pub fn planned(mut self) -> impl Iterator<Item = Result<(String, Option<PictureId>, ResultNames), String>> {
        let sources = std::mem::take(&mut self.sources);
        sources.map(move |source| {
            let source = source.map_err(|unusable| unusable.problem)?;
            let image = source.path.display().to_string();
            Ok(match source.kind {
                SourceKind::Picture | SourceKind::Remote => {
                    let (id, names) = self.named(&source);
                    (image, Some(id), names)
                }
                SourceKind::Video | SourceKind::Animation => {
                    let names = self.namer.names_of_frames(&source.path, &source.below);
                    (format!("{image}#*"), None, names.with_suffix("-NNNNNN"))
                }
            })
        })
    }

    /// Which picture it is, and what its results are called.
    fn named(&mut self, source: &Source) -> (PictureId, ResultNames) {
        let Source { path, kind, below } = source;
        let id = PictureId::of(path, None);
        let names = match kind {
            SourceKind::Remote => self.namer.names(&remote::file_name(path), below, &id),
            _ => self.namer.names(path, below, &id),
        };
        (id, names)
    }

    fn open(&mut self, source: &Source) -> Result<OpenFrames, String> {
        let Source { path, kind, below } = source;
        let every = self.every.get().into();
        let frames: Box<dyn Iterator<Item = _> + Send> = match kind {
            SourceKind::Video => Box::new(Video::open(path, every)?),
            _ => Box::new(Animation::open(path, every)?),
        };
        let (image, names) = (path.display().to_string(), self.namer.names_of_frames(path, below));
        Ok(OpenFrames { path: path.to_owned(), image, names, frames })
    }

    fn next_frame(&mut self) -> Option<Item> {
        let OpenFrames { path, image, names, frames } = self.open.as_mut()?;
        let Some(frame) = frames.next() else {
            self.open = None;
            return None;
        };
        Some(match frame {
            Ok((index, picture)) => {
                let id = PictureId::of(path, Some(index));
                let names = self.namer.frame(names, index, &id);
                Item {
                    image: format!("{image}#{index}"),
                    content: Ok(Picture { content: Content::Frame(picture), id, names }),
                }
            }
            Err(problem) => Item { image: image.clone(), content: Err(problem) },
        })
    }
}

impl Iterator for Items {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        loop {
            if let Some(frame) = self.next_frame() {
                return Some(frame);
            }
            let source = match self.sources.next()? {
                Ok(source) => source,
                Err(Unusable { input, problem }) => return Some(Item { image: input, content: Err(problem) }),
            };
            let image = source.path.display().to_string();
            if matches!(source.kind, SourceKind::Picture | SourceKind::Remote) {
                let (id, names) = self.named(&source);
                let content = match source.kind {
                    SourceKind::Remote => Content::Remote(Remote::new(source.path)),
                    _ => Content::File(source.path),
                };
                return Some(Item { image, content: Ok(Picture { content, id, names }) });
            }
            match self.open(&source) {
                Ok(open) => self.open = Some(open),
                Err(problem) => return Some(Item { image, content: Err(problem) }),
            }
        }
    }
}

#[cfg(test)]
mod tests;

/// In lower case.
fn extension(path: &Path) -> Option<String> {
    path.extension().and_then(std::ffi::OsStr::to_str).map(str::to_ascii_lowercase)
}
