//! The writer: one task that takes all waiting changes into one transaction and answers them after its commit.

use std::sync::Arc;

use futures_channel::oneshot;
use tokio::sync::mpsc::UnboundedReceiver;

use super::super::{Batch, Claim, Hit, StoreError, Version, Write};
use super::Inner;
use super::failure::{Failure, Turns};
use super::transaction::{Outcome, Room, Work};

/// Most changes that one transaction takes, so that a full queue still gets answers. No more than the sequence of versions
/// gives at once.
const MAX_GROUP: usize = 256;
/// How many writes a group may have before it takes no further change.
const MAX_GROUP_WRITES: usize = 2000;
/// How many bytes a group may have before it takes no further change.
const MAX_GROUP_BYTES: usize = 8 * 1024 * 1024;

/// A change, and who waits for its outcome.
#[derive(Debug)]
pub(super) enum Job {
    /// Apply a batch.
    Commit { batch: Batch, answer: oneshot::Sender<Result<Version, StoreError>> },
    /// Take what waits.
    Claim { claim: Claim, answer: oneshot::Sender<Result<Vec<Hit>, StoreError>> },
}

impl Job {
    /// Whether nobody waits for it. One that was not begun need not be.
    fn is_abandoned(&self) -> bool {
        match self {
            Self::Commit { answer, .. } => answer.is_canceled(),
            Self::Claim { answer, .. } => answer.is_canceled(),
        }
    }

    fn weight(&self) -> (usize, usize) {
        let Self::Commit { batch, .. } = self else { return (1, 0) };
        let body = |write: &Write| if let Write::Put { body, .. } = write { body.len() } else { 0 };
        (batch.writes.len(), batch.writes.iter().map(body).sum())
    }

    fn refuse(self, error: &StoreError) {
        // Whoever stopped listening does not mind.
        match self {
            Self::Commit { answer, .. } => drop(answer.send(Err(error.clone()))),
            Self::Claim { answer, .. } => drop(answer.send(Err(error.clone()))),
        }
    }
}

/// Works until the store is dropped and nothing is left to do.
pub(super) async fn run(inner: Arc<Inner>, mut jobs: UnboundedReceiver<Job>) {
    let mut left_over = None;
    loop {
        let job = match left_over.take() {
            Some(job) => job,
            None => match jobs.recv().await {
                Some(job) => job,
                None => return,
            },
        };
        let (group, rest) = gather(job, &mut jobs);
        left_over = rest;
        if !group.is_empty() {
            let done = transact(&inner, &group).await;
            inner.counts.add_transaction(group.len());
            answer(group, done);
        }
    }
}

/// The jobs that share a transaction, and one that was taken from the queue but has no room in it.
fn gather(first: Job, jobs: &mut UnboundedReceiver<Job>) -> (Vec<Job>, Option<Job>) {
    let (mut group, mut writes, mut bytes) = (Vec::new(), 0, 0);
    let mut next = Some(first);
    while let Some(job) = next.take() {
        let (more_writes, more_bytes) = job.weight();
        let is_full =
            group.len() == MAX_GROUP || writes + more_writes > MAX_GROUP_WRITES || bytes + more_bytes > MAX_GROUP_BYTES;
        if is_full && !group.is_empty() {
            return (group, Some(job));
        }
        if !job.is_abandoned() {
            (writes, bytes) = (writes + more_writes, bytes + more_bytes);
            group.push(job);
        }
        next = jobs.try_recv().ok();
    }
    (group, None)
}

/// Tries until it is done, or can not be: nothing was written by an attempt that is followed by another.
async fn transact(inner: &Inner, group: &[Job]) -> Result<Outcome, StoreError> {
    let mut work = Work::default();
    for job in group {
        match job {
            Job::Commit { batch, .. } => work.batches.push(batch),
            Job::Claim { claim, .. } => work.claims.push(claim),
        }
    }
    let room = Room { connections: &inner.connections, names: &inner.names, begin: inner.begin };
    let mut turns = Turns::default();
    loop {
        match room.transact(&work).await {
            Ok(outcome) => return Ok(outcome),
            Err(failure) => {
                if matches!(failure, Failure::Again(_)) {
                    inner.counts.add_retry();
                }
                turns.wait(failure).await?;
            }
        }
    }
}

fn answer(group: Vec<Job>, done: Result<Outcome, StoreError>) {
    let outcome = match done {
        Ok(outcome) => outcome,
        Err(error) => return group.into_iter().for_each(|job| job.refuse(&error)),
    };
    let (mut batches, mut claims) = (outcome.batches.into_iter(), outcome.claims.into_iter());
    for job in group {
        // Whoever stopped listening does not mind.
        match job {
            Job::Commit { answer, .. } => drop(batches.next().map(|outcome| answer.send(outcome))),
            Job::Claim { answer, .. } => drop(claims.next().map(|hits| answer.send(Ok(hits)))),
        }
    }
}
