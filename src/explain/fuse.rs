//! Several maps made into one.

use ndarray::Array2;

use super::Heatmap;
use crate::{error::Result, geometry::Size};

/// How the normalised maps of several layers become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Fuse {
    /// Their mean
    #[default]
    Mean,
    /// The largest of them
    Max,
    /// Their product: what all of them show
    Product,
}

impl Fuse {
    /// All ways.
    pub const ALL: [Self; 3] = [Self::Mean, Self::Max, Self::Product];

    /// The name in options and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Max => "max",
            Self::Product => "product",
        }
    }
}

/// Joins maps at the resolution of the finest: each from 0 to 1, those without signal left out. Where none has one, the
/// first is returned as it is.
///
/// # Errors
/// [`crate::Error::Libtorch`] if a map can't be scaled.
pub(super) fn fused(mut maps: Vec<Heatmap>, fuse: Fuse) -> Result<Heatmap> {
    if maps.iter().any(|map| map.no_signal().is_none()) {
        maps.retain(|map| map.no_signal().is_none());
    } else {
        maps.truncate(1);
    }
    if maps.len() == 1 {
        return Ok(maps.remove(0));
    }
    let finest = |side: fn((usize, usize)) -> usize| maps.iter().map(|map| side(map.values().dim())).max();
    let (height, width) = (finest(|dim| dim.0).unwrap_or(1), finest(|dim| dim.1).unwrap_or(1));
    let size = Size { width: width as u32, height: height as u32 };
    let mut joined: Option<Array2<f32>> = None;
    for map in &maps {
        let map = map.normalized(size)?;
        joined = Some(match joined {
            None => map,
            Some(joined) => match fuse {
                Fuse::Mean => joined + map,
                Fuse::Product => joined * map,
                Fuse::Max => ndarray::Zip::from(&joined).and(&map).map_collect(|&a, &b| f32::max(a, b)),
            },
        });
    }
    let joined = joined.unwrap_or_default();
    Ok(Heatmap::new(if fuse == Fuse::Mean { joined / maps.len() as f32 } else { joined }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::NoSignal;
    use ndarray::array;

    #[test]
    fn maps_are_joined_normalised_at_the_finest_resolution() {
        let coarse = || Heatmap::new(array![[0.0, 8.0]]);
        let fine = || Heatmap::new(array![[2.0, 0.0, 0.0, 2.0]]);
        // The coarse one upsampled: 0, 1/4, 3/4, 1.
        let join = |fuse| fused(vec![coarse(), fine()], fuse).unwrap().values().clone();
        assert_eq!(join(Fuse::Mean), array![[0.5, 0.125, 0.375, 1.0]]);
        assert_eq!(join(Fuse::Max), array![[1.0, 0.25, 0.75, 1.0]]);
        assert_eq!(join(Fuse::Product), array![[0.0, 0.0, 0.0, 1.0]]);
    }

    #[test]
    fn maps_without_signal_are_left_out_unless_all_are() {
        let empty = || Heatmap::new(array![[-1.0, 0.0]]);
        let map = Heatmap::new(array![[0.0, 3.0]]);
        assert_eq!(fused(vec![empty(), map.clone()], Fuse::Product).unwrap(), map);
        assert_eq!(fused(vec![empty(), empty()], Fuse::Mean).unwrap().no_signal(), Some(NoSignal::NothingPositive));
    }
}
