//! What can go wrong in a store, as facts that the caller can act on.

use super::Key;

/// Why a store call did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// An expectation of the batch did not hold; nothing was written. Read again and decide anew.
    #[error("another writer was first at {key}")]
    Conflict {
        /// The first key whose expectation did not hold.
        key: Key,
    },
    /// The store could not be reached or is full; nothing was written. Try again later.
    #[error("the store is unavailable: {reason}")]
    Unavailable {
        /// What the store's driver said.
        reason: String,
    },
    /// The batch may or may not have been applied. Read to find out.
    #[error("the outcome of the commit is unknown: {reason}")]
    Unknown {
        /// What the store's driver said.
        reason: String,
    },
    /// The data was written by a newer version of the crate.
    #[error("the store holds data of schema version {found}; this version of chancery reads up to {supported}")]
    Newer {
        /// The version found in the store.
        found: u32,
        /// The newest version that this build understands.
        supported: u32,
    },
    /// What is stored can not be read back.
    #[error("the store's data is damaged: {reason}")]
    Corrupt {
        /// What could not be read.
        reason: String,
    },
    /// The call itself breaks the port's contract: a size, a limit or a duplicate key.
    #[error("the call breaks the store's contract: {reason}")]
    Invalid {
        /// Which clause, and the value seen.
        reason: String,
    },
}
