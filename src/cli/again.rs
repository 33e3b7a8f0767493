//! The command that explains one picture as a run explained it among others.

use std::{
    ffi::{OsStr, OsString},
    path::Path,
};

use clap::{Arg, ArgMatches, CommandFactory, parser::ValueSource};
use yolo_cam::detect::Spot;

use super::{Cli, ExplainCommand, config, explore::OF_THE_PAGE, values::numbers_of};
use crate::output::quoted;

/// What says which pictures there are, where results go and how the run went on; and what is said anew since it may have been
/// said without a flag.
const LEFT_OUT: [&str; 20] = [
    "words",
    "model_path",
    "drawn",
    "point",
    "img_path",
    "recursive",
    "flat",
    "output_dir",
    "project",
    "name",
    "shard",
    "shard_by",
    "json_lines",
    "skip_existing",
    "exist_ok",
    "dry_run",
    "jobs",
    "quiet",
    "verbose",
    "config",
];

/// A command line for a shell, up to the picture, which is still to come. It has all the flags of `arguments`, from which
/// `command` was made, that results depend on, and those of a file of settings, if there is one. Results go into a folder beside that of the run, whose own they would replace.
/// `None` if some word is no Unicode text.
pub fn again(command: &ExplainCommand, arguments: &[OsString]) -> Option<String> {
    let mut program = Cli::command();
    let mut matches = program.try_get_matches_from_mut(arguments).ok()?;
    if let Some(completed) = config::completed(arguments, &program, &matches).ok()? {
        matches = program.try_get_matches_from_mut(completed.arguments).ok()?;
    }
    let mut words = vec![arguments.first()?.clone()];
    if !command.model.is_default {
        words.extend(["--model-path".into(), command.model.path.clone().into_os_string()]);
    }
    for argument in program.get_arguments().filter(|argument| !LEFT_OUT.contains(&argument.get_id().as_str())) {
        words.extend(words_of(argument, &matches));
    }
    if command.model.config.is_some() {
        words.push("--no-config".into());
    }
    if let Some(spot) = &command.spot {
        let flag = if matches!(spot, Spot::Point(_)) { "--point" } else { "--box" };
        words.push(format!("{flag}={}", numbers_of(spot)).into());
    }
    words.extend(["--output-dir".into(), beside(&command.pictures.output_dir), "--img-path".into()]);
    let words: Option<Vec<String>> = words.iter().map(|word| word.to_str().map(quoted)).collect();
    Some(words?.join(" "))
}

/// Those flags of `explore` that its explanations have whatever the page asks for, and those of a file of settings, if there is one.
/// `arguments`: of the program. `None` if some word is no Unicode text.
pub fn kept_in_explanations(arguments: &[OsString]) -> Option<Vec<String>> {
    let mut program = Cli::command();
    let mut matches = program.try_get_matches_from_mut(arguments).ok()?;
    if let Some(completed) = config::completed(arguments, &program, &matches).ok()? {
        matches = program.try_get_matches_from_mut(completed.arguments).ok()?;
    }
    let (name, matches) = matches.subcommand()?;
    let is_kept = |id: &str| !LEFT_OUT.contains(&id) && !OF_THE_PAGE.contains(&id);
    let arguments = program.find_subcommand(name)?.get_arguments();
    let kept = arguments.filter(|argument| is_kept(argument.get_id().as_str()));
    kept.flat_map(|argument| words_of(argument, matches)).map(|word| word.into_string().ok()).collect()
}

/// A flag with its values, if it was given.
fn words_of(argument: &Arg, matches: &ArgMatches) -> Vec<OsString> {
    let id = argument.get_id().as_str();
    let Some(long) = argument.get_long() else { return Vec::new() };
    let is_given = matches.try_contains_id(id).is_ok() && matches.value_source(id) == Some(ValueSource::CommandLine);
    if !is_given {
        return Vec::new();
    }
    let flag = OsString::from(format!("--{long}"));
    if !argument.get_action().takes_values() {
        return vec![flag];
    }
    let values: Vec<&OsStr> = matches.get_raw(id).into_iter().flatten().collect();
    let values = match argument.get_value_delimiter() {
        Some(delimiter) => vec![values.join(OsStr::new(delimiter.encode_utf8(&mut [0; 4])))],
        None => values.into_iter().map(OsStr::to_owned).collect(),
    };
    match values.as_slice() {
        // So that a value which begins with a hyphen is none of the flags.
        [only] => {
            let mut word = flag;
            word.push("=");
            word.push(only);
            vec![word]
        }
        _ => [vec![flag], values].concat(),
    }
}

/// A folder of the same name with `-again` behind it.
fn beside(folder: &Path) -> OsString {
    let Some(name) = folder.file_name() else { return "again".into() };
    let mut name = name.to_owned();
    name.push("-again");
    folder.with_file_name(name).into_os_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Command;
    use clap::Parser;

    fn again_of(arguments: &[&str]) -> Option<String> {
        let arguments: Vec<OsString> = [&["yolo-cam"], arguments].concat().iter().map(OsString::from).collect();
        match Cli::parse_from(&arguments).into_command().unwrap() {
            Command::Explain(command) => again(&command, &arguments),
            _ => unreachable!("no other command is named"),
        }
    }

    #[test]
    fn flags_that_results_depend_on_are_kept_and_the_others_are_not() {
        let told = |arguments: &[&str]| again_of(arguments).unwrap();
        assert_eq!(told(&[]), "yolo-cam --output-dir outputs-again --img-path");
        assert_eq!(
            told(&[
                "my model.pt",
                "site/",
                "--quiet",
                "--recursive",
                "--project",
                "runs/",
                "--name",
                "a",
                "--top",
                "3"
            ]),
            "yolo-cam --model-path 'my model.pt' --top=3 --output-dir runs/a-again --img-path"
        );
        assert_eq!(
            told(&["--weights", "b.pt", "--source", "x.jpg", "y.jpg", "--jobs", "2", "--merged", "--output-dir", "."]),
            "yolo-cam --model-path b.pt --merged --output-dir again --img-path"
        );
        assert_eq!(
            told(&[
                "--classes",
                "0",
                "2",
                "--target-layer",
                "17,23",
                "--names",
                "a,b",
                "c d",
                "--raw",
                "--conf",
                "0.25"
            ]),
            "yolo-cam --names a,b 'c d' --conf-thres=0.25 --classes=0,2 --raw=npy --target-layer=17,23 \
             --output-dir outputs-again --img-path"
        );
        assert_eq!(
            told(&["--box", "-1", "2", "30.5", "40", "--class", "dog", "--skip-existing", "--every", "5"]),
            "yolo-cam --every=5 --class=dog --box=-1,2,30.5,40 --output-dir outputs-again --img-path"
        );
    }

    #[test]
    fn the_command_asks_for_the_same() {
        let run = ["--box", "1", "2", "30.5", "40", "--class", "dog", "--method", "layercam", "--names", "a", "b"];
        let line = again_of(&run).unwrap();
        let words: Vec<&str> = line.split(' ').skip(1).chain(["x.jpg"]).collect();
        let parsed = |words: &[&str]| match Cli::parse_from([&["yolo-cam"], words].concat()).into_command().unwrap() {
            Command::Explain(command) => command,
            _ => unreachable!("no other command is named"),
        };
        let (first, second) = (parsed(&run), parsed(&words));
        assert_eq!(second.pictures.inputs, [Path::new("x.jpg")]);
        assert_eq!((first.spot, &first.class, first.method), (second.spot, &second.class, second.method));
        assert_eq!((&first.pictures.names, &first.render), (&second.pictures.names, &second.render));
        assert_eq!(again_of(&words).unwrap().replace("-again-again", "-again"), line);
    }

    #[test]
    fn settings_of_a_file_become_flags() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.yaml");
        std::fs::write(&file, "conf-thres: 0.3\ntop: 2\nrecursive: true\n").unwrap();
        let arguments: Vec<OsString> =
            ["yolo-cam".into(), "--config".into(), file.into_os_string(), "--top".into(), "5".into()].into();
        let Ok(Ok(Command::Explain(command))) = crate::cli::parse(&arguments) else {
            unreachable!("no other command is named")
        };
        assert_eq!(
            again(&command, &arguments).unwrap(),
            "yolo-cam --conf-thres=0.3 --top=5 --no-config --output-dir outputs-again --img-path"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_name_that_is_no_text_gives_no_command() {
        use std::os::unix::ffi::OsStringExt;
        let output = OsString::from_vec(vec![b'o', 0xff]);
        let arguments = ["yolo-cam".into(), "--output-dir".into(), output];
        let Command::Explain(command) = Cli::parse_from(&arguments).into_command().unwrap() else {
            unreachable!("no other command is named")
        };
        assert_eq!(again(&command, &arguments), None);
    }
}
