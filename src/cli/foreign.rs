//! Flags of other YOLO tools that have no place here, and what to do instead.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// The flag, and what stands for it.
const FLAGS: [(&str, &str); 12] = [
    ("--augment", "the network runs once for each picture; leave it out"),
    ("--data", "--names data.yaml takes the class names from such a file"),
    ("--dnn", "models run through libtorch only; leave it out"),
    ("--hide-conf", "--no-labels leaves out classes and confidences"),
    ("--nosave", "pictures are always written; leave it out, or see what would be written with --dry-run"),
    ("--save", "pictures are always written; leave it out"),
    ("--save-conf", "--save-txt writes confidences too; leave it out"),
    ("--save-crop", "--layout crops draws each box cut out"),
    ("--show", "nothing is shown on the screen; look into --output-dir, or at the page of --report html"),
    ("--update", "models are not changed; leave it out"),
    ("--view-img", "nothing is shown on the screen; look into --output-dir, or at the page of --report html"),
    ("--visualize", "--raw writes the maps as numbers, and 'yolo-cam layers' lists the layers"),
];

/// In one line what to do, if wrong use is a flag of another tool.
pub fn explained(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(found)) = error.get(ContextKind::InvalidArg) else { return None };
    let name = found.split('=').next().unwrap_or(found);
    let (flag, advice) = FLAGS.iter().find(|(flag, _)| *flag == name)?;
    (error.kind() == ErrorKind::UnknownArgument).then(|| format!("error: {flag} is no flag of yolo-cam: {advice}"))
}

#[cfg(test)]
mod tests {
    use super::{super::one_line, *};
    use crate::cli::Cli;
    use clap::{CommandFactory, Parser};

    #[test]
    fn flags_of_other_tools_say_what_to_do() {
        let told = |flag: &str| one_line(&Cli::try_parse_from(["yolo-cam", flag]).expect_err("it is none"));
        for (flag, advice) in FLAGS {
            assert_eq!(told(flag), format!("error: {flag} is no flag of yolo-cam: {advice}"));
        }
        assert_eq!(told("--save-crop=True"), told("--save-crop"));
        assert_eq!(told("--7x7"), "error: unexpected argument '--7x7' found; try '--help'");
        // What is a flag by now has no business here.
        let program = Cli::command();
        let own: Vec<&str> =
            program.get_arguments().filter_map(clap::Arg::get_long_and_visible_aliases).flatten().collect();
        assert!(FLAGS.iter().all(|(flag, _)| !own.contains(&flag.trim_start_matches('-'))));
    }
}
