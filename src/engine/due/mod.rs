//! Due work: what must be done because time has passed, not because somebody asked.
//!
//! A document is due when its entry in the index of that name has passed. Each kind has one handler, in the room of what
//! it works on, that takes the item, does it, and says what became of it.

mod report;
mod requests;

use futures_util::{StreamExt, stream};

pub use report::DueReport;
pub(super) use report::Work;

use super::audit::Sealing;
use super::context::{Change, Context, decode};
use super::error::Error;
use super::housekeeping::Sweep;
use super::schema::{
    CrlRecord, Entity, KeptToken, Notification, OcspAnswer, RENEWAL_DUE, RenewalWalk, Replay, ResponderRecord,
    SyncTask, SyncWalk, Watch, Window, index, instant_of, sortable,
};
use crate::domain::{CertificateRequest, Deployment, Incident, IssuerRecord, Octets, RenewalPlan};
use crate::store::{Hit, MAX_SCAN_LIMIT, Over, Scan, StoreError, Version};

/// How many items of a round are under way at once, so that one that waits for its signer or target does not hold up all.
const AT_ONCE: usize = 8;

impl Context {
    /// Does at most `limit` items that are due, the longest overdue first. Cost follows what is due, not what is stored.
    pub(super) async fn run_due(&self, limit: usize) -> Result<DueReport, Error> {
        self.plan_sweeps().await?;
        let limit = limit.clamp(1, MAX_SCAN_LIMIT);
        let mut report = DueReport::default();
        // First: what follows of an event may be due at once.
        match self.seal_events(limit).await? {
            Sealing::Sealed(count) => report.sealed = count,
            Sealing::TakenByOthers => report.taken_by_others += 1,
        }
        let mut scan = Scan::new(Over::Index(index::DUE.into()), limit);
        scan.to = Some(format!("{}~", sortable(self.now())));
        let mut hits = self.store.scan(&scan).await?;
        let renewals = self.due_renewals(limit).await?;
        // Of a round that is full, each side gets what the other does not need, and half of it at least.
        hits.truncate((limit - renewals.len()).max(limit.div_ceil(2)));
        let left = limit.saturating_sub(hits.len());
        let is_notification = |hit: &Hit| hit.document.key.kind == Notification::<Octets>::KIND;
        let (notifications, others): (Vec<Hit>, Vec<Hit>) = hits.into_iter().partition(is_notification);
        self.work_through(&others, &mut report).await?;
        self.renew_all(renewals.into_iter().take(left).collect(), &mut report).await?;
        // Last: a receiver that is slow to answer holds up nothing else.
        self.work_through(&notifications, &mut report).await?;
        Ok(report)
    }

    /// Does the items, some at once.
    async fn work_through(&self, hits: &[Hit], report: &mut DueReport) -> Result<(), Error> {
        let works: Vec<_> = hits.iter().map(|hit| self.work(hit)).collect();
        let mut works = stream::iter(works).buffer_unordered(AT_ONCE);
        let mut failed = None;
        while let Some(worked) = works.next().await {
            match worked {
                Ok(work) => report.count(work),
                // Those that are under way are brought to their end.
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// How long until the first item is due.
    pub(super) async fn until_next_due(&self) -> Result<Option<std::time::Duration>, Error> {
        if !self.store.scan(&Scan::new(Over::Index(index::EVENT_UNSEALED.into()), 1)).await?.is_empty() {
            return Ok(Some(std::time::Duration::ZERO));
        }
        let mut first = None;
        for queue in [index::DUE, RENEWAL_DUE] {
            let hits = self.store.scan(&Scan::new(Over::Index(queue.into()), 1)).await?;
            let due = hits.first().and_then(|hit| instant_of(&hit.value));
            first = [first, due].into_iter().flatten().min();
        }
        Ok(first.map(|due| (due - self.now()).try_into().unwrap_or_default()))
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
            OcspAnswer::KIND => self.forget_answer_due(hit).await,
            Incident::KIND => self.incident_due(hit).await,
            Watch::KIND => self.watch_due(hit).await,
            Window::KIND => self.window_due(hit).await,
            Notification::<Octets>::KIND => self.deliver_due(hit).await,
            RenewalWalk::KIND => self.renewal_walk_due(hit).await,
            RenewalPlan::KIND => self.end_due(hit).await,
            Deployment::KIND => self.deployment_due(hit).await,
            SyncTask::KIND => self.task_due(hit).await,
            SyncWalk::KIND => self.sync_walk_due(hit).await,
            _ => Ok(Work::Nothing),
        };
        match worked {
            Err(Error::Contended | Error::Store(StoreError::Conflict { .. })) => Ok(Work::TakenByOthers),
            Err(Error::Store(error)) if !matches!(error, StoreError::Corrupt { .. }) => Err(error.into()),
            Err(error) => {
                tracing::warn!(key = %hit.document.key, %error, "due work failed; it comes up again");
                Ok(Work::Postponed)
            }
            worked => worked,
        }
    }
}

/// The item that a hit holds.
pub(super) fn item<T: Entity>(hit: &Hit) -> Result<T, Error> {
    decode(&hit.document.key, &hit.document.body)
}

/// Commits the putting off of an item, which is the claim on it: its new version is the token that every later write
/// on it must show, so that a worker that was paused meanwhile does no harm. `None` if another worker was first.
pub(super) async fn claim(change: Change<'_>) -> Result<Option<Version>, Error> {
    match change.commit().await {
        Ok(version) => Ok(Some(version)),
        Err(error) if error.is_conflict() => Ok(None),
        Err(error) => Err(error),
    }
}
