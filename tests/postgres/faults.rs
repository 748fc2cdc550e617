//! What goes wrong between a node and its server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chancery::store::postgres::{Isolation, PostgresStore};
use chancery::store::{Batch, Expect, Key, Over, Scan, Store, StoreError, Write};
use futures_util::future::{join, join_all};

use super::{Cluster, Place, key, put};

/// What a caller knows of each pair of documents that it wrote together.
#[derive(Default)]
struct Told {
    answered: Vec<String>,
    unknown: Vec<String>,
    refused: Vec<String>,
}

/// Writes pairs of documents from 8 callers until told to stop.
async fn load(store: &PostgresStore, stop: &AtomicBool) -> Told {
    let callers = (0..8).map(|caller| async move {
        let mut told = Told::default();
        for number in 0.. {
            if stop.load(Ordering::SeqCst) {
                break;
            }
            let id = format!("{caller}-{number}");
            let mut batch = put(&id, Expect::Absent);
            batch.writes.extend(put(&format!("{id}/twin"), Expect::Absent).writes);
            match store.commit(batch).await {
                Ok(_) => told.answered.push(id),
                Err(StoreError::Unknown { .. }) => told.unknown.push(id),
                Err(StoreError::Unavailable { .. }) => told.refused.push(id),
                Err(error) => panic!("{error}"),
            }
        }
        told
    });
    join_all(callers).await.into_iter().fold(Told::default(), |mut all, mut told| {
        all.answered.append(&mut told.answered);
        all.unknown.append(&mut told.unknown);
        all.refused.append(&mut told.refused);
        all
    })
}

/// Nothing that was answered is lost, nothing that was refused is there, and nothing is there by halves.
async fn compare(store: &PostgresStore, told: &Told) {
    let there = async |id: &str| {
        let found = store.get(&[key(id), key(&format!("{id}/twin"))]).await.unwrap();
        assert_eq!(found[0].is_some(), found[1].is_some(), "{id} is there by halves");
        found[0].is_some()
    };
    for id in &told.answered {
        assert!(there(id).await, "{id} was answered and is lost");
    }
    for id in &told.refused {
        assert!(!there(id).await, "{id} was refused and is there");
    }
    for id in &told.unknown {
        there(id).await;
    }
    println!("{} answered, {} unknown, {} refused", told.answered.len(), told.unknown.len(), told.refused.len());
    assert!(!told.answered.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_are_killed_amid_commits_lose_nothing() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.fresh_name();
    let store = Place::new(&cluster.url(&database)).open().await;
    let stop = AtomicBool::new(false);
    let kill = async {
        // Until enough of the sessions were at work when they ended: on a busy machine most of them stand idle.
        for round in 0.. {
            assert!(round < 1_000, "no session was ever killed at work");
            if round >= 15 && store.statistics().retries > 0 {
                break;
            }
            let sql = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'");
            // On a thread of its own: the callers go on meanwhile.
            tokio::task::spawn_blocking(move || cluster.sql("postgres", &sql)).await.unwrap();
        }
        stop.store(true, Ordering::SeqCst);
    };
    let (told, ()) = join(load(&store, &stop), kill).await;
    compare(&store, &told).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_restarts_or_crashes_amid_a_load_loses_nothing() {
    let Some(cluster) = Cluster::start() else { return };
    let cluster = Arc::new(cluster);
    let store = Place::new(&cluster.fresh()).open().await;
    let stop = AtomicBool::new(false);
    let restarts = async {
        for mode in ["fast", "immediate", "immediate"] {
            tokio::time::sleep(Duration::from_millis(400)).await;
            let cluster = Arc::clone(&cluster);
            tokio::task::spawn_blocking(move || cluster.restart(mode)).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(400)).await;
        stop.store(true, Ordering::SeqCst);
    };
    let (told, ()) = join(load(&store, &stop), restarts).await;
    compare(&store, &told).await;
    store.commit(put("after", Expect::Absent)).await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_gone_is_unavailable_and_one_that_is_back_serves() {
    let Some(cluster) = Cluster::start() else { return };
    let store = Place::new(&cluster.fresh()).open().await;
    let version = store.commit(put("a", Expect::Absent)).await.unwrap();
    cluster.stop();
    let refused = store.commit(put("a", Expect::Version(version))).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    let refused = store.get(&[key("a")]).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    cluster.start_again();
    store.commit(put("a", Expect::Version(version))).await.unwrap();
}

/// Two nodes increment counters that they share: under the server's own serializable transactions they collide, and
/// nobody but the statistics hears of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serialization_failures_are_tried_again() {
    let Some(cluster) = Cluster::shared() else { return };
    let place = Place::new(&cluster.fresh());
    let open = async || place.options().isolation(Isolation::Serializable).connect(&place.url).await.unwrap();
    let stores = [open().await, open().await, open().await];
    let written = join_all(stores.iter().enumerate().map(|(node, store)| async move {
        for round in 0..60 {
            let id = format!("{round}-{node}");
            let mut batch = put(&id, Expect::Absent);
            batch.push(Write::Check { key: key(&format!("{}-never", round)), expect: Expect::Absent });
            store.commit(batch).await.unwrap();
        }
    }));
    written.await;
    let found = stores[0].scan(&Scan::new(Over::Kind("thing".into()), 1000)).await.unwrap().len();
    let retries: u64 = stores.iter().map(|store| store.statistics().retries).sum();
    println!("{retries} retries");
    assert_eq!(found, 180);
    assert!(retries > 0, "nothing was ever tried again");
}

#[tokio::test]
async fn a_commit_that_is_blocked_ends_and_harms_nobody() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.fresh_name();
    let place = Place { url: cluster.url(&database), schema: "chancery".into() };
    let store = place.options().lock_timeout(Duration::from_millis(300)).connect(&place.url).await.unwrap();
    let version = store.commit(put("a", Expect::Absent)).await.unwrap();
    let mut intruder = cluster.session(&database);
    intruder.run("BEGIN; SELECT 1 FROM chancery.document FOR UPDATE");
    let refused = store.commit(put("a", Expect::Version(version))).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    let others = chancery::store::Claim {
        index: "due".into(),
        to: "z".into(),
        lease: chancery::store::IndexEntry::new("due", "z"),
        limit: 10,
    };
    assert!(store.claim(&others).await.unwrap().is_empty(), "what is in another's hand is passed over");
    assert!(store.get(&[key("a")]).await.unwrap()[0].is_some(), "reads do not wait");
    intruder.run("ROLLBACK");
    store.commit(put("a", Expect::Version(version))).await.unwrap();
}

#[tokio::test]
async fn a_node_that_stands_still_amid_a_commit_does_not_stop_the_others() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.fresh_name();
    let place = Place { url: cluster.url(&database), schema: "chancery".into() };
    let store = place.open().await;
    let version = store.commit(put("a", Expect::Absent)).await.unwrap();
    let mut other = cluster.session(&database);
    // As the store's own sessions have it, with a shorter limit.
    other.run("SET idle_in_transaction_session_timeout = 300; BEGIN; SELECT 1 FROM chancery.document FOR UPDATE");
    store.commit(put("a", Expect::Version(version))).await.unwrap();
}

#[tokio::test]
async fn all_waiting_batches_share_a_transaction_and_a_loser_disturbs_nobody() {
    let Some(cluster) = Cluster::shared() else { return };
    let store = Place::new(&cluster.fresh()).open().await;
    store.commit(put("taken", Expect::Absent)).await.unwrap();
    let before = store.statistics().transactions;
    let ids: Vec<String> = (0..64).map(|number| number.to_string()).chain(["taken".into(), "7".into()]).collect();
    let outcomes = join_all(ids.iter().map(|id| store.commit(put(id, Expect::Absent)))).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 64);
    assert_eq!(outcomes[64], Err(StoreError::Conflict { key: key("taken") }));
    assert_eq!(outcomes[65], Err(StoreError::Conflict { key: key("7") }));
    let taken = store.statistics().transactions - before;
    assert!(taken <= 3, "66 batches took {taken} transactions");
}

#[tokio::test]
async fn odd_text_comes_back_as_it_was_and_in_order() {
    let Some(cluster) = Cluster::shared() else { return };
    let store = Place::new(&cluster.fresh()).open().await;
    let ids = ["", "\0", "\0\0", "\0a", "\u{1}", "\u{1}\u{1}", "\u{2}", "'; --", "\\", "é", "\u{10ffff}"];
    for id in ids {
        let mut batch = put(id, Expect::Absent);
        let Write::Put { body, .. } = &mut batch.writes[0] else { unreachable!() };
        *body = "{}".into();
        store.commit(batch).await.unwrap();
    }
    for over in [Over::Kind("thing".into()), Over::Index("due".into())] {
        let hits = store.scan(&Scan::new(over, 100)).await.unwrap();
        let found: Vec<(&str, &str)> =
            hits.iter().map(|hit| (hit.value.as_str(), hit.document.key.id.as_str())).collect();
        assert_eq!(found, ids.map(|id| (id, id)));
    }
    let body = bytes::Bytes::from_static(b"\"\0\"");
    let no_json = Write::Put { key: Key::new("thing", "n"), expect: Expect::Absent, body, entries: vec![] };
    let refused = store.commit(Batch { writes: vec![no_json] }).await;
    assert!(matches!(refused, Err(StoreError::Invalid { .. })), "{refused:?}");
}
