//! What a TorchScript file may do, each promise of SECURITY.md by its name. All files are a small sound one with other sources,
//! pickles or storages.

mod common;

use std::{fs, io::Cursor, path::Path};

use common::{explain, repacked, temp, yolo_cam};
use tch::Device;
use yolo_cam::{ExplainOptions, LoadOptions, Model, TargetLayer, detect::DetectOptions, explain::methods};
use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

/// A network of three convolutions and a head for two classes with two anchors, scripted.
const BASE: &[u8] = include_bytes!("data/torchscript/base.torchscript");

/// The source of the network in it.
const NET: &str = "code/__torch__/m_00_base.py";

/// The file with each entry as `change` wants it.
fn changed(change: impl Fn(&str, Vec<u8>) -> Vec<u8>) -> Vec<u8> {
    repacked(BASE, None, CompressionMethod::Stored, change)
}

/// The file with `from` replaced by `to` in the network's source.
fn with_source(from: &str, to: &str) -> Vec<u8> {
    changed(|name, content| {
        if name != NET {
            return content;
        }
        let text = String::from_utf8(content).expect("text");
        assert!(text.contains(from), "{from:?} is in {text}");
        text.replacen(from, to, 1).into_bytes()
    })
}

/// The file whose forward also does this to `x2`, the input of the head.
fn with_forward(lines: &str) -> Vec<u8> {
    let lines: String = lines.lines().map(|line| format!("    {line}\n")).collect();
    with_source("    head = self.head\n", &format!("{lines}    head = self.head\n"))
}

fn load_with(bytes: &[u8], options: LoadOptions) -> Result<Model, String> {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(file.path(), bytes).expect("it is written");
    Model::load_with(file.path(), Device::Cpu, options).map_err(|error| {
        let text = error.to_string();
        assert_eq!(text.lines().count(), 1, "{text}");
        text
    })
}

fn load(bytes: &[u8]) -> Result<Model, String> {
    load_with(bytes, LoadOptions::default())
}

fn refusal(bytes: &[u8]) -> String {
    load(bytes).err().expect("it is refused")
}

#[test]
fn a_sound_file_runs_and_its_names_are_its_own() {
    let model = load(&changed(|_, content| content)).expect("it is sound");
    assert_eq!(model.names().len(), 2);
    assert_eq!(model.warnings(), [""; 0]);
}

#[test]
fn a_file_cannot_read_or_write_files() {
    let folder = temp();
    for (name, line) in [
        ("save", r#"torch.save(x2, "pwned")"#),
        ("from_file", r#"x2 = torch.add(x2, torch.sum(torch.from_file("pwned", True, 9)))"#),
    ] {
        let bytes = with_forward(line);
        assert!(refusal(&bytes).contains(&format!("calls aten::{name}, ")), "{}", refusal(&bytes));
        let model = folder.path().join("model.torchscript");
        fs::write(&model, bytes).expect("it is written");
        let picture = Path::new(env!("CARGO_MANIFEST_DIR")).join("images/dog.jpg");
        let mut command = yolo_cam();
        command.current_dir(folder.path()).arg("--img-path").arg(picture).arg("--model-path").arg(&model);
        command.assert().code(2);
        assert!(!folder.path().join("pwned").exists());
    }
}

#[test]
fn a_file_cannot_print_wait_or_loop_for_ever() {
    for (lines, operator) in [
        ("print(\"{}\")", "prim::Print"),
        ("n = 1\nwhile bool(n):\n  n = torch.add(n, 1)\nx2 = torch.add(x2, n)", "prim::Loop"),
        ("f = fork(self.blk.forward, x1, )\nx2 = torch.add(x2, torch.wait(f))", "prim::fork"),
    ] {
        let problem = refusal(&with_forward(lines));
        assert!(problem.contains(operator) || problem.contains("aten::wait"), "{lines}: {problem}");
    }
}

#[test]
fn loading_runs_no_code() {
    let setstate = "  def __setstate__(self: __torch__.m_00_base.Head,\n    state: int) -> NoneType:\n    torch.save(state, \"pwned\")\n";
    let bytes = with_source("class Head(Module):\n", &format!("class Head(Module):\n{setstate}"));
    assert!(refusal(&bytes).contains("__setstate__"));
    let bytes = with_source("  training : bool\n", "  training : bool\n  c : Final[Tensor] = torch.rand([2])\n");
    assert!(refusal(&bytes).contains("a default or a constant"));
    let bytes = with_source(
        "    x: Tensor) -> Tuple[Tensor]:",
        "    x: Tensor,\n    z: Tensor=torch.rand([2])) -> Tuple[Tensor]:",
    );
    assert!(refusal(&bytes).contains("a default or a constant"));
}

#[test]
fn memory_has_a_bound_whatever_the_sizes() {
    for lines in [
        "x2 = torch.add(x2, torch.sum(torch.arange(30000000000)))",
        "z = torch.upsample_nearest2d(x, [100000, 100000])\nx2 = torch.add(x2, torch.sum(z))",
        "z = torch.constant_pad_nd(x, [1000000, 1000000, 10000, 10000], 0.)\nx2 = torch.add(x2, torch.sum(z))",
        &("z0 = x\n".to_owned()
            + &(0..40).map(|k| format!("z{} = torch.cat([z{k}, z{k}], 0)\n", k + 1)).collect::<String>()
            + "x2 = torch.add(x2, torch.sum(z40))"),
    ] {
        let problem = refusal(&with_forward(lines));
        assert!(problem.contains("for an input of this size"), "{problem}");
    }
    // Lists and texts do not grow either.
    let lines = "l = [1, 2]\nl0 = torch.add(l, l)\nx2 = torch.add(x2, torch.len(l0))";
    assert!(refusal(&with_forward(lines)).contains("aten::add"));
}

#[test]
fn calls_that_multiply_are_counted_before_they_are_inlined() {
    let function = |k: usize| {
        let body = match k {
            0 => "torch.relu(x)".to_owned(),
            k => format!("__torch__.m_00_base.f{0}(__torch__.m_00_base.f{0}(x, ), )", k - 1),
        };
        format!("def f{k}(x: Tensor) -> Tensor:\n  return {body}\n")
    };
    let of = |depth: usize| {
        let functions: String = (0..=depth).map(function).collect();
        let bytes = with_forward(&format!("x2 = __torch__.m_00_base.f{depth}(x2, )"));
        repacked(&bytes, None, CompressionMethod::Stored, |name, content| {
            if name == NET { [&content, functions.as_bytes()].concat() } else { content }
        })
    };
    assert!(load(&of(3)).is_ok());
    assert!(refusal(&of(40)).contains("more than 5000 calls"), "{}", refusal(&of(40)));
}

#[test]
fn source_without_bound_is_refused_before_it_is_compiled() {
    let n = 100_000;
    let deep = format!("z = {}x2{}", "(".repeat(n), ")".repeat(n));
    assert!(refusal(&with_forward(&deep)).contains("deep"));
    assert!(refusal(&with_forward(&format!("z = x2{}", ".T".repeat(n)))).contains("deep"));
    assert!(refusal(&with_forward(&"z = torch.relu(x2)\n".repeat(400_000))).contains("bytes"));
}

#[test]
fn tensors_lie_within_their_storages() {
    let short = changed(|name, mut content| {
        if name == "data/2" {
            content.truncate(16);
        }
        content
    });
    assert!(refusal(&short).contains("has 16 bytes, expected"));
    let missing =
        changed(|name, content| if name == "data.pkl" { content[..content.len() / 2].to_vec() } else { content });
    assert!(refusal(&missing).contains("damaged data.pkl"));
}

#[test]
fn names_that_differ_in_case_only_are_refused() {
    let mut archive = ZipArchive::new(Cursor::new(BASE)).expect("an archive");
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..archive.len() {
        writer.raw_copy_file(archive.by_index_raw(index).expect("sound")).expect("in memory");
    }
    writer.start_file("00-base/DATA.pkl", SimpleFileOptions::default()).expect("in memory");
    assert!(refusal(&writer.finish().expect("in memory").into_inner()).contains("twice"));
}

#[test]
fn trust_model_runs_the_rest() {
    let lines =
        "    n = 0\n    for i in range(3):\n      n = torch.add(n, 1)\n    x0 = torch.div(torch.mul(x0, n), n)\n";
    let looping = with_source("    c1 = self.c1\n", &format!("{lines}    c1 = self.c1\n"));
    assert!(refusal(&looping).contains("not among the operators that detectors need"));
    assert!(load_with(&looping, LoadOptions::default().with_trust(true)).is_ok());
    let folder = temp();
    let model = folder.path().join("loop.torchscript");
    fs::write(&model, looping).expect("it is written");
    let output = temp();
    explain("images/dog.jpg", &output)
        .arg("--model-path")
        .arg(&model)
        .args(["--img-size", "64", "--top", "1"])
        .assert()
        .code(2)
        .stderr(predicates::str::contains("--trust-model runs it"));
    explain("images/dog.jpg", &output)
        .arg("--model-path")
        .arg(&model)
        .args(["--img-size", "64", "--top", "1", "--trust-model"])
        .assert()
        .success();
}

/// Decodes as YOLOv5 does, but for the last columns.
fn decoding(classes: &str) -> Vec<u8> {
    let lines = format!(
        "n = torch.size(y, 0)
         h = torch.size(y, 2)
         w = torch.size(y, 3)
         p = torch.permute(torch.reshape(y, [n, 2, 7, h, w]), [0, 1, 3, 4, 2])
         s = torch.sigmoid(p)
         u = torch.reshape(torch.arange(w), [1, 1, 1, w, 1])
         v = torch.reshape(torch.arange(h), [1, 1, h, 1, 1])
         cx = torch.mul(torch.add(torch.sub(torch.mul(torch.slice(s, 4, 0, 1), 2), 0.5), u), STRIDE)
         cy = torch.mul(torch.add(torch.sub(torch.mul(torch.slice(s, 4, 1, 2), 2), 0.5), v), STRIDE)
         a = torch.reshape(torch.mul(self.head.anchors, STRIDE), [1, 2, 1, 1, 2])
         wh = torch.mul(torch.pow(torch.mul(torch.slice(s, 4, 2, 4), 2), 2), a)
         y0 = torch.reshape(torch.cat([cx, cy, wh, torch.slice(s, 4, 4, 5), {classes}], 4), [n, -1, 7])"
    );
    let lines: String = lines.replace("STRIDE", "8").lines().map(|line| format!("    {}\n", line.trim())).collect();
    with_source("    return (y,)\n", &format!("{lines}    return (y0,)\n"))
}

#[test]
fn our_decoding_is_compared_with_the_files_own() {
    let own = load(&decoding("torch.slice(s, 4, 5, 7)")).expect("as YOLOv5 does it");
    assert_eq!(own.warnings(), [""; 0]);
    // Points of a face are no probabilities.
    let problem = refusal(&decoding("torch.mul(torch.slice(p, 4, 5, 7), 8)"));
    assert!(problem.contains("a head of its own kind: it decodes value 5 of a prediction"), "{problem}");
}

#[test]
fn names_that_are_far_too_few_for_the_channels_are_a_foreign_head() {
    let named = |names: &str| {
        let config = format!(r#"{{"names": {names}}}"#);
        changed(move |name, content| if name == "extra/config.txt" { config.clone().into_bytes() } else { content })
    };
    assert!(load(&named(r#"{"0": "cat", "1": "dog"}"#)).is_ok());
    assert!(load(&named(r#"["cat"]"#)).is_ok(), "one too few is an oversight");
}

/// Scripted activations that may work in place stand in branches, which no pass over the graph takes for dead.
#[test]
fn the_part_behind_a_layer_runs_without_what_lies_before_it() {
    let model = load(BASE).expect("it is sound");
    let dog = yolo_cam::picture::read("images/dog.jpg").expect("the picture is sound");
    let detect = DetectOptions::default().with_conf_threshold(Some(0.0)).with_max_det(Some(2));
    let options = ExplainOptions::default().with_img_size(Some(64)).with_detect(detect);
    for layer in 0..model.layers().len() {
        let options =
            options.clone().with_target_layer(TargetLayer::Layers(vec![layer])).with_method(methods::ABLATION_CAM);
        let explained = yolo_cam::explain(&model, &dog, &options).expect("it is explained");
        assert_eq!(explained.boxes.len(), 2, "{}", model.layers()[layer].path);
    }
}
