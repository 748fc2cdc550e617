//! The stores that are measured: how one is opened anew, and how much of the disk it takes.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use chancery::store::Store;
use chancery::store::sqlite::SqliteStore;
use tempfile::TempDir;

/// A kind of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Sqlite,
}

/// A store that begins empty and goes when this is dropped.
pub(crate) struct Site {
    folder: TempDir,
}

impl Place {
    pub(crate) const ALL: [Self; 1] = [Self::Sqlite];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
        }
    }

    /// How many times as many durable issues many callers are to get done as one.
    pub(crate) fn target_of_callers(self) -> f64 {
        match self {
            Self::Sqlite => 8.0,
        }
    }

    pub(crate) fn found(self) -> Site {
        Site { folder: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap() }
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|place| place.name() == name).ok_or_else(|| format!("no store is called {name}"))
    }
}

impl Site {
    fn file(&self) -> PathBuf {
        self.folder.path().join("scale.db")
    }

    /// The store as another node opens it.
    pub(crate) async fn open(&self) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(self.file()).unwrap())
    }

    /// Bytes on disk, with the log written back.
    pub(crate) async fn bytes(&self) -> u64 {
        let connection = rusqlite::Connection::open(self.file()).unwrap();
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        drop(connection);
        let files = std::fs::read_dir(self.folder.path()).unwrap().map(|file| file.unwrap().metadata().unwrap());
        files.map(|file| file.len()).sum()
    }
}
