//! Arbitrary operations on the memory store against the model of the conformance kit.
#![no_main]

use chancery::store::{MemoryStore, conformance};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let store = MemoryStore::new();
    if let Err(difference) = futures_executor::block_on(conformance::differential(octets, &store)) {
        panic!("{difference}");
    }
});
