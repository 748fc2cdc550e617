//! How a simulated world ended: what broke, with the story of it, or what happened in it.

use std::fmt;

/// What a simulated world holds its engines to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Invariant {
    /// The world can be set up, and nothing hangs when nothing goes wrong. A breach of it may be the store's.
    Course,
    /// A serial number is recorded before a key outside the process signs it, once; and whatever was signed is in the
    /// inventory in the end, or in a request that says why not.
    Serials,
    /// What a caller was told is so, and stays so.
    Promises,
    /// Every certificate fits the revision of the policy that is said to have permitted it.
    Policy,
    /// What needed people's consent was issued with it, and says what they saw.
    Approval,
    /// A certificate has one successor at most, which stays; and one renewal is open at most in a lineage.
    Succession,
    /// No certificate is renewed before the floor of its age.
    Age,
    /// A revoked certificate is never valid again, unless it was on hold.
    Revocation,
    /// The numbers of revocation lists only grow, and the last list names exactly what is revoked.
    RevocationList,
    /// Every event is written once and sealed once, in blocks without gaps; the audit chain verifies.
    Trail,
    /// What an alert is about is told at least once, always under the same id; what is said to be told was.
    Alerts,
    /// A target holds the newest valid certificate of each lineage that its sync selects, and nothing else.
    Syncs,
    /// Every request comes to an end, or waits for people.
    Requests,
    /// An order of ACME has one certificate at most, for what was ordered, and no certificate comes by ACME without one.
    Orders,
    /// Nothing expires that could have been renewed.
    Renewal,
}

/// A breach of an invariant, as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Breach {
    pub(super) invariant: Invariant,
    pub(super) what: String,
}

pub(super) type Verdict = Result<(), Breach>;

impl Invariant {
    /// Holds, or is broken by what is told.
    pub(super) fn holds(self, holds: bool, what: impl FnOnce() -> String) -> Verdict {
        if holds { Ok(()) } else { Err(self.broken(what())) }
    }

    pub(super) fn broken(self, what: impl fmt::Display) -> Breach {
        Breach { invariant: self, what: what.to_string() }
    }
}

/// A breach of an invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The world's seed.
    pub seed: u64,
    /// What was broken.
    pub invariant: Invariant,
    /// How.
    pub breach: String,
    /// What led to it: the last lines of the story, with virtual times.
    pub story: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {} breaks {:?}: {}", self.seed, self.invariant, self.breach)?;
        self.story.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

impl std::error::Error for Failure {}

/// What happened in a world that kept every invariant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Certificates that were issued and not removed since, renewals included.
    pub issued: usize,
    /// Those that clients ordered by ACME, also if they are long over and removed.
    pub ordered: usize,
    /// Certificates that replaced others.
    pub renewed: usize,
    /// Certificates that are revoked, or on hold.
    pub revoked: usize,
    /// Certificates that people agreed to.
    pub approved: usize,
    /// Messages that arrived, repetitions included.
    pub told: usize,
    /// Changes at the target.
    pub deployed: usize,
    /// Nodes that crashed.
    pub crashes: usize,
    /// Events in the trail.
    pub events: usize,
    /// Scheduler steps.
    pub steps: u64,
}

impl std::ops::AddAssign for Summary {
    fn add_assign(&mut self, other: Self) {
        self.issued += other.issued;
        self.ordered += other.ordered;
        self.renewed += other.renewed;
        self.revoked += other.revoked;
        self.approved += other.approved;
        self.told += other.told;
        self.deployed += other.deployed;
        self.crashes += other.crashes;
        self.events += other.events;
        self.steps += other.steps;
    }
}
