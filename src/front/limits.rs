//! Bounds of what a front takes, and how often.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use time::{Duration, OffsetDateTime};

/// What a front takes of one request, and of one principal.
#[cfg(feature = "api")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest body, in bytes. A certificate request alone may have 64 KiB.
    pub body: usize,
    /// Most entries of a page, 1 to 1000; also how many are given when a request does not say.
    pub page: usize,
    /// How often one principal may read.
    pub reads: Rate,
    /// How often one principal may do anything else.
    pub writes: Rate,
}

#[cfg(feature = "api")]
impl Default for Limits {
    /// 256 KiB, 100 entries, 6000 reads and 1200 writes a minute.
    fn default() -> Self {
        let reads = Rate { per_minute: 6000, burst: 600 };
        Self { body: 256 * 1024, page: 100, reads, writes: Rate { per_minute: 1200, burst: 200 } }
    }
}

/// How often something may be done: so many at once, and then so many a minute, evenly. A rate of none a minute bounds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many a minute.
    pub per_minute: u32,
    /// How many at once, at least 1.
    pub burst: u32,
}

impl Rate {
    /// As often as anybody likes.
    pub const UNBOUNDED: Self = Self { per_minute: 0, burst: 0 };
}

/// Counts by the generic cell rate algorithm: one instant for each of those who are counted, kept in this process.
#[derive(Debug)]
pub(super) struct Meter<K>(Mutex<HashMap<K, OffsetDateTime>>);

/// How many are remembered before those who have nothing to wait for are forgotten.
const REMEMBERED: usize = 10_000;

impl<K> Default for Meter<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> Meter<K> {
    /// Lets one request pass, or says how long to wait.
    pub(super) fn admit(&self, who: K, rate: Rate, now: OffsetDateTime) -> Result<(), Duration> {
        if rate.per_minute == 0 {
            return Ok(());
        }
        let mut theirs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if theirs.len() >= REMEMBERED {
            theirs.retain(|_, full_at| *full_at > now);
        }
        let interval = Duration::MINUTE / rate.per_minute;
        let full_at = theirs.entry(who).or_insert(now);
        let next = (*full_at).max(now) + interval;
        let wait = next - now - interval * rate.burst.max(1);
        if wait.is_positive() {
            return Err(wait);
        }
        *full_at = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_burst_passes_and_then_one_each_interval() {
        let rate = Rate { per_minute: 60, burst: 3 };
        let meter = Meter::default();
        let now = datetime!(2026-01-01 0:00 UTC);
        for _ in 0..3 {
            meter.admit("alice", rate, now).unwrap();
        }
        assert_eq!(meter.admit("alice", rate, now), Err(Duration::SECOND));
        meter.admit("bob", rate, now).unwrap();
        for _ in 0..100 {
            meter.admit("alice", Rate::UNBOUNDED, now).unwrap();
        }
        meter.admit("alice", rate, now + Duration::SECOND).unwrap();
        assert!(meter.admit("alice", rate, now + Duration::SECOND).is_err());
        // A clock that is set back makes nobody wait longer than the burst takes.
        assert!(meter.admit("bob", rate, now - Duration::SECOND).is_ok());
    }

    #[test]
    fn those_who_do_not_wait_are_forgotten() {
        let meter = Meter::default();
        let now = datetime!(2026-01-01 0:00 UTC);
        for number in 0..REMEMBERED + 5 {
            let rate = Rate { per_minute: 6000, burst: 600 };
            meter.admit(number, rate, now + Duration::MINUTE * number as u32).unwrap();
        }
        assert!(meter.0.lock().unwrap().len() < 10);
    }
}
