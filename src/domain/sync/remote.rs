//! What a target takes, and what things are called there.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::x509::{InvalidValue, KeyAlgorithm};

/// The name of a certificate at a target: 1 to 512 printable ASCII characters. What a given target takes, its
/// [`NameRules`] say.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RemoteName(String);

impl RemoteName {
    /// The name's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RemoteName {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let fits = (1..=512).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if fits {
            return Ok(Self(text.to_owned()));
        }
        Err(InvalidValue::new("remote name", text, "1 to 512 printable ASCII characters without spaces"))
    }
}

impl TryFrom<String> for RemoteName {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        text.parse()
    }
}

impl From<RemoteName> for String {
    fn from(name: RemoteName) -> Self {
        name.0
    }
}

impl fmt::Display for RemoteName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One thing at a target: the name that it was given, and the identity that the target gave it, if that is another.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RemoteRef {
    /// The name.
    pub name: RemoteName,
    /// The target's own identifier, an ARN for example. `None` if the name is all there is, or if the answer that told
    /// it was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

impl RemoteRef {
    /// What is known before a target has answered: the name alone.
    pub fn named(name: RemoteName) -> Self {
        Self { name, id: None }
    }
}

impl fmt::Display for RemoteRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id.as_deref().unwrap_or(self.name.as_str()))
    }
}

/// What a target takes. It never changes while the target lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetLimits {
    /// How names look there.
    pub names: NameRules,
    /// Whether it takes private keys.
    pub key: KeyNeed,
    /// The key algorithms that it takes; empty for all.
    pub key_algorithms: Vec<KeyAlgorithm>,
    /// How many certificates it holds at most, as far as that is known.
    pub max_items: Option<usize>,
    /// Whether what is there can be removed.
    pub withdrawal: Withdrawal,
    /// The longest that one call takes, answered or given up. The lease that guards a target is eight times as long.
    pub longest_call: Duration,
}

impl TargetLimits {
    /// A target that takes any key, any number of certificates, and gives them back; a call takes a minute at most.
    pub fn new(names: NameRules) -> Self {
        Self {
            names,
            key: KeyNeed::Required,
            key_algorithms: Vec::new(),
            max_items: None,
            withdrawal: Withdrawal::Possible,
            longest_call: Duration::from_secs(60),
        }
    }
}

/// How names look at a target: ASCII letters and digits, and a few characters more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameRules {
    /// The most characters, 1 to 512.
    pub max_length: usize,
    /// The characters beside letters and digits, for example `-_`. What a name may not hold becomes the first of them, or
    /// is left out if there is none.
    pub punctuation: String,
    /// The character that names begin with if they would begin with anything but a letter or digit. Begins with a letter
    /// if the target wants that.
    pub prefix: String,
}

impl NameRules {
    /// Names of at most `max_length` letters, digits and `punctuation` that begin with a letter or digit.
    pub fn new(max_length: usize, punctuation: &str) -> Self {
        Self { max_length, punctuation: punctuation.to_owned(), prefix: String::new() }
    }

    /// Whether the target takes this name.
    ///
    /// # Errors
    /// It is too long, begins with punctuation, or has characters that the target does not take.
    pub fn check(&self, name: &RemoteName) -> Result<(), InvalidValue> {
        let text = name.as_str();
        let begins = text.starts_with(|first: char| first.is_ascii_alphanumeric());
        let begins = begins && (self.prefix.is_empty() || text.starts_with(|c: char| c.is_ascii_alphabetic()));
        if text.len() <= self.max_length && begins && text.chars().all(|character| self.takes(character)) {
            return Ok(());
        }
        let first = if self.prefix.is_empty() { "a letter or digit" } else { "a letter" };
        let accepted = format!("at most {} letters, digits and `{}`, {first} first", self.max_length, self.punctuation);
        Err(InvalidValue::new("remote name", text, accepted))
    }

    /// The text with each character that the target does not take replaced, and a beginning that it takes.
    pub fn sanitise(&self, text: &str) -> String {
        let substitute = self.punctuation.chars().next();
        let taken = text.chars().filter_map(|c| if self.takes(c) { Some(c) } else { substitute });
        let taken: String = taken.collect();
        let trimmed = taken.trim_start_matches(|first: char| !first.is_ascii_alphanumeric());
        let is_letter = trimmed.starts_with(|first: char| first.is_ascii_alphabetic());
        if is_letter { trimmed.to_owned() } else { format!("{}{trimmed}", self.prefix) }
    }

    fn takes(&self, character: char) -> bool {
        character.is_ascii_alphanumeric() || self.punctuation.contains(character)
    }
}

/// Whether a target takes private keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyNeed {
    /// A certificate is of no use there without its key.
    Required,
    /// It takes keys, and certificates without.
    Accepted,
    /// It takes certificates alone, and is given no key.
    Never,
}

/// Whether what is at a target can be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Withdrawal {
    /// It can.
    Possible,
    /// It can only be replaced.
    Impossible,
}
