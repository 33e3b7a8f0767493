//! What a TorchScript file may be. It is a program, so it is looked at before libtorch sees it: its archive, its sources,
//! its pickles; and what its network calls before any of it runs.
//!
//! Loading runs more than one thinks: `__setstate__` of every class, the defaults of arguments, and what constants of classes
//! are set to. The parser and the compiler recurse as deep as the source does, and tensors are as large as the pickle says,
//! whatever the storage holds.

mod archive;
mod baked;
mod operators;
mod pickles;
mod source;

use std::{collections::BTreeMap, path::Path};

use self::archive::Archive;
pub(super) use self::operators::refused;
use crate::{geometry::Size, limits::Limits};

/// Looks through the file at `path` before libtorch loads it. The error says what is wrong with it.
pub(super) fn check(path: &Path) -> Result<(), String> {
    let mut archive = Archive::open(path)?;
    if archive.has("model.json") {
        return Err("is TorchScript of PyTorch before 1.3, which is no longer read; export it again".into());
    }
    source::check(&sources(&mut archive)?)?;
    for (pickle, storages) in [("data.pkl", "data"), ("constants.pkl", "constants")] {
        if archive.has(pickle) {
            let bytes = archive.read(pickle, Limits::PICKLE_BYTES)?;
            pickles::check(&bytes, |key| archive.size(&format!("{storages}/{key}"))).map_err(|problem| {
                match pickles::has_torch_classes(&bytes) {
                    true => MOBILE.to_owned(),
                    false => format!("has a damaged {pickle}: {problem}"),
                }
            })?;
        }
    }
    Ok(())
}

/// The sizes of the input at which the trace at `path` may have been made, by the constants in it; the likeliest first.
pub(super) fn baked_sizes(path: &Path) -> Vec<Size> {
    let Ok(mut archive) = Archive::open(path) else { return Vec::new() };
    // What cannot be read suggests nothing.
    let sources = sources(&mut archive).unwrap_or_default();
    let constants = archive.read("constants.pkl", Limits::PICKLE_BYTES).unwrap_or_default();
    baked::sizes(sources.values(), &pickles::shapes(&constants))
}

/// All sources, by module: `__torch__.models.yolo`.
fn sources(archive: &mut Archive) -> Result<BTreeMap<String, String>, String> {
    let mut sources = BTreeMap::new();
    let mut room = Limits::CODE_BYTES;
    for name in archive.names_in("code/") {
        let Some(module) = name.strip_suffix(".py") else { continue };
        let text = archive.read(&format!("code/{name}"), room)?;
        room -= text.len() as u64;
        let text = String::from_utf8(text).map_err(|_| format!("has source that is no UTF-8: code/{name}"))?;
        sources.insert(module.replace('/', "."), text);
    }
    Ok(sources)
}

const MOBILE: &str =
    "is a mobile or quantized export, which plain libtorch cannot run; export it again as plain TorchScript";
