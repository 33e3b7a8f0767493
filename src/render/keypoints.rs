//! Keypoints, and the lines between them.

use image::{Rgb, RgbImage};
use imageproc::drawing::draw_filled_circle_mut;

use super::{
    label::line_height,
    outline::{HALO, halo},
    size_of,
    strokes::draw_line,
    text,
};
use crate::{families::Keypoint, geometry::LetterboxMap};

/// A keypoint of less visibility is not drawn, as the Ultralytics package does it.
const LEAST_VISIBILITY: f32 = 0.25;

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
/// together, else with their numbers. `thickness`: of the lines, in pixels.
pub(super) fn draw(panel: &mut RgbImage, map: &LetterboxMap, keypoints: &[Keypoint], color: Rgb<u8>, thickness: u32) {
    if keypoints.is_empty() || thickness == 0 {
        return;
    }
    let places: Vec<Option<[f32; 2]>> = keypoints
        .iter()
        .map(|keypoint| is_shown(keypoint).then(|| map.point_in_image([keypoint.x, keypoint.y])))
        .collect();
    let bones = skeleton(keypoints.len());
    for [from, to] in bones.iter().filter_map(|&[a, b]| Some([places[a]?, places[b]?])) {
        draw_line(panel, from, to, HALO, thickness as f32 + 2.0 * halo(thickness) as f32);
    }
    for [from, to] in bones.iter().filter_map(|&[a, b]| Some([places[a]?, places[b]?])) {
        draw_line(panel, from, to, color, thickness as f32);
    }
    let radius = thickness as i32 + 1;
    let is_numbered = bones.is_empty();
    for (number, place) in places.iter().enumerate() {
        let &Some([x, y]) = place else { continue };
        let at = (x.round() as i32, y.round() as i32);
        draw_filled_circle_mut(panel, at, radius + halo(thickness) as i32, HALO);
        draw_filled_circle_mut(panel, at, radius, color);
        if is_numbered {
            let height = line_height(size_of(panel)) as f32 * 0.75;
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
        draw(&mut panel, &LetterboxMap::identity(size), &keypoints, COLOR, 2);
        assert_eq!(*panel.get_pixel(30, 40), COLOR, "the line between them");
        assert_eq!(*panel.get_pixel(30, 38), HALO);
        assert_eq!(*panel.get_pixel(4, 10), GREY, "the nose is not visible");
    }

    #[test]
    fn a_point_outside_of_the_picture_is_at_its_edge() {
        let size = Size { width: 32, height: 32 };
        let mut panel = RgbImage::from_pixel(32, 32, GREY);
        let keypoint = Keypoint { x: 1e9, y: f32::MIN, visibility: None };
        draw(&mut panel, &LetterboxMap::identity(size), &[keypoint], COLOR, 2);
        assert_eq!(*panel.get_pixel(31, 0), COLOR);
    }
}
