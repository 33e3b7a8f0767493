//! Sizes of the input that the constants in a trace suggest.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use crate::{geometry::Size, limits::Limits};

/// Strides that maps may have, and how usual they are for those that are reshaped.
const STRIDES: [(i64, usize); 6] = [(8, 2), (16, 2), (32, 2), (4, 1), (64, 1), (2, 1)];

/// How many sizes are suggested at most.
const MOST: usize = 32;

/// How many lists of numbers are looked at: of long sources those that come first.
const MOST_LISTS: usize = 20_000;

/// The sizes at which maps are as large as lists of numbers in the sources say, as `x.view([1, 2, 58, 40, 40])`, and as the maps
/// among the shapes of constants are: what code takes from `x.data.size()` is the size of a map that the trace holds. First those
/// that most maps fit.
pub(super) fn sizes<'a>(sources: impl IntoIterator<Item = &'a String>, shapes: &[Vec<u64>]) -> Vec<Size> {
    let lists = sources.into_iter().flat_map(|text| text.split('[').skip(1)).take(MOST_LISTS);
    let held = shapes.iter().take(MOST_LISTS).filter_map(|shape| match *shape.as_slice() {
        [1, _, rows, columns] => Some([i64::try_from(rows).ok()?, i64::try_from(columns).ok()?]),
        _ => None,
    });
    let maps: BTreeSet<[i64; 2]> = lists.flat_map(maps).chain(held.filter(is_map)).collect();
    let mut votes: BTreeMap<[u32; 2], usize> = BTreeMap::new();
    for &[rows, columns] in &maps {
        for (stride, weight) in STRIDES {
            let side = |cells: i64| cells.checked_mul(stride).and_then(|side| u32::try_from(side).ok());
            let is_sound = |side: &u32| (32..=Limits::TRACED_SIDE).contains(side);
            if let (Some(height), Some(width)) = (side(rows).filter(is_sound), side(columns).filter(is_sound)) {
                *votes.entry([height, width]).or_default() += weight;
            }
        }
    }
    let mut found: Vec<_> = votes.into_iter().collect();
    found.sort_by_key(|&(_, votes)| Reverse(votes));
    found.into_iter().take(MOST).map(|([height, width], _)| Size { width, height }).collect()
}

/// Rows and columns of the map that a list may be the shape of: its last two numbers, or, where cells are in a row, the square
/// of as many. `list`: what stands behind its bracket.
fn maps(list: &str) -> Vec<[i64; 2]> {
    let Some((list, _)) = list.split_once(']') else { return Vec::new() };
    // What is computed stands in front, as the number of pictures does.
    let mut numbers = list.rsplit(',').map_while(|number| number.trim().parse::<i64>().ok());
    let (Some(last), before) = (numbers.next(), numbers.next()) else { return Vec::new() };
    let side = last.checked_isqrt().filter(|side| side * side == last);
    let apart = before.map(|before| [before, last]);
    apart.into_iter().chain(side.map(|side| [side, side])).filter(is_map).collect()
}

/// A map of one row says nothing.
fn is_map(map: &[i64; 2]) -> bool {
    map.iter().all(|&cells| cells > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_in_the_source_suggest_sizes() {
        let source = "
            _1 = torch.view(x, [1, 2, 58, 40, 40])
            _2 = torch.view(_1, [1, -1, 40, 40])
            _3 = torch.view(_2, [int(n), 2, 116, 20, 20])
            _4 = torch.conv2d(_3, w, b, [1, 1], [0, 0], [1, 1])"
            .to_owned();
        assert_eq!(sizes([&source], &[])[0], Size::square(320));
        let source = "_1 = torch.view(x, [1, 2, 58, 24, 32])\n_2 = torch.view(x, [1, 2, 58, 12, 16])".to_owned();
        assert_eq!(sizes([&source], &[])[0], Size { width: 256, height: 192 });
        let source = "_1 = torch.reshape(x, [58, 2, 1600])".to_owned();
        assert!(sizes([&source], &[]).contains(&Size::square(320)));
    }

    #[test]
    fn maps_that_a_trace_holds_suggest_sizes() {
        let maps = [vec![1, 232, 6, 8], vec![1, 116, 12, 16], vec![1, 58, 24, 32]];
        let shapes = [&maps[..], &[vec![64, 32, 3, 3], vec![1, 1, u64::MAX, 2], vec![]]].concat();
        assert_eq!(sizes([], &shapes)[0], Size { width: 256, height: 192 });
    }

    #[test]
    fn any_text_suggests_few_sizes_or_none() {
        for text in ["", "[", "]", "[,]", "[-1, -1]", "[0, 0]", "[99999999999999999999, 5]", "[9223372036854775807, 1]"]
        {
            assert!(sizes([&text.to_owned()], &[]).is_empty(), "{text}");
        }
        let many: String = (1..2000).map(|side| format!("[1, {side}, {side}]")).collect();
        assert_eq!(sizes([&many], &[]).len(), MOST);
    }
}
