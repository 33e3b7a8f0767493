//! What a test tells `make test`, which counts it.

use std::{env, fs::OpenOptions, io::Write, thread};

/// Names the file in which `make test` collects what was compared and what was skipped.
const CHECKS: &str = "YOLO_CAM_CHECKS";

/// Tells that a check is left out, and why.
pub fn skip(what: &str) {
    eprintln!("skipped: {what}");
    note("skipped", what);
}

/// Tells that something was compared with what PyTorch computes.
pub fn compared(what: &str) {
    note("compared", what);
}

fn note(kind: &str, what: &str) {
    let Some(path) = env::var_os(CHECKS) else { return };
    let test = thread::current().name().unwrap_or("?").to_owned();
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("it can be written");
    file.write_all(format!("{kind}\t{test}\t{what}\n").as_bytes()).expect("it can be written");
}
