//! Zip archives as PyTorch writes them.

use std::{
    fs::File,
    io::{Read, Seek},
};

use zip::read::{ArchiveOffset, Config};

use crate::limits::Limits;

/// Opens an archive. It begins where the file does, as libtorch reads it. PyTorch writes zip64 records into every file,
/// from which the start would be guessed wrongly for some lengths of the root folder's name.
pub(super) fn open(file: File) -> Result<zip::ZipArchive<File>, String> {
    let size = file.metadata().map_or(0, |metadata| metadata.len());
    let config = Config { archive_offset: ArchiveOffset::Known(0) };
    let mut archive = zip::ZipArchive::with_config(config, file).map_err(|_| {
        format!("is a damaged zip archive: its directory is missing after {size} bytes; copy or download it again")
    })?;
    if archive.len() > Limits::ARCHIVE_ENTRIES {
        return Err(format!("has {} entries; at most {} are read", archive.len(), Limits::ARCHIVE_ENTRIES));
    }
    match byte_order(&mut archive).as_slice() {
        b"" | b"little" => Ok(archive),
        _ => {
            Err("holds big-endian numbers (its entry 'byteorder' says so), expected little-endian ones; load it with \
                  PyTorch on a little-endian machine, as most are, and save it again"
                .into())
        }
    }
}

/// What the entry `byteorder` of PyTorch 2.1 or later says; nothing if there is none.
fn byte_order<R: Read + Seek>(archive: &mut zip::ZipArchive<R>) -> Vec<u8> {
    /// More than the words it may be.
    const LENGTH: u64 = 16;
    let is_it = |name: &str| name.split_once('/').is_some_and(|(_, rest)| rest == "byteorder");
    let name = archive.file_names().flatten().find(|name| is_it(name)).map(|name| name.into_owned());
    let mut word = Vec::new();
    if let Some(entry) = name.and_then(|name| archive.by_name(&name).ok()) {
        // An unreadable one says nothing.
        let _ = entry.take(LENGTH).read_to_end(&mut word);
    }
    word.trim_ascii().to_vec()
}
