//! Checks of the clause Sizes: the exact maxima are taken, anything beyond is refused, never cut.

use bytes::Bytes;

use super::super::{
    Claim, Expect, IndexEntry, Key, MAX_BATCH_WRITES, MAX_BODY_BYTES, MAX_KEY_BYTES, MAX_NAME_BYTES, MAX_SCAN_LIMIT,
    Over, Scan, Store, StoreError, Write,
};
use super::check::{Outcome, Seen, checks, commit, create_at, delete, ensure, finds, place, put, put_with, read};
use super::claims::below;

checks!("Sizes":
    the_largest_key_entry_and_body_come_back_whole,
    the_largest_batch_is_taken,
    the_largest_scan_is_answered,
    a_longer_id_is_refused,
    a_longer_value_is_refused,
    a_larger_body_is_refused,
    a_larger_batch_is_refused,
    names_that_are_no_words_are_refused,
    a_scan_of_nothing_or_too_much_is_refused,
    the_largest_claim_is_answered,
    a_claim_of_nothing_or_too_much_is_refused,
    a_claim_that_would_find_its_own_lease_is_refused,
    a_key_written_twice_is_refused,
);

fn write(key: Key, body: impl Into<Bytes>, entries: Vec<IndexEntry>) -> Vec<Write> {
    vec![Write::Put { key, expect: Expect::Absent, body: body.into(), entries }]
}

fn json_of(octets: usize) -> String {
    format!("\"{}\"", "x".repeat(octets - 2))
}

async fn refuses(store: &dyn Store, writes: Vec<Write>) -> Outcome {
    match commit(store, writes).await {
        Err(StoreError::Invalid { .. }) => Ok(()),
        other => Err(Seen(format!("expected the batch to be refused as invalid, saw {other:?}"))),
    }
}

async fn the_largest_key_entry_and_body_come_back_whole(store: &dyn Store) -> Outcome {
    let (kind, long) = ("k".repeat(MAX_NAME_BYTES), "é".repeat(MAX_KEY_BYTES / 2));
    let key = Key::new(kind.clone(), long.clone());
    let body = json_of(MAX_BODY_BYTES);
    commit(store, write(key.clone(), body.clone(), vec![IndexEntry::new(kind.clone(), long.clone())])).await?;
    for over in [Over::Kind(kind.clone().into()), Over::Index(kind.into())] {
        let hits = store.scan(&Scan::new(over.clone(), 2)).await?;
        let whole = hits.len() == 1 && hits[0].value == long && hits[0].document.key == key;
        ensure!(whole, "the longest value or key does not come back whole from {over:?}");
        ensure!(hits[0].document.body == body, "the largest body comes back as {} bytes", hits[0].document.body.len());
    }
    Ok(())
}

async fn the_largest_batch_is_taken(store: &dyn Store) -> Outcome {
    let ids: Vec<String> = (0..MAX_BATCH_WRITES).map(|number| number.to_string()).collect();
    let version = commit(store, ids.iter().map(|id| put(id, Expect::Absent)).collect()).await?;
    let last = read(store, &ids[ids.len() - 1]).await?;
    ensure!(last.is_some(), "the last write of the largest batch is missing");
    commit(store, ids.iter().map(|id| delete(id, version)).collect()).await?;
    Ok(())
}

async fn the_largest_scan_is_answered(store: &dyn Store) -> Outcome {
    let ids: Vec<String> = (0..MAX_BATCH_WRITES).map(|number| number.to_string()).collect();
    commit(store, ids.iter().map(|id| put(id, Expect::Absent)).collect()).await?;
    let seen = store.scan(&Scan::new(Over::Kind("thing".into()), MAX_SCAN_LIMIT)).await?.len();
    let expected = MAX_SCAN_LIMIT.min(MAX_BATCH_WRITES);
    ensure!(seen == expected, "a scan of up to {MAX_SCAN_LIMIT} of {MAX_BATCH_WRITES} documents finds {seen}");
    Ok(())
}

async fn a_longer_id_is_refused(store: &dyn Store) -> Outcome {
    refuses(store, write(Key::new("thing", "x".repeat(MAX_KEY_BYTES + 1)), "{}", Vec::new())).await
}

async fn a_longer_value_is_refused(store: &dyn Store) -> Outcome {
    let entries = vec![IndexEntry::new("place", "x".repeat(MAX_KEY_BYTES + 1))];
    refuses(store, write(Key::new("thing", "a"), "{}", entries)).await
}

async fn a_larger_body_is_refused(store: &dyn Store) -> Outcome {
    refuses(store, write(Key::new("thing", "a"), json_of(MAX_BODY_BYTES + 1), Vec::new())).await
}

async fn a_larger_batch_is_refused(store: &dyn Store) -> Outcome {
    let writes = (0..=MAX_BATCH_WRITES).map(|number| put(&number.to_string(), Expect::Absent)).collect();
    refuses(store, writes).await?;
    ensure!(read(store, "0").await?.is_none(), "a batch that was refused wrote something");
    Ok(())
}

async fn names_that_are_no_words_are_refused(store: &dyn Store) -> Outcome {
    for name in ["", "two words", "été", &"k".repeat(MAX_NAME_BYTES + 1)] {
        refuses(store, write(Key::new(name.to_owned(), "a"), "{}", Vec::new())).await?;
        let entries = vec![IndexEntry::new(name.to_owned(), "1")];
        refuses(store, write(Key::new("thing", "a"), "{}", entries)).await?;
    }
    Ok(())
}

async fn a_scan_of_nothing_or_too_much_is_refused(store: &dyn Store) -> Outcome {
    create_at(store, "a", &["1"]).await?;
    for limit in [0, MAX_SCAN_LIMIT + 1] {
        let seen = store.scan(&Scan::new(Over::Index("place".into()), limit)).await;
        let refused = matches!(seen, Err(StoreError::Invalid { .. }));
        ensure!(refused, "a scan of at most {limit} is not refused as invalid");
    }
    Ok(())
}

async fn the_largest_claim_is_answered(store: &dyn Store) -> Outcome {
    let ids: Vec<String> = (0..MAX_BATCH_WRITES).map(|number| number.to_string()).collect();
    let entries = [("place", "1")];
    commit(store, ids.iter().map(|id| put_with(id, Expect::Absent, &entries)).collect()).await?;
    let seen = store.claim(&below("2", "9", MAX_SCAN_LIMIT)).await?.len();
    let expected = MAX_SCAN_LIMIT.min(MAX_BATCH_WRITES);
    ensure!(seen == expected, "a claim of up to {MAX_SCAN_LIMIT} of {MAX_BATCH_WRITES} documents takes {seen}");
    Ok(())
}

async fn a_claim_of_nothing_or_too_much_is_refused(store: &dyn Store) -> Outcome {
    create_at(store, "a", &["1"]).await?;
    let named = |name: &'static str| Claim { index: name.into(), ..below("2", "9", 1) };
    for claim in [below("2", "9", 0), below("2", "9", MAX_SCAN_LIMIT + 1), named("two words"), named("")] {
        refuses_claim(store, &claim).await?;
    }
    Ok(())
}

async fn a_claim_that_would_find_its_own_lease_is_refused(store: &dyn Store) -> Outcome {
    create_at(store, "a", &["1"]).await?;
    refuses_claim(store, &below("5", "4", 1)).await?;
    let long = "x".repeat(MAX_KEY_BYTES + 1);
    refuses_claim(store, &below("5", &long, 1)).await?;
    finds(store, &place(), "1=a").await
}

async fn refuses_claim(store: &dyn Store, claim: &Claim) -> Outcome {
    match store.claim(claim).await {
        Err(StoreError::Invalid { .. }) => Ok(()),
        other => Err(Seen(format!("expected {claim:?} to be refused as invalid, saw {other:?}"))),
    }
}

async fn a_key_written_twice_is_refused(store: &dyn Store) -> Outcome {
    refuses(store, vec![put("a", Expect::Absent), put("a", Expect::Absent)]).await?;
    let version = create_at(store, "b", &[]).await?;
    refuses(store, vec![delete("b", version), put("b", Expect::Absent)]).await
}
