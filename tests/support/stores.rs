//! The store that crash tests and simulations run over: `CHANCERY_TEST_STORE` is `memory`, `sqlite` or `postgres`.
#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::cell::Cell;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use async_trait::async_trait;
use chancery::store::{Batch, Claim, Document, Hit, Key, MemoryStore, Scan, Schema, Store, StoreError, Version};

// Tests of that store have it themselves, too.
#[cfg(feature = "postgres")]
#[allow(clippy::duplicate_mod, reason = "a binary may need it here and of its own")]
#[path = "postgres.rs"]
mod cluster;

/// Whether the tests run over memory, as they do unless told otherwise, and can afford more.
pub(crate) fn is_memory() -> bool {
    name() == "memory"
}

/// A new and empty store.
///
/// # Panics
/// If the store that was asked for is not built in, or its server is not there.
pub(crate) fn store() -> Watched {
    Watched(match name().as_str() {
        "memory" => Arc::new(MemoryStore::new()),
        #[cfg(feature = "sqlite")]
        "sqlite" => sqlite(),
        #[cfg(feature = "postgres")]
        "postgres" => postgres(),
        other => panic!("CHANCERY_TEST_STORE={other} is no store of this build"),
    })
}

fn name() -> String {
    std::env::var("CHANCERY_TEST_STORE").unwrap_or_else(|_| "memory".into())
}

/// The open file outlives its name.
#[cfg(feature = "sqlite")]
fn sqlite() -> Arc<dyn Store> {
    let directory = Box::leak(Box::new(tempfile::tempdir().unwrap()));
    let store = chancery::store::sqlite::SqliteStore::open(directory.path().join("store.db")).unwrap();
    Arc::new(store)
}

/// A schema of its own on one server. The store's tasks run in threads of their own, so that a test may block its thread.
#[cfg(feature = "postgres")]
fn postgres() -> Arc<dyn Store> {
    use std::sync::OnceLock;
    use std::sync::atomic::AtomicU32;

    static PLACES: AtomicU32 = AtomicU32::new(0);
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap());
    let cluster = cluster::Cluster::shared().expect("PostgreSQL is installed");
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
pub(crate) struct Watched(Arc<dyn Store>);

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
        self.0.prepare(schema).await
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Document>>, StoreError> {
        let _call = Call::begin();
        self.0.get(keys).await
    }

    async fn scan(&self, scan: &Scan) -> Result<Vec<Hit>, StoreError> {
        let _call = Call::begin();
        self.0.scan(scan).await
    }

    async fn commit(&self, batch: Batch) -> Result<Version, StoreError> {
        let _call = Call::begin();
        self.0.commit(batch).await
    }

    async fn claim(&self, claim: &Claim) -> Result<Vec<Hit>, StoreError> {
        let _call = Call::begin();
        self.0.claim(claim).await
    }
}

/// Lets a future run until it is ready, or waits for something that is not a [`Watched`] store: for ever, as far as a
/// test with a clock that stands still can tell.
pub(crate) trait Soon: Future + Sized {
    fn soon(self) -> Option<Self::Output> {
        let bell = Arc::new(Bell { has_rung: AtomicBool::new(true), thread: std::thread::current() });
        let waker = Waker::from(Arc::clone(&bell));
        let mut future = pin!(self);
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
