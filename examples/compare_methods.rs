//! Explains pictures by every method, and writes a strip for each: the picture, then a panel for each box with heat over
//! the whole picture. Made the pictures of docs/methods.md:
//!
//!     cargo run --release --example compare_methods -- docs/methods images/dog.jpg images/cat-dog.jpg

use std::{env, error::Error, fs, path::Path};

use image::{GenericImage, Rgb, RgbImage};
use yolo_cam::{
    ExplainOptions, Explanation, Method, Model,
    explain::{Grouping, explain},
    picture,
    render::{self, HeatArea, RenderOptions},
    report::{DEFAULT_QUALITY, write_picture},
};

/// Longest side of a panel, and the space between two, in pixels.
const PANEL_SIDE: u32 = 240;
const GAP: u32 = 6;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let output = arguments.next().ok_or("usage: compare_methods OUTPUT-DIR PICTURE...")?;
    fs::create_dir_all(&output)?;
    let model = Model::load("weights/yolov5s.torchscript", tch::Device::Cpu)?;
    for path in arguments {
        let picture = picture::read(Path::new(&path))?;
        let panel = picture::shrunk(&picture, PANEL_SIDE);
        let stem = Path::new(&path).file_stem().unwrap_or_default().to_string_lossy();
        for method in Method::all() {
            let explanation = explain(&model, &picture, &ExplainOptions::default().with_method(method))?;
            let file = Path::new(&output).join(format!("{stem}-{}.jpg", method.name.replace('+', "p")));
            write_picture(&file, &strip(&panel, &explanation, &model)?, DEFAULT_QUALITY)?;
            println!("{}", file.display());
        }
    }
    Ok(())
}

/// `panel`, then the same for each box with its heat, beside each other.
fn strip(panel: &RgbImage, explanation: &Explanation, model: &Model) -> Result<RgbImage, Box<dyn Error>> {
    let options = RenderOptions::default().with_heat(HeatArea::Full).with_labels(false);
    let mut panels = vec![panel.clone()];
    for group in explanation.groups(Grouping::Box) {
        panels.push(render::overlay(panel, explanation, &group, model, &options)?);
    }
    let (width, height) = panel.dimensions();
    let count = panels.len() as u32;
    let mut strip = RgbImage::from_pixel(count * (width + GAP) - GAP, height, Rgb([255; 3]));
    for (panel, index) in panels.iter().zip(0..) {
        strip.copy_from(panel, index * (width + GAP), 0)?;
    }
    Ok(strip)
}
