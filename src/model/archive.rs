//! Zip archives as PyTorch writes them.

use std::fs::File;

/// Opens an archive. It begins where the file does, as libtorch reads it. PyTorch writes zip64 records into every file,
/// from which the start would be guessed wrongly for some lengths of the root folder's name.
pub(super) fn open(file: File) -> Result<zip::ZipArchive<File>, String> {
    let config = zip::read::Config { archive_offset: zip::read::ArchiveOffset::Known(0) };
    zip::ZipArchive::with_config(config, file).map_err(|error| format!("is a damaged zip archive: {error}"))
}
