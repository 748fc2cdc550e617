//! Times of the week in which renewals may happen, by the clocks of a place.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::TimeZone;
use crate::x509::InvalidValue;

/// When the clocks of a place allow a renewal: every week at the same local times.
///
/// An instant is open if the local clock shows a time that is open. So a time that does not exist on the day when clocks go
/// forward does not open, and one that exists twice when they go back opens twice.
///
/// ```
/// use chancery::domain::RenewalWindow;
/// let window: RenewalWindow = serde_json::from_str(r#"{
///     "zone": "Europe/Berlin",
///     "open": [ { "days": ["sat", "sun"], "from": "22:00", "to": "04:00" }, { "from": "12:00", "to": "13:00" } ]
/// }"#)?;
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RenewalWindowSpec", into = "RenewalWindowSpec")]
pub struct RenewalWindow {
    spec: RenewalWindowSpec,
    /// Seconds of the local week, from Monday 00:00; sorted, apart from each other, not empty.
    week: Vec<(i64, i64)>,
}

/// A window as people write it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenewalWindowSpec {
    /// Whose clocks.
    pub zone: TimeZone,
    /// When it is open: at any of these times.
    pub open: Vec<OpeningSpec>,
}

/// A time of some days.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpeningSpec {
    /// The days on which it begins; every day if none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Weekday>,
    /// From when, inclusive.
    pub from: LocalTime,
    /// Until when, exclusive; on the next day if it is not later than `from`.
    pub to: LocalTime,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "days of the week")]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Weekday {
    const ALL: [Self; 7] = [Self::Mon, Self::Tue, Self::Wed, Self::Thu, Self::Fri, Self::Sat, Self::Sun];
}

/// What a local clock shows, `00:00` to `24:00`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LocalTime(u16);

/// A time in which a window is open: from `start` until `end`, which is not open any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opening {
    pub(super) start: i64,
    pub(super) end: i64,
}

const DAY: i64 = 86_400;
const WEEK: i64 = 7 * DAY;
/// 1970 began on a Thursday, three days after a Monday.
const MONDAY_TO_EPOCH: i64 = 3 * DAY;
/// The years whose clock changes are looked at when a window is proved: 2026 to 2037, the last that the database tells of.
const PROVED: (i64, i64) = (1_767_225_600, 2_145_916_800);

impl RenewalWindow {
    /// Whether it is open at `now`.
    pub fn is_open(&self, now: OffsetDateTime) -> bool {
        self.shows_open(now.unix_timestamp())
    }

    /// The first instant at or after `now`, in whole seconds, at which it is open; `now` itself if it is.
    pub fn next_opening(&self, now: OffsetDateTime) -> OffsetDateTime {
        let unix = now.unix_timestamp();
        if self.shows_open(unix) {
            return now;
        }
        self.opening_from(unix).and_then(|opening| instant(opening.start)).unwrap_or(now)
    }

    /// How long it is open between two instants.
    pub fn openness(&self, from: OffsetDateTime, to: OffsetDateTime) -> Duration {
        let openings = self.openings(from.unix_timestamp(), to.unix_timestamp());
        Duration::seconds(openings.map(|opening| opening.end - opening.start).sum())
    }

    /// The longest time that ever passes from one opening to the next, over all clock changes that are known to come.
    pub fn longest_gap(&self) -> Duration {
        let (from, to) = PROVED;
        let mut shut_since = from;
        let mut longest = 0;
        for opening in self.openings(from, to) {
            longest = longest.max(opening.start - shut_since);
            shut_since = opening.end;
        }
        Duration::seconds(longest)
    }

    /// The openings between two instants, cut to them, in order.
    pub(super) fn openings(&self, from: i64, to: i64) -> impl Iterator<Item = Opening> {
        let mut at = from;
        std::iter::from_fn(move || {
            let found = self.opening_from(at).filter(|opening| opening.start < to)?;
            at = found.end;
            Some(Opening { start: found.start, end: found.end.min(to) })
        })
    }

    fn opening_from(&self, at: i64) -> Option<Opening> {
        let start = self.turn(at, Shows::Open)?;
        let end = self.turn(start, Shows::Shut).unwrap_or(start + WEEK);
        Some(Opening { start, end })
    }

    /// The first instant at or after `at` at which the clock shows that: within a stretch without a clock change by counting,
    /// and on from each change.
    fn turn(&self, mut at: i64, wanted: Shows) -> Option<i64> {
        // Two weeks and their changes; a window that has no time at all in them has none ever.
        for _ in 0..16 {
            let local = (at + self.spec.zone.offset_at(at) + MONDAY_TO_EPOCH).rem_euclid(WEEK);
            let wait = self.wait(local, wanted);
            let reached = at + wait.unwrap_or(WEEK);
            match self.spec.zone.change_within(at, reached) {
                None if wait.is_some() => return Some(reached),
                None => return None,
                Some(change) => at = change,
            }
        }
        None
    }

    /// How long until the clock of a week shows that, from a second of the week.
    fn wait(&self, local: i64, wanted: Shows) -> Option<i64> {
        let within = self.week.iter().find(|(start, end)| (*start..*end).contains(&local));
        match (wanted, within) {
            (Shows::Open, Some(_)) | (Shows::Shut, None) => Some(0),
            (Shows::Open, None) => {
                let next = self.week.iter().find(|(start, _)| *start > local);
                let later = next.map(|(start, _)| start - local);
                later.or_else(|| self.week.first().map(|(start, _)| start + WEEK - local))
            }
            (Shows::Shut, Some((_, end))) if *end < WEEK => Some(end - local),
            // The opening may go on over the turn of the week.
            (Shows::Shut, Some(_)) => match self.week.first() {
                Some((0, WEEK)) => None,
                Some((0, end)) => Some(WEEK - local + end),
                _ => Some(WEEK - local),
            },
        }
    }

    fn shows_open(&self, unix: i64) -> bool {
        let local = (unix + self.spec.zone.offset_at(unix) + MONDAY_TO_EPOCH).rem_euclid(WEEK);
        self.wait(local, Shows::Open) == Some(0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shows {
    Open,
    Shut,
}

pub(super) fn instant(unix: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(unix).ok()
}

impl TryFrom<RenewalWindowSpec> for RenewalWindow {
    type Error = InvalidValue;

    fn try_from(spec: RenewalWindowSpec) -> Result<Self, InvalidValue> {
        if spec.open.is_empty() || spec.open.len() > 100 {
            return Err(InvalidValue::new("window", format!("{} openings", spec.open.len()), "1 to 100 openings"));
        }
        let mut parts = Vec::new();
        for opening in &spec.open {
            opening.add_to(&mut parts)?;
        }
        parts.sort_unstable();
        Ok(Self { spec, week: merged(parts) })
    }
}

impl OpeningSpec {
    fn add_to(&self, parts: &mut Vec<(i64, i64)>) -> Result<(), InvalidValue> {
        let (from, to) = (i64::from(self.from.0) * 60, i64::from(self.to.0) * 60);
        if from == to || from == DAY {
            let seen = format!("{} to {}", self.from, self.to);
            return Err(InvalidValue::new("opening", seen, "two times that differ; a whole day is `00:00` to `24:00`"));
        }
        let length = if to > from { to - from } else { to + DAY - from };
        let days = if self.days.is_empty() { Weekday::ALL.as_slice() } else { self.days.as_slice() };
        for day in days {
            let start = *day as i64 * DAY + from;
            let end = start + length;
            parts.push((start, end.min(WEEK)));
            if end > WEEK {
                parts.push((0, end - WEEK));
            }
        }
        Ok(())
    }
}

/// Sorted parts without overlaps.
fn merged(parts: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    let mut merged: Vec<(i64, i64)> = Vec::with_capacity(parts.len());
    for (start, end) in parts {
        match merged.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => merged.push((start, end)),
        }
    }
    merged
}

impl From<RenewalWindow> for RenewalWindowSpec {
    fn from(window: RenewalWindow) -> Self {
        window.spec
    }
}

impl fmt::Debug for RenewalWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.spec.fmt(f)
    }
}

impl FromStr for LocalTime {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let number = |digits: &str| {
            let two = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
            two.then(|| digits.parse::<u16>().ok()).flatten()
        };
        let parts = text.split_once(':').and_then(|(hour, minute)| number(hour).zip(number(minute)));
        let minutes = parts.filter(|(_, minute)| *minute < 60).map(|(hour, minute)| hour * 60 + minute);
        let fits = minutes.filter(|minutes| *minutes <= 24 * 60);
        fits.map(Self).ok_or_else(|| InvalidValue::new("local time", text, "`00:00` to `24:00`"))
    }
}

impl TryFrom<String> for LocalTime {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        text.parse()
    }
}

impl From<LocalTime> for String {
    fn from(time: LocalTime) -> Self {
        time.to_string()
    }
}

impl fmt::Display for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl fmt::Debug for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
