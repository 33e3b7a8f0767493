//! From a heat value to a colour.

use image::Rgb;

/// The "jet" colormap, as OpenCV's `COLORMAP_JET` and MATLAB's `jet`: blue, cyan, yellow, red.
///
/// `heat`: 0 to 1; values outside are clamped.
pub fn jet(heat: f32) -> Rgb<u8> {
    let heat = heat.clamp(0.0, 1.0);
    let channel = |centre: f32| ((1.5 - (4.0 * heat - centre).abs()).clamp(0.0, 1.0) * 255.0).round() as u8;
    Rgb([channel(3.0), channel(2.0), channel(1.0)])
}

/// Colours of Okabe and Ito, told apart by colour-blind readers too; the faint black is left out.
/// <https://jfly.uni-koeln.de/color/>
const CLASS_COLORS: [Rgb<u8>; 7] = [
    Rgb([230, 159, 0]),
    Rgb([86, 180, 233]),
    Rgb([0, 158, 115]),
    Rgb([240, 228, 66]),
    Rgb([0, 114, 178]),
    Rgb([213, 94, 0]),
    Rgb([204, 121, 167]),
];

/// The colour of a class's boxes and labels.
pub fn class_color(class_id: usize) -> Rgb<u8> {
    CLASS_COLORS[class_id % CLASS_COLORS.len()]
}

/// Black or white, whichever reads better on `background`.
pub(super) fn ink_on(background: Rgb<u8>) -> Rgb<u8> {
    let [r, g, b] = background.0.map(f32::from);
    // Luma of ITU-R BT.601.
    if 0.299 * r + 0.587 * g + 0.114 * b > 128.0 { Rgb([0, 0, 0]) } else { Rgb([255, 255, 255]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jet_goes_from_blue_to_red() {
        assert_eq!(jet(0.0), Rgb([0, 0, 128]));
        assert_eq!(jet(0.5), Rgb([128, 255, 128]));
        assert_eq!(jet(1.0), Rgb([128, 0, 0]));
        assert_eq!(jet(0.375), Rgb([0, 255, 255]), "cyan");
        assert_eq!(jet(f32::INFINITY), jet(1.0));
    }
}
