//! The one typed duration: `90d`, `12h`, `30min`, or ISO 8601 (`P90D`, `PT12H`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use time::Duration;

use crate::x509::InvalidValue;

const ACCEPTED: &str = "a whole number and a unit (`s`, `min`, `h`, `d`, `w`), such as `90d` or `12h`, or ISO 8601 such as `P90D` or \
     `PT12H`; at most 36500 days; months and years vary in length and are refused, `m` could mean either";

/// The longest span: one hundred years.
const MAX_SECONDS: u64 = 36_500 * 86_400;

/// A length of time in whole seconds, written with its unit. Months are refused everywhere, for they have no length.
///
/// ```
/// use chancery::domain::Span;
/// assert_eq!("90d".parse::<Span>()?, Span::days(90));
/// assert_eq!("PT36H".parse::<Span>()?.to_string(), "36h");
/// assert!("3m".parse::<Span>().is_err(), "minutes or months?");
/// # Ok::<_, chancery::x509::InvalidValue>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(u64);

impl Span {
    /// A span of days of 24 hours.
    pub const fn days(days: u16) -> Self {
        Self(days as u64 * 86_400)
    }

    /// A span of hours.
    pub const fn hours(hours: u16) -> Self {
        Self(hours as u64 * 3_600)
    }

    /// A span of minutes.
    pub const fn minutes(minutes: u16) -> Self {
        Self(minutes as u64 * 60)
    }

    /// The length in seconds.
    pub const fn as_seconds(self) -> u64 {
        self.0
    }

    /// The length as `time` has it.
    pub fn as_duration(self) -> Duration {
        Duration::seconds(i64::try_from(self.0).unwrap_or(i64::MAX))
    }
}

impl FromStr for Span {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let seconds = if text.starts_with('P') { iso_8601(text) } else { number_and_unit(text) };
        let fitting = seconds.filter(|seconds| *seconds <= MAX_SECONDS);
        fitting.map(Self).ok_or_else(|| InvalidValue::new("duration", text, ACCEPTED))
    }
}

fn number_and_unit(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text[..digits].parse().ok()?;
    let unit = match &text[digits..] {
        "s" => 1,
        "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return None,
    };
    number.checked_mul(unit)
}

/// `PnW` or `PnDTnHnMnS`; designators of months and years (before the `T`) are not read.
fn iso_8601(text: &str) -> Option<u64> {
    let (date, clock) = text.strip_prefix('P')?.split_once('T').map_or((&text[1..], None), |(d, t)| (d, Some(t)));
    let date_seconds = designators(date, &[('W', 7 * 86_400), ('D', 86_400)])?;
    let clock_seconds = match clock {
        Some("") => return None,
        Some(clock) => designators(clock, &[('H', 3_600), ('M', 60), ('S', 1)])?,
        None if date.is_empty() => return None,
        None => 0,
    };
    date_seconds.checked_add(clock_seconds)
}

fn designators(mut text: &str, units: &[(char, u64)]) -> Option<u64> {
    let mut seconds = 0_u64;
    for (designator, unit) in units {
        if let Some((number, rest)) = text.split_once(*designator) {
            let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
            let number: u64 = is_number.then(|| number.parse().ok()).flatten()?;
            seconds = seconds.checked_add(number.checked_mul(*unit)?)?;
            text = rest;
        }
    }
    text.is_empty().then_some(seconds)
}

impl TryFrom<String> for Span {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

impl fmt::Display for Span {
    /// The largest unit that leaves a whole number; weeks are shown as days, and 36 hours stay hours.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, name) = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")]
            .into_iter()
            .find(|(unit, _)| self.0.is_multiple_of(*unit))
            .unwrap_or((1, "s"));
        write!(f, "{}{name}", self.0 / unit)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings() {
        let table = [
            ("90d", Span::days(90)),
            ("2w", Span::days(14)),
            ("12h", Span::hours(12)),
            ("30min", Span::minutes(30)),
            ("90s", Span(90)),
            ("P90D", Span::days(90)),
            ("P2W", Span::days(14)),
            ("PT12H", Span::hours(12)),
            ("PT30M", Span::minutes(30)),
            ("P1DT12H", Span::hours(36)),
        ];
        for (text, span) in table {
            assert_eq!(text.parse::<Span>().unwrap(), span, "{text}");
        }
    }

    #[test]
    fn months_and_other_nonsense_are_refused() {
        for text in [
            "",
            "d",
            "90",
            "3m",
            "1M",
            "1y",
            "P3M",
            "P1Y",
            "P",
            "PT",
            "P1DT",
            "-1d",
            "+1d",
            "1.5d",
            "1 d",
            "P-1D",
            "PT+1H",
            "99999999d",
            "99999999999999999999s",
            "ü",
        ] {
            assert!(text.parse::<Span>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn text_survives(seconds in 0..=MAX_SECONDS, junk in "\\PC{0,20}") {
            let span = Span(seconds);
            prop_assert_eq!(span.to_string().parse::<Span>().unwrap(), span);
            let _ = junk.parse::<Span>();
        }
    }
}
