//! The audit chain: whatever is changed in what is sealed is found, every event is in it once, and nobody waits for it.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[path = "support/engine.rs"]
mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use chancery::clock::ManualClock;
use chancery::domain::{AuditFault, AuditHead, AuditReport};
use chancery::engine::Error;
use chancery::store::faulty::{FaultyStore, Verb};
use chancery::store::{Batch, Expect, IndexEntry, Key, MemoryStore, Over, Scan, Store, Write};
use futures_util::FutureExt;
use serde_json::{Value, json};
use support::{FAULTS, HOURS, START, World, Yielding, bodies, builder, everything, principal, user};
use time::Duration;

struct Scene {
    store: MemoryStore,
    world: World,
}

impl Scene {
    /// Three blocks: of the set-up, of two certificates, and of a third.
    async fn new() -> Self {
        let store = MemoryStore::new();
        let world = World::over(store.clone()).await;
        let scene = Self { world, store };
        scene.seal().await;
        for names in [&["a.example.com", "b.example.com"][..], &["c.example.com"]] {
            for name in names {
                scene.world.issue(name).await;
                scene.world.clock.advance(Duration::SECOND);
            }
            scene.seal().await;
        }
        scene
    }

    async fn seal(&self) -> usize {
        self.world.engine.run_due(100).await.unwrap().sealed
    }

    async fn verify(&self, known: Option<AuditHead>) -> AuditReport {
        self.world.session("root").verify_audit(1, known).await.unwrap()
    }

    /// Replaces, adds or removes a document behind the engine's back.
    async fn forge(&self, key: &Key, body: Option<Value>, entries: Vec<IndexEntry>) {
        let found = self.store.get(std::slice::from_ref(key)).await.unwrap().remove(0);
        let expect = found.as_ref().map_or(Expect::Absent, |found| Expect::Version(found.version));
        let write = match body {
            Some(body) => Write::Put { key: key.clone(), expect, body: body.to_string().into(), entries },
            None => Write::Delete { key: key.clone(), version: found.unwrap().version },
        };
        self.store.commit(Batch { writes: vec![write] }).await.unwrap();
    }

    async fn edit(&self, key: &Key, edit: impl FnOnce(&mut Value)) {
        let found = self.store.get(std::slice::from_ref(key)).await.unwrap().remove(0).unwrap();
        let mut body: Value = serde_json::from_slice(&found.body).unwrap();
        edit(&mut body);
        self.forge(key, Some(body), Vec::new()).await;
    }

    /// The ids of the events in a block.
    async fn events_of(&self, block: u64) -> Vec<String> {
        let body = self.body(&block_key(block)).await;
        let list = body["list"].as_array().unwrap();
        list.iter().map(|each| each["id"].as_str().unwrap().to_owned()).collect()
    }

    async fn body(&self, key: &Key) -> Value {
        let found = self.store.get(std::slice::from_ref(key)).await.unwrap().remove(0).unwrap();
        serde_json::from_slice(&found.body).unwrap()
    }
}

fn block_key(number: u64) -> Key {
    Key::new("audit_block", format!("{number:020}"))
}

fn event_key(id: &str) -> Key {
    Key::new("event", id)
}

#[tokio::test]
async fn what_nobody_touched_is_sound() {
    let scene = Scene::new().await;
    let report = scene.verify(None).await;
    assert_eq!(report.faults, []);
    assert_eq!(report.blocks, 3);
    assert_eq!(report.events, bodies(&scene.store, "event").await.len() as u64);
    let head = scene.world.engine.audit_head().await.unwrap();
    assert_eq!(report.head, head);
    assert!(scene.verify(head).await.is_sound());
    let from_the_second = scene.world.session("root").verify_audit(2, None).await.unwrap();
    assert!(from_the_second.is_sound() && from_the_second.blocks == 2, "{from_the_second:?}");
}

#[tokio::test]
async fn events_that_are_not_sealed_yet_are_no_fault() {
    let scene = Scene::new().await;
    scene.world.issue("d.example.com").await;
    assert!(scene.verify(None).await.is_sound());
    assert_eq!(scene.seal().await, 1);
    assert!(scene.verify(None).await.is_sound());
}

#[tokio::test]
async fn every_change_of_an_event_is_found() {
    let edits: [fn(&mut Value); 5] = [
        |event| event["actor"] = json!("user:mallory"),
        |event| event["at"] = json!("2020-01-01T00:00:00Z"),
        |event| event["note"] = json!("more"),
        |event| event["sealed"] = json!(1),
        |event| drop(event.as_object_mut().unwrap().remove("sealed")),
    ];
    for (at, edit) in edits.into_iter().enumerate() {
        let scene = Scene::new().await;
        let id = scene.events_of(2).await[0].clone();
        scene.edit(&event_key(&id), edit).await;
        let faults = scene.verify(None).await.faults;
        let found = AuditFault::EventChanged { event: id.parse().unwrap(), block: 2 };
        assert!(faults.contains(&found), "edit {at}: {faults:?}");
    }
}

#[tokio::test]
async fn a_removed_event_is_found() {
    let scene = Scene::new().await;
    let id = scene.events_of(2).await[1].clone();
    scene.forge(&event_key(&id), None, Vec::new()).await;
    assert_eq!(scene.verify(None).await.faults, [AuditFault::EventRemoved { event: id.parse().unwrap(), block: 2 }]);
}

#[tokio::test]
async fn an_added_event_is_found() {
    for sealed in [json!(0), json!(2), json!(99), json!(-1), json!("2"), Value::Null] {
        let scene = Scene::new().await;
        let mut event = scene.body(&event_key(&scene.events_of(2).await[0])).await;
        let id = "evt-0000000000000000000000000a";
        event["id"] = json!(id);
        event["sealed"] = sealed.clone();
        scene.forge(&event_key(id), Some(event), Vec::new()).await;
        assert_eq!(scene.verify(None).await.faults, [AuditFault::EventAdded { event: id.into() }], "{sealed}");
    }
}

#[tokio::test]
async fn events_and_blocks_that_change_places_are_found() {
    let scene = Scene::new().await;
    let ids = scene.events_of(2).await;
    let (first, second) = (scene.body(&event_key(&ids[0])).await, scene.body(&event_key(&ids[1])).await);
    scene.forge(&event_key(&ids[0]), Some(second), Vec::new()).await;
    scene.forge(&event_key(&ids[1]), Some(first), Vec::new()).await;
    assert_eq!(scene.verify(None).await.faults.len(), 2);

    let scene = Scene::new().await;
    scene.edit(&block_key(2), |block| block["list"].as_array_mut().unwrap().swap(0, 1)).await;
    assert_eq!(scene.verify(None).await.faults, [AuditFault::BlockChanged { block: 2 }]);

    let scene = Scene::new().await;
    let (second, third) = (scene.body(&block_key(2)).await, scene.body(&block_key(3)).await);
    scene.forge(&block_key(2), Some(third), Vec::new()).await;
    scene.forge(&block_key(3), Some(second), Vec::new()).await;
    let faults = scene.verify(None).await.faults;
    for block in [2, 3] {
        assert!(faults.contains(&AuditFault::BlockMisplaced { block }), "{faults:?}");
    }
}

#[tokio::test]
async fn blocks_that_are_changed_or_gone_are_found() {
    let scene = Scene::new().await;
    scene.edit(&block_key(2), |block| block["sealed_at"] = json!("2020-01-01T00:00:00Z")).await;
    assert_eq!(scene.verify(None).await.faults, [AuditFault::BlockChanged { block: 2 }]);

    let scene = Scene::new().await;
    scene.forge(&block_key(2), None, Vec::new()).await;
    let faults = scene.verify(None).await.faults;
    assert!(faults.contains(&AuditFault::BlockRemoved { block: 2 }), "{faults:?}");

    let scene = Scene::new().await;
    scene.forge(&block_key(3), None, Vec::new()).await;
    let faults = scene.verify(None).await.faults;
    assert!(faults.contains(&AuditFault::BlockRemoved { block: 3 }), "the head names it: {faults:?}");
}

#[tokio::test]
async fn a_chain_that_was_cut_short_with_care_is_found_by_who_kept_its_head() {
    let scene = Scene::new().await;
    let kept = scene.world.engine.audit_head().await.unwrap();
    for id in scene.events_of(3).await {
        scene.forge(&event_key(&id), None, Vec::new()).await;
    }
    scene.forge(&block_key(3), None, Vec::new()).await;
    let second = scene.body(&block_key(2)).await;
    let head = json!({ "head": { "number": 2, "hash": second["hash"] } });
    scene.forge(&Key::new("audit_head", "head"), Some(head), Vec::new()).await;
    assert!(scene.verify(None).await.is_sound(), "without the kept head nothing shows");
    assert_eq!(scene.verify(kept.clone()).await.faults, [AuditFault::NotTheChainKnown { block: 3 }]);
    // And also when it has grown again.
    scene.world.issue("d.example.com").await;
    scene.seal().await;
    assert_eq!(scene.verify(kept).await.faults, [AuditFault::NotTheChainKnown { block: 3 }]);
}

#[tokio::test]
async fn only_product_administrators_verify_and_prune() {
    let scene = Scene::new().await;
    let denied = scene.world.session("alice").verify_audit(1, None).await.unwrap_err();
    assert!(matches!(denied, Error::NotAdministrator { .. }), "{denied:?}");
    let denied = scene.world.session("alice").prune_audit(START, 1).await.unwrap_err();
    assert!(matches!(denied, Error::NotAdministrator { .. }), "{denied:?}");
}

#[tokio::test]
async fn pruned_events_are_told_of_and_the_chain_still_holds() {
    let scene = Scene::new().await;
    let root = scene.world.session("root");
    let kept = scene.world.engine.audit_head().await.unwrap();
    let first = scene.events_of(1).await;
    assert_eq!(root.prune_audit(START, 1000).await.unwrap(), 0, "nothing is that old");
    let removed = root.prune_audit(START + Duration::SECOND, 1).await.unwrap();
    assert_eq!(removed, first.len(), "whole blocks");
    scene.seal().await;
    let report = scene.verify(kept.clone()).await;
    assert_eq!((report.faults, report.pruned), (vec![], first.len() as u64));
    let all = root.prune_audit(START + HOURS, 1000).await.unwrap();
    assert!(all > 0);
    scene.seal().await;
    assert!(scene.verify(kept).await.is_sound());

    // Events that were removed without the trail telling of it.
    let scene = Scene::new().await;
    for id in scene.events_of(3).await {
        scene.forge(&event_key(&id), None, Vec::new()).await;
    }
    scene
        .edit(&block_key(3), |block| {
            block["events"] = json!("pruned");
            block.as_object_mut().unwrap().remove("list");
        })
        .await;
    assert_eq!(scene.verify(None).await.faults, [AuditFault::PruningUntold { block: 3 }]);
}

#[tokio::test]
async fn pruning_that_is_cut_off_is_begun_again() {
    for nth in 1..=3 {
        for fault in FAULTS {
            let store = Arc::new(FaultyStore::new(MemoryStore::new()));
            let world = World::over(Arc::clone(&store)).await;
            for name in ["a.example.com", "b.example.com"] {
                world.engine.run_due(10).await.unwrap();
                world.clock.advance(Duration::SECOND);
                world.issue(name).await;
            }
            world.engine.run_due(10).await.unwrap();
            store.inject(Verb::Commit, store.calls(Verb::Commit) + nth, fault);
            let root = world.session("root");
            let _ = root.prune_audit(START + HOURS, 1000).now_or_never();
            store.revive();
            root.prune_audit(START + HOURS, 1000).await.unwrap();
            let report = root.verify_audit(1, None).await.unwrap();
            assert!(report.is_sound() && report.events == 0, "{nth} {fault:?}: {report:?}");
        }
    }
}

#[tokio::test]
async fn two_engines_that_seal_at_once_make_one_chain() {
    let store = MemoryStore::new();
    let world = World::over(store.clone()).await;
    let mut workers = Vec::new();
    for seed in [2, 3] {
        workers.push(builder(Yielding(store.clone()), &world.clock, seed).build().await.unwrap());
    }
    let before = bodies(&store, "event").await.len();
    let (left, right) = tokio::join!(workers[0].run_due(10), workers[1].run_due(10));
    let (left, right) = (left.unwrap(), right.unwrap());
    assert_eq!((left.sealed + right.sealed, left.taken_by_others + right.taken_by_others), (before, 0));
    world.issue("api.example.com").await;
    let added = bodies(&store, "event").await.len() - before;
    let (left, right) = tokio::join!(workers[0].run_due(10), workers[1].run_due(10));
    let (left, right) = (left.unwrap(), right.unwrap());
    assert_eq!((left.sealed + right.sealed, left.taken_by_others + right.taken_by_others), (added, 0));
    let report = world.session("root").verify_audit(1, None).await.unwrap();
    assert!(report.is_sound() && report.blocks == 2, "{report:?}");
}

/// The ids in all blocks, with how often each is there.
async fn sealed(store: &impl Store) -> BTreeMap<String, usize> {
    let mut count = BTreeMap::new();
    for block in bodies(store, "audit_block").await {
        for each in block["list"].as_array().unwrap() {
            *count.entry(each["id"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    count
}

#[tokio::test]
async fn whatever_fails_at_whichever_commit_every_event_is_in_the_trail_once() {
    for nth in 1..=3 {
        for fault in FAULTS {
            let store = Arc::new(FaultyStore::new(MemoryStore::new()));
            let world = World::over(Arc::clone(&store)).await;
            store.inject(Verb::Commit, store.calls(Verb::Commit) + nth, fault);
            let _ = world.session("otto").submit(&world.enrollment("api.example.com")).now_or_never();
            for _ in 0..5 {
                store.revive();
                world.clock.advance(HOURS);
                let _ = world.engine.run_due(10).now_or_never();
                let _ = world.session("otto").submit(&world.enrollment("next.example.com")).now_or_never();
            }
            store.revive();
            world.engine.run_due(1000).await.unwrap();
            let all = sealed(store.inner()).await;
            let stored = bodies(store.inner(), "event").await;
            assert_eq!(all.len(), stored.len(), "commit {nth}, {fault:?}");
            assert!(all.values().all(|times| *times == 1), "commit {nth}, {fault:?}");
            let issued = stored.iter().filter(|event| event["event"] == "certificate-issued").count();
            let certificates = bodies(store.inner(), "certificate").await;
            let leaves = certificates.iter().filter(|each| each["origin"] == "profile").count();
            assert_eq!(issued, leaves, "commit {nth}, {fault:?}: an event for each certificate");
            let report = world.session("root").verify_audit(1, None).await.unwrap();
            assert!(report.is_sound(), "commit {nth}, {fault:?}: {report:?}");
        }
    }
}

#[tokio::test]
async fn a_thousand_writers_do_not_wait_for_the_trail() {
    let store = MemoryStore::new();
    let clock = Arc::new(ManualClock::new(START));
    let world = World::of(builder(Yielding(store.clone()), &clock, 1), Arc::clone(&clock)).await;
    let root = world.engine.acting_as(user("root"));
    let mut writers = Vec::new();
    for number in 0..1000 {
        let (world, root) = (&world, &root);
        writers.push(async move {
            let spec = chancery::domain::ApplicationSpec::new(format!("app-{number}").parse().unwrap());
            let made = root.create_application(spec.member(principal("user:otto"), chancery::domain::Role::Operator));
            made.await.unwrap();
            if number % 100 == 0 {
                world.engine.run_due(1000).await.unwrap();
            }
        });
    }
    futures_util::future::join_all(writers).await;
    while world.engine.run_due(1000).await.unwrap().sealed > 0 {}
    let report = root.verify_audit(1, None).await.unwrap();
    assert!(report.is_sound() && report.events >= 1000, "{report:?}");
    let unsealed = store.scan(&Scan::new(Over::Index("event.unsealed".into()), 10)).await.unwrap();
    assert_eq!(unsealed, []);
    assert!(everything(&store).await.len() > 3000);
}
