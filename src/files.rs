//! Files that are either complete or not there.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::Path,
};

use crate::error::{Error, Result};

const PREFIX: &str = ".yolo-cam-";

/// Writes a file under a temporary name beside `path` and moves it there once it is complete.
///
/// # Errors
/// [`Error::Io`]; then nothing is left behind, and what was at `path` is still there.
pub(crate) fn write_atomically(path: &Path, write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>) -> Result<()> {
    let fill = || {
        let mut builder = tempfile::Builder::new();
        // As any new file; a temporary one would be its owner's alone.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.prefix(PREFIX).tempfile_in(folder_of(path)?)?;
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
        .and_then(|folder| tempfile::Builder::new().prefix(PREFIX).tempdir_in(folder))
        .map_err(Error::io(path))?;
    // libtorch takes no name that begins with a dot, and puts the name into the file.
    let temporary = folder.path().join(name.to_string_lossy().trim_start_matches('.'));
    write(&temporary)?;
    fs::rename(temporary, path).map_err(Error::io(path))
}

fn folder_of(path: &Path) -> io::Result<&Path> {
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

    #[test]
    fn a_missing_folder_is_told() {
        let error = write_atomically(Path::new("no/such/file"), |_| Ok(())).unwrap_err();
        assert_eq!(error.to_string(), r#""no/such/file": the folder "no/such" does not exist; check the path"#);
    }
}
