//! Identifiers: 48 bits of time and 80 of randomness, sortable, with a prefix that says what they name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};
use time::OffsetDateTime;

use crate::x509::InvalidValue;

/// Crockford's base 32, lower case.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const DIGITS: usize = 26;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(u128);

        impl $name {
            /// The text in front of the digits.
            pub const PREFIX: &'static str = $prefix;

            /// A new identifier of the millisecond `now` and 80 random bits; ids made in later milliseconds sort later, as
            /// values and as text.
            pub fn new(now: OffsetDateTime, random: [u8; 10]) -> Self {
                Self(compose(now, random))
            }

            /// When it was made, to the millisecond.
            pub fn made_at(self) -> OffsetDateTime {
                made_at(self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($prefix)?;
                f.write_str(text_of(&digits(self.0)))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                const LEN: usize = $prefix.len() + DIGITS;
                let mut text = [0; LEN];
                text[..$prefix.len()].copy_from_slice($prefix.as_bytes());
                text[$prefix.len()..].copy_from_slice(&digits(self.0));
                serializer.serialize_str(text_of(&text))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidValue;

            fn from_str(text: &str) -> Result<Self, InvalidValue> {
                let digits = text.strip_prefix($prefix);
                let refuse = || InvalidValue::new("id", text, concat!("`", $prefix, "` and 26 characters of base 32"));
                digits.and_then(read_digits).map(Self).ok_or_else(refuse)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidValue;

            fn try_from(text: String) -> Result<Self, InvalidValue> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    )*};
}

ids! {
    /// Names an Application.
    ApplicationId = "app-";
    /// Names a certificate profile.
    ProfileId = "prof-";
    /// Names an issuance policy.
    PolicyId = "pol-";
    /// Names an issuer.
    IssuerId = "iss-";
    /// Names a certificate in the inventory.
    CertificateId = "cert-";
    /// Names a certificate request.
    RequestId = "req-";
    /// Names an event of the audit trail.
    EventId = "evt-";
    /// Names an alert.
    AlertId = "alert-";
    /// Names one notification of an alert.
    NotificationId = "ntf-";
    /// Names a sync.
    SyncId = "sync-";
    /// Names a mass revocation.
    IncidentId = "inc-";
    /// Names a token of access.
    TokenId = "tok-";
    /// Names an account of ACME.
    AcmeAccountId = "acct-";
    /// Names a key for external account bindings of ACME; its text is the `kid`.
    AcmeBindingId = "eab-";
    /// Names an order of ACME.
    AcmeOrderId = "order-";
    /// Names an authorization of ACME.
    AcmeAuthorizationId = "authz-";
}

fn compose(now: OffsetDateTime, random: [u8; 10]) -> u128 {
    let milliseconds = u128::try_from(now.unix_timestamp_nanos() / 1_000_000).unwrap_or_default() & 0xffff_ffff_ffff;
    let mut octets = [0; 16];
    octets[6..].copy_from_slice(&random);
    (milliseconds << 80) | u128::from_be_bytes(octets)
}

fn made_at(value: u128) -> OffsetDateTime {
    let milliseconds = i64::try_from(value >> 80).unwrap_or_default();
    OffsetDateTime::UNIX_EPOCH + time::Duration::milliseconds(milliseconds)
}

fn digits(value: u128) -> [u8; DIGITS] {
    // In two halves of 13 digits: shifting 128 bits at a time is slow.
    let halves = [(value >> 65) as u64, (value & ((1 << 65) - 1)) as u64];
    let top_bit_of_low = ((value >> 64) & 1) as u8;
    let mut digits = [0; DIGITS];
    for (half, text) in halves.into_iter().zip(digits.chunks_exact_mut(DIGITS / 2)) {
        let mut rest = half;
        for digit in text.iter_mut().rev() {
            *digit = (rest & 31) as u8;
            rest >>= 5;
        }
    }
    // The 65th bit of the low half fell off; it is the top bit of its first digit.
    digits[DIGITS / 2] |= top_bit_of_low << 4;
    digits.map(|digit| ALPHABET[usize::from(digit)])
}

fn text_of(ascii: &[u8]) -> &str {
    std::str::from_utf8(ascii).unwrap_or_default()
}

fn read_digits(text: &str) -> Option<u128> {
    let first_fits = text.bytes().next().is_some_and(|b| b.is_ascii_digit() && b < b'8');
    if text.len() != DIGITS || !first_fits {
        return None;
    }
    text.bytes().try_fold(0_u128, |value, byte| {
        let digit = ALPHABET.iter().position(|known| *known == byte)?;
        Some(value << 5 | digit as u128)
    })
}

/// A name that people give and URLs carry: 1 to 64 lower-case letters, digits, `-` and `_`, beginning with a letter
/// or digit.
///
/// ```
/// use chancery::domain::Slug;
/// assert_eq!("payments-api".parse::<Slug>()?.as_str(), "payments-api");
/// assert!("Payments API".parse::<Slug>().is_err());
/// # Ok::<_, chancery::x509::InvalidValue>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

impl Slug {
    /// The name's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Slug {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let spelled = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
        let starts = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        if spelled && starts && text.len() <= 64 {
            return Ok(Self(text.to_owned()));
        }
        let accepted = "1 to 64 lower-case letters, digits, `-` and `_`, beginning with a letter or digit";
        Err(InvalidValue::new("name", text, accepted))
    }
}

impl TryFrom<String> for Slug {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        text.parse()
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> Self {
        slug.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn ids_sort_by_time_and_survive_text() {
        let early = CertificateId::new(datetime!(2026-01-01 0:00 UTC), [0xff; 10]);
        let late = CertificateId::new(datetime!(2026-01-01 0:00:01 UTC), [0; 10]);
        assert!(early < late);
        assert!(early.to_string() < late.to_string());
        assert_eq!(early.to_string().parse::<CertificateId>().unwrap(), early);
    }

    #[test]
    fn an_id_of_another_kind_is_refused() {
        let id = PolicyId::new(datetime!(2026-01-01 0:00 UTC), [7; 10]).to_string();
        assert!(id.parse::<ProfileId>().is_err());
        assert!(id.to_uppercase().parse::<PolicyId>().is_err());
        assert!("pol-zzzzzzzzzzzzzzzzzzzzzzzzzz".parse::<PolicyId>().is_err());
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "\\PC{0,40}") {
            let _ = text.parse::<RequestId>();
            let _ = text.parse::<Slug>();
        }
    }
}
