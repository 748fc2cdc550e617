//! Due work: what must be done because time has passed, not because somebody asked.

use super::context::{Change, Context, Versioned, decode};
use super::error::Error;
use super::issue::{FIRST_RETRY, postpone};
use super::outcome::Outcome;
use super::schema::{Entity, Replay, index, sortable};
use crate::domain::{Actor, CertificateRequest, IssuerRecord, IssuerState, RequestState};
use crate::store::{Hit, Over, Scan, Version};

/// What one round of due work did: counts of items, each counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DueReport {
    /// Requests and issuers whose certificate was signed.
    pub issued: usize,
    /// Requests that were given up because the signer refused.
    pub failed: usize,
    /// Items whose signer still does not answer, or that could not be read; they come up again later.
    pub postponed: usize,
    /// Records that had expired and were removed.
    pub removed: usize,
    /// Items that another worker took or changed first.
    pub taken_by_others: usize,
}

impl DueReport {
    /// How many items were looked at.
    pub fn total(&self) -> usize {
        self.issued + self.failed + self.postponed + self.removed + self.taken_by_others
    }
}

impl Context {
    /// Does at most `limit` items that are due, the longest overdue first. Cost follows what is due, not what is stored.
    pub(super) async fn run_due(&self, limit: usize) -> Result<DueReport, Error> {
        let mut scan = Scan::new(Over::Index(index::DUE.into()), limit.clamp(1, crate::store::MAX_SCAN_LIMIT));
        scan.to = Some(format!("{}~", sortable(self.now())));
        let mut report = DueReport::default();
        for hit in self.store.scan(&scan).await? {
            match hit.document.key.kind.as_ref() {
                CertificateRequest::KIND => self.resume_due(&hit, &mut report).await?,
                IssuerRecord::KIND => self.complete_due(&hit, &mut report).await?,
                Replay::KIND => self.remove_expired(&hit, &mut report).await?,
                _ => {}
            }
        }
        Ok(report)
    }

    /// Takes up a request whose signing was cut off: first puts off its next attempt, which is the claim on it, and then
    /// signs the recorded bytes.
    async fn resume_due(&self, hit: &Hit, report: &mut DueReport) -> Result<(), Error> {
        let Some(mut request) = self.readable_due::<CertificateRequest>(hit, report) else { return Ok(()) };
        let RequestState::Issuing(intent) = &mut request.state else { return Ok(()) };
        let issuer = intent.issuer;
        let requester = Actor::of_record(request.requester.clone());
        let mut change = self.change(&requester, self.now())?;
        postpone(intent, change.now);
        change.update(&request, hit.document.version)?;
        let Some(version) = claim(change, report).await? else { return Ok(()) };
        let id = request.id;
        let resumed = match self.issuer(issuer).await {
            Ok(issuer) => self.resume(Versioned { value: request, version }, issuer).await,
            Err(error) => Err(error),
        };
        match resumed {
            Ok(Outcome::Issued(_)) => report.issued += 1,
            Ok(Outcome::Pending(_)) => report.postponed += 1,
            Ok(Outcome::Refused(_)) => report.failed += 1,
            Err(Error::Store(error)) => return Err(error.into()),
            // It comes up again; the others do not wait for it.
            Err(error) => {
                tracing::warn!(request = %id, %error, "a request could not be taken up again");
                report.postponed += 1;
            }
        }
        Ok(())
    }

    /// Takes up an issuer whose own certificate was not signed, in the same way.
    async fn complete_due(&self, hit: &Hit, report: &mut DueReport) -> Result<(), Error> {
        let Some(mut issuer) = self.readable_due::<IssuerRecord>(hit, report) else { return Ok(()) };
        let IssuerState::Signing { retry_at, requester, .. } = &mut issuer.state else { return Ok(()) };
        let requester = Actor::of_record(requester.clone());
        let mut change = self.change(&requester, self.now())?;
        *retry_at = change.now + FIRST_RETRY;
        change.update(&issuer, hit.document.version)?;
        let Some(version) = claim(change, report).await? else { return Ok(()) };
        let name = issuer.name.clone();
        match self.complete_issuer(&requester, Versioned { value: issuer, version }).await {
            Ok(_) => report.issued += 1,
            Err(Error::Contended) => report.taken_by_others += 1,
            Err(Error::Store(error)) => return Err(error.into()),
            Err(error) => {
                tracing::warn!(issuer = %name, %error, "an issuer's certificate could not be signed");
                report.postponed += 1;
            }
        }
        Ok(())
    }

    /// One damaged document does not stop the others.
    fn readable_due<T: Entity>(&self, hit: &Hit, report: &mut DueReport) -> Option<T> {
        decode(&hit.document.key, &hit.document.body)
            .map_err(|error| {
                tracing::error!(key = %hit.document.key, %error, "a due document can not be read");
                report.postponed += 1;
            })
            .ok()
    }

    async fn remove_expired(&self, hit: &Hit, report: &mut DueReport) -> Result<(), Error> {
        let Some(replay) = self.readable_due::<Replay>(hit, report) else { return Ok(()) };
        match self.remove(&Versioned { value: replay, version: hit.document.version }).await {
            Ok(()) => report.removed += 1,
            Err(error) if error.is_conflict() => report.taken_by_others += 1,
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Commits the putting off of an item, which is the claim on it; `None` if another worker was first.
async fn claim(change: Change<'_>, report: &mut DueReport) -> Result<Option<Version>, Error> {
    match change.commit().await {
        Ok(version) => Ok(Some(version)),
        Err(error) if error.is_conflict() => {
            report.taken_by_others += 1;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
