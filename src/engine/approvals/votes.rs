//! Votes, and what they set going.

use std::sync::Arc;

use time::OffsetDateTime;

use super::digest_of;
use crate::domain::acme::Account;
use crate::domain::policy::{Problem, Violation};
use crate::domain::{
    Action, Actor, Application, Approval, Ballot, CertificateRequest, Count, Draft, Enrollment, EventKind, RequestId,
    RequestState, Source, VoteRefusal, drift,
};
use crate::engine::cache::Setting;
use crate::engine::context::{Context, Versioned};
use crate::engine::error::Error;
use crate::engine::issue::Permit;
use crate::engine::outcome::Outcome;
use crate::engine::renewal::Succession;
use crate::engine::schema::Entity;
use crate::engine::submit::MOST_ATTEMPTS;

/// A request, and the Application whose members decide on it.
type Seen = (Versioned<CertificateRequest>, Versioned<Application>);

/// What is asked, judged and found good, with the certificate that it is to replace.
pub(super) struct Agreed {
    enrollment: Enrollment,
    draft: Draft,
    succession: Option<Succession>,
}

/// What the rules of the moment say of what was kept.
pub(super) struct Judgement {
    setting: Option<Arc<Setting>>,
    at: OffsetDateTime,
    pub(super) result: Result<Agreed, Vec<Violation>>,
}

impl Context {
    /// Casts a vote. Votes that meet are counted one after the other.
    pub(in crate::engine) async fn vote(&self, actor: &Actor, id: RequestId, ballot: Ballot) -> Result<Outcome, Error> {
        for _ in 0..MOST_ATTEMPTS {
            let seen = self.seen_request(actor, id).await?;
            let faults = ballot.faults();
            if !faults.is_empty() {
                return Err(Error::Invalid { faults });
            }
            match self.cast(actor, seen, &ballot).await {
                Err(error) if error.is_conflict() => {}
                cast => return cast,
            }
        }
        Err(Error::Contended)
    }

    /// Takes a request back. Only who asked may.
    pub(in crate::engine) async fn cancel(&self, actor: &Actor, id: RequestId) -> Result<Outcome, Error> {
        for _ in 0..MOST_ATTEMPTS {
            let seen = self.seen_request(actor, id).await?;
            match self.take_back(actor, seen).await {
                Err(error) if error.is_conflict() => {}
                taken => return taken,
            }
        }
        Err(Error::Contended)
    }

    /// A request, for those who may see what waits for approval in its Application.
    pub(super) async fn seen_request(&self, actor: &Actor, id: RequestId) -> Result<Seen, Error> {
        let request: Versioned<CertificateRequest> = self.load(&id.to_string()).await?;
        match self.permitted(actor, request.value.application, Action::ApprovalRequestsRead).await {
            Ok(application) => Ok((request, application)),
            Err(Error::NotFound { .. }) => Err(Error::not_found(CertificateRequest::KIND, id)),
            Err(error) => Err(error),
        }
    }

    async fn cast(&self, actor: &Actor, (request, application): Seen, ballot: &Ballot) -> Result<Outcome, Error> {
        let now = self.now();
        let Some(approval) = open_approval(&request.value, now) else {
            let approval = request.value.approval();
            if approval.is_some_and(|approval| approval.has_counted(actor.principal(), ballot)) {
                return self.settled(request.value).await;
            }
            return Err(VoteRefusal::Closed { status: request.value.status_at(now) }.into());
        };
        let step = approval.current_step().unwrap_or_default();
        let id = request.value.id;
        let voted = EventKind::ApprovalVoted { request: id, step, decision: ballot.decision };
        match approval.count((actor, &request.value.requester), ballot, now)? {
            Count::Repeated => self.settled(request.value).await,
            Count::Open(approval) => {
                let state = RequestState::AwaitingApproval(Box::new(approval));
                self.move_on(actor, (request, application), state, vec![voted]).await
            }
            Count::Rejected(approval) => {
                let tells = vec![voted, EventKind::RequestRejected { request: id }];
                self.move_on(actor, (request, application), RequestState::Rejected(Box::new(approval)), tells).await
            }
            Count::Agreed(approval) => {
                let tells = vec![voted, EventKind::RequestApproved { request: id }];
                self.agreed(actor, (request, application), approval, tells).await
            }
        }
    }

    async fn take_back(&self, actor: &Actor, (request, application): Seen) -> Result<Outcome, Error> {
        if *actor.principal() != request.value.requester {
            return Err(VoteRefusal::NotRequester.into());
        }
        if matches!(request.value.state, RequestState::Cancelled(_)) {
            return self.settled(request.value).await;
        }
        let now = self.now();
        let Some(approval) = open_approval(&request.value, now).cloned() else {
            return Err(VoteRefusal::Closed { status: request.value.status_at(now) }.into());
        };
        let tells = vec![EventKind::RequestCancelled { request: request.value.id }];
        self.move_on(actor, (request, application), RequestState::Cancelled(Box::new(approval)), tells).await
    }

    /// Commits a request's next state, if the members that it was decided by are still the same.
    async fn move_on(
        &self,
        actor: &Actor,
        (request, application): Seen,
        state: RequestState,
        tells: Vec<EventKind>,
    ) -> Result<Outcome, Error> {
        let mut change = self.change(actor, self.now())?;
        let moved = CertificateRequest { state, updated_at: change.now, ..request.value };
        change.check(application.value.key(), application.version);
        change.update(&moved, request.version)?;
        for kind in tells {
            change.event(Some(moved.application), kind)?;
        }
        change.commit().await?;
        self.settled(moved).await
    }

    /// The last vote that was needed: what was kept is judged again, and issued in the same commit, or voided.
    async fn agreed(
        &self,
        actor: &Actor,
        (request, application): Seen,
        approval: Approval,
        tells: Vec<EventKind>,
    ) -> Result<Outcome, Error> {
        let Judgement { setting, at, result } = self.judge_kept(&request.value, &approval, application).await?;
        let state = RequestState::AwaitingApproval(Box::new(approval));
        let kept = Versioned { value: CertificateRequest { state, ..request.value }, version: request.version };
        match (setting, result) {
            (Some(setting), Ok(Agreed { enrollment, draft, succession })) => {
                let requester = kept.value.requester.clone();
                let mut permit = Permit::new(setting, &enrollment, requester, (draft, at)).approved(kept, tells);
                match (&enrollment.source, succession) {
                    (Source::Renewal { key, .. }, Some(succession)) => {
                        let key = self.key_source(key, &succession.predecessor.value).await?;
                        permit = permit.in_place_of(succession, key);
                    }
                    (_, Some(succession)) if succession.is_free() => permit = permit.succeeding(succession),
                    _ => {}
                }
                self.issue(actor, permit).await
            }
            (setting, result) => {
                let violations = result.err().unwrap_or_default();
                self.void(actor, kept, (tells, setting.as_deref()), violations).await
            }
        }
    }

    /// Ends a request that was approved but can not be issued as it was: it never will be.
    pub(in crate::engine) async fn void(
        &self,
        actor: &Actor,
        kept: Versioned<CertificateRequest>,
        (tells, setting): (Vec<EventKind>, Option<&Setting>),
        violations: Vec<Violation>,
    ) -> Result<Outcome, Error> {
        let Some(approval) = kept.value.approval().cloned().map(Box::new) else {
            return self.settled(kept.value).await;
        };
        let mut change = self.change(actor, self.now())?;
        if let Some(setting) = setting {
            setting.check(&mut change);
        }
        let (application, request) = (Some(kept.value.application), kept.value.id);
        for kind in tells {
            change.event(application, kind)?;
        }
        let policy = setting.map(Setting::policy_revision);
        change.event(application, EventKind::RequestVoided { request, policy, violations: violations.clone() })?;
        let state = RequestState::Voided { approval, violations };
        let voided = CertificateRequest { state, updated_at: change.now, ..kept.value };
        change.update(&voided, kept.version)?;
        change.commit().await?;
        self.settled(voided).await
    }

    /// Who asked, with the rights of this moment: an account that is valid no more has none.
    async fn requester(&self, request: &CertificateRequest, approval: &Approval) -> Result<Actor, Error> {
        let account = match request.requester.acme_account_id() {
            Some(id) => self.find::<Account>(&id.to_string()).await?,
            None => None,
        };
        match account.filter(|account| account.value.in_use().is_ok()) {
            Some(account) => Ok(Actor::acme_account(&account.value)),
            None => Ok(Actor::of_record_with(request.requester.clone(), &approval.requester_groups)),
        }
    }

    /// Judges what was kept, as if it were asked now, by the one who asked it: under the rules, the members and the
    /// attachments of this moment.
    pub(super) async fn judge_kept(
        &self,
        request: &CertificateRequest,
        approval: &Approval,
        application: Versioned<Application>,
    ) -> Result<Judgement, Error> {
        let at = self.now();
        let against = |violations| Ok(Judgement { setting: None, at, result: Err(violations) });
        let requester = self.requester(request, approval).await?;
        if self.authorize_submit(&requester, &application.value).is_err() {
            let seen = format!("{} may no longer ask for certificates here", request.requester);
            return against(vec![no_longer("requester", seen)]);
        }
        let setting = match self.setting(application, approval.ask.profile).await {
            Err(Error::NotFound { what, id }) => {
                return against(vec![no_longer("profile", format!("there is no {what} {id} any more"))]);
            }
            setting => setting?,
        };
        let enrollment = match approval.ask.enrollment() {
            Ok(enrollment) => enrollment,
            Err(refused) => return against(vec![no_longer("csr", refused.to_string())]),
        };
        let succession = self.succession(request).await?;
        let is_renewal = matches!(enrollment.source, Source::Renewal { .. });
        if is_renewal && succession.is_none() {
            return against(vec![no_longer("certificate", "the certificate to replace is not there any more".into())]);
        }
        let decided = match &succession {
            Some(succession) if is_renewal => self.judge_renewal(&enrollment, &setting, (succession, at))?,
            _ => self.decide(&enrollment, &setting, (None, at)),
        };
        let result = match decided {
            Ok(draft) => match drifted(&enrollment, approval, &draft)? {
                violations if violations.is_empty() => Ok(Agreed { enrollment, draft, succession }),
                violations => Err(violations),
            },
            Err(refusal) => Err(refusal.violations),
        };
        Ok(Judgement { setting: Some(setting), at, result })
    }
}

/// The approval that a request waits for at `now`.
pub(super) fn open_approval(request: &CertificateRequest, now: OffsetDateTime) -> Option<&Approval> {
    match &request.state {
        RequestState::AwaitingApproval(approval) if approval.expires_at > now => Some(approval),
        _ => None,
    }
}

/// What people agreed to is what would be issued, or every field in which it is not.
fn drifted(enrollment: &Enrollment, approval: &Approval, draft: &Draft) -> Result<Vec<Violation>, Error> {
    if digest_of(enrollment, &draft.content)? == approval.digest {
        return Ok(Vec::new());
    }
    let fields = drift(enrollment, &approval.content, &draft.content);
    if fields.is_empty() {
        return Ok(vec![no_longer("request", "it is no longer what the approvers were shown".into())]);
    }
    Ok(fields)
}

fn no_longer(field: &str, seen: String) -> Violation {
    Violation {
        field: field.into(),
        problem: Problem::NotApproved,
        rule: "approval: what was approved is judged again when it is signed".into(),
        seen,
        allowed: Vec::new(),
    }
}
