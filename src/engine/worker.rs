//! The ready-made worker: due work, round after round, until it is told to stop.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, pending};
use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;

use super::Engine;
use super::due::{DueReport, Round};
use super::error::Error;
use crate::store::Hit;

/// Does due work until it is told to stop. Any number of workers may share a store, in any number of processes.
///
/// It spawns nothing and knows no runtime: [`run`](Self::run) is a future for the host to spawn, and the host says how to
/// sleep. It waits until the next item is due, at most [`longest_pause`](Self::longest_pause), with some jitter, so that many workers
/// do not come at once. What its own engine makes due at once, such as a challenge that an ACME client has answered, wakes it.
/// Deployments, notifications and looks at challenges go on beside the rounds: a server that is slow to answer holds up nothing
/// but what is meant for it.
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

/// How many queues of items that wait for other people's servers go on beside the rounds. What is taken beyond comes up again
/// when its lease has passed.
const MOST_BESIDE: usize = 64;

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

    /// After what time a round, or what goes on beside it, is dropped, because a signer, a target or a notifier does not answer at
    /// all; ten minutes if not set. What was begun is taken up again when its lease has passed.
    #[must_use]
    pub fn longest_round(mut self, length: Duration) -> Self {
        self.longest_round = length;
        self
    }

    /// Works until `shutdown` is ready, and then brings to its end what is under way. A round that fails is an event of
    /// `tracing` and is tried again after a pause that doubles. Dropping the future loses nothing.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        let mut beside = FuturesUnordered::new();
        let mut failures = 0;
        loop {
            // From before the round, so that nothing that comes up during it is slept over.
            let due_now = self.engine.due_now();
            let pause = match alongside(&mut beside, self.round()).await {
                Ok(Round { report, waiting }) => {
                    failures = 0;
                    let taken = report.total() + waiting.iter().map(Vec::len).sum::<usize>();
                    let is_full = taken >= self.limit && (report.done() > 0 || !waiting.is_empty());
                    let room = MOST_BESIDE - beside.len();
                    if waiting.len() > room {
                        tracing::warn!(put_off = waiting.len() - room, "too many servers of others are slow to answer");
                    }
                    beside.extend(waiting.into_iter().take(room).map(|queue| self.beside(queue)));
                    if is_full { Duration::ZERO } else { alongside(&mut beside, self.pause()).await }
                }
                Err(error) => {
                    tracing::error!(%error, failures, "a round of due work failed");
                    failures += 1;
                    (FIRST_PAUSE * 2_u32.pow(failures.min(10))).min(self.longest_pause)
                }
            };
            let pause = pin!((self.sleep)(self.engine.jittered(pause)));
            let woken = pin!(async {
                // Something of what goes on beside may have come to its next step.
                select(due_now, pin!(first_of(&mut beside))).await;
                alongside(&mut beside, (self.sleep)(BREATH)).await;
            });
            if let Either::Left(_) = select(shutdown.as_mut(), select(pause, woken)).await {
                break;
            }
        }
        while beside.next().await.is_some() {}
    }

    async fn round(&self) -> Result<Round, Error> {
        let nothing = Round { report: DueReport::default(), waiting: Vec::new() };
        self.patiently(self.engine.round(self.limit)).await.unwrap_or(Ok(nothing))
    }

    async fn beside(&self, queue: Vec<Hit>) {
        if let Some(Err(error)) = self.patiently(self.engine.work_beside(queue)).await {
            tracing::error!(%error, "what goes on beside the rounds of due work failed");
        }
    }

    /// `None` for what does not come to its end at all.
    async fn patiently<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        match select(pin!(work), pin!((self.sleep)(self.longest_round))).await {
            Either::Left((done, _)) => Some(done),
            Either::Right(_) => {
                tracing::error!(after = ?self.longest_round, "due work was dropped: something never answers");
                None
            }
        }
    }

    /// Until the next item is due.
    async fn pause(&self) -> Duration {
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

/// Does something while others go on beside it.
async fn alongside<T>(beside: &mut FuturesUnordered<impl Future<Output = ()>>, work: impl Future<Output = T>) -> T {
    let others = async {
        while beside.next().await.is_some() {}
        pending::<Infallible>().await
    };
    match select(pin!(work), pin!(others)).await {
        Either::Left((done, _)) => done,
        Either::Right((never, _)) => match never {},
    }
}

/// Ready when the first of them has come to its end; never if there is none.
async fn first_of(beside: &mut FuturesUnordered<impl Future<Output = ()>>) {
    if beside.next().await.is_none() {
        pending::<()>().await;
    }
}
