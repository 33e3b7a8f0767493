//! `STEM-res.json`.

use std::{
    borrow::Cow,
    io::{self, Write},
    path::Path,
};

use serde::Serialize;

use super::Record;
use crate::{error::Result, files::write_atomically, model::Model};

/// The version of the report's structure.
const SCHEMA: u32 = 1;

#[derive(Debug, Serialize)]
struct JsonReport<'a> {
    schema: u32,
    tool: &'static str,
    model: ModelEntry<'a>,
    #[serde(flatten)]
    record: &'a Record,
}

#[derive(Debug, Serialize)]
struct ModelEntry<'a> {
    /// Lossy where the name is no UTF-8: JSON knows nothing else.
    path: Cow<'a, str>,
    kind: &'static str,
    classes: &'a [String],
}

/// Writes what is known of a picture and the model as indented JSON.
///
/// # Errors
/// [`crate::Error::Io`].
pub fn write_json(path: &Path, model: &Model, record: &Record) -> Result<()> {
    let model = ModelEntry { path: model.path().to_string_lossy(), kind: model.kind().name(), classes: model.names() };
    let tool = concat!("yolo-cam ", env!("CARGO_PKG_VERSION"));
    let report = JsonReport { schema: SCHEMA, tool, model, record };
    write_value(path, &report)
}

/// Writes a value as indented JSON.
///
/// # Errors
/// [`crate::Error::Io`].
pub fn write_value(path: &Path, value: &impl Serialize) -> Result<()> {
    write_atomically(path, |out| {
        serde_json::to_writer_pretty(&mut *out, value).map_err(io::Error::other)?;
        out.write_all(b"\n")
    })
}
