//! Compiles the libtorch shim and lets programs find libtorch without `LD_LIBRARY_PATH`.

use std::{env, path::PathBuf};

fn main() {
    const SHIM: &str = "src/model/ffi/tap.cpp";
    const HEADER: &str = "src/model/ffi/tap.h";
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={SHIM}");
    println!("cargo::rerun-if-changed={HEADER}");
    println!("cargo::rerun-if-env-changed=LIBTORCH_INCLUDE");
    println!("cargo::rerun-if-env-changed=DOCS_RS");

    // Documentation is built where there is no libtorch, and nothing is linked.
    if env::var_os("CARGO_FEATURE_DOC_ONLY").is_some() || env::var_os("DOCS_RS").is_some() {
        return;
    }

    // Set by torch-sys, for its direct dependents only.
    let lib =
        env::var_os("DEP_TCH_LIBTORCH_LIB").expect("torch-sys tells where libtorch is; run `make libtorch` first");
    // Through ./libtorch, so that an installed program outlives the checkout.
    let lib = PathBuf::from(lib).canonicalize().expect("libtorch's folder exists");
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
