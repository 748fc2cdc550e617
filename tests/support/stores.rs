//! The store that crash tests and simulations run over: `CHANCERY_TEST_STORE` is `memory`, `sqlite`,
//! `postgres` or `redb`, which is the example of a store of one's own.
#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::cell::Cell;
use std::path::Path;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use async_trait::async_trait;
use chancery::store::{Batch, Claim, Document, Hit, Key, MemoryStore, Scan, Schema, Store, StoreError, Version};
use tempfile::TempDir;

// Tests of that store have it themselves, too.
#[cfg(feature = "postgres")]
#[allow(clippy::duplicate_mod, reason = "a binary may need it here and of its own")]
#[path = "postgres.rs"]
mod cluster;

#[path = "../../examples/custom_store/store.rs"]
mod redb;

/// Whether the tests run over memory, as they do unless told otherwise, and can afford more.
pub(crate) fn is_memory() -> bool {
    name() == "memory"
}

/// Which of many like cases are tried: all of them over memory, one of eight where every commit costs. It is the engine
/// that must come through them all; of the store they ask the same again and again.
pub(crate) fn stride() -> usize {
    if is_memory() { 1 } else { 8 }
}

/// A new and empty store.
///
/// # Panics
/// If the store that was asked for is not built in, or its server is not there.
pub(crate) fn store() -> Watched {
    let (store, directory): (Arc<dyn Store>, _) = match name().as_str() {
        "memory" => (Arc::new(MemoryStore::new()), None),
        #[cfg(feature = "sqlite")]
        "sqlite" => in_directory(|path| chancery::store::sqlite::SqliteStore::open(path).unwrap()),
        "redb" => in_directory(|path| redb::RedbStore::open(path).unwrap()),
        #[cfg(feature = "postgres")]
        "postgres" => (postgres(), None),
        other => panic!("CHANCERY_TEST_STORE={other} is no store of this build"),
    };
    Watched { store, _directory: directory }
}

fn name() -> String {
    std::env::var("CHANCERY_TEST_STORE").unwrap_or_else(|_| "memory".into())
}

/// Opens a file in a directory of its own: in memory where there is such a place. What these tests lose is lost by their
/// faults, not by the machine, and hundreds of files would wait for the disk at each commit.
fn in_directory<S: Store>(open: impl Fn(&Path) -> S) -> (Arc<dyn Store>, Option<Arc<TempDir>>) {
    let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    (Arc::new(open(&directory.path().join("store"))), Some(Arc::new(directory)))
}

/// Where stores of others' do their work, whatever runs the test.
pub(crate) fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap())
}

/// A schema of its own on one server. The store's tasks run in threads of their own, so that a test may block its thread.
#[cfg(feature = "postgres")]
fn postgres() -> Arc<dyn Store> {
    use std::sync::atomic::AtomicU32;

    static PLACES: AtomicU32 = AtomicU32::new(0);
    let runtime = runtime();
    static CLUSTER: OnceLock<cluster::Cluster> = OnceLock::new();
    let cluster = CLUSTER.get_or_init(|| cluster::Cluster::start_without_fsync().expect("PostgreSQL is installed"));
    let schema = format!("place_{}", PLACES.fetch_add(1, Ordering::Relaxed));
    let options = chancery::store::postgres::PostgresOptions::new().schema(schema).pool_size(2);
    let opening = std::thread::spawn(move || runtime.block_on(options.connect(&cluster.url("postgres"))));
    Arc::new(opening.join().unwrap().unwrap())
}

thread_local! {
    /// How many calls of this thread's futures are under way in a store.
    static UNDER_WAY: Cell<usize> = const { Cell::new(0) };
}

/// A store of which is known whether it has yet to answer.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    store: Arc<dyn Store>,
    /// Removed after the store has been closed.
    _directory: Option<Arc<TempDir>>,
}

struct Call;

impl Call {
    fn begin() -> Self {
        UNDER_WAY.set(UNDER_WAY.get() + 1);
        Self
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        UNDER_WAY.set(UNDER_WAY.get() - 1);
    }
}

#[async_trait]
impl Store for Watched {
    async fn prepare(&self, schema: &Schema) -> Result<(), StoreError> {
        let _call = Call::begin();
        self.store.prepare(schema).await
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Document>>, StoreError> {
        let _call = Call::begin();
        self.store.get(keys).await
    }

    async fn scan(&self, scan: &Scan) -> Result<Vec<Hit>, StoreError> {
        let _call = Call::begin();
        self.store.scan(scan).await
    }

    async fn commit(&self, batch: Batch) -> Result<Version, StoreError> {
        let _call = Call::begin();
        self.store.commit(batch).await
    }

    async fn claim(&self, claim: &Claim) -> Result<Vec<Hit>, StoreError> {
        let _call = Call::begin();
        self.store.claim(claim).await
    }
}

/// Lets a future run until it is ready, or waits for something that is not a [`Watched`] store: for ever, as far as a
/// test with a clock that stands still can tell.
pub(crate) trait Soon: Future + Sized {
    fn soon(self) -> Option<Self::Output> {
        let bell = Arc::new(Bell { has_rung: AtomicBool::new(true), thread: std::thread::current() });
        let waker = Waker::from(Arc::clone(&bell));
        // Whoever polls by hand never gives tokio's budget back: without one, stores that wait by its means would stop.
        let mut future = pin!(tokio::task::coop::unconstrained(self));
        loop {
            if bell.has_rung.swap(false, Ordering::SeqCst) {
                if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return Some(output);
                }
            } else if UNDER_WAY.get() == 0 {
                return None;
            } else {
                std::thread::park_timeout(Duration::from_millis(50));
            }
        }
    }
}

impl<F: Future> Soon for F {}

struct Bell {
    has_rung: AtomicBool,
    thread: Thread,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.has_rung.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}
