//! DNS names as certificates hold them: A-labels in lower case, perhaps with one wildcard label in front.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::InvalidValue;

const ACCEPTED: &str = "a fully qualified name of at most 253 characters: labels of 1 to 63 letters, digits and hyphens, \
                        no trailing dot, `*` only as the whole left-most label, no IP address";

/// A DNS name in canonical form (RFC 5280 section 4.2.1.6, RFC 5890 A-labels), possibly a wildcard (RFC 9525).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DnsName(String);

impl DnsName {
    /// The name's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the left-most label is `*`.
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with("*.")
    }

    /// The name without a leading `*.`.
    pub fn base(&self) -> &str {
        self.0.strip_prefix("*.").unwrap_or(&self.0)
    }
}

impl FromStr for DnsName {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let refuse = || InvalidValue::new("dns_name", text, ACCEPTED);
        // Longer than any spelling of a legal name: not worth handing to the IDNA mapper.
        if text.len() > 1024 {
            return Err(refuse());
        }
        let base = text.strip_prefix("*.").unwrap_or(text);
        let ascii = to_a_labels(base).ok_or_else(refuse)?;
        if !is_host_name(&ascii) {
            return Err(refuse());
        }
        let name = if base.len() == text.len() { ascii.into_owned() } else { format!("*.{ascii}") };
        if name.len() <= 253 { Ok(Self(name)) } else { Err(refuse()) }
    }
}

fn to_a_labels(base: &str) -> Option<Cow<'_, str>> {
    let is_plain = base.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.');
    if is_plain && !base.contains("--") {
        return Some(Cow::Borrowed(base));
    }
    idna::domain_to_ascii_strict(base).ok().map(Cow::Owned)
}

fn is_host_name(name: &str) -> bool {
    let labels_fit = name.split('.').all(|label| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    });
    let last = name.rsplit('.').next().unwrap_or_default();
    labels_fit && !last.bytes().all(|b| b.is_ascii_digit())
}

impl fmt::Display for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn canonical_forms() {
        let table = [
            ("example.com", "example.com"),
            ("Example.COM", "example.com"),
            ("*.Example.com", "*.example.com"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("*.bücher.example", "*.xn--bcher-kva.example"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("localhost", "localhost"),
            ("1password.com", "1password.com"),
        ];
        for (text, canonical) in table {
            assert_eq!(text.parse::<DnsName>().unwrap().as_str(), canonical);
        }
    }

    #[test]
    fn what_is_no_name() {
        let long_label = "a".repeat(64) + ".example";
        let long_name = ["a".repeat(63).as_str(); 4].join(".") + ".example";
        let table = [
            "",
            ".",
            "example.com.",
            ".example.com",
            "a..b",
            "*",
            "*.",
            "*.*.example.com",
            "a.*.example.com",
            "f*.example.com",
            "-a.example",
            "a-.example",
            "under_score.example",
            "with space.example",
            "1.2.3.4",
            "example.123",
            "xn--a.example",
            "a\0b.example",
            long_label.as_str(),
            long_name.as_str(),
        ];
        for text in table {
            assert!(text.parse::<DnsName>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn parsing_is_idempotent_and_never_panics(text in "\\PC{0,80}|[a-zA-Z0-9*.-]{0,80}") {
            if let Ok(name) = text.parse::<DnsName>() {
                prop_assert!(name.as_str().is_ascii());
                prop_assert_eq!(name.as_str().parse::<DnsName>().unwrap(), name);
            }
        }
    }
}
