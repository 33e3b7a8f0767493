//! From an explanation to pictures.

mod colorbar;
mod colormap;
mod fonts;
mod heat;
mod label;
mod layout;
mod outline;
pub(crate) mod text;

use std::borrow::Cow;

use image::{Rgb, RgbImage};
use imageproc::{drawing::draw_hollow_rect_mut, rect::Rect};

pub use self::{
    colormap::{Colormap, class_color},
    layout::{Sheet, overlay, panels, sheet, side},
    text::is_drawable,
};
use self::{heat::Painter, label::BoxLabel};
use crate::{
    detect::Mask,
    error::Result,
    explain::{ExplainedBox, Explanation, Group, Grouping, Normalize},
    geometry::{BBox, LetterboxMap, Size},
    model::{Model, by_number},
};

/// Where heat is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum HeatArea {
    /// Inside the boxes
    #[default]
    Box,
    /// All over the picture
    Full,
}

/// How explanations are drawn.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RenderOptions {
    /// Which boxes share a panel or a picture. Default: each has its own.
    pub grouping: Grouping,
    /// Default: inside the boxes.
    pub heat: HeatArea,
    /// Default: each box by itself.
    pub normalize: Normalize,
    /// Default: jet.
    pub colormap: Colormap,
    /// Share of the heat's colour, 0 to 1. Default: 0.5.
    pub alpha: f32,
    /// Heat below this, 0 to 1, is not drawn. Default: 0.
    pub threshold: f32,
    /// Class and confidence above each box. Default: true.
    pub labels: bool,
    /// A bar on the right that tells which colour stands for how much. Default: false.
    pub colorbar: bool,
    /// Whether masks are filled with the colour of their class, under the heat; else they have an outline only. Default: false.
    pub fill_masks: bool,
    /// Thickness of the lines of boxes and masks in pixels; `None` is what suits the size of the picture. Default: `None`.
    pub line_width: Option<u32>,
    /// The longest side that a picture may have, in pixels. Default: that of a JPEG.
    pub max_side: u32,
}

with_fields!(RenderOptions {
    with_grouping => grouping: Grouping,
    with_heat => heat: HeatArea,
    with_normalize => normalize: Normalize,
    with_colormap => colormap: Colormap,
    with_alpha => alpha: f32,
    with_threshold => threshold: f32,
    with_labels => labels: bool,
    with_colorbar => colorbar: bool,
    with_fill_masks => fill_masks: bool,
    with_line_width => line_width: Option<u32>,
    with_max_side => max_side: u32,
});

impl Default for RenderOptions {
    fn default() -> Self {
        Self {
            grouping: Grouping::default(),
            heat: HeatArea::default(),
            normalize: Normalize::default(),
            colormap: Colormap::default(),
            alpha: 0.5,
            threshold: 0.0,
            labels: true,
            colorbar: false,
            fill_masks: false,
            line_width: None,
            max_side: 65_535,
        }
    }
}

/// Draws groups of boxes on pictures.
struct Artist<'a> {
    explanation: &'a Explanation,
    model: &'a Model,
    options: &'a RenderOptions,
    painter: Painter,
}

impl<'a> Artist<'a> {
    fn new(explanation: &'a Explanation, model: &'a Model, options: &'a RenderOptions) -> Self {
        Self { explanation, model, options, painter: Painter::new(options) }
    }

    /// Draws the heat, the boxes and the labels of `group` on `panel`, which lies in the network's input as `map` says.
    fn draw(&self, panel: &mut RgbImage, map: &LetterboxMap, group: &Group) -> Result<()> {
        let has_signal = |explained: &ExplainedBox| explained.heatmap.no_signal().is_none();
        let boxes: Vec<(&ExplainedBox, BBox)> = group
            .boxes
            .iter()
            .map(|&index| &self.explanation.boxes[index])
            .map(|explained| (explained, map.place(explained.detection.box_input.as_ref())))
            .collect();
        let masks: Vec<(Mask, Rgb<u8>)> =
            boxes.iter().filter_map(|(explained, _)| drawn_mask(explained, map)).collect();
        if self.options.fill_masks {
            masks.iter().for_each(|(mask, color)| outline::fill(panel, mask, *color));
        }
        let heated: Vec<BBox> = match self.options.heat {
            HeatArea::Box => boxes.iter().filter(|(explained, _)| has_signal(explained)).map(|&(_, b)| b).collect(),
            HeatArea::Full if boxes.iter().any(|(explained, _)| has_signal(explained)) => vec![map.visible()],
            HeatArea::Full => Vec::new(),
        };
        if !heated.is_empty() {
            let heat = self.explanation.heat(group, self.options.normalize)?;
            self.painter.paint(panel, &heat, map, &heated);
        }
        let thickness = self.options.line_width.unwrap_or_else(|| default_line_width(panel));
        for (explained, b) in &boxes {
            if explained.detection.box_input.is_some() {
                draw_box(panel, b, class_color(explained.detection.class_id), thickness);
            }
            if !has_signal(explained) {
                label::draw_notice(panel, b, &format!("no signal at {}", explained.layer_names(self.model)));
            }
        }
        // Where the boxes have no lines, masks have.
        let thickness = if thickness > 0 { thickness } else { default_line_width(panel) };
        masks.iter().for_each(|(mask, color)| outline::draw_outline(panel, mask, *color, thickness));
        if self.options.labels {
            // Above all boxes; the most confident has the best place.
            let line = label::plate_height_on(panel) as f32;
            let label = |(row, (explained, b)): (usize, &(&ExplainedBox, BBox))| {
                let detection = &explained.detection;
                let text = format!("{} {:.2}", drawn_name(self.model, detection.class_id), detection.confidence);
                // What is said of the whole picture stands in lines below each other: a label stands on its box.
                let is_below = detection.box_input.is_none() && row > 0;
                let y1 = if is_below { b.y1 + line * (row + 1) as f32 } else { b.y1 };
                BoxLabel { b: BBox { y1, ..*b }, text, plate: class_color(detection.class_id) }
            };
            label::draw_box_labels(panel, &boxes.iter().enumerate().map(label).collect::<Vec<_>>());
        }
        Ok(())
    }
}

/// The mask of a box in a panel that lies in the network's input as `map` says, and its colour.
fn drawn_mask(explained: &ExplainedBox, map: &LetterboxMap) -> Option<(Mask, Rgb<u8>)> {
    let detection = &explained.detection;
    Some((detection.mask.as_ref()?.to_image(map), class_color(detection.class_id)))
}

/// What pictures call a class: its name, or `class7` where no font of this machine has the letters of the name.
pub fn drawn_name(model: &Model, class_id: usize) -> Cow<'_, str> {
    match model.names().get(class_id) {
        Some(name) if is_drawable(name) => name.into(),
        _ => by_number(class_id).into(),
    }
}

fn size_of(picture: &RgbImage) -> Size {
    Size { width: picture.width(), height: picture.height() }
}

/// As thick as the size of the picture asks for.
fn default_line_width(picture: &RgbImage) -> u32 {
    (picture.width().max(picture.height()) / 320).max(1)
}

/// Draws the outline of `b`, inwards from its edge.
fn draw_box(panel: &mut RgbImage, b: &BBox, color: Rgb<u8>, thickness: u32) {
    let (left, top) = (b.x1.round() as i32, b.y1.round() as i32);
    let (right, bottom) = (b.x2.round() as i32, b.y2.round() as i32);
    for inset in 0..thickness.min(panel.width().max(panel.height())) as i32 {
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
    fn a_box_without_area_is_drawn_without_fuss() {
        let mut panel = RgbImage::new(8, 8);
        draw_box(&mut panel, &BBox { x1: 3.0, y1: 3.0, x2: 3.2, y2: 3.1 }, Rgb([255, 0, 0]), 3);
        assert!(panel.pixels().all(|pixel| pixel == &Rgb([0, 0, 0])));
    }

    #[test]
    fn a_line_goes_inwards_and_is_as_thick_as_asked_for() {
        let mut panel = RgbImage::new(9, 9);
        draw_box(&mut panel, &BBox { x1: 1.0, y1: 1.0, x2: 8.0, y2: 8.0 }, Rgb([255, 0, 0]), 2);
        let row: Vec<bool> = (0..9).map(|x| panel.get_pixel(x, 4)[0] > 0).collect();
        assert_eq!(row, [false, true, true, false, false, false, true, true, false]);
    }
}
