//! The shape of what maps light up, `--shape`: numbers for the reports, and a picture.

use std::path::PathBuf;

use yolo_cam::{
    ExplainedBox, Result,
    explain::MapSize,
    render,
    report::write_picture,
    shape::{Figure, Shape, ShapeNumbers, ShapeOptions, draw_shapes, shape},
};

use super::Explained;

/// Measures and draws what each map lights up, and adds the file to `written`.
///
/// # Errors
/// [`yolo_cam::Error::Io`].
pub fn write_shapes(
    explained: &Explained,
    options: &ShapeOptions,
    written: &mut Vec<PathBuf>,
) -> Result<Vec<Option<ShapeNumbers>>> {
    let Explained { names, explanation, model, .. } = explained;
    let measure = |(index, explained): (usize, &ExplainedBox)| -> Result<Option<Shape>> {
        let map = explanation.map(index, MapSize::Input)?;
        let b = explained.detection.box_input.map(|b| b.clipped(explanation.letterbox.map.input));
        // A map without signal has no shape; why is told anyway.
        let found = shape(map.view(), b.as_ref(), options).ok().filter(|_| explained.heatmap.no_signal().is_none());
        let mask = explained.detection.mask.as_ref();
        Ok(found.map(|found| match mask {
            Some(mask) => found.compared_to(mask),
            None => found,
        }))
    };
    let shapes = explanation.boxes.iter().enumerate().map(measure).collect::<Result<Vec<_>>>()?;
    let title = |explained: &ExplainedBox| {
        let detection = &explained.detection;
        format!("{} {:.2}", render::drawn_name(model, detection.class_id), detection.confidence)
    };
    let figures: Vec<Figure> = shapes
        .iter()
        .zip(&explanation.boxes)
        .filter_map(|(shape, explained)| {
            Some(Figure { shape: shape.as_ref()?, title: title(explained), b: explained.detection.box_input })
        })
        .collect();
    if !figures.is_empty() {
        let picture = draw_shapes(&explanation.letterbox.image, &figures, options);
        let picture = render::under(picture, explained.render);
        write_picture(&names.shape(), &picture, explained.quality)?;
        written.push(names.shape());
    }
    Ok(shapes.into_iter().map(|shape| shape.map(|shape| shape.numbers)).collect())
}
