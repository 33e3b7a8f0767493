//! What a model file is, told from its content: names and extensions lie.

use std::{fs::File, io::Read, path::Path};

use super::{archive, checkpoint::ways_out};
use crate::{
    error::{Error, Result},
    files::open_regular,
};

/// A kind of model file that can be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A TorchScript archive, as `export.py --include torchscript` writes it.
    TorchScript,
    /// A checkpoint of PyTorch 1.6 or later, as YOLOv5's training leaves it.
    Checkpoint,
}

impl FileKind {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::TorchScript => "torchscript",
            Self::Checkpoint => "checkpoint",
        }
    }

    /// Recognises the file at `path`.
    ///
    /// # Errors
    /// [`Error::Model`] that says what the file is instead; [`Error::Io`] if it can't be read.
    pub fn of(path: &Path) -> Result<Self> {
        let mut file = open_regular(path).map_err(Error::io(path))?;
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

const EXPECTED: &str = "expected a YOLO checkpoint or TorchScript file";

fn of_zip(file: File) -> Result<FileKind, String> {
    let archive = archive::open(file)?;
    // The root folder has any name.
    let names = || archive.file_names().flatten();
    let inside = |name: &str, wanted: &str| name.split_once('/').is_some_and(|(_, rest)| rest.starts_with(wanted));
    let has_pickle = names().any(|name| inside(&name, "data.pkl"));
    let is_script = names().any(|name| inside(&name, "code/"));
    match (is_script, has_pickle) {
        (true, true) => Ok(FileKind::TorchScript),
        (false, true) => Ok(FileKind::Checkpoint),
        _ => Err(format!("is a zip archive without a PyTorch model; {EXPECTED}")),
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
        return format!("is a checkpoint of torch before 1.6; {}", ways_out());
    }
    if let Some(format) = foreign_format(head) {
        return format!("is {format}, which libtorch does not run; give the checkpoint that it was exported from");
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

/// What other runtimes take, by how it begins.
fn foreign_format(head: &[u8]) -> Option<&'static str> {
    // The fields of a protobuf: the version of the format, then the name of the program that wrote it.
    if let [0x08, _, 0x12, length, rest @ ..] = head
        && rest.get(..usize::from(*length)).is_some_and(|writer| writer.iter().all(u8::is_ascii_graphic))
    {
        return Some("an ONNX model");
    }
    if head.get(4..8) == Some(b"TFL3") {
        return Some("a TensorFlow Lite model");
    }
    // The Ultralytics package puts a JSON text in front, behind its length.
    if head.starts_with(b"ftrt") || head.get(2..6) == Some(b"\0\0{\"") {
        return Some("a TensorRT engine");
    }
    // The length of the header, then JSON.
    if head.get(4..10) == Some(b"\0\0\0\0{\"") {
        return Some("a safetensors file");
    }
    None
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
        assert!(describe(b"\x08\x0a\x12\x07pytorch\x1a\x052.5.0:").contains("ONNX"));
        assert!(describe(b"\x1c\0\0\0TFL3\x14\0 ").contains("TensorFlow Lite"));
        assert!(describe(b"\xd0\x02\0\0{\"description\": \"Ultralytics").contains("TensorRT"));
        assert!(describe(b"ftrt\0\0\0\0").contains("TensorRT"));
        assert!(describe(b"\x28\x05\0\0\0\0\0\0{\"model.0.conv.weight\":").contains("safetensors"));
        assert!(describe("caf\u{e9}".as_bytes()).contains("text"));
        assert!(describe(&"caf\u{e9}".as_bytes()[..4]).contains("text"), "a character cut in the middle");
        assert!(describe(b"\x89PNG\r\n\x1a\n\0").contains("no PyTorch file"));
    }
}
