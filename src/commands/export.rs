//! `yolo-cam export`: saves a checkpoint as TorchScript.

use std::fs;

use anyhow::{Result, bail};
use yolo_cam::{ExportOptions, model::FileKind};

use super::{
    model::{load_model, note_size},
    noun::Noun,
};
use crate::{cli::ExportCommand, exit::Exit};

/// Runs the command.
///
/// # Errors
/// If the model is unusable, or the file can't be written.
pub fn export(command: &ExportCommand) -> Result<Exit> {
    let model = load_model(&command.model, false)?;
    let output = command.output.clone().unwrap_or_else(|| model.path().with_extension("torchscript"));
    // Without --output, a checkpoint that is called .torchscript would overwrite itself.
    let is_model =
        fs::canonicalize(&output).is_ok_and(|file| fs::canonicalize(model.path()).is_ok_and(|own| own == file));
    if is_model && model.kind() == FileKind::Checkpoint {
        bail!("{output:?} is the model itself; give --output another file");
    }
    note_size(command.img_size, &model);
    let options = ExportOptions::default().with_img_size(command.img_size).with_half(command.half);
    model.export(&output, &options)?;
    let classes = Noun::Class.counted(model.names().len());
    let precision = if command.half { "fp16" } else { "fp32" };
    let side = model.input_side(options.img_size);
    say!("{} -> {} ({classes}, {side}x{side}, {precision})", model.path().display(), output.display());
    Ok(Exit::Fine)
}
