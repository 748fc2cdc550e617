//! Checks of the clause Expectations: judged against the state before the batch, and the first that fails is named.

use super::super::{Expect, Store, Version};
use super::check::{Outcome, check, checks, commit, create, delete, ensure, exists, loses, put};

checks!("Expectations":
    absent_loses_where_a_document_is,
    absent_holds_after_a_delete,
    a_version_wins_only_if_current,
    a_version_loses_where_nothing_is,
    a_delete_loses_with_a_stale_version,
    a_delete_loses_where_nothing_is,
    a_check_makes_a_batch_lose,
    a_check_that_holds_writes_nothing,
    a_check_judges_the_state_before_the_batch,
    the_first_key_is_named,
    an_empty_batch_succeeds,
);

const STALE: Expect = Expect::Version(Version(u64::MAX));

async fn absent_loses_where_a_document_is(store: &dyn Store) -> Outcome {
    create(store, "a").await?;
    loses(store, vec![put("a", Expect::Absent)], "a").await
}

async fn absent_holds_after_a_delete(store: &dyn Store) -> Outcome {
    let version = create(store, "a").await?;
    commit(store, vec![delete("a", version)]).await?;
    create(store, "a").await?;
    Ok(())
}

async fn a_version_wins_only_if_current(store: &dyn Store) -> Outcome {
    let first = create(store, "a").await?;
    let second = commit(store, vec![put("a", Expect::Version(first))]).await?;
    loses(store, vec![put("a", Expect::Version(first))], "a").await?;
    commit(store, vec![put("a", Expect::Version(second))]).await?;
    Ok(())
}

async fn a_version_loses_where_nothing_is(store: &dyn Store) -> Outcome {
    loses(store, vec![put("a", Expect::Version(Version(1)))], "a").await?;
    loses(store, vec![put("a", Expect::Version(Version(0)))], "a").await
}

async fn a_delete_loses_with_a_stale_version(store: &dyn Store) -> Outcome {
    let first = create(store, "a").await?;
    commit(store, vec![put("a", Expect::Version(first))]).await?;
    loses(store, vec![delete("a", first)], "a").await?;
    ensure!(exists(store, "a").await?, "a delete with a stale version deleted the document");
    Ok(())
}

async fn a_delete_loses_where_nothing_is(store: &dyn Store) -> Outcome {
    loses(store, vec![delete("a", Version(1))], "a").await
}

async fn a_check_makes_a_batch_lose(store: &dyn Store) -> Outcome {
    create(store, "a").await?;
    loses(store, vec![put("b", Expect::Absent), check("a", Expect::Absent)], "a").await?;
    loses(store, vec![put("b", Expect::Absent), check("a", STALE)], "a").await?;
    loses(store, vec![put("b", Expect::Absent), check("c", STALE)], "c").await?;
    ensure!(!exists(store, "b").await?, "a batch wrote although its check failed");
    Ok(())
}

async fn a_check_that_holds_writes_nothing(store: &dyn Store) -> Outcome {
    let version = create(store, "a").await?;
    commit(store, vec![check("a", Expect::Version(version)), check("b", Expect::Absent)]).await?;
    ensure!(!exists(store, "b").await?, "a check for absence created a document");
    commit(store, vec![put("a", Expect::Version(version))]).await?;
    Ok(())
}

async fn a_check_judges_the_state_before_the_batch(store: &dyn Store) -> Outcome {
    let writes = vec![put("a", Expect::Absent), check("a", Expect::Absent)];
    let version = commit(store, writes).await?;
    loses(store, vec![delete("a", version), check("a", Expect::Absent)], "a").await
}

async fn the_first_key_is_named(store: &dyn Store) -> Outcome {
    create(store, "a").await?;
    create(store, "b").await?;
    let taken = |id| put(id, Expect::Absent);
    loses(store, vec![taken("c"), taken("b"), taken("a")], "b").await?;
    loses(store, vec![check("a", STALE), taken("b")], "a").await
}

async fn an_empty_batch_succeeds(store: &dyn Store) -> Outcome {
    commit(store, Vec::new()).await?;
    Ok(())
}
