//! One report of many shards: `merge`.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;

use super::{
    shared::{MessageArgs, Verbosity},
    values::any_report,
};

#[derive(Debug, Args)]
pub struct MergeArgs {
    /// Folders of results: the one that all shards share, or one for each shard
    #[arg(value_name = "FOLDER", required = true)]
    folders: Vec<PathBuf>,
    /// Reports to write [default: those that the shards were asked for]. eval and compare always write all of theirs
    #[arg(long, value_name = "KIND,...", value_parser = any_report(), ignore_case = true, value_delimiter = ',')]
    report: Vec<String>,
    /// Folder for the merged results, created if missing; results are linked or copied there [default: the folder, if there is one]
    #[arg(long, value_name = "DIR")]
    output_dir: Option<PathBuf>,
    /// Merge what is there, even if shards are missing or incomplete
    #[arg(long)]
    allow_missing: bool,
    #[command(flatten)]
    messages: MessageArgs,
}

#[derive(Debug)]
pub struct MergeCommand {
    pub folders: Vec<PathBuf>,
    /// Names in small letters; none: those that the shards were asked for.
    pub reports: Vec<String>,
    pub output_dir: PathBuf,
    pub allows_missing: bool,
    pub verbosity: Verbosity,
}

impl MergeArgs {
    pub fn validated(self) -> Result<MergeCommand> {
        let output_dir = match (self.output_dir, self.folders.as_slice()) {
            (Some(folder), _) => folder,
            (None, [only]) => only.clone(),
            (None, _) => bail!("results of several folders are merged into another one; name it with --output-dir"),
        };
        Ok(MergeCommand {
            folders: self.folders,
            reports: self.report.into_iter().map(|name| name.to_lowercase()).collect(),
            output_dir,
            allows_missing: self.allow_missing,
            verbosity: self.messages.into(),
        })
    }
}
