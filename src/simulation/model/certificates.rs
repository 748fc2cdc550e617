//! What holds of every certificate when it is recorded, and afterwards.

use time::{Duration, OffsetDateTime};

use super::{FairTime, GUARDED, KEPT, Model, is_revoked};
use crate::domain::{CertificateId, CertificateRecord, CertificateState, Decision, Life, Method, Origin, RequestState};
use crate::simulation::failure::{Invariant, Verdict};
use crate::store::Key;
use crate::x509::{CertificateError, RevocationReason};

impl Model {
    pub(super) fn keep(&mut self, record: CertificateRecord, now: OffsetDateTime) -> Verdict {
        match self.certificates.get(&record.id) {
            Some(earlier) => judge_change(earlier, &record)?,
            None => {
                self.judge_new(&record, now)?;
                self.by_acme += usize::from(record.method == Some(Method::Acme));
            }
        }
        self.certificates.insert(record.id, record);
        Ok(())
    }

    /// Housekeeping forgets what ended long ago, and nobody deletes anything here.
    pub(super) fn forget(&mut self, key: &Key, now: OffsetDateTime) -> Verdict {
        let unreadable = |error| Invariant::Course.broken(format_args!("{key}: {error}"));
        let id: CertificateId = key.id.parse().map_err(unreadable)?;
        self.promised.remove(&id);
        self.revoked.remove(&id);
        let Some(record) = self.certificates.remove(&id) else { return Ok(()) };
        self.forgotten.extend(is_revoked(&record).then_some(record.serial));
        if let Some(from) = self.fair_from {
            self.judge_fate(&record, FairTime { from, until: now })?;
        }
        let end = record.validity.not_after();
        let told = || format!("{id} ended at {end} and is gone already");
        Invariant::Promises.holds(end + KEPT.as_duration() <= now, told)
    }

    fn judge_new(&mut self, record: &CertificateRecord, now: OffsetDateTime) -> Verdict {
        let is_known = self.serials.contains(&record.serial);
        Invariant::Serials.holds(is_known, || format!("{}: its serial is not claimed", record.id))?;
        self.judge_content(record)?;
        self.judge_consent(record)?;
        self.judge_order(record)?;
        self.succeed(record, now)
    }

    /// Nothing is outside the policy that is said to have permitted it, as of when it was judged, which is when its id was
    /// made.
    fn judge_content(&self, record: &CertificateRecord) -> Verdict {
        let broken = |what: String| Invariant::Policy.broken(format_args!("{}: {what}", record.id));
        let Some(revision) = record.policy.filter(|_| record.origin == Origin::Profile) else { return Ok(()) };
        let policy = self.policies.get(&revision).ok_or_else(|| broken("judged by no policy".into()))?;
        let certificate = record.certificate().map_err(|error: CertificateError| broken(error.to_string()))?;
        let verdict = policy.judge(certificate.content(), record.id.made_at());
        if verdict.permits() { Ok(()) } else { Err(broken(verdict.to_string())) }
    }

    /// What needs consent has it: from somebody else, for these names. A renewal that says what was agreed to needs none.
    fn judge_consent(&mut self, record: &CertificateRecord) -> Verdict {
        let is_guarded = |record: &CertificateRecord| record.sans.iter().any(|san| san.value().ends_with(GUARDED));
        if record.origin != Origin::Profile || !is_guarded(record) {
            return Ok(());
        }
        let request = record.request.and_then(|request| self.requests.get(&request));
        if let Some(approval) = request.and_then(|request| request.approval()) {
            let agreed = approval.votes.iter().any(|vote| {
                vote.decision == Decision::Approve && vote.voter != record.requester && vote.at < approval.expires_at
            });
            let is_shown = approval.content.sans == record.sans && approval.content.subject == record.subject;
            self.approved += 1;
            let told = || format!("{} was issued without consent, or with consent to something else", record.id);
            return Invariant::Approval.holds(agreed && is_shown, told);
        }
        let predecessor = record.replaces.and_then(|replaced| self.certificates.get(&replaced));
        let says_no_more = |earlier: &CertificateRecord| {
            earlier.sans == record.sans
                && earlier.subject == record.subject
                && record.validity.span() <= earlier.validity.span()
        };
        let told = || format!("{} was issued without consent", record.id);
        Invariant::Approval.holds(predecessor.is_some_and(says_no_more), told)
    }

    /// A certificate has one successor at most, and none while it is younger than the floor.
    fn succeed(&mut self, record: &CertificateRecord, now: OffsetDateTime) -> Verdict {
        let Some(replaces) = record.replaces else { return Ok(()) };
        if let Some(other) = self.successors.insert(replaces, record.id) {
            let id = record.id;
            return Err(Invariant::Succession.broken(format_args!("{replaces} has two successors: {other} and {id}")));
        }
        let Some(earlier) = self.certificates.get(&replaces) else { return Ok(()) };
        // Ids hold whole milliseconds.
        let judged_at = record.id.made_at().min(now) + Duration::milliseconds(1);
        let is_old = judged_at >= Life::of(earlier).floor();
        let age = now - earlier.created_at;
        Invariant::Age.holds(is_old, || format!("{replaces} was renewed when it was {age} old"))
    }

    /// Whether a serial number that was signed is accounted for.
    pub(super) fn accounts_for(&self, serial: &crate::x509::Serial) -> bool {
        let failed = |state: &RequestState| match state {
            RequestState::Failed { intent, .. } => intent.serial == *serial,
            _ => false,
        };
        self.certificates.values().any(|record| record.serial == *serial)
            || self.requests.values().any(|request| failed(&request.state))
    }
}

/// What stays as it is, whatever happens to a certificate.
fn judge_change(earlier: &CertificateRecord, record: &CertificateRecord) -> Verdict {
    let id = record.id;
    if let Some(successor) = earlier.replaced_by {
        let is_same = record.replaced_by == Some(successor);
        let told = || format!("{id} had the successor {successor} and now {:?}", record.replaced_by);
        Invariant::Succession.holds(is_same, told)?;
    }
    let is_held = matches!(earlier.state, CertificateState::Revoked { reason, .. } if reason == RevocationReason::CertificateHold);
    let comes_back = is_revoked(earlier) && !is_revoked(record) && !is_held;
    Invariant::Revocation.holds(!comes_back, || format!("{id} was revoked and is valid again"))?;
    let is_same = earlier.fingerprint == record.fingerprint && earlier.lineage == record.lineage;
    Invariant::Promises.holds(is_same, || format!("{id} became another certificate"))
}
