//! Checkpoints that are damaged or hostile: an error in one line, in bounded time and memory, and nothing worse.
//! `make fuzz` looks further.

mod common;

use std::fs;

use common::repacked;
use tch::Device;
use yolo_cam::Model;
use zip::CompressionMethod;

const CHECKPOINT: &[u8] = include_bytes!("data/blocks.pt");

/// What [`Model::load`] says to a file of these bytes.
fn load(bytes: &[u8]) -> Result<Model, String> {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(file.path(), bytes).expect("it is written");
    Model::load(file.path(), Device::Cpu).map_err(|error| {
        let text = error.to_string();
        assert_eq!(text.lines().count(), 1, "{text}");
        text
    })
}

/// The checkpoint with each entry as `change` wants it.
fn rewritten(method: CompressionMethod, change: impl Fn(&str, Vec<u8>) -> Vec<u8>) -> Vec<u8> {
    repacked(CHECKPOINT, None, method, change)
}

/// The most memory that this process has held, in MiB, where the system tells.
fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kib| kib / 1024)
}

#[test]
fn the_archive_may_be_packed_anew() {
    assert!(load(CHECKPOINT).is_ok());
    assert!(load(&rewritten(CompressionMethod::Deflated, |_, content| content)).is_ok());
}

#[test]
fn a_damaged_archive_is_an_error_or_the_network_and_nothing_worse() {
    let mut refused = 0;
    let rounds = 300;
    for round in 0..rounds {
        // A fixed walk over the whole file; its directory, at the end, in more detail.
        let at = if round % 2 == 0 { round * 7919 % CHECKPOINT.len() } else { CHECKPOINT.len() - 1 - round * 37 };
        let mut damaged = CHECKPOINT.to_vec();
        if round % 10 == 0 {
            damaged.truncate(at);
        } else {
            damaged[at] = damaged[at].wrapping_add((1 + round % 251) as u8);
        }
        refused += usize::from(load(&damaged).is_err());
    }
    assert!(refused > rounds / 4, "only {refused} of {rounds} were refused");
}

/// The checkpoint with another pickle is refused with `problem`, and takes at most `mib` more than before.
fn refused_within(mib: u64, pickle: &[u8], problem: &str) {
    let before = peak_memory();
    let small = rewritten(
        CompressionMethod::Deflated,
        |name, content| {
            if name == "data.pkl" { pickle.to_vec() } else { content }
        },
    );
    assert!(small.len() < 1 << 20, "a small file: {} bytes", small.len());
    let error = load(&small).err().expect("it is refused");
    assert!(error.contains(problem), "{error}");
    if let (Some(before), Some(after)) = (before, peak_memory()) {
        assert!(after - before < mib, "{before} MiB, then {after}");
    }
}

#[test]
fn a_pickle_that_inflates_without_end_is_refused() {
    refused_within(600, &vec![b'N'; 20 << 20], "pickle of more than 8 MiB");
}

#[test]
fn a_pickle_that_is_all_values_is_read_in_bounded_memory() {
    refused_within(1200, &vec![b'}'; 8 << 20], "ends where 1 more bytes should follow");
}

#[test]
fn tensors_that_are_missing_or_too_short_are_named() {
    let without = |wanted: &'static str, keep: usize| {
        rewritten(CompressionMethod::Stored, move |name, mut content| {
            if name.ends_with(wanted) {
                content.truncate(keep);
            }
            content
        })
    };
    let error = load(&without("data/0", 10)).err().expect("it is refused");
    assert!(error.contains("model.0.conv: ") && error.contains("data/0 of 5 values"), "{error}");
}
