//! Due requests, issuers and idempotency keys.

use super::{Work, hold, item};
use crate::domain::{Actor, CertificateRequest, EventKind, IssuerRecord, IssuerState, RequestState};
use crate::engine::context::{Context, Versioned};
use crate::engine::error::Error;
use crate::engine::issue::{FIRST_RETRY, postpone};
use crate::engine::outcome::Outcome;
use crate::engine::schema::Replay;
use crate::store::{Hit, Version};

impl Context {
    /// Does what is due of a request.
    pub(super) async fn request_due(&self, hit: &Hit) -> Result<Work, Error> {
        let request: CertificateRequest = item(hit)?;
        match &request.state {
            RequestState::Issuing(_) => self.resume_due(request, hit.document.version).await,
            RequestState::AwaitingApproval(_) => self.expire_due(request, hit.document.version).await,
            _ => Ok(Work::Nothing),
        }
    }

    /// Takes up a request whose signing was cut off: first puts off its next attempt, which is the claim on it, and then
    /// signs the recorded bytes.
    async fn resume_due(&self, mut request: CertificateRequest, version: Version) -> Result<Work, Error> {
        let RequestState::Issuing(intent) = &mut request.state else { return Ok(Work::Nothing) };
        let issuer = intent.issuer;
        let requester = Actor::of_record(request.requester.clone());
        let mut change = self.change(&requester, self.now())?;
        postpone(intent, change.now);
        change.update(&request, version)?;
        let Some(version) = hold(change).await? else { return Ok(Work::TakenByOthers) };
        let issuer = self.issuer(issuer).await?;
        Ok(match self.resume(Versioned { value: request, version }, issuer, None).await? {
            Outcome::Issued(_) => Work::Issued,
            Outcome::Pending(_) => Work::Postponed,
            Outcome::Refused(_) => Work::Failed,
        })
    }

    /// Ends a request that nobody decided on in time.
    async fn expire_due(&self, mut request: CertificateRequest, version: Version) -> Result<Work, Error> {
        let mut change = self.change_by_engine()?;
        let RequestState::AwaitingApproval(approval) = request.state else { return Ok(Work::Nothing) };
        if approval.expires_at > change.now {
            return Ok(Work::Nothing);
        }
        request.state = RequestState::Expired(approval);
        request.updated_at = change.now;
        change.update(&request, version)?;
        change.event(Some(request.application), EventKind::RequestExpired { request: request.id })?;
        Ok(hold(change).await?.map_or(Work::TakenByOthers, |_| Work::Expired))
    }

    /// Takes up an issuer whose own certificate was not signed, in the same way.
    pub(super) async fn complete_due(&self, hit: &Hit) -> Result<Work, Error> {
        let mut issuer: IssuerRecord = item(hit)?;
        let IssuerState::Signing { retry_at, requester, .. } = &mut issuer.state else { return Ok(Work::Nothing) };
        let requester = Actor::of_record(requester.clone());
        let mut change = self.change(&requester, self.now())?;
        *retry_at = change.now + FIRST_RETRY;
        change.update(&issuer, hit.document.version)?;
        let Some(version) = hold(change).await? else { return Ok(Work::TakenByOthers) };
        self.complete_issuer(&requester, Versioned { value: issuer, version }).await?;
        Ok(Work::Issued)
    }

    /// Forgets an idempotency key whose time has passed.
    pub(super) async fn remove_expired(&self, hit: &Hit) -> Result<Work, Error> {
        let replay: Replay = item(hit)?;
        self.remove(&Versioned { value: replay, version: hit.document.version }).await?;
        Ok(Work::Removed)
    }
}
