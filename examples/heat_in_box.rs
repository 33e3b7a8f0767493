//! The library without files: for each box of a picture, which share of its heat lies inside it. A detector that looks at
//! the background has a low one.
//!
//!     cargo run --release --example heat_in_box -- weights/yolov5s.torchscript images/dog.jpg

use std::{env, error::Error, fs};

use yolo_cam::explain::methods;
use yolo_cam::{ExplainOptions, Model, explain, explain::MapSize, geometry::BBox};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [model, picture] = arguments.as_slice() else {
        return Err("usage: heat_in_box MODEL PICTURE".into());
    };
    let model = Model::load(model, tch::Device::Cpu)?;
    // Any RGB picture in memory will do.
    let picture = image::load_from_memory(&fs::read(picture)?)?.into_rgb8();
    let options = ExplainOptions::default().with_method(methods::LAYER_CAM);
    let explanation = explain(&model, &picture, &options)?;
    for (index, found) in explanation.boxes.iter().enumerate() {
        let name = &model.names()[found.detection.class_id];
        let heat = explanation.map(index, MapSize::Image)?;
        let BBox { x1, y1, x2, y2 } = explanation.letterbox.map.place(found.detection.box_input.as_ref());
        let is_inside = |row: usize, column: usize| {
            let (x, y) = (column as f32 + 0.5, row as f32 + 0.5);
            (x1..x2).contains(&x) && (y1..y2).contains(&y)
        };
        let inside: f32 =
            heat.indexed_iter().filter(|((row, column), _)| is_inside(*row, *column)).map(|(_, v)| v).sum();
        println!("{name} {:.2}: {:.0} % of the heat", found.detection.confidence, 100.0 * inside / heat.sum());
    }
    Ok(())
}
