//! The heat of a box as grey levels, which the page colours.

use image::{Rgb, RgbImage};
use yolo_cam::{
    ExplainedBox, Explanation, Result,
    explain::{Group, Normalize},
    picture::shrunk,
};

/// Longest side of such a picture, in pixels. A layer's map has a cell for each 8 pixels of the input at most, so that this is
/// several pixels a cell at the usual sizes; between them the browser interpolates.
const SIDE: u32 = 320;

/// The heat of box `index`, 0 as black and 1 as white, over the part of the picture that the network saw
/// ([`shown`](yolo_cam::geometry::LetterboxMap::shown)), from edge to edge.
///
/// # Errors
/// [`yolo_cam::Error::Libtorch`] if the map can't be scaled.
pub fn grey(explanation: &Explanation, index: usize, normalize: Normalize) -> Result<RgbImage> {
    let group = Group { class_id: None, boxes: vec![index] };
    let heat = explanation.heat(&group, normalize)?;
    let (columns, rows) = explanation.letterbox.map.shown();
    let level = |x: u32, y: u32| {
        let level = heat[[(rows.start + y) as usize, (columns.start + x) as usize]];
        Rgb([(level.clamp(0.0, 1.0) * 255.0).round() as u8; 3])
    };
    Ok(shrunk(&RgbImage::from_fn(columns.len() as u32, rows.len() as u32, level), SIDE))
}

/// That of each box, scaled to its own peak; `None` of a map without signal.
///
/// # Errors
/// As [`grey`].
pub fn greys(explanation: &Explanation) -> Result<Vec<Option<RgbImage>>> {
    let map = |(index, found): (usize, &ExplainedBox)| {
        let has_signal = found.heatmap.no_signal().is_none();
        has_signal.then(|| grey(explanation, index, Normalize::Box)).transpose()
    };
    explanation.boxes.iter().enumerate().map(map).collect()
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use yolo_cam::{
        detect::{Detection, Letterbox},
        explain::{ExplainedBox, Heatmap},
        families::Place,
        geometry::{LetterboxMap, Size},
    };

    use super::*;

    /// An explanation of one box in a picture that lies so in the input, hottest at a point of the picture.
    fn hottest_at(map: LetterboxMap, (x, y): (f32, f32)) -> Explanation {
        let Size { width, height } = map.input;
        let (x, y) = (x * map.scale + map.pad_x as f32, y * map.scale + map.pad_y as f32);
        let cells = Array2::from_shape_fn((height as usize / 8, width as usize / 8), |(row, column)| {
            let (dx, dy) = (column as f32 * 8.0 + 4.0 - x, row as f32 * 8.0 + 4.0 - y);
            (-(dx * dx + dy * dy) / (2.0 * 24.0 * 24.0)).exp()
        });
        let found = ExplainedBox {
            detection: Detection {
                box_input: None,
                class_id: 0,
                confidence: 0.9,
                logit: 1.0,
                place: Place { level: 0, row: 0, column: 0, slot: 0, index: 0 },
                mask: None,
                rotated: None,
                keypoints: Vec::new(),
            },
            layers: vec![0],
            heatmap: Heatmap::new(cells),
            working_layers: None,
        };
        Explanation::of_boxes(Letterbox { image: RgbImage::new(width, height), map }, vec![found])
    }

    /// The centre of what is more than half as hot as the hottest, in pixels of the picture.
    fn found_in(grey: &RgbImage, map: &LetterboxMap) -> (f32, f32) {
        let visible = map.visible();
        let (mut x_sum, mut y_sum, mut count) = (0.0, 0.0, 0.0);
        for (x, y, _) in grey.enumerate_pixels().filter(|(.., pixel)| pixel[0] > 127) {
            x_sum += x as f32 + 0.5;
            y_sum += y as f32 + 0.5;
            count += 1.0;
        }
        let along = |sum: f32, pixels: u32, from: f32, to: f32| from + sum / count / pixels as f32 * (to - from);
        (along(x_sum, grey.width(), visible.x1, visible.x2), along(y_sum, grey.height(), visible.y1, visible.y2))
    }

    #[test]
    fn a_hot_spot_is_where_it_is_in_the_picture() {
        let size = |width, height| Size { width, height };
        let maps = [
            LetterboxMap::new(size(768, 576), 640, 32),
            LetterboxMap::new(size(300, 451), 640, 32),
            LetterboxMap::full(size(1000, 300), size(640, 640)),
            LetterboxMap::new(size(64, 64), 64, 32),
            LetterboxMap::centre_crop(size(500, 300), 224),
        ];
        for map in maps {
            let visible = map.visible();
            let at = |share_x: f32, share_y: f32| {
                let (width, height) = (visible.x2 - visible.x1, visible.y2 - visible.y1);
                (visible.x1 + width * share_x, visible.y1 + height * share_y)
            };
            // In a picture of a few pixels the spot is as wide as the picture.
            let shares = if map.input.width < 100 { [(0.5, 0.5); 2] } else { [(0.3, 0.4), (0.65, 0.55)] };
            for (x, y) in shares.map(|(x, y)| at(x, y)) {
                let grey = grey(&hottest_at(map, (x, y)), 0, Normalize::Box).unwrap();
                assert!(grey.width().max(grey.height()) <= SIDE);
                let (found_x, found_y) = found_in(&grey, &map);
                let near = (found_x - x).abs().max((found_y - y).abs());
                assert!(near <= 1.5 / map.scale.min(1.0), "{map:?}: at {x} {y}, found at {found_x} {found_y}");
            }
        }
    }

    #[test]
    fn heat_without_signal_is_black_and_the_peak_is_white() {
        let map = LetterboxMap::new(Size { width: 320, height: 320 }, 320, 32);
        let mut explanation = hottest_at(map, (164.0, 164.0));
        let most = |explanation: &Explanation| {
            let grey = grey(explanation, 0, Normalize::Image).unwrap();
            grey.pixels().map(|pixel| pixel[0]).max().unwrap()
        };
        assert!(most(&explanation) >= 250);
        explanation.boxes[0].heatmap = Heatmap::unseen((40, 40));
        assert_eq!(most(&explanation), 0);
    }
}
