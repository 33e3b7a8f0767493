//! The main job: what is explained, how, and what is written.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use yolo_cam::{
    Fuse, Method, Target,
    detect::Spot,
    explain::{Grouping, MapSize, MethodOptions, Normalize},
    render::{Blend, Colormap, HeatArea, RenderOptions},
    report::RawFormat,
    shape::ShapeOptions,
};

use super::{
    shape::ShapeArgs,
    shared::{
        DetectionArgs, DetectionChoice, MessageArgs, MethodArgs, ModelArgs, ModelChoice, PictureArgs, PictureChoice,
        Verbosity, check_method, check_precision, each_once, target_layers,
    },
    values::{Format, Joining, corners, fraction, joining, layout, method, point, report, verify_steps},
};

use crate::output::{
    layouts::{LAYOUTS, LayoutSpec},
    reports::{self, ReportSpec},
};

#[derive(Debug, Args)]
pub struct ExplainArgs {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    pictures: PictureArgs,
    #[command(flatten)]
    detection: DetectionArgs,
    #[command(flatten)]
    method_args: MethodArgs,
    #[command(flatten)]
    messages: MessageArgs,

    /// A panel for each box, or for all boxes of a class with the largest of their maps
    #[arg(long, value_enum, default_value_t, help_heading = "Input and output")]
    per: Grouping,
    /// One panel for all boxes, with the largest of their maps
    #[arg(long, conflicts_with = "per", help_heading = "Input and output")]
    merged: bool,
    /// Also write each map as numbers: npy (f32), png16 (65535 is the map's largest value) or tiff (f32); and the JSON
    /// report, which says where their cells lie
    #[arg(long, value_name = "FORMAT", value_enum, num_args = 0..=1, default_missing_value = "npy", help_heading = "Input and output")]
    raw: Option<RawFormat>,
    /// Resolution of these maps: that of the layer, of the network's input, or of the picture
    #[arg(long, value_enum, default_value_t, requires = "raw", help_heading = "Input and output")]
    raw_size: MapSize,
    /// Also write these reports, separated by commas
    #[arg(long, value_name = "FORMATS", value_parser = report(), ignore_case = true, value_delimiter = ',', help_heading = "Input and output")]
    report: Vec<&'static ReportSpec>,
    /// As --report txt: labels/STEM.txt for each picture
    #[arg(long, help_heading = "Input and output")]
    save_txt: bool,
    /// Tell of each picture in a line of JSON on stdout
    #[arg(long, help_heading = "Input and output")]
    json_lines: bool,
    /// Skip pictures that already have results in the output folder, made with the same settings; this resumes a run that
    /// was stopped
    #[arg(long, help_heading = "Input and output")]
    skip_existing: bool,
    /// Replace results in the output folder that were made with other settings; without this flag, such a run is refused
    #[arg(long, help_heading = "Input and output")]
    exist_ok: bool,
    /// Only list the pictures and what their results would be called
    #[arg(long, help_heading = "Input and output")]
    dry_run: bool,
    /// Pictures that are explained at the same time [default: as suits the cores, at most 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64), help_heading = "Input and output")]
    jobs: Option<u16>,

    /// What the result pictures show
    #[arg(long, value_name = "LAYOUT", value_parser = layout(), ignore_case = true, default_value = LAYOUTS[0].name, help_heading = "Drawing")]
    layout: &'static LayoutSpec,
    /// Heat inside the boxes, or all over the picture [default: box for panels and sheet, full for the others]
    #[arg(long, value_enum, help_heading = "Drawing")]
    heat: Option<HeatArea>,
    /// What is hottest: the peak of each box's own map, or the largest of all boxes of the picture
    #[arg(long, value_enum, default_value_t, help_heading = "Drawing")]
    normalize: Normalize,
    /// How heat becomes colour
    #[arg(long, value_enum, default_value_t, help_heading = "Drawing")]
    colormap: Colormap,
    /// Whether opacity follows the heat [default: uniform for panels, heat for the other layouts and the gallery]
    #[arg(long, value_enum, help_heading = "Drawing")]
    blend: Option<Blend>,
    /// Leave out the footer, which names the model, the method, the target, the layers and the peak
    #[arg(long, help_heading = "Drawing")]
    no_footer: bool,
    /// A bar on the right that tells which colour stands for how much
    #[arg(long, help_heading = "Drawing")]
    colorbar: bool,
    /// Share of the heat's colour; where opacity follows the heat, that of the strongest [default: 0.5, with --blend heat 0.7]
    #[arg(long, value_name = "0..1", value_parser = fraction, help_heading = "Drawing")]
    alpha: Option<f32>,
    /// Heat below this is not drawn
    #[arg(long, value_name = "0..1", default_value_t = 0.0, value_parser = fraction, help_heading = "Drawing")]
    threshold: f32,
    /// Boxes without class and confidence
    #[arg(long, visible_alias = "hide-labels", help_heading = "Drawing")]
    no_labels: bool,
    /// Fill the masks of networks that segment with the colour of their class, under the heat [default: an outline only]
    #[arg(long, help_heading = "Drawing")]
    fill_masks: bool,
    /// Thickness of the lines of boxes and masks in pixels [default: 1/320 of the picture's longest side]
    #[arg(long, visible_alias = "line-thickness", value_name = "PIXELS", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Drawing")]
    line_width: Option<u16>,
    /// Accepted for compatibility with other tools, without effect; see --precision
    #[arg(long, help_heading = "Model")]
    half: bool,
    /// Format of the result pictures [default: that of the input]
    #[arg(long, value_enum, help_heading = "Drawing")]
    format: Option<Format>,
    /// Quality of JPEG results; the other formats lose nothing
    #[arg(long, value_name = "1..100", default_value_t = yolo_cam::report::DEFAULT_QUALITY, value_parser = clap::value_parser!(u8).range(1..=100), help_heading = "Drawing")]
    quality: u8,

    /// Layers to explain at: auto (what suits the method), or names such as model_23_cv3_act, model.23.cv3.act or 23,
    /// separated by commas
    #[arg(long, value_name = "LAYERS", value_delimiter = ',', default_value = "auto", help_heading = "Explanation")]
    target_layer: Vec<String>,
    /// How the maps of several layers are joined; none: a result for each
    #[arg(long, value_name = "FUSE", value_parser = joining(), default_value = "mean", help_heading = "Explanation")]
    fuse: Joining,
    /// How activations and gradients become a map; 'yolo-cam methods' tells more
    #[arg(long, value_name = "METHOD", value_parser = method(), ignore_case = true, default_value = Method::default().name, help_heading = "Explanation")]
    method: Method,
    /// Explain why the box's class rather than this one (number or name): the logit of this is subtracted
    #[arg(long, value_name = "CLASS", help_heading = "Explanation")]
    contrast: Option<String>,
    /// Which random masks d-rise takes, and which random map and tiles --verify: the same seed gives the same map and the same
    /// figures
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Explanation")]
    seed: u64,
    /// Measure each map: is it better than a Gaussian on its box, or a random map, where pixels are removed and added under two fills?
    /// The answer is one of three words: faithful, no better than a blob, misleading. STEPS: changed pictures for each map and
    /// fill, half of them removals, 2 to 1000, 12 if none is said; a box takes 4 STEPS + 4 forward passes
    #[arg(long, value_name = "STEPS", num_args = 0..=1, default_missing_value = "12", value_parser = verify_steps, help_heading = "Explanation")]
    verify: Option<u16>,
    /// How many changed pictures scorecam, ablationcam and d-rise, and --verify on a GPU, run at once
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..), help_heading = "Explanation")]
    batch: u16,

    /// Why was this missed? Tells the strongest candidates for this box (corners in pixels of the picture), each with what
    /// stopped it, and explains the strongest instead of the detections, however low its confidence
    #[arg(long = "box", value_name = "X1,Y1,X2,Y2", allow_hyphen_values = true, help_heading = "Detection")]
    drawn: Option<String>,
    /// The same for all boxes that cover this point (in pixels of the picture)
    #[arg(long, value_name = "X,Y", allow_hyphen_values = true, conflicts_with = "drawn", help_heading = "Detection")]
    point: Option<String>,
    /// The class, number or name, that --box or --point asks for [default: any]; of a classifier the class to explain, however
    /// improbable
    #[arg(long, value_name = "CLASS", help_heading = "Detection")]
    class: Option<String>,
    /// Also tell what would be found at the place of --box or --point with inputs of half, 1.5 times and twice the size
    #[arg(long, help_heading = "Detection")]
    try_sizes: bool,
    /// Describe the region that each map lights up: numbers in the reports, STEM-shape.png with contour, hull and spectrum
    #[arg(long, help_heading = "Shape")]
    shape: bool,
    #[command(flatten)]
    shape_args: ShapeArgs,
}

#[derive(Debug)]
pub struct ExplainCommand {
    pub model: ModelChoice,
    pub pictures: PictureChoice,
    /// Format and resolution of raw maps, if they are wanted.
    pub raw: Option<(RawFormat, MapSize)>,
    /// Each once.
    pub reports: Vec<&'static ReportSpec>,
    pub json_lines: bool,
    pub skip_existing: bool,
    /// Whether results of other settings may be replaced.
    pub exist_ok: bool,
    pub dry_run: bool,
    /// `None`: as suits the cores.
    pub jobs: Option<u16>,
    pub layout: &'static LayoutSpec,
    pub render: RenderOptions,
    /// Whether pictures say how they were made.
    pub has_footer: bool,
    /// Extension of the result pictures; `None`: that of the input.
    pub format: Option<&'static str>,
    pub quality: u8,
    /// `None`: shapes are not measured.
    pub shape: Option<ShapeOptions>,
    /// `None` is `auto`.
    pub target_layers: Option<Vec<String>>,
    /// `None`: a result for each layer.
    pub fuse: Option<Fuse>,
    pub method: Method,
    pub target: Target,
    /// Number or name.
    pub contrast: Option<String>,
    pub method_options: MethodOptions,
    /// With how many changed pictures for each map and fill maps are measured, if they are.
    pub verify: Option<u16>,
    pub detection: DetectionChoice,
    /// A place in pixels of the picture.
    pub spot: Option<Spot>,
    /// The class that is asked for there, or of the whole picture, by number or name.
    pub class: Option<String>,
    /// Whether the place is looked at with inputs of other sizes too.
    pub try_sizes: bool,
    pub verbosity: Verbosity,
}

impl ExplainArgs {
    /// What is said without a flag.
    pub fn words(&self) -> &[PathBuf] {
        self.model.words()
    }

    pub fn validated(self) -> Result<ExplainCommand> {
        let target_layers = target_layers(self.target_layer)?;
        let (target, method_options) = self.method_args.split(self.seed, self.batch.into());
        if self.contrast.is_some() && !target.is_class_logit() {
            bail!("--contrast compares class logits; take --target logit with it");
        }
        if self.method.runs_again() && self.contrast.is_some() {
            bail!("--contrast needs a gradient, which --method {} does without", self.method.name);
        }
        let method = check_method(self.method, target, target_layers.as_deref(), &method_options)?;
        check_precision(&method_options, method, self.verify.is_some())?;
        if self.half {
            say!("note: --half has no effect; --precision bf16 runs changed pictures with half the bits");
        }
        let (model, mut words) = self.model.validated()?;
        let spot = match (self.drawn, self.point) {
            (Some(first), _) => Some(Spot::Box(corners(&first, &mut words.numbers)?)),
            (None, Some(first)) => Some(Spot::Point(point(&first, &mut words.numbers)?)),
            (None, None) => None,
        };
        if self.try_sizes && spot.is_none() {
            bail!("--try-sizes looks at a place; name it with --box X1,Y1,X2,Y2 or --point X,Y");
        }
        Ok(ExplainCommand {
            model,
            pictures: self.pictures.validated(words)?,
            raw: self.raw.map(|format| (format, self.raw_size)),
            reports: {
                // JSON says where the cells of raw maps lie.
                let json = reports::named("json").filter(|_| self.raw.is_some());
                let txt = reports::named("txt").filter(|_| self.save_txt);
                each_once(self.report.into_iter().chain(json).chain(txt).collect(), |report| report.name)
            },
            json_lines: self.json_lines,
            skip_existing: self.skip_existing,
            exist_ok: self.exist_ok,
            dry_run: self.dry_run,
            jobs: self.jobs,
            layout: self.layout,
            render: RenderOptions::default()
                .with_grouping(match (self.merged, self.per) {
                    (true, _) => Grouping::All,
                    (false, grouping) => grouping,
                })
                .with_heat(self.heat.unwrap_or(self.layout.heat))
                .with_normalize(self.normalize)
                .with_colormap(self.colormap)
                .with_blend(self.blend.unwrap_or(self.layout.blend))
                .with_alpha(self.alpha)
                .with_threshold(self.threshold)
                .with_labels(!self.no_labels)
                .with_colorbar(self.colorbar)
                .with_fill_masks(self.fill_masks)
                .with_line_width(self.line_width.map(u32::from)),
            has_footer: !self.no_footer,
            format: self.format.map(Format::extension),
            quality: self.quality,
            shape: self.shape.then(|| self.shape_args.into()),
            target_layers,
            fuse: match self.fuse {
                Joining::Fused(fuse) => Some(fuse),
                Joining::Separate => None,
            },
            method,
            target,
            contrast: self.contrast,
            method_options,
            verify: self.verify,
            detection: self.detection.into(),
            spot,
            class: self.class.map(|class| class.trim().to_owned()),
            try_sizes: self.try_sizes,
            verbosity: self.messages.into(),
        })
    }
}
