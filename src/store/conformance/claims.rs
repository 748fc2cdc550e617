//! Checks of the clause Claims: who takes what waits, in which order, and that nobody else takes it.

use std::collections::BTreeSet;

use futures_util::future::{join, join_all};

use super::super::{Claim, Expect, Hit, IndexEntry, Store, StoreError, Version};
use super::check::{
    Outcome, Seen, checks, commit, create_at, ensure, finds, give_way, loses, name, place, put, put_with, read,
};

checks!("Claims":
    the_first_of_the_index_are_taken_in_order,
    the_bound_is_exclusive,
    a_document_is_taken_once_however_many_entries_it_has,
    the_lease_takes_the_place_of_what_was_found,
    the_lease_may_be_in_another_index,
    body_and_other_entries_stay,
    a_new_version_is_given_and_the_old_one_loses,
    what_is_not_taken_is_left_alone,
    where_nothing_waits_nothing_is_taken,
    nothing_is_passed_over_when_nobody_else_is_there,
    concurrent_claims_never_share,
    a_claim_and_a_commit_never_both_win,
    readers_see_all_of_a_claim_or_nothing,
);

/// A claim in the index `place` of what waits below `to`, until `lease`.
pub(super) fn below(to: &str, lease: &str, limit: usize) -> Claim {
    Claim { index: "place".into(), to: to.to_owned(), lease: IndexEntry::new("place", lease), limit }
}

/// Ensures that a claim takes exactly `expected`, written as `value=id` with spaces between.
pub(super) async fn takes(store: &dyn Store, claim: &Claim, expected: &str) -> Result<Vec<Hit>, Seen> {
    let taken = store.claim(claim).await?;
    let seen = taken.iter().map(name).collect::<Vec<_>>().join(" ");
    ensure!(seen == expected, "expected [{expected}] to be taken by {claim:?}, saw [{seen}]");
    Ok(taken)
}

async fn the_first_of_the_index_are_taken_in_order(store: &dyn Store) -> Outcome {
    for (id, value) in [("c", "1"), ("b", "2"), ("a", "2"), ("d", "3"), ("z", "0")] {
        create_at(store, id, &[value]).await?;
    }
    takes(store, &below("4", "9", 3), "0=z 1=c 2=a").await?;
    takes(store, &below("4", "9", 3), "2=b 3=d").await.map(drop)
}

async fn the_bound_is_exclusive(store: &dyn Store) -> Outcome {
    for (id, value) in [("a", "1"), ("b", "2"), ("c", "21")] {
        create_at(store, id, &[value]).await?;
    }
    takes(store, &below("2", "9", 10), "1=a").await?;
    finds(store, &place(), "2=b 21=c 9=a").await
}

async fn a_document_is_taken_once_however_many_entries_it_has(store: &dyn Store) -> Outcome {
    create_at(store, "a", &["1", "2", "3", "8"]).await?;
    create_at(store, "b", &["4"]).await?;
    takes(store, &below("5", "9", 2), "1=a 4=b").await?;
    finds(store, &place(), "8=a 9=a 9=b").await
}

async fn the_lease_takes_the_place_of_what_was_found(store: &dyn Store) -> Outcome {
    create_at(store, "a", &["1"]).await?;
    takes(store, &below("2", "2", 1), "1=a").await?;
    finds(store, &place(), "2=a").await?;
    takes(store, &below("2", "3", 1), "").await?;
    takes(store, &below("3", "3", 1), "2=a").await.map(drop)
}

async fn the_lease_may_be_in_another_index(store: &dyn Store) -> Outcome {
    create_at(store, "a", &["1", "7"]).await?;
    // Its value may be smaller than the bound: nobody looks there for what waits here.
    let claim = Claim { lease: IndexEntry::new("taken", "0"), ..below("5", "5", 1) };
    takes(store, &claim, "1=a").await?;
    finds(store, &place(), "7=a").await?;
    takes(store, &Claim { index: "taken".into(), to: "1".into(), ..below("1", "9", 1) }, "0=a").await?;
    finds(store, &place(), "7=a 9=a").await
}

async fn body_and_other_entries_stay(store: &dyn Store) -> Outcome {
    let entries = [("place", "1"), ("colour", "1"), ("colour", "red")];
    commit(store, vec![put_with("a", Expect::Absent, &entries)]).await?;
    let before = read(store, "a").await?.map(|document| document.body);
    let taken = takes(store, &below("5", "9", 1), "1=a").await?;
    let (told, after) = (taken.first().map(|hit| &hit.document), read(store, "a").await?);
    ensure!(after.as_ref() == told, "the claim tells of {told:?}, and a get reads {after:?}");
    let body = after.map(|document| document.body);
    ensure!(body == before, "a claim turned the body {before:?} into {body:?}");
    let colour = super::super::Scan::new(super::super::Over::Index("colour".into()), 10);
    finds(store, &colour, "1=a red=a").await
}

async fn a_new_version_is_given_and_the_old_one_loses(store: &dyn Store) -> Outcome {
    let old = create_at(store, "a", &["1"]).await?;
    let taken = takes(store, &below("2", "9", 1), "1=a").await?;
    let new = taken[0].document.version;
    ensure!(new > old, "a document of {old:?} was taken as {new:?}");
    loses(store, vec![put("a", Expect::Version(old))], "a").await?;
    let next = commit(store, vec![put("a", Expect::Version(new))]).await?;
    ensure!(next > new, "{next:?} follows the claim's {new:?}");
    Ok(())
}

async fn what_is_not_taken_is_left_alone(store: &dyn Store) -> Outcome {
    create_at(store, "a", &["1"]).await?;
    let (later, elsewhere) = (create_at(store, "b", &["1"]).await?, create_at(store, "c", &["5"]).await?);
    takes(store, &below("5", "9", 1), "1=a").await?;
    for (id, version) in [("b", later), ("c", elsewhere)] {
        let seen = read(store, id).await?.map(|document| document.version);
        ensure!(seen == Some(version), "{id} of {version:?} was not taken, and is now {seen:?}");
    }
    finds(store, &place(), "1=b 5=c 9=a").await
}

async fn where_nothing_waits_nothing_is_taken(store: &dyn Store) -> Outcome {
    takes(store, &below("5", "9", 10), "").await?;
    let version = create_at(store, "a", &["5"]).await?;
    takes(store, &below("5", "9", 10), "").await?;
    takes(store, &Claim { index: "elsewhere".into(), ..below("6", "9", 10) }, "").await?;
    commit(store, vec![put("a", Expect::Version(version))]).await?;
    takes(store, &below("6", "9", 10), "").await.map(drop)
}

async fn nothing_is_passed_over_when_nobody_else_is_there(store: &dyn Store) -> Outcome {
    for number in 0..25 {
        create_at(store, &format!("{number:02}"), &[&format!("{:02}", 24 - number)]).await?;
    }
    let mut order = Vec::new();
    for expected in [10, 10, 5, 0] {
        let taken = store.claim(&below("30", "90", 10)).await?;
        ensure!(taken.len() == expected, "{expected} of up to 10 wait and nobody else is there: {} taken", taken.len());
        order.extend(taken.into_iter().map(|hit| hit.value));
    }
    ensure!(order.is_sorted() && order.len() == 25, "25 that wait are taken in the order {order:?}");
    Ok(())
}

async fn concurrent_claims_never_share(store: &dyn Store) -> Outcome {
    for number in 0..60 {
        create_at(store, &format!("{number:02}"), &[&format!("{}", number % 7)]).await?;
    }
    take_all(&[store; 6], 60).await
}

/// Lets all claim at once until nothing is left, and ensures that each document went to one of them.
pub(super) async fn take_all(workers: &[&dyn Store], expected: usize) -> Outcome {
    let claims = workers.iter().enumerate().map(|(worker, store)| async move {
        let mut taken: Vec<Hit> = Vec::new();
        // A claim may pass over what others have in hand: empty does not mean that all is done, but for the last.
        for _ in 0..expected {
            taken.extend(store.claim(&below("8", "9", 1 + worker % 4)).await?);
            give_way().await;
        }
        Ok::<_, StoreError>(taken)
    });
    let taken: Vec<Vec<Hit>> = join_all(claims).await.into_iter().collect::<Result<_, _>>()?;
    let taken: Vec<String> = taken.iter().flatten().map(|hit| hit.document.key.id.clone()).collect();
    let distinct: BTreeSet<&String> = taken.iter().collect();
    ensure!(
        distinct.len() == taken.len(),
        "{} claims took {} documents: some were shared",
        taken.len(),
        distinct.len()
    );
    ensure!(taken.len() == expected, "{expected} documents waited, and {} were taken", taken.len());
    Ok(())
}

async fn a_claim_and_a_commit_never_both_win(store: &dyn Store) -> Outcome {
    for round in 0..20 {
        let id = format!("prize-{round}");
        let version = create_at(store, &id, &["1"]).await?;
        let work = async {
            for _ in 0..round % 4 {
                give_way().await;
            }
            commit(store, vec![put(&id, Expect::Version(version))]).await
        };
        let (claim, late) = (below("2", "9", 1), below("2", "9", 1));
        let (taken, written) = if round % 2 == 0 {
            join(store.claim(&claim), work).await
        } else {
            let (written, taken) = join(work, store.claim(&late)).await;
            (taken, written)
        };
        let taken = taken?;
        ensure!(
            taken.is_empty() || written.is_err(),
            "a document was taken as {:?}, and a commit on the version before it won",
            taken.iter().map(|hit| hit.document.version).collect::<Vec<_>>()
        );
        ensure!(written.is_ok() || matches!(written, Err(StoreError::Conflict { .. })), "the commit saw {written:?}");
        judge_prize(store, &id, &taken, &written).await?;
    }
    Ok(())
}

/// What won must be what is there.
async fn judge_prize(store: &dyn Store, id: &str, taken: &[Hit], written: &Result<Version, StoreError>) -> Outcome {
    let won = taken.first().map(|hit| hit.document.version).or(written.as_ref().ok().copied());
    let seen = read(store, id).await?.map(|document| document.version);
    let held = won.is_none() || won == seen;
    ensure!(held, "of a claim and a commit {won:?} won, and {seen:?} is there");
    // Nothing of this round is left for the next.
    store.claim(&below("2", "9", 100)).await.map(drop)?;
    Ok(())
}

async fn readers_see_all_of_a_claim_or_nothing(store: &dyn Store) -> Outcome {
    for number in 0..20 {
        create_at(store, &format!("{number:02}"), &["01"]).await?;
    }
    let look = async {
        for _ in 0..30 {
            let hits = store.scan(&place()).await?;
            let uniform = hits.windows(2).all(|pair| pair[0].value == pair[1].value);
            ensure!(
                hits.len() == 20 && uniform,
                "a scan during a claim sees {:?}",
                hits.iter().map(name).collect::<Vec<_>>()
            );
            give_way().await;
        }
        Ok(())
    };
    let claim = async {
        for round in 2..12 {
            give_way().await;
            let now = format!("{round:02}");
            let taken = store.claim(&below(&now, &now, 100)).await?;
            ensure!(taken.len() == 20, "{} of 20 were taken", taken.len());
        }
        Ok(())
    };
    let (claimed, looked) = join(claim, look).await;
    claimed.and(looked)
}
