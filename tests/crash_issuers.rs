//! Whatever fails while an issuer is made: one certificate with one content, known to the inventory, or none at all.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[path = "support/engine.rs"]
mod support;

use std::sync::Arc;

use chancery::clock::ManualClock;
use chancery::domain::{IssuerSpec, IssuerState};
use chancery::engine::{Engine, Error};
use chancery::store::faulty::{FaultyStore, Verb};
use support::stores::{Soon, Watched, store};
use support::{FAULTS, HOURS, Hand, Mood, START, bodies, builder, events, slug, user};

struct Scene {
    store: Arc<FaultyStore<Watched>>,
    hand: Hand,
    clock: Arc<ManualClock>,
    engine: Engine,
}

impl Scene {
    async fn new() -> Self {
        let store = Arc::new(FaultyStore::new(store()));
        let (hand, clock) = (Hand::new(), Arc::new(ManualClock::new(START)));
        let engine = builder(Arc::clone(&store), &clock, 1).signer(slug("root"), hand.clone()).build().await.unwrap();
        Self { store, hand, clock, engine }
    }

    /// Makes the root and one CA below it; what fails or hangs is left to due work.
    fn make(&self) {
        let session = self.engine.acting_as(user("root"));
        let _ = session.create_root(IssuerSpec::new(slug("root"), "Root")).soon();
        if let Some(Ok(root)) = session.issuer_named(&slug("root")).soon() {
            let mut spec = IssuerSpec::new(slug("below"), "Below");
            spec.ttl = chancery::domain::Span::days(365);
            let _ = session.create_intermediate(spec, root.id).soon();
        }
    }

    fn settle(&self) {
        for _ in 0..10 {
            self.store.revive();
            self.clock.advance(HOURS);
            if let Some(Ok(report)) = self.engine.run_due(10).soon()
                && report.total() == 0
            {
                return;
            }
        }
        panic!("due work never ends");
    }

    async fn check(&self, label: &str) {
        let session = self.engine.acting_as(user("root"));
        let store = self.store.inner();
        for name in ["root", "below"] {
            let issuer = session.issuer_named(&slug(name)).await.unwrap();
            assert!(matches!(issuer.state, IssuerState::Active { .. }), "{label}: {name} is stuck: {issuer:?}");
        }
        let certificates = bodies(store, "certificate").await;
        assert_eq!(certificates.len(), 2, "{label}: one certificate for each issuer");
        let ders: Vec<Vec<u8>> = certificates.iter().map(|each| der_of(&each["der"])).collect();
        for tbs in self.hand.signed() {
            let is_known = ders.iter().any(|der| der.windows(tbs.len()).any(|window| window == tbs));
            assert!(is_known, "{label}: bytes were signed that the inventory does not know");
        }
        let told = events(store).await.into_iter().filter(|event| event == "issuer-saved").count();
        assert_eq!(told, 4, "{label}: begun and created, for each issuer");
    }
}

fn der_of(text: &serde_json::Value) -> Vec<u8> {
    serde_json::from_value::<chancery::domain::Octets>(text.clone()).unwrap().0
}

#[tokio::test]
async fn whatever_fails_there_is_one_certificate_for_each_issuer() {
    let moods: [&[Mood]; 4] = [&[], &[Mood::Unavailable], &[Mood::UnknownDone], &[Mood::NeverAnswers]];
    for moods in moods {
        for nth in 1..=4 {
            for fault in FAULTS {
                let label = format!("{moods:?}, commit {nth}: {fault:?}");
                let scene = Scene::new().await;
                scene.hand.will(moods.iter().cloned());
                scene.store.inject(Verb::Commit, scene.store.calls(Verb::Commit) + nth, fault);
                // What was not begun is begun again; what was is finished by due work, and its name is taken.
                for _ in 0..3 {
                    scene.make();
                    scene.settle();
                }
                scene.check(&label).await;
            }
        }
    }
}

#[tokio::test]
async fn an_issuer_that_is_not_signed_yet_issues_nothing_and_keeps_its_name() {
    let scene = Scene::new().await;
    scene.hand.will([Mood::UnknownUndone]);
    let session = scene.engine.acting_as(user("root"));
    let cut_off = session.create_root(IssuerSpec::new(slug("root"), "Root")).await.unwrap_err();
    assert!(matches!(cut_off, Error::Sign(_)), "{cut_off}");
    let root = session.issuer_named(&slug("root")).await.unwrap();
    let below = session.create_intermediate(IssuerSpec::new(slug("below"), "Below"), root.id).await.unwrap_err();
    assert!(matches!(below, Error::Issuer { .. }), "{below}");
    let again = session.create_root(IssuerSpec::new(slug("root"), "Root")).await.unwrap_err();
    assert!(matches!(again, Error::NameTaken { .. }), "{again}");
    scene.settle();
    let root = session.issuer_named(&slug("root")).await.unwrap();
    assert!(matches!(root.state, IssuerState::Active { .. }));
}
