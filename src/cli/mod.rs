//! The command line's flags, made into validated options. clap's types stop here.

mod again;
mod config;
mod data_yaml;
mod diagnose;
mod diff;
mod eval;
mod explain;
mod explore;
mod foreign;
mod labels;
mod maps;
mod merge;
mod names;
mod shape;
mod shard;
mod shared;
mod short_help;
mod text_file;
mod values;
mod words;

use std::{ffi::OsString, path::PathBuf};

use anyhow::{Result, anyhow, bail};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;

pub use self::{
    again::{again, kept_in_explanations},
    diagnose::DiagnoseCommand,
    diff::DiffCommand,
    eval::{Choice as EvalChoice, EvalCommand},
    explain::ExplainCommand,
    explore::{DEFAULT_PORT, ExploreCommand},
    maps::MapChoice,
    merge::MergeCommand,
    shape::ShapeCommand,
    shard::ShardChoice,
    shared::{DetectionChoice, ModelChoice, PictureChoice, Verbosity, setting_flags},
    short_help::short_help,
    values::{MOST_IMG_SIZE, numbers_of},
};
use self::{
    diagnose::DiagnoseArgs,
    diff::DiffArgs,
    eval::{CompareArgs, EvalArgs},
    explain::ExplainArgs,
    explore::ExploreArgs,
    merge::MergeArgs,
    shape::ShapeCommandArgs,
    shared::ModelArgs,
    values::img_size,
    words::check_command,
};

/// The program's.
const NAME: &str = "yolo-cam";

#[derive(Debug, Parser)]
#[command(name = NAME, version, about, args_conflicts_with_subcommands = true, max_term_width = 100)]
#[command(after_help = "\
Examples:
  yolo-cam --model-path yolov5s.pt --img-path images/cat-dog.jpg
  yolo-cam --model-path best.torchscript --names helmet,vest --img-path site/ --report json
  yolo-cam --img-path images/dog.jpg --box 60,100,500,420 --class person
  yolo-cam layers --model-path best.torchscript
  yolo-cam eval --model-path best.pt --img-path site/ --labels site/labels --method best
  yolo-cam compare --img-path images/ --methods gradcam,elementwise,best
  yolo-cam diagnose --model-path best.pt --data data.yaml
  yolo-cam diff old.pt new.pt --img-path site/
  yolo-cam explore --model-path best.pt --img-path site/
  yolo-cam export --model-path best.pt --output best.torchscript

Exit codes: 0 all fine; 1 some pictures failed or a report could not be written, the rest is done; 2 wrong use or \
unusable model; 130 interrupted, 143 terminated: what was under way is done.")]
/// Shows what a YOLO detector looked at: for every box that it draws, a heatmap of what made it say so
pub struct Cli {
    #[command(subcommand)]
    command: Option<Subcommands>,
    #[command(flatten)]
    explain: ExplainArgs,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// List the layers that --target-layer takes: path, class, output shape, stride, and the heads that see it
    Layers(LayersArgs),
    /// List the methods that --method takes: what they need, what they cost, where they come from
    Methods,
    /// Measure how far the maps of a method can be trusted: deletion and insertion, pointing games, beside baselines
    Eval(EvalArgs),
    /// Measure several methods at several layers on the same pictures, and recommend one
    Compare(CompareArgs),
    /// Find out why a detector is wrong: compare it with labels, name each error and what it costs, and show what the model looked at
    Diagnose(DiagnoseArgs),
    /// Show what changes when a new detector replaces an old one: boxes gained, lost and kept, and how far the evidence moved
    Diff(DiffArgs),
    /// Merge the results of shards (see --shard) into the reports of the whole run
    Merge(MergeArgs),
    /// Ask the detector: open a page in the browser where you point at boxes, draw your own and paint over the picture, and get answers at once
    Explore(ExploreArgs),
    /// Save a checkpoint as TorchScript, as its own package exports it: decoded boxes, names and stride in config.txt
    Export(ExportArgs),
    /// Describe the largest region of masks or maps: contour, convex hull, moments, Fourier descriptors
    Shape(ShapeCommandArgs),
    /// Print a script that completes commands and flags in a shell
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print the manual page of the program or of one of its commands, for man(1)
    Man {
        /// The command
        command: Option<String>,
    },
}

#[derive(Debug, Args)]
struct ExportArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// The file to write [default: the model's, with .torchscript]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Side of the input that the file says it is for, in pixels, rounded up to a multiple of the largest stride; it
    /// runs at any other too
    #[arg(long, value_name = "PIXELS", value_parser = img_size)]
    img_size: Option<u32>,
    /// Weights of 16 bits: half the size
    #[arg(long)]
    half: bool,
}

#[derive(Debug, Args)]
struct LayersArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// Longest side of the input for which shapes are shown, in pixels
    #[arg(long, value_name = "PIXELS", value_parser = img_size)]
    img_size: Option<u32>,
}

/// What is to be done.
#[derive(Debug)]
pub enum Command {
    /// Explain pictures.
    Explain(Box<ExplainCommand>),
    /// List layers.
    Layers(LayersCommand),
    /// List methods.
    Methods,
    /// Measure maps.
    Eval(Box<EvalCommand>),
    /// Name errors, and explain them.
    Diagnose(Box<DiagnoseCommand>),
    /// Compare two detectors.
    Diff(Box<DiffCommand>),
    /// Join shards.
    Merge(MergeCommand),
    /// Serve a page that answers questions.
    Explore(Box<ExploreCommand>),
    /// Save as TorchScript.
    Export(ExportCommand),
    /// Measure shapes in files.
    Shape(ShapeCommand),
    /// Write a text to stdout.
    Print(Vec<u8>),
}

#[derive(Debug)]
pub struct ExportCommand {
    pub model: ModelChoice,
    /// `None`: beside the model.
    pub output: Option<PathBuf>,
    pub img_size: Option<u32>,
    pub half: bool,
}

#[derive(Debug)]
pub struct LayersCommand {
    pub model: ModelChoice,
    pub img_size: Option<u32>,
}

/// What the command line asks for, with the settings of a file where there is one.
///
/// # Errors
/// The outer one is wrong use, or help that was asked for; the inner one a value that means nothing here.
pub fn parse(arguments: &[OsString]) -> Result<Result<Command>, clap::Error> {
    let mut program = Cli::command();
    let matches = program.try_get_matches_from_mut(arguments)?;
    match config::completed(arguments, &program, &matches) {
        Err(error) => Ok(Err(error)),
        Ok(None) => Cli::from_arg_matches(&matches).map(Cli::into_command),
        Ok(Some(completed)) => Ok(match Cli::try_parse_from(completed.arguments) {
            Ok(cli) => cli.into_command(),
            // By themselves the arguments were right.
            Err(error) => Err(anyhow!("settings {:?}: {}", completed.file, complaint(&error))),
        }),
    }
}

impl Cli {
    /// The validated options.
    ///
    /// # Errors
    /// If a value means nothing, or libtorch has no such device.
    pub fn into_command(self) -> Result<Command> {
        match self.command {
            Some(Subcommands::Layers(args)) => {
                Ok(Command::Layers(LayersCommand { model: args.model.alone("layers")?, img_size: args.img_size }))
            }
            Some(Subcommands::Methods) => Ok(Command::Methods),
            Some(Subcommands::Eval(args)) => args.validated().map(Box::new).map(Command::Eval),
            Some(Subcommands::Compare(args)) => args.validated().map(Box::new).map(Command::Eval),
            Some(Subcommands::Diagnose(args)) => args.validated().map(Box::new).map(Command::Diagnose),
            Some(Subcommands::Diff(args)) => args.validated().map(Box::new).map(Command::Diff),
            Some(Subcommands::Merge(args)) => args.validated().map(Command::Merge),
            Some(Subcommands::Explore(args)) => args.validated().map(Box::new).map(Command::Explore),
            Some(Subcommands::Export(args)) => Ok(Command::Export(ExportCommand {
                model: args.model.alone("export")?,
                output: args.output,
                img_size: args.img_size,
                half: args.half,
            })),
            Some(Subcommands::Shape(args)) => args.validated().map(Command::Shape),
            Some(Subcommands::Completions { shell }) => {
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut Self::command(), NAME, &mut script);
                Ok(Command::Print(script))
            }
            Some(Subcommands::Man { command }) => manual_page(command.as_deref()).map(Command::Print),
            None => {
                check_command(self.explain.words(), Self::command)?;
                self.explain.validated().map(Box::new).map(Command::Explain)
            }
        }
    }
}

/// The same as [`one_line`] without the word that begins it, for use inside another line.
pub fn complaint(error: &clap::Error) -> String {
    let told = one_line(error);
    told.strip_prefix("error: ").map_or_else(|| told.clone(), str::to_owned)
}

/// What clap says of wrong use in a paragraph, in a line: without the usage, which --help shows.
pub fn one_line(error: &clap::Error) -> String {
    if let Some(told) = foreign::explained(error) {
        return told;
    }
    let text = error.to_string();
    let paragraphs = text.split("\n\n").filter(|paragraph| !paragraph.starts_with("Usage:"));
    // A mistyped flag is hardly ever meant for a file's name.
    let lines = paragraphs.flat_map(str::lines).map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("tip: to pass '"));
    let mut told = String::new();
    for line in lines {
        let (line, is_item) = match line.strip_prefix("For more information, ") {
            Some(help) => (help, false),
            None => (line, line.starts_with(['[', '-', '<']) || told.ends_with(':')),
        };
        if !told.is_empty() {
            told.push_str(if is_item { " " } else { "; " });
        }
        told.push_str(line.trim_end_matches('.'));
    }
    told
}

/// In roff.
fn manual_page(command: Option<&str>) -> Result<Vec<u8>> {
    let mut program = Cli::command();
    // Gives subcommands their full names.
    program.build();
    let page = match command {
        None => program,
        Some(name) => match program.find_subcommand(name) {
            Some(command) => command.clone().display_name(format!("{NAME}-{name}")),
            None => {
                let names: Vec<&str> = program.get_subcommands().map(clap::Command::get_name).collect();
                bail!("command {name:?} not found; the commands are: {}", names.join(", "))
            }
        },
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page).render(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explain(args: &[&str]) -> Result<ExplainCommand> {
        match Cli::try_parse_from([&["yolo-cam"], args].concat())?.into_command()? {
            Command::Explain(command) => Ok(*command),
            _ => bail!("not explain"),
        }
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_known_tools_flags_are_taken() {
        let command = explain(&[
            "--model-path",
            "best.pt",
            "--img-path",
            "a.jpg",
            "b/",
            "--output-dir",
            "out",
            "--img-size",
            "320",
            "--target-layer",
            "model_23_cv3_act",
            "--method",
            "gradcam",
            "--device",
            "cpu",
            "--names",
            "helmet, vest",
        ])
        .unwrap();
        assert_eq!(command.pictures.inputs, [PathBuf::from("a.jpg"), PathBuf::from("b/")]);
        assert_eq!(command.pictures.names.unwrap(), ["helmet", "vest"]);
        assert_eq!(command.target_layers.unwrap(), ["model_23_cv3_act"]);
        assert_eq!(command.detection.img_size, Some(320));
    }

    #[test]
    fn words_of_other_tools_are_taken() {
        let usual = explain(&["--model-path", "best.pt", "--img-path", "a.jpg"]).unwrap();
        for (args, shown) in [
            (["best.pt", "a.jpg", "", ""], "without flags"),
            (["a.jpg", "best.pt", "", ""], "in any order"),
            (["--weights", "best.pt", "--source", "a.jpg"], "of YOLOv5"),
            (["--model", "best.pt", "--source", "a.jpg"], "of Ultralytics"),
        ] {
            let args: Vec<&str> = args.into_iter().filter(|arg| !arg.is_empty()).collect();
            let command = explain(&args).unwrap();
            assert_eq!(
                (command.model.path, command.pictures.inputs),
                (usual.model.path.clone(), usual.pictures.inputs.clone()),
                "{shown}"
            );
        }
        let command = explain(&[
            "--imgsz",
            "320",
            "--conf",
            "0.5",
            "--iou",
            "0.6",
            "--project",
            "runs",
            "--name",
            "exp",
            "--hide-labels",
            "--line-thickness",
            "3",
            "--save-txt",
            "--half",
            "--classes",
            "0",
            "2",
            "--method",
            "Grad-CAM",
            "--target",
            "LOGIT",
        ])
        .unwrap();
        let detection = &command.detection;
        assert_eq!(
            (detection.img_size, detection.conf_threshold, detection.iou_threshold),
            (Some(320), Some(0.5), Some(0.6))
        );
        assert_eq!(detection.classes.as_deref(), Some(&["0".to_owned(), "2".to_owned()][..]));
        assert_eq!(command.pictures.output_dir, PathBuf::from("runs/exp"));
        assert_eq!((command.render.labels, command.render.line_width), (false, Some(3)));
        assert_eq!((command.reports[0].name, command.method.name, command.target.name), ("txt", "gradcam", "logit"));
        assert_eq!(explain(&["--img", "416"]).unwrap().detection.img_size, Some(416));
        let spot = |args: &[&str]| explain(args).unwrap().spot.unwrap();
        assert_eq!(spot(&["--box", "1", "2", "3", "4.5"]), spot(&["--box", "1,2,3,4.5"]));
        assert_eq!(spot(&["--point", "1", "2.5"]), spot(&["--point", "1,2.5"]));
        let problem = explain(&["--img-size", "640", "640"]).unwrap_err().to_string();
        assert!(problem.contains("--img-size takes one number"), "{problem}");
        let problem = explain(&["--device", "gpu"]).unwrap_err().to_string();
        assert!(problem.contains("type --device cuda"), "{problem}");
    }

    #[test]
    fn defaults_are_those_of_the_documentation() {
        let command = explain(&[]).unwrap();
        assert_eq!(command.model.path, PathBuf::from("yolov5s.pt"));
        assert_eq!(command.pictures.inputs, [PathBuf::from("images/")]);
        assert_eq!(command.pictures.output_dir, PathBuf::from("outputs"));
        let detection = &command.detection;
        assert_eq!((detection.conf_threshold, detection.iou_threshold, detection.max_det), (None, None, None));
        assert_eq!(command.target_layers, None);
        assert_eq!(command.verbosity, Verbosity::Normal);
    }

    #[test]
    fn wrong_use_is_told_in_one_line_with_the_way_out() {
        let told = |args: &[&str]| one_line(&Cli::try_parse_from([&["yolo-cam"], args].concat()).unwrap_err());
        assert_eq!(
            told(&["eval", "--protocol", "odm"]),
            "error: invalid value 'odm' for '--protocol <PROTOCOL>' [possible values: drise, odam, vps]; \
             tip: a similar value exists: 'odam'; try '--help'"
        );
        assert_eq!(
            told(&["--img-pth", "a.jpg"]),
            "error: unexpected argument '--img-pth' found; tip: a similar argument exists: '--img-path'; try '--help'"
        );
        let of_word = |word: &str| explain(&[word]).unwrap_err().to_string();
        assert_eq!(of_word("foo"), r#""foo" is neither a command nor a file; try '--help'"#);
        assert_eq!(
            of_word("evl"),
            r#""evl" is neither a command nor a file; tip: a similar command exists: 'eval'; try '--help'"#
        );
        assert_eq!(
            told(&["--box", "1,2,3,4", "--point", "1,2"]),
            "error: the argument '--box <X1,Y1,X2,Y2>' cannot be used with '--point <X,Y>'; try '--help'"
        );
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for args in [
            ["--conf-thres", "1.5"],
            ["--iou-thres", "x"],
            ["--conf-thres", "NaN"],
            ["--img-size", "0"],
            ["--max-det", "0"],
            ["--threads", "0"],
            ["--device", "tpu"],
            ["--device", "cuda:x"],
            ["--names", "a,,b"],
        ] {
            assert!(explain(&args).is_err(), "{args:?}");
        }
    }

    #[test]
    fn a_method_a_target_and_a_report_that_are_added_are_in_flags_help_and_results() {
        use yolo_cam::explain::{methods::*, targets::*};
        const TOY: MethodSpec = MethodSpec {
            summary: "A toy for tests",
            ..MethodSpec::new("toy", Run::Gradient(|acts, grads, _| grad_cam(acts, grads)))
        };
        const TOY_TARGET: TargetSpec = TargetSpec {
            name: "toy-target",
            summary: "Another toy",
            explains_class: true,
            needs: None,
            value: Value::Scalar(|subject| subject.class_logit()),
        };
        yolo_cam::Method::register(&TOY);
        yolo_cam::Target::register(&TOY_TARGET);
        let help = Cli::command().render_long_help().to_string();
        assert!(
            help.contains("- toy:")
                && help.contains("A toy for tests")
                && help.contains("Another toy")
                && help.contains("toy.txt"),
            "{help}"
        );
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().to_str().unwrap();
        let flags =
            ["--method", "toy", "--target", "toy-target", "--report", "json,toy", "--quiet", "--img-size", "320"];
        let paths = ["--img-path", "images/eagle.jpg", "--output-dir", output];
        let command = Cli::try_parse_from([&["yolo-cam"], &flags[..], &paths[..]].concat()).unwrap();
        assert_eq!(crate::commands::run(command.into_command().unwrap()).unwrap(), crate::exit::Exit::Fine);
        let report = std::fs::read_to_string(folder.path().join("eagle-res.json")).unwrap();
        assert!(report.contains(r#""toy""#) && report.contains(r#""toy-target""#), "{report}");
        let toy = std::fs::read_to_string(folder.path().join("toy.txt")).unwrap();
        assert_eq!(toy, "images/eagle.jpg: 1 rows");
    }
}
