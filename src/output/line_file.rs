//! A file of JSON, a value in each line, that never has half a line before another.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, Write},
    path::Path,
};

use serde::Serialize;
use yolo_cam::files::{folder_of, temporary_file};

/// A file to which lines are added.
pub struct LineFile(File);

impl LineFile {
    /// Writes these lines in place of what was there. Who reads along has all lines of the one or of the other.
    ///
    /// # Errors
    /// If it can't be written; then the old one stays.
    pub fn replace<T: Serialize>(path: &Path, lines: impl IntoIterator<Item = T>) -> io::Result<Self> {
        let mut temporary = temporary_file(folder_of(path)?)?;
        let mut out = BufWriter::new(temporary.as_file_mut());
        lines.into_iter().try_for_each(|line| write_line(&mut out, &line))?;
        out.flush()?;
        drop(out);
        Ok(Self(temporary.persist(path)?))
    }

    /// Adds to what is there.
    ///
    /// # Errors
    /// If there is no such file, or it can't be written.
    pub fn append(path: &Path) -> io::Result<Self> {
        OpenOptions::new().append(true).open(path).map(Self)
    }

    /// Adds a line, whole or not at all: the next one must not stand behind half of it.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn add(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut text = Vec::new();
        write_line(&mut text, line)?;
        let length = self.0.metadata()?.len();
        let written = self.0.write_all(&text);
        if written.is_err() {
            self.0.set_len(length).ok();
        }
        written
    }
}

fn write_line(out: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn lines_are_added_behind_those_that_took_the_place_of_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines.jsonl");
        assert!(LineFile::append(&path).is_err(), "there is no file");
        LineFile::replace(&path, [1, 2]).unwrap().add(&3).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n2\n3\n");
        LineFile::append(&path).unwrap().add(&"four").unwrap();
        LineFile::replace(&path, [5]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "5\n");
    }
}
