//! `yolo-cam layers`: what `--target-layer` takes.

use anyhow::Result;

use super::{
    model::{check_size, load_model},
    stdout::print_table,
};
use crate::{cli::LayersCommand, exit::Exit};

/// Runs the command.
///
/// # Errors
/// If the model is unusable, or stdout can't be written.
pub fn layers(command: &LayersCommand) -> Result<Exit> {
    let model = load_model(&command.model, false)?;
    check_size(command.img_size, &model, false)?;
    let input = model.input_size(command.img_size);
    let shapes = model.layer_shapes(input)?;
    let mut rows = vec![["LAYER", "CLASS", "SHAPE", "STRIDE", "HEADS"].map(str::to_owned)];
    for (layer, shape) in model.layers().iter().zip(&shapes) {
        let heads = (0..model.levels().len()).filter(|&head| layer.is_seen_by(head));
        let heads = heads.map(|head| model.levels()[head].name()).collect::<Vec<_>>().join(" ");
        let stride = match shape.as_slice() {
            &[_, _, _, width] if width > 0 => (i64::from(input.width) / width).to_string(),
            _ => "-".to_owned(),
        };
        let shape = shape.iter().skip(1).map(i64::to_string).collect::<Vec<_>>().join("x");
        rows.push([
            layer.path.clone(),
            layer.class.clone(),
            shape,
            stride,
            if heads.is_empty() { "-".into() } else { heads },
        ]);
    }
    print_table(&rows)
}
