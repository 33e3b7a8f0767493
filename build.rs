//! Compiles the libtorch shim and lets programs find libtorch without `LD_LIBRARY_PATH`. Downloads nothing.

use std::{
    env,
    path::{Path, PathBuf},
};

const SHIM: &str = "src/model/ffi/tap.cpp";
const HEADER: &str = "src/model/ffi/tap.h";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={SHIM}");
    println!("cargo::rerun-if-changed={HEADER}");
    println!("cargo::rerun-if-env-changed=LIBTORCH_INCLUDE");
    println!("cargo::rerun-if-env-changed=DOCS_RS");

    // Documentation is built where there is no libtorch, and nothing is linked.
    if env::var_os("CARGO_FEATURE_DOC_ONLY").is_some() || env::var_os("DOCS_RS").is_some() {
        return;
    }
    match libtorch() {
        Ok(lib) => build(&lib),
        // Cargo shows the line and stops.
        Err(problem) => println!(
            "cargo::error={problem}; set LIBTORCH to an unpacked libtorch, or LIBTORCH_USE_PYTORCH=1 to take that of Python's \
             torch, or run 'make libtorch' in the repository"
        ),
    }
}

/// The folder of libtorch's libraries.
fn libtorch() -> Result<PathBuf, String> {
    // Set by torch-sys, for its direct dependents only. Where it finds none, it stops before this runs.
    let lib = env::var_os("DEP_TCH_LIBTORCH_LIB").ok_or("torch-sys was built without libtorch")?;
    // Through ./libtorch, so that an installed program outlives the checkout.
    let lib = PathBuf::from(&lib).canonicalize().map_err(|error| format!("libtorch's folder {lib:?}: {error}"))?;
    // The linker would say it in a hundred lines.
    let names = ["libtorch_cpu.so", "libtorch_cpu.dylib", "libtorch_cpu.a", "torch_cpu.lib"];
    if names.iter().any(|name| lib.join(name).exists()) { Ok(lib) } else { Err(format!("{lib:?} has no libtorch_cpu")) }
}

fn build(lib: &Path) {
    let root = env::var_os("LIBTORCH_INCLUDE").map_or_else(|| lib.join(".."), PathBuf::from);
    let include = root.join("include");

    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .file(SHIM)
        .include(include.join("torch/csrc/api/include"))
        .include(include)
        // libtorch's own headers warn by the hundred.
        .warnings(false)
        .compile("yolo_cam_tap");

    let mut argument = format!("-Wl,-rpath,{}", lib.display());
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        // libtorch.so only pulls in its parts (on a GPU machine the CUDA one), and nothing refers to it by name.
        argument += ",--no-as-needed,-ltorch";
    }
    // Cargo hands this to the programs, examples and tests of this package alone. The build script of a package that depends on
    // this one gets the same words as DEP_YOLO_CAM_LINK_ARG.
    println!("cargo::rustc-link-arg={argument}");
    println!("cargo::metadata=link_arg={argument}");
}
