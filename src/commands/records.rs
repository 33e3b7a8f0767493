//! What is known of each picture, line by line: a run that was stopped goes on from there.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, BufRead, BufReader},
    marker::PhantomData,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use yolo_cam::files::folder_of;

use crate::output::{
    LineFile,
    shards::{EarlierLines, ShardHead, ShardJournal, ShardLine, Turn},
};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The first line.
#[derive(Serialize, Deserialize)]
struct Header {
    yolo_cam: String,
    /// All that figures depend on.
    settings: Map<String, Value>,
}

/// A file of records, a line each.
pub struct Records<R> {
    path: PathBuf,
    settings: Map<String, Value>,
    /// None before the first record.
    file: Option<LineFile>,
    record: PhantomData<fn(&R)>,
}

impl<R: Serialize + DeserializeOwned> Records<R> {
    /// Begins a new file, which takes the place of an older one with its first record: a run that comes to nothing takes
    /// nothing away.
    pub fn begin(path: &Path, settings: &Map<String, Value>) -> Result<Self> {
        // Better told now than after the first picture.
        folder_of(path).and_then(tempfile::tempfile_in).with_context(|| format!("{path:?} cannot be written"))?;
        Ok(Self { path: path.to_owned(), settings: settings.clone(), file: None, record: PhantomData })
    }

    /// Goes on with a file, if there is one, and returns its records, and how many lines were left out as damaged.
    ///
    /// # Errors
    /// If it was made with other settings, or by another version: figures would not be comparable.
    pub fn resume(path: &Path, settings: &Map<String, Value>) -> Result<(Self, Vec<R>, usize)> {
        let (records, damaged) = match File::open(path) {
            Ok(file) => read(BufReader::new(file), settings).with_context(|| format!("{path:?}"))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok((Self::begin(path, settings)?, Vec::new(), 0));
            }
            Err(error) => bail!("{path:?}: {error}"),
        };
        let file = match damaged {
            0 => LineFile::append(path),
            _ => replaced(path, settings, &records),
        };
        let file = Some(file.with_context(|| format!("{path:?} cannot be written"))?);
        Ok((Self { path: path.to_owned(), settings: settings.clone(), file, record: PhantomData }, records, damaged))
    }

    /// Adds a record.
    pub fn add(&mut self, record: &R) -> Result<()> {
        self.try_add(record).with_context(|| format!("{:?} cannot be written", self.path))
    }

    fn try_add(&mut self, record: &R) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(replaced::<R>(&self.path, &self.settings, &[])?),
        };
        file.add(record)
    }
}

/// Where a run keeps what it finds: in the journal of the whole run, or in that of a shard.
pub enum Keeper<R> {
    Whole(Records<R>),
    Shard(ShardJournal),
}

impl<R: Serialize + DeserializeOwned> Keeper<R> {
    /// Goes on with what an earlier run of the shard with this head left in `folder`, if that is wanted and there is something, and returns its
    /// records, and how many lines were left out as damaged.
    ///
    /// # Errors
    /// If that was another run, or the journal can't be written.
    pub fn of_shard(folder: &Path, head: &ShardHead, goes_on: bool) -> Result<(Self, Vec<R>, usize)> {
        let earlier = if goes_on { EarlierLines::<R>::of_same_run(folder, head)? } else { None };
        let (lines, damaged) = earlier.map_or_else(Default::default, |earlier| (earlier.lines, earlier.damaged));
        // The last line of a picture counts.
        let mut records = BTreeMap::new();
        for line in lines {
            if let ShardLine::Done { turn, record } = line {
                records.insert(turn, record);
            }
        }
        let kept = records.iter().map(|(&turn, record)| ShardLine::Done { turn, record });
        let journal = ShardJournal::begin(folder, head, kept);
        let journal = journal.with_context(|| format!("{:?} cannot be written", folder.join(head.file())))?;
        Ok((Self::Shard(journal), records.into_values().collect(), damaged))
    }

    /// Adds a record, whose turn this is in the whole run.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn add(&mut self, turn: Turn, record: &R) -> Result<()> {
        match self {
            Self::Whole(records) => records.add(record),
            Self::Shard(journal) => Self::written(journal, |journal| journal.add(&ShardLine::Done { turn, record })),
        }
    }

    /// Adds a picture that failed, where that is kept: in the journal of a shard.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn fail(&mut self, turn: Turn, image: &str, error: &str) -> Result<()> {
        match self {
            Self::Whole(_) => Ok(()),
            Self::Shard(journal) => Self::written(journal, |journal| journal.fail(turn, image, None, error)),
        }
    }

    /// Says that all pictures had their turn, where that is kept: in the journal of a shard.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn end(&mut self) -> Result<()> {
        match self {
            Self::Whole(_) => Ok(()),
            Self::Shard(journal) => Self::written(journal, ShardJournal::end),
        }
    }

    fn written(journal: &mut ShardJournal, write: impl FnOnce(&mut ShardJournal) -> io::Result<()>) -> Result<()> {
        write(journal).with_context(|| format!("{:?} cannot be written", journal.path()))
    }
}

/// Writes the file anew, and opens it for more.
fn replaced<R: Serialize>(path: &Path, settings: &Map<String, Value>, records: &[R]) -> io::Result<LineFile> {
    let header = Header { yolo_cam: VERSION.to_owned(), settings: settings.clone() };
    LineFile::replace(path, [Line::Header(&header)].into_iter().chain(records.iter().map(Line::Record)))
}

#[derive(Serialize)]
#[serde(untagged)]
enum Line<'a, R> {
    Header(&'a Header),
    Record(&'a R),
}

/// The records, and how many lines are none.
fn read<R: DeserializeOwned>(mut file: impl BufRead, settings: &Map<String, Value>) -> Result<(Vec<R>, usize)> {
    let mut next = || -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        Ok((file.read_until(b'\n', &mut line)? > 0).then_some(line))
    };
    let header = next()?.and_then(|line| serde_json::from_slice::<Header>(&line).ok());
    let Some(Header { yolo_cam, settings: earlier }) = header else {
        bail!("holds no figures of yolo-cam; take another --output-dir")
    };
    const WAYS: &str = "take another --output-dir, or leave --skip-existing out";
    if yolo_cam != VERSION {
        bail!("is of yolo-cam {yolo_cam}, this is {VERSION}; {WAYS}");
    }
    let names: BTreeSet<&String> = settings.keys().chain(earlier.keys()).collect();
    let of = |settings: &Map<String, Value>, name: &String| settings.get(name).cloned().unwrap_or_default();
    if let Some(name) = names.into_iter().find(|name| of(settings, name) != of(&earlier, name)) {
        bail!("is of a run with {name} {}, now {}; {WAYS}", of(&earlier, name), of(settings, name));
    }
    let (mut records, mut damaged) = (Vec::new(), 0);
    while let Some(line) = next()? {
        match serde_json::from_slice(&line) {
            Ok(record) if line.ends_with(b"\n") => records.push(record),
            _ => damaged += 1,
        }
    }
    Ok((records, damaged))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A record, as a command may have it.
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Figures {
        image: String,
        share: f64,
    }

    type Journal = Records<Figures>;

    fn record(image: &str) -> Figures {
        Figures { image: image.into(), share: 0.25 }
    }

    fn settings(steps: u32) -> Map<String, Value> {
        [("steps".to_owned(), Value::from(steps))].into_iter().collect()
    }

    #[test]
    fn a_run_goes_on_behind_the_last_whole_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("eval.jsonl");
        let mut journal = Journal::begin(&path, &settings(5)).unwrap();
        journal.add(&record("a.jpg")).unwrap();
        journal.add(&record("b.jpg")).unwrap();
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 20]).unwrap();
        let (mut journal, records, damaged) = Journal::resume(&path, &settings(5)).unwrap();
        assert_eq!(damaged, 1);
        assert_eq!(records.iter().map(|record| record.image.as_str()).collect::<Vec<_>>(), ["a.jpg"]);
        assert_eq!(records[0], record("a.jpg"));
        journal.add(&record("b.jpg")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), whole, "as if it had never been stopped");
    }

    #[test]
    fn a_damaged_line_takes_no_others_along() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("eval.jsonl");
        let mut journal = Journal::begin(&path, &settings(5)).unwrap();
        ["a.jpg", "b.jpg", "c.jpg"].iter().for_each(|image| journal.add(&record(image)).unwrap());
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace(r#""image":"b.jpg""#, r#""image":"b.j"#)).unwrap();
        let (_, records, damaged) = Journal::resume(&path, &settings(5)).unwrap();
        assert_eq!((records.len(), damaged), (2, 1));
        let (_, records, damaged) = Journal::resume(&path, &settings(5)).unwrap();
        assert_eq!((records.len(), damaged), (2, 0), "the others were kept");
    }

    #[test]
    fn a_run_without_results_leaves_an_earlier_one_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("eval.jsonl");
        Journal::begin(&path, &settings(5)).unwrap().add(&record("a.jpg")).unwrap();
        let mut other = Journal::begin(&path, &settings(6)).unwrap();
        assert_eq!(Journal::resume(&path, &settings(5)).unwrap().1.len(), 1);
        other.add(&record("b.jpg")).unwrap();
        let (_, records, _) = Journal::resume(&path, &settings(6)).unwrap();
        assert_eq!(records.iter().map(|record| record.image.as_str()).collect::<Vec<_>>(), ["b.jpg"]);
    }

    #[test]
    fn other_settings_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("eval.jsonl");
        let (mut journal, records, _) = Journal::resume(&path, &settings(5)).unwrap();
        assert!(records.is_empty(), "nothing is there yet");
        journal.add(&record("a.jpg")).unwrap();
        let error = format!("{:#}", Journal::resume(&path, &settings(6)).err().unwrap());
        assert!(error.contains("is of a run with steps 5, now 6; take another --output-dir"), "{error}");
        let other = fs::read_to_string(&path).unwrap().replace(VERSION, "0.0.1");
        fs::write(&path, other).unwrap();
        let error = format!("{:#}", Journal::resume(&path, &settings(5)).err().unwrap());
        assert!(error.contains("is of yolo-cam 0.0.1, this is"), "{error}");
        fs::write(&path, "something else").unwrap();
        let error = format!("{:#}", Journal::resume(&path, &settings(5)).err().unwrap());
        assert!(error.contains("holds no figures of yolo-cam"), "{error}");
    }
}
