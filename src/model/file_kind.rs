//! What a model file is, told from its content: names and extensions lie.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use super::checkpoint::{self, Content};
use crate::error::{Error, Result};

/// A kind of model file that can be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A TorchScript archive, as `export.py --include torchscript` writes it.
    TorchScript,
}

impl FileKind {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::TorchScript => "torchscript",
        }
    }

    /// Recognises the file at `path`.
    ///
    /// # Errors
    /// [`Error::Model`] that says what the file is instead; [`Error::Io`] if it can't be read.
    pub fn of(path: &Path) -> Result<Self> {
        let mut file = File::open(path).map_err(Error::io(path))?;
        if file.metadata().map_err(Error::io(path))?.is_dir() {
            return Err(Error::model(path, "is a folder; name the model file in it"));
        }
        let mut head = Vec::new();
        file.by_ref().take(4096).read_to_end(&mut head).map_err(Error::io(path))?;
        if head.starts_with(b"PK") {
            return of_zip(file).map_err(|problem| Error::model(path, problem));
        }
        Err(Error::model(path, format!("{}; {EXPECTED}", describe(&head))))
    }
}

const EXPECTED: &str = "expected a TorchScript file of a YOLOv5 model";
const EXPORT: &str = "export it with YOLOv5's 'python export.py --weights FILE --include torchscript'";

fn of_zip(mut file: File) -> Result<FileKind, String> {
    let size = file.seek(SeekFrom::End(0)).unwrap_or(0);
    let mut archive = zip::ZipArchive::new(file).map_err(|_| {
        format!("is a damaged zip archive: its directory is missing after {size} bytes; copy or download it again")
    })?;
    // The root folder has any name.
    let names = || archive.file_names().flatten();
    let inside = |name: &str, wanted: &str| name.split_once('/').is_some_and(|(_, rest)| rest.starts_with(wanted));
    let pickle = names().find(|name| inside(name, "data.pkl")).map(|name| name.into_owned());
    let is_script = names().any(|name| inside(&name, "code/"));
    match pickle {
        Some(_) if is_script => Ok(FileKind::TorchScript),
        Some(pickle) => Err(describe_checkpoint(checkpoint::content(&mut archive, &pickle)?)),
        None => Err(format!("is a zip archive without a PyTorch model; {EXPECTED}")),
    }
}

fn describe_checkpoint(content: Content) -> String {
    /// How many unknown blocks are named.
    const MOST: usize = 3;
    match content {
        Content::Detector => format!("is a YOLOv5 checkpoint, which can only be run as TorchScript so far; {EXPORT}"),
        Content::UnknownBlocks(blocks) => {
            let more = if blocks.len() > MOST { ", ..." } else { "" };
            let named = blocks.iter().take(MOST).cloned().collect::<Vec<_>>().join(", ");
            format!(
                "is a checkpoint with blocks that YOLOv5 does not have ({named}{more}); export it to TorchScript with the code that it was trained with"
            )
        }
        Content::NoDetector(class) => {
            format!(
                "is a checkpoint of {class}, which has no detection head, so there are no boxes to explain; {EXPECTED}"
            )
        }
        Content::StateDict => {
            format!("holds weights only (a state dict), without a network; save the whole model, then {EXPORT}")
        }
        Content::Other => format!("is a PyTorch file that holds no network; {EXPECTED}"),
    }
}

/// What a file that is no zip archive seems to be, from its first bytes.
fn describe(head: &[u8]) -> String {
    /// How torch.save began a file before torch 1.6: a pickle with this number.
    const LEGACY_MAGIC: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
    if head.is_empty() {
        return "is empty; download it again".into();
    }
    if head.starts_with(b"version https://git-lfs") {
        return "is a Git LFS pointer, not the file itself; run 'git lfs pull'".into();
    }
    if head.starts_with(LEGACY_MAGIC) {
        return format!("is a checkpoint of torch before 1.6; {EXPORT}");
    }
    // The last character may be cut in the middle.
    let text = match std::str::from_utf8(head) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&head[..error.valid_up_to()]).ok(),
        Err(_) => None,
    };
    match text {
        Some(text) if !text.contains('\0') => describe_text(text),
        _ => "is no PyTorch file".into(),
    }
}

fn describe_text(text: &str) -> String {
    let start = text.trim_start_matches('\u{feff}').trim_start().to_ascii_lowercase();
    if start.starts_with("<!doctype html") || start.starts_with("<html") {
        return "is a web page (HTML): the download gave a page, not the file; download it again".into();
    }
    let is_config = |line: &str| ["nc:", "backbone:", "head:", "anchors:"].iter().any(|key| line.starts_with(key));
    if text.lines().any(is_config) {
        return "is a model configuration (YAML), which has no weights; take the weights trained from it".into();
    }
    "is a text file".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_model_is_named() {
        assert!(describe(b"").contains("empty"));
        assert!(describe(b"version https://git-lfs.github.com/spec/v1\noid").contains("LFS"));
        assert!(describe(b"\n  <!DOCTYPE HTML><html>").contains("web page"));
        assert!(describe(b"# YOLOv5\nnc: 80\n").contains("YAML"));
        assert!(describe("caf\u{e9}".as_bytes()).contains("text"));
        assert!(describe(&"caf\u{e9}".as_bytes()[..4]).contains("text"), "a character cut in the middle");
        assert!(describe(b"\x89PNG\r\n\x1a\n\0").contains("no PyTorch file"));
    }
}
