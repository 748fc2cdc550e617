//! Revocation by clients (RFC 8555 section 7.6).

use super::AcmeError;
use super::accounts::At;
use super::answers::RevokeBy;
use crate::crypto;
use crate::domain::acme::{Account, AcmeProblem, Identifier, ProblemKind};
use crate::domain::{Actor, CertificateRecord, CertificateState, Principal, RevocationFault};
use crate::engine::context::{Context, Versioned};
use crate::engine::error::Error;
use crate::x509::{PublicKey, RevocationReason};

/// The reasons that clients may give; the others are the office's to know.
const ACCEPTED: [RevocationReason; 5] = [
    RevocationReason::Unspecified,
    RevocationReason::KeyCompromise,
    RevocationReason::AffiliationChanged,
    RevocationReason::Superseded,
    RevocationReason::CessationOfOperation,
];

impl Context {
    /// Revokes a certificate of the Application.
    pub(super) async fn revoke_by_acme(
        &self,
        at: At,
        by: RevokeBy<'_>,
        der: &[u8],
        reason: Option<RevocationReason>,
    ) -> Result<(), AcmeError> {
        let reason = reason.unwrap_or(RevocationReason::Unspecified);
        if !ACCEPTED.contains(&reason) {
            let detail = format!("{reason} is not for clients to give");
            return Err(AcmeProblem::new(ProblemKind::BadRevocationReason, detail).into());
        }
        let record = match self.issued_with(crypto::sha256(der)).await {
            Err(Error::NotFound { .. }) => None,
            found => Some(found?).filter(|record| record.value.application == Some(at.0)),
        };
        let record = record.ok_or_else(|| AcmeProblem::malformed("the certificate was not issued here"))?;
        match by {
            RevokeBy::Account(account) => self.revoke_by_account(account, record, reason).await,
            RevokeBy::Key(key) => self.revoke_by_key(key, record).await,
        }
    }

    async fn revoke_by_account(
        &self,
        account: &Account,
        record: Versioned<CertificateRecord>,
        reason: RevocationReason,
    ) -> Result<(), AcmeError> {
        let ordered_it = record.value.requester == account.principal();
        if !ordered_it && !self.controls_all(account, &record.value).await? {
            let detail = "the account did not order the certificate, and has not proved control of all its names";
            return Err(AcmeProblem::unauthorized(detail).into());
        }
        is_not_revoked(&record.value)?;
        let actor = Actor::acme_account(account);
        told(self.revoke_record(&actor, record, reason.into()).await)
    }

    async fn revoke_by_key(&self, key: &PublicKey, record: Versioned<CertificateRecord>) -> Result<(), AcmeError> {
        if record.value.certificate().map_err(Error::from)?.public_key() != key {
            return Err(AcmeProblem::unauthorized("the key is not the certificate's").into());
        }
        is_not_revoked(&record.value)?;
        let actor = Actor::of_record(Principal::acme_key_holder());
        told(self.revoke_by_proven_key(&actor, record, key).await)
    }

    /// Whether an account has proved lately that it controls every name of a certificate. What was waived proves nothing.
    async fn controls_all(&self, account: &Account, record: &CertificateRecord) -> Result<bool, Error> {
        let now = self.now();
        for san in &record.sans {
            let Some(identifier) = Identifier::of_san(san) else { return Ok(false) };
            let proofs = self.proofs_of(account, &identifier).await?;
            if !proofs.iter().any(|proof| proof.shown_at(now).is_some()) {
                return Ok(false);
            }
        }
        Ok(!record.sans.is_empty())
    }
}

fn is_not_revoked(record: &CertificateRecord) -> Result<(), AcmeProblem> {
    match record.state {
        CertificateState::Active => Ok(()),
        CertificateState::Revoked { reason, .. } => {
            let detail = format!("the certificate is revoked already, for {reason}");
            Err(AcmeProblem::new(ProblemKind::AlreadyRevoked, detail))
        }
    }
}

fn told(revoked: Result<CertificateRecord, Error>) -> Result<(), AcmeError> {
    match revoked {
        Ok(_) => Ok(()),
        Err(Error::Revocation { reason: RevocationFault::AlreadyRevoked { reason }, .. }) => {
            let detail = format!("the certificate is revoked already, for {reason}");
            Err(AcmeProblem::new(ProblemKind::AlreadyRevoked, detail).into())
        }
        Err(Error::Revocation { reason, .. }) => Err(AcmeProblem::malformed(reason.to_string()).into()),
        Err(error) => Err(error.into()),
    }
}
