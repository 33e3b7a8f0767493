//! What can go wrong, each in one line: what was found, what was expected, what to do.

use std::{
    io::{self, ErrorKind},
    path::PathBuf,
};

use crate::{
    geometry::Size,
    text::{counted, printable},
};

/// The library's error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file is no model that this version can run.
    #[error("model {path:?}: {problem}")]
    Model {
        /// The file.
        path: PathBuf,
        /// What it is instead, and the way out.
        problem: String,
    },

    /// The file is a program that does more than a detector needs, and nobody said that its maker is trusted.
    #[error(
        "model {path:?}: is TorchScript that calls {operator}, which is not among the operators that detectors need, so \
         it is not run"
    )]
    Untrusted {
        /// The file.
        path: PathBuf,
        /// What it calls.
        operator: String,
    },

    /// No layer of the model has this name.
    #[error("layer {name:?} not found{}", did_you_mean(.similar))]
    LayerNotFound {
        /// The name that was asked for.
        name: String,
        /// The most similar name, if one is near.
        similar: Option<String>,
    },

    /// The layer exists, but a heatmap can't be made there.
    #[error("layer {name:?} cannot be explained: {problem}")]
    LayerUnusable {
        /// The layer.
        name: String,
        /// Why not, and what to take instead.
        problem: String,
    },

    /// The number of class names is not the model's number of classes.
    #[error(
        "{} given, but the model has {}; give one name for each, in order",
        counted(*given, "class name", "class names"),
        counted(*classes, "class", "classes")
    )]
    NameCount {
        /// How many names were given.
        given: usize,
        /// How many classes the model has.
        classes: usize,
    },

    /// The picture can't be read.
    #[error("{path:?}: {problem}")]
    Picture {
        /// The file.
        path: PathBuf,
        /// Why not.
        problem: String,
    },

    /// The picture has no pixels.
    #[error("the picture is {width}x{height} pixels; expected at least 1x1")]
    EmptyPicture {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },

    /// The network runs at one size of the input alone, and another was asked for.
    #[error("the network runs only at the size that it was traced at, {fixed}, and not at {asked}")]
    FixedSize {
        /// The longest side that was asked for.
        asked: u32,
        /// The size.
        fixed: Size,
    },

    /// A file can't be read or written.
    #[error("{path:?}: {reason}{}", way_out(.reason))]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason. Part of the message, so not its source too: a chain would say it twice.
        reason: io::Error,
    },

    /// Labels can't be read.
    #[error("labels {path:?}: {problem}")]
    Labels {
        /// The file.
        path: PathBuf,
        /// What was found, and what was expected.
        problem: String,
    },

    /// Activations and what a method weights them by do not match.
    #[error("activations have shape {activations:?}, but their {weights} have shape {found:?}; the two must match")]
    Shape {
        /// Shape of the activations, `[K, h, w]`.
        activations: Vec<usize>,
        /// What they are weighted by: `gradients` or `scores`.
        weights: &'static str,
        /// The shape of that.
        found: Vec<usize>,
    },

    /// The network does not predict what a target explains.
    #[error(
        "target {target:?} is not available for this {family} model, which predicts no {lacks}; use a different target"
    )]
    TargetMissing {
        /// The target.
        target: String,
        /// The model's family.
        family: String,
        /// What the network would have to predict, such as `objectness`, `boxes` or `masks`.
        lacks: &'static str,
    },

    /// A keypoint that the model does not have.
    #[error("keypoint {keypoint:?} not found; use one of this model's keypoints: {known}")]
    KeypointNotFound {
        /// What was asked for.
        keypoint: String,
        /// Their names; their numbers where they have none.
        known: String,
    },

    /// The network's output is not finite, so there is nothing to explain or measure.
    #[error(
        "nothing can be detected because the network's output holds NaN or infinite values; use weights from before the \
         training diverged"
    )]
    Undefined,

    /// The caller's watch function asked to stop.
    #[error("interrupted")]
    Interrupted,

    /// libtorch reported an error.
    #[error("libtorch: {0}")]
    Libtorch(String),
}

fn did_you_mean(similar: &Option<String>) -> String {
    similar.as_ref().map(|name| format!(", did you mean {name:?}?")).unwrap_or_default()
}

fn way_out(reason: &io::Error) -> &'static str {
    match reason.kind() {
        ErrorKind::NotFound => "; check the path",
        ErrorKind::PermissionDenied => "; change its permissions, or take another path",
        ErrorKind::IsADirectory => "; expected a file",
        ErrorKind::NotADirectory => "; expected a folder",
        ErrorKind::StorageFull => "; make room, or take another disk",
        _ => "",
    }
}

/// The library's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        |reason| Self::Io { path: path.into(), reason }
    }

    pub(crate) fn model(path: impl Into<PathBuf>, problem: impl Into<String>) -> Self {
        Self::Model { path: path.into(), problem: printable(&problem.into()) }
    }
}

impl From<tch::TchError> for Error {
    fn from(error: tch::TchError) -> Self {
        Self::Libtorch(one_line(&error.to_string()))
    }
}

/// The line of a libtorch message that says what happened. Errors out of the interpreter come with a traceback
/// of TorchScript in front.
pub(crate) fn one_line(message: &str) -> String {
    let lines = || message.lines().map(str::trim).filter(|line| !line.is_empty());
    lines()
        .find_map(|line| line.strip_prefix("RuntimeError: "))
        .or_else(|| lines().next())
        .unwrap_or("no reason given")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_model_file_says_stays_one_line() {
        let error = Error::model("a.pt", "has a class \u{1b}[31m\nerror: é");
        assert_eq!(error.to_string(), r#"model "a.pt": has a class \u{1b}[31m\nerror: é"#);
    }

    #[test]
    fn a_traceback_becomes_its_reason() {
        let message = "The following operation failed in the TorchScript interpreter.\n\
                       Traceback of TorchScript (most recent call last):\n  graph(%x): ...\n\
                       RuntimeError: Sizes of tensors must match\n";
        assert_eq!(one_line(message), "Sizes of tensors must match");
        assert_eq!(one_line("\n  plain reason\nmore"), "plain reason");
        assert_eq!(one_line(""), "no reason given");
    }

    #[test]
    fn a_missing_file_says_what_to_do() {
        let error = Error::io("a.jpg")(ErrorKind::NotFound.into()).to_string();
        assert_eq!(error, r#""a.jpg": entity not found; check the path"#);
    }

    #[test]
    fn an_unknown_layer_names_its_neighbour() {
        let error = Error::LayerNotFound { name: "model.99".into(), similar: Some("model.9".into()) };
        assert_eq!(error.to_string(), r#"layer "model.99" not found, did you mean "model.9"?"#);
    }
}
