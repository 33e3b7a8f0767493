//! Maps as numbers, `--raw`.

use std::path::PathBuf;

use yolo_cam::{
    ExplainedBox, Result,
    explain::{Grouping, MapSize},
    report::{RawFormat, RawMap, write_raw},
};

use super::{Explained, group_name};

/// Writes each map that has a signal, and those of groups, and adds their files to `written`. Returns those of boxes.
///
/// # Errors
/// [`yolo_cam::Error::Io`].
pub fn write_maps(
    explained: &Explained,
    (format, size): (RawFormat, MapSize),
    written: &mut Vec<PathBuf>,
) -> Result<Vec<Option<RawMap>>> {
    let Explained { names, explanation, render, .. } = explained;
    if render.grouping != Grouping::Box {
        for group in &explanation.groups(render.grouping) {
            let file = names.dir().join(names.map(&group_name(group, render.grouping), format.extension()));
            let heat = explanation.heat(group, render.normalize)?;
            write_raw(&file, &heat, format)?;
            written.push(file);
        }
    }
    let mut write = |(index, explained): (usize, &ExplainedBox)| {
        if explained.heatmap.no_signal().is_some() {
            return Ok(None);
        }
        let file = names.map(&index.to_string(), format.extension());
        write_raw(&names.dir().join(&file), &explanation.map(index, size)?, format)?;
        written.push(names.dir().join(&file));
        Ok(Some(RawMap { file, grid: explanation.grid(index, size) }))
    };
    explanation.boxes.iter().enumerate().map(&mut write).collect()
}
