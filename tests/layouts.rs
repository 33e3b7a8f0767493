//! What is drawn, and where.

mod common;

use std::{env, fs, path::Path};

use common::yolov5s;
use image::{GenericImageView, Rgb, RgbImage};
use ndarray::Array2;
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use yolo_cam::{
    ExplainedBox, Explanation, Heatmap, Model,
    detect::{Detection, Letterbox},
    explain::{Grouping, MapSize, Normalize, Timings},
    families::Place,
    geometry::BBox,
    picture,
    render::{self, Blend, Colormap, HeatArea, RenderOptions},
    shape::{self, Figure, ShapeOptions, draw_hull, draw_shape},
};

/// As if `boxes` (class, confidence, corners in pixels of the input) had been found in `picture`, each with a map that is
/// hottest in the middle of its box.
fn explanation(picture: &RgbImage, longest: u32, boxes: &[(usize, f32, BBox)]) -> Explanation {
    let letterbox = Letterbox::new(picture, longest, 32).expect("it has pixels");
    let explained = |&(class_id, confidence, b): &(usize, f32, BBox)| ExplainedBox {
        detection: Detection {
            box_input: Some(b),
            class_id,
            confidence,
            logit: 1.0,
            place: Place { level: 0, row: 0, column: 0, slot: 0, index: 0 },
            mask: None,
            rotated: None,
            keypoints: Vec::new(),
        },
        layers: vec![0],
        heatmap: Heatmap::new(hottest_at(&letterbox, ((b.x1 + b.x2) / 2.0, (b.y1 + b.y2) / 2.0))),
        working_layers: None,
    };
    let boxes = boxes.iter().map(explained).collect();
    Explanation {
        letterbox,
        boxes,
        is_undefined: false,
        best_candidate: None,
        candidates: Vec::new(),
        timings: Timings::default(),
    }
}

/// A Gaussian in cells of 16 pixels, its standard deviation a tenth of the input.
fn hottest_at(letterbox: &Letterbox, (x, y): (f32, f32)) -> Array2<f32> {
    let size = letterbox.map.input;
    Array2::from_shape_fn((size.height as usize / 16, size.width as usize / 16), |(row, column)| {
        let (dx, dy) = (column as f32 * 16.0 + 8.0 - x, row as f32 * 16.0 + 8.0 - y);
        let deviation = size.width.max(size.height) as f32 / 10.0;
        (-(dx * dx + dy * dy) / (2.0 * deviation * deviation)).exp()
    })
}

/// The smallest box that holds all pixels that differ, in pixels.
fn changed(a: &RgbImage, b: &RgbImage) -> Option<BBox> {
    assert_eq!(a.dimensions(), b.dimensions());
    let mut found: Option<BBox> = None;
    for ((x, y, a), b) in a.enumerate_pixels().zip(b.pixels()) {
        // More than what resizing smears.
        if a.0.iter().zip(b.0).any(|(&a, b)| a.abs_diff(b) > 100) {
            let (x, y) = (x as f32, y as f32);
            let old = found.unwrap_or(BBox { x1: x, y1: y, x2: x, y2: y });
            found =
                Some(BBox { x1: old.x1.min(x), y1: old.y1.min(y), x2: old.x2.max(x + 1.0), y2: old.y2.max(y + 1.0) });
        }
    }
    found
}

/// A size of every kind: wide, tall, tiny, huge, and any other.
fn sizes() -> impl Strategy<Value = (u32, u32)> {
    prop_oneof![
        (800u32..3000, 20u32..200),
        (20u32..200, 800u32..3000),
        (8u32..64, 8u32..64),
        (3000u32..5000, 2000u32..4000),
        (200u32..1500, 200u32..1500),
    ]
}

#[test]
fn a_box_at_original_resolution_is_where_the_letterboxed_one_is() {
    let model = yolov5s();
    let config = Config { cases: 60, failure_persistence: None, ..Config::default() };
    let fractions = prop::array::uniform4(0.0f32..1.0);
    let run = TestRunner::new(config).run(&(sizes(), fractions), |((width, height), [a, b, c, d])| {
        let grey = RgbImage::from_pixel(width, height, Rgb([0; 3]));
        let map = Letterbox::new(&grey, 640, 32).expect("it has pixels").map;
        // Corners on pixels of the picture: what is drawn can't be finer.
        let on_pixel = |share: f32, side: u32| (share * side as f32).round();
        let (x1, x2) = (on_pixel(a.min(b), width), on_pixel(a.max(b), width).max(on_pixel(a.min(b), width) + 1.0));
        let (y1, y2) = (on_pixel(c.min(d), height), on_pixel(c.max(d), height).max(on_pixel(c.min(d), height) + 1.0));
        let in_image = BBox { x1, y1, x2, y2 }.clipped(map.image);
        prop_assume!(in_image.area() >= 1.0);
        // By YOLOv5's own formula, not by the code that is tested.
        let (sx, sy) = (map.scaled.width as f32 / width as f32, map.scaled.height as f32 / height as f32);
        let in_input = BBox {
            x1: in_image.x1 * sx + map.pad_x as f32,
            y1: in_image.y1 * sy + map.pad_y as f32,
            x2: in_image.x2 * sx + map.pad_x as f32,
            y2: in_image.y2 * sy + map.pad_y as f32,
        };
        let explanation = explanation(&grey, 640, &[(0, 0.9, in_input)]);
        let group = &explanation.groups(Grouping::Box)[0];
        // Heat of full strength inside the box, without anything else.
        let options = RenderOptions::default()
            .with_heat(HeatArea::Box)
            .with_colormap(Colormap::Jet)
            .with_alpha(Some(1.0))
            .with_labels(false)
            .with_line_width(Some(0));
        let overlay = render::overlay(&grey, &explanation, group, &model, &options).expect("it is drawn");
        let found = changed(&grey, &overlay).expect("something is drawn");
        prop_assert_eq!(<[f32; 4]>::from(found), <[f32; 4]>::from(in_image), "at {}x{}", width, height);

        // What is drawn on the input itself lies where the picture with the drawing would lie in it.
        let panels = render::panels(&explanation, &model, &options).expect("they are drawn").picture;
        let input = map.input;
        let panel = panels.view(input.width, 0, input.width, input.height).to_image();
        let bare = panels.view(0, 0, input.width, input.height).to_image();
        let letterboxed = Letterbox::new(&overlay, 640, 32).expect("it has pixels").image;
        let (direct, resized) = (changed(&bare, &panel), changed(&bare, &letterboxed));
        // Resizing mixes the lines of a thin box with its heat, too pale to be found; from four pixels on some stay unmixed.
        let thick = (in_input.x2 - in_input.x1).min(in_input.y2 - in_input.y1) >= 4.0;
        if let (true, Some(direct), Some(resized)) = (thick, direct, resized) {
            // A pixel of the picture, or one of the input, whichever is larger.
            let tolerance = 1.5 + sx.max(sy);
            for (direct, resized) in <[f32; 4]>::from(direct).iter().zip(<[f32; 4]>::from(resized)) {
                prop_assert!((direct - resized).abs() <= tolerance, "{direct} {resized} at {width}x{height}");
            }
        }
        Ok(())
    });
    run.expect("every box is where it should be");
}

/// The picture stored for a layout; with `UPDATE_GOLDEN` set it is written instead. Rounding may differ between processors.
fn assert_golden(name: &str, drawn: &RgbImage) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.png"));
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().expect("it has one")).expect("it is created");
        drawn.save(&path).expect("it is written");
    }
    let golden = image::open(&path).expect("it is stored").into_rgb8();
    assert_eq!(drawn.dimensions(), golden.dimensions(), "{name}");
    let differences = drawn.as_raw().iter().zip(golden.as_raw()).map(|(a, b)| a.abs_diff(*b));
    let wrong = differences.filter(|&difference| difference > 3).count();
    assert!(wrong * 10_000 < drawn.as_raw().len(), "{name}: {wrong} values differ");
}

/// A small picture with two boxes, one of them without a signal.
fn scene() -> (RgbImage, Explanation) {
    let picture = picture::shrunk(&picture::read("images/dog.jpg").expect("it is sound"), 224);
    let corners = |x1: f32, y1: f32, x2: f32, y2: f32| BBox { x1, y1, x2, y2 };
    let boxes = [
        (16, 0.91, corners(44.0, 74.0, 103.0, 180.0)),
        (1, 0.61, corners(47.0, 38.0, 191.0, 142.0)),
        (7, 0.53, corners(156.0, 26.0, 230.0, 57.0)),
    ];
    let mut explanation = explanation(&picture, 256, &boxes);
    explanation.boxes[2].heatmap = Heatmap::unseen((12, 16));
    (picture, explanation)
}

#[test]
fn each_layout_looks_as_it_did() {
    let model = yolov5s();
    let (picture, explanation) = scene();
    let plain = RenderOptions::default();
    let full = RenderOptions::default().with_heat(HeatArea::Full);
    let panels = |options: &RenderOptions| render::panels(&explanation, &model, options).expect("it is drawn").picture;
    let sheet =
        |options: &RenderOptions| render::sheet(&picture, &explanation, &model, options).expect("it is drawn").picture;
    let side = |options: &RenderOptions| render::side(&picture, &explanation, &model, options).expect("it is drawn");
    let overlay = |index: usize, options: &RenderOptions| {
        let group = &explanation.groups(options.grouping)[index];
        render::overlay(&picture, &explanation, group, &model, options).expect("it is drawn")
    };
    assert_golden("panels", &panels(&plain));
    assert_golden("panels-merged", &panels(&plain.clone().with_grouping(Grouping::All)));
    assert_golden("sheet-colorbar", &sheet(&plain.clone().with_colorbar(true)));
    assert_golden("side", &side(&full));
    assert_golden("overlay", &overlay(0, &full));
    assert_golden("overlay-no-signal", &overlay(2, &full));
    let styled = full
        .with_colormap(Colormap::Viridis)
        .with_alpha(Some(0.7))
        .with_threshold(0.3)
        .with_labels(false)
        .with_colorbar(true)
        .with_line_width(Some(4));
    assert_golden("overlay-styled", &overlay(1, &styled));
}

#[test]
fn what_pictures_can_show_beside_looks_as_it_did() {
    let model = yolov5s();
    let (picture, explanation) = scene();
    let fading = RenderOptions::default().with_heat(HeatArea::Full).with_blend(Blend::Heat).with_alpha(Some(0.7));
    let footer = Some(vec!["yolov5s.torchscript".to_owned(), "gradcam".to_owned(), "target logit".to_owned()]);
    let told = fading.clone().with_footer(footer).with_colorbar(true);
    assert_golden("side-fading", &render::side(&picture, &explanation, &model, &told).expect("it is drawn"));
    let panels = told.clone().with_normalize(Normalize::Image).with_colorbar(false);
    assert_golden("panels-footer", &render::panels(&explanation, &model, &panels).expect("it is drawn").picture);
    assert_golden("crops", &render::crops(&picture, &explanation, &model, &told).expect("it is drawn").picture);
    let kites = crowd(&picture);
    assert_golden("crowd", &render::side(&picture, &kites, &model, &told).expect("it is drawn"));
}

#[test]
fn shapes_and_hulls_look_as_they_did() {
    let (_, explanation) = scene();
    let options = ShapeOptions::default();
    let map = explanation.map(0, MapSize::Input).expect("it has one");
    let b = explanation.boxes[0].detection.box_input;
    let found = shape::shape(map.view(), b.as_ref(), &options).expect("it has a shape");
    let figure = Figure { shape: &found, title: "dog 0.91".to_owned(), b };
    assert_golden("shape", &draw_shape(&explanation.letterbox.image, &figure, &options));
    assert_golden("hull", &draw_hull(&[[0.0, 0.0], [4.0, 0.0], [4.0, 3.0], [0.0, 3.0], [2.0, 1.0]]));
}

/// Eighteen boxes of ten pixels in the upper half of the picture.
fn crowd(picture: &RgbImage) -> Explanation {
    let kite = |index: u32| {
        let (x, y) = (20.0 + (index % 6) as f32 * 38.0, 24.0 + (index / 6) as f32 * 26.0);
        (33, 0.9 - index as f32 / 50.0, BBox { x1: x, y1: y, x2: x + 10.0, y2: y + 10.0 })
    };
    explanation(picture, 256, &(0..18).map(kite).collect::<Vec<_>>())
}

#[test]
fn a_crop_shows_its_box_in_the_middle_with_the_heat_on_it() {
    let model = yolov5s();
    // A white square on black, and a box around it.
    let mut picture = RgbImage::new(1280, 960);
    for (x, y) in (0..40).flat_map(|x| (0..40).map(move |y| (600 + x, 300 + y))) {
        picture.put_pixel(x, y, Rgb([255; 3]));
    }
    let square = BBox { x1: 300.0, y1: 150.0, x2: 320.0, y2: 170.0 };
    let explanation = explanation(&picture, 640, &[(0, 0.9, square)]);
    let options = RenderOptions::default().with_line_width(Some(0)).with_labels(false).with_alpha(Some(1.0));
    let options = options.with_colormap(Colormap::Gray).with_heat(HeatArea::Box);
    let drawn = render::crops(&picture, &explanation, &model, &options).expect("it is drawn").picture;
    // The second cell: the crop of 40 input pixels, 256 wide, and 4 pixels further the same with heat.
    let cell = drawn.view(0, 256 + 16, 516, 256).to_image();
    let plain = changed(&RgbImage::new(256, 256), &cell.view(0, 0, 256, 256).to_image()).expect("the square");
    let heat = changed(&RgbImage::new(256, 256), &cell.view(260, 0, 256, 256).to_image()).expect("its heat");
    for found in [plain, heat] {
        for (side, expected) in <[f32; 4]>::from(found).into_iter().zip([64.0, 64.0, 192.0, 192.0]) {
            assert!((side - expected).abs() <= 3.0, "{found:?}");
        }
    }
}

#[test]
fn every_panel_of_a_sheet_that_the_format_can_hold_is_there_and_the_rest_is_counted() {
    let model: Model = yolov5s();
    let (_, explanation) = scene();
    let (width, height) = explanation.letterbox.image.dimensions();
    let draw = |max_side| {
        let options = RenderOptions::default().with_max_side(max_side);
        let sheet = render::panels(&explanation, &model, &options).expect("it is drawn");
        (sheet.picture.dimensions(), sheet.left_out)
    };
    assert_eq!(draw(10_000), ((4 * width, height), 0));
    assert_eq!(draw(2 * width), ((2 * width, 2 * height), 0));
    assert_eq!(draw(width), ((width, height), 3), "three quarters as high as wide: one row");
}
