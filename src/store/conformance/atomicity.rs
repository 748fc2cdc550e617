//! Checks of the clause Atomicity: all writes of a batch or none.

use super::super::{Expect, Store, Version};
use super::check::{Outcome, checks, commit, create, delete, ensure, exists, loses, place, put, put_with};
use super::check::{create_at, finds};

checks!("Atomicity":
    a_batch_is_applied_whole,
    a_lost_batch_writes_nothing,
    a_lost_batch_deletes_nothing,
    a_lost_batch_moves_no_entry,
);

async fn a_batch_is_applied_whole(store: &dyn Store) -> Outcome {
    let old = create(store, "old").await?;
    commit(store, vec![put("a", Expect::Absent), delete("old", old), put("b", Expect::Absent)]).await?;
    let seen = (exists(store, "a").await?, exists(store, "b").await?, exists(store, "old").await?);
    ensure!(seen == (true, true, false), "(a, b, old) exist: {seen:?}, expected (true, true, false)");
    Ok(())
}

async fn a_lost_batch_writes_nothing(store: &dyn Store) -> Outcome {
    create(store, "taken").await?;
    let writes = vec![put("a", Expect::Absent), put("taken", Expect::Absent), put("b", Expect::Absent)];
    loses(store, writes, "taken").await?;
    let seen = (exists(store, "a").await?, exists(store, "b").await?);
    ensure!(seen == (false, false), "after a conflict (a, b) exist: {seen:?}");
    Ok(())
}

async fn a_lost_batch_deletes_nothing(store: &dyn Store) -> Outcome {
    let version = create(store, "kept").await?;
    loses(store, vec![delete("kept", version), put("gone", Expect::Version(Version(1)))], "gone").await?;
    ensure!(exists(store, "kept").await?, "a document was deleted by a batch that lost");
    Ok(())
}

async fn a_lost_batch_moves_no_entry(store: &dyn Store) -> Outcome {
    let version = create_at(store, "a", &["1"]).await?;
    let moved = put_with("a", Expect::Version(version), &[("place", "2")]);
    loses(store, vec![moved, put("gone", Expect::Version(Version(1)))], "gone").await?;
    finds(store, &place(), "1=a").await
}
