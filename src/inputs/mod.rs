//! Which pictures are meant, one after the other, and what their results are called.

mod animation;
mod expand;
mod list;
mod video;

use std::{
    num::NonZeroU32,
    path::{Path, PathBuf},
    vec,
};

use image::RgbImage;
use yolo_cam::{limits::Limits, picture::Budget};

pub use self::expand::{Search, Source, Unusable, sources};
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
    /// In a video or an animation.
    Frame(RgbImage),
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
        let has_frames = sources.iter().any(|source| matches!(source, Ok(Source::Video(_) | Source::Animation(_))));
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
            let image = source.path().display().to_string();
            Ok(match &source {
                Source::Picture(path) => {
                    let id = PictureId::of(path, None);
                    let names = self.namer.names(path, &id);
                    (image, Some(id), names)
                }
                Source::Video(path) | Source::Animation(path) => {
                    (format!("{image}#*"), None, self.namer.names_of_frames(path).with_suffix("-NNNNNN"))
                }
            })
        })
    }

    fn open(&mut self, source: &Source) -> Result<OpenFrames, String> {
        let path = source.path();
        let every = self.every.get().into();
        let frames: Box<dyn Iterator<Item = _> + Send> = match source {
            Source::Video(path) => Box::new(Video::open(path, every)?),
            _ => Box::new(Animation::open(path, every)?),
        };
        let (image, names) = (path.display().to_string(), self.namer.names_of_frames(path));
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
            let image = source.path().display().to_string();
            if let Source::Picture(path) = source {
                let id = PictureId::of(&path, None);
                let names = self.namer.names(&path, &id);
                return Some(Item { image, content: Ok(Picture { content: Content::File(path), id, names }) });
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
