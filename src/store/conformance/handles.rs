//! Checks that need several handles on the same data: the clauses Read your writes, Durability and, again, Isolation and Claims.

use futures_util::future::join_all;

use super::super::{Expect, Store, StoreError, Version, Write};
use super::check::{
    Outcome, Seen, body, commit, create, create_at, delete, ensure, exists, finds, give_way, key, number, place, put,
    read,
};
use super::claims::{below, take_all, takes};
use super::report::Report;

/// Runs these checks, each on a fresh place.
pub(super) async fn run<P, S: Store>(create: &impl AsyncFn() -> P, open: &impl AsyncFn(&P) -> S, report: &mut Report) {
    let location = create().await;
    let (one, other) = (open(&location).await, open(&location).await);
    report.add("Read your writes", "another_handle_sees_what_was_answered", sees(&one, &other).await);

    let location = create().await;
    let (one, other) = (open(&location).await, open(&location).await);
    report.add("Isolation", "increments_through_two_handles_are_all_counted", counts(&one, &other).await);

    let location = create().await;
    let (one, other) = (open(&location).await, open(&location).await);
    report.add("Claims", "claims_through_two_handles_never_share", shares_nothing(&one, &other).await);

    let location = create().await;
    report.add("Durability", "a_lease_is_there_after_reopening", leased(&location, open).await);

    let location = create().await;
    report.add("Durability", "what_was_answered_is_there_after_reopening", lasts(&location, open).await);
}

async fn sees(one: &dyn Store, other: &dyn Store) -> Outcome {
    for round in 0..10 {
        let id = round.to_string();
        let version = create_at(one, &id, &[&id]).await?;
        let seen = read(other, &id).await?.map(|document| document.version);
        ensure!(seen == Some(version), "one handle wrote {version:?}, the other reads {seen:?}");
        finds(other, &place(), &format!("{id}={id}")).await?;
        let later = commit(other, vec![put(&id, Expect::Version(version))]).await?;
        ensure!(later > version, "the other handle answers {later:?} after {version:?}");
        commit(one, vec![delete(&id, later)]).await?;
        ensure!(!exists(other, &id).await?, "the other handle still reads what was deleted");
    }
    Ok(())
}

async fn counts(one: &dyn Store, other: &dyn Store) -> Outcome {
    create(one, "counter").await?;
    let increments = (0..8).map(|writer| increment(if writer % 2 == 0 { one } else { other }));
    join_all(increments).await.into_iter().collect::<Outcome>()?;
    let seen = read(other, "counter").await?.as_ref().map(number).transpose()?;
    ensure!(seen == Some(40), "40 increments were acknowledged, {seen:?} are counted");
    Ok(())
}

async fn increment(store: &dyn Store) -> Outcome {
    let mut left = 5;
    while left > 0 {
        let counter = read(store, "counter").await?.ok_or_else(|| Seen("the counter is gone".into()))?;
        give_way().await;
        let (expect, body) = (Expect::Version(counter.version), body(number(&counter)? + 1));
        match commit(store, vec![Write::Put { key: key("counter"), expect, body, entries: Vec::new() }]).await {
            Ok(_) => left -= 1,
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

async fn shares_nothing(one: &dyn Store, other: &dyn Store) -> Outcome {
    for number in 0..40 {
        create_at(one, &format!("{number:02}"), &[&format!("{}", number % 7)]).await?;
    }
    take_all(&[one, other, one, other], 40).await
}

async fn leased<P, S: Store>(location: &P, open: &impl AsyncFn(&P) -> S) -> Outcome {
    let store = open(location).await;
    create_at(&store, "a", &["1"]).await?;
    let taken = takes(&store, &below("2", "5", 1), "1=a").await?;
    drop(store);
    let store = open(location).await;
    let (seen, expected) = (read(&store, "a").await?, taken.into_iter().next().map(|hit| hit.document));
    ensure!(seen == expected, "{expected:?} was taken, {seen:?} is there after reopening");
    finds(&store, &place(), "5=a").await?;
    takes(&store, &below("6", "9", 1), "5=a").await.map(drop)
}

async fn lasts<P, S: Store>(location: &P, open: &impl AsyncFn(&P) -> S) -> Outcome {
    let store = open(location).await;
    let kept = create_at(&store, "kept", &["1"]).await?;
    let last: Version = create(&store, "gone").await?;
    commit(&store, vec![delete("gone", last)]).await?;
    drop(store);
    let store = open(location).await;
    let seen = read(&store, "kept").await?.map(|document| document.version);
    ensure!(seen == Some(kept), "{kept:?} was written, {seen:?} is there after reopening");
    finds(&store, &place(), "1=kept").await?;
    let next = create(&store, "gone").await?;
    ensure!(next > last, "{last:?} was deleted before reopening, and {next:?} follows");
    Ok(())
}
