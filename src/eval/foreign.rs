//! Maps that another program made, from files: so that they can be measured as the methods' own are.

use std::{
    ops::Range,
    path::{Path, PathBuf},
};

use ndarray::{Array2, s};

use crate::{
    error::Result,
    explain::{Heatmap, NoSignal},
    geometry::LetterboxMap,
    shape::read_heat,
};

/// Endings of the names of maps; `map.png` is that of `--raw png16`.
const ENDINGS: [&str; 3] = ["npy", "map.png", "png"];

/// A map of a box from a file.
#[derive(Debug, Clone)]
pub struct ForeignMap {
    /// The map over the network's input: zero where that shows nothing of the picture.
    pub heatmap: Heatmap,
    /// In one line, why it says nothing, if so.
    pub reason: Option<String>,
    /// Whether there is no file for this box.
    pub is_missing: bool,
}

/// The maps in `folder` of the first `count` boxes of a picture, most confident first.
///
/// Of box `index` the first of these files that there is: `STEM-res-INDEX.npy` (`.map.png`, `.png`), as `--raw` names maps;
/// else `STEM.npy` (`.map.png`, `.png`), one map for all boxes of the picture. A map covers the whole picture whatever its
/// size, without padding; what is below zero counts as zero. It is scaled to the network's input bilinearly.
///
/// `stem`: the name of the picture without its ending, behind its folder below `folder` if it lies in one; `letterbox`: how the
/// picture lies in the input.
///
/// # Errors
/// [`crate::Error::Io`] if a file can't be read, [`crate::Error::Picture`] if it holds no map.
pub fn foreign_maps(folder: &Path, stem: &str, count: usize, letterbox: &LetterboxMap) -> Result<Vec<ForeignMap>> {
    let file = |name: &str| -> Option<PathBuf> {
        let paths = ENDINGS.iter().map(|ending| folder.join(format!("{name}.{ending}")));
        paths.into_iter().find(|path| path.exists())
    };
    let read = |path: PathBuf| over_input(&read_heat(&path)?, &path, letterbox);
    let mut of_all: Option<ForeignMap> = None;
    let mut maps = Vec::with_capacity(count);
    for index in 0..count {
        if let Some(path) = file(&format!("{stem}-res-{index}")) {
            maps.push(read(path)?);
            continue;
        }
        if of_all.is_none() {
            of_all = file(stem).map(read).transpose()?;
        }
        maps.push(of_all.clone().unwrap_or_else(|| missing(folder, stem)));
    }
    Ok(maps)
}

fn missing(folder: &Path, stem: &str) -> ForeignMap {
    let reason = format!("no map in {folder:?}; expected {stem}-res-INDEX.npy or {stem}.npy (or .png)");
    ForeignMap { heatmap: Heatmap::new(Array2::zeros((1, 1))), reason: Some(reason), is_missing: true }
}

/// A map `[h, w]` of the whole picture, over the network's input.
fn over_input(map: &Array2<f32>, path: &Path, letterbox: &LetterboxMap) -> Result<ForeignMap> {
    let whole = Heatmap::new(map.clone());
    let heatmap = if whole.no_signal().is_some() { whole } else { Heatmap::new(padded(&whole, letterbox)?) };
    let reason = heatmap.no_signal().map(|why| match why {
        NoSignal::NotFinite => format!("{path:?} has infinite or undefined values (NaN)"),
        NoSignal::Constant => format!("all values of {path:?} are the same"),
        NoSignal::NothingPositive | NoSignal::HeadUnseen => format!("no value of {path:?} is above zero"),
    });
    Ok(ForeignMap { heatmap, reason, is_missing: false })
}

/// `[H, W]` of the input: the map at the scale of the picture there, with zeros around it, or cut where it is larger.
fn padded(whole: &Heatmap, letterbox: &LetterboxMap) -> Result<Array2<f32>> {
    let scaled = whole.upsampled(letterbox.scaled)?;
    let mut padded = Array2::zeros((letterbox.input.height as usize, letterbox.input.width as usize));
    let (columns, rows) = letterbox.shown();
    let in_input = |part: Range<u32>| part.start as usize..part.end as usize;
    let in_picture = |part: Range<u32>, pad: i32| {
        let place = |at: u32| (i64::from(at) - i64::from(pad)) as usize;
        place(part.start)..place(part.end)
    };
    let part = s![in_picture(rows.clone(), letterbox.pad_y), in_picture(columns.clone(), letterbox.pad_x)];
    padded.slice_mut(s![in_input(rows), in_input(columns)]).assign(&scaled.slice(part));
    Ok(padded)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::{
        geometry::Size,
        report::{RawFormat, write_raw},
    };

    /// A picture of 4x2 in the middle of an input of 4x4.
    fn letterbox() -> LetterboxMap {
        let scaled = Size { width: 4, height: 2 };
        LetterboxMap { input: Size { width: 4, height: 4 }, pad_y: 1, ..LetterboxMap::identity(scaled) }
    }

    #[test]
    fn a_map_covers_the_picture_whatever_its_size() {
        let folder = tempfile::tempdir().unwrap();
        write_raw(&folder.path().join("a-res-0.npy"), &array![[-5.0f32, 4.0]], RawFormat::Npy).unwrap();
        write_raw(&folder.path().join("a.map.png"), &array![[0.0f32, 1.0], [0.0, 1.0]], RawFormat::Png16).unwrap();
        let maps = foreign_maps(folder.path(), "a", 3, &letterbox()).unwrap();
        // Bilinear, corners not aligned, with nothing in the padding.
        let row = [0.0, 1.0, 3.0, 4.0];
        assert_eq!(*maps[0].heatmap.values(), array![[0.0; 4], row, row, [0.0; 4]]);
        for map in &maps[1..] {
            assert_eq!((&map.reason, map.is_missing), (&None, false), "one for all others");
            assert_eq!(*map.heatmap.values(), maps[0].heatmap.values() / 4.0 * 65_535.0);
        }
    }

    #[test]
    fn what_a_square_cuts_off_is_cut_off() {
        let scaled = Size { width: 4, height: 2 };
        let cut = LetterboxMap { input: Size { width: 2, height: 2 }, pad_x: -1, ..LetterboxMap::identity(scaled) };
        let map = over_input(&array![[0.0, 1.0, 2.0, 3.0]], Path::new("a.npy"), &cut).unwrap();
        assert_eq!(*map.heatmap.values(), array![[1.0, 2.0], [1.0, 2.0]]);
    }

    #[test]
    fn maps_that_say_nothing_are_told_and_so_are_missing_ones() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, map: &Array2<f32>| write_raw(&folder.path().join(name), map, RawFormat::Npy).unwrap();
        write("a-res-0.npy", &array![[0.0, -1.0]]);
        write("a-res-1.npy", &array![[0.0, f32::NAN]]);
        write("a-res-2.npy", &array![[2.0, 2.0]]);
        let maps = foreign_maps(folder.path(), "a", 4, &letterbox()).unwrap();
        let told = ["is above zero", "undefined values", "are the same", "expected a-res-INDEX.npy or a.npy"];
        for (map, told) in maps.iter().zip(told) {
            let reason = map.reason.as_deref().unwrap();
            assert!(reason.contains(told), "{reason}");
            assert!(map.heatmap.no_signal().is_some());
        }
        assert_eq!(maps.iter().map(|map| map.is_missing).collect::<Vec<_>>(), [false, false, false, true]);
    }

    #[test]
    fn colours_are_no_heat() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        image::RgbImage::from_pixel(3, 2, image::Rgb([0, 0, 255])).save(&path).unwrap();
        let error = foreign_maps(folder.path(), "a", 1, &letterbox()).unwrap_err().to_string();
        assert!(error.contains("colours") && error.contains("a.png"), "{error}");
        let grey = |x: u32, _: u32| image::Rgb([x as u8; 3]);
        image::RgbImage::from_fn(4, 2, grey).save(&path).unwrap();
        assert_eq!(foreign_maps(folder.path(), "a", 1, &letterbox()).unwrap()[0].reason, None);
    }
}
