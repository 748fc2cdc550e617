//! The writer thread: takes all waiting changes into one transaction and answers them after its one fsync.

use std::sync::mpsc::Receiver;

use futures_channel::oneshot::Sender;
use rusqlite::Connection;

use super::super::{Batch, Claim, Hit, Schema, StoreError, Version, Write};
use super::Counts;
use super::failure::Failure;
use super::tables::Tables;
use super::views;

/// Most changes that one transaction takes, so that a full queue still gets answers.
const MAX_GROUP: usize = 256;

/// Work for the writer.
pub(super) enum Job {
    /// Change documents, in one transaction with others.
    Change(Change),
    /// Make the file ready for a schema.
    Prepare { schema: Schema, answer: Sender<Result<(), StoreError>> },
}

/// What shares a transaction.
pub(super) enum Change {
    /// Apply a batch.
    Commit { batch: Batch, answer: Sender<Result<Version, StoreError>> },
    /// Take what waits.
    Claim { claim: Claim, answer: Sender<Result<Vec<Hit>, StoreError>> },
}

/// Works until the store is dropped and nothing is left to do.
pub(super) fn run(connection: &Connection, jobs: &Receiver<Job>, counts: &Counts) {
    // Opening the store prepared the same statements with success.
    let Ok(tables) = Tables::new(connection) else { return };
    let mut writer = Writer { connection, tables, jobs, counts };
    let mut left_over = None;
    while let Some(job) = left_over.take().or_else(|| jobs.recv().ok()) {
        left_over = writer.work(job);
    }
}

struct Writer<'w> {
    connection: &'w Connection,
    tables: Tables<'w>,
    jobs: &'w Receiver<Job>,
    counts: &'w Counts,
}

/// An outcome, and who waits for it.
enum Answer {
    Commit(Sender<Result<Version, StoreError>>, Result<Version, StoreError>),
    Claim(Sender<Result<Vec<Hit>, StoreError>>, Result<Vec<Hit>, StoreError>),
}

impl Answer {
    fn send(self) {
        // Whoever stopped listening does not mind.
        match self {
            Self::Commit(to, outcome) => drop(to.send(outcome)),
            Self::Claim(to, outcome) => drop(to.send(outcome)),
        }
    }

    fn refuse(&mut self, error: &StoreError) {
        match self {
            Self::Commit(_, outcome) => *outcome = Err(error.clone()),
            Self::Claim(_, outcome) => *outcome = Err(error.clone()),
        }
    }
}

/// The changes of one transaction. What they hear is held back until what it was judged against is durable.
#[derive(Default)]
struct Group {
    answers: Vec<Answer>,
    left_over: Option<Job>,
}

impl Group {
    /// Holds an answer back. What failed fails the whole group.
    fn hold<T>(
        &mut self,
        worked: Result<Result<T, StoreError>, Failure>,
        answer: impl FnOnce(Result<T, StoreError>) -> Answer,
    ) -> Result<(), StoreError> {
        let (outcome, failed) = match worked.map_err(Failure::into_error) {
            Ok(outcome) => (outcome, Ok(())),
            Err(error) => (Err(error.clone()), Err(error)),
        };
        self.answers.push(answer(outcome));
        failed
    }
}

impl Writer<'_> {
    /// Does a job, with as many of the waiting ones as belong to it. Gives back one that was taken but not done.
    fn work(&mut self, job: Job) -> Option<Job> {
        match job {
            Job::Prepare { schema, answer } => {
                // Whoever stopped listening does not mind.
                let _ = answer.send(views::prepare(self.connection, &schema).map_err(Failure::into_error));
                None
            }
            Job::Change(_) => {
                let mut group = Group { left_over: Some(job), ..Group::default() };
                let result = self.transact(&mut group);
                self.conclude(group, result)
            }
        }
    }

    fn transact(&mut self, group: &mut Group) -> Result<(), StoreError> {
        let before = self.begin().map_err(Failure::into_error)?;
        let mut last = before;
        while let Some(change) = self.next(group) {
            match change {
                Change::Commit { batch, answer } => {
                    let applied = self.judge_and_apply(&batch, &mut last);
                    group.hold(applied, |outcome| Answer::Commit(answer, outcome))?;
                }
                Change::Claim { claim, answer } => {
                    let taken = self.take(&claim, &mut last);
                    group.hold(taken.map(Ok), |outcome| Answer::Claim(answer, outcome))?;
                }
            }
        }
        self.commit(before, last).map_err(Failure::into_error)
    }

    fn begin(&mut self) -> Result<Version, Failure> {
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        self.tables.last_version()
    }

    fn commit(&mut self, before: Version, last: Version) -> Result<(), Failure> {
        if last != before {
            self.tables.set_last_version(last)?;
        }
        self.connection.execute_batch("COMMIT").map_err(Failure::at_commit)
    }

    fn take(&mut self, claim: &Claim, last: &mut Version) -> Result<Vec<Hit>, Failure> {
        let version = Version(last.0 + 1);
        let hits = self.tables.claim(claim, version)?;
        if !hits.is_empty() {
            *last = version;
        }
        Ok(hits)
    }

    fn judge_and_apply(&mut self, batch: &Batch, last: &mut Version) -> Result<Result<Version, StoreError>, Failure> {
        let writes = batch.writes.iter().any(|write| !matches!(write, Write::Check { .. }));
        let version = if writes { Version(last.0 + 1) } else { *last };
        match self.tables.apply(batch, version)? {
            Ok(()) => {
                *last = version;
                Ok(Ok(version))
            }
            Err(key) => Ok(Err(StoreError::Conflict { key })),
        }
    }

    /// The next change for the group, if one is waiting. What else is waiting stays behind as left over.
    fn next(&self, group: &mut Group) -> Option<Change> {
        if group.answers.len() == MAX_GROUP {
            return None;
        }
        match group.left_over.take().or_else(|| self.jobs.try_recv().ok())? {
            Job::Change(change) => Some(change),
            job @ Job::Prepare { .. } => {
                group.left_over = Some(job);
                None
            }
        }
    }

    fn conclude(&mut self, mut group: Group, result: Result<(), StoreError>) -> Option<Job> {
        if let Err(error) = result {
            self.roll_back();
            self.refuse(&mut group, &error);
        }
        self.counts.add_transaction(group.answers.len());
        group.answers.into_iter().for_each(Answer::send);
        group.left_over
    }

    /// Tells the whole group the same. If not even one batch could be begun, the waiting ones need not try in turn.
    fn refuse(&self, group: &mut Group, error: &StoreError) {
        if group.answers.is_empty() {
            while let Some(change) = self.next(group) {
                group.answers.push(match change {
                    Change::Commit { answer, .. } => Answer::Commit(answer, Err(error.clone())),
                    Change::Claim { answer, .. } => Answer::Claim(answer, Err(error.clone())),
                });
            }
        }
        group.answers.iter_mut().for_each(|answer| answer.refuse(error));
    }

    fn roll_back(&mut self) {
        self.tables.forget_names();
        if !self.connection.is_autocommit() {
            // If even this fails, the next `BEGIN` does too, and says why.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }
}
