//! One SQLite file, a load of issues, and SIGKILL, a hundred times.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chancery::clock::{Clock, ManualClock, SystemClock};
use chancery::store::sqlite::SqliteStore;
use chancery::store::{Key, MAX_SCAN_LIMIT, Over, Scan, Store};

use crate::audit;
use crate::chance::Chance;
use crate::office::{Office, Orders};
use crate::process::{Ears, Process};

const KILLS: usize = 100;
/// How long a process may take to issue its first certificate.
const PATIENCE: Duration = Duration::from_secs(60);

/// What processes said before they were killed.
#[derive(Default)]
struct Heard {
    issued: BTreeSet<String>,
    signed: BTreeSet<String>,
}

/// After each kill the file opens, every certificate is there whose issue was answered, and every serial number that was
/// signed for; what was cut off is completed.
pub(crate) fn a_file_outlives_its_writers() {
    let (folder, mut chance) = (tempfile::tempdir().unwrap(), Chance::new());
    let path = folder.path().join("killed.db");
    let mut orders = Orders::over_file(&path);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let engine = orders.builder(orders.open().await.unwrap(), false).build().await.unwrap();
        Office::found(&engine).await;
    });
    let mut heard = Heard::default();
    for kill in 0..KILLS {
        orders.name = kill.to_string();
        load(&orders, &mut heard, &mut chance);
        runtime.block_on(look(&path, &heard, kill));
    }
    runtime.block_on(complete(&orders, &path, &heard));
    println!("  {KILLS} kills, {} issues answered, {} signatures", heard.issued.len(), heard.signed.len());
    assert!(heard.issued.len() > KILLS && heard.signed.len() > KILLS, "there was no load");
}

/// Lets a process issue, and kills it at some moment.
fn load(orders: &Orders, heard: &mut Heard, chance: &mut Chance) {
    let ears = Ears::new();
    let mut process = Process::start("issuer", orders, 0, &ears);
    let first = ears.hear(PATIENCE).expect("nothing is issued");
    heard.take(&first.1);
    let end = Instant::now() + chance.millis(0, 150);
    while let Some((_, line)) = ears.hear(end.saturating_duration_since(Instant::now())) {
        heard.take(&line);
    }
    process.kill();
    while let Some((_, line)) = ears.hear(Duration::ZERO) {
        heard.take(&line);
    }
}

impl Heard {
    fn take(&mut self, line: &str) {
        match line.split_once(' ') {
            Some(("issued", id)) => self.issued.insert(id.to_owned()),
            Some(("signed", serial)) => self.signed.insert(serial.to_owned()),
            // What was being written when the process was killed.
            _ => false,
        };
    }
}

async fn look(path: &Path, heard: &Heard, kill: usize) {
    let store =
        SqliteStore::open(path).unwrap_or_else(|error| panic!("after kill {kill} the file does not open: {error}"));
    let keys: Vec<Key> = heard.issued.iter().map(|id| Key::new("certificate", id)).collect();
    for keys in keys.chunks(MAX_SCAN_LIMIT) {
        for (key, found) in keys.iter().zip(store.get(keys).await.unwrap()) {
            assert!(found.is_some(), "after kill {kill} {key} is lost, whose issue was answered");
        }
    }
    for serial in &heard.signed {
        let mut scan = Scan::new(Over::Kind("serial".into()), 1);
        (scan.from, scan.to) = (Some(format!("{serial}/")), Some(format!("{serial}0")));
        assert_eq!(
            store.scan(&scan).await.unwrap().len(),
            1,
            "after kill {kill} nobody knows {serial}, which was signed"
        );
    }
    if kill.is_multiple_of(10) {
        assert_eq!(integrity(path), "ok", "after kill {kill}");
    }
}

fn integrity(path: &Path) -> String {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap()
}

/// What was cut off is taken up when it is due, and then nothing is missing.
async fn complete(orders: &Orders, path: &Path, heard: &Heard) {
    let store = Arc::new(SqliteStore::open(path).unwrap());
    let clock = Arc::new(ManualClock::new(SystemClock.now() + time::Duration::hours(2)));
    let engine = orders.builder(Arc::clone(&store), false).clock(Arc::clone(&clock)).build().await.unwrap();
    let mut resumed = 0;
    loop {
        let report = engine.run_due(MAX_SCAN_LIMIT).await.unwrap();
        resumed += report.issued;
        if report.total() == 0 {
            break;
        }
    }
    println!("  {resumed} requests had been cut off between record and signature");
    audit::nothing_is_lost(&engine, &store, &heard.signed).await;
    assert_eq!(integrity(path), "ok");
}
