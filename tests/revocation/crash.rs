//! Whatever fails while lists are made: numbers only grow, one content for each, and every revocation is published in the end.
use std::collections::BTreeMap;
use std::sync::Arc;

use chancery::clock::ManualClock;
use chancery::engine::Engine;
use chancery::store::faulty::{FaultyStore, Verb};
use chancery::x509::{CertificateList, RevocationReason};
use time::Duration;

use super::support::stores::{Soon, Watched, store};
use super::support::{FAULTS, Hand, Mood, START, bodies, builder, events, slug};
use super::{Scene, with_crl};

struct Walk {
    store: Arc<FaultyStore<Watched>>,
    hand: Hand,
    scene: Scene,
    second: Engine,
}

impl Walk {
    async fn new() -> Self {
        let store = Arc::new(FaultyStore::new(store()));
        let (hand, clock) = (Hand::new(), Arc::new(ManualClock::new(START)));
        let parts = || builder(Arc::clone(&store), &clock, 1).signer(slug("root"), hand.clone());
        let scene = Scene::of(parts(), Arc::clone(&clock), with_crl("http://crl.example/", 1)).await;
        let second = builder(Arc::clone(&store), &clock, 2).signer(slug("root"), hand.clone()).build().await.unwrap();
        Self { store, hand, scene, second }
    }

    fn settle(&self) {
        for _ in 0..12 {
            self.store.revive();
            self.scene.clock.advance(Duration::minutes(11));
            let _ = self.second.run_due(10).soon();
            let _ = self.scene.engine.run_due(10).soon();
        }
    }

    /// Every list that was ever signed, by number.
    fn check_numbers(&self, label: &str) {
        let mut contents: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        for tbs in self.hand.signed() {
            let Some(number) = number(&tbs) else { continue };
            let earlier = contents.insert(number, tbs.clone());
            assert!(earlier.is_none_or(|earlier| earlier == tbs), "{label}: number {number} for two contents");
        }
    }
}

/// The CRL number of to-be-signed bytes, if they are a list's.
fn number(tbs: &[u8]) -> Option<u64> {
    let at = tbs.windows(5).position(|window| window == [6, 3, 0x55, 0x1d, 0x14])?;
    let value = &tbs[at + 5..];
    let length = usize::from(value[3]);
    Some(value[4..4 + length].iter().fold(0, |number, octet| number << 8 | u64::from(*octet)))
}

#[tokio::test]
async fn whatever_fails_a_revocation_is_published_under_a_number_of_its_own() {
    let moods: [&[Mood]; 6] = [
        &[],
        &[Mood::Unavailable],
        &[Mood::UnknownDone],
        &[Mood::WrongKey],
        &[Mood::NeverAnswers],
        &[Mood::Garbage, Mood::WrongMessage, Mood::UnknownUndone],
    ];
    for moods in moods {
        for nth in 1..=4 {
            for fault in FAULTS {
                let label = format!("{moods:?}, commit {nth}: {fault:?}");
                let walk = Walk::new().await;
                let record = walk.scene.issue("a.example.com").await.record;
                walk.scene.work().await;
                let before = walk.scene.list(0).await.number;
                walk.hand.will(moods.iter().cloned());
                walk.store.inject(Verb::Commit, walk.store.calls(Verb::Commit) + nth, fault);
                for _ in 0..3 {
                    let otto = walk.scene.session("otto");
                    let _ = otto.revoke(record.id, RevocationReason::Superseded).soon();
                    walk.settle();
                }
                let list = walk.scene.list(0).await;
                assert!(list.number > before, "{label}");
                assert_eq!(list.entries.len(), 1, "{label}");
                walk.check_numbers(&label);
                let told = events(walk.store.inner()).await;
                let revoked = told.iter().filter(|event| *event == "certificate-revoked").count();
                assert_eq!(revoked, 1, "{label}: {told:?}");
                let parts = bodies(walk.store.inner(), "crl_part").await.len();
                assert_eq!(parts, 1, "{label}: parts of old lists are left");
            }
        }
    }
}

#[tokio::test]
async fn what_is_revoked_while_a_list_is_signed_stands_on_the_next() {
    let walk = Walk::new().await;
    let mut records = Vec::new();
    for name in ["a.example.com", "b.example.com"] {
        records.push(walk.scene.issue(name).await.record.id);
    }
    walk.scene.work().await;
    let otto = walk.scene.session("otto");
    otto.revoke(records[0], RevocationReason::Superseded).await.unwrap();
    walk.scene.clock.advance(Duration::minutes(1));
    walk.hand.will([Mood::Waits]);
    let engine = walk.scene.engine.clone();
    let signing = tokio::spawn(async move { engine.run_due(10).await });
    while !walk.hand.has_no_mood_left() {
        tokio::task::yield_now().await;
    }
    otto.revoke(records[1], RevocationReason::Superseded).await.unwrap();
    walk.hand.release();
    signing.await.unwrap().unwrap();
    assert_eq!(walk.scene.list(0).await.entries.len(), 1);
    walk.scene.pass(Duration::seconds(6)).await;
    assert_eq!(walk.scene.list(0).await.entries.len(), 2);
}

#[tokio::test]
async fn two_engines_that_race_publish_growing_numbers() {
    let walk = Walk::new().await;
    let mut last = 0;
    for at in 0..20 {
        let id = walk.scene.issue(&format!("n{at}.example.com")).await.record.id;
        walk.scene.session("otto").revoke(id, RevocationReason::Superseded).await.unwrap();
        walk.scene.clock.advance(Duration::seconds(6));
        let (one, two) = tokio::join!(walk.scene.engine.run_due(10), walk.second.run_due(10));
        assert_eq!(one.unwrap().published + two.unwrap().published, 1);
        let crl = walk.second.crl(walk.scene.issuer.id, 0).await.unwrap().unwrap();
        assert!(crl.number > last);
        assert_eq!(CertificateList::from_der(&crl.der).unwrap().entries.len(), at + 1);
        last = crl.number;
    }
}
