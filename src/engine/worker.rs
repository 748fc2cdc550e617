//! The ready-made worker: due work, round after round, until it is told to stop.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};

use super::Engine;
use super::due::DueReport;
use super::error::Error;

/// Does due work until it is told to stop. Any number of workers may share a store, in any number of processes.
///
/// It spawns nothing and knows no runtime: [`run`](Self::run) is a future for the host to spawn, and the host says how to
/// sleep. It waits until the next item is due, at most [`longest_pause`](Self::longest_pause), with some jitter, so that many workers
/// do not come at once. What its own engine makes due at once, such as a challenge that an ACME client has answered, wakes it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use std::time::Duration;
/// # use chancery::engine::Engine;
/// let engine = Engine::builder().build().await?;
/// let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
/// let worker = engine.worker(tokio::time::sleep).longest_pause(Duration::from_secs(10));
/// let running = tokio::spawn(worker.run(async { drop(stopped.await) }));
///
/// // At the end of the service's life; what is under way is brought to its end.
/// drop(stop);
/// running.await?;
/// # Ok(())
/// # }
/// ```
pub struct Worker<S> {
    engine: Engine,
    sleep: S,
    limit: usize,
    longest_pause: Duration,
    longest_round: Duration,
}

/// The first pause after a round that failed; it doubles with each further failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// How long a worker that is woken waits, so that what is asked together is done together.
const BREATH: Duration = Duration::from_millis(50);

impl Engine {
    /// A worker over this engine that waits by `sleep`, such as `tokio::time::sleep`.
    pub fn worker<S, F>(&self, sleep: S) -> Worker<S>
    where
        S: Fn(Duration) -> F,
        F: Future<Output = ()>,
    {
        Worker {
            engine: self.clone(),
            sleep,
            limit: 100,
            longest_pause: Duration::from_secs(30),
            longest_round: Duration::from_secs(600),
        }
    }
}

impl<S> fmt::Debug for Worker<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, longest_pause, longest_round, .. } = self;
        let mut worker = f.debug_struct("Worker");
        worker.field("limit", limit).field("longest_pause", longest_pause).field("longest_round", longest_round);
        worker.finish_non_exhaustive()
    }
}

impl<S, F> Worker<S>
where
    S: Fn(Duration) -> F,
    F: Future<Output = ()>,
{
    /// How many items one round takes on, 1 to 1000; 100 if not set.
    #[must_use]
    pub fn limit(mut self, items: usize) -> Self {
        self.limit = items;
        self
    }

    /// How long it waits at most before it looks again; 30 seconds if not set. What other processes make due earlier is
    /// seen no later than that.
    #[must_use]
    pub fn longest_pause(mut self, pause: Duration) -> Self {
        self.longest_pause = pause;
        self
    }

    /// After what time a round is dropped, because a signer, a target or a notifier does not answer at all; ten minutes if
    /// not set. What was begun is taken up again when its lease has passed.
    #[must_use]
    pub fn longest_round(mut self, length: Duration) -> Self {
        self.longest_round = length;
        self
    }

    /// Works until `shutdown` is ready, and then brings the round to its end that is under way. A round that fails is an event of
    /// `tracing` and is tried again after a pause that doubles. Dropping the future loses nothing.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        let mut failures = 0;
        loop {
            // From before the round, so that nothing that comes up during it is slept over.
            let due_now = self.engine.due_now();
            let pause = match self.round().await {
                Ok(report) => {
                    failures = 0;
                    self.pause_after(&report).await
                }
                Err(error) => {
                    tracing::error!(%error, failures, "a round of due work failed");
                    failures += 1;
                    (FIRST_PAUSE * 2_u32.pow(failures.min(10))).min(self.longest_pause)
                }
            };
            let pause = pin!((self.sleep)(self.engine.jittered(pause)));
            let woken = pin!(async {
                due_now.await;
                (self.sleep)(BREATH).await;
            });
            if let Either::Left(_) = select(shutdown.as_mut(), select(pause, woken)).await {
                return;
            }
        }
    }

    async fn round(&self) -> Result<DueReport, Error> {
        let (work, patience) = (pin!(self.engine.run_due(self.limit)), pin!((self.sleep)(self.longest_round)));
        match select(work, patience).await {
            Either::Left((report, _)) => report,
            Either::Right(_) => {
                tracing::error!(after = ?self.longest_round, "a round of due work was dropped: something never answers");
                Ok(DueReport::default())
            }
        }
    }

    /// None while there is more to do; else until the next item is due.
    async fn pause_after(&self, report: &DueReport) -> Duration {
        if report.total() >= self.limit && report.done() > 0 {
            return Duration::ZERO;
        }
        let until = match self.engine.until_next_due().await {
            Ok(until) => until.unwrap_or(self.longest_pause),
            Err(error) => {
                tracing::error!(%error, "the next due time could not be read");
                self.longest_pause
            }
        };
        until.clamp(FIRST_PAUSE.min(self.longest_pause), self.longest_pause)
    }
}
