//! A run in parts: several processes, maybe on several machines, each explain a part of the pictures, and `yolo-cam merge` joins
//! what they leave. Each has a journal of its own, so that nothing is written by two.

mod head;
mod journal;
mod parts;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::{
    head::{Inputs, Mismatch, ShardHead},
    journal::{EarlierLines, ShardJournal, ShardLine},
    parts::{Part, Parts, Told, find},
};

/// One of the parts of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// From 1 to `of`.
    pub number: u32,
    pub of: u32,
    pub by: ShardBy,
}

/// What parts have about the same of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ShardBy {
    /// The same number of inputs in each part
    #[default]
    Number,
    /// About the same total size of files in each part
    Size,
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

/// What stands in the names of the journals of shards behind that of the run, and before the number.
const MARK: &str = ".shard-";

impl Shard {
    /// `shard-3-of-16`
    pub fn name(&self) -> String {
        format!("shard-{}-of-{}", self.number, self.of)
    }

    /// What its journal is called. `command`: whose.
    pub fn journal_name(&self, command: &str) -> String {
        format!("{}.{}.jsonl", journal_stem(command), self.name())
    }
}

/// Whether a file is called like the journal of a shard.
pub fn is_journal(name: &str) -> bool {
    let stem = name.strip_suffix(".jsonl").and_then(|stem| stem.split_once(MARK));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    stem.and_then(|(_, rest)| rest.split_once("-of-")).is_some_and(|(a, b)| is_number(a) && is_number(b))
}

/// Whether a file is called like the journal of a shard of this command.
pub fn is_journal_of(name: &str, command: &str) -> bool {
    is_journal(name) && name.strip_prefix(journal_stem(command)).is_some_and(|rest| rest.starts_with(MARK))
}

fn journal_stem(command: &str) -> &str {
    // Explaining is what the program does without a command.
    if command == EXPLAIN { ".yolo-cam" } else { command }
}

/// What journals of shards call the main job, which has no command.
pub const EXPLAIN: &str = "explain";

/// When the turn of a picture comes in the whole run: the number of its input, that of the picture among those of the input, which is 0 but
/// for frames, and that of the record among those of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Turn(pub usize, pub usize, pub usize);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn journals_of_shards_are_known_by_their_names() {
        let shard = Shard { number: 3, of: 16, by: ShardBy::Number };
        assert_eq!(shard.journal_name(EXPLAIN), ".yolo-cam.shard-3-of-16.jsonl");
        assert_eq!(shard.journal_name("eval"), "eval.shard-3-of-16.jsonl");
        assert!(
            is_journal_of(&shard.journal_name(EXPLAIN), EXPLAIN) && !is_journal_of("eval.shard-3-of-16.jsonl", EXPLAIN)
        );
        for name in [".yolo-cam.jsonl", "eval.jsonl", ".yolo-cam.shard-3-of-16.lock", "a.shard-b-of-c.jsonl"] {
            assert!(!is_journal(name), "{name}");
        }
    }
}
