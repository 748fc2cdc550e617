//! Revocation: who may revoke what, and the one commit that does it.
//!
//! A revocation is the certificate's new state, a small document that CRLs are made of, the event, and the mark that a CRL is
//! wanted. The mark is written by the first of many and only checked by the others, so that a thousand revocations at
//! once do not wait for one document.

mod crl;
mod incident;
mod incident_work;
mod ocsp;
mod presign;
mod responder;
mod settings;

pub use crl::Crl;
pub use ocsp::OcspReply;
pub(super) use ocsp::{OcspCache, ResponderCache};

use std::collections::BTreeSet;

use super::context::{Change, Context, Versioned};
use super::error::Error;
use super::issue::serial_claim;
use super::schema::{CrlRecord, CrlWork, Entity, RevokedCertificate, SerialClaim};
use crate::crypto;
use crate::domain::{
    Action, Actor, CertificateId, CertificateRecord, CertificateRef, CertificateState, EventKind, IncidentId, IssuerId,
    KeyProof, Origin, Revocation, RevocationFault, revoked,
};
use crate::x509::{PublicKey, RevocationReason};

/// How often a revocation is tried anew because others changed the same things.
const MOST_ATTEMPTS: usize = 8;

impl Context {
    /// Revokes a certificate.
    pub(super) async fn revoke(
        &self,
        actor: &Actor,
        which: CertificateRef,
        revocation: Revocation,
    ) -> Result<CertificateRecord, Error> {
        let record = self.revocable(actor, which).await?;
        self.revoke_record(actor, record, revocation).await
    }

    /// Revokes a certificate in the name of whoever has its key, which the signature of `proof` shows.
    pub(super) async fn revoke_by_key_proof(
        &self,
        actor: &Actor,
        fingerprint: [u8; 32],
        proof: &KeyProof,
    ) -> Result<CertificateRecord, Error> {
        let record = self.issued_with(fingerprint).await?;
        let certificate = record.value.certificate()?;
        let message = KeyProof::message(certificate.fingerprint());
        if crypto::verify(certificate.public_key(), proof.algorithm, &message, &proof.signature).is_err() {
            // Who may not know of the certificate learns nothing by guessing.
            self.may(actor, Action::CertificatesRead, &record.value).await?;
            return Err(Error::revocation(record.value.id, RevocationFault::NoProof));
        }
        self.revoke_by_proven_key(actor, record, certificate.public_key()).await
    }

    /// Revokes a certificate for keyCompromise: that whoever asks has the private half of `key` is proven already.
    pub(super) async fn revoke_by_proven_key(
        &self,
        actor: &Actor,
        record: Versioned<CertificateRecord>,
        key: &PublicKey,
    ) -> Result<CertificateRecord, Error> {
        if record.value.certificate()?.public_key() != key {
            return Err(Error::revocation(record.value.id, RevocationFault::NoProof));
        }
        self.revoke_record(actor, record, RevocationReason::KeyCompromise.into()).await
    }

    /// Lifts a certificate's hold: the next CRL leaves it out.
    pub(super) async fn release_hold(&self, actor: &Actor, which: CertificateRef) -> Result<CertificateRecord, Error> {
        let mut record = self.revocable(actor, which).await?;
        for _ in 0..MOST_ATTEMPTS {
            let Versioned { value: mut certificate, version } = record;
            let on_hold = matches!(
                certificate.state,
                CertificateState::Revoked { reason: RevocationReason::CertificateHold, .. }
            );
            let (true, Some(issuer)) = (on_hold, certificate.issuer) else {
                return Err(Error::revocation(certificate.id, RevocationFault::NotOnHold));
            };
            certificate.state = CertificateState::Active;
            let mut change = self.change(actor, self.now())?;
            change.update(&certificate, version)?;
            let listed = RevokedCertificate::id(issuer, certificate.crl_shard, &certificate.serial);
            if let Some(listed) = self.find::<RevokedCertificate>(&listed).await? {
                change.delete(&listed.value, listed.version);
            }
            self.want_crls(&[(issuer, certificate.crl_shard)].into(), &mut change).await?;
            change.event(certificate.application, EventKind::CertificateReleased { certificate: certificate.id })?;
            match change.commit().await {
                Ok(_) => return Ok(certificate),
                Err(error) if error.is_conflict() => record = self.load(&certificate.id.to_string()).await?,
                Err(error) => return Err(error),
            }
        }
        Err(Error::Contended)
    }

    pub(super) async fn revoke_record(
        &self,
        actor: &Actor,
        mut record: Versioned<CertificateRecord>,
        revocation: Revocation,
    ) -> Result<CertificateRecord, Error> {
        for _ in 0..MOST_ATTEMPTS {
            let mut change = self.change(actor, self.now())?;
            let id = record.value.id;
            let Some(revoked) = self.put_revocation(record, (revocation, None), &mut change).await? else {
                return Ok(self.load::<CertificateRecord>(&id.to_string()).await?.value);
            };
            let shard = revoked.issuer.map(|issuer| (issuer, revoked.crl_shard));
            self.want_crls(&shard.into_iter().collect(), &mut change).await?;
            match change.commit().await {
                Ok(_) => return Ok(revoked),
                Err(error) if error.is_conflict() => record = self.load(&id.to_string()).await?,
                Err(error) => return Err(error),
            }
        }
        Err(Error::Contended)
    }

    /// Puts the revocation of one certificate into a change; `None` if there is nothing to change. The CRL is the caller's.
    async fn put_revocation(
        &self,
        record: Versioned<CertificateRecord>,
        (revocation, incident): (Revocation, Option<IncidentId>),
        change: &mut Change<'_>,
    ) -> Result<Option<CertificateRecord>, Error> {
        let Versioned { value: mut certificate, version } = record;
        let fault = |fault| Error::revocation(certificate.id, fault);
        let issuer = issuer_that_can_revoke(&certificate).map_err(fault)?;
        if certificate.validity.not_after() < change.now {
            return Err(fault(RevocationFault::Expired));
        }
        let Some(state) = revoked(certificate.state, revocation.reason, change.now).map_err(fault)? else {
            return Ok(None);
        };
        let CertificateState::Revoked { reason, at } = state else { return Ok(None) };
        let listed = RevokedCertificate {
            issuer,
            shard: certificate.crl_shard,
            serial: certificate.serial,
            certificate: certificate.id,
            reason,
            at,
            invalid_since: revocation.invalid_since,
            not_after: certificate.validity.not_after(),
        };
        match self.find::<RevokedCertificate>(&listed.document_id()).await? {
            Some(earlier) => change.update(&listed, earlier.version)?,
            None => change.create(&listed)?,
        }
        certificate.state = state;
        change.update(&certificate, version)?;
        let event = EventKind::CertificateRevoked { certificate: certificate.id, reason, incident };
        change.event(certificate.application, event)?;
        Ok(Some(certificate))
    }

    /// Sees to it that CRLs are made that know of the change. Where one is wanted already, that is only checked.
    async fn want_crls(&self, shards: &BTreeSet<(IssuerId, u32)>, change: &mut Change<'_>) -> Result<(), Error> {
        for (issuer, shard) in shards {
            match self.find::<CrlRecord>(&CrlRecord::id(*issuer, *shard)).await? {
                None => change.create(&CrlRecord::new(*issuer, *shard, CrlRecord::gathered(change.now)))?,
                Some(crl) if crl.value.work == CrlWork::Wanted => change.check(crl.value.key(), crl.version),
                Some(Versioned { value: mut crl, version }) => {
                    crl.want(change.now);
                    change.update(&crl, version)?;
                }
            }
        }
        Ok(())
    }

    /// The certificate that is meant, for those who may revoke it: Admins and Operators of its Application; product
    /// administrators for certificates that belong to none.
    async fn revocable(&self, actor: &Actor, which: CertificateRef) -> Result<Versioned<CertificateRecord>, Error> {
        let record = self.referred(which).await?;
        let is_unowned = match record.value.application {
            None => true,
            Some(application) => self.find::<crate::domain::Application>(&application.to_string()).await?.is_none(),
        };
        if is_unowned && self.is_administrator(actor) {
            return Ok(record);
        }
        match self.may(actor, Action::CertificatesEdit, &record.value).await {
            Err(Error::NotFound { .. }) => Err(not_found(which)),
            may => may.map(|()| record),
        }
    }

    async fn referred(&self, which: CertificateRef) -> Result<Versioned<CertificateRecord>, Error> {
        let found = match which {
            CertificateRef::Id(id) => self.find(&id.to_string()).await?,
            CertificateRef::Serial(issuer, serial) => self.with_serial(issuer, &serial).await?,
            CertificateRef::Fingerprint(fingerprint) => return self.issued_with(fingerprint).await,
        };
        found.ok_or_else(|| not_found(which))
    }

    /// The certificate with a fingerprint: the one that was issued here, if others imported it, too.
    pub(super) async fn issued_with(&self, fingerprint: [u8; 32]) -> Result<Versioned<CertificateRecord>, Error> {
        let mut found = self.all_with_fingerprint(&fingerprint).await?;
        found.sort_by_key(|record| record.value.issuer.is_none());
        found.into_iter().next().ok_or_else(|| not_found(CertificateRef::Fingerprint(fingerprint)))
    }

    /// The certificate with a serial number below an issuer.
    async fn with_serial(
        &self,
        issuer: IssuerId,
        serial: &crate::x509::Serial,
    ) -> Result<Option<Versioned<CertificateRecord>>, Error> {
        // Below an issuer a claim's name does not depend on the certificate that has it.
        let any = CertificateId::new(time::OffsetDateTime::UNIX_EPOCH, [0; 10]);
        let claim = serial_claim(Some(issuer), serial, any).document_id();
        match self.find::<SerialClaim>(&claim).await? {
            Some(claim) => self.find(&claim.value.certificate.to_string()).await,
            None => Ok(None),
        }
    }
}

/// The issuer whose CRL can tell of the certificate.
fn issuer_that_can_revoke(certificate: &CertificateRecord) -> Result<IssuerId, RevocationFault> {
    match (certificate.issuer, certificate.origin) {
        (Some(issuer), _) if certificate.certifies == Some(issuer) => Err(RevocationFault::SelfSigned),
        (Some(issuer), _) => Ok(issuer),
        (None, Origin::Profile) => Err(RevocationFault::SelfSigned),
        (None, _) => Err(RevocationFault::IssuedElsewhere),
    }
}

fn not_found(which: CertificateRef) -> Error {
    let id = match which {
        CertificateRef::Id(id) => id.to_string(),
        CertificateRef::Serial(issuer, serial) => format!("{serial} of {issuer}"),
        CertificateRef::Fingerprint(fingerprint) => super::submit::hex(&fingerprint),
    };
    Error::not_found(CertificateRecord::KIND, id)
}
