//! Arbitrary operations on a SQLite store against the store in memory, which is the model.
#![no_main]

use chancery::store::conformance;
use chancery::store::sqlite::SqliteStore;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let store = SqliteStore::open(folder.path().join("fuzz.db")).expect("a new store");
    if let Err(difference) = futures_executor::block_on(conformance::differential(octets, &store)) {
        panic!("{difference}");
    }
});
