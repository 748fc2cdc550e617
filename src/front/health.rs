//! Whether the service lives, and whether it can do its work: what load balancers and orchestrators ask.

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::future::{Either, select};
use http::StatusCode;
use http::header::CACHE_CONTROL;
use time::OffsetDateTime;

use crate::engine::Engine;

/// How long the store may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// For how long one look at the store does for all who ask.
const FRESH: time::Duration = time::Duration::SECOND;

type Sleep = Box<dyn Fn(Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Answers `GET /healthz`, with 200 as long as the process answers at all, and `GET /readyz`, with 200 if the store answers and 503
/// if it does not.
///
/// The store is looked at once a second at most, for two seconds at most, however many ask. The gauge `chancery_ready` of the
/// `metrics` facade is 1 or 0 as of the last look.
///
/// ```no_run
/// # async fn run(engine: chancery::engine::Engine) {
/// use chancery::front::Health;
///
/// let app: axum::Router = Health::new(&engine, tokio::time::sleep).router();
/// # drop(app);
/// # }
/// ```
#[derive(Clone)]
pub struct Health(Arc<Probe>);

struct Probe {
    engine: Engine,
    sleep: Sleep,
    last: Mutex<Last>,
}

#[derive(Clone, Copy, Default)]
struct Last {
    /// When the store was looked at, and whether it answered.
    seen: Option<(OffsetDateTime, Verdict)>,
    /// Since when somebody looks.
    looking: Option<OffsetDateTime>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Ready,
    Unready,
}

impl Health {
    /// The health of `engine`; `sleep` waits, such as `tokio::time::sleep`.
    pub fn new<S, F>(engine: &Engine, sleep: S) -> Self
    where
        S: Fn(Duration) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let sleep: Sleep = Box::new(move |time| Box::pin(sleep(time)));
        Self(Arc::new(Probe { engine: engine.clone(), sleep, last: Mutex::default() }))
    }

    /// The router. Its paths begin where it is mounted.
    pub fn router(self) -> Router {
        Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz)).with_state(self)
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health").finish_non_exhaustive()
    }
}

async fn healthz() -> Response {
    said(StatusCode::OK, "ok\n")
}

async fn readyz(State(Health(probe)): State<Health>) -> Response {
    match probe.verdict().await {
        Verdict::Ready => said(StatusCode::OK, "ready\n"),
        Verdict::Unready => said(StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n"),
    }
}

fn said(status: StatusCode, text: &'static str) -> Response {
    (status, [(CACHE_CONTROL, "no-store")], text).into_response()
}

impl Probe {
    async fn verdict(&self) -> Verdict {
        let now = self.engine.now();
        if let Some(known) = self.known(now) {
            return known;
        }
        let verdict = self.look().await;
        metrics::gauge!("chancery_ready").set(if verdict == Verdict::Ready { 1.0 } else { 0.0 });
        *self.last() = Last { seen: Some((self.engine.now(), verdict)), looking: None };
        verdict
    }

    /// What is known and fresh, or what was known while somebody else looks; nothing, if this one is to look.
    fn known(&self, now: OffsetDateTime) -> Option<Verdict> {
        let mut last = self.last();
        let is_within = |since: OffsetDateTime, span: time::Duration| (since..since + span).contains(&now);
        if let Some((_, verdict)) = last.seen.filter(|(at, _)| is_within(*at, FRESH)) {
            return Some(verdict);
        }
        // Who looked and was not heard of again was dropped.
        let others_look = last.looking.is_some_and(|since| is_within(since, time::Duration::seconds(3)));
        match last.seen.filter(|_| others_look) {
            Some((_, verdict)) => Some(verdict),
            None => {
                last.looking = Some(now);
                None
            }
        }
    }

    async fn look(&self) -> Verdict {
        let (read, patience) = (pin!(self.engine.until_next_due()), (self.sleep)(PATIENCE));
        match select(read, patience).await {
            Either::Left((Ok(_), _)) => Verdict::Ready,
            Either::Left((Err(error), _)) => {
                tracing::warn!(%error, "not ready: the store fails");
                Verdict::Unready
            }
            Either::Right(_) => {
                tracing::warn!("not ready: the store does not answer in time");
                Verdict::Unready
            }
        }
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
