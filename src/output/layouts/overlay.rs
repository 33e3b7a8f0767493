//! A picture for each box, none smaller than the input.

use yolo_cam::{
    Result,
    explain::{Group, Grouping},
    render::{Blend, HeatArea, RenderOptions, overlay, under},
};

use super::{Drawn, LayoutSpec};
use crate::output::{Explained, group_name};

pub const SPEC: LayoutSpec = LayoutSpec {
    name: "overlay",
    summary: "A picture for each box at the picture's own resolution, STEM-res-INDEX",
    heat: HeatArea::Full,
    blend: Blend::Heat,
    is_small_scale: false,
    draw,
};

fn draw(explained: &Explained, options: &RenderOptions) -> Result<Drawn> {
    let Explained { picture, names, .. } = explained;
    let groups = explained.explanation.groups(options.grouping);
    if groups.is_empty() {
        return Ok(Drawn::single(names, under((*picture).clone(), options)));
    }
    let draw = |(index, group): (usize, &Group)| {
        let drawn = overlay(picture, explained.explanation, group, explained.model, options)?;
        let name = match options.grouping {
            // The first of them is known by its number.
            Grouping::Class => format!("{index}-{}", group_name(group, options.grouping)),
            _ => group_name(group, options.grouping),
        };
        Ok((names.picture_of(&name), drawn))
    };
    Ok(Drawn { pictures: groups.iter().enumerate().map(draw).collect::<Result<_>>()?, left_out: 0 })
}
