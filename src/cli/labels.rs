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
    /// Where the objects really are: a folder of YOLO's text files, or a JSON file of COCO. YOLO's packages look for a picture's text where
    /// 'images' in its path is replaced by 'labels', or else beside it; so does 'diagnose' without this flag, and 'diff' with --data
    #[arg(long, value_name = "PATH", help_heading = "Input and output")]
    labels: Option<PathBuf>,
    /// A data.yaml, which says where the pictures are and what the classes of the labels are called
    #[arg(long, value_name = "FILE", help_heading = "Input and output")]
    data: Option<PathBuf>,
    /// Which of the pictures that --data names
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
