//! Workers who share what is due: how much of it they lose to each other.

use std::sync::Arc;

use chancery::clock::ManualClock;
use chancery::engine::DueReport;
use serde::{Deserialize, Serialize};

use crate::fleet::{Fleet, START, fill};
use crate::place::Site;

const WORKERS: usize = 8;
/// How many renewals they share at most.
const DUE: usize = 4000;

/// What became of the items that workers took.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) renewed: usize,
    pub(crate) lost: usize,
}

impl Claims {
    /// The share of what was lost to conflicts.
    pub(crate) fn lost_share(&self) -> f64 {
        self.lost as f64 / (self.renewed + self.lost).max(1) as f64
    }
}

/// Lets eight nodes renew what is due, each over a store of its own making.
pub(crate) async fn lost(site: &Site, certificates: usize) -> Claims {
    let clock = Arc::new(ManualClock::new(START));
    let due = certificates.min(DUE);
    fill(&site.open().await, &clock, (due, time::Duration::DAY)).await;
    // All are due, and none has ended.
    clock.advance(time::Duration::days(39));
    let mut workers = Vec::new();
    for _ in 0..WORKERS {
        let fleet = Fleet::open(site.open().await, &clock).await;
        workers.push(tokio::spawn(work(fleet)));
    }
    let mut claims = Claims::default();
    for worker in workers {
        let did = worker.await.unwrap();
        claims.renewed += did.renewed;
        claims.lost += did.lost;
    }
    assert_eq!(claims.renewed, due, "each once");
    claims
}

async fn work(fleet: Fleet) -> Claims {
    let mut claims = Claims::default();
    loop {
        let DueReport { renewed, taken_by_others, .. } = fleet.engine.run_due(100).await.unwrap();
        claims.renewed += renewed;
        claims.lost += taken_by_others;
        if renewed == 0 {
            return claims;
        }
    }
}
