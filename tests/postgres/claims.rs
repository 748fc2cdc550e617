//! Claims by many workers at once.

use std::collections::{BTreeMap, BTreeSet};

use chancery::store::{Claim, Document, Expect, IndexEntry, Order, Over, Scan, Store, StoreError, Version};
use futures_util::future::join_all;

use super::{Cluster, Place, key, put};

fn claim(to: &str, lease: &str, limit: usize) -> Claim {
    Claim { index: "due".into(), to: to.into(), lease: IndexEntry::new("due", lease), limit }
}

async fn waiting(store: &impl Store) -> Vec<(String, Version)> {
    let scan = Scan { order: Order::Ascending, ..Scan::new(Over::Index("due".into()), 1000) };
    store.scan(&scan).await.unwrap().into_iter().map(|hit| (hit.value, hit.document.version)).collect()
}

#[tokio::test]
async fn a_claim_takes_the_first_each_once_and_leaves_them_under_the_lease() {
    let Some(cluster) = Cluster::shared() else { return };
    let store = Place::new(&cluster.fresh()).open().await;
    let mut batch = put("b", Expect::Absent);
    batch.writes.extend(put("a", Expect::Absent).writes);
    batch.writes.extend(put("c", Expect::Absent).writes);
    for write in &mut batch.writes {
        let chancery::store::Write::Put { key, entries, .. } = write else { unreachable!() };
        // Two places in the queue, and one elsewhere.
        entries.push(IndexEntry::new("due", format!("{}+", key.id)));
        entries.push(IndexEntry::new("other", "x"));
    }
    let old = store.commit(batch).await.unwrap();
    let hits = store.claim(&claim("m", "z", 2)).await.unwrap();
    let taken: Vec<_> = hits.iter().map(|hit| (hit.value.as_str(), hit.document.key.id.as_str())).collect();
    assert_eq!(taken, [("a", "a"), ("b", "b")]);
    assert!(hits.iter().all(|hit| hit.document.version > old));
    let body = String::from_utf8(hits[0].document.body.to_vec()).unwrap();
    assert!(body.contains("CN=a"), "{body}");
    let new = hits[0].document.version;
    let expected: Vec<(String, Version)> =
        [("c", old), ("c+", old), ("z", new), ("z", new)].map(|(value, version)| (value.to_owned(), version)).into();
    assert_eq!(waiting(&store).await, expected);
    assert_eq!(store.scan(&Scan::new(Over::Index("other".into()), 10)).await.unwrap().len(), 3);
    let stale = store.commit(put("a", Expect::Version(old))).await;
    assert_eq!(stale, Err(StoreError::Conflict { key: key("a") }));
    store.commit(put("a", Expect::Version(new))).await.unwrap();
    let places: Vec<String> = waiting(&store).await.into_iter().map(|(value, _)| value).collect();
    assert_eq!(places, ["a", "c", "c+", "z"], "what the claim remembered of the entries is what is there");
    assert!(store.claim(&claim("a", "z", 10)).await.unwrap().is_empty(), "the bound is exclusive");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_workers_share_a_queue_and_lose_next_to_nothing() {
    const DOCUMENTS: usize = 1000;
    let Some(cluster) = Cluster::shared() else { return };
    let place = Place::new(&cluster.fresh());
    let first = place.open().await;
    for chunk in (0..DOCUMENTS).collect::<Vec<_>>().chunks(250) {
        let writes = chunk.iter().flat_map(|number| put(&format!("{number:04}"), Expect::Absent).writes).collect();
        first.commit(chancery::store::Batch { writes }).await.unwrap();
    }
    let workers = join_all((0..8).map(|_| place.open())).await;
    let worked = join_all(workers.into_iter().map(|store| async move {
        let (mut done, mut lost, mut empty) = (BTreeMap::<String, Version>::new(), 0, 0);
        while empty < 3 {
            let hits = store.claim(&claim("m", "z", 10)).await.unwrap();
            empty = if hits.is_empty() { empty + 1 } else { 0 };
            for Document { key, version, .. } in hits.into_iter().map(|hit| hit.document) {
                let write = chancery::store::Write::Delete { key: key.clone(), version };
                match store.commit(chancery::store::Batch { writes: vec![write] }).await {
                    Ok(_) => drop(done.insert(key.id, version)),
                    Err(StoreError::Conflict { .. }) => lost += 1,
                    Err(error) => panic!("{error}"),
                }
            }
        }
        (done, lost)
    }))
    .await;
    let lost: usize = worked.iter().map(|(_, lost)| lost).sum();
    let ids: BTreeSet<&String> = worked.iter().flat_map(|(done, _)| done.keys()).collect();
    let done: usize = worked.iter().map(|(done, _)| done.len()).sum();
    println!("{done} taken, {lost} lost");
    assert_eq!((ids.len(), done), (DOCUMENTS, DOCUMENTS), "each by one worker");
    assert!(lost * 100 < DOCUMENTS * 5, "{lost} of {DOCUMENTS} claims were lost");
    assert!(worked.iter().filter(|(done, _)| !done.is_empty()).count() > 1, "one worker took everything");
}

/// Claims beside commits that check, write, delete and move the same documents: whoever wins, a version is used once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_and_commits_of_the_same_documents_never_both_win() {
    let Some(cluster) = Cluster::shared() else { return };
    let place = Place::new(&cluster.fresh());
    let stores = join_all((0..4).map(|_| place.open())).await;
    for number in 0..8 {
        stores[0].commit(put(&number.to_string(), Expect::Absent)).await.unwrap();
    }
    let won = join_all(stores.iter().enumerate().map(|(worker, store)| async move {
        let mut won = Vec::new();
        for round in 0..40 {
            let id = ((worker + round) % 8).to_string();
            if worker % 2 == 0 {
                // Back to the queue at once: the next claim may have it.
                let hits = store.claim(&claim("m", "m", 3)).await.unwrap();
                won.extend(hits.iter().map(|hit| (hit.document.key.id.clone(), hit.document.version)));
                for hit in hits {
                    let _ = store.commit(put(&hit.document.key.id, Expect::Version(hit.document.version))).await;
                }
            } else if let Some(found) = &store.get(&[key(&id)]).await.unwrap()[0] {
                let mut batch = put(&id, Expect::Version(found.version));
                batch.push(chancery::store::Write::Check { key: key("0"), expect: Expect::Version(found.version) });
                let _ = store.commit(batch).await;
                if let Ok(version) = store.commit(put(&id, Expect::Version(found.version))).await {
                    won.push((id, version));
                }
            }
        }
        won
    }))
    .await;
    let all: Vec<_> = won.into_iter().flatten().collect();
    let distinct: BTreeSet<_> = all.iter().collect();
    assert_eq!(distinct.len(), all.len(), "a version was given twice");
    let (entries, remembered) = (waiting(&stores[0]).await.len(), 8);
    assert_eq!(entries, remembered, "each document stands in the queue once");
}
