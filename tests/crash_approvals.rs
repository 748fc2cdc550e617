//! Whatever fails at whichever commit from asking to the last vote: one certificate, what people agreed to, its key once.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[path = "support/engine.rs"]
mod support;

use std::sync::Arc;

use chancery::clock::ManualClock;
use chancery::domain::{ApprovalPolicySpec, ApprovalStep, Enrollment, KeyRereading, Member, RequestId, Role};
use chancery::engine::{Error, Issued, Outcome};
use chancery::store::faulty::{Fault, FaultyStore, Verb};
use support::stores::{Soon, Watched, store};
use support::{FAULTS, HOURS, Hand, Mood, START, World, bodies, builder, events, issued, principal, slug};

type Faulty = Arc<FaultyStore<Watched>>;
type Answer = Option<Result<Outcome, Error>>;

/// Whether the signer is elsewhere, what it does at first, and how many commits the walk takes: asking, two votes, the
/// signature or its record, due work, and the handing over of the key.
const WALKS: [(bool, &[Mood], u64); 4] =
    [(false, &[], 3), (true, &[], 4), (true, &[Mood::UnknownDone], 5), (true, &[Mood::NeverAnswers], 5)];

struct Scene {
    store: Faulty,
    hand: Hand,
    world: World,
}

impl Scene {
    async fn new(is_remote: bool) -> Self {
        let store: Faulty = Arc::new(FaultyStore::new(store()));
        let (hand, clock) = (Hand::new(), Arc::new(ManualClock::new(START)));
        let builder = builder(Arc::clone(&store), &clock, 1);
        let builder = if is_remote { builder.signer(slug("root"), hand.clone()) } else { builder };
        let world = World::of(builder, clock).await;
        let (alice, id) = (world.session("alice"), world.application.id);
        for name in ["user:bob", "user:carol"] {
            alice.set_member(id, Member { principal: principal(name), role: Role::Auditor }).await.unwrap();
        }
        let steps = ["user:bob", "user:carol"].map(|name| ApprovalStep::new(1, [principal(name)]));
        alice.save_approval_policy(id, ApprovalPolicySpec::new(slug("all"), steps)).await.unwrap();
        alice.edit_application(id, String::new(), KeyRereading::DisabledForGood).await.unwrap();
        Self { store, world, hand }
    }

    fn ask(&self) -> Enrollment {
        self.world.enrollment("api.example.com").idempotency_key("order-1")
    }

    fn submit(&self) -> Answer {
        self.world.session("otto").submit(&self.ask()).soon()
    }

    async fn digest(&self) -> Option<(RequestId, String)> {
        let requests = bodies(self.store.inner(), "request").await;
        let id: RequestId = requests.first()?["id"].as_str()?.parse().ok()?;
        let seen = self.world.session("audra").approval_request(id).soon()?.ok()?;
        Some((id, seen.approval.digest))
    }

    fn vote(&self, name: &str, (id, digest): &(RequestId, String)) -> Answer {
        self.world.session(name).approve(*id, digest, "").soon()
    }

    /// Everybody does their part, as if nothing had been done before; answers that were lost are asked for again.
    async fn round(&self, answers: &mut Vec<Answer>) {
        self.store.revive();
        answers.push(self.submit());
        self.store.revive();
        if let Some(request) = self.digest().await {
            for name in ["bob", "carol"] {
                let answer = self.vote(name, &request);
                if let Some(Ok(Outcome::Issued(issued))) = &answer {
                    assert!(issued.private_key.is_none(), "an approver got the key");
                }
                self.store.revive();
            }
        }
        self.settle();
    }

    fn settle(&self) {
        for _ in 0..10 {
            self.store.revive();
            self.world.clock.advance(HOURS);
            if let Some(Ok(report)) = self.world.engine.run_due(10).soon()
                && report.total() == 0
            {
                return;
            }
        }
        panic!("due work never ends");
    }

    async fn check(&self, only: &Issued, label: &str) {
        let store = self.store.inner();
        let certificates = bodies(store, "certificate").await;
        let own: Vec<_> = certificates.iter().filter(|each| each["origin"] == "profile").collect();
        assert_eq!(own.len(), 1, "{label}: one certificate");
        let der = only.certificate().der();
        for tbs in self.hand.signed().iter().filter(|tbs| !tbs.is_empty()) {
            assert!(der.windows(tbs.len()).any(|window| window == tbs), "{label}: unknown bytes were signed");
        }
        assert_eq!(bodies(store, "request").await.len(), 1, "{label}: one request");
        let told = events(store).await;
        let count = |event: &str| told.iter().filter(|each| *each == event).count();
        let voted = (count("approval-requested"), count("approval-voted"), count("request-approved"));
        assert_eq!(voted, (1, 2, 1), "{label}: each told once");
        assert_eq!(count("certificate-issued"), 1, "{label}");
        assert!(count("private-key-read") <= 1, "{label}: the key is handed over once at most");
    }
}

/// Which commit hands the key over, if nothing fails: the first of the second round.
async fn handover(is_remote: bool, moods: &[Mood]) -> u64 {
    let scene = Scene::new(is_remote).await;
    scene.hand.will(moods.iter().cloned());
    let before = scene.store.calls(Verb::Commit);
    scene.round(&mut Vec::new()).await;
    scene.store.calls(Verb::Commit) - before + 1
}

#[tokio::test]
async fn whatever_fails_at_whichever_commit_one_certificate_comes_of_an_approval() {
    let (mut struck, mut lost) = (0, 0);
    for (is_remote, moods, commits) in WALKS {
        for nth in (1..=commits).chain([handover(is_remote, moods).await]) {
            for fault in FAULTS {
                let label = format!("remote {is_remote} {moods:?}, commit {nth}: {fault:?}");
                let scene = Scene::new(is_remote).await;
                scene.hand.will(moods.iter().cloned());
                let before = scene.store.calls(Verb::Commit);
                scene.store.inject(Verb::Commit, before + nth, fault);
                let mut answers = Vec::new();
                for _ in 0..3 {
                    scene.round(&mut answers).await;
                }
                assert!(scene.store.calls(Verb::Commit) >= before + nth, "{label}: the fault never struck");
                struck += 1;
                let only = issued(scene.submit().unwrap());
                scene.check(&only, &label).await;
                let keys = answers.iter().filter(|answer| match answer {
                    Some(Ok(Outcome::Issued(issued))) => issued.private_key.is_some(),
                    _ => false,
                });
                let keys = keys.count() + usize::from(only.private_key.is_some());
                // The one answer that held the key may be the one that was lost.
                let loses = matches!(fault, Fault::UnknownDone | Fault::CrashAfter | Fault::HangAfter);
                assert!(keys == 1 || keys == 0 && loses, "{label}: the key reaches its requester {keys} times");
                lost += 1 - keys;
            }
        }
    }
    assert_eq!(struck, 8 * (4 + 5 + 6 + 6));
    assert_eq!(lost, 3 * 4, "only the commit that hands the key over may lose it");
}

#[tokio::test]
async fn a_key_is_owed_when_the_first_answer_could_not_hold_it() {
    let store: Faulty = Arc::new(FaultyStore::new(store()));
    let (hand, clock) = (Hand::new(), Arc::new(ManualClock::new(START)));
    let world = World::of(builder(Arc::clone(&store), &clock, 1).signer(slug("root"), hand.clone()), clock).await;
    let (alice, id) = (world.session("alice"), world.application.id);
    alice.edit_application(id, String::new(), KeyRereading::DisabledForGood).await.unwrap();
    let has_key = |answer| issued(answer).private_key.is_some();
    hand.will([]);
    assert!(has_key(world.session("otto").submit(&world.enrollment("at-once.example.com")).await));
    hand.will([Mood::Unavailable]);
    let asked = world.session("otto").submit(&world.enrollment("api.example.com")).await;
    let Ok(Outcome::Pending(pending)) = asked else { panic!("{asked:?}") };
    world.clock.advance(HOURS);
    assert_eq!(world.engine.run_due(10).await.unwrap().issued, 1);
    assert!(!has_key(alice.request(pending.id).await), "it is not hers");
    assert!(has_key(world.session("otto").request(pending.id).await));
    assert!(!has_key(world.session("otto").request(pending.id).await));
}
