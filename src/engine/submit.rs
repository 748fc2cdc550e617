//! Submitting a request: complete, judge, and hand a permit on to issuing. The one way to a certificate.

use std::sync::Arc;

use time::{Duration, OffsetDateTime};

use super::approvals::{Waiting, approval_needed};
use super::cache::Setting;
use super::context::{Context, Versioned};
use super::error::Error;
use super::issue::Permit;
use super::once::Once;
use super::outcome::{Outcome, Pending, PendingReason, Refusal, SubjectKey};
use super::schema::{Entity, Replay};
use crate::crypto;
use crate::domain::policy::{Problem, Violation};
use crate::domain::{
    Action, Actor, Application, Asked, CertificateId, CertificateRequest, Draft, Enrollment, EventKind, Metadata,
    Predecessor, RenewalKey, RequestId, Source, complete,
};
use crate::store::{Batch, Write};
use crate::x509::PublicKey;

/// How long an idempotency key is remembered.
const REPLAY_WINDOW: Duration = Duration::hours(24);
/// How often a decision is taken anew because others changed what it rested on.
pub(super) const MOST_ATTEMPTS: usize = 8;
/// What a requester is told to wait for a signer, and for people.
const RETRY_AFTER: std::time::Duration = std::time::Duration::from_secs(5);
const RETRY_AFTER_VOTE: std::time::Duration = std::time::Duration::from_secs(60);

impl Context {
    /// Judges a request and, if it is permitted, issues.
    pub(super) async fn submit(&self, actor: &Actor, enrollment: &Enrollment) -> Result<Outcome, Error> {
        if let Source::Renewal { .. } = &enrollment.source {
            // Its predecessor must be read and claimed, too.
            return Box::pin(self.submit_renewal(actor, enrollment)).await;
        }
        let once = Idempotency::of(actor, enrollment)?.map(Once::Key);
        self.submit_once(actor, enrollment, once).await
    }

    /// The same for what happens once by other means, too. Who fulfils an order reads it again after a conflict, and decides anew.
    pub(super) async fn submit_once(
        &self,
        actor: &Actor,
        enrollment: &Enrollment,
        once: Option<Once>,
    ) -> Result<Outcome, Error> {
        let mut cached = self.cached_setting(enrollment.application, enrollment.profile);
        for _ in 0..MOST_ATTEMPTS {
            if let Some(outcome) = self.replay(actor, enrollment, once.as_ref().and_then(Once::key)).await? {
                return Ok(outcome);
            }
            let is_cached = cached.is_some();
            let setting = match cached.take() {
                Some(setting) => setting,
                None => self.setting_for(actor, enrollment).await?,
            };
            let now = self.now();
            let allowed = self.authorize_submit(actor, &setting.application.value);
            match allowed.map(|()| self.decide(enrollment, &setting, (None, now))) {
                // A refusal by a cached setting may be out of date.
                Err(_) | Ok(Err(_)) if is_cached => {}
                Err(error) => return Err(error),
                Ok(Err(refusal)) => return self.refuse(actor, &setting, refusal).await,
                Ok(Ok(draft)) => {
                    let judged = (draft, now);
                    match self.approve_or_issue(actor, enrollment, (setting, judged), once.clone()).await {
                        Err(error) if error.is_conflict() && matches!(once, Some(Once::Order(_))) => {
                            self.forget_setting(enrollment.application, enrollment.profile);
                            return Err(error);
                        }
                        Err(error) if error.is_conflict() => {}
                        issued => return issued,
                    }
                }
            }
        }
        Err(Error::Contended)
    }

    /// Goes on with a request that was judged and found good: to its approvers, if it needs any, or to its issuer.
    async fn approve_or_issue(
        &self,
        actor: &Actor,
        enrollment: &Enrollment,
        (setting, (draft, now)): (Arc<Setting>, (Draft, OffsetDateTime)),
        once: Option<Once>,
    ) -> Result<Outcome, Error> {
        let requester = actor.principal().clone();
        if let Some(policy) = approval_needed(&setting, enrollment, (&requester, &draft), None) {
            let waiting = Waiting { enrollment, setting: &setting, policy, draft, now, once, succession: None };
            return self.await_approval(actor, waiting).await;
        }
        let permit = Permit::new(setting, enrollment, requester, (draft, now)).once(once);
        self.issue(actor, permit).await
    }

    /// Judges a request without issuing or recording anything.
    pub(super) async fn dry_run(
        &self,
        actor: &Actor,
        enrollment: &Enrollment,
    ) -> Result<Result<Draft, Refusal>, Error> {
        if let Source::Renewal { .. } = &enrollment.source {
            return self.dry_renewal(actor, enrollment).await;
        }
        let setting = self.setting_for(actor, enrollment).await?;
        Ok(self.decide(enrollment, &setting, (None, self.now())))
    }

    /// What a request is judged by, read anew; nothing is told of it to those who may not ask here.
    async fn setting_for(&self, actor: &Actor, enrollment: &Enrollment) -> Result<Arc<Setting>, Error> {
        let application = self.application(enrollment.application).await?;
        self.authorize_submit(actor, &application.value)?;
        self.setting(application, enrollment.profile).await
    }

    pub(super) fn authorize_submit(&self, actor: &Actor, application: &Application) -> Result<(), Error> {
        self.authorize(actor, Action::CertificatesCreate, application)?;
        self.authorize(actor, Action::ProfilesIssue, application)
    }

    /// The judgement on a completed request: everything that is wrong with it at once.
    pub(super) fn decide(
        &self,
        enrollment: &Enrollment,
        setting: &Setting,
        (predecessor, now): (Option<Predecessor<'_>>, OffsetDateTime),
    ) -> Result<Draft, Refusal> {
        if setting.application.value.attachment(enrollment.profile).is_none() {
            // Nothing more: what a policy says is not for Applications that its profile is not attached to.
            return Err(Refusal { violations: attachment_violations(enrollment, setting) });
        }
        let Enrollment { source, names, terms, .. } = enrollment;
        let asked = Asked { source, names, terms, predecessor };
        let setting_terms = (&setting.profile.value, &setting.rules, &setting.terms);
        let draft = complete(asked, enrollment.method, setting_terms, now);
        let mut violations = attachment_violations(enrollment, setting);
        violations.extend(draft.judge(&setting.rules, now).into_violations());
        violations.extend(Metadata::faults(&enrollment.metadata).into_iter().map(|fault| Violation {
            field: "metadata".into(),
            problem: Problem::Invalid,
            rule: format!("standard: {}", fault.what),
            seen: fault.seen,
            allowed: vec![fault.accepted.into_owned()],
        }));
        violations.extend(self.blocked_key(enrollment));
        if violations.is_empty() { Ok(draft) } else { Err(Refusal { violations }) }
    }

    fn blocked_key(&self, enrollment: &Enrollment) -> Option<Violation> {
        let (Source::Csr(csr) | Source::Renewal { key: RenewalKey::Csr(csr), .. }) = &enrollment.source else {
            return None;
        };
        if self.blocked_keys.is_empty() {
            return None;
        }
        self.blocked_violation(csr.public_key())
    }

    /// Against a key that is never certified.
    pub(super) fn blocked_violation(&self, key: &PublicKey) -> Option<Violation> {
        let refusal = self.blocked_keys.check(key).err()?;
        Some(Violation {
            field: "csr.public_key".into(),
            problem: Problem::Denied,
            rule: "engine.blocked_keys".into(),
            seen: refusal.to_string(),
            allowed: Vec::new(),
        })
    }

    /// Answers with a refusal, of which an event tells.
    pub(super) async fn refuse(&self, actor: &Actor, setting: &Setting, refusal: Refusal) -> Result<Outcome, Error> {
        let mut change = self.change(actor, self.now())?;
        let (profile, policy) = (setting.profile.value.id, Some(setting.policy_revision()));
        let kind = EventKind::IssuanceRefused { profile, policy, violations: refusal.violations.clone() };
        change.event(Some(setting.application.value.id), kind)?;
        change.commit().await?;
        Ok(Outcome::Refused(refusal))
    }

    /// The outcome of an earlier request with the same idempotency key.
    pub(super) async fn replay(
        &self,
        actor: &Actor,
        enrollment: &Enrollment,
        idempotency: Option<&Idempotency>,
    ) -> Result<Option<Outcome>, Error> {
        let Some(idempotency) = idempotency else { return Ok(None) };
        let Some(earlier) = self.find::<Replay>(&idempotency.key).await? else { return Ok(None) };
        if earlier.value.expires_at <= self.now() {
            return match self.remove(&earlier).await {
                Err(error) if !error.is_conflict() => Err(error),
                _ => Ok(None),
            };
        }
        if earlier.value.digest != idempotency.digest {
            let reason = "it was used for other content".to_owned();
            return Err(Error::IdempotencyKey { reason });
        }
        let application = self.application(enrollment.application).await?;
        self.authorize(actor, Action::CertificatesCreate, &application.value)?;
        self.outcome_of(actor, earlier.value.request).await.map(Some)
    }

    /// Removes what an idempotency key stood for.
    pub(super) async fn remove<T: Entity>(&self, expired: &Versioned<T>) -> Result<(), Error> {
        let mut batch = Batch::new();
        batch.push(Write::Delete { key: expired.value.key(), version: expired.version });
        self.store.commit(batch).await?;
        Ok(())
    }

    /// Where a request stands, for those who may see its Application's certificates.
    pub(super) async fn request(&self, actor: &Actor, id: RequestId) -> Result<Outcome, Error> {
        let hidden = || Error::not_found(CertificateRequest::KIND, id);
        let request: Versioned<CertificateRequest> = self.load(&id.to_string()).await?;
        match self.permitted(actor, request.value.application, Action::CertificatesRead).await {
            Err(Error::NotFound { .. }) => return Err(hidden()),
            permitted => drop(permitted?),
        }
        self.outcome_of(actor, id).await
    }

    /// Where a request stands, as the one who submitted it is answered. A managed key comes along if it is owed to the
    /// actor, or else only if the actor may read it again; either is an event.
    pub(super) async fn outcome_of(&self, actor: &Actor, id: RequestId) -> Result<Outcome, Error> {
        for _ in 0..MOST_ATTEMPTS {
            let request: Versioned<CertificateRequest> = self.load(&id.to_string()).await?;
            let owed = match self.hand_over(actor, &request).await {
                Err(error) if error.is_conflict() => continue,
                owed => owed?,
            };
            let mut outcome = self.settled(request.value).await?;
            if let Outcome::Issued(issued) = &mut outcome {
                issued.private_key = match owed {
                    Some(key) => Some(key),
                    None => self.reread_key(actor, issued.record.id).await?,
                };
            }
            return Ok(outcome);
        }
        Err(Error::Contended)
    }

    async fn reread_key(&self, actor: &Actor, certificate: CertificateId) -> Result<Option<SubjectKey>, Error> {
        match self.private_key(actor, certificate).await {
            Ok(key) => Ok(Some(key)),
            // Not for this actor, or not kept here; anything else went wrong and must be told.
            Err(Error::Forbidden { .. } | Error::NotFound { .. } | Error::PrivateKey { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

pub(super) fn waiting(id: RequestId) -> Pending {
    Pending { id, reason: PendingReason::Signer, retry_after: RETRY_AFTER }
}

pub(super) fn awaiting_approval(id: RequestId) -> Pending {
    Pending { id, reason: PendingReason::Approval, retry_after: RETRY_AFTER_VOTE }
}

pub(super) fn failed(reason: &str) -> Violation {
    Violation {
        field: "issuer".into(),
        problem: Problem::Unsound,
        rule: "the issuer's signer refused".into(),
        seen: reason.to_owned(),
        allowed: Vec::new(),
    }
}

fn attachment_violations(enrollment: &Enrollment, setting: &Setting) -> Vec<Violation> {
    let application = &setting.application.value;
    let attachment = application.attachment(enrollment.profile);
    let refused = |field: &str, rule: String, seen: String, allowed| {
        vec![Violation { field: field.into(), problem: Problem::NotAllowed, rule, seen, allowed }]
    };
    match attachment {
        None => {
            let rule = format!("application.attachments: the profile is not attached to {}", application.name);
            refused("profile", rule, enrollment.profile.to_string(), Vec::new())
        }
        Some(attachment) if !attachment.methods.enables(enrollment.method) => {
            let rule =
                format!("attachment.methods: the profile is not configured for {} enrollment", enrollment.method);
            refused("method", rule, enrollment.method.to_string(), Vec::new())
        }
        Some(_) => Vec::new(),
    }
}

/// An idempotency key, per Application and requester, and what it stands for.
#[derive(Clone, Debug)]
pub(super) struct Idempotency {
    pub(super) key: String,
    digest: String,
}

impl Idempotency {
    pub(super) fn of(actor: &Actor, enrollment: &Enrollment) -> Result<Option<Self>, Error> {
        let Some(key) = &enrollment.idempotency_key else { return Ok(None) };
        if !(1..=200).contains(&key.chars().count()) || key.chars().any(char::is_control) {
            let reason = "1 to 200 characters without control characters are accepted".to_owned();
            return Err(Error::IdempotencyKey { reason });
        }
        // Hashed: names may hold any character and be long, and two askers must never meet under one document.
        let owned = (enrollment.application, actor.principal(), key);
        let key = hex(&crypto::sha256(&serde_json::to_vec(&owned).map_err(Error::encoding)?));
        let Enrollment { profile, method, names, terms, metadata, .. } = enrollment;
        let mut content = serde_json::to_vec(&(profile, method, names, terms, metadata)).map_err(Error::encoding)?;
        match &enrollment.source {
            Source::Managed => {}
            Source::Csr(csr) => content.extend_from_slice(csr.der()),
            Source::Renewal { certificate, key } => {
                content.extend_from_slice(certificate.to_string().as_bytes());
                match key {
                    RenewalKey::New => content.extend_from_slice(b"new"),
                    RenewalKey::Reused => content.extend_from_slice(b"reused"),
                    RenewalKey::Csr(csr) => content.extend_from_slice(csr.der()),
                }
            }
        }
        Ok(Some(Self { key, digest: hex(&crypto::sha256(&content)) }))
    }

    /// The record that answers a repetition with `request`, for a day from `now`.
    pub(super) fn replay(&self, request: RequestId, now: OffsetDateTime) -> Replay {
        Replay { key: self.key.clone(), digest: self.digest.clone(), request, expires_at: now + REPLAY_WINDOW }
    }
}

/// Octets in lower-case hex.
pub(super) fn hex(octets: &[u8]) -> String {
    use std::fmt::Write;
    octets.iter().fold(String::with_capacity(octets.len() * 2), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}
