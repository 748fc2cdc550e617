//! Due renewals: chosen by the time that is left, bounded by their issuers' budgets, tried, and classed by what happened.

use std::collections::HashMap;

use futures_util::{StreamExt, stream};
use time::{Duration, OffsetDateTime};

use super::budget::{Allowance, PLACE};
use super::submit::{By, Tried};
use super::succeed::{Standing, renews_itself};
use crate::domain::{
    Actor, BlockedOn, CertificateRecord, CertificateState, Eligibility, Enrollment, EventKind, Ineligibility, IssuerId,
    IssuerRecord, IssuerStanding, IssuerState, RenewalPlan, RenewalSetting, RenewalState, Renewing, Surroundings,
    Urgency, eligibility,
};
use crate::engine::cache::Setting;
use crate::engine::context::{Change, Context, Versioned};
use crate::engine::due::{AT_ONCE, DueReport, Work, hold, item, settle, tally};
use crate::engine::error::Error;
use crate::engine::outcome::{Outcome, Refusal};
use crate::engine::schema::Entity;
use crate::store::Hit;
use crate::x509::RevocationReason;

/// How long a worker has before another takes a renewal up that it has begun.
const ATTEMPT: Duration = Duration::minutes(10);
/// How often it is tried to bring a renewal forward.
const MOST_TRIES: usize = 4;

/// What is known about a plan that is due.
struct Case {
    plan: Versioned<RenewalPlan>,
    record: Versioned<CertificateRecord>,
    standing: Standing,
    setting: Option<RenewalSetting>,
    issuer: Option<Versioned<IssuerRecord>>,
}

impl Context {
    /// Renews what is due: what ends first comes first. What an issuer's budget does not allow is put off, which is no attempt.
    pub(in crate::engine) async fn renew_all(&self, hits: Vec<Hit>, report: &mut DueReport) -> Result<(), Error> {
        let mut plans: Vec<Versioned<RenewalPlan>> = Vec::with_capacity(hits.len());
        for hit in &hits {
            match item(hit) {
                Ok(value) => plans.push(Versioned { value, version: hit.document.version }),
                Err(error) => tracing::warn!(key = %hit.document.key, %error, "a renewal can not be read"),
            }
        }
        plans.sort_by_key(|plan| (plan.value.urgency, plan.value.ends_at));
        let mut wanted: HashMap<IssuerId, usize> = HashMap::new();
        for issuer in plans.iter().filter_map(|plan| plan.value.issuer) {
            *wanted.entry(issuer).or_default() += 1;
        }
        let mut allowances = HashMap::new();
        for (issuer, wanted) in wanted {
            allowances.insert(issuer, (self.allowance(issuer, wanted).await?, 0));
        }
        let worked = self.renew_allowed(plans, &mut allowances, report).await;
        for (allowance, _) in allowances.values() {
            self.give_back(allowance).await?;
        }
        worked
    }

    /// Some at once, in the order of their end; below an issuer no more than it allows.
    async fn renew_allowed(
        &self,
        plans: Vec<Versioned<RenewalPlan>>,
        allowances: &mut HashMap<IssuerId, (Allowance, usize)>,
        report: &mut DueReport,
    ) -> Result<(), Error> {
        let began = self.now();
        let mut bounded: HashMap<IssuerId, (usize, Vec<_>)> = HashMap::new();
        let mut others = Vec::with_capacity(plans.len());
        for plan in plans {
            let counted = plan.value.issuer.and_then(|issuer| allowances.get_mut(&issuer));
            let at_once = counted.as_ref().and_then(|(allowance, _)| Some((allowance.issuer, allowance.at_once?)));
            let turn = counted.and_then(|(allowance, taken)| {
                *taken += 1;
                taken.checked_sub(allowance.granted.saturating_add(1)).map(|nth| allowance.turn(nth))
            });
            let work = self.renew_in_turn(plan, turn, began);
            match at_once {
                Some((issuer, most)) => bounded.entry(issuer).or_insert((usize::from(most), Vec::new())).1.push(work),
                None => others.push(work),
            }
        }
        let each = bounded.into_values().chain([(AT_ONCE, others)]);
        let streams = each.map(|(most, works)| stream::iter(works).buffered(most.max(1)));
        tally(stream::select_all(streams), report).await
    }

    async fn renew_in_turn(
        &self,
        plan: Versioned<RenewalPlan>,
        turn: Option<OffsetDateTime>,
        began: OffsetDateTime,
    ) -> Result<Work, Error> {
        // The places below the issuers are lent for a time. What is not begun in it is due again when its lease has passed.
        if self.now() - began > PLACE / 2 {
            return Ok(Work::Nothing);
        }
        let key = plan.value.key();
        let worked = match turn {
            Some(turn) => self.put_off(plan, turn).await,
            None => self.renew_due(plan).await,
        };
        settle(worked, &key)
    }

    async fn allowance(&self, issuer: IssuerId, wanted: usize) -> Result<Allowance, Error> {
        let record: Option<Versioned<IssuerRecord>> = self.find(&issuer.to_string()).await?;
        match record.map(|record| record.value.renewals).filter(|budget| !budget.is_unlimited()) {
            Some(budget) => self.take_budget(issuer, budget, wanted).await,
            None => Ok(Allowance::unlimited(issuer, self.now())),
        }
    }

    async fn put_off(&self, plan: Versioned<RenewalPlan>, until: OffsetDateTime) -> Result<Work, Error> {
        let Versioned { value: mut plan, version } = plan;
        plan.put_off(until);
        let mut change = self.change_by_engine()?;
        change.update(&plan, version)?;
        Ok(hold(change).await?.map_or(Work::TakenByOthers, |_| Work::Postponed))
    }

    /// One renewal that is due: looked at, claimed, tried.
    async fn renew_due(&self, plan: Versioned<RenewalPlan>) -> Result<Work, Error> {
        let Some(record) = self.find::<CertificateRecord>(&plan.value.certificate.to_string()).await? else {
            return self.end(plan, None).await;
        };
        let standing = self.standing(&plan.value).await?;
        let issuer = match plan.value.issuer {
            Some(issuer) => self.find::<IssuerRecord>(&issuer.to_string()).await?,
            None => None,
        };
        let setting = standing.for_plan(&plan.value);
        let case = Case { plan, record, standing, setting, issuer };
        let now = self.now();
        match eligibility(&case.record.value, case.surroundings(), case.renewing(), now) {
            Eligibility::Eligible => {}
            Eligibility::NotYet { .. } if case.plan.value.urgency == Urgency::Usual => return self.replan(case).await,
            Eligibility::NotYet { opens_at } => return self.put_off(case.plan, opens_at).await,
            Eligibility::Ineligible { reasons } => return self.stop(case, &reasons).await,
        }
        let window = case.setting.as_ref().and_then(|setting| setting.window.as_ref());
        let usual = window.filter(|_| case.plan.value.urgency == Urgency::Usual);
        match usual.and_then(|window| case.plan.value.life().wait_for(window, (now, case.plan.value.spread))) {
            Some(opening) => self.put_off(case.plan, opening).await,
            None => self.attempt(case).await,
        }
    }

    /// Plans a renewal anew whose setting was changed to a later time.
    async fn replan(&self, case: Case) -> Result<Work, Error> {
        let Case { plan: Versioned { value: mut plan, version }, standing, setting, .. } = case;
        plan.reschedule(setting.as_ref());
        let mut change = self.change_by_engine()?;
        standing.check(&mut change);
        change.update(&plan, version)?;
        Ok(hold(change).await?.map_or(Work::TakenByOthers, |_| Work::Rescheduled))
    }

    /// What can not be renewed: for good, until something is changed, or for a while.
    async fn stop(&self, case: Case, reasons: &[Ineligibility]) -> Result<Work, Error> {
        let record = &case.record.value;
        let is_held = matches!(record.state, CertificateState::Revoked { reason, .. } if reason == RevocationReason::CertificateHold);
        let has = |wanted: fn(&Ineligibility) -> bool| reasons.iter().any(wanted);
        if has(|reason| matches!(reason, Ineligibility::Expired | Ineligibility::Renewed { .. })) {
            let told = !has(|reason| matches!(reason, Ineligibility::Renewed { .. } | Ineligibility::Revoked));
            return self.end(case.plan, told.then_some("it expired before it was renewed")).await;
        }
        if has(|reason| matches!(reason, Ineligibility::Revoked)) {
            return match is_held {
                // Looking counts like trying: a hold may last long.
                true => {
                    let attempts = case.plan.value.attempts().saturating_add(1);
                    self.retry(case.plan, attempts, "it is on hold").await
                }
                false => self.end(case.plan, None).await,
            };
        }
        let Case { mut plan, standing, issuer, .. } = case;
        let reason = reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        let around = |reason: &Ineligibility| {
            matches!(reason, Ineligibility::NotAttached | Ineligibility::MethodDisabled | Ineligibility::IssuerInactive)
        };
        let mut change = self.change_by_engine()?;
        standing.check(&mut change);
        if let Some(issuer) = &issuer {
            change.check(issuer.value.key(), issuer.version);
        }
        // What is not attached can not say that it renews, either.
        let others = reasons.iter().any(|reason| !around(reason) && *reason != Ineligibility::NotSet);
        let work = if reasons.iter().any(around) && !others {
            block(&mut plan.value, reason, None, &mut change)?;
            Work::Failed
        } else {
            plan.value.state = RenewalState::Off;
            Work::Rescheduled
        };
        change.update(&plan.value, plan.version)?;
        Ok(hold(change).await?.map_or(Work::TakenByOthers, |_| work))
    }

    /// Claims the plan, which counts the attempt, and renews.
    async fn attempt(&self, case: Case) -> Result<Work, Error> {
        let Case { plan: Versioned { value: mut plan, version }, record, setting, .. } = case;
        let engine = Actor::engine();
        let mut change = self.change_by_engine()?;
        let attempts = plan.attempts().saturating_add(1);
        let backoff = plan.life().retry_at(attempts, None, (change.now, plan.spread));
        plan.state = RenewalState::Trying { attempts, due_at: backoff.max(change.now + ATTEMPT) };
        change.update(&plan, version)?;
        let Some(version) = hold(change).await? else { return Ok(Work::TakenByOthers) };
        let renewing = match plan.urgency {
            Urgency::Urgent => Renewing::Urgently,
            Urgency::Usual => Renewing::ByItself(setting.as_ref()),
        };
        let Some(enrollment) = Enrollment::renewal(&record.value) else { return Ok(Work::Nothing) };
        let tried = self.try_renewal(&engine, &enrollment, By::Plan(version, renewing)).await;
        let plan = Versioned { value: plan, version };
        match tried {
            Ok(Tried::Done(Outcome::Issued(_))) => Ok(Work::Renewed),
            Ok(Tried::Done(Outcome::Pending(_))) => Ok(Work::Postponed),
            // The request ended, and in the same commit the plan was put back.
            Ok(Tried::Done(Outcome::Refused(refusal))) => self.refused_late(plan, &refusal).await,
            Ok(Tried::Refused(refusal, setting)) => self.blocked(plan, &refusal, &setting).await,
            Err(error) if error.is_conflict() => Ok(Work::TakenByOthers),
            Err(error) => self.failed_attempt(plan, error).await,
        }
    }

    async fn failed_attempt(&self, plan: Versioned<RenewalPlan>, error: Error) -> Result<Work, Error> {
        let retried = match &error {
            Error::PrivateKey { .. } | Error::Certificate(_) | Error::Key(_) | Error::NotRenewable { .. } => {
                self.leave_to_people(plan, &error.to_string()).await
            }
            _ => {
                let attempts = plan.value.attempts();
                self.retry(plan, attempts, &error.to_string()).await
            }
        };
        match (retried, error) {
            // A store that fails will not take the retry either; then the claim's own time is the back-off.
            (Err(Error::Store(_)), error @ Error::Store(_)) => Err(error),
            (retried, _) => retried,
        }
    }

    /// Tries again, after a pause that grows with the attempts.
    async fn retry(&self, plan: Versioned<RenewalPlan>, attempts: u32, error: &str) -> Result<Work, Error> {
        let Versioned { value: mut plan, version } = plan;
        let mut change = self.change_by_engine()?;
        let attempts = attempts.max(1);
        let spread = u64::from_be_bytes(change.random.take()?);
        let due_at = plan.life().retry_at(attempts, None, (change.now, spread));
        plan.state = RenewalState::Retrying { attempts, due_at, error: error.to_owned() };
        if plan.tells(error, attempts) {
            let (certificate, reason) = (plan.certificate, error.to_owned());
            change.event(Some(plan.application), EventKind::RenewalFailed { certificate, reason, attempts })?;
        }
        change.update(&plan, version)?;
        Ok(hold(change).await?.map_or(Work::TakenByOthers, |_| Work::Postponed))
    }

    /// The issuing of what was permitted refused after all, or the signer did: if the plan is still ours, it is tried again.
    async fn refused_late(&self, plan: Versioned<RenewalPlan>, refusal: &Refusal) -> Result<Work, Error> {
        let attempts = plan.value.attempts();
        match self.retry(plan, attempts, &refusal.to_string()).await? {
            Work::TakenByOthers => Ok(Work::Postponed),
            work => Ok(work),
        }
    }

    async fn leave_to_people(&self, plan: Versioned<RenewalPlan>, reason: &str) -> Result<Work, Error> {
        let Versioned { value: mut plan, version } = plan;
        let mut change = self.change_by_engine()?;
        let attempts = plan.attempts();
        if plan.tells(reason, attempts) {
            let (certificate, reason) = (plan.certificate, reason.to_owned());
            change.event(Some(plan.application), EventKind::RenewalFailed { certificate, reason, attempts })?;
        }
        plan.state = RenewalState::NeedsPerson { reason: reason.to_owned() };
        change.update(&plan, version)?;
        Ok(hold(change).await?.map_or(Work::TakenByOthers, |_| Work::Failed))
    }

    /// Refused by rules: until one of them is changed. That none was in between is checked by the commit.
    async fn blocked(&self, plan: Versioned<RenewalPlan>, refusal: &Refusal, setting: &Setting) -> Result<Work, Error> {
        let mut change = self.change_by_engine()?;
        setting.check(&mut change);
        let mut blocked = plan.value.clone();
        let reason = refusal.violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        block(&mut blocked, reason, Some(setting), &mut change)?;
        change.update(&blocked, plan.version)?;
        match hold(change).await? {
            Some(_) => Ok(Work::Failed),
            // A rule was changed while it was judged: once more.
            None => self.put_off(plan, self.now()).await,
        }
    }

    /// A plan whose certificate will not be renewed any more goes.
    pub(super) async fn end(&self, plan: Versioned<RenewalPlan>, told: Option<&str>) -> Result<Work, Error> {
        let mut change = self.change_by_engine()?;
        if let Some(reason) = told {
            let (certificate, attempts) = (plan.value.certificate, plan.value.attempts());
            let reason = reason.to_owned();
            change.event(Some(plan.value.application), EventKind::RenewalFailed { certificate, reason, attempts })?;
        }
        change.delete(&plan.value, plan.version);
        Ok(hold(change).await?.map_or(Work::TakenByOthers, |_| Work::Removed))
    }

    /// A plan that waited for others until its certificate has ended.
    pub(in crate::engine) async fn end_due(&self, hit: &Hit) -> Result<Work, Error> {
        let plan: RenewalPlan = item(hit)?;
        if plan.ends_at >= self.now() {
            return Ok(Work::Nothing);
        }
        let waited = matches!(plan.state, RenewalState::Blocked { .. } | RenewalState::NeedsPerson { .. });
        let told = waited.then_some("it expired before it was renewed");
        self.end(Versioned { value: plan, version: hit.document.version }, told).await
    }

    /// Lets a renewal be due now, before all others, for a certificate that is to be replaced. `false` if it can not renew by
    /// itself: its key is with the client, or a protocol's client renews it, or it has ended. If somebody asked for it, the commit
    /// says so.
    pub(in crate::engine) async fn bring_forward(
        &self,
        record: &CertificateRecord,
        asked_by: Option<&Actor>,
    ) -> Result<bool, Error> {
        let is_fit = renews_itself(record) && record.replaced_by.is_none() && record.validity.not_after() > self.now();
        if !is_fit || record.state != CertificateState::Active {
            return Ok(false);
        }
        let engine = Actor::engine();
        for _ in 0..MOST_TRIES {
            let mut change = self.change(asked_by.unwrap_or(&engine), self.now())?;
            let spread = u64::from_be_bytes(change.random.take()?);
            let earlier: Option<Versioned<RenewalPlan>> = self.find(&record.lineage.to_string()).await?;
            let planned = earlier.as_ref().map(|plan| plan.value.clone()).or_else(|| RenewalPlan::new(record, spread));
            let Some(mut plan) = planned.filter(|plan| plan.certificate == record.id) else { return Ok(false) };
            let is_begun = matches!(plan.state, RenewalState::Open { .. } | RenewalState::Trying { .. });
            if is_begun || plan.urgency == Urgency::Urgent && plan.due_at().is_some() {
                return Ok(true);
            }
            let due_at = change.now.max(plan.life().floor());
            plan.urgency = Urgency::Urgent;
            plan.state = RenewalState::Scheduled { opens_at: due_at, due_at };
            match &earlier {
                Some(earlier) => change.update(&plan, earlier.version)?,
                None => change.create(&plan)?,
            }
            if asked_by.is_some() {
                change.event(record.application, EventKind::RenewalSet { certificate: record.id })?;
            }
            match change.commit().await {
                Err(error) if error.is_conflict() => {}
                committed => return committed.map(|_| true),
            }
        }
        Err(Error::Contended)
    }
}

impl Case {
    fn surroundings(&self) -> Surroundings<'_> {
        let is_active = |issuer: &Versioned<IssuerRecord>| matches!(issuer.value.state, IssuerState::Active { .. });
        let waits = self.plan.value.issuer.is_some() && !self.issuer.as_ref().is_some_and(is_active);
        let issuer = if waits { IssuerStanding::Inactive } else { IssuerStanding::Active };
        Surroundings { attachment: self.standing.attachment(&self.plan.value), issuer }
    }

    fn renewing(&self) -> Renewing<'_> {
        match self.plan.value.urgency {
            Urgency::Urgent => Renewing::Urgently,
            Urgency::Usual => Renewing::ByItself(self.setting.as_ref()),
        }
    }
}

/// Blocks a plan on everything that has a say.
fn block(
    plan: &mut RenewalPlan,
    reason: String,
    setting: Option<&Setting>,
    change: &mut Change<'_>,
) -> Result<(), Error> {
    let issuer = setting.map_or(plan.issuer, |setting| setting.profile.value.issuer_id());
    let policy = setting.map(|setting| BlockedOn::Policy(setting.policy.value.id));
    let on = [BlockedOn::Profile(plan.profile), BlockedOn::Application(plan.application)].into_iter();
    let on = on.chain(policy).chain(issuer.map(BlockedOn::Issuer)).collect();
    if plan.tells(&reason, 1) {
        let (certificate, reason) = (plan.certificate, reason.clone());
        change.event(Some(plan.application), EventKind::RenewalBlocked { certificate, reason })?;
    }
    plan.state = RenewalState::Blocked { reason, on };
    Ok(())
}
