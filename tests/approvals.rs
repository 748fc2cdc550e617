//! Approvals: who must agree to what, that exactly what they saw is issued, and what ends a request otherwise.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[path = "support/engine.rs"]
mod support;

use chancery::domain::{
    Actor, ApprovalPolicySpec, ApprovalPolicyState, ApprovalStep, Conditions, Enrollment, KeyRereading, MachineBypass,
    Member, Method, Preset, RequestId, RequestStatus, Role, SelfApproval, Span, VoteRefusal,
};
use chancery::engine::{Error, Issued, Outcome, PendingReason, RequestQuery, Session};
use chancery::store::MemoryStore;
use chancery::x509::KeyAlgorithm;
use support::{HOURS, World, Yielding, bodies, builder, events, issued, principal, reasons, refused, slug, user};
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
async fn who_approves_in_one_step_does_not_complete_another_by_repeating_it() {
    let office = Office::with([step(1, &["user:bob", "user:carol"]), step(1, &["user:bob", "user:dora"])]).await;
    let id = office.waiting().await;
    waits(office.approve("bob", id).await);
    waits(office.approve("bob", id).await);
    assert_eq!(office.certificates().await, 0);
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
    assert_eq!(office.world.engine.run_due(10).await.unwrap().total(), 0);
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

#[tokio::test]
async fn what_drifted_from_what_was_shown_is_voided() {
    let office = Office::with([step(1, &["user:bob"])]).await;
    let id = office.waiting().await;
    let mut spec = Preset::TlsServer.profile(slug("web"), slug("root"), slug("web"));
    spec.defaults.ttl = Some(Span::days(3));
    spec.defaults.key_algorithm = Some(KeyAlgorithm::P384);
    office.session("root").save_profile(spec).await.unwrap();
    let refusal = refused(office.approve("bob", id).await);
    let drifted = [("key_algorithm", "approval.digest"), ("validity", "approval.digest")];
    assert_eq!(reasons(&refusal), drifted);
    assert_eq!((office.certificates().await, office.status(id).await), (0, RequestStatus::Voided));
}

#[tokio::test]
async fn a_policy_that_still_permits_the_same_content_lets_it_be_issued_days_later() {
    let office = Office::with([step(1, &["user:bob"])]).await;
    let id = office.waiting().await;
    let mut other = Preset::TlsServer.policy(slug("web"));
    other.description = "the same rules in other words".into();
    let policy = office.session("root").save_policy(other).await.unwrap();
    office.world.clock.advance(HOURS * 60);
    let answer = issued(office.approve("bob", id).await);
    assert_eq!(answer.record.policy.unwrap(), (policy.id, policy.revision), "judged by the policy of that moment");
    assert!(answer.record.validity.not_before() >= support::START + HOURS * 59, "valid from when it was issued");
}

#[tokio::test]
async fn a_vote_is_bound_to_what_was_shown() {
    let office = Office::with([step(1, &["user:bob"])]).await;
    let id = office.waiting().await;
    let other = waits(office.session("otto").submit(&office.world.enrollment("other.example.com")).await);
    let (digest, seen) = (office.digest(id).await, office.digest(other).await);
    assert_ne!(digest, seen);
    let refusal = uncounted(office.session("bob").approve(id, &seen, "").await);
    assert_eq!(refusal, VoteRefusal::OtherDigest { seen, digest });
    let long = "x".repeat(1001);
    let refusal = office.session("bob").approve(id, &office.digest(id).await, &long).await;
    assert!(matches!(refusal, Err(Error::Invalid { .. })), "{refusal:?}");
    assert_eq!(office.told("approval-voted").await, 0);
}

#[tokio::test]
async fn requesters_do_not_approve_their_own_unless_they_may() {
    for (self_approval, fits) in [(SelfApproval::Forbidden, false), (SelfApproval::Allowed, true)] {
        let office = Office::new().await;
        let spec = ApprovalPolicySpec::new(slug("all"), [step(1, &["user:otto", "user:bob"])]);
        office.save(ApprovalPolicySpec { self_approval, ..spec }).await.unwrap();
        let id = office.waiting().await;
        match fits {
            false => assert_eq!(uncounted(office.approve("otto", id).await), VoteRefusal::OwnRequest),
            true => assert!(issued(office.approve("otto", id).await).private_key.is_none()),
        }
    }
}

#[tokio::test]
async fn a_request_that_its_approvers_could_never_complete_is_refused_at_once() {
    let office = Office::with([step(2, &["user:otto", "user:bob"])]).await;
    let refusal = refused(office.session("otto").submit(&office.ask()).await);
    assert_eq!(reasons(&refusal), [("approval", "approval policy `all`: step 1")]);
    waits(office.session("alice").submit(&office.ask()).await);
}

#[tokio::test]
async fn machines_do_not_vote_not_even_in_a_group_of_approvers() {
    let office = Office::with([step(1, &["group:ops"])]).await;
    let id = office.waiting().await;
    let robot = office.world.engine.acting_as(Actor::machine("ci").unwrap().in_group("ops").unwrap());
    let digest = office.digest(id).await;
    assert_eq!(uncounted(robot.approve(id, &digest, "").await), VoteRefusal::NotApprover { step: 0 });
}

#[tokio::test]
async fn approvers_who_left_do_not_vote() {
    let office = Office::with([step(1, &["user:bob", "user:carol"])]).await;
    let id = office.waiting().await;
    let digest = office.digest(id).await;
    office.session("alice").remove_member(office.world.application.id, &principal("user:bob")).await.unwrap();
    let hidden = office.session("bob").approve(id, &digest, "").await.unwrap_err();
    assert!(matches!(hidden, Error::NotFound { what: "request", .. }), "{hidden:?}");
    issued(office.session("carol").approve(id, &digest, "").await);
}

#[tokio::test]
async fn the_requesters_authority_is_checked_again_when_it_is_signed() {
    // By its own membership, and by that of a group.
    for (asker, member) in [(user("otto"), "user:otto"), (user("gina").in_group("ops").unwrap(), "group:ops")] {
        for leaves in [false, true] {
            let office = Office::with([step(1, &["user:bob"])]).await;
            let id = waits(office.world.engine.acting_as(asker.clone()).submit(&office.ask()).await);
            if leaves {
                let application = office.world.application.id;
                let demoted = Member { principal: principal(member), role: Role::Auditor };
                office.session("alice").set_member(application, demoted).await.unwrap();
                let refusal = refused(office.approve("bob", id).await);
                assert_eq!(refusal.violations[0].field, "requester", "{refusal}");
                assert_eq!(office.status(id).await, RequestStatus::Voided);
            } else {
                issued(office.approve("bob", id).await);
            }
            assert_eq!(office.certificates().await, usize::from(!leaves), "{member}");
        }
    }
}

#[tokio::test]
async fn only_who_asked_takes_it_back() {
    let office = Office::with([step(1, &["user:bob"])]).await;
    let id = office.waiting().await;
    assert_eq!(uncounted(office.session("alice").cancel(id).await), VoteRefusal::NotRequester);
    let refusal = refused(office.session("otto").cancel(id).await);
    assert_eq!(refused(office.session("otto").cancel(id).await), refusal, "again is the same");
    assert_eq!(office.told("request-cancelled").await, 1);
    assert_eq!(uncounted(office.approve("bob", id).await), VoteRefusal::Closed { status: RequestStatus::Cancelled });
    assert_eq!((office.certificates().await, office.status(id).await), (0, RequestStatus::Cancelled));
}

#[tokio::test]
async fn votes_that_meet_are_both_counted() {
    let office = Office::with([step(3, &["user:bob", "user:carol", "user:dora"])]).await;
    let id = office.waiting().await;
    let digest = office.digest(id).await;
    let mut desks = Vec::new();
    for (seed, name) in [(2, "bob"), (3, "carol"), (4, "dora")] {
        let store = Yielding(office.store.clone());
        let engine = builder(store, &office.world.clock, seed).build().await.unwrap();
        desks.push(engine.acting_as(user(name)));
    }
    let (bob, carol, dora) = tokio::join!(
        desks[0].approve(id, &digest, ""),
        desks[1].approve(id, &digest, ""),
        desks[2].approve(id, &digest, ""),
    );
    let issued = [bob, carol, dora].into_iter().filter(|each| matches!(each, Ok(Outcome::Issued(_)))).count();
    assert_eq!(issued, 1, "the last of them issues");
    let votes = office.session("bob").approval_request(id).await.unwrap().approval.votes;
    assert_eq!((votes.len(), office.certificates().await, office.told("approval-voted").await), (3, 1, 3));
}

#[tokio::test]
async fn an_approval_and_a_rejection_that_meet_have_one_end() {
    let office = Office::with([step(1, &["user:bob", "user:carol"])]).await;
    let id = office.waiting().await;
    let digest = office.digest(id).await;
    let store = || Yielding(office.store.clone());
    let left = builder(store(), &office.world.clock, 2).build().await.unwrap().acting_as(user("bob"));
    let right = builder(store(), &office.world.clock, 3).build().await.unwrap().acting_as(user("carol"));
    let (yes, no) = tokio::join!(left.approve(id, &digest, ""), right.reject(id, &digest, ""));
    assert_eq!(usize::from(yes.is_ok()) + usize::from(no.is_ok()), 1, "{yes:?}, {no:?}");
    assert_eq!(office.certificates().await, usize::from(yes.is_ok()));
}

#[tokio::test]
async fn the_key_reaches_its_requester_once_even_where_rereading_is_disabled() {
    for rereading in [KeyRereading::Allowed, KeyRereading::DisabledForGood] {
        let office = Office::with([step(1, &["user:bob"])]).await;
        let application = office.world.application.id;
        office.session("alice").edit_application(application, String::new(), rereading).await.unwrap();
        let id = office.waiting().await;
        assert!(issued(office.approve("bob", id).await).private_key.is_none());
        assert!(issued(office.approve("bob", id).await).private_key.is_none(), "nor by voting again");
        assert!(issued(office.session("bob").request(id).await).private_key.is_none(), "an Auditor reads no keys");
        let may_reread = rereading == KeyRereading::Allowed;
        let key_of = |answer: Issued| answer.private_key.map(|key| key.pkcs8_der().expose().to_vec());
        assert_eq!(key_of(issued(office.session("alice").request(id).await)).is_some(), may_reread);
        let read = office.told("private-key-read").await;
        let first = key_of(issued(office.session("otto").request(id).await));
        assert!(first.is_some(), "{rereading:?}");
        assert_eq!(office.told("private-key-read").await, read + 1);
        let second = key_of(issued(office.session("otto").request(id).await));
        assert_eq!(second, first.filter(|_| may_reread), "{rereading:?}");
    }
}

#[tokio::test]
async fn a_requester_who_may_no_longer_ask_is_not_handed_the_key() {
    let office = Office::with([step(1, &["user:bob"])]).await;
    let id = office.waiting().await;
    issued(office.approve("bob", id).await);
    let demoted = Member { principal: principal("user:otto"), role: Role::Auditor };
    office.session("alice").set_member(office.world.application.id, demoted).await.unwrap();
    assert!(issued(office.session("otto").request(id).await).private_key.is_none());
    let again = Member { principal: principal("user:otto"), role: Role::Operator };
    office.session("alice").set_member(office.world.application.id, again).await.unwrap();
    assert!(issued(office.session("otto").request(id).await).private_key.is_some());
}

#[tokio::test]
async fn an_idempotency_key_leads_to_the_request_as_long_as_it_waits() {
    let office = Office::with([step(1, &["user:bob"])]).await;
    let ask = office.ask().idempotency_key("order-1");
    let id = waits(office.session("otto").submit(&ask).await);
    office.world.clock.advance(Duration::days(6));
    office.world.engine.run_due(10).await.unwrap();
    assert_eq!(waits(office.session("otto").submit(&ask).await), id);
    issued(office.approve("bob", id).await);
    let mine = issued(office.session("otto").submit(&ask).await);
    assert_eq!((mine.request, mine.private_key.is_some(), office.certificates().await), (id, true, 1));
}

#[tokio::test]
async fn a_certificate_request_is_kept_as_it_came() {
    let office = Office::with([step(1, &["user:bob"])]).await;
    let key = rcgen::KeyPair::generate().unwrap();
    let csr = rcgen::CertificateParams::new(["csr.example.com".to_owned()]).unwrap().serialize_request(&key).unwrap();
    let csr = chancery::x509::Csr::parse(csr.der()).unwrap();
    let ask =
        Enrollment::csr(office.world.application.id, office.world.profile.id, csr.clone()).tag("team", "payments");
    let id = waits(office.session("otto").submit(&ask).await);
    let answer = issued(office.approve("bob", id).await);
    assert_eq!(answer.certificate().public_key(), csr.public_key());
    assert_eq!(answer.record.metadata.get("team"), Some("payments"));
    assert!(issued(office.session("otto").request(id).await).private_key.is_none(), "the client has it");
}

#[tokio::test]
async fn the_first_policy_in_force_that_is_about_a_request_applies() {
    let office = Office::new().await;
    let application = office.world.application.id;
    let named = |name: &str, approver: &str| ApprovalPolicySpec {
        name: slug(name),
        ..ApprovalPolicySpec::new(slug(name), [step(1, &[approver])])
    };
    office.save(named("first", "user:bob")).await.unwrap();
    office.save(named("second", "user:carol")).await.unwrap();
    let alice = office.session("alice");
    let policy_of = async |id| alice.approval_request(id).await.unwrap().approval.policy;
    assert_eq!(policy_of(office.waiting().await).await, slug("first"));
    for names in [&["second"][..], &["second", "second"], &["first", "third"], &["first", "second", "third"]] {
        let names: Vec<_> = names.iter().map(|name| slug(name)).collect();
        let refused = alice.order_approval_policies(application, &names).await;
        assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
    }
    alice.order_approval_policies(application, &[slug("second"), slug("first")]).await.unwrap();
    assert_eq!(policy_of(office.waiting().await).await, slug("second"));
    // Changed where it stands.
    let idle = ApprovalPolicySpec { state: ApprovalPolicyState::Inactive, ..named("second", "user:dora") };
    office.save(idle).await.unwrap();
    let names: Vec<_> =
        alice.approval_policies(application).await.unwrap().into_iter().map(|policy| policy.name).collect();
    assert_eq!(names, [slug("second"), slug("first")]);
    assert_eq!(policy_of(office.waiting().await).await, slug("first"));
    alice.delete_approval_policy(application, &slug("first")).await.unwrap();
    issued(office.session("otto").submit(&office.ask()).await);
    let gone = alice.delete_approval_policy(application, &slug("first")).await;
    assert!(matches!(gone, Err(Error::NotFound { .. })), "{gone:?}");
}

#[tokio::test]
async fn conditions_look_at_the_completed_draft() {
    let office = Office::new().await;
    let guarded = r#"{ "profiles": ["web"], "sans": { "dns_name": ["pay.example.com"] }, "validity_over": "1d" }"#;
    office.save(about(serde_json::from_str(guarded).unwrap())).await.unwrap();
    // The length is the profile's default: nobody asked for it.
    waits(office.session("otto").submit(&office.world.enrollment("pay.example.com")).await);
    waits(office.session("otto").submit(&office.world.enrollment("*.example.com")).await);
    issued(office.session("otto").submit(&office.world.enrollment("api.example.com")).await);
    issued(office.session("otto").submit(&office.world.enrollment("pay.example.com").ttl(Span::hours(20))).await);
    let nowhere = about(serde_json::from_str(r#"{ "profiles": ["nowhere"] }"#).unwrap());
    let unknown = office.save(nowhere).await.unwrap_err();
    assert!(matches!(unknown, Error::NotFound { what: "profile", .. }), "{unknown:?}");
}

#[tokio::test]
async fn what_can_not_be_completed_is_not_saved() {
    let office = Office::new().await;
    let save = async |steps: Vec<ApprovalStep>| faults(office.save(ApprovalPolicySpec::new(slug("all"), steps)).await);
    assert_eq!(save(vec![]).await, ["steps"]);
    assert_eq!(save(vec![step(1, &[])]).await, ["steps[0].approvers"]);
    assert_eq!(save(vec![step(0, &["user:bob"])]).await, ["steps[0].required"]);
    assert_eq!(save(vec![step(101, &["group:ops"])]).await, ["steps[0].required"]);
    assert_eq!(save(vec![step(1, &["user:mallory"])]).await, ["steps[0].approvers[0]"]);
    assert_eq!(save(vec![step(1, &["group:other"])]).await, ["steps[0].approvers[0]"]);
    assert_eq!(save(vec![step(1, &["machine:ci", "user:bob"])]).await, ["steps[0].approvers[0]"]);
    assert_eq!(save(vec![step(2, &["user:bob", "user:bob"])]).await, ["steps[0].approvers[1]"]);
    assert_eq!(save(vec![step(2, &["user:bob"])]).await, ["steps[0].required"]);
    // Each votes once in all steps.
    assert_eq!(save(vec![step(1, &["user:bob"]), step(1, &["user:bob"])]).await, ["steps[1].required"]);
    // Of a group, the host alone knows the size.
    office.save(ApprovalPolicySpec::new(slug("all"), [step(100, &["group:ops"])])).await.unwrap();
    for at in 0..49 {
        office.save(ApprovalPolicySpec::new(slug(&format!("p{at}")), [step(1, &["user:bob"])])).await.unwrap();
    }
    let one_more = ApprovalPolicySpec::new(slug("more"), [step(1, &["user:bob"])]);
    assert_eq!(faults(office.save(one_more).await), ["name"]);
}

#[tokio::test]
async fn a_quorum_that_is_lost_is_found_when_members_leave() {
    let office = Office::with([step(1, &["user:dora"]), step(2, &["user:bob", "user:carol"])]).await;
    let (alice, application) = (office.session("alice"), office.world.application.id);
    assert!(alice.unreachable_approvals(application).await.unwrap().is_empty());
    alice.remove_member(application, &principal("user:audra")).await.unwrap();
    assert_eq!(office.told("approval-unreachable").await, 0);
    alice.remove_member(application, &principal("user:carol")).await.unwrap();
    let lost = alice.unreachable_approvals(application).await.unwrap();
    assert_eq!((lost.len(), lost[0].policy.as_str(), lost[0].step), (1, "all", 1));
    assert_eq!(office.told("approval-unreachable").await, 1);
    // Told once, and what still can not be completed is refused at once instead of waiting in vain.
    alice.remove_member(application, &principal("group:ops")).await.unwrap();
    assert_eq!(office.told("approval-unreachable").await, 1);
    assert_eq!(refused(office.session("otto").submit(&office.ask()).await).violations[0].field, "approval");
    alice.set_member(application, Member { principal: principal("user:carol"), role: Role::Auditor }).await.unwrap();
    assert!(alice.unreachable_approvals(application).await.unwrap().is_empty());
    waits(office.session("otto").submit(&office.ask()).await);
}

#[tokio::test]
async fn requests_are_listed_by_state_the_latest_first() {
    let office = Office::new().await;
    office.world.issue("free.example.com").await;
    office.save(ApprovalPolicySpec::new(slug("all"), [step(1, &["user:bob"])])).await.unwrap();
    let mut ids = Vec::new();
    for at in 0..5 {
        office.world.clock.advance(Duration::SECOND);
        ids.push(waits(office.session("otto").submit(&office.world.enrollment(&format!("{at}.example.com"))).await));
    }
    issued(office.approve("bob", ids[1]).await);
    refused(office.session("otto").cancel(ids[3]).await);
    let (audra, application) = (office.session("audra"), office.world.application.id);
    let list = async |status, page_size| {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = audra.requests(application, RequestQuery { status, page_size }, after.as_ref()).await.unwrap();
            found.extend(page.items);
            after = page.next;
            if after.is_none() {
                return found;
            }
        }
    };
    let all = list(None, 2).await;
    let order: Vec<RequestId> = all.iter().map(|each| each.id).collect();
    assert_eq!(order[..5], [ids[4], ids[3], ids[2], ids[1], ids[0]]);
    assert_eq!(order.len(), 6);
    let of = async |status| list(Some(status), 1).await.into_iter().map(|each| each.id).collect::<Vec<_>>();
    assert_eq!(of(RequestStatus::AwaitingApproval).await, [ids[4], ids[2], ids[0]]);
    assert_eq!(of(RequestStatus::Issued).await.len(), 2);
    assert_eq!(of(RequestStatus::Cancelled).await, [ids[3]]);
    assert!(all[3].certificate.is_some());
    let decided = audra.approval_requests(application, RequestStatus::Issued, None).await.unwrap().items;
    assert_eq!(decided.iter().map(|each| each.id).collect::<Vec<_>>(), [ids[1]], "not the one that needed none");
    let open = audra.approval_requests(application, RequestStatus::AwaitingApproval, None).await.unwrap().items;
    assert_eq!(open.iter().map(|each| each.id).collect::<Vec<_>>(), [ids[4], ids[2], ids[0]]);
    office.world.clock.advance(Duration::days(8));
    let open = audra.approval_requests(application, RequestStatus::AwaitingApproval, None).await.unwrap().items;
    assert!(open.is_empty(), "expired, recorded or not");
}

#[tokio::test]
async fn a_process_that_has_not_heard_of_a_policy_issues_nothing_without_it() {
    let office = Office::new().await;
    let elsewhere = builder(office.store.clone(), &office.world.clock, 9).build().await.unwrap();
    let otto = elsewhere.acting_as(user("otto"));
    issued(otto.submit(&office.ask()).await);
    office.save(ApprovalPolicySpec::new(slug("all"), [step(1, &["user:bob"])])).await.unwrap();
    let id = waits(otto.submit(&office.ask()).await);
    // Nor the other way round, of the members that a vote rests on.
    let bob = elsewhere.acting_as(user("bob"));
    let digest = office.digest(id).await;
    office.session("alice").delete_approval_policy(office.world.application.id, &slug("all")).await.unwrap();
    issued(otto.submit(&office.ask()).await);
    issued(bob.approve(id, &digest, "").await);
}

#[tokio::test]
async fn what_the_profile_no_longer_is_voids_and_does_not_fail() {
    for case in ["detached", "method off", "profile deleted"] {
        let office = Office::with([step(1, &["user:bob"])]).await;
        let id = office.waiting().await;
        let (product, application, profile) =
            (office.session("root"), office.world.application.id, office.world.profile.id);
        match case {
            "detached" => drop(product.detach_profile(application, profile).await.unwrap()),
            "profile deleted" => product.delete_profile(profile).await.unwrap(),
            _ => {
                let methods = chancery::domain::Methods::default();
                drop(office.session("alice").set_methods(application, profile, methods).await.unwrap());
            }
        }
        let refusal = refused(office.approve("bob", id).await);
        assert_eq!(office.status(id).await, RequestStatus::Voided, "{case}: {refusal}");
        assert_eq!(office.certificates().await, 0, "{case}");
    }
}

#[tokio::test]
async fn an_issuer_that_fails_costs_no_vote() {
    use support::{Hand, Mood};
    let (store, hand) = (MemoryStore::new(), Hand::new());
    let clock = std::sync::Arc::new(chancery::clock::ManualClock::new(support::START));
    let world = World::of(builder(store.clone(), &clock, 1).signer(slug("root"), hand.clone()), clock).await;
    let office = Office { store, world };
    let member = Member { principal: principal("user:bob"), role: Role::Auditor };
    office.session("alice").set_member(office.world.application.id, member).await.unwrap();
    office.save(ApprovalPolicySpec::new(slug("all"), [step(1, &["user:bob"])])).await.unwrap();
    hand.will([Mood::Unavailable]);
    let id = office.waiting().await;
    let Ok(Outcome::Pending(pending)) = office.approve("bob", id).await else { panic!("not pending") };
    assert_eq!(pending.reason, PendingReason::Signer);
    assert_eq!(office.status(id).await, RequestStatus::Issuing);
    office.world.clock.advance(HOURS);
    assert_eq!(office.world.engine.run_due(10).await.unwrap().issued, 1);
    assert!(issued(office.approve("bob", id).await).private_key.is_none());
    assert!(issued(office.session("otto").request(id).await).private_key.is_some());
    let votes = office.session("bob").approval_request(id).await.unwrap().approval.votes;
    assert_eq!((votes.len(), office.certificates().await), (1, 1));
}
