//! What a run leaves in a folder: the names of results, and the journal that knows them.

mod journal;
mod lock;
mod names;
pub mod reports;

pub use self::{
    journal::{Entry, Journal, PictureId, Results},
    lock::FolderLock,
    names::{FORMATS, Namer, ResultNames},
};

/// Folders beside reports that hold the reports' pictures.
pub const REPORT_FOLDERS: [&str; 3] = ["report-files", "eval-files", "compare-files"];
