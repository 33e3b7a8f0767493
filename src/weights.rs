//! Where a model file comes from: where it is said to be, weights/, the user's cache, or a release of the package that trained
//! it.

use std::{
    env, fs,
    io::{Read, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use etcetera::{BaseStrategy, base_strategy::choose_base_strategy};
use sha2::{Digest, Sha256};
use yolo_cam::{
    files::{open_regular, sweep, temporary_file},
    model::FileKind,
};

use crate::{
    net::{agent, one_line},
    progress::Bar,
};

/// Where models are looked for that do not stand where they are said to.
const WEIGHTS_DIR: &str = "weights";

/// Where official models come from, unless [`MIRROR_VARIABLE`] names another place: YOLOv5's, and those of later families, of
/// which each release has all.
const YOLOV5_RELEASE: &str = "https://github.com/ultralytics/yolov5/releases/download/v7.0";
const ULTRALYTICS_RELEASE: &str = "https://github.com/ultralytics/assets/releases/download/v8.4.0";
/// Of all models in these releases. Whoever uses one has to know.
const LICENCE: &str = "AGPL-3.0";
const MIRROR_VARIABLE: &str = "YOLO_CAM_WEIGHTS_URL";
const CACHE_VARIABLE: &str = "YOLO_CAM_CACHE";

/// More than any official model has.
const MAX_BYTES: u64 = 1 << 30;

/// A file of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Official {
    name: String,
    release: &'static str,
    /// Size in bytes and SHA-256, where they are known.
    known: Option<(u64, &'static str)>,
}

/// Name, size in bytes and SHA-256.
const YOLOV5: [(&str, u64, &str); 10] = [
    ("yolov5n.pt", 4_062_133, "4f180cf23ba0717ada0badd6c685026d73d48f184d00fc159c2641284b2ac0a3"),
    ("yolov5s.pt", 14_808_437, "8b3b748c1e592ddd8868022e8732fde20025197328490623cc16c6f24d0782ee"),
    ("yolov5m.pt", 42_806_829, "61d933360ba5a7733a36764996c800287d973889d875227f5beedd2473a97a56"),
    ("yolov5l.pt", 93_622_629, "2f603b7354c25454d1270663a14d8ddc1eea98e5eebc1d84ce0c6e3150fa155f"),
    ("yolov5x.pt", 174_114_333, "9f27a794fa0308e2606f90565164571d6f0a0ba18a3ce2e5e5d323b71c157859"),
    ("yolov5n6.pt", 7_190_229, "496c05a2b991da15acc6c4408c63da287f2513a46c6756618776d4dd71170781"),
    ("yolov5s6.pt", 25_978_837, "95bda9019ada63f37338308d0c81a66047a6fbaba061abaff271ba9334cf2a6f"),
    ("yolov5m6.pt", 72_308_357, "7afe7fa0f29a8351467200a2a5a33c7996d1155ed6636c7edd8ca70b14951c64"),
    ("yolov5l6.pt", 154_521_589, "b357b77f646b0190912985937c44e2923441369d5fda69ba86da2aa919212618"),
    ("yolov5x6.pt", 282_720_357, "257c991b216d625427dc4d9c7c76d6c6d93cf3732797538da34bdc02f97bfef0"),
];

/// All official models that can be explained. Of most neither size nor sum is known here.
fn official_models() -> Vec<Official> {
    let of = |release: &'static str| move |name: String| Official { name, release, known: None };
    let sized = |before: &'static str, sizes: &'static str, behind: &'static [&'static str]| {
        sizes.chars().flat_map(move |size| behind.iter().map(move |behind| format!("{before}{size}{behind}.pt")))
    };
    let yolov5 = YOLOV5
        .iter()
        .map(|&(name, size, sha256)| Official { known: Some((size, sha256)), ..of(YOLOV5_RELEASE)(name.to_owned()) });
    let later = ["yolov3u.pt", "yolov3-sppu.pt", "yolov3-tinyu.pt"]
        .map(str::to_owned)
        .into_iter()
        .chain(sized("yolov5", "nsmlx", &["u", "6u"]))
        .chain(sized("yolov8", "nsmlx", &["", "-seg", "-cls"]))
        .chain(sized("yolov9", "tsmce", &[""]))
        .chain(sized("yolov10", "nsmblx", &[""]))
        .chain(sized("yolo11", "nsmlx", &["", "-seg", "-cls"]))
        .chain(sized("yolo12", "nsmlx", &[""]))
        .chain(sized("yolo26", "nsmlx", &["", "-seg", "-cls"]))
        .chain(sized("rtdetr-", "lx", &[""]));
    let other_tasks = sized("yolov5", "nsmlx", &["-seg", "-cls"]).map(of(YOLOV5_RELEASE));
    yolov5.chain(other_tasks).chain(later.map(of(ULTRALYTICS_RELEASE))).collect()
}

/// How a model file may be looked for.
#[derive(Debug, Clone, Copy)]
pub struct Lookup {
    /// Do not download.
    pub offline: bool,
    /// Say nothing of a download.
    pub quiet: bool,
}

/// The model file that is meant by `path`: itself, else the same name in weights/, else the TorchScript of that stem
/// there; for an official model, else the user's cache, else a download into it.
///
/// # Errors
/// In one line what was tried, and what would help.
pub fn find(path: &Path, search: Lookup) -> Result<PathBuf> {
    if path.exists() {
        return Ok(path.to_owned());
    }
    let name = path.file_name();
    let official = official_models().into_iter().find(|official| name.is_some_and(|name| name == &*official.name));
    let bundled = name.map(|name| Path::new(WEIGHTS_DIR).join(name));
    let mut places: Vec<PathBuf> =
        bundled.iter().flat_map(|same| [same.clone(), same.with_extension("torchscript")]).collect();
    places.extend(official.as_ref().and_then(|official| Some(cache_dir()?.join(&official.name))));
    places.retain(|place| place != path);
    if let Some(found) = places.iter().find(|place| place.exists()) {
        return Ok(found.clone());
    }
    let missing = || format!("model file {path:?} not found, nor {places:?}");
    let Some(official) = official else {
        bail!("{}; give the path of a YOLO checkpoint or TorchScript file", missing());
    };
    let url = official.url();
    let advice = || format!("get it elsewhere, or take another model{}", bundled_advice());
    if search.offline {
        bail!("{}; --offline forbids downloading it from {url}; {}", missing(), advice());
    }
    download(&official, &url, search)
        .map_err(|error| anyhow!("{}; the download from {url} failed: {}; {}", missing(), one_line(&error), advice()))
}

/// Names the bundled model if it is there.
fn bundled_advice() -> &'static str {
    if Path::new(WEIGHTS_DIR).join("yolov5s.torchscript").exists() {
        ": --model-path yolov5s.pt is bundled and there"
    } else {
        ""
    }
}

/// The user's folder for downloaded models.
fn cache_dir() -> Option<PathBuf> {
    let set = |variable: &str| env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    let program = set(CACHE_VARIABLE).or_else(|| Some(choose_base_strategy().ok()?.cache_dir().join("yolo-cam")))?;
    Some(program.join(WEIGHTS_DIR))
}

impl Official {
    fn url(&self) -> String {
        let mirror = env::var(MIRROR_VARIABLE).ok().filter(|url| !url.is_empty());
        format!("{}/{}", mirror.as_deref().unwrap_or(self.release).trim_end_matches('/'), self.name)
    }

    /// Whether the file at `path`, of which `length` bytes with the sum `sha256` came, is the model.
    fn check(&self, path: &Path, length: u64, sha256: &str) -> Result<()> {
        self.check_length(length)?;
        match FileKind::of(path) {
            Ok(FileKind::Checkpoint) => {}
            Ok(FileKind::TorchScript) => bail!("it gave a TorchScript file, expected a checkpoint"),
            // The path inside is a temporary one.
            Err(yolo_cam::Error::Model { problem, .. }) => bail!("what it gave {problem}"),
            Err(other) => return Err(other.into()),
        }
        if let Some((_, expected)) = self.known {
            ensure!(sha256 == expected, "it gave another file: SHA-256 {sha256}, expected {expected}");
        }
        Ok(())
    }

    fn check_length(&self, length: u64) -> Result<()> {
        match self.known {
            Some((expected, _)) if length != expected => bail!("it has {length} bytes, expected {expected}"),
            _ => Ok(()),
        }
    }
}

/// Downloads to a temporary file in the cache, which is checked and then moved to its name.
fn download(official: &Official, url: &str, search: Lookup) -> Result<PathBuf> {
    let folder = cache_dir().with_context(|| format!("there is no home folder; set {CACHE_VARIABLE} to a folder"))?;
    let mut response = agent().get(url).call()?;
    let announced = response.body().content_length();
    if let Some(length) = announced {
        official.check_length(length)?;
        ensure!(length <= MAX_BYTES, "it announces {length} bytes, more than any official model has");
    }

    fs::create_dir_all(&folder).with_context(|| format!("the folder {folder:?} cannot be created"))?;
    let target = folder.join(&official.name);
    if !search.quiet {
        say!("note: downloading {url}, a model of Ultralytics under the licence {LICENCE}, to {}", target.display());
    }
    sweep(&folder);
    let mut file = temporary_file(&folder)?;
    let mut body = response.body_mut().with_config().limit(MAX_BYTES).reader();
    let mut sha256 = Sha256::new();
    let bar = Bar::of_bytes(!search.quiet);
    let mut length = 0;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) => bail!("it broke off after {length} bytes: {error}"),
        };
        file.write_all(&buffer[..count]).with_context(|| format!("the folder {folder:?} cannot be written"))?;
        sha256.update(&buffer[..count]);
        length += count as u64;
        bar.show(length as usize, announced.unwrap_or(length) as usize);
    }
    drop(bar);
    if let Some(announced) = announced.filter(|&announced| announced != length) {
        bail!("it broke off after {length} of {announced} bytes");
    }
    let sha256 = hex::encode(sha256.finalize());
    official.check(file.path(), length, &sha256)?;
    file.persist(&target).map_err(|error| error.error).with_context(|| format!("{target:?} cannot be written"))?;
    Ok(target)
}

/// The SHA-256 of a file.
pub fn sha256(path: &Path) -> Result<String> {
    let unreadable = || format!("{path:?} cannot be read");
    let mut file = open_regular(path).with_context(unreadable)?;
    let mut sum = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).with_context(unreadable)? {
            0 => return Ok(hex::encode(sum.finalize())),
            count => sum.update(&buffer[..count]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn official_models_are_those_of_the_release() {
        let models = official_models();
        let release =
            |name: &str| models.iter().find(|official| official.name == name).map(|official| official.release);
        for name in ["yolov5s.pt", "yolov5x6.pt", "yolov5n-seg.pt"] {
            assert_eq!(release(name), Some(YOLOV5_RELEASE), "{name}");
        }
        for name in [
            "yolov5su.pt",
            "yolov8n.pt",
            "yolov9c.pt",
            "yolov10b.pt",
            "yolo11x-seg.pt",
            "yolo12n.pt",
            "yolo26x.pt",
            "rtdetr-l.pt",
        ] {
            assert_eq!(release(name), Some(ULTRALYTICS_RELEASE), "{name}");
        }
        // What is not explained is not downloaded.
        assert_eq!(["yolo11n-pose.pt", "yolov8n-obb.pt", "yolov10c.pt", "best.pt"].map(release), [None; 4]);
        assert!(models.iter().filter_map(|official| official.known).all(|(_, sha256)| sha256.len() == 64));
    }

    #[test]
    fn what_is_no_official_name_is_not_downloaded() {
        let search = Lookup { offline: false, quiet: true };
        let error = find(Path::new("no/such/best.pt"), search).unwrap_err().to_string();
        assert!(error.contains("best.pt") && error.contains("weights/best.torchscript"), "{error}");
    }
}
