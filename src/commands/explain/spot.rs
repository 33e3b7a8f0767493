//! Whether a place that the user points at lies in a picture.

use anyhow::{Result, bail};
use yolo_cam::{
    detect::Spot,
    geometry::{BBox, Size},
};

use crate::cli::numbers_of;

/// Whether a place lies in a picture of so many pixels, in pixels.
pub fn check_spot(spot: &Spot, (width, height): (u32, u32)) -> Result<()> {
    let (w, h) = (width as f32, height as f32);
    let (flag, is_share, in_pixels, is_inside) = match *spot {
        Spot::Point([x, y]) => {
            let is_share = is_shares(&[x, y]) && (x.fract() != 0.0 || y.fract() != 0.0);
            let in_pixels = Spot::Point([(x * w).round(), (y * h).round()]);
            ("--point", is_share, in_pixels, (0.0..=w).contains(&x) && (0.0..=h).contains(&y))
        }
        Spot::Box(b) => {
            let pixels = [b.x1 * w, b.y1 * h, b.x2 * w, b.y2 * h].map(f32::round);
            let is_inside = b.clipped(Size { width, height }).area() > 0.0;
            ("--box", is_shares(&<[f32; 4]>::from(b)), Spot::Box(BBox::from(pixels)), is_inside)
        }
    };
    let given = numbers_of(spot);
    if is_share && width.min(height) > 1 {
        bail!(
            "{flag} {given} looks like fractions of the picture, but {flag} takes pixels; for this picture use {flag} {}",
            numbers_of(&in_pixels)
        );
    }
    if !is_inside {
        bail!("{flag} {given} lies outside the picture, which is {width}x{height} pixels");
    }
    Ok(())
}

fn is_shares(numbers: &[f32]) -> bool {
    numbers.iter().all(|number| (0.0..=1.0).contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(spot: Spot) -> Result<(), String> {
        check_spot(&spot, (768, 576)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_box_in_shares_or_outside_is_told_with_what_it_would_be() {
        let check = |sides: [f32; 4]| check(Spot::Box(BBox::from(sides)));
        assert_eq!(check([60.0, 100.0, 500.0, 420.0]), Ok(()));
        assert_eq!(check([-20.0, 100.0, 900.0, 420.0]), Ok(()), "a part of it is inside");
        assert_eq!(
            check([0.1, 0.25, 0.5, 1.0]),
            Err("--box 0.1,0.25,0.5,1 looks like fractions of the picture, but --box takes pixels; for this picture use --box \
                 77,144,384,576"
                .to_owned())
        );
        let outside = check([800.0, 10.0, 900.0, 20.0]).unwrap_err();
        assert_eq!(outside, "--box 800,10,900,20 lies outside the picture, which is 768x576 pixels");
    }

    #[test]
    fn so_is_a_point() {
        let check = |point: [f32; 2]| check(Spot::Point(point));
        for inside in [[300.0, 200.5], [0.0, 0.0], [1.0, 1.0], [768.0, 576.0]] {
            assert_eq!(check(inside), Ok(()), "{inside:?}");
        }
        assert_eq!(
            check([0.5, 0.25]),
            Err("--point 0.5,0.25 looks like fractions of the picture, but --point takes pixels; for this picture use --point \
                 384,144"
                .to_owned())
        );
        for outside in [[-1.0, 5.0], [769.0, 5.0], [5.0, 577.0]] {
            assert!(check(outside).unwrap_err().ends_with("lies outside the picture, which is 768x576 pixels"));
        }
    }
}
