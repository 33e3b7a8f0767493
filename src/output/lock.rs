//! One run at a time in a folder of results: two would overwrite each other's reports.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Seek, Write},
    path::Path,
    process,
};

use anyhow::{Context, Result, bail};

use super::shards::Shard;

const FILE: &str = ".yolo-cam.lock";

/// A folder of results that no other run may write to while this lives.
///
/// The locks are the operating system's, so that those of a run which was killed are gone with it. Some network drives do not support locks.
/// A run then goes on as if it were alone.
pub struct FolderLock(#[allow(dead_code, reason = "they are held, not read")] Vec<File>);

impl FolderLock {
    /// Takes the folder, if nobody has it.
    ///
    /// # Errors
    /// In one line, which process has it.
    pub fn take(folder: &Path) -> Result<Self> {
        let mut file = open(folder, FILE)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return refuse(folder, FILE),
            Err(TryLockError::Error(_)) => return Ok(Self(Vec::new())),
        }
        sign(&mut file, &process::id().to_string()).ok();
        Ok(Self(vec![file]))
    }

    /// Takes a shard of the run in the folder. Other shards of it may be taken at the same time.
    ///
    /// # Errors
    /// In one line, who has it, or the whole folder.
    pub fn take_shard(folder: &Path, shard: &Shard) -> Result<Self> {
        let mut all = open(folder, FILE)?;
        match all.try_lock_shared() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return refuse(folder, FILE),
            Err(TryLockError::Error(_)) => return Ok(Self(Vec::new())),
        }
        sign(&mut all, SHARDS).ok();
        let name = lock_name(&shard.name());
        let mut own = open(folder, &name)?;
        match own.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return refuse(folder, &name),
            Err(TryLockError::Error(_)) => return Ok(Self(vec![all])),
        }
        sign(&mut own, &process::id().to_string()).ok();
        refuse_other_split(folder, shard)?;
        Ok(Self(vec![all, own]))
    }
}

/// What the lock of the folder holds while shards have it.
const SHARDS: &str = "shards";

fn lock_name(shard: &str) -> String {
    format!(".yolo-cam.{shard}.lock")
}

fn open(folder: &Path, name: &str) -> Result<File> {
    // Not truncated: another run may have its number in it.
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(folder.join(name));
    opened.with_context(|| {
        format!(
            "output folder {folder:?} cannot be written to; change its permissions, or use a different --output-dir"
        )
    })
}

fn refuse(folder: &Path, name: &str) -> Result<FolderLock> {
    let owner = fs::read_to_string(folder.join(name)).unwrap_or_default();
    let owner = owner.trim();
    if name == FILE && owner == SHARDS {
        bail!("shards of a run are writing to {folder:?}; wait until they are done, or use a different --output-dir");
    }
    let owner = owner.parse::<u32>().map(|process| format!(" (process {process})")).unwrap_or_default();
    if name == FILE {
        bail!("another run{owner} is writing to {folder:?}; wait until it is done, or use a different --output-dir");
    }
    bail!("another process{owner} has this shard in {folder:?}; give each process a shard of its own")
}

/// Shards of as many others would write the same results.
fn refuse_other_split(folder: &Path, shard: &Shard) -> Result<()> {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let parts = name.strip_prefix(".yolo-cam.shard-").and_then(|rest| rest.strip_suffix(".lock"));
        let Some(of) = parts.and_then(|parts| parts.split_once("-of-")?.1.parse::<u32>().ok()) else { continue };
        if of == shard.of {
            continue;
        }
        let is_held = |file: File| matches!(file.try_lock(), Err(TryLockError::WouldBlock));
        if File::open(entry.path()).is_ok_and(is_held) {
            bail!(
                "a shard of {of} is writing to {folder:?}, and this is one of {}; wait until it is done, or use a different \
                 --output-dir",
                shard.of
            );
        }
    }
    Ok(())
}

/// Leaves the number of this process, for the message of the other.
fn sign(file: &mut File, owner: &str) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{owner}")
}

#[cfg(test)]
mod tests {
    use super::{super::shards::ShardBy, *};

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
    fn shards_share_a_folder_and_each_has_one_process() {
        let folder = tempfile::tempdir().unwrap();
        let shard = |number: u32, of: u32| Shard { number, of, by: ShardBy::Number };
        let problem = |lock: Result<FolderLock>| lock.err().unwrap().to_string();
        let first = FolderLock::take_shard(folder.path(), &shard(1, 2)).unwrap();
        let second = FolderLock::take_shard(folder.path(), &shard(2, 2)).unwrap();
        let told = problem(FolderLock::take_shard(folder.path(), &shard(1, 2)));
        assert!(told.contains(&format!("another process (process {}) has this shard", process::id())), "{told}");
        let told = problem(FolderLock::take_shard(folder.path(), &shard(1, 4)));
        assert!(told.contains("a shard of 2 is writing to") && told.contains("this is one of 4"), "{told}");
        let told = problem(FolderLock::take(folder.path()));
        assert!(told.starts_with("shards of a run are writing to"), "{told}");
        drop((first, second));
        let whole = FolderLock::take(folder.path()).unwrap();
        let told = problem(FolderLock::take_shard(folder.path(), &shard(1, 2)));
        assert!(told.starts_with("another run (process "), "{told}");
        drop(whole);
        assert!(FolderLock::take_shard(folder.path(), &shard(1, 4)).is_ok());
    }

    #[test]
    fn the_lock_of_a_run_that_was_killed_is_none() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "12345\n").unwrap();
        assert!(FolderLock::take(folder.path()).is_ok());
    }
}
