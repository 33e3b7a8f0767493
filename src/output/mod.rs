//! What a run leaves in a folder: the names of results, what is written of each picture and in the end, and the journal
//! that knows all of it.

mod date;
pub mod diagnosis;
pub mod difference;
mod journal;
pub mod layouts;
mod line_file;
mod lines;
mod lock;
mod maps;
mod namer;
mod names;
mod page;
pub mod reports;
mod result;
mod settings;
mod shapes;
pub mod shards;
mod shell;

use std::{fmt, path::PathBuf};

pub use self::{
    date::now,
    journal::{Entry, Journal, PictureId, Results},
    line_file::LineFile,
    lines::JsonLines,
    lock::FolderLock,
    maps::write_maps,
    namer::Namer,
    names::{FORMATS, ResultNames},
    page::{BASE_STYLE, embedded, path_of_url, url_path, write_page},
    result::{Explained, Finished, Verified, group_name},
    settings::ResultSettings,
    shapes::write_shapes,
    shards::{Inputs, Shard, ShardBy},
    shell::quoted,
};

/// Folders beside reports that hold the reports' files.
pub const REPORT_FOLDERS: [&str; 6] =
    ["report-files", "eval-files", "compare-files", diagnosis::FOLDER, difference::FOLDER, "labels"];

/// A kind of run that keeps a record of each picture: `diagnose`, `diff`.
pub trait RecordedRun: Sized + 'static {
    /// What is known of a picture.
    type Record;
    /// What reports are told of all of them.
    type Findings<'a>;
    /// Its reports; `--report` takes their names.
    const REPORTS: &'static [&'static RecordReport<Self>];
}

/// Begins a report, which takes the records in the order of the pictures.
pub type OpenRecordReport<R> =
    for<'a> fn(PathBuf, &'a <R as RecordedRun>::Findings<'a>) -> Box<dyn Sink<<R as RecordedRun>::Record> + 'a>;

/// A report of such a run.
pub struct RecordReport<R: RecordedRun> {
    /// As `--report` takes it.
    pub name: &'static str,
    /// What is written, in a line.
    pub summary: &'static str,
    /// In the folder of results.
    pub file: &'static str,
    /// Whether it needs the pictures of the page.
    pub has_pictures: bool,
    /// Begins the file.
    pub open: OpenRecordReport<R>,
}

impl<R: RecordedRun> fmt::Debug for RecordReport<R> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}", self.name)
    }
}

/// Takes results in their order, and is closed once there are no more.
pub trait Sink<T> {
    /// Takes the next result.
    fn take(&mut self, result: &T);

    /// Writes what is still to be written.
    ///
    /// # Errors
    /// If it can't be written, in one line.
    fn close(self: Box<Self>) -> anyhow::Result<()>;
}
