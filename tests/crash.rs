//! Whatever fails at whichever commit of an issuing walk: one certificate, one content, nothing lost, nothing stuck.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[path = "support/engine.rs"]
mod support;

use std::sync::Arc;

use chancery::clock::ManualClock;
use chancery::domain::Enrollment;
use chancery::engine::{Error, Issued, Outcome};
use chancery::store::faulty::{Fault, FaultyStore, Verb};
use support::stores::{Soon, Watched, store};
use support::{FAULTS, HOURS, Hand, Mood, START, World, Yielding, bodies, builder, events, issued, refused, slug};

type Faulty = Arc<FaultyStore<Watched>>;

/// The walk, what the signer does at first, and how many commits the walk takes with due work.
const WALKS: [(Walk, &[Mood], u64); 7] = [
    (Walk::InProcess, &[], 1),
    (Walk::Remote, &[], 2),
    (Walk::Remote, &[Mood::Unavailable], 3),
    (Walk::Remote, &[Mood::UnknownDone], 3),
    (Walk::Remote, &[Mood::NeverAnswers], 3),
    (Walk::Remote, &[Mood::WrongKey], 3),
    (Walk::Remote, &[Mood::UnknownDone, Mood::UnknownUndone], 4),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Walk {
    InProcess,
    Remote,
}

struct Scene {
    store: Faulty,
    hand: Hand,
    world: World,
}

impl Scene {
    async fn new(walk: Walk) -> Self {
        let store: Faulty = Arc::new(FaultyStore::new(store()));
        let (hand, clock) = (Hand::new(), Arc::new(ManualClock::new(START)));
        let builder = builder(Arc::clone(&store), &clock, 1);
        let builder = if walk == Walk::Remote { builder.signer(slug("root"), hand.clone()) } else { builder };
        Self { store, world: World::of(builder, clock).await, hand }
    }

    fn ask(&self, name: &str) -> Enrollment {
        self.world.enrollment(name).idempotency_key("order-1")
    }

    /// Submits; `None` if the call hung and was dropped.
    fn submit(&self, enrollment: &Enrollment) -> Option<Result<Outcome, Error>> {
        self.world.session("otto").submit(enrollment).soon()
    }

    /// Restarts, and works until nothing is due. A fault may strike here, too.
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

    async fn certificates(&self) -> Vec<serde_json::Value> {
        let all = bodies(self.store.inner(), "certificate").await;
        all.into_iter().filter(|each| each["origin"] == "profile").collect()
    }

    async fn check(&self, only: &Issued, label: &str) {
        let (store, der) = (self.store.inner(), only.certificate().der());
        let certificates = self.certificates().await;
        assert_eq!(certificates.len(), 1, "{label}: one certificate for one idempotency key");
        assert_eq!(certificates[0]["id"], only.record.id.to_string(), "{label}");
        assert_eq!(only.record.der.0, der, "{label}");
        for tbs in self.hand.signed() {
            let is_within = der.windows(tbs.len()).any(|window| window == tbs);
            assert!(is_within, "{label}: bytes were signed that the inventory does not know");
        }
        for request in bodies(store, "request").await {
            assert_eq!(request["state"]["state"], "issued", "{label}: a request is stuck");
        }
        let claims = bodies(store, "serial").await;
        let claims = claims.iter().filter(|claim| claim["certificate"] == only.record.id.to_string());
        assert_eq!(claims.count(), 1, "{label}: the serial number is claimed once");
        let told = events(store).await.into_iter().filter(|event| event == "certificate-issued").count();
        assert_eq!(told, 1, "{label}: one event for one certificate");
        let kept = bodies(store, "private_key").await;
        assert_eq!(kept.len(), 1, "{label}: its key, and no orphan's");
    }
}

#[tokio::test]
async fn whatever_fails_at_whichever_commit_there_is_one_certificate() {
    let mut struck = 0;
    for (walk, moods, commits) in WALKS {
        for nth in 1..=commits {
            for fault in FAULTS {
                let label = format!("{walk:?} {moods:?}, commit {nth}: {fault:?}");
                let scene = Scene::new(walk).await;
                scene.hand.will(moods.iter().cloned());
                let before = scene.store.calls(Verb::Commit);
                scene.store.inject(Verb::Commit, before + nth, fault);
                let first = scene.submit(&scene.ask("api.example.com"));
                scene.settle();
                // Had nothing been reserved, this is the first walk without a fault in its way.
                let again = scene.submit(&scene.ask("api.example.com"));
                scene.settle();
                assert!(scene.store.calls(Verb::Commit) >= before + nth, "{label}: the fault never struck");
                struck += 1;
                let only = issued(scene.submit(&scene.ask("api.example.com")).unwrap());
                for earlier in [first, again].into_iter().flatten() {
                    if let Ok(Outcome::Issued(earlier)) = earlier {
                        assert_eq!(earlier.certificate(), only.certificate(), "{label}: another was handed out");
                    }
                }
                scene.check(&only, &label).await;
                let other = scene.submit(&scene.ask("other.example.com")).unwrap();
                assert!(matches!(other, Err(Error::IdempotencyKey { .. })), "{label}: {other:?}");
            }
        }
    }
    assert_eq!(struck, 8 * (1 + 2 + 3 * 4 + 4));
}

#[tokio::test]
async fn reads_that_fail_leave_nothing_behind_and_lose_nothing() {
    for walk in [Walk::InProcess, Walk::Remote] {
        for verb in [Verb::Get, Verb::Scan] {
            for nth in 1..=6 {
                let scene = Scene::new(walk).await;
                scene.hand.will([Mood::UnknownDone]);
                scene.store.inject(verb, scene.store.calls(verb) + nth, Fault::CrashBefore);
                let _ = scene.submit(&scene.ask("api.example.com"));
                scene.settle();
                let _ = scene.submit(&scene.ask("api.example.com"));
                scene.settle();
                let only = issued(scene.submit(&scene.ask("api.example.com")).unwrap());
                scene.check(&only, &format!("{walk:?}, {verb:?} {nth}")).await;
            }
        }
    }
}

#[tokio::test]
async fn a_request_that_stands_is_answered_as_pending_rather_than_lost() {
    for fault in [Fault::Unavailable, Fault::UnknownDone, Fault::UnknownUndone, Fault::Conflict] {
        let scene = Scene::new(Walk::Remote).await;
        scene.hand.will([]);
        scene.store.inject(Verb::Commit, scene.store.calls(Verb::Commit) + 2, fault);
        let asked = scene.submit(&scene.world.enrollment("api.example.com")).unwrap();
        // Without an idempotency key, the request's id is all that leads to the certificate.
        let id = match asked {
            Ok(Outcome::Pending(pending)) => pending.id,
            Ok(Outcome::Issued(issued)) => issued.request,
            other => panic!("{fault:?}: {other:?}"),
        };
        scene.settle();
        let only = issued(scene.world.session("otto").request(id).await);
        assert_eq!(only.request, id);
        scene.check(&only, &format!("{fault:?}")).await;
    }
}

#[tokio::test]
async fn the_same_bytes_are_signed_again() {
    let scene = Scene::new(Walk::Remote).await;
    scene.hand.will([Mood::UnknownDone, Mood::UnknownDone, Mood::UnknownUndone, Mood::UnknownDone]);
    let first = scene.submit(&scene.ask("api.example.com")).unwrap();
    assert!(matches!(first, Ok(Outcome::Pending(_))), "{first:?}");
    scene.settle();
    let signed = scene.hand.signed();
    assert_eq!(signed.len(), 4, "three lost signatures and the one that counts");
    assert!(signed.iter().all(|tbs| *tbs == signed[0]));
    let only = issued(scene.submit(&scene.ask("api.example.com")).unwrap());
    scene.check(&only, "signed again").await;
}

#[tokio::test]
async fn a_wrong_signature_never_becomes_a_certificate() {
    for mood in [Mood::WrongKey, Mood::WrongMessage, Mood::Garbage] {
        let scene = Scene::new(Walk::Remote).await;
        scene.hand.will(std::iter::repeat_n(mood.clone(), 5));
        for round in 0..5 {
            let outcome = scene.submit(&scene.ask("api.example.com")).unwrap();
            assert!(matches!(outcome, Ok(Outcome::Pending(_))), "{mood:?}, round {round}: {outcome:?}");
            assert_eq!(scene.certificates().await, Vec::<serde_json::Value>::new(), "{mood:?}, round {round}");
            if round < 4 {
                scene.world.clock.advance(HOURS);
                scene.world.engine.run_due(10).await.unwrap();
            }
        }
        scene.settle();
        let only = issued(scene.submit(&scene.ask("api.example.com")).unwrap());
        only.certificate().verify_issued_by(only.chain.root().unwrap()).unwrap();
        scene.check(&only, &format!("{mood:?}")).await;
    }
}

#[tokio::test]
async fn a_refusal_for_good_ends_the_request_and_is_told() {
    let scene = Scene::new(Walk::Remote).await;
    scene.hand.will([Mood::Refuses]);
    let refusal = refused(scene.submit(&scene.ask("api.example.com")).unwrap());
    assert_eq!(refusal.violations[0].seen, "as told");
    scene.settle();
    assert_eq!(refused(scene.submit(&scene.ask("api.example.com")).unwrap()), refusal, "the same key, the same answer");
    assert_eq!(scene.certificates().await.len(), 0);
    assert_eq!(bodies(scene.store.inner(), "request").await[0]["state"]["state"], "failed");
    let told = events(scene.store.inner()).await;
    assert!(told.contains(&"issuance-started".to_owned()) && told.contains(&"issuance-failed".to_owned()), "{told:?}");
}

#[tokio::test]
async fn two_workers_on_one_store_make_one_certificate_of_a_stuck_request() {
    let scene = Scene::new(Walk::Remote).await;
    scene.hand.will([Mood::NeverAnswers]);
    assert!(scene.submit(&scene.ask("api.example.com")).is_none());
    // Nothing is due yet but the sealing of events, for which the two would compete as well.
    scene.world.engine.run_due(10).await.unwrap();
    scene.world.clock.advance(HOURS);
    let mut workers = Vec::new();
    for seed in [2, 3] {
        let store = Yielding(Arc::clone(&scene.store));
        let builder = builder(store, &scene.world.clock, seed).signer(slug("root"), scene.hand.clone());
        workers.push(builder.build().await.unwrap());
    }
    let (left, right) = tokio::join!(workers[0].run_due(10), workers[1].run_due(10));
    let (left, right) = (left.unwrap(), right.unwrap());
    assert_eq!(left.issued + right.issued, 1);
    assert_eq!(left.total() + right.total(), 1, "who comes second finds nothing: {left:?} {right:?}");
    assert_eq!(scene.hand.signed().len(), 2, "the lost one, and one by the worker that claimed it");
    let only = issued(scene.submit(&scene.ask("api.example.com")).unwrap());
    scene.check(&only, "two workers").await;
}

#[tokio::test]
async fn who_signs_second_answers_with_what_the_first_one_made() {
    let scene = Scene::new(Walk::Remote).await;
    scene.hand.will([Mood::Waits]);
    let (session, ask) = (scene.world.session("otto"), scene.ask("api.example.com"));
    let late = session.submit(&ask);
    let worker = async {
        while !scene.hand.has_no_mood_left() {
            tokio::task::yield_now().await;
        }
        scene.world.clock.advance(HOURS);
        assert_eq!(scene.world.engine.run_due(10).await.unwrap().issued, 1);
        scene.hand.release();
    };
    let (late, ()) = tokio::join!(late, worker);
    let only = issued(scene.submit(&scene.ask("api.example.com")).unwrap());
    assert_eq!(issued(late).certificate(), only.certificate());
    scene.check(&only, "second").await;
}
