//! Checks of the clause Versions: what a commit answers, and that no version comes back.

use super::super::{Expect, Store, StoreError};
use super::check::{Outcome, Seen, checks, commit, create, delete, ensure, loses, put, read, things};

checks!("Versions":
    a_commit_answers_the_version_of_all_it_wrote,
    versions_grow_with_each_write,
    versions_are_not_used_again_after_a_delete,
    a_stale_version_stays_stale,
    a_check_leaves_the_version_alone,
);

async fn a_commit_answers_the_version_of_all_it_wrote(store: &dyn Store) -> Outcome {
    let first = create(store, "a").await?;
    let second = commit(store, vec![put("a", Expect::Version(first)), put("b", Expect::Absent)]).await?;
    for id in ["a", "b"] {
        let seen = read(store, id).await?.map(|document| document.version);
        ensure!(seen == Some(second), "the commit answered {second:?}, but {id} carries {seen:?}");
    }
    let scanned: Vec<_> = store.scan(&things()).await?.iter().map(|hit| hit.document.version).collect();
    ensure!(scanned == [second, second], "the commit answered {second:?}, but a scan shows {scanned:?}");
    Ok(())
}

async fn versions_grow_with_each_write(store: &dyn Store) -> Outcome {
    let mut last = create(store, "a").await?;
    for _ in 0..20 {
        let next = commit(store, vec![put("a", Expect::Version(last))]).await?;
        ensure!(next > last, "{next:?} follows {last:?}");
        last = next;
    }
    Ok(())
}

async fn versions_are_not_used_again_after_a_delete(store: &dyn Store) -> Outcome {
    let mut greatest = create(store, "a").await?;
    for _ in 0..3 {
        let last = commit(store, vec![put("a", Expect::Version(greatest))]).await?;
        commit(store, vec![delete("a", last)]).await?;
        greatest = create(store, "a").await?;
        ensure!(greatest > last, "after the deletion of {last:?} the document came back with {greatest:?}");
    }
    Ok(())
}

async fn a_stale_version_stays_stale(store: &dyn Store) -> Outcome {
    let stale = create(store, "a").await?;
    commit(store, vec![delete("a", stale)]).await?;
    create(store, "a").await?;
    match loses(store, vec![put("a", Expect::Version(stale))], "a").await {
        Err(Seen(seen)) => Err(Seen(format!("a version from before a deletion serves again: {seen}"))),
        held => held,
    }
}

async fn a_check_leaves_the_version_alone(store: &dyn Store) -> Outcome {
    let version = create(store, "a").await?;
    let checked = vec![super::check::check("a", Expect::Version(version)), put("b", Expect::Absent)];
    commit(store, checked).await?;
    let seen = read(store, "a").await?.map(|document| document.version);
    ensure!(seen == Some(version), "a check turned {version:?} into {seen:?}");
    let again: Result<_, StoreError> = commit(store, vec![delete("a", version)]).await;
    ensure!(again.is_ok(), "the version that was checked is no longer current: {again:?}");
    Ok(())
}
