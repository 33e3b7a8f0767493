//! `-h`: what most people need. `--help` has everything.

use clap::{Command, CommandFactory};

use super::Cli;

const FLAGS: [&str; 12] = [
    "model_path",
    "img_path",
    "output_dir",
    "conf_thres",
    "img_size",
    "classes",
    "names",
    "method",
    "target_layer",
    "layout",
    "report",
    "device",
];
const COMMANDS: [&str; 4] = ["layers", "eval", "compare", "export"];

/// The help, if these arguments ask for the short one of the program itself.
pub fn short_help(arguments: impl Iterator<Item = String>) -> Option<String> {
    let arguments: Vec<String> = arguments.skip(1).collect();
    if !arguments.iter().any(|argument| argument == "-h") {
        return None;
    }
    let program = Cli::command();
    let names_command = arguments.iter().any(|argument| program.find_subcommand(argument).is_some());
    (!names_command).then(|| shortened(program).render_help().to_string())
}

fn shortened(program: Command) -> Command {
    let is_rest = |names: &[&str], name: &str| !names.contains(&name);
    program
        .disable_help_subcommand(true)
        .mut_args(|arg| {
            let hides = arg.is_positional() || is_rest(&FLAGS, arg.get_id().as_str());
            // All under one heading: there are few.
            arg.hide(hides).help_heading("Flags")
        })
        .mut_subcommands(|command| {
            let hides = is_rest(&COMMANDS, command.get_name());
            command.hide(hides)
        })
        .override_usage("yolo-cam MODEL PICTURES... [OPTIONS]\n       yolo-cam COMMAND ...")
        .after_help("'yolo-cam --help' has all flags and commands, examples, and exit codes.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_help_has_twelve_flags_and_four_commands() {
        let help = |arguments: &[&str]| {
            short_help(["yolo-cam"].iter().chain(arguments).map(|argument| (*argument).to_owned()))
        };
        let text = help(&["-h"]).expect("it is asked for");
        let shown = |prefix: &str| text.lines().filter(|line| line.trim_start().starts_with(prefix)).count();
        assert_eq!(shown("--"), FLAGS.len(), "{text}");
        assert_eq!(shown("help "), 0, "{text}");
        for command in COMMANDS {
            assert_eq!(shown(&format!("{command} ")), 1, "{text}");
        }
        assert!(!text.contains("completions") && !text.contains("Methods and"), "{text}");
        assert!(text.lines().count() <= 60, "{text}");
        assert!(help(&["eval", "-h"]).is_none() && help(&["--help"]).is_none());
    }
}
