//! Runs the store port's conformance kit on every store of this crate, also behind `Arc<dyn Store>`.
#![cfg(feature = "conformance")]

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

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_shared_sqlite_store_conforms() {
        let open = async |place: &TempDir| Arc::new(open(place.path())) as Arc<dyn Store>;
        conformance::run_durable(create, open).await.assert_passed();
    }
}
