//! Due work: what must be done because time has passed, not because somebody asked.
//!
//! A document is due when its entry in the index of that name has passed. Each kind has one handler, in the room of what
//! it works on, that takes the item, does it, and says what became of it.

mod report;
mod requests;

pub use report::DueReport;
pub(super) use report::Work;

use super::context::{Change, Context, decode};
use super::error::Error;
use super::schema::{Entity, Replay, SyncTask, SyncWalk, UnfollowedEvent, index, sortable};
use crate::domain::{CertificateRequest, Deployment, IssuerRecord};
use crate::store::{Hit, MAX_SCAN_LIMIT, Over, Scan, StoreError, Version};

impl Context {
    /// Does at most `limit` items that are due, the longest overdue first. Cost follows what is due, not what is stored.
    pub(super) async fn run_due(&self, limit: usize) -> Result<DueReport, Error> {
        let mut scan = Scan::new(Over::Index(index::DUE.into()), limit.clamp(1, MAX_SCAN_LIMIT));
        scan.to = Some(format!("{}~", sortable(self.now())));
        let mut report = DueReport::default();
        for hit in self.store.scan(&scan).await? {
            report.count(self.work(&hit).await?);
        }
        Ok(report)
    }

    /// Does one item. One that fails, or can not be read, does not stop the others; a store that fails does.
    async fn work(&self, hit: &Hit) -> Result<Work, Error> {
        let worked = match hit.document.key.kind.as_ref() {
            CertificateRequest::KIND => self.resume_due(hit).await,
            IssuerRecord::KIND => self.complete_due(hit).await,
            Replay::KIND => self.remove_expired(hit).await,
            Deployment::KIND => self.deployment_due(hit).await,
            SyncTask::KIND => self.task_due(hit).await,
            SyncWalk::KIND => self.walk_due(hit).await,
            UnfollowedEvent::KIND => self.follow_up_due(hit).await,
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
