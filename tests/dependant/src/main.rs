//! Explains a picture with a model, and fails where libtorch was not linked as a whole.

use std::{env, error::Error, fs};

use yolo_cam::{ExplainOptions, Model, explain, picture, tch::Device};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [model, path] = arguments.as_slice() else {
        return Err("usage: dependant MODEL PICTURE".into());
    };
    let model = Model::load(model, Device::Cpu)?;
    let explanation = explain(&model, &picture::read(path)?, &ExplainOptions::default())?;
    let names: Vec<&str> =
        explanation.boxes.iter().map(|found| model.names()[found.detection.class_id].as_str()).collect();
    println!("{path}: {}", names.join(", "));
    if !names.contains(&"dog") {
        return Err("no dog was found".into());
    }

    // This file has nothing but its dependencies, among them CUDA where libtorch has it. A linker leaves it out by default.
    if cfg!(target_os = "linux") && !fs::read_to_string("/proc/self/maps")?.contains("/libtorch.so") {
        return Err("libtorch.so is not loaded, and without it no GPU is found".into());
    }
    Ok(())
}
