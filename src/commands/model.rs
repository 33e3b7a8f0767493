//! Loads the model that a command names, and says what the user should know about it.

use std::time::Instant;

use anyhow::{Result, anyhow};
use yolo_cam::{LoadOptions, Method, Model, Target};

use crate::{cli::ModelChoice, weights};

/// The model, with what is odd about it told.
///
/// # Errors
/// If it can't be found, downloaded or used.
pub fn load_model(choice: &ModelChoice, quiet: bool) -> Result<Model> {
    if let Some(threads) = choice.threads {
        tch::set_num_threads(threads.into());
    }
    if let Some(file) = choice.config.as_ref().filter(|_| !quiet) {
        say!("note: with the settings of {file:?}");
    }
    let path = weights::find(&choice.path, weights::Lookup { offline: choice.offline, quiet })?;
    // Even when told to be quiet: another model gives other results.
    if path != choice.path && !choice.is_default {
        say!("note: {:?} not found; using {path:?}", choice.path);
    }
    let model = Model::load_with(
        path,
        choice.device,
        LoadOptions::default().with_trust(choice.trust).with_branch(choice.branch),
    )
    .map_err(with_way_out)?;
    for warning in model.warnings() {
        say!("warning: model {:?}: {warning}", model.path());
    }
    Ok(model)
}

/// Checks that the model runs at the size that the user wants, and says so if it runs at no other.
///
/// # Errors
/// If it runs at another alone.
pub fn check_size(img_size: Option<u32>, model: &Model, quiet: bool) -> Result<()> {
    model.check_img_size(img_size).map_err(|error| anyhow!("{error}; leave --img-size out"))?;
    if let Some(size) = model.fixed_size().filter(|_| !quiet) {
        say!("note: the network runs only at the size that it was traced at, {size}");
    }
    Ok(())
}

/// With what the user can do about it here.
fn with_way_out(error: yolo_cam::Error) -> anyhow::Error {
    match error {
        yolo_cam::Error::Untrusted { .. } => {
            anyhow!("{error}; --trust-model runs it, if you trust who made the file")
        }
        error => error.into(),
    }
}

/// Says which side the input has if it is not the one that was asked for, or where none was, that of the training.
pub fn note_size(img_size: Option<u32>, model: &Model) {
    let Some(img_size) = img_size else {
        let side = model.input_side(None);
        if let Some(trained) = model.trained_side().filter(|&trained| trained != side) {
            say!(
                "note: the model was trained at {trained} pixels but runs at {side}; use --img-size {trained} for its training size"
            );
        }
        return;
    };
    let side = model.input_side(Some(img_size));
    if side != img_size {
        let stride = model.max_stride();
        say!("note: --img-size {img_size} rounded up to {side}, a multiple of the largest stride {stride}");
    }
}

/// Where what was asked for says nothing about the boxes of this model.
pub fn warn_of_target(target: Target, mut methods: impl Iterator<Item = Method>, model: &Model) {
    let is_used = methods.any(Method::takes_gradient);
    if is_used && target.is_untrained(model) {
        say!(
            "warning: --target {} explains the class output, which {} does not train where there is one class; --target obj \
             explains what the box comes from",
            target.name,
            model.head().family()
        );
    }
}

/// What the model is, and how long it took to load since `start`.
pub fn tell_model(model: &Model, start: Instant) {
    let heads: Vec<String> = model.levels().iter().map(|head| head.name()).collect();
    say!("heads: {}", heads.join(" "));
    say!("time: model load {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
}
