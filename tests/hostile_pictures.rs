//! Pictures and arrays of strangers: read as OpenCV reads them, or refused in a line each, in bounded time and memory.

mod common;

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use common::{material, temp, yolo_cam};
use yolo_cam::{
    limits::Limits,
    picture::{self, Budget},
    shape::read_map,
};

const MODEL: &str = "tests/data/blocks.pt";

/// What the program says on stderr of `args`, after the checks that hold for every input.
fn said(args: &[&str], file: &Path) -> String {
    let output = temp();
    let start = Instant::now();
    let mut command = yolo_cam();
    command.args(args).arg(file).arg("--output-dir").arg(output.path()).timeout(Duration::from_secs(60));
    let done = command.output().expect("it runs");
    let error = String::from_utf8(done.stderr).expect("it is text");
    assert!(matches!(done.status.code(), Some(0..=2)), "{file:?}: {}: {error}", done.status);
    assert!(error.lines().count() <= 3, "{file:?}: {error}");
    assert!(error.lines().all(|line| line.chars().count() <= 500), "{file:?}: {error}");
    assert!(!error.chars().any(|c| c.is_control() && c != '\n'), "{file:?}: {error}");
    // Ten for a release build on a free machine.
    assert!(start.elapsed() < Duration::from_secs(50), "{file:?} takes {:?}", start.elapsed());
    error
}

fn explained(file: &Path) -> String {
    said(&["--quiet", "--model-path", MODEL, "--img-size", "64", "--img-path"], file)
}

#[test]
fn tiffs_of_all_kinds_have_the_pixels_that_opencv_reads() {
    for (kind, most) in [
        ("palette", 0),
        ("palette-upside-down", 0),
        ("bigtiff", 0),
        ("signed", 0),
        ("planes", 0),
        // Rounded otherwise.
        ("cielab", 2),
        ("ycbcr-tiles", 3),
    ] {
        let file = |ending: &str| format!("tests/data/tiff/{kind}.{ending}");
        let (ours, theirs) = (picture::read(file("tif")).unwrap(), picture::read(file("png")).unwrap());
        assert_eq!(ours.dimensions(), theirs.dimensions(), "{kind}");
        let furthest = ours.iter().zip(theirs.iter()).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(furthest <= Some(most), "{kind}: {furthest:?}");
    }
}

/// A GIF of `frames` frames, all of this size, without pixels worth the name.
fn gif(side: u16, frames: usize) -> Vec<u8> {
    let size = [side.to_le_bytes(), side.to_le_bytes()].concat();
    let mut bytes = [b"GIF89a".as_slice(), &size, &[0x80, 0, 0], &[0, 0, 0, 255, 255, 255]].concat();
    for _ in 0..frames {
        bytes.extend([b",\0\0\0\0".as_slice(), &size, &[0, 2, 2, 0x4C, 0x01, 0]].concat());
    }
    bytes.push(b';');
    bytes
}

#[test]
fn a_small_gif_of_huge_frames_is_refused_before_it_is_decoded() {
    let folder = temp();
    for (frames, expected) in [(1, "is 16000x16000 pixels"), (2, "has frames of 16000x16000 pixels")] {
        let file = folder.path().join(format!("{frames}.gif"));
        fs::write(&file, gif(16000, frames)).unwrap();
        assert_eq!(picture::is_animated(&file), frames > 1);
        let error = explained(&file);
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_picture_that_fails_fails_alone() {
    let folder = temp();
    fs::write(folder.path().join("a.gif"), gif(60000, 2)).unwrap();
    fs::copy("tests/data/tiff/palette.tif", folder.path().join("b.tif")).unwrap();
    fs::write(folder.path().join("c.png"), b"\x89PNG\r\n\x1a\nrest").unwrap();
    let error = explained(folder.path());
    assert!(error.contains("a.gif") && error.contains("c.png") && !error.contains("b.tif"), "{error}");
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_told_and_not_waited_for() {
    let folder = temp();
    let pipe = folder.path().join("pipe.jpg");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let expected = "is a FIFO (named pipe), expected a regular file";
    assert!(explained(&pipe).contains(expected));
    assert!(explained(Path::new("/dev/zero")).contains("is a character device"));
    assert!(said(&["shape"], &pipe).contains(expected));
    assert!(said(&["--img-path", "images/dog.jpg", "--model-path"], &pipe).contains(expected));
    let list = format!("@{}", pipe.display());
    assert!(explained(Path::new(&list)).contains(expected));
}

#[test]
fn an_array_that_asks_for_more_than_the_file_has_is_refused() {
    let folder = temp();
    let npy = |shape: &str, data: &[u8]| {
        let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n");
        let length = (header.len() as u16).to_le_bytes();
        let file = folder.path().join("map.npy");
        fs::write(&file, [b"\x93NUMPY\x01\0".as_slice(), &length, header.as_bytes(), data].concat()).unwrap();
        read_map(&file).map_err(|error| error.to_string())
    };
    assert_eq!(npy("(1, 2)", &[0; 8]).unwrap().dim(), (1, 2));
    for shape in ["(1000000000, 1000000000)", "(4000000000, 1)", "(99999999999999999999, 1)", "(-1, 2)"] {
        assert!(npy(shape, &[0; 8]).unwrap_err().contains("too few for its shape"), "{shape}");
    }
    assert!(npy("(1, 2, 1)", &[0; 8]).unwrap_err().contains("two-dimensional"));
    assert!(npy(&"(".repeat(10_000), &[0; 8]).unwrap_err().contains("its header has"));
}

#[test]
fn pictures_wait_for_their_share_of_the_memory() {
    let budget = Budget::new(Limits::PICTURE_BYTES);
    let (first, share) = picture::read_within("tests/data/tiff/palette.tif", &budget).unwrap();
    assert_eq!(first.dimensions(), (40, 24));
    drop(share);
    let none = Budget::new(100);
    let error = picture::read_within("tests/data/tiff/palette.tif", &none).unwrap_err().to_string();
    assert!(error.contains("40x24 pixels"), "{error}");
}

#[test]
fn the_files_of_attackers_are_read_or_refused() {
    let Some(folder) = material("hostile") else { return };
    let files = |kind: &str| {
        let mut files: Vec<_> = fs::read_dir(folder.join(kind)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    };
    for file in files("pics") {
        explained(&file);
    }
    for file in files("npy") {
        let is_points = file.extension().is_some_and(|ext| ext == "csv");
        said(if is_points { &["shape", "--points"] } else { &["shape"] }, &file);
    }
}
