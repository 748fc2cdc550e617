//! Whatever fails at whichever commit of a renewal: at most one successor at any time, and one in the end.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[path = "support/engine.rs"]
mod support;

use std::sync::Arc;

use chancery::clock::ManualClock;
use chancery::domain::{ApiSettings, AutoRenewal, CertificateId, Methods, RenewalKey, Span};
use chancery::store::faulty::{FaultyStore, Verb};
use support::stores::{Soon, Watched, store};
use support::{FAULTS, HOURS, Hand, Mood, START, World, bodies, builder, events, issued, slug};
use time::Duration;

type Faulty = Arc<FaultyStore<Watched>>;

/// Who renews, where the issuer's key is, what its signer does at first, and how many commits the walk takes.
const WALKS: [(Who, Place, &[Mood], u64); 8] = [
    (Who::Itself, Place::InProcess, &[], 2),
    (Who::Itself, Place::Remote, &[], 3),
    (Who::Itself, Place::Remote, &[Mood::UnknownDone], 4),
    (Who::Itself, Place::Remote, &[Mood::Refuses], 3),
    (Who::Somebody, Place::InProcess, &[], 1),
    (Who::Somebody, Place::Remote, &[], 2),
    (Who::Somebody, Place::Remote, &[Mood::NeverAnswers], 3),
    (Who::Somebody, Place::Remote, &[Mood::Refuses], 2),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Itself,
    Somebody,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    InProcess,
    Remote,
}

struct Scene {
    store: Faulty,
    world: World,
    hand: Hand,
    first: CertificateId,
}

impl Scene {
    async fn new(place: Place) -> Self {
        let store: Faulty = Arc::new(FaultyStore::new(store()));
        let (hand, clock) = (Hand::new(), Arc::new(ManualClock::new(START)));
        let builder = builder(Arc::clone(&store), &clock, 1);
        let builder = if place == Place::Remote { builder.signer(slug("root"), hand.clone()) } else { builder };
        let world = World::of(builder, clock).await;
        let api = Some(ApiSettings { auto_renew: Some(AutoRenewal::before(Span::days(30))) });
        let methods = Methods { api, ..Methods::default() };
        world.session("alice").set_methods(world.application.id, world.profile.id, methods).await.unwrap();
        let ask = world.enrollment("api.example.com").ttl(Span::days(90));
        let first = issued(world.session("otto").submit(&ask).await).record.id;
        while world.engine.run_due(10).await.unwrap().total() > 0 {}
        world.clock.advance(Duration::days(71));
        Self { store, world, hand, first }
    }

    fn renew(&self, who: Who) {
        match who {
            Who::Itself => drop(self.world.engine.run_due(10).soon()),
            Who::Somebody => drop(self.world.session("otto").renew(self.first, RenewalKey::New).soon()),
        }
    }

    /// Restarts, and works until nothing is due. After each round there is one successor at most.
    async fn settle(&self, label: &str) {
        for _ in 0..12 {
            self.store.revive();
            self.world.clock.advance(HOURS);
            let report = self.world.engine.run_due(10).soon();
            assert!(self.successors().await <= 1, "{label}: two successors");
            if let Some(Ok(report)) = report
                && report.total() == 0
            {
                return;
            }
        }
        panic!("{label}: due work never ends");
    }

    async fn successors(&self) -> usize {
        let all = bodies(self.store.inner(), "certificate").await;
        all.iter().filter(|each| each["replaces"] == self.first.to_string()).count()
    }

    async fn check(&self, label: &str) {
        let store = self.store.inner();
        assert_eq!(self.successors().await, 1, "{label}");
        let all = bodies(store, "certificate").await;
        let own: Vec<_> = all.iter().filter(|each| each["origin"] == "profile").collect();
        let successor = own.iter().find(|each| each["replaces"] == self.first.to_string()).unwrap();
        let before = own.iter().find(|each| each["id"] == self.first.to_string()).unwrap();
        assert_eq!(own.len(), 2, "{label}");
        assert_eq!(before["replaced_by"], successor["id"], "{label}");
        assert_eq!(before["state"]["state"], "active", "{label}: it is not revoked");
        assert_eq!(successor["lineage"], before["lineage"], "{label}");
        let plans = bodies(store, "renewal").await;
        assert_eq!(plans.len(), 1, "{label}: {plans:?}");
        assert_eq!(plans[0]["certificate"], successor["id"], "{label}");
        assert_eq!(plans[0]["state"]["state"], "scheduled", "{label}: {plans:?}");
        let told = events(store).await.into_iter().filter(|event| event == "certificate-renewed").count();
        assert_eq!(told, 1, "{label}: one event for one renewal");
        for request in bodies(store, "request").await {
            assert_ne!(request["state"]["state"], "issuing", "{label}: a request is stuck");
        }
        let der = |record: &serde_json::Value| record["der"].as_str().unwrap().to_owned();
        assert_ne!(der(successor), der(before), "{label}");
    }
}

#[tokio::test]
async fn whatever_fails_at_whichever_commit_there_is_one_successor() {
    let mut struck = 0;
    for (who, place, moods, commits) in WALKS {
        for nth in 1..=commits {
            for fault in FAULTS {
                let label = format!("{who:?} {place:?} {moods:?}, commit {nth}: {fault:?}");
                let scene = Scene::new(place).await;
                scene.hand.will(moods.iter().cloned());
                let before = scene.store.calls(Verb::Commit);
                scene.store.inject(Verb::Commit, before + nth, fault);
                scene.renew(who);
                // What somebody did not get done is done by due work: the certificate renews by itself, too.
                scene.settle(&label).await;
                assert!(scene.store.calls(Verb::Commit) >= before + nth, "{label}: the fault never struck");
                struck += 1;
                scene.check(&label).await;
            }
        }
    }
    assert_eq!(struck, 8 * (2 + 3 + 4 + 3 + 1 + 2 + 3 + 2));
}

#[tokio::test]
async fn reads_that_fail_lose_nothing() {
    for place in [Place::InProcess, Place::Remote] {
        for verb in [Verb::Get, Verb::Scan] {
            for nth in 1..=8 {
                let scene = Scene::new(place).await;
                let fault = chancery::store::faulty::Fault::CrashBefore;
                scene.store.inject(verb, scene.store.calls(verb) + nth, fault);
                scene.renew(Who::Itself);
                let label = format!("{place:?}, {verb:?} {nth}");
                scene.settle(&label).await;
                scene.check(&label).await;
            }
        }
    }
}
