//! What checks are made of: short words for the calls, and for what was seen.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use bytes::Bytes;

use super::super::{
    Batch, Document, Expect, Hit, IndexEntry, Key, Order, Over, Scan, Store, StoreError, Version, Write,
};

/// A named check of one clause.
pub(super) struct Check {
    pub(super) clause: &'static str,
    pub(super) name: &'static str,
    pub(super) run: for<'s> fn(&'s dyn Store) -> Running<'s>,
}

pub(super) type Running<'s> = Pin<Box<dyn Future<Output = Outcome> + Send + 's>>;

/// Passed, or what was seen instead.
pub(super) type Outcome = Result<(), Seen>;

/// What a check saw that it should not have seen.
#[derive(Debug)]
pub(super) struct Seen(pub(super) String);

impl From<StoreError> for Seen {
    fn from(error: StoreError) -> Self {
        Self(format!("a call failed that should have succeeded: {error}"))
    }
}

/// Lists the checks of one clause.
macro_rules! checks {
    ($clause:literal: $($name:ident),+ $(,)?) => {
        pub(super) const CHECKS: &[super::check::Check] = &[$(super::check::Check {
            clause: $clause,
            name: stringify!($name),
            run: |store| Box::pin($name(store)),
        }),+];
    };
}

/// Ends the check with what was seen, unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($seen:tt)+) => {
        if !$condition {
            return Err(super::check::Seen(format!($($seen)+)));
        }
    };
}

pub(super) use {checks, ensure};

/// The key of the kind that most checks use.
pub(super) fn key(id: &str) -> Key {
    Key::new("thing", id.to_owned())
}

/// A body that says `number`.
pub(super) fn body(number: u64) -> Bytes {
    format!("{{\"number\":{number}}}").into()
}

/// The number that a body says.
pub(super) fn number(document: &Document) -> Result<u64, Seen> {
    let text = String::from_utf8_lossy(&document.body);
    let digits = text.trim_start_matches("{\"number\":").trim_end_matches('}');
    digits.parse().map_err(|_| Seen(format!("the body of {} reads {text:?}", document.key)))
}

pub(super) fn put(id: &str, expect: Expect) -> Write {
    put_with(id, expect, &[])
}

/// A put with entries, each an index and a value.
pub(super) fn put_with(id: &str, expect: Expect, entries: &[(&str, &str)]) -> Write {
    let entry = |(index, value): &(&str, &str)| IndexEntry::new((*index).to_owned(), *value);
    Write::Put { key: key(id), expect, body: body(0), entries: entries.iter().map(entry).collect() }
}

pub(super) fn delete(id: &str, version: Version) -> Write {
    Write::Delete { key: key(id), version }
}

pub(super) fn check(id: &str, expect: Expect) -> Write {
    Write::Check { key: key(id), expect }
}

pub(super) async fn commit(store: &dyn Store, writes: Vec<Write>) -> Result<Version, StoreError> {
    store.commit(Batch { writes }).await
}

/// Creates a document without entries.
pub(super) async fn create(store: &dyn Store, id: &str) -> Result<Version, StoreError> {
    commit(store, vec![put(id, Expect::Absent)]).await
}

/// Creates a document with entries in the index `place`.
pub(super) async fn create_at(store: &dyn Store, id: &str, values: &[&str]) -> Result<Version, StoreError> {
    let entries: Vec<_> = values.iter().map(|value| ("place", *value)).collect();
    commit(store, vec![put_with(id, Expect::Absent, &entries)]).await
}

pub(super) async fn read(store: &dyn Store, id: &str) -> Result<Option<Document>, Seen> {
    let found = store.get(&[key(id)]).await?;
    let [document] = <[_; 1]>::try_from(found)
        .map_err(|found| Seen(format!("a get of one key answered {} documents", found.len())))?;
    Ok(document)
}

pub(super) async fn exists(store: &dyn Store, id: &str) -> Result<bool, Seen> {
    Ok(read(store, id).await?.is_some())
}

/// Ensures that the writes lose, and that the answer names `id`.
pub(super) async fn loses(store: &dyn Store, writes: Vec<Write>, id: &str) -> Outcome {
    match commit(store, writes).await {
        Err(StoreError::Conflict { key: named }) if named == key(id) => Ok(()),
        other => Err(Seen(format!("expected a conflict at {}, saw {other:?}", key(id)))),
    }
}

/// A scan of the index `place`.
pub(super) fn place() -> Scan {
    Scan::new(Over::Index("place".into()), 100)
}

/// A scan of the kind that most checks use.
pub(super) fn things() -> Scan {
    Scan::new(Over::Kind("thing".into()), 100)
}

pub(super) fn descending(scan: Scan) -> Scan {
    Scan { order: Order::Descending, ..scan }
}

/// The hits of a scan, each as `value=id`.
pub(super) async fn hits(store: &dyn Store, scan: &Scan) -> Result<Vec<String>, Seen> {
    Ok(store.scan(scan).await?.iter().map(name).collect())
}

pub(super) fn name(hit: &Hit) -> String {
    format!("{}={}", hit.value, hit.document.key.id)
}

/// Ensures that a scan finds exactly `expected`, written as `value=id` with spaces between.
pub(super) async fn finds(store: &dyn Store, scan: &Scan, expected: &str) -> Outcome {
    let seen = hits(store, scan).await?.join(" ");
    ensure!(seen == expected, "expected [{expected}] from {scan:?}, saw [{seen}]");
    Ok(())
}

/// Lets the other futures of the same task run.
pub(super) async fn give_way() {
    let mut gave_way = false;
    poll_fn(|context| {
        if std::mem::replace(&mut gave_way, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
