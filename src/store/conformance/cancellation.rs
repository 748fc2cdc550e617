//! Checks of the clause Cancellation: a commit or claim whose future is dropped happened entirely or not at all.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};

use super::super::{Batch, Expect, Store};
use super::check::{
    Outcome, checks, commit, create, create_at, delete, ensure, exists, give_way, name, place, put, read,
};
use super::claims::below;

checks!("Cancellation":
    a_dropped_commit_is_all_or_nothing,
    a_commit_that_was_never_polled_harms_nobody,
    a_dropped_claim_is_all_or_nothing,
    a_dropped_read_harms_nobody,
);

async fn a_dropped_commit_is_all_or_nothing(store: &dyn Store) -> Outcome {
    for polls in 0..6 {
        let old = format!("old-{polls}");
        let version = create(store, &old).await?;
        let ids: Vec<String> = (0..8).map(|number| format!("{polls}-{number}")).collect();
        let mut writes: Vec<_> = ids.iter().map(|id| put(id, Expect::Absent)).collect();
        writes.push(delete(&old, version));
        poll(store.commit(Batch { writes }), polls).await;
        // A later commit is answered after whatever became of the abandoned one.
        create(store, &format!("later-{polls}")).await?;
        let mut there = vec![!exists(store, &old).await?];
        for id in &ids {
            there.push(exists(store, id).await?);
        }
        let whole = there.iter().all(|done| *done == there[0]);
        ensure!(whole, "a commit dropped after {polls} polls was applied in part: {there:?}");
    }
    Ok(())
}

/// Polls a call so often, with time for others in between, and drops it.
async fn poll<T>(mut call: Pin<Box<dyn Future<Output = T> + Send + '_>>, polls: usize) {
    for _ in 0..polls {
        if call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
            return;
        }
        give_way().await;
    }
}

async fn a_dropped_claim_is_all_or_nothing(store: &dyn Store) -> Outcome {
    for number in 0..8 {
        create_at(store, &number.to_string(), &["1"]).await?;
    }
    for polls in 0..6 {
        let lease = format!("{}", polls + 2);
        let claim = below(&lease, &lease, 100);
        poll(store.claim(&claim), polls).await;
        // A later commit is answered after whatever became of the abandoned claim.
        create(store, &format!("later-{polls}")).await?;
        let hits = store.scan(&place()).await?;
        let whole = hits.len() == 8 && hits.iter().all(|hit| hit.value == hits[0].value);
        let seen: Vec<_> = hits.iter().map(name).collect();
        ensure!(whole, "a claim dropped after {polls} polls was applied in part: {seen:?}");
        store.claim(&claim).await?;
    }
    Ok(())
}

async fn a_commit_that_was_never_polled_harms_nobody(store: &dyn Store) -> Outcome {
    drop(store.commit(Batch { writes: vec![put("a", Expect::Absent)] }));
    create(store, "b").await?;
    match read(store, "a").await? {
        Some(document) => commit(store, vec![delete("a", document.version)]).await?,
        None => create(store, "a").await?,
    };
    Ok(())
}

async fn a_dropped_read_harms_nobody(store: &dyn Store) -> Outcome {
    create(store, "a").await?;
    for _ in 0..20 {
        let keys = [super::check::key("a")];
        let mut get = store.get(&keys);
        // Ready or not, nobody wants the answer.
        let _ = get.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
    ensure!(exists(store, "a").await?, "a document is gone after reads were dropped");
    Ok(())
}
