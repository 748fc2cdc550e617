//! Whatever fails while incidents and responders are worked on: each step whole, each certificate once, nothing unknown signed.
use std::sync::Arc;

use chancery::clock::{Clock, ManualClock};
use chancery::domain::{IncidentSelection, IncidentSpec, IncidentState, IssuerSpec, OcspResponder, Span};
use chancery::store::faulty::{Fault, FaultyStore, Verb};
use chancery::x509::RevocationReason;
use time::Duration;

use super::support::stores::{Soon, Watched, store};
use super::support::{FAULTS, Hand, Mood, START, bodies, builder, events, slug};
use super::{Scene, plain, with_ocsp};

struct Walk {
    store: Arc<FaultyStore<Watched>>,
    hand: Hand,
    scene: Scene,
}

impl Walk {
    async fn new(spec: IssuerSpec) -> Self {
        let store = Arc::new(FaultyStore::new(store()));
        let (hand, clock) = (Hand::new(), Arc::new(ManualClock::new(START)));
        let parts = builder(Arc::clone(&store), &clock, 1).signer(slug("root"), hand.clone());
        let scene = Scene::of(parts, clock, spec).await;
        Self { store, hand, scene }
    }

    fn fail(&self, nth: u64, fault: Fault) {
        self.store.inject(Verb::Commit, self.store.calls(Verb::Commit) + nth, fault);
    }

    fn settle(&self, rounds: usize) {
        for _ in 0..rounds {
            self.store.revive();
            self.scene.clock.advance(Duration::minutes(11));
            let _ = self.scene.engine.run_due(20).soon();
        }
    }
}

#[tokio::test]
async fn an_incident_revokes_each_certificate_once_whatever_fails() {
    for nth in 1..=10 {
        for fault in FAULTS {
            let label = format!("commit {nth}: {fault:?}");
            let walk = Walk::new(plain()).await;
            for at in 0..8 {
                walk.scene.issue(&format!("n{at}.example.com")).await;
            }
            let spec = IncidentSpec {
                reason: RevocationReason::Superseded,
                select: IncidentSelection { application: Some(walk.scene.application.id), ..Default::default() },
                deadline: walk.scene.clock.now() + Duration::HOUR,
                spread: Span::minutes(60),
                explanation: None,
                note: String::new(),
            };
            let product = walk.scene.session("root");
            let opened = product.open_incident(spec).await.unwrap();
            walk.fail(nth, fault);
            walk.settle(25);
            let incident = product.incident(opened.id).await.unwrap();
            let progress = incident.progress;
            assert_eq!(incident.state, IncidentState::Closed, "{label}");
            assert_eq!((progress.selected, progress.revoked, progress.failed), (8, 8, 0), "{label}");
            let told = events(walk.store.inner()).await;
            let count = |name: &str| told.iter().filter(|event| *event == name).count();
            assert_eq!((count("certificate-revoked"), count("incident-closed")), (8, 1), "{label}");
            assert!(bodies(walk.store.inner(), "under_incident").await.is_empty(), "{label}");
            assert_eq!(walk.scene.list(0).await.entries.len(), 8, "{label}");
        }
    }
}

#[tokio::test]
async fn a_responder_is_certified_whatever_fails_and_nothing_is_signed_that_is_not_known() {
    let moods: [&[Mood]; 4] = [&[], &[Mood::Unavailable], &[Mood::UnknownDone], &[Mood::NeverAnswers, Mood::WrongKey]];
    for moods in moods {
        for nth in 1..=3 {
            for fault in FAULTS {
                let label = format!("{moods:?}, commit {nth}: {fault:?}");
                let walk = Walk::new(with_ocsp(OcspResponder::Delegated)).await;
                walk.hand.will(moods.iter().cloned());
                walk.fail(nth, fault);
                walk.settle(6);
                let all = bodies(walk.store.inner(), "certificate").await;
                let ders: Vec<Vec<u8>> = all.iter().map(|each| der_of(&each["der"])).collect();
                for tbs in walk.hand.signed() {
                    let is_known = ders.iter().any(|der| der.windows(tbs.len()).any(|window| window == tbs));
                    assert!(is_known, "{label}: bytes were signed that the inventory does not know");
                }
                assert_eq!(all.iter().filter(|each| each["origin"] == "ocsp_responder").count(), 1, "{label}");
                let responders = bodies(walk.store.inner(), "ocsp_responder").await;
                assert!(responders[0]["current"].is_object() && responders[0]["next"].is_null(), "{label}");
            }
        }
    }
}

fn der_of(text: &serde_json::Value) -> Vec<u8> {
    serde_json::from_value::<chancery::domain::Octets>(text.clone()).unwrap().0
}
