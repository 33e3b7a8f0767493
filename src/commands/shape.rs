//! `yolo-cam shape`: measures masks and maps in files.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow};
use image::{GrayImage, Luma, RgbImage};
use ndarray::Array2;
use serde::Serialize;
use yolo_cam::{
    report::{CsvRow, DEFAULT_QUALITY, write_csv, write_picture, write_value},
    shape::{
        Comparison, Figure, Shape, ShapeNumbers, compare, convex_hull, draw_hull, draw_shape, perimeter, read_map,
        read_points, shape as measure, signed_area,
    },
};

use super::{session::open_results, stdout::print};
use crate::{
    cli::ShapeCommand,
    exit::Exit,
    output::{Entry, Journal, Namer, PictureId, ResultNames},
};

/// What `STEM-shape.json` holds.
#[derive(Serialize)]
struct ShapeReport<'a> {
    file: &'a str,
    #[serde(flatten)]
    numbers: &'a ShapeNumbers,
}

/// Runs the command.
///
/// # Errors
/// If the output folder or a comparison can't be made. What goes wrong with a file is told, and shows in the exit code.
pub fn shape(command: &ShapeCommand) -> Result<Exit> {
    let _lock = open_results(&command.output_dir, None)?;
    if let Some(points) = &command.points {
        return hull(points, command);
    }
    let mut journal = Journal::read(&command.output_dir);
    let mut told = journal.start(None);
    let mut shapes = Vec::new();
    let mut rows = Vec::new();
    let mut failed = 0;
    let mut namer = Namer::new(&command.output_dir, None);
    for file in &command.files {
        let name = file.display().to_string();
        let id = PictureId::of(file, None);
        let names = namer.names(file, Path::new(""), &id);
        match measured(file, &name, &names, command) {
            Ok(shape) => {
                let entry =
                    written(&name, &id, &format!("{}-shape", names.source()), &[names.shape(), shape_json(&names)]);
                told = told.and_then(|()| journal.add(entry));
                rows.push(CsvRow::measured(&name, &shape.numbers));
                shapes.push((name, shape));
            }
            Err(error) => {
                failed += 1;
                say!("error: {error:#}");
                rows.push(CsvRow::failed(&name, &format!("{error:#}")));
            }
        }
    }
    if command.csv
        && let Err(error) = write_csv(&command.output_dir.join("shape.csv"), &rows)
    {
        failed += 1;
        say!("error: {error}");
    }
    if let Err(error) = told {
        failed += 1;
        say!("error: the journal in {:?} cannot be written: {error}", command.output_dir);
    }
    print(|out| {
        for (name, shape) in &shapes {
            let n = &shape.numbers;
            let [x, y] = n.centroid;
            writeln!(
                out,
                "{name}: area {} px, perimeter {:.1} px, centroid {x:.1} {y:.1}, axes {:.1} and {:.1} px at {:.1} degrees, \
                 solidity {:.3}, circularity {:.3}, other regions {}",
                n.area, n.perimeter, n.major_axis, n.minor_axis, n.orientation, n.solidity, n.circularity, n.others
            )?;
            let list: Vec<String> = n.descriptors.iter().map(|value| format!("{value:.4}")).collect();
            writeln!(out, "  descriptors {}", n.degenerate.clone().unwrap_or_else(|| list.join(" ")))?;
        }
        if let (true, [(_, a), (_, b)]) = (command.compare, shapes.as_slice()) {
            let Comparison { descriptor_distance, iou } = compare(a, b);
            let number =
                |value: Option<f64>, why: &str| value.map_or_else(|| why.to_owned(), |value| format!("{value:.4}"));
            let distance = number(descriptor_distance, "none (a shape without descriptors)");
            writeln!(
                out,
                "compared: descriptor distance {distance}, IoU {}",
                number(iou, "none (maps of different sizes)")
            )?;
        }
        Ok(())
    })?;
    Ok(if failed == 0 { Exit::Fine } else { Exit::SomeFailed })
}

/// What the journal says of these results of a file, so that they are not taken for pictures.
fn written(file: &str, id: &PictureId, stem: &str, results: &[PathBuf]) -> Entry {
    let names = results.iter().filter(|result| result.exists()).filter_map(|result| result.file_name());
    let files = names.map(|name| name.to_string_lossy().into_owned()).collect();
    Entry { files: Some(files), ..Entry::planned(file, id, "shape", stem) }
}

fn shape_json(names: &ResultNames) -> PathBuf {
    names.shape().with_extension("json")
}

/// Measures a file, and writes its picture and its report.
fn measured(file: &Path, name: &str, names: &ResultNames, command: &ShapeCommand) -> Result<Shape> {
    let map = read_map(file)?;
    let shape = measure(map.view(), None, &command.options).map_err(|problem| anyhow!("{file:?}: {problem}"))?;
    let figure = Figure { shape: &shape, title: names.source().to_owned(), b: None };
    write_picture(&names.shape(), &draw_shape(&grey(&map), &figure, &command.options), DEFAULT_QUALITY)?;
    if command.json {
        write_value(&shape_json(names), &ShapeReport { file: name, numbers: &shape.numbers })?;
    }
    Ok(shape)
}

/// A map as a picture: black to white.
fn grey(map: &Array2<f32>) -> RgbImage {
    let most = map.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    let (height, width) = map.dim();
    let level = |x: u32, y: u32| Luma([(map[[y as usize, x as usize]] / most * 255.0).round() as u8]);
    image::DynamicImage::ImageLuma8(GrayImage::from_fn(width as u32, height as u32, level)).into_rgb8()
}

/// Draws the convex hull of points, and tells it.
fn hull(file: &Path, command: &ShapeCommand) -> Result<Exit> {
    let points = read_points(file)?;
    let hull = convex_hull(&points);
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let picture = command.output_dir.join(format!("{stem}-hull.png"));
    write_picture(&picture, &draw_hull(&points), DEFAULT_QUALITY)?;
    let entry = written(&file.display().to_string(), &PictureId::of(file, None), &format!("{stem}-hull"), &[picture]);
    let mut journal = Journal::read(&command.output_dir);
    let added = journal.start(None).and_then(|()| journal.add(entry));
    added.with_context(|| format!("the journal in {:?} cannot be written", command.output_dir))?;
    print(|out| {
        let (area, length) = (signed_area(&hull), perimeter(&hull));
        writeln!(out, "{} points, hull of {} corners, area {area}, perimeter {length}", points.len(), hull.len())?;
        hull.iter().try_for_each(|[x, y]| writeln!(out, "{x},{y}"))
    })
}
