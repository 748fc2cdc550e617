//! Signing what a request has recorded: right after the first commit, or later, after a crash or an unknown answer.

use std::sync::Arc;

use time::{Duration, OffsetDateTime};

use super::issued_event;
use super::prepare::Prepared;
use super::record::{Facts, record_of};
use crate::crypto;
use crate::domain::{
    Actor, CertificateRecord, CertificateRequest, EventKind, Intent, KeyHandover, RequestId, RequestState,
};
use crate::engine::cache::Issuer;
use crate::engine::context::{Context, Versioned};
use crate::engine::error::Error;
use crate::engine::outcome::{Chain, Issued, Outcome, Refusal, SubjectKey};
use crate::engine::submit::{MOST_ATTEMPTS, awaiting_approval, failed, waiting};
use crate::signer::SignError;
use crate::store::StoreError;
use crate::x509::{Certificate, PublicKey, SignatureAlgorithm, TbsView};

/// Whether the one who waits for the answer gets the managed key in it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    WithKey,
    WithoutKey,
}

/// How long a request may be in the hands of whoever submitted it before due work takes it up.
pub(in crate::engine) const FIRST_RETRY: Duration = Duration::minutes(1);
/// The longest time between two attempts.
const LONGEST_RETRY: Duration = Duration::hours(1);

/// Puts off the next attempt of a request: twice as long each time.
pub(in crate::engine) fn postpone(intent: &mut Intent, now: OffsetDateTime) {
    let doubled = FIRST_RETRY * 2_i32.pow(intent.attempts.min(10));
    intent.retry_at = now + doubled.min(LONGEST_RETRY);
    intent.attempts = intent.attempts.saturating_add(1);
}

impl Context {
    /// Asks the signer to sign exactly what a request has recorded, and records the certificate.
    ///
    /// Whoever comes second finds the request changed and reports what the first one made of it. The key is the subject's,
    /// for the answer to the one who asked; without it a managed key is owed.
    pub(in crate::engine) async fn resume(
        &self,
        request: Versioned<CertificateRequest>,
        issuer: Arc<Issuer>,
        key: Option<SubjectKey>,
    ) -> Result<Outcome, Error> {
        let RequestState::Issuing(intent) = &request.value.state else {
            return self.settled(request.value).await;
        };
        let public_key = PublicKey::from_spki_der(&intent.public_key.0).map_err(Error::encoding)?;
        let view = TbsView::from_der(&intent.tbs.0, &public_key)?;
        if view.content.validity.not_after() < self.now() {
            return self.give_up(request, "no signature came before the certificate would have ended".to_owned()).await;
        }
        let prepared = Prepared { tbs: intent.tbs.0.clone(), view, public_key };
        match sign_and_verify(&issuer, &prepared).await {
            Ok(signature) => self.record(request, (prepared, signature), &issuer, key).await,
            Err(SignError::Refused { reason }) => self.give_up(request, reason).await,
            Err(SignError::Unavailable { .. } | SignError::Unknown { .. }) => {
                Ok(Outcome::Pending(waiting(request.value.id)))
            }
        }
    }

    async fn record(
        &self,
        request: Versioned<CertificateRequest>,
        (prepared, signature): (Prepared, Vec<u8>),
        issuer: &Issuer,
        key: Option<SubjectKey>,
    ) -> Result<Outcome, Error> {
        let certificate = prepared.assemble(&signature)?;
        let answer = if key.is_some() { Answer::WithKey } else { Answer::WithoutKey };
        for _ in 0..MOST_ATTEMPTS {
            match self.record_once(&request, &certificate, answer).await {
                Err(error) if error.is_conflict() => {
                    let standing: Versioned<CertificateRequest> = self.load(&request.value.id.to_string()).await?;
                    if standing.version != request.version {
                        return self.settled(standing.value).await;
                    }
                    // Something beside the request was changed: its predecessor, or what says when it renews.
                }
                Ok((request, record)) => {
                    let chain = Chain::new(certificate, Arc::clone(&issuer.chain));
                    let mut issued = Issued::new(request, record, chain);
                    issued.private_key = key;
                    return Ok(Outcome::Issued(Box::new(issued)));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Outcome::Pending(waiting(request.value.id)))
    }

    async fn record_once(
        &self,
        request: &Versioned<CertificateRequest>,
        certificate: &Certificate,
        answer: Answer,
    ) -> Result<(CertificateRequest, CertificateRecord), Error> {
        let Versioned { value: mut request, version } = request.clone();
        let RequestState::Issuing(intent) = &request.state else { return Err(Error::Contended) };
        let Intent { certificate: id, custody, issuer: by, crl_shard, handover, .. } = **intent;
        let facts = Facts { id, custody, issuer: Some(by), crl_shard };
        let requester = Actor::of_record(request.requester.clone());
        let mut change = self.change(&requester, self.now())?;
        let mut record = record_of(&request, certificate, facts, change.now);
        self.plan_next(&request, &mut record, &mut change).await?;
        let handover = if answer == Answer::WithKey { KeyHandover::Done } else { handover };
        request.state = RequestState::Issued { certificate: record.id, handover };
        request.updated_at = change.now;
        change.create(&record)?;
        change.update(&request, version)?;
        change.event(Some(request.application), issued_event(&request, record.id))?;
        match change.commit().await {
            Ok(_) => {}
            // The key would be lost if what is recorded as handed over were not: look what became of it.
            Err(Error::Store(StoreError::Unknown { .. }))
                if answer == Answer::WithKey && self.stands(&request).await => {}
            Err(error) => return Err(error),
        }
        Ok((request, record))
    }

    /// Whether a request is recorded exactly so.
    async fn stands(&self, request: &CertificateRequest) -> bool {
        let found = self.find::<CertificateRequest>(&request.id.to_string()).await;
        found.is_ok_and(|found| found.is_some_and(|found| found.value == *request))
    }

    async fn give_up(&self, request: Versioned<CertificateRequest>, reason: String) -> Result<Outcome, Error> {
        let Versioned { value: mut request, version } = request;
        let requester = Actor::of_record(request.requester.clone());
        let mut change = self.change(&requester, self.now())?;
        let violations = vec![failed(&reason)];
        let kind = EventKind::IssuanceFailed { request: request.id, reason: reason.clone() };
        change.event(Some(request.application), kind)?;
        let RequestState::Issuing(intent) = request.state else { return self.settled(request).await };
        request.state = RequestState::Failed { reason, intent };
        request.updated_at = change.now;
        change.update(&request, version)?;
        if let Some(succession) = self.succession(&request).await? {
            succession.release(request.id, violations[0].to_string(), &mut change)?;
        }
        match change.commit().await {
            Ok(_) => Ok(Outcome::Refused(Refusal { violations })),
            Err(error) if error.is_conflict() => self.settled_by_another(request.id).await,
            Err(error) => Err(error),
        }
    }

    async fn settled_by_another(&self, id: RequestId) -> Result<Outcome, Error> {
        let request: Versioned<CertificateRequest> = self.load(&id.to_string()).await?;
        self.settled(request.value).await
    }

    /// Where a request stands, without a key.
    pub(in crate::engine) async fn settled(&self, request: CertificateRequest) -> Result<Outcome, Error> {
        match &request.state {
            RequestState::Issuing(_) => Ok(Outcome::Pending(waiting(request.id))),
            RequestState::Failed { reason, .. } => Ok(Outcome::Refused(Refusal { violations: vec![failed(reason)] })),
            RequestState::Issued { certificate, .. } => {
                let certificate = *certificate;
                Ok(Outcome::Issued(Box::new(self.issued(request, certificate).await?)))
            }
            RequestState::AwaitingApproval(approval) if approval.expires_at > self.now() => {
                Ok(Outcome::Pending(awaiting_approval(request.id)))
            }
            RequestState::Voided { violations, .. } => Ok(Outcome::Refused(Refusal { violations: violations.clone() })),
            RequestState::AwaitingApproval(approval) | RequestState::Expired(approval) => {
                Ok(Outcome::Refused(Refusal { violations: vec![approval.expired()] }))
            }
            RequestState::Rejected(approval) => Ok(Outcome::Refused(Refusal { violations: vec![approval.rejected()] })),
            RequestState::Cancelled(approval) => {
                Ok(Outcome::Refused(Refusal { violations: vec![approval.cancelled()] }))
            }
        }
    }
}

/// The answer of a signer elsewhere counts only if it verifies under the issuer's key.
async fn sign_and_verify(issuer: &Issuer, prepared: &Prepared) -> Result<Vec<u8>, SignError> {
    let algorithm: SignatureAlgorithm = prepared.view.content.signature_algorithm;
    let signature = issuer.signer.sign(algorithm, &prepared.tbs).await?;
    let key = issuer.chain[0].public_key();
    match crypto::verify(key, algorithm, &prepared.tbs, &signature) {
        Ok(()) => Ok(signature),
        Err(_) => Err(SignError::Unknown { reason: "its signature does not verify under the issuer's key".into() }),
    }
}
