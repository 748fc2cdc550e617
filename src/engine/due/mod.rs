//! Due work: what must be done because time has passed, not because somebody asked.
//!
//! A document is due when its entry in the index of that name has passed. Each kind has one handler, in the room of what
//! it works on, that takes the item, does it, and says what became of it.

mod report;
mod requests;

use std::collections::HashMap;
use std::pin::pin;

use futures_util::{Stream, StreamExt, stream};
use time::{Duration, OffsetDateTime};

pub use report::DueReport;
pub(super) use report::Work;

use super::audit::Sealing;
use super::context::{Change, Context, decode};
use super::error::Error;
use super::housekeeping::Sweep;
use super::schema::{
    AUDIT_TURN, CrlRecord, Entity, KeptBinding, KeptToken, Notification, OcspAnswer, RENEWAL_DUE, RENEWAL_READY,
    RenewalWalk, Replay, ResponderRecord, SyncTask, SyncWalk, Watch, Window, index, instant_of, sortable,
};
use crate::domain::acme::{Account, Authorization, Meter, Order};
use crate::domain::{CertificateRequest, Deployment, Incident, IssuerRecord, Octets, RenewalPlan};
use crate::store::{Claim, Hit, IndexEntry, Key, MAX_SCAN_LIMIT, Over, Scan, StoreError, Version};

/// How many items of a round are under way at once, so that one that waits for its signer or target does not hold up all.
pub(super) const AT_ONCE: usize = 8;

/// How long what a worker takes is its own, until it begins with it. It is no bound on the work: whoever is late finds another
/// version, and loses. Whoever loses a race for something else than the item waits as long.
pub(super) const LEASE: Duration = Duration::minutes(1);

/// What one round took.
pub(super) struct Round {
    /// What became of what was done.
    pub(super) report: DueReport,
    /// What waits for other people's servers, in queues that may go at once.
    pub(super) waiting: Vec<Vec<Hit>>,
}

impl Context {
    /// Does at most `limit` items that are due, the longest overdue first. Cost follows what is due, not what is stored.
    pub(super) async fn run_due(&self, limit: usize) -> Result<DueReport, Error> {
        let Round { mut report, waiting } = self.round(limit).await?;
        self.work_through(waiting, &mut report).await?;
        Ok(report)
    }

    /// The same, but for what waits for other people's servers: that is taken, and left to the caller.
    pub(super) async fn round(&self, limit: usize) -> Result<Round, Error> {
        self.plan_sweeps().await?;
        let limit = limit.clamp(1, MAX_SCAN_LIMIT);
        let mut report = DueReport::default();
        // First: what follows of an event may be due at once.
        match self.seal_events(limit).await? {
            Sealing::Sealed(count) => report.sealed = count,
            Sealing::TakenByOthers => report.taken_by_others += 1,
        }
        // Of a round that is full, each side gets what the other does not need, and half of it at least.
        let mut hits = self.take_due(index::DUE, limit.div_ceil(2)).await?;
        let is_full = hits.len() == limit.div_ceil(2);
        let renewals = self.due_renewals(limit - hits.len()).await?;
        if is_full {
            hits.extend(self.take_due(index::DUE, limit - hits.len() - renewals.len()).await?);
        }
        let (waiting, prompt): (Vec<Hit>, Vec<Hit>) = hits.into_iter().partition(waits_for_others);
        self.work_through(prompt.into_iter().map(|hit| vec![hit]).collect(), &mut report).await?;
        self.renew_all(renewals, &mut report).await?;
        Ok(Round { report, waiting: in_queues(waiting) })
    }

    /// Takes at most `limit` documents of a queue that are due by now. One that nobody writes meanwhile is due again when the
    /// lease has passed.
    pub(super) async fn take_due(&self, queue: &'static str, limit: usize) -> Result<Vec<Hit>, Error> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let now = self.now();
        let lease = IndexEntry::new(queue, sortable(now + LEASE));
        Ok(self.store.claim(&Claim { index: queue.into(), to: format!("{}~", sortable(now)), lease, limit }).await?)
    }

    /// Does what is in the queues: some queues at once, and each one after the other.
    pub(super) async fn work_through(&self, queues: Vec<Vec<Hit>>, report: &mut DueReport) -> Result<(), Error> {
        let queues = queues.into_iter().map(|queue| {
            let works = stream::iter(queue).then(|hit| async move { self.work(&hit).await });
            works.collect::<Vec<Result<Work, Error>>>()
        });
        let queues = stream::iter(queues.collect::<Vec<_>>()).buffer_unordered(AT_ONCE);
        tally(queues.flat_map(stream::iter), report).await
    }

    /// How long until the first item is due.
    pub(super) async fn until_next_due(&self) -> Result<Option<std::time::Duration>, Error> {
        let mut first = self.sealing_due().await?;
        for queue in [index::DUE, RENEWAL_DUE, RENEWAL_READY] {
            first = [first, self.first_in(queue).await?].into_iter().flatten().min();
        }
        Ok(first.map(|due| (due - self.now()).try_into().unwrap_or_default()))
    }

    /// When events can be sealed, if there are any to seal: now, or when the lease of whoever is at it has passed.
    async fn sealing_due(&self) -> Result<Option<OffsetDateTime>, Error> {
        match self.first_in(index::EVENT_UNSEALED).await? {
            Some(_) => Ok(Some(self.first_in(AUDIT_TURN).await?.unwrap_or(self.now()))),
            None => Ok(None),
        }
    }

    /// The time of the first entry of a queue; what has none of its own is due now.
    async fn first_in(&self, queue: &'static str) -> Result<Option<OffsetDateTime>, Error> {
        let hits = self.store.scan(&Scan::new(Over::Index(queue.into()), 1)).await?;
        Ok(hits.first().map(|hit| instant_of(&hit.value).unwrap_or(self.now())))
    }

    /// Does one item. One that fails, or can not be read, does not stop the others; a store that fails does.
    async fn work(&self, hit: &Hit) -> Result<Work, Error> {
        let worked = match hit.document.key.kind.as_ref() {
            CertificateRequest::KIND => self.request_due(hit).await,
            IssuerRecord::KIND => self.complete_due(hit).await,
            Replay::KIND => self.remove_expired(hit).await,
            KeptToken::KIND => self.token_due(hit).await,
            Sweep::KIND => self.sweep_due(hit).await,
            CrlRecord::KIND => self.publish_due(hit).await,
            ResponderRecord::KIND => self.certify_responder_due(hit).await,
            OcspAnswer::KIND => self.answer_due(hit).await,
            Incident::KIND => self.incident_due(hit).await,
            Watch::KIND => self.watch_due(hit).await,
            Window::KIND => self.window_due(hit).await,
            Notification::<Octets>::KIND => self.deliver_due(hit).await,
            RenewalWalk::KIND => self.renewal_walk_due(hit).await,
            RenewalPlan::KIND => self.end_due(hit).await,
            Deployment::KIND => self.deployment_due(hit).await,
            SyncTask::KIND => self.task_due(hit).await,
            SyncWalk::KIND => self.sync_walk_due(hit).await,
            Authorization::KIND => self.authorization_due(hit).await,
            Order::KIND => self.order_due(hit).await,
            Account::KIND => self.account_due(hit).await,
            KeptBinding::KIND => self.binding_due(hit).await,
            Meter::KIND => self.meter_due(hit).await,
            _ => Ok(Work::Nothing),
        };
        settle(worked, &hit.document.key)
    }
}

/// Counts what became of each item. Those that are under way are brought to their end, whatever fails.
pub(super) async fn tally(works: impl Stream<Item = Result<Work, Error>>, report: &mut DueReport) -> Result<(), Error> {
    let mut works = pin!(works);
    let mut failed = None;
    while let Some(worked) = works.next().await {
        match worked {
            Ok(work) => report.count(work),
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(()), Err)
}

/// What an error of one item means for the round: only a store that fails ends it.
pub(super) fn settle(worked: Result<Work, Error>, key: &Key) -> Result<Work, Error> {
    match worked {
        Err(Error::Contended | Error::Store(StoreError::Conflict { .. })) => Ok(Work::TakenByOthers),
        Err(Error::Store(error)) if !matches!(error, StoreError::Corrupt { .. }) => Err(error.into()),
        Err(error) => {
            tracing::warn!(%key, %error, "due work failed; it comes up again");
            Ok(Work::Postponed)
        }
        worked => worked,
    }
}

/// Whether an item is done by the servers of others, which may take their time: targets, receivers of alerts, and those
/// whose control is to be proved.
fn waits_for_others(hit: &Hit) -> bool {
    matches!(hit.document.key.kind.as_ref(), Authorization::KIND | Deployment::KIND | Notification::<Octets>::KIND)
}

/// What must go one after the other: a target takes one deployment at a time. All else goes by itself.
fn in_queues(hits: Vec<Hit>) -> Vec<Vec<Hit>> {
    let mut queues: Vec<Vec<Hit>> = Vec::with_capacity(hits.len());
    let mut of_targets = HashMap::new();
    for hit in hits {
        let deployment = (hit.document.key.kind == Deployment::KIND).then(|| item::<Deployment>(&hit).ok()).flatten();
        match deployment.map(|deployment| *of_targets.entry(deployment.target).or_insert(queues.len())) {
            Some(at) if at < queues.len() => queues[at].push(hit),
            _ => queues.push(vec![hit]),
        }
    }
    queues
}

/// The item that a hit holds.
pub(super) fn item<T: Entity>(hit: &Hit) -> Result<T, Error> {
    decode(&hit.document.key, &hit.document.body)
}

/// Commits a change of an item that was taken. Its new version is the token that every later write on it must show, so that
/// a worker that was paused meanwhile does no harm. `None` if somebody else has changed it.
pub(super) async fn hold(change: Change<'_>) -> Result<Option<Version>, Error> {
    match change.commit().await {
        Ok(version) => Ok(Some(version)),
        Err(error) if error.is_conflict() => Ok(None),
        Err(error) => Err(error),
    }
}
