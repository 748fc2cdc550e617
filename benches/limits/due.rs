//! Due work among much that is stored: its cost is to follow what is due.

use std::hint::black_box;
use std::time::{Duration, Instant};

use chancery::clock::Clock;
use chancery::domain::{Eligibility, IssuerStanding, Renewing, Surroundings, eligibility};
use chancery::store::sqlite::SqliteStore;
use chancery::store::{Batch, Expect, MemoryStore, Store};
use time::format_description::well_known::Rfc3339;

use crate::bench::{Bench, ROUNDS, median, renewal, row};
use crate::recorder::{Put, Recorder};

/// How often the due work of an hour is measured.
const HOURS: i64 = 9;
/// What is due in each.
const DUE: usize = 100;
const FEW: usize = 10_000;

/// Whether a certificate may be renewed.
pub(crate) async fn eligible(bench: &Bench) {
    let record = bench.renewing("eligible.example.com").await;
    let setting = renewal();
    let (attachment, now) = (bench.application.attachments.first(), bench.clock.now() + time::Duration::days(33));
    let surroundings = Surroundings { attachment, issuer: IssuerStanding::Active };
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..1000 {
            let renewing = Renewing::ByItself(setting.setting());
            let judged = eligibility(black_box(&record), black_box(surroundings), renewing, black_box(now));
            assert_eq!(black_box(judged), Eligibility::Eligible);
        }
        times.push(start.elapsed() / 1000);
    }
    row("eligibility of a certificate for renewal", median(times), ("200 ns", Duration::from_nanos(200)), 1.0);
}

/// 100 renewals that are due, among few certificates and among many.
pub(crate) async fn among(many: usize) {
    let name = |store: &str| format!("{DUE} due among {many}, {store}");
    let limit = |store: &str| format!("among {FEW}, {store}");
    let memory = [Fleet::new(MemoryStore::new(), many).await, Fleet::new(MemoryStore::new(), FEW).await];
    let [ours, few] = compare(memory).await;
    row(&name("memory"), ours, (&limit("memory"), few), 1.0 / 1.5);
    let folder = tempfile::tempdir_in(".").unwrap();
    let sqlite = |file: &str| SqliteStore::open(folder.path().join(file)).unwrap();
    let sqlite = [Fleet::new(sqlite("many.db"), many).await, Fleet::new(sqlite("few.db"), FEW).await];
    let [ours, few] = compare(sqlite).await;
    row(&name("SQLite"), ours, (&limit("SQLite"), few), 1.0 / 1.5);
}

async fn compare(fleets: [Fleet; 2]) -> [Duration; 2] {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..HOURS {
        for (fleet, times) in fleets.iter().zip(&mut times) {
            times.push(fleet.hour().await);
        }
    }
    times.map(median)
}

/// An engine over a store that holds many certificates, of which 100 are due in each hour to come.
struct Fleet {
    bench: Bench,
}

impl Fleet {
    async fn new(store: impl Store, stored: usize) -> Self {
        let store = Recorder::new(store);
        let bench = Bench::new(store.clone()).await;
        for at in 0..DUE * HOURS as usize {
            bench.renewing(&format!("due-{at}.example.com")).await;
        }
        let due = store.take();
        bench.clock.advance(time::Duration::days(40));
        let record = bench.renewing("host-0000000.example.com").await;
        let written = store.take();
        let (id, serial) = (record.id.to_string(), record.serial.to_string());
        let copies = (0..stored).flat_map(|at| {
            let other_id = format!("{}{at:016}", &id[..id.len() - 16]);
            let other_serial = format!("{}{at:016}", &serial[..serial.len() - 16]);
            let (name, print) = (format!("host-{at:07}"), format!("{at:064}"));
            let words = [
                (id.as_str(), other_id.as_str()),
                (&serial, &other_serial),
                ("host-0000000", &name),
                (&record.fingerprint, &print),
            ];
            written.iter().map(|put| put.with(&words)).collect::<Vec<_>>()
        });
        store.write(copies).await;
        spread_hours(&store, &due, &bench).await;
        bench.rest().await;
        Self { bench }
    }

    /// Lets an hour pass and does what is due then.
    async fn hour(&self) -> Duration {
        self.bench.clock.advance(time::Duration::HOUR);
        let start = Instant::now();
        let report = self.bench.engine.run_due(2 * DUE).await.unwrap();
        let took = start.elapsed();
        assert_eq!(report.renewed, DUE, "{report:?}");
        self.bench.rest().await;
        took
    }
}

/// Lets the plans be due in the hours to come, 100 in each.
async fn spread_hours(store: &Recorder, due: &[Put], bench: &Bench) {
    let plans: Vec<&Put> = due.iter().filter(|put| put.key.kind == "renewal").collect();
    for (hour, some) in plans.chunks(DUE).enumerate() {
        let at = bench.clock.now() + time::Duration::minutes(30 + 60 * hour as i64);
        let at = at.format(&Rfc3339).unwrap();
        let mut batch = Batch::new();
        for put in some {
            let version = store.get(std::slice::from_ref(&put.key)).await.unwrap()[0].as_ref().unwrap().version;
            let body: serde_json::Value = serde_json::from_str(&put.body).unwrap();
            let planned = body["state"]["due_at"].as_str().unwrap();
            batch.push(put.with(&[(planned, &at)]).write(Expect::Version(version)));
        }
        store.commit(batch).await.unwrap();
    }
}
