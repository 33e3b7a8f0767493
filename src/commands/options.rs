//! From what the user says, in names, to what the library takes, in numbers.

use std::{fs, io, path::Path};

use anyhow::{Context, Result, anyhow, bail};
use sha2::{Digest, Sha256};
use yolo_cam::{
    ExplainOptions, Fuse, Method, Model, TargetLayer,
    detect::{DetectOptions, Query, Spot},
    eval::VerifyOptions,
    explain::{MethodOptions, check_target},
    families::{Aspect, Branch},
    files::read_regular,
};

use super::noun::Noun;
use crate::{
    cli::{DetectionChoice, EvalChoice, EvalCommand, ExplainCommand, MOST_IMG_SIZE, MapChoice},
    output::{PictureId, ResultSettings, now, reports::Heading},
    weights,
};

/// The options of an explanation, checked against the model.
pub fn explain_options(command: &ExplainCommand, model: &Model) -> Result<ExplainOptions> {
    let options = ExplainOptions::default()
        .with_img_size(command.detection.img_size)
        .with_detect(wanted_detections(command, model)?)
        .with_query(query(command, model)?)
        .with_method(command.method)
        .with_method_options(command.method_options)
        .with_target(command.target)
        .with_contrast(command.contrast.as_ref().map(|class| class_id(class, model.names())).transpose()?)
        .with_target_layer(target_layer(command.target_layers.as_deref(), model)?)
        .with_fuse(command.fuse.unwrap_or_default());
    if options.contrast.is_some() && model.names().len() == 1 {
        bail!("--contrast needs another class, and the model has only one");
    }
    check_target(model, &options)?;
    Ok(options)
}

/// The options of one of the explanations that are measured, checked against the model.
pub fn eval_options(command: &EvalCommand, choice: &EvalChoice, model: &Model) -> Result<ExplainOptions> {
    let options = ExplainOptions::default()
        .with_img_size(command.detection.img_size)
        .with_detect(detect_options_of_classes(&command.detection, model)?)
        .with_method(choice.method)
        .with_method_options(command.method_options)
        .with_target(command.target)
        .with_target_layer(target_layer(choice.layers.as_deref(), model)?)
        .with_fuse(command.fuse);
    check_target(model, &options)?;
    Ok(options)
}

/// The options of the explanations of cases, checked against the model.
pub fn case_options(maps: &MapChoice, detection: &DetectionChoice, model: &Model) -> Result<ExplainOptions> {
    let options = ExplainOptions::default()
        .with_img_size(detection.img_size)
        .with_detect(detect_options_of_classes(detection, model)?)
        .with_method(maps.method)
        .with_method_options(maps.method_options)
        .with_target(maps.target)
        .with_target_layer(target_layer(maps.target_layers.as_deref(), model)?)
        .with_fuse(maps.fuse);
    check_target(model, &options)?;
    Ok(options)
}

/// How each map is measured, with so many changed pictures for each fill. Each picture has a seed of its own besides.
pub fn verify_options(steps: u16, method_options: &MethodOptions) -> VerifyOptions {
    VerifyOptions::default()
        .with_steps(steps.into())
        .with_batch(method_options.batch)
        .with_precision(method_options.precision)
        .with_seed(method_options.seed)
}

/// Which predictions become detections: what the user says, else what the family's own package does. Of any class.
pub fn detect_options(choice: &DetectionChoice, model: &Model) -> DetectOptions {
    let head = model.head();
    let habits = head.habits();
    // Of the most probable classes there are as many as the user wants.
    let most = choice.max_det.or(head.has(Aspect::Box).then_some(habits.max_det));
    DetectOptions::default()
        .with_conf_threshold(choice.conf_threshold)
        .with_iou_threshold(choice.iou_threshold)
        .with_max_det(if head.has(Aspect::Box) { most } else { [choice.top, most].into_iter().flatten().min() })
        .with_top(choice.top)
        .with_agnostic(choice.agnostic_nms)
        .with_habits(&habits)
}

fn detect_options_of_classes(choice: &DetectionChoice, model: &Model) -> Result<DetectOptions> {
    let class_ids = |classes: &Vec<String>| classes.iter().map(|class| class_id(class, model.names())).collect();
    let classes = choice.classes.as_ref().map(class_ids).transpose()?;
    Ok(detect_options(choice, model).with_classes(classes))
}

fn target_layer(names: Option<&[String]>, model: &Model) -> Result<TargetLayer> {
    let Some(names) = names else { return Ok(TargetLayer::Auto) };
    let layers = names.iter().map(|name| find_layer(name, model)).collect::<Result<Vec<_>>>()?;
    Ok(TargetLayer::Layers(layers))
}

/// The layers' paths as the model has them, however they were spelled, joined by commas; `auto`.
pub fn layer_paths(names: Option<&[String]>, model: &Model) -> Result<String> {
    let Some(names) = names else { return Ok("auto".to_owned()) };
    let path = |name: &String| Ok(model.layers()[find_layer(name, model)?].path.clone());
    Ok(names.iter().map(path).collect::<Result<Vec<_>>>()?.join(","))
}

/// The index of the layer with this name.
pub fn find_layer(name: &str, model: &Model) -> Result<usize> {
    model.find_layer(name).map_err(|error| match error {
        yolo_cam::Error::LayerNotFound { .. } => anyhow!("{error}; run 'yolo-cam layers' for the list"),
        error => error.into(),
    })
}

/// What the page of a run says of how it was made.
pub fn settings(command: &ExplainCommand, model: &Model) -> Vec<(String, String)> {
    let layers = command.target_layers.as_ref().map_or_else(|| "auto".to_owned(), |layers| layers.join(", "));
    let detect = detect_options(&command.detection, model);
    let or_none = |value: Option<f32>| value.map_or("none".to_owned(), |value| value.to_string());
    let own = [
        (
            "model",
            format!(
                "{} ({}, {})",
                model.path().display(),
                model.kind().name(),
                Noun::Class.counted(model.names().len())
            ),
        ),
        ("method", method_of(command, model).name.to_owned()),
        ("target", command.target.of(model).name.to_owned()),
        ("layers", layers),
        ("longest side of the input", format!("{} pixels", model.input_side(command.detection.img_size))),
        ("least confidence", or_none(detect.conf_threshold)),
        ("IoU threshold", or_none(detect.iou_threshold)),
    ]
    .map(|(name, value)| (name.to_owned(), value));
    program_and_command().into_iter().chain(own).collect()
}

/// What the page of a run calls it.
pub fn heading(model: &Model, method: Method) -> Heading {
    let file = model.path().file_name().unwrap_or(model.path().as_os_str());
    Heading { model: file.to_string_lossy().into_owned(), method: method.name.to_owned(), date: now() }
}

/// What every page says of the run: the version of the program, how it was called, and when.
pub fn program_and_command() -> [(String, String); 3] {
    let words = without_shard(std::env::args_os().map(|word| word.to_string_lossy().into_owned()));
    [
        ("program".to_owned(), concat!("yolo-cam ", env!("CARGO_PKG_VERSION")).to_owned()),
        ("command".to_owned(), words.join(" ")),
        ("date".to_owned(), now()),
    ]
}

/// The words of a command line for the whole run, of which a shard may have been asked for.
fn without_shard(words: impl Iterator<Item = String>) -> Vec<String> {
    const FLAGS: [&str; 2] = ["--shard", "--shard-by"];
    let (mut kept, mut is_value) = (Vec::new(), false);
    for word in words {
        let is_flag = FLAGS.contains(&word.as_str());
        let is_both = word.split_once('=').is_some_and(|(flag, _)| FLAGS.contains(&flag));
        if !is_flag && !is_both && !is_value {
            kept.push(word);
        }
        is_value = is_flag;
    }
    kept
}

/// All that the results of a picture depend on, but for the picture.
pub fn result_settings(command: &ExplainCommand, model: &Model) -> ResultSettings {
    /// What is not said is left to the program, or not wanted.
    fn or_auto<T: ToString>(value: Option<T>) -> String {
        value.map_or_else(|| "auto".to_owned(), |value| value.to_string())
    }
    let detect = detect_options(&command.detection, model);
    let DetectionChoice { img_size, classes, agnostic_nms, .. } = &command.detection;
    ResultSettings::new([
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("model", format!("{:?}", PictureId::of(model.path(), None))),
        ("branch", or_auto(command.model.branch.map(Branch::name))),
        ("class names", model.names().join(",")),
        ("img-size", model.input_side(*img_size).to_string()),
        ("conf-thres", or_auto(detect.conf_threshold)),
        ("iou-thres", or_auto(detect.iou_threshold)),
        ("max-det", or_auto(detect.max_det)),
        ("top", or_auto(detect.top)),
        ("classes", or_auto(classes.as_ref().map(|classes| classes.join(",")))),
        ("agnostic-nms", agnostic_nms.to_string()),
        ("place", or_auto(command.spot.map(|spot| format!("{spot:?}")))),
        ("try-sizes", command.try_sizes.to_string()),
        ("class", or_auto(command.class.as_ref())),
        ("method", method_of(command, model).name.to_owned()),
        // How many are run at once changes a map only by rounding.
        ("settings of the method", format!("{:?}", command.method_options.with_batch(1))),
        ("verify", or_auto(command.verify)),
        ("target", command.target.of(model).name.to_owned()),
        ("contrast", or_auto(command.contrast.as_ref())),
        ("target-layer", or_auto(command.target_layers.as_ref().map(|layers| layers.join(",")))),
        ("fuse", command.fuse.map_or("none", Fuse::name).to_owned()),
        ("layout", command.layout.name.to_owned()),
        ("drawing flags", format!("{:?}", command.render)),
        ("footer", command.has_footer.to_string()),
        ("format", or_auto(command.format)),
        ("quality", command.quality.to_string()),
        ("raw", or_auto(command.raw.map(|(format, size)| format!("{format:?} {size:?}").to_lowercase()))),
        ("shape flags", format!("{:?}", command.shape)),
    ])
}

/// The method that explains the boxes of this model.
pub fn method_of(command: &ExplainCommand, model: &Model) -> Method {
    command.method.of(model, command.target_layers.is_some())
}

/// The place that is asked for, and the class.
fn query(command: &ExplainCommand, model: &Model) -> Result<Option<Query>> {
    let Some(spot) = command.spot else { return Ok(None) };
    if !model.head().has(Aspect::Box) {
        let family = model.head().family();
        let (flag, what) = match spot {
            Spot::Box(_) => ("--box", "a box"),
            Spot::Point(_) => ("--point", "boxes around a point"),
        };
        bail!("{flag} asks for {what}, and this {family} model predicts none; --class alone explains the class");
    }
    let class_id = command.class.as_ref().map(|class| class_id(class, model.names())).transpose()?;
    Ok(Some(Query { spot, class_id }))
}

/// The other sizes of the input at which the place is looked at: half, 1.5 times and twice the size, in whole strides, as far as
/// `--img-size` takes them.
pub fn trial_sizes(command: &ExplainCommand, model: &Model) -> Result<Vec<u32>> {
    if !command.try_sizes {
        return Ok(Vec::new());
    }
    if let Some(size) = model.fixed_size() {
        bail!(
            "--try-sizes needs other sizes, and the network runs only at the size that it was traced at, {size}; leave it out"
        );
    }
    let side = model.input_side(command.detection.img_size);
    let mut sizes: Vec<u32> = [side / 2, side + side / 2, 2 * side]
        .into_iter()
        .map(|other| model.input_side(Some(other)))
        .filter(|&other| other != side && other <= MOST_IMG_SIZE)
        .collect();
    sizes.dedup();
    Ok(sizes)
}

/// The detections to explain; of a classifier the class that is asked for, however improbable.
fn wanted_detections(command: &ExplainCommand, model: &Model) -> Result<DetectOptions> {
    match &command.class {
        Some(class) if command.spot.is_none() => {
            if model.head().has(Aspect::Box) {
                let family = model.head().family();
                bail!(
                    "--class is for --box, --point or a classifier, and this {family} model predicts boxes; --classes explains \
                     only boxes of some classes"
                );
            }
            let class = class_id(class, model.names())?;
            // A probability may be rounded to 0.
            Ok(detect_options(&command.detection, model)
                .with_classes(Some(vec![class]))
                .with_conf_threshold(Some(-1.0)))
        }
        _ => detect_options_of_classes(&command.detection, model),
    }
}

/// The class that a user means by its number or name.
pub fn class_id(class: &str, names: &[String]) -> Result<usize> {
    if let Some(index) = names.iter().position(|name| name == class) {
        return Ok(index);
    }
    match class.parse::<usize>() {
        Ok(index) if index < names.len() => Ok(index),
        Ok(index) => {
            bail!("class {index} does not exist; the model has {}, numbered from 0", Noun::Class.counted(names.len()))
        }
        Err(_) => {
            let similar = similar(class, names).map(|name| format!(", did you mean {name:?}?")).unwrap_or_default();
            bail!("class {class:?} not found{similar}; the model's classes are: {}", names.join(", "))
        }
    }
}

/// The name that is `wanted` but for its case and a slip in about each third letter.
fn similar<'a>(wanted: &str, names: &'a [String]) -> Option<&'a str> {
    let wanted = wanted.to_lowercase();
    names
        .iter()
        .map(|name| (strsim::damerau_levenshtein(&name.to_lowercase(), &wanted), name))
        .filter(|(distance, name)| *distance <= name.chars().count() / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name.as_str())
}

/// Of all label files, so that changed ones are noticed.
pub fn labels_sha256(path: &Path) -> Result<String> {
    if !path.is_dir() {
        return weights::sha256(path);
    }
    let unreadable = || format!("{path:?} cannot be read");
    let mut files = fs::read_dir(path)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>())
        .with_context(unreadable)?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    let mut sum = Sha256::new();
    for file in files {
        sum.update(file.file_name().unwrap_or_default().as_encoded_bytes());
        sum.update(read_regular(&file).with_context(|| format!("{file:?} cannot be read"))?);
    }
    Ok(hex::encode(sum.finalize()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn results_with_another_branch_are_other_results() {
        let model = Model::load("tests/data/families/legacy/26-fused.pt", tch::Device::Cpu).unwrap();
        let digest = |flags: &[&str]| match Cli::parse_from([&["yolo-cam"], flags].concat()).into_command().unwrap() {
            Command::Explain(command) => result_settings(&command, &model).digest(),
            _ => unreachable!("no other command is named"),
        };
        assert_eq!(digest(&[]), digest(&[]));
        assert_ne!(digest(&["--branch", "one"]), digest(&["--branch", "many"]));
        assert_ne!(digest(&[]), digest(&["--branch", "one"]));
    }

    #[test]
    fn a_shard_is_no_part_of_the_command_of_the_whole_run() {
        let kept = |line: &str| without_shard(line.split(' ').map(str::to_owned)).join(" ");
        assert_eq!(kept("yolo-cam --shard 1/2 a.jpg --shard-by=size --top 3 --shard=auto"), "yolo-cam a.jpg --top 3");
        assert_eq!(kept("yolo-cam --top 3"), "yolo-cam --top 3");
    }

    #[test]
    fn a_class_is_found_by_number_and_name_and_a_mistyped_one_names_its_neighbour() {
        let names = ["person", "traffic light", "dog"].map(str::to_owned);
        assert_eq!(class_id("2", &names).unwrap(), 2);
        assert_eq!(class_id("traffic light", &names).unwrap(), 1);
        let problem = |class| class_id(class, &names).unwrap_err().to_string();
        assert_eq!(
            problem("Persn"),
            r#"class "Persn" not found, did you mean "person"?; the model's classes are: person, traffic light, dog"#
        );
        assert!(problem("zebra").starts_with(r#"class "zebra" not found; "#));
        assert!(problem("3").contains("numbered from 0"));
    }
}
