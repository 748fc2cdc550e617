//! Tags on requests and certificates.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::x509::InvalidValue;

/// Key-value tags: at most 32, keys of 1 to 64 letters, digits, `.`, `-`, `_` and `/`, values of at most 256 characters
/// without control characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct Metadata(BTreeMap<String, String>);

impl Metadata {
    /// The tags in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The value under `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Whether there is no tag.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every fault of these tags; empty if they are fine.
    pub fn faults(tags: &BTreeMap<String, String>) -> Vec<InvalidValue> {
        let mut faults = Vec::new();
        if tags.len() > 32 {
            faults.push(InvalidValue::new("metadata", format!("{} tags", tags.len()), "at most 32 tags"));
        }
        for (key, value) in tags {
            let key_fits =
                (1..=64).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_/".contains(&b));
            if !key_fits {
                let accepted = "1 to 64 letters, digits, `.`, `-`, `_` and `/`";
                faults.push(InvalidValue::new("metadata key", key, accepted));
            }
            if value.chars().count() > 256 || value.chars().any(char::is_control) {
                let accepted = "at most 256 characters without control characters";
                faults.push(InvalidValue::new("metadata value", value, accepted));
            }
        }
        faults
    }
}

impl TryFrom<BTreeMap<String, String>> for Metadata {
    type Error = InvalidValue;

    fn try_from(tags: BTreeMap<String, String>) -> Result<Self, InvalidValue> {
        match Self::faults(&tags).into_iter().next() {
            Some(fault) => Err(fault),
            None => Ok(Self(tags)),
        }
    }
}

impl From<Metadata> for BTreeMap<String, String> {
    fn from(metadata: Metadata) -> Self {
        metadata.0
    }
}
