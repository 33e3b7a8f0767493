//! The shards of a run as `merge` reads them: which there are, and their lines in the order of the inputs.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use serde::de::{DeserializeOwned, IgnoredAny};
use yolo_cam::text::counted;

use super::{ShardHead, ShardLine, Turn, is_journal};

/// More journals than these are opened anew for each line: systems allow a process some hundreds of files.
const MOST_OPEN: usize = 200;

/// The journal of a shard.
pub struct Part {
    pub path: PathBuf,
    /// In which its results are.
    pub folder: PathBuf,
    pub head: ShardHead,
    /// Whether all of its pictures have had their turn.
    pub is_complete: bool,
    /// How many lines could not be read.
    pub damaged: usize,
    lines: Vec<LinePlace>,
}

/// Where the line of a picture is.
#[derive(Clone, Copy)]
struct LinePlace {
    turn: Turn,
    start: u64,
    length: usize,
}

/// What became of a picture.
pub enum Told<R> {
    Done(R),
    Failed { image: String, frame: Option<u64>, error: String },
}

/// The journals of shards in a folder, sorted by name.
///
/// # Errors
/// If the folder or one of them can't be read.
pub fn find(folder: &Path) -> Result<Vec<Part>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{folder:?} cannot be read"))?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let names = names.collect::<io::Result<Vec<String>>>().with_context(|| format!("{folder:?} cannot be read"))?;
    let mut names: Vec<String> = names.into_iter().filter(|name| is_journal(name)).collect();
    names.sort();
    names.into_iter().map(|name| Part::open(folder, &name)).collect()
}

impl Part {
    fn open(folder: &Path, name: &str) -> Result<Self> {
        let path = folder.join(name);
        let read = || -> io::Result<Option<Self>> {
            let mut file = BufReader::new(File::open(&path)?);
            let (mut head, mut is_complete, mut damaged) = (None, false, 0);
            // The last line of a picture counts.
            let mut lines: HashMap<Turn, Option<LinePlace>> = HashMap::new();
            let (mut line, mut start) = (Vec::new(), 0);
            while file.read_until(b'\n', &mut line)? > 0 {
                let length = line.len();
                is_complete = false;
                match serde_json::from_slice::<ShardLine<IgnoredAny>>(&line) {
                    Ok(ShardLine::Head(found)) => head = Some(*found),
                    Ok(ShardLine::Done { turn, .. } | ShardLine::Failed { turn, .. }) => {
                        lines.insert(turn, Some(LinePlace { turn, start, length }));
                    }
                    Ok(ShardLine::Planned { turn, .. }) => _ = lines.insert(turn, None),
                    Ok(ShardLine::Older { .. }) => {}
                    Ok(ShardLine::End) => is_complete = true,
                    Err(_) => damaged += 1,
                }
                start += length as u64;
                line.clear();
            }
            let lines = lines.into_values().flatten().collect();
            let (path, folder) = (path.clone(), folder.to_owned());
            Ok(head.map(|head| Self { path, folder, head, is_complete, damaged, lines }))
        };
        let part = read().with_context(|| format!("{path:?} cannot be read"))?;
        let Some(part) = part else {
            bail!("{path:?} is damaged: it has no first line; remove it, and run that shard again")
        };
        Ok(part)
    }
}

/// Shards of one run.
pub struct Parts {
    parts: Vec<Part>,
    files: Vec<Option<File>>,
}

impl Parts {
    /// `parts`: at least one, all of the same run, in the order of their numbers.
    pub fn new(parts: Vec<Part>) -> Self {
        let files = parts.iter().map(|_| None).collect();
        Self { parts, files }
    }

    /// The first of them, which speaks for the run.
    pub fn first(&self) -> &ShardHead {
        &self.parts[0].head
    }

    pub fn all(&self) -> &[Part] {
        &self.parts
    }

    /// `1 shard`, `16 shards`
    pub fn counted(&self) -> String {
        counted(self.parts.len(), "shard", "shards")
    }

    /// Hands over what became of each picture, in the order of the inputs, with its turn and the part which knows it. One line is in memory at a time.
    ///
    /// # Errors
    /// Those of `take`, and if a journal can't be read, or has changed.
    pub fn in_order<R: DeserializeOwned>(
        &mut self,
        mut take: impl FnMut(Turn, &Part, Told<R>) -> Result<()>,
    ) -> Result<()> {
        let places = self.parts.iter().enumerate();
        let mut places: Vec<(usize, LinePlace)> =
            places.flat_map(|(part, Part { lines, .. })| lines.iter().map(move |&place| (part, place))).collect();
        places.sort_unstable_by_key(|(part, place)| (place.turn, *part));
        let mut line = Vec::new();
        for (index, place) in places {
            let part = &self.parts[index];
            let (file, path) = (&mut self.files[index], &part.path);
            read_line(file, path, place, index < MOST_OPEN, &mut line)
                .with_context(|| format!("{path:?} cannot be read"))?;
            let told = match serde_json::from_slice(&line) {
                Ok(ShardLine::Done { record, .. }) => Told::Done(record),
                Ok(ShardLine::Failed { image, frame, error, .. }) => Told::Failed { image, frame, error },
                Ok(_) => bail!("{path:?} has changed meanwhile; merge again"),
                Err(error) => bail!("{path:?} has a line that this version cannot read: {error}"),
            };
            take(place.turn, part, told)?;
        }
        Ok(())
    }
}

fn read_line(
    open: &mut Option<File>,
    path: &Path,
    place: LinePlace,
    stays_open: bool,
    line: &mut Vec<u8>,
) -> io::Result<()> {
    let mut file = match open.take() {
        Some(file) => file,
        None => File::open(path)?,
    };
    file.seek(SeekFrom::Start(place.start))?;
    line.resize(place.length, 0);
    file.read_exact(line)?;
    *open = Some(file).filter(|_| stays_open);
    Ok(())
}
