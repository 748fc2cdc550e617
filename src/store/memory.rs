//! The reference store, in memory.
#[derive(Debug)]
/// x
pub struct MemoryStore;
