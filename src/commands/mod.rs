//! Does what the command line asks for: a file for each command. Those that go over pictures share a [`session`].

mod diagnose;
mod diff;
mod eval;
mod explain;
mod explore;
mod export;
mod fate;
mod interrupt;
mod labels;
mod layers;
mod merge;
mod methods;
mod model;
pub mod noun;
mod options;
mod parallel;
mod recorded;
mod records;
mod session;
mod shape;
mod stdout;
mod wanted;

use std::io::Write;

use anyhow::Result;

use crate::{cli::Command, exit::Exit};

/// Runs the command.
///
/// # Errors
/// Wrong use or an unusable model. What goes wrong with a picture is told, and shows in the exit code.
pub fn run(command: Command) -> Result<Exit> {
    match command {
        Command::Explain(command) => explain::explain(&command),
        Command::Layers(command) => layers::layers(&command),
        Command::Eval(command) => eval::eval(&command),
        Command::Diagnose(command) => diagnose::diagnose(&command),
        Command::Diff(command) => diff::diff(&command),
        Command::Merge(command) => merge::merge(&command),
        Command::Explore(command) => explore::explore(*command),
        Command::Export(command) => export::export(&command),
        Command::Methods => methods::methods(),
        Command::Shape(command) => shape::shape(&command),
        Command::Print(text) => stdout::print(|out| out.write_all(&text)),
    }
}
