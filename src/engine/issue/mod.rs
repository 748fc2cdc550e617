//! Issuing: permit, reserve, sign, record. Each step is made of the one before it and of nothing else, so bytes that
//! were not judged, linted and recorded can not reach a key, and a certificate that is not recorded can not get out.

mod handover;
mod prepare;
mod record;
mod resume;

use std::sync::Arc;

use time::OffsetDateTime;

use super::context::{Change, Context, Versioned};
use super::error::Error;
use super::outcome::{Chain, Issued, Outcome, Refusal, SubjectKey};
use super::renewal::{Standing, plan_first};
use super::submit::waiting;
use crate::domain::policy::Violation;
use crate::domain::{
    Actor, CertificateId, CertificateRequest, EventKind, Intent, IssuerId, KeyCustody, KeyHandover, Octets, RequestId,
    RequestState,
};
use crate::signer::Locality;
use crate::store::StoreError;
use crate::x509::Serial;

pub(super) use prepare::{KeySource, Permit};
use prepare::{Prepared, SigningAuthority, SubjectKeyPair};
pub(super) use record::{Facts, issuer_certificate, record_of, serial_claim};
pub(super) use resume::{FIRST_RETRY, postpone};

/// Everything that is fixed before a key is touched.
struct Reserved {
    permit: Permit,
    request: RequestId,
    certificate: CertificateId,
    key: SubjectKeyPair,
    by: SigningAuthority,
    prepared: Prepared,
}

impl Reserved {
    fn issuer(&self) -> Option<IssuerId> {
        self.by.issuer.as_ref().map(|issuer| issuer.record.value.id)
    }

    fn facts(&self) -> Facts {
        let (custody, issuer) = (self.key.custody(), self.issuer());
        Facts { id: self.certificate, custody, issuer, crl_shard: self.by.crl_shard }
    }

    fn request(&self, state: RequestState, now: OffsetDateTime) -> CertificateRequest {
        let setting = &self.permit.setting;
        CertificateRequest {
            id: self.request,
            application: setting.application.value.id,
            profile: (setting.profile.value.id, setting.profile.value.revision),
            policy: setting.policy_revision(),
            method: self.permit.method,
            requester: self.permit.requester.clone(),
            metadata: self.permit.metadata.clone(),
            replaces: self.permit.replaces.as_ref().map(|replaced| replaced.predecessor.value.id),
            ignored_extensions: self.permit.draft.ignored_extensions.clone(),
            approval: self.permit.kept.as_ref().and_then(|kept| kept.value.approval().cloned().map(Box::new)),
            state,
            created_at: self.permit.kept.as_ref().map_or(now, |kept| kept.value.created_at),
            updated_at: now,
        }
    }

    /// Writes the request: a new one, or the one that was kept.
    fn save(&self, request: &CertificateRequest, change: &mut Change<'_>) -> Result<(), Error> {
        match &self.permit.kept {
            Some(kept) => change.update(request, kept.version),
            None => change.create(request),
        }
    }
}

impl Permit {
    /// Whether the answer goes to the one who asked: whoever approves a request gets no key, and due work keeps none.
    fn is_answered_to(&self, actor: &Actor) -> bool {
        self.kept.is_none() && *actor.principal() == self.requester
    }

    /// What the requester is owed if no answer holds the key. One that is used again was handed out before, and reading it
    /// again is a permission of its own.
    fn owed(&self) -> KeyHandover {
        match self.key {
            KeySource::Fresh => KeyHandover::Owed,
            KeySource::Client(_) | KeySource::Stored(_) => KeyHandover::Done,
        }
    }

    /// The key for an answer to `actor`.
    fn answer(&self, actor: &Actor, key: SubjectKeyPair) -> Option<SubjectKey> {
        let holds_it = self.owed() == KeyHandover::Owed && self.is_answered_to(actor);
        if holds_it { key.into_private() } else { None }
    }
}

impl Context {
    /// Issues what was permitted.
    ///
    /// With a signer in this process one commit follows the signature: before it nothing has left, and a crash loses the
    /// signature with the process. With any other, serial and bytes are committed first, and a crash at any later point
    /// leaves a request that due work signs again: the same bytes.
    pub(super) async fn issue(&self, actor: &Actor, permit: Permit) -> Result<Outcome, Error> {
        let mut change = self.change(actor, permit.judged_at)?;
        let key = SubjectKeyPair::for_permit(&permit)?;
        let serial = Serial::from_random(change.random.take()?);
        let by = SigningAuthority::for_permit(&permit, &key, &serial)?;
        let prepared = match Prepared::new(&permit, key.public(), &serial, &by.authority)? {
            Ok(prepared) => prepared,
            Err(violations) => return self.turn_down(actor, permit, violations).await,
        };
        let fresh = RequestId::new(change.now, change.random.take()?);
        let request = permit.kept.as_ref().map_or(fresh, |kept| kept.value.id);
        let certificate = CertificateId::new(change.now, change.random.take()?);
        let reserved = Reserved { permit, request, certificate, key, by, prepared };
        self.reserve(&reserved, &mut change).await?;
        match reserved.by.signer.locality() {
            Locality::InProcess => self.sign_and_commit(actor, reserved, change).await,
            Locality::Remote => self.commit_and_sign(actor, reserved, change).await,
        }
    }

    /// What belongs to the first commit of either walk: that nothing has changed, the serial, the sealed key, and what
    /// makes it happen once.
    async fn reserve(&self, reserved: &Reserved, change: &mut Change<'_>) -> Result<(), Error> {
        reserved.permit.setting.check(change);
        let serial = &reserved.prepared.view.serial;
        change.create(&serial_claim(reserved.issuer(), serial, reserved.certificate))?;
        if let SubjectKeyPair::Managed { pkcs8, .. } = &reserved.key {
            self.seal_key(reserved.certificate, pkcs8, change).await?;
        }
        if let Some(once) = &reserved.permit.once {
            once.record(reserved.request, change.now, change)?;
        }
        for kind in &reserved.permit.tells {
            change.event(Some(reserved.permit.setting.application.value.id), kind.clone())?;
        }
        Ok(())
    }

    async fn sign_and_commit(
        &self,
        actor: &Actor,
        reserved: Reserved,
        mut change: Change<'_>,
    ) -> Result<Outcome, Error> {
        let algorithm = reserved.prepared.view.content.signature_algorithm;
        let signature = reserved.by.signer.sign(algorithm, &reserved.prepared.tbs).await?;
        let permit = &reserved.permit;
        let handover = if permit.is_answered_to(actor) { KeyHandover::Done } else { permit.owed() };
        let state = RequestState::Issued { certificate: reserved.certificate, handover };
        let request = reserved.request(state, change.now);
        let facts = reserved.facts();
        reserved.save(&request, &mut change)?;
        let chain = reserved.by.issuers();
        let certificate = reserved.prepared.assemble(&signature)?;
        let mut record = record_of(&request, &certificate, facts, change.now);
        let standing = Standing::of(&reserved.permit.setting);
        match &reserved.permit.replaces {
            Some(succession) => succession.record(&mut record, &standing, &mut change)?,
            None => plan_first(&record, &standing, &mut change)?,
        }
        change.create(&record)?;
        change.event(Some(request.application), issued_event(&request, record.id))?;
        change.commit().await?;
        let chain = Chain::new(certificate, chain);
        let mut issued = Issued::new(request, record, chain);
        issued.private_key = reserved.permit.answer(actor, reserved.key);
        Ok(Outcome::Issued(Box::new(issued)))
    }

    async fn commit_and_sign(
        &self,
        actor: &Actor,
        reserved: Reserved,
        mut change: Change<'_>,
    ) -> Result<Outcome, Error> {
        let Some(issuer) = reserved.by.issuer.clone() else {
            return Err(Error::encoding("a self-signed certificate can not wait for a signer"));
        };
        let intent = Intent {
            certificate: reserved.certificate,
            issuer: issuer.record.value.id,
            serial: reserved.prepared.view.serial,
            crl_shard: reserved.by.crl_shard,
            tbs: Octets(reserved.prepared.tbs.clone()),
            public_key: Octets(reserved.prepared.public_key.spki_der().to_vec()),
            custody: reserved.key.custody(),
            handover: reserved.permit.owed(),
            retry_at: change.now + FIRST_RETRY,
            attempts: 1,
        };
        let request = reserved.request(RequestState::Issuing(Box::new(intent)), change.now);
        let policy = request.policy;
        change.event(Some(request.application), EventKind::IssuanceStarted { request: request.id, policy })?;
        reserved.save(&request, &mut change)?;
        if let Some(succession) = &reserved.permit.replaces {
            succession.claim(request.id, &mut change)?;
        }
        let version = change.commit().await?;
        let id = request.id;
        let key = reserved.permit.answer(actor, reserved.key);
        let is_owed = key.is_some();
        let mut resumed = self.resume(Versioned { value: request, version }, issuer, key).await;
        if matches!(&resumed, Ok(Outcome::Issued(issued)) if is_owed && issued.private_key.is_none()) {
            // Somebody else recorded it first, without a key at hand to give out.
            resumed = self.outcome_of(actor, id).await;
        }
        match resumed {
            // The request stands: whoever asks again, without knowing that, would get a second certificate.
            Err(Error::Store(StoreError::Unavailable { .. } | StoreError::Unknown { .. })) => {
                Ok(Outcome::Pending(waiting(id)))
            }
            resumed => resumed,
        }
    }

    /// Answers that the bytes to be signed can not be: what was approved is voided, anything else refused.
    async fn turn_down(&self, actor: &Actor, permit: Permit, violations: Vec<Violation>) -> Result<Outcome, Error> {
        let Permit { setting, kept, tells, .. } = permit;
        match kept {
            Some(kept) => self.void(actor, kept, (tells, Some(&setting)), violations).await,
            None => self.refuse(actor, &setting, Refusal { violations }).await,
        }
    }

    /// An issued certificate as it is answered, without its key.
    pub(super) async fn issued(&self, request: CertificateRequest, id: CertificateId) -> Result<Issued, Error> {
        let record = self.load(&id.to_string()).await?;
        let chain = self.chain_of(&record.value).await?;
        Ok(Issued::new(request, record.value, chain))
    }
}

fn issued_event(request: &CertificateRequest, certificate: CertificateId) -> EventKind {
    let (id, policy) = (request.id, request.policy);
    match request.replaces {
        Some(replaces) => EventKind::CertificateRenewed { certificate, replaces, request: id, policy },
        None => EventKind::CertificateIssued { certificate, request: id, policy },
    }
}

impl Issued {
    fn new(request: CertificateRequest, record: crate::domain::CertificateRecord, chain: Chain) -> Self {
        let CertificateRequest { id, ignored_extensions, .. } = request;
        Self { request: id, record, chain, private_key: None, ignored_extensions }
    }
}

impl SubjectKeyPair {
    fn custody(&self) -> KeyCustody {
        match self {
            Self::Client(_) => KeyCustody::Client,
            Self::Managed { .. } => KeyCustody::Managed,
        }
    }

    fn into_private(self) -> Option<SubjectKey> {
        match self {
            Self::Client(_) => None,
            Self::Managed { pkcs8, .. } => Some(SubjectKey::new(pkcs8)),
        }
    }
}

impl SigningAuthority {
    fn issuers(&self) -> Arc<[crate::x509::Certificate]> {
        self.issuer.as_ref().map_or_else(|| Arc::from([]), |issuer| Arc::clone(&issuer.chain))
    }
}
