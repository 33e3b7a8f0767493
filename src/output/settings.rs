//! What the results of a picture depend on, but for the picture.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// Values by the names that messages give them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResultSettings(BTreeMap<String, String>);

impl ResultSettings {
    pub fn new<const N: usize>(values: [(&str, String); N]) -> Self {
        Self(values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// As JSON.
    pub fn values(&self) -> Map<String, Value> {
        self.0.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect()
    }

    /// Tells these from all others.
    pub fn digest(&self) -> String {
        let mut sum = Sha256::new();
        for text in self.0.iter().flat_map(|(name, value)| [name, value]) {
            sum.update(text.len().to_le_bytes());
            sum.update(text);
        }
        hex::encode(sum.finalize())
    }

    /// In a few words, where `now` is not the same: `method gradcam, now layercam`.
    pub fn difference(&self, now: &Self) -> String {
        /// More would hide the way out.
        const MOST: usize = 3;
        /// A longer value says nothing in a line.
        const LONGEST: usize = 40;
        let names: BTreeSet<&String> = self.0.keys().chain(now.0.keys()).collect();
        let told = |name: &String| {
            let value = |of: &Self| of.0.get(name).cloned().unwrap_or_else(|| "none".to_owned());
            let (before, after) = (value(self), value(now));
            let is_short = before.len().max(after.len()) <= LONGEST;
            (before != after)
                .then(|| if is_short { format!("{name} {before}, now {after}") } else { format!("different {name}") })
        };
        let mut differences: Vec<String> = names.into_iter().filter_map(told).collect();
        if differences.len() > MOST {
            differences.truncate(MOST);
            differences.push("...".to_owned());
        }
        differences.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_told() {
        let settings = |method: &str, names: &str| {
            ResultSettings::new([("method", method.to_owned()), ("names", names.to_owned()), ("top", "5".to_owned())])
        };
        let one = settings("gradcam", "a");
        assert_eq!(one.difference(&settings("layercam", "a")), "method gradcam, now layercam");
        assert_eq!(one.difference(&settings("gradcam", &"b".repeat(99))), "different names");
        assert_eq!(one.difference(&one), "");
        assert_eq!(one.digest(), settings("gradcam", "a").digest());
        assert_ne!(one.digest(), settings("gradcam", "b").digest());
        let shifted = |name: &str, value: &str| ResultSettings::new([(name, value.to_owned())]).digest();
        assert_ne!(shifted("ab", "c"), shifted("a", "bc"));
    }
}
