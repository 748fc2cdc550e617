//! Checks of the clause Claims over time: leases that run out, and late holders whose writes lose.

use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::join_all;

use super::super::{Expect, Hit, Store, StoreError, Write};
use super::check::{
    Outcome, Seen, body, checks, commit, create_at, ensure, give_way, key, loses, number, place, put, read,
};
use super::claims::{below, takes};
use crate::store::sequence::Sequence;

checks!("Claims":
    a_lease_that_ran_out_is_taken_again,
    a_late_holder_loses,
    whoever_finishes_ends_the_lease,
    work_that_stalls_and_is_taken_again_is_done_once,
);

async fn a_lease_that_ran_out_is_taken_again(store: &dyn Store) -> Outcome {
    create_at(store, "a", &["1"]).await?;
    let first = takes(store, &below("2", "5", 1), "1=a").await?;
    takes(store, &below("5", "9", 1), "").await?;
    let second = takes(store, &below("6", "9", 1), "5=a").await?;
    let (first, second) = (first[0].document.version, second[0].document.version);
    ensure!(second > first, "taken as {first:?}, and when the lease had run out as {second:?}");
    Ok(())
}

async fn a_late_holder_loses(store: &dyn Store) -> Outcome {
    create_at(store, "a", &["1"]).await?;
    let first = takes(store, &below("2", "5", 1), "1=a").await?[0].document.version;
    let second = takes(store, &below("6", "9", 1), "5=a").await?[0].document.version;
    loses(store, vec![put("other", Expect::Absent), put("a", Expect::Version(first))], "a").await?;
    let gone = read(store, "other").await?.is_none();
    ensure!(gone, "what a late holder wrote beside the document that it lost is there");
    commit(store, vec![put("a", Expect::Version(second))]).await?;
    loses(store, vec![super::check::delete("a", second)], "a").await
}

async fn whoever_finishes_ends_the_lease(store: &dyn Store) -> Outcome {
    create_at(store, "a", &["1"]).await?;
    let taken = takes(store, &below("2", "5", 1), "1=a").await?[0].document.version;
    commit(store, vec![put("a", Expect::Version(taken))]).await?;
    takes(store, &below("6", "9", 1), "").await.map(drop)
}

const PIECES: u64 = 30;
const WORKERS: u64 = 5;
/// How long a lease is, in ticks.
const LEASE: u64 = 12;

/// Workers that now and then stall beyond their lease: each piece is counted once, because the version fences.
async fn work_that_stalls_and_is_taken_again_is_done_once(store: &dyn Store) -> Outcome {
    for piece in 0..PIECES {
        create_at(store, &format!("piece-{piece:02}"), &[&tick(piece % 3)]).await?;
    }
    let (clock, done) = (AtomicU64::new(10), AtomicU64::new(0));
    let workers = (0..WORKERS).map(|worker| work(store, worker, &clock, &done));
    join_all(workers).await.into_iter().collect::<Outcome>()?;
    let done = done.into_inner();
    ensure!(done == PIECES, "{PIECES} pieces of work were finished {done} times");
    for piece in 0..PIECES {
        let id = format!("piece-{piece:02}");
        let document = read(store, &id).await?.ok_or_else(|| Seen(format!("{id} is gone")))?;
        let times = number(&document)?;
        ensure!(times == 1, "{id} says that it was done {times} times");
    }
    Ok(())
}

fn tick(now: u64) -> String {
    format!("{now:08}")
}

async fn work(store: &dyn Store, worker: u64, clock: &AtomicU64, done: &AtomicU64) -> Outcome {
    let mut chance = Sequence::new(worker);
    for _ in 0..300 {
        if store.scan(&place()).await?.is_empty() {
            return Ok(());
        }
        let now = clock.fetch_add(1, Ordering::SeqCst);
        let taken = store.claim(&below(&tick(now + 1), &tick(now + 1 + LEASE), 3)).await?;
        // One in four stalls beyond its lease, and comes back as if nothing had been.
        if chance.next().is_multiple_of(4) {
            while clock.fetch_add(1, Ordering::SeqCst) < now + 3 * LEASE {
                give_way().await;
            }
        }
        for hit in taken {
            done.fetch_add(finish(store, &hit).await?, Ordering::SeqCst);
        }
        give_way().await;
    }
    Err(Seen("the work does not end: leases that ran out are not taken again".into()))
}

/// How often it was finished: once, or not at all by who was late.
async fn finish(store: &dyn Store, hit: &Hit) -> Result<u64, Seen> {
    let (expect, next) = (Expect::Version(hit.document.version), body(number(&hit.document)? + 1));
    let write = Write::Put { key: key(&hit.document.key.id), expect, body: next, entries: Vec::new() };
    match commit(store, vec![write]).await {
        Ok(_) => Ok(1),
        Err(StoreError::Conflict { .. }) => Ok(0),
        Err(error) => Err(error.into()),
    }
}
