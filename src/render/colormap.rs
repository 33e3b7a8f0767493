//! From a heat value to a colour, and the colours of classes.

use image::Rgb;

/// How heat becomes colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Colormap {
    /// Blue, cyan, yellow, red, as the Python tools draw it; its brightness is uneven
    #[default]
    Jet,
    /// A smoother rainbow (Mikhailov, 2019)
    Turbo,
    /// Violet, green, yellow; perceptually uniform, and readable if you are colour-blind
    Viridis,
    /// Black, violet, orange, yellow; perceptually uniform
    Inferno,
    /// Black, violet, pink, cream; perceptually uniform
    Magma,
    /// Black to white
    Gray,
}

impl Colormap {
    /// All colormaps.
    pub const ALL: [Self; 6] = [Self::Jet, Self::Turbo, Self::Viridis, Self::Inferno, Self::Magma, Self::Gray];

    /// The name in options.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jet => "jet",
            Self::Turbo => "turbo",
            Self::Viridis => "viridis",
            Self::Inferno => "inferno",
            Self::Magma => "magma",
            Self::Gray => "gray",
        }
    }

    /// The colour of `heat`: 0 to 1; values outside are clamped.
    pub fn color(self, heat: f32) -> Rgb<u8> {
        let heat = heat.clamp(0.0, 1.0);
        let gradient = match self {
            Self::Jet => return jet(heat),
            Self::Gray => return Rgb([(heat * 255.0).round() as u8; 3]),
            Self::Turbo => colorous::TURBO,
            Self::Viridis => colorous::VIRIDIS,
            Self::Inferno => colorous::INFERNO,
            Self::Magma => colorous::MAGMA,
        };
        Rgb(gradient.eval_continuous(f64::from(heat)).as_array())
    }

    /// The colours of 256 even steps from 0 to 1.
    pub(super) fn table(self) -> [Rgb<u8>; 256] {
        std::array::from_fn(|level| self.color(level as f32 / 255.0))
    }
}

/// As OpenCV's `COLORMAP_JET` and MATLAB's `jet`. `heat`: 0 to 1.
fn jet(heat: f32) -> Rgb<u8> {
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
        let jet = |heat| Colormap::Jet.color(heat);
        assert_eq!(jet(0.0), Rgb([0, 0, 128]));
        assert_eq!(jet(0.5), Rgb([128, 255, 128]));
        assert_eq!(jet(1.0), Rgb([128, 0, 0]));
        assert_eq!(jet(0.375), Rgb([0, 255, 255]), "cyan");
        assert_eq!(jet(f32::INFINITY), jet(1.0));
    }

    #[test]
    fn the_others_have_their_known_ends() {
        // First and last entries of matplotlib's tables.
        let ends = |map: Colormap| [map.color(-1.0).0, map.color(1.0).0];
        assert_eq!(ends(Colormap::Viridis), [[68, 1, 84], [253, 231, 37]]);
        assert_eq!(ends(Colormap::Inferno), [[0, 0, 4], [252, 255, 164]]);
        assert_eq!(ends(Colormap::Magma), [[0, 0, 4], [252, 253, 191]]);
        assert_eq!(ends(Colormap::Gray), [[0; 3], [255; 3]]);
        let [cold, hot] = ends(Colormap::Turbo);
        assert!(cold[0] < 60 && cold[1] < 40 && hot[0] > 100 && hot[1] < 30, "{cold:?} {hot:?}");
    }

    #[test]
    fn brightness_rises_where_a_colormap_is_even() {
        for map in [Colormap::Viridis, Colormap::Inferno, Colormap::Magma, Colormap::Gray] {
            let luma =
                |color: &Rgb<u8>| 299 * i32::from(color[0]) + 587 * i32::from(color[1]) + 114 * i32::from(color[2]);
            let table = map.table();
            assert!(table.windows(2).all(|pair| luma(&pair[1]) >= luma(&pair[0]) - 1000), "{map:?}");
        }
    }
}
