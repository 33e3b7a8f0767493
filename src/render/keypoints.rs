//! Keypoints, and the lines between them.

use image::{Rgb, RgbImage};
use imageproc::drawing::draw_filled_circle_mut;

use super::{
    label::line_height,
    outline::{HALO, halo},
    size_of,
    strokes::draw_lines,
    text,
};
use crate::{
    families::Keypoint,
    geometry::{BBox, LetterboxMap},
};

/// A keypoint of less visibility is not drawn, as the Ultralytics package does it.
const LEAST_VISIBILITY: f32 = 0.25;

/// How thick a line may be, as a part of the shorter side of its box.
const THINNEST_PART: f32 = 40.0;
/// How high a number is, as a part of that side, and the least height that can be read, in pixels.
const NUMBER_PART: f32 = 8.0;
const LEAST_NUMBER: f32 = 10.0;

/// The keypoints of COCO's people that lines join, by number: ankle, knee and hip; shoulders and hips; shoulder, elbow and wrist; eyes,
/// nose and ears.
const PERSON: [[usize; 2]; 19] = [
    [15, 13],
    [13, 11],
    [16, 14],
    [14, 12],
    [11, 12],
    [5, 11],
    [6, 12],
    [5, 6],
    [5, 7],
    [6, 8],
    [7, 9],
    [8, 10],
    [1, 2],
    [0, 1],
    [0, 2],
    [1, 3],
    [2, 4],
    [3, 5],
    [4, 6],
];

/// The pairs of keypoints that lines join, where an object has `count` of them: of 17, those of a person; else none are known.
pub fn skeleton(count: usize) -> &'static [[usize; 2]] {
    if count == 17 { &PERSON } else { &[] }
}

/// Whether a keypoint is drawn.
pub fn is_shown(keypoint: &Keypoint) -> bool {
    keypoint.visibility.is_none_or(|visibility| visibility >= LEAST_VISIBILITY)
}

/// Draws the keypoints of an object on a panel that lies in the network's input as `map` says: with lines where it is known which belong
/// together, else with their numbers, where the box `b` has room for these. `wanted`: how thick lines are, in pixels; in a small box they
/// are thinner.
pub(super) fn draw(
    panel: &mut RgbImage,
    map: &LetterboxMap,
    (keypoints, b): (&[Keypoint], &BBox),
    color: Rgb<u8>,
    wanted: u32,
) {
    if keypoints.is_empty() || wanted == 0 {
        return;
    }
    let shorter = (b.x2 - b.x1).min(b.y2 - b.y1).max(0.0);
    let thickness = wanted.min((shorter / THINNEST_PART) as u32).max(1);
    let places: Vec<Option<[f32; 2]>> = keypoints
        .iter()
        .map(|keypoint| is_shown(keypoint).then(|| map.point_in_image([keypoint.x, keypoint.y])))
        .collect();
    let bones = skeleton(keypoints.len());
    let lines: Vec<_> = bones.iter().filter_map(|&[a, b]| Some((places[a]?, places[b]?))).collect();
    draw_lines(panel, &lines, color, thickness);
    let radius = thickness as i32 + 1;
    let height = (line_height(size_of(panel)) as f32 * 0.75).min(shorter / NUMBER_PART);
    let is_numbered = bones.is_empty() && height >= LEAST_NUMBER;
    for (number, place) in places.iter().enumerate() {
        let &Some([x, y]) = place else { continue };
        let at = (x.round() as i32, y.round() as i32);
        draw_filled_circle_mut(panel, at, radius + halo(thickness) as i32, HALO);
        draw_filled_circle_mut(panel, at, radius, color);
        if is_numbered {
            let corner = (at.0 + radius + 2, at.1 - (height / 2.0) as i32);
            // A dark rim, as beside all lines.
            for (dx, dy) in [(-1, 0), (1, 0), (0, -1), (0, 1)] {
                text::draw(panel, HALO, (corner.0 + dx, corner.1 + dy), height, &number.to_string());
            }
            text::draw(panel, Rgb([255; 3]), corner, height, &number.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Size;

    const COLOR: Rgb<u8> = Rgb([255, 0, 0]);
    const GREY: Rgb<u8> = Rgb([100, 100, 100]);

    #[test]
    fn a_person_has_lines_between_the_keypoints_that_are_visible() {
        let size = Size { width: 64, height: 64 };
        let mut panel = RgbImage::from_pixel(64, 64, GREY);
        let place = |index: usize| Keypoint { x: 4.0 + 3.0 * index as f32, y: 10.0, visibility: Some(0.0) };
        let mut keypoints: Vec<Keypoint> = (0..17).map(place).collect();
        // The shoulders, far apart.
        keypoints[5] = Keypoint { x: 10.0, y: 40.0, visibility: Some(0.9) };
        keypoints[6] = Keypoint { x: 50.0, y: 40.0, visibility: Some(0.9) };
        let b = BBox { x1: 0.0, y1: 0.0, x2: 64.0, y2: 64.0 };
        draw(&mut panel, &LetterboxMap::identity(size), (&keypoints, &b), COLOR, 2);
        // In so small a box a line is as thin as can be.
        let column: Vec<Rgb<u8>> = (37..43).map(|y| *panel.get_pixel(30, y)).collect();
        assert!(
            column.contains(&COLOR) && column.contains(&HALO) && column.contains(&GREY),
            "the line between them: {column:?}"
        );
        assert_eq!(*panel.get_pixel(4, 10), GREY, "the nose is not visible");
    }

    #[test]
    fn a_point_outside_of_the_picture_is_at_its_edge() {
        let size = Size { width: 32, height: 32 };
        let mut panel = RgbImage::from_pixel(32, 32, GREY);
        let keypoint = Keypoint { x: 1e9, y: f32::MIN, visibility: None };
        let b = BBox { x1: 0.0, y1: 0.0, x2: 32.0, y2: 32.0 };
        draw(&mut panel, &LetterboxMap::identity(size), (&[keypoint], &b), COLOR, 2);
        assert_eq!(*panel.get_pixel(31, 0), COLOR);
    }
}
