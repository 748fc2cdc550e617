//! How a simulated world ended.

use std::fmt;

/// A breach of an invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The world's seed.
    pub seed: u64,
    /// What was broken.
    pub breach: String,
    /// What led to it: the last lines of the story, with virtual times.
    pub story: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}: {}", self.seed, self.breach)?;
        self.story.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

impl std::error::Error for Failure {}

/// What happened in a world that kept every invariant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Certificates that were issued, renewals included.
    pub issued: usize,
    /// Certificates that replaced others.
    pub renewed: usize,
    /// Certificates that were revoked.
    pub revoked: usize,
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
        self.renewed += other.renewed;
        self.revoked += other.revoked;
        self.crashes += other.crashes;
        self.events += other.events;
        self.steps += other.steps;
    }
}
