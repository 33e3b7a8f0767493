//! YOLO's labels: a text file for each picture, a line for each object.

use super::Label;
use crate::geometry::{BBox, Size};

/// How far shares may leave 0 to 1: tools that wrote them rounded.
const ROUNDING: f32 = 0.01;

/// Lines of `class x y w h`, shares of the picture's sides, x and y those of the centre; what stands behind (a confidence) is
/// not looked at. Seven and more numbers are a class and a polygon, whose bounds count.
pub(super) fn read(text: &str, classes: usize, size: Size) -> Result<Vec<Label>, String> {
    let (width, height) = (size.width as f32, size.height as f32);
    let label = |(line, number): (&str, usize)| {
        let problem = |expected: String| format!("line {number} is {line:?}; expected {expected}");
        let numbers: Option<Vec<f32>> = line.split_whitespace().map(|word| word.parse().ok()).collect();
        let shares = || problem("class x y w h, shares of the picture's sides from 0 to 1".to_owned());
        let (&class, rest) = numbers.as_deref().and_then(<[f32]>::split_first).ok_or_else(shares)?;
        // No number at all is in no range either.
        if !rest.iter().all(|share| (-ROUNDING..=1.0 + ROUNDING).contains(share)) {
            return Err(shares());
        }
        if !(0.0..classes as f32).contains(&class) || class.fract() != 0.0 {
            return Err(problem(format!("a class from 0 to {}", classes.saturating_sub(1))));
        }
        let b = match rest {
            &[x, y, w, h] | &[x, y, w, h, _] if w > 0.0 && h > 0.0 => {
                BBox::from_cxcywh(x * width, y * height, w * width, h * height)
            }
            points if points.len() >= 6 && points.len() % 2 == 0 => {
                let bounds = |side: usize, scale: f32| {
                    let values = points.iter().skip(side).step_by(2);
                    let ends = |ends: (f32, f32), value: &f32| (ends.0.min(*value), ends.1.max(*value));
                    let (least, most) = values.fold((f32::INFINITY, f32::NEG_INFINITY), ends);
                    (least * scale, most * scale)
                };
                let ((x1, x2), (y1, y2)) = (bounds(0, width), bounds(1, height));
                let b = BBox { x1, y1, x2, y2 };
                match b.area() > 0.0 {
                    true => b,
                    false => return Err(shares()),
                }
            }
            _ => return Err(shares()),
        };
        Ok(Label::new(class as usize, b))
    };
    let lines = text.lines().map(str::trim).zip(1..).filter(|(line, _)| !line.is_empty());
    lines.map(label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { width: 200, height: 100 };

    fn b(x1: f32, y1: f32, x2: f32, y2: f32) -> BBox {
        BBox { x1, y1, x2, y2 }
    }

    #[test]
    fn lines_of_boxes_and_polygons_become_pixels() {
        let text = "0 0.5 0.5 0.2 0.4\n\n2 0.25 0.5 0.5 1 0.93\n1 0.1 0.2 0.4 0.9 0.3 0.1\n";
        let labels = read(text, 3, SIZE).unwrap();
        let expected =
            [(0, b(80.0, 30.0, 120.0, 70.0)), (2, b(0.0, 0.0, 100.0, 100.0)), (1, b(20.0, 10.0, 80.0, 90.0))];
        assert_eq!(labels.len(), expected.len());
        for (found, (class, wanted)) in labels.iter().zip(&expected) {
            assert_eq!(found.class_id, *class);
            assert!(found.b.iou(wanted) > 0.999, "{found:?} {wanted:?}");
        }
        assert_eq!(read("", 3, SIZE), Ok(Vec::new()));
    }

    #[test]
    fn damaged_lines_are_named() {
        for line in [
            "0 0.5 0.5",
            "x 0 0 1 1",
            "3 0.5 0.5 1 1",
            "0.5 0.5 0.5 1 1",
            "-1 0.5 0.5 1 1",
            "0 nan 0 1 1",
            "nan 0 0 1 1",
            "0 320 240 100 100",
            "0 0.5 0.5 0 1",
            "0 0.1 0.2 0.1 0.3 0.1 0.4",
            "0 0.5 0.5 -0.005 1",
        ] {
            let problem = read(&format!("0 0.5 0.5 1 1\n{line}"), 3, SIZE).unwrap_err();
            assert!(problem.starts_with("line 2 is \"") && problem.contains("expected"), "{problem}");
        }
    }
}
