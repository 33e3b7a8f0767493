//! What the journal of a shard begins with: all that tells runs apart, and what reports say of them.

use std::collections::BTreeSet;

use anyhow::Context;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::Shard;

/// A longer value says nothing in a line.
const LONGEST: usize = 40;

/// The inputs of the whole run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inputs {
    /// How many there are.
    pub count: usize,
    /// Tells their list from all others.
    pub digest: String,
}

/// What is not the same in two runs.
#[derive(Debug)]
pub struct Mismatch {
    pub what: String,
    /// Of the one and of the other, unless they are too long to say anything in a line.
    pub values: Option<[String; 2]>,
}

/// The first line of the journal of a shard.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ShardHead {
    /// The version.
    pub yolo_cam: String,
    pub command: String,
    pub shard: Shard,
    pub inputs: Inputs,
    /// Reports that are wanted in the end.
    pub reports: Vec<String>,
    /// All that results depend on, but for the picture.
    pub settings: Map<String, Value>,
    /// What reports say of the run.
    pub facts: Value,
}

impl ShardHead {
    /// Of a shard of a run of this version.
    pub fn new(
        command: &str,
        shard: Shard,
        inputs: Inputs,
        reports: Vec<String>,
        settings: Map<String, Value>,
    ) -> Self {
        Self {
            yolo_cam: env!("CARGO_PKG_VERSION").to_owned(),
            command: command.to_owned(),
            shard,
            inputs,
            reports,
            settings,
            facts: Value::Null,
        }
    }

    /// The same with what reports say of the run.
    ///
    /// # Errors
    /// If that is no JSON.
    pub fn with_facts(self, facts: &impl Serialize) -> anyhow::Result<Self> {
        Ok(Self { facts: serde_json::to_value(facts)?, ..self })
    }

    /// What reports say of the run.
    ///
    /// # Errors
    /// If it is something else.
    pub fn facts<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        let name = self.shard;
        T::deserialize(&self.facts)
            .with_context(|| format!("shard {name} of {} has another version's facts", self.command))
    }

    /// What its journal is called.
    pub fn file(&self) -> String {
        self.shard.journal_name(&self.command)
    }

    /// The first thing in which the runs are not the same. `None` if both are shards of one run.
    pub fn difference(&self, other: &Self) -> Option<Mismatch> {
        let version = (&self.yolo_cam, &other.yolo_cam);
        let different = |name: &str, a: String, b: String| {
            let is_short = a.len().max(b.len()) <= LONGEST;
            Some(Mismatch { what: name.to_owned(), values: is_short.then_some([a, b]) })
        };
        if version.0 != version.1 {
            return different("version", version.0.clone(), version.1.clone());
        }
        let count = |head: &Self| head.shard.of.to_string();
        if self.shard.of != other.shard.of {
            return different("number of shards", count(self), count(other));
        }
        if self.shard.by != other.shard.by {
            let by = |head: &Self| format!("{:?}", head.shard.by).to_lowercase();
            return different("--shard-by", by(self), by(other));
        }
        if self.inputs.count != other.inputs.count {
            let inputs = |head: &Self| head.inputs.count.to_string();
            return different("number of inputs", inputs(self), inputs(other));
        }
        if self.inputs.digest != other.inputs.digest {
            return Some(Mismatch { what: "list of inputs".to_owned(), values: None });
        }
        let names: BTreeSet<&String> = self.settings.keys().chain(other.settings.keys()).collect();
        let of = |head: &Self, name: &String| match head.settings.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
            None => "none".to_owned(),
        };
        let setting = names.into_iter().find(|name| self.settings.get(*name) != other.settings.get(*name));
        if let Some(name) = setting {
            return different(name, of(self, name), of(other, name));
        }
        let reports = |head: &Self| if head.reports.is_empty() { "none".to_owned() } else { head.reports.join(",") };
        (self.reports != other.reports).then(|| different("--report", reports(self), reports(other))).flatten()
    }
}
