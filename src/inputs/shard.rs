//! Which inputs a shard has: the same whatever the machine.

use std::{cmp::Reverse, collections::BinaryHeap, fs, num::NonZeroU32};

use sha2::{Digest, Sha256};

use super::{Source, SourceKind, Unusable};
use crate::output::{Inputs, Shard, ShardBy};

/// Of each input whether it is the shard's own. A video is one, and so is what leads to no picture: it is told once.
pub fn own_inputs(sources: &[Result<Source, Unusable>], shard: &Shard) -> Vec<bool> {
    let owners = match shard.by {
        ShardBy::Number => by_number(sources.len(), shard.of),
        ShardBy::Size => by_size(&sizes(sources), shard.of),
    };
    owners.into_iter().map(|owner| owner == shard.number - 1).collect()
}

/// What tells these inputs from all others, if each `every`-th frame is taken of videos.
pub fn inputs_of(sources: &[Result<Source, Unusable>], every: NonZeroU32, shard: &Shard) -> Inputs {
    let mut sum = Sha256::new();
    let mut add = |part: &[u8]| {
        sum.update((part.len() as u64).to_le_bytes());
        sum.update(part);
    };
    add(&every.get().to_le_bytes());
    for source in sources {
        match source {
            Ok(Source { path, below, .. }) => {
                add(path.as_os_str().as_encoded_bytes());
                add(below.as_os_str().as_encoded_bytes());
            }
            Err(Unusable { input, .. }) => add(input.as_bytes()),
        }
    }
    if shard.by == ShardBy::Size {
        // A part may have other inputs once a file has another size.
        sizes(sources).into_iter().for_each(|size| add(&size.unwrap_or(u64::MAX).to_le_bytes()));
    }
    Inputs { count: sources.len(), digest: hex::encode(sum.finalize()) }
}

/// Of each input, in bytes, as far as that is known.
fn sizes(sources: &[Result<Source, Unusable>]) -> Vec<Option<u64>> {
    let size = |source: &Result<Source, Unusable>| match source {
        Ok(Source { kind: SourceKind::Remote, .. }) => None,
        Ok(source) => fs::metadata(&source.path).ok().map(|found| found.len()),
        Err(_) => Some(0),
    };
    sources.iter().map(size).collect()
}

/// The part of each of `count` inputs, from 0: they are dealt out like cards, since neighbours are often alike.
fn by_number(count: usize, parts: u32) -> Vec<u32> {
    (0..parts).cycle().take(count).collect()
}

/// The same by size: the largest first, each to the part that has least so far. An unknown size counts as the mean.
fn by_size(sizes: &[Option<u64>], parts: u32) -> Vec<u32> {
    let known = sizes.iter().flatten().count().max(1) as u128;
    let mean = sizes.iter().flatten().map(|&size| u128::from(size)).sum::<u128>() / known;
    let size = |index: usize| sizes[index].map_or(mean, u128::from);
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|&index| (Reverse(size(index)), index));
    // What has no size still takes time: of parts that are as large, the one with fewer inputs is next.
    let mut least: BinaryHeap<Reverse<(u128, usize, u32)>> = (0..parts).map(|part| Reverse((0, 0, part))).collect();
    let mut owners = vec![0; sizes.len()];
    for index in order {
        let Some(Reverse((total, count, part))) = least.pop() else { break };
        owners[index] = part;
        least.push(Reverse((total + size(index), count + 1, part)));
    }
    owners
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::*;

    fn picture(name: &str) -> Result<Source, Unusable> {
        Ok(Source { path: PathBuf::from(name), kind: SourceKind::Picture, below: PathBuf::new() })
    }

    proptest! {
        #[test]
        fn parts_by_number_are_disjoint_complete_and_balanced(count in 0..200usize, of in 1..=40u32) {
            let sources: Vec<_> = (0..count).map(|index| picture(&format!("{index}.jpg"))).collect();
            let own = |number: u32| own_inputs(&sources, &Shard { number, of, by: ShardBy::Number });
            let parts: Vec<Vec<bool>> = (1..=of).map(own).collect();
            for index in 0..count {
                prop_assert_eq!(parts.iter().filter(|part| part[index]).count(), 1);
            }
            let counts = parts.iter().map(|part| part.iter().filter(|&&is_own| is_own).count());
            let (least, most) = (counts.clone().min().unwrap(), counts.max().unwrap());
            prop_assert!(most - least <= 1);
        }

        #[test]
        fn parts_by_size_differ_by_one_file_at_most(
            sizes in prop::collection::vec(prop::option::of(0..1_000_000u64), 0..200),
            of in 1..=40u32,
        ) {
            let owners = by_size(&sizes, of);
            prop_assert!(owners.len() == sizes.len() && owners.iter().all(|&owner| owner < of));
            prop_assert_eq!(&owners, &by_size(&sizes, of));
            let known = sizes.iter().flatten().count().max(1) as u64;
            let mean = sizes.iter().flatten().sum::<u64>() / known;
            let mut totals = vec![0u64; of as usize];
            owners.iter().zip(&sizes).for_each(|(&owner, size)| totals[owner as usize] += size.unwrap_or(mean));
            let largest = sizes.iter().map(|size| size.unwrap_or(mean)).max().unwrap_or(0);
            let (least, most) = (totals.iter().min().unwrap(), totals.iter().max().unwrap());
            prop_assert!(most - least <= largest, "{totals:?}");
        }
    }

    #[test]
    fn inputs_without_a_size_are_dealt_out_by_number() {
        let mut owners = by_size(&[None; 12], 4);
        owners.sort_unstable();
        assert_eq!(owners, [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]);
    }

    #[test]
    fn another_list_has_another_digest() {
        let shard = Shard { number: 1, of: 2, by: ShardBy::Number };
        let digest = |names: &[&str], every: u32| {
            let sources: Vec<_> = names.iter().map(|name| picture(name)).collect();
            inputs_of(&sources, NonZeroU32::new(every).unwrap(), &shard)
        };
        let usual = digest(&["a.jpg", "b.jpg"], 1);
        assert_eq!(usual, digest(&["a.jpg", "b.jpg"], 1));
        for other in [digest(&["b.jpg", "a.jpg"], 1), digest(&["a.jpg"], 1), digest(&["a.jpg", "b.jpg"], 2)] {
            assert_ne!(usual, other);
        }
    }
}
