//! The file: how it is created, recognised, laid out and opened.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::super::StoreError;
use super::SqliteOptions;
use super::failure::{self, Failure, corrupt};
use super::tables::Tables;

/// Marks a file as ours, in the header field that SQLite keeps for this: "CHNC".
const APPLICATION_ID: i64 = 0x4348_4e43;
/// Grows when the tables below change. Not the version of what the documents mean: that is in `chancery_meta`.
const LAYOUT_VERSION: u32 = 1;
/// Documents are a kilobyte or so: on pages of 8 KiB they leave less unused than on the usual 4.
const PAGE_BYTES: u32 = 8192;
/// The log is copied into the file when it is this long: 64 MiB, so that a page that is written often is copied once.
const CHECKPOINT_PAGES: u32 = 8192;
/// How much of the file readers map. The writer does not: it copies what it changes, and mapping measured slower.
const MAPPED_BYTES: i64 = 1 << 30;

// Names of kinds and indexes are numbered, and a row remembers its own entries (JSON pairs of number and value), so
// that replacing it needs no second index over the entries. The kind of an entry is spelled out because it sorts.
const LAYOUT: &str = "
    CREATE TABLE chancery_meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO chancery_meta VALUES ('last_version', 0), ('schema_version', 0);
    CREATE TABLE chancery_name (code INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    CREATE TABLE chancery_document (
        number INTEGER PRIMARY KEY,
        kind INTEGER NOT NULL,
        id TEXT NOT NULL,
        version INTEGER NOT NULL,
        entries TEXT,
        body TEXT NOT NULL,
        UNIQUE (kind, id)
    );
    CREATE TABLE chancery_entry (
        name INTEGER NOT NULL,
        value TEXT NOT NULL,
        kind TEXT NOT NULL,
        id TEXT NOT NULL,
        document INTEGER NOT NULL,
        PRIMARY KEY (name, value, kind, id)
    ) WITHOUT ROWID;
";

/// Opens the connection that writes, creating and laying out the file if need be.
pub(super) fn open_writer(path: &Path, options: &SqliteOptions) -> Result<Connection, Failure> {
    create(path)?;
    let connection = connect(path, options)?;
    if is_blank(&connection)? {
        connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    }
    enter_wal(&connection, options)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "cache_size", -i64::from(options.cache_kib))?;
    if is_blank(&connection)? {
        lay_out(&connection)?;
    }
    // Whatever the writer thread will prepare must be preparable now, while there is someone to tell.
    Tables::new(&connection)?;
    Ok(connection)
}

/// Opens a connection that only reads. The file exists and is ours.
pub(super) fn open_reader(path: &Path, options: &SqliteOptions) -> Result<Connection, Failure> {
    let connection = connect(path, options)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "mmap_size", MAPPED_BYTES)?;
    Ok(connection)
}

/// Creates the file for its owner only. One that exists keeps the mode that somebody gave it.
fn create(path: &Path) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(failure::io(&error).into()),
        _ => Ok(()),
    }
}

fn connect(path: &Path, options: &SqliteOptions) -> Result<Connection, Failure> {
    // No URI: a path is a path. No mutex: each connection stays on one thread.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    let patience = options.busy_timeout.as_millis();
    connection.busy_handler(Some(move |attempts: i32| wait_a_turn(attempts, patience)))?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}

/// One millisecond for each turn: SQLite's own handler backs off to 100, and starves beside a busy neighbour.
fn wait_a_turn(attempts: i32, patience: u128) -> bool {
    let waiting = u128::try_from(attempts).unwrap_or(0) < patience;
    if waiting {
        thread::sleep(Duration::from_millis(1));
    }
    waiting
}

/// Whether nothing was laid out yet. Refuses what is not ours before anything is changed.
fn is_blank(connection: &Connection) -> Result<bool, Failure> {
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    match (number("application_id")?, number("user_version")?) {
        (APPLICATION_ID, found) => judge_layout(found).map(|()| false),
        (0, 0) if !has_tables(connection)? => Ok(true),
        _ => Err(corrupt("the file is an SQLite database, but not a store of chancery")),
    }
}

fn judge_layout(found: i64) -> Result<(), Failure> {
    match u32::try_from(found) {
        Ok(LAYOUT_VERSION) => Ok(()),
        Ok(found) if found > LAYOUT_VERSION => Err(StoreError::Newer { found, supported: LAYOUT_VERSION }.into()),
        _ => Err(corrupt(format!("the file's layout has the impossible version {found}"))),
    }
}

fn has_tables(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))
}

/// Turns the write-ahead log on. SQLite does not always ask the busy handler here, so this waits on its own.
fn enter_wal(connection: &Connection, options: &SqliteOptions) -> Result<(), Failure> {
    let patience = options.busy_timeout.as_millis();
    let mut attempts = 0;
    loop {
        match connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0)) {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => {
                let reason = format!("the file system has no write-ahead log: journal_mode is {mode}");
                return Err(StoreError::Unavailable { reason }.into());
            }
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && wait_a_turn(attempts, patience) =>
            {
                attempts += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn lay_out(connection: &Connection) -> Result<(), Failure> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let done = lay_out_inside(connection);
    connection.execute_batch(if done.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
    done
}

fn lay_out_inside(connection: &Connection) -> Result<(), Failure> {
    // Somebody else may have been faster.
    if is_blank(connection)? {
        connection.execute_batch(LAYOUT)?;
        connection.pragma_update(None, "application_id", APPLICATION_ID)?;
        connection.pragma_update(None, "user_version", LAYOUT_VERSION)?;
    }
    Ok(())
}
