//! A finished map, whether it says anything, and its way to the pixels of the network's input.

use ndarray::Array2;
use tch::{Kind, Tensor};

use crate::{error::Result, geometry::Size, tensor::to_array2};

/// Why a map says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoSignal {
    /// The box's head does not depend on the layer: its gradient there is exactly zero.
    HeadUnseen,
    /// No cell is above zero: all that the layer says speaks against the box.
    NothingPositive,
    /// All cells are the same.
    Constant,
    /// Some cell is infinite or no number.
    NotFinite,
}

/// A map of what a detection depends on, one cell per feature cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Heatmap {
    values: Array2<f32>,
    peak: f32,
    no_signal: Option<NoSignal>,
}

/// Differences below this share of the peak are rounding.
const RELATIVE_GUARD: f32 = 1e-6;

impl Heatmap {
    /// Takes the positive part of a method's result.
    ///
    /// `raw`: `[h, w]`, not empty.
    pub fn new(raw: Array2<f32>) -> Self {
        let is_finite = raw.iter().all(|value| value.is_finite());
        let values = raw.mapv_into(|value| value.max(0.0));
        let peak = values.iter().copied().fold(0.0, f32::max);
        let least = values.iter().copied().fold(f32::INFINITY, f32::min);
        let no_signal = if !is_finite {
            Some(NoSignal::NotFinite)
        } else if peak <= 0.0 {
            Some(NoSignal::NothingPositive)
        } else if peak - least <= RELATIVE_GUARD * peak {
            Some(NoSignal::Constant)
        } else {
            None
        };
        Self { values, peak, no_signal }
    }

    /// The map of a box whose head does not depend on the layer: zeros, `[h, w]`.
    pub fn unseen(cells: (usize, usize)) -> Self {
        Self { values: Array2::zeros(cells), peak: 0.0, no_signal: Some(NoSignal::HeadUnseen) }
    }

    /// The same cells in the same order with another contrast: (x ÷ peak)^`exponent`.
    pub(super) fn sharpened(self, exponent: f32) -> Self {
        match self.no_signal {
            Some(_) => self,
            None => {
                let peak = self.peak;
                Self::new(self.values.mapv_into(|value| (value / peak).powf(exponent)))
            }
        }
    }

    /// `[h, w]` ≥ 0, not normalised. Meaningless where [`no_signal`](Self::no_signal) is.
    pub fn values(&self) -> &Array2<f32> {
        &self.values
    }

    /// The largest value before normalising, in the method's own unit.
    pub fn peak(&self) -> f32 {
        self.peak
    }

    /// Why the map says nothing, if so.
    pub fn no_signal(&self) -> Option<NoSignal> {
        self.no_signal
    }

    /// The map at `size` (that of the network's input), in its own unit: upsampled bilinearly, corners not aligned.
    ///
    /// # Errors
    /// [`crate::Error::Libtorch`] if there is not enough memory.
    pub fn upsampled(&self, size: Size) -> Result<Array2<f32>> {
        to_array2(&self.upsampled_tensor(size)?)
    }

    /// `[H, W]`.
    fn upsampled_tensor(&self, size: Size) -> Result<Tensor> {
        let (h, w) = self.values.dim();
        let small = Tensor::try_from(&self.values)?.f_view([1, 1, h as i64, w as i64])?.f_to_kind(Kind::Float)?;
        let large = small.f_upsample_bilinear2d([i64::from(size.height), i64::from(size.width)], false, None, None)?;
        Ok(large.f_flatten(0, 2)?)
    }

    /// The map at `size` (that of the network's input), from 0 to 1: [`upsampled`](Self::upsampled),
    /// then (x − min)/(max − min). All zeros where there is no signal.
    ///
    /// # Errors
    /// [`crate::Error::Libtorch`] if there is not enough memory.
    pub fn normalized(&self, size: Size) -> Result<Array2<f32>> {
        let (height, width) = (size.height as usize, size.width as usize);
        if self.no_signal.is_some() {
            return Ok(Array2::zeros((height, width)));
        }
        let map = self.upsampled_tensor(size)?;
        let (least, most) = map.f_aminmax(None, false)?;
        to_array2(&map.f_sub(&least)?.f_div(&(most - least))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn a_map_without_signal_says_why() {
        let why = |raw| Heatmap::new(raw).no_signal();
        assert_eq!(why(array![[-1.0, 0.0]]), Some(NoSignal::NothingPositive));
        assert_eq!(why(array![[2.0, 2.0]]), Some(NoSignal::Constant));
        assert_eq!(why(array![[2.0, f32::NAN]]), Some(NoSignal::NotFinite));
        assert_eq!(why(array![[2.0, f32::INFINITY]]), Some(NoSignal::NotFinite));
        assert_eq!(why(array![[1.0e-30, 3.0e-30]]), None, "the guard is relative");
    }

    #[test]
    fn a_map_is_upsampled_and_reaches_from_0_to_1() {
        let map = Heatmap::new(array![[-5.0, 4.0]]);
        assert_eq!(map.peak(), 4.0);
        // Bilinear, corners not aligned: 0, 1, 3, 4 of 4.
        let large = map.normalized(Size { width: 4, height: 2 }).unwrap();
        assert_eq!(large, array![[0.0, 0.25, 0.75, 1.0], [0.0, 0.25, 0.75, 1.0]]);
    }

    #[test]
    fn no_signal_gives_zeros_and_no_division_by_zero() {
        let map = Heatmap::new(array![[0.0, -1.0]]).normalized(Size { width: 3, height: 3 }).unwrap();
        assert_eq!(map, Array2::<f32>::zeros((3, 3)));
    }
}
