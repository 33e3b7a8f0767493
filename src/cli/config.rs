//! Settings in a file: flags that one repeats, as `yolo-cam.yaml` beside the pictures or as `--config` names it.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Result, anyhow, bail};
use clap::{Arg, ArgAction, ArgMatches, Command, parser::ValueSource};
use serde::Deserialize;

use super::{shared::DEFAULT_INPUT, text_file, words::Words};

/// What the file is called where no flag names it.
pub const FILE: &str = "yolo-cam.yaml";

/// Flags that no file can set: they ask for something else than a run, belong to the file itself, or are another for each process.
const NEVER: [&str; 6] = ["config", "no_config", "help", "version", "shard", "shard_by"];
/// Flags that only a file which the user names can set: one that is found beside pictures may come from their maker.
const ONLY_NAMED: [&str; 5] = ["trust_model", "exist_ok", "output_dir", "project", "name"];
/// Flags whose values are files to read, which are looked for beside the file of settings first.
const PATHS: [&str; 7] = ["model_path", "img_path", "names", "labels", "maps", "data", "noise"];

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
enum Value {
    One(Scalar),
    List(Vec<Scalar>),
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
enum Scalar {
    Switch(bool),
    Integer(i64),
    Number(f64),
    Text(String),
}

impl Scalar {
    fn text(&self) -> String {
        match self {
            Self::Switch(is_on) => is_on.to_string(),
            Self::Integer(number) => number.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

/// The arguments with those of the file of settings added, if there is one. What is said on the command line counts more.
/// `matches`: of `arguments`, for `program`.
///
/// # Errors
/// If the file can't be read, or a setting is none of the flags.
pub fn completed(arguments: &[OsString], program: &Command, matches: &ArgMatches) -> Result<Option<Completed>> {
    let (command, matches) = match matches.subcommand() {
        Some((name, matches)) => (program.find_subcommand(name), matches),
        None => (Some(program), matches),
    };
    let Some(command) = command.filter(|command| has(command, "config")) else { return Ok(None) };
    let given = Given::of(command, matches)?;
    let Some(file) = given.file()? else { return Ok(None) };
    let mut added = Vec::new();
    if !file.is_named {
        added.push(flag("config", file.path.as_os_str().to_owned()));
    }
    for (name, value) in read(&file.path)? {
        let problem = |what: String| anyhow!("settings {:?}: {what}", file.path);
        let Some(arg) = find(command, &name) else {
            let others = program.get_subcommands().chain([program]);
            if others.into_iter().any(|other| find(other, &name).is_some()) {
                // Another command has it.
                continue;
            }
            return Err(problem(format!("{name:?} is no flag{}", similar(command, &name))));
        };
        let id = arg.get_id().as_str();
        if NEVER.contains(&id) || (!file.is_named && ONLY_NAMED.contains(&id)) {
            return Err(problem(match file.is_named {
                true => format!("{name:?} can't be set in a file"),
                false => format!("{name:?} is set only on the command line, or in a file that --config names"),
            }));
        }
        if !given.leaves_room(command, arg) {
            continue;
        }
        added.extend(as_flags(arg, &value, &file.path).map_err(|what| problem(format!("{name}: {what}")))?);
    }
    let mut arguments = arguments.to_vec();
    let end = arguments.iter().position(|argument| argument == "--").unwrap_or(arguments.len());
    arguments.splice(end..end, added);
    Ok(Some(Completed { arguments, file: file.path }))
}

/// Arguments of the command line and of a file.
pub struct Completed {
    pub arguments: Vec<OsString>,
    pub file: PathBuf,
}

struct ConfigFile {
    path: PathBuf,
    /// Whether the user named it.
    is_named: bool,
}

/// What the command line says by itself.
struct Given<'a> {
    matches: &'a ArgMatches,
    words: Words,
}

impl<'a> Given<'a> {
    fn of(command: &Command, matches: &'a ArgMatches) -> Result<Self> {
        let words = if has(command, "words") { values(matches, "words") } else { Vec::new() };
        Ok(Self { matches, words: Words::read(words)? })
    }

    /// The file that the user names, or the one beside the inputs.
    fn file(&self) -> Result<Option<ConfigFile>> {
        if let Some(path) = self.matches.get_one::<PathBuf>("config") {
            return Ok(Some(ConfigFile { path: path.clone(), is_named: true }));
        }
        let takes_pictures = self.matches.try_contains_id("img_path").is_ok();
        if !takes_pictures || self.matches.get_flag("no_config") {
            return Ok(None);
        }
        let mut inputs = [self.words.inputs.clone(), values(self.matches, "img_path")].concat();
        if inputs.is_empty() {
            inputs.push(DEFAULT_INPUT.into());
        }
        let mut found: Vec<PathBuf> = Vec::new();
        for file in inputs.iter().filter_map(|input| beside(input)) {
            let is_same = |other: &PathBuf| fs::canonicalize(other).ok() == fs::canonicalize(&file).ok();
            if !found.iter().any(is_same) {
                found.push(file);
            }
        }
        match found.as_slice() {
            [] => Ok(None),
            [only] => Ok(Some(ConfigFile { path: only.clone(), is_named: false })),
            [first, second, ..] => {
                bail!(
                    "there are settings in {first:?} and {second:?}; take one with --config, or none with --no-config"
                )
            }
        }
    }

    /// Whether the command line says nothing of a flag, and nothing that goes against it.
    fn leaves_room(&self, command: &Command, arg: &Arg) -> bool {
        let id = arg.get_id().as_str();
        let is_said = |id: &str| match id {
            "model_path" if self.words.model.is_some() => true,
            "img_path" if !self.words.inputs.is_empty() => true,
            _ => self.matches.value_source(id) == Some(ValueSource::CommandLine),
        };
        let excludes = |one: &Arg, other: &Arg| {
            command.get_arg_conflicts_with(one).iter().any(|excluded| excluded.get_id() == other.get_id())
        };
        let given = command.get_arguments().filter(|other| is_said(other.get_id().as_str()));
        !is_said(id) && given.into_iter().all(|other| !excludes(arg, other) && !excludes(other, arg))
    }
}

fn has(command: &Command, id: &str) -> bool {
    command.get_arguments().any(|arg| arg.get_id() == id)
}

fn values(matches: &ArgMatches, id: &str) -> Vec<PathBuf> {
    matches.get_many::<PathBuf>(id).into_iter().flatten().cloned().collect()
}

/// The file in the folder of the pictures that an input means, or in the folder above.
fn beside(input: &Path) -> Option<PathBuf> {
    let folder = if input.is_dir() { Some(input) } else { input.parent() };
    let folders = folder.into_iter().flat_map(|folder| [Some(folder), folder.parent()]).flatten();
    folders.map(|folder| folder.join(FILE)).find(|file| file.is_file())
}

/// Names and values in their order by name.
fn read(path: &Path) -> Result<BTreeMap<String, Value>> {
    let text = text_file::read(path, "settings")?;
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(BTreeMap::new());
    }
    text_file::yaml(&text)
        .map_err(|line| anyhow!("settings {path:?}: {line}; expected YAML with a flag on each line: conf-thres: 0.3"))
}

/// A flag by its name or another tool's name for it, with `_` as good as `-`.
fn find<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    let name = name.replace('_', "-");
    command.get_arguments().find(|arg| long_names(arg).contains(&name.as_str()))
}

fn long_names(arg: &Arg) -> Vec<&str> {
    arg.get_long_and_visible_aliases().unwrap_or_default()
}

/// The flag that may be meant.
fn similar(command: &Command, name: &str) -> String {
    let name = name.replace('_', "-");
    let names = command.get_arguments().flat_map(long_names);
    let nearest = names.map(|known| (strsim::damerau_levenshtein(known, &name), known)).min();
    match nearest {
        Some((distance, known)) if distance <= known.len() / 3 => format!("; did you mean {known:?}?"),
        _ => "; 'yolo-cam --help' lists them".to_owned(),
    }
}

/// A setting as it would be typed.
fn as_flags(arg: &Arg, value: &Value, file: &Path) -> Result<Vec<OsString>, String> {
    let name = arg.get_long().unwrap_or_default();
    let is_switch = matches!(arg.get_action(), ArgAction::SetTrue);
    let may_be_empty = arg.get_num_args().is_some_and(|range| range.min_values() == 0);
    match value {
        Value::One(Scalar::Switch(is_on)) if is_switch || may_be_empty => {
            Ok(if *is_on { vec![format!("--{name}").into()] } else { Vec::new() })
        }
        _ if is_switch => Err("expected true or false".to_owned()),
        Value::One(value) => Ok(vec![flag(name, located(arg, &value.text(), file))]),
        Value::List(_) if !matches!(arg.get_action(), ArgAction::Append) => {
            Err("expected one value, not a list".to_owned())
        }
        Value::List(values) => Ok(values.iter().map(|value| flag(name, located(arg, &value.text(), file))).collect()),
    }
}

fn flag(name: &str, value: OsString) -> OsString {
    let mut flag = OsString::from(format!("--{name}="));
    flag.push(value);
    flag
}

/// A path as seen from the file, if there is something; else as it is.
fn located(arg: &Arg, value: &str, file: &Path) -> OsString {
    let beside = file.parent().map(|folder| folder.join(value));
    match beside.filter(|path| PATHS.contains(&arg.get_id().as_str()) && path.exists()) {
        Some(path) => path.into(),
        None => value.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{ExplainCommand, parse},
        *,
    };

    /// The command of these arguments, or the line that refuses them.
    fn explain(arguments: &[&str]) -> Result<ExplainCommand, String> {
        let arguments: Vec<OsString> = ["yolo-cam"].iter().chain(arguments).map(OsString::from).collect();
        match parse(&arguments).map_err(|error| error.to_string())? {
            Ok(super::super::Command::Explain(command)) => Ok(*command),
            Ok(_) => Err("another command".to_owned()),
            Err(error) => Err(format!("{error:#}")),
        }
    }

    /// A folder `site` with a picture, and settings in it.
    fn site(settings: &str) -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        let site = folder.path().join("site");
        fs::create_dir(&site).unwrap();
        fs::write(site.join("a.jpg"), "").unwrap();
        fs::write(site.join(FILE), settings).unwrap();
        let site = site.to_str().unwrap().to_owned();
        (folder, site)
    }

    const SETTINGS: &str = "model-path: best.pt\nconf_thres: 0.25\nimgsz: 320\nclasses: [0, dog]\nno-labels: true\n\
                            names: [helmet, safety vest]\nraw: true\nsave-txt: false\nmethods: [gradcam, odam]\nper: class\n";

    #[test]
    fn settings_beside_pictures_are_taken_and_the_command_line_counts_more() {
        let (folder, site) = site(SETTINGS);
        fs::write(folder.path().join("site/best.pt"), "").unwrap();
        let command = explain(&["--img-path", &site]).unwrap();
        assert_eq!(command.model.path, Path::new(&site).join("best.pt"), "it stands beside the settings");
        assert_eq!(command.model.config, Some(Path::new(&site).join(FILE)));
        assert_eq!((command.detection.img_size, command.detection.conf_threshold), (Some(320), Some(0.25)));
        assert_eq!(command.detection.classes.unwrap(), ["0", "dog"]);
        assert_eq!(command.pictures.names.unwrap(), ["helmet", "safety vest"]);
        assert!(!command.render.labels && command.raw.is_some() && command.reports.len() == 1);

        let picture = format!("{site}/a.jpg");
        let command = explain(&["other.pt", &picture, "--conf", "0.5", "--merged", "--classes", "1"]).unwrap();
        assert_eq!(command.model.path, Path::new("other.pt"));
        assert_eq!((command.detection.img_size, command.detection.conf_threshold), (Some(320), Some(0.5)));
        assert_eq!(command.detection.classes.unwrap(), ["1"]);

        let command = explain(&["--no-config", &site]).unwrap();
        assert_eq!((command.detection.conf_threshold, command.model.config), (None, None));
    }

    #[test]
    fn settings_are_taken_from_the_folder_that_holds_that_of_the_pictures_and_from_a_file_that_is_named() {
        let (folder, site) = site("conf-thres: 0.1\n");
        fs::create_dir(format!("{site}/deeper")).unwrap();
        assert_eq!(explain(&[&format!("{site}/deeper")]).unwrap().detection.conf_threshold, Some(0.1));
        let named = folder.path().join("mine.yml");
        fs::write(&named, "conf-thres: 0.2\noutput-dir: results\n# nothing more\n").unwrap();
        let command = explain(&[&site, "--config", named.to_str().unwrap()]).unwrap();
        assert_eq!(command.detection.conf_threshold, Some(0.2));
        assert_eq!(command.pictures.output_dir, Path::new("results"), "as on the command line");
        let command = explain(&["--config", named.to_str().unwrap(), "--project", "runs", "--", &site]).unwrap();
        assert_eq!(command.pictures.output_dir, Path::new("runs"), "it excludes --output-dir");
    }

    #[test]
    fn what_is_wrong_with_settings_is_told_with_their_file() {
        let refused = |settings: &str| {
            let (_folder, site) = site(settings);
            let problem = explain(&[&site]).unwrap_err();
            assert!(problem.starts_with("settings ") && problem.contains(FILE), "{problem}");
            problem
        };
        assert!(refused("conf-tres: 0.3\n").ends_with(r#""conf-tres" is no flag; did you mean "conf-thres"?"#));
        assert!(refused("zebra: 1\n").contains("'yolo-cam --help' lists them"));
        assert!(refused("conf-thres: 2\n").contains("invalid value '2' for '--conf-thres <0..1>'"));
        assert!(refused("conf-thres: [0.1, 0.2]\n").ends_with("conf-thres: expected one value, not a list"));
        assert!(refused("merged: 1\n").ends_with("merged: expected true or false"));
        assert!(refused("config: other.yaml\n").contains("only on the command line"));
        assert!(refused("- a\n").contains("expected YAML with a flag on each line"));
        // They may come from who made the pictures.
        assert!(refused("trust-model: true\n").contains("only on the command line, or in a file that --config names"));
        assert!(refused("output-dir: /etc\n").contains("only on the command line"));
        let missing = explain(&["--config", "no.yaml"]).unwrap_err();
        assert!(
            missing.contains(r#"settings "no.yaml" cannot be read: "#) && missing.ends_with("; check the path"),
            "{missing}"
        );
    }

    #[test]
    fn settings_of_several_folders_are_refused() {
        let ((_one, one), (_two, two)) = (site(""), site(""));
        let problem = explain(&[&one, &two]).unwrap_err();
        assert!(problem.contains("take one with --config"), "{problem}");
        assert!(explain(&[&one, &one]).is_ok());
    }
}
