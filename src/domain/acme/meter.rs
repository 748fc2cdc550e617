//! How much was asked lately: one instant for each thing that is counted (the generic cell rate algorithm).

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::domain::Rate;

/// How far something is used up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Meter {
    /// What is counted.
    pub(crate) name: String,
    /// When nothing of it will be used any more.
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) empty_at: OffsetDateTime,
}

impl Meter {
    /// One that nothing is used of.
    pub(crate) fn new(name: String, now: OffsetDateTime) -> Self {
        Self { name, empty_at: now }
    }

    /// The same after one more.
    ///
    /// # Errors
    /// How long to wait until there is room for one.
    pub(crate) fn taken(self, rate: Rate, now: OffsetDateTime) -> Result<Self, Duration> {
        let each = rate.per.as_duration() / rate.count.max(1);
        let empty_at = self.empty_at.max(now) + each;
        let too_early = (empty_at - now) - rate.per.as_duration();
        if too_early > Duration::ZERO { Err(too_early) } else { Ok(Self { empty_at, ..self }) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;
    use crate::domain::Span;

    const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

    #[test]
    fn so_many_at_once_and_then_one_after_the_other() {
        let rate = Rate { count: 3, per: Span::hours(3) };
        let mut meter = Meter::new("x".into(), NOW);
        for _ in 0..3 {
            meter = meter.taken(rate, NOW).unwrap();
        }
        assert_eq!(meter.clone().taken(rate, NOW), Err(Duration::HOUR));
        let later = NOW + Duration::HOUR;
        meter = meter.taken(rate, later).unwrap();
        assert_eq!(meter.clone().taken(rate, later), Err(Duration::HOUR));
        assert!(meter.taken(rate, NOW + Duration::days(1)).is_ok());
    }

    proptest! {
        #[test]
        fn in_no_time_of_the_rate_pass_more_than_twice_its_count(count in 1..50_u32, waits in prop::collection::vec(0..400_i64, 1..400)) {
            let rate = Rate { count, per: Span::hours(1) };
            let (mut meter, mut now, mut passed) = (Meter::new("x".into(), NOW), NOW, Vec::new());
            for wait in waits {
                now += Duration::seconds(wait);
                match meter.clone().taken(rate, now) {
                    Ok(taken) => { meter = taken; passed.push(now); }
                    Err(retry) => {
                        prop_assert!(retry > Duration::ZERO && meter.clone().taken(rate, now + retry).is_ok());
                    }
                }
            }
            for from in &passed {
                let within = passed.iter().filter(|at| **at >= *from && **at < *from + Duration::HOUR).count();
                prop_assert!(within as u32 <= 2 * count);
            }
        }
    }
}
