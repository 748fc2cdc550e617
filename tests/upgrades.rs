//! What earlier versions wrote opens, what later ones wrote is refused: on a database of each version that is kept here.
#![cfg(all(feature = "conformance", feature = "sqlite"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[path = "support/full.rs"]
mod full;
#[path = "support/engine.rs"]
mod support;

use std::fs;
use std::path::{Path, PathBuf};

use chancery::clock::Clock;
use chancery::engine::transfer::{Check, Export, Import, Summary, TransferError};
use chancery::engine::{Engine, Error, Outcome};
use chancery::store::sqlite::SqliteStore;
use chancery::store::{MemoryStore, Schema, Store, StoreError};
use chancery::x509::RevocationReason;
use full::{DAY, Surroundings, fill, settle};
use support::{KINDS, START, events, everything, slug, user};
use tempfile::TempDir;

/// The newest schema that this version reads.
const SCHEMA: u32 = 1;
/// The newest layout of the SQLite file.
const LAYOUT: u32 = 1;

/// The database of a schema's version, and its export.
fn fixture(schema: u32, file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/schema-{schema}")).join(file)
}

fn exported(schema: u32) -> (Vec<u8>, Summary) {
    let stream = fs::read(fixture(schema, "state.jsonl")).unwrap();
    let mut check = Check::new();
    check.push(&stream).unwrap();
    (stream, check.finish().unwrap())
}

/// A copy of the database, and what it needs around it.
fn copy(schema: u32) -> (TempDir, PathBuf, Surroundings) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store.db");
    fs::copy(fixture(schema, "store.db"), &path).unwrap();
    (directory, path, Surroundings::at(exported(schema).1.at))
}

async fn export(store: &(impl Store + Clone), clock: &dyn Clock) -> Vec<u8> {
    let mut export = Export::begin(store.clone(), clock).await.unwrap();
    let mut stream = Vec::new();
    while let Some(piece) = export.next().await.unwrap() {
        stream.extend(piece);
    }
    stream
}

/// Makes the fixture of this version anew: `cargo test --all-features --test upgrades -- --ignored`. Once it is released it
/// stays as it is, because it stands for what is out there.
#[tokio::test]
#[ignore = "writes into the source tree"]
async fn make_the_fixture() {
    let around = Surroundings::at(START);
    fs::create_dir_all(fixture(SCHEMA, "")).unwrap();
    let path = fixture(SCHEMA, "store.db");
    let _ = fs::remove_file(&path);
    let store = SqliteStore::open(&path).unwrap();
    fill(store.clone(), &around).await;
    fs::write(fixture(SCHEMA, "state.jsonl"), export(&store, &around.clock).await).unwrap();
}

#[tokio::test]
async fn what_every_version_wrote_opens_and_is_worked_with() {
    for schema in 1..=SCHEMA {
        let (_directory, path, around) = copy(schema);
        let store = SqliteStore::open(&path).unwrap();
        let there = everything(&store).await;
        let missing: Vec<_> = KINDS.iter().filter(|kind| !there.keys().any(|key| key.kind == **kind)).collect();
        assert_eq!(missing, [&"transfer"], "schema {schema} has every kind that a store at rest has");
        let engine = around.builder(store.clone(), 11).build().await.unwrap();
        works(&engine, &around).await;
        let told = events(&store).await;
        let count = |event: &str| told.iter().filter(|each| *each == event).count();
        assert!(count("certificate-renewed") > 2, "schema {schema}: {told:?}");
    }
}

/// Issues, revokes, lets time pass with renewals, and verifies the audit trail.
async fn works(engine: &Engine, around: &Surroundings) {
    let (alice, otto) = (engine.acting_as(user("alice")), engine.acting_as(user("otto")));
    let application = otto.application_named(&slug("payments")).await.unwrap();
    let profile = engine.acting_as(user("root")).profile_named(&slug("web")).await.unwrap();
    let ask = chancery::domain::Enrollment::managed(application.id, profile.id).dns("new.example.com");
    let Outcome::Pending(pending) = otto.submit(&ask).await.unwrap() else { panic!("its policy wants approval") };
    let digest = alice.approval_request(pending.id).await.unwrap().approval.digest;
    let Outcome::Issued(issued) = alice.approve(pending.id, &digest, "").await.unwrap() else { panic!("not issued") };
    settle(engine).await;
    otto.private_key(issued.record.id).await.unwrap();
    otto.revoke(issued.record.id, RevocationReason::Superseded).await.unwrap();
    for _ in 0..40 {
        around.clock.advance(DAY);
        settle(engine).await;
    }
    let report = engine.acting_as(user("root")).verify_audit(1, None).await.unwrap();
    assert!(report.faults.is_empty() && report.events > 50, "{report:?}");
}

#[tokio::test]
async fn the_export_of_every_version_is_its_database_and_can_be_imported() {
    for schema in 1..=SCHEMA {
        let (stream, summary) = exported(schema);
        assert_eq!((summary.schema, summary.exact), (schema, true));
        let (_directory, path, around) = copy(schema);
        let store = SqliteStore::open(&path).unwrap();
        let mut check = Check::new();
        check.push(&export(&store, &around.clock).await).unwrap();
        assert_eq!(check.finish().unwrap().digest, summary.digest);
        let new = MemoryStore::new();
        let mut import = Import::begin(new.clone()).await.unwrap();
        import.push(&stream).await.unwrap();
        import.finish().await.unwrap();
        let engine = around.builder(new, 12).build().await.unwrap();
        works(&engine, &around).await;
    }
}

#[tokio::test]
async fn a_store_of_an_older_schema_is_taken_over() {
    let (_directory, path, around) = copy(1);
    let set = |version: u32| {
        let file = rusqlite::Connection::open(&path).unwrap();
        let update = "UPDATE chancery_meta SET value = ?1 WHERE name = 'schema_version'";
        assert_eq!(file.execute(update, [version]).unwrap(), 1);
    };
    set(0);
    let engine = around.builder(SqliteStore::open(&path).unwrap(), 13).build().await.unwrap();
    drop(engine);
    let refused = SqliteStore::open(&path).unwrap().prepare(&Schema { version: 0, kinds: &[], lists: &[] }).await;
    assert_eq!(refused, Err(StoreError::Newer { found: SCHEMA, supported: 0 }), "it was raised");
}

#[tokio::test]
async fn a_later_schema_is_refused() {
    let (_directory, path, around) = copy(SCHEMA);
    let store = SqliteStore::open(&path).unwrap();
    store.prepare(&Schema { version: SCHEMA + 1, kinds: &[], lists: &[] }).await.unwrap();
    let newer = StoreError::Newer { found: SCHEMA + 1, supported: SCHEMA };
    let refused = around.builder(store.clone(), 14).build().await.map(drop);
    assert!(matches!(&refused, Err(Error::Store(error)) if *error == newer), "{refused:?}");
    assert_eq!(newer.to_string(), "the store holds data of schema version 2; this version of chancery reads up to 1");
    let refused = Export::begin(store, &around.clock).await.map(drop);
    assert_eq!(refused, Err(TransferError::Store(newer)));
}

#[tokio::test]
async fn a_later_layout_of_the_file_is_refused_and_left_alone() {
    let (_directory, path, _) = copy(SCHEMA);
    let file = rusqlite::Connection::open(&path).unwrap();
    file.pragma_update(None, "user_version", LAYOUT + 1).unwrap();
    drop(file);
    let before = fs::read(&path).unwrap();
    let refused = SqliteStore::open(&path).map(drop);
    assert_eq!(refused, Err(StoreError::Newer { found: LAYOUT + 1, supported: LAYOUT }));
    assert_eq!(fs::read(&path).unwrap(), before);
}
