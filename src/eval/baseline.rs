//! Maps that know nothing of the model. A method that does not beat them says nothing.

use image::RgbImage;
use ndarray::Array2;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

use crate::geometry::{BBox, Size};

/// Independent values from 0 to 1, `[H, W]`. The same `seed` and `index` give the same map.
pub fn random_map(size: Size, seed: u64, index: u64) -> Array2<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(index);
    // 24 bits, as a f32 holds them.
    let value = |_| (random.next_u32() >> 8) as f32 / (1 << 24) as f32;
    Array2::from_shape_fn((size.height as usize, size.width as usize), value)
}

/// A seed of a picture's own, whatever it is called and wherever it stands: FNV-1a of `seed` and its pixels.
pub fn picture_seed(picture: &RgbImage, seed: u64) -> u64 {
    let bytes = seed.to_le_bytes();
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().chain(picture.as_raw()).fold(0xcbf2_9ce4_8422_2325, mix)
}

/// A Gaussian on the centre of the box, `[H, W]`, with a quarter of the box's sides as standard deviations: 1 in the centre.
pub fn gaussian_map(size: Size, b: &BBox) -> Array2<f32> {
    let (x, y) = (f32::midpoint(b.x1, b.x2), f32::midpoint(b.y1, b.y2));
    let deviation = |side: f32| (side / 4.0).max(0.5);
    let (dx, dy) = (deviation(b.x2 - b.x1), deviation(b.y2 - b.y1));
    let along = |at: usize, centre: f32, deviation: f32| ((at as f32 + 0.5 - centre) / deviation).powi(2);
    Array2::from_shape_fn((size.height as usize, size.width as usize), |(row, column)| {
        (-(along(column, x, dx) + along(row, y, dy)) / 2.0).exp()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::metrics::{energy_pointing_game, pointing_game};

    const SIZE: Size = Size { width: 200, height: 100 };
    const B: BBox = BBox { x1: 20.0, y1: 10.0, x2: 120.0, y2: 60.0 };

    #[test]
    fn a_random_map_has_the_boxs_share_of_the_picture_in_the_box() {
        let share = energy_pointing_game(random_map(SIZE, 0, 0).view(), &B);
        assert!((share - 0.25).abs() < 0.01, "{share}");
        assert_eq!(random_map(SIZE, 3, 1), random_map(SIZE, 3, 1));
        assert_ne!(random_map(SIZE, 3, 1), random_map(SIZE, 3, 2));
    }

    #[test]
    fn a_gaussian_points_into_the_box_and_has_most_of_itself_there() {
        let map = gaussian_map(SIZE, &B);
        assert_eq!(pointing_game(map.view(), &B), 1.0);
        // Two standard deviations to each side: erf(√2)² = 0.911.
        let share = energy_pointing_game(map.view(), &B);
        assert!((share - 0.911).abs() < 0.01, "{share}");
    }
}
