//! CRLs: when they are made, their numbers, their shards, and what leaves them.
use std::collections::BTreeSet;
use std::sync::Arc;

use chancery::clock::Clock;
use chancery::domain::{CrlSettings, Span, StatusSettings};
use chancery::engine::Error;
use chancery::store::MemoryStore;
use chancery::x509::{CertificateList, RevocationReason};
use futures_util::future::join_all;
use time::Duration;

use super::support::{Yielding, bodies, builder, events};
use super::{Scene, plain, with_crl};

const URL: &str = "http://crl.example/root.crl";
const SHARDED: &str = "http://crl.example/root-{shard}.crl";

#[tokio::test]
async fn an_issuer_with_a_url_has_an_empty_list_and_one_without_has_none() {
    let scene = Scene::new(MemoryStore::new(), with_crl(URL, 1)).await;
    scene.work().await;
    let list = scene.list(0).await;
    assert!(list.entries.is_empty() && list.scope.is_empty() && list.number == Some(1));
    let without = Scene::new(MemoryStore::new(), plain()).await;
    without.work().await;
    assert!(without.engine.crl(without.issuer.id, 0).await.unwrap().is_none());
}

#[tokio::test]
async fn vault_9176_revocations_are_gathered_and_do_not_wait_for_each_other() {
    let store = MemoryStore::new();
    let scene = Scene::of(
        builder(Yielding(store.clone()), &Arc::new(chancery::clock::ManualClock::new(super::START)), 1),
        Arc::new(chancery::clock::ManualClock::new(super::START)),
        with_crl(URL, 1),
    )
    .await;
    let mut records = Vec::new();
    for at in 0..50 {
        records.push(scene.issue(&format!("n{at}.example.com")).await.record.id);
    }
    let otto = scene.session("otto");
    let all = records.iter().map(|id| otto.revoke(*id, RevocationReason::Superseded));
    for revoked in join_all(all).await {
        revoked.unwrap();
    }
    drop(scene);
    let clock = Arc::new(chancery::clock::ManualClock::new(super::START + Duration::minutes(1)));
    let engine = builder(store.clone(), &clock, 2).build().await.unwrap();
    while engine.run_due(100).await.unwrap().total() > 0 {}
    let published = events(&store).await.into_iter().filter(|event| event == "crl-published").count();
    assert!(published <= 2, "{published} lists for 50 revocations");
    assert_eq!(bodies(&store, "crl").await[0]["published"]["entries"], 50);
}

#[tokio::test]
async fn oracle_27_next_update_is_always_in_the_future_and_numbers_only_grow() {
    let scene = Scene::new(MemoryStore::new(), with_crl(URL, 1)).await;
    scene.work().await;
    let (mut last, mut lists) = (0, BTreeSet::new());
    // A year in steps of six hours, with a revocation now and then.
    for step in 0..365 * 4 {
        if step % 100 == 7 {
            let id = scene.issue("a.example.com").await.record.id;
            scene.session("otto").revoke(id, RevocationReason::Superseded).await.unwrap();
            let before = scene.list(0).await.number;
            scene.pass(Duration::seconds(6)).await;
            assert!(scene.list(0).await.number > before, "a revocation is published at once");
        }
        let crl = scene.engine.crl(scene.issuer.id, 0).await.unwrap().unwrap();
        assert!(crl.next_update > scene.clock.now() && crl.this_update <= scene.clock.now(), "step {step}");
        assert!(crl.number >= last);
        last = crl.number;
        lists.insert((crl.number, crl.der));
        scene.pass(Duration::hours(6)).await;
    }
    let numbers: BTreeSet<u64> = lists.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers.len(), lists.len(), "one content for each number");
    assert!((60..110).contains(&lists.len()), "{} lists in a year", lists.len());
}

#[tokio::test]
async fn an_entry_leaves_after_it_stood_on_one_list_beyond_its_end() {
    let store = MemoryStore::new();
    let scene = Scene::new(store.clone(), with_crl(URL, 1)).await;
    let record = scene.issue("a.example.com").await.record;
    let later = scene.clock.now() + Duration::days(3);
    scene.session("otto").revoke(record.id, RevocationReason::Superseded).await.unwrap();
    scene.pass(later - scene.clock.now()).await;
    let (end, mut beyond) = (record.validity.not_after(), 0);
    while beyond == 0 || !scene.list(0).await.entries.is_empty() {
        let list = scene.list(0).await;
        beyond += u32::from(list.this_update > end);
        if list.this_update <= end {
            assert_eq!(list.entries.len(), 1, "it stands on every list until its end");
        }
        assert!(beyond <= 2, "it never leaves");
        scene.pass(Duration::days(6)).await;
    }
    assert!(beyond >= 1);
    assert!(bodies(&store, "revocation").await.is_empty());
}

#[tokio::test]
async fn shards_are_named_in_the_certificate_and_in_the_list() {
    let store = MemoryStore::new();
    let scene = Scene::new(store.clone(), with_crl(SHARDED, 4)).await;
    let mut seen = BTreeSet::new();
    for at in 0..24 {
        let issued = scene.issue(&format!("n{at}.example.com")).await;
        let shard = issued.record.crl_shard;
        assert_eq!(issued.certificate().crl_urls(), [format!("http://crl.example/root-{shard}.crl")]);
        scene.session("otto").revoke(issued.record.id, RevocationReason::Superseded).await.unwrap();
        seen.insert((shard, issued.record.serial));
    }
    scene.pass(Duration::minutes(1)).await;
    let mut listed = BTreeSet::new();
    for shard in 0..4 {
        let list = scene.list(shard).await;
        assert_eq!(list.scope, [format!("http://crl.example/root-{shard}.crl")]);
        listed.extend(list.entries.iter().map(|entry| (shard, entry.serial)));
    }
    assert_eq!(listed, seen);
    assert!(scene.engine.crl(scene.issuer.id, 4).await.unwrap().is_none());
}

#[tokio::test]
async fn shards_grow_and_never_shrink() {
    let scene = Scene::new(MemoryStore::new(), with_crl(SHARDED, 2)).await;
    let (product, id) = (scene.session("root"), scene.issuer.id);
    let settings = |shards| {
        let crl = CrlSettings { shards, validity: Span::days(3), ..CrlSettings::default() };
        StatusSettings { crl: Some(crl), ocsp: None }
    };
    let old = scene.issue("a.example.com").await;
    for fewer in [settings(1), StatusSettings::default()] {
        assert!(matches!(product.set_issuer_status(id, fewer).await, Err(Error::Invalid { .. })));
    }
    product.set_issuer_status(id, settings(8)).await.unwrap();
    scene.work().await;
    for shard in 0..8 {
        let list = scene.list(shard).await;
        assert_eq!(list.next_update.unwrap() - list.this_update, Duration::days(3), "new settings, new list");
    }
    scene.session("otto").revoke(old.record.id, RevocationReason::Superseded).await.unwrap();
    scene.pass(Duration::minutes(1)).await;
    assert_eq!(scene.list(old.record.crl_shard).await.entries.len(), 1, "the shard of a certificate stays");
}

#[tokio::test]
async fn a_long_list_is_kept_in_parts_that_are_switched_at_once() {
    let store = MemoryStore::new();
    let scene = Scene::new(store.clone(), with_crl(URL, 1)).await;
    let first = scene.issue("a.example.com").await.record;
    scene.session("otto").revoke(first.id, RevocationReason::Superseded).await.unwrap();
    multiply(&store, 30_000).await;
    scene.pass(Duration::minutes(1)).await;
    let crl = scene.engine.crl(scene.issuer.id, 0).await.unwrap().unwrap();
    assert!(crl.der.len() > 1024 * 1024, "{}", crl.der.len());
    assert_eq!(CertificateList::from_der(&crl.der).unwrap().entries.len(), 30_001);
    let parts = bodies(&store, "crl_part").await.len();
    assert!(parts > 1);
    scene.pass(Duration::days(6)).await;
    assert!(scene.engine.crl(scene.issuer.id, 0).await.unwrap().unwrap().number > crl.number);
    assert_eq!(bodies(&store, "crl_part").await.len(), parts, "those of the list before are gone");
}

/// Copies the one revocation under other serial numbers, as if all of them had been issued.
async fn multiply(store: &MemoryStore, copies: u32) {
    use chancery::store::{Batch, Expect, Key, Store, Write};
    let original = bodies(store, "revocation").await.remove(0);
    let issuer = original["issuer"].as_str().unwrap().to_owned();
    let numbers: Vec<u32> = (0..copies).collect();
    for some in numbers.chunks(1000) {
        let put = |number: &u32| {
            let serial = format!("41{number:038x}");
            let mut copy = original.clone();
            copy["serial"] = serial.clone().into();
            let key = Key::new("revocation", format!("{issuer}/00000/{serial}"));
            Write::Put { key, expect: Expect::Absent, body: copy.to_string().into(), entries: Vec::new() }
        };
        store.commit(Batch { writes: some.iter().map(put).collect() }).await.unwrap();
    }
}
