//! What SQLite says, in the words of the port.

use rusqlite::ErrorCode;

use super::super::StoreError;

/// Why a piece of work inside the store failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// SQLite refused, before anything was committed.
    Sql(rusqlite::Error),
    /// A commit was tried and its outcome can not be told.
    Commit(rusqlite::Error),
    /// The work itself is the matter.
    Store(StoreError),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Failure {
    /// Sorts an error that came out of `COMMIT` itself. Only a busy file proves that nothing was written: after any
    /// other error the commit may be in the log already, and come to life when the log is next recovered.
    pub(super) fn at_commit(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Sql(error),
            _ => Self::Commit(error),
        }
    }

    /// The failure in the words of the port.
    pub(super) fn into_error(self) -> StoreError {
        match self {
            Self::Sql(error) => before_commit(&error),
            Self::Commit(error) => StoreError::Unknown { reason: error.to_string() },
            Self::Store(error) => error,
        }
    }
}

/// The answer to a call that finds the store's threads gone.
pub(super) fn stopped() -> StoreError {
    StoreError::Unavailable { reason: "the store's thread has stopped".into() }
}

/// The answer to a call whose work the store's thread took with it.
pub(super) fn lost() -> StoreError {
    StoreError::Unknown { reason: "the store's writer thread died".into() }
}

/// An error of the file system, before SQLite saw the file.
pub(super) fn io(error: &std::io::Error) -> StoreError {
    StoreError::Unavailable { reason: error.to_string() }
}

/// Something stored that can not be read back.
pub(super) fn corrupt(reason: impl Into<String>) -> Failure {
    Failure::Store(StoreError::Corrupt { reason: reason.into() })
}

fn before_commit(error: &rusqlite::Error) -> StoreError {
    let reason = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::TooBig) => StoreError::Invalid { reason },
        Some(
            ErrorCode::DatabaseCorrupt
            | ErrorCode::NotADatabase
            | ErrorCode::ConstraintViolation
            | ErrorCode::TypeMismatch
            // A table or column that should be there is not.
            | ErrorCode::Unknown,
        ) => StoreError::Corrupt { reason },
        Some(_) => StoreError::Unavailable { reason },
        // Not an error of SQLite but of reading what it gave: a value of the wrong type or a missing row.
        None => StoreError::Corrupt { reason },
    }
}
