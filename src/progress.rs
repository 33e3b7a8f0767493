//! Progress on stderr, where that is a terminal.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressStyle};

/// A bar for work of many steps, gone when it is dropped. On no terminal, or if told to be quiet, nothing is shown.
pub struct Bar(ProgressBar);

impl Bar {
    /// For work that is counted in bytes. `is_wanted`: whether the user wants to see any.
    pub fn of_bytes(is_wanted: bool) -> Self {
        Self::with_template(is_wanted, "{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left")
    }

    /// For the steps of one picture.
    pub fn of_steps(is_wanted: bool) -> Self {
        Self::with_template(is_wanted, "{bar:40} {pos} of {len} steps of this picture, {eta} left")
    }

    /// For the pictures of a run.
    pub fn of_pictures(is_wanted: bool) -> Self {
        Self::with_template(is_wanted, "{bar:40} {pos} of {len} pictures, {per_sec}, {eta} left")
    }

    /// For pictures of which nobody knows how many there will be.
    pub fn of_frames(is_wanted: bool) -> Self {
        Self::with_template(is_wanted, "{spinner} {pos} frames and pictures, {per_sec}")
    }

    fn with_template(is_wanted: bool, template: &str) -> Self {
        if !is_wanted || !io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let style = ProgressStyle::with_template(template).expect("the template is sound");
        Self(ProgressBar::new(0).with_style(style))
    }

    /// `done` of `total` steps.
    pub fn show(&self, done: usize, total: usize) {
        self.0.set_length(total as u64);
        self.0.set_position(done as u64);
    }
}

/// What a run shows: how many of its pictures are done, or how many steps of the one that is under way.
pub struct Progress {
    pub pictures: Bar,
    pub steps: Bar,
}

impl Progress {
    /// Writes a line to stderr, above the bars.
    pub fn say(&self, line: &str) {
        self.pictures.0.suspend(|| self.steps.0.suspend(|| eprintln!("{line}")));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
