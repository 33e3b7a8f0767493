//! Which pictures are meant, one after the other, and what their results are called.

mod animation;
mod expand;
mod list;
mod remote;
mod shard;
mod video;

use std::{
    borrow::Cow,
    iter::{self, Enumerate},
    mem,
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
use self::{animation::Animation, video::Video};
pub use self::{
    remote::Remote,
    shard::{inputs_of, own_inputs},
};
use crate::output::{Namer, PictureId, ResultNames, Shard, shards::Turn};

/// What all pictures that are in memory may take together.
pub static PICTURES: Budget = Budget::new(Limits::PICTURE_BYTES);

/// A picture, and what its results are called.
pub struct Item {
    /// As messages and reports name it: `clip.mp4#12` for a frame.
    pub image: String,
    /// When its turn comes in the whole run, of which this process may have a part.
    pub turn: Turn,
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
    sources: Enumerate<vec::IntoIter<Result<Source, Unusable>>>,
    /// Of each of them whether it is this process's own; others have names alone.
    own: Option<Vec<bool>>,
    /// How many pictures there are, if that is known.
    total: Option<usize>,
    /// The same of the whole run.
    total_of_run: Option<usize>,
    /// Of each group of so many frames one is taken.
    every: NonZeroU32,
    namer: Namer,
    open: Option<OpenFrames>,
}

/// A video or an animation whose turn it is.
struct OpenFrames {
    /// Of the next frame.
    turn: Turn,
    path: PathBuf,
    image: String,
    names: ResultNames,
    frames: Box<dyn Iterator<Item = Result<(u64, RgbImage), String>> + Send>,
}

impl Items {
    pub fn new(sources: Vec<Result<Source, Unusable>>, every: NonZeroU32, namer: Namer) -> Self {
        let total = total_of(sources.iter());
        let total_of_run = total;
        Self { total, total_of_run, sources: sources.into_iter().enumerate(), own: None, every, namer, open: None }
    }

    /// Only those of this shard, if it is one. Their names are as in the whole run.
    pub fn of_shard(mut self, shard: Option<&Shard>) -> Self {
        let Some(shard) = shard else { return self };
        let sources: Vec<_> = self.sources.map(|(_, source)| source).collect();
        let own = own_inputs(&sources, shard);
        self.total = total_of(sources.iter().zip(&own).filter(|(_, is_own)| **is_own).map(|(source, _)| source));
        self.sources = sources.into_iter().enumerate();
        self.own = Some(own);
        self
    }

    /// The next input of this process.
    fn next_source(&mut self) -> Option<(usize, Result<Source, Unusable>)> {
        loop {
            let (index, source) = self.sources.next()?;
            if self.own.as_ref().is_none_or(|own| own[index]) {
                return Some((index, source));
            }
            if let Ok(source) = source {
                let has_frames = source.has_frames();
                let name =
                    if source.kind == SourceKind::Remote { remote::file_name(&source.path) } else { source.path };
                self.namer.pass(&name, &source.below, has_frames);
            }
        }
    }

    /// How many there will be; `None` if nobody knows, since there are videos.
    pub fn total(&self) -> Option<usize> {
        self.total
    }

    /// The same of the whole run, of which these may be a part. Threads are divided by it: the last digits of figures depend on how many a
    /// picture has, and are to be the same in any part.
    pub fn total_of_run(&self) -> Option<usize> {
        self.total_of_run
    }

    /// The name of each picture (`clip.mp4#*` for all frames), which it is, and what its results are called, without
    /// looking into any of them.
    pub fn planned(mut self) -> impl Iterator<Item = Result<(String, Option<PictureId>, ResultNames), String>> {
        iter::from_fn(move || {
            let (_, source) = self.next_source()?;
            Some(source.map_err(|unusable| unusable.problem).map(|source| self.plan(&source)))
        })
    }

    fn plan(&mut self, source: &Source) -> (String, Option<PictureId>, ResultNames) {
        let image = source.path.display().to_string();
        if source.has_frames() {
            let names = self.namer.names_of_frames(&source.path, &source.below);
            return (format!("{image}#*"), None, names.with_suffix("-NNNNNN"));
        }
        let (id, names) = self.named(source);
        (image, Some(id), names)
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

    fn open(&mut self, index: usize, source: &Source) -> Result<OpenFrames, String> {
        let Source { path, kind, below } = source;
        let every = self.every.get().into();
        let frames: Box<dyn Iterator<Item = _> + Send> = match kind {
            SourceKind::Video => Box::new(Video::open(path, every)?),
            _ => Box::new(Animation::open(path, every)?),
        };
        let (image, names) = (path.display().to_string(), self.namer.names_of_frames(path, below));
        Ok(OpenFrames { turn: Turn(index, 0, 0), path: path.to_owned(), image, names, frames })
    }

    fn next_frame(&mut self) -> Option<Item> {
        let OpenFrames { turn, path, image, names, frames } = self.open.as_mut()?;
        let Some(frame) = frames.next() else {
            self.open = None;
            return None;
        };
        let next = Turn(turn.0, turn.1 + 1, 0);
        let turn = mem::replace(turn, next);
        Some(match frame {
            Ok((index, picture)) => {
                let id = PictureId::of(path, Some(index));
                let names = self.namer.frame(names, index, &id);
                Item {
                    image: format!("{image}#{index}"),
                    turn,
                    content: Ok(Picture { content: Content::Frame(picture), id, names }),
                }
            }
            Err(problem) => Item { image: image.clone(), turn, content: Err(problem) },
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
            let (index, source) = self.next_source()?;
            let turn = Turn(index, 0, 0);
            let source = match source {
                Ok(source) => source,
                Err(Unusable { input, problem }) => return Some(Item { image: input, turn, content: Err(problem) }),
            };
            let image = source.path.display().to_string();
            if !source.has_frames() {
                let (id, names) = self.named(&source);
                let content = match source.kind {
                    SourceKind::Remote => Content::Remote(Remote::new(source.path)),
                    _ => Content::File(source.path),
                };
                return Some(Item { image, turn, content: Ok(Picture { content, id, names }) });
            }
            match self.open(index, &source) {
                Ok(open) => self.open = Some(open),
                Err(problem) => return Some(Item { image, turn, content: Err(problem) }),
            }
        }
    }
}

/// How many pictures there are, if that is known.
fn total_of<'a>(sources: impl Iterator<Item = &'a Result<Source, Unusable>>) -> Option<usize> {
    let mut total = 0;
    for source in sources {
        if source.as_ref().is_ok_and(Source::has_frames) {
            return None;
        }
        total += 1;
    }
    Some(total)
}

#[cfg(test)]
mod tests;

/// In lower case.
fn extension(path: &Path) -> Option<String> {
    path.extension().and_then(std::ffi::OsStr::to_str).map(str::to_ascii_lowercase)
}
