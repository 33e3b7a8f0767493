//! `yolo-cam methods`: what `--method` takes.

use anyhow::Result;
use yolo_cam::Method;

use super::stdout::print_table;
use crate::exit::Exit;

/// Runs the command.
///
/// # Errors
/// If stdout can't be written.
pub fn methods() -> Result<Exit> {
    let mut rows = vec![["METHOD", "NEEDS", "EXTRA COST", "AUTO LAYERS", "SOURCE", "THE MAP"].map(str::to_owned)];
    for method in Method::all() {
        let auto = if method.is_choice() { "-" } else { method.auto_layers.summary() };
        let cells = [method.name, method.needs(), method.cost, auto, method.source, method.summary];
        rows.push(cells.map(str::to_owned));
    }
    print_table(&rows)
}
