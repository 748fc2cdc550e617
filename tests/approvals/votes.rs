//! Votes: whose count, what they are bound to, and what the last one sets going.

use chancery::domain::{
    Actor, ApprovalPolicySpec, Enrollment, KeyRereading, Member, Preset, RequestStatus, Role, SelfApproval, Span,
    VoteRefusal,
};
use chancery::engine::{Error, Issued, Outcome, PendingReason};
use chancery::store::MemoryStore;
use chancery::x509::KeyAlgorithm;

use crate::support::{self, HOURS, World, Yielding, builder, issued, principal, reasons, refused, slug, user};
use crate::{Office, step, uncounted, waits};

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
