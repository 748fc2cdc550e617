//! Tests of what only this store promises.

use std::path::PathBuf;

use futures_util::future::join_all;
use rusqlite::Connection;

use super::super::{Column, Expect, IndexEntry, KindSchema, ListSchema, Over, Write};
use super::*;

fn place() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    (directory, path)
}

fn put(id: &str, expect: Expect) -> Batch {
    let entries = vec![IndexEntry::new("due", id)];
    let body = format!("{{\"name\":\"{id}\",\"content\":{{\"subject\":\"CN={id}\"}}}}").into();
    Batch { writes: vec![Write::Put { key: Key::new("thing", id), expect, body, entries }] }
}

const COLUMNS: &[Column] =
    &[Column { name: "name", path: "name" }, Column { name: "the subject", path: "content.subject" }];
static KINDS: [KindSchema; 1] = [KindSchema { kind: "thing", view: "things", columns: COLUMNS }];
static FEWER: [KindSchema; 1] = [KindSchema { kind: "thing", view: "things", columns: &[] }];

/// A writer of the file that is not ours, holding the lock.
fn intruder(path: &Path) -> Connection {
    let intruder = Connection::open(path).unwrap();
    intruder.execute_batch("BEGIN IMMEDIATE").unwrap();
    intruder
}

#[tokio::test]
async fn all_waiting_batches_share_one_transaction() {
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).unwrap();
    let intruder = intruder(&path);
    let ids: Vec<String> = (0..64).map(|number| number.to_string()).collect();
    let mut commits = Box::pin(join_all(ids.iter().map(|id| store.commit(put(id, Expect::Absent)))));
    assert!(futures_util::poll!(commits.as_mut()).is_pending());
    intruder.execute_batch("ROLLBACK").unwrap();
    assert!(commits.await.iter().all(Result::is_ok));
    assert_eq!(store.statistics(), Statistics { batches: 64, transactions: 1 });
}

#[tokio::test]
async fn a_conflict_leaves_the_rest_of_its_group_alone() {
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).unwrap();
    let intruder = intruder(&path);
    let ids = ["a", "b", "a", "c"];
    let mut commits = Box::pin(join_all(ids.iter().map(|id| store.commit(put(id, Expect::Absent)))));
    assert!(futures_util::poll!(commits.as_mut()).is_pending());
    intruder.execute_batch("ROLLBACK").unwrap();
    let outcomes = commits.await;
    assert_eq!(outcomes[2], Err(StoreError::Conflict { key: Key::new("thing", "a") }));
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 3);
    assert_eq!(store.statistics().transactions, 1);
}

#[tokio::test]
async fn a_file_that_stays_busy_is_unavailable_and_nothing_is_written() {
    let (_directory, path) = place();
    let store = SqliteOptions::new().busy_timeout(Duration::ZERO).open(&path).unwrap();
    let intruder = intruder(&path);
    let refused = store.commit(put("a", Expect::Absent)).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    intruder.execute_batch("ROLLBACK").unwrap();
    assert_eq!(store.get(&[Key::new("thing", "a")]).await.unwrap(), [None]);
    store.commit(put("a", Expect::Absent)).await.unwrap();
}

#[tokio::test]
async fn a_dropped_store_finishes_what_it_took() {
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).unwrap();
    let mut commit = store.commit(put("a", Expect::Absent));
    let _ = futures_util::poll!(commit.as_mut());
    drop(commit);
    drop(store);
    let store = SqliteStore::open(&path).unwrap();
    assert!(store.get(&[Key::new("thing", "a")]).await.unwrap()[0].is_some());
}

#[tokio::test]
async fn a_person_can_read_the_views() {
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).unwrap();
    store.prepare(&Schema { version: 1, kinds: &FEWER, lists: &[] }).await.unwrap();
    store.prepare(&Schema { version: 1, kinds: &KINDS, lists: &[] }).await.unwrap();
    let version = store.commit(put("a", Expect::Absent)).await.unwrap();
    let mut odd = put("no json", Expect::Absent);
    let Write::Put { body, .. } = &mut odd.writes[0] else { unreachable!() };
    *body = "{".into();
    store.commit(odd).await.unwrap();
    let person = Connection::open(&path).unwrap();
    let mut statement = person.prepare("SELECT id, version, name, \"the subject\" FROM things ORDER BY id").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?, row.get(2)?, row.get(3)?)));
    let rows: Vec<(String, i64, Option<String>, Option<String>)> = rows.unwrap().map(Result::unwrap).collect();
    assert_eq!(rows[0], ("a".into(), version.0.cast_signed(), Some("a".into()), Some("CN=a".into())));
    assert_eq!((rows[1].0.as_str(), &rows[1].2), ("no json", &None));
}

#[tokio::test]
async fn a_person_can_read_a_list_row_by_row() {
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).unwrap();
    let list = ListSchema { kind: "thing", path: "of.parts", view: "parts", columns: &COLUMNS[..1] };
    store.prepare(&Schema { version: 1, kinds: &KINDS, lists: Vec::from([list]).leak() }).await.unwrap();
    for (id, body) in [("a", r#"{"of":{"parts":[{"name":"x"},"no object",{"name":"y"}]}}"#), ("b", "{}"), ("c", "{")] {
        let mut thing = put(id, Expect::Absent);
        let Write::Put { body: written, .. } = &mut thing.writes[0] else { unreachable!() };
        *written = body.into();
        store.commit(thing).await.unwrap();
    }
    let person = Connection::open(&path).unwrap();
    let mut statement = person.prepare("SELECT id, name FROM parts").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let rows: Vec<(String, Option<String>)> = rows.map(Result::unwrap).collect();
    assert_eq!(rows, [("a".into(), Some("x".into())), ("a".into(), None), ("a".into(), Some("y".into()))]);
}

#[tokio::test]
async fn a_view_does_not_take_the_place_of_a_table() {
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE things (a)").unwrap();
    let refused = store.prepare(&Schema { version: 1, kinds: &KINDS, lists: &[] }).await;
    assert!(matches!(refused, Err(StoreError::Invalid { .. })), "{refused:?}");
    store.commit(put("a", Expect::Absent)).await.unwrap();
}

#[test]
fn a_newer_layout_is_refused() {
    let (_directory, path) = place();
    drop(SqliteStore::open(&path).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 2).unwrap();
    assert_eq!(SqliteStore::open(&path).unwrap_err(), StoreError::Newer { found: 2, supported: 1 });
}

#[test]
fn what_is_not_ours_is_refused_and_left_alone() {
    let (_directory, path) = place();
    std::fs::write(&path, "Dear diary, ".repeat(1000)).unwrap();
    assert!(matches!(SqliteStore::open(&path), Err(StoreError::Corrupt { .. })));
    let foreign = path.with_extension("foreign");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE theirs (a)").unwrap();
    let before = std::fs::read(&foreign).unwrap();
    assert!(matches!(SqliteStore::open(&foreign), Err(StoreError::Corrupt { .. })));
    assert_eq!(std::fs::read(&foreign).unwrap(), before);
}

#[tokio::test]
async fn a_damaged_file_is_reported_as_damaged() {
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).unwrap();
    for number in 0..200 {
        store.commit(put(&number.to_string(), Expect::Absent)).await.unwrap();
    }
    drop(store);
    let mut octets = std::fs::read(&path).unwrap();
    octets[8192..].fill(0xa5);
    std::fs::write(&path, octets).unwrap();
    let seen = match SqliteStore::open(&path) {
        Ok(store) => store.scan(&Scan::new(Over::Kind("thing".into()), 1000)).await.map(drop),
        Err(error) => Err(error),
    };
    assert!(matches!(seen, Err(StoreError::Corrupt { .. })), "{seen:?}");
}

#[cfg(unix)]
#[test]
fn a_new_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (directory, path) = place();
    let store = SqliteStore::open(&path).unwrap();
    for file in std::fs::read_dir(directory.path()).unwrap() {
        assert_eq!(file.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    drop(store);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    drop(SqliteStore::open(&path).unwrap());
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o640);
}
