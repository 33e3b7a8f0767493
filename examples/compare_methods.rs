//! Explains pictures by every method, and writes a strip for each: the picture, then a panel for each box with heat over
//! the whole picture. Made the pictures of docs/methods.md:
//!
//!     cargo run --release --example compare_methods -- docs/methods images/dog.jpg images/cat-dog.jpg

use std::{env, error::Error, fs, path::Path};

use image::{GenericImage, Rgb, RgbImage, imageops};
use yolo_cam::{
    ExplainOptions, Explanation, Method, Model,
    explain::explain,
    geometry::{BBox, Size},
    picture,
    render::{blend_heat, class_color, draw_box},
    report::write_picture,
};

/// Pixels of a panel, and between two.
const PANEL_WIDTH: u32 = 240;
const GAP: u32 = 6;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let output = arguments.next().ok_or("usage: compare_methods OUTPUT-DIR PICTURE...")?;
    fs::create_dir_all(&output)?;
    let model = Model::load("weights/yolov5s.torchscript", tch::Device::Cpu)?;
    for path in arguments {
        let picture = picture::read(Path::new(&path))?;
        let stem = Path::new(&path).file_stem().unwrap_or_default().to_string_lossy();
        for method in Method::ALL {
            let explanation = explain(&model, &picture, &ExplainOptions { method, ..ExplainOptions::default() })?;
            let file = Path::new(&output).join(format!("{stem}-{}.jpg", method.name().replace('+', "p")));
            write_picture(&file, &strip(&explanation)?)?;
            println!("{}", file.display());
        }
    }
    Ok(())
}

/// The picture and its panels beside each other, scaled, without the padding.
fn strip(explanation: &Explanation) -> Result<RgbImage, Box<dyn Error>> {
    let letterbox = &explanation.letterbox;
    let map = &letterbox.map;
    let (left, top, Size { width, height }) = (map.pad_x, map.pad_y, map.scaled);
    let [x1, y1, x2, y2] = [left, top, left + width, top + height].map(|side| side as f32);
    let whole = BBox { x1, y1, x2, y2 };
    let mut panels = vec![letterbox.image.clone()];
    for found in &explanation.boxes {
        let mut panel = letterbox.image.clone();
        blend_heat(&mut panel, &found.heatmap.normalized(map.input)?, &[whole]);
        draw_box(&mut panel, &found.detection.box_input.clipped(map.input), class_color(found.detection.class_id));
        panels.push(panel);
    }
    let panel_height = PANEL_WIDTH * height / width;
    let count = panels.len() as u32;
    let mut strip = RgbImage::from_pixel(count * (PANEL_WIDTH + GAP) - GAP, panel_height, Rgb([255; 3]));
    for (panel, index) in panels.iter().zip(0..) {
        let shown = imageops::crop_imm(panel, left, top, width, height).to_image();
        let small = imageops::resize(&shown, PANEL_WIDTH, panel_height, imageops::FilterType::CatmullRom);
        strip.copy_from(&small, index * (PANEL_WIDTH + GAP), 0)?;
    }
    Ok(strip)
}
