//! Labels as commands open them, with a word on what of them is left out.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use yolo_cam::{
    geometry::Size,
    labels::{Label, Labels},
};

use super::noun::pictures;
use crate::{
    inputs::{Content, Source, Unusable},
    weights,
};

/// How many unknown classes are named.
const MOST_NAMED: usize = 3;

/// The labels at `path`; `None`: where YOLO looks for them. `own`: what a dataset calls their classes; `names`: the model's.
pub fn open_labels(path: Option<&Path>, own: Option<&[String]>, names: &[String]) -> Result<Labels> {
    let labels = match path {
        Some(path) => Labels::open(path, names)?,
        None => Labels::beside(names),
    };
    let labels = match own {
        None => labels,
        Some(own) => labels.with_names(own, names).map_err(|problem| anyhow!("--data has {problem}"))?,
    };
    if let Some(odd) = labels.odd() {
        say!("warning: labels {:?}: {odd}", path.unwrap_or(Path::new("")));
    }
    if labels.is_by_order() {
        say!("warning: no class of the labels has the same name as one of the model; classes are matched by number");
    }
    if let [_, ..] = labels.unknown() {
        let unknown = labels.unknown();
        let more = if unknown.len() > MOST_NAMED { ", ..." } else { "" };
        let shown = unknown.iter().take(MOST_NAMED).cloned().collect::<Vec<_>>().join(", ");
        say!("warning: ignoring labels of classes that the model does not have: {shown}{more}");
    }
    Ok(labels)
}

/// Refuses a run of which nobody labelled any picture: it would call all that is found wrong.
///
/// # Errors
/// If the labels are YOLO's texts, and none of the pictures has one.
pub fn expect_some(labels: &Labels, sources: &[Result<Source, Unusable>]) -> Result<()> {
    // That a picture is missing is another matter.
    let pictures = sources.iter().flatten().filter(|source| source.path.exists());
    let texts: Vec<PathBuf> = pictures.filter_map(|source| labels.text_of(&source.path)).collect();
    match texts.first() {
        Some(first) if !texts.iter().any(|text| text.exists()) => {
            let others = if texts.len() > 1 { ", and neither does one for any other picture" } else { "" };
            bail!("no labels found: {first:?} does not exist{others}; give --labels FOLDER or --labels FILE.json")
        }
        _ => Ok(()),
    }
}

/// The digest of the text with the labels of a picture, if it has one of its own that can be read: who needs one that can't, tells of it.
pub fn text_digest(labels: &Labels, content: &Content) -> Option<String> {
    match content {
        Content::File(path) => weights::sha256(&labels.text_of(path)?).ok(),
        Content::Remote(_) | Content::Frame(_) | Content::Bytes(..) => None,
    }
}

/// Whether a picture is labelled, and its labels in pixels of the picture; where YOLO's have no text for it, it is empty. `file`: the picture's, if it
/// has one; `wanted`: classes that are looked for, if not all are.
///
/// # Errors
/// If its labels can't be read, or COCO's do not list it.
pub fn labels_of(
    labels: &Labels,
    (image, file, size): (&str, Option<&Path>, Size),
    wanted: Option<&[usize]>,
) -> Result<(bool, Vec<Label>)> {
    let own = match file {
        Some(file) => labels.of(file, size)?,
        None => None,
    };
    if own.is_none() && !labels.is_yolo() {
        bail!("{image:?} is not among the pictures of --labels; give the pictures that are labelled");
    }
    let (is_labelled, mut own) = (own.is_some(), own.unwrap_or_default());
    if let Some(wanted) = wanted {
        // What is not looked for is not missed.
        own.retain(|label| wanted.contains(&label.class_id));
    }
    Ok((is_labelled, own))
}

/// Tells how many of the pictures nobody labelled.
pub fn tell_unlabelled(all: usize, unlabelled: usize) {
    if unlabelled > 0 {
        let have = if unlabelled == 1 { "has no label file and counts" } else { "have no label file and count" };
        say!("note: {unlabelled} of {} {have} as empty, as in YOLO training", pictures(all));
    }
}
