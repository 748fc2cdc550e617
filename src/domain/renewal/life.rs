//! The time line of a certificate: how young is too young, from when on it renews, and when exactly.

use time::{Duration, OffsetDateTime};

use super::window::{Opening, instant};
use super::{RenewalSetting, RenewalWindow};
use crate::domain::CertificateRecord;

/// A certificate's life, as far as renewal is concerned. Everything is computed from what was issued, not from what was
/// asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// From when it could be used: its issue, or its notBefore if that is later.
    pub begins_at: OffsetDateTime,
    /// When it ends: its notAfter.
    pub ends_at: OffsetDateTime,
}

/// When a certificate renews by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// From when on it may.
    pub opens_at: OffsetDateTime,
    /// When it will.
    pub due_at: OffsetDateTime,
}

const LONGEST_FLOOR: Duration = Duration::HOUR;
const FIRST_BACKOFF: Duration = Duration::MINUTE;
const LONGEST_BACKOFF: Duration = Duration::hours(6);
const SHORTEST_BACKOFF: Duration = Duration::seconds(30);

impl Life {
    /// The life of a certificate.
    pub fn of(record: &CertificateRecord) -> Self {
        Self { begins_at: record.created_at.max(record.validity.not_before()), ends_at: record.validity.not_after() }
    }

    /// How long it is.
    pub fn length(&self) -> Duration {
        (self.ends_at - self.begins_at).max(Duration::ZERO)
    }

    /// Until then it is never renewed, whoever asks: one hour, or a tenth of a life of less than ten hours.
    pub fn floor(&self) -> OffsetDateTime {
        self.floor_of(self.length())
    }

    fn floor_of(&self, length: Duration) -> OffsetDateTime {
        self.begins_at + LONGEST_FLOOR.min(length / 10)
    }

    /// From when on it renews: the same for every `spread` of [`schedule`](Self::schedule), and never after it.
    pub fn opens_at(&self, setting: &RenewalSetting) -> OffsetDateTime {
        match setting.window {
            None => self.lead_begins(setting),
            Some(_) => self.schedule(setting, 0).opens_at,
        }
    }

    fn lead_begins(&self, setting: &RenewalSetting) -> OffsetDateTime {
        let length = self.length();
        (self.ends_at - setting.when.within(length)).max(self.floor_of(length))
    }

    /// When it renews by itself. `spread` is drawn once and kept: it puts a fleet that was issued in one moment evenly over
    /// the first third of the lead, within the window.
    ///
    /// If the window does not open there, it is looked for up to the last tenth of the lead, then before the lead: rather
    /// too early than outside of the window, and rather outside of it than never.
    pub fn schedule(&self, setting: &RenewalSetting, spread: u64) -> Schedule {
        let opens_at = self.lead_begins(setting);
        let lead = self.ends_at - opens_at;
        let windowed = setting.window.as_ref().and_then(|window| self.within(window, (opens_at, lead), spread));
        windowed.unwrap_or_else(|| Schedule { opens_at, due_at: opens_at + share(lead / 3, spread) })
    }

    /// From when until when its client is told to renew, if it does so itself: over the instants at which
    /// [`schedule`](Self::schedule) puts a fleet, and where a window bounds these, in its first opening.
    pub fn suggestion(&self, setting: &RenewalSetting) -> (OffsetDateTime, OffsetDateTime) {
        let (first, last) = (self.schedule(setting, 0).due_at, self.schedule(setting, u64::MAX).due_at);
        let openings =
            setting.window.as_ref().map(|window| window.openings(first.unix_timestamp(), last.unix_timestamp()));
        let opening = openings.and_then(|mut openings| openings.next()).and_then(|opening| instant(opening.end));
        (first, opening.unwrap_or(last).max(first + Duration::SECOND))
    }

    fn within(
        &self,
        window: &RenewalWindow,
        (opens_at, lead): (OffsetDateTime, Duration),
        spread: u64,
    ) -> Option<Schedule> {
        let bands = [lead / 3, lead / 2, lead - lead / 10].into_iter();
        let inside = bands.filter_map(|band| place(window, opens_at, opens_at + band, spread)).next();
        inside.map(|due_at| Schedule { opens_at, due_at }).or_else(|| {
            let (from, to) = (self.floor().unix_timestamp() + 1, opens_at.unix_timestamp());
            let last = window.openings(from, to).last()?;
            Some(Schedule { opens_at: instant(last.start)?, due_at: nth_second(&[last], spread)? })
        })
    }

    /// When to try again after `attempts` failures, from `now`: twice as long each time, up to six hours or a tenth of what is
    /// left, less up to a half that `spread` decides; within the window, unless too little time is left for waiting.
    pub fn retry_at(
        &self,
        attempts: u32,
        window: Option<&RenewalWindow>,
        (now, spread): (OffsetDateTime, u64),
    ) -> OffsetDateTime {
        let left = (self.ends_at - now).max(Duration::ZERO);
        let doubled = FIRST_BACKOFF * 2_i32.pow(attempts.saturating_sub(1).min(10));
        let pause = doubled.min(LONGEST_BACKOFF).min(left / 10).max(SHORTEST_BACKOFF);
        self.no_sooner_than(now + pause - share(pause / 2, spread), window, now)
    }

    /// When to take up what was blocked until `now`: soon, but not all in one moment.
    pub fn wake_at(&self, (now, spread): (OffsetDateTime, u64)) -> OffsetDateTime {
        let left = (self.ends_at - now).max(Duration::ZERO);
        now + share(Duration::HOUR.min(left / 20), spread)
    }

    /// If the window is shut at `now`, when in its next opening to try; `None` if it is open, or if waiting for that would leave
    /// less than half of what is left.
    pub fn wait_for(&self, window: &RenewalWindow, (now, spread): (OffsetDateTime, u64)) -> Option<OffsetDateTime> {
        let half: OffsetDateTime = now + (self.ends_at - now) / 2;
        let shut = Some(window).filter(|window| !window.is_open(now))?;
        let next = shut.openings(now.unix_timestamp(), half.unix_timestamp()).next()?;
        nth_second(&[next], spread)
    }

    /// `at`, or the window's next opening after it, if that leaves at least half of what is left.
    pub fn no_sooner_than(
        &self,
        at: OffsetDateTime,
        window: Option<&RenewalWindow>,
        now: OffsetDateTime,
    ) -> OffsetDateTime {
        let opening = window.map(|window| window.next_opening(at));
        opening.filter(|opening| *opening <= now + (self.ends_at - now) / 2).unwrap_or(at)
    }
}

/// A second of the time in which a window is open between two instants.
fn place(window: &RenewalWindow, from: OffsetDateTime, to: OffsetDateTime, spread: u64) -> Option<OffsetDateTime> {
    // From the next whole second on, so that what is found is not before `from`.
    let from = from.unix_timestamp() + i64::from(from.nanosecond() > 0);
    let openings: Vec<Opening> = window.openings(from, to.unix_timestamp()).collect();
    nth_second(&openings, spread)
}

fn nth_second(openings: &[Opening], spread: u64) -> Option<OffsetDateTime> {
    let open = Duration::seconds(openings.iter().map(|opening| opening.end - opening.start).sum());
    let mut nth = share(open, spread).whole_seconds();
    for opening in openings {
        let length = opening.end - opening.start;
        if nth < length {
            return instant(opening.start + nth);
        }
        nth -= length;
    }
    None
}

/// The part of `whole` that `spread` is of 2^64, in whole seconds.
pub(super) fn share(whole: Duration, spread: u64) -> Duration {
    let seconds = u128::from(whole.whole_seconds().max(0).unsigned_abs());
    Duration::seconds(i64::try_from((seconds * u128::from(spread)) >> 64).unwrap_or_default())
}

#[cfg(test)]
#[path = "life_tests.rs"]
mod tests;
