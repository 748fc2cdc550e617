//! Why a stream is refused, or can not be made.

use crate::store::{Key, StoreError};

/// Why an export, an import or a check ended. Lines are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// The stream does not begin as an export does.
    #[error("line 1 does not begin an export of chancery")]
    Foreign,
    /// A line is not the one that was written behind the line before it.
    #[error("line {line} was changed, or does not belong behind the line before it")]
    Damaged {
        /// The line.
        line: u64,
    },
    /// A line's sum is right, but no export writes such a line.
    #[error("line {line} is not of an export: {reason}")]
    Malformed {
        /// The line.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A line is longer than any that an export writes.
    #[error("line {line} is longer than {} bytes", super::MAX_LINE_BYTES)]
    TooLong {
        /// The line.
        line: u64,
    },
    /// The stream ends too early.
    #[error("the stream ends in line {line}, before its own end")]
    Truncated {
        /// The line that was not whole, or is missing.
        line: u64,
    },
    /// There is more behind the end.
    #[error("line {line} follows the end of the export")]
    BehindTheEnd {
        /// The line.
        line: u64,
    },
    /// The stream was written by a newer version of the crate.
    #[error("the export has {what} {found}; this version of chancery reads up to {supported}")]
    Newer {
        /// What is newer: its format or its schema.
        what: &'static str,
        /// The version found.
        found: u32,
        /// The newest that this build reads.
        supported: u32,
    },
    /// A document can not be read as what it says it is.
    #[error("line {line}: {key} can not be read: {reason}")]
    Unreadable {
        /// The line.
        line: u64,
        /// The document.
        key: Key,
        /// What is wrong with it.
        reason: String,
    },
    /// There is something in the store already.
    #[error("the store is not empty: there is {key}")]
    NotEmpty {
        /// A document that is there.
        key: Key,
    },
    /// The store holds the beginning of another stream: finish that one, or empty the store.
    #[error("the store holds the beginning of another export, up to line {line}")]
    OtherStream {
        /// How many lines of it.
        line: u64,
    },
    /// The store that is to be exported holds a part of an import only.
    #[error("an import into the store is not finished")]
    Unfinished,
    /// The store failed. [`StoreError::Conflict`] tells that somebody else writes into a store that is being filled.
    #[error(transparent)]
    Store(#[from] StoreError),
}
