//! A certificate's validity: two instants in whole seconds (RFC 5280 section 4.1.2.5).

use std::fmt;

use der::DateTime;
use der::asn1::{GeneralizedTime, UtcTime};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime, PrimitiveDateTime};
use x509_cert::time::Time;

use super::InvalidValue;

/// notBefore and notAfter, both inclusive, in UTC and whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "ValiditySpec", into = "ValiditySpec")]
pub struct Validity {
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
}

const LAST_START: OffsetDateTime = time::macros::datetime!(9899-01-01 0:00 UTC);

#[derive(Serialize, Deserialize)]
struct ValiditySpec {
    #[serde(with = "time::serde::rfc3339")]
    not_before: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    not_after: OffsetDateTime,
}

impl Validity {
    /// A validity; fractions of a second are cut off.
    ///
    /// # Errors
    /// notBefore not before notAfter, or a year outside 1970 to 9999.
    pub fn new(not_before: OffsetDateTime, not_after: OffsetDateTime) -> Result<Self, InvalidValue> {
        let (not_before, not_after) = (whole_seconds(not_before)?, whole_seconds(not_after)?);
        if not_before >= not_after {
            let seen = format!("{not_before} to {not_after}");
            return Err(InvalidValue::new("validity", seen, "notBefore earlier than notAfter"));
        }
        Ok(Self { not_before, not_after })
    }

    /// A validity of `span` from `start`, moved into what can be represented; never fails.
    pub(crate) fn clamped(start: OffsetDateTime, span: Duration) -> Self {
        let start = start.replace_nanosecond(0).unwrap_or(start).clamp(OffsetDateTime::UNIX_EPOCH, LAST_START);
        let span = Duration::seconds(span.whole_seconds()).clamp(Duration::SECOND, Duration::DAY * 36_500);
        Self { not_before: start, not_after: start + span }
    }

    /// The first second in which the certificate is valid.
    pub fn not_before(&self) -> OffsetDateTime {
        self.not_before
    }

    /// The last second in which the certificate is valid.
    pub fn not_after(&self) -> OffsetDateTime {
        self.not_after
    }

    /// The time from notBefore to notAfter.
    pub fn span(&self) -> Duration {
        self.not_after - self.not_before
    }

    pub(super) fn to_times(self) -> der::Result<(Time, Time)> {
        Ok((to_time(self.not_before)?, to_time(self.not_after)?))
    }

    pub(super) fn from_times(not_before: &Time, not_after: &Time) -> Result<Self, InvalidValue> {
        Self::new(from_time(not_before)?, from_time(not_after)?)
    }
}

fn whole_seconds(instant: OffsetDateTime) -> Result<OffsetDateTime, InvalidValue> {
    let instant = instant.to_offset(time::UtcOffset::UTC);
    if !(1970..=9999).contains(&instant.year()) {
        return Err(InvalidValue::new("validity", instant.to_string(), "years 1970 to 9999"));
    }
    Ok(instant.replace_nanosecond(0).unwrap_or(instant))
}

/// UTCTime through 2049, GeneralizedTime from 2050 (RFC 5280 section 4.1.2.5).
pub(super) fn to_time(instant: OffsetDateTime) -> der::Result<Time> {
    if instant.to_offset(time::UtcOffset::UTC).year() <= 2049 {
        UtcTime::from_date_time(date_time(instant)?).map(Time::from)
    } else {
        generalized_time(instant).map(Time::from)
    }
}

/// The same as GeneralizedTime in any year, whole seconds.
pub(super) fn generalized_time(instant: OffsetDateTime) -> der::Result<GeneralizedTime> {
    date_time(instant).map(GeneralizedTime::from_date_time)
}

fn date_time(instant: OffsetDateTime) -> der::Result<DateTime> {
    let utc = instant.to_offset(time::UtcOffset::UTC);
    let utc = utc.replace_nanosecond(0).unwrap_or(utc);
    DateTime::try_from(PrimitiveDateTime::new(utc.date(), utc.time()))
}

pub(super) fn from_time(time: &Time) -> Result<OffsetDateTime, InvalidValue> {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).ok();
    seconds
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .ok_or_else(|| InvalidValue::new("validity", time.to_string(), "years 1970 to 9999"))
}

impl TryFrom<ValiditySpec> for Validity {
    type Error = InvalidValue;

    fn try_from(spec: ValiditySpec) -> Result<Self, InvalidValue> {
        Self::new(spec.not_before, spec.not_after)
    }
}

impl From<Validity> for ValiditySpec {
    fn from(validity: Validity) -> Self {
        Self { not_before: validity.not_before, not_after: validity.not_after }
    }
}

impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.not_before, self.not_after)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn utc_time_ends_with_2049() {
        let edge = Validity::new(datetime!(2049-12-31 23:59:59 UTC), datetime!(2050-01-01 0:00 UTC)).unwrap();
        let (before, after) = edge.to_times().unwrap();
        assert!(matches!(before, Time::UtcTime(_)), "{before:?}");
        assert!(matches!(after, Time::GeneralTime(_)), "{after:?}");
        assert_eq!(Validity::from_times(&before, &after).unwrap(), edge);
    }

    #[test]
    fn what_is_no_validity() {
        let now = datetime!(2026-01-01 0:00 UTC);
        assert!(Validity::new(now, now).is_err());
        assert!(Validity::new(now, now + Duration::milliseconds(999)).is_err());
        assert!(Validity::new(datetime!(1969-12-31 0:00 UTC), now).is_err());
    }

    #[test]
    fn fractions_and_offsets_vanish() {
        let validity = Validity::new(datetime!(2026-01-01 1:00:00.5 +1), datetime!(2026-01-02 0:00 UTC)).unwrap();
        assert_eq!(validity.not_before(), datetime!(2026-01-01 0:00 UTC));
    }
}
