//! One run at a time in a folder of results: two would overwrite each other's reports.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    path::Path,
    process,
};

use anyhow::{Context, Result, bail};

const FILE: &str = ".yolo-cam.lock";

/// A folder of results that no other run may write to while this lives.
///
/// The lock is the operating system's, so that of a run which was killed is gone with it.
pub struct FolderLock(#[allow(dead_code, reason = "it is held, not read")] Option<File>);

impl FolderLock {
    /// Takes the folder, if nobody has it.
    ///
    /// # Errors
    /// In one line, which process has it.
    pub fn take(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        // Not truncated: another run may have its number in it.
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = opened.with_context(|| {
            format!(
                "output folder {folder:?} cannot be written to; change its permissions, or use a different --output-dir"
            )
        })?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let owner = fs::read_to_string(&path).unwrap_or_default();
                let owner = owner.trim().parse::<u32>().map(|process| format!(" (process {process})"));
                bail!(
                    "another run{} is writing to {folder:?}; wait until it is done, or use a different --output-dir",
                    owner.unwrap_or_default()
                );
            }
            // Some network drives do not support locks. The run then goes on as if it were alone.
            Err(TryLockError::Error(_)) => return Ok(Self(None)),
        }
        sign(&mut file).ok();
        Ok(Self(Some(file)))
    }
}

/// Leaves the number of this process, for the message of the other.
fn sign(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    writeln!(file, "{}", process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_run_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = FolderLock::take(folder.path()).unwrap();
        let problem = FolderLock::take(folder.path()).err().unwrap().to_string();
        assert!(problem.contains(&format!("another run (process {}) is writing to", process::id())), "{problem}");
        assert!(problem.contains("--output-dir"), "{problem}");
        drop(first);
        assert!(FolderLock::take(folder.path()).is_ok());
    }

    #[test]
    fn the_lock_of_a_run_that_was_killed_is_none() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "12345\n").unwrap();
        assert!(FolderLock::take(folder.path()).is_ok());
    }
}
