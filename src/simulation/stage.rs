//! What all parts of a simulated world share: chance, time, the story so far, and the model that invariants are judged by.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use time::{Duration, OffsetDateTime};

use super::Rates;
use super::failure::Verdict;
use super::model::Model;
use crate::clock::{Clock, ManualClock};
use crate::store::sequence::Sequence;

/// A future that the scheduler runs.
pub(super) type Act = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How many lines of the story are kept.
const STORY: usize = 400;

/// What all parts of a simulated world share.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) clock: Arc<ManualClock>,
    pub(super) model: Mutex<Model>,
    chance: Mutex<Sequence>,
    timers: Mutex<BTreeMap<(OffsetDateTime, u64), Waker>>,
    timer_number: AtomicU64,
    rates: Rates,
    is_fair: AtomicBool,
    story: Mutex<VecDeque<String>>,
    entrances: Mutex<Entrances>,
    /// Calls of the store within that have not come back: only they may take real time.
    pub(super) outside: AtomicUsize,
}

/// Acts that wait to be taken on by the scheduler.
#[derive(Default)]
struct Entrances(Vec<Act>);

impl std::fmt::Debug for Entrances {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} acts", self.0.len())
    }
}

impl Stage {
    pub(super) fn new(seed: u64, start: OffsetDateTime, rates: Rates) -> Self {
        Self {
            clock: Arc::new(ManualClock::new(start)),
            model: Mutex::default(),
            chance: Mutex::new(Sequence::new(seed)),
            timers: Mutex::default(),
            timer_number: AtomicU64::new(0),
            rates,
            is_fair: AtomicBool::new(true),
            story: Mutex::default(),
            entrances: Mutex::default(),
            outside: AtomicUsize::new(0),
        }
    }

    /// A number below `bound`.
    pub(super) fn draw(&self, bound: u64) -> u64 {
        lock(&self.chance).next() % bound.max(1)
    }

    /// True once in `one_in` times; never if that is 0.
    pub(super) fn strikes(&self, one_in: u64) -> bool {
        one_in > 0 && self.draw(one_in) == 0
    }

    /// Whether things go wrong now and then.
    pub(super) fn is_foul(&self) -> bool {
        !self.is_fair.load(Ordering::Relaxed)
    }

    /// From now on things go wrong.
    pub(super) fn turn_foul(&self) {
        self.is_fair.store(false, Ordering::Relaxed);
    }

    /// From now on nothing goes wrong.
    pub(super) fn turn_fair(&self) {
        self.is_fair.store(true, Ordering::Relaxed);
    }

    /// Which of four things goes wrong with a call, once in `one_in` times.
    pub(super) fn mishap(&self, one_in: u64) -> Option<u64> {
        (self.is_foul() && self.strikes(one_in)).then(|| self.draw(4))
    }

    pub(super) fn rates(&self) -> &Rates {
        &self.rates
    }

    pub(super) fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }

    /// Writes a line of the story, which a failure is told with.
    pub(super) fn tell(&self, line: impl Display) {
        let mut story = lock(&self.story);
        if story.len() == STORY {
            story.pop_front();
        }
        let line = format!("{} {line}", self.now());
        story.push_back(line);
    }

    pub(super) fn story(&self) -> Vec<String> {
        lock(&self.story).iter().cloned().collect()
    }

    /// What breaks an invariant is told, and found by the scheduler after the step.
    pub(super) fn judge(&self, verdict: Verdict) {
        if let Err(breach) = verdict {
            self.tell(format_args!("BREACH {}", breach.what));
            lock(&self.model).breach(breach);
        }
    }

    /// Lets the others go first a few times, or takes some virtual time.
    pub(super) async fn hesitate(&self) {
        if self.is_foul() && self.strikes(self.rates.stall) {
            let seconds = i64::try_from(1 + self.draw(120)).unwrap_or(1);
            self.nap(Duration::seconds(seconds)).await;
        }
        for _ in 0..self.draw(3) {
            Yield::default().await;
        }
    }

    /// Sleeps in virtual time.
    pub(super) fn nap(&self, length: Duration) -> Nap<'_> {
        let number = self.timer_number.fetch_add(1, Ordering::Relaxed);
        Nap { stage: self, until: (self.now() + length, number) }
    }

    /// Moves time to the next timer and wakes whoever waited for it; false if nobody waits.
    pub(super) fn move_on(&self) -> bool {
        let Some(next) = lock(&self.timers).first_key_value().map(|(key, _)| key.0) else { return false };
        let wait = next - self.now();
        if wait.is_positive() {
            self.clock.advance(wait);
        }
        self.wake_sleepers();
        true
    }

    /// Lets time pass.
    pub(super) fn leap(&self, by: Duration) {
        self.clock.advance(by);
        self.wake_sleepers();
    }

    fn wake_sleepers(&self) {
        let now = self.now();
        let mut timers = lock(&self.timers);
        while let Some(timer) = timers.first_entry().filter(|timer| timer.key().0 <= now) {
            timer.remove().wake();
        }
    }

    /// Begins a call of the store within, which may take real time.
    pub(super) fn step_outside(&self) -> Outside<'_> {
        self.outside.fetch_add(1, Ordering::SeqCst);
        Outside(&self.outside)
    }

    /// Hands an act to the scheduler that no crash of a node ends.
    pub(super) fn enter(&self, act: Act) {
        lock(&self.entrances).0.push(act);
    }

    pub(super) fn take_entrances(&self) -> Vec<Act> {
        std::mem::take(&mut lock(&self.entrances).0)
    }
}

/// A call of the store within, until it comes back or is dropped.
#[derive(Debug)]
pub(super) struct Outside<'a>(&'a AtomicUsize);

impl Drop for Outside<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A lock whose holder panicked is still good: nothing is left half done under it.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sleeping in virtual time.
#[derive(Debug)]
pub(super) struct Nap<'a> {
    stage: &'a Stage,
    until: (OffsetDateTime, u64),
}

impl Future for Nap<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.stage.now() >= self.until.0 {
            return Poll::Ready(());
        }
        lock(&self.stage.timers).insert(self.until, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Nap<'_> {
    fn drop(&mut self) {
        lock(&self.stage.timers).remove(&self.until);
    }
}

/// Lets the others go first, once.
#[derive(Debug, Default)]
struct Yield {
    has_yielded: bool,
}

impl Future for Yield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.has_yielded {
            return Poll::Ready(());
        }
        self.has_yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}
