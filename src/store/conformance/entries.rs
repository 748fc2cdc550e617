//! Checks of the clause Index entries: replaced as a whole, gone with their document, in the right order.

use super::super::{Batch, Expect, IndexEntry, Key, Store, Write};
use super::check::{Outcome, body, checks, commit, create_at, delete, descending, finds, place, put, put_with};

checks!("Index entries":
    a_put_replaces_all_entries,
    a_put_without_entries_removes_them,
    a_delete_removes_them,
    a_document_may_have_several,
    equal_entries_of_one_document_count_once,
    two_documents_may_share_a_value,
    indexes_do_not_mix,
    values_sort_by_their_bytes,
    equal_values_sort_by_kind_then_id,
    an_empty_value_is_a_value,
);

async fn a_put_replaces_all_entries(store: &dyn Store) -> Outcome {
    let version = create_at(store, "a", &["1", "2"]).await?;
    let moved = put_with("a", Expect::Version(version), &[("place", "2"), ("place", "3"), ("other", "4")]);
    commit(store, vec![moved]).await?;
    finds(store, &place(), "2=a 3=a").await
}

async fn a_put_without_entries_removes_them(store: &dyn Store) -> Outcome {
    let version = create_at(store, "a", &["1"]).await?;
    commit(store, vec![put("a", Expect::Version(version))]).await?;
    finds(store, &place(), "").await
}

async fn a_delete_removes_them(store: &dyn Store) -> Outcome {
    let version = create_at(store, "a", &["1"]).await?;
    commit(store, vec![delete("a", version)]).await?;
    finds(store, &place(), "").await?;
    // And they do not come back with a new document of the same key.
    commit(store, vec![put("a", Expect::Absent)]).await?;
    finds(store, &place(), "").await
}

async fn a_document_may_have_several(store: &dyn Store) -> Outcome {
    create_at(store, "a", &["2", "1", "3"]).await?;
    finds(store, &place(), "1=a 2=a 3=a").await
}

async fn equal_entries_of_one_document_count_once(store: &dyn Store) -> Outcome {
    create_at(store, "a", &["1", "1"]).await?;
    finds(store, &place(), "1=a").await
}

async fn two_documents_may_share_a_value(store: &dyn Store) -> Outcome {
    create_at(store, "b", &["1"]).await?;
    let version = create_at(store, "a", &["1"]).await?;
    finds(store, &place(), "1=a 1=b").await?;
    commit(store, vec![delete("a", version)]).await?;
    finds(store, &place(), "1=b").await
}

async fn indexes_do_not_mix(store: &dyn Store) -> Outcome {
    commit(store, vec![put_with("a", Expect::Absent, &[("place", "1"), ("places", "2"), ("plac", "3")])]).await?;
    finds(store, &place(), "1=a").await
}

async fn values_sort_by_their_bytes(store: &dyn Store) -> Outcome {
    for (id, value) in
        [("a", "é"), ("b", "z"), ("c", "Z"), ("d", "10"), ("e", "9"), ("f", "zz"), ("g", "ﬀ"), ("h", "😀")]
    {
        create_at(store, id, &[value]).await?;
    }
    finds(store, &place(), "10=d 9=e Z=c z=b zz=f é=a ﬀ=g 😀=h").await?;
    finds(store, &descending(place()), "😀=h ﬀ=g é=a zz=f z=b Z=c 9=e 10=d").await
}

async fn equal_values_sort_by_kind_then_id(store: &dyn Store) -> Outcome {
    let put = |kind: &'static str, id: &str| Write::Put {
        key: Key::new(kind, id),
        expect: Expect::Absent,
        body: body(0),
        entries: vec![IndexEntry::new("place", "1")],
    };
    // Later kinds first, so that the order of first use is not the right one by chance.
    for write in [put("m", "2"), put("z", "0"), put("b", "9"), put("m", "10"), put("B", "3")] {
        store.commit(Batch { writes: vec![write] }).await?;
    }
    finds(store, &place(), "1=3 1=9 1=10 1=2 1=0").await?;
    finds(store, &descending(place()), "1=0 1=2 1=10 1=9 1=3").await
}

async fn an_empty_value_is_a_value(store: &dyn Store) -> Outcome {
    create_at(store, "a", &["", "1"]).await?;
    finds(store, &place(), "=a 1=a").await
}
