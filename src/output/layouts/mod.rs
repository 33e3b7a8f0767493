//! How result pictures are laid out. A layout is one file here and one line in [`LAYOUTS`]; `--layout` takes their names.

mod crops;
mod overlay;
mod panels;
mod sheet;
mod side;

use std::{fmt, path::PathBuf};

use image::RgbImage;
use yolo_cam::{
    Result,
    render::{Blend, HeatArea, RenderOptions, Sheet},
};

use super::{Explained, ResultNames};

/// All layouts, in the order in which they are listed; the first is the default.
pub static LAYOUTS: &[&LayoutSpec] = &[&panels::SPEC, &overlay::SPEC, &sheet::SPEC, &side::SPEC, &crops::SPEC];

/// A layout: what it is called, and what it draws.
pub struct LayoutSpec {
    /// As `--layout` takes it.
    pub name: &'static str,
    /// What is drawn, in a line.
    pub summary: &'static str,
    /// Where heat is drawn if the user does not say.
    pub heat: HeatArea,
    /// How opaque heat is if the user does not say.
    pub blend: Blend,
    /// Whether boxes are no larger than the network sees them, so that small ones are better looked at as `crops`.
    pub is_small_scale: bool,
    /// Draws the result pictures.
    pub draw: fn(&Explained, &RenderOptions) -> Result<Drawn>,
}

/// The result pictures with their files.
pub struct Drawn {
    pub pictures: Vec<(PathBuf, RgbImage)>,
    /// How many boxes found no room.
    pub left_out: usize,
}

impl Drawn {
    /// A single picture, with room for all.
    fn single(names: &ResultNames, picture: RgbImage) -> Self {
        Self { pictures: vec![(names.picture(), picture)], left_out: 0 }
    }

    fn of_sheet(names: &ResultNames, sheet: Sheet) -> Self {
        Self { left_out: sheet.left_out, ..Self::single(names, sheet.picture) }
    }
}

impl fmt::Debug for LayoutSpec {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}", self.name)
    }
}

/// The layout with this name.
pub fn named(name: &str) -> Option<&'static LayoutSpec> {
    LAYOUTS.iter().copied().find(|layout| layout.name == name)
}
