//! The archive as libtorch will read it.

use std::{collections::HashMap, fs::File, io::Read, path::Path};

/// The entries of a TorchScript archive by their names without the root folder, in which there is no room for two opinions:
/// libtorch has a zip reader of its own, which tells no upper case from lower case.
pub(super) struct Archive {
    zip: zip::ZipArchive<File>,
    entries: HashMap<String, Entry>,
}

struct Entry {
    index: usize,
    size: u64,
}

impl Archive {
    pub fn open(path: &Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| error.to_string())?;
        let mut zip = crate::model::archive::open(file)?;
        if !zip.comment().is_empty() {
            return Err("is a zip archive with a comment, which PyTorch never writes".into());
        }
        let mut entries = HashMap::with_capacity(zip.len());
        let mut folded = HashMap::with_capacity(zip.len());
        let mut root = None;
        for index in 0..zip.len() {
            let entry = zip.by_index_raw(index).map_err(|error| format!("is a damaged zip archive: {error}"))?;
            let name = entry.name().map_err(|error| format!("is a damaged zip archive: {error}"))?.into_owned();
            let Some((folder, rest)) = name.split_once('/') else { continue };
            if *root.get_or_insert_with(|| folder.to_owned()) != folder {
                return Err("is a zip archive with several root folders, expected one".into());
            }
            if folded.insert(rest.to_ascii_lowercase(), ()).is_some() {
                return Err(format!("has the entry {rest:?} twice"));
            }
            entries.insert(rest.to_owned(), Entry { index, size: entry.size() });
        }
        Ok(Self { zip, entries })
    }

    pub fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// The size of an entry in bytes, unpacked.
    pub fn size(&self, name: &str) -> Option<u64> {
        self.entries.get(name).map(|entry| entry.size)
    }

    /// The names of the entries in `folder`, without it.
    pub fn names_in(&self, folder: &str) -> Vec<String> {
        self.entries.keys().filter_map(|name| name.strip_prefix(folder)).map(str::to_owned).collect()
    }

    /// The content of an entry of at most `most` bytes.
    pub fn read(&mut self, name: &str, most: u64) -> Result<Vec<u8>, String> {
        let unreadable = |error: &dyn std::fmt::Display| format!("has an unreadable entry {name:?}: {error}");
        let index = self.entries.get(name).map(|entry| entry.index).ok_or_else(|| format!("lacks {name:?}"))?;
        let file = self.zip.by_index(index).map_err(|error| unreadable(&error))?;
        let mut content = Vec::new();
        file.take(most + 1).read_to_end(&mut content).map_err(|error| unreadable(&error))?;
        if content.len() as u64 > most {
            return Err(format!("has an entry {name:?} that is too large: at most {most} bytes of it are read"));
        }
        Ok(content)
    }
}
