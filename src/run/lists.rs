//! Lists and texts on stdout.

use std::io::{self, StdoutLock, Write};

use anyhow::{Context, Result};
use yolo_cam::{Method, geometry::Size};

use super::load_model;
use crate::{cli::LayersCommand, exit::Exit};

/// What `--target-layer` takes.
pub fn layers(command: &LayersCommand) -> Result<Exit> {
    let model = load_model(&command.model, false)?;
    let side = model.input_side(Some(command.img_size));
    let shapes = model.layer_shapes(Size { width: side, height: side })?;
    let mut rows = vec![["LAYER", "CLASS", "SHAPE", "STRIDE", "HEADS"].map(str::to_owned)];
    for (layer, shape) in model.layers().iter().zip(&shapes) {
        let heads = (0..model.levels().len()).filter(|&head| layer.is_seen_by(head));
        let heads = heads.map(|head| model.levels()[head].name()).collect::<Vec<_>>().join(" ");
        let stride = match shape.as_slice() {
            &[_, _, _, width] if width > 0 => (i64::from(side) / width).to_string(),
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

/// What `--method` takes.
pub fn methods() -> Result<Exit> {
    let mut rows = vec![["METHOD", "NEEDS", "EXTRA COST", "AUTO LAYERS", "SOURCE", "THE MAP"].map(str::to_owned)];
    for method in Method::all() {
        let auto = method.auto_layers.summary();
        let cells = [method.name, method.needs(), method.cost, auto, method.source, method.summary];
        rows.push(cells.map(str::to_owned));
    }
    print_table(&rows)
}

/// Writes rows to stdout, their cells below each other.
fn print_table(rows: &[impl AsRef<[String]>]) -> Result<Exit> {
    print(|out| write_table(out, rows))
}

/// Writes to stdout.
pub fn print(write: impl FnOnce(&mut StdoutLock) -> io::Result<()>) -> Result<Exit> {
    let mut out = io::stdout().lock();
    match write(&mut out).and_then(|()| out.flush()) {
        // The reader has seen enough: `yolo-cam layers | head`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Fine),
        done => done.map(|()| Exit::Fine).context("stdout cannot be written"),
    }
}

pub fn write_table(out: &mut impl Write, rows: &[impl AsRef<[String]>]) -> io::Result<()> {
    let columns = rows.iter().map(|row| row.as_ref().len()).max().unwrap_or(0);
    let cell = |row: &[String], column: usize| row.get(column).map_or(0, |cell| cell.chars().count());
    let width = |column: usize| rows.iter().map(|row| cell(row.as_ref(), column)).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let cells = row.as_ref().iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect::<Vec<_>>();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}
