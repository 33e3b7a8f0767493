//! What the tests share.
#![allow(clippy::disallowed_macros)] // A test says what it skips.
#![allow(dead_code)] // Each test binary uses its own part.

pub mod browser;
mod checks;
pub mod devtools;
pub mod explorer;
pub mod page;
pub mod watched;

use std::{
    env,
    fs::{self, File},
    io::{Cursor, Read, Write},
    path::{Path, PathBuf},
};

use assert_cmd::Command;
use ndarray::{Array, Dimension};
use ndarray_npy::{NpzReader, ReadableElement};
use serde_json::Value;
use tch::Tensor;
use tempfile::TempDir;
use yolo_cam::Model;
use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

#[allow(unused_imports)] // Each test binary uses its own part.
pub use self::checks::{compared, skip};

/// The bundled model.
pub const YOLOV5S: &str = "weights/yolov5s.torchscript";

/// The folder of further material: models of strangers and large goldens, which are not in the repository.
const MATERIAL: &str = "YOLO_CAM_MATERIAL";

/// A file of the test data: from tests/data, or from the folder that YOLO_CAM_MATERIAL names. `None`, and counted as skipped,
/// where neither has it.
pub fn material(path: &str) -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(path);
    if own.is_file() {
        return Some(own);
    }
    let Some(folder) = env::var_os(MATERIAL).filter(|folder| !folder.is_empty()) else {
        skip(&format!("{path} (in the folder that {MATERIAL} names)"));
        return None;
    };
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(path);
    assert!(file.exists(), "{file:?} is not there; {MATERIAL} names a folder without it");
    Some(file)
}

/// The input of the figures: ((37c + 3y + 5x + ⌊xy/16⌋) mod 256)/255, 192 by 256 pixels.
pub fn pattern() -> Tensor {
    pattern_of(192, 256)
}

/// The same at another size.
pub fn pattern_of(height: i64, width: i64) -> Tensor {
    let at = |c: i64, y: i64, x: i64| ((37 * c + 3 * y + 5 * x + x * y / 16) % 256) as f32 / 255.0;
    let values = (0..3).flat_map(|c| (0..height).flat_map(move |y| (0..width).map(move |x| at(c, y, x))));
    Tensor::from_slice(&values.collect::<Vec<_>>()).view([1, 3, height, width])
}

/// The bundled model on the CPU.
pub fn yolov5s() -> Model {
    Model::load(YOLOV5S, tch::Device::Cpu).expect("the bundled model loads")
}

/// A model, what PyTorch computes with it, and how far values may be off, as a share of the largest.
pub struct Figured {
    pub file: &'static str,
    pub model: Model,
    pub golden: Npz,
    /// With which the network gives the figures.
    pub input: Tensor,
    pub tolerance: f32,
}

/// The models of `families/` that are there: each its file, its figures, and their tolerance.
pub fn figured(cases: &'static [(&str, &str, f32)]) -> impl Iterator<Item = Figured> {
    cases.iter().filter_map(|&(file, figures, tolerance)| {
        let path = material(&format!("families/{file}"))?;
        let golden = Npz::open(&material(&format!("families/{figures}.npz"))?);
        compared(&format!("families/{file}"));
        let model = Model::load(path, tch::Device::Cpu).unwrap_or_else(|error| panic!("{file}: {error}"));
        Some(Figured { file, model, golden, input: pattern(), tolerance })
    })
}

/// The program, started in the repository's root.
pub fn yolo_cam() -> Command {
    let mut command = Command::cargo_bin("yolo-cam").expect("it is built");
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

/// The program, told to explain `img_path`.
pub fn explain(img_path: &str, output: &TempDir) -> Command {
    let mut command = yolo_cam();
    command.args(["--img-path", img_path, "--output-dir"]).arg(output.path());
    command
}

/// A folder that is gone when it is dropped.
pub fn temp() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// A model's archive packed anew, with each entry as `change` wants it: it gets names without the root folder, which becomes
/// `root` if that is given.
pub fn repacked(
    archive: &[u8],
    root: Option<&str>,
    method: CompressionMethod,
    change: impl Fn(&str, Vec<u8>) -> Vec<u8>,
) -> Vec<u8> {
    let mut archive = ZipArchive::new(Cursor::new(archive)).expect("an archive");
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).expect("it is sound");
        let name = entry.name().expect("text").into_owned();
        let (own_root, name) = name.split_once('/').expect("a root folder");
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("it is sound");
        let options = SimpleFileOptions::default().compression_method(method);
        writer.start_file(format!("{}/{name}", root.unwrap_or(own_root)), options).expect("in memory");
        writer.write_all(&change(name, content)).expect("in memory");
    }
    writer.finish().expect("in memory").into_inner()
}

/// The text of a `report.html`: what comes before its data, the data, and what comes behind them.
pub fn page_parts(page: &Path) -> [String; 3] {
    const START: &str = r#"<script type="application/json" id="data">"#;
    let page = fs::read_to_string(page).expect("the page is there");
    let (before, rest) = page.split_once(START).expect("it has data");
    let (data, behind) = rest.split_once("</script>").expect("the data end");
    [format!("{before}{START}"), data.to_owned(), format!("</script>{behind}")]
}

/// The cards of a `report.html`.
pub fn cards(page: &Path) -> Vec<Value> {
    let mut data: Value = serde_json::from_str(&page_parts(page)[1]).expect("it is JSON");
    serde_json::from_value(data["entries"].take()).expect("a list")
}

/// A file of JSON.
pub fn report(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).expect("the report is there")).expect("it is JSON")
}

/// The names of the files in `folder`, sorted.
pub fn files(folder: &TempDir) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder.path())
        .expect("it can be listed")
        .map(|entry| entry.expect("it can be listed").file_name().to_string_lossy().into_owned())
        // The journal and the lock.
        .filter(|name| !name.starts_with(".yolo-cam."))
        .collect();
    names.sort();
    names
}

/// An opened `.npz`.
pub struct Npz(NpzReader<File>);

impl Npz {
    pub fn open(path: &Path) -> Self {
        Self(NpzReader::new(File::open(path).expect("the npz opens")).expect("it is an npz"))
    }

    pub fn names(&mut self) -> Vec<String> {
        self.0.names().expect("the npz has a directory")
    }

    /// The array called `name`.
    pub fn get<T: ReadableElement, D: Dimension>(&mut self, name: &str) -> Array<T, D> {
        self.0.by_name(name).unwrap_or_else(|error| panic!("{name}: {error}"))
    }
}
