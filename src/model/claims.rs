//! What a file says of its own network, against what was found in it. A head that looks like one of a family may mean something
//! else, and a block may do something else than its name says.

use super::{
    FileKind, MIN_STRIDE,
    checkpoint::way_out,
    metadata::{Metadata, Strides},
    names::Names,
};
use crate::{
    families::{Aspect, Head},
    text::counted,
};

/// Whether the file's words on classes, names and strides fit a head whose strides are known.
///
/// # Errors
/// In one line, what is different.
pub(super) fn check(head: &dyn Head, metadata: &Metadata, kind: FileKind) -> Result<(), String> {
    // Users of YOLOv5 leave names out of checkpoints whose number of classes is right.
    if kind == FileKind::TorchScript || metadata.ultralytics_version.is_some() {
        check_names(head, metadata)?;
    }
    if head.has(Aspect::Box) { check_strides(head, &metadata.strides) } else { Ok(()) }
}

/// Whether the head has as many classes as the file says.
pub(super) fn check_classes(head: &dyn Head, metadata: &Metadata) -> Result<(), String> {
    let classes = head.classes();
    match metadata.classes.filter(|&said| said != classes) {
        None => Ok(()),
        Some(said) => {
            let found = head.values_per_box();
            let expected = found - classes + said;
            Err(format!(
                "has a head of its own kind: {found} values for each box, expected {expected} for {}; the file does not say \
                 what the values mean, so use a model with the standard {} head",
                counted(said, "class", "classes"),
                head.family()
            ))
        }
    }
}

/// Whether the head does what the file says that the network is for.
pub(super) fn check_task(head: &dyn Head, metadata: &Metadata) -> Result<(), String> {
    match metadata.task.as_deref().filter(|&task| task != head.task()) {
        None => Ok(()),
        Some(said) => Err(format!(
            "states the task {said:?}, but its head is for {:?}; export it again with the code that it was trained with",
            head.task()
        )),
    }
}

/// Whether the head has about as many classes as the file has names.
fn check_names(head: &dyn Head, metadata: &Metadata) -> Result<(), String> {
    let (names, classes) = (metadata.names.as_ref().map_or(0, Names::len), head.classes());
    // A few names too few are an oversight of YOLOv5's users. More are channels that are no classes.
    let most = if metadata.ultralytics_version.is_some() { names } else { 2 * names };
    if names > 0 && classes > most {
        return Err(format!(
            "has a head of its own kind: {} for {classes} channels of classes; only heads of {} are \
             explained; if all channels are classes, save the model with a name for each",
            counted(names, "class name", "class names"),
            head.family()
        ));
    }
    Ok(())
}

fn check_strides(head: &dyn Head, said: &Strides) -> Result<(), String> {
    let found: Vec<u32> = head.levels().iter().map(|level| level.stride).collect();
    match said {
        Strides::Unknown => Ok(()),
        Strides::OfLevels { said, package } => {
            // A head that was never measured has zeros.
            let differs = |(&said, &found): (&f64, &u32)| said > 0.0 && said != f64::from(found);
            if !said.iter().zip(&found).any(differs) {
                return Ok(());
            }
            Err(format!(
                "says that the strides of its levels are {}, but its blocks give {}, so at least one does something else \
                 than its name says; {} of the code that it was trained with",
                listed(said.iter().take(found.len())),
                listed(&found),
                way_out(*package)
            ))
        }
        &Strides::Largest(said) => {
            let largest = found.iter().copied().max().unwrap_or_default();
            // Exporters may name the least multiple of the input's sides instead.
            if said == largest || said == largest.max(MIN_STRIDE) {
                return Ok(());
            }
            Err(format!(
                "says in its config.txt that its largest stride is {said}, but its levels have strides {}; export it again, \
                 with the code that it was trained with",
                listed(&found)
            ))
        }
    }
}

/// `8, 16, 32`.
fn listed<T: std::fmt::Display>(values: impl IntoIterator<Item = T>) -> String {
    values.into_iter().map(|value| value.to_string()).collect::<Vec<_>>().join(", ")
}
