//! Whatever fails at whichever call of the store from the account to the certificate: one certificate for the order, and an order that
//! ends.

use std::sync::Arc;

use chancery::challenge::scripted::{Answer, ScriptedVerifier};
use chancery::clock::ManualClock;
use chancery::domain::acme::{Account, OrderStatus};
use chancery::domain::{AcmeChecks, AcmeOrderId, AcmeSettings};
use chancery::engine::acme::{NewAccount, OrderView, Terms};
use chancery::store::faulty::{Fault, FaultyStore, Verb};
use time::Duration;

use super::scene::{Scene, account_key, ask, csr};
use super::support::stores::{Soon, Watched, store};
use super::support::{FAULTS, Hand, Mood, START, World, bodies, builder, events, slug};

type Faulty = Arc<FaultyStore<Watched>>;

const NAMES: [&str; 2] = ["a.example.com", "*.b.example.com"];

/// Whether the signer is elsewhere, and what it does at first.
const WALKS: [(bool, &[Mood]); 3] = [(false, &[]), (true, &[Mood::UnknownDone]), (true, &[Mood::NeverAnswers])];

struct Walk {
    scene: Scene,
    store: Faulty,
    hand: Hand,
    csr: Vec<u8>,
    account: Option<Account>,
    order: Option<AcmeOrderId>,
}

impl Walk {
    async fn new((is_remote, moods): (bool, &[Mood])) -> Self {
        let store: Faulty = Arc::new(FaultyStore::new(store()));
        let (hand, clock, verifier) = (Hand::new(), Arc::new(ManualClock::new(START)), ScriptedVerifier::default());
        let builder = builder(Arc::clone(&store), &clock, 1).challenge_verifier(verifier.clone());
        let builder = if is_remote { builder.signer(slug("root"), hand.clone()) } else { builder };
        let settings = AcmeSettings { checks: AcmeChecks::SkipAccountBinding, ..AcmeSettings::default() };
        let scene = Scene::of(World::of(builder, clock).await, verifier, settings).await;
        scene.work().await;
        hand.will(moods.iter().cloned());
        // A worker dies while it looks, and a look fails: both belong to every walk.
        scene.verifier.will([Answer::Hangs, Answer::Unavailable]);
        Self { scene, store, hand, csr: csr(&NAMES), account: None, order: None }
    }

    /// The client does the next thing that it knows of, as often as it must; what it was not answered it asks again.
    async fn round(&mut self) -> Option<OrderView> {
        self.store.revive();
        let server = self.scene.server.clone();
        if self.account.is_none() {
            let (key, contacts) = (account_key(1), Vec::new());
            let new = NewAccount { key, contacts, terms: Terms::Agreed, binding: None };
            self.account = server.create_account(new).soon()?.ok().map(|made| made.into_inner());
        }
        let account = self.account.clone()?;
        if self.order.is_none() {
            self.order = server.new_order(&account, ask(&NAMES)).soon()?.ok().map(|placed| placed.order.id);
        }
        let order = server.order(&account, self.order?).soon()?.ok()?;
        match order.status {
            OrderStatus::Pending => {
                for id in &order.order.authorizations {
                    let authorization = server.authorization(&account, *id).soon()?.ok()?;
                    if let Some(challenge) = authorization.challenges.first() {
                        server.answer_challenge(&account, *id, challenge.kind).soon()?.ok()?;
                    }
                }
                None
            }
            OrderStatus::Ready => server.finalize(&account, order.order.id, &self.csr).soon()?.ok(),
            _ => Some(order),
        }
    }

    async fn walk_on(&mut self, label: &str) -> OrderView {
        for _ in 0..60 {
            let seen = self.round().await;
            if let Some(seen) = seen.filter(|seen| seen.status == OrderStatus::Valid) {
                return seen;
            }
            self.store.revive();
            self.scene.world.clock.advance(Duration::minutes(2));
            let _ = self.scene.world.engine.run_due(20).soon();
        }
        panic!("{label}: the order never ends");
    }

    async fn check(&self, valid: &OrderView, label: &str) {
        let store = self.store.inner();
        let certificates = bodies(store, "certificate").await;
        let own: Vec<_> = certificates.iter().filter(|each| each["origin"] == "profile").collect();
        assert_eq!(own.len(), 1, "{label}: one certificate");
        assert_eq!(own[0]["id"], valid.certificate.unwrap().to_string(), "{label}");
        assert_eq!(bodies(store, "acme_account").await.len(), 1, "{label}: one account");
        assert_eq!(bodies(store, "request").await.len(), 1, "{label}: one request");
        let mut signed = self.hand.signed();
        signed.dedup();
        assert!(signed.len() <= 1, "{label}: two contents were signed");
        let told = events(store).await;
        let count = |event: &str| told.iter().filter(|each| *each == event).count();
        assert_eq!((count("certificate-issued"), count("acme-account-made")), (1, 1), "{label}");
        assert_eq!(count("acme-identifier-not-proved"), 0, "{label}: what failed here is not the client's fault");
    }
}

#[tokio::test]
async fn whatever_fails_at_whichever_call_an_order_has_one_certificate() {
    let mut struck = 0;
    for walk in WALKS {
        let calls = {
            let mut smooth = Walk::new(walk).await;
            let before =
                [Verb::Commit, Verb::Get, Verb::Scan, Verb::Claim].map(|verb| (verb, smooth.store.calls(verb)));
            let valid = smooth.walk_on("smooth").await;
            smooth.check(&valid, "smooth").await;
            before.map(|(verb, before)| (verb, before, smooth.store.calls(verb)))
        };
        for (verb, before, after) in calls {
            let faults: &[Fault] =
                if verb == Verb::Commit { &FAULTS } else { &[Fault::CrashBefore, Fault::HangBefore] };
            for nth in before + 1..=after {
                for fault in faults {
                    let label = format!("{walk:?}, {verb:?} {nth}: {fault:?}");
                    let mut walked = Walk::new(walk).await;
                    walked.store.inject(verb, nth, *fault);
                    let valid = walked.walk_on(&label).await;
                    walked.check(&valid, &label).await;
                    struck += 1;
                }
            }
        }
    }
    assert!(struck > 300, "{struck}");
}
