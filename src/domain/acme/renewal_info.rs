//! Renewal information (ARI, RFC 9773): how certificates are named, and when their clients are told to renew.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use time::{Duration, OffsetDateTime};

use crate::domain::{Life, RenewalSetting};
use crate::x509::{Certificate, InvalidValue, Serial};

/// How ACME names a certificate (RFC 9773 section 4.1): the authority key identifier, a dot, and the serial number's DER octets, both
/// base64url.
///
/// ```
/// use chancery::domain::acme::CertId;
/// let id: CertId = "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE".parse()?;
/// assert_eq!(id.serial().to_string(), "87654321");
/// assert_eq!(id.to_string(), "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE");
/// # Ok::<_, chancery::x509::InvalidValue>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CertId {
    authority: Vec<u8>,
    serial: Serial,
}

impl CertId {
    /// The name of a certificate; `None` for one that does not name its issuer's key.
    pub fn of(certificate: &Certificate) -> Option<Self> {
        let authority = certificate.authority_key_identifier()?.to_vec();
        Some(Self { authority, serial: *certificate.serial() })
    }

    /// The keyIdentifier of the authority key identifier extension.
    pub fn authority(&self) -> &[u8] {
        &self.authority
    }

    /// The serial number.
    pub fn serial(&self) -> &Serial {
        &self.serial
    }
}

impl FromStr for CertId {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let accepted =
            "a key identifier and the serial number's DER octets, each base64url without padding, with a dot between";
        let refuse = || InvalidValue::new("certificate id", text.chars().take(100).collect::<String>(), accepted);
        let parts = text.split_once('.').filter(|_| text.len() <= 200).ok_or_else(refuse)?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok().filter(|octets| !octets.is_empty());
        let (authority, octets) = decode(parts.0).zip(decode(parts.1)).ok_or_else(refuse)?;
        // As DER has it: no octet too many, and none that would make it negative.
        let serial =
            Serial::from_octets(&octets).ok().filter(|serial| der_octets(serial) == octets).ok_or_else(refuse)?;
        Ok(Self { authority, serial })
    }
}

fn der_octets(serial: &Serial) -> Vec<u8> {
    let octets = serial.as_octets();
    let sign: &[u8] = if octets.first().is_some_and(|first| first & 0x80 != 0) { &[0] } else { &[] };
    [sign, octets].concat()
}

impl fmt::Display for CertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let serial = URL_SAFE_NO_PAD.encode(der_octets(&self.serial));
        write!(f, "{}.{serial}", URL_SAFE_NO_PAD.encode(&self.authority))
    }
}

/// When a client is told to renew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenewalInfo {
    /// From when on. In the past: at once.
    pub start: OffsetDateTime,
    /// Until when; later than `start`.
    pub end: OffsetDateTime,
    /// A page for people that explains why it is so early.
    pub explanation: Option<String>,
    /// When to ask again.
    pub retry_after: std::time::Duration,
}

/// What a certificate's end depends on beside its notAfter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Haste {
    None,
    /// It will be revoked.
    Until(OffsetDateTime, Option<String>),
    /// It is revoked.
    Revoked(OffsetDateTime),
}

/// The window in which a client is told to renew: the engine's own, or, where a revocation is to come, half of the time that is
/// left until then.
pub(crate) fn suggested_window(life: Life, setting: &RenewalSetting, haste: Haste, now: OffsetDateTime) -> RenewalInfo {
    let (start, end) = life.suggestion(setting);
    let part: Duration = life.length() / 20;
    let usual = part.clamp(Duration::MINUTE, Duration::hours(6));
    let (window, explanation, pause) = match haste {
        Haste::None => ((start, end), None, usual),
        Haste::Until(revoke_at, explanation) => {
            let left: Duration = (revoke_at - now).max(Duration::ZERO);
            let half = now + left / 2;
            ((start.min(now), end.min(half)), explanation, usual.min(Duration::HOUR))
        }
        Haste::Revoked(at) => ((start.min(at - Duration::HOUR), end.min(at)), None, usual),
    };
    // What has begun has begun: a window is never empty.
    let start = window.0.min(window.1 - Duration::SECOND);
    RenewalInfo { start, end: window.1, explanation, retry_after: pause.unsigned_abs() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;
    use crate::domain::{Fraction, Lead};

    const BEGIN: OffsetDateTime = datetime!(2026-01-01 0:00 UTC);

    fn life(hours: i64) -> Life {
        Life { begins_at: BEGIN, ends_at: BEGIN + Duration::hours(hours) }
    }

    fn two_thirds() -> RenewalSetting {
        RenewalSetting::new(Lead::Used(Fraction::new(2, 3).unwrap()))
    }

    #[test]
    fn ids_are_read_strictly() {
        for wrong in [
            "",
            ".",
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ",
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ.",
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ.h2VDIQ", // negative: the leading 00 is missing
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AAdlQyE", // one 00 too many
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ=.AIdlQyE",
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE.x",
            "a+hb.AIdlQyE",
        ] {
            assert!(wrong.parse::<CertId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_incident_pulls_the_window_forward_and_says_why() {
        let now = BEGIN + Duration::hours(100);
        let usual = suggested_window(life(1000), &two_thirds(), Haste::None, now);
        assert!(usual.start > now && usual.explanation.is_none());
        let page = Some("https://ca.example/why".to_owned());
        let hasty =
            suggested_window(life(1000), &two_thirds(), Haste::Until(now + Duration::hours(24), page.clone()), now);
        assert_eq!((hasty.start, hasty.end), (now, now + Duration::hours(12)));
        assert_eq!(hasty.explanation, page);
        let late = suggested_window(life(1000), &two_thirds(), Haste::Revoked(now), now);
        assert!(late.end <= now && late.start < late.end);
    }

    proptest! {
        #[test]
        fn the_window_lies_within_the_life_and_is_never_empty(hours in 1..20_000_i64, at in 0..30_000_i64, until in 0..2_000_i64) {
            let now = BEGIN + Duration::hours(at);
            let usual = suggested_window(life(hours), &two_thirds(), Haste::None, now);
            prop_assert!(BEGIN <= usual.start && usual.start < usual.end && usual.end <= life(hours).ends_at);
            let hasty = suggested_window(life(hours), &two_thirds(), Haste::Until(now + Duration::hours(until), None), now);
            prop_assert!(hasty.start < hasty.end && hasty.end <= usual.end && hasty.start <= now);
        }
    }
}
