//! Where labels are, for commands that hold detections against them.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::{
    data_yaml::{Dataset, Split},
    shared::{PictureArgs, PictureChoice},
    words::Words,
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
    /// The labels, and the pictures: those of the dataset, unless flags or `words` say which.
    pub fn validated(self, pictures: PictureArgs, words: Words) -> Result<(LabelChoice, PictureChoice)> {
        let names_pictures = !words.inputs.is_empty() || pictures.names_pictures();
        let mut pictures = pictures.validated(words)?;
        let mut names = None;
        if let Some(file) = &self.data {
            let dataset = Dataset::open(file)?;
            if !names_pictures {
                pictures.inputs = dataset.pictures(self.split)?;
                // As its own package does.
                pictures.recursive = true;
            }
            names = Some(dataset.into_names()?);
        }
        Ok((LabelChoice { path: self.labels, names }, pictures))
    }
}
