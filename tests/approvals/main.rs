//! Approvals: who must agree to what, that exactly what they saw is issued, and what ends a request otherwise.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod policies;
mod renewals;
#[path = "../support/engine.rs"]
mod support;
mod votes;

use chancery::domain::{
    Actor, ApprovalPolicySpec, ApprovalStep, Conditions, Enrollment, MachineBypass, Member, Method, Preset, RequestId,
    RequestStatus, Role, Span, VoteRefusal,
};
use chancery::engine::{Error, Outcome, PendingReason, Session};
use chancery::store::MemoryStore;
use chancery::x509::KeyAlgorithm;
use support::{World, bodies, events, issued, principal, refused, slug, user};
use time::Duration;

struct Office {
    store: MemoryStore,
    world: World,
}

impl Office {
    /// `payments` with bob, carol and dora beside its members; none of them may ask.
    async fn new() -> Self {
        let store = MemoryStore::new();
        let world = World::over(store.clone()).await;
        for name in ["user:bob", "user:carol", "user:dora"] {
            let member = Member { principal: principal(name), role: Role::Auditor };
            world.session("alice").set_member(world.application.id, member).await.unwrap();
        }
        Self { store, world }
    }

    /// With one policy about everything.
    async fn with(steps: impl IntoIterator<Item = ApprovalStep>) -> Self {
        let office = Self::new().await;
        office.save(ApprovalPolicySpec::new(slug("all"), steps)).await.unwrap();
        office
    }

    fn session(&self, name: &str) -> Session {
        self.world.session(name)
    }

    async fn save(&self, spec: ApprovalPolicySpec) -> Result<(), Error> {
        self.session("alice").save_approval_policy(self.world.application.id, spec).await.map(drop)
    }

    fn ask(&self) -> Enrollment {
        self.world.enrollment("api.example.com")
    }

    /// Asked by the Operator, who must wait.
    async fn waiting(&self) -> RequestId {
        waits(self.session("otto").submit(&self.ask()).await)
    }

    async fn digest(&self, id: RequestId) -> String {
        self.session("audra").approval_request(id).await.unwrap().approval.digest
    }

    async fn approve(&self, name: &str, id: RequestId) -> Result<Outcome, Error> {
        let digest = self.digest(id).await;
        self.session(name).approve(id, &digest, "").await
    }

    async fn certificates(&self) -> usize {
        let all = bodies(&self.store, "certificate").await;
        all.iter().filter(|each| each["origin"] == "profile").count()
    }

    async fn status(&self, id: RequestId) -> RequestStatus {
        self.session("audra").approval_request(id).await.unwrap().status
    }

    async fn told(&self, event: &str) -> usize {
        events(&self.store).await.iter().filter(|each| *each == event).count()
    }
}

fn step(required: u32, approvers: &[&str]) -> ApprovalStep {
    ApprovalStep::new(required, approvers.iter().map(|each| principal(each)))
}

fn about(conditions: Conditions<chancery::domain::Slug>) -> ApprovalPolicySpec {
    ApprovalPolicySpec { conditions, ..ApprovalPolicySpec::new(slug("some"), [step(1, &["user:bob"])]) }
}

#[track_caller]
fn waits(outcome: Result<Outcome, Error>) -> RequestId {
    match outcome {
        Ok(Outcome::Pending(pending)) => {
            assert_eq!(pending.reason, PendingReason::Approval);
            pending.id
        }
        other => panic!("does not wait: {other:?}"),
    }
}

#[track_caller]
fn uncounted(outcome: Result<Outcome, Error>) -> VoteRefusal {
    match outcome {
        Err(Error::Vote(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

#[track_caller]
fn faults(saved: Result<(), Error>) -> Vec<String> {
    match saved {
        Err(Error::Invalid { faults }) => faults.into_iter().map(|(field, _)| field).collect(),
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_request_waits_and_is_issued_when_all_agree() {
    let office = Office::with([step(2, &["user:bob", "user:carol"]), step(1, &["user:dora", "group:ops"])]).await;
    let id = office.waiting().await;
    assert_eq!(office.certificates().await, 0);
    let shown = office.session("bob").approval_request(id).await.unwrap();
    assert_eq!(shown.draft.content.sans[0].value(), "api.example.com");
    assert!(shown.verdict.unwrap().permits());
    assert_eq!((shown.status, shown.approval.current_step()), (RequestStatus::AwaitingApproval, Some(0)));
    waits(office.approve("bob", id).await);
    waits(office.approve("carol", id).await);
    let shown = office.session("bob").approval_request(id).await.unwrap();
    assert_eq!((shown.approval.current_step(), shown.approval.votes.len()), (Some(1), 2));
    let gina = office.world.engine.acting_as(user("gina").in_group("ops").unwrap());
    let answer = issued(gina.approve(id, &shown.approval.digest, "fine").await);
    assert!(answer.private_key.is_none(), "an approver never gets the key");
    assert_eq!(answer.record.requester, principal("user:otto"));
    assert_eq!(office.certificates().await, 1);
    let seen = office.session("bob").approval_request(id).await.unwrap();
    assert_eq!((seen.status, seen.approval.votes[2].comment.as_str()), (RequestStatus::Issued, "fine"));
    for (event, times) in [("approval-requested", 1), ("approval-voted", 3), ("request-approved", 1)] {
        assert_eq!(office.told(event).await, times, "{event}");
    }
    assert_eq!(office.told("certificate-issued").await, 1);
    let kept = office.session("otto").request(id).await;
    assert_eq!(issued(kept).certificate(), answer.certificate());
}

#[tokio::test]
async fn oracle_11_steps_in_order_one_vote_each_one_rejection_ends_it_and_steps_are_a_snapshot() {
    let office = Office::with([step(1, &["user:bob"]), step(1, &["user:carol"])]).await;
    let id = office.waiting().await;
    assert_eq!(uncounted(office.approve("carol", id).await), VoteRefusal::NotApprover { step: 0 });
    assert_eq!(uncounted(office.approve("alice", id).await), VoteRefusal::NotApprover { step: 0 });
    // Later edits change nothing for what waits.
    office.save(ApprovalPolicySpec::new(slug("all"), [step(1, &["user:dora"])])).await.unwrap();
    assert_eq!(uncounted(office.approve("dora", id).await), VoteRefusal::NotApprover { step: 0 });
    waits(office.approve("bob", id).await);
    // The same vote again is the same; another is refused; neither counts twice.
    waits(office.approve("bob", id).await);
    let digest = office.digest(id).await;
    let other = uncounted(office.session("bob").reject(id, &digest, "").await);
    assert_eq!(other, VoteRefusal::AlreadyVoted { voter: principal("user:bob"), step: 0 });
    assert_eq!(office.told("approval-voted").await, 1);
    let refusal = refused(office.session("carol").reject(id, &digest, "not on a Friday").await);
    assert!(refusal.to_string().contains("user:carol rejected it: not on a Friday"), "{refusal}");
    assert_eq!(refused(office.session("carol").reject(id, &digest, "").await), refusal, "again is the same");
    assert_eq!(refused(office.session("otto").request(id).await), refusal);
    let closed = uncounted(office.session("carol").approve(id, &digest, "").await);
    assert_eq!(closed, VoteRefusal::Closed { status: RequestStatus::Rejected });
    assert_eq!((office.certificates().await, office.told("request-rejected").await), (0, 1));
    // A new request takes the new steps.
    let id = waits(office.session("otto").submit(&office.ask()).await);
    issued(office.approve("dora", id).await);
}

#[tokio::test]
async fn oracle_12_a_request_expires_and_can_not_be_approved_then() {
    let office = Office::new().await;
    for (max_age, fits) in [(Span::minutes(59), false), (Span::hours(1), true), (Span::days(30), true)] {
        let spec = ApprovalPolicySpec { max_age, ..ApprovalPolicySpec::new(slug("all"), [step(1, &["user:bob"])]) };
        assert_eq!(office.save(spec).await.is_ok(), fits, "{max_age}");
    }
    let longer = ApprovalPolicySpec { max_age: Span::hours(721), ..about(Conditions::default()) };
    assert_eq!(faults(office.save(longer).await), ["max_age"]);
    assert_eq!(about(Conditions::default()).max_age, Span::days(7));
    let id = office.waiting().await;
    office.world.clock.advance(Duration::days(30) - Duration::SECOND);
    assert_eq!(office.world.engine.run_due(10).await.unwrap().expired, 0);
    office.world.clock.advance(Duration::SECOND);
    // Due work has not come by: it has expired nevertheless.
    let closed = VoteRefusal::Closed { status: RequestStatus::Expired };
    assert_eq!(uncounted(office.approve("bob", id).await), closed);
    assert_eq!(uncounted(office.session("otto").cancel(id).await), closed);
    let before = refused(office.session("otto").request(id).await);
    assert_eq!(office.status(id).await, RequestStatus::Expired);
    assert_eq!(office.world.engine.run_due(10).await.unwrap().expired, 1);
    assert_eq!(office.world.engine.run_due(10).await.unwrap().expired, 0);
    assert_eq!(refused(office.session("otto").request(id).await), before);
    assert_eq!(uncounted(office.approve("bob", id).await), closed);
    assert_eq!((office.certificates().await, office.told("request-expired").await), (0, 1));
}

#[tokio::test]
async fn oracle_13_machines_pass_by_the_flag_alone_and_never_by_acme_est_or_scep() {
    for (bypass, method, kind, passes) in [
        (MachineBypass::Never, Method::Api, "machine", false),
        (MachineBypass::Api, Method::Api, "machine", true),
        (MachineBypass::Api, Method::Api, "user", false),
        (MachineBypass::Api, Method::Acme, "machine", false),
        (MachineBypass::Api, Method::Est, "machine", false),
        (MachineBypass::Api, Method::Scep, "machine", false),
    ] {
        let office = Office::new().await;
        let (id, profile) = (office.world.application.id, office.world.profile.id);
        let asker = principal(&format!("{kind}:ci"));
        let member = Member { principal: asker.clone(), role: Role::Operator };
        office.session("alice").set_member(id, member).await.unwrap();
        let all =
            r#"{ "api": {}, "acme": {}, "est": { "bootstrap": "unchecked" }, "scep": { "challenge": "static" } }"#;
        let methods = serde_json::from_str(all).unwrap();
        office.session("alice").set_methods(id, profile, methods).await.unwrap();
        let spec = ApprovalPolicySpec::new(slug("all"), [step(1, &["user:bob"])]);
        office.save(ApprovalPolicySpec { machine_bypass: bypass, ..spec }).await.unwrap();
        let ask = Enrollment { method, ..office.ask() };
        let outcome = office.world.engine.acting_as(Actor::new(asker).unwrap()).submit(&ask).await;
        let has_passed = matches!(outcome, Ok(Outcome::Issued(_)));
        assert_eq!(has_passed, passes, "{bypass:?}, {method}, {kind}: {outcome:?}");
        assert!(has_passed || matches!(outcome, Ok(Outcome::Pending(_))), "{outcome:?}");
    }
}

#[tokio::test]
async fn oracle_14_what_was_approved_is_judged_again_when_it_is_signed() {
    let office = Office::with([step(1, &["user:bob"])]).await;
    let product = office.session("root");
    // The policy is tightened meanwhile.
    let id = office.waiting().await;
    let mut tight = Preset::TlsServer.policy(slug("web"));
    tight.validity.max = Some(Span::days(1));
    tight.algorithms.key = Some(vec![KeyAlgorithm::P521]);
    // The profile's own defaults would break it: what is saved first is the profile.
    let mut spec = Preset::TlsServer.profile(slug("web"), slug("root"), slug("web"));
    spec.defaults.ttl = Some(Span::days(1));
    product.save_policy(tight).await.unwrap();
    let verdict = office.session("bob").approval_request(id).await.unwrap().verdict.unwrap();
    assert!(!verdict.permits(), "approvers see it coming");
    let refusal = refused(office.approve("bob", id).await);
    assert!(refusal.violations.len() >= 2, "every reason: {refusal}");
    assert_eq!(refusal.violations, verdict.violations());
    assert_eq!(office.status(id).await, RequestStatus::Voided);
    assert_eq!(refused(office.session("otto").request(id).await), refusal);
    assert_eq!(refused(office.approve("bob", id).await), refusal, "the same vote, the same answer");
    assert_eq!((office.certificates().await, office.told("request-voided").await), (0, 1));
    let told = bodies(&office.store, "event").await;
    let told = told.iter().find(|event| event["event"] == "request-voided").unwrap();
    assert_eq!(told["violations"].as_array().unwrap().len(), refusal.violations.len());
}
