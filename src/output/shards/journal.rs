//! The journal of a shard: a line for the run, one for each picture, and one at the end.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Mismatch, ShardHead, Turn};
use crate::output::LineFile;

/// A line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShardLine<R> {
    Head(Box<ShardHead>),
    /// What is about to be made.
    Planned {
        turn: Turn,
        record: R,
    },
    /// What was made.
    Done {
        turn: Turn,
        record: R,
    },
    /// What could not be made, and why.
    Failed {
        turn: Turn,
        image: String,
        /// Its number, if it is one of a video or an animation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        frame: Option<u64>,
        error: String,
    },
    /// What was made by a run before, of which no report tells any more.
    Older {
        record: R,
    },
    /// All pictures of the shard have had their turn.
    End,
}

/// A journal to which lines are added.
pub struct ShardJournal {
    path: PathBuf,
    file: LineFile,
    /// Whether all lines could be written.
    is_whole: bool,
}

impl ShardJournal {
    /// Writes a new one in place of what was there, with these lines behind the head.
    ///
    /// # Errors
    /// If it can't be written; then the old one stays.
    pub fn begin<R: Serialize>(
        folder: &Path,
        head: &ShardHead,
        kept: impl IntoIterator<Item = ShardLine<R>>,
    ) -> io::Result<Self> {
        let path = folder.join(head.file());
        let lines = [ShardLine::Head(Box::new(head.clone()))].into_iter().chain(kept);
        let file = LineFile::replace(&path, lines)?;
        Ok(Self { path, file, is_whole: true })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a line.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn add<R: Serialize>(&mut self, line: &ShardLine<R>) -> io::Result<()> {
        let added = self.file.add(line);
        self.is_whole &= added.is_ok();
        added
    }

    /// Adds a picture that could not be looked at; with its number, if it is a frame.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn fail(&mut self, turn: Turn, image: &str, frame: Option<u64>, error: &str) -> io::Result<()> {
        self.add(&ShardLine::<()>::Failed { turn, image: image.to_owned(), frame, error: error.to_owned() })
    }

    /// Says that nothing more is to come, unless a line is missing.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn end(&mut self) -> io::Result<()> {
        if self.is_whole { self.add(&ShardLine::<()>::End) } else { Ok(()) }
    }
}

/// What an earlier run of a shard left.
pub struct EarlierLines<R> {
    pub head: ShardHead,
    pub lines: Vec<ShardLine<R>>,
    /// How many could not be read.
    pub damaged: usize,
}

impl<R: DeserializeOwned> EarlierLines<R> {
    /// Reads the journal at `path`; `None` if there is none, or it has no head.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("{path:?} cannot be read")),
        };
        let (mut head, mut lines, mut damaged) = (None, Vec::new(), 0);
        for line in BufReader::new(file).split(b'\n') {
            let line = line.with_context(|| format!("{path:?} cannot be read"))?;
            match serde_json::from_slice(&line) {
                Ok(ShardLine::Head(found)) => head = Some(*found),
                Ok(line) => lines.push(line),
                Err(_) => damaged += usize::from(!line.is_empty()),
            }
        }
        Ok(head.map(|head| Self { head, lines, damaged }))
    }

    /// The same, for the shard with this head to go on with.
    ///
    /// # Errors
    /// If it can't be read, or is of another run.
    pub fn of_same_run(folder: &Path, head: &ShardHead) -> Result<Option<Self>> {
        let path = folder.join(head.file());
        let Some(earlier) = Self::read(&path)? else { return Ok(None) };
        if let Some(Mismatch { what, values }) = earlier.head.difference(head) {
            let told = match values {
                Some([before, now]) => format!("{what} {before}, now {now}"),
                None => format!("another {what}"),
            };
            bail!("{path:?} is of a run with {told}; use another --output-dir, or leave --skip-existing out");
        }
        Ok(Some(earlier))
    }
}
