//! What words without a flag mean: a model, pictures, or settings as other tools write them.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use yolo_cam::model::FileKind;

/// Model and inputs, as far as words without a flag name them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Words {
    pub model: Option<PathBuf>,
    pub inputs: Vec<PathBuf>,
    /// Numbers behind a flag that takes one, where other tools take several.
    pub numbers: Vec<String>,
}

/// Endings of model files, run here or not: those that are not get a line that says what they are.
const MODEL_ENDINGS: [&str; 9] =
    ["pt", "pth", "torchscript", "onnx", "engine", "tflite", "safetensors", "mlmodel", "mlpackage"];

/// `name=value` settings of the Ultralytics command line, and the flags that they are here.
const SETTINGS: [(&str, &str); 18] = [
    ("model", "--model-path"),
    ("source", "--img-path"),
    ("imgsz", "--img-size"),
    ("conf", "--conf-thres"),
    ("iou", "--iou-thres"),
    ("max_det", "--max-det"),
    ("device", "--device"),
    ("classes", "--classes"),
    ("agnostic_nms", "--agnostic-nms"),
    ("project", "--project"),
    ("name", "--name"),
    ("exist_ok", "--exist-ok"),
    ("save_txt", "--save-txt"),
    ("half", "--half"),
    ("line_width", "--line-width"),
    ("show_labels", "--no-labels"),
    ("vid_stride", "--every"),
    ("data", "--names"),
];

/// Tasks and modes of that command line, which a model says by itself.
const TASKS: [&str; 7] = ["detect", "segment", "classify", "pose", "obb", "predict", "track"];

impl Words {
    /// The first word that is a model file, by its content or its ending, is the model; the others are inputs.
    ///
    /// # Errors
    /// If several are models, or settings are written as in another tool: then with the right command.
    pub fn read(words: Vec<PathBuf>) -> Result<Self> {
        if let Some(command) = translated(&words) {
            bail!("settings are passed as flags; use: {command}");
        }
        let is_number =
            |word: &PathBuf| !word.exists() && word.to_str().is_some_and(|text| text.parse::<f32>().is_ok());
        let (numbers, words): (Vec<PathBuf>, Vec<PathBuf>) = words.into_iter().partition(is_number);
        let numbers = numbers.into_iter().map(|number| number.to_string_lossy().into_owned()).collect();
        let (models, inputs): (Vec<PathBuf>, Vec<PathBuf>) = words.into_iter().partition(|word| is_model(word));
        match models.as_slice() {
            [first, second, ..] => bail!("{first:?} and {second:?} are both models; a run takes one"),
            _ => Ok(Self { model: models.into_iter().next(), inputs, numbers }),
        }
    }

    /// # Errors
    /// If there are numbers that belong to no flag.
    pub fn no_numbers_left(&self) -> Result<()> {
        match self.numbers.first() {
            None => Ok(()),
            Some(number) => bail!(
                "{number:?} is neither a file nor part of a flag; --img-size takes one number, the longest side, and cameras \
                 are not read: give pictures or videos"
            ),
        }
    }
}

/// Refuses a word that was meant for a command.
///
/// # Errors
/// If the first word is neither a file nor looks like a path. `program`: whose commands it may have been meant for.
pub fn check_command(words: &[PathBuf], program: fn() -> clap::Command) -> Result<()> {
    let Some(word) = words.first().and_then(|word| word.to_str()) else { return Ok(()) };
    let is_bare =
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-' || byte == b'_');
    // The word `predict` has a line of its own.
    if !is_bare || word == "-" || Path::new(word).exists() || TASKS.contains(&word) {
        return Ok(());
    }
    let program = program();
    let distance = |command: &&str| strsim::damerau_levenshtein(word, command);
    let tip = match program
        .get_subcommands()
        .map(clap::Command::get_name)
        .min_by_key(distance)
        .filter(|near| distance(near) <= near.len() / 3)
    {
        Some(near) => format!("; tip: a similar command exists: '{near}'"),
        None => String::new(),
    };
    bail!("{word:?} is neither a command nor a file{tip}; try '--help'")
}

fn is_model(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
    ending.is_some_and(|ending| MODEL_ENDINGS.contains(&ending.as_str()))
        || path.is_file() && FileKind::of(path).is_ok()
}

/// The command with flags for one with `model=best.pt source=site/`; `None` if no word is such a setting.
fn translated(words: &[PathBuf]) -> Option<String> {
    let mut command = "yolo-cam".to_owned();
    let mut has_settings = false;
    for word in words {
        let text = word.to_string_lossy();
        let setting = text.split_once('=').filter(|_| !word.exists());
        let flag = setting.and_then(|(name, _)| SETTINGS.iter().find(|(known, _)| *known == name));
        match (setting, flag) {
            (Some((_, value)), Some((_, flag))) => {
                has_settings = true;
                match (*flag, value.to_ascii_lowercase().as_str()) {
                    // A switch that is off is no flag.
                    ("--no-labels", "true") | ("--agnostic-nms" | "--exist-ok" | "--save-txt" | "--half", "false") => {}
                    ("--no-labels", _) | ("--agnostic-nms" | "--exist-ok" | "--save-txt" | "--half", _) => {
                        command += &format!(" {flag}");
                    }
                    ("--classes", _) => command += &format!(" {flag} {}", value.trim_matches(['[', ']'])),
                    _ => command += &format!(" {flag} {value}"),
                }
            }
            (Some(("task" | "mode", _)), None) => has_settings = true,
            (Some(_), None) | (None, _) if TASKS.contains(&&*text) && !word.exists() => {}
            _ => command += &format!(" {text}"),
        }
    }
    has_settings.then_some(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Words> {
        Words::read(words.iter().map(PathBuf::from).collect())
    }

    #[test]
    fn a_model_is_told_from_pictures() {
        let expected =
            Words { model: Some("best.pt".into()), inputs: vec!["site/".into(), "a.jpg".into()], numbers: Vec::new() };
        assert_eq!(read(&["best.pt", "site/", "a.jpg"]).unwrap(), expected);
        assert_eq!(read(&["site/", "best.pt", "a.jpg"]).unwrap(), expected);
        assert_eq!(read(&["site/"]).unwrap(), Words { inputs: vec!["site/".into()], ..Words::default() });
        // By its content.
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("weights.bin");
        std::fs::copy("tests/data/tiny/yolov3-tiny.pt", &model).unwrap();
        assert_eq!(read(&[model.to_str().unwrap()]).unwrap().model, Some(model));
    }

    #[test]
    fn a_number_that_is_left_over_is_told() {
        let words = read(&["site/", "640"]).unwrap();
        assert_eq!(words.numbers, ["640"]);
        let problem = words.no_numbers_left().unwrap_err().to_string();
        assert!(problem.contains("--img-size takes one number"), "{problem}");
    }

    #[test]
    fn two_models_are_refused() {
        let problem = read(&["a.pt", "b.torchscript"]).unwrap_err().to_string();
        assert_eq!(problem, r#""a.pt" and "b.torchscript" are both models; a run takes one"#);
    }

    #[test]
    fn settings_of_the_ultralytics_command_line_are_shown_as_flags() {
        let told = |words: &[&str]| read(words).unwrap_err().to_string();
        assert_eq!(
            told(&["detect", "predict", "model=best.pt", "source=site/", "conf=0.5", "classes=[0,2]", "save_txt=True"]),
            "settings are passed as flags; use: yolo-cam --model-path best.pt --img-path site/ --conf-thres 0.5 --classes 0,2 \
             --save-txt"
        );
        assert_eq!(
            told(&["mode=predict", "model=yolo11n.pt", "half=False", "show_labels=False"]),
            "settings are passed as flags; use: yolo-cam --model-path yolo11n.pt --no-labels"
        );
    }
}
