//! Checks of the clause Isolation: commits in one order, and reads of one state.

use futures_util::future::join_all;

use super::super::{Expect, Store, StoreError, Write};
use super::check::{
    Outcome, Seen, body, check, checks, commit, create, ensure, give_way, key, number, place, put, put_with, read,
};

checks!("Isolation":
    concurrent_increments_are_all_counted,
    of_conflicting_commits_exactly_one_wins,
    of_crossing_checks_at_most_one_wins,
    a_get_reads_keys_in_order_and_shows_what_is_missing,
    a_get_sees_one_state,
    a_scan_sees_one_state,
);

const WRITERS: u64 = 12;
const ROUNDS: u64 = 5;

async fn concurrent_increments_are_all_counted(store: &dyn Store) -> Outcome {
    create(store, "counter").await?;
    let increments = (0..WRITERS).map(|_| async {
        for _ in 0..ROUNDS {
            increment(store).await?;
        }
        Ok(())
    });
    join_all(increments).await.into_iter().collect::<Outcome>()?;
    let counter = read(store, "counter").await?.ok_or_else(|| Seen("the counter is gone".into()))?;
    let seen = number(&counter)?;
    ensure!(seen == WRITERS * ROUNDS, "{} increments were acknowledged, {seen} are counted", WRITERS * ROUNDS);
    Ok(())
}

async fn increment(store: &dyn Store) -> Outcome {
    loop {
        let counter = read(store, "counter").await?.ok_or_else(|| Seen("the counter is gone".into()))?;
        // Others come between reading and writing, also where a store never waits.
        give_way().await;
        let expect = Expect::Version(counter.version);
        let next = body(number(&counter)? + 1);
        let write = Write::Put { key: key("counter"), expect, body: next, entries: Vec::new() };
        match commit(store, vec![write]).await {
            Err(StoreError::Conflict { .. }) => {}
            other => return Ok(other.map(drop)?),
        }
    }
}

async fn of_conflicting_commits_exactly_one_wins(store: &dyn Store) -> Outcome {
    for round in 0..ROUNDS {
        let prize = format!("prize-{round}");
        let tries = (0..WRITERS).map(|writer| {
            let writes = vec![put(&format!("{round}-{writer}"), Expect::Absent), put(&prize, Expect::Absent)];
            commit(store, writes)
        });
        let outcomes = join_all(tries).await;
        let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        ensure!(won == 1, "{won} of {WRITERS} commits created the same document: {outcomes:?}");
        for (writer, outcome) in outcomes.iter().enumerate() {
            let exists = read(store, &format!("{round}-{writer}")).await?.is_some();
            ensure!(exists == outcome.is_ok(), "a batch answered {outcome:?}, but its write exists: {exists}");
        }
    }
    Ok(())
}

async fn of_crossing_checks_at_most_one_wins(store: &dyn Store) -> Outcome {
    // Each writes what the other relies on: in any order, one of them must lose.
    for round in 0..ROUNDS {
        let (left, right) = (format!("left-{round}"), format!("right-{round}"));
        let cross =
            |own: &str, other: &str| commit(store, vec![put(own, Expect::Absent), check(other, Expect::Absent)]);
        let outcomes = join_all([cross(&left, &right), cross(&right, &left)]).await;
        let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        ensure!(won == 1, "of two batches that rule each other out, {won} won");
    }
    Ok(())
}

async fn a_get_reads_keys_in_order_and_shows_what_is_missing(store: &dyn Store) -> Outcome {
    create(store, "a").await?;
    create(store, "b").await?;
    let found = store.get(&[key("b"), key("x"), key("a"), key("b")]).await?;
    let seen: Vec<_> = found.iter().map(|found| found.as_ref().map(|found| found.key.id.as_str())).collect();
    ensure!(seen == [Some("b"), None, Some("a"), Some("b")], "a get of b, x, a, b answers {seen:?}");
    ensure!(store.get(&[]).await?.is_empty(), "a get of nothing answers something");
    Ok(())
}

async fn a_get_sees_one_state(store: &dyn Store) -> Outcome {
    commit(store, vec![put("a", Expect::Absent), put("b", Expect::Absent)]).await?;
    let look = async {
        for _ in 0..20 {
            give_way().await;
            let found = store.get(&[key("a"), key("b")]).await?;
            let versions: Vec<_> = found.iter().flatten().map(|document| document.version).collect();
            ensure!(versions.len() == 2 && versions[0] == versions[1], "one get shows the versions {versions:?}");
        }
        Ok(())
    };
    let (written, looked) = futures_util::future::join(rewrite_both(store), look).await;
    written.and(looked)
}

async fn a_scan_sees_one_state(store: &dyn Store) -> Outcome {
    commit(store, vec![put("a", Expect::Absent), put("b", Expect::Absent)]).await?;
    rewrite_both(store).await?;
    let look = async {
        for _ in 0..20 {
            give_way().await;
            let versions: Vec<_> = store.scan(&place()).await?.iter().map(|hit| hit.document.version).collect();
            ensure!(versions.len() == 2 && versions[0] == versions[1], "one scan shows the versions {versions:?}");
        }
        Ok(())
    };
    let (written, looked) = futures_util::future::join(rewrite_both(store), look).await;
    written.and(looked)
}

async fn rewrite_both(store: &dyn Store) -> Outcome {
    for round in 0..20 {
        let Some(a) = read(store, "a").await? else { return Err(Seen("a document is gone".into())) };
        let expect = Expect::Version(a.version);
        let value = round.to_string();
        let entries = [("place", value.as_str())];
        commit(store, vec![put_with("a", expect, &entries), put_with("b", expect, &entries)]).await?;
    }
    Ok(())
}
