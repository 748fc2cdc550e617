//! One store with so many certificates in it: filled, measured, thrown away.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chancery::clock::ManualClock;
use serde::{Deserialize, Serialize};

use crate::claims;
use crate::fleet::{self, ARRIVAL, Fleet, START};
use crate::operations::{self, Operation};
use crate::place::Place;

/// What was measured of one store at one size.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) store: String,
    pub(crate) certificates: usize,
    /// How long it took to fill the store.
    pub(crate) filled: Duration,
    /// What each operation costs.
    pub(crate) costs: Vec<(Operation, Duration)>,
    pub(crate) bytes: u64,
    pub(crate) memory: Memory,
    pub(crate) claims: claims::Claims,
}

/// What the system says of this process, in KiB.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// Resident, with what is mapped of files.
    pub(crate) resident: u64,
    /// Resident and not mapped from a file.
    pub(crate) own: u64,
}

/// Fills a store and measures.
pub(crate) fn measure(place: Place, certificates: usize) -> Measured {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let site = place.found();
        let (store, clock) = (site.open().await, Arc::new(ManualClock::new(START)));
        let begun = Instant::now();
        let some = fleet::fill(&store, &clock, (certificates, ARRIVAL)).await;
        let filled = begun.elapsed();
        let bytes = site.bytes();
        let fleet = Fleet::open(Arc::clone(&store), &clock).await;
        let costs = operations::all(&fleet, &store, &some).await;
        let memory = memory();
        let claims = claims::lost(&place.found(), certificates).await;
        let store = place.name().to_owned();
        Measured { store, certificates, filled, costs, bytes, memory, claims }
    })
}

fn memory() -> Memory {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let number = |line: &str| line.split_whitespace().next().and_then(|word| word.parse().ok());
    let field = |name: &str| status.lines().find_map(|line| number(line.strip_prefix(name)?)).unwrap_or_default();
    Memory { resident: field("VmRSS:"), own: field("RssAnon:") }
}
