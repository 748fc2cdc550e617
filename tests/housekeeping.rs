//! What is long over is removed, and nothing that is still needed.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

#[path = "support/engine.rs"]
mod support;

use std::sync::Arc;

use chancery::clock::{Clock, ManualClock};
use chancery::domain::{
    ApprovalPolicySpec, ApprovalStep, CertificateId, Enrollment, IncidentSelection, IncidentSpec, Selection, Span,
    SyncSpec,
};
use chancery::engine::{Engine, Error, Outcome, Retention};
use chancery::store::MemoryStore;
use chancery::target::memory::MemoryTarget;
use chancery::x509::RevocationReason;
use support::{Hand, Mood, World, bodies, builder, principal, slug};
use time::Duration;

async fn sweep(world: &World, days: i64) {
    for _ in 0..days {
        world.clock.advance(Duration::days(1));
        for _ in 0..8 {
            world.engine.run_due(100).await.unwrap();
        }
    }
}

async fn count(store: &Arc<MemoryStore>, kind: &str) -> usize {
    bodies(store, kind).await.len()
}

#[tokio::test]
async fn certificates_go_with_key_number_and_request_once_their_time_is_over() {
    let store = Arc::new(MemoryStore::new());
    let clock = Arc::new(ManualClock::new(support::START));
    let retention = Retention { certificates: Some(Span::days(10)), ..Retention::default() };
    let world = World::of(builder(Arc::clone(&store), &clock, 1).retention(retention), clock).await;
    for at in 0..450 {
        world.issue(&format!("host-{at}.example.com")).await;
    }
    assert_eq!(
        (count(&store, "certificate").await, count(&store, "serial").await),
        (451, 451),
        "one is the root's own"
    );
    sweep(&world, 90 + 9).await;
    assert_eq!(count(&store, "certificate").await, 451, "they ended nine days ago");
    sweep(&world, 3).await;
    assert_eq!(count(&store, "certificate").await, 1);
    assert_eq!(count(&store, "serial").await, 1);
    assert_eq!(count(&store, "private_key").await, 0);
    assert_eq!(count(&store, "request").await, 0);
    let told = bodies(&store, "event").await;
    let pruned = told.iter().filter(|event| event["event"] == "records-pruned");
    assert_eq!(pruned.map(|event| event["count"].as_u64().unwrap()).sum::<u64>(), 450);
}

#[tokio::test]
async fn events_go_once_their_time_is_over_and_what_is_left_verifies() {
    let store = Arc::new(MemoryStore::new());
    let clock = Arc::new(ManualClock::new(support::START));
    let retention = Retention { events: Some(Span::days(10)), ..Retention::default() };
    let world = World::of(builder(Arc::clone(&store), &clock, 1).retention(retention), clock).await;
    for at in 0..250 {
        world.issue(&format!("host-{at}.example.com")).await;
    }
    sweep(&world, 9).await;
    assert!(count(&store, "event").await > 250);
    world.issue("late.example.com").await;
    sweep(&world, 3).await;
    let left = bodies(&store, "event").await;
    assert!((1..20).contains(&left.len()), "{} are left", left.len());
    assert!(left.iter().any(|event| event["event"] == "certificate-issued"), "the late one stays");
    let report = world.session("root").verify_audit(1, None).await.unwrap();
    assert_eq!(report.faults, []);
}

#[tokio::test]
async fn requests_that_came_to_nothing_go_with_the_number_that_they_held() {
    let store = Arc::new(MemoryStore::new());
    let clock = Arc::new(ManualClock::new(support::START));
    let hand = Hand::new();
    let retention = Retention { requests: Some(Span::days(10)), ..Retention::default() };
    let builder = builder(Arc::clone(&store), &clock, 1).signer(slug("root"), hand.clone()).retention(retention);
    let world = World::of(builder, clock).await;
    hand.will([Mood::Refuses]);
    drop(world.session("otto").submit(&world.enrollment("a.example.com")).await.unwrap());
    assert_eq!((count(&store, "request").await, count(&store, "serial").await), (1, 2));
    sweep(&world, 9).await;
    assert_eq!(count(&store, "request").await, 1);
    sweep(&world, 3).await;
    assert_eq!((count(&store, "request").await, count(&store, "serial").await), (0, 1));
}

#[tokio::test]
async fn nothing_goes_where_it_is_kept_for_ever() {
    let store = Arc::new(MemoryStore::new());
    let clock = Arc::new(ManualClock::new(support::START));
    let retention = Retention { certificates: None, requests: None, events: None };
    let world = World::of(builder(Arc::clone(&store), &clock, 1).retention(retention), clock).await;
    world.issue("a.example.com").await;
    sweep(&world, 400).await;
    assert_eq!(count(&store, "certificate").await, 2);
    assert_eq!(count(&store, "housekeeping").await, 1);
}

#[tokio::test]
async fn a_retention_that_keeps_nothing_is_refused() {
    let retention = Retention { events: Some(Span::minutes(1)), ..Retention::default() };
    let Err(Error::Invalid { faults }) = Engine::builder().retention(retention).build().await else {
        panic!("it was accepted");
    };
    assert_eq!(faults[0].0, "retention.events");
}

/// A world that keeps for ten days what has ended, and for twenty what was told.
struct Scene {
    store: Arc<MemoryStore>,
    world: World,
}

impl Scene {
    async fn new() -> Self {
        let store = Arc::new(MemoryStore::new());
        let clock = Arc::new(ManualClock::new(support::START));
        let kept = |days| Some(Span::days(days));
        let retention = Retention { certificates: kept(10), requests: kept(10), events: kept(20) };
        let builder = builder(Arc::clone(&store), &clock, 1).target(slug("edge"), MemoryTarget::default());
        Self { world: World::of(builder.retention(retention), clock).await, store }
    }

    async fn issue(&self, name: &str) -> CertificateId {
        self.world.issue(name).await.record.id
    }

    async fn has(&self, id: CertificateId) -> bool {
        bodies(&self.store, "certificate").await.iter().any(|each| each["id"] == id.to_string())
    }

    /// Lets days pass up to a day since the beginning.
    async fn until(&self, day: i64) {
        let now = (self.world.clock.now() - support::START).whole_days();
        sweep(&self.world, day - now).await;
    }
}

#[tokio::test]
async fn what_lies_at_a_target_keeps_its_certificate() {
    let scene = Scene::new().await;
    let spec = SyncSpec::new(slug("edge"), slug("edge"), Selection::profile(scene.world.profile.id));
    let alice = scene.world.session("alice");
    let sync = alice.save_sync(scene.world.application.id, spec).await.unwrap();
    let id = scene.issue("api.example.com").await;
    scene.until(110).await;
    assert_eq!(count(&scene.store, "deployment").await, 1, "what expired stays at the target");
    assert!(scene.has(id).await, "and so does its record");
    alice.delete_sync(sync.id).await.unwrap();
    scene.until(113).await;
    assert_eq!((count(&scene.store, "deployment").await, count(&scene.store, "remote_name").await), (0, 0));
    assert!(!scene.has(id).await);
}

#[tokio::test]
async fn a_revoked_certificate_stays_until_a_list_was_made_after_its_end() {
    let scene = Scene::new().await;
    let id = scene.issue("api.example.com").await;
    scene.until(80).await;
    scene.world.session("otto").revoke(id, RevocationReason::Superseded).await.unwrap();
    scene.until(89).await;
    assert_eq!(count(&scene.store, "revocation").await, 1);
    // Nothing is done for a while: the list that tells of it for the last time comes late, and so does its end.
    scene.world.clock.advance(Duration::days(15));
    let mut kept_by_list = false;
    for _ in 0..200 {
        scene.world.engine.run_due(1).await.unwrap();
        let is_listed = count(&scene.store, "revocation").await == 1;
        assert!(!is_listed || scene.has(id).await, "its list still tells of it");
        kept_by_list |= is_listed;
    }
    assert!(kept_by_list);
    scene.until(106).await;
    assert_eq!(count(&scene.store, "revocation").await, 0);
    assert!(!scene.has(id).await);
}

#[tokio::test]
async fn a_certificate_under_an_incident_stays_until_that_is_over_and_then_both_go() {
    let scene = Scene::new().await;
    let (id, product) = (scene.issue("api.example.com").await, scene.world.session("root"));
    let opened = product
        .open_incident(IncidentSpec {
            reason: RevocationReason::Superseded,
            select: IncidentSelection { application: Some(scene.world.application.id), ..IncidentSelection::default() },
            deadline: support::START + Duration::days(120),
            spread: Span::minutes(0),
            explanation: None,
            note: String::new(),
        })
        .await
        .unwrap();
    scene.until(119).await;
    assert!(scene.has(id).await);
    scene.until(123).await;
    assert!(!scene.has(id).await);
    assert_eq!(count(&scene.store, "under_incident").await, 0);
    assert!(product.incident(opened.id).await.is_ok(), "it is over since three days");
    scene.until(143).await;
    assert!(matches!(product.incident(opened.id).await, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn what_an_open_request_is_to_replace_stays_until_that_is_decided() {
    let scene = Scene::new().await;
    let record = scene.world.issue("api.example.com").await.record;
    let id = record.id;
    let steps = [ApprovalStep::new(1, [principal("user:alice")])];
    let policy = ApprovalPolicySpec { max_age: Span::days(30), ..ApprovalPolicySpec::new(slug("all"), steps) };
    scene.world.session("alice").save_approval_policy(scene.world.application.id, policy).await.unwrap();
    scene.until(85).await;
    let ask = Enrollment::renewal(&record).unwrap().dns("other.example.com");
    let asked = scene.world.session("otto").submit(&ask).await.unwrap();
    assert!(matches!(asked, Outcome::Pending(_)), "{asked:?}");
    scene.until(110).await;
    assert!(scene.has(id).await, "people may still agree");
    scene.until(118).await;
    assert!(!scene.has(id).await, "the request has expired");
    assert_eq!(count(&scene.store, "renewal").await, 0);
}
