//! The writer thread: takes all waiting batches into one transaction and answers them after its one fsync.

use std::sync::mpsc::Receiver;

use futures_channel::oneshot::Sender;
use rusqlite::Connection;

use super::super::{Batch, Schema, StoreError, Version, Write};
use super::Counts;
use super::failure::Failure;
use super::tables::Tables;
use super::views;

/// Most batches that one transaction takes, so that a full queue still gets answers.
const MAX_GROUP: usize = 256;

/// Work for the writer.
pub(super) enum Job {
    /// Apply a batch.
    Commit { batch: Batch, answer: Answer },
    /// Make the file ready for a schema.
    Prepare { schema: Schema, answer: Sender<Result<(), StoreError>> },
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

type Answer = Sender<Result<Version, StoreError>>;

/// The batches of one transaction. What they hear is held back until what it was judged against is durable.
#[derive(Default)]
struct Group {
    answers: Vec<Answer>,
    outcomes: Vec<Result<Version, StoreError>>,
    left_over: Option<Job>,
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
            Job::Commit { .. } => {
                let mut group = Group { left_over: Some(job), ..Group::default() };
                let result = self.transact(&mut group);
                self.conclude(group, result)
            }
        }
    }

    fn transact(&mut self, group: &mut Group) -> Result<(), Failure> {
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let before = self.tables.last_version()?;
        let mut last = before;
        while let Some((batch, answer)) = self.next(group) {
            group.answers.push(answer);
            group.outcomes.push(self.judge_and_apply(&batch, &mut last)?);
        }
        if last != before {
            self.tables.set_last_version(last)?;
        }
        self.connection.execute_batch("COMMIT").map_err(Failure::at_commit)
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

    /// The next batch for the group, if one is waiting. What else is waiting stays behind as left over.
    fn next(&self, group: &mut Group) -> Option<(Batch, Answer)> {
        if group.answers.len() == MAX_GROUP {
            return None;
        }
        match group.left_over.take().or_else(|| self.jobs.try_recv().ok())? {
            Job::Commit { batch, answer } => Some((batch, answer)),
            job @ Job::Prepare { .. } => {
                group.left_over = Some(job);
                None
            }
        }
    }

    fn conclude(&mut self, mut group: Group, result: Result<(), Failure>) -> Option<Job> {
        if let Err(failure) = result {
            self.roll_back();
            self.refuse(&mut group, &failure.into_error());
        }
        self.counts.add_transaction(group.answers.len());
        for (answer, outcome) in group.answers.into_iter().zip(group.outcomes) {
            // Whoever stopped listening does not mind.
            let _ = answer.send(outcome);
        }
        group.left_over
    }

    /// Tells the whole group the same. If not even one batch could be begun, the waiting ones need not try in turn.
    fn refuse(&self, group: &mut Group, error: &StoreError) {
        if group.answers.is_empty() {
            while let Some((_, answer)) = self.next(group) {
                group.answers.push(answer);
            }
        }
        group.outcomes = vec![Err(error.clone()); group.answers.len()];
    }

    fn roll_back(&mut self) {
        self.tables.forget_names();
        if !self.connection.is_autocommit() {
            // If even this fails, the next `BEGIN` does too, and says why.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }
}
