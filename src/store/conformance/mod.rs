//! The store port's conformance kit: one named check for each promise of the contract, for any implementation.
//!
//! A third party that writes a [`Store`] runs [`run`] in its own tests, under its own runtime:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! use chancery::store::{MemoryStore, conformance};
//!
//! conformance::run(async || MemoryStore::new()).await.assert_passed();
//! # }
//! ```
//!
//! A store that keeps its data elsewhere runs [`run_durable`] instead, shows that it survives [kills](killed), and is fed by a
//! fuzzer through [`differential`].

use super::Store;
use super::sequence::Sequence;
use check::{Check, Seen};

pub use differential::differential;
pub use report::{Finding, Report};

mod atomicity;
mod cancellation;
mod check;
mod claims;
mod differential;
mod entries;
mod expectations;
mod handles;
mod isolation;
pub mod killed;
mod leases;
mod paging;
mod preparation;
mod report;
mod scans;
mod sizes;
mod versions;

#[cfg(test)]
mod broken;

/// The seeds of the differential check: any would do, these are the ones that a failure can be repeated with.
const SEEDS: std::ops::Range<u64> = 0..12;
const OCTETS_PER_SEED: usize = 2500;

/// Runs every check that one handle is enough for. `open` makes a fresh and empty store, once for each check.
pub async fn run<S: Store>(open: impl AsyncFn() -> S) -> Report {
    run_each(&async || (), &async |(): &()| open().await).await
}

/// Runs every check of [`run`], and those that need several handles on the same data.
///
/// `create` makes a fresh and empty place for data (a directory, a database), once for each check; `open` opens a
/// store on it, also while another is open. A place is dropped after the stores on it.
pub async fn run_durable<P, S: Store>(create: impl AsyncFn() -> P, open: impl AsyncFn(&P) -> S) -> Report {
    let mut report = run_each(&create, &open).await;
    handles::run(&create, &open, &mut report).await;
    report
}

async fn run_each<P, S: Store>(create: &impl AsyncFn() -> P, open: &impl AsyncFn(&P) -> S) -> Report {
    let mut report = Report::default();
    for check in all() {
        let place = create().await;
        let store = open(&place).await;
        report.add(check.clause, check.name, (check.run)(&store).await);
    }
    for seed in SEEDS {
        let place = create().await;
        let store = open(&place).await;
        let octets = Sequence::new(seed).octets(OCTETS_PER_SEED);
        let outcome = differential(&octets, &store).await;
        report.add("Model", &format!("agrees_with_the_memory_store_on_seed_{seed}"), outcome.map_err(Seen));
    }
    report
}

fn all() -> impl Iterator<Item = &'static Check> {
    [
        preparation::CHECKS,
        atomicity::CHECKS,
        expectations::CHECKS,
        versions::CHECKS,
        isolation::CHECKS,
        entries::CHECKS,
        scans::CHECKS,
        paging::CHECKS,
        claims::CHECKS,
        leases::CHECKS,
        cancellation::CHECKS,
        sizes::CHECKS,
    ]
    .into_iter()
    .flatten()
}
