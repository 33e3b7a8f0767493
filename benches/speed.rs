//! `make bench`: speed and memory as ratios of one run, each beside its limit. Machines are noisy: figures are
//! medians of alternating measurements, and nothing here fails a build.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use tch::{CModule, Device, IValue, Kind, Tensor};
use yolo_cam::explain::methods;
use yolo_cam::{
    ExplainOptions, ExportOptions, Method, Model, Precision, TargetLayer,
    detect::{DetectOptions, Detection, Letterbox, Query, Spot, candidates, detect},
    eval::{Candidate, Crew, CurveOptions, Objects, Scene, VerifyOptions, evaluate, random_map, verify},
    explain::{Examined, MapSize, MethodOptions, explain, explain_with_outputs, unwatched},
    geometry::{BBox, Size},
    picture,
    shape::{ShapeOptions, shape},
};

const MODEL: &str = "weights/yolov5s.torchscript";
/// The picture that the limits were set for, and one that is always there.
const PICTURES: [&str; 2] = ["../shared/images/bus.jpg", "images/dog.jpg"];
const ROUNDS: usize = 25;
/// Checkpoints of later families, where they are there.
const FAMILIES: [&str; 2] = ["../shared/zoo/63-v8s-fall.pt", "../shared/zoo/65-11n-seg-official.pt"];
/// The bundled weights as a checkpoint.
const CHECKPOINT: &str = "../shared/weights/yolov5s.pt";

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, flag, file] = arguments.as_slice()
        && flag == LOAD_FLAG
    {
        return load_alone(file);
    }
    let model = Model::load(MODEL, Device::Cpu).expect("the bundled model loads");
    let path = PICTURES.into_iter().find(|path| Path::new(path).exists()).expect("the bundled picture is there");
    println!("picture {path}, model {MODEL}, {} threads, medians of {ROUNDS} rounds", tch::get_num_threads());
    // `cargo bench --bench speed -- folders` measures only what is named.
    let wants = |section: &str| {
        let mut named = arguments.iter().skip(1).filter(|argument| !argument.starts_with('-')).peekable();
        named.peek().is_none() || named.any(|name| name == section)
    };
    let forward = explain_against_forward(&model, path);
    if wants("boxes") {
        let model_9 = TargetLayer::Layers(vec![model.find_layer("model.9").expect("YOLOv5s has it")]);
        let ways = [
            ("auto", methods::GRAD_CAM, TargetLayer::Auto, "at most 3 %"),
            ("model.9", methods::GRAD_CAM, model_9, "at most 50 %"),
            ("all stages, by best,", methods::BEST, TargetLayer::Auto, "at most 100 %"),
        ];
        further_boxes(&model, path, forward, &ways);
    }
    if wants("shapes") {
        shapes(&model, path, forward);
    }
    if wants("methods") {
        methods(&model, path);
        perturbations(&model, path);
    }
    if wants("forward") {
        forward_against_cmodule(&model, Path::new(MODEL));
    }
    let picture_dir = tempfile::tempdir().expect("a temporary folder");
    if wants("loading") {
        loading();
    }
    if wants("folders") {
        folders(&model, path, picture_dir.path());
    }
    if wants("diagnosis") {
        diagnosis(&model, picture_dir.path());
    }
    if wants("evaluation") {
        evaluation(&model, path);
    }
    if wants("verify") {
        verification(&model, path);
    }
    if wants("families") {
        families(path);
    }
    if wants("stages") {
        stages(path, picture_dir.path(), forward);
    }
}

fn show(what: &str, figure: String, limit: &str) {
    println!("{what:<62} {figure:>12}   {limit}");
}

fn time<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    std::hint::black_box(work());
    start.elapsed()
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Median times in seconds of two works that take turns, after one round of warming up.
fn alternate(mut a: impl FnMut(), mut b: impl FnMut()) -> (f64, f64) {
    let rounds: Vec<(f64, f64)> =
        (0..=ROUNDS).map(|_| (time(&mut a).as_secs_f64(), time(&mut b).as_secs_f64())).skip(1).collect();
    let (a, b) = rounds.into_iter().unzip();
    (median(a), median(b))
}

/// From the decoded picture to the finished maps at the size of the input. Returns the number of boxes.
fn explain_fully(model: &Model, picture: &image::RgbImage, options: &ExplainOptions) -> usize {
    let explanation = explain(model, picture, options).expect("it is explained");
    let Size { width, height } = explanation.letterbox.map.input;
    for explained in &explanation.boxes {
        std::hint::black_box(explained.heatmap.normalized(Size { width, height }).expect("it is scaled"));
    }
    explanation.boxes.len()
}

/// Returns the seconds of a bare forward pass.
fn explain_against_forward(model: &Model, path: &str) -> f64 {
    let picture = picture::read(path).expect("the picture is sound");
    let input = Letterbox::new(&picture, 640, model.max_stride())
        .expect("it has pixels")
        .tensor(Device::Cpu)
        .expect("there is memory");
    let options = ExplainOptions::default().with_method(methods::GRAD_CAM);
    let mut boxes = 0;
    let (explained, bare) = alternate(
        || boxes = explain_fully(model, &picture, &options),
        || drop(model.forward(&input, &[]).expect("it runs")),
    );
    println!("bare forward {:.1} ms, explain {:.1} ms, {boxes} boxes", bare * 1e3, explained * 1e3);
    show(
        "explain (letterbox to maps, gradcam, auto) / bare forward",
        format!("{:.3}", explained / bare),
        "at most 1.25",
    );
    bare
}

/// `ways`: what they are called, the method and its layers, and the limit.
fn further_boxes(model: &Model, path: &str, forward: f64, ways: &[(&str, Method, TargetLayer, &str)]) {
    let picture = picture::read(path).expect("the picture is sound");
    for (name, method, target_layer, limit) in ways {
        // Many boxes, so that one stands out of the noise.
        let with = |max_det| {
            let mut options = ExplainOptions::default().with_method(*method).with_target_layer(target_layer.clone());
            options.detect.conf_threshold = Some(0.01);
            options.detect.max_det = Some(max_det);
            options
        };
        let (one, many) = (with(1), with(21));
        let run = |options| explain_fully(model, &picture, options);
        let boxes = run(&many);
        let (t_one, t_many) = alternate(|| _ = run(&one), || _ = run(&many));
        let share = (t_many - t_one) / (boxes as f64 - 1.0) / forward;
        show(
            &format!("each further box at {name} / bare forward (of {boxes})"),
            format!("{:.1} %", share * 100.0),
            limit,
        );
    }
}

/// Each method with a gradient against Grad-CAM, at one layer.
fn methods(model: &Model, path: &str) {
    let picture = picture::read(path).expect("the picture is sound");
    let target_layer = TargetLayer::Layers(vec![model.find_layer("model.9").expect("YOLOv5s has it")]);
    let with = |method| ExplainOptions::default().with_method(method).with_target_layer(target_layer.clone());
    for method in Method::all().into_iter().filter(|method| method.takes_gradient()) {
        if method == methods::GRAD_CAM || !method.takes_layers() || method.is_choice() {
            continue;
        }
        let (this, gradcam) = alternate(
            || _ = explain_fully(model, &picture, &with(method)),
            || _ = explain_fully(model, &picture, &with(methods::GRAD_CAM)),
        );
        show(&format!("{} / gradcam, at model.9", method.name), format!("{:.3}", this / gradcam), "at most 1.3");
    }
}

/// All numbers of the shape of a box's map, without its picture.
fn shapes(model: &Model, path: &str, forward: f64) {
    let picture = picture::read(path).expect("the picture is sound");
    let explanation = explain(model, &picture, &ExplainOptions::default()).expect("it is explained");
    let options = ShapeOptions::default();
    let boxes = explanation.boxes.len();
    let measure = || {
        for (index, found) in explanation.boxes.iter().enumerate() {
            let map = explanation.map(index, MapSize::Input).expect("it is scaled");
            std::hint::black_box(
                shape(map.view(), found.detection.box_input.as_ref(), &options).expect("it has a shape"),
            );
        }
    };
    let times = (0..ROUNDS).map(|_| time(measure).as_secs_f64() / boxes as f64).collect();
    let share = median(times) / forward;
    show("shape of a box / bare forward", format!("{:.1} %", share * 100.0), "at most 5 %");
}

/// Methods that run the network many times, against running it as often without them.
fn perturbations(model: &Model, path: &str) {
    const BATCH: i64 = 8;
    let picture = picture::read(path).expect("the picture is sound");
    let input = Letterbox::new(&picture, 640, model.max_stride())
        .expect("it has pixels")
        .tensor(Device::Cpu)
        .expect("there is memory");
    let batch = input.repeat([BATCH, 1, 1, 1]).contiguous();
    let method_options = |masks| MethodOptions::default().with_masks(masks).with_max_channels(Some(masks));
    let seconds_each = |method, layer: Option<&str>| {
        let layers = |name| vec![model.find_layer(name).expect("YOLOv5s has it")];
        let target_layer = layer.map_or(TargetLayer::Auto, |name| TargetLayer::Layers(layers(name)));
        let with = |masks| {
            ExplainOptions::default()
                .with_method(method)
                .with_method_options(method_options(masks))
                .with_target_layer(target_layer.clone())
        };
        // The forward pass for the detections, and what else is done once, falls out.
        let (few, many) = (with(8), with(40));
        let rounds: Vec<f64> = (0..3)
            .map(|_| {
                let bare = time(|| (0..4).for_each(|_| drop(model.forward(&batch, &[]).expect("it runs"))));
                let few = time(|| explain_fully(model, &picture, &few));
                let many = time(|| explain_fully(model, &picture, &many));
                bare.as_secs_f64() / (many.as_secs_f64() - few.as_secs_f64())
            })
            .collect();
        median(rounds)
    };
    let d_rise = seconds_each(methods::D_RISE, None);
    show("D-RISE masks per second / bare batched forward", format!("{d_rise:.3}"), "at least 0.9");
    let score_cam = seconds_each(methods::SCORE_CAM, Some("model.9"));
    show("Score-CAM channels per second / bare batched forward", format!("{score_cam:.3}"), "");
    for layer in ["model.9", "model.20"] {
        let ablation = seconds_each(methods::ABLATION_CAM, Some(layer));
        show(
            &format!("Ablation-CAM at {layer}: whole network / what lies behind the layer"),
            format!("{ablation:.2}"),
            "more than 1",
        );
    }
}

/// Later families: what an explanation costs at the input of the box's level, and how fast their networks run and load, beside the
/// same weights as TorchScript.
fn families(path: &str) {
    for file in FAMILIES.into_iter().filter(|file| Path::new(file).exists()) {
        let model = Model::load(file, Device::Cpu).expect("it loads");
        println!("{file}: {}, {} classes", model.head().family(), model.names().len());
        let forward = explain_against_forward(&model, path);
        further_boxes(&model, path, forward, &[("auto", methods::GRAD_CAM, TargetLayer::Auto, "at most 3 %")]);
        let exported = tempfile::Builder::new().suffix(".torchscript").tempfile().expect("a temporary file");
        model.export(exported.path(), &ExportOptions::default()).expect("it is written");
        forward_against_cmodule(&model, exported.path());
        load_against_script(Path::new(file), exported.path());
    }
}

/// Pictures that are changed along the curves of a map, against bare batched forward passes of as many.
fn evaluation(model: &Model, path: &str) {
    const STEPS: usize = 49;
    let picture = picture::read(path).expect("the picture is sound");
    let letterbox = Letterbox::new(&picture, 640, model.max_stride()).expect("it has pixels");
    let input = letterbox.tensor(Device::Cpu).expect("there is memory");
    let heads = model.forward(&input, &[]).expect("it runs").outputs;
    let detections = detect(model, &heads, &DetectOptions::default()).expect("it is decoded");
    let map = random_map(letterbox.map.input, 0, 0);
    let candidates = [Candidate { detection: 0, map: &map }];
    let detected = Objects::detected(&detections, &detections);
    let scene = Scene { input: &input, detections: &detections, detected: &detected, labels: None };
    let threads = tch::get_num_threads().max(1) as usize;
    let mut crew = Crew::new(model, threads).expect("it is shared");
    let options = CurveOptions::default().with_steps(Some(STEPS));
    // Both curves without their ends.
    let changed = 2 * (STEPS as i64 - 1);
    let batch = input.repeat([8, 1, 1, 1]);
    // Once each is five seconds.
    let rounds: Vec<(f64, f64)> = (0..6)
        .map(|_| {
            let curves =
                time(|| evaluate(&mut crew, &scene, &candidates, &options, &mut unwatched).expect("it is evaluated"));
            let bare = time(|| (0..changed / 8).for_each(|_| drop(model.forward(&batch, &[]).expect("it runs"))));
            (curves.as_secs_f64(), bare.as_secs_f64())
        })
        .skip(1)
        .collect();
    let (curves, bare): (Vec<f64>, Vec<f64>) = rounds.into_iter().unzip();
    let (curves, bare) = (median(curves), median(bare));
    show(
        "evaluation: perturbed pictures per second / bare batched forward",
        format!("{:.3}", bare / curves),
        "at least 0.9",
    );
}

/// Pictures that are changed to verify the maps of all boxes of a picture, against bare batched forward passes of as many; then in
/// bfloat16 against f32.
fn verification(model: &Model, path: &str) {
    const BATCH: usize = 8;
    let picture = picture::read(path).expect("the picture is sound");
    let (explanation, outputs) =
        explain_with_outputs(model, &picture, &ExplainOptions::default(), &mut unwatched).expect("it is explained");
    let input = explanation.letterbox.tensor(Device::Cpu).expect("there is memory");
    let options = VerifyOptions::default();
    let mut crew = Crew::new(model, tch::get_num_threads().max(1) as usize).expect("it is shared");
    let mut passes = 0;
    let batch = input.repeat([BATCH as i64, 1, 1, 1]);
    let rounds = (0..6).map(|_| {
        let mut watch = |done: usize, _: usize| {
            passes = done;
            std::ops::ControlFlow::Continue(())
        };
        let verified = time(|| {
            verify(&mut crew, &input, &outputs, &explanation.boxes, &options, &mut watch).expect("it is verified")
        });
        let batches = passes.div_ceil(BATCH);
        let bare = time(|| (0..batches).for_each(|_| drop(model.forward(&batch, &[]).expect("it runs"))));
        let seconds_each = bare.as_secs_f64() / (batches * BATCH) as f64;
        seconds_each * passes as f64 / verified.as_secs_f64()
    });
    let ratio = median(rounds.skip(1).collect());
    show("verify: passes per second / bare batched forward", format!("{ratio:.3}"), "at least 0.9");
    if !Precision::Bf16.is_native(Device::Cpu) {
        return println!("verify in bf16: skipped, this processor does not compute with it");
    }
    let mut verified_in = |precision: Precision| {
        let options = options.with_precision(precision);
        let mut verified = || verify(&mut crew, &input, &outputs, &explanation.boxes, &options, &mut unwatched);
        time(|| verified().expect("it is verified")).as_secs_f64()
    };
    let rounds = (0..6).map(|_| verified_in(Precision::Bf16) / verified_in(Precision::F32));
    show("verify in bf16 / in f32, time", format!("{:.3}", median(rounds.skip(1).collect())), "less than 1");
}

/// `script`: the same weights as TorchScript.
fn forward_against_cmodule(model: &Model, script: &Path) {
    // The size that traces are made at: CModule can run them at no other.
    let input = Tensor::rand([1, 3, 640, 640], (Kind::Float, Device::Cpu));
    let mut cmodule = CModule::load(script).expect("it loads");
    cmodule.set_eval();
    cmodule.to(Device::Cpu, Kind::Float, false);
    let arguments = [IValue::Tensor(input.shallow_clone())];
    // Its profiling executor takes a few calls to settle.
    tch::no_grad(|| (0..3).for_each(|_| drop(cmodule.forward_is(&arguments))));
    let (ours, theirs) = alternate(
        || drop(model.forward(&input, &[]).expect("it runs")),
        || tch::no_grad(|| drop(cmodule.forward_is(&arguments).expect("it runs"))),
    );
    show("forward / CModule::forward, 640x640", format!("{:.3}", ours / theirs), "at most 0.95");
}

const LOAD_FLAG: &str = "--load";

/// In a process of its own: prints the peak memory in KiB of libtorch once it has run a network of 0.1 MB, and of the
/// model that is loaded then.
fn load_alone(file: &str) {
    let peak = || {
        let status = fs::read_to_string("/proc/self/status").expect("Linux tells");
        number(&status, "VmHWM:")
    };
    drop(Model::load("tests/data/blocks.pt", Device::Cpu).expect("it loads"));
    let libtorch = peak();
    let model = Model::load(file, Device::Cpu).expect("it loads");
    println!("libtorch {libtorch} model {}", peak());
    drop(model);
}

/// A checkpoint against the TorchScript of the same weights.
fn load_against_script(checkpoint: &Path, script: &Path) {
    let load = |file: &Path| drop(Model::load(file, Device::Cpu).expect("it loads"));
    let (checkpoint, script) = alternate(|| load(checkpoint), || load(script));
    println!("load: checkpoint {:.0} ms, TorchScript {:.0} ms", checkpoint * 1e3, script * 1e3);
    show("load a checkpoint / its TorchScript", format!("{:.3}", checkpoint / script), "at most 1.5");
}

/// The bundled weights in both forms.
fn loading() {
    if !Path::new(CHECKPOINT).exists() {
        return println!("loading a checkpoint: skipped, {CHECKPOINT} is absent");
    }
    load_against_script(Path::new(CHECKPOINT), Path::new(MODEL));
    for (file, limit) in [(CHECKPOINT, "at most 4"), (MODEL, "")] {
        let program = std::env::current_exe().expect("this program");
        let output = Command::new(program).args([LOAD_FLAG, file]).output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let bytes = (number(&said, "model ") - number(&said, "libtorch ")) * 1024.0;
        let size = fs::metadata(file).expect("it is there").len() as f64;
        show(&format!("peak memory of loading {file} / file size"), format!("{:.2}", bytes / size), limit);
    }
}

/// Runs the program on `pictures`. Returns its wall time and what it said.
fn run(pictures: &Path, output: &Path) -> (Duration, String) {
    let start = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_yolo-cam"))
        .args(["-v", "--model-path", MODEL, "--img-path"])
        .arg(pictures)
        .arg("--output-dir")
        .arg(output)
        .output()
        .expect("it starts");
    let time = start.elapsed();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    (time, said)
}

/// The number behind `label` in what the program said.
fn number(said: &str, label: &str) -> f64 {
    let rest = said.split_once(label).unwrap_or_else(|| panic!("no {label:?} in {said}")).1;
    rest.split_whitespace().next().and_then(|word| word.parse().ok()).expect("a number")
}

/// A folder with `count` pictures: the bundled ones, again and again.
fn bundled(count: usize, dir: &Path) -> PathBuf {
    let folder = dir.join(format!("{count}-pictures"));
    fs::create_dir(&folder).expect("it is created");
    let pictures = bundled_pictures();
    for index in 0..count {
        let picture = &pictures[index % pictures.len()];
        let name = picture.file_name().expect("a name").to_string_lossy();
        fs::copy(picture, folder.join(format!("{index:03}-{name}"))).expect("it is copied");
    }
    folder
}

fn bundled_pictures() -> Vec<PathBuf> {
    let entries =
        fs::read_dir("images").expect("it can be listed").map(|entry| entry.expect("it can be listed").path());
    let mut pictures: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|ext| ext != "md")).collect();
    pictures.sort();
    pictures
}

/// Folders of pictures against as many bare forward passes, in turns with them; and their memory.
fn folders(model: &Model, path: &str, dir: &Path) {
    let input = |path: &PathBuf| {
        let picture = picture::read(path).expect("the picture is sound");
        Letterbox::new(&picture, 640, model.max_stride())
            .expect("it has pixels")
            .tensor(Device::Cpu)
            .expect("there is memory")
    };
    let inputs: Vec<Tensor> = bundled_pictures().iter().map(input).collect();
    // As many passes over each picture as the folder has copies of it.
    let bare = || {
        let passes =
            || inputs.iter().cycle().take(200).for_each(|input| drop(model.forward(input, &[]).expect("it runs")));
        time(passes).as_secs_f64()
    };
    let (twenty, many) = (bundled(20, dir), bundled(200, dir));
    let mut peaks = Vec::new();
    let rounds = (0..3).map(|_| {
        let before = bare();
        let (wall, said) = run(&many, &dir.join("out"));
        peaks.push(number(&said, "memory: peak "));
        wall.as_secs_f64() / ((before + bare()) / 2.0)
    });
    let ratio = median(rounds.collect());
    show("200 pictures, start to end / 200 bare forwards", format!("{ratio:.3}"), "at most 1.15");
    let peak = |pictures: &Path| number(&run(pictures, &dir.join("out")).1, "memory: peak ");
    show("peak resident memory, one picture", format!("{} MiB", peak(Path::new(path))), "at most 450");
    let twenty = median((0..3).map(|_| peak(&twenty)).collect());
    show("peak resident memory, 20 pictures", format!("{twenty} MiB"), "");
    show("peak resident memory, 200 pictures / 20", format!("{:.3}", median(peaks) / twenty), "at most 1.05");
}

/// A picture as `diagnose` sees it: the input, the labels as a text of YOLO's, and the predictions that are explained.
struct Labelled {
    input: Tensor,
    text: String,
    explained: Vec<Detection>,
}

/// With labels that make errors: of each three boxes that are found the first has no label, and below the last one, where nothing is, has
/// been put a label of the same class.
fn labelled(model: &Model, path: &Path) -> Labelled {
    let picture = picture::read(path).expect("the picture is sound");
    let letterbox = Letterbox::new(&picture, 640, model.max_stride()).expect("it has pixels");
    let input = letterbox.tensor(Device::Cpu).expect("there is memory");
    let outputs = model.forward(&input, &[]).expect("it runs").outputs;
    let mut explained = detect(model, &outputs, &DetectOptions::default()).expect("they are decoded");
    let Size { width, height } = letterbox.map.image;
    let line = |class: usize, b: BBox| {
        let (x, y) = (f32::midpoint(b.x1, b.x2) / width as f32, f32::midpoint(b.y1, b.y2) / height as f32);
        format!("{class} {x} {y} {} {}\n", (b.x2 - b.x1) / width as f32, (b.y2 - b.y1) / height as f32)
    };
    let boxes = explained.iter().map(|found| (found.class_id, letterbox.map.place(found.box_input.as_ref())));
    let mut labels: Vec<(usize, BBox)> =
        boxes.enumerate().filter(|(index, _)| index % 3 != 0).map(|(_, label)| label).collect();
    let missed = BBox { x1: 2.0, y1: 2.0, x2: width as f32 / 5.0, y2: height as f32 / 5.0 };
    labels.push((explained.last().map_or(0, |found| found.class_id), missed));
    let query =
        Query { spot: Spot::Box(letterbox.map.to_input(&missed)), class_id: labels.last().map(|label| label.0) };
    let candidates = candidates(model, &outputs, &query, &DetectOptions::default()).expect("they are decoded");
    explained.extend(candidates.into_iter().next().map(|candidate| candidate.detection));
    Labelled { input, text: labels.into_iter().map(|(class, b)| line(class, b)).collect(), explained }
}

fn diagnosis(model: &Model, dir: &Path) {
    let dir = &dir.join("diagnosis");
    let labels = dir.join("labels");
    fs::create_dir_all(&labels).expect("a temporary folder");
    let pictures = bundled(200, dir);
    let sources: Vec<Labelled> = bundled_pictures().iter().map(|path| labelled(model, path)).collect();
    let mut files: Vec<PathBuf> =
        fs::read_dir(&pictures).expect("it is there").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    let options = ExplainOptions::default().with_method(methods::BEST);
    for (index, file) in files.iter().enumerate() {
        let name = Path::new(file.file_stem().expect("a name")).with_extension("txt");
        fs::write(labels.join(name), &sources[index % sources.len()].text).expect("there is room");
    }
    let maps = || {
        for Labelled { input, explained, .. } in sources.iter().cycle().take(files.len()) {
            let examined = Examined::new(model, input, &options).expect("it runs");
            examined.explain(explained.clone(), None, &mut unwatched).expect("they are explained");
        }
    };
    let diagnosed = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_yolo-cam"));
        command.args(["diagnose", "--model-path", MODEL, "--quiet", "--no-config", "--img-path"]).arg(&pictures);
        command.arg("--labels").arg(&labels).arg("--output-dir").arg(dir.join("results"));
        let done = command.output().expect("it runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    let rounds = (0..3).map(|_| time(diagnosed).as_secs_f64() / time(maps).as_secs_f64());
    let ratio = median(rounds.collect());
    show("diagnose of 200 pictures / their forward passes and maps", format!("{ratio:.3}"), "at most 1.15");
}

fn stages(path: &str, dir: &Path, forward: f64) {
    const STAGES: [&str; 8] = ["model load", "decode", "letterbox", "forward", "detect", "maps", "render", "write"];
    let mut columns = vec![Vec::new(); STAGES.len()];
    let (mut load, mut total) = (Vec::new(), Vec::new());
    for _ in 0..9 {
        let version = || Command::new(env!("CARGO_BIN_EXE_yolo-cam")).arg("--version").output();
        load.push(time(version).as_secs_f64());
        let (time, said) = run(Path::new(path), &dir.join("out"));
        total.push(time.as_secs_f64());
        for (column, stage) in columns.iter_mut().zip(STAGES) {
            column.push(number(&said, &format!("{stage} ")) / 1e3);
        }
    }
    let times: Vec<f64> = columns.into_iter().map(median).collect();
    print!("start to result {:.0} ms: libtorch load {:.0}", median(total) * 1e3, median(load) * 1e3);
    for (stage, time) in STAGES.iter().zip(&times) {
        print!(", {stage} {:.1}", time * 1e3);
    }
    println!();
    // Without model load, decode and forward.
    let rest: f64 = times[2] + times[4..].iter().sum::<f64>();
    show("letterbox + detect + maps + render + write / forward", format!("{:.3}", rest / times[3]), "at most 1");
    show("the same / bare forward in a warm process", format!("{:.3}", rest / forward), "");
}
