//! The journal of a folder of results: what was explained, from which file, with which settings, into which files.
//!
//! `.yolo-cam.jsonl` has a line of JSON for the settings of a run, one for each picture when it is begun, and another when its
//! results are complete. It is all that is asked when a run goes on, when reports are made, and when a folder of pictures also
//! holds results.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap, HashSet},
    fs::{self, File},
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use yolo_cam::report::CsvRow;

use super::{
    LineFile, REPORT_FOLDERS, ResultSettings,
    names::{frame_stem, has_result_name},
    shards::{self, EarlierLines, ShardHead, ShardJournal, ShardLine, Turn},
};

const FILE: &str = ".yolo-cam.jsonl";

/// Among the facts in the head of a shard's journal: the settings as the journal of the whole run has them.
pub const SETTINGS: &str = "settings";

/// A picture, and the state of its file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PictureId {
    /// The absolute path in ASCII; other bytes are escaped.
    path: String,
    /// Of a video or an animation.
    frame: Option<u64>,
    /// In bytes.
    size: u64,
    /// When it was last changed, in nanoseconds since 1970.
    modified: u64,
}

impl PictureId {
    /// Of a file, or of a frame in it. A file that can't be looked at is taken as empty.
    pub fn of(file: &Path, frame: Option<u64>) -> Self {
        let path = file.canonicalize().unwrap_or_else(|_| file.to_owned());
        let found = fs::metadata(&path).ok();
        let modified = found.as_ref().and_then(|found| found.modified().ok()?.duration_since(UNIX_EPOCH).ok());
        Self {
            path: path.as_os_str().as_encoded_bytes().escape_ascii().to_string(),
            frame,
            size: found.map_or(0, |found| found.len()),
            modified: modified.map_or(0, |age| age.as_nanos() as u64),
        }
    }

    /// Its number, if it is one of a video or an animation.
    pub fn frame(&self) -> Option<u64> {
        self.frame
    }

    /// The same file, whatever is in it.
    fn place(&self) -> Place {
        (self.path.clone(), self.frame)
    }
}

type Place = (String, Option<u64>);

/// What the journal knows of a picture.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// As messages and reports name it.
    pub image: String,
    /// Where it came from.
    pub picture: PictureId,
    /// The digest of the settings that the results depend on.
    pub settings: String,
    /// What the names of the results begin with. No other picture in the folder has the same.
    pub stem: String,
    /// The names of the results in the folder; `None` until they are complete.
    pub files: Option<Vec<String>>,
    /// Results of earlier runs with this stem that are still there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub older: Vec<String>,
    /// What is known of its boxes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<CsvRow>,
    /// What each report that was made with the results keeps of each of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kept: BTreeMap<String, Vec<Value>>,
}

impl Entry {
    /// Of a picture that is about to be explained.
    pub fn planned(image: &str, picture: &PictureId, settings: &str, stem: &str) -> Self {
        Self {
            image: image.to_owned(),
            picture: picture.clone(),
            settings: settings.to_owned(),
            stem: stem.to_owned(),
            files: None,
            older: Vec::new(),
            rows: Vec::new(),
            kept: BTreeMap::new(),
        }
    }

    /// The first of its results in `folder`.
    pub fn first_file(&self, folder: &Path) -> PathBuf {
        folder.join(self.files.iter().flatten().next().map_or("", String::as_str))
    }
}

/// What the names of each picture's results begin with.
#[derive(Debug, Clone, Default)]
pub struct KnownStems(HashMap<Place, String>);

impl KnownStems {
    /// Of a picture, whatever was in its file then.
    pub fn of(&self, picture: &PictureId) -> Option<&str> {
        self.0.get(&picture.place()).map(String::as_str)
    }

    /// What those of the frames of a video have in common.
    pub fn of_frames(&self, video: &PictureId) -> Option<&str> {
        let frames = self.0.iter().filter(|((path, _), _)| *path == video.path);
        frames.filter_map(|((_, frame), stem)| stem.strip_suffix(&frame_stem("", (*frame)?))).min()
    }

    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(String::as_str)
    }
}

/// The journal of one folder, or that of a shard there.
#[derive(Default)]
pub struct Journal {
    folder: PathBuf,
    /// By stem.
    entries: HashMap<String, Entry>,
    stems: KnownStems,
    /// By digest.
    settings: BTreeMap<String, ResultSettings>,
    /// Of a shard, by stem, when the turn of each picture comes in the run that goes on; others are of a run before.
    turns: HashMap<String, Turn>,
    /// To which lines are added; `None` before the first, and once it can't be written.
    file: Option<JournalFile>,
    damaged: usize,
}

enum JournalFile {
    Whole(LineFile),
    Shard(ShardJournal),
}

impl Journal {
    /// Reads the journal of a folder; an empty one where there is none. Lines that are damaged are left out: what they told
    /// of is explained again.
    pub fn read(folder: &Path) -> Self {
        let mut journal = Self { folder: folder.to_owned(), ..Self::default() };
        let Ok(file) = File::open(folder.join(FILE)) else { return journal };
        for line in BufReader::new(file).split(b'\n') {
            let Ok(line) = line else { break };
            match serde_json::from_slice(&line) {
                Ok(Line::Entry(entry)) => journal.insert(entry.into_owned()),
                Ok(Line::Settings { settings }) => {
                    journal.settings.insert(settings.digest(), settings.into_owned());
                }
                // Behind the last line there is nothing.
                Err(_) => journal.damaged += usize::from(!line.is_empty()),
            }
        }
        journal
    }

    /// Reads the journal of the shard with this head; an empty one where there is none. `goes_on`: whether what it made counts.
    ///
    /// # Errors
    /// If it is to go on, and is of another run.
    pub fn read_shard(folder: &Path, head: &ShardHead, goes_on: bool) -> anyhow::Result<Self> {
        let mut journal = Self { folder: folder.to_owned(), ..Self::default() };
        let earlier = match goes_on {
            true => EarlierLines::of_same_run(folder, head)?,
            // One that can't be read is replaced.
            false => EarlierLines::read(&folder.join(head.file())).unwrap_or_default(),
        };
        if let Some(earlier) = earlier {
            journal.take_lines(earlier, goes_on);
        }
        Ok(journal)
    }

    fn take_lines(&mut self, earlier: EarlierLines<Entry>, goes_on: bool) {
        self.damaged = earlier.damaged;
        let settings = earlier.head.facts.get(SETTINGS).and_then(|settings| ResultSettings::deserialize(settings).ok());
        self.settings.extend(settings.map(|settings| (settings.digest(), settings)));
        for line in earlier.lines {
            match line {
                ShardLine::Planned { turn, record } | ShardLine::Done { turn, record } => {
                    if goes_on {
                        self.turns.insert(record.stem.clone(), turn);
                    }
                    self.insert(record);
                }
                ShardLine::Older { record } => self.insert(record),
                ShardLine::Head(_) | ShardLine::Failed { .. } | ShardLine::End => {}
            }
        }
    }

    fn insert(&mut self, mut entry: Entry) {
        if let Some(earlier) = self.entries.remove(&entry.stem) {
            let files = earlier.files.unwrap_or_default().into_iter().chain(earlier.older);
            let is_new = |file: &String| entry.files.as_ref().is_none_or(|files| !files.contains(file));
            let older: Vec<String> = files.filter(is_new).collect();
            entry.older.extend(older);
            entry.older.sort_unstable();
            entry.older.dedup();
            // Unless that picture has other names by now.
            let place = earlier.picture.place();
            if self.stems.0.get(&place).is_some_and(|stem| *stem == entry.stem) {
                self.stems.0.remove(&place);
            }
        }
        self.stems.0.insert(entry.picture.place(), entry.stem.clone());
        self.entries.insert(entry.stem.clone(), entry);
    }

    /// How many lines could not be read.
    pub fn damaged(&self) -> usize {
        self.damaged
    }

    /// The stems of all pictures.
    pub fn stems(&self) -> &KnownStems {
        &self.stems
    }

    /// The complete results of a picture, if its file and the settings are still the same, and the results still there.
    pub fn results_of(&self, picture: &PictureId, settings: &str) -> Option<&Entry> {
        let entry = self.entries.get(self.stems.of(picture)?)?;
        let is_there = |file: &String| self.folder.join(file).exists();
        let is_same = entry.picture == *picture && entry.settings == settings;
        (is_same && entry.files.as_ref()?.iter().all(is_there)).then_some(entry)
    }

    /// The settings of results that are there and were made with others than these.
    pub fn other_settings(&self, settings: &ResultSettings) -> Option<&ResultSettings> {
        let digest = settings.digest();
        let is_there = |entry: &&Entry| entry.files.iter().flatten().any(|file| self.folder.join(file).exists());
        // What another command wrote there has no settings that are known here.
        let others = self.entries.values().filter(|entry| entry.settings != digest).filter(is_there);
        let known = others.filter_map(|entry| Some((&entry.stem, self.settings.get(&entry.settings)?)));
        known.min_by_key(|(stem, _)| *stem).map(|(_, settings)| settings)
    }

    /// Makes ready to add lines of results with `settings`: writes anew what is still true, in place of all that was added
    /// before.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn start<'a>(&mut self, settings: impl IntoIterator<Item = &'a ResultSettings>) -> io::Result<()> {
        let used: HashSet<&String> = self.entries.values().map(|entry| &entry.settings).collect();
        self.settings.retain(|digest, _| used.contains(digest));
        self.settings.extend(settings.into_iter().map(|settings| (settings.digest(), settings.clone())));
        self.forget_what_is_gone();
        let settings = self.settings.values().map(|settings| Line::Settings { settings: Cow::Borrowed(settings) });
        let lines = settings.chain(self.sorted().into_iter().map(|entry| Line::Entry(Cow::Borrowed(entry))));
        self.file = Some(JournalFile::Whole(LineFile::replace(&self.folder.join(FILE), lines.map(WithoutNulls))?));
        Ok(())
    }

    /// The same for the shard with this head.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn start_shard(&mut self, head: &ShardHead) -> io::Result<()> {
        self.forget_what_is_gone();
        let line = |entry: &Entry| -> io::Result<_> {
            let turn = self.turns.get(&entry.stem).copied();
            Ok(shard_line(turn, entry.files.is_some(), compact(entry)?))
        };
        let lines = self.sorted().into_iter().map(line).collect::<io::Result<Vec<_>>>()?;
        self.file = Some(JournalFile::Shard(ShardJournal::begin(&self.folder, head, lines)?));
        Ok(())
    }

    fn forget_what_is_gone(&mut self) {
        for entry in self.entries.values_mut() {
            entry.older.retain(|file| self.folder.join(file).exists());
        }
    }

    /// By stem.
    fn sorted(&self) -> Vec<&Entry> {
        let mut entries: Vec<&Entry> = self.entries.values().collect();
        entries.sort_by(|a, b| a.stem.cmp(&b.stem));
        entries
    }

    /// Adds a line.
    ///
    /// # Errors
    /// If it can't be written; then nothing more is.
    pub fn add(&mut self, entry: Entry) -> io::Result<()> {
        let stem = entry.stem.clone();
        self.insert(entry);
        let (entry, turn) = (&self.entries[&stem], self.turns.get(&stem).copied());
        let added = match &mut self.file {
            None => Ok(()),
            Some(JournalFile::Whole(file)) => file.add(&WithoutNulls(Line::Entry(Cow::Borrowed(entry)))),
            Some(JournalFile::Shard(journal)) => {
                compact(entry).and_then(|record| journal.add(&shard_line(turn, entry.files.is_some(), record)))
            }
        };
        if added.is_err() {
            self.file = None;
        }
        added
    }

    /// Adds a line whose turn in the whole run this is.
    ///
    /// # Errors
    /// As [`Journal::add`].
    pub fn add_at(&mut self, turn: Turn, entry: Entry) -> io::Result<()> {
        if let Some(JournalFile::Shard(_)) = self.file {
            self.turns.insert(entry.stem.clone(), turn);
        }
        self.add(entry)
    }

    /// Adds a line, and does not keep it in memory.
    ///
    /// # Errors
    /// As [`Journal::add`].
    pub fn pass(&mut self, entry: Entry) -> io::Result<()> {
        let (stem, place) = (entry.stem.clone(), entry.picture.place());
        let added = self.add(entry);
        self.entries.remove(&stem);
        self.stems.0.remove(&place);
        added
    }

    /// Adds a picture that failed, where that is kept: in the journal of a shard. `frame`: its number, if it is one.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn fail(&mut self, turn: Turn, image: &str, frame: Option<u64>, error: &str) -> io::Result<()> {
        match &mut self.file {
            Some(JournalFile::Shard(journal)) => journal.fail(turn, image, frame, error),
            _ => Ok(()),
        }
    }

    /// Says that all pictures had their turn, where that is kept: in the journal of a shard.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn end(&mut self) -> io::Result<()> {
        match &mut self.file {
            Some(JournalFile::Shard(journal)) => journal.end(),
            _ => Ok(()),
        }
    }
}

fn shard_line(turn: Option<Turn>, is_complete: bool, record: Value) -> ShardLine<Value> {
    match turn {
        None => ShardLine::Older { record },
        Some(turn) if is_complete => ShardLine::Done { turn, record },
        Some(turn) => ShardLine::Planned { turn, record },
    }
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line<'a> {
    Entry(Cow<'a, Entry>),
    Settings { settings: Cow<'a, ResultSettings> },
}

/// A line as the file has it.
struct WithoutNulls<'a>(Line<'a>);

impl Serialize for WithoutNulls<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        compact(&self.0).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

fn compact(value: &impl Serialize) -> io::Result<Value> {
    let mut value = serde_json::to_value(value)?;
    drop_nulls(&mut value);
    Ok(value)
}

/// Most columns of most rows are empty, and a missing one is read as that.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// Which files of a folder are results.
#[derive(Debug, Default)]
pub struct Results {
    files: HashSet<String>,
    /// Stems of pictures whose results were never completed.
    unfinished: Vec<String>,
    has_reports: bool,
}

impl Results {
    /// Those in `folder`.
    pub fn in_folder(folder: &Path) -> Self {
        let of_runs = [FILE, "eval.jsonl", "compare.jsonl", "diagnose.jsonl", "diff.jsonl"];
        let mut results =
            Self { has_reports: of_runs.iter().any(|name| folder.join(name).exists()), ..Self::default() };
        results.take(Journal::read(folder));
        let names = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
        for name in names.map(|name| name.to_string_lossy().into_owned()).filter(|name| shards::is_journal(name)) {
            results.has_reports = true;
            if !shards::is_journal_of(&name, shards::EXPLAIN) {
                continue;
            }
            if let Ok(Some(lines)) = EarlierLines::read(&folder.join(name)) {
                let mut journal = Journal { folder: folder.to_owned(), ..Journal::default() };
                journal.take_lines(lines, false);
                results.take(journal);
            }
        }
        results
    }

    fn take(&mut self, journal: Journal) {
        for entry in journal.entries.into_values() {
            match entry.files {
                Some(files) => self.files.extend(files),
                None => self.unfinished.push(entry.stem),
            }
            self.files.extend(entry.older);
        }
    }

    /// Whether the file with this name is a result.
    pub fn contains(&self, name: &str) -> bool {
        // What a killed run wrote last is in no list.
        let is_of = |stem: &String| name.strip_prefix(stem.as_str()).is_some_and(|rest| rest.starts_with('-'));
        self.files.contains(name) || (self.unfinished.iter().any(is_of) && has_result_name(Path::new(name)))
    }

    /// Whether the folder with this name holds the pictures of a report.
    pub fn contains_folder(&self, name: &str) -> bool {
        self.has_reports && REPORT_FOLDERS.contains(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(picture: &PictureId, stem: &str, files: Option<&[&str]>) -> Entry {
        let files = files.map(|files| files.iter().map(|file| (*file).to_owned()).collect());
        Entry { files, ..Entry::planned("dog.jpg", picture, "s", stem) }
    }

    fn put(folder: &Path, name: &str) -> PathBuf {
        let path = folder.join(name);
        fs::write(&path, name).unwrap();
        path
    }

    #[test]
    fn results_are_known_by_picture_settings_and_files() {
        let folder = tempfile::tempdir().unwrap();
        let picture = put(folder.path(), "dog.jpg");
        let id = PictureId::of(&picture, None);
        let mut journal = Journal::read(folder.path());
        journal.start(None).unwrap();
        journal.add(entry(&id, "dog", None)).unwrap();
        assert!(journal.results_of(&id, "s").is_none(), "it is not complete");
        let result = put(folder.path(), "dog-res.jpg");
        journal.add(entry(&id, "dog", Some(&["dog-res.jpg"]))).unwrap();
        let journal = Journal::read(folder.path());
        assert_eq!(journal.results_of(&id, "s").map(|entry| entry.stem.as_str()), Some("dog"));
        assert!(journal.results_of(&id, "other").is_none());
        assert!(journal.results_of(&PictureId::of(&picture, Some(1)), "s").is_none(), "a frame is another picture");
        fs::write(&picture, "changed content").unwrap();
        let changed = PictureId::of(&picture, None);
        assert!(journal.results_of(&changed, "s").is_none());
        assert_eq!(journal.stems().of(&changed), Some("dog"), "its results keep their names");
        fs::remove_file(result).unwrap();
        assert!(journal.results_of(&id, "s").is_none());
    }

    #[test]
    fn results_of_other_settings_are_known_for_as_long_as_they_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let settings = ["gradcam", "layercam"].map(|method| ResultSettings::new([("method", method.to_owned())]));
        let id = PictureId::of(&put(folder.path(), "dog.jpg"), None);
        let result = put(folder.path(), "dog-res.jpg");
        let mut journal = Journal::read(folder.path());
        journal.start(Some(&settings[0])).unwrap();
        journal.add(Entry { settings: settings[0].digest(), ..entry(&id, "dog", Some(&["dog-res.jpg"])) }).unwrap();
        // What another command wrote.
        put(folder.path(), "cat-shape.png");
        journal.add(Entry { settings: "shape".to_owned(), ..entry(&id, "cat", Some(&["cat-shape.png"])) }).unwrap();
        let mut journal = Journal::read(folder.path());
        assert_eq!(journal.damaged(), 0);
        assert_eq!(journal.other_settings(&settings[0]), None);
        assert_eq!(journal.other_settings(&settings[1]), Some(&settings[0]));
        journal.start(Some(&settings[1])).unwrap();
        assert_eq!(Journal::read(folder.path()).other_settings(&settings[1]), Some(&settings[0]), "it is kept");
        fs::remove_file(result).unwrap();
        assert_eq!(Journal::read(folder.path()).other_settings(&settings[1]), None);
    }

    #[test]
    fn a_picture_that_has_other_names_by_now_keeps_them() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b] = ["a.jpg", "b.jpg"].map(|name| PictureId::of(&put(folder.path(), name), None));
        let mut journal = Journal::read(folder.path());
        journal.start(None).unwrap();
        journal.add(entry(&a, "cat-2", Some(&[]))).unwrap();
        journal.add(entry(&a, "cat", Some(&[]))).unwrap();
        journal.add(entry(&b, "cat-2", Some(&[]))).unwrap();
        let names = [&a, &b].map(|picture| journal.stems().of(picture).map(str::to_owned));
        assert_eq!(names, [Some("cat".to_owned()), Some("cat-2".to_owned())]);
        assert!(journal.results_of(&a, "s").is_some());
    }

    #[test]
    fn only_what_the_journal_names_is_a_result() {
        let folder = tempfile::tempdir().unwrap();
        let id = PictureId::of(&put(folder.path(), "dog.jpg"), None);
        let other = PictureId::of(&put(folder.path(), "cat.jpg"), None);
        let mut journal = Journal::read(folder.path());
        journal.start(None).unwrap();
        journal.add(entry(&id, "dog", Some(&["dog-res-0.jpg", "dog-res-1.jpg"]))).unwrap();
        put(folder.path(), "dog-res-1.jpg");
        journal.add(entry(&id, "dog", Some(&["dog-res.jpg"]))).unwrap();
        journal.add(entry(&other, "cat", None)).unwrap();
        let results = Results::in_folder(folder.path());
        for name in ["dog-res.jpg", "dog-res-1.jpg", "cat-res.jpg", "cat-res-0.png", "cat-shape.png"] {
            assert!(results.contains(name), "{name}");
        }
        for name in ["low-res.jpg", "dog-res-2.jpg", "dog.jpg", "cat.jpg", "cat-2.jpg", "l-shape.png"] {
            assert!(!results.contains(name), "{name}");
        }
        assert!(results.contains_folder("report-files") && !results.contains_folder("other"));
        assert!(!Results::in_folder(Path::new("elsewhere")).contains_folder("report-files"));
    }

    #[test]
    fn a_damaged_line_takes_no_others_along_and_is_gone_with_the_next_run() {
        let folder = tempfile::tempdir().unwrap();
        let ids = ["a.jpg", "b.jpg"].map(|name| PictureId::of(&put(folder.path(), name), None));
        let mut journal = Journal::read(folder.path());
        journal.start(None).unwrap();
        journal.add(entry(&ids[0], "a", Some(&[]))).unwrap();
        journal.add(entry(&ids[1], "b", Some(&[]))).unwrap();
        let path = folder.path().join(FILE);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, &text[..text.len() - 20]).unwrap();
        let mut journal = Journal::read(folder.path());
        assert_eq!(journal.damaged(), 1);
        assert!(journal.results_of(&ids[0], "s").is_some() && journal.results_of(&ids[1], "s").is_none());
        journal.start(None).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1);
        assert_eq!(Journal::read(folder.path()).damaged(), 0);
    }
}
