//! Bounds of what a front takes, and how often.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use time::{Duration, OffsetDateTime};

use crate::domain::Principal;

/// What a front takes of one request, and of one principal.
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

/// What is counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Class {
    Reads,
    Writes,
}

/// Counts by the generic cell rate algorithm: one instant for each principal, or whoever else is bounded, and class, kept in
/// this process.
#[derive(Debug)]
pub(super) struct Meter<K = Principal> {
    limits: Limits,
    theirs: Mutex<HashMap<(K, Class), OffsetDateTime>>,
}

/// How many are remembered before those who have nothing to wait for are forgotten.
const REMEMBERED: usize = 10_000;

impl<K: Clone + Eq + Hash> Meter<K> {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, theirs: Mutex::default() }
    }

    /// Lets one request pass, or says how long to wait.
    pub(super) fn admit(&self, who: &K, class: Class, now: OffsetDateTime) -> Result<(), Duration> {
        let rate = match class {
            Class::Reads => self.limits.reads,
            Class::Writes => self.limits.writes,
        };
        if rate.per_minute == 0 {
            return Ok(());
        }
        let mut theirs = self.theirs.lock().unwrap_or_else(PoisonError::into_inner);
        if theirs.len() >= REMEMBERED {
            theirs.retain(|_, full_at| *full_at > now);
        }
        let interval = Duration::MINUTE / rate.per_minute;
        let full_at = theirs.entry((who.clone(), class)).or_insert(now);
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
        let meter = Meter::new(Limits { reads: rate, writes: Rate::UNBOUNDED, ..Limits::default() });
        let (alice, bob): (Principal, Principal) = ("user:alice".parse().unwrap(), "user:bob".parse().unwrap());
        let now = datetime!(2026-01-01 0:00 UTC);
        for _ in 0..3 {
            meter.admit(&alice, Class::Reads, now).unwrap();
        }
        assert_eq!(meter.admit(&alice, Class::Reads, now), Err(Duration::SECOND));
        meter.admit(&bob, Class::Reads, now).unwrap();
        for _ in 0..100 {
            meter.admit(&alice, Class::Writes, now).unwrap();
        }
        meter.admit(&alice, Class::Reads, now + Duration::SECOND).unwrap();
        assert!(meter.admit(&alice, Class::Reads, now + Duration::SECOND).is_err());
        // A clock that is set back makes nobody wait longer than the burst takes.
        assert!(meter.admit(&bob, Class::Reads, now - Duration::SECOND).is_ok());
    }

    #[test]
    fn those_who_do_not_wait_are_forgotten() {
        let meter: Meter = Meter::new(Limits::default());
        let now = datetime!(2026-01-01 0:00 UTC);
        for number in 0..REMEMBERED + 5 {
            let who = format!("machine:{number}").parse().unwrap();
            meter.admit(&who, Class::Reads, now + Duration::MINUTE * number as u32).unwrap();
        }
        assert!(meter.theirs.lock().unwrap().len() < 10);
    }
}
