//! The only source of the present moment.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use time::{Duration, OffsetDateTime};

/// Tells the time. The crate reads no other clock.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The present moment, UTC. May stand still; a jump backwards does no harm but to the order of events. Must not block:
    /// every verb asks, most of them once.
    fn now(&self) -> OffsetDateTime;
}

/// A shared clock, so that a test can keep hold of the one that it moves.
impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> OffsetDateTime {
        (**self).now()
    }
}

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }
}

/// A clock that moves only when told to, for tests and simulations.
///
/// ```
/// use std::sync::Arc;
/// use chancery::clock::{Clock, ManualClock};
/// use time::{Duration, macros::datetime};
///
/// let clock = Arc::new(ManualClock::new(datetime!(2026-06-01 0:00 UTC)));
/// let builder = chancery::engine::Engine::builder().clock(clock.clone());
/// clock.advance(Duration::days(90)); // and the engine's time is 2026-08-30
/// assert_eq!(clock.now(), datetime!(2026-08-30 0:00 UTC));
/// # drop(builder);
/// ```
#[derive(Debug)]
pub struct ManualClock(Mutex<OffsetDateTime>);

impl ManualClock {
    /// A clock that stands at `now`.
    pub fn new(now: OffsetDateTime) -> Self {
        Self(Mutex::new(now))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> OffsetDateTime {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
