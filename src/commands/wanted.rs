//! What is wanted of a merge, and how results come together.

use std::{
    fs, io,
    path::{Component, Path},
};

use anyhow::{Context, Result, ensure};

use crate::{
    cli::Verbosity,
    output::shards::{Part, ShardHead},
};

/// What is wanted of a merge.
pub struct Wanted<'a> {
    /// The folder of the merged results.
    pub folder: &'a Path,
    /// Names; none: those that the shards were asked for.
    pub reports: &'a [String],
    pub verbosity: Verbosity,
}

impl Wanted<'_> {
    /// The reports of this run.
    pub fn reports_of<'s>(&'s self, head: &'s ShardHead) -> &'s [String] {
        if self.reports.is_empty() { &head.reports } else { self.reports }
    }

    /// Brings a file from a shard's folder to that of the merged results, if that is another.
    ///
    /// # Errors
    /// If it is not there, or can't be written.
    pub fn bring(&self, file: &str, part: &Part) -> Result<()> {
        // A journal is a stranger's: what it names lies below the folders, or nowhere.
        let is_below = Path::new(file).components().all(|part| matches!(part, Component::Normal(_)));
        ensure!(
            is_below,
            "{:?} names {file:?}, which is no file in its folder; remove it, and run its shard again",
            part.path
        );
        let (from, to) = (part.folder.join(file), self.folder.join(file));
        if is_same(&from, &to) {
            return Ok(());
        }
        let place = || -> io::Result<()> {
            to.parent().map_or(Ok(()), fs::create_dir_all)?;
            match fs::remove_file(&to) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            // On another disk there are no links to it.
            fs::hard_link(&from, &to).or_else(|_| fs::copy(&from, &to).map(|_| ()))
        };
        place().with_context(|| format!("{from:?} cannot be copied to {:?}", self.folder))
    }
}

fn is_same(a: &Path, b: &Path) -> bool {
    let folder = |path: &Path| path.parent().and_then(|folder| folder.canonicalize().ok());
    folder(a).is_some_and(|folder_of_a| folder(b) == Some(folder_of_a))
}
