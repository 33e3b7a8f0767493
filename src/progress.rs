//! Progress on stderr, where that is a terminal.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressStyle};

/// A bar for work of many steps, gone when it is dropped. On no terminal, or if told to be quiet, nothing is shown.
pub struct Bar(ProgressBar);

impl Bar {
    /// `is_wanted`: whether the user wants to see any.
    pub fn new(is_wanted: bool) -> Self {
        Self::with_template(is_wanted, "{bar:40} {pos} of {len}, {eta} left")
    }

    /// For work that is counted in bytes.
    pub fn of_bytes(is_wanted: bool) -> Self {
        Self::with_template(is_wanted, "{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left")
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

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
