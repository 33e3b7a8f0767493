//! From an explanation to a picture.

mod colormap;
mod label;

use image::{GenericImage, Rgb, RgbImage};
use imageproc::{drawing::draw_hollow_rect_mut, rect::Rect};
use ndarray::Array2;

pub use self::colormap::{class_color, jet};
use crate::{
    error::Result,
    explain::{ExplainedBox, Explanation, Group, Grouping},
    geometry::{BBox, Size},
    model::Model,
};

/// The letterboxed picture, then one panel for each group of boxes: the picture with the heat (half its colour) inside the
/// boxes, the boxes, and their classes and confidences. From left to right; in several rows only where one would be wider than `max_side`.
/// Where even rows have no room for all, the least confident boxes have no panel.
///
/// # Errors
/// [`crate::Error::Libtorch`] if a map can't be scaled.
pub fn panels(explanation: &Explanation, model: &Model, grouping: Grouping, max_side: u32) -> Result<RgbImage> {
    let picture = &explanation.letterbox.image;
    let (width, height) = picture.dimensions();
    let (most_columns, most_rows) = ((max_side / width).max(1), (max_side / height).max(1));
    let groups = explanation.groups(grouping)?;
    let count = (groups.len() as u32 + 1).min(most_columns.saturating_mul(most_rows));
    let columns = count.min(most_columns);
    let mut sheet = RgbImage::new(width * columns, height * count.div_ceil(columns));
    let mut put = |index: u32, panel: &RgbImage| {
        sheet
            .copy_from(panel, index % columns * width, index / columns * height)
            .expect("the sheet has room for all panels");
    };
    put(0, picture);
    for (index, group) in (1..count).zip(&groups) {
        put(index, &group_panel(explanation, group, model));
    }
    Ok(sheet)
}

fn group_panel(explanation: &Explanation, group: &Group, model: &Model) -> RgbImage {
    let mut panel = explanation.letterbox.image.clone();
    let size = Size { width: panel.width(), height: panel.height() };
    let boxes: Vec<(&ExplainedBox, BBox)> = group
        .boxes
        .iter()
        .map(|&index| &explanation.boxes[index])
        .map(|explained| (explained, explained.detection.box_input.clipped(size)))
        .collect();
    let has_signal = |explained: &ExplainedBox| explained.heatmap.no_signal().is_none();
    let heated: Vec<BBox> = boxes.iter().filter(|(explained, _)| has_signal(explained)).map(|&(_, b)| b).collect();
    blend_heat(&mut panel, &group.heat, &heated);
    for (explained, b) in &boxes {
        draw_box(&mut panel, b, class_color(explained.detection.class_id));
        if !has_signal(explained) {
            label::draw_notice(&mut panel, b, &format!("no signal at {}", explained.layer_names(model)));
        }
    }
    // Above all boxes, the most confident on top.
    for (explained, b) in boxes.iter().rev() {
        let detection = &explained.detection;
        let text = format!("{} {:.2}", model.names()[detection.class_id], detection.confidence);
        label::draw_box_label(&mut panel, b, &text, class_color(detection.class_id));
    }
    panel
}

/// Lays the heat, half its colour, over the pixels of `panel` inside any of `boxes`, which lie within it.
///
/// `heat`: `[H, W]` as large as the panel, 0 to 1.
pub fn blend_heat(panel: &mut RgbImage, heat: &Array2<f32>, boxes: &[BBox]) {
    let colors: [Rgb<u8>; 256] = std::array::from_fn(|level| jet(level as f32 / 255.0));
    let pixels = |from: f32, to: f32| from.round() as u32..to.round() as u32;
    let inside: Vec<_> = boxes.iter().map(|b| (pixels(b.x1, b.x2), pixels(b.y1, b.y2))).collect();
    for (index, (xs, ys)) in inside.iter().enumerate() {
        for (x, y) in ys.clone().flat_map(|y| xs.clone().map(move |x| (x, y))) {
            // Where boxes overlap, once.
            if inside[..index].iter().any(|(xs, ys)| xs.contains(&x) && ys.contains(&y)) {
                continue;
            }
            let level = (heat[[y as usize, x as usize]] * 255.0).round() as u8;
            let (below, above) = (panel.get_pixel_mut(x, y), colors[usize::from(level)]);
            for (below, above) in below.0.iter_mut().zip(above.0) {
                // The mean of both, rounded half up.
                *below = (u16::from(*below) + u16::from(above)).div_ceil(2) as u8;
            }
        }
    }
}

/// Draws the outline of `b`, inwards from its edge, as thick as the picture's size asks for.
pub fn draw_box(panel: &mut RgbImage, b: &BBox, color: Rgb<u8>) {
    let thickness = (panel.width().max(panel.height()) / 320).max(1) as i32;
    let (left, top) = (b.x1.round() as i32, b.y1.round() as i32);
    let (right, bottom) = (b.x2.round() as i32, b.y2.round() as i32);
    for inset in 0..thickness {
        let (width, height) = (right - left - 2 * inset, bottom - top - 2 * inset);
        if width <= 0 || height <= 0 {
            break;
        }
        draw_hollow_rect_mut(panel, Rect::at(left + inset, top + inset).of_size(width as u32, height as u32), color);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heat_stays_inside_the_box() {
        let mut panel = RgbImage::from_pixel(8, 6, Rgb([100, 100, 100]));
        let heat = Array2::from_elem((6, 8), 1.0);
        // The second lies in the first.
        let boxes = [[2.0, 1.0, 5.0, 6.0], [3.0, 2.0, 4.0, 4.0]].map(|[x1, y1, x2, y2]| BBox { x1, y1, x2, y2 });
        blend_heat(&mut panel, &heat, &boxes);
        for (x, y, pixel) in panel.enumerate_pixels() {
            let is_inside = (2..5).contains(&x) && (1..6).contains(&y);
            let expected = if is_inside { Rgb([114, 50, 50]) } else { Rgb([100, 100, 100]) };
            assert_eq!(pixel, &expected, "{x} {y}");
        }
    }

    #[test]
    fn a_box_without_area_is_drawn_without_fuss() {
        let mut panel = RgbImage::new(8, 8);
        draw_box(&mut panel, &BBox { x1: 3.0, y1: 3.0, x2: 3.2, y2: 3.1 }, Rgb([255, 0, 0]));
        assert!(panel.pixels().all(|pixel| pixel == &Rgb([0, 0, 0])));
    }
}
