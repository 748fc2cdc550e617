//! A simulated world: several engines over one store, in which time is virtual and things go wrong.
//!
//! Everything that happens follows from a seed: which act goes on at each await, how long calls take, which fail, which do
//! their work and lose the answer, and when a node crashes. After every commit the invariants are judged. A world that
//! breaks one tells its seed and its story, and the same seed tells the same story again.
//!
//! ```
//! use chancery::simulation::Simulation;
//! use chancery::store::MemoryStore;
//!
//! let summary = Simulation::new(7).moves(40).run(MemoryStore::new())?;
//! assert!(summary.issued > 0);
//! # Ok::<_, chancery::simulation::Failure>(())
//! ```
//!
//! A host runs its own store in it: see [`Simulation::run`]. What is held to is listed in [`Invariant`]. In the world there are
//! two issuers, one with a signer that is elsewhere and one with a key in the process; an Application with two profiles whose
//! certificates renew by themselves; names that need consent; alerts, and a target. Callers ask with managed keys and with
//! certificate requests, agree and refuse, renew, revoke, hold and release, tag, and change policies, profiles, attachments,
//! members and renewal settings; clients order by ACME, prove and finalize, at several nodes at once; incidents are opened; somebody meddles with the target; the signer goes away; time leaps.

mod changes;
mod clients;
mod failure;
mod model;
mod moves;
mod notifier;
mod office;
mod scheduler;
mod signer;
mod stage;
mod store;
mod target;
mod verifier;
mod world;

use std::sync::Arc;

pub use failure::{Failure, Invariant, Summary};
use time::OffsetDateTime;
use time::macros::datetime;
use world::World;

use crate::store::Store;

/// When every simulated world begins.
const START: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

/// A world to be simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Simulation {
    seed: u64,
    engines: usize,
    moves: usize,
    rates: Rates,
    sabotage: Option<Sabotage>,
}

/// How often things go wrong: one in so many times; 0 is never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Calls of the store.
    pub store: u64,
    /// Calls of a signer.
    pub signer: u64,
    /// Calls of a target.
    pub target: u64,
    /// Calls of a notifier.
    pub notifier: u64,
    /// Calls of a challenge verifier.
    pub verifier: u64,
    /// Calls that take up to two minutes.
    pub stall: u64,
    /// Steps at which a node crashes.
    pub crash: u64,
}

impl Default for Rates {
    fn default() -> Self {
        Self { store: 40, signer: 6, target: 6, notifier: 6, verifier: 6, stall: 30, crash: 150 }
    }
}

/// A rule that the world breaks on purpose, to show that it would be noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sabotage {
    /// The store writes whatever version a document has: no check, no fencing.
    VersionsIgnored,
    /// The store acknowledges commits that it does not make.
    CommitsForgotten,
    /// The store loses entries of the index of due times.
    DueForgotten,
    /// The notifier says that it delivered what it dropped.
    MessagesDropped,
    /// The target says that it removed what it keeps.
    WithdrawalsForgotten,
}

impl Simulation {
    /// A world of three engines and 60 moves in which things go wrong as usual.
    pub fn new(seed: u64) -> Self {
        Self { seed, engines: 3, moves: 60, rates: Rates::default(), sabotage: None }
    }

    /// How many engines share the store, at least 1.
    #[must_use]
    pub fn engines(self, engines: usize) -> Self {
        Self { engines: engines.max(1), ..self }
    }

    /// How many moves callers, fate and time make before things stop going wrong.
    #[must_use]
    pub fn moves(self, moves: usize) -> Self {
        Self { moves, ..self }
    }

    /// How often things go wrong.
    #[must_use]
    pub fn rates(self, rates: Rates) -> Self {
        Self { rates, ..self }
    }

    /// Breaks a rule on purpose.
    #[must_use]
    pub fn sabotage(self, sabotage: Sabotage) -> Self {
        Self { sabotage: Some(sabotage), ..self }
    }

    /// Lets the world run its course over an empty `store`. Blocks the thread; calls of the store may take real time,
    /// and then the story also depends on them.
    ///
    /// # Errors
    /// The first breach of an invariant, with the seed and what led to it.
    pub fn run(self, store: impl Store) -> Result<Summary, Failure> {
        World::new(self, Arc::new(store)).run()
    }
}
