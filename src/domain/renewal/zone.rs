//! Time zones by their IANA name, and how far they are from UTC at an instant.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Offset, TimeZone as _};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize, Serializer};

use crate::x509::InvalidValue;

/// A time zone of the IANA database, such as `Europe/Berlin`. Its rules are those that the crate was built with; beyond the
/// years that the database tells of, its last offset holds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct TimeZone(Tz);

impl TimeZone {
    /// Coordinated Universal Time.
    pub const UTC: Self = Self(Tz::UTC);

    /// The name in the database.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// Every zone that is known.
    pub fn all() -> impl Iterator<Item = Self> {
        chrono_tz::TZ_VARIANTS.iter().copied().map(Self)
    }

    /// How many seconds local time is ahead of UTC at an instant, in seconds since 1970.
    pub(super) fn offset_at(self, unix: i64) -> i64 {
        let Some(instant) = DateTime::from_timestamp(unix, 0) else { return 0 };
        i64::from(self.0.offset_from_utc_datetime(&instant.naive_utc()).fix().local_minus_utc())
    }

    /// The first second after `from` and up to `to` at which the offset is another than at `from`.
    pub(super) fn change_within(self, from: i64, to: i64) -> Option<i64> {
        let offset = self.offset_at(from);
        let mut low = from;
        while low < to {
            let high = (low + STRIDE).min(to);
            if self.offset_at(high) != offset {
                return Some(self.bisect(offset, low, high));
            }
            low = high;
        }
        None
    }

    fn bisect(self, offset: i64, mut low: i64, mut high: i64) -> i64 {
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.offset_at(middle) == offset { low = middle } else { high = middle }
        }
        high
    }
}

/// No zone changes its clocks twice within six hours.
const STRIDE: i64 = 6 * 3_600;

impl FromStr for TimeZone {
    type Err = InvalidValue;

    fn from_str(name: &str) -> Result<Self, InvalidValue> {
        let accepted = "a name of the IANA time zone database, such as `Europe/Berlin` or `UTC`";
        name.parse().map(Self).map_err(|_| InvalidValue::new("time zone", name, accepted))
    }
}

impl TryFrom<String> for TimeZone {
    type Error = InvalidValue;

    fn try_from(name: String) -> Result<Self, InvalidValue> {
        name.parse()
    }
}

impl Serialize for TimeZone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl fmt::Display for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
