//! The durable store in one SQLite file: many callers, one writer, shared fsyncs.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use async_trait::async_trait;
use futures_channel::oneshot;

use super::{Batch, Claim, Document, Hit, Key, Scan, Schema, Store, StoreError, Version};
use reader::Readers;
use writer::{Change, Job};

mod failure;
mod file;
mod reader;
mod tables;
mod views;
mod writer;

// With the kit, whose helpers for concurrency they use.
#[cfg(test)]
#[cfg(feature = "conformance")]
mod tests;

/// Keeps documents in one SQLite file, in write-ahead mode with `synchronous=FULL`.
///
/// # Threads
///
/// SQLite is a library that blocks, and a future must not. A store therefore owns one writer thread and a few
/// reader threads, started by [`open`](Self::open) and joined when the last clone is dropped. These are the only
/// threads that this crate ever starts: the host asks for them by opening a file.
///
/// The writer takes every batch and claim that is waiting into one transaction, judges each on its own, and answers them
/// all after one fsync. A batch that loses with [`StoreError::Conflict`] does not disturb its neighbours.
///
/// # The file
///
/// Several processes, and several stores in one process, may share the file. Any SQLite tool can read it:
/// [`prepare`](Store::prepare) keeps one view for each kind of document. A new file is created with mode 0600 on
/// Unix, and its `-wal` and `-shm` companions inherit that. Do not put it on a network file system.
#[derive(Clone)]
pub struct SqliteStore {
    inner: Arc<Inner>,
}

/// How a [`SqliteStore`] is opened.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use chancery::store::sqlite::SqliteOptions;
///
/// let directory = tempfile::tempdir()?;
/// let store = SqliteOptions::new()
///     .busy_timeout(Duration::from_secs(10))
///     .readers(4)
///     .open(directory.path().join("chancery.db"))?;
/// # drop(store);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    busy_timeout: Duration,
    readers: usize,
    cache_kib: u32,
}

/// How much work a [`SqliteStore`] and its clones have done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Batches and claims that were answered, conflicts included.
    pub batches: u64,
    /// Transactions that they took: each costs one fsync.
    pub transactions: u64,
}

impl SqliteStore {
    /// Opens the file at `path` with [`SqliteOptions::new`], creating it if there is none.
    ///
    /// Blocks for a few milliseconds. The errors are those of [`SqliteOptions::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        SqliteOptions::new().open(path)
    }

    /// How much work was done since the store was opened.
    pub fn statistics(&self) -> Statistics {
        self.inner.counts.read()
    }
}

impl SqliteOptions {
    /// Waits up to 5 s for other writers, reads through 2 threads, caches up to 64 MiB for the writer.
    pub fn new() -> Self {
        Self { busy_timeout: Duration::from_secs(5), readers: 2, cache_kib: 64 * 1024 }
    }

    /// How long to wait while another process writes, before answering [`StoreError::Unavailable`].
    pub fn busy_timeout(mut self, busy_timeout: Duration) -> Self {
        self.busy_timeout = busy_timeout;
        self
    }

    /// How many threads and connections read, at least one.
    pub fn readers(mut self, readers: usize) -> Self {
        self.readers = readers.max(1);
        self
    }

    /// How much memory the writer may fill with pages, in KiB. Readers share the system's page cache.
    pub fn cache_kib(mut self, cache_kib: u32) -> Self {
        self.cache_kib = cache_kib;
        self
    }

    /// Opens the file at `path`, creating it if there is none, and starts the store's threads.
    ///
    /// Fails with [`StoreError::Corrupt`] if the file is damaged or not a store of this crate, with
    /// [`StoreError::Newer`] if a later version of the crate laid it out, and with [`StoreError::Unavailable`] if
    /// it can not be reached.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<SqliteStore, StoreError> {
        let path = std::path::absolute(path).map_err(|error| failure::io(&error))?;
        Inner::start(&path, self).map(|inner| SqliteStore { inner: Arc::new(inner) })
    }
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("statistics", &self.statistics()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn prepare(&self, schema: &Schema) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        self.inner.ask_writer(Job::Prepare { schema: *schema, answer })?;
        answered.await.unwrap_or_else(|oneshot::Canceled| Err(failure::stopped()))
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Document>>, StoreError> {
        let keys = keys.to_vec();
        self.inner.readers.ask(move |connection| reader::get(connection, keys)).await
    }

    async fn scan(&self, scan: &Scan) -> Result<Vec<Hit>, StoreError> {
        scan.validate()?;
        let scan = scan.clone();
        self.inner.readers.ask(move |connection| reader::scan(connection, &scan)).await
    }

    async fn commit(&self, batch: Batch) -> Result<Version, StoreError> {
        batch.validate()?;
        let (answer, answered) = oneshot::channel();
        self.inner.ask_writer(Job::Change(Change::Commit { batch, answer }))?;
        answered.await.unwrap_or_else(|oneshot::Canceled| Err(failure::lost()))
    }

    async fn claim(&self, claim: &Claim) -> Result<Vec<Hit>, StoreError> {
        claim.validate()?;
        let (answer, answered) = oneshot::channel();
        self.inner.ask_writer(Job::Change(Change::Claim { claim: claim.clone(), answer }))?;
        answered.await.unwrap_or_else(|oneshot::Canceled| Err(failure::lost()))
    }
}

struct Inner {
    // `None` only while dropping: a closed channel is what ends the writer.
    writer: Option<mpsc::Sender<Job>>,
    writing: Option<JoinHandle<()>>,
    readers: Readers,
    counts: Arc<Counts>,
}

impl Inner {
    fn start(path: &Path, options: &SqliteOptions) -> Result<Self, StoreError> {
        let connection = file::open_writer(path, options).map_err(failure::Failure::into_error)?;
        let readers = Readers::start(path, options)?;
        let counts = Arc::new(Counts::default());
        let (writer, jobs) = mpsc::channel();
        let counting = Arc::clone(&counts);
        let writing = spawn("chancery-sqlite-writer", move || writer::run(&connection, &jobs, &counting))?;
        Ok(Self { writer: Some(writer), writing: Some(writing), readers, counts })
    }

    fn ask_writer(&self, job: Job) -> Result<(), StoreError> {
        let writer = self.writer.as_ref().ok_or_else(failure::stopped)?;
        writer.send(job).map_err(|mpsc::SendError(_)| failure::stopped())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.writer = None;
        self.writing.take().into_iter().for_each(join);
    }
}

#[derive(Debug, Default)]
struct Counts {
    batches: AtomicU64,
    transactions: AtomicU64,
}

impl Counts {
    fn read(&self) -> Statistics {
        Statistics {
            batches: self.batches.load(Ordering::Relaxed),
            transactions: self.transactions.load(Ordering::Relaxed),
        }
    }

    fn add_transaction(&self, batches: usize) {
        self.batches.fetch_add(batches as u64, Ordering::Relaxed);
        self.transactions.fetch_add(1, Ordering::Relaxed);
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    thread::Builder::new().name(name.into()).spawn(work).map_err(|error| failure::io(&error))
}

/// Waits for a thread to end. Not for the current one: a waker may drop the store on the thread that answers it.
fn join(thread: JoinHandle<()>) {
    if thread.thread().id() != thread::current().id() {
        // A thread that panicked has nothing left to say: its callers were told.
        let _ = thread.join();
    }
}
