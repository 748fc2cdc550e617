//! Approvals: which requests wait for people, what people decide on, and what their decision sets going.
//!
//! A request that waits is kept with all that the decision needs. The last vote that it needs judges it anew, under the rules
//! of that moment, and issues it in the same commit: nothing is ever approved and not judged, or judged and not signed.

mod policies;
mod requests;
mod votes;

use time::OffsetDateTime;

use super::cache::Setting;
use super::context::Context;
use super::error::Error;
use super::once::Once;
use super::outcome::{Outcome, Refusal};
use super::renewal::Succession;
use super::submit::{awaiting_approval, hex};
use crate::crypto;
use crate::domain::{
    Action, Actor, Approval, ApprovalPolicy, Ask, Candidate, CertificateRequest, Draft, Enrollment, EventKind,
    Metadata, Principal, RenewalKey, RequestId, RequestState, Source, shown_octets,
};
use crate::x509::Content;

pub(super) use policies::tell_unreachable;
pub use requests::{ApprovalRequest, RequestQuery, RequestSummary};

/// The approval policy that a completed draft must wait for, if there is one.
///
/// A renewal that says what its predecessor says, for no longer, was approved when that was: it needs none. A key that a
/// certificate request brings is something new to agree to.
pub(super) fn approval_needed<'s>(
    setting: &'s Setting,
    enrollment: &Enrollment,
    (requester, draft): (&Principal, &Draft),
    predecessor: Option<&Content>,
) -> Option<&'s ApprovalPolicy> {
    let brings_key = matches!(&enrollment.source, Source::Renewal { key: RenewalKey::Csr(_), .. });
    if !brings_key && predecessor.is_some_and(|predecessor| says_no_more(&draft.content, predecessor)) {
        return None;
    }
    let Enrollment { profile, method, .. } = *enrollment;
    let candidate = Candidate { profile, method, requester, content: &draft.content };
    candidate.approval(&setting.application.value.approval_policies)
}

fn says_no_more(content: &Content, predecessor: &Content) -> bool {
    // What it is signed with is the issuer's matter.
    let Content { validity, signature_algorithm, .. } = *predecessor;
    let as_before = Content { validity, signature_algorithm, ..content.clone() };
    as_before == *predecessor && content.validity.span() <= predecessor.validity.span()
}

/// A request that was judged, and must wait for people.
pub(super) struct Waiting<'a> {
    pub(super) enrollment: &'a Enrollment,
    pub(super) setting: &'a Setting,
    pub(super) policy: &'a ApprovalPolicy,
    pub(super) draft: Draft,
    pub(super) now: OffsetDateTime,
    pub(super) once: Option<Once>,
    /// What a renewal replaces.
    pub(super) succession: Option<Succession>,
}

/// The digest of what approvers are shown.
pub(super) fn digest_of(enrollment: &Enrollment, content: &Content) -> Result<String, Error> {
    let shown = shown_octets(enrollment, content).map_err(Error::encoding)?;
    Ok(hex(&crypto::sha256(&shown)))
}

impl Context {
    /// Keeps a request for its approvers. One that they could never complete for this requester is refused at once.
    pub(super) async fn await_approval(&self, actor: &Actor, waiting: Waiting<'_>) -> Result<Outcome, Error> {
        let Waiting { enrollment, setting, policy, draft, now, once, succession } = waiting;
        let application = &setting.application.value;
        self.authorize(actor, Action::ApprovalRequestsCreate, application)?;
        let digest = digest_of(enrollment, &draft.content)?;
        let approval = Approval::new(policy, (Ask::of(enrollment), draft.content), digest, now);
        let approval = approval.asked_by(actor, application);
        let mut change = self.change(actor, now)?;
        setting.check(&mut change);
        let violations = approval.hopeless_for(actor.principal(), application);
        if !violations.is_empty() {
            let (profile, policy) = (enrollment.profile, Some(setting.policy_revision()));
            let kind = EventKind::IssuanceRefused { profile, policy, violations: violations.clone() };
            change.event(Some(application.id), kind)?;
            change.commit().await?;
            return Ok(Outcome::Refused(Refusal { violations }));
        }
        let id = RequestId::new(now, change.random.take()?);
        if let Some(once) = &once {
            once.record(id, approval.expires_at, &mut change)?;
        }
        let succession = succession.as_ref().or(once.as_ref().and_then(Once::succession));
        if let Some(succession) = succession {
            succession.ask(id, &mut change)?;
        }
        let replaced = succession.map(|succession| succession.predecessor.value.id);
        let kind = EventKind::ApprovalRequested { request: id, approval_policy: policy.name.to_string() };
        change.event(Some(application.id), kind)?;
        change.create(&CertificateRequest {
            id,
            application: application.id,
            profile: (setting.profile.value.id, setting.profile.value.revision),
            policy: setting.policy_revision(),
            method: enrollment.method,
            requester: actor.principal().clone(),
            metadata: Metadata::try_from(enrollment.metadata.clone()).unwrap_or_default(),
            replaces: replaced.or(approval.ask.replaces()),
            ignored_extensions: draft.ignored_extensions,
            approval: None,
            state: RequestState::AwaitingApproval(Box::new(approval)),
            created_at: now,
            updated_at: now,
        })?;
        change.commit().await?;
        Ok(Outcome::Pending(awaiting_approval(id)))
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;
    use time::macros::datetime;

    use super::*;
    use crate::x509::{BasicConstraints, KeyAlgorithm, KeyUsages, San, SignatureAlgorithm, Subject, Validity};

    #[test]
    fn a_renewal_that_says_no_more_was_approved_before() {
        let start = datetime!(2026-11-22 12:00 UTC);
        let days = |from: i64, days: i64| {
            Validity::new(start + Duration::days(from), start + Duration::days(from + days)).unwrap()
        };
        let predecessor = Content {
            subject: Subject::default(),
            sans: vec![San::dns("api.example.com").unwrap()],
            key_algorithm: KeyAlgorithm::P256,
            signature_algorithm: SignatureAlgorithm::EcdsaSha256,
            validity: days(0, 47),
            key_usages: KeyUsages::default(),
            extended_key_usages: Vec::new(),
            basic_constraints: BasicConstraints::EndEntity,
        };
        let successor = |validity| Content { validity, ..predecessor.clone() };
        assert!(says_no_more(&successor(days(30, 47)), &predecessor));
        assert!(says_no_more(&successor(days(30, 20)), &predecessor));
        assert!(!says_no_more(&successor(days(30, 48)), &predecessor), "for longer");
        let mut more = successor(days(30, 47));
        more.sans.push(San::dns("pay.example.com").unwrap());
        assert!(!says_no_more(&more, &predecessor), "another name");
        let other_key = Content { key_algorithm: KeyAlgorithm::P384, ..successor(days(30, 47)) };
        assert!(!says_no_more(&other_key, &predecessor));
    }
}
