//! The one error of all value types: what was expected, what was seen, what would be accepted.

use std::borrow::Cow;

/// A text or number is not a valid value of its type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} can not be `{seen}`: accepted is {accepted}")]
pub struct InvalidValue {
    /// What the value was to be, for example `DNS name`.
    pub what: &'static str,
    /// The value seen, cut to 100 characters.
    pub seen: String,
    /// What would be accepted.
    pub accepted: Cow<'static, str>,
}

impl InvalidValue {
    pub(crate) fn new(what: &'static str, seen: impl AsRef<str>, accepted: impl Into<Cow<'static, str>>) -> Self {
        Self { what, seen: seen.as_ref().chars().take(100).collect(), accepted: accepted.into() }
    }
}
