//! What PostgreSQL and its driver say, in the words of the port.

use std::collections::hash_map::RandomState;
use std::error::Error as _;
use std::hash::BuildHasher;
use std::io::ErrorKind;
use std::time::Duration;

use deadpool_postgres::PoolError;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use super::super::StoreError;

/// Why a piece of work at the server failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing was written, and the same may succeed in a moment.
    Again(String),
    /// Nothing was written, and the caller is told.
    Final(StoreError),
    /// A commit was sent and its outcome can not be told.
    Unknown(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let reason = describe(&error);
        match error.code() {
            None if is_settled(&error) => unavailable(reason),
            // Not the server's word but the connection's: it was refused, or it broke.
            None => Self::Again(reason),
            Some(code) if is_passing(code) => Self::Again(reason),
            Some(code) => Self::Final(sort(code, reason)),
        }
    }
}

impl From<PoolError> for Failure {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => error.into(),
            other => unavailable(format!("no connection: {other}")),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Final(error)
    }
}

impl Failure {
    /// Sorts an error that came out of `COMMIT` itself, all that was to be written having been taken. A serialization
    /// failure proves that nothing was written. After anything else the commit may be in the log already.
    pub(super) fn at_commit(error: &Error) -> Self {
        let reason = describe(error);
        match error.code() {
            Some(code) if is_contention(code) => Self::Again(reason),
            _ => Self::Unknown(reason),
        }
    }

    /// The failure in the words of the port, when nothing more is tried.
    pub(super) fn into_error(self) -> StoreError {
        match self {
            Self::Again(reason) => StoreError::Unavailable { reason },
            Self::Final(error) => error,
            Self::Unknown(reason) => StoreError::Unknown { reason },
        }
    }
}

/// How often the same is tried, and how long between: 5 ms at first, twice as long each time, up to 1.3 s in all.
#[derive(Debug, Default)]
pub(super) struct Turns {
    taken: u32,
}

impl Turns {
    const MOST: u32 = 8;

    /// Waits for the next turn; what failed for good, or too often, ends it.
    pub(super) async fn wait(&mut self, failure: Failure) -> Result<(), StoreError> {
        let Failure::Again(reason) = failure else { return Err(failure.into_error()) };
        if self.taken == Self::MOST {
            return Err(StoreError::Unavailable { reason });
        }
        let longest = Duration::from_millis(5) * 2_u32.pow(self.taken);
        self.taken += 1;
        tracing::debug!(%reason, turn = self.taken, "trying again");
        tokio::time::sleep(jitter(longest)).await;
        Ok(())
    }
}

/// Between a half and the whole of a time, so that those who met do not meet again.
fn jitter(longest: Duration) -> Duration {
    // The seeds of hash maps are random, and nothing here is secret.
    let drawn = RandomState::new().hash_one(0_u8) % 512;
    longest.mul_f64(0.5 + drawn as f64 / 1024.0)
}

/// A failure that is not worth another turn.
pub(super) fn unavailable(reason: impl Into<String>) -> Failure {
    Failure::Final(StoreError::Unavailable { reason: reason.into() })
}

/// Something stored that can not be read back.
pub(super) fn corrupt(reason: impl Into<String>) -> Failure {
    Failure::Final(StoreError::Corrupt { reason: reason.into() })
}

/// A value that the driver can not read: what is stored is not what the layout says.
pub(super) fn unreadable(error: &Error) -> Failure {
    corrupt(describe(error))
}

/// Whether a connection came to nothing in a way that another turn would repeat: TLS that was refused, a wait that was
/// long already.
fn is_settled(error: &Error) -> bool {
    let settled = [ErrorKind::TimedOut, ErrorKind::InvalidData, ErrorKind::InvalidInput];
    let cause = error.source().and_then(|cause| cause.downcast_ref::<std::io::Error>());
    cause.is_some_and(|cause| settled.contains(&cause.kind()))
}

/// Whether this is what becomes of the loser among concurrent transactions.
fn is_contention(code: &SqlState) -> bool {
    *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED
}

/// Whether the same may succeed in a moment: contention, a server that stops, starts or changes its role, a session
/// that it ended.
fn is_passing(code: &SqlState) -> bool {
    let passing = [
        // Under serializable isolation, how a key that somebody else created meanwhile may show.
        SqlState::UNIQUE_VIOLATION,
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::TOO_MANY_CONNECTIONS,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        SqlState::READ_ONLY_SQL_TRANSACTION,
    ];
    is_contention(code) || code.code().starts_with("08") || passing.contains(code)
}

fn sort(code: &SqlState, reason: String) -> StoreError {
    let corrupt = [
        SqlState::DATA_CORRUPTED,
        SqlState::INDEX_CORRUPTED,
        SqlState::UNDEFINED_TABLE,
        SqlState::UNDEFINED_COLUMN,
        SqlState::INVALID_TEXT_REPRESENTATION,
    ];
    let invalid = [SqlState::CHARACTER_NOT_IN_REPERTOIRE, SqlState::PROGRAM_LIMIT_EXCEEDED];
    if corrupt.contains(code) {
        StoreError::Corrupt { reason }
    } else if invalid.contains(code) {
        StoreError::Invalid { reason }
    } else {
        StoreError::Unavailable { reason }
    }
}

/// The driver's words with their causes; its own `Display` leaves them out.
pub(super) fn describe(error: &Error) -> String {
    if let Some(error) = error.as_db_error() {
        return format!("{} (SQLSTATE {})", error.message(), error.code().code());
    }
    let mut reason = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_words = inner.to_string();
        if !reason.contains(&inner_words) {
            reason = format!("{reason}: {inner_words}");
        }
        cause = inner.source();
    }
    reason
}
