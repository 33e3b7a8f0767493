//! From an explanation to pictures.

mod boxes;
mod colorbar;
mod colormap;
mod crops;
mod fonts;
mod footer;
mod heat;
mod keypoints;
mod label;
mod layout;
mod outline;
mod placement;
mod strokes;
pub(crate) mod text;

use std::borrow::Cow;

use image::{Rgb, RgbImage};

pub use self::{
    colormap::{Colormap, class_color},
    crops::crops,
    keypoints::{is_shown, skeleton},
    layout::{Sheet, overlay, panels, sheet, side, under},
    text::is_drawable,
};
use self::{
    heat::Painter,
    label::Plate,
    placement::{BoxLabel, Placement},
};
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

/// How opaque heat is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Blend {
    /// Opacity follows the heat: where there is none, the picture shows
    Heat,
    /// The same everywhere, as the Python tools draw it
    #[default]
    Uniform,
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
    /// Share of the heat's colour, 0 to 1; where opacity follows the heat, that of the strongest. `None` is
    /// [`Blend::default_alpha`]. Default: `None`.
    pub alpha: Option<f32>,
    /// Default: uniform.
    pub blend: Blend,
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
    /// What the footer says of all boxes, such as the model and the method; it adds layers and peaks. Pictures have no footer
    /// without. Default: `None`.
    pub footer: Option<Vec<String>>,
    /// What the footer adds of each box, by its index; boxes without a note, and those beyond the last, add nothing. Default: none.
    pub box_notes: Vec<Option<String>>,
    /// The longest side that a picture may have, in pixels. Default: that of a JPEG.
    pub max_side: u32,
}

with_fields!(RenderOptions {
    with_grouping => grouping: Grouping,
    with_heat => heat: HeatArea,
    with_normalize => normalize: Normalize,
    with_colormap => colormap: Colormap,
    with_alpha => alpha: Option<f32>,
    with_blend => blend: Blend,
    with_threshold => threshold: f32,
    with_labels => labels: bool,
    with_colorbar => colorbar: bool,
    with_fill_masks => fill_masks: bool,
    with_line_width => line_width: Option<u32>,
    with_footer => footer: Option<Vec<String>>,
    with_box_notes => box_notes: Vec<Option<String>>,
    with_max_side => max_side: u32,
});

impl Default for RenderOptions {
    fn default() -> Self {
        Self {
            grouping: Grouping::default(),
            heat: HeatArea::default(),
            normalize: Normalize::default(),
            colormap: Colormap::default(),
            alpha: None,
            blend: Blend::default(),
            threshold: 0.0,
            labels: true,
            colorbar: false,
            fill_masks: false,
            line_width: None,
            footer: None,
            box_notes: Vec::new(),
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

    /// Where the labels of `group` go on a panel that lies in the network's input as `map` says. None if none are wanted.
    fn labels(&self, map: &LetterboxMap, group: &Group) -> Placement {
        if !self.options.labels {
            return Placement::default();
        }
        self.placed(map, group, |_, explained, b| {
            let says_so = explained.heatmap.no_signal().is_none() || self.notice(map.image, explained, b).is_some();
            format!("{}{}", self.title(explained), if says_so { "" } else { " no signal" })
        })
    }

    /// The same for labels with this `text`: of the box with this index, and its place.
    fn placed(
        &self,
        map: &LetterboxMap,
        group: &Group,
        text: impl Fn(usize, &ExplainedBox, &BBox) -> String,
    ) -> Placement {
        // The most confident has the best place.
        let label = |(&index, (explained, b)): (&usize, (&ExplainedBox, BBox))| {
            let detection = &explained.detection;
            BoxLabel {
                b: detection.box_input.map(|_| b),
                text: text(index, explained, &b),
                number: index,
                plate: class_color(detection.class_id),
            }
        };
        placement::place(map.image, &map.visible(), group.boxes.iter().zip(self.boxes(map, group)).map(label).collect())
    }

    /// What is drawn at a box: its class and confidence.
    fn title(&self, explained: &ExplainedBox) -> String {
        let detection = &explained.detection;
        format!("{} {:.2}", drawn_name(self.model, detection.class_id), detection.confidence)
    }

    /// Draws the heat, the boxes and the labels of `group` on `panel`, which lies in the network's input as `map` says.
    fn draw(&self, panel: &mut RgbImage, map: &LetterboxMap, group: &Group, labels: &Placement) -> Result<()> {
        let has_signal = |explained: &ExplainedBox| explained.heatmap.no_signal().is_none();
        let boxes = self.boxes(map, group);
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
        self.draw_boxes(panel, map, &boxes);
        let notices = boxes.iter().filter_map(|(explained, b)| self.notice(map.image, explained, b));
        notices.for_each(|notice| notice.draw(panel));
        // Where the boxes have no lines, masks have. They are thinner: what is in a mask may be narrow.
        let chosen = self.options.line_width.filter(|&width| width > 0);
        let thickness = chosen.unwrap_or_else(|| (default_line_width(panel) / 2).max(1));
        masks.iter().for_each(|(mask, color)| outline::draw_outline(panel, mask, *color, thickness));
        labels.draw(panel);
        Ok(())
    }

    /// What is written in a box that has no signal, if it is large enough.
    fn notice(&self, panel: Size, explained: &ExplainedBox, b: &BBox) -> Option<Plate> {
        explained.heatmap.no_signal()?;
        label::notice(panel, b, &format!("no signal at {}", explained.layer_names(self.model)))
    }

    /// The boxes of `group` with their places on a panel; a class that is said of the whole picture has all of it.
    fn boxes(&self, map: &LetterboxMap, group: &Group) -> Vec<(&'a ExplainedBox, BBox)> {
        let boxes = group.boxes.iter().map(|&index| &self.explanation.boxes[index]);
        boxes.map(|explained| (explained, map.place(explained.detection.box_input.as_ref()))).collect()
    }

    /// Draws the lines of boxes, those of the small above those of the large, and keypoints. The panel lies in the network's input as
    /// `map` says.
    fn draw_boxes(&self, panel: &mut RgbImage, map: &LetterboxMap, boxes: &[(&ExplainedBox, BBox)]) {
        let thickness = self.options.line_width.unwrap_or_else(|| default_line_width(panel));
        let mut drawn: Vec<_> = boxes.iter().filter(|(explained, _)| explained.detection.box_input.is_some()).collect();
        drawn.sort_by(|(_, a), (_, b)| b.area().total_cmp(&a.area()));
        for (explained, b) in drawn {
            let color = class_color(explained.detection.class_id);
            match &explained.detection.rotated {
                Some(rotated) => {
                    strokes::draw_polygon(panel, &map.rotated_to_image(rotated).corners(), color, thickness);
                }
                None => boxes::draw_box(panel, b, color, thickness, self.options.line_width.is_some()),
            }
            keypoints::draw(panel, map, (&explained.detection.keypoints, b), color, thickness);
        }
    }

    /// What the footer says of all boxes.
    fn run_notes(&self) -> Vec<String> {
        self.options.footer.clone().unwrap_or_default()
    }

    /// What the footer says of the boxes of `group`: where their maps were made, and the largest of their raw values.
    fn notes(&self, group: &Group) -> Vec<String> {
        if self.options.footer.is_none() {
            return Vec::new();
        }
        let boxes: Vec<&ExplainedBox> = group.boxes.iter().map(|&index| &self.explanation.boxes[index]).collect();
        let mut layers: Vec<usize> = boxes.iter().flat_map(|explained| explained.layers.iter().copied()).collect();
        layers.sort_unstable();
        layers.dedup();
        let path = |&layer: &usize| self.model.layers()[layer].path.clone();
        let layers = match layers.as_slice() {
            [] => None,
            [first, .., last] if layers.len() > 3 => {
                Some(format!("{} layers, {} to {}", layers.len(), path(first), path(last)))
            }
            few => Some(few.iter().map(path).collect::<Vec<_>>().join(", ")),
        };
        let peaks = boxes.iter().filter(|explained| explained.heatmap.no_signal().is_none());
        let mut peaks: Vec<f32> = peaks.map(|explained| explained.heatmap.peak()).collect();
        peaks.sort_by(f32::total_cmp);
        let peaks = match peaks.as_slice() {
            [] => "no signal".to_owned(),
            [only] => format!("peak {}", value(*only)),
            [least, .., most] => format!("peaks {} to {}", value(*least), value(*most)),
        };
        let own = group.boxes.iter().filter_map(|&index| self.options.box_notes.get(index)?.as_deref());
        layers.into_iter().chain([peaks]).chain(counted(own)).collect()
    }
}

/// Each of several notes once, in the order in which they come first, with how often: `faithful ×2`.
fn counted<'a>(notes: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for note in notes {
        match counts.iter_mut().find(|(known, _)| *known == note) {
            Some((_, count)) => *count += 1,
            None => counts.push((note, 1)),
        }
    }
    let told = |(note, count): (&str, usize)| if count == 1 { note.to_owned() } else { format!("{note} ×{count}") };
    counts.into_iter().map(told).collect()
}

/// A number with what a reader needs of it.
fn value(number: f32) -> String {
    if (1e-3..1e4).contains(&number) { format!("{number:.4}") } else { format!("{number:.2e}") }
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
    (picture.width().max(picture.height()) / 320).max(2)
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn a_note_of_several_boxes_stands_once() {
        assert_eq!(counted(["a", "b", "a"].into_iter()), ["a ×2", "b"]);
        assert_eq!(counted(["b"].into_iter()), ["b"]);
        assert!(counted([].into_iter()).is_empty());
    }
}
