//! Texts and tables on stdout.

use std::io::{self, StdoutLock, Write};

use anyhow::{Context, Result};

use crate::exit::Exit;

/// Writes rows to stdout, their cells below each other.
pub fn print_table(rows: &[impl AsRef<[String]>]) -> Result<Exit> {
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
