//! Files: complete or not there when written, regular ones alone when read.

use std::{
    env,
    fs::{self, File, TryLockError},
    io::{self, BufWriter, Read, Write},
    path::Path,
    process,
    sync::LazyLock,
    time::Duration,
};

use tempfile::NamedTempFile;

use crate::{
    error::{Error, Result},
    limits::Limits,
};

/// Opens a file for reading. Devices and pipes may never end, and opening a pipe waits for somebody to write into it.
///
/// # Errors
/// If it can't be opened, or is neither a file nor a folder, which says so itself when it is read.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let kind = fs::metadata(path)?.file_type();
    if kind.is_file() || kind.is_dir() {
        return File::open(path);
    }
    Err(io::Error::other(format!("is {}, expected a regular file", name_of(kind))))
}

/// Reads a whole file of at most [`Limits::FILE_BYTES`].
///
/// # Errors
/// As [`open_regular`], and if it is larger.
pub fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = open_regular(path)?;
    let size = file.metadata().map_or(0, |found| found.len()).min(Limits::FILE_BYTES);
    bytes.try_reserve_exact(size as usize).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
    file.take(Limits::FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > Limits::FILE_BYTES {
        return Err(io::Error::other(format!("has more than {} MiB", Limits::FILE_BYTES >> 20)));
    }
    Ok(bytes)
}

/// Stands in front of some texts, and is no part of them.
pub const BYTE_ORDER_MARK: char = '\u{feff}';

/// The same as text, without the byte order mark that editors on Windows put in front.
///
/// # Errors
/// As [`read_regular`], and if it is no UTF-8.
pub fn read_regular_text(path: &Path) -> io::Result<String> {
    let no_text =
        |_| io::Error::new(io::ErrorKind::InvalidData, "is not UTF-8 text; expected a text file, saved as UTF-8");
    let mut text = String::from_utf8(read_regular(path)?).map_err(no_text)?;
    if text.starts_with(BYTE_ORDER_MARK) {
        text.remove(0);
    }
    Ok(text)
}

#[cfg(unix)]
fn name_of(kind: fs::FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    match kind {
        kind if kind.is_fifo() => "a FIFO (named pipe)",
        kind if kind.is_socket() => "a socket",
        kind if kind.is_char_device() => "a character device",
        kind if kind.is_block_device() => "a block device",
        _ => "no file",
    }
}

#[cfg(not(unix))]
fn name_of(_: fs::FileType) -> &'static str {
    "no file"
}

/// Begins the names of files that are not complete yet; the number of the process follows, and the machine on which it runs.
const PREFIX: &str = ".yolo-cam-";

/// How long after its last change a file with that name may still be somebody's who can't be asked.
const FRESH: Duration = Duration::from_secs(60);
const FRESH_WITHOUT_LOCKS: Duration = Duration::from_secs(24 * 3600);

/// A file in `folder` under a temporary name, which is removed unless it is persisted. It is locked, and [`sweep`] spares it.
///
/// # Errors
/// If it can't be created.
pub fn temporary_file(folder: &Path) -> io::Result<NamedTempFile> {
    let prefix = own_prefix();
    let mut builder = tempfile::Builder::new();
    // As any new file; a temporary one would be its owner's alone.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let file = builder.prefix(&prefix).tempfile_in(folder)?;
    // Where there are no locks, its age tells.
    file.as_file().try_lock().ok();
    Ok(file)
}

fn own_prefix() -> String {
    format!("{PREFIX}{}-{}-", process::id(), *MACHINE)
}

/// Tells this machine from others that may write to the same folder: processes have the same numbers there. Eight digits.
static MACHINE: LazyLock<String> = LazyLock::new(|| {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| env::var("HOSTNAME")).unwrap_or_default();
    // FNV-1a: it needs to be the same in every build.
    let sum = name.trim().bytes().fold(0x811c_9dc5_u32, |sum, byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("{sum:08x}")
});

/// Removes what killed runs left in a folder: files and folders with a temporary name that nobody is writing any more. What
/// can't be removed stays.
pub fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else { continue };
        let path = entry.path();
        if is_left(&path, rest).unwrap_or(false) {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) }.ok();
        }
    }
}

/// Whether nobody writes to `path` any more, whose name ends in `rest`: the number of a process, its machine, and more.
fn is_left(path: &Path, rest: &str) -> io::Result<bool> {
    // A link or a pipe is none of ours.
    let found = fs::symlink_metadata(path)?;
    if !found.is_file() && !found.is_dir() {
        return Ok(false);
    }
    let age = found.modified()?.elapsed().unwrap_or_default();
    let is_own = rest.split('-').count() < 3 || rest.split('-').nth(1) == Some(&**MACHINE);
    match File::open(path)?.try_lock() {
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(_)) => Ok(age > FRESH_WITHOUT_LOCKS),
        // Not on every network drive do locks go from machine to machine.
        Ok(()) if !is_own => Ok(age > FRESH_WITHOUT_LOCKS),
        // Between its creation and its lock a file looks abandoned.
        Ok(()) => Ok(age > FRESH || is_of_no_process(rest)),
    }
}

/// Whether a temporary name is that of a process which has ended, as far as the system tells.
fn is_of_no_process(rest: &str) -> bool {
    let process = rest.split('-').next().and_then(|number| number.parse::<u32>().ok());
    process.is_some_and(|process| {
        Path::new("/proc/self").exists() && !Path::new("/proc").join(process.to_string()).exists()
    })
}

/// Writes a file under a temporary name beside `path` and moves it there once it is complete.
///
/// # Errors
/// [`Error::Io`]; then nothing is left behind, and what was at `path` is still there.
pub fn write_atomically(path: &Path, write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>) -> Result<()> {
    let fill = || {
        let file = temporary_file(folder_of(path)?)?;
        let mut out = BufWriter::new(file.as_file());
        write(&mut out)?;
        out.flush()?;
        drop(out);
        file.persist(path)?;
        Ok(())
    };
    fill().map_err(Error::io(path))
}

/// The same for what can only be written by name: `write` gets a path with the file name of `path`, without dots in front,
/// in a temporary folder beside it.
///
/// # Errors
/// Those of `write`, and [`Error::Io`].
pub(crate) fn create_atomically(path: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let name = path.file_name().ok_or_else(|| io::Error::other("names no file")).map_err(Error::io(path))?;
    let folder = folder_of(path)
        .and_then(|folder| tempfile::Builder::new().prefix(&own_prefix()).tempdir_in(folder))
        .map_err(Error::io(path))?;
    // As a file's, for as long as it is filled; a folder can't be opened everywhere.
    let lock = File::open(folder.path()).ok();
    lock.as_ref().map(File::try_lock);
    // libtorch takes no name that begins with a dot, and puts the name into the file.
    let temporary = folder.path().join(name.to_string_lossy().trim_start_matches('.'));
    write(&temporary)?;
    fs::rename(temporary, path).map_err(Error::io(path))
}

/// The folder that a file is or will be in.
///
/// # Errors
/// If there is no such folder.
pub fn folder_of(path: &Path) -> io::Result<&Path> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if folder.is_dir() {
        Ok(folder)
    } else {
        Err(io::Error::new(io::ErrorKind::NotFound, format!("the folder {folder:?} does not exist")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_could_not_be_finished_leaves_nothing_and_spares_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("result.json");
        write_atomically(&path, |out| out.write_all(b"old")).unwrap();
        let failed = write_atomically(&path, |out| {
            out.write_all(b"half")?;
            Err(io::Error::other("disk full"))
        });
        assert!(failed.unwrap_err().to_string().contains("disk full"));
        let failed = create_atomically(&path, |temporary| {
            fs::write(temporary, b"half").unwrap();
            Err(Error::Libtorch("disk full".into()))
        });
        assert!(failed.unwrap_err().to_string().contains("disk full"));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_is_created_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.torchscript");
        create_atomically(&path, |temporary| {
            assert_eq!(temporary.file_name(), path.file_name());
            fs::write(temporary, b"whole").map_err(Error::io(temporary))
        })
        .unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_a_killed_run_left_is_swept_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str| fs::write(folder.path().join(name), "half").unwrap();
        // No process has this number: it is above the most that Linux gives.
        put(&format!(".yolo-cam-4194305-{}-aBc123", *MACHINE));
        fs::create_dir(folder.path().join(".yolo-cam-4194305-folder")).unwrap();
        put(".yolo-cam-4194305-folder/model.torchscript");
        // Of a version before.
        put(".yolo-cam-aBc123");
        let old = File::options().write(true).open(folder.path().join(".yolo-cam-aBc123")).unwrap();
        old.set_modified(std::time::SystemTime::now() - Duration::from_secs(3600)).unwrap();
        // Of a process on another machine.
        let kept = ["a.png", ".yolo-cam.toml", ".yolo-cam-1-fresh", ".yolo-cam-4194305-0123abcd-aBc123"];
        kept.iter().for_each(|name| put(name));
        let open = temporary_file(folder.path()).unwrap();
        old.set_modified(std::time::SystemTime::now() - Duration::from_secs(3600)).unwrap();
        open.as_file().set_modified(std::time::SystemTime::now() - Duration::from_secs(3600)).unwrap();
        sweep(folder.path());
        let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        let own = open.path().file_name().unwrap().to_str().unwrap();
        let mut expected = [kept.as_slice(), &[own]].concat();
        expected.sort_unstable();
        assert_eq!(names, expected);
        sweep(Path::new("no/such/folder"));
    }

    #[cfg(unix)]
    #[test]
    fn only_regular_files_are_read_and_a_pipe_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe.jpg");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let refused = |path: &Path| read_regular(path).unwrap_err().to_string();
        assert_eq!(refused(&pipe), "is a FIFO (named pipe), expected a regular file");
        assert_eq!(refused(Path::new("/dev/zero")), "is a character device, expected a regular file");
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert_eq!(refused(&socket), "is a socket, expected a regular file");
        let link = folder.path().join("link.jpg");
        std::os::unix::fs::symlink(&pipe, &link).unwrap();
        assert_eq!(refused(&link), "is a FIFO (named pipe), expected a regular file");
        fs::write(folder.path().join("file"), "content").unwrap();
        assert_eq!(read_regular_text(&folder.path().join("file")).unwrap(), "content");
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_text() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "\u{feff}0 0.5\u{feff}").unwrap();
        assert_eq!(read_regular_text(file.path()).unwrap(), "0 0.5\u{feff}");
    }

    #[test]
    fn a_missing_folder_is_told() {
        let error = write_atomically(Path::new("no/such/file"), |_| Ok(())).unwrap_err();
        assert_eq!(error.to_string(), r#""no/such/file": the folder "no/such" does not exist; check the path"#);
    }
}
