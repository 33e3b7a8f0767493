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
mod shell;

pub use self::{
    date::utc,
    journal::{Entry, Journal, PictureId, Results},
    line_file::LineFile,
    lines::JsonLines,
    lock::FolderLock,
    maps::write_maps,
    namer::Namer,
    names::{FORMATS, ResultNames},
    page::{BASE_STYLE, url_path, write_page},
    result::{Explained, Finished, Verified, group_name},
    settings::ResultSettings,
    shapes::write_shapes,
    shell::quoted,
};

/// Folders beside reports that hold the reports' files.
pub const REPORT_FOLDERS: [&str; 6] =
    ["report-files", "eval-files", "compare-files", diagnosis::FOLDER, difference::FOLDER, "labels"];

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
