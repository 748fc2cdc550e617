//! How a notification stands on one channel, and when it is tried again.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

/// The wait after the first attempt; each is twice as long as the one before.
const FIRST_WAIT: Duration = Duration::minutes(1);
const LONGEST_WAIT: Duration = Duration::hours(2);
/// After so long a notification is given up.
const DEADLINE: Duration = Duration::hours(24);

/// How a notification stands on one channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "delivery", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Delivery {
    /// It is to be sent.
    Waiting {
        /// How often it was begun.
        attempts: u32,
        /// When it is tried next.
        #[serde(with = "time::serde::rfc3339")]
        due_at: OffsetDateTime,
        /// What the last attempt said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last: Option<String>,
    },
    /// The receiver has taken it.
    Delivered {
        /// When.
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
    },
    /// It will not be sent.
    GivenUp {
        /// When that was decided.
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
        /// Why.
        reason: String,
    },
}

/// What an attempt came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    Delivered,
    /// For good.
    Refused(String),
    /// Tried again, not before so long if the receiver said so.
    Failed(String, Option<Duration>),
}

impl Delivery {
    /// A first attempt that is due now.
    pub(crate) fn begin(now: OffsetDateTime) -> Self {
        Self::Waiting { attempts: 0, due_at: now, last: None }
    }

    /// When there is something to do.
    pub(crate) fn due_at(&self) -> Option<OffsetDateTime> {
        match self {
            Self::Waiting { due_at, .. } => Some(*due_at),
            Self::Delivered { .. } | Self::GivenUp { .. } => None,
        }
    }

    /// The claim on an attempt: the next one is put off, in case nobody reports on this one. `jitter` is a random octet.
    pub(crate) fn claimed(self, now: OffsetDateTime, jitter: u8) -> Self {
        match self {
            Self::Waiting { attempts, last, .. } => {
                Self::Waiting { attempts: attempts.saturating_add(1), due_at: now + wait(attempts, jitter), last }
            }
            done => done,
        }
    }

    /// After an attempt at `now` on a notification that was made at `since`.
    pub(crate) fn after(self, attempt: Attempt, now: OffsetDateTime, since: OffsetDateTime) -> Self {
        let Self::Waiting { attempts, due_at, .. } = self else { return self };
        match attempt {
            Attempt::Delivered => Self::Delivered { at: now },
            Attempt::Refused(reason) => Self::GivenUp { at: now, reason },
            Attempt::Failed(reason, retry_after) => {
                let due_at = retry_after.map_or(due_at, |wanted| due_at.max(now + wanted));
                if due_at > since + DEADLINE {
                    return Self::GivenUp { at: now, reason: format!("{reason} ({attempts} attempts)") };
                }
                Self::Waiting { attempts, due_at, last: Some(reason) }
            }
        }
    }
}

/// Twice as long each time, and up to a quarter more or less.
fn wait(attempts: u32, jitter: u8) -> Duration {
    let doubled = (FIRST_WAIT * 2_i32.pow(attempts.min(10))).min(LONGEST_WAIT);
    doubled * (384 + u32::from(jitter)) / 512
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-01-01 0:00 UTC);

    #[test]
    fn waits_double_within_a_quarter_and_end() {
        for (attempts, minutes) in [(0, 1), (1, 2), (2, 4), (6, 64), (7, 120), (50, 120)] {
            let (low, high) = (wait(attempts, 0), wait(attempts, 255));
            let middle = Duration::minutes(minutes);
            assert_eq!(low, middle * 3 / 4, "{attempts}");
            assert!(high < middle * 5 / 4 && high > middle * 6 / 5, "{attempts}: {high}");
        }
    }

    #[test]
    fn a_receiver_that_never_answers_is_given_up_after_a_day() {
        let (mut delivery, mut now, mut attempts) = (Delivery::begin(NOW), NOW, 0);
        while let Some(due_at) = delivery.due_at() {
            now = now.max(due_at);
            delivery = delivery.claimed(now, 128).after(Attempt::Failed("no".into(), None), now, NOW);
            attempts += 1;
        }
        assert!(matches!(delivery, Delivery::GivenUp { .. }));
        assert!((NOW + Duration::hours(20)..NOW + DEADLINE).contains(&now), "{now}");
        assert!((15..25).contains(&attempts), "{attempts}");
    }

    #[test]
    fn answers() {
        let begun = || Delivery::begin(NOW).claimed(NOW, 128);
        assert_eq!(begun().after(Attempt::Delivered, NOW, NOW), Delivery::Delivered { at: NOW });
        let refused = begun().after(Attempt::Refused("404".into()), NOW, NOW);
        assert_eq!(refused, Delivery::GivenUp { at: NOW, reason: "404".into() });
        let wanted = Duration::minutes(30);
        let later = begun().after(Attempt::Failed("429".into(), Some(wanted)), NOW, NOW);
        assert_eq!(later.due_at(), Some(NOW + wanted), "the receiver's wish counts");
        let too_late = begun().after(Attempt::Failed("503".into(), Some(Duration::hours(25))), NOW, NOW);
        assert!(matches!(too_late, Delivery::GivenUp { .. }));
    }
}
