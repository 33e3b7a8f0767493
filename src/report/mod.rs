//! From an explanation to files: one file here for each output format.

mod json;
mod npy;
mod picture;

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

pub use self::{
    json::{JsonReport, write_json},
    npy::write_npy,
    picture::{max_side, write_picture},
};
use crate::error::{Error, Result};

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
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = builder.prefix(".yolo-cam-").tempfile_in(folder)?;
        let mut out = BufWriter::new(file.as_file());
        write(&mut out)?;
        out.flush()?;
        drop(out);
        file.persist(path)?;
        Ok(())
    };
    fill().map_err(Error::io(path))
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
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
