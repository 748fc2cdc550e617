//! The durable store in PostgreSQL: many nodes, one database.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures_channel::oneshot;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::{Batch, Claim, Document, Hit, Key, Scan, Schema, Store, StoreError, Version};
use connections::Connections;
use names::Names;
use url::Address;
use writer::Job;

mod claims;
mod connections;
mod failure;
mod judge;
mod layout;
mod names;
mod options;
mod reader;
mod steps;
mod text;
mod tls;
mod transaction;
mod url;
mod views;
mod writer;

pub use options::{Isolation, PostgresOptions};

/// Keeps documents in a PostgreSQL database, for as many nodes as there are.
///
/// Clones share the connections. The store works in the tokio runtime in which it was connected; its calls may come from
/// any executor.
///
/// One task of each store takes every batch and claim that is waiting into one transaction of two round trips, judges each
/// on its own, and answers them all after one commit. A batch that loses with [`StoreError::Conflict`] does not disturb
/// its neighbours. Reads are one statement each, on a connection of the pool. A connection that breaks is replaced.
///
/// How to run it, what it relies on and what the tables look like: [PostgreSQL](crate::manual::postgres).
#[derive(Clone)]
pub struct PostgresStore {
    inner: Arc<Inner>,
    jobs: UnboundedSender<Job>,
    runtime: Handle,
}

/// How much work a [`PostgresStore`] and its clones have done since it was connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Batches and claims that were answered, conflicts included.
    pub batches: u64,
    /// Transactions that they took: each costs one commit, those that had to be tried again counted once.
    pub transactions: u64,
    /// How often a transaction had to be tried again, after contention or a broken connection.
    pub retries: u64,
}

impl PostgresStore {
    /// Connects to the database at `url` with [`PostgresOptions::new`]. See [`PostgresOptions::connect`].
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        PostgresOptions::new().connect(url).await
    }

    /// How much work was done since the store was connected.
    pub fn statistics(&self) -> Statistics {
        self.inner.counts.read()
    }

    async fn start(address: Address, options: &PostgresOptions) -> Result<Self, StoreError> {
        let runtime = Handle::try_current().map_err(|error| StoreError::Unavailable { reason: error.to_string() })?;
        let connections = Connections::new(address, options)?;
        layout::bring_up_to_date(&connections, &options.schema).await?;
        let begin = match options.isolation {
            Isolation::Locks => "BEGIN ISOLATION LEVEL READ COMMITTED",
            Isolation::Serializable => "BEGIN ISOLATION LEVEL SERIALIZABLE",
        };
        let inner = Inner { connections, names: Names::default(), begin, counts: Counts::default() };
        let inner = Arc::new(inner);
        let (jobs, waiting) = unbounded_channel();
        runtime.spawn(writer::run(Arc::clone(&inner), waiting));
        Ok(Self { inner, jobs, runtime })
    }

    /// Does work where the timers and sockets are, and to its end even if nobody waits for it.
    async fn ask<T, W>(&self, work: impl FnOnce(Arc<Inner>) -> W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let working = self.runtime.spawn(work(Arc::clone(&self.inner)));
        working.await.unwrap_or_else(|error| Err(StoreError::Unavailable { reason: error.to_string() }))
    }

    fn hand_over(&self, job: Job) -> Result<(), StoreError> {
        let stopped = |_| StoreError::Unavailable { reason: "the store's task has stopped".into() };
        self.jobs.send(job).map_err(stopped)
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("statistics", &self.statistics()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn prepare(&self, schema: &Schema) -> Result<(), StoreError> {
        let schema = *schema;
        self.ask(move |inner| async move { views::prepare(&inner.connections, &schema).await }).await
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Document>>, StoreError> {
        let keys = keys.to_vec();
        self.ask(move |inner| async move { reader::get(&inner.connections, keys).await }).await
    }

    async fn scan(&self, scan: &Scan) -> Result<Vec<Hit>, StoreError> {
        scan.validate()?;
        let scan = scan.clone();
        self.ask(move |inner| async move { reader::scan(&inner.connections, &scan).await }).await
    }

    async fn commit(&self, batch: Batch) -> Result<Version, StoreError> {
        batch.validate()?;
        text::validate(&batch)?;
        let (answer, answered) = oneshot::channel();
        self.hand_over(Job::Commit { batch, answer })?;
        answered.await.unwrap_or_else(|oneshot::Canceled| Err(lost()))
    }

    async fn claim(&self, claim: &Claim) -> Result<Vec<Hit>, StoreError> {
        claim.validate()?;
        claims::validate(claim)?;
        let (answer, answered) = oneshot::channel();
        self.hand_over(Job::Claim { claim: claim.clone(), answer })?;
        answered.await.unwrap_or_else(|oneshot::Canceled| Err(lost()))
    }
}

fn lost() -> StoreError {
    StoreError::Unknown { reason: "the runtime that the store works in has stopped".into() }
}

/// What the store's tasks share.
#[derive(Debug)]
struct Inner {
    connections: Connections,
    names: Names,
    /// The statement that begins a transaction.
    begin: &'static str,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    batches: AtomicU64,
    transactions: AtomicU64,
    retries: AtomicU64,
}

impl Counts {
    fn read(&self) -> Statistics {
        Statistics {
            batches: self.batches.load(Ordering::Relaxed),
            transactions: self.transactions.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
        }
    }

    fn add_transaction(&self, batches: usize) {
        self.batches.fetch_add(batches as u64, Ordering::Relaxed);
        self.transactions.fetch_add(1, Ordering::Relaxed);
    }

    fn add_retry(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }
}
