//! Runs the store port's conformance kit on every store of this crate, also behind `Arc<dyn Store>`.
#![cfg(feature = "conformance")]

#[path = "../examples/custom_store/store.rs"]
mod custom_store;

use std::sync::Arc;

use chancery::store::{MemoryStore, Store, conformance};

#[tokio::test]
async fn the_memory_store_conforms() {
    conformance::run_durable(async || MemoryStore::new(), async |place: &MemoryStore| place.clone())
        .await
        .assert_passed();
}

#[tokio::test]
async fn a_shared_memory_store_conforms() {
    conformance::run(async || Arc::new(MemoryStore::new()) as Arc<dyn Store>).await.assert_passed();
}

#[tokio::test]
async fn a_faulty_store_without_faults_conforms() {
    use chancery::store::faulty::FaultyStore;
    conformance::run(async || FaultyStore::new(MemoryStore::new())).await.assert_passed();
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use std::path::Path;
    use std::process::Command;

    use chancery::store::conformance::killed;
    use chancery::store::sqlite::SqliteStore;
    use tempfile::TempDir;

    use super::*;

    async fn create() -> TempDir {
        TempDir::new().expect("a temporary directory")
    }

    fn open(directory: &Path) -> SqliteStore {
        SqliteStore::open(directory.join("store.db")).expect("a store that opens")
    }

    #[tokio::test]
    async fn the_sqlite_store_conforms() {
        conformance::run_durable(create, async |place: &TempDir| open(place.path())).await.assert_passed();
    }

    /// The process that is killed: this test's own binary again.
    #[tokio::test]
    async fn writes_until_it_is_killed() {
        let Some(directory) = std::env::var_os("WRITE_UNTIL_KILLED") else { return };
        let error = killed::write(&open(Path::new(&directory)), |told| println!("{told}")).await;
        panic!("{error}");
    }

    #[tokio::test]
    async fn the_sqlite_store_survives_kills() {
        let directory = create().await;
        let writer = || {
            let mut command = Command::new(std::env::current_exe().expect("the path of this program"));
            command.args(["--exact", "sqlite::writes_until_it_is_killed", "--nocapture"]);
            command.env("WRITE_UNTIL_KILLED", directory.path());
            command
        };
        killed::survives_kills(25, writer, async || open(directory.path())).await.assert_passed();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_shared_sqlite_store_conforms() {
        let open = async |place: &TempDir| Arc::new(open(place.path())) as Arc<dyn Store>;
        conformance::run_durable(create, open).await.assert_passed();
    }
}

/// The store that the manual walks through.
mod custom {
    use std::path::Path;
    use std::sync::{Arc, Mutex, Weak};

    use chancery::store::conformance;
    use tempfile::TempDir;

    use crate::custom_store::RedbStore;

    fn open(path: &Path) -> RedbStore {
        RedbStore::open(path).expect("a store that opens")
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_example_store_conforms() {
        let create = async || (TempDir::new().expect("a temporary directory"), Mutex::new(Weak::new()));
        let open = async |(directory, held): &(TempDir, Mutex<Weak<RedbStore>>)| {
            let mut held = held.lock().expect("nobody panics");
            held.upgrade().unwrap_or_else(|| {
                let store = Arc::new(open(&directory.path().join("store.redb")));
                *held = Arc::downgrade(&store);
                store
            })
        };
        conformance::run_durable(create, open).await.assert_passed();
    }
}
