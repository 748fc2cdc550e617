//! Renewing: the predecessor is loaded, what is asked is judged with it, and the permit goes the way of all permits.

use std::sync::Arc;

use time::OffsetDateTime;

use super::succeed::{Standing, Succession};
use crate::domain::policy::{Problem, Violation};
use crate::domain::{
    Action, Actor, ApplicationId, CertificateId, CertificateRecord, CertificateRequest, Draft, Eligibility, Enrollment,
    Ineligibility, IssuerStanding, KeyCustody, Names, Predecessor, ProfileId, RenewalKey, RenewalState, Renewing,
    RequestId, RequestState, Source, Surroundings, Terms, eligibility,
};
use crate::engine::approvals::{Waiting, approval_needed};
use crate::engine::cache::Setting;
use crate::engine::context::{Context, Versioned};
use crate::engine::error::Error;
use crate::engine::issue::{KeySource, Permit};
use crate::engine::once::Once;
use crate::engine::outcome::{Outcome, Refusal};
use crate::engine::schema::{Entity, SealedKey};
use crate::engine::submit::{Idempotency, MOST_ATTEMPTS, awaiting_approval};
use crate::signer::SoftwareSigner;
use crate::store::{Key, StoreError, Version};

/// In whose name a renewal is asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum By<'a> {
    /// Somebody's, who must be allowed to.
    Somebody,
    /// The engine's, under the claim on the plan that has this version.
    Plan(Version, Renewing<'a>),
}

/// What became of an attempt.
#[derive(Debug)]
pub(super) enum Tried {
    Done(Outcome),
    /// Refused, under this setting.
    Refused(Refusal, Arc<Setting>),
}

impl Context {
    /// Renews, in the name of somebody who must be allowed to.
    pub(in crate::engine) async fn submit_renewal(
        &self,
        actor: &Actor,
        enrollment: &Enrollment,
    ) -> Result<Outcome, Error> {
        match self.try_renewal(actor, enrollment, By::Somebody).await? {
            Tried::Done(outcome) => Ok(outcome),
            Tried::Refused(refusal, setting) => self.refuse(actor, &setting, refusal).await,
        }
    }

    /// Renews a certificate as it is, or on another key.
    pub(in crate::engine) async fn renew(
        &self,
        actor: &Actor,
        id: CertificateId,
        key: RenewalKey,
    ) -> Result<Outcome, Error> {
        let record = self.readable(actor, id, Action::ProfilesIssue).await?.value;
        let Some(enrollment) = Enrollment::renewal(&record) else {
            return Err(Error::NotRenewable { reasons: vec![Ineligibility::NoProfile] });
        };
        self.submit(actor, &enrollment.key(key)).await
    }

    pub(super) async fn try_renewal(&self, actor: &Actor, enrollment: &Enrollment, by: By<'_>) -> Result<Tried, Error> {
        let Source::Renewal { certificate, key } = &enrollment.source else { return Err(Error::Contended) };
        let idempotency = Idempotency::of(actor, enrollment)?;
        let mut cached = self.cached_setting(enrollment.application, enrollment.profile);
        for _ in 0..MOST_ATTEMPTS {
            if let Some(outcome) = self.replay(actor, enrollment, idempotency.as_ref()).await? {
                return Ok(Tried::Done(outcome));
            }
            let succession = self.predecessor(actor, (*certificate, enrollment), by).await?;
            let (application, profile) = owner_of(&succession)?;
            let is_own = (application, profile) == (enrollment.application, enrollment.profile);
            cached = cached.filter(|_| is_own);
            let is_cached = cached.is_some();
            let setting = match cached.take() {
                Some(setting) => setting,
                None => self.setting(self.application(application).await?, profile).await?,
            };
            if !is_own {
                return Ok(Tried::Refused(Refusal { violations: vec![not_its_own()] }, setting));
            }
            let now = self.now();
            let mut violations = obstacles(&succession, (enrollment, &setting), by, now);
            let asked = self.asked_for(&succession).await?;
            if let (Some(request), By::Somebody) = (asked, by) {
                let seen = format!("the request {request} to renew it waits for people; one renewal at a time");
                violations.push(refused("renewal.open", seen));
            }
            let decided = self.decide_renewal(enrollment, &setting, (&succession, now))?;
            let draft = match decided {
                Ok(draft) if violations.is_empty() => draft,
                _ if is_cached => continue,
                Ok(_) => return Ok(Tried::Refused(Refusal { violations }, setting)),
                Err(refusal) => {
                    violations.extend(refusal.violations);
                    return Ok(Tried::Refused(Refusal { violations }, setting));
                }
            };
            let requester = match by {
                By::Somebody => actor.principal().clone(),
                By::Plan(..) => succession.predecessor.value.requester.clone(),
            };
            let key = self.key_source(key, &succession.predecessor.value).await?;
            let once = idempotency.clone().map(Once::Key);
            let as_before = succession.predecessor.value.certificate()?;
            let issued = match approval_needed(&setting, enrollment, (&requester, &draft), Some(as_before.content())) {
                Some(policy) => match asked {
                    // It was asked for already when it renewed by itself before.
                    Some(request) => return Ok(Tried::Done(Outcome::Pending(awaiting_approval(request)))),
                    None => {
                        let succession = Some(succession);
                        let waiting = Waiting { enrollment, setting: &setting, policy, draft, now, once, succession };
                        self.await_approval(actor, waiting).await
                    }
                },
                None => {
                    let permit = Permit::new(setting, enrollment, requester, (draft, now)).once(once);
                    self.issue(actor, permit.in_place_of(succession, key)).await
                }
            };
            match issued {
                Err(error) if error.is_conflict() => {}
                issued => return issued.map(Tried::Done),
            }
        }
        Err(Error::Contended)
    }

    /// The request for a successor that waits for people.
    async fn asked_for(&self, succession: &Succession) -> Result<Option<RequestId>, Error> {
        let Some(asked) = succession.plan.as_ref().and_then(|plan| plan.value.asked) else { return Ok(None) };
        let request = self.find::<CertificateRequest>(&asked.to_string()).await?;
        let waits = request.is_some_and(|request| matches!(request.value.state, RequestState::AwaitingApproval(_)));
        Ok(waits.then_some(asked))
    }

    /// The certificate to replace and the plan of its lineage, for those who may renew it.
    ///
    /// What is unchanged is renewed by whoever may issue; who changes what it says must be allowed to edit, too.
    async fn predecessor(
        &self,
        actor: &Actor,
        (id, enrollment): (CertificateId, &Enrollment),
        by: By<'_>,
    ) -> Result<Succession, Error> {
        let predecessor: Versioned<CertificateRecord> = self.load(&id.to_string()).await?;
        if let By::Somebody = by {
            self.may(actor, Action::ProfilesIssue, &predecessor.value).await?;
            if is_edited(enrollment) {
                self.may(actor, Action::CertificatesEdit, &predecessor.value).await?;
            }
        }
        let plan = self.find(&predecessor.value.lineage.to_string()).await?;
        if let (By::Plan(claimed, _), Some(Versioned { version, .. })) = (by, &plan)
            && *version != claimed
        {
            // Somebody else has the lineage now.
            let key: Key = super::plan_key(predecessor.value.lineage);
            return Err(StoreError::Conflict { key }.into());
        }
        Ok(Succession { predecessor, plan })
    }

    /// The judgement on a renewal, and on the key that it goes on with.
    pub(in crate::engine) fn decide_renewal(
        &self,
        enrollment: &Enrollment,
        setting: &Setting,
        (succession, now): (&Succession, OffsetDateTime),
    ) -> Result<Result<Draft, Refusal>, Error> {
        let record = &succession.predecessor.value;
        let certificate = record.certificate()?;
        let predecessor = Predecessor { content: certificate.content(), custody: record.custody };
        let decided = self.decide(enrollment, setting, (Some(predecessor), now));
        let is_reused = matches!(&enrollment.source, Source::Renewal { key: RenewalKey::Reused, .. });
        let blocked = is_reused.then(|| self.blocked_violation(certificate.public_key())).flatten();
        Ok(match (decided, blocked) {
            (decided, None) => decided,
            (Ok(_), Some(blocked)) => Err(Refusal { violations: vec![blocked] }),
            (Err(mut refusal), Some(blocked)) => {
                refusal.violations.push(blocked);
                Err(refusal)
            }
        })
    }

    /// Judges a renewal without issuing or recording anything.
    pub(in crate::engine) async fn dry_renewal(
        &self,
        actor: &Actor,
        enrollment: &Enrollment,
    ) -> Result<Result<Draft, Refusal>, Error> {
        let Source::Renewal { certificate, .. } = &enrollment.source else { return Err(Error::Contended) };
        let succession = self.predecessor(actor, (*certificate, enrollment), By::Somebody).await?;
        let (application, profile) = owner_of(&succession)?;
        if (application, profile) != (enrollment.application, enrollment.profile) {
            return Ok(Err(Refusal { violations: vec![not_its_own()] }));
        }
        let setting = self.setting(self.application(application).await?, profile).await?;
        self.judge_renewal(enrollment, &setting, (&succession, self.now()))
    }

    /// The whole judgement on a renewal that somebody asks for.
    pub(in crate::engine) fn judge_renewal(
        &self,
        enrollment: &Enrollment,
        setting: &Setting,
        (succession, now): (&Succession, OffsetDateTime),
    ) -> Result<Result<Draft, Refusal>, Error> {
        let violations = obstacles(succession, (enrollment, setting), By::Somebody, now);
        if !violations.is_empty() {
            return Ok(Err(Refusal { violations }));
        }
        self.decide_renewal(enrollment, setting, (succession, now))
    }

    pub(in crate::engine) async fn key_source(
        &self,
        key: &RenewalKey,
        predecessor: &CertificateRecord,
    ) -> Result<KeySource, Error> {
        match (key, predecessor.custody) {
            (RenewalKey::New, _) => Ok(KeySource::Fresh),
            (RenewalKey::Csr(csr), _) => Ok(KeySource::Client(csr.public_key().clone())),
            (RenewalKey::Reused, KeyCustody::Client) => {
                Ok(KeySource::Client(predecessor.certificate()?.public_key().clone()))
            }
            (RenewalKey::Reused, KeyCustody::Managed) => {
                let sealed = self.find::<SealedKey>(&predecessor.id.to_string()).await?;
                let sealed = sealed.ok_or(Error::PrivateKey { reason: "it is not kept here any more" })?.value;
                let opened = self.sealer.open(&sealed.envelope.0, &sealed.key().to_string()).await?;
                Ok(KeySource::Stored(Arc::new(SoftwareSigner::from_pkcs8_der(opened.expose())?)))
            }
        }
    }
}

/// Whether the successor may say something else than its predecessor: another length and another key count as that, too, but
/// not a key that is made here.
pub(super) fn is_edited(enrollment: &Enrollment) -> bool {
    let is_csr = matches!(&enrollment.source, Source::Renewal { key: RenewalKey::Csr(_), .. });
    is_csr
        || enrollment.names != Names::default()
        || enrollment.terms != Terms::default()
        || !enrollment.metadata.is_empty()
}

fn owner_of(succession: &Succession) -> Result<(ApplicationId, ProfileId), Error> {
    let record = &succession.predecessor.value;
    let owner = record.application.zip(record.profile.map(|(profile, _)| profile));
    owner.ok_or_else(|| Error::NotRenewable { reasons: vec![Ineligibility::NoProfile] })
}

/// A renewal never crosses owners; what another Application's policy says is not told, either.
fn not_its_own() -> Violation {
    refused("renewal.owner", "it is renewed under its own Application and profile, and no other".to_owned())
}

fn refused(rule: &str, seen: String) -> Violation {
    let (field, problem) = ("certificate".to_owned(), Problem::Conflict);
    Violation { field, problem, rule: rule.to_owned(), seen, allowed: Vec::new() }
}

/// What stands in the way of a renewal before its content is looked at.
fn obstacles(
    succession: &Succession,
    (enrollment, setting): (&Enrollment, &Setting),
    by: By<'_>,
    now: OffsetDateTime,
) -> Vec<Violation> {
    let record = &succession.predecessor.value;
    let standing = Standing::of(setting);
    let application = standing.application.as_ref().map(|application| &application.value);
    let attachment = application.and_then(|application| application.attachment(enrollment.profile));
    let surroundings = Surroundings { attachment, issuer: IssuerStanding::Active };
    let renewing = match by {
        By::Somebody => Renewing::Manually,
        By::Plan(_, renewing) => renewing,
    };
    let mut found = match eligibility(record, surroundings, renewing, now) {
        Eligibility::Eligible => Vec::new(),
        Eligibility::NotYet { opens_at } => {
            vec![refused("renewal.floor", format!("it is too young to be renewed before {opens_at}"))]
        }
        Eligibility::Ineligible { reasons } => {
            reasons.iter().map(|reason| refused("renewal.eligibility", reason.to_string())).collect()
        }
    };
    if let Some(RenewalState::Open { request, .. }) = succession.plan.as_ref().map(|plan| &plan.value.state) {
        let seen = format!("the request {request} to renew it stands; one renewal at a time");
        found.push(refused("renewal.open", seen));
    }
    found
}
