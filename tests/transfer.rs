//! Backup and move: the whole state as a stream, from any store into any other, whatever interrupts it and whatever is wrong.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[path = "support/full.rs"]
mod full;
#[path = "support/engine.rs"]
mod support;

use std::collections::BTreeMap;

use chancery::clock::Clock;
use chancery::engine::Error;
use chancery::engine::transfer::{Check, Export, Import, Summary, TransferError};
use chancery::store::{Batch, Expect, Key, MemoryStore, Over, Scan, Store, Write};
use full::{DAY, Surroundings, fill, settle};
use support::{KINDS, START, events, everything, slug, user};

async fn full() -> (MemoryStore, Surroundings) {
    let (store, around) = (MemoryStore::new(), Surroundings::at(START));
    fill(store.clone(), &around).await;
    (store, around)
}

async fn export(store: &(impl Store + Clone), clock: &dyn Clock) -> String {
    let mut export = Export::begin(store.clone(), clock).await.unwrap();
    let mut stream = Vec::new();
    while let Some(piece) = export.next().await.unwrap() {
        stream.extend(piece);
    }
    let (done, all) = export.progress().kinds;
    assert_eq!(done, all);
    String::from_utf8(stream).unwrap()
}

async fn import(store: impl Store, stream: &[u8]) -> Result<Summary, TransferError> {
    let mut import = Import::begin(store).await?;
    // Pieces that keep to no line.
    for piece in stream.chunks(1000) {
        import.push(piece).await?;
    }
    import.finish().await
}

fn check(stream: &str) -> Result<Summary, TransferError> {
    let mut check = Check::new();
    check.push(stream.as_bytes())?;
    check.finish()
}

/// Bodies and index entries, but not versions, of all that travels.
async fn state(store: &impl Store) -> BTreeMap<Key, String> {
    let all = everything(store).await;
    let travels = |key: &Key| key.kind != "ocsp_answer" && key.kind != "transfer";
    all.into_iter().filter(|(key, _)| travels(key)).map(|(key, (_, body))| (key, body)).collect()
}

async fn entries(store: &impl Store) -> Vec<(&'static str, String, Key)> {
    let mut all = Vec::new();
    for index in ["due", "certificate.name", "renewal.due", "event.unsealed", "issuer.key", "deployment.state"] {
        let hits = store.scan(&Scan::new(Over::Index(index.into()), 1000)).await.unwrap();
        all.extend(hits.into_iter().map(|hit| (index, hit.value, hit.document.key)));
    }
    all.retain(|(_, _, key)| key.kind != "ocsp_answer");
    all
}

#[tokio::test]
async fn the_state_that_moves_has_every_kind() {
    let (store, _) = full().await;
    let there = everything(&store).await;
    let missing: Vec<_> = KINDS.iter().filter(|kind| !there.keys().any(|key| key.kind == **kind)).collect();
    assert_eq!(missing, [&"transfer"], "that of an import alone");
}

#[tokio::test]
async fn what_arrives_is_what_left_with_its_entries() {
    let (store, around) = full().await;
    let stream = export(&store, &around.clock).await;
    let (new, summary) = (MemoryStore::new(), check(&stream).unwrap());
    assert_eq!(import(new.clone(), stream.as_bytes()).await.unwrap(), summary);
    assert!(summary.exact);
    assert_eq!((summary.at, summary.documents), (around.clock.now(), state(&store).await.len() as u64));
    assert_eq!(state(&new).await, state(&store).await);
    assert_eq!(entries(&new).await, entries(&store).await);
    assert_eq!(export(&new, &around.clock).await, stream, "to the octet");
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn it_moves_from_memory_to_sqlite_and_on() {
    use chancery::store::sqlite::SqliteStore;
    let (store, around) = full().await;
    let stream = export(&store, &around.clock).await;
    let directory = tempfile::tempdir().unwrap();
    let file = SqliteStore::open(directory.path().join("new.db")).unwrap();
    let arrived = import(file.clone(), stream.as_bytes()).await.unwrap();
    around.clock.advance(DAY);
    let again = check(&export(&file, &around.clock).await).unwrap();
    assert_eq!((again.digest, again.documents), (arrived.digest, arrived.documents));
    assert_ne!(again.at, arrived.at);
}

#[tokio::test]
async fn the_new_store_goes_on_where_the_old_one_was_and_does_nothing_twice() {
    let mut told = Vec::new();
    for moves in [false, true] {
        let (mut store, around) = full().await;
        if moves {
            let stream = export(&store, &around.clock).await;
            store = MemoryStore::new();
            import(store.clone(), stream.as_bytes()).await.unwrap();
        }
        let engine = around.builder(store.clone(), 9).build().await.unwrap();
        for _ in 0..40 {
            around.clock.advance(DAY);
            settle(&engine).await;
        }
        let report = engine.acting_as(user("root")).verify_audit(1, None).await.unwrap();
        assert!(report.faults.is_empty(), "{:?}", report.faults);
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for event in events(&store).await {
            *counts.entry(event).or_default() += 1;
        }
        assert!(counts["certificate-renewed"] > 1, "{counts:?}");
        told.push(counts);
    }
    assert_eq!(told[0], told[1], "the moved world does what the other did");
}

#[tokio::test]
async fn an_import_that_is_cut_off_at_any_line_goes_on() {
    let (store, around) = full().await;
    let stream = export(&store, &around.clock).await;
    let ends: Vec<usize> = stream.match_indices('\n').map(|(at, _)| at + 1).collect();
    for (line, end) in ends.iter().enumerate() {
        let new = MemoryStore::new();
        let mut first = Import::begin(new.clone()).await.unwrap().batches_of(7);
        // And in the middle of the line behind it.
        first.push(&stream.as_bytes()[..(end + 40).min(stream.len())]).await.unwrap();
        drop(first);
        let whole = line + 1 >= ends.len();
        if line > 8 && !whole {
            let refused = around.builder(new.clone(), 5).build().await.map(drop);
            assert!(matches!(refused, Err(Error::ImportUnfinished)), "line {line}: {refused:?}");
            let refused = Export::begin(new.clone(), &around.clock).await.map(drop);
            assert_eq!(refused, Err(TransferError::Unfinished));
        }
        import(new.clone(), stream.as_bytes()).await.unwrap();
        assert_eq!(state(&new).await, state(&store).await, "cut off behind line {line}");
        assert!(support::bodies(&new, "transfer").await.is_empty());
    }
}

#[tokio::test]
async fn an_export_that_is_cut_off_anywhere_goes_on() {
    let (store, around) = full().await;
    let stream = export(&store, &around.clock).await;
    let (lines, digest) = (stream.lines().count(), check(&stream).unwrap().digest);
    for cut in (600..stream.len()).step_by(stream.len() / 60) {
        let mut given = Check::new();
        given.push(&stream.as_bytes()[..cut]).unwrap();
        let kept = usize::try_from(given.whole_octets()).unwrap();
        let mut whole = stream[..kept].to_owned();
        let mut rest = Export::resume(store.clone(), given).await.unwrap();
        while let Some(piece) = rest.next().await.unwrap() {
            whole.push_str(std::str::from_utf8(&piece).unwrap());
        }
        let summary = check(&whole).unwrap();
        assert_eq!((whole.lines().count(), &summary.digest, summary.exact), (lines, &digest, false), "cut at {cut}");
    }
}

#[tokio::test]
async fn an_export_says_whether_anything_changed_meanwhile() {
    let (store, around) = full().await;
    let key = Key::new("housekeeping", "sweep");
    let pieces = {
        let mut export = Export::begin(store.clone(), &around.clock).await.unwrap();
        let mut pieces = 0;
        while export.next().await.unwrap().is_some() {
            pieces += 1;
        }
        pieces
    };
    let mut exact = Vec::new();
    for at in 0..pieces {
        let mut export = Export::begin(store.clone(), &around.clock).await.unwrap();
        let mut stream = Vec::new();
        for piece in 0.. {
            if piece == at {
                let found = store.get(std::slice::from_ref(&key)).await.unwrap().remove(0).unwrap();
                let (expect, body) = (Expect::Version(found.version), found.body);
                let entries = Vec::new();
                store
                    .commit(Batch { writes: vec![Write::Put { key: key.clone(), expect, body, entries }] })
                    .await
                    .unwrap();
            }
            match export.next().await.unwrap() {
                Some(piece) => stream.extend(piece),
                None => break,
            }
        }
        exact.push(check(std::str::from_utf8(&stream).unwrap()).unwrap().exact);
    }
    assert!(exact[0], "before the first look");
    assert!(exact.iter().any(|exact| !exact), "{exact:?}");
    let last_wrong = exact.iter().rposition(|exact| !exact).unwrap();
    let first_wrong = exact.iter().position(|exact| !exact).unwrap();
    assert!(exact[first_wrong..=last_wrong].iter().all(|exact| !exact), "between its two looks: {exact:?}");
}

#[tokio::test]
async fn every_kind_of_damage_is_refused_before_its_line_is_written() {
    let (store, around) = full().await;
    let stream = export(&store, &around.clock).await;
    let lines: Vec<&str> = stream.lines().collect();
    let with = |change: &dyn Fn(&mut Vec<String>)| {
        let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        change(&mut lines);
        lines.join("\n") + "\n"
    };
    let damaged = |line: u64| TransferError::Damaged { line };
    let last = lines.len() as u64;
    for (what, stream, expected) in [
        ("nothing", String::new(), TransferError::Truncated { line: 1 }),
        ("another file", "{\"name\":\"chancery\"}\n".to_owned(), TransferError::Foreign),
        ("no header", with(&|lines| drop(lines.remove(0))), TransferError::Foreign),
        ("a lost line", with(&|lines| drop(lines.remove(20))), damaged(21)),
        ("a line twice", with(&|lines| lines.insert(20, lines[19].clone())), damaged(21)),
        ("two lines in each other's place", with(&|lines| lines.swap(20, 21)), damaged(21)),
        ("a changed line", with(&|lines| lines[30] = lines[30].replacen("\"id\"", "\"Id\"", 1)), damaged(31)),
        ("a changed sum", with(&|lines| lines[30].replace_range(9..10, "x")), damaged(31)),
        ("an end too early", with(&|lines| lines.truncate(lines.len() - 1)), TransferError::Truncated { line: last }),
        ("half a line", stream[..stream.len() - 10].to_owned(), TransferError::Truncated { line: last }),
        ("more", format!("{stream}{{}}\n"), TransferError::BehindTheEnd { line: last + 1 }),
        ("another's lines", with(&|lines| lines[1] = lines[2].clone()), damaged(2)),
        ("an endless line", "x".repeat(3 << 20), TransferError::TooLong { line: 1 }),
    ] {
        assert_eq!(check(&stream), Err(expected.clone()), "{what}");
        let new = MemoryStore::new();
        assert_eq!(import(new.clone(), stream.as_bytes()).await, Err(expected), "{what}");
        assert!(state(&new).await.is_empty(), "{what}: in one batch, and none of it is there");
    }
    // Every octet counts.
    for at in (0..stream.len()).step_by(stream.len() / 200) {
        let mut octets = stream.clone().into_bytes();
        octets[at] ^= 1;
        let mut read = Check::new();
        let refused = read.push(&octets).and_then(|()| read.finish().map(drop));
        assert!(refused.is_err(), "a changed octet at {at}");
    }
}

#[tokio::test]
async fn only_an_empty_store_is_filled_and_only_with_one_stream() {
    let (store, around) = full().await;
    let stream = export(&store, &around.clock).await;
    let refused = Import::begin(store.clone()).await.map(drop);
    assert!(matches!(refused, Err(TransferError::NotEmpty { .. })), "{refused:?}");

    let (other, around) = (MemoryStore::new(), Surroundings::at(START));
    fill(other.clone(), &around).await;
    let others = export(&other, &around.clock).await;
    let new = MemoryStore::new();
    let mut first = Import::begin(new.clone()).await.unwrap().batches_of(10);
    first.push(&others.as_bytes()[..others.len() / 2]).await.unwrap();
    drop(first);
    let refused = import(new.clone(), stream.as_bytes()).await;
    assert!(matches!(refused, Err(TransferError::OtherStream { .. })), "{refused:?}");
    import(new, others.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn a_later_format_or_schema_is_refused() {
    let (store, around) = full().await;
    let stream = export(&store, &around.clock).await;
    let header = stream.lines().next().unwrap();
    for (what, old, new) in
        [("format", "\"chancery_export\":1", "\"chancery_export\":2"), ("schema", "\"schema\":1", "\"schema\":2")]
    {
        assert!(header.contains(old), "{header}");
        let rest = &header.replacen(old, new, 1)[74..];
        let before = [[0; 32].as_slice(), rest.as_bytes()].concat();
        let sum = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &before);
        let sum: String = sum.as_ref().iter().map(|octet| format!("{octet:02x}")).collect();
        let refused = check(&format!("{{\"sum\":\"{sum}\",{rest}\n"));
        assert_eq!(refused, Err(TransferError::Newer { what, found: 2, supported: 1 }));
    }
}

#[tokio::test]
async fn what_is_sealed_stays_sealed_and_needs_its_key() {
    let (store, around) = full().await;
    let stream = export(&store, &around.clock).await;
    let new = MemoryStore::new();
    import(new.clone(), stream.as_bytes()).await.unwrap();
    let managed = async |store: MemoryStore, key: [u8; 32]| {
        let builder = around.builder(store, 3).sealer(chancery::sealer::AeadSealer::new(&key));
        let engine = builder.build().await?;
        let otto = engine.acting_as(user("otto"));
        let application = otto.application_named(&slug("payments")).await?;
        let query = chancery::engine::CertificateQuery {
            application: Some(application.id),
            page_size: 1,
            ..Default::default()
        };
        let id = otto.certificates(&query, None).await?.items[0].id;
        otto.private_key(id).await.map(drop)
    };
    managed(new.clone(), [7; 32]).await.unwrap();
    assert!(managed(new, [8; 32]).await.is_err());
}
