//! Where labels are, for commands that hold detections against them.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::{
    data_yaml::{Dataset, Split},
    shared::PictureChoice,
};

#[derive(Debug, Args)]
pub struct LabelArgs {
    /// Ground truth: a folder of YOLO text files, or a COCO JSON file. If missing, 'diagnose', and 'diff' with --data, look for text files as
    /// YOLO does: where 'images' in the path of a picture is replaced by 'labels', or else beside the picture
    #[arg(long, value_name = "PATH", help_heading = "Input and output")]
    labels: Option<PathBuf>,
    /// A data.yaml, which says where the pictures are and names the classes of the labels
    #[arg(long, value_name = "FILE", help_heading = "Input and output")]
    data: Option<PathBuf>,
    /// Which split of --data to take
    #[arg(long, value_enum, default_value_t, requires = "data", help_heading = "Input and output")]
    split: Split,
}

/// Where labels are.
#[derive(Debug)]
pub struct LabelChoice {
    /// `None`: where YOLO looks for them.
    pub path: Option<PathBuf>,
    /// Names of their classes, where a file of the dataset says them; else YOLO's have the model's.
    pub names: Option<Vec<String>>,
}

impl LabelArgs {
    /// The labels, and the pictures: those of the dataset, unless the user names others.
    pub fn validated(self, has_pictures: bool, mut pictures: PictureChoice) -> Result<(LabelChoice, PictureChoice)> {
        let mut names = None;
        if let Some(file) = &self.data {
            let dataset = Dataset::open(file)?;
            if !has_pictures {
                pictures.inputs = dataset.pictures(self.split)?;
                // As its own package does.
                pictures.recursive = true;
            }
            names = Some(dataset.into_names()?);
        }
        Ok((LabelChoice { path: self.labels, names }, pictures))
    }
}

impl LabelChoice {
    /// Whether the user says where labels are.
    pub fn is_given(&self) -> bool {
        self.path.is_some() || self.names.is_some()
    }
}
